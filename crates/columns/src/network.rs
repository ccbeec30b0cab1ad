//! Cells of the kinds that lead traffic to pods.

use yaml::Value;

use crate::of::{NONE, Of, UNSET, join};

/// At most three of a list, and how many more there are.
fn first_three(all: &[String]) -> String {
    match all {
        [] => NONE.to_owned(),
        [a, b, c, rest @ ..] if !rest.is_empty() => {
            format!("{a},{b},{c} + {} more...", rest.len())
        }
        few => few.join(","),
    }
}

pub(crate) fn endpoints(of: &Of<'_>) -> String {
    let mut all = Vec::new();
    for subset in of.list("subsets") {
        let subset = Of(subset);
        for port in subset.list("ports") {
            for address in subset.list("addresses") {
                all.push(format!(
                    "{}:{}",
                    Of(address).text("ip"),
                    Of(port).number("port")
                ));
            }
        }
    }
    first_three(&all)
}

pub(crate) fn slice(of: &Of<'_>, age: Value) -> Vec<Value> {
    let ports: Vec<String> = of
        .list("ports")
        .iter()
        .map(|port| Of(port).number("port").to_string())
        .collect();
    let ports = if ports.is_empty() {
        UNSET.to_owned()
    } else {
        first_three(&ports)
    };
    let addresses: Vec<String> = of
        .list("endpoints")
        .iter()
        .flat_map(|endpoint| Of(endpoint).list("addresses"))
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let addresses = if addresses.is_empty() {
        UNSET.to_owned()
    } else {
        first_three(&addresses)
    };
    vec![
        of.text("addressType").into(),
        ports.into(),
        addresses.into(),
        age,
    ]
}

pub(crate) fn ingress(of: &Of<'_>, age: Value) -> Vec<Value> {
    let hosts: Vec<String> = of
        .list("spec.rules")
        .iter()
        .map(|rule| Of(rule).text("host").to_owned())
        .filter(|host| !host.is_empty())
        .collect();
    let hosts = match hosts.as_slice() {
        [] => "*".to_owned(),
        some => first_three(some),
    };
    let addresses = of
        .list("status.loadBalancer.ingress")
        .iter()
        .map(|point| Of(point).or("ip", Of(point).text("hostname")));
    let ports = if of.list("spec.tls").is_empty() {
        "80"
    } else {
        "80, 443"
    };
    vec![
        of.or("spec.ingressClassName", NONE).into(),
        hosts.into(),
        join(addresses).into(),
        ports.into(),
        age,
    ]
}

pub(crate) fn ingress_class(of: &Of<'_>, age: Value) -> Vec<Value> {
    let parameters = match of.at("spec.parameters") {
        Some(parameters) => {
            let parameters = Of(parameters);
            let group = parameters.text("apiGroup");
            let dot = if group.is_empty() { "" } else { "." };
            format!(
                "{}{dot}{group}/{}",
                parameters.text("kind"),
                parameters.text("name")
            )
        }
        None => NONE.to_owned(),
    };
    vec![of.text("spec.controller").into(), parameters.into(), age]
}
