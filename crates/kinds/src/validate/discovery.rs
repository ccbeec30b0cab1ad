//! Slices of endpoints.

use super::field::Field;
use super::{endpoints, metadata};
use crate::{ip, names};

const MAX_ENDPOINTS: usize = 1000;
const MAX_ADDRESSES: usize = 100;
const MAX_PORTS: usize = 20_000;
const MAX_HINTS: usize = 8;
const MAX_LABELS: usize = 16;

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

/// The rules of an `EndpointSlice`.
pub(super) fn slice(object: &Field<'_, '_>) {
    let kind = object.get("addressType");
    kind.require_one_of(&["FQDN", "IPv4", "IPv6"]);
    slice_ports(&object.get("ports"));
    let endpoints = object.get("endpoints");
    if !object.is_update() || endpoints.changed() {
        slice_endpoints(&endpoints, kind.text());
    }
    kind.immutable();
}

fn slice_ports(ports: &Field<'_, '_>) {
    if ports.list().len() > MAX_PORTS {
        ports.too_many(MAX_PORTS);
        return;
    }
    let mut seen = Vec::new();
    for port in ports.items() {
        let name = port.get("name");
        if !name.is_empty() {
            name.problems(names::label_problems);
        }
        if seen.contains(&name.text()) {
            name.duplicate_of(&name.text().into());
        }
        seen.push(name.text());
        let protocol = port.get("protocol");
        if protocol.is_set() {
            protocol.one_of(&PROTOCOLS);
        } else {
            protocol.required("");
        }
        let protocol = port.get("appProtocol");
        if protocol.is_set() {
            protocol.problems(names::qualified_name_problems);
        }
    }
}

fn slice_endpoints(endpoints: &Field<'_, '_>, kind: &str) {
    if endpoints.list().len() > MAX_ENDPOINTS {
        endpoints.too_many(MAX_ENDPOINTS);
        return;
    }
    for endpoint in endpoints.items() {
        let addresses = endpoint.get("addresses");
        if addresses.is_empty() {
            addresses.required("must contain at least 1 address");
        } else if addresses.list().len() > MAX_ADDRESSES {
            addresses.too_many(MAX_ADDRESSES);
        }
        for address in addresses.items() {
            slice_address(&addresses, &address, kind);
        }
        let node = endpoint.get("nodeName");
        if node.is_set() {
            node.problems(names::subdomain_problems);
        }
        let topology = endpoint.get("deprecatedTopology");
        if topology.map().is_some_and(|map| map.len() > MAX_LABELS) {
            topology.too_many(MAX_LABELS);
        }
        metadata::labels(&topology);
        let host = endpoint.get("hostname");
        if host.is_set() {
            host.problems(names::label_problems);
        }
        hints(&endpoint.get("hints"));
    }
}

fn slice_address(addresses: &Field<'_, '_>, address: &Field<'_, '_>, kind: &str) {
    let is_v4 = || ip::parse(address.text()).is_some_and(|address| address.is_ipv4());
    let wrong_family = |why: &str| addresses.invalid_as(&address.text().into(), why);
    match kind {
        "IPv4" if address.holds(|address| address.problems(ip::lenient_problems)) => {
            if !is_v4() {
                wrong_family("must be an IPv4 address");
            }
            endpoints::usable(address);
        }
        "IPv6" if address.holds(|address| address.problems(ip::problems)) => {
            if is_v4() {
                wrong_family("must be an IPv6 address");
            }
            endpoints::usable(address);
        }
        "FQDN" => domain_name(address),
        _ => {}
    }
}

fn domain_name(field: &Field<'_, '_>) {
    if !field.require() {
        return;
    }
    let name = field.text();
    let name = name.strip_suffix('.').unwrap_or(name);
    let tell = |shown: &str, problems: &[String]| {
        field.invalid_as(&shown.into(), &problems.join(","));
    };
    let problems = names::subdomain_problems(name);
    if !problems.is_empty() {
        tell(name, &problems);
    } else if !name.contains('.') {
        let why = "should be a domain with at least two segments separated by dots";
        field.invalid_as(&name.into(), why);
    } else {
        let wrong = name
            .split('.')
            .map(|label| (label, names::label_problems(label)))
            .find(|(_, problems)| !problems.is_empty());
        if let Some((label, problems)) = wrong {
            tell(label, &problems);
        }
    }
}

fn hints(hints: &Field<'_, '_>) {
    let zone = |text: &str| names::label_value_problem(text).into_iter().collect();
    if !hint_names(&hints.get("forZones"), zone) {
        return;
    }
    hint_names(&hints.get("forNodes"), names::subdomain_problems);
}

/// Gives whether the list is not too long.
fn hint_names(list: &Field<'_, '_>, rule: impl Fn(&str) -> Vec<String>) -> bool {
    if list.list().len() > MAX_HINTS {
        list.too_many(MAX_HINTS);
        return false;
    }
    let mut seen = Vec::new();
    for entry in list.items() {
        let name = entry.get("name");
        if seen.contains(&name.text()) {
            name.duplicate_of(&name.text().into());
        }
        seen.push(name.text());
        name.problems(&rule);
    }
    true
}
