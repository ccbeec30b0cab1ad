//! `tiphys app sync`.

use std::collections::HashMap;

use anyhow::Result;
use api::operation::{
    InitiatedBy, Operation, SyncOperation, SyncResource, SyncStrategy, SyncStrategyOptions,
};
use api::{Application, Time};
use yaml::{Map, Value};

use super::resources::{self, COLUMNS, Row};
use super::{Mistake, chosen, get, limit, named};
use crate::apps::Apps;
use crate::cli::SyncArguments;
use crate::table::Table;
use crate::{connect, terminal};

/// Who asks, in the history.
const USER: &str = "tiphys";

/// Syncs the Applications one after the other.
pub(super) async fn run(arguments: &SyncArguments) -> Result<u8> {
    let apps = connect::apps(&arguments.target).await?;
    for name in chosen(&apps, &arguments.names, arguments.selector.as_deref()).await? {
        let (apps, name) = named(&apps, &name);
        let app = apps.get(name).await?;
        let operation = operation(arguments, &app)?;
        start(&apps, name, &operation).await?;
        if !arguments.no_wait {
            finish(&apps, name, arguments.timeout).await?;
        }
    }
    Ok(0)
}

/// What is asked for.
fn operation(arguments: &SyncArguments, app: &Application) -> Result<Operation> {
    let force = SyncStrategyOptions {
        force: true,
        ..SyncStrategyOptions::default()
    };
    let strategy = SyncStrategy {
        hook: Some(force),
        ..SyncStrategy::default()
    };
    let policy = app.spec.sync_policy.as_ref();
    let sync = SyncOperation {
        revision: arguments.revision.clone().unwrap_or_default(),
        prune: arguments.prune,
        dry_run: arguments.dry_run,
        sync_strategy: arguments.force.then_some(strategy),
        resources: resources_of(&arguments.resource, app)?,
        sync_options: policy
            .map(|policy| policy.sync_options.clone())
            .unwrap_or_default(),
        ..SyncOperation::default()
    };
    Ok(of_sync(sync, app))
}

/// An operation of ours around a sync.
pub(super) fn of_sync(sync: SyncOperation, app: &Application) -> Operation {
    let retry = app
        .spec
        .sync_policy
        .as_ref()
        .and_then(|policy| policy.retry.clone());
    Operation {
        sync: Some(sync),
        initiated_by: InitiatedBy {
            username: USER.to_owned(),
            ..InitiatedBy::default()
        },
        retry: retry.unwrap_or_default(),
        ..Operation::default()
    }
}

/// Reads `GROUP:KIND:NAME` and `GROUP:KIND:NAMESPACE/NAME`; each must name an object.
fn resources_of(texts: &[String], app: &Application) -> Result<Vec<SyncResource>> {
    texts.iter().map(|text| resource_of(text, app)).collect()
}

fn resource_of(text: &str, app: &Application) -> Result<SyncResource> {
    let mut parts = text.splitn(3, ':');
    let (Some(group), Some(kind), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
        let problem = "resource must be GROUP:KIND:NAME or GROUP:KIND:NAMESPACE/NAME";
        return Err(Mistake(format!("{problem}, got {text:?}")).into());
    };
    let (namespace, name) = name.split_once('/').unwrap_or(("", name));
    let fits = |one: &&api::status::ResourceStatus| {
        one.group == group
            && one.kind == kind
            && one.name == name
            && (namespace.is_empty() || one.namespace == namespace)
    };
    let Some(found) = app.status.resources.iter().find(fits) else {
        let problem = format!("No matching app resources found for resource filter: {text}");
        return Err(Mistake(problem).into());
    };
    Ok(SyncResource {
        group: group.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        namespace: found.namespace.clone(),
        ..SyncResource::default()
    })
}

/// Puts an operation on an Application, as kubectl could.
///
/// # Errors
/// When one runs already, or the cluster refuses.
pub(super) async fn start(apps: &Apps, name: &str, operation: &Operation) -> Result<()> {
    let app = apps.get(name).await?;
    let is_running = |state: &api::operation::OperationState| !state.phase.is_completed();
    if app.operation.is_some()
        || app
            .status
            .operation_state
            .as_deref()
            .is_some_and(is_running)
    {
        anyhow::bail!("another operation is already in progress");
    }
    apps.patch(
        name,
        &Value::Map(Map::from([("operation", operation.to_value())])),
    )
    .await?;
    Ok(())
}

/// Waits for the end of an operation, printing the objects as they change, then everything.
///
/// # Errors
/// When it does not end in time, or ends badly.
pub(super) async fn finish(apps: &Apps, name: &str, timeout_seconds: u64) -> Result<()> {
    let mut changes = Changes::new();
    let ended = apps
        .wait_for(name, limit(timeout_seconds), |app| {
            let Some(app) = app else {
                return true;
            };
            changes.show(app);
            let state = app.status.operation_state.as_ref();
            app.operation.is_none() && state.is_none_or(|state| state.phase.is_completed())
        })
        .await?;
    if !ended {
        let problem = format!("the operation did not end within {timeout_seconds} s");
        return Err(Mistake(problem).into());
    }
    let app = apps.with_health(apps.get(name).await?).await?;
    terminal::print(&format!("\n{}", get::whole(&app, true)));
    match &app.status.operation_state {
        Some(state) if !state.phase.is_successful() => {
            let phase = state.phase.as_str();
            Err(Mistake(format!("Operation has completed with phase: {phase}")).into())
        }
        _ => Ok(()),
    }
}

/// Prints a row whenever an object's state changes.
pub(super) struct Changes {
    seen: HashMap<(String, String, String, String), Row>,
    has_header: bool,
}

impl Changes {
    /// Nothing was printed yet.
    pub(super) fn new() -> Self {
        Changes {
            seen: HashMap::new(),
            has_header: false,
        }
    }

    /// Prints what changed since the last call.
    pub(super) fn show(&mut self, app: &Application) {
        let now = Time::new(jiff::Timestamp::now()).instant();
        let time = now.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
        let mut table = Table::default();
        if !self.has_header {
            let header = std::iter::once("TIMESTAMP").chain(COLUMNS);
            table.row(header.map(str::to_owned).collect());
        }
        let mut n_changed = 0;
        for row in resources::rows(app) {
            if self.seen.get(&row.key()) != Some(&row) {
                n_changed += 1;
                table.row(std::iter::once(time.clone()).chain(row.cells()).collect());
                self.seen.insert(row.key(), row);
            }
        }
        if n_changed > 0 {
            self.has_header = true;
            terminal::print(&table.render());
        }
    }
}
