//! Services.

use yaml::Value;

use super::endpoints::usable;
use super::field::Field;
use super::metadata::labels;
use crate::{FieldError, names};

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
/// The ports that are given out on nodes.
const NODE_PORTS: std::ops::RangeInclusive<i64> = 30_000..=32_767;
/// The longest time for which a client stays with a pod.
const AFFINITY: i64 = 86_400;
const BALANCED: &str = "may only be used when `type` is 'LoadBalancer'";
const FIXED: &str = "may not change once set";
const RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";

pub(super) fn service(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    let (kind, ports) = (spec.get("type"), spec.get("ports"));
    if object.is_update() {
        fixed_addresses(&spec);
        balancer_class_update(&spec);
    }
    if ports.is_empty() && !is_headless(spec.value()) && kind.text() != "ExternalName" {
        ports.required("");
    }
    by_type(&spec, kind.text());
    let mut seen = Vec::new();
    for item in ports.items() {
        port(&item, ports.list().len() > 1, &mut seen);
    }
    labels(&spec.get("selector"));
    affinity(&spec);
    if kind.text() != "ExternalName" {
        addresses(&spec);
    }
    for ip in spec.get("externalIPs").items() {
        let problems = names::address_problems(ip.text());
        if problems.is_empty() {
            usable(&ip);
        }
        ip.invalid_each(problems);
    }
    kind.require_one_of(&TYPES);
    node_ports(&ports, kind.text());
    same_ports(&ports);
    source_ranges(object, &spec);
    balancing(&spec, kind.text());
    traffic(&spec, kind.text());
}

/// The status of a Service: only balancers have addresses there.
pub(super) fn status(object: &Field<'_, '_>) {
    let (spec, status) = (object.get("spec"), object.get("status"));
    let points = status.get("loadBalancer.ingress");
    if points.is_empty() {
        return;
    }
    if spec.get("type").text() != "LoadBalancer" {
        points.forbidden("may only be used when `spec.type` is 'LoadBalancer'");
        return;
    }
    super::network::ingress_status(object);
}

fn is_headless(spec: Option<&Value>) -> bool {
    let addresses = spec.and_then(|spec| spec.get("clusterIPs")?.as_list());
    matches!(addresses, Some([one]) if one.as_str() == Some("None"))
}

fn by_type(spec: &Field<'_, '_>, kind: &str) {
    let addresses = spec.get("clusterIPs");
    match kind {
        "LoadBalancer" | "NodePort" if is_headless(spec.value()) => {
            let why = format!("may not be set to 'None' for {kind} services");
            addresses.item(0).invalid(&why);
        }
        "ExternalName" => {
            for name in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                let member = spec.get(name);
                if !member.is_empty() {
                    member.forbidden("may not be set for ExternalName services");
                }
            }
            let name = spec.get("externalName");
            let host = name.text().strip_suffix('.').unwrap_or(name.text());
            if host.is_empty() {
                return name.required("");
            }
            for problem in names::subdomain_problems(host) {
                name.invalid_as(&host.into(), &problem);
            }
        }
        _ => {}
    }
}

fn port<'v>(port: &Field<'_, 'v>, needs_name: bool, seen: &mut Vec<&'v str>) {
    let name = port.get("name");
    if !name.is_empty() {
        name.problems(names::label_problems);
        name.unique(seen);
    } else if needs_name {
        name.required("");
    }
    port.get("port").port_number();
    port.get("protocol").require_one_of(&PROTOCOLS);
    port.get("targetPort").port();
    let protocol = port.get("appProtocol");
    if protocol.is_set() {
        protocol.problems(names::qualified_name_problems);
    }
}

fn affinity(spec: &Field<'_, '_>) {
    let (kind, config) = (
        spec.get("sessionAffinity"),
        spec.get("sessionAffinityConfig"),
    );
    kind.require_one_of(&["ClientIP", "None"]);
    match kind.text() {
        "ClientIP" => {
            let seconds = config.get("clientIP");
            let seconds = seconds.get("timeoutSeconds");
            let number = seconds.number();
            if number.is_none_or(|number| number <= 0 || number > AFFINITY) {
                seconds.invalid(&format!("must be greater than 0 and less than {AFFINITY}"));
            }
        }
        "None" if config.is_set() => {
            config.forbidden("must not be set when session affinity is None");
        }
        _ => {}
    }
}

/// Cluster addresses and the families that they are of.
fn addresses(spec: &Field<'_, '_>) {
    let (address, list) = (spec.get("clusterIP"), spec.get("clusterIPs"));
    let first = list.item(0);
    match (address.text(), list.is_empty()) {
        ("", false) => list.invalid("must be empty when `clusterIP` is not specified"),
        ("", true) => {}
        (_, true) => list.required(""),
        (address, false) if first.text() != address => {
            list.invalid("first value must match `clusterIP`");
        }
        _ => {}
    }
    let families = spec.get("ipFamilies");
    let mut seen = Vec::new();
    for family in families.items() {
        family.one_of(&["IPv4", "IPv6"]);
        family.unique(&mut seen);
    }
    spec.get("ipFamilyPolicy").optional_one_of(&[
        "PreferDualStack",
        "RequireDualStack",
        "SingleStack",
    ]);
    let mut invalid = false;
    for (index, address) in list.items().enumerate() {
        if index == 0 && address.text() == "None" {
            if list.list().len() > 1 {
                invalid = true;
                list.invalid("'None' must be the first and only value");
            }
            continue;
        }
        let problems = names::address_problems(address.text());
        invalid |= !problems.is_empty();
        address.invalid_each(problems);
    }
    if list.list().len() > 2 {
        list.invalid("may only hold up to 2 values");
    }
    if !invalid {
        of_families(&list, &families, is_headless(spec.value()));
    }
}

fn of_families(list: &Field<'_, '_>, families: &Field<'_, '_>, headless: bool) {
    let is_six = |address: &Field<'_, '_>| address.text().contains(':');
    let sixes = list.items().filter(is_six).count();
    let count = list.list().len();
    if count > 1 && (sixes == 0 || sixes == count) {
        list.invalid("may specify no more than one IP for each IP family");
    }
    if headless {
        return;
    }
    for (index, (address, family)) in list.items().zip(families.items()).enumerate() {
        let wanted = match (family.text(), is_six(&address)) {
            ("IPv4", true) => "IPv4",
            ("IPv6", false) => "IPv6",
            _ => continue,
        };
        address.invalid(&format!(
            "expected an {wanted} value as indicated by `ipFamilies[{index}]`"
        ));
    }
}

fn node_ports(ports: &Field<'_, '_>, kind: &str) {
    let mut seen: Vec<(&str, i64)> = Vec::new();
    for port in ports.items() {
        let node_port = port.get("nodePort");
        let number = node_port.number().unwrap_or(0);
        if number == 0 {
            continue;
        }
        if kind == "ClusterIP" {
            node_port.forbidden("may not be used when `type` is 'ClusterIP'");
        }
        let pair = (port.get("protocol").text(), number);
        if seen.contains(&pair) {
            node_port.duplicate();
        } else if kind != "ClusterIP" && !NODE_PORTS.contains(&number) {
            node_port.invalid(
                "provided port is not in the valid range. The range of valid ports is 30000-32767",
            );
        }
        seen.push(pair);
    }
}

/// No two ports have one number and protocol.
fn same_ports(ports: &Field<'_, '_>) {
    let mut seen: Vec<(&str, i64)> = Vec::new();
    for port in ports.items() {
        let pair = (
            port.get("protocol").text(),
            port.get("port").number().unwrap_or(0),
        );
        if seen.contains(&pair) {
            // Printed as the server's internal type, with the pair only.
            let shown = format!(
                "{{\"Name\":\"\",\"Protocol\":{},\"AppProtocol\":null,\"Port\":{},\
                 \"TargetPort\":0,\"NodePort\":0}}",
                crate::quoted(pair.0),
                pair.1
            );
            port.tell(|path| FieldError::duplicate_printed(path, &shown));
        }
        seen.push(pair);
    }
}

fn source_ranges(object: &Field<'_, '_>, spec: &Field<'_, '_>) {
    let (ranges, place) = (
        spec.get("loadBalancerSourceRanges"),
        spec.get("LoadBalancerSourceRanges"),
    );
    let ranges = ranges.told_at(&place);
    let balanced = spec.get("type").text() == "LoadBalancer";
    let check = |place: &Field<'_, '_>, range: &str| {
        for problem in names::range_problems(range.trim()) {
            place.invalid_as(&range.trim().into(), &problem);
        }
    };
    if !ranges.is_empty() {
        if !balanced {
            ranges.forbidden(BALANCED);
        }
        for range in ranges.items() {
            check(&range, range.text());
        }
        return;
    }
    let annotations = object.get("metadata.annotations");
    let annotation = annotations.key(RANGES);
    if annotation.is_set() {
        if !balanced {
            annotation.forbidden(BALANCED);
        }
        for range in annotation
            .text()
            .split(',')
            .filter(|_| !annotation.is_empty())
        {
            check(&annotation, range);
        }
    }
}

fn balancing(spec: &Field<'_, '_>, kind: &str) {
    let balanced = kind == "LoadBalancer";
    let allocates = spec.get("allocateLoadBalancerNodePorts");
    if allocates.is_set() && !balanced {
        allocates.forbidden(BALANCED);
    }
    let class = spec.get("loadBalancerClass");
    if class.is_set() {
        if balanced {
            class.problems(names::qualified_name_problems);
        } else {
            class.forbidden(BALANCED);
        }
    }
}

/// Who may reach which pods.
fn traffic(spec: &Field<'_, '_>, kind: &str) {
    let outside = spec.get("externalTrafficPolicy");
    let reachable = matches!(kind, "LoadBalancer" | "NodePort")
        || (kind == "ClusterIP" && !spec.get("externalIPs").is_empty());
    if reachable {
        outside.require_one_of(&["Cluster", "Local"]);
    } else if !outside.is_empty() {
        outside.invalid("may only be set for externally-accessible services");
    }
    let health = spec.get("healthCheckNodePort");
    let checked = kind == "LoadBalancer" && outside.text() == "Local";
    if !checked && health.number().unwrap_or(0) != 0 {
        health.invalid(
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
        );
    } else if checked && health.is_set() {
        health.port_number();
    }
    spec.get("internalTrafficPolicy")
        .optional_one_of(&["Cluster", "Local"]);
    spec.get("trafficDistribution").optional_one_of(&[
        "PreferClose",
        "PreferSameZone",
        "PreferSameNode",
    ]);
}

/// Addresses and their families stay; only a second one may come and go.
fn fixed_addresses(spec: &Field<'_, '_>) {
    let text = |spec: Option<&Value>, key: &str| -> String {
        let text = spec.and_then(|spec| spec.get(key)?.as_str());
        text.unwrap_or_default().to_owned()
    };
    let types = [text(spec.value(), "type"), text(spec.old(), "type")];
    let (now, before) = (is_headless(spec.value()), is_headless(spec.old()));
    if types.iter().any(|kind| kind == "ExternalName") {
        return;
    }
    if !(now && before) {
        fixed(&spec.get("clusterIPs"), spec, "clusterIP");
    }
    if now == before && !now {
        fixed(&spec.get("ipFamilies"), spec, "ipFamily");
    }
}

fn fixed(list: &Field<'_, '_>, spec: &Field<'_, '_>, what: &str) {
    let before = list.old().and_then(Value::as_list).unwrap_or_default();
    let now = list.list();
    let told = |index: usize, why: &str| {
        let shown = list.value().cloned().unwrap_or_default();
        list.item(index).invalid_as(&shown, why);
    };
    if now.len() == before.len() {
        for (index, _) in before
            .iter()
            .zip(now)
            .enumerate()
            .filter(|(_, (a, b))| a != b)
        {
            told(if what == "clusterIP" { index } else { 0 }, FIXED);
        }
        return;
    }
    if let (Some(old), Some(new)) = (before.first(), now.first())
        && old != new
    {
        told(0, FIXED);
    }
    if now.len() > before.len() {
        return;
    }
    if now.is_empty() {
        told(0, &format!("primary {what} can not be unset"));
    }
    let policy = spec.get("ipFamilyPolicy");
    if now.len() == 1 && policy.text() != "SingleStack" {
        policy.invalid(&format!(
            "must be set to 'SingleStack' when releasing the secondary {what}"
        ));
    }
}

fn balancer_class_update(spec: &Field<'_, '_>) {
    let class = spec.get("loadBalancerClass");
    let kind = spec.get("type");
    let was = kind.old().and_then(Value::as_str) == Some("LoadBalancer");
    if was && kind.text() == "LoadBalancer" && class.changed() {
        class.invalid(FIXED);
    }
    let health = spec.get("healthCheckNodePort");
    let local = |spec: Option<&Value>| {
        let text = |key: &str| {
            spec.and_then(|spec| spec.get(key)?.as_str())
                .map(str::to_owned)
        };
        text("type").as_deref() == Some("LoadBalancer")
            && text("externalTrafficPolicy").as_deref() == Some("Local")
    };
    if local(spec.value()) && local(spec.old()) && health.changed() {
        health.forbidden("field is immutable");
    }
}
