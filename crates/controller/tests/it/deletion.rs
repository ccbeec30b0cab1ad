//! What is left of an Application that is deleted.

use std::time::{Duration, Instant};

use crate::world::config_map;
use crate::{World, application};

async fn deployed(finalizer: &str) -> World {
    let world = World::start().await;
    world.put("app/a.yaml", Some(&config_map("a", "1")));
    let late = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: b\n  annotations: {argocd.argoproj.io/sync-wave: '1'}\n";
    world.put("app/b.yaml", Some(late));
    let app = application("demo", "app", "{automated: {}}");
    world
        .create(&app.replace("  name: demo", &format!("{finalizer}  name: demo")))
        .await;
    world.until_synced("demo").await;
    world
}

async fn gone(world: &World) {
    let started = Instant::now();
    while world.app("demo").await.is_some() {
        assert!(started.elapsed() < Duration::from_secs(60), "it never went");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn with_the_finalizer_the_objects_go_first() {
    let finalizer = "  finalizers: [resources-finalizer.argocd.argoproj.io/background]\n";
    let world = deployed(finalizer).await;
    world
        .delete("argoproj.io/v1alpha1", "Application", "demo")
        .await;
    gone(&world).await;
    assert_eq!(world.value("a").await, None);
    assert!(world.get("v1", "ConfigMap", "b").await.is_none());
}

#[tokio::test]
async fn without_a_finalizer_the_objects_stay() {
    let world = deployed("").await;
    world
        .delete("argoproj.io/v1alpha1", "Application", "demo")
        .await;
    gone(&world).await;
    assert_eq!(world.value("a").await.as_deref(), Some("1"));
}
