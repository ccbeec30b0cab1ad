//! Health of Job, HorizontalPodAutoscaler and Workflow (semantics 169, 173, 175).

use api::{Health, HealthCode};
use manifest::Object;
use yaml::Value;

use super::{health, list, member, require_version, text};

type Checked = Result<Health, String>;

pub(super) fn job(object: &Object) -> Checked {
    require_version(object, &["v1"])?;
    let mut ended = None;
    let mut failed = None;
    let mut is_suspended = false;
    for condition in list(object, &["status", "conditions"]) {
        let message = member(condition, "message");
        match member(condition, "type") {
            "Failed" => failed = Some(message),
            "Complete" => ended = Some(message),
            "Suspended" => {
                ended = Some(message);
                is_suspended |= member(condition, "status") == "True";
            }
            _ => {}
        }
    }
    Ok(match (failed, ended) {
        (Some(message), _) => health(HealthCode::Degraded, message),
        (None, Some(_)) if is_suspended => health(HealthCode::Suspended, ""),
        (None, Some(message)) => health(HealthCode::Healthy, message),
        (None, None) => health(HealthCode::Progressing, ""),
    })
}

const V1_CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";

pub(super) fn horizontal_pod_autoscaler(object: &Object) -> Checked {
    require_version(object, &["v1", "v2"])?;
    if object.gvk().version != "v1" {
        return Ok(autoscaling(list(object, &["status", "conditions"])));
    }
    let Some(text) = object.annotation(V1_CONDITIONS) else {
        return Ok(autoscaling(&[]));
    };
    let conditions = yaml::json::parse(text.as_bytes()).map_err(|problem| {
        format!("failed to convert conditions annotation to typed: {problem}")
    })?;
    Ok(autoscaling(conditions.as_list().unwrap_or_default()))
}

/// A broken condition decides, then a working one (semantics 173).
fn autoscaling(conditions: &[Value]) -> Health {
    let message = |condition| member(condition, "message").to_owned();
    if let Some(broken) = conditions.iter().find(|condition| is_broken(condition)) {
        return health(HealthCode::Degraded, message(broken));
    }
    let is_working = |condition: &&Value| {
        matches!(member(condition, "type"), "AbleToScale" | "ScalingLimited")
            && member(condition, "status") == "True"
    };
    match conditions.iter().find(is_working) {
        Some(working) => health(HealthCode::Healthy, message(working)),
        None => health(HealthCode::Progressing, "Waiting to Autoscale"),
    }
}

fn is_broken(condition: &Value) -> bool {
    matches!(
        (member(condition, "type"), member(condition, "reason")),
        ("AbleToScale", "FailedGetScale" | "FailedUpdateScale")
            | (
                "ScalingActive",
                "FailedGetResourceMetric"
                    | "FailedGetObjectMetric"
                    | "FailedGetPodsMetric"
                    | "FailedGetExternalMetric"
                    | "FailedComputeMetricsReplicas"
                    | "InvalidSelector"
            )
    )
}

pub(super) fn workflow(object: &Object) -> Checked {
    let code = match text(object, &["status", "phase"]) {
        "" | "Pending" | "Running" => HealthCode::Progressing,
        "Succeeded" => HealthCode::Healthy,
        "Failed" | "Error" => HealthCode::Degraded,
        _ => HealthCode::Unknown,
    };
    Ok(health(code, text(object, &["status", "message"])))
}
