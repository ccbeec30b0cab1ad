//! The door: which columns a kind has, and what stands in them.

use std::sync::OnceLock;

use jiff::Timestamp;
use kinds::Kind;
use yaml::{Map, Value, json};

use crate::age::age_of;
use crate::of::{Of, containers, labels, selector};
use crate::{cluster, core, network, pod, storage, workloads};

/// The columns of a table of objects of this kind; those of all kinds where it has none of its own.
#[must_use]
pub fn definitions(kind: &Kind<'_>) -> &'static [Value] {
    let known = recorded();
    let (group, plural) = kind.place();
    known
        .get(format!("{group}/{plural}").as_str())
        .or_else(|| known.get("*"))
        .and_then(Value::as_list)
        .unwrap_or_default()
}

/// The cells of an object's row, one a column; for an `IPAddress` one more, as the real server has it.
#[must_use]
pub fn cells(kind: &Kind<'_>, object: &Value, now: Timestamp) -> Vec<Value> {
    let of = Of(object);
    let mut name = Value::from(of.text("metadata.name"));
    if kind.place() == ("storage.k8s.io", "storageclasses") && storage::is_default(&of) {
        name = format!("{} (default)", of.text("metadata.name")).into();
    }
    let age = age_of(object, now);
    let mut cells = vec![name.clone()];
    let rest: Vec<Value> = match kind.place() {
        ("", "configmaps") => {
            vec![(of.size("data") + of.size("binaryData")).into(), age]
        }
        ("", "secrets") => vec![of.text("type").into(), of.size("data").into(), age],
        ("", "serviceaccounts") => vec![age],
        ("", "namespaces") => vec![of.text("status.phase").into(), age],
        ("", "pods") => pod::pod(&of, age, now),
        ("", "nodes") => core::node(&of, age),
        ("", "services") => core::service(&of, age),
        ("", "events") | ("events.k8s.io", "events") => return core::event(&of, now),
        ("", "persistentvolumes") => storage::volume(&of, age),
        ("", "persistentvolumeclaims") => storage::claim(&of, age),
        ("", "endpoints") => vec![network::endpoints(&of).into(), age],
        ("", "resourcequotas") => core::quota(&of, age),
        ("apps", "deployments") => workloads::deployment(&of, age),
        ("apps", "replicasets") | ("", "replicationcontrollers") => workloads::replicas(&of, age),
        ("apps", "statefulsets") => workloads::stateful(&of, age),
        ("apps", "daemonsets") => workloads::daemon(&of, age),
        ("apps", "controllerrevisions") => workloads::revision(&of, age),
        ("batch", "jobs") => workloads::job(&of, age, now),
        ("batch", "cronjobs") => workloads::cron(&of, age, now),
        ("networking.k8s.io", "ingresses") => network::ingress(&of, age),
        ("networking.k8s.io", "ingressclasses") => network::ingress_class(&of, age),
        ("networking.k8s.io", "networkpolicies") => {
            vec![selector(of.at("spec.podSelector")).into(), age]
        }
        ("policy", "poddisruptionbudgets") => workloads::budget(&of, age),
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => {
            cluster::binding(&of, age)
        }
        ("coordination.k8s.io", "leases") => vec![of.text("spec.holderIdentity").into(), age],
        ("discovery.k8s.io", "endpointslices") => network::slice(&of, age),
        ("storage.k8s.io", "storageclasses") => storage::storage_class(&of, age),
        ("storage.k8s.io", "csidrivers") => storage::driver(&of, age),
        ("autoscaling", "horizontalpodautoscalers") => workloads::autoscaler(&of, age),
        ("autoscaling", "scales") => {
            let number = |path| Value::from(of.number(path));
            vec![number("spec.replicas"), number("status.replicas"), age]
        }
        ("", "podtemplates") => {
            let path = "template.spec.containers";
            vec![
                containers(&of, path, "name"),
                containers(&of, path, "image"),
                labels(of.at("template.metadata.labels")).into(),
            ]
        }
        place => match cluster::cells(place, &of, age) {
            Some(cells) => cells,
            None => vec![of.text("metadata.creationTimestamp").into()],
        },
    };
    cells.extend(rest);
    cells
}

/// The columns of the built-in resources: `group/plural` to definitions.
fn recorded() -> &'static Map {
    static RECORDED: OnceLock<Map> = OnceLock::new();
    RECORDED.get_or_init(
        || match json::parse(include_bytes!("../data/columns.json")) {
            Ok(Value::Map(map)) => map,
            _ => Map::new(),
        },
    )
}
