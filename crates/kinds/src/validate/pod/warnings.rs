//! What the writer of a pod, or of a template of pods, is warned of.
//!
//! The source of each text and of the order is a real kube-apiserver, asked with everything at once.

use std::collections::BTreeMap;

use super::super::field::Field;
use super::super::warnings::{fraction, label_of_nodes, node_terms};
use super::container::visit;
use super::paths;
use crate::ip;

/// Annotations that do nothing any more, and what does it instead.
const ANNOTATIONS: [(&str, &str); 3] = [
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        "non-functional in v1.16+; use the \"priorityClassName\" field instead",
    ),
    (
        "security.alpha.kubernetes.io/sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
    (
        "security.alpha.kubernetes.io/unsafe-sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
];
/// Kinds of volumes that are gone or will go.
const VOLUMES: [(&str, &str); 9] = [
    (
        "photonPersistentDisk",
        "deprecated in v1.11, non-functional in v1.16+",
    ),
    (
        "gitRepo",
        "deprecated in v1.11, and disabled by default in v1.33+",
    ),
    ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
];
const SECCOMP: &str = "non-functional in v1.27+; use the \"seccompProfile\" field instead";
const APPARMOR: &str = "deprecated since v1.30; use the \"appArmorProfile\" field instead";
const NO_POD: &str = "a null labelSelector results in matching no pod";

/// The warnings about the metadata and the spec of pods: of an object or of its template.
pub(in super::super) fn template(template: &Field<'_, '_>) -> Vec<String> {
    let (metadata, pod) = (template.get("metadata"), template.get("spec"));
    let annotations = metadata.get("annotations");
    let mut found = Vec::new();
    placement(&pod, &mut found);
    for (name, why) in ANNOTATIONS {
        tell_set(&annotations.key(name), why, &mut found);
    }
    volumes(&pod, &mut found);
    paths::overlaps(&pod, &mut found);
    repeated(&pod.get("hostAliases"), "ip", &mut found);
    let secrets = pod.get("imagePullSecrets");
    repeated(&secrets, "name", &mut found);
    for secret in secrets
        .items()
        .filter(|secret| secret.get("name").is_empty())
    {
        found.push(format!(
            "{}: invalid empty name \"\"",
            secret.get("name").path()
        ));
    }
    fractions(&pod.get("overhead"), &mut found);
    if !pod.get("securityContext.seccompProfile").is_set() {
        let own = annotations.key("seccomp.security.alpha.kubernetes.io/pod");
        tell_set(&own, SECCOMP, &mut found);
    }
    // Of pods themselves this is told first.
    let is_template = !template.path().is_empty();
    visit(&pod, |one| {
        let name = one.get("name").text();
        if !one.get("securityContext.seccompProfile").is_set() {
            let key = format!("container.seccomp.security.alpha.kubernetes.io/{name}");
            tell_set(&annotations.key(&key), SECCOMP, &mut found);
        }
        if is_template {
            confinement(&annotations, &pod, one, &mut found);
        }
        container(one, &mut found);
    });
    ports(&pod, &mut found);
    port_names(&pod, &mut found);
    let grace = pod.get("terminationGracePeriodSeconds");
    if grace.number().is_some_and(|seconds| seconds < 0) {
        let why = "must be >= 0; negative values are invalid and will be treated as 1";
        found.push(format!("{}: {why}", grace.path()));
    }
    affinity(&pod, &mut found);
    addresses(&pod, &mut found);
    found
}

/// What is told of a pod before everything else: annotations that became members.
pub(in super::super) fn confinements(object: &Field<'_, '_>) -> Vec<String> {
    let (metadata, pod) = (object.get("metadata"), object.get("spec"));
    let mut found = Vec::new();
    visit(&pod, |one| {
        confinement(&metadata.get("annotations"), &pod, one, &mut found);
    });
    found
}

fn confinement(
    annotations: &Field<'_, '_>,
    pod: &Field<'_, '_>,
    container: &Field<'_, '_>,
    found: &mut Vec<String>,
) {
    let profile = "securityContext.appArmorProfile";
    if !pod.get(profile).is_set() && !container.get(profile).is_set() {
        let name = container.get("name").text();
        let key = format!("container.apparmor.security.beta.kubernetes.io/{name}");
        tell_set(&annotations.key(&key), APPARMOR, found);
    }
}

fn tell_set(place: &Field<'_, '_>, why: &str, found: &mut Vec<String>) {
    if place.is_set() {
        found.push(format!("{}: {why}", place.path()));
    }
}

fn placement(pod: &Field<'_, '_>, found: &mut Vec<String>) {
    for (name, place) in pod.get("nodeSelector").entries() {
        if let Some(why) = label_of_nodes(name) {
            found.push(format!("{}: {why}", place.path()));
        }
    }
    let affinity = pod.get("affinity.nodeAffinity");
    let required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution");
    node_terms(&required.get("nodeSelectorTerms"), found);
    for term in affinity
        .get("preferredDuringSchedulingIgnoredDuringExecution")
        .items()
    {
        super::super::warnings::node_term(&term.get("preference"), true, found);
    }
    for spread in pod.get("topologySpreadConstraints").items() {
        let (key, selector) = (spread.get("topologyKey"), spread.get("labelSelector"));
        if let Some(why) = label_of_nodes(key.text()) {
            found.push(format!("{}: {} is {why}", key.path(), key.text()));
        }
        if !selector.is_set() {
            found.push(format!("{}: {NO_POD}", selector.path()));
        }
    }
}

fn volumes(pod: &Field<'_, '_>, found: &mut Vec<String>) {
    for volume in pod.get("volumes").items() {
        for (name, why) in VOLUMES {
            let source = volume.get(name);
            // The server's type spells one name otherwise.
            let told = if name == "storageos" {
                source.renamed("storageOS")
            } else {
                source
            };
            tell_set(&told, why, found);
        }
        let claim = volume.get("ephemeral.volumeClaimTemplate.spec");
        super::super::warnings::claim_spec(&claim, found);
    }
}

/// Entries of a list that have the same value in a member.
fn repeated(list: &Field<'_, '_>, member: &str, found: &mut Vec<String>) {
    let mut seen: Vec<&str> = Vec::new();
    for entry in list.items() {
        let value = entry.get(member);
        if seen.contains(&value.text()) {
            found.push(format!(
                "{}: duplicate {member} {:?}",
                value.path(),
                value.text()
            ));
        } else {
            seen.push(value.text());
        }
    }
}

/// Bytes come whole.
fn fractions(amounts: &Field<'_, '_>, found: &mut Vec<String>) {
    for resource in ["memory", "ephemeral-storage"] {
        fraction(&amounts.key(resource), found);
    }
}

fn container(container: &Field<'_, '_>, found: &mut Vec<String>) {
    let resources = container.get("resources");
    for resource in ["memory", "ephemeral-storage"] {
        for part in ["limits", "requests"] {
            fraction(&resources.get(part).key(resource), found);
        }
    }
    let mut seen: Vec<&str> = Vec::new();
    for variable in container.get("env").items() {
        let (name, value) = (variable.get("name").text(), variable.get("value").text());
        let reference = format!("$({name})");
        if !seen.contains(&name) {
            seen.push(name);
        } else if variable.get("valueFrom").is_set()
            || value == reference
            || !value.contains(&reference)
        {
            found.push(format!(
                "{}: hides previous definition of {name:?}, which may be dropped when using apply",
                variable.path()
            ));
        }
    }
}

/// A port of a container, with its path.
struct Port<'v> {
    path: String,
    number: i64,
    protocol: &'v str,
    host_port: i64,
    host_ip: &'v str,
}

fn ports(pod: &Field<'_, '_>, found: &mut Vec<String>) {
    let mut seen: Vec<Port<'_>> = Vec::new();
    visit(pod, |container| {
        for port in container.get("ports").items() {
            let now = Port {
                path: port.path(),
                number: port.get("containerPort").number().unwrap_or(0),
                protocol: port.get("protocol").text(),
                host_port: port.get("hostPort").number().unwrap_or(0),
                host_ip: port.get("hostIP").text(),
            };
            if !now.host_ip.is_empty() && now.host_port == 0 {
                found.push(format!(
                    "{}: hostIP set without hostPort: {{Name:{} HostPort:0 ContainerPort:{} \
                     Protocol:{} HostIP:{}}}",
                    now.path,
                    port.get("name").text(),
                    now.number,
                    now.protocol,
                    now.host_ip
                ));
            }
            found.extend(seen.iter().filter_map(|other| now.conflict(other)));
            seen.push(now);
        }
    });
}

impl Port<'_> {
    /// What is odd about having this port beside another one.
    fn conflict(&self, other: &Self) -> Option<String> {
        if (self.number, self.protocol) != (other.number, other.protocol) {
            return None;
        }
        let how = if (self.host_ip, self.host_port) == (other.host_ip, other.host_port) {
            "duplicate"
        } else if self.host_port == 0 || other.host_port == 0 {
            "overlapping"
        } else if self.host_port == other.host_port
            && self.host_ip.is_empty() != other.host_ip.is_empty()
        {
            "dangerously ambiguous"
        } else {
            return None;
        };
        Some(format!(
            "{}: {how} port definition with {}",
            self.path, other.path
        ))
    }
}

/// Names of ports that are given again: by name, only the first is found.
fn port_names<'v>(pod: &Field<'_, 'v>, found: &mut Vec<String>) {
    let mut names: BTreeMap<&'v str, String> = BTreeMap::new();
    visit(pod, |container| {
        for port in container.get("ports").items() {
            let name = port.get("name").text();
            if name.is_empty() {
                continue;
            }
            match names.get(name) {
                None => {
                    names.insert(name, port.path());
                }
                Some(first) => found.push(format!(
                    "{}: duplicate port name {name:?} with {first}, services and probes that select \
                     ports by name will use {first}",
                    port.path()
                )),
            }
        }
    });
}

fn affinity(pod: &Field<'_, '_>, found: &mut Vec<String>) {
    for kind in ["affinity.podAffinity", "affinity.podAntiAffinity"] {
        let affinity = pod.get(kind);
        for (list, selector) in [
            (
                "requiredDuringSchedulingIgnoredDuringExecution",
                "labelSelector",
            ),
            (
                "preferredDuringSchedulingIgnoredDuringExecution",
                "podAffinityTerm.labelSelector",
            ),
        ] {
            for term in affinity.get(list).items() {
                let selector = term.get(selector);
                if !selector.is_set() {
                    found.push(format!("{}: {NO_POD}", selector.path()));
                }
            }
        }
    }
}

fn addresses(pod: &Field<'_, '_>, found: &mut Vec<String>) {
    for server in pod.get("dnsConfig.nameservers").items() {
        found.extend(ip::warning(&server.path(), server.text()));
    }
    for alias in pod.get("hostAliases").items() {
        let address = alias.get("ip");
        found.extend(ip::warning(&address.path(), address.text()));
    }
}
