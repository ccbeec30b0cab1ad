//! Autoscalers, in the form in which they are stored.

use super::field::Field;
use crate::names;

/// The rules of a `HorizontalPodAutoscaler`.
pub(super) fn autoscaler(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    let (least, most) = (spec.get("minReplicas"), spec.get("maxReplicas"));
    let n_most = most.number().unwrap_or(0);
    // Scaling to zero is behind a feature gate, and kept where it was stored once.
    let bound = least
        .old()
        .and_then(yaml::Value::as_i64)
        .map_or(1, |old| old.min(1));
    if least.number().is_some_and(|number| number < bound) {
        least.invalid(&format!("must be greater than or equal to {bound}"));
    }
    if n_most < 1 {
        most.invalid_as(&n_most.into(), "must be greater than 0");
    }
    if least.number().is_some_and(|number| n_most < number) {
        most.invalid_as(
            &n_most.into(),
            "must be greater than or equal to `minReplicas`",
        );
    }
    reference(&spec.get("scaleTargetRef"), Group::Required);
    let metrics = spec.get("metrics");
    for entry in metrics.items() {
        metric(&entry);
    }
    let from_outside =
        |metric: Field<'_, '_>| matches!(metric.get("type").text(), "Object" | "External");
    if least.number() == Some(0) && !metrics.items().any(from_outside) {
        metrics.forbidden(
            "must specify at least one Object or External metric to support scaling to zero \
             replicas",
        );
    }
    scaling(&spec.get("behavior.scaleUp"));
    scaling(&spec.get("behavior.scaleDown"));
}

/// The status of a `HorizontalPodAutoscaler`.
pub(super) fn autoscaler_status(object: &Field<'_, '_>) {
    object.get("status.currentReplicas").not_negative();
    object.get("status.desiredReplicas").not_negative();
}

/// Whether a reference must name a group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Required,
    Optional,
}

fn reference(reference: &Field<'_, '_>, group: Group) {
    for name in ["kind", "name"] {
        let part = reference.get(name);
        if part.require() {
            part.problems(names::path_segment_problems);
        }
    }
    let version = reference.get("apiVersion");
    if version.is_update() && !version.changed() {
        return;
    }
    let text = version.text();
    if text.matches('/').count() > 1 {
        version.invalid_as(
            &text.into(),
            &format!("unexpected GroupVersion string: {text}"),
        );
    } else if group == Group::Required && matches!(text.split_once('/'), None | Some(("", _))) {
        version.invalid_as(&text.into(), "apiVersion must specify API group");
    }
}

/// The sources of a metric, in the order in which they are looked at; the type is the name with a
/// capital.
const SOURCES: [(&str, &str); 5] = [
    ("Object", "object"),
    ("External", "external"),
    ("Pods", "pods"),
    ("Resource", "resource"),
    ("ContainerResource", "containerResource"),
];

fn metric(metric: &Field<'_, '_>) {
    const KNOWN: [&str; 5] = [
        "ContainerResource",
        "External",
        "Object",
        "Pods",
        "Resource",
    ];
    let kind = metric.get("type");
    if kind.is_empty() {
        kind.required("must specify a metric source type");
    }
    kind.one_of(&KNOWN);
    let present: Vec<&str> = SOURCES
        .iter()
        .map(|(_, member)| *member)
        .filter(|member| metric.get(member).is_set())
        .collect();
    if let Some(first) = present.first() {
        source(first, &metric.get(first));
    }
    let expected = SOURCES.iter().find(|(name, _)| *name == kind.text());
    match expected {
        Some((_, member)) if !present.contains(member) => metric
            .get(member)
            .required("must populate information for the given metric source"),
        Some(_) => {}
        None => kind.one_of(&KNOWN),
    }
    if present.len() != 1 {
        for member in present {
            if expected.is_none_or(|(_, expected)| *expected != member) {
                metric
                    .get(member)
                    .forbidden("must populate the given metric source only");
            }
        }
    }
}

fn source(kind: &str, source: &Field<'_, '_>) {
    let target = source.get("target");
    let (value, average) = (target.get("value"), target.get("averageValue"));
    match kind {
        "object" => {
            reference(&source.get("describedObject"), Group::Optional);
            identifier(&source.get("metric"));
            check_target(&target);
            if !value.is_set() && !average.is_set() {
                average.required("must set either a target value or averageValue");
            }
        }
        "external" => {
            identifier(&source.get("metric"));
            check_target(&target);
            if !value.is_set() && !average.is_set() {
                average.required("must set either a target value for metric or a per-pod target");
            }
            if value.is_set() && average.is_set() {
                value.forbidden("may not set both a target value for metric and a per-pod target");
            }
        }
        "pods" => {
            identifier(&source.get("metric"));
            check_target(&target);
            if !average.is_set() {
                average.required("must specify a positive target averageValue");
            }
        }
        _ => resource(source, &target),
    }
}

fn resource(source: &Field<'_, '_>, target: &Field<'_, '_>) {
    let (name, container) = (source.get("name"), source.get("container"));
    if name.is_empty() {
        name.required("must specify a resource name");
    }
    if source.path().ends_with("containerResource") {
        if !name.is_empty() {
            name.problems(container_resource_problems);
        }
        if container.is_empty() {
            container.required("must specify a container");
        } else {
            container.problems(names::label_problems);
        }
    }
    check_target(target);
    let (share, average) = (target.get("averageUtilization"), target.get("averageValue"));
    if !share.is_set() && !average.is_set() {
        share.required("must set either a target raw value or a target utilization");
    }
    if share.is_set() && average.is_set() {
        average.forbidden("may not set both a target raw value and a target utilization");
    }
}

/// What is wrong with the name of a resource that containers ask for.
fn container_resource_problems(name: &str) -> Vec<String> {
    let problems = names::qualified_name_problems(name);
    let plain = !name.contains('/');
    if !problems.is_empty() {
        problems
    } else if plain
        && !matches!(name, "cpu" | "memory" | "ephemeral-storage")
        && !name.starts_with("hugepages-")
    {
        vec![
            "must be a standard resource type or fully qualified".to_owned(),
            "must be a standard resource for containers".to_owned(),
        ]
    } else {
        problems
    }
}

fn identifier(metric: &Field<'_, '_>) {
    let name = metric.get("name");
    if name.is_empty() {
        name.required("must specify a metric name");
    } else {
        name.problems(names::path_segment_problems);
    }
}

fn check_target(target: &Field<'_, '_>) {
    let kind = target.get("type");
    if kind.is_empty() {
        kind.required("must specify a metric target type");
    }
    if !matches!(kind.text(), "Utilization" | "Value" | "AverageValue") {
        let why = "must be either Utilization, Value, or AverageValue";
        kind.invalid_as(&kind.text().into(), why);
    }
    for name in ["value", "averageValue"] {
        let amount = target.get(name);
        // Quantities are canonical here.
        if amount.text() == "0" || amount.text().starts_with('-') {
            amount.invalid("must be positive");
        }
    }
    let share = target.get("averageUtilization");
    if share.number().is_some_and(|number| number < 1) {
        share.invalid("must be greater than 0");
    }
}

/// A policy looks at most this many seconds back.
const MAX_PERIOD: i64 = 1800;
/// The longest stabilization window in seconds.
const MAX_WINDOW: i64 = 3600;

fn scaling(rules: &Field<'_, '_>) {
    if !rules.is_set() {
        return;
    }
    let window = rules.get("stabilizationWindowSeconds");
    match window.number() {
        Some(..0) => window.invalid("must be greater than or equal to zero"),
        Some(number) if number > MAX_WINDOW => {
            window.invalid(&format!("must be less than or equal to {MAX_WINDOW}"));
        }
        _ => {}
    }
    rules
        .get("selectPolicy")
        .optional_one_of(&["Disabled", "Max", "Min"]);
    let policies = rules.get("policies");
    if policies.is_empty() {
        policies.required("must specify at least one Policy");
    }
    for policy in policies.items() {
        policy.get("type").one_of(&["Percent", "Pods"]);
        for name in ["value", "periodSeconds"] {
            let number = policy.get(name);
            let n = number.number().unwrap_or(0);
            if n <= 0 {
                number.invalid_as(&n.into(), "must be greater than zero");
            }
            if name == "periodSeconds" && n > MAX_PERIOD {
                number.invalid(&format!("must be less than or equal to {MAX_PERIOD}"));
            }
        }
    }
    rules.get("tolerance").not_negative_quantity();
}
