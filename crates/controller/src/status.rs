//! What was found goes into the Application: one JSON merge patch of the difference.

use api::Application;
use manifest::patch::merge_patch_between;
use yaml::{Map, Value};

/// The patch that takes `before` to `after` in status, operation, annotations and finalizers;
/// `None` when nothing differs. Empty members that only Go's structs write make no difference.
pub(crate) fn patch(before: &Application, after: &Application) -> Option<Value> {
    let mut patch = Map::new();
    let status = difference(&before.status.to_value(), &after.status.to_value());
    if !status.is_empty() {
        patch.insert("status", status);
    }
    if before.operation != after.operation {
        let operation = after.operation.as_ref().map(|it| it.to_value());
        patch.insert("operation", operation.unwrap_or_default());
    }
    let mut metadata = Map::new();
    let annotations: Map = removed(before, after)
        .map(|key| (key, Value::Null))
        .collect();
    if !annotations.is_empty() {
        metadata.insert("annotations", annotations);
    }
    if before.metadata.finalizers != after.metadata.finalizers {
        metadata.insert("finalizers", after.metadata.finalizers.clone());
    }
    if !metadata.is_empty() {
        patch.insert("metadata", metadata);
    }
    (!patch.is_empty()).then_some(Value::Map(patch))
}

/// Annotations that were taken away; the controller never sets one.
fn removed<'a>(before: &'a Application, after: &'a Application) -> impl Iterator<Item = &'a str> {
    let kept = &after.metadata.annotations;
    before
        .metadata
        .annotations
        .keys()
        .map(String::as_str)
        .filter(|key| !kept.contains_key(*key))
}

fn difference(before: &Value, after: &Value) -> Map {
    match (before, after) {
        (Value::Map(before), Value::Map(after)) => merge_patch_between(before, after),
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(text: &str) -> Application {
        Application::from_value(yaml::parse_str(text).expect("YAML")).expect("an Application")
    }

    fn check(before: &str, after: &str, want: Option<&str>) {
        let patch = patch(&application(before), &application(after));
        assert_eq!(patch, want.map(|it| yaml::parse_str(it).expect("YAML")));
    }

    #[test]
    fn only_what_differs_is_written() {
        check(
            "status: {sync: {status: Synced}}",
            "status: {sync: {status: Synced}}",
            None,
        );
        check(
            "status: {sync: {status: Synced}, health: {status: Degraded, message: m}}",
            "status: {sync: {status: Synced}, health: {status: Healthy}}",
            Some("status: {health: {status: Healthy, message: null}}"),
        );
    }

    #[test]
    fn an_ended_operation_and_a_refresh_are_taken_away() {
        check(
            "operation: {sync: {}}\nmetadata: {annotations: {argocd.argoproj.io/refresh: hard}}",
            "metadata: {name: ''}",
            Some("operation: null\nmetadata: {annotations: {argocd.argoproj.io/refresh: null}}"),
        );
    }
}
