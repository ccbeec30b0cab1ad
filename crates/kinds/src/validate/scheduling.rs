//! Priorities of pods.

use super::field::Field;

/// Higher values are for the system.
const HIGHEST: i64 = 1_000_000_000;

/// The classes that the system has: name and value.
const SYSTEM: [(&str, i64); 2] = [
    ("system-node-critical", 2_000_001_000),
    ("system-cluster-critical", 2_000_000_000),
];

/// The rules of a `PriorityClass`.
pub(super) fn priority_class(object: &Field<'_, '_>) {
    let (value, policy) = (object.get("value"), object.get("preemptionPolicy"));
    if object.is_update() {
        if value.changed() {
            value.forbidden("may not be changed in an update.");
        }
        policy.immutable();
        return;
    }
    let name = object.get("metadata.name");
    if name.text().starts_with("system-") {
        if let Some(why) = not_system(object) {
            name.forbidden(&format!(
                "priority class names with 'system-' prefix are reserved for system use only. \
                 error: {why}"
            ));
        }
    } else if value.number().is_some_and(|number| number > HIGHEST) {
        value.forbidden(&format!(
            "maximum allowed value of a user defined priority is {HIGHEST}"
        ));
    }
    if policy.is_set() {
        if policy.is_empty() {
            policy.required("");
        } else {
            policy.one_of(&["PreemptLowerPriority", "Never"]);
        }
    }
}

/// Why a class is none of the system's.
fn not_system(object: &Field<'_, '_>) -> Option<String> {
    let name = object.get("metadata.name").text();
    let Some((_, value)) = SYSTEM.iter().find(|(known, _)| *known == name) else {
        return Some(format!("{name} is not a known system priority class"));
    };
    if object.get("value").number() != Some(*value) {
        return Some(format!("value of {name} PriorityClass must be {value}"));
    }
    object
        .get("globalDefault")
        .is_true()
        .then(|| format!("globalDefault of {name} PriorityClass must be false"))
}
