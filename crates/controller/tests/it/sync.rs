//! Commits and hand edits.

use api::operation::OperationPhase;
use api::{HealthCode, SyncCode};

use crate::world::{config_map, is_synced};
use crate::{World, application};

/// Nothing here depends on a garbage collector: what is pruned goes at once.
const AUTOMATED: &str =
    "{automated: {prune: true, selfHeal: true}, syncOptions: [PrunePropagationPolicy=background]}";

#[tokio::test]
async fn a_commit_is_deployed_and_a_deletion_in_git_prunes() {
    let world = World::start().await;
    world.put("app/a.yaml", Some(&config_map("a", "1")));
    world.put("app/b.yaml", Some(&config_map("b", "1")));
    world.create(&application("demo", "app", AUTOMATED)).await;
    let app = world.until_synced("demo").await;
    assert_eq!(app.status.health.status, HealthCode::Healthy);
    assert_eq!(app.status.history.len(), 1);
    let state = app.status.operation_state.expect("an operation");
    assert_eq!(state.phase, OperationPhase::Succeeded);
    assert_eq!(state.message, "successfully synced (all tasks run)");
    world.until_value("a", Some("1")).await;

    world.commit("app/a.yaml", Some(&config_map("a", "2")));
    world.until_value("a", Some("2")).await;
    world.commit("app/b.yaml", None);
    world.until_value("b", None).await;
    let app = world.until("demo", "synced three times", |app| {
        is_synced(app) && app.status.history.len() == 3
    });
    assert_eq!(app.await.status.resources.len(), 1);
}

#[tokio::test]
async fn without_prune_an_object_that_left_git_stays_and_is_shown() {
    let world = World::start().await;
    world.put("app/a.yaml", Some(&config_map("a", "1")));
    world.put("app/b.yaml", Some(&config_map("b", "1")));
    world
        .create(&application("demo", "app", "{automated: {}}"))
        .await;
    world.until_synced("demo").await;
    world.commit("app/b.yaml", None);
    let app = world.until("demo", "OutOfSync", |app| {
        app.status.sync.status == SyncCode::OutOfSync && app.operation.is_none()
    });
    let resources = app.await.status.resources;
    let left = resources
        .iter()
        .find(|it| it.name == "b")
        .expect("it is listed");
    assert!(left.requires_pruning);
    assert_eq!(world.value("b").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_hand_edit_is_healed_back() {
    let world = World::start().await;
    world.put("app/a.yaml", Some(&config_map("a", "1")));
    world.create(&application("demo", "app", AUTOMATED)).await;
    world.until_synced("demo").await;
    world
        .patch(("v1", "ConfigMap", "a"), "data: {k: edited}")
        .await;
    world.until_value("a", Some("1")).await;
    world.delete("v1", "ConfigMap", "a").await;
    world.until_value("a", Some("1")).await;
    let app = world.until_synced("demo").await;
    assert_eq!(app.status.history.len(), 1, "self-heal makes no history");
}

#[tokio::test]
async fn without_self_heal_a_hand_edit_is_shown() {
    let world = World::start().await;
    world.put("app/a.yaml", Some(&config_map("a", "1")));
    world
        .create(&application("demo", "app", "{automated: {}}"))
        .await;
    world.until_synced("demo").await;
    world
        .patch(("v1", "ConfigMap", "a"), "data: {k: edited}")
        .await;
    let is_out = |app: &api::Application| app.status.sync.status == SyncCode::OutOfSync;
    world.until("demo", "OutOfSync", is_out).await;
    assert_eq!(world.value("a").await.as_deref(), Some("edited"));
}

#[tokio::test]
async fn a_namespace_is_created_where_that_is_asked_for() {
    let world = World::start().await;
    world.put("app/a.yaml", Some(&config_map("a", "1")));
    let text = application(
        "demo",
        "app",
        "{automated: {}, syncOptions: [CreateNamespace=true]}",
    );
    world
        .create(&text.replace("namespace: demo", "namespace: fresh"))
        .await;
    let app = world.until_synced("demo").await;
    assert_eq!(app.status.resources[0].namespace, "fresh");
    assert_eq!(
        app.status.resources.len(),
        1,
        "the namespace is not tracked"
    );
}
