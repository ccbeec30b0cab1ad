//! EndpointSlices for Endpoints that somebody made by hand, for a Service that selects nothing.
//!
//! As `endpointslicemirroring`: a slice per subset and address family, owned by the Endpoints.

use std::net::IpAddr;

use manifest::Object;
use yaml::{Map, Value};

use super::control::Context;
use super::fields::{controller_reference, controller_uid, items, labels, map, text};
use super::kind::Kind;
use super::slices::{named_ports, with_names};
use super::world::{Change, Ref, World};
use super::write::{Deletion, Outcome, Write, delete, difference, patch};

const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
const MANAGED: &str = "endpointslice.kubernetes.io/managed-by";
const SERVICE: &str = "kubernetes.io/service-name";
/// A label with which Endpoints are not mirrored.
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
/// Addresses of one subset that are mirrored (`--mirroring-max-endpoints-per-subset`).
const MAX_ENDPOINTS: usize = 1000;

/// Endpoints that changed, and those of a Service or slice that changed.
pub(crate) fn affected(_world: &World, change: &Change, keys: &mut Vec<Ref>) {
    let target = &change.target;
    let name = match target.kind {
        Kind::ENDPOINTS | Kind::SERVICE => Some(target.name.as_str()),
        Kind::ENDPOINT_SLICE => change
            .latest()
            .filter(|slice| slice.label(MANAGED) == Some(MANAGER))
            .and_then(|slice| slice.label(SERVICE)),
        _ => None,
    };
    keys.extend(name.map(|name| Ref::new(Kind::ENDPOINTS, &target.namespace, name)));
}

/// Makes, corrects or removes the slices of one Endpoints object. Those of one that is gone are
/// collected as its dependents.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    let Some(endpoints) = context
        .world
        .get(target)
        .filter(|one| !one.is_terminating())
    else {
        return Outcome::nothing();
    };
    let mut slices: Vec<&Object> = context
        .world
        .owned(endpoints.uid(), Kind::ENDPOINT_SLICE)
        .filter(|slice| controller_uid(slice) == endpoints.uid())
        .collect();
    let wanted = if is_mirrored(context, endpoints) {
        contents(endpoints)
    } else {
        Vec::new()
    };
    let labels = Value::from(wanted_labels(endpoints));
    let mut writes = Vec::new();
    for content in wanted {
        let same = |slice: &&Object| {
            slice.value().get("addressType") == content.get("addressType")
                && Some(&Value::from(named_ports(slice))) == content.get("ports")
        };
        match slices.iter().position(same) {
            Some(position) => writes.extend(correct(slices.remove(position), &content, &labels)),
            None => writes.push(create(endpoints, content, labels.clone())),
        }
    }
    let surplus = slices.into_iter();
    writes.extend(surplus.map(|slice| delete(Kind::ENDPOINT_SLICE, slice, Deletion::Background)));
    Outcome::from(writes)
}

fn is_mirrored(context: &Context<'_>, endpoints: &Object) -> bool {
    let service = context
        .world
        .find(Kind::SERVICE, endpoints.namespace(), endpoints.name());
    let selects = |service: &Object| {
        let selector = service.value().at(&["spec", "selector"]);
        selector
            .and_then(Value::as_map)
            .is_some_and(|map| !map.is_empty())
    };
    endpoints.label(SKIP) != Some("true")
        && endpoints
            .annotation("control-plane.alpha.kubernetes.io/leader")
            .is_none()
        && service.is_some_and(|service| !selects(service))
}

fn wanted_labels(endpoints: &Object) -> Map {
    let mut wanted = labels(endpoints).cloned().unwrap_or_default();
    wanted.insert(MANAGED, MANAGER);
    wanted.insert(SERVICE, endpoints.name());
    wanted
}

/// What the slices hold: address type, endpoints and ports.
fn contents(endpoints: &Object) -> Vec<Map> {
    let mut contents = Vec::new();
    for subset in items(endpoints.value(), &["subsets"]) {
        let ports = with_names(items(subset, &["ports"]));
        for (kind, six) in [("IPv4", false), ("IPv6", true)] {
            let list: Vec<Value> = [("addresses", true), ("notReadyAddresses", false)]
                .into_iter()
                .flat_map(|(field, ready)| {
                    let addresses = items(subset, &[field]).iter();
                    addresses.map(move |address| (address, ready))
                })
                .filter(|(address, _)| {
                    let address = text(address, &["ip"]).parse::<IpAddr>();
                    address.is_ok_and(|address| address.is_ipv6() == six)
                })
                .take(MAX_ENDPOINTS)
                .map(|(address, ready)| endpoint(address, ready))
                .collect();
            if !list.is_empty() {
                contents.push(Map::from([
                    ("addressType", kind.into()),
                    ("endpoints", list.into()),
                    ("ports", ports.clone().into()),
                ]));
            }
        }
    }
    contents
}

fn endpoint(address: &Value, ready: bool) -> Value {
    let mut endpoint = Map::from([
        ("addresses", vec![text(address, &["ip"])].into()),
        ("conditions", map([("ready", ready.into())])),
    ]);
    for field in ["hostname", "nodeName", "targetRef"] {
        if let Some(value) = address.get(field) {
            endpoint.insert(field, value.clone());
        }
    }
    Value::Map(endpoint)
}

fn create(endpoints: &Object, mut content: Map, labels: Value) -> Write {
    let metadata = map([
        ("generateName", format!("{}-", endpoints.name()).into()),
        ("namespace", endpoints.namespace().into()),
        ("labels", labels),
        (
            "ownerReferences",
            vec![controller_reference(endpoints)].into(),
        ),
    ]);
    content.insert("apiVersion", "discovery.k8s.io/v1");
    content.insert("kind", "EndpointSlice");
    content.insert("metadata", metadata);
    Write::Create {
        kind: Kind::ENDPOINT_SLICE,
        object: Object::new(Value::Map(content)).expect("a slice has a kind"),
        note: None,
    }
}

fn correct(slice: &Object, content: &Map, labels: &Value) -> Option<Write> {
    let mut body = Map::new();
    if slice.value().get("endpoints") != content.get("endpoints") {
        body.insert(
            "endpoints",
            content.get("endpoints").cloned().unwrap_or_default(),
        );
    }
    let empty = Value::Map(Map::new());
    let known = slice.value().at(&["metadata", "labels"]).unwrap_or(&empty);
    let mut metadata = Map::new();
    if let Some(change) = difference(known, labels) {
        metadata.insert("labels", change);
    }
    if !(metadata.is_empty() && body.is_empty()) {
        // As recorded: the real controller's update does not know how the name was made.
        metadata.insert("generateName", Value::Null);
        body.insert("metadata", metadata);
    }
    (!body.is_empty()).then(|| patch(Kind::ENDPOINT_SLICE, slice, Value::Map(body)))
}
