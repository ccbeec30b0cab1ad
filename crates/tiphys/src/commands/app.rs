//! `tiphys app …`: the verbs of `argocd app`, over Application objects in a cluster.
//!
//! They are thin: each reads or patches Applications and prints what argocd prints. Nothing is
//! rendered or compared here.

mod delete;
mod diff;
mod get;
mod history;
mod list;
mod resources;
mod rollback;
mod selector;
mod sync;
mod wait;

use std::time::Duration;

use anyhow::{Context, Result};
use api::Application;
use yaml::Value;

use super::Mistake;
use crate::apps::Apps;
use crate::cli::{AppCommand, Format};
use crate::terminal;

/// Runs one of the verbs.
pub(super) async fn run(command: AppCommand) -> Result<u8> {
    match command {
        AppCommand::List(arguments) => list::run(&arguments).await,
        AppCommand::Get(arguments) => get::run(&arguments).await,
        AppCommand::Sync(arguments) => sync::run(&arguments).await,
        AppCommand::Wait(arguments) => wait::run(&arguments).await,
        AppCommand::Diff(arguments) => diff::run(&arguments).await,
        AppCommand::History(arguments) => history::run(&arguments).await,
        AppCommand::Rollback(arguments) => rollback::run(&arguments).await,
        AppCommand::Delete(arguments) => delete::run(&arguments).await,
    }
}

/// `NAME` or `NAMESPACE/NAME`: the Applications of that namespace, and the name.
fn named<'a>(apps: &Apps, text: &'a str) -> (Apps, &'a str) {
    match text.split_once('/') {
        Some((namespace, name)) => (apps.in_namespace(namespace), name),
        None => (apps.in_namespace(apps.namespace()), text),
    }
}

/// The Applications that were named, or that a selector chooses.
async fn chosen(apps: &Apps, names: &[String], selector: Option<&str>) -> Result<Vec<String>> {
    let Some(selector) = selector else {
        return Ok(names.to_vec());
    };
    let found = apps.list().await?;
    let fitting: Vec<String> = found
        .iter()
        .filter(|app| selector::fits(selector, &app.metadata.labels))
        .map(|app| app.metadata.name.clone())
        .collect();
    if fitting.is_empty() {
        let text = format!("No matching apps found for filter: selector {selector}");
        return Err(Mistake(text).into());
    }
    Ok(fitting)
}

/// Looks at Git first when that was asked for.
async fn refreshed(apps: &Apps, name: &str, normal: bool, hard: bool) -> Result<Application> {
    match (normal, hard) {
        (_, true) => apps.refresh(name, "hard").await,
        (true, false) => apps.refresh(name, "normal").await,
        (false, false) => apps.get(name).await,
    }
}

/// Prints a value as JSON (indented as Go does) or YAML.
fn print_value(value: &Value, format: Format) -> Result<()> {
    if format == Format::Json {
        let json = serde_json::to_string_pretty(value).context("an object is always JSON")?;
        terminal::line(&json);
    } else {
        terminal::print(&yaml::emit(value));
    }
    Ok(())
}

/// A limit in seconds; 0 is none.
fn limit(seconds: u64) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// The first characters of a commit, as they are shown.
fn short(revision: &str) -> &str {
    const N_SHOWN: usize = 7;
    revision.get(..N_SHOWN).unwrap_or(revision)
}
