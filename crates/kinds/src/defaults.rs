//! Defaults that depend on more than one member: of structs, then of whole objects.

use std::collections::HashMap;
use std::sync::OnceLock;

use manifest::quantity::Quantity;
use yaml::{Map, Value, json};

use crate::{Kind, image};

/// The plain defaults: struct name to members and values.
type Table = HashMap<&'static str, Vec<(&'static str, Value)>>;

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = Table::new();
        for line in include_str!("../data/defaults.txt").lines() {
            let mut parts = line.splitn(3, ' ');
            let (Some(owner), Some(member), Some(json)) =
                (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            if owner != "#" {
                let value = json::parse(json.as_bytes()).expect("the table holds JSON");
                table.entry(owner).or_default().push((member, value));
            }
        }
        table
    })
}

/// Members that feature gates switch off, or that came to their end: nobody's object keeps them.
const GATED: [(&str, &str); 4] = [
    ("Endpoint", "deprecatedTopology"),
    ("LeaseSpec", "preferredHolder"),
    ("LeaseSpec", "strategy"),
    ("PodSpec", "workloadRef"),
];

/// Fills in what a struct leaves out, and takes off what is switched off.
pub(crate) fn fill(owner: &str, members: &mut Map) {
    for (_, member) in GATED.iter().filter(|(known, _)| *known == owner) {
        members.remove(member);
    }
    for (member, value) in table().get(owner).into_iter().flatten() {
        if !members.contains_key(member) {
            members.insert(*member, value.clone());
        }
    }
    match owner {
        "Container" | "EphemeralContainer" => container(members),
        "Volume" => volume(members),
        "PodSpec" => account(members),
        "PodStatus" => first_of(members, "podIP", "podIPs", "ip"),
        "NodeSpec" => first_of(members, "podCIDR", "podCIDRs", ""),
        "ImageVolumeSource" => pull_policy(members, "reference", "pullPolicy"),
        "LoadBalancerIngress" => balancer_address(members),
        "NodeStatus" => node_status(members),
        "ServicePort" => service_port(members),
        "Subject" => subject(members),
        "LimitRangeItem" => limits(members),
        "NetworkPolicySpec" => policy_types(members),
        "ExactDeviceRequest" | "DeviceSubRequest" => device_count(members),
        "StatefulSetSpec" => {
            let claims = members.get_mut("volumeClaimTemplates");
            for claim in claims.and_then(Value::as_list_mut).into_iter().flatten() {
                let claim = claim.map_at_mut(&[]);
                claim.insert("apiVersion", "v1");
                claim.insert("kind", "PersistentVolumeClaim");
            }
            partition(members);
        }
        "DaemonSetSpec" => rolling(
            members,
            "updateStrategy",
            &[("maxSurge", 0.into()), ("maxUnavailable", 1.into())],
        ),
        "DeploymentSpec" => rolling(
            members,
            "strategy",
            &[("maxSurge", "25%".into()), ("maxUnavailable", "25%".into())],
        ),
        _ => {}
    }
}

fn text<'a>(map: &'a Map, key: &str) -> &'a str {
    map.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn container(members: &mut Map) {
    pull_policy(members, "image", "imagePullPolicy");
    // Switched off as well, and with it what holds nothing else.
    if let Some(Value::Map(lifecycle)) = members.get_mut("lifecycle")
        && lifecycle.remove("stopSignal").is_some()
        && lifecycle.is_empty()
    {
        members.remove("lifecycle");
    }
}

/// Images without a tag, or with `latest`, are pulled always.
fn pull_policy(members: &mut Map, image: &str, policy: &str) {
    if members.contains_key(policy) {
        return;
    }
    let always = image::is_latest(text(members, image));
    members.insert(policy, if always { "Always" } else { "IfNotPresent" });
}

/// The account has two names.
fn account(members: &mut Map) {
    let name = match text(members, "serviceAccountName") {
        "" => text(members, "serviceAccount"),
        name => name,
    };
    if !name.is_empty() {
        let name = name.to_owned();
        members.insert("serviceAccountName", name.as_str());
        members.insert("serviceAccount", name);
    }
}

/// A member that is the first of a list, whose items may keep it under a name: the member wins.
fn first_of(members: &mut Map, one: &str, all: &str, key: &str) {
    let first = members
        .get(all)
        .and_then(Value::as_list)
        .and_then(<[Value]>::first);
    let first = match key {
        "" => first,
        key => first.and_then(|item| item.get(key)),
    };
    let first = first.and_then(Value::as_str).unwrap_or_default().to_owned();
    let own = text(members, one).to_owned();
    if own.is_empty() {
        if !first.is_empty() {
            members.insert(one, first);
        }
    } else if own != first {
        let item: Value = match key {
            "" => own.into(),
            key => Map::from([(key, own.into())]).into(),
        };
        members.insert(all, vec![item]);
    }
}

/// A volume without a source is an empty one.
fn volume(members: &mut Map) {
    if members.keys().all(|key| key == "name") {
        members.insert("emptyDir", Map::new());
    }
}

fn balancer_address(members: &mut Map) {
    if !text(members, "ip").is_empty() {
        members.entry_or_insert("ipMode", "VIP".into());
    }
}

fn node_status(members: &mut Map) {
    if let Some(capacity) = members.get("capacity").cloned() {
        members.entry_or_insert("allocatable", capacity);
    }
}

fn service_port(members: &mut Map) {
    let unset = match members.get("targetPort") {
        None | Some(Value::Int(0)) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    };
    if unset {
        let port = members.get("port").cloned().unwrap_or(Value::Int(0));
        members.insert("targetPort", port);
    }
}

fn subject(members: &mut Map) {
    let group = match text(members, "kind") {
        "User" | "Group" => "rbac.authorization.k8s.io",
        _ => return,
    };
    members.entry_or_insert("apiGroup", group.into());
}

/// What is limited is also requested.
fn requests(resources: &mut Map) {
    let Some(Value::Map(limits)) = resources.get("limits").cloned() else {
        return;
    };
    let requests = resources
        .entry_or_insert("requests", Map::new().into())
        .map_at_mut(&[]);
    for (name, quantity) in limits {
        requests.entry_or_insert(&name, quantity);
    }
}

/// What only pods get, not their templates: requests, and ports of the host.
fn pod(spec: &mut Map) {
    spec.entry_or_insert("enableServiceLinks", true.into());
    let host = spec.get("hostNetwork").and_then(Value::as_bool) == Some(true);
    for key in ["containers", "initContainers"] {
        let containers = spec.get_mut(key).and_then(Value::as_list_mut);
        for container in containers.into_iter().flatten() {
            if let Some(resources) = container.get_mut("resources").and_then(Value::as_map_mut) {
                requests(resources);
            }
            let ports = container.get_mut("ports").and_then(Value::as_list_mut);
            for port in ports.into_iter().flatten().filter(|_| host) {
                if let Some(number) = port.get("containerPort").cloned() {
                    port.map_at_mut(&[]).entry_or_insert("hostPort", number);
                }
            }
        }
    }
    pod_requests(spec);
}

/// A pod that has limits of its own asks for what its containers ask for, else for its limits.
fn pod_requests(spec: &mut Map) {
    let Some(Value::Map(limits)) = spec.get("resources").and_then(|all| all.get("limits")) else {
        return;
    };
    let known = |name: &str| matches!(name, "cpu" | "memory") || name.starts_with("hugepages-");
    let mut asked: Vec<(String, Quantity)> = Vec::new();
    let containers = spec.get("containers").and_then(Value::as_list);
    for container in containers.unwrap_or_default() {
        let requests = container
            .at(&["resources", "requests"])
            .and_then(Value::as_map);
        for (name, amount) in requests.into_iter().flat_map(Map::iter) {
            let Ok(amount) = Quantity::from_value(amount) else {
                continue;
            };
            match asked.iter_mut().find(|(known, _)| name == known.as_str()) {
                Some((_, total)) => {
                    *total = total.checked_add(&amount).unwrap_or_else(|| total.clone());
                }
                None => asked.push((name.to_string(), amount)),
            }
        }
    }
    let asked = asked
        .into_iter()
        .filter(|(name, _)| matches!(name.as_str(), "cpu" | "memory"))
        .map(|(name, amount)| (name, Value::from(amount.canonical())));
    let own = limits
        .clone()
        .into_iter()
        .map(|(name, amount)| (name.to_string(), amount));
    let wanted: Vec<(String, Value)> = asked.chain(own).collect();
    let requests = spec
        .entry_or_insert("resources", Map::new().into())
        .map_at_mut(&["requests"]);
    for (name, amount) in wanted.into_iter().filter(|(name, _)| known(name)) {
        requests.entry_or_insert(&name, amount);
    }
}

fn limits(members: &mut Map) {
    if text(members, "type") != "Container" {
        return;
    }
    let copy = |members: &mut Map, from: &str, to: &str| {
        if let Some(map) = members.get(from).and_then(Value::as_map).cloned() {
            let target = members.entry_or_insert(to, Map::new().into());
            if let Some(target) = target.as_map_mut() {
                for (name, quantity) in map {
                    target.entry_or_insert(&name, quantity);
                }
            }
        }
    };
    copy(members, "max", "default");
    copy(members, "default", "defaultRequest");
    copy(members, "min", "defaultRequest");
}

/// An exact count is of one device.
fn device_count(members: &mut Map) {
    if text(members, "allocationMode") == "ExactCount" {
        members.entry_or_insert("count", 1.into());
    }
}

fn policy_types(members: &mut Map) {
    if members.contains_key("policyTypes") {
        return;
    }
    let mut types = vec!["Ingress"];
    if members.contains_key("egress") {
        types.push("Egress");
    }
    members.insert("policyTypes", types);
}

/// The strategy of an update is a rolling one with these parameters.
fn rolling(members: &mut Map, key: &str, parameters: &[(&str, Value)]) {
    let strategy = members.entry_or_insert(key, Map::new().into());
    let Some(strategy) = strategy.as_map_mut() else {
        return;
    };
    if text(strategy, "type").is_empty() {
        strategy.insert("type", "RollingUpdate");
    }
    if text(strategy, "type") != "RollingUpdate" {
        return;
    }
    let rolling = strategy.entry_or_insert("rollingUpdate", Map::new().into());
    if let Some(rolling) = rolling.as_map_mut() {
        for (name, value) in parameters {
            rolling.entry_or_insert(name, value.clone());
        }
    }
}

/// A `StatefulSet` that names its strategy has its parameters only where it names these too.
fn partition(members: &mut Map) {
    let strategy = members.get("updateStrategy");
    let named = strategy
        .and_then(|strategy| strategy.get("type"))
        .and_then(Value::as_str)
        .is_some_and(|kind| !kind.is_empty());
    if !named || strategy.is_some_and(|strategy| strategy.get("rollingUpdate").is_some()) {
        rolling(members, "updateStrategy", &[("partition", 0.into())]);
    }
}

/// Fills in what depends on the kind of the whole object.
pub(crate) fn object(kind: Kind<'_>, value: &mut Value) {
    match kind.place() {
        ("", "pods") => pod(value.map_at_mut(&["spec"])),
        ("", "services") => service(value.map_at_mut(&["spec"])),
        ("", "secrets") => secret(value),
        ("", "replicationcontrollers") => replication_controller(value),
        ("apps", "deployments" | "replicasets" | "statefulsets" | "daemonsets") => {
            status_zeros(kind, value);
        }
        ("batch", "jobs") => {
            job(value.map_at_mut(&["spec"]));
            let labels = value.at(&["spec", "template", "metadata", "labels"]);
            if let Some(labels) = labels.cloned() {
                value
                    .map_at_mut(&["metadata"])
                    .entry_or_insert("labels", labels);
            }
        }
        ("autoscaling", "horizontalpodautoscalers") => autoscaler(kind, value),
        ("discovery.k8s.io", "endpointslices") => port_names(value),
        ("admissionregistration.k8s.io", "validatingadmissionpolicies") => {}
        _ => {}
    }
}

fn service(spec: &mut Map) {
    let kind = text(spec, "type").to_owned();
    if text(spec, "sessionAffinity") == "ClientIP" {
        let config = spec.entry_or_insert("sessionAffinityConfig", Map::new().into());
        let client = config.map_at_mut(&["clientIP"]);
        client.entry_or_insert("timeoutSeconds", 10800.into());
    } else if text(spec, "sessionAffinity") == "None" {
        spec.remove("sessionAffinityConfig");
    }
    let outside = spec
        .get("externalIPs")
        .and_then(Value::as_list)
        .is_some_and(|list| !list.is_empty());
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") || (kind == "ClusterIP" && outside) {
        spec.entry_or_insert("externalTrafficPolicy", "Cluster".into());
    }
    if matches!(kind.as_str(), "ClusterIP" | "NodePort" | "LoadBalancer") {
        spec.entry_or_insert("internalTrafficPolicy", "Cluster".into());
    }
    if kind == "LoadBalancer" {
        spec.entry_or_insert("allocateLoadBalancerNodePorts", true.into());
    }
}

/// `stringData` is written only: it becomes data.
fn secret(value: &mut Value) {
    use base64::Engine;
    let map = value.map_at_mut(&[]);
    let Some(Value::Map(texts)) = map.remove("stringData") else {
        return;
    };
    let data = map.entry_or_insert("data", Map::new().into());
    let data = data.map_at_mut(&[]);
    for (key, text) in texts {
        if let Some(text) = text.as_str() {
            data.insert(key, base64::prelude::BASE64_STANDARD.encode(text));
        }
    }
}

fn replication_controller(value: &mut Value) {
    let labels = value
        .at(&["spec", "template", "metadata", "labels"])
        .cloned();
    let Some(labels) = labels else {
        return;
    };
    let spec = value.map_at_mut(&["spec"]);
    spec.entry_or_insert("selector", labels.clone());
    value
        .map_at_mut(&["metadata"])
        .entry_or_insert("labels", labels);
}

/// Counters of a status that are written even when they are zero.
fn status_zeros(kind: Kind<'_>, value: &mut Value) {
    if kind.plural == "statefulsets" {
        let status = value.map_at_mut(&["status"]);
        status.entry_or_insert("availableReplicas", 0.into());
    }
}

fn job(spec: &mut Map) {
    if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
        spec.insert("completions", 1);
    }
    spec.entry_or_insert("parallelism", 1.into());
    let per_index = spec.contains_key("backoffLimitPerIndex");
    let limit = if per_index { i64::from(i32::MAX) } else { 6 };
    spec.entry_or_insert("backoffLimit", limit.into());
    spec.entry_or_insert("completionMode", "NonIndexed".into());
    spec.entry_or_insert("suspend", false.into());
    spec.entry_or_insert("manualSelector", false.into());
    let replacement = if spec.contains_key("podFailurePolicy") {
        "Failed"
    } else {
        "TerminatingOrFailed"
    };
    spec.entry_or_insert("podReplacementPolicy", replacement.into());
}

/// The ports of a slice have names, empty ones at least.
fn port_names(slice: &mut Value) {
    let Some(Value::List(ports)) = slice.get_mut("ports") else {
        return;
    };
    for port in ports.iter_mut().filter_map(Value::as_map_mut) {
        port.entry_or_insert("name", "".into());
    }
}

/// The use of CPU that autoscalers aim at when they are told nothing.
pub(crate) const CPU_SHARE: i64 = 80;

/// The metric of a use of CPU in percent of what was asked for.
pub(crate) fn cpu_metric(share: Value) -> Value {
    let target = Map::from([
        ("averageUtilization", share),
        ("type", "Utilization".into()),
    ]);
    let cpu = Map::from([("name", "cpu".into()), ("target", target.into())]);
    Value::Map(Map::from([
        ("resource", cpu.into()),
        ("type", "Resource".into()),
    ]))
}

fn autoscaler(kind: Kind<'_>, value: &mut Value) {
    if kind.version != "v2" {
        return;
    }
    let spec = value.map_at_mut(&["spec"]);
    if !spec.contains_key("metrics") {
        spec.insert("metrics", vec![cpu_metric(CPU_SHARE.into())]);
    }
    scaling_behavior(spec);
}

/// What a behavior leaves out is as autoscalers have always behaved.
pub(crate) fn scaling_behavior(spec: &mut Map) {
    let Some(Value::Map(behavior)) = spec.get_mut("behavior") else {
        return;
    };
    let policy = |kind: &str, value: i64| {
        Value::Map(Map::from([
            ("periodSeconds", 15.into()),
            ("type", kind.into()),
            ("value", value.into()),
        ]))
    };
    let (pods, percent) = (policy("Pods", 4), policy("Percent", 100));
    for (name, policies) in [
        ("scaleUp", vec![pods, percent.clone()]),
        ("scaleDown", vec![percent]),
    ] {
        let rules = behavior.entry_or_insert(name, Map::new().into());
        let rules = rules.map_at_mut(&[]);
        rules.entry_or_insert("policies", policies.into());
        rules.entry_or_insert("selectPolicy", "Max".into());
        if name == "scaleUp" {
            rules.entry_or_insert("stabilizationWindowSeconds", 0.into());
        }
    }
}
