//! Requests for certificates: who asks is written down by the server, and who approves changes only
//! the conditions.

use yaml::{Map, Value};

use super::Context;
use crate::meta;
use life::clock;

/// Writes who asks.
pub(super) fn sign(context: &Context<'_>, request: &mut Value) {
    let user = context.user;
    let spec = request.map_at_mut(&["spec"]);
    for name in ["username", "uid", "groups", "extra"] {
        spec.remove(name);
    }
    for (name, text) in [("username", &user.name), ("uid", &user.uid)] {
        if !text.is_empty() {
            spec.insert(name, text.as_str());
        }
    }
    let groups: Vec<Value> = user
        .groups
        .iter()
        .map(|group| group.as_str().into())
        .collect();
    if !groups.is_empty() {
        spec.insert("groups", groups);
    }
}

/// A request never changes, but by its status and by an approval, which changes conditions only.
pub(super) fn keep(context: &Context<'_>, new: &mut Value, old: &Value) {
    let spec = old.get("spec").cloned().unwrap_or_default();
    new.map_at_mut(&[]).insert("spec", spec);
    if context.subresource != Some("approval") {
        return;
    }
    let conditions = new.at(&["status", "conditions"]).cloned();
    let mut status = old.get("status").cloned().unwrap_or_default();
    if let Some(conditions) = conditions {
        status.map_at_mut(&[]).insert("conditions", conditions);
    }
    new.map_at_mut(&[]).insert("status", status);
    let metadata = meta::of(new);
    if let Some(old) = old.get("metadata").and_then(Value::as_map) {
        for key in ["labels", "annotations", "finalizers", "ownerReferences"] {
            meta::copy(old, metadata, key);
        }
    }
}

/// Conditions have the times of their changes.
pub(super) fn date(context: &Context<'_>, new: &mut Value, old: &Value) {
    let now = clock::seconds(context.now);
    let before = old
        .at(&["status", "conditions"])
        .and_then(Value::as_list)
        .unwrap_or_default();
    let status = new.map_at_mut(&["status"]);
    let Some(Value::List(conditions)) = status.get_mut("conditions") else {
        return;
    };
    for condition in conditions.iter_mut().filter_map(Value::as_map_mut) {
        if is_unset(condition, "lastUpdateTime") {
            condition.insert("lastUpdateTime", now.as_str());
        }
        if is_unset(condition, "lastTransitionTime") {
            let same = |other: &&Value| {
                ["type", "status"]
                    .iter()
                    .all(|key| other.get(key) == condition.get(key))
            };
            let since = before
                .iter()
                .find(same)
                .and_then(|other| other.get("lastTransitionTime"))
                .filter(|since| !since.is_null())
                .cloned();
            condition.insert(
                "lastTransitionTime",
                since.unwrap_or_else(|| now.as_str().into()),
            );
        }
    }
}

fn is_unset(condition: &Map, key: &str) -> bool {
    condition.get(key).is_none_or(Value::is_null)
}
