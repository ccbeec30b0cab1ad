//! What a user gets wrong: a condition says what and where, and nothing is pruned.

use api::{Application, SyncCode, reason};

use crate::world::config_map;
use crate::{World, application};

const AUTOMATED: &str = "{automated: {prune: true, selfHeal: true}}";

fn condition<'a>(app: &'a Application, kind: &str) -> Option<&'a str> {
    let found = app
        .status
        .conditions
        .iter()
        .find(|it| it.condition_type == kind);
    found.map(|it| it.message.as_str())
}

/// Creates an Application and waits for its condition.
async fn check(world: &World, text: &str, kind: &str, want: &str) {
    world.create(text).await;
    let app = world
        .until("demo", "told what is wrong", |app| {
            condition(app, kind).is_some()
        })
        .await;
    assert_eq!(condition(&app, kind), Some(want));
    assert_eq!(app.status.sync.status, SyncCode::Unknown);
    world
        .delete("argoproj.io/v1alpha1", "Application", "demo")
        .await;
}

#[tokio::test]
async fn a_spec_that_cannot_be_met_has_a_condition() {
    let world = World::start().await;
    world.put("app/a.yaml", Some(&config_map("a", "1")));
    let app = application("demo", "app", AUTOMATED);
    let invalid = reason::INVALID_SPEC_ERROR;
    check(
        &world,
        &app.replace("project: default", "project: nowhere"),
        invalid,
        "Application referencing project nowhere which does not exist",
    )
    .await;
    check(
        &world,
        &app.replace("server: https://kubernetes.default.svc", "name: nowhere"),
        invalid,
        "there are no clusters with this name: nowhere",
    )
    .await;
    check(
        &world,
        &app.replace("path: app", "path: nowhere"),
        reason::COMPARISON_ERROR,
        "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc = nowhere: app path does not exist",
    )
    .await;
}

#[tokio::test]
async fn what_runs_keeps_running_while_its_path_is_missing() {
    let world = World::start().await;
    world.put("app/a.yaml", Some(&config_map("a", "1")));
    world.create(&application("demo", "app", AUTOMATED)).await;
    world.until_synced("demo").await;
    world.commit("app/a.yaml", None);
    std::fs::remove_dir(world.folder().join("app")).expect("it is empty");
    world.refresh("demo").await;
    let is_told = |app: &Application| condition(app, reason::COMPARISON_ERROR).is_some();
    let app = world.until("demo", "told what is wrong", is_told).await;
    assert_eq!(app.status.resources[0].status, SyncCode::Unknown);
    assert_eq!(world.value("a").await.as_deref(), Some("1"));
    world.commit("app/a.yaml", Some(&config_map("a", "2")));
    world.until_value("a", Some("2")).await;
    let app = world.until_synced("demo").await;
    assert!(
        app.status.conditions.is_empty(),
        "{:?}",
        app.status.conditions
    );
}

#[tokio::test]
async fn a_project_that_forbids_a_kind_stops_the_sync() {
    let world = World::start().await;
    world.put("app/a.yaml", Some(&config_map("a", "1")));
    let allowed = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: b}\n";
    world.put("app/b.yaml", Some(allowed));
    let project = "
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: strict, namespace: argocd}
spec:
  sourceRepos: ['*']
  destinations: [{namespace: '*', server: '*'}]
  namespaceResourceBlacklist: [{group: '', kind: ConfigMap}]
";
    world.create(project).await;
    let app = application("demo", "app", AUTOMATED);
    world
        .create(&app.replace("project: default", "project: strict"))
        .await;
    let ended = world.until("demo", "refused", |app| {
        app.status
            .operation_state
            .as_ref()
            .is_some_and(|state| !state.message.is_empty())
    });
    let message = ended.await.status.operation_state.expect("it ran").message;
    assert!(
        message.contains("resource :ConfigMap is not permitted in project strict"),
        "{message}"
    );
    assert_eq!(world.value("a").await, None);
    assert!(
        world.get("v1", "ServiceAccount", "b").await.is_none(),
        "nothing is applied"
    );
}
