//! The objects in the cluster after a step.

use std::collections::BTreeMap;

use yaml::{Map, Value};

use crate::pattern::{Difference, differences, fits};

/// Kinds of which the recorder shows little, as controllers make them.
const CUT_DOWN: [&str; 2] = ["Pod", "ReplicaSet"];

/// What the server and its controllers set in a `spec`.
const SERVER_SET: [&str; 8] = [
    "clusterIP",
    "clusterIPs",
    "nodePort",
    "healthCheckNodePort",
    "volumeName",
    "nodeName",
    "claimRef",
    "finalizers",
];

/// The label that the server puts on a namespace.
const NAMESPACE_LABEL: &str = "kubernetes.io/metadata.name";

/// Members that say what an object is and where, not how.
const NOT_CONTENT: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];

/// Where found objects are not as recorded. `want` is by `apiVersion/Kind:namespace/name`; `found`
/// are objects as the server has them, by the same.
#[must_use]
pub fn live(want: &BTreeMap<String, Value>, found: &BTreeMap<String, Value>) -> Vec<Difference> {
    let mut left: BTreeMap<&String, &Value> = found.iter().collect();
    let mut all = Vec::new();
    for (key, want) in want {
        let there = left.keys().find(|it| fits(key, it)).copied();
        let path = format!("live/{key}");
        match there.and_then(|it| left.remove(it)) {
            None => all.push(Difference::text(&path, "is not there")),
            Some(object) => all.extend(compare(&path, want, object)),
        }
    }
    // Several pods of one ReplicaSet are one recorded key.
    let is_extra = |key: &&&String| !want.keys().any(|it| fits(it, key));
    all.extend(left.keys().filter(is_extra).map(|key| {
        let path = format!("live/{key}");
        Difference::text(&path, "should not be there")
    }));
    all
}

fn compare(path: &str, want: &Value, found: &Value) -> Vec<Difference> {
    let kind = found
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if CUT_DOWN.contains(&kind) {
        let phase = found.at(&["status", "phase"]).cloned().unwrap_or_default();
        let wanted = want.get("phase").cloned().unwrap_or(Value::Null);
        let place = format!("{path}/phase");
        if wanted.is_null() {
            return Vec::new();
        }
        return differences(&place, &wanted, &phase);
    }
    let mut all = Vec::new();
    for member in ["labels", "annotations"] {
        let at = |object: &Value| map_at(object, &["metadata", member]);
        let place = format!("{path}/metadata/{member}");
        all.extend(differences(&place, &at(want), &at(found)));
    }
    let nothing = Map::new();
    let wanted = want.as_map().unwrap_or(&nothing);
    let there = found.as_map().unwrap_or(&nothing);
    let content = wanted.keys().filter(|key| {
        !NOT_CONTENT.contains(&key.as_str()) && !["managers", "phase"].contains(&key.as_str())
    });
    for key in content {
        let at = |map: &Map| without_server_set(map.get(key.as_str()).unwrap_or(&Value::Null));
        all.extend(differences(
            &format!("{path}/{key}"),
            &at(wanted),
            &at(there),
        ));
    }
    all
}

fn map_at(object: &Value, path: &[&str]) -> Value {
    let map = object.at(path).and_then(Value::as_map).cloned();
    let mut map = map.unwrap_or_default();
    map.remove(NAMESPACE_LABEL);
    Value::Map(map)
}

fn without_server_set(value: &Value) -> Value {
    match value {
        Value::Map(map) => map
            .iter()
            .filter(|(key, value)| !SERVER_SET.contains(&key.as_str()) && !value.is_null())
            .map(|(key, value)| (key.clone(), without_server_set(value)))
            .collect::<Map>()
            .into(),
        Value::List(list) => Value::List(list.iter().map(without_server_set).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(want: &str, found: &str, paths: &[&str]) {
        let parse = |text: &str| -> BTreeMap<String, Value> {
            let value = yaml::parse_str(text).expect("YAML");
            let members = value.as_map().expect("a map").iter();
            members
                .map(|(key, value)| (key.to_string(), value.clone()))
                .collect()
        };
        let differences = live(&parse(want), &parse(found));
        let places: Vec<&str> = differences.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(places, paths);
    }

    #[test]
    fn objects_are_compared_without_what_the_server_sets() {
        check(
            "v1/Service:n/s: {metadata: {}, managers: [a], spec: {type: ClusterIP}}",
            "v1/Service:n/s: {kind: Service, metadata: {uid: u}, spec: {type: ClusterIP, clusterIP: x}}",
            &[],
        );
        check(
            "{v1/Pod:n/d-<rs>: {phase: Running}, v1/ConfigMap:n/a: {data: {k: v}}}",
            "{v1/Pod:n/d-5: {kind: Pod, status: {phase: Pending}}, v1/Secret:n/b: {}, v1/ConfigMap:n/a: {data: {k: w}}}",
            &[
                "live/v1/ConfigMap:n/a/data/k",
                "live/v1/Pod:n/d-<rs>/phase",
                "live/v1/Secret:n/b",
            ],
        );
    }
}
