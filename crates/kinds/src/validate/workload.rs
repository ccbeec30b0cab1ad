//! Deployments, ReplicaSets, StatefulSets, DaemonSets, ReplicationControllers.

use yaml::{Map, Value};

use super::amounts::{at_most_all, int_or_percent, number_or_percent};
use super::field::{Field, GoMember};
use super::metadata::{annotations, labels};
use super::{claim, pod, selector};
use crate::{FieldError, names};

const MISMATCH: &str = "`selector` does not match template `labels`";

/// The selector is there, is valid, and selects something.
fn needs_selector(selector: &Field<'_, '_>, kind: &str) {
    if !selector.is_set() {
        return selector.required("");
    }
    selector::check(selector);
    if selector::is_empty(selector) {
        selector.invalid(&format!("empty selector is invalid for {kind}"));
    }
}

/// The selector selects the pods of the template.
fn selects_template(spec: &Field<'_, '_>) {
    let own = spec.get("template");
    let own = own.get("metadata.labels");
    if !selector::selects(&spec.get("selector"), own.value()) {
        own.invalid(MISMATCH);
    }
}

/// Pods that are kept running: they always start again, and have no deadline.
fn runs_forever(spec: &Field<'_, '_>, kind: &str) {
    let pod = spec.get("template");
    let pod = pod.get("spec");
    let policy = pod.get("restartPolicy");
    if policy.text() != "Always" {
        policy.not_supported(&["Always"]);
    }
    let deadline = pod.get("activeDeadlineSeconds");
    if deadline.is_set() {
        deadline.forbidden(&format!("activeDeadlineSeconds in {kind} is not Supported"));
    }
}

/// Selector and template of Deployments and ReplicaSets.
fn replicated(spec: &Field<'_, '_>) {
    let chosen = spec.get("selector");
    needs_selector(&chosen, "deployment");
    if chosen.is_set() && !selector::is_usable(&chosen) {
        return chosen.invalid("invalid label selector");
    }
    if !chosen.is_set() || !selector::is_empty(&chosen) {
        selects_template(spec);
    }
    pod::template(&spec.get("template"));
    runs_forever(spec, "ReplicaSet");
}

pub(super) fn deployment(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    spec.get("replicas").not_negative();
    replicated(&spec);
    deployment_strategy(&spec.get("strategy"));
    let ready = spec.get("minReadySeconds");
    ready.not_negative();
    spec.get("revisionHistoryLimit").not_negative();
    let deadline = spec.get("progressDeadlineSeconds");
    deadline.not_negative();
    let seconds = ready.number().unwrap_or(0);
    if deadline
        .number()
        .is_some_and(|deadline| deadline <= seconds)
    {
        deadline.invalid("must be greater than minReadySeconds");
    }
    selector::immutable(&spec.get("selector"));
}

const UNAVAILABLE: GoMember<'_> = ("MaxUnavailable", "maxUnavailable", "0");
const SURGE: GoMember<'_> = ("MaxSurge", "maxSurge", "0");
const PARTITIONED: [GoMember<'_>; 2] = [
    ("Partition", "partition", "0"),
    ("MaxUnavailable", "maxUnavailable", "null"),
];

/// A strategy of an unknown type, as the server's internal type prints it.
fn printed(strategy: &Field<'_, '_>, members: &[GoMember<'_>]) -> String {
    let kind = crate::quoted(strategy.get("type").text());
    let rolling = strategy.get("rollingUpdate");
    let rolling = if rolling.is_set() {
        rolling.go_struct(members)
    } else {
        "null".to_owned()
    };
    format!("{{\"Type\":{kind},\"RollingUpdate\":{rolling}}}")
}

fn deployment_strategy(strategy: &Field<'_, '_>) {
    let rolling = strategy.get("rollingUpdate");
    match strategy.get("type").text() {
        "Recreate" if rolling.is_set() => {
            rolling.forbidden("may not be specified when strategy `type` is 'Recreate'");
        }
        "Recreate" => {}
        "RollingUpdate" => {
            let (unavailable, surge) = (rolling.get("maxUnavailable"), rolling.get("maxSurge"));
            int_or_percent(&unavailable);
            int_or_percent(&surge);
            if number_or_percent(&unavailable) == 0 && number_or_percent(&surge) == 0 {
                unavailable.invalid("may not be 0 when `maxSurge` is 0");
            }
            at_most_all(&unavailable);
        }
        _ => strategy.tell(|path| {
            let known = ["Recreate", "RollingUpdate"];
            FieldError::not_supported_printed(
                path,
                &printed(strategy, &[UNAVAILABLE, SURGE]),
                &known,
            )
        }),
    }
}

pub(super) fn replica_set(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    spec.get("replicas").not_negative();
    spec.get("minReadySeconds").not_negative();
    replicated(&spec);
    selector::immutable(&spec.get("selector"));
}

pub(super) fn replication_controller(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    spec.get("minReadySeconds").not_negative();
    let pairs = spec.get("selector");
    if pairs.is_empty() {
        pairs.required("");
    }
    spec.get("replicas").not_negative();
    let template = spec.get("template");
    if !template.is_set() {
        return template.required("");
    }
    let own = template.get("metadata.labels");
    let mut wanted = pairs.map().into_iter().flat_map(Map::iter);
    if !wanted.all(|(key, value)| own.key(key).value() == Some(value)) {
        own.invalid(MISMATCH);
    }
    pod::template(&template);
    runs_forever(&spec, "ReplicationController");
}

pub(super) fn pod_template(object: &Field<'_, '_>) {
    let template = object.get("template");
    pod::template(&template);
}

const CHANGEABLE: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

pub(super) fn stateful_set(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    let management = spec.get("podManagementPolicy");
    match management.text() {
        "OrderedReady" | "Parallel" => {}
        "" => management.required(""),
        _ => management.invalid("must be 'OrderedReady' or 'Parallel'"),
    }
    stateful_strategy(&spec.get("updateStrategy"));
    let retention = spec.get("persistentVolumeClaimRetentionPolicy");
    if retention.is_set() {
        retention.get("whenDeleted").one_of(&["Retain", "Delete"]);
        retention.get("whenScaled").one_of(&["Retain", "Delete"]);
    }
    if !object.is_update() {
        for claim in spec.get("volumeClaimTemplates").items() {
            claim::claim_spec(&claim.get("spec"));
        }
    }
    spec.get("replicas").not_negative();
    spec.get("minReadySeconds").not_negative();
    spec.get("ordinals.start").not_negative();
    if !object.is_update() {
        spec.get("serviceName").optional_name(names::label_problems);
    }
    let chosen = spec.get("selector");
    needs_selector(&chosen, "statefulset");
    if chosen.is_set() && !selector::is_usable(&chosen) {
        chosen.invalid("");
    } else {
        if !chosen.is_set() || !selector::is_empty(&chosen) {
            selects_template(&spec);
        }
        stateful_template(&spec);
    }
    runs_forever(&spec, "StatefulSet");
    if object.is_update() {
        stateful_update(&spec);
    }
}

fn stateful_strategy(strategy: &Field<'_, '_>) {
    let rolling = strategy.get("rollingUpdate");
    match strategy.get("type").text() {
        "" => strategy.required(""),
        "OnDelete" if rolling.is_set() => {
            let shown = rolling.go_struct(&PARTITIONED);
            let why = "only allowed for updateStrategy 'RollingUpdate'";
            rolling.tell(|path| FieldError::invalid_printed(path, &shown, why));
        }
        "OnDelete" => {}
        "RollingUpdate" => {
            rolling.get("partition").not_negative();
            let most = rolling.get("maxUnavailable");
            if most.is_set() {
                int_or_percent(&most);
                if number_or_percent(&most) == 0 {
                    most.invalid("cannot be 0");
                }
                at_most_all(&most);
            }
        }
        _ => strategy.tell(|path| {
            let why = "must be 'RollingUpdate' or 'OnDelete'";
            FieldError::invalid_printed(path, &printed(strategy, &PARTITIONED), why)
        }),
    }
}

/// The template's own checks, with the volumes that the claims give.
fn stateful_template(spec: &Field<'_, '_>) {
    let template = spec.get("template");
    let mut seen = template.value().cloned().unwrap_or_default();
    let pod = seen.map_at_mut(&["spec"]);
    pod.remove("subdomain");
    pod.remove("hostname");
    let claims = spec.get("volumeClaimTemplates");
    let mut volumes: Vec<Value> = Vec::new();
    let mut made: Vec<&Value> = Vec::new();
    for name in claims
        .list()
        .iter()
        .filter_map(|claim| claim.at(&["metadata", "name"]))
    {
        let source = Map::from([("claimName", name.clone())]);
        volumes.push(
            Map::from([
                ("name", name.clone()),
                ("persistentVolumeClaim", source.into()),
            ])
            .into(),
        );
        made.push(name);
    }
    let own = pod
        .get("volumes")
        .and_then(Value::as_list)
        .unwrap_or_default();
    volumes.extend(
        own.iter()
            .filter(|volume| volume.get("name").is_none_or(|name| !made.contains(&name)))
            .cloned(),
    );
    if !volumes.is_empty() {
        pod.insert("volumes", volumes);
    }
    template.judged_as(&seen, pod::template);
    let metadata = template.get("metadata");
    let (own, notes) = (metadata.get("labels"), metadata.get("annotations"));
    labels(&own.told_at(&template.get("labels")));
    annotations(&notes.told_at(&template.get("annotations")));
}

fn stateful_update(spec: &Field<'_, '_>) {
    let fixed = |spec: Option<&Value>| {
        let mut spec = spec.cloned().unwrap_or_default();
        spec.map_at_mut(&[])
            .retain(|key, _| !CHANGEABLE.contains(&key));
        spec
    };
    if fixed(spec.value()) != fixed(spec.old()) {
        spec.forbidden(
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', \
             'template', 'updateStrategy', 'revisionHistoryLimit', \
             'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        );
    }
}

pub(super) fn daemon_set(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    let chosen = spec.get("selector");
    chosen.immutable();
    selector::check(&chosen);
    if !chosen.is_set() || (selector::is_usable(&chosen) && !selector::is_empty(&chosen)) {
        selects_template(&spec);
    }
    if chosen.is_set() && selector::is_empty(&chosen) {
        chosen.invalid("empty selector is invalid for daemonset");
    }
    pod::template(&spec.get("template"));
    runs_forever(&spec, "DaemonSet");
    spec.get("minReadySeconds").not_negative();
    daemon_strategy(&spec.get("updateStrategy"));
    spec.get("revisionHistoryLimit").not_negative();
}

fn daemon_strategy(strategy: &Field<'_, '_>) {
    match strategy.get("type").text() {
        "OnDelete" => {}
        "RollingUpdate" => {
            let rolling = strategy.get("rollingUpdate");
            let (unavailable, surge) = (rolling.get("maxUnavailable"), rolling.get("maxSurge"));
            for check in [int_or_percent, at_most_all] {
                check(&unavailable);
                check(&surge);
            }
            match (
                number_or_percent(&unavailable) != 0,
                number_or_percent(&surge) != 0,
            ) {
                (true, true) => surge.invalid("may not be set when maxUnavailable is non-zero"),
                (false, false) => unavailable.required("cannot be 0 when maxSurge is 0"),
                _ => {}
            }
        }
        _ => strategy.tell(|path| {
            let known = ["RollingUpdate", "OnDelete"];
            FieldError::not_supported_printed(
                path,
                &printed(strategy, &[UNAVAILABLE, SURGE]),
                &known,
            )
        }),
    }
}

pub(super) fn controller_revision(object: &Field<'_, '_>) {
    object.get("revision").not_negative();
    let data = object.get("data");
    data.immutable();
    match data.value() {
        _ if object.is_update() => {}
        None => data.required("data is mandatory"),
        Some(Value::Map(_)) => {}
        Some(_) => data.required("data must be a valid JSON object"),
    }
}
