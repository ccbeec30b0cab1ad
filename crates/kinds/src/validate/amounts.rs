//! Quantities of resources, their names, and numbers that may be percentages.

use std::cmp::Ordering;

use manifest::quantity::Quantity;
use yaml::Value;

use super::field::Field;
use crate::{FieldError, names};

const HUGE_PAGES: &str = "hugepages-";
const LONELY_PAGES: &str = "HugePages require cpu or memory";
/// Resources that a container can ask for.
const OF_CONTAINERS: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
/// Resources that are counted: their quantities are whole.
const COUNTED: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];
/// Amounts that a quota can limit besides the counted ones; `storage` is no such.
const LIMITED: [&str; 10] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
];

/// The quantity that a place holds.
pub(super) fn quantity(field: &Field<'_, '_>) -> Option<Quantity> {
    Quantity::from_value(field.value()?).ok()
}

fn is_huge_pages(name: &str) -> bool {
    name.starts_with(HUGE_PAGES)
}

fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

fn is_extended(name: &str) -> bool {
    !is_native(name)
        && !name.starts_with("requests.")
        && names::qualified_name_problems(&format!("requests.{name}")).is_empty()
}

fn is_counted(name: &str) -> bool {
    COUNTED.contains(&name) || is_extended(name)
}

/// Whether a quota can limit a resource of this name.
pub(super) fn is_of_quotas(name: &str) -> bool {
    COUNTED.contains(&name)
        || LIMITED.contains(&name)
        || is_huge_pages(name)
        || name.starts_with("requests.hugepages-")
}

fn is_standard(name: &str) -> bool {
    name == "storage" || is_of_quotas(name)
}

/// The rules of the name of any resource; gives whether it is fine.
pub(super) fn resource_name(name: &str, place: &Field<'_, '_>) -> bool {
    let problems = names::qualified_name_problems(name);
    for problem in &problems {
        place.invalid_as(&name.into(), problem);
    }
    let unknown = problems.is_empty() && !name.contains('/') && !is_standard(name);
    if unknown {
        place.invalid_as(
            &name.into(),
            "must be a standard resource type or fully qualified",
        );
    }
    problems.is_empty() && !unknown
}

/// The rules of the name of a resource of a container.
pub(super) fn container_resource_name(name: &str, place: &Field<'_, '_>) {
    resource_name(name, place);
    if !name.contains('/') {
        if !OF_CONTAINERS.contains(&name) && !is_huge_pages(name) {
            place.invalid_as(&name.into(), "must be a standard resource for containers");
        }
    } else if !is_native(name) && !is_extended(name) {
        place.invalid_as(
            &name.into(),
            "doesn't follow extended resource name standard",
        );
    }
}

/// The rules of the name of a resource of a whole pod.
fn pod_resource_name(name: &str, place: &Field<'_, '_>) {
    let known = matches!(name, "cpu" | "memory") || is_huge_pages(name);
    if resource_name(name, place) && !known {
        let words = ["cpu", HUGE_PAGES, "memory"];
        place.tell(|path| FieldError::not_supported(path, &name.into(), &words));
    }
}

/// A quantity is not below zero, and whole where the resource is counted.
pub(super) fn amount(name: &str, place: &Field<'_, '_>) {
    let Some(amount) = quantity(place) else {
        return;
    };
    if amount.scaled(0).is_some_and(|number| number < 0) {
        place.invalid("must be greater than or equal to 0");
    }
    if is_counted(name) && amount.scaled(-3).is_some_and(|milli| milli % 1000 != 0) {
        place.invalid("must be an integer");
    }
}

/// Requests and limits of a container.
pub(super) fn container_resources(resources: &Field<'_, '_>, claims: &[&str]) {
    requirements(resources, container_resource_name);
    claim_names(&resources.get("claims"), claims);
}

/// Requests and limits of a whole pod.
pub(super) fn pod_resources(resources: &Field<'_, '_>, names: &[&str]) {
    let claims = resources.get("claims");
    if claims.is_set() {
        claims.forbidden("claims may not be set for Resources at pod-level");
    }
    requirements(resources, pod_resource_name);
    claim_names(&claims, names);
}

/// What a pod costs besides its containers: limits, told at their own place.
pub(super) fn overhead(limits: &Field<'_, '_>) {
    let place = limits.get("limits");
    let (mut huge, mut computing) = (false, false);
    for (name, _) in limits.entries() {
        let (limit, told) = (limits.key(name), place.key(name));
        let limit = limit.told_at(&told);
        container_resource_name(name, &limit);
        amount(name, &limit);
        huge_pages(name, &limit);
        huge |= is_huge_pages(name);
        computing |= matches!(name, "cpu" | "memory");
    }
    if huge && !computing {
        limits.forbidden(LONELY_PAGES);
    }
}

fn requirements(resources: &Field<'_, '_>, check_name: fn(&str, &Field<'_, '_>)) {
    let (limits, requests) = (resources.get("limits"), resources.get("requests"));
    let (mut huge, mut computing) = (false, false);
    let mut see = |name: &str, place: &Field<'_, '_>| {
        check_name(name, place);
        amount(name, place);
        huge_pages(name, place);
        huge |= is_huge_pages(name);
        computing |= matches!(name, "cpu" | "memory");
    };
    for (name, limit) in limits.entries() {
        see(name, &limit);
    }
    for (name, request) in requests.entries() {
        see(name, &request);
        let limit = limits.key(name);
        let overcommits = is_native(name) && !is_huge_pages(name);
        let (Some(asked), Some(most)) = (quantity(&request), quantity(&limit)) else {
            if !overcommits {
                limits.required("Limit must be set for non overcommitable resources");
            }
            continue;
        };
        let order = asked.cmp(&most);
        let words = match (overcommits, order) {
            (false, Ordering::Less | Ordering::Greater) => "equal to",
            (_, Ordering::Greater) => "less than or equal to",
            _ => continue,
        };
        let (asked, most) = (request.text(), limit.text());
        requests.invalid_as(
            &asked.into(),
            &format!("must be {words} {name} limit of {most}"),
        );
    }
    if huge && !computing {
        resources.forbidden(LONELY_PAGES);
    }
}

/// Memory in huge pages comes in whole pages.
fn huge_pages(name: &str, place: &Field<'_, '_>) {
    let Some(size) = name.strip_prefix(HUGE_PAGES) else {
        return;
    };
    let size = size
        .parse::<Quantity>()
        .ok()
        .and_then(|size| size.scaled(0));
    let amount = quantity(place).and_then(|amount| amount.scaled(0));
    let divides = matches!((size, amount), (Some(size), Some(amount))
        if size > 0 && amount % size == 0);
    if !divides {
        let shown = place.text();
        place.invalid(&format!(
            "{shown} is not positive integer multiple of {name}"
        ));
    }
}

/// What the containers of a pod ask for fits what the pod asks for.
pub(super) fn fit_containers(resources: &Field<'_, '_>, containers: &Field<'_, '_>) {
    let requests = resources.get("requests");
    for (name, request) in requests.entries() {
        let asked = containers.items().filter_map(|container| {
            let requests = container.get("resources.requests");
            quantity(&requests.key(name))
        });
        let total = asked.reduce(|total, asked| total.checked_add(&asked).unwrap_or(total));
        if let (Some(total), Some(own)) = (total, quantity(&request))
            && total > own
        {
            request.invalid(&format!(
                "must be greater than or equal to aggregate container requests of {}",
                total.canonical()
            ));
        }
    }
    let (limits, places) = (resources.get("limits"), resources.get("containers"));
    for (index, container) in containers.items().enumerate() {
        let own = container.get("resources.limits");
        for (name, limit) in own.entries() {
            let most = limits.key(name);
            if let (Some(own), Some(whole)) = (quantity(&limit), quantity(&most))
                && own > whole
            {
                let (item, why) = (places.item(index), most.text());
                let place = item.key(name);
                let why = format!("must be less than or equal to pod limits of {why}");
                limit.told_at(&place.get("limits")).invalid(&why);
            }
        }
    }
}

fn claim_names(claims: &Field<'_, '_>, known: &[&str]) {
    let mut seen: Vec<String> = Vec::new();
    for claim in claims.items() {
        let (name, request) = (claim.get("name").text(), claim.get("request"));
        if name.is_empty() {
            claim.required("");
            continue;
        }
        let prefix = format!("{name}/");
        request.optional_name(names::label_problems);
        let key = match request.text() {
            "" => name.to_owned(),
            request => format!("{prefix}{request}"),
        };
        let whole = seen.iter().any(|other| other == name);
        let part = request.is_empty() && seen.iter().any(|other| other.starts_with(&prefix));
        if whole || part {
            claim.tell(|path| FieldError::duplicate(path, &name.into()));
        } else if seen.contains(&key) {
            claim.tell(|path| FieldError::duplicate(path, &key.as_str().into()));
        }
        seen.push(key);
        if !known.contains(&name) {
            let mut known = known.to_vec();
            known.sort_unstable();
            let list = match known.as_slice() {
                [] => " which is empty".to_owned(),
                known => format!(": {}", known.join(", ")),
            };
            let why = format!("must be one of the names in pod.spec.resourceClaims{list}");
            claim.tell(|path| FieldError::not_found(path, &name.into()).because(&why));
        }
    }
}

/// A whole number that is not below zero, or a percentage.
pub(super) fn int_or_percent(amount: &Field<'_, '_>) {
    match amount.value() {
        Some(Value::String(_)) => amount.problems(names::percent_problems),
        _ => amount.not_negative(),
    }
}

/// The number of a percentage; `None` for anything else.
fn percent(amount: &Field<'_, '_>) -> Option<i64> {
    let digits = amount.text().strip_suffix('%')?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

/// A percentage is not above 100.
pub(super) fn at_most_all(amount: &Field<'_, '_>) {
    if percent(amount).is_some_and(|percent| percent > 100) {
        amount.invalid("must not be greater than 100%");
    }
}

/// The number of a number or percentage; 0 where it is neither.
pub(super) fn number_or_percent(amount: &Field<'_, '_>) -> i64 {
    percent(amount).or_else(|| amount.number()).unwrap_or(0)
}
