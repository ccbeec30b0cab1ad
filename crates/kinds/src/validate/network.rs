//! Ingresses and their classes, network policies, and the addresses of services.

use yaml::Value;

use super::field::{Field, satisfies};
use super::selector;
use crate::ip::{self, Block};
use crate::names;

const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

/// The rules of a `NetworkPolicy`.
pub(super) fn policy(object: &Field<'_, '_>) {
    policy_spec(object);
    if object.is_update() {
        // The rules of updates look at all of it as well.
        policy_spec(object);
    }
}

fn policy_spec(object: &Field<'_, '_>) {
    let known = object.old().map(blocks).unwrap_or_default();
    let spec = object.get("spec");
    selector::check(&spec.get("podSelector"));
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for rule in spec.get(direction).items() {
            for port in rule.get("ports").items() {
                policy_port(&port);
            }
            for peer in rule.get(peers).items() {
                policy_peer(&peer, &known);
            }
        }
    }
    let types = spec.get("policyTypes");
    if types.list().len() > 2 {
        types.invalid("may not specify more than two policyTypes");
        return;
    }
    for kind in types.items() {
        kind.one_of(&["Ingress", "Egress"]);
    }
}

/// All blocks that a policy names: what was stored once stays allowed.
fn blocks(policy: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for rule in items(policy.at(&["spec", direction])) {
            for peer in items(rule.get(peers)) {
                found.extend(peer.at(&["ipBlock", "cidr"]).and_then(Value::as_str));
                let except = items(peer.at(&["ipBlock", "except"]));
                found.extend(except.iter().filter_map(Value::as_str));
            }
        }
    }
    found
}

fn items(list: Option<&Value>) -> &[Value] {
    list.and_then(Value::as_list).unwrap_or_default()
}

fn policy_port(entry: &Field<'_, '_>) {
    entry.get("protocol").optional_one_of(&PROTOCOLS);
    let (port, end) = (entry.get("port"), entry.get("endPort"));
    match (port.value(), end.number()) {
        (Some(Value::Int(number)), last) => {
            port.port_number();
            if let Some(last) = last {
                if last < *number {
                    end.invalid_as(&(*number).into(), "must be greater than or equal to `port`");
                }
                end.port_number();
            }
        }
        (Some(_), last) => {
            if last.is_some() {
                end.invalid("may not be specified when `port` is non-numeric");
            }
            port.problems(names::port_name_problems);
        }
        (None, Some(_)) => end.invalid("may not be specified when `port` is not specified"),
        (None, None) => {}
    }
}

fn policy_peer(peer: &Field<'_, '_>, known: &[&str]) {
    let (pods, namespaces) = (peer.get("podSelector"), peer.get("namespaceSelector"));
    let block = peer.get("ipBlock");
    selector::check(&pods);
    selector::check(&namespaces);
    if block.is_set() {
        ip_block(&block, known);
    }
    let selects = pods.is_set() || namespaces.is_set();
    if !selects && !block.is_set() {
        peer.required("must specify a peer");
    } else if selects && block.is_set() {
        peer.forbidden("may not specify both ipBlock and another peer");
    }
}

fn ip_block(block: &Field<'_, '_>, known: &[&str]) {
    let cidr = block.get("cidr");
    if !cidr.require() {
        return;
    }
    let check = |cidr: &Field<'_, '_>| {
        if !known.contains(&cidr.text()) {
            cidr.problems(ip::lenient_block_problems);
        }
        Block::parse(cidr.text())
    };
    let Some(outer) = check(&cidr) else {
        return;
    };
    for except in block.get("except").items() {
        let inside = |inner: Block| outer.contains(inner.first()) && outer.bits < inner.bits;
        if check(&except).is_some_and(|inner| !inside(inner)) {
            except.invalid("must be a strict subset of `cidr`");
        }
    }
}

const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// The rules of an `Ingress`.
pub(super) fn ingress(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    let (rules, backend) = (spec.get("rules"), spec.get("defaultBackend"));
    if rules.is_empty() && !backend.is_set() {
        spec.invalid_as(
            &Value::Null,
            "either `defaultBackend` or `rules` must be specified",
        );
    }
    if backend.is_set() {
        ingress_backend(&backend);
    }
    for rule in rules.items() {
        ingress_rule(&rule, has_odd_wildcard(object.old()));
    }
    for tls in spec.get("tls").items() {
        ingress_tls(&tls, object.old());
    }
    let class = spec.get("ingressClassName");
    if class.is_set() {
        class.problems(names::subdomain_problems);
    }
    let annotations = object.get("metadata.annotations");
    let annotation = annotations.member(CLASS_ANNOTATION).value();
    if !object.is_update() && annotation.is_some() && class.is_set() && annotation != class.value()
    {
        let annotations = annotations.under("annotations");
        annotations
            .member(CLASS_ANNOTATION)
            .invalid("must match `ingressClassName` when both are specified");
    }
}

/// Whether a stored ingress has a wrong rule for a wildcard host: such rules are not checked then.
fn has_odd_wildcard(old: Option<&Value>) -> bool {
    let rules = items(old.and_then(|old| old.at(&["spec", "rules"])));
    rules.iter().any(|rule| {
        let host = rule.get("host").and_then(Value::as_str).unwrap_or_default();
        host.contains('*') && !satisfies(rule, rule_value)
    })
}

fn ingress_rule(rule: &Field<'_, '_>, odd_wildcards: bool) {
    let host = rule.get("host");
    let is_wildcard = host.text().contains('*');
    if !host.is_empty() {
        if ip::parse(host.text()).is_some() {
            host.invalid("must be a DNS name, not an IP address");
        }
        host_name(&host);
    }
    if !is_wildcard || !odd_wildcards {
        rule_value(rule);
    }
}

fn host_name(host: &Field<'_, '_>) {
    if host.text().contains('*') {
        host.problems(names::wildcard_subdomain_problems);
    } else {
        host.problems(names::subdomain_problems);
    }
}

fn rule_value(rule: &Field<'_, '_>) {
    let http = rule.get("http");
    if !http.is_set() {
        return;
    }
    let paths = http.get("paths");
    paths.require();
    for path in paths.items() {
        ingress_path(&path);
    }
}

fn ingress_path(entry: &Field<'_, '_>) {
    let (path, kind) = (entry.get("path"), entry.get("pathType"));
    if !kind.is_set() {
        kind.required("pathType must be specified");
        return;
    }
    let text = path.text();
    let relative = || path.invalid_as(&text.into(), "must be an absolute path");
    match kind.text() {
        "Exact" | "Prefix" => {
            if !text.starts_with('/') {
                relative();
            }
            for part in ["//", "/./", "/../", "%2f", "%2F"] {
                if text.contains(part) {
                    path.invalid(&format!("must not contain '{part}'"));
                }
            }
            for end in ["/..", "/."] {
                if text.ends_with(end) {
                    path.invalid(&format!("cannot end with '{end}'"));
                }
            }
        }
        "ImplementationSpecific" if !text.is_empty() && !text.starts_with('/') => relative(),
        "ImplementationSpecific" => {}
        _ => kind.not_supported(&["Exact", "ImplementationSpecific", "Prefix"]),
    }
    ingress_backend(&entry.get("backend"));
}

fn ingress_backend(backend: &Field<'_, '_>) {
    let wrong = |why: &str| backend.invalid_as(&"".into(), why);
    let (resource, service) = (backend.get("resource"), backend.get("service"));
    match (resource.is_set(), service.is_set()) {
        (true, true) => wrong("cannot set both resource and service backends"),
        (true, false) => typed_reference(&resource),
        (false, false) => wrong("resource or service backend is required"),
        (false, true) => {
            let name = service.get("name");
            if name.require() {
                name.problems(names::label_1035_problems);
            }
            let (port, number) = (service.get("port.name"), service.get("port.number"));
            match (!port.is_empty(), number.number().unwrap_or(0) != 0) {
                (true, true) => wrong("cannot set both port name & port number"),
                (true, false) => port.problems(names::port_name_problems),
                (false, true) => number.port_number(),
                (false, false) => backend.required("port name or number is required"),
            }
        }
    }
}

fn ingress_tls(tls: &Field<'_, '_>, old: Option<&Value>) {
    for host in tls.get("hosts").items() {
        host_name(&host);
    }
    let wrong_before = items(old.and_then(|old| old.at(&["spec", "tls"])))
        .iter()
        .filter_map(|tls| tls.get("secretName").and_then(Value::as_str))
        .any(|name| !name.is_empty() && !names::subdomain_problems(name).is_empty());
    let secret = tls.get("secretName");
    if !secret.is_empty() && !wrong_before {
        secret.problems(names::subdomain_problems);
    }
}

/// The status of an `Ingress`.
pub(super) fn ingress_status(object: &Field<'_, '_>) {
    let points = object.get("status.loadBalancer.ingress");
    let known: Vec<&Value> = items(points.old())
        .iter()
        .filter_map(|point| point.get("ip"))
        .collect();
    for point in points.items() {
        let (address, host) = (point.get("ip"), point.get("hostname"));
        if !address.is_empty() && !address.value().is_some_and(|ip| known.contains(&ip)) {
            address.problems(ip::lenient_problems);
        }
        if !host.is_empty() {
            host.problems(names::subdomain_problems);
            if ip::parse(host.text()).is_some() {
                host.invalid("must be a DNS name, not an IP address");
            }
        }
    }
}

/// The rules of an `IngressClass`.
pub(super) fn ingress_class(object: &Field<'_, '_>) {
    let controller = object.get("spec.controller");
    controller.immutable_text();
    controller.at_most(250);
    domain_prefixed_path(&controller);
    let parameters = object.get("spec.parameters");
    if !parameters.is_set() {
        return;
    }
    typed_reference(&parameters);
    let (scope, namespace) = (parameters.get("scope"), parameters.get("namespace"));
    if !scope.is_set() {
        scope.required("");
        return;
    }
    match scope.text() {
        "Namespace" if !namespace.is_set() => {
            namespace.required("`parameters.scope` is set to 'Namespace'");
        }
        "Namespace" => namespace.problems(names::label_problems),
        "Cluster" if namespace.is_set() => {
            namespace.forbidden("`parameters.scope` is set to 'Cluster'");
        }
        "Cluster" => {}
        _ => scope.not_supported(&["Cluster", "Namespace"]),
    }
}

/// `example.com/some/path`.
fn domain_prefixed_path(path: &Field<'_, '_>) {
    if !path.require() {
        return;
    }
    let (host, rest) = path.text().split_once('/').unwrap_or_default();
    if host.is_empty() || rest.is_empty() {
        path.invalid("must be a domain-prefixed path (such as \"acme.io/foo\")");
        return;
    }
    for problem in names::subdomain_problems(host) {
        path.invalid_as(&host.into(), &problem);
    }
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&byte);
    if !rest.bytes().all(known) {
        path.invalid_as(
            &rest.into(),
            "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')",
        );
    }
}

/// A reference to an object of any kind.
fn typed_reference(reference: &Field<'_, '_>) {
    let group = reference.get("apiGroup");
    if group.is_set() {
        group.problems(names::subdomain_problems);
    }
    for name in ["kind", "name"] {
        let part = reference.get(name);
        if part.require() {
            part.problems(names::path_segment_problems);
        }
    }
}

/// The rules of an `IPAddress`.
pub(super) fn ip_address(object: &Field<'_, '_>) {
    let parent = object.get("spec.parentRef");
    if object.is_update() {
        parent.immutable();
        return;
    }
    if !parent.is_set() {
        parent.required("");
        return;
    }
    let group = parent.get("group");
    if !group.is_empty() {
        group.problems(names::subdomain_problems);
    }
    for name in ["resource", "name"] {
        let part = parent.get(name);
        if part.require() {
            part.problems(names::path_segment_problems);
        }
    }
    let namespace = parent.get("namespace");
    if !namespace.is_empty() {
        namespace.problems(names::path_segment_problems);
    }
}

const CHANGED: &str = "field is immutable";

/// The rules of a `ServiceCIDR`: a second block may be added, nothing else may change.
pub(super) fn service_cidr(object: &Field<'_, '_>) {
    let blocks = object.get("spec.cidrs");
    let new = blocks.list();
    if !object.is_update() {
        service_blocks(&blocks);
        return;
    }
    let old = items(blocks.old());
    if old.len() == new.len() {
        for block in blocks.items().filter(Field::changed) {
            block.invalid(CHANGED);
        }
    } else if old.len() == 1 && new.len() == 2 {
        if new.first() != old.first() {
            blocks.item(0).invalid(CHANGED);
        }
        service_blocks(&blocks);
    } else {
        blocks.invalid(CHANGED);
    }
}

fn service_blocks(blocks: &Field<'_, '_>) {
    if blocks.is_empty() {
        blocks.required("at least one CIDR required");
        return;
    }
    if blocks.list().len() > 2 {
        let shown = yaml::Map::from([("CIDRs", blocks.value().cloned().unwrap_or_default())]);
        blocks.invalid_as(&shown.into(), "may only hold up to 2 values");
        return;
    }
    for block in blocks.items() {
        block.problems(ip::block_problems);
    }
    let family = |block: &Value| {
        let block = block.as_str().and_then(Block::parse);
        block.map(|block| block.first().is_ipv4())
    };
    if let [first, second] = blocks.list()
        && let (Some(first), Some(second)) = (family(first), family(second))
        && first == second
    {
        blocks.invalid(
            "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and \
             2001:db8::/64",
        );
    }
}
