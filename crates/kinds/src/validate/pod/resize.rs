//! The two paths below a pod that change its spec: `resize` and `ephemeralcontainers`.

use yaml::{Map, Value};

use super::{MIRROR, update, whole};
use crate::quality::quality_of_service;
use crate::validate::field::Field;

const ONLY: &str = "only cpu and memory resources are mutable";
const ONLY_OF_SIDECARS: &str = "only cpu and memory resources for sidecar containers are mutable";
const FIXED: &str = "resources for non-sidecar init containers are immutable";

/// What may change of the resources of a running pod (`ValidatePodResize`).
pub(in crate::validate) fn resize(object: &Field<'_, '_>) {
    let pod = object.get("spec");
    if !has_same_containers(&pod) {
        return;
    }
    whole(object);
    if let Some(why) = unresizable(object) {
        return object.under("[]").forbidden(why);
    }
    let old = object.old().cloned().unwrap_or_default();
    let new = object.value().cloned().unwrap_or_default();
    let before = old.at(&["status", "qosClass"]).and_then(Value::as_str);
    if before.unwrap_or_else(|| quality_of_service(&old)) != quality_of_service(&new) {
        let class = object.get("status.qosClass");
        pod.invalid_as(
            &class.text().into(),
            "Pod QOS Class may not change as a result of resizing",
        );
    }
    if !is_supported(&old) {
        pod.forbidden("Pod running on node without support for resize");
    }
    for key in ["initContainers", "containers"] {
        for container in pod.get(key).items() {
            if key == "containers" || is_sidecar(&container) {
                removed(&container.get("resources"));
            }
        }
    }
    changes(&pod);
}

fn is_sidecar(container: &Field<'_, '_>) -> bool {
    container.get("restartPolicy").text() == "Always"
}

fn has_same_containers(pod: &Field<'_, '_>) -> bool {
    for key in ["containers", "initContainers"] {
        let containers = pod.get(key);
        let before = containers
            .old()
            .and_then(Value::as_list)
            .unwrap_or_default();
        if containers.list().len() != before.len() {
            containers.forbidden("containers may not be added or removed on resize");
            return false;
        }
        for container in containers.items() {
            let name = container.get("name");
            if name.changed() {
                name.forbidden("containers may not be renamed or reordered on resize");
                return false;
            }
        }
    }
    true
}

/// Pods that cannot be resized at all.
fn unresizable(object: &Field<'_, '_>) -> Option<&'static str> {
    let pod = object.get("spec");
    let resources = pod.get("resources");
    let amounts = |value: Option<&Value>| {
        ["requests", "limits"].iter().any(|key| {
            let amounts = value.and_then(|value| value.get(key)?.as_map());
            amounts.is_some_and(|amounts| !amounts.is_empty())
        })
    };
    let old = object.old();
    if amounts(resources.value()) || amounts(resources.old()) {
        Some("pods with pod-level resources cannot be resized")
    } else if old.is_some_and(|old| old.at(&["metadata", "annotations", MIRROR]).is_some()) {
        Some("static pods cannot be resized")
    } else if pod.get("os.name").text() == "windows" {
        Some("windows pods cannot be resized")
    } else {
        None
    }
}

/// Whether the node of a pod resizes: it tells the resources of containers that run.
fn is_supported(pod: &Value) -> bool {
    let statuses = pod.at(&["status", "containerStatuses"]);
    let statuses = statuses.and_then(Value::as_list).unwrap_or_default();
    let mut running = statuses
        .iter()
        .filter(|status| status.at(&["state", "running"]).is_some());
    running
        .next()
        .is_none_or(|status| status.get("resources").is_some())
}

/// What was asked for once is asked for ever.
fn removed(resources: &Field<'_, '_>) {
    for (key, why) in [
        ("requests", "resource requests cannot be removed"),
        ("limits", "resource limits cannot be removed"),
    ] {
        let amounts = resources.get(key);
        let before = amounts.old().and_then(Value::as_map);
        let mut names = before.into_iter().flat_map(Map::keys);
        if names.any(|name| !amounts.key(name).is_set()) {
            amounts.forbidden(why);
        }
    }
}

/// Nothing but amounts of processor and memory changes.
fn changes(pod: &Field<'_, '_>) {
    for key in ["containers", "initContainers"] {
        for container in pod.get(key).items() {
            let is_main = key == "containers";
            let (why, may_change) = match (is_main, is_sidecar(&container)) {
                (true, _) => (ONLY, true),
                (false, true) => (ONLY_OF_SIDECARS, true),
                (false, false) => (FIXED, false),
            };
            let mut new = container.value().cloned().unwrap_or_default();
            let old = container.old().cloned().unwrap_or_default();
            if may_change {
                restore_amounts(&mut new, &old);
            }
            if without_empty(&new) != without_empty(&old) {
                pod.forbidden(why);
            }
        }
    }
}

/// Takes a change of processor and memory back.
fn restore_amounts(container: &mut Value, old: &Value) {
    for key in ["requests", "limits"] {
        let before = old.at(&["resources", key]);
        let resources = container.map_at_mut(&["resources"]);
        let Some(before) = before else {
            resources.remove(key);
            continue;
        };
        let amounts = resources.entry_or_insert(key, Value::Map(Map::new()));
        for name in ["cpu", "memory"] {
            update::restore(amounts.map_at_mut(&[]), before, name);
        }
    }
}

/// A container without maps that hold nothing.
fn without_empty(container: &Value) -> Value {
    let mut container = container.clone();
    let resources = container.map_at_mut(&["resources"]);
    resources.retain(|_, value| value.as_map().is_none_or(|map| !map.is_empty()));
    container
}

/// Containers for debugging come, and stay as they are (`ValidatePodEphemeralContainersUpdate`).
pub(in crate::validate) fn ephemeral_containers(object: &Field<'_, '_>) {
    let pod = object.get("spec");
    whole(object);
    update::mirror(&object.get("metadata").get("annotations"));
    let old = object.old();
    if old.is_some_and(|old| old.at(&["metadata", "annotations", MIRROR]).is_some()) {
        let why = "static pods do not support ephemeral containers";
        return object.under("[]").forbidden(why);
    }
    let containers = pod.get("ephemeralContainers");
    let before = containers
        .old()
        .and_then(Value::as_list)
        .unwrap_or_default();
    for old in before {
        let name = old.get("name").and_then(Value::as_str).unwrap_or_default();
        let same = |new: &&Value| new.get("name") == old.get("name");
        let what = match containers.list().iter().rfind(same) {
            Some(new) if new == old => continue,
            Some(_) => "changed",
            None => "removed",
        };
        let name = crate::quoted(name);
        containers.forbidden(&format!(
            "existing ephemeral containers {name} may not be {what}\n"
        ));
    }
}
