//! Autoscalers: `v1` knows one metric, the use of CPU; annotations carry the others, the behavior and
//! the conditions.

use yaml::{Map, Value, json};

use crate::defaults;

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
const CURRENT: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";

/// The annotations that belong to the conversion.
const OURS: [&str; 6] = [
    METRICS,
    BEHAVIOR,
    CURRENT,
    CONDITIONS,
    "autoscaling.alpha.kubernetes.io/scale-down-tolerance",
    "autoscaling.alpha.kubernetes.io/scale-up-tolerance",
];

/// A member of a metric's source: its name in the annotations, its path in `v2`, and what stands
/// there when `v2` has nothing.
type Member = (&'static str, &'static [&'static str], Option<&'static str>);

/// The sources of a metric.
const SOURCES: [(&str, &[Member]); 5] = [
    (
        "object",
        &[
            ("target", &["describedObject"], None),
            ("metricName", &["metric", "name"], Some("")),
            ("targetValue", &["target", "value"], Some("0")),
            ("selector", &["metric", "selector"], None),
            ("averageValue", &["target", "averageValue"], None),
        ],
    ),
    (
        "pods",
        &[
            ("metricName", &["metric", "name"], Some("")),
            ("targetAverageValue", &["target", "averageValue"], Some("0")),
            ("selector", &["metric", "selector"], None),
        ],
    ),
    ("resource", RESOURCE),
    ("containerResource", RESOURCE),
    (
        "external",
        &[
            ("metricName", &["metric", "name"], Some("")),
            ("metricSelector", &["metric", "selector"], None),
            ("targetValue", &["target", "value"], None),
            ("targetAverageValue", &["target", "averageValue"], None),
        ],
    ),
];

const RESOURCE: &[Member] = &[
    ("name", &["name"], Some("")),
    (
        "targetAverageUtilization",
        &["target", "averageUtilization"],
        None,
    ),
    ("targetAverageValue", &["target", "averageValue"], None),
    ("container", &["container"], None),
];

/// The sources of a metric in the status.
const CURRENT_SOURCES: [(&str, &[Member]); 5] = [
    (
        "object",
        &[
            ("target", &["describedObject"], None),
            ("metricName", &["metric", "name"], Some("")),
            ("currentValue", &["current", "value"], Some("0")),
            ("selector", &["metric", "selector"], None),
            ("averageValue", &["current", "averageValue"], None),
        ],
    ),
    (
        "pods",
        &[
            ("metricName", &["metric", "name"], Some("")),
            (
                "currentAverageValue",
                &["current", "averageValue"],
                Some("0"),
            ),
            ("selector", &["metric", "selector"], None),
        ],
    ),
    ("resource", CURRENT_RESOURCE),
    ("containerResource", CURRENT_RESOURCE),
    (
        "external",
        &[
            ("metricName", &["metric", "name"], Some("")),
            ("metricSelector", &["metric", "selector"], None),
            ("currentValue", &["current", "value"], Some("0")),
            ("currentAverageValue", &["current", "averageValue"], None),
        ],
    ),
];

const CURRENT_RESOURCE: &[Member] = &[
    ("name", &["name"], Some("")),
    (
        "currentAverageUtilization",
        &["current", "averageUtilization"],
        None,
    ),
    (
        "currentAverageValue",
        &["current", "averageValue"],
        Some("0"),
    ),
    ("container", &["container"], None),
];

/// The members of the annotations in the order in which Go's structs write them; one order serves
/// all of these structs.
const ORDER: [&str; 39] = [
    "type",
    "status",
    "lastTransitionTime",
    "reason",
    "message",
    "object",
    "pods",
    "resource",
    "containerResource",
    "external",
    "target",
    "kind",
    "name",
    "apiVersion",
    "metricName",
    "metricSelector",
    "targetValue",
    "currentValue",
    "targetAverageUtilization",
    "currentAverageUtilization",
    "targetAverageValue",
    "currentAverageValue",
    "selector",
    "averageValue",
    "container",
    "matchLabels",
    "matchExpressions",
    "key",
    "operator",
    "values",
    "ScaleUp",
    "ScaleDown",
    "StabilizationWindowSeconds",
    "SelectPolicy",
    "Policies",
    "Tolerance",
    "Type",
    "Value",
    "PeriodSeconds",
];

pub(super) fn to_v1(object: &mut Value) {
    let mut notes: Vec<(&str, String)> = Vec::new();
    let spec = object.map_at_mut(&["spec"]);
    let metrics = take_list(spec, "metrics");
    if let Some(share) = metrics.iter().find_map(cpu_share) {
        spec.insert("targetCPUUtilizationPercentage", share.clone());
    }
    let others: Vec<Value> = metrics
        .iter()
        .filter(|metric| cpu_share(metric).is_none())
        .map(|metric| flat(metric, &SOURCES))
        .collect();
    if !others.is_empty() {
        notes.push((METRICS, ordered(&others.into())));
    }
    if let Some(behavior) = spec.remove("behavior") {
        notes.push((BEHAVIOR, ordered(&go_behavior(&behavior))));
    }
    let status = object.map_at_mut(&["status"]);
    let current = take_list(status, "currentMetrics");
    status.remove("currentMetrics");
    if let Some(share) = current.iter().rev().find_map(current_cpu_share) {
        status.insert("currentCPUUtilizationPercentage", share.clone());
    }
    status.entry_or_insert("currentReplicas", 0.into());
    status.entry_or_insert("desiredReplicas", 0.into());
    let conditions = take_list(status, "conditions");
    if !current.is_empty() {
        let current: Vec<Value> = (current.iter())
            .map(|metric| flat(metric, &CURRENT_SOURCES))
            .collect();
        notes.push((CURRENT, ordered(&current.into())));
    }
    if !conditions.is_empty() {
        notes.push((CONDITIONS, ordered(&conditions.into())));
    }
    drop_notes(object);
    for (name, text) in notes {
        object
            .map_at_mut(&["metadata", "annotations"])
            .insert(name, text);
    }
}

pub(super) fn to_v2(object: &mut Value) {
    let note = |name: &str| {
        let text = object.at(&["metadata", "annotations", name])?.as_str()?;
        json::parse_str(text).ok()
    };
    let list = |name: &str, sources: &[(&str, &[Member])]| -> Option<Vec<Value>> {
        let Some(Value::List(metrics)) = note(name) else {
            return None;
        };
        Some(metrics.iter().map(|metric| deep(metric, sources)).collect())
    };
    let others = list(METRICS, &SOURCES);
    let current = list(CURRENT, &CURRENT_SOURCES);
    let behavior = note(BEHAVIOR).map(|behavior| lower_keys(&behavior));
    let conditions = note(CONDITIONS).filter(|conditions| conditions.as_list().is_some());
    drop_notes(object);
    let spec = object.map_at_mut(&["spec"]);
    let mut metrics = others.unwrap_or_default();
    if let Some(share) = spec.remove("targetCPUUtilizationPercentage") {
        metrics.push(defaults::cpu_metric(share));
    }
    if metrics.is_empty() {
        metrics.push(defaults::cpu_metric(defaults::CPU_SHARE.into()));
    }
    spec.insert("metrics", metrics);
    if let Some(behavior) = behavior.filter(|behavior| behavior.as_map().is_some()) {
        spec.insert("behavior", behavior);
        defaults::scaling_behavior(spec);
    }
    status_to_v2(object.map_at_mut(&["status"]), current, conditions);
}

fn status_to_v2(status: &mut Map, current: Option<Vec<Value>>, conditions: Option<Value>) {
    let share = status.remove("currentCPUUtilizationPercentage");
    let metrics = match (current, share) {
        (Some(current), _) => current.into(),
        (None, Some(share)) => {
            let current = Map::from([("averageUtilization", share)]);
            let resource = Map::from([("name", "cpu".into()), ("current", current.into())]);
            let metric = [("resource", resource.into()), ("type", "Resource".into())];
            vec![Value::Map(Map::from(metric))].into()
        }
        (None, None) => Value::Null,
    };
    status.insert("currentMetrics", metrics);
    if status.get("currentReplicas").and_then(Value::as_i64) == Some(0) {
        status.remove("currentReplicas");
    }
    status.entry_or_insert("desiredReplicas", 0.into());
    if let Some(conditions) = conditions {
        status.insert("conditions", conditions);
    }
}

fn take_list(members: &mut Map, name: &str) -> Vec<Value> {
    match members.remove(name) {
        Some(Value::List(list)) => list,
        _ => Vec::new(),
    }
}

/// The wanted use of CPU, of the one metric that `v1` knows.
fn cpu_share(metric: &Value) -> Option<&Value> {
    is_cpu(metric).then_some(())?;
    metric.at(&["resource", "target", "averageUtilization"])
}

fn current_cpu_share(metric: &Value) -> Option<&Value> {
    is_cpu(metric).then_some(())?;
    metric.at(&["resource", "current", "averageUtilization"])
}

fn is_cpu(metric: &Value) -> bool {
    let text = |path: &[&str]| metric.at(path).and_then(Value::as_str);
    text(&["type"]) == Some("Resource") && text(&["resource", "name"]) == Some("cpu")
}

/// A metric of `v2` as the annotations have it.
fn flat(metric: &Value, sources: &[(&str, &[Member])]) -> Value {
    let mut out = Map::new();
    out.insert(
        "type",
        metric.get("type").cloned().unwrap_or_else(|| "".into()),
    );
    for (name, members) in sources {
        let Some(source) = metric.get(name) else {
            continue;
        };
        let mut flat = Map::new();
        for (member, path, absent) in *members {
            let value = source.at(path).cloned().or_else(|| absent.map(Value::from));
            if let Some(value) = value {
                flat.insert(*member, value);
            }
        }
        out.insert(*name, flat);
    }
    out.into()
}

/// A metric of the annotations as `v2` has it.
fn deep(metric: &Value, sources: &[(&str, &[Member])]) -> Value {
    let mut out = Value::Map(Map::new());
    let map = out.map_at_mut(&[]);
    map.insert(
        "type",
        metric.get("type").cloned().unwrap_or_else(|| "".into()),
    );
    for (name, members) in sources {
        let Some(source) = metric.get(name) else {
            continue;
        };
        let mut deep = Value::Map(Map::new());
        for (member, path, absent) in *members {
            let value = source
                .get(member)
                .cloned()
                .or_else(|| absent.map(Value::from));
            if let (Some(value), Some((last, above))) = (value, path.split_last()) {
                deep.map_at_mut(above).insert(*last, value);
            }
        }
        if let Some(kind) = target_type(name, source) {
            deep.map_at_mut(&["target"]).insert("type", kind);
        }
        map.insert(*name, deep);
    }
    out
}

/// The type of a target, which the annotations do not have; metrics of the status have none.
fn target_type(name: &str, source: &Value) -> Option<&'static str> {
    let is_current = |(key, _): (&yaml::Str, &Value)| key.starts_with("current");
    if source.as_map()?.iter().any(is_current) {
        return None;
    }
    let has = |member: &str| source.get(member).is_some_and(|value| !value.is_null());
    Some(match name {
        "external" if has("targetValue") => "Value",
        "object" if !has("averageValue") => "Value",
        "resource" | "containerResource" if has("targetAverageUtilization") => "Utilization",
        _ => "AverageValue",
    })
}

/// The behavior as Go writes it: its struct has no JSON names.
fn go_behavior(behavior: &Value) -> Value {
    let rules = |name: &str| match behavior.get(name) {
        None => Value::Null,
        Some(rules) => {
            let member = |name: &str| rules.get(name).cloned().unwrap_or_default();
            let policies = rules.get("policies").and_then(Value::as_list);
            let policies = policies.map(|policies| {
                let policies: Vec<Value> = policies.iter().map(go_policy).collect();
                Value::from(policies)
            });
            Value::Map(Map::from([
                (
                    "StabilizationWindowSeconds",
                    member("stabilizationWindowSeconds"),
                ),
                ("SelectPolicy", member("selectPolicy")),
                ("Policies", policies.unwrap_or_default()),
                ("Tolerance", member("tolerance")),
            ]))
        }
    };
    Value::Map(Map::from([
        ("ScaleUp", rules("scaleUp")),
        ("ScaleDown", rules("scaleDown")),
    ]))
}

fn go_policy(policy: &Value) -> Value {
    let member = |name: &str| policy.get(name).cloned().unwrap_or_default();
    Value::Map(Map::from([
        ("Type", member("type")),
        ("Value", member("value")),
        ("PeriodSeconds", member("periodSeconds")),
    ]))
}

/// A tree with the first letter of all keys in lower case, without what is `null`.
fn lower_keys(value: &Value) -> Value {
    match value {
        Value::Map(map) => {
            let mut out = Map::new();
            for (key, value) in map.iter().filter(|(_, value)| !value.is_null()) {
                let mut key = key.to_string();
                if let Some(first) = key.get_mut(..1) {
                    first.make_ascii_lowercase();
                }
                out.insert(key, lower_keys(value));
            }
            out.into()
        }
        Value::List(list) => list.iter().map(lower_keys).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

fn drop_notes(object: &mut Value) {
    let metadata = object.map_at_mut(&["metadata"]);
    let Some(Value::Map(annotations)) = metadata.get_mut("annotations") else {
        return;
    };
    annotations.retain(|name, _| !OURS.contains(&name));
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
}

/// Compact JSON with the members in the order of Go's structs.
fn ordered(value: &Value) -> String {
    let mut out = String::new();
    write_ordered(&mut out, value);
    out
}

fn write_ordered(out: &mut String, value: &Value) {
    match value {
        Value::Map(map) => {
            let rank = |key: &str| ORDER.iter().position(|known| *known == key);
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by_key(|(key, _)| rank(key).unwrap_or(usize::MAX));
            out.push('{');
            for (index, (key, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&json::to_string_html_escaped(&key.clone().into()));
                out.push(':');
                if key.as_str() == "matchLabels" {
                    out.push_str(&json::to_string_html_escaped(value));
                } else {
                    write_ordered(out, value);
                }
            }
            out.push('}');
        }
        Value::List(list) => {
            out.push('[');
            for (index, value) in list.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_ordered(out, value);
            }
            out.push(']');
        }
        other => out.push_str(&json::to_string_html_escaped(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        json::parse_str(text).unwrap()
    }

    #[test]
    fn what_v1_does_not_know_survives_in_annotations() {
        let check = |spec: &str| {
            let mut object = value(&format!(
                r#"{{"metadata":{{"name":"h"}},"spec":{spec},"status":{{"currentMetrics":null,"desiredReplicas":0}}}}"#
            ));
            let before = object.clone();
            to_v1(&mut object);
            assert!(object.at(&["spec", "metrics"]).is_none(), "{object:?}");
            to_v2(&mut object);
            assert_eq!(object, before);
        };
        check(
            r#"{"maxReplicas":3,"metrics":[
            {"type":"External","external":{"metric":{"name":"q"},"target":{"type":"Value","value":"3"}}},
            {"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":7}}}]}"#,
        );
        check(
            r#"{"maxReplicas":3,"metrics":[{"type":"Pods","pods":{"metric":{"name":"q","selector":
            {"matchLabels":{"kind":"a","a":"b"}}},"target":{"type":"AverageValue","averageValue":"3"}}}],
            "behavior":{"scaleUp":{"policies":[{"type":"Pods","value":1,"periodSeconds":2}],"selectPolicy":"Max",
            "stabilizationWindowSeconds":0},"scaleDown":{"policies":[{"type":"Pods","value":1,"periodSeconds":2}],
            "selectPolicy":"Max"}}}"#,
        );
    }

    #[test]
    fn annotations_are_written_in_the_order_of_go() {
        let metric = value(
            r#"{"type":"Object","object":{"describedObject":{"apiVersion":"v1","kind":"Service","name":"s"},
            "metric":{"name":"m"},"target":{"type":"Value","value":"2"}}}"#,
        );
        assert_eq!(
            ordered(&flat(&metric, &SOURCES)),
            r#"{"type":"Object","object":{"target":{"kind":"Service","name":"s","apiVersion":"v1"},"metricName":"m","targetValue":"2"}}"#
        );
    }
}
