//! What controllers ask about pods, and how they make them.

use jiff::Timestamp;
use manifest::Object;
use yaml::{Map, Value};

use super::fields::{controller_reference, items, text};
use super::time::{later_seconds, parse};

/// `status.phase`.
pub(crate) fn phase(pod: &Object) -> &str {
    text(pod.value(), &["status", "phase"])
}

/// Whether all containers have ended for good.
pub(crate) fn is_finished(pod: &Object) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Neither finished nor being deleted.
pub(crate) fn is_active(pod: &Object) -> bool {
    !is_finished(pod) && !pod.is_terminating()
}

/// One condition of the status.
pub(crate) fn condition<'a>(object: &'a Object, kind: &str) -> Option<&'a Value> {
    items(object.value(), &["status", "conditions"])
        .iter()
        .find(|condition| text(condition, &["type"]) == kind)
}

/// Whether the condition is `True`.
pub(crate) fn holds(object: &Object, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| text(condition, &["status"]) == "True")
}

/// Whether the pod is ready.
pub(crate) fn is_ready(pod: &Object) -> bool {
    holds(pod, "Ready")
}

/// When a ready pod became, or becomes, available: after `minReadySeconds` of being ready.
pub(crate) fn available_at(pod: &Object, min_ready_seconds: i64) -> Option<Timestamp> {
    if !is_ready(pod) {
        return None;
    }
    let since = parse(condition(pod, "Ready")?.get("lastTransitionTime"));
    Some(match since {
        Some(since) if min_ready_seconds > 0 => later_seconds(since, min_ready_seconds),
        _ => Timestamp::MIN,
    })
}

/// The node that the pod is bound to; empty before.
pub(crate) fn node(pod: &Object) -> &str {
    text(pod.value(), &["spec", "nodeName"])
}

/// A pod made from the template of `owner`, without a name.
pub(crate) fn from_template(owner: &Object, template: &Value) -> Object {
    let mut metadata = Map::new();
    for key in ["labels", "annotations", "finalizers"] {
        if let Some(value) = template.at(&["metadata", key]) {
            metadata.insert(key, value.clone());
        }
    }
    metadata.insert("generateName", format!("{}-", owner.name()));
    metadata.insert("namespace", owner.namespace());
    metadata.insert("ownerReferences", vec![controller_reference(owner)]);
    let pod = Map::from([
        ("apiVersion", "v1".into()),
        ("kind", "Pod".into()),
        ("metadata", Value::Map(metadata)),
        ("spec", template.get("spec").cloned().unwrap_or_default()),
    ]);
    Object::new(Value::Map(pod)).expect("a pod has a kind")
}

/// `spec.template` of a workload.
pub(crate) fn template(owner: &Object) -> &Value {
    const NONE: &Value = &Value::Null;
    owner.value().at(&["spec", "template"]).unwrap_or(NONE)
}

/// The order in which surplus pods go: unbound before bound, pending before running, not ready
/// before ready, cheaper before dearer (`controller.kubernetes.io/pod-deletion-cost`), newer before
/// older (`controller.ActivePodsWithRanks`).
pub(crate) fn removal_rank(pod: &Object) -> (bool, u8, bool, i64, std::cmp::Reverse<Timestamp>) {
    let phase = match phase(pod) {
        "Pending" => 0,
        "Running" => 2,
        _ => 1,
    };
    let cost = pod
        .annotation("controller.kubernetes.io/pod-deletion-cost")
        .and_then(|cost| cost.parse().ok())
        .unwrap_or(0);
    let since = condition(pod, "Ready")
        .filter(|_| is_ready(pod))
        .and_then(|ready| parse(ready.get("lastTransitionTime")))
        .or_else(|| parse(pod.value().at(&["metadata", "creationTimestamp"])))
        .unwrap_or(Timestamp::MIN);
    (
        !node(pod).is_empty(),
        phase,
        is_ready(pod),
        cost,
        std::cmp::Reverse(since),
    )
}
