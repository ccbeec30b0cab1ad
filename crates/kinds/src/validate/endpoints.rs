//! Endpoints, and the rules of addresses that they share with Services.

use std::net::IpAddr;

use super::field::Field;
use crate::names;

pub(super) fn endpoints(object: &Field<'_, '_>) {
    let subsets = object.get("subsets");
    if object.is_update() && !subsets.changed() {
        return;
    }
    for subset in subsets.items() {
        let (ready, others) = (subset.get("addresses"), subset.get("notReadyAddresses"));
        if ready.is_empty() && others.is_empty() {
            subset.required("must specify `addresses` or `notReadyAddresses`");
        }
        for address in ready.items().chain(others.items()) {
            let ip = address.get("ip");
            for problem in names::address_problems(ip.text()) {
                ip.invalid_as(&ip.text().into(), &problem);
            }
            address.get("hostname").optional_name(names::label_problems);
            let node = address.get("nodeName");
            if node.is_set() {
                node.problems(names::subdomain_problems);
            }
            usable(&ip);
        }
        let ports = subset.get("ports");
        for port in ports.items() {
            let name = port.get("name");
            if name.is_empty() && ports.list().len() > 1 {
                name.required("");
            }
            name.optional_name(names::label_problems);
            port.get("port").port_number();
            port.get("protocol").require_one_of(&["SCTP", "TCP", "UDP"]);
            let protocol = port.get("appProtocol");
            if protocol.is_set() {
                protocol.problems(names::qualified_name_problems);
            }
        }
    }
}

/// An address that traffic can be sent to.
pub(super) fn usable(ip: &Field<'_, '_>) {
    let text = ip.text();
    let why = match names::address(text) {
        None => "must be a valid IP address".to_owned(),
        Some(address) if address.is_unspecified() => format!("may not be unspecified ({text})"),
        Some(address) if address.is_loopback() => {
            "may not be in the loopback range (127.0.0.0/8, ::1/128)".to_owned()
        }
        Some(address) if is_link_local(address) => {
            "may not be in the link-local range (169.254.0.0/16, fe80::/10)".to_owned()
        }
        Some(address) if is_link_local_group(address) => {
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)".to_owned()
        }
        Some(_) => return,
    };
    ip.invalid_as(&text.into(), &why);
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

fn is_link_local_group(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => matches!(address.octets(), [224, 0, 0, _]),
        IpAddr::V6(address) => address.segments()[0] & 0xff0f == 0xff02,
    }
}
