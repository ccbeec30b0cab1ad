//! ResourceQuotas and LimitRanges.

use manifest::quantity::Quantity;
use yaml::{Map, Str, Value};

use super::amounts::{self, quantity};
use super::field::Field;
use crate::{FieldError, names};

const SCOPES: [&str; 7] = [
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
];
/// Scopes that exclude each other.
const OPPOSITES: [[&str; 2]; 2] = [
    ["BestEffort", "NotBestEffort"],
    ["Terminating", "NotTerminating"],
];
/// What pods ask for.
const OF_PODS: [&str; 6] = [
    "cpu",
    "memory",
    "limits.cpu",
    "limits.memory",
    "requests.cpu",
    "requests.memory",
];

pub(super) fn resource_quota(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    let hard = spec.get("hard");
    limits(&hard);
    scopes(&spec.get("scopes"), &hard);
    selector(&spec.get("scopeSelector"), &hard);
    resource_quota_status(object);
    let scopes = spec.get("scopes");
    let before = scopes.old().and_then(Value::as_list).unwrap_or_default();
    let now = scopes.list();
    let same = now.iter().all(|scope| before.contains(scope))
        && before.iter().all(|scope| now.contains(scope));
    if object.is_update() && !same {
        scopes.invalid("field is immutable");
    }
}

/// The status of a `ResourceQuota`.
pub(super) fn resource_quota_status(object: &Field<'_, '_>) {
    for part in ["hard", "used"] {
        limits(&object.get("status").get(part));
    }
}

fn limits(limits: &Field<'_, '_>) {
    for (name, limit) in limits.entries() {
        amounts::resource_name(name, &limit);
        if !name.contains('/') && !amounts::is_of_quotas(name) {
            limit.invalid_as(&name.into(), "must be a standard resource for quota");
        }
        amounts::amount(name, &limit);
    }
}

/// Whether a scope has a meaning for a resource that quotas know.
fn fits(scope: &str, resource: &str) -> bool {
    let pods = resource == "pods";
    !amounts::is_of_quotas(resource)
        || match scope {
            "BestEffort" => pods,
            "VolumeAttributesClass" => {
                matches!(resource, "persistentvolumeclaims" | "requests.storage")
            }
            _ if SCOPES.contains(&scope) => pods || OF_PODS.contains(&resource),
            _ => true,
        }
}

fn misfits<'v>(scope: &str, hard: &Field<'_, 'v>) -> usize {
    let names = hard.map().into_iter().flat_map(Map::keys).map(Str::as_str);
    names.filter(|name| !fits(scope, name)).count()
}

fn conflicts(given: &[&str]) -> usize {
    let both = |pair: &&[&str; 2]| pair.iter().all(|scope| given.contains(scope));
    OPPOSITES.iter().filter(both).count()
}

fn scopes(scopes: &Field<'_, '_>, hard: &Field<'_, '_>) {
    let given: Vec<&str> = scopes.list().iter().filter_map(Value::as_str).collect();
    for scope in &given {
        if !SCOPES.contains(scope) {
            scopes.invalid("unsupported scope");
        }
        for _ in 0..misfits(scope, hard) {
            scopes.invalid("unsupported scope applied to resource");
        }
    }
    for _ in 0..conflicts(&given) {
        scopes.invalid("conflicting scopes");
    }
}

fn selector(selector: &Field<'_, '_>, hard: &Field<'_, '_>) {
    let list = selector.get("matchExpressions");
    let mut given = Vec::new();
    for requirement in list.items() {
        // Told at the list, not at its item.
        let (scope_at, operator_at, values_at) = (
            list.get("scopeName"),
            list.get("operator"),
            list.get("values"),
        );
        let (scope, operator, values) = (
            requirement.get("scopeName"),
            requirement.get("operator"),
            requirement.get("values"),
        );
        let (scope, operator) = (scope.told_at(&scope_at), operator.told_at(&operator_at));
        let values = values.told_at(&values_at);
        if !SCOPES.contains(&scope.text()) {
            scope.invalid("unsupported scope");
        }
        for _ in 0..misfits(scope.text(), hard) {
            let shown = list.go_list(&[
                ("ScopeName", "scopeName", "\"\""),
                ("Operator", "operator", "\"\""),
                ("Values", "values", "null"),
            ]);
            let shown = format!("{{\"MatchExpressions\":{shown}}}");
            list.tell(|path| {
                FieldError::invalid_printed(path, &shown, "unsupported scope applied to resource")
            });
        }
        let by_value = matches!(scope.text(), "PriorityClass" | "VolumeAttributesClass");
        if !by_value && SCOPES.contains(&scope.text()) && operator.text() != "Exists" {
            operator.invalid(
                "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, \
                 ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, \
                 ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
            );
        }
        match operator.text() {
            "In" | "NotIn" if values.is_empty() => values.required(
                "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
            ),
            "Exists" | "DoesNotExist" if !values.is_empty() => values.invalid(
                "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
            ),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => operator.invalid("not a valid selector operator"),
        }
        given.push(scope.text());
    }
    for _ in 0..conflicts(&given) {
        list.invalid_as(&Value::Null, "conflicting scopes");
    }
}

/// The maps of a limit, by name; those of pods have no defaults.
const MAPS: [&str; 5] = [
    "max",
    "min",
    "default",
    "defaultRequest",
    "maxLimitRequestRatio",
];

pub(super) fn limit_range(object: &Field<'_, '_>) {
    let mut types = Vec::new();
    let spec = object.get("spec");
    for limit in spec.get("limits").items() {
        let kind = limit.get("type");
        limit_type(&kind);
        kind.unique(&mut types);
        let of_pods = kind.text() == "Pod";
        let mut seen: Vec<&str> = Vec::new();
        for name in MAPS {
            let map = limit.get(name);
            if of_pods && name.starts_with("default") {
                if !map.is_empty() {
                    map.forbidden("may not be specified when `type` is 'Pod'");
                }
                continue;
            }
            for (resource, place) in map.entries() {
                if matches!(kind.text(), "Pod" | "Container") {
                    amounts::container_resource_name(resource, &place);
                } else {
                    amounts::resource_name(resource, &place);
                }
                if !seen.contains(&resource) {
                    seen.push(resource);
                }
            }
            if name == "defaultRequest" || (of_pods && name == "min") {
                claims(&limit, kind.text());
            }
        }
        seen.sort_unstable();
        for resource in seen {
            compare(&limit, resource, of_pods);
        }
    }
}

fn limit_type(kind: &Field<'_, '_>) {
    let before = kind.errors();
    kind.problems(names::qualified_name_problems);
    let known = matches!(kind.text(), "Pod" | "Container" | "PersistentVolumeClaim");
    if kind.errors() == before && !kind.text().contains('/') && !known {
        kind.invalid("must be a standard limit type or fully qualified");
    }
}

/// Claims have a least or a greatest size.
fn claims(limit: &Field<'_, '_>, kind: &str) {
    let has = |map: &str| limit.get(map).key("storage").is_set();
    if kind == "PersistentVolumeClaim" && !has("min") && !has("max") {
        limit.get("limits").required(
            "either minimum or maximum storage value is required, but neither was provided",
        );
    }
}

/// The amounts of one resource fit each other.
fn compare(limit: &Field<'_, '_>, resource: &str, of_pods: bool) {
    let amount = |map: &str| -> Option<(Quantity, String)> {
        if of_pods && map.starts_with("default") {
            return None;
        }
        let map = limit.get(map);
        let place = map.key(resource);
        Some((quantity(&place)?, place.text().to_owned()))
    };
    let (min, max) = (amount("min"), amount("max"));
    let (given, asked) = (amount("default"), amount("defaultRequest"));
    // The map that is told, the smaller and the larger amount with their names, and which of both
    // is printed.
    let rules = [
        ("min", &min, &max, "min value", "max value", true),
        (
            "defaultRequest",
            &min,
            &asked,
            "min value",
            "default request value",
            false,
        ),
        (
            "defaultRequest",
            &asked,
            &max,
            "default request value",
            "max value",
            true,
        ),
        (
            "defaultRequest",
            &asked,
            &given,
            "default request value",
            "default limit value",
            true,
        ),
        ("default", &min, &given, "min value", "default value", true),
        ("default", &given, &max, "default value", "max value", false),
    ];
    for (map, small, large, small_name, large_name, prints_small) in rules {
        if let (Some((small, low)), Some((large, high))) = (small, large)
            && small > large
        {
            let why = format!("{small_name} {low} is greater than {large_name} {high}");
            let shown = if prints_small { low } else { high };
            limit
                .get(map)
                .key(resource)
                .invalid_as(&shown.as_str().into(), &why);
        }
    }
    ratio(limit, resource, min.as_ref(), max.as_ref());
    let overcommits = !resource.contains('/') && !resource.starts_with("hugepages-");
    if let (Some((given, high)), Some((asked, low))) = (&given, &asked)
        && !overcommits
        && given != asked
    {
        let why =
            format!("default value {high} must equal to defaultRequest value {low} in {resource}");
        let map = limit.get("defaultRequest");
        map.key(resource).invalid_as(&low.as_str().into(), &why);
    }
}

fn ratio(
    limit: &Field<'_, '_>,
    resource: &str,
    min: Option<&(Quantity, String)>,
    max: Option<&(Quantity, String)>,
) {
    let map = limit.get("maxLimitRequestRatio");
    let place = map.key(resource);
    let Some(ratio) = quantity(&place) else {
        return;
    };
    let text = place.text();
    let milli = |quantity: &Quantity| quantity.scaled(-3).map(|milli| milli as f64 / 1000.0);
    if milli(&ratio).is_some_and(|ratio| ratio < 1.0) {
        place.invalid(&format!("ratio {text} is less than 1"));
    }
    let ends = min.zip(max);
    let most = ends.and_then(|(min, max)| Some(milli(&max.0)? / milli(&min.0)?));
    if let (Some(most), Some(ratio)) = (most, milli(&ratio))
        && ratio > most
    {
        place.invalid(&format!("ratio {text} is greater than max/min = {most:.6}"));
    }
}
