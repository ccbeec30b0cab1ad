//! Operations that somebody asks for.

use api::SyncCode;
use api::operation::OperationPhase;

use crate::world::config_map;
use crate::{World, application};

#[tokio::test]
async fn an_application_without_automation_syncs_when_asked() {
    let world = World::start().await;
    world.put("app/a.yaml", Some(&config_map("a", "1")));
    world
        .create(&application("demo", "app", "{manual: {}}"))
        .await;
    let app = world.until("demo", "compared", |app| {
        app.status.sync.status == SyncCode::OutOfSync
    });
    assert!(app.await.spec.sync_policy.expect("kept").manual.is_some());
    assert_eq!(world.value("a").await, None);
    world.patch_app("demo", "operation: {sync: {}}").await;
    let app = world.until_synced("demo").await;
    assert!(app.status.operation_state.is_some());
    assert_eq!(world.value("a").await.as_deref(), Some("1"));
    assert_eq!(app.status.history.len(), 1);
}

#[tokio::test]
async fn an_operation_without_a_sync_is_an_error() {
    let world = World::start().await;
    world.put("app/a.yaml", Some(&config_map("a", "1")));
    world.create(&application("demo", "app", "{}")).await;
    world
        .until("demo", "compared", |app| !app.status.sync.status.is_unset())
        .await;
    world
        .patch_app("demo", "operation: {initiatedBy: {username: me}}")
        .await;
    let app = world.until("demo", "ended", |app| {
        app.operation.is_none() && app.status.operation_state.is_some()
    });
    let state = app.await.status.operation_state.expect("it ended");
    assert_eq!(state.phase, OperationPhase::Error);
    assert_eq!(
        state.message,
        "Invalid operation request: no operation specified"
    );
}

#[tokio::test]
async fn a_refresh_is_taken_away_when_it_was_served() {
    let world = World::start().await;
    world.put("app/a.yaml", Some(&config_map("a", "1")));
    world
        .create(&application("demo", "app", "{automated: {}}"))
        .await;
    let app = world.until_synced("demo").await;
    world.put("app/a.yaml", Some(&config_map("a", "2")));
    world.refresh("demo").await;
    world.until_value("a", Some("2")).await;
    let key = api::names::REFRESH;
    let served = world.until("demo", "refreshed", |app| {
        app.metadata.annotation(key).is_none()
    });
    assert_ne!(served.await.status.sync.revision, app.status.sync.revision);
}

#[tokio::test]
async fn a_failed_sync_waits_for_its_retry() {
    let world = World::start().await;
    let bad = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Not_A_Name}\n";
    world.put("app/a.yaml", Some(bad));
    world
        .create(&application("demo", "app", "{automated: {}}"))
        .await;
    let app = world.until("demo", "waiting", |app| {
        app.status
            .operation_state
            .as_ref()
            .is_some_and(|state| state.retry_count == 1)
    });
    let state = app.await.status.operation_state.expect("an operation");
    assert_eq!(state.phase, OperationPhase::Running);
    assert!(
        state.message.contains("Retrying attempt #1 at "),
        "{}",
        state.message
    );
    assert!(state.finished_at.is_some());
}
