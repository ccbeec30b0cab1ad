//! LimitRanges: defaults for containers, and bounds for containers, pods and claims.

use std::cmp::Ordering;

use manifest::quantity::Quantity;
use yaml::{Map, Value};

use super::{Amounts, amounts, containers, of_pod};
use crate::meta;
use crate::status_error::{About, ApiError};
use store::{Collection, Store};

const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// The entries of all LimitRanges of a namespace.
fn entries(store: &Store, namespace: &str) -> Vec<Value> {
    let ranges = Collection::new("", "limitranges");
    let listing = store.list(&ranges, Some(namespace));
    let limits = |value: Value| {
        let limits = value.at(&["spec", "limits"]).and_then(Value::as_list);
        limits.unwrap_or_default().to_vec()
    };
    let objects = listing.objects.iter();
    objects.flat_map(|stored| limits(stored.value())).collect()
}

fn kind(entry: &Value) -> &str {
    let kind = entry.get("type").and_then(Value::as_str);
    kind.unwrap_or_default()
}

/// Gives containers what they do not say about resources.
pub(crate) fn fill_in(store: &Store, pod: &mut Value) {
    let entries = entries(store, meta::text(pod, "namespace"));
    let (mut limits, mut requests) = (Map::new(), Map::new());
    for entry in entries.iter().filter(|entry| kind(entry) == "Container") {
        for (key, into) in [("default", &mut limits), ("defaultRequest", &mut requests)] {
            let given = entry.get(key).and_then(Value::as_map);
            let given = given.into_iter().flat_map(Map::iter);
            into.extend(given.map(|(name, value)| (name.clone(), value.clone())));
        }
    }
    if limits.is_empty() && requests.is_empty() {
        return;
    }
    let mut told: Vec<String> = Vec::new();
    for (key, word) in [
        ("containers", "container"),
        ("initContainers", "init container"),
    ] {
        let list = pod.map_at_mut(&["spec"]).get_mut(key);
        for container in list.and_then(Value::as_list_mut).into_iter().flatten() {
            let name = container.get("name").and_then(Value::as_str);
            let name = name.unwrap_or_default().to_owned();
            for (side, defaults, what) in [
                ("requests", &requests, "request"),
                ("limits", &limits, "limit"),
            ] {
                let set = set_missing(container, side, defaults);
                if !set.is_empty() {
                    told.push(format!("{} {what} for {word} {name}", set.join(", ")));
                }
            }
        }
    }
    if !told.is_empty() {
        let text = format!("LimitRanger plugin set: {}", told.join("; "));
        pod.map_at_mut(&["metadata", "annotations"])
            .insert(ANNOTATION, text);
    }
}

/// Sets what is missing; gives its names.
fn set_missing(container: &mut Value, side: &str, defaults: &Map) -> Vec<String> {
    if defaults.is_empty() {
        return Vec::new();
    }
    let given = container.map_at_mut(&["resources", side]);
    let mut set = Vec::new();
    for (name, value) in defaults.iter() {
        if !given.contains_key(name) {
            given.insert(name.clone(), value.clone());
            set.push(name.to_string());
        }
    }
    set
}

/// Checks a new object against the LimitRanges of its namespace.
///
/// # Errors
/// 403 that lists which bounds it breaks.
pub(crate) fn check(store: &Store, about: About<'_>, value: &Value) -> Result<(), ApiError> {
    if !about.group.is_empty() || !matches!(about.kind, "pods" | "persistentvolumeclaims") {
        return Ok(());
    }
    let mut broken = Vec::new();
    for entry in entries(store, meta::text(value, "namespace")) {
        match (about.kind, kind(&entry)) {
            ("pods", "Container") => {
                for key in ["initContainers", "containers"] {
                    for container in containers(value, key) {
                        let of = |side| amounts(container.at(&["resources", side]));
                        let sides = (of("requests"), of("limits"));
                        broken.extend(Bounds::of(&entry).broken(&sides));
                    }
                }
            }
            ("pods", "Pod") => {
                let sides = (of_pod(value, "requests"), of_pod(value, "limits"));
                broken.extend(Bounds::of(&entry).broken(&sides));
            }
            ("persistentvolumeclaims", "PersistentVolumeClaim") => {
                let requests = amounts(value.at(&["spec", "resources", "requests"]));
                broken.extend(claim(&entry, &requests));
            }
            _ => {}
        }
    }
    match broken.as_slice() {
        [] => Ok(()),
        [one] => Err(ApiError::forbidden(about, one)),
        many => Err(ApiError::forbidden(
            about,
            &format!("[{}]", many.join(", ")),
        )),
    }
}

/// What one entry allows.
struct Bounds<'a> {
    kind: &'a str,
    least: Amounts,
    most: Amounts,
    ratio: Amounts,
}

impl<'a> Bounds<'a> {
    fn of(entry: &'a Value) -> Self {
        Bounds {
            kind: kind(entry),
            least: amounts(entry.get("min")),
            most: amounts(entry.get("max")),
            ratio: amounts(entry.get("maxLimitRequestRatio")),
        }
    }

    fn broken(&self, (requests, limits): &(Amounts, Amounts)) -> Vec<String> {
        let kind = self.kind;
        let mut broken = Vec::new();
        for (name, least) in &self.least {
            let why = match (requests.get(name), limits.get(name)) {
                (None, _) => ".  No request is specified".to_owned(),
                (Some(request), _) if request < least => format!(", but request is {request}"),
                (_, Some(limit)) if limit < least => format!(", but limit is {limit}"),
                _ => continue,
            };
            broken.push(format!("minimum {name} usage per {kind} is {least}{why}"));
        }
        for (name, most) in &self.most {
            let why = match (requests.get(name), limits.get(name)) {
                (_, None) => ".  No limit is specified".to_owned(),
                (_, Some(limit)) if limit > most => format!(", but limit is {limit}"),
                (Some(request), _) if request > most => format!(", but request is {request}"),
                _ => continue,
            };
            broken.push(format!("maximum {name} usage per {kind} is {most}{why}"));
        }
        for (name, most) in &self.ratio {
            broken.extend(self.wrong_ratio(name, most, (requests.get(name), limits.get(name))));
        }
        broken
    }

    fn wrong_ratio(
        &self,
        name: &str,
        most: &Quantity,
        sides: (Option<&Quantity>, Option<&Quantity>),
    ) -> Option<String> {
        let head = format!(
            "{name} max limit to request ratio per {} is {most}",
            self.kind
        );
        let number = |quantity: Option<&Quantity>| quantity.and_then(|it| it.scaled(-3));
        let why = match (number(sides.0), number(sides.1)) {
            (None | Some(0), _) => "no request is specified or request is 0".to_owned(),
            (_, None | Some(0)) => "no limit is specified or limit is 0".to_owned(),
            (Some(request), Some(limit)) => {
                #[expect(clippy::cast_precision_loss, reason = "a ratio that is shown")]
                let (ratio, bound) = (
                    limit as f64 / request as f64,
                    most.scaled(-3).unwrap_or(i64::MAX) as f64 / 1000.0,
                );
                if ratio.total_cmp(&bound) != Ordering::Greater {
                    return None;
                }
                format!("provided ratio is {ratio:.6}")
            }
        };
        Some(format!("{head}, but {why}"))
    }
}

/// A claim has requests only.
fn claim(entry: &Value, requests: &Amounts) -> Vec<String> {
    let bounds = Bounds::of(entry);
    let mut broken = Vec::new();
    for (name, request) in requests {
        if let Some(least) = bounds.least.get(name).filter(|least| request < *least) {
            let head = format!("minimum {name} usage per PersistentVolumeClaim is {least}");
            broken.push(format!("{head}, but request is {request}"));
        }
        if let Some(most) = bounds.most.get(name).filter(|most| request > *most) {
            let head = format!("maximum {name} usage per PersistentVolumeClaim is {most}");
            broken.push(format!("{head}, but request is {request}"));
        }
    }
    broken
}
