//! What a client may set on an object of each kind, and what the server sets instead.

use std::collections::BTreeSet;

use jiff::Timestamp;
use yaml::{Map, Value, json};

use crate::{Kind, Part};

impl Kind<'_> {
    /// What the types themselves set before the ownership is tracked: it becomes the writer's.
    pub fn convert_create(&self, value: &mut Value) {
        match self.place() {
            ("apps", "daemonsets") => {
                value
                    .map_at_mut(&["metadata", "annotations"])
                    .insert(TEMPLATE_GENERATION, "1");
            }
            ("", "namespaces") => name_label(value),
            _ => {}
        }
    }

    /// As [`Kind::convert_create`], for a change.
    pub fn convert_update(&self, new: &mut Value) {
        match self.place() {
            // The number is a member inside of the server: one that is not given is a zero, which
            // the writer owns until the real number takes its place.
            ("apps", "daemonsets") => {
                new.map_at_mut(&["metadata", "annotations"])
                    .entry_or_insert(TEMPLATE_GENERATION, "0".into());
            }
            ("", "namespaces") => name_label(new),
            _ => {}
        }
    }

    /// Whether the real server keeps a new object as it is read, so that who writes it back unchanged
    /// changes nothing.
    #[must_use]
    pub fn settles_when_created(&self) -> bool {
        // A claim is kept without a status, and read with the phase that is the default.
        self.place() != ("", "persistentvolumeclaims")
    }

    /// Drops what a client cannot set on a new object and sets what the server sets.
    pub fn prepare_create(&self, value: &mut Value, now: Timestamp) {
        let metadata = value.map_at_mut(&["metadata"]);
        for key in SYSTEM {
            metadata.remove(key);
        }
        metadata.retain(|_, value| !value.is_null());
        if self.counts_generations() {
            metadata.insert("generation", 1);
        }
        if self.has_status {
            self.reset_status(value);
        }
        match self.place() {
            ("", "persistentvolumeclaims") => {
                add_finalizer(value, "kubernetes.io/pvc-protection");
                data_sources(value.map_at_mut(&["spec"]));
            }
            ("", "serviceaccounts") => named_secrets(value),
            ("", "services") => first_address(value.map_at_mut(&["spec"])),
            ("", "nodes") => not_ready(value.map_at_mut(&["spec"])),
            ("storage.k8s.io", "volumeattributesclasses") => {
                add_finalizer(value, "kubernetes.io/vac-protection");
            }
            ("", "persistentvolumes") => {
                add_finalizer(value, "kubernetes.io/pv-protection");
                value
                    .map_at_mut(&["status"])
                    .insert(PHASE_TIME, seconds(now));
            }
            ("", "namespaces") => {
                let finalizers: Vec<Value> = vec!["kubernetes".into()];
                value
                    .map_at_mut(&["spec"])
                    .entry_or_insert("finalizers", finalizers.into());
                value.map_at_mut(&["status"]).insert("phase", "Active");
            }
            _ => {}
        }
    }

    /// Sets what depends on the uid and the final name of a new object.
    pub fn identify(&self, value: &mut Value) {
        if self.place() == ("batch", "jobs") {
            job_selector(value);
        }
    }

    /// Keeps what the written part of an object may not change, and dates a change of phase at `now`.
    pub fn prepare_update(&self, part: Part, new: &mut Value, old: &Value, now: Timestamp) {
        match part {
            Part::Main if self.has_status => restore(new.map_at_mut(&[]), Some(old), "status"),
            Part::Main | Part::Other => {}
            Part::Resize => keep_all_but_resources(new, old),
            Part::EphemeralContainers => {
                let mut kept = all_but_owners(new, old);
                restore(kept.map_at_mut(&["spec"]), new.get("spec"), EPHEMERAL);
                *new = kept;
            }
            Part::Status => {
                self.keep_all_but_status(new, old);
                match self.place() {
                    ("", "persistentvolumes") => phase_transition(new, old, now),
                    ("", "pods") => keep_of_pod_status(new, old),
                    _ => {}
                }
            }
        }
        if part == Part::Main {
            match self.place() {
                ("", "namespaces") => {
                    restore(new.map_at_mut(&["spec"]), old.get("spec"), "finalizers");
                }
                ("", "persistentvolumeclaims") => data_sources(new.map_at_mut(&["spec"])),
                ("apps", "daemonsets") => template_generation(new, old),
                ("", "serviceaccounts") => named_secrets(new),
                ("", "services") => service_update(new, old),
                _ => {}
            }
        }
    }

    /// A write of the status changes the metadata too, except where the kind is one of those that
    /// came later.
    fn keep_all_but_status(&self, new: &mut Value, old: &Value) {
        let mut kept = old.clone();
        restore(kept.map_at_mut(&[]), Some(new), "status");
        if self.status_keeps_metadata() {
            restore(
                kept.map_at_mut(&["metadata"]),
                new.get("metadata"),
                "managedFields",
            );
        } else {
            restore(kept.map_at_mut(&[]), Some(new), "metadata");
            let own = match self.place() {
                ("apps", "deployments") => Some("labels"),
                // Old kubelets would break what garbage collection needs.
                ("", "pods") => Some("ownerReferences"),
                _ => None,
            };
            if let Some(own) = own {
                restore(kept.map_at_mut(&["metadata"]), old.get("metadata"), own);
            }
        }
        *new = kept;
    }

    /// Whether a write of the status leaves the metadata alone (asked of the real server).
    fn status_keeps_metadata(&self) -> bool {
        self.custom
            || matches!(
                self.place(),
                ("admissionregistration.k8s.io" | "apiregistration.k8s.io", _)
                    | ("flowcontrol.apiserver.k8s.io" | "resource.k8s.io", _)
                    | ("networking.k8s.io", "servicecidrs")
                    | ("storage.k8s.io", "volumeattachments")
            )
    }

    /// Counts the generation of a change that is ready to be stored.
    pub fn count_generation(&self, part: Part, new: &mut Value, old: &Value) {
        // Drivers begin to be counted with their first change.
        let counts = self.counts_generations() || self.plural == "csidrivers";
        if !counts || part == Part::Status || !self.content_changed(new, old) {
            return;
        }
        let before = old
            .at(&["metadata", "generation"])
            .and_then(Value::as_i64)
            .unwrap_or(0);
        new.map_at_mut(&["metadata"])
            .insert("generation", before.saturating_add(1));
    }

    /// Whether the kind counts changes of its spec.
    fn counts_generations(&self) -> bool {
        if self.custom {
            return true;
        }
        match self.place() {
            ("", "pods" | "podtemplates" | "replicationcontrollers") => true,
            ("", _) => false,
            ("coordination.k8s.io" | "rbac.authorization.k8s.io" | "autoscaling", _) => false,
            ("events.k8s.io" | "certificates.k8s.io" | "storage.k8s.io", _) => false,
            ("apps", "controllerrevisions") => false,
            ("apiregistration.k8s.io" | "node.k8s.io", _) => false,
            ("networking.k8s.io", "ipaddresses" | "servicecidrs") => false,
            ("resource.k8s.io", "resourceclaims" | "resourceclaimtemplates") => false,
            _ => true,
        }
    }

    /// Whether anything but metadata and status differs; a Deployment also hands its annotations
    /// on, a slice of endpoints its labels, and a priority class cannot change in what counts.
    fn content_changed(&self, new: &Value, old: &Value) -> bool {
        let annotations = |value: &Value| value.at(&["metadata", "annotations"]).cloned();
        let labels = |value: &Value| value.at(&["metadata", "labels"]).cloned();
        match self.place() {
            ("apps", "deployments") if annotations(new) != annotations(old) => return true,
            ("discovery.k8s.io", "endpointslices") if labels(new) != labels(old) => return true,
            ("scheduling.k8s.io", "priorityclasses") => return false,
            _ => {}
        }
        fn content(value: &Value) -> impl Iterator<Item = (&yaml::Str, &Value)> {
            let members = value.as_map().into_iter().flat_map(Map::iter);
            members.filter(|(key, _)| !matches!(key.as_str(), "metadata" | "status"))
        }
        !content(new).eq(content(old))
    }

    /// A new object has the status of one that nobody has looked at.
    fn reset_status(&self, value: &mut Value) {
        if self.place() == ("", "nodes") {
            return;
        }
        let map = value.map_at_mut(&[]);
        match self.initial_status() {
            Some(text) => {
                let status = json::parse(text.as_bytes()).expect("the table holds JSON");
                map.insert("status", status);
            }
            None => {
                map.remove("status");
            }
        }
    }

    /// The status that a new object of a kind has; most have none or an empty one.
    fn initial_status(&self) -> Option<&'static str> {
        Some(match self.place() {
            ("apps", "daemonsets") => {
                r#"{"currentNumberScheduled":0,"desiredNumberScheduled":0,"numberMisscheduled":0,
                "numberReady":0}"#
            }
            ("apps", "statefulsets") => r#"{"availableReplicas":0,"replicas":0}"#,
            ("apps", "replicasets") | ("", "replicationcontrollers") => r#"{"replicas":0}"#,
            ("apps", "deployments") | ("batch", _) | ("", "resourcequotas") => "{}",
            ("networking.k8s.io", "ingresses") | ("", "services") => r#"{"loadBalancer":{}}"#,
            ("", "persistentvolumeclaims" | "persistentvolumes") => r#"{"phase":"Pending"}"#,
            ("policy", "poddisruptionbudgets") => {
                r#"{"currentHealthy":0,"desiredHealthy":0,"disruptionsAllowed":0,"expectedPods":0}"#
            }
            ("autoscaling", "horizontalpodautoscalers") => {
                r#"{"currentMetrics":null,"desiredReplicas":0}"#
            }
            ("storage.k8s.io", "volumeattachments") => r#"{"attached":false}"#,
            ("certificates.k8s.io" | "admissionregistration.k8s.io", _)
            | ("apiregistration.k8s.io" | "flowcontrol.apiserver.k8s.io", _)
            | ("networking.k8s.io", "servicecidrs")
            | ("resource.k8s.io", "resourceclaims") => "{}",
            _ => return None,
        })
    }
}

/// Members of the metadata that no client sets.
const SYSTEM: [&str; 6] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "resourceVersion",
];

const EPHEMERAL: &str = "ephemeralContainers";

/// The old object with the owners of the new one: what a path that changes part of a spec starts
/// from.
fn all_but_owners(new: &Value, old: &Value) -> Value {
    let mut kept = old.clone();
    restore(
        kept.map_at_mut(&["metadata"]),
        new.get("metadata"),
        "managedFields",
    );
    kept
}

/// Of a pod's containers only the resources and how they are resized may change. Containers that
/// came, went or were renamed are left for validation to find.
fn keep_all_but_resources(new: &mut Value, old: &Value) {
    const KEYS: [&str; 2] = ["containers", "initContainers"];
    fn list<'v>(object: &'v Value, key: &str) -> &'v [Value] {
        let list = object.at(&["spec", key]).and_then(Value::as_list);
        list.unwrap_or_default()
    }
    if KEYS
        .iter()
        .any(|key| list(new, key).len() != list(old, key).len())
    {
        return;
    }
    let mut kept = all_but_owners(new, old);
    for key in KEYS {
        let (given, before) = (list(new, key), list(old, key));
        let mut pairs = given.iter().zip(before);
        let spec = kept.map_at_mut(&["spec"]);
        if pairs.any(|(new, old)| new.get("name") != old.get("name")) {
            restore(spec, new.get("spec"), key);
            continue;
        }
        let containers = spec.get_mut(key).and_then(Value::as_list_mut);
        for (container, new) in containers.into_iter().flatten().zip(given) {
            for member in ["resources", "resizePolicy"] {
                restore(container.map_at_mut(&[]), Some(new), member);
            }
        }
    }
    *new = kept;
}

/// A kubelet that does not know of these members keeps them as they are.
fn keep_of_pod_status(new: &mut Value, old: &Value) {
    let before = old.get("status");
    let status = new.map_at_mut(&["status"]);
    let is_none = |value: Option<&Value>| match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(value) => value.as_i64() == Some(0),
    };
    for key in ["qosClass", "observedGeneration"] {
        if is_none(status.get(key)) {
            restore(status, before, key);
        }
    }
    let known = before.and_then(|status| status.get("conditions")?.as_list());
    let mut known: Vec<&Value> = known.unwrap_or_default().iter().collect();
    let conditions = status.get_mut("conditions").and_then(Value::as_list_mut);
    for condition in conditions.into_iter().flatten() {
        let same = |old: &&Value| old.get("type") == condition.get("type");
        let Some(old) = known.iter().position(same).map(|at| known.remove(at)) else {
            continue;
        };
        if is_none(condition.get("observedGeneration")) {
            restore(condition.map_at_mut(&[]), Some(old), "observedGeneration");
        }
    }
}

/// When the phase of a volume changed last.
const PHASE_TIME: &str = "lastPhaseTransitionTime";

/// A time as objects hold it.
pub(crate) fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A volume whose phase changes says when, unless the writer does.
fn phase_transition(new: &mut Value, old: &Value, now: Timestamp) {
    let status = |object: &Value, key: &str| object.at(&["status", key]).cloned();
    let time = status(new, PHASE_TIME).filter(|time| !time.is_null());
    if status(new, "phase") != status(old, "phase")
        && (time.is_none() || time == status(old, PHASE_TIME))
    {
        new.map_at_mut(&["status"]).insert(PHASE_TIME, seconds(now));
    }
}

/// A namespace carries its name as a label.
fn name_label(value: &mut Value) {
    let name = value.at(&["metadata", "name"]).cloned();
    if let Some(Value::String(name)) = name
        && !name.is_empty()
    {
        value
            .map_at_mut(&["metadata", "labels"])
            .insert("kubernetes.io/metadata.name", name);
    }
}

/// A Job finds its pods by its own uid, unless the selector is given by hand.
fn job_selector(value: &mut Value) {
    let manual = value
        .at(&["spec", "manualSelector"])
        .and_then(Value::as_bool)
        .unwrap_or(false);
    if manual {
        return;
    }
    let text = |key: &str| {
        let text = value.at(&["metadata", key]).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let (uid, name) = (text("uid"), text("name"));
    let bare = value.at(&["metadata", "labels"]).is_none();
    let labels = value.map_at_mut(&["spec", "template", "metadata", "labels"]);
    for (key, text) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ] {
        labels.insert(key, text.as_str());
    }
    let labels = labels.clone();
    if bare {
        value.map_at_mut(&["metadata"]).insert("labels", labels);
    }
    value
        .map_at_mut(&["spec", "selector", "matchLabels"])
        .insert("batch.kubernetes.io/controller-uid", uid);
}

/// Only some kinds can be the source of a claim; both members that name it say the same.
fn data_sources(spec: &mut Map) {
    let is_known = spec.get("dataSource").is_none_or(|source| {
        let text = |key: &str| source.get(key).and_then(Value::as_str).unwrap_or_default();
        matches!(
            (text("apiGroup"), text("kind")),
            ("", "PersistentVolumeClaim") | ("snapshot.storage.k8s.io", "VolumeSnapshot")
        )
    });
    if !is_known {
        spec.remove("dataSource");
    }
    let (source, reference) = (spec.get("dataSource"), spec.get("dataSourceRef"));
    match (source.cloned(), reference.cloned()) {
        (Some(source), None) => {
            spec.insert("dataSourceRef", source);
        }
        (None, Some(reference)) if reference.get("namespace").is_none() => {
            spec.insert("dataSource", reference);
        }
        _ => {}
    }
}

/// The cluster address of a Service is the first of its list.
fn first_address(spec: &mut Map) {
    let missing = spec.get("clusterIPs").is_none_or(Value::is_null);
    if let Some(Value::String(address)) = spec.get("clusterIP").cloned()
        && missing
        && !address.is_empty()
    {
        spec.insert("clusterIPs", vec![address]);
    }
}

/// A new node is not ready until somebody says that it is.
fn not_ready(spec: &mut Map) {
    const KEY: &str = "node.kubernetes.io/not-ready";
    let taints = spec.entry_or_insert("taints", Value::List(Vec::new()));
    let Some(taints) = taints.as_list_mut() else {
        return;
    };
    let is_it = |taint: &Value| {
        let text = |key: &str| taint.get(key).and_then(Value::as_str);
        text("key") == Some(KEY) && text("effect") == Some("NoSchedule")
    };
    if !taints.iter().any(is_it) {
        let taint = Map::from([("effect", "NoSchedule".into()), ("key", KEY.into())]);
        taints.push(taint.into());
    }
}

/// What a Service had only because of its type goes with the type, where a client keeps it.
fn service_update(new: &mut Value, old: &Value) {
    let (Some(before), spec) = (old.get("spec"), new.map_at_mut(&["spec"])) else {
        return;
    };
    let kind = |spec: Option<&Value>| spec.and_then(Value::as_str).unwrap_or_default().to_owned();
    let (now, was) = (kind(spec.get("type")), kind(before.get("type")));
    let has_address = |kind: &str| kind != "ExternalName";
    let on_nodes = |kind: &str| matches!(kind, "NodePort" | "LoadBalancer");
    let mut gone: Vec<&str> = Vec::new();
    if has_address(&was) && !has_address(&now) {
        gone.extend(["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]);
        gone.push("internalTrafficPolicy");
    }
    let outside = spec
        .get("externalIPs")
        .and_then(Value::as_list)
        .is_some_and(|ips| !ips.is_empty());
    if on_nodes(&was) && !on_nodes(&now) && !outside {
        gone.push("externalTrafficPolicy");
    }
    if was == "LoadBalancer" && now != "LoadBalancer" {
        gone.extend(["allocateLoadBalancerNodePorts", "loadBalancerClass"]);
    }
    let checked = |kind: &str, policy: Option<&Value>| {
        kind == "LoadBalancer" && policy.and_then(Value::as_str) == Some("Local")
    };
    if checked(&was, before.get("externalTrafficPolicy"))
        && !checked(&now, spec.get("externalTrafficPolicy"))
    {
        gone.push("healthCheckNodePort");
    }
    for key in gone {
        if spec.get(key) == before.get(key) {
            spec.remove(key);
        }
    }
    if on_nodes(&was)
        && !on_nodes(&now)
        && node_ports(spec.get("ports")) == node_ports(before.get("ports"))
    {
        let ports = spec.get_mut("ports").and_then(Value::as_list_mut);
        for port in ports.into_iter().flatten() {
            port.map_at_mut(&[]).remove("nodePort");
        }
    }
    first_address(spec);
}

/// The ports of nodes that the ports of a Service have.
fn node_ports(ports: Option<&Value>) -> BTreeSet<i64> {
    let ports = ports.and_then(Value::as_list).unwrap_or_default();
    let numbers = ports
        .iter()
        .filter_map(|port| port.get("nodePort")?.as_i64());
    numbers.collect()
}

fn add_finalizer(value: &mut Value, name: &str) {
    let finalizers = value
        .map_at_mut(&["metadata"])
        .entry_or_insert("finalizers", Value::List(Vec::new()));
    if let Some(list) = finalizers.as_list_mut()
        && !list.iter().any(|known| known.as_str() == Some(name))
    {
        list.push(name.into());
    }
}

/// Makes a map have what the old state has at a key.
fn restore(map: &mut Map, old: Option<&Value>, key: &str) {
    match old.and_then(|old| old.get(key)) {
        Some(value) => {
            map.insert(key, value.clone());
        }
        None => {
            map.remove(key);
        }
    }
}

/// Of the secrets of an account nothing but the names is kept.
fn named_secrets(account: &mut Value) {
    let secrets = account.get_mut("secrets").and_then(Value::as_list_mut);
    for secret in secrets.into_iter().flatten() {
        secret.map_at_mut(&[]).retain(|key, _| key == "name");
    }
}

/// Where a DaemonSet counts the changes of its template.
pub(crate) const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// A DaemonSet counts the changes of its template in an annotation.
fn template_generation(new: &mut Value, old: &Value) {
    let before = old
        .at(&["metadata", "annotations", TEMPLATE_GENERATION])
        .and_then(Value::as_str)
        .and_then(|text| text.parse::<i64>().ok())
        .unwrap_or(0);
    let changed = new.at(&["spec", "template"]) != old.at(&["spec", "template"]);
    let now = before.saturating_add(i64::from(changed));
    new.map_at_mut(&["metadata", "annotations"])
        .insert(TEMPLATE_GENERATION, now.to_string());
}
