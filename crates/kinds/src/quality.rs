//! The quality of service of a pod, which follows from what its containers ask for.

use yaml::Value;

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
