//! The simulated nodes, and the taint that a node loses when it gets ready.

use manifest::Object;
use yaml::{Map, Value};

use super::control::Context;
use super::fields::{items, map, text};
use super::kind::Kind;
use super::pod::holds;
use super::time::stamp;
use super::world::{Change, Ref, World};
use super::write::{Outcome, Write, patch, status};

const NOT_READY: &str = "node.kubernetes.io/not-ready";

/// Every node.
pub(crate) fn affected(_world: &World, change: &Change, keys: &mut Vec<Ref>) {
    if change.target.kind == Kind::NODE {
        keys.push(change.target.clone());
    }
}

/// Registers a node of ours, and lets pods onto any node that is ready.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    let ours = context.settings.nodes.contains(&target.name);
    let Some(node) = context.world.get(target) else {
        return Outcome::from(Vec::from_iter(
            ours.then(|| register(context, &target.name)),
        ));
    };
    let mut outcome = Outcome::nothing();
    if ours && !holds(node, "Ready") {
        outcome.push(status(Kind::NODE, node, report(context, node.name())));
    }
    let taints = items(node.value(), &["spec", "taints"]);
    let untainted: Vec<Value> = taints
        .iter()
        .filter(|taint| text(taint, &["key"]) != NOT_READY)
        .cloned()
        .collect();
    if (ours || holds(node, "Ready")) && untainted.len() < taints.len() {
        let rest = if untainted.is_empty() {
            Value::Null
        } else {
            Value::List(untainted)
        };
        outcome.push(patch(
            Kind::NODE,
            node,
            map([("spec", map([("taints", rest)]))]),
        ));
    }
    outcome
}

fn register(context: &Context<'_>, name: &str) -> Write {
    let labels = map([
        ("kubernetes.io/hostname", name.into()),
        ("kubernetes.io/os", "linux".into()),
        ("kubernetes.io/arch", architecture().into()),
        ("beta.kubernetes.io/os", "linux".into()),
        ("beta.kubernetes.io/arch", architecture().into()),
    ]);
    let object = Object::new(map([
        ("apiVersion", "v1".into()),
        ("kind", "Node".into()),
        ("metadata", map([("name", name.into()), ("labels", labels)])),
        ("status", report(context, name).into()),
    ]))
    .expect("a node has a kind");
    Write::Create {
        kind: Kind::NODE,
        object,
        note: None,
    }
}

fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    }
}

fn report(context: &Context<'_>, name: &str) -> Map {
    let now = stamp(context.now);
    let condition = |kind: &str, holds: &str, reason: &str, message: &str| {
        map([
            ("type", kind.into()),
            ("status", holds.into()),
            ("reason", reason.into()),
            ("message", message.into()),
            ("lastHeartbeatTime", now.clone()),
            ("lastTransitionTime", now.clone()),
        ])
    };
    let size = || {
        map([
            ("cpu", "32".into()),
            ("memory", "128Gi".into()),
            ("ephemeral-storage", "1Ti".into()),
            ("pods", "1000".into()),
        ])
    };
    let address =
        |kind: &str, address: String| map([("type", kind.into()), ("address", address.into())]);
    let conditions = vec![
        condition(
            "MemoryPressure",
            "False",
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available",
        ),
        condition(
            "DiskPressure",
            "False",
            "KubeletHasNoDiskPressure",
            "kubelet has no disk pressure",
        ),
        condition(
            "PIDPressure",
            "False",
            "KubeletHasSufficientPID",
            "kubelet has sufficient PID available",
        ),
        condition(
            "Ready",
            "True",
            "KubeletReady",
            "kubelet is posting ready status",
        ),
    ];
    Map::from([
        ("capacity", size()),
        ("allocatable", size()),
        ("conditions", conditions.into()),
        (
            "addresses",
            vec![
                address("InternalIP", internal_address(name)),
                address("Hostname", name.to_owned()),
            ]
            .into(),
        ),
        ("nodeInfo", node_info()),
    ])
}

fn node_info() -> Value {
    map([
        ("architecture", architecture().into()),
        ("bootID", "".into()),
        ("containerRuntimeVersion", "sandbox://1".into()),
        ("kernelVersion", "".into()),
        ("kubeProxyVersion", "".into()),
        ("kubeletVersion", "v1.35.4".into()),
        ("machineID", "".into()),
        ("operatingSystem", "linux".into()),
        ("osImage", "Tiphys sandbox".into()),
        ("systemUUID", "".into()),
    ])
}

/// The address of a node, from the number in its name: 172.18.0.2 is the first.
pub(crate) fn internal_address(name: &str) -> String {
    let number: u32 = name
        .rsplit('-')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(1);
    std::net::Ipv4Addr::from(0xac12_0001_u32.wrapping_add(number)).to_string()
}
