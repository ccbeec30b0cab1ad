//! What may change of a pod that exists.

use yaml::{Map, Value};

use super::MIRROR;
use super::container::image;
use crate::validate::field::Field;

const FIXED: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
                     `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
                     `spec.tolerations` (only additions to existing tolerations),\
                     `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
                     previously negative)";

pub(super) fn check(object: &Field<'_, '_>, pod: &Field<'_, '_>) {
    mirror(&object.get("metadata.annotations"));
    for key in ["containers", "initContainers"] {
        let containers = pod.get(key);
        let before = containers
            .old()
            .and_then(Value::as_list)
            .unwrap_or_default();
        if containers.list().len() != before.len() {
            return containers.forbidden("pod updates may not add or remove containers");
        }
        for container in containers.items() {
            container.get("image").require();
            image(&container);
        }
    }
    if !pod.get("activeDeadlineSeconds").holds(deadline)
        && pod.get("activeDeadlineSeconds").is_set()
    {
        return;
    }
    tolerations(&pod.get("tolerations"));
    gates(&pod.get("schedulingGates"));
    let fixed = munged(pod);
    if let Some(old) = pod.old().filter(|old| **old != fixed) {
        pod.forbidden_change("PodSpec", (old, &fixed), FIXED);
    }
}

/// Whether a pod is the mirror of a static one never changes.
pub(super) fn mirror(annotations: &Field<'_, '_>) {
    let mirror = annotations.key(MIRROR);
    if mirror.changed() {
        mirror.forbidden(if mirror.old().is_some() {
            "may not remove or update mirror pod annotation"
        } else {
            "may not add mirror pod annotation"
        });
    }
}

fn deadline(deadline: &Field<'_, '_>) {
    let before = deadline.old().and_then(Value::as_i64);
    match (deadline.number(), before) {
        (Some(number), before) => {
            deadline.within(0, i64::from(i32::MAX));
            if before.is_some_and(|before| before < number) {
                deadline.invalid("must be less than or equal to previous value");
            }
        }
        (None, Some(_)) => deadline.invalid("must not update from a positive integer to nil value"),
        (None, None) => {}
    }
}

/// Tolerations stay, but for their seconds; others may come.
fn tolerations(tolerations: &Field<'_, '_>) {
    let fixed = |toleration: &Value| -> Map {
        let members = toleration.as_map().into_iter().flat_map(Map::iter);
        members
            .filter(|(key, _)| *key != "tolerationSeconds")
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    let now: Vec<Map> = tolerations.list().iter().map(fixed).collect();
    let before = tolerations
        .old()
        .and_then(Value::as_list)
        .unwrap_or_default();
    if before.iter().any(|old| !now.contains(&fixed(old))) {
        tolerations
            .forbidden("existing toleration can not be modified except its tolerationSeconds");
        return;
    }
    super::placement::tolerations(tolerations);
}

fn gates(gates: &Field<'_, '_>) {
    let before = gates.old().and_then(Value::as_list).unwrap_or_default();
    for gate in gates.items() {
        let name = gate.get("name");
        let known = before.iter().any(|old| old.get("name") == name.value());
        if !known {
            let text = name.text();
            name.forbidden(&format!(
                "only deletion is allowed, but found new scheduling gate '{text}'"
            ));
        }
    }
}

/// The new spec with everything that may change as it was.
fn munged(pod: &Field<'_, '_>) -> Value {
    let mut spec = pod.value().cloned().unwrap_or_default();
    let Some(old) = pod.old() else {
        return spec;
    };
    let map = spec.map_at_mut(&[]);
    for key in ["containers", "initContainers"] {
        let before = old.get(key).and_then(Value::as_list).unwrap_or_default();
        let containers = map.get_mut(key).and_then(Value::as_list_mut);
        for (container, old) in containers.into_iter().flatten().zip(before) {
            restore(container.map_at_mut(&[]), old, "image");
        }
    }
    for key in ["activeDeadlineSeconds", "schedulingGates", "tolerations"] {
        restore(map, old, key);
    }
    let grace = "terminationGracePeriodSeconds";
    let negative = old
        .get(grace)
        .and_then(Value::as_i64)
        .is_some_and(|seconds| seconds < 0);
    if negative && map.get(grace).and_then(Value::as_i64) == Some(1) {
        restore(map, old, grace);
    }
    spec
}

pub(super) fn restore(map: &mut Map, old: &Value, key: &str) {
    match old.get(key) {
        Some(value) => {
            map.insert(key, value.clone());
        }
        None => {
            map.remove(key);
        }
    }
}
