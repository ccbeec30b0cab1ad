//! EndpointSlices: the addresses behind a Service, a hundred at a time.

use manifest::Object;
use yaml::{Map, Value};

use super::control::Context;
use super::endpoints::{TRIGGER, backends, pod_reference, ports_on, service_keys, trigger};
use super::fields::{controller_reference, controller_uid, flag, items, labels, map, text};
use super::kind::Kind;
use super::pod;
use super::time::stamp;
use super::world::{Change, Ref, World};
use super::write::{Deletion, Outcome, Write, delete, difference, patch};

const MANAGED: &str = "endpointslice.kubernetes.io/managed-by";
const SERVICE: &str = "kubernetes.io/service-name";
/// Endpoints in one slice (`--max-endpoints-per-slice`).
const MAX_ENDPOINTS: usize = 100;

/// Services that changed, those that select a pod that changed, and those whose slice was edited.
pub(crate) fn affected(world: &World, change: &Change, keys: &mut Vec<Ref>) {
    service_keys(world, change, keys);
    if change.target.kind == Kind::ENDPOINT_SLICE {
        let name = change.latest().and_then(|slice| slice.label(SERVICE));
        keys.extend(name.map(|name| Ref::new(Kind::SERVICE, &change.target.namespace, name)));
    }
}

/// Makes, corrects or removes the slices of one Service. Slices of a deleted Service are collected
/// as its dependents.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    let Some(service) = context
        .world
        .get(target)
        .filter(|service| !service.is_terminating())
    else {
        return Outcome::nothing();
    };
    let Some(pods) = backends(context, service) else {
        return Outcome::nothing();
    };
    let mut slices: Vec<&Object> = context
        .world
        .owned(service.uid(), Kind::ENDPOINT_SLICE)
        .filter(|slice| controller_uid(slice) == service.uid())
        .collect();
    slices.sort_by_key(|slice| slice.name());
    let before: Vec<&str> = slices
        .iter()
        .flat_map(|slice| items(slice.value(), &["endpoints"]))
        .map(|endpoint| text(endpoint, &["targetRef", "uid"]))
        .collect();
    let new_pods: Vec<&Object> = pods
        .iter()
        .copied()
        .filter(|pod| !before.contains(&pod.uid()))
        .collect();
    // Known endpoints keep their places, new ones follow.
    let mut ordered: Vec<&Object> = before
        .iter()
        .filter_map(|uid| pods.iter().copied().find(|pod| pod.uid() == *uid))
        .collect();
    ordered.extend(&new_pods);
    let ports = pods
        .first()
        .map(|pod| ports_on(service, pod))
        .unwrap_or_default();
    let endpoints: Vec<Value> = ordered
        .into_iter()
        .map(|pod| endpoint(context, service, pod))
        .collect();
    let annotation =
        trigger(service, slices.is_empty(), &new_pods).map(|time| map([(TRIGGER, stamp(time))]));
    let mut wanted: Vec<Vec<Value>> = endpoints
        .chunks(MAX_ENDPOINTS)
        .map(<[Value]>::to_vec)
        .collect();
    if wanted.is_empty() {
        wanted.push(Vec::new());
    }
    let mut writes = Vec::new();
    for (position, endpoints) in wanted.iter().enumerate() {
        match slices.get(position) {
            None => writes.push(create(service, annotation.clone(), endpoints, &ports)),
            Some(slice) => {
                writes.extend(correct(
                    service,
                    slice,
                    annotation.clone(),
                    endpoints,
                    &ports,
                ));
            }
        }
    }
    let surplus = slices.iter().skip(wanted.len());
    writes.extend(surplus.map(|slice| delete(Kind::ENDPOINT_SLICE, slice, Deletion::Background)));
    Outcome::from(writes)
}

fn endpoint(context: &Context<'_>, service: &Object, pod: &Object) -> Value {
    let published = flag(service.value(), &["spec", "publishNotReadyAddresses"]);
    let serving = pod::is_ready(pod);
    let ready = published || (serving && !pod.is_terminating());
    let mut endpoint = Map::from([
        (
            "addresses",
            vec![text(pod.value(), &["status", "podIP"])].into(),
        ),
        (
            "conditions",
            map([
                ("ready", ready.into()),
                ("serving", serving.into()),
                ("terminating", pod.is_terminating().into()),
            ]),
        ),
        ("targetRef", pod_reference(pod)),
    ]);
    let hostname = text(pod.value(), &["spec", "hostname"]);
    if !hostname.is_empty() && text(pod.value(), &["spec", "subdomain"]) == service.name() {
        endpoint.insert("hostname", hostname);
    }
    if !pod::node(pod).is_empty() {
        endpoint.insert("nodeName", pod::node(pod));
        let node = context.world.find(Kind::NODE, "", pod::node(pod));
        if let Some(zone) = node.and_then(|node| node.label("topology.kubernetes.io/zone")) {
            endpoint.insert("zone", zone);
        }
    }
    Value::Map(endpoint)
}

fn wanted_labels(service: &Object) -> Map {
    let mut wanted = labels(service).cloned().unwrap_or_default();
    wanted.insert(MANAGED, "endpointslice-controller.k8s.io");
    wanted.insert(SERVICE, service.name());
    if text(service.value(), &["spec", "clusterIP"]) == "None" {
        wanted.insert("service.kubernetes.io/headless", "");
    }
    wanted
}

/// A list, or null where it is empty, as the recordings show.
fn or_null(list: &[Value]) -> Value {
    if list.is_empty() {
        Value::Null
    } else {
        Value::List(list.to_vec())
    }
}

fn create(
    service: &Object,
    annotation: Option<Value>,
    endpoints: &[Value],
    ports: &[Value],
) -> Write {
    let mut metadata = Map::from([
        ("generateName", format!("{}-", service.name()).into()),
        ("namespace", service.namespace().into()),
        ("labels", wanted_labels(service).into()),
        (
            "ownerReferences",
            vec![controller_reference(service)].into(),
        ),
    ]);
    if let Some(annotation) = annotation {
        metadata.insert("annotations", annotation);
    }
    let six = items(service.value(), &["spec", "ipFamilies"])
        .first()
        .and_then(Value::as_str)
        == Some("IPv6");
    let object = Object::new(map([
        ("apiVersion", "discovery.k8s.io/v1".into()),
        ("kind", "EndpointSlice".into()),
        ("metadata", metadata.into()),
        ("addressType", if six { "IPv6" } else { "IPv4" }.into()),
        ("endpoints", or_null(endpoints)),
        ("ports", or_null(ports)),
    ]))
    .expect("a slice has a kind");
    Write::Create {
        kind: Kind::ENDPOINT_SLICE,
        object,
        note: None,
    }
}

fn correct(
    service: &Object,
    slice: &Object,
    annotation: Option<Value>,
    endpoints: &[Value],
    ports: &[Value],
) -> Option<Write> {
    let mut body = Map::new();
    let old = |field: &str| items(slice.value(), &[field]);
    if old("endpoints") != endpoints || old("ports") != ports {
        body.insert("endpoints", or_null(endpoints));
        body.insert("ports", or_null(ports));
        let annotation = annotation.unwrap_or_else(|| map([(TRIGGER, Value::Null)]));
        body.insert("metadata", map([("annotations", annotation)]));
    }
    let old_labels = Value::Map(labels(slice).cloned().unwrap_or_default());
    if let Some(change) = difference(&old_labels, &Value::Map(wanted_labels(service))) {
        let metadata = body.entry_or_insert("metadata", Value::Map(Map::new()));
        metadata.map_at_mut(&[]).insert("labels", change);
    }
    (!body.is_empty()).then(|| patch(Kind::ENDPOINT_SLICE, slice, Value::Map(body)))
}
