//! Health of Deployment, StatefulSet, ReplicaSet and DaemonSet (semantics 162-165).

use api::{Health, HealthCode};
use manifest::Object;

use super::{condition, health, member, number, optional, require_version, text};

type Checked = Result<Health, String>;

const STATUS: &str = "status";

fn status(object: &Object, field: &str) -> i64 {
    number(object, &[STATUS, field])
}

fn is_observed(object: &Object) -> bool {
    number(object, &["metadata", "generation"]) <= status(object, "observedGeneration")
}

fn progressing(message: String) -> Checked {
    Ok(health(HealthCode::Progressing, message))
}

fn healthy(message: impl Into<String>) -> Checked {
    Ok(health(HealthCode::Healthy, message))
}

pub(super) fn deployment(object: &Object) -> Checked {
    require_version(object, &["v1"])?;
    if object
        .value()
        .at(&["spec", "paused"])
        .and_then(yaml::Value::as_bool)
        == Some(true)
    {
        return Ok(health(HealthCode::Suspended, "Deployment is paused"));
    }
    if !is_observed(object) {
        return progressing(
            "Waiting for rollout to finish: observed deployment generation less than desired generation"
                .to_owned(),
        );
    }
    let late = condition(object, "Progressing")
        .is_some_and(|condition| member(condition, "reason") == "ProgressDeadlineExceeded");
    if late {
        return Ok(health(
            HealthCode::Degraded,
            format!(
                "Deployment {:?} exceeded its progress deadline",
                object.name()
            ),
        ));
    }
    let replicas = status(object, "replicas");
    let updated = status(object, "updatedReplicas");
    let available = status(object, "availableReplicas");
    match optional(object, &["spec", "replicas"]) {
        Some(wanted) if updated < wanted => progressing(format!(
            "Waiting for rollout to finish: {updated} out of {wanted} new replicas have been updated..."
        )),
        _ if replicas > updated => progressing(format!(
            "Waiting for rollout to finish: {} old replicas are pending termination...",
            replicas.saturating_sub(updated)
        )),
        _ if available < updated => progressing(format!(
            "Waiting for rollout to finish: {available} of {updated} updated replicas are available..."
        )),
        _ => healthy(""),
    }
}

pub(super) fn stateful_set(object: &Object) -> Checked {
    require_version(object, &["v1"])?;
    let observed = status(object, "observedGeneration");
    if observed == 0 || number(object, &["metadata", "generation"]) > observed {
        return progressing("Waiting for statefulset spec update to be observed...".to_owned());
    }
    let ready = status(object, "readyReplicas");
    let wanted = optional(object, &["spec", "replicas"]);
    if let Some(wanted) = wanted.filter(|wanted| ready < *wanted) {
        return progressing(format!(
            "Waiting for {} pods to be ready...",
            wanted.saturating_sub(ready)
        ));
    }
    let updated = status(object, "updatedReplicas");
    let strategy = text(object, &["spec", "updateStrategy", "type"]);
    let rolling = ["spec", "updateStrategy", "rollingUpdate"];
    if strategy == "RollingUpdate" && object.value().at(&rolling).is_some_and(|v| !v.is_null()) {
        let partition = optional(
            object,
            &["spec", "updateStrategy", "rollingUpdate", "partition"],
        );
        if let (Some(wanted), Some(partition)) = (wanted, partition) {
            let wanted = wanted.saturating_sub(partition);
            if updated < wanted {
                return progressing(format!(
                    "Waiting for partitioned roll out to finish: {updated} out of {wanted} new pods have been updated..."
                ));
            }
        }
        return healthy(format!(
            "partitioned roll out complete: {updated} new pods have been updated..."
        ));
    }
    if strategy == "OnDelete" {
        return healthy(format!("statefulset has {ready} ready pods"));
    }
    let update = text(object, &[STATUS, "updateRevision"]);
    let current = text(object, &[STATUS, "currentRevision"]);
    if update != current {
        return progressing(format!(
            "waiting for statefulset rolling update to complete {updated} pods at revision {update}..."
        ));
    }
    healthy(format!(
        "statefulset rolling update complete {} pods at revision {current}...",
        status(object, "currentReplicas")
    ))
}

pub(super) fn replica_set(object: &Object) -> Checked {
    require_version(object, &["v1"])?;
    if !is_observed(object) {
        return progressing(
            "Waiting for rollout to finish: observed replica set generation less than desired generation"
                .to_owned(),
        );
    }
    if let Some(failure) = condition(object, "ReplicaFailure")
        .filter(|condition| member(condition, "status") == "True")
    {
        return Ok(health(HealthCode::Degraded, member(failure, "message")));
    }
    let available = status(object, "availableReplicas");
    match optional(object, &["spec", "replicas"]) {
        Some(wanted) if available < wanted => progressing(format!(
            "Waiting for rollout to finish: {available} out of {wanted} new replicas are available..."
        )),
        _ => healthy(""),
    }
}

pub(super) fn daemon_set(object: &Object) -> Checked {
    require_version(object, &["v1"])?;
    if !is_observed(object) {
        return progressing(
            "Waiting for rollout to finish: observed daemon set generation less than desired generation"
                .to_owned(),
        );
    }
    let updated = status(object, "updatedNumberScheduled");
    let wanted = status(object, "desiredNumberScheduled");
    if text(object, &["spec", "updateStrategy", "type"]) == "OnDelete" {
        return healthy(format!(
            "daemon set {updated} out of {wanted} new pods have been updated"
        ));
    }
    if updated < wanted {
        return progressing(format!(
            "Waiting for daemon set {:?} rollout to finish: {updated} out of {wanted} new pods have been updated...",
            object.name()
        ));
    }
    let available = status(object, "numberAvailable");
    if available < wanted {
        return progressing(format!(
            "Waiting for daemon set {:?} rollout to finish: {available} of {wanted} updated pods are available...",
            object.name()
        ));
    }
    healthy("")
}
