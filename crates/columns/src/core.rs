//! Cells of pods, nodes, services and what else is in the core group or tells of it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use yaml::{Map, Value};

use crate::age::time_since;
use crate::of::{NONE, Of, UNKNOWN, join, labels};

pub(crate) fn node(of: &Of<'_>, age: Value) -> Vec<Value> {
    let ready = of
        .list("status.conditions")
        .iter()
        .map(Of)
        .find(|condition| condition.text("type") == "Ready");
    let mut status = match ready.map(|condition| condition.text("status")) {
        Some("True") => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if of.at("spec.unschedulable").and_then(Value::as_bool) == Some(true) {
        status.push_str(",SchedulingDisabled");
    }
    let address = |kind: &str| {
        of.list("status.addresses")
            .iter()
            .map(Of)
            .find(|address| address.text("type") == kind)
            .map_or(NONE, |address| address.text("address"))
    };
    let labels = of.at("metadata.labels").and_then(Value::as_map);
    let roles: BTreeSet<&str> = labels
        .into_iter()
        .flat_map(Map::iter)
        .filter_map(|(key, value)| match key.as_str() {
            "kubernetes.io/role" => value.as_str(),
            key => key.strip_prefix("node-role.kubernetes.io/"),
        })
        .filter(|role| !role.is_empty())
        .collect();
    let roles = if roles.is_empty() {
        NONE.to_owned()
    } else {
        join(roles.into_iter())
    };
    vec![
        status.into(),
        roles.into(),
        age,
        of.text("status.nodeInfo.kubeletVersion").into(),
        address("InternalIP").into(),
        address("ExternalIP").into(),
        of.or("status.nodeInfo.osImage", UNKNOWN).into(),
        of.or("status.nodeInfo.kernelVersion", UNKNOWN).into(),
        of.or("status.nodeInfo.containerRuntimeVersion", UNKNOWN)
            .into(),
    ]
}

pub(crate) fn service(of: &Of<'_>, age: Value) -> Vec<Value> {
    let kind = of.text("spec.type");
    let external: Vec<&str> = of
        .list("spec.externalIPs")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let outside = match kind {
        "ExternalName" => of.text("spec.externalName").to_owned(),
        "LoadBalancer" => {
            let mut all: Vec<&str> = of
                .list("status.loadBalancer.ingress")
                .iter()
                .map(|point| Of(point).or("ip", Of(point).text("hostname")))
                .collect();
            all.extend(&external);
            if all.is_empty() {
                "<pending>".to_owned()
            } else {
                all.join(",")
            }
        }
        _ if external.is_empty() => NONE.to_owned(),
        _ => external.join(","),
    };
    let ports: Vec<String> = of
        .list("spec.ports")
        .iter()
        .map(Of)
        .map(|port| {
            let node = port.number("nodePort");
            let (number, protocol) = (port.number("port"), port.text("protocol"));
            if node > 0 {
                format!("{number}:{node}/{protocol}")
            } else {
                format!("{number}/{protocol}")
            }
        })
        .collect();
    let ports = if ports.is_empty() {
        NONE.to_owned()
    } else {
        ports.join(",")
    };
    vec![
        kind.into(),
        of.or("spec.clusterIP", NONE).into(),
        outside.into(),
        ports.into(),
        age,
        labels(of.at("spec.selector")).into(),
    ]
}

pub(crate) fn event(of: &Of<'_>, now: Timestamp) -> Vec<Value> {
    let about = if of.at("involvedObject").is_some() {
        "involvedObject"
    } else {
        "regarding"
    };
    let field = |key: &str| of.text(&format!("{about}.{key}"));
    let object = match field("name") {
        "" => field("kind").to_lowercase(),
        name => format!("{}/{name}", field("kind").to_lowercase()),
    };
    let first_of = |keys: &[&str]| {
        keys.iter()
            .map(|key| of.text(key))
            .find(|text| !text.is_empty())
            .unwrap_or_default()
    };
    let first = first_of(&["firstTimestamp", "deprecatedFirstTimestamp", "eventTime"]);
    let last = first_of(&[
        "series.lastObservedTime",
        "lastTimestamp",
        "deprecatedLastTimestamp",
        "eventTime",
    ]);
    let count = ["series.count", "count", "deprecatedCount"]
        .iter()
        .map(|key| of.number(key))
        .find(|count| *count > 0)
        .unwrap_or(1);
    let component = first_of(&[
        "source.component",
        "deprecatedSource.component",
        "reportingComponent",
        "reportingController",
    ]);
    let host = first_of(&["source.host", "deprecatedSource.host", "reportingInstance"]);
    let source = if host.is_empty() {
        component.to_owned()
    } else {
        format!("{component}, {host}")
    };
    vec![
        time_since(last, now).into(),
        of.text("type").into(),
        of.text("reason").into(),
        object.into(),
        field("fieldPath").into(),
        source.into(),
        of.or("message", of.text("note")).trim().into(),
        time_since(first, now).into(),
        count.into(),
        of.text("metadata.name").into(),
    ]
}

pub(crate) fn quota(of: &Of<'_>, age: Value) -> Vec<Value> {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    let hard = of.at("status.hard").and_then(Value::as_map);
    for (name, quantity) in hard.into_iter().flat_map(Map::iter) {
        let used = of
            .at("status.used")
            .and_then(|used| used.get(name))
            .and_then(Value::as_str);
        let text = format!(
            "{name}: {}/{}",
            used.unwrap_or("0"),
            quantity.as_str().unwrap_or_default()
        );
        if name.starts_with("limits") {
            limits.push(text);
        } else {
            requests.push(text);
        }
    }
    vec![requests.join(", ").into(), limits.join(", ").into(), age]
}
