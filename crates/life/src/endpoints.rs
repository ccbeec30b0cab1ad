//! Endpoints: the addresses behind a Service, in the old form.

use std::collections::BTreeMap;

use jiff::Timestamp;
use manifest::Object;
use yaml::{Map, Value};

use super::control::Context;
use super::fields::{flag, items, labels, map, text};
use super::kind::Kind;
use super::pod;
use super::replica_set::created;
use super::selector::contains;
use super::time::{parse, stamp};
use super::world::{Change, Ref, World};
use super::write::{Outcome, Write, difference, patch};

const MANAGED: &str = "endpoints.kubernetes.io/managed-by";
/// The annotation with the time of the change that led to the present addresses.
pub(crate) const TRIGGER: &str = "endpoints.kubernetes.io/last-change-trigger-time";
/// Addresses in one Endpoints object, as in Kubernetes.
const MAX_ADDRESSES: usize = 1000;

/// Services that changed, those that select a pod that changed, and those whose object was edited.
pub(crate) fn affected(world: &World, change: &Change, keys: &mut Vec<Ref>) {
    service_keys(world, change, keys);
    if change.target.kind == Kind::ENDPOINTS {
        keys.push(Ref {
            kind: Kind::SERVICE,
            ..change.target.clone()
        });
    }
}

/// The Services that a change concerns.
pub(crate) fn service_keys(world: &World, change: &Change, keys: &mut Vec<Ref>) {
    match change.target.kind {
        Kind::SERVICE => keys.push(change.target.clone()),
        Kind::POD if shows(change) => {
            let services = world.list(Kind::SERVICE, &change.target.namespace);
            keys.extend(
                services
                    .filter(|service| change.states().any(|pod| selects(service, pod)))
                    .map(|service| Ref::of(Kind::SERVICE, service)),
            );
        }
        _ => {}
    }
}

/// Whether a change of a pod can show in endpoints: a pod without an address never does.
fn shows(change: &Change) -> bool {
    change
        .states()
        .any(|pod| !text(pod.value(), &["status", "podIP"]).is_empty())
}

fn selector(service: &Object) -> Option<&Map> {
    service
        .value()
        .at(&["spec", "selector"])
        .and_then(Value::as_map)
        .filter(|selector| !selector.is_empty())
        .filter(|_| text(service.value(), &["spec", "type"]) != "ExternalName")
}

fn selects(service: &Object, pod: &Object) -> bool {
    selector(service).is_some_and(|selector| contains(labels(pod), selector))
}

/// The pods behind a Service that have an address and have not ended; `None` for a Service that
/// selects nothing.
pub(crate) fn backends<'a>(context: &Context<'a>, service: &Object) -> Option<Vec<&'a Object>> {
    selector(service)?;
    let pods = context.world.list(Kind::POD, service.namespace());
    Some(
        pods.filter(|pod| selects(service, pod))
            .filter(|pod| !pod::is_finished(pod))
            .filter(|pod| !text(pod.value(), &["status", "podIP"]).is_empty())
            .collect(),
    )
}

/// The port of a pod that a Service port leads to; `None` for a name that no container has.
pub(crate) fn target_port(port: &Value, pod: &Object) -> Option<i64> {
    match port.get("targetPort") {
        Some(Value::Int(number)) => Some(*number),
        Some(Value::String(name)) => items(pod.value(), &["spec", "containers"])
            .iter()
            .flat_map(|container| items(container, &["ports"]))
            .find(|known| text(known, &["name"]) == name.as_str())
            .and_then(|known| known.get("containerPort")?.as_i64()),
        _ => port.get("port").and_then(Value::as_i64),
    }
}

/// The ports of a Service as they are on one pod.
pub(crate) fn ports_on(service: &Object, pod: &Object) -> Vec<Value> {
    items(service.value(), &["spec", "ports"])
        .iter()
        .filter_map(|port| {
            let mut entry = Map::new();
            if let Some(name) = port.get("name") {
                entry.insert("name", name.clone());
            }
            entry.insert("port", target_port(port, pod)?);
            entry.insert(
                "protocol",
                port.get("protocol").cloned().unwrap_or("TCP".into()),
            );
            if let Some(protocol) = port.get("appProtocol") {
                entry.insert("appProtocol", protocol.clone());
            }
            Some(Value::Map(entry))
        })
        .collect()
}

/// The reference from an address to its pod.
pub(crate) fn pod_reference(pod: &Object) -> Value {
    map([
        ("kind", "Pod".into()),
        ("namespace", pod.namespace().into()),
        ("name", pod.name().into()),
        ("uid", pod.uid().into()),
    ])
}

/// The time of the change that shows for the first time: the earliest of the pods that were not
/// there before, and of the Service where nothing was.
pub(crate) fn trigger(service: &Object, fresh: bool, new_pods: &[&Object]) -> Option<Timestamp> {
    let ready = |pod: &&Object| parse(pod::condition(pod, "Ready")?.get("lastTransitionTime"));
    let service = fresh.then(|| created(service));
    new_pods.iter().filter_map(ready).chain(service).min()
}

/// Makes or corrects the Endpoints of one Service.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    let known = context
        .world
        .find(Kind::ENDPOINTS, &target.namespace, &target.name);
    let Some(service) = context.world.get(target) else {
        // Those of a Service that is gone go too, unless somebody made them by hand.
        let ours = known.filter(|known| known.label(MANAGED).is_some());
        return Outcome::from(Vec::from_iter(ours.map(|known| {
            super::write::delete(Kind::ENDPOINTS, known, super::write::Deletion::Background)
        })));
    };
    let Some(pods) = backends(context, service) else {
        return Outcome::nothing();
    };
    let subsets = subsets(service, &pods);
    let old = known.and_then(|known| known.value().get("subsets"));
    let before: Vec<&str> = old
        .and_then(Value::as_list)
        .unwrap_or_default()
        .iter()
        .flat_map(|subset| items(subset, &["addresses"]))
        .map(|address| text(address, &["targetRef", "uid"]))
        .collect();
    let new_pods: Vec<&Object> = pods
        .iter()
        .copied()
        .filter(|pod| pod::is_ready(pod) && !before.contains(&pod.uid()))
        .collect();
    let mut wanted_labels = labels(service).cloned().unwrap_or_default();
    wanted_labels.insert(MANAGED, "endpoint-controller");
    if text(service.value(), &["spec", "clusterIP"]) == "None" {
        wanted_labels.insert("service.kubernetes.io/headless", "");
    }
    let trigger = trigger(service, known.is_none(), &new_pods);
    let annotation = trigger.map(|time| map([(TRIGGER, stamp(time))]));
    let Some(known) = known else {
        return Outcome::from(vec![create(service, wanted_labels, annotation, subsets)]);
    };
    let mut body = Map::new();
    let now = Value::List(subsets);
    if *old.unwrap_or(&Value::List(Vec::new())) != now {
        let annotation = annotation.unwrap_or_else(|| map([(TRIGGER, Value::Null)]));
        body.insert("metadata", map([("annotations", annotation)]));
        body.insert(
            "subsets",
            if now == Value::List(Vec::new()) {
                Value::Null
            } else {
                now
            },
        );
    }
    let old_labels = Value::Map(labels(known).cloned().unwrap_or_default());
    if let Some(change) = difference(&old_labels, &Value::Map(wanted_labels)) {
        let metadata = body.entry_or_insert("metadata", Value::Map(Map::new()));
        metadata.map_at_mut(&[]).insert("labels", change);
    }
    let write = (!body.is_empty()).then(|| patch(Kind::ENDPOINTS, known, Value::Map(body)));
    Outcome::from(Vec::from_iter(write))
}

fn create(service: &Object, labels: Map, annotation: Option<Value>, subsets: Vec<Value>) -> Write {
    let mut metadata = Map::from([
        ("name", service.name().into()),
        ("namespace", service.namespace().into()),
        ("labels", labels.into()),
    ]);
    if let Some(annotation) = annotation {
        metadata.insert("annotations", annotation);
    }
    let mut object = Map::from([
        ("apiVersion", "v1".into()),
        ("kind", "Endpoints".into()),
        ("metadata", metadata.into()),
    ]);
    if !subsets.is_empty() {
        object.insert("subsets", subsets);
    }
    let object = Object::new(Value::Map(object)).expect("endpoints have a kind");
    Write::Create {
        kind: Kind::ENDPOINTS,
        object,
        note: None,
    }
}

/// Addresses with the same ports together, sorted as Kubernetes repacks them.
fn subsets(service: &Object, pods: &[&Object]) -> Vec<Value> {
    let everyone = flag(service.value(), &["spec", "publishNotReadyAddresses"]);
    // Ports, ready addresses, addresses that are not ready.
    type Group = (Vec<Value>, Vec<Value>, Vec<Value>);
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    let mut pods: Vec<&&Object> = pods.iter().filter(|pod| !pod.is_terminating()).collect();
    pods.sort_by_key(|pod| text(pod.value(), &["status", "podIP"]));
    for pod in pods.into_iter().take(MAX_ADDRESSES) {
        let ports = ports_on(service, pod);
        let mut address = Map::from([("ip", text(pod.value(), &["status", "podIP"]).into())]);
        if !pod::node(pod).is_empty() {
            address.insert("nodeName", pod::node(pod));
        }
        let hostname = text(pod.value(), &["spec", "hostname"]);
        if !hostname.is_empty() && text(pod.value(), &["spec", "subdomain"]) == service.name() {
            address.insert("hostname", hostname);
        }
        address.insert("targetRef", pod_reference(pod));
        let group = groups
            .entry(format!("{ports:?}"))
            .or_insert_with(|| (ports, Vec::new(), Vec::new()));
        let list = if everyone || pod::is_ready(pod) {
            &mut group.1
        } else {
            &mut group.2
        };
        list.push(Value::Map(address));
    }
    groups
        .into_values()
        .map(|(ports, ready, unready)| {
            let mut subset = Map::new();
            for (key, list) in [
                ("addresses", ready),
                ("notReadyAddresses", unready),
                ("ports", ports),
            ] {
                if !list.is_empty() {
                    subset.insert(key, list);
                }
            }
            Value::Map(subset)
        })
        .collect()
}
