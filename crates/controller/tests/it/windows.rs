//! Sync windows that open while Applications wait, in virtual time.

use std::time::Duration;

use api::SyncCode;
use jiff::ToSpan as _;
use jiff::tz::TimeZone;

use crate::replay::now;
use crate::world::config_map;
use crate::{World, application};

async fn world() -> World {
    let sandbox = sandbox::Options {
        clock: sandbox::Clock::running(now),
        ..sandbox::Options::in_memory()
    };
    let options = controller::Options {
        poll_interval: Duration::ZERO,
        now,
        ..controller::Options::new("argocd")
    };
    World::start_with(sandbox, options, cluster::Client::in_process).await
}

#[tokio::test(start_paused = true)]
async fn automation_syncs_when_a_window_opens() {
    let world = world().await;
    let opens = now().to_zoned(TimeZone::UTC).checked_add(10.minutes());
    let opens = opens.expect("a time in our lives");
    let schedule = format!("{} {} * * *", opens.minute(), opens.hour());
    let windows = format!(
        "spec: {{syncWindows: [{{kind: allow, schedule: {schedule}, duration: 1h, applications: ['*']}}]}}"
    );
    let project = ("argoproj.io/v1alpha1", "AppProject", "default");
    world.patch(project, &windows).await;
    world.put("app/a.yaml", Some(&config_map("a", "1")));
    world
        .create(&application("demo", "app", "{automated: {}}"))
        .await;
    let is_compared = |app: &api::Application| app.status.sync.status == SyncCode::OutOfSync;
    world.until("demo", "compared", is_compared).await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    let waiting = world.app("demo").await.expect("it is there");
    assert!(waiting.operation.is_none() && waiting.status.operation_state.is_none());
    tokio::time::sleep(Duration::from_secs(480)).await;
    world.until_synced("demo").await;
}
