//! What a client is warned of although it is allowed.

use std::cell::RefCell;

use yaml::Value;

use super::field::Field;
use super::{amounts, pod, tls};
use crate::{Kind, Part, ip, names};

impl Kind<'_> {
    /// What the writer of a valid object is warned of; `old` is the state that an update of a part
    /// replaces.
    #[must_use]
    pub fn warnings(&self, value: &Value, old: Option<(Part, &Value)>) -> Vec<String> {
        let unused = RefCell::default();
        let object = Field::root(value, old.map(|(_, old)| old), &unused);
        let part = old.map_or(Part::Main, |(part, _)| part);
        match (self.place(), part) {
            (("", "endpoints"), _) => endpoints(&object),
            (("discovery.k8s.io", "endpointslices"), _) => slice(&object),
            (("networking.k8s.io", "ingresses"), Part::Main) => ingress(&object),
            (("networking.k8s.io", "ingresses"), Part::Status) => {
                addresses(&object.get("status.loadBalancer.ingress"))
            }
            (("networking.k8s.io", "networkpolicies"), _) => policy(&object),
            (("", "nodes"), Part::Main) => node(&object),
            (("", "persistentvolumeclaims"), Part::Main) => claim(&object),
            (("", "persistentvolumes"), Part::Main) => volume(&object),
            (("", "secrets"), _) => tls::warnings(&object),
            (("", "services"), Part::Main) => service(&object),
            (("storage.k8s.io", "storageclasses"), _) => topologies(&object),
            (("storage.k8s.io", "csidrivers"), _) => driver(&object),
            (("resource.k8s.io", "resourceslices"), _) => resource_slice(&object),
            (_, Part::Main) => self.pod_warnings(&object),
            _ => Vec::new(),
        }
    }
}

impl Kind<'_> {
    /// The warnings about pods and what makes them: changes of a template count only.
    fn pod_warnings(&self, object: &Field<'_, '_>) -> Vec<String> {
        let path = match self.place() {
            ("", "pods") => "",
            ("", "podtemplates") => "template",
            ("batch", "cronjobs") => "spec.jobTemplate.spec.template",
            ("apps", "deployments" | "replicasets" | "statefulsets" | "daemonsets")
            | ("", "replicationcontrollers")
            | ("batch", "jobs") => "spec.template",
            _ => return Vec::new(),
        };
        let changed = match path {
            "" => false,
            "template" => true,
            _ => object.get("metadata.generation").changed(),
        };
        if object.is_update() && !changed {
            return Vec::new();
        }
        let mut found = Vec::new();
        if path.is_empty() {
            found.extend(pod::warnings::confinements(object));
        }
        if !object.is_update() {
            found.extend(self.host_name(object));
        }
        let spec = object.get("spec");
        if self.plural == "jobs" {
            found.extend(many_indexes(&spec));
        }
        if path.is_empty() {
            found.extend(pod::warnings::template(object));
        } else {
            found.extend(pod::warnings::template(&object.get(path)));
        }
        if self.plural == "statefulsets" {
            for claim in spec.get("volumeClaimTemplates").items() {
                // Told without the member that holds them.
                claim_spec(&claim.get("spec").told_at(&claim), &mut found);
            }
            let limit = spec.get("revisionHistoryLimit");
            if limit.number().is_some_and(|limit| limit < 0) {
                let why = "a negative value retains all historical revisions; a value >= 0 is \
                           recommended";
                found.push(format!("{}: {why}", limit.path()));
            }
        }
        found
    }

    /// Names of pods are names of hosts.
    fn host_name(&self, object: &Field<'_, '_>) -> Option<String> {
        let what = match self.plural {
            "pods" => "the Pod's hostname",
            "deployments" | "replicasets" | "replicationcontrollers" | "jobs" | "cronjobs" => {
                "Pod names and hostnames"
            }
            _ => return None,
        };
        let problems = names::label_problems(object.get("metadata.name").text());
        (!problems.is_empty()).then(|| {
            format!(
                "metadata.name: this is used in {what}, which can result in surprising behavior; a \
                 DNS label is recommended: [{}]",
                problems.join(" ")
            )
        })
    }
}

/// Indexed Jobs of this size may lose track of their indexes.
fn many_indexes(spec: &Field<'_, '_>) -> Option<String> {
    let above = |name: &str, limit: i64| spec.get(name).number().is_some_and(|n| n > limit);
    let many = spec.get("completionMode").text() == "Indexed"
        && above("completions", 100_000)
        && above("parallelism", 10_000);
    many.then(|| {
        "spec: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism \
         higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number \
         of indexes fail"
            .to_owned()
    })
}

/// Labels of nodes that have another name today, or none.
const NODE_LABELS: [(&str, &str); 8] = [
    (
        "beta.kubernetes.io/arch",
        "deprecated since v1.14; use \"kubernetes.io/arch\" instead",
    ),
    (
        "beta.kubernetes.io/os",
        "deprecated since v1.14; use \"kubernetes.io/os\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/region",
        "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/zone",
        "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead",
    ),
    (
        "beta.kubernetes.io/instance-type",
        "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead",
    ),
    ("app.kubernetes.io/created-by", "deprecated since v1.9"),
    (
        "scheduler.alpha.kubernetes.io/preferAvoidPods",
        "deprecated since v1.22; use Taints and Tolerations instead",
    ),
    (
        "node-role.kubernetes.io/master",
        "use \"node-role.kubernetes.io/control-plane\" instead",
    ),
];

/// Why a label of nodes should not be used.
pub(super) fn label_of_nodes(name: &str) -> Option<&'static str> {
    let known = NODE_LABELS.iter().find(|(label, _)| *label == name);
    known.map(|(_, why)| *why)
}

/// The warnings about the terms of a selector of nodes.
pub(super) fn node_terms(terms: &Field<'_, '_>, found: &mut Vec<String>) {
    for term in terms.items() {
        node_term(&term, false, found);
    }
}

/// The warnings about one term; where `values` says so, about what it compares with, too.
pub(super) fn node_term(term: &Field<'_, '_>, values: bool, found: &mut Vec<String>) {
    for requirement in term.get("matchExpressions").items() {
        let key = requirement.get("key");
        if let Some(why) = label_of_nodes(key.text()) {
            found.push(format!("{}: {} is {why}", key.path(), key.text()));
        }
        for value in requirement.get("values").items().filter(|_| values) {
            for problem in names::label_value_problems(value.text()) {
                found.push(format!(
                    "{}: {} is invalid, {problem}",
                    value.path(),
                    value.text()
                ));
            }
        }
    }
}

/// Bytes come whole.
pub(super) fn fraction(place: &Field<'_, '_>, found: &mut Vec<String>) {
    let milli = amounts::quantity(place).and_then(|amount| amount.scaled(-3));
    if milli.is_some_and(|milli| milli % 1000 != 0) {
        let (path, text) = (place.path(), place.text());
        found.push(format!(
            "{path}: fractional byte value {text:?} is invalid, must be an integer"
        ));
    }
}

/// The warnings about the spec of a claim.
pub(super) fn claim_spec(spec: &Field<'_, '_>, found: &mut Vec<String>) {
    for part in ["resources.requests", "resources.limits"] {
        fraction(&spec.get(part).key("storage"), found);
    }
}

const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";
const MOUNT_ANNOTATION: &str = "volume.beta.kubernetes.io/mount-options";

/// The warning about an annotation that became a member.
fn annotation(object: &Field<'_, '_>, name: &str, why: &str, found: &mut Vec<String>) {
    let metadata = object.get("metadata");
    let annotations = metadata.get("annotations");
    let place = annotations.key(name);
    if place.is_set() {
        found.push(format!("{}: {why} attribute instead", place.path()));
    }
}

fn claim(object: &Field<'_, '_>) -> Vec<String> {
    let mut found = Vec::new();
    let why = "deprecated since v1.8; use \"storageClassName\"";
    annotation(object, CLASS_ANNOTATION, why, &mut found);
    claim_spec(&object.get("spec"), &mut found);
    found
}

/// Sources of volumes that are gone: where they stand, how they are told, and since when.
const SOURCES: [(&str, &str, &str); 6] = [
    (
        "cephfs",
        "cephfs",
        "deprecated in v1.28, non-functional in v1.31+",
    ),
    (
        "photonPersistentDisk",
        "photonPersistentDisk",
        "deprecated in v1.11, non-functional in v1.16+",
    ),
    (
        "scaleIO",
        "scaleIO",
        "deprecated in v1.16, non-functional in v1.22+",
    ),
    (
        "storageos",
        "storageOS",
        "deprecated in v1.22, non-functional in v1.25+",
    ),
    (
        "glusterfs",
        "glusterfs",
        "deprecated in v1.25, non-functional in v1.26+",
    ),
    (
        "rbd",
        "rbd",
        "deprecated in v1.28, non-functional in v1.31+",
    ),
];

fn volume(object: &Field<'_, '_>) -> Vec<String> {
    let mut found = Vec::new();
    let why = "deprecated since v1.8; use \"storageClassName\"";
    annotation(object, CLASS_ANNOTATION, why, &mut found);
    let why = "deprecated since v1.31; use \"mountOptions\"";
    annotation(object, MOUNT_ANNOTATION, why, &mut found);
    let spec = object.get("spec");
    let policy = spec.get("persistentVolumeReclaimPolicy");
    if policy.text() == "Recycle" {
        found.push(format!(
            "{}: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to \
             use dynamic provisioning.",
            policy.path()
        ));
    }
    node_terms(
        &spec.get("nodeAffinity.required.nodeSelectorTerms"),
        &mut found,
    );
    for (source, told, why) in SOURCES {
        if spec.get(source).is_set() {
            found.push(format!("spec.{told}: {why}"));
        }
    }
    found
}

fn node(object: &Field<'_, '_>) -> Vec<String> {
    let spec = object.get("spec");
    let mut found = Vec::new();
    if !spec.get("externalID").is_empty() {
        let why = "this field is deprecated, and is unused by Kubernetes";
        found.push(format!("spec.externalID: {why}"));
    }
    for range in spec.get("podCIDRs").items() {
        found.extend(ip::block_warnings(&range.path(), range.text()));
    }
    found
}

fn topologies(object: &Field<'_, '_>) -> Vec<String> {
    let mut found = Vec::new();
    for term in object.get("allowedTopologies").items() {
        for requirement in term.get("matchLabelExpressions").items() {
            let key = requirement.get("key");
            if let Some(why) = label_of_nodes(key.text()) {
                found.push(format!("{}: {why}", key.path()));
            }
        }
    }
    found
}

fn service(object: &Field<'_, '_>) -> Vec<String> {
    const HINTS: &str = "service.kubernetes.io/topology-aware-hints";
    const MODE: &str = "service.kubernetes.io/topology-mode";
    let spec = object.get("spec");
    let mut found = Vec::new();
    if object.get("metadata.annotations").member(HINTS).is_set() {
        found.push(format!(
            "annotation {HINTS} is deprecated, please use {MODE} instead"
        ));
    }
    let outside = spec.get("externalIPs");
    let kind = spec.get("type").text();
    for address in spec.get("clusterIPs").items() {
        found.extend(ip::warning(&address.path(), address.text()));
    }
    if kind == "ClusterIP" && spec.get("clusterIP").text() == "None" {
        for (name, used) in [
            ("loadBalancerIP", !spec.get("loadBalancerIP").is_empty()),
            ("externalIPs", !outside.is_empty()),
            (
                "SessionAffinity",
                spec.get("sessionAffinity").text() != "None",
            ),
        ] {
            if used {
                found.push(format!("spec.{name} is ignored for headless services"));
            }
        }
    }
    for address in outside.items() {
        found.extend(ip::warning(&address.path(), address.text()));
    }
    let balancer = spec.get("loadBalancerIP");
    found.extend(ip::warning(&balancer.path(), balancer.text()));
    for range in spec.get("loadBalancerSourceRanges").items() {
        found.extend(ip::block_warnings(&range.path(), range.text()));
    }
    let external = "\"ExternalName\"";
    if kind == "ExternalName" && !outside.is_empty() {
        found.push(format!(
            "spec.externalIPs is ignored when spec.type is {external}"
        ));
    }
    if kind != "ExternalName" && !spec.get("externalName").is_empty() {
        found.push(format!(
            "spec.externalName is ignored when spec.type is not {external}"
        ));
    }
    if spec.get("trafficDistribution").text() == "PreferClose" {
        let why = "\"PreferClose\" is deprecated; use \"PreferSameZone\"";
        found.push(format!("spec.trafficDistribution: {why}"));
    }
    found
}

/// Whether a controller of the cluster itself manages a kind of endpoints: it writes them right.
fn is_managed(object: &Field<'_, '_>, label: &str, managers: &[&str]) -> bool {
    let labels = object.get("metadata.labels");
    managers.contains(&labels.member(label).text())
}

/// The warnings about the `ip` of each entry of a list.
fn addresses(entries: &Field<'_, '_>) -> Vec<String> {
    entries
        .items()
        .filter_map(|entry| {
            let address = entry.get("ip");
            ip::warning(&address.path(), address.text())
        })
        .collect()
}

fn endpoints(object: &Field<'_, '_>) -> Vec<String> {
    let label = "endpoints.kubernetes.io/managed-by";
    if is_managed(object, label, &["endpoint-controller"]) {
        return Vec::new();
    }
    let subsets = object.get("subsets");
    let mut warnings = Vec::new();
    for subset in subsets.items() {
        warnings.extend(addresses(&subset.get("addresses")));
        warnings.extend(addresses(&subset.get("notReadyAddresses")));
    }
    warnings
}

fn slice(object: &Field<'_, '_>) -> Vec<String> {
    let mut warnings = Vec::new();
    if !object.is_update() && object.get("addressType").text() == "FQDN" {
        warnings.push("spec.addressType: FQDN endpoints are deprecated".to_owned());
    }
    let managers = [
        "endpointslice-controller.k8s.io",
        "endpointslicemirroring-controller.k8s.io",
    ];
    if is_managed(object, "endpointslice.kubernetes.io/managed-by", &managers) {
        return warnings;
    }
    for endpoint in object.get("endpoints").items() {
        let addresses = endpoint.get("addresses");
        for address in addresses.items() {
            warnings.extend(ip::warning(&address.path(), address.text()));
        }
    }
    warnings
}

fn ingress(object: &Field<'_, '_>) -> Vec<String> {
    const ANNOTATION: &str = "kubernetes.io/ingress.class";
    let annotations = object.get("metadata.annotations");
    let old_way = annotations.member(ANNOTATION).is_set()
        && !object.get("spec.ingressClassName").is_set()
        && !object.is_update();
    if old_way {
        vec![format!(
            "annotation {ANNOTATION:?} is deprecated, please use 'spec.ingressClassName' instead"
        )]
    } else {
        Vec::new()
    }
}

fn policy(object: &Field<'_, '_>) -> Vec<String> {
    let spec = object.get("spec");
    let mut warnings = Vec::new();
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for rule in spec.get(direction).items() {
            for peer in rule.get(peers).items() {
                let block = peer.get("ipBlock");
                let cidr = block.get("cidr");
                warnings.extend(ip::block_warnings(&cidr.path(), cidr.text()));
                for except in block.get("except").items() {
                    warnings.extend(ip::block_warnings(&except.path(), except.text()));
                }
            }
        }
    }
    warnings
}

fn driver(object: &Field<'_, '_>) -> Vec<String> {
    let tokens = object.get("spec.tokenRequests");
    let news = !object.is_update() || tokens.changed();
    if tokens.is_empty() || !news || object.get("spec.serviceAccountTokenInSecrets").is_set() {
        return Vec::new();
    }
    vec![
        "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true \
         to prevent possible logging of tokens in volume attributes"
            .to_owned(),
    ]
}

fn resource_slice(object: &Field<'_, '_>) -> Vec<String> {
    let driver = object.get("spec.driver").text();
    if !driver.chars().any(char::is_uppercase) {
        return Vec::new();
    }
    vec![format!(
        "spec.driver: driver names should be lowercase; {driver:?} contains uppercase characters"
    )]
}

#[cfg(test)]
mod tests {
    use yaml::json;

    use crate::Kind;

    /// What a real kube-apiserver v1.35.4 warned of when it was given the same object.
    fn check(group: &str, plural: &str, object: &str, want: &[&str]) {
        let kind = Kind {
            group,
            version: "v1",
            kind: "",
            plural,
            custom: false,
            has_status: true,
        };
        let object = json::parse_str(object).unwrap();
        assert_eq!(kind.warnings(&object, None), want);
    }

    #[test]
    fn a_service_is_told_what_its_form_ignores() {
        check(
            "",
            "services",
            r#"{"metadata":{"annotations":{"service.kubernetes.io/topology-aware-hints":"auto"}},
            "spec":{"type":"ClusterIP","clusterIP":"None","clusterIPs":["None"],"externalName":"x",
            "sessionAffinity":"ClientIP","loadBalancerIP":"001.2.3.4","externalIPs":["1.2.3.4"]}}"#,
            &[
                "annotation service.kubernetes.io/topology-aware-hints is deprecated, please use \
                 service.kubernetes.io/topology-mode instead",
                "spec.loadBalancerIP is ignored for headless services",
                "spec.externalIPs is ignored for headless services",
                "spec.SessionAffinity is ignored for headless services",
                "spec.loadBalancerIP: non-standard IP address \"001.2.3.4\" will be considered \
                 invalid in a future Kubernetes release: use \"1.2.3.4\"",
                "spec.externalName is ignored when spec.type is not \"ExternalName\"",
            ],
        );
    }

    #[test]
    fn the_template_of_a_deployment_is_warned_of_under_its_path() {
        let ports = "overlapping port definition with spec.template.spec.containers[0].ports";
        check(
            "apps",
            "deployments",
            r#"{"metadata":{"name":"k.w"},"spec":{"template":{"spec":{
            "nodeSelector":{"beta.kubernetes.io/os":"a"},"imagePullSecrets":[{"name":""}],
            "containers":[{"name":"a","resources":{"limits":{"memory":"100m"}},
            "env":[{"name":"X","value":"1"},{"name":"X","value":"2"},{"name":"X","value":"$(X)3"}],
            "ports":[{"containerPort":80,"protocol":"TCP"},
            {"containerPort":80,"protocol":"TCP","hostPort":80,"hostIP":"1.2.3.4"}]},
            {"name":"c","ports":[{"containerPort":80,"protocol":"TCP","hostIP":"1.2.3.4"}]}]}}}}"#,
            &[
                "metadata.name: this is used in Pod names and hostnames, which can result in \
                 surprising behavior; a DNS label is recommended: [must not contain dots]",
                "spec.template.spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; \
                 use \"kubernetes.io/os\" instead",
                "spec.template.spec.imagePullSecrets[0].name: invalid empty name \"\"",
                "spec.template.spec.containers[0].resources.limits[memory]: fractional byte value \
                 \"100m\" is invalid, must be an integer",
                "spec.template.spec.containers[0].env[1]: hides previous definition of \"X\", \
                 which may be dropped when using apply",
                &format!("spec.template.spec.containers[0].ports[1]: {ports}[0]"),
                "spec.template.spec.containers[1].ports[0]: hostIP set without hostPort: {Name: \
                 HostPort:0 ContainerPort:80 Protocol:TCP HostIP:1.2.3.4}",
                &format!("spec.template.spec.containers[1].ports[0]: {ports}[0]"),
                &format!("spec.template.spec.containers[1].ports[0]: {ports}[1]"),
            ],
        );
    }

    #[test]
    fn files_and_ports_that_hide_each_other_are_told_in_pairs() {
        let twice = "duplicate port name \"http\" with spec.initContainers[0].ports[0], services and \
                     probes that select ports by name will use spec.initContainers[0].ports[0]";
        check(
            "",
            "pods",
            r#"{"metadata":{"name":"a"},"spec":{"volumes":[
            {"name":"v","projected":{"sources":[{"serviceAccountToken":{"path":"t"}},
            {"configMap":{"name":"c","items":[{"path":"t/"},{"path":"t/x"},{"path":"tt"}]}},{},
            {"downwardAPI":{"items":[{"path":"t/z"}]}}]}},
            {"name":"w","secret":{"secretName":"s","items":[{"path":"x/y"},{"path":"x/y"},
            {"path":"x"}]}}],
            "initContainers":[{"ports":[{"name":"http","containerPort":1}]}],
            "containers":[{"ports":[{"name":"http","containerPort":2}]}]}}"#,
            &[
                r#"volume "v" (Projected): overlapping paths: "t" (ConfigMap "c") with "t" (ServiceAccountToken)"#,
                r#"volume "v" (Projected): overlapping paths: "t/x" (ConfigMap "c") with "t" (ServiceAccountToken)"#,
                r#"volume "v" (Projected): overlapping paths: "t/x" (ConfigMap "c") with "t" (ConfigMap "c")"#,
                r#"volume "v" (Projected) has no sources provided"#,
                r#"volume "v" (Projected): overlapping paths: "t/z" (DownwardAPI) with "t" (ServiceAccountToken)"#,
                r#"volume "v" (Projected): overlapping paths: "t/z" (DownwardAPI) with "t" (ConfigMap "c")"#,
                r#"volume "w" (Secret "s"): overlapping paths: "x/y" with "x/y""#,
                r#"volume "w" (Secret "s"): overlapping paths: "x" with "x/y""#,
                &format!("spec.containers[0].ports[0]: {twice}"),
            ],
        );
    }

    #[test]
    fn a_pair_in_a_secret_is_looked_at_certificate_first() {
        let pair = |certificate: &str, key: &str| {
            format!(
                r#"{{"type":"kubernetes.io/tls","data":{{"tls.crt":"{certificate}","tls.key":"{key}"}}}}"#
            )
        };
        let certificate =
            "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBQUEKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=";
        let other = "LS0tLS1CRUdJTiBYWC0tLS0tCkFBQUEKLS0tLS1FTkQgWFgtLS0tLQo=";
        for (certificate, key, want) in [
            (
                "YWJj",
                other,
                "tls: failed to find any PEM data in certificate input",
            ),
            (
                certificate,
                certificate,
                "tls: found a certificate rather than a key in the PEM for the private key",
            ),
            (
                other,
                "YWJj",
                "tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping \
                 PEM blocks of the following types: [XX]",
            ),
        ] {
            check("", "secrets", &pair(certificate, key), &[want]);
        }
    }
}
