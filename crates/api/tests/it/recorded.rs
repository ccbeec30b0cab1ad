//! Applications and statuses of the recordings survive a round trip: nothing is lost, and what is
//! added is what Go's structs write always.

use api::Application;
use yaml::{Map, Value};

/// Members that are written even when nobody set them.
const ALWAYS: &[&str] = &[
    "status",
    "status.health",
    "status.summary",
    "status.sync",
    "status.sync.status",
    "status.sync.comparedTo",
    "status.sync.comparedTo.source",
    "status.sync.comparedTo.destination",
    "status.history[].source",
    "status.history[].initiatedBy",
    "operation.initiatedBy",
    "operation.retry",
];

#[test]
fn recorded_applications_survive_a_round_trip() {
    let Some(folder) = crate::shared("corpora/argocd-sync") else {
        return;
    };
    let mut n_applications = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|it| it == "json") {
            let text = std::fs::read_to_string(&path).expect("a scenario");
            let scenario: Value = serde_json::from_str(&text).expect("JSON");
            n_applications += check_scenario(&scenario, &path.display().to_string());
        }
    }
    println!("{n_applications} recorded applications read and written");
    assert!(
        n_applications > 500,
        "only {n_applications} applications found"
    );
}

fn check_scenario(scenario: &Value, place: &str) -> usize {
    let mut n_applications = 0;
    let steps = scenario
        .get("steps")
        .and_then(Value::as_list)
        .unwrap_or(&[]);
    for step in steps {
        let recorded = step.at(&["expect", "applications"]).and_then(Value::as_map);
        for (name, recorded) in recorded.into_iter().flat_map(Map::iter) {
            let mut application = Map::new();
            let spec = recorded.get("spec").cloned().unwrap_or_default();
            application.insert("status", filled(recorded.get("status"), &spec));
            application.insert(
                "metadata",
                Map::from([("name", Value::from(name.as_str()))]),
            );
            if !spec.is_null() {
                application.insert("spec", spec);
            }
            check(&Value::Map(application), place);
            n_applications += 1;
        }
        for action in step.get("do").and_then(Value::as_list).unwrap_or(&[]) {
            let object = action.get("create").or_else(|| action.get("apply"));
            if object.and_then(|it| it.get("kind")) == Some(&Value::from("Application")) {
                check(object.expect("it has a kind"), place);
                n_applications += 1;
            }
        }
    }
    n_applications
}

/// The status with a time for every mark of one, and the spec's parts for marks of them.
fn filled(status: Option<&Value>, spec: &Value) -> Value {
    match status {
        None => Value::Null,
        Some(Value::String(text)) => match text.as_str() {
            "<time>" => "2026-01-02T15:04:05Z".into(),
            text => match text
                .strip_prefix("(= spec.")
                .and_then(|it| it.strip_suffix(')'))
            {
                Some(member) => spec.get(member).cloned().unwrap_or_default(),
                None => Value::from(text),
            },
        },
        Some(Value::Map(map)) => Value::Map(
            map.iter()
                .map(|(key, value)| (key.clone(), filled(Some(value), spec)))
                .filter(|(_, value)| !value.is_null())
                .collect(),
        ),
        Some(Value::List(list)) => {
            Value::List(list.iter().map(|item| filled(Some(item), spec)).collect())
        }
        Some(other) => other.clone(),
    }
}

fn check(recorded: &Value, place: &str) {
    let application = Application::from_value(recorded.clone())
        .unwrap_or_else(|error| panic!("{place}: {error}"));
    let through_serde: Application = yaml::from_value(recorded.clone()).expect("the same");
    assert!(
        application == through_serde,
        "{place}: serde reads it differently"
    );
    let mut differences = Vec::new();
    compare(recorded, &application.to_value(), "", &mut differences);
    assert!(differences.is_empty(), "{place}: {differences:#?}");
}

fn compare(recorded: &Value, written: &Value, path: &str, differences: &mut Vec<String>) {
    match (recorded, written) {
        (Value::Map(recorded), Value::Map(written)) => {
            for (key, value) in recorded.iter() {
                let path = join(path, key);
                match written.get(key) {
                    Some(written) => compare(value, written, &path, differences),
                    None if is_empty(value) => {}
                    None => differences.push(format!("{path} is lost: {value:?}")),
                }
            }
            for key in written.keys().filter(|key| !recorded.contains_key(key)) {
                let path = join(path, key);
                let known = path.replace("status.operationState.", "");
                let always = ALWAYS.contains(&path.as_str())
                    || ALWAYS.contains(&known.as_str())
                    || known.starts_with("syncResult.")
                    || path.ends_with("repoURL")
                    || ["metadata", "spec"].contains(&path.as_str())
                    || ["spec.project", "spec.destination"].contains(&path.as_str());
                if !always {
                    differences.push(format!("{path} is new"));
                }
            }
        }
        (Value::List(recorded), Value::List(written)) if recorded.len() == written.len() => {
            for (recorded, written) in recorded.iter().zip(written) {
                compare(recorded, written, &format!("{path}[]"), differences);
            }
        }
        _ if recorded == written => {}
        _ => differences.push(format!("{path}: {recorded:?} became {written:?}")),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// What Go's `omitempty` leaves out.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) | Value::Int(0) => true,
        Value::String(text) => text.is_empty(),
        Value::List(list) => list.is_empty(),
        Value::Map(map) => map.is_empty(),
        _ => false,
    }
}
