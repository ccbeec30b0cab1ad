//! Health of Pod, Service, PersistentVolumeClaim, Ingress and APIService (semantics 166-168,
//! 170-172, 174).

use api::{Health, HealthCode};
use manifest::Object;
use yaml::Value;

use super::{condition, health, list, member, require_version, text};
use crate::hook;

type Checked = Result<Health, String>;

const IGNORE_RESTART_POLICY: &str = "argocd.argoproj.io/ignore-restart-policy";

pub(super) fn pod(object: &Object) -> Checked {
    require_version(object, &["v1"])?;
    let policy = text(object, &["spec", "restartPolicy"]);
    // A pod that ends is often a hook: a bad image must not fail the hook while it may recover.
    let stays = policy == "Always"
        || (object.annotation(IGNORE_RESTART_POLICY) == Some("true") && !hook::is_hook(object));
    if let Some(stuck) = stays.then(|| stuck_containers(object)).flatten() {
        return Ok(health(HealthCode::Degraded, stuck));
    }
    let message = text(object, &["status", "message"]);
    let (code, message) = match text(object, &["status", "phase"]) {
        "Pending" => (HealthCode::Progressing, message.to_owned()),
        "Succeeded" => (HealthCode::Healthy, message.to_owned()),
        "Failed" => (HealthCode::Degraded, failure(object, message)),
        "Running" if policy == "Always" => (running(object), message.to_owned()),
        "Running" if matches!(policy, "OnFailure" | "Never") => {
            (HealthCode::Progressing, message.to_owned())
        }
        _ => (HealthCode::Unknown, message.to_owned()),
    };
    Ok(health(code, message))
}

/// The messages of the containers that wait for an error to go away, joined.
fn stuck_containers(object: &Object) -> Option<String> {
    let messages: Vec<&str> = list(object, &["status", "containerStatuses"])
        .iter()
        .filter_map(|container| container.at(&["state", "waiting"]))
        .filter(|waiting| {
            let reason = member(waiting, "reason");
            reason.starts_with("Err") || reason.ends_with("Error") || reason.ends_with("BackOff")
        })
        .map(|waiting| member(waiting, "message"))
        .collect();
    (!messages.is_empty()).then(|| messages.join(", "))
}

fn failure(object: &Object, message: &str) -> String {
    if !message.is_empty() {
        return message.to_owned();
    }
    let containers = list(object, &["status", "initContainerStatuses"])
        .iter()
        .chain(list(object, &["status", "containerStatuses"]));
    containers
        .filter_map(container_failure)
        .next()
        .unwrap_or_default()
}

fn container_failure(container: &Value) -> Option<String> {
    let terminated = container.at(&["state", "terminated"])?;
    let message = member(terminated, "message");
    if !message.is_empty() {
        return Some(message.to_owned());
    }
    if member(terminated, "reason") == "OOMKilled" {
        return Some("OOMKilled".to_owned());
    }
    let code = terminated
        .get("exitCode")
        .and_then(Value::as_i64)
        .unwrap_or_default();
    (code != 0).then(|| {
        format!(
            "container {:?} failed with exit code {code}",
            member(container, "name")
        )
    })
}

fn running(object: &Object) -> HealthCode {
    let is_ready =
        condition(object, "Ready").is_some_and(|ready| member(ready, "status") == "True");
    let has_ended = list(object, &["status", "containerStatuses"])
        .iter()
        .any(|container| container.at(&["lastState", "terminated"]).is_some());
    if is_ready {
        HealthCode::Healthy
    } else if has_ended {
        HealthCode::Degraded
    } else {
        HealthCode::Progressing
    }
}

pub(super) fn service(object: &Object) -> Checked {
    require_version(object, &["v1"])?;
    let is_waiting = text(object, &["spec", "type"]) == "LoadBalancer"
        && list(object, &["status", "loadBalancer", "ingress"]).is_empty();
    Ok(health(ready_or_progressing(!is_waiting), ""))
}

pub(super) fn ingress(object: &Object) -> Checked {
    let has_address = !list(object, &["status", "loadBalancer", "ingress"]).is_empty();
    Ok(health(ready_or_progressing(has_address), ""))
}

fn ready_or_progressing(is_ready: bool) -> HealthCode {
    if is_ready {
        HealthCode::Healthy
    } else {
        HealthCode::Progressing
    }
}

pub(super) fn persistent_volume_claim(object: &Object) -> Checked {
    require_version(object, &["v1"])?;
    let code = match text(object, &["status", "phase"]) {
        "Bound" => HealthCode::Healthy,
        "Pending" => HealthCode::Progressing,
        "Lost" => HealthCode::Degraded,
        _ => HealthCode::Unknown,
    };
    Ok(health(code, ""))
}

pub(super) fn api_service(object: &Object) -> Checked {
    require_version(object, &["v1", "v1beta1"])?;
    Ok(match condition(object, "Available") {
        None => health(HealthCode::Progressing, "Waiting to be processed"),
        Some(available) => health(
            ready_or_progressing(member(available, "status") == "True"),
            format!(
                "{}: {}",
                member(available, "reason"),
                member(available, "message")
            ),
        ),
    })
}
