//! Deployments, ReplicaSets, StatefulSets and DaemonSets.

use yaml::{Map, Value};

use super::field::Field;
use super::metadata::labels;
use super::pod;

const MISMATCH: &str = "`selector` does not match template `labels`";

fn is_empty(selector: &Field<'_, '_>) -> bool {
    selector.get("matchLabels").is_empty() && selector.get("matchExpressions").is_empty()
}

/// The selector is there and selects something.
fn selector(selector: &Field<'_, '_>, kind: &str) {
    if !selector.is_set() {
        selector.required("");
    } else if is_empty(selector) {
        selector.invalid(&format!("empty selector is invalid for {kind}"));
    }
}

/// The template is valid and its pods are selected.
fn template(spec: &Field<'_, '_>) {
    let selector = spec.get("selector");
    let template = spec.get("template");
    let own = template.get("metadata.labels");
    if (!is_empty(&selector) || !selector.is_set()) && !selects(&selector, own.value()) {
        own.invalid(MISMATCH);
    }
    labels(
        &template
            .get("metadata.labels")
            .under("spec.template.labels"),
    );
    let pod = template.get("spec");
    pod::spec(&pod);
    let policy = pod.get("restartPolicy");
    if policy.text() != "Always" {
        policy.not_supported(&["Always"]);
    }
    let deadline = pod.get("activeDeadlineSeconds");
    if deadline.is_set() {
        deadline.forbidden("activeDeadlineSeconds in ReplicaSet is not Supported");
    }
}

fn selects(selector: &Field<'_, '_>, labels: Option<&Value>) -> bool {
    let label = |key: &str| labels.and_then(|labels| labels.get(key));
    let pairs = selector.get("matchLabels").map();
    let expressions = selector.get("matchExpressions");
    selector.is_set()
        && pairs
            .into_iter()
            .flat_map(Map::iter)
            .all(|(key, value)| label(key) == Some(value))
        && expressions.items().all(|expression| {
            let value = label(expression.get("key").text());
            let listed = value.is_some_and(|value| expression.get("values").list().contains(value));
            match expression.get("operator").text() {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        })
}

pub(super) fn deployment(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    spec.get("replicas").not_negative();
    selector(&spec.get("selector"), "deployment");
    template(&spec);
    let strategy = spec.get("strategy");
    let (kind, parameters) = (strategy.get("type"), strategy.get("rollingUpdate"));
    match kind.text() {
        "Recreate" if parameters.is_set() => {
            parameters.forbidden("may not be specified when strategy `type` is 'Recreate'");
        }
        "Recreate" => {}
        "RollingUpdate" => rolling(&parameters),
        _ => kind.not_supported(&["Recreate", "RollingUpdate"]),
    }
    spec.get("minReadySeconds").not_negative();
    spec.get("revisionHistoryLimit").not_negative();
    spec.get("selector").immutable();
}

fn rolling(parameters: &Field<'_, '_>) {
    for key in ["maxUnavailable", "maxSurge"] {
        let amount = parameters.get(key);
        let Some(Value::String(text)) = amount.value() else {
            continue;
        };
        let percent = text
            .strip_suffix('%')
            .and_then(|digits| digits.parse::<u32>().ok());
        match percent {
            None => amount.invalid(
                "a valid percent string must be a numeric string followed by an ending '%' (e.g. \
                 '1%',  or '93%', regex used for validation is '[0-9]+%')",
            ),
            Some(percent) if percent > 100 && key == "maxUnavailable" => {
                amount.invalid("must not be greater than 100%");
            }
            Some(_) => {}
        }
    }
    let (unavailable, surge) = (parameters.get("maxUnavailable"), parameters.get("maxSurge"));
    let zero = |amount: &Field<'_, '_>| amount.number() == Some(0) || amount.text() == "0%";
    if zero(&unavailable) && zero(&surge) {
        unavailable.invalid("may not be 0 when `maxSurge` is 0");
    }
}

pub(super) fn replica_set(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    spec.get("replicas").not_negative();
    spec.get("minReadySeconds").not_negative();
    selector(&spec.get("selector"), "deployment");
    template(&spec);
    spec.get("selector").immutable();
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
    if !object.is_update() {
        spec.get("replicas").not_negative();
    }
    selector(&spec.get("selector"), "statefulset");
    template(&spec);
    if !object.is_update() {
        return;
    }
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
    spec.get("replicas").not_negative();
}

pub(super) fn daemon_set(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    spec.get("selector").immutable();
    selector(&spec.get("selector"), "daemonset");
    template(&spec);
    spec.get("minReadySeconds").not_negative();
    spec.get("revisionHistoryLimit").not_negative();
}
