//! Deployments, ReplicaSets, StatefulSets and DaemonSets.

use yaml::Value;

use super::metadata::{has_all, labels};
use super::{Errors, list, not_negative, pod, text};
use crate::status_error::FieldError;

const SELECTOR: &str = "spec.selector";
const LABELS: &str = "spec.template.metadata.labels";
const MISMATCH: &str = "`selector` does not match template `labels`";

fn at(value: &Value, path: &[&str]) -> Value {
    value.at(path).cloned().unwrap_or_default()
}

fn is_empty(selector: &Value) -> bool {
    selector.as_map().is_none_or(|map| {
        map.values()
            .all(|part| part.as_map().is_some_and(yaml::Map::is_empty))
    })
}

/// The selector is there and selects the template's pods.
fn selector(value: &Value, kind: &str, errors: &mut Errors) {
    let selector = at(value, &["spec", "selector"]);
    if selector.is_null() {
        errors.push(FieldError::required(SELECTOR, ""));
    } else if is_empty(&selector) {
        let why = format!("empty selector is invalid for {kind}");
        errors.push(FieldError::invalid(SELECTOR, &selector, &why));
    }
}

fn template(value: &Value, errors: &mut Errors) {
    let selector = at(value, &["spec", "selector"]);
    let own = value.at(&["spec", "template", "metadata", "labels"]);
    if !is_empty(&selector) || selector.is_null() {
        let wanted = selector.get("matchLabels").and_then(Value::as_map);
        let expressions = list(&selector, &["matchExpressions"]);
        let fits = !selector.is_null()
            && has_all(own, wanted)
            && expressions
                .iter()
                .all(|expression| matches(expression, own));
        if !fits {
            let shown = own.cloned().unwrap_or_default();
            errors.push(FieldError::invalid(LABELS, &shown, MISMATCH));
        }
    }
    labels(
        value,
        "spec.template.labels",
        &["spec", "template", "metadata", "labels"],
        errors,
    );
    pod::spec(
        value.at(&["spec", "template", "spec"]),
        "spec.template.spec",
        errors,
    );
    let policy = text(value, &["spec", "template", "spec", "restartPolicy"]);
    if policy != "Always" {
        errors.push(FieldError::not_supported(
            "spec.template.spec.restartPolicy",
            &policy.into(),
            &["Always"],
        ));
    }
    if value
        .at(&["spec", "template", "spec", "activeDeadlineSeconds"])
        .is_some()
    {
        errors.push(FieldError::forbidden(
            "spec.template.spec.activeDeadlineSeconds",
            "activeDeadlineSeconds in ReplicaSet is not Supported",
        ));
    }
}

fn matches(expression: &Value, labels: Option<&Value>) -> bool {
    let value = labels.and_then(|labels| labels.get(text(expression, &["key"])));
    let listed = value.is_some_and(|value| list(expression, &["values"]).contains(value));
    match text(expression, &["operator"]) {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        _ => false,
    }
}

fn same_selector(value: &Value, old: Option<&Value>, errors: &mut Errors) {
    let Some(old) = old else {
        return;
    };
    let selector = at(value, &["spec", "selector"]);
    if selector != at(old, &["spec", "selector"]) {
        errors.push(FieldError::invalid(
            SELECTOR,
            &selector,
            "field is immutable",
        ));
    }
}

pub(super) fn deployment(value: &Value, old: Option<&Value>, errors: &mut Errors) {
    not_negative(value, &["spec", "replicas"], errors);
    selector(value, "deployment", errors);
    template(value, errors);
    let strategy = at(value, &["spec", "strategy"]);
    match text(&strategy, &["type"]) {
        "Recreate" if strategy.get("rollingUpdate").is_some() => {
            errors.push(FieldError::forbidden(
                "spec.strategy.rollingUpdate",
                "may not be specified when strategy `type` is 'Recreate'",
            ));
        }
        "Recreate" => {}
        "RollingUpdate" => rolling(&strategy, errors),
        other => errors.push(FieldError::not_supported(
            "spec.strategy.type",
            &other.into(),
            &["Recreate", "RollingUpdate"],
        )),
    }
    not_negative(value, &["spec", "minReadySeconds"], errors);
    not_negative(value, &["spec", "revisionHistoryLimit"], errors);
    same_selector(value, old, errors);
}

fn rolling(strategy: &Value, errors: &mut Errors) {
    for key in ["maxUnavailable", "maxSurge"] {
        let Some(Value::String(amount)) = strategy.at(&["rollingUpdate", key]) else {
            continue;
        };
        let field = format!("spec.strategy.rollingUpdate.{key}");
        let number = amount
            .strip_suffix('%')
            .and_then(|digits| digits.parse::<u32>().ok());
        match number {
            None => errors.push(FieldError::invalid(
                field,
                &amount.clone().into(),
                "a valid percent string must be a numeric string followed by an ending '%' (e.g. \
                 '1%',  or '93%', regex used for validation is '[0-9]+%')",
            )),
            Some(percent) if percent > 100 && key == "maxUnavailable" => {
                errors.push(FieldError::invalid(
                    field,
                    &amount.clone().into(),
                    "must not be greater than 100%",
                ));
            }
            Some(_) => {}
        }
    }
    let zero = |key: &str| {
        let amount = strategy.at(&["rollingUpdate", key]);
        amount == Some(&Value::Int(0)) || amount.and_then(Value::as_str) == Some("0%")
    };
    if zero("maxUnavailable") && zero("maxSurge") {
        let shown = at(strategy, &["rollingUpdate", "maxUnavailable"]);
        errors.push(FieldError::invalid(
            "spec.strategy.rollingUpdate.maxUnavailable",
            &shown,
            "may not be 0 when `maxSurge` is 0",
        ));
    }
}

pub(super) fn replica_set(value: &Value, old: Option<&Value>, errors: &mut Errors) {
    not_negative(value, &["spec", "replicas"], errors);
    not_negative(value, &["spec", "minReadySeconds"], errors);
    selector(value, "deployment", errors);
    template(value, errors);
    same_selector(value, old, errors);
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

pub(super) fn stateful_set(value: &Value, old: Option<&Value>, errors: &mut Errors) {
    if old.is_none() {
        not_negative(value, &["spec", "replicas"], errors);
    }
    selector(value, "statefulset", errors);
    template(value, errors);
    let Some(old) = old else {
        return;
    };
    let fixed = |object: &Value| {
        let mut spec = at(object, &["spec"]);
        spec.map_at_mut(&[])
            .retain(|key, _| !CHANGEABLE.contains(&key));
        spec
    };
    if fixed(value) != fixed(old) {
        errors.push(FieldError::forbidden(
            "spec",
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', \
             'template', 'updateStrategy', 'revisionHistoryLimit', \
             'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ));
    }
    not_negative(value, &["spec", "replicas"], errors);
}

pub(super) fn daemon_set(value: &Value, old: Option<&Value>, errors: &mut Errors) {
    same_selector(value, old, errors);
    selector(value, "daemonset", errors);
    template(value, errors);
    not_negative(value, &["spec", "minReadySeconds"], errors);
    not_negative(value, &["spec", "revisionHistoryLimit"], errors);
}
