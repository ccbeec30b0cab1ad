//! The status that a new pod has, and its quality of service: what follows from what its containers
//! ask for.

use jiff::Timestamp;
use yaml::{Map, Value};

/// Gives a new pod its status: it waits, and says so where it has gates.
pub fn begin_pod(value: &mut Value, now: Timestamp) {
    let class = quality_of_service(value);
    let gates = value
        .at(&["spec", "schedulingGates"])
        .and_then(Value::as_list);
    let is_gated = gates.is_some_and(|gates| !gates.is_empty());
    let status = value.map_at_mut(&["status"]);
    status.insert("phase", "Pending");
    status.insert("qosClass", class);
    if is_gated {
        let why = "Scheduling is blocked due to non-empty scheduling gates";
        let condition = Map::from([
            ("type", "PodScheduled".into()),
            ("status", "False".into()),
            ("lastProbeTime", Value::Null),
            ("lastTransitionTime", crate::strategy::seconds(now).into()),
            ("reason", "SchedulingGated".into()),
            ("message", why.into()),
        ]);
        status.insert("conditions", vec![Value::Map(condition)]);
    }
}

/// The quality of service that the requests and limits of a pod give it: `Guaranteed`, `Burstable`
/// or `BestEffort`.
#[must_use]
pub fn quality_of_service(pod: &Value) -> &'static str {
    let mut any = false;
    let mut guaranteed = true;
    for key in ["initContainers", "containers"] {
        let containers = pod.at(&["spec", key]).and_then(Value::as_list);
        for container in containers.unwrap_or_default() {
            let get = |kind: &str, name: &str| {
                container
                    .at(&["resources", kind, name])
                    .and_then(Value::as_str)
                    .filter(|quantity| *quantity != "0")
            };
            for name in ["cpu", "memory"] {
                let (limit, request) = (get("limits", name), get("requests", name));
                any |= limit.is_some() || request.is_some();
                guaranteed &= limit.is_some() && limit == request;
            }
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}
