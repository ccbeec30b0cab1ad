//! Waves between Applications.

use api::{HealthCode, SyncCode};

use crate::{World, application};

/// A child Application of a wave, as a file of its parent.
fn child(name: &str, wave: u32) -> String {
    let text = application(name, name, "{automated: {}}");
    let annotation = format!("  annotations: {{argocd.argoproj.io/sync-wave: '{wave}'}}\n");
    text.replace(
        &format!("  name: {name}"),
        &format!("{annotation}  name: {name}"),
    )
}

const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: gate}
spec: {restartPolicy: Always, containers: [{name: c, image: 'x:1'}]}
";

#[tokio::test]
async fn staging_waits_until_dev_is_healthy() {
    let world = World::start().await;
    world.put("root/dev.yaml", Some(&child("dev", 1)));
    world.put("root/staging.yaml", Some(&child("staging", 2)));
    world.put("dev/pod.yaml", Some(POD));
    world.put(
        "staging/a.yaml",
        Some(&crate::world::config_map("staged", "1")),
    );
    world
        .create(&application("root", "root", "{automated: {}}"))
        .await;
    let waits = world.until("root", "waiting for dev", |app| {
        app.status
            .operation_state
            .as_ref()
            .is_some_and(|state| state.message.contains("/dev"))
    });
    waits.await;
    world
        .until("dev", "Progressing", |app| {
            app.status.sync.status == SyncCode::Synced
                && app.status.health.status == HealthCode::Progressing
        })
        .await;
    assert!(world.app("staging").await.is_none(), "staging must wait");

    let ready = "status: {phase: Running, conditions: [{type: Ready, status: 'True'}]}";
    world.patch_status(("v1", "Pod", "gate"), ready).await;
    world
        .until("staging", "Healthy", |app| {
            app.status.health.status == HealthCode::Healthy
        })
        .await;
    world.until_value("staged", Some("1")).await;
    let root = world.until_synced("root").await;
    assert_eq!(root.status.summary.is_app_of_apps, Some(true));
}

#[tokio::test]
async fn a_newer_commit_supersedes_an_automated_sync_that_waits() {
    let world = World::start().await;
    let late = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: late\n  annotations: {argocd.argoproj.io/sync-wave: '1'}\ndata: {k: '1'}\n";
    world.put("app/late.yaml", Some(late));
    world.put("app/pod.yaml", Some(POD));
    world
        .create(&application("demo", "app", "{automated: {prune: true}}"))
        .await;
    world
        .until("demo", "waiting for the pod", |app| {
            app.status
                .operation_state
                .as_ref()
                .is_some_and(|state| state.message.contains("/gate"))
        })
        .await;
    world.commit(
        "app/late.yaml",
        Some(&late.replace("'1'}\ndata", "'-1'}\ndata")),
    );
    world.until_value("late", Some("1")).await;
    let app = world.until_synced("demo").await;
    assert_eq!(
        app.status.history.len(),
        1,
        "only what succeeded is remembered"
    );
}
