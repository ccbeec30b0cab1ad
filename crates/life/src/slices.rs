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
use super::write::{Deletion, Note, Outcome, Write, delete, difference, patch};

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
    let (pods, lost) = placed(context, service, pods);
    let before: Vec<(&str, bool)> = slices
        .iter()
        .flat_map(|slice| items(slice.value(), &["endpoints"]))
        .map(|endpoint| {
            let serving = flag(endpoint, &["conditions", "serving"]);
            (text(endpoint, &["targetRef", "uid"]), serving)
        })
        .collect();
    let new_pods: Vec<&Object> = pods
        .iter()
        .copied()
        .filter(|pod| !before.contains(&(pod.uid(), pod::is_ready(pod))))
        .collect();
    let annotation =
        trigger(service, slices.is_empty(), &new_pods).map(|time| map([(TRIGGER, stamp(time))]));
    // Known endpoints keep their places, new ones follow.
    let mut ordered: Vec<&Object> = before
        .iter()
        .filter_map(|(uid, _)| pods.iter().copied().find(|pod| pod.uid() == *uid))
        .collect();
    let known: Vec<&str> = before.iter().map(|(uid, _)| *uid).collect();
    ordered.extend(pods.iter().filter(|pod| !known.contains(&pod.uid())));
    let wanted = wanted(context, service, &ordered);
    let mut outcome = Outcome::from(write(service, slices, &wanted, annotation.as_ref()));
    outcome
        .writes
        .extend(complaint(service, &lost).map(Write::Note));
    outcome
}

/// The pods whose node is known, and the others; a Service that publishes everything needs no node.
fn placed<'a>(
    context: &Context<'_>,
    service: &Object,
    pods: Vec<&'a Object>,
) -> (Vec<&'a Object>, Vec<&'a Object>) {
    if flag(service.value(), &["spec", "publishNotReadyAddresses"]) {
        return (pods, Vec::new());
    }
    let known = |pod: &&Object| context.world.find(Kind::NODE, "", pod::node(pod)).is_some();
    pods.into_iter().partition(known)
}

fn complaint(service: &Object, lost: &[&Object]) -> Option<Note> {
    let (namespace, name) = (service.namespace(), service.name());
    let reasons: Vec<String> = lost
        .iter()
        .map(|pod| {
            let node = pod::node(pod);
            format!(
                "skipping Pod {} for Service {namespace}/{name}: Node {node} Not Found",
                pod.name()
            )
        })
        .collect();
    let reasons = match reasons.as_slice() {
        [] => return None,
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    let message =
        format!("Error updating Endpoint Slices for Service {namespace}/{name}: {reasons}");
    Some(Note::warning(
        service,
        "endpoint-slice-controller",
        "FailedToUpdateEndpointSlices",
        message,
    ))
}

/// What one slice holds.
struct Content {
    ports: Vec<Value>,
    endpoints: Vec<Value>,
}

/// A slice for each set of ports and each hundred endpoints; an empty one where there is nothing.
fn wanted(context: &Context<'_>, service: &Object, pods: &[&Object]) -> Vec<Content> {
    let mut groups: Vec<Content> = Vec::new();
    for pod in pods {
        let ports = slice_ports(service, pod);
        let endpoint = endpoint(context, service, pod);
        match groups.iter_mut().find(|group| group.ports == ports) {
            Some(group) => group.endpoints.push(endpoint),
            None => groups.push(Content {
                ports,
                endpoints: vec![endpoint],
            }),
        }
    }
    let chunks = groups.iter().flat_map(|group| {
        group.endpoints.chunks(MAX_ENDPOINTS).map(|chunk| Content {
            ports: group.ports.clone(),
            endpoints: chunk.to_vec(),
        })
    });
    let mut wanted: Vec<Content> = chunks.collect();
    if wanted.is_empty() {
        wanted.push(Content {
            ports: Vec::new(),
            endpoints: Vec::new(),
        });
    }
    wanted
}

/// The ports of a Service on one pod.
fn slice_ports(service: &Object, pod: &Object) -> Vec<Value> {
    with_names(&ports_on(service, pod))
}

/// The ports of a slice, whether or not the server wrote empty names.
pub(crate) fn named_ports(slice: &Object) -> Vec<Value> {
    with_names(items(slice.value(), &["ports"]))
}

/// Ports of a slice have a name each, if an empty one.
pub(crate) fn with_names(ports: &[Value]) -> Vec<Value> {
    let named = |port: &Value| {
        let mut port = port.clone();
        port.map_at_mut(&[]).entry_or_insert("name", "".into());
        port
    };
    ports.iter().map(named).collect()
}

/// Brings the slices to what is wanted: those with the same ports first, then whichever is left.
fn write(
    service: &Object,
    mut slices: Vec<&Object>,
    wanted: &[Content],
    annotation: Option<&Value>,
) -> Vec<Write> {
    let mut taken: Vec<Option<&Object>> = wanted
        .iter()
        .map(|content| {
            let same = |slice: &&Object| named_ports(slice) == content.ports;
            let position = slices.iter().position(same)?;
            Some(slices.remove(position))
        })
        .collect();
    for slot in taken.iter_mut().filter(|slot| slot.is_none()) {
        if !slices.is_empty() {
            *slot = Some(slices.remove(0));
        }
    }
    let mut writes = Vec::new();
    for (content, slice) in wanted.iter().zip(taken) {
        match slice {
            None => writes.push(create(service, annotation.cloned(), content)),
            Some(slice) => writes.extend(correct(service, slice, annotation.cloned(), content)),
        }
    }
    let surplus = slices.into_iter();
    writes.extend(surplus.map(|slice| delete(Kind::ENDPOINT_SLICE, slice, Deletion::Background)));
    writes
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

fn create(service: &Object, annotation: Option<Value>, content: &Content) -> Write {
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
        ("endpoints", or_null(&content.endpoints)),
        ("ports", or_null(&content.ports)),
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
    content: &Content,
) -> Option<Write> {
    let mut body = Map::new();
    let old = |field: &str| items(slice.value(), &[field]);
    if old("endpoints") != content.endpoints || named_ports(slice) != content.ports {
        body.insert("endpoints", or_null(&content.endpoints));
        body.insert("ports", or_null(&content.ports));
    }
    let old_labels = Value::Map(labels(slice).cloned().unwrap_or_default());
    let mut metadata = Map::new();
    if let Some(change) = difference(&old_labels, &Value::Map(wanted_labels(service))) {
        metadata.insert("labels", change);
    }
    if !(metadata.is_empty() && body.is_empty()) {
        let annotation = annotation.unwrap_or_else(|| map([(TRIGGER, Value::Null)]));
        metadata.insert("annotations", annotation);
        body.insert("metadata", metadata);
    }
    (!body.is_empty()).then(|| patch(Kind::ENDPOINT_SLICE, slice, Value::Map(body)))
}
