//! How well one live object does: the checks that are built into Argo CD's engine.
//!
//! Read [`assess`] first. A check sees one object and nothing else; what the health
//! of an application is stands in `summarize`.

mod batch;
mod core;
mod workload;

use api::{Health, HealthCode};
use manifest::Object;
use yaml::Value;

use crate::hook;

/// From best to worst (semantics 179): an application gets the worst of its objects.
pub(crate) fn rank(code: &HealthCode) -> usize {
    match code {
        HealthCode::Unset | HealthCode::Healthy => 0,
        HealthCode::Suspended => 1,
        HealthCode::Progressing => 2,
        HealthCode::Missing => 3,
        HealthCode::Degraded => 4,
        HealthCode::Unknown | HealthCode::Other(_) => 5,
    }
}

/// The health of a live object; `None` when its kind has no check (such an object never counts).
///
/// Source of the rules: `reference/argocd/semantics.md` J, judged by `corpora/health`.
#[must_use]
pub fn assess(object: &Object) -> Option<Health> {
    if object.is_terminating() && !hook::has_finalizer(object) {
        return Some(health(HealthCode::Progressing, "Pending deletion"));
    }
    let check = check_of(object)?;
    Some(check(object).unwrap_or_else(|problem| health(HealthCode::Unknown, problem)))
}

/// Gives the health, or why the object cannot be judged.
type Check = fn(&Object) -> Result<Health, String>;

fn check_of(object: &Object) -> Option<Check> {
    Some(match (object.group(), object.kind()) {
        ("apps", "Deployment") => workload::deployment,
        ("apps", "StatefulSet") => workload::stateful_set,
        ("apps", "ReplicaSet") => workload::replica_set,
        ("apps", "DaemonSet") => workload::daemon_set,
        ("", "Pod") => core::pod,
        ("", "Service") => core::service,
        ("", "PersistentVolumeClaim") => core::persistent_volume_claim,
        ("extensions" | "networking.k8s.io", "Ingress") => core::ingress,
        ("apiregistration.k8s.io", "APIService") => core::api_service,
        ("batch", "Job") => batch::job,
        ("autoscaling", "HorizontalPodAutoscaler") => batch::horizontal_pod_autoscaler,
        ("argoproj.io", "Workflow") => batch::workflow,
        ("argoproj.io", "Application") => application,
        _ => return None,
    })
}

/// A child Application says itself how it is. Argo CD has no such check (semantics 176); here it
/// orders waves, and `summarize` leaves it out of the parent's health unless told otherwise.
fn application(object: &Object) -> Result<Health, String> {
    Ok(match text(object, &["status", "health", "status"]) {
        "" => health(HealthCode::Progressing, "Waiting for the first comparison"),
        word => health(word.into(), text(object, &["status", "health", "message"])),
    })
}

fn health(status: HealthCode, message: impl Into<String>) -> Health {
    Health::with_message(status, message)
}

fn require_version(object: &Object, versions: &[&str]) -> Result<(), String> {
    let gvk = object.gvk();
    if versions.contains(&gvk.version.as_str()) {
        return Ok(());
    }
    let kind = match gvk.kind.as_str() {
        "HorizontalPodAutoscaler" => "HPA",
        kind => kind,
    };
    Err(format!(
        "unsupported {kind} GVK: {}, Kind={}",
        group_version(&gvk),
        gvk.kind
    ))
}

fn group_version(gvk: &manifest::Gvk) -> String {
    format!("{}/{}", gvk.group, gvk.version)
}

fn text<'a>(object: &'a Object, path: &[&str]) -> &'a str {
    object
        .value()
        .at(path)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// A number, 0 when absent, as the zero value of Go's typed structs.
fn number(object: &Object, path: &[&str]) -> i64 {
    optional(object, path).unwrap_or_default()
}

fn optional(object: &Object, path: &[&str]) -> Option<i64> {
    object.value().at(path).and_then(Value::as_i64)
}

fn list<'a>(object: &'a Object, path: &[&str]) -> &'a [Value] {
    object
        .value()
        .at(path)
        .and_then(Value::as_list)
        .unwrap_or_default()
}

fn member<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn condition<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    list(object, &["status", "conditions"])
        .iter()
        .find(|condition| member(condition, "type") == name)
}

#[cfg(test)]
mod tests;
