//! Endpoints: the addresses behind a Service, in the old form.

use std::collections::{BTreeMap, BTreeSet};

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
use super::write::{Note, Outcome, Write, difference, patch};

const MANAGED: &str = "endpoints.kubernetes.io/managed-by";
/// The annotation with the time of the change that led to the present addresses.
pub(crate) const TRIGGER: &str = "endpoints.kubernetes.io/last-change-trigger-time";
const COMPONENT: &str = "endpoint-controller";
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
            let services: BTreeSet<Ref> = change
                .states()
                .flat_map(|pod| services_of(world, pod))
                .map(|service| Ref::of(Kind::SERVICE, service))
                .collect();
            keys.extend(services);
        }
        _ => {}
    }
}

/// The Services that select a pod.
fn services_of<'a>(world: &'a World, pod: &'a Object) -> impl Iterator<Item = &'a Object> {
    let pairs = labels(pod).into_iter().flat_map(Map::iter);
    pairs
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
        .flat_map(|pair| world.under(Kind::SERVICE, pod.namespace(), pair))
        .filter(|service| selects(service, pod))
}

/// Whether a change of a pod is one that Kubernetes looks at: it came or went, got ready or unready,
/// is being deleted, or has other labels or another place. That it ended shows by its readiness.
fn shows(change: &Change) -> bool {
    let (Some(old), Some(new)) = (&change.old, &change.new) else {
        return true;
    };
    let fields: [&[&str]; 5] = [
        &["status", "podIPs"],
        &["spec", "nodeName"],
        &["spec", "hostname"],
        &["spec", "subdomain"],
        &["metadata", "labels"],
    ];
    pod::is_ready(old) != pod::is_ready(new)
        || old.is_terminating() != new.is_terminating()
        || fields
            .iter()
            .any(|path| old.value().at(path) != new.value().at(path))
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
    let (key, value) = selector(service)?.iter().next()?;
    let pair = (key.as_str(), value.as_str().unwrap_or_default());
    let pods = context.world.under(Kind::POD, service.namespace(), pair);
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

/// The time of the change that shows for the first time: the earliest of the pods whose readiness is
/// news; that of the Service where nothing was.
pub(crate) fn trigger(service: &Object, fresh: bool, new_pods: &[&Object]) -> Option<Timestamp> {
    let ready = |pod: &&Object| parse(pod::condition(pod, "Ready")?.get("lastTransitionTime"));
    if fresh {
        return Some(created(service));
    }
    new_pods.iter().filter_map(ready).min()
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
    let refused = known.and_then(|known| refusal(known, &subsets));
    if let Some(note) = refused {
        return Outcome::from(vec![Write::Note(note)]);
    }
    let old = known.and_then(|known| known.value().get("subsets"));
    let listed = |field: &'static str| {
        let subsets = old.and_then(Value::as_list).unwrap_or_default().iter();
        let addresses = subsets.flat_map(move |subset| items(subset, &[field]));
        addresses
            .map(|address| text(address, &["targetRef", "uid"]))
            .collect::<Vec<_>>()
    };
    let (ready, unready) = (listed("addresses"), listed("notReadyAddresses"));
    let new_pods: Vec<&Object> = pods
        .iter()
        .copied()
        .filter(|pod| {
            let list = if pod::is_ready(pod) { &ready } else { &unready };
            !list.contains(&pod.uid())
        })
        .collect();
    let mut wanted_labels = labels(service).cloned().unwrap_or_default();
    wanted_labels.insert(MANAGED, COMPONENT);
    if text(service.value(), &["spec", "clusterIP"]) == "None" {
        wanted_labels.insert("service.kubernetes.io/headless", "");
    }
    let trigger = trigger(service, known.is_none(), &new_pods);
    let annotation = trigger.map(|time| map([(TRIGGER, stamp(time))]));
    let Some(known) = known else {
        // Empty at first, as where the Service is seen before its pods: what is refused is refused
        // as a change.
        let create = create(service, wanted_labels, annotation);
        return Outcome::from(vec![create]);
    };
    let mut body = Map::new();
    let now = Value::List(subsets);
    if *old.unwrap_or(&Value::List(Vec::new())) != now {
        let empty = now == Value::List(Vec::new());
        body.insert("subsets", if empty { Value::Null } else { now });
    }
    let old_labels = Value::Map(labels(known).cloned().unwrap_or_default());
    let mut metadata = Map::new();
    if let Some(change) = difference(&old_labels, &Value::Map(wanted_labels)) {
        metadata.insert("labels", change);
    }
    if !(metadata.is_empty() && body.is_empty()) {
        let annotation = annotation.unwrap_or_else(|| map([(TRIGGER, Value::Null)]));
        metadata.insert("annotations", annotation);
        body.insert("metadata", metadata);
    }
    let write = (!body.is_empty()).then(|| patch(Kind::ENDPOINTS, known, Value::Map(body)));
    Outcome::from(Vec::from_iter(write))
}

/// What the API server says about a node without a name; the real controller tries all the same.
const NO_NODE: &str = "Invalid value: \"\": a lowercase RFC 1123 subdomain must consist of lower \
    case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character \
    (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// Why addresses cannot be written: the API server refuses pods that no node has.
fn refusal(known: &Object, subsets: &[Value]) -> Option<Note> {
    let mut causes = Vec::new();
    for (number, subset) in subsets.iter().enumerate() {
        for field in ["addresses", "notReadyAddresses"] {
            for (place, address) in items(subset, &[field]).iter().enumerate() {
                if text(address, &["nodeName"]).is_empty() {
                    causes.push(format!(
                        "subsets[{number}].{field}[{place}].nodeName: {NO_NODE}"
                    ));
                }
            }
        }
    }
    let causes = match causes.as_slice() {
        [] => return None,
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    let (namespace, name) = (known.namespace(), known.name());
    let message = format!(
        "Failed to update endpoint {namespace}/{name}: Endpoints \"{name}\" is invalid: {causes}"
    );
    let reason = "FailedToUpdateEndpoint";
    Some(Note::warning(known, COMPONENT, reason, message))
}

fn create(service: &Object, labels: Map, annotation: Option<Value>) -> Write {
    let mut metadata = Map::from([
        ("name", service.name().into()),
        ("namespace", service.namespace().into()),
        ("labels", labels.into()),
    ]);
    if let Some(annotation) = annotation {
        metadata.insert("annotations", annotation);
    }
    let object = Map::from([
        ("apiVersion", "v1".into()),
        ("kind", "Endpoints".into()),
        ("metadata", metadata.into()),
    ]);
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
