//! What was found goes into the Application: one JSON merge patch of the difference.

use api::{Application, names};
use manifest::patch::merge_patch_between;
use yaml::{Map, Value};

/// The merge patch that takes `before` to `after` in status, operation and finalizers; `None` when nothing differs. Empty members that only Go's structs write make no difference.
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
    if before.metadata.finalizers != after.metadata.finalizers {
        metadata.insert("finalizers", after.metadata.finalizers.clone());
    }
    if !metadata.is_empty() {
        patch.insert("metadata", metadata);
    }
    (!patch.is_empty()).then_some(Value::Map(patch))
}

/// The JSON patch that takes the request for a refresh off an Application, if it is still the one in
/// `before`: its kind, and its time where the asker gives one. `None` when `after` has it still.
pub(crate) fn refresh_done(before: &Application, after: &Application) -> Option<Value> {
    let marks = [names::REFRESH, names::REFRESH_TIMESTAMP];
    before.metadata.annotation(names::REFRESH)?;
    if after.metadata.annotation(names::REFRESH).is_some() {
        return None;
    }
    let operation = |op: &str, mark: &str, value: Option<Value>| {
        let path = format!("/metadata/annotations/{}", mark.replace('/', "~1"));
        let mut operation = Map::from([("op", op.into()), ("path", path.into())]);
        if let Some(value) = value {
            operation.insert("value", value);
        }
        Value::Map(operation)
    };
    let value = |mark: &str| before.metadata.annotation(mark).map(Value::from);
    // A test of null holds where nothing is.
    let tests = marks.map(|mark| operation("test", mark, Some(value(mark).unwrap_or_default())));
    let there = marks.into_iter().filter(|mark| value(mark).is_some());
    let removals = there.map(|mark| operation("remove", mark, None));
    Some(Value::List(tests.into_iter().chain(removals).collect()))
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
    fn an_ended_operation_is_taken_away() {
        check(
            "operation: {sync: {}}",
            "metadata: {name: ''}",
            Some("operation: null"),
        );
    }

    #[test]
    fn a_refresh_is_taken_away_if_it_is_the_same() {
        let check = |annotations: &str, want: Option<&str>| {
            let before = application(&format!("metadata: {{annotations: {annotations}}}"));
            let patch = refresh_done(&before, &application("metadata: {name: ''}"));
            assert_eq!(patch, want.map(|it| yaml::parse_str(it).expect("YAML")));
            assert_eq!(refresh_done(&before, &before), None);
        };
        check("{}", None);
        check(
            "{argocd.argoproj.io/refresh: hard}",
            Some(
                "
- {op: test, path: /metadata/annotations/argocd.argoproj.io~1refresh, value: hard}
- {op: test, path: /metadata/annotations/argocd.argoproj.io~1refresh-timestamp, value: null}
- {op: remove, path: /metadata/annotations/argocd.argoproj.io~1refresh}
",
            ),
        );
        let timed = "{argocd.argoproj.io/refresh: normal, argocd.argoproj.io/refresh-timestamp: t}";
        check(
            timed,
            Some(
                "
- {op: test, path: /metadata/annotations/argocd.argoproj.io~1refresh, value: normal}
- {op: test, path: /metadata/annotations/argocd.argoproj.io~1refresh-timestamp, value: t}
- {op: remove, path: /metadata/annotations/argocd.argoproj.io~1refresh}
- {op: remove, path: /metadata/annotations/argocd.argoproj.io~1refresh-timestamp}
",
            ),
        );
    }
}
