//! `tiphys app wait`.

use anyhow::Result;
use api::{Application, HealthCode, SyncCode};

use super::sync::Changes;
use super::{Mistake, chosen, get, limit, named};
use crate::cli::WaitArguments;
use crate::{connect, terminal};

/// Waits until each Application is as wanted.
pub(super) async fn run(arguments: &WaitArguments) -> Result<u8> {
    let apps = connect::apps(&arguments.target).await?;
    for name in chosen(&apps, &arguments.names, arguments.selector.as_deref()).await? {
        let (apps, name) = named(&apps, &name);
        if !arguments.delete {
            apps.get(name).await?;
        }
        let mut changes = Changes::new();
        let reached = apps
            .wait_for(name, limit(arguments.timeout), |app| match app {
                None => true,
                Some(app) => {
                    changes.show(app);
                    !arguments.delete && is_as_wanted(app, arguments)
                }
            })
            .await?;
        if let Some(app) = apps.find(name).await? {
            let app = apps.with_health(app).await?;
            terminal::print(&format!("\n{}", get::whole(&app, true)));
        }
        if !reached {
            let seconds = arguments.timeout;
            return Err(Mistake(format!("timed out ({seconds}s) waiting for app {name:?}")).into());
        }
    }
    Ok(0)
}

/// Without flags: Synced, Healthy, and no operation runs.
fn is_as_wanted(app: &Application, arguments: &WaitArguments) -> bool {
    let all = !(arguments.sync || arguments.health || arguments.operation);
    let state = app.status.operation_state.as_ref();
    let is_idle = app.operation.is_none() && state.is_none_or(|state| state.phase.is_completed());
    let is_synced = app.status.sync.status == SyncCode::Synced;
    let is_healthy = app.status.health.status == HealthCode::Healthy;
    (is_synced || !(all || arguments.sync))
        && (is_healthy || !(all || arguments.health))
        && (is_idle || !(all || arguments.operation))
}
