//! Pods, and the specs of pods in templates.

mod container;
mod environment;
mod handler;
mod paths;
pub(super) mod placement;
mod resize;
mod security;
mod status;
mod update;
pub(super) mod volume;
pub(super) mod warnings;

use yaml::Value;

use super::amounts;
use super::field::Field;
use super::metadata::{annotations, labels};
use crate::{FieldError, names};

const MIRROR: &str = "kubernetes.io/config.mirror";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
/// Limits on what a pod may say about DNS.
const NAMESERVERS: usize = 3;
const SEARCHES: usize = 32;
const SEARCH_LETTERS: usize = 2048;
/// A host name that overrides the own one.
const HOSTNAME: usize = 64;

pub(super) fn pod(object: &Field<'_, '_>) {
    whole(object);
    let pod = object.get("spec");
    container::images(&pod);
    if object.is_update() {
        update::check(object, &pod);
        return;
    }
    let ephemeral = pod.get("ephemeralContainers");
    if ephemeral.is_set() {
        ephemeral.forbidden("cannot be set on create");
    }
    let node = pod.get("nodeName");
    if !node.is_empty() && !pod.get("schedulingGates").is_empty() {
        node.forbidden("cannot be set until all schedulingGates have been cleared");
    }
}

pub(super) use resize::{ephemeral_containers, resize};
pub(super) use status::status;

/// What is wrong with a binding of a pod to a node.
#[must_use]
pub fn binding_problems(binding: &Value) -> Vec<FieldError> {
    let text = |key: &str| binding.at(&["target", key]).and_then(Value::as_str);
    let mut problems = Vec::new();
    if let Some(kind) = text("kind").filter(|kind| !matches!(*kind, "" | "Node")) {
        let known = ["Node", "<empty>"];
        problems.push(FieldError::not_supported(
            "target.kind",
            &kind.into(),
            &known,
        ));
    }
    if text("name").is_none_or(str::is_empty) {
        problems.push(FieldError::required("target.name", ""));
    }
    problems
}

/// What holds for the metadata and the spec of a pod, whichever part of it is written.
fn whole(object: &Field<'_, '_>) {
    let (metadata, pod) = (object.get("metadata"), object.get("spec"));
    own_annotations(&metadata.get("annotations"), &pod);
    spec(&pod, metadata.get("name").text());
}

/// The template of pods: its metadata and their spec.
pub(super) fn template(template: &Field<'_, '_>) {
    let metadata = template.get("metadata");
    labels(&metadata.get("labels").told_at(&template.get("labels")));
    let notes = template.get("annotations");
    let own = metadata.get("annotations").told_at(&notes);
    annotations(&own);
    let pod = template.get("spec");
    own_annotations(&own, &pod);
    spec(&pod, "");
    let ephemeral = pod.get("ephemeralContainers");
    if ephemeral.is_set() {
        ephemeral.forbidden("ephemeral containers not allowed in pod template");
    }
}

/// Annotations that mean something to pods.
pub(super) fn own_annotations(annotations: &Field<'_, '_>, pod: &Field<'_, '_>) {
    let mirror = annotations.key(MIRROR);
    if mirror.is_set() && pod.get("nodeName").is_empty() {
        mirror.invalid("must set spec.nodeName if mirror pod annotation is set");
    }
    let cost = annotations.key(DELETION_COST);
    let text = cost.text();
    let canonical =
        !text.starts_with('+') && (text == "0" || !text.trim_start_matches('-').starts_with('0'));
    if cost.is_set() && (text.parse::<i32>().is_err() || !canonical) {
        cost.invalid("must be a 32bit integer");
    }
}

/// What all containers of a pod share.
struct Pod<'a> {
    /// Names and sources of the volumes that are fine.
    volumes: Vec<(&'a str, &'a str)>,
    /// Names of the resource claims.
    claims: Vec<&'a str>,
    grace: Option<i64>,
    restart: &'a str,
    host_users: bool,
}

/// The spec of a pod, which is called `name` where it has a name.
pub(super) fn spec(pod: &Field<'_, '_>, name: &str) {
    let users = pod.get("hostUsers");
    let claims = pod.get("resourceClaims");
    let shared = Pod {
        volumes: volume::volumes(&pod.get("volumes"), name),
        claims: resource_claims(&claims),
        grace: pod.get("terminationGracePeriodSeconds").number(),
        restart: pod.get("restartPolicy").text(),
        host_users: !users.is_set() || users.is_true(),
    };
    container::all(pod, &shared);
    let resources = pod.get("resources");
    if resources.is_set() {
        amounts::pod_resources(&resources, &shared.claims);
        amounts::fit_containers(&resources, &pod.get("containers"));
    }
    host_network(pod);
    pod.get("restartPolicy")
        .require_one_of(&["Always", "OnFailure", "Never"]);
    pod.get("dnsPolicy").require_one_of(&[
        "ClusterFirstWithHostNet",
        "ClusterFirst",
        "Default",
        "None",
    ]);
    labels(&pod.get("nodeSelector"));
    security::of_pod(pod);
    placement::affinity(&pod.get("affinity"));
    dns(pod);
    for gate in pod.get("readinessGates").items() {
        gate.get("conditionType")
            .problems(names::qualified_name_problems);
    }
    placement::gates(&pod.get("schedulingGates"));
    placement::spread(&pod.get("topologySpreadConstraints"));
    security::host_users(pod, &shared);
    host_name(pod);
    identity(pod);
    file_references(pod, &shared);
}

/// The plain members: names and numbers.
fn identity(pod: &Field<'_, '_>) {
    pod.get("serviceAccountName")
        .optional_name(names::subdomain_problems);
    pod.get("nodeName").optional_name(names::subdomain_problems);
    pod.get("activeDeadlineSeconds")
        .within(1, i64::from(i32::MAX));
    pod.get("hostname").optional_name(names::label_problems);
    pod.get("subdomain").optional_name(names::label_problems);
    placement::tolerations(&pod.get("tolerations"));
    let aliases = pod.get("hostAliases");
    for alias in aliases.items() {
        alias.get("ip").problems(names::address_problems);
        for host in alias.get("hostnames").items() {
            host.problems(names::subdomain_problems);
        }
    }
    pod.get("priorityClassName")
        .optional_name(names::subdomain_problems);
    let runtime = pod.get("runtimeClassName");
    if runtime.is_set() {
        runtime.problems(names::subdomain_problems);
    }
    let preemption = pod.get("preemptionPolicy");
    if preemption.is_set() {
        preemption.require_one_of(&["PreemptLowerPriority", "Never"]);
    }
    let overhead = pod.get("overhead");
    amounts::overhead(&overhead);
    let os = pod.get("os");
    let os_name = os.get("name");
    if os.is_set() && os_name.require() && !matches!(os_name.text(), "linux" | "windows") {
        os_name.told_at(&os).not_supported(&["linux", "windows"]);
    }
    security::of_system(pod, os_name.text());
}

fn resource_claims<'v>(claims: &Field<'_, 'v>) -> Vec<&'v str> {
    let mut seen = Vec::new();
    for claim in claims.items() {
        let name = claim.get("name");
        if name.require() {
            if !seen.contains(&name.text()) {
                name.problems(names::label_problems);
            }
            name.unique(&mut seen);
        }
        let (by_name, by_template) = (
            claim.get("resourceClaimName"),
            claim.get("resourceClaimTemplateName"),
        );
        // Printed as the server's internal type, which has no JSON names.
        let shown = yaml::Map::from([
            ("Name", name.text().into()),
            (
                "ResourceClaimName",
                by_name.value().cloned().unwrap_or_default(),
            ),
            (
                "ResourceClaimTemplateName",
                by_template.value().cloned().unwrap_or_default(),
            ),
        ]);
        match (by_name.is_set(), by_template.is_set()) {
            (true, true) => claim.invalid_as(
                &shown.into(),
                "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be \
                 specified",
            ),
            (false, false) => claim.invalid_as(
                &shown.into(),
                "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
            ),
            _ => {}
        }
        for reference in [by_name, by_template] {
            if reference.is_set() {
                reference.problems(names::subdomain_problems);
            }
        }
    }
    seen
}

/// On the network of the host, ports of containers are ports of the host.
fn host_network(pod: &Field<'_, '_>) {
    if !pod.get("hostNetwork").is_true() {
        return;
    }
    for container in pod.get("containers").items() {
        for port in container.get("ports").items() {
            let host = port.get("hostPort");
            let number = host.number().unwrap_or(0);
            if number != 0 && Some(number) != port.get("containerPort").number() {
                host.invalid("must match `containerPort` when `hostNetwork` is true");
            }
        }
    }
}

fn dns(pod: &Field<'_, '_>) {
    let config = pod.get("dnsConfig");
    let servers = config.get("nameservers");
    if pod.get("dnsPolicy").text() == "None" {
        if !config.is_set() {
            return config.required("must provide `dnsConfig` when `dnsPolicy` is None");
        }
        if servers.is_empty() {
            return servers
                .required("must provide at least one DNS nameserver when `dnsPolicy` is None");
        }
    }
    if servers.list().len() > NAMESERVERS {
        servers.invalid(&format!(
            "must not have more than {NAMESERVERS} nameservers"
        ));
    }
    for server in servers.items() {
        server.problems(names::address_problems);
    }
    let searches = config.get("searches");
    if searches.list().len() > SEARCHES {
        searches.invalid(&format!("must not have more than {SEARCHES} search paths"));
    }
    let letters: usize = searches.items().map(|search| search.text().len() + 1).sum();
    if letters > SEARCH_LETTERS + 1 {
        searches.invalid(&format!(
            "must not have more than {SEARCH_LETTERS} characters (including spaces) in the search \
             list"
        ));
    }
    for search in searches.items().filter(|search| search.text() != ".") {
        let name = search.text().strip_suffix('.').unwrap_or(search.text());
        for problem in names::underscored_subdomain_problems(name) {
            search.invalid_as(&name.into(), &problem);
        }
    }
    for option in config.get("options").items() {
        if option.get("name").is_empty() {
            option.required("must not be empty");
        }
    }
}

fn host_name(pod: &Field<'_, '_>) {
    let name = pod.get("hostnameOverride");
    if !name.is_set() {
        return;
    }
    for (other, words) in [
        ("setHostnameAsFQDN", "setHostnameAsFQDN"),
        ("hostNetwork", "hostNetwork"),
    ] {
        if pod.get(other).is_true() {
            name.forbidden(&format!("may not be specified when {words} is true"));
        }
    }
    if name.text().len() > HOSTNAME {
        name.too_long(HOSTNAME);
    }
    name.problems(names::subdomain_problems);
}

/// Files that give environment variables are in volumes of the pod.
fn file_references(pod: &Field<'_, '_>, shared: &Pod<'_>) {
    let has = |name: &str, wanted: Option<&str>| {
        let mut volumes = shared.volumes.iter();
        volumes.any(|(known, source)| *known == name && wanted.is_none_or(|kind| kind == *source))
    };
    container::visit(pod, |container| {
        for variable in container.get("env").items() {
            let source = variable.get("valueFrom");
            let file = source.get("fileKeyRef");
            let volume = file.get("volumeName");
            if !file.is_set() {
                continue;
            }
            if !has(volume.text(), None) {
                volume.not_found();
            } else if !has(volume.text(), Some("emptyDir")) {
                volume.invalid("referenced volume must be of type emptyDir");
            }
        }
    });
}

/// Tells a duplicate with a text that is not what stands there.
fn duplicate_as(field: &Field<'_, '_>, shown: &str) {
    let shown: Value = shown.into();
    field.tell(|path| FieldError::duplicate(path, &shown));
}
