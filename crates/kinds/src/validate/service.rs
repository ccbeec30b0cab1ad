//! Services.

use yaml::Value;

use super::field::Field;
use super::metadata::labels;
use crate::names;

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
/// The ports that are given out on nodes.
const NODE_PORTS: std::ops::RangeInclusive<i64> = 30_000..=32_767;

pub(super) fn service(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    let (kind, ports) = (spec.get("type"), spec.get("ports"));
    let headless = spec.get("clusterIP").text() == "None";
    if ports.is_empty() && !headless && kind.text() != "ExternalName" {
        ports.required("");
    }
    if kind.text() == "ExternalName" {
        external_name(&spec.get("externalName"));
    }
    for item in ports.items() {
        port(&item, ports.list().len() > 1);
    }
    labels(&spec.get("selector"));
    kind.one_of(&TYPES);
    duplicates(&ports);
    node_ports(&ports, kind.text());
}

fn external_name(field: &Field<'_, '_>) {
    if field.require() {
        let name = field.text().trim_end_matches('.');
        for problem in names::subdomain_problems(name) {
            field.invalid_as(&name.into(), &problem);
        }
    }
}

fn port(port: &Field<'_, '_>, needs_name: bool) {
    let name = port.get("name");
    if !name.is_empty() {
        name.problems(names::label_problems);
    } else if needs_name {
        name.required("");
    }
    port.get("port").port_number();
    port.get("protocol").require_one_of(&PROTOCOLS);
    let target = port.get("targetPort");
    match target.value() {
        Some(Value::Int(_)) => target.port_number(),
        Some(Value::String(text))
            if !text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') =>
        {
            target
                .invalid("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
        }
        _ => {}
    }
}

fn duplicates(ports: &Field<'_, '_>) {
    let mut seen = Vec::new();
    for port in ports.items() {
        let name = port.get("name");
        if name.is_empty() {
            continue;
        }
        if seen.contains(&name.text()) {
            name.duplicate();
        }
        seen.push(name.text());
    }
}

fn node_ports(ports: &Field<'_, '_>, kind: &str) {
    for port in ports.items() {
        let node_port = port.get("nodePort");
        let number = node_port.number().unwrap_or(0);
        if number == 0 {
            continue;
        }
        if kind == "ClusterIP" {
            node_port.forbidden("may not be used when `type` is 'ClusterIP'");
        } else if !NODE_PORTS.contains(&number) {
            node_port.invalid(
                "provided port is not in the valid range. The range of valid ports is 30000-32767",
            );
        }
    }
}
