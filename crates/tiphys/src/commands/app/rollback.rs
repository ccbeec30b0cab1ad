//! `tiphys app rollback`.

use anyhow::Result;
use api::Application;
use api::operation::SyncOperation;
use api::status::HistoryEntry;

use super::{Mistake, named, sync};
use crate::cli::RollbackArguments;
use crate::connect;

/// Deploys an entry of the history again.
pub(super) async fn run(arguments: &RollbackArguments) -> Result<u8> {
    let apps = connect::apps(&arguments.target).await?;
    let (apps, name) = named(&apps, &arguments.name);
    let app = apps.get(name).await?;
    if app.spec.is_automated() {
        anyhow::bail!("rollback cannot be initiated when auto-sync is enabled");
    }
    let entry = entry(&app, arguments.id)?;
    let policy = app.spec.sync_policy.as_ref();
    let operation = SyncOperation {
        revision: entry.revision.clone(),
        revisions: entry.revisions.clone(),
        prune: arguments.prune,
        source: entry.sources.is_empty().then(|| entry.source.clone()),
        sources: entry.sources.clone(),
        sync_options: policy
            .map(|policy| policy.sync_options.clone())
            .unwrap_or_default(),
        ..SyncOperation::default()
    };
    sync::start(&apps, name, &sync::of_sync(operation, &app)).await?;
    sync::finish(&apps, name, arguments.timeout).await?;
    Ok(0)
}

/// The entry with this id, or the one before the last.
fn entry(app: &Application, id: Option<i64>) -> Result<&HistoryEntry> {
    let history = &app.status.history;
    let name = &app.metadata.name;
    match id {
        Some(id) => history.iter().find(|entry| entry.id == id).ok_or_else(|| {
            let text =
                format!("application '{name}' does not have deployment id '{id}' in history");
            Mistake(text).into()
        }),
        None => history.iter().rev().nth(1).ok_or_else(|| {
            let text =
                format!("application '{name}' should have at least two successful deployments");
            Mistake(text).into()
        }),
    }
}
