//! What Applications say about themselves.

use yaml::{Map, Value};

use super::*;

fn check_delay(backoff: &[(&str, Value)], n_retries: i64, want: &str) {
    let backoff: Map = backoff.iter().cloned().collect();
    let retry = Retry::from_value(Value::Map(Map::from([("backoff", backoff.into())])));
    let delay = retry.expect("a retry").delay(n_retries).expect("durations");
    assert_eq!(delay.to_string(), want);
}

#[test]
fn waits_between_retries_grow_up_to_the_longest() {
    check_delay(&[], 0, "5s");
    check_delay(&[], 1, "10s");
    check_delay(&[], 40, "3m0s");
    check_delay(&[("duration", "2".into()), ("factor", 3.into())], 2, "18s");
    check_delay(
        &[("duration", "1h".into()), ("maxDuration", "0".into())],
        1,
        "2h0m0s",
    );
}

fn application(namespace: &str) -> Application {
    Application {
        metadata: Metadata {
            name: "shop".into(),
            namespace: namespace.into(),
            ..Metadata::default()
        },
        ..Application::default()
    }
}

#[test]
fn the_instance_name_has_the_namespace_outside_of_the_control_namespace() {
    assert_eq!(application("argocd").instance_name("argocd"), "shop");
    assert_eq!(application("team").instance_name("argocd"), "team_shop");
}

#[test]
fn automation_can_be_switched_off_while_its_settings_stay() {
    let mut spec = ApplicationSpec::default();
    assert!(!spec.is_automated());
    let automated = |enabled| SyncPolicy {
        automated: Some(Automated {
            enabled,
            ..Automated::default()
        }),
        ..SyncPolicy::default()
    };
    spec.sync_policy = Some(automated(None));
    assert!(spec.is_automated());
    spec.sync_policy = Some(automated(Some(false)));
    assert!(!spec.is_automated());
}

#[test]
fn the_background_finalizer_wins_over_the_others() {
    let mut app = application("argocd");
    assert_eq!(app.cascade(), Cascade::Orphan);
    app.metadata.finalizers = vec![names::RESOURCES_FINALIZER.into()];
    assert_eq!(app.cascade(), Cascade::Foreground);
    app.metadata
        .finalizers
        .push(names::RESOURCES_FINALIZER_BACKGROUND.into());
    assert_eq!(app.cascade(), Cascade::Background);
}

#[test]
fn members_that_are_not_known_survive_a_round_trip() {
    let policy = Map::from([
        ("automated", Map::new().into()),
        ("manual", Map::new().into()),
        ("later", Value::from(vec![1, 2])),
    ]);
    let value = Value::Map(Map::from([("syncPolicy", policy.into())]));
    let spec = ApplicationSpec::from_value(value.clone()).expect("a spec");
    assert!(spec.is_automated());
    let written = spec.to_value();
    assert_eq!(written.get("syncPolicy"), value.get("syncPolicy"));
}

#[test]
fn an_error_names_the_place() {
    let source = Map::from([("repoURL", Value::from("x")), ("path", Value::from(1))]);
    let spec = Map::from([("sources", Value::List(vec![source.into()]))]);
    let error = Application::from_value(Value::Map(Map::from([("spec", spec.into())])))
        .expect_err("a number is no path");
    assert_eq!(
        error.to_string(),
        "spec.sources[0].path: expected string, found number"
    );
}
