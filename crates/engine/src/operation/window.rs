//! Sync windows of a project: when a sync may run (semantics O).
//!
//! Read [`check()`] first. Time is an argument.

use api::Application;
use api::duration::GoDuration;
use api::project::SyncWindow;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use manifest::schedule::{Schedule, time_zone};

use crate::glob::{Dialect, matches};

/// A sync that is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Automation wants to start one.
    ByAutomation,
    /// An operation of automation, which began at this time.
    Automated(Option<Timestamp>),
    /// An operation that a person asked for, which began at this time.
    Manual(Option<Timestamp>),
}

/// What the windows say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The sync may run.
    Open,
    /// It must wait; the text says so in Argo CD's words.
    Blocked(String),
}

const BLOCKED: &str = "Sync operation blocked by sync window";

/// Whether a sync of `app` may run at `now`, as far as `windows` are concerned. A window that cannot
/// be read blocks it.
#[must_use]
pub fn check(windows: &[SyncWindow], app: &Application, asked: Asked, now: Timestamp) -> Verdict {
    let matching: Vec<&SyncWindow> = windows.iter().filter(|it| concerns(it, app)).collect();
    match is_open(&matching, asked, now) {
        Ok(true) => Verdict::Open,
        Ok(false) => Verdict::Blocked(BLOCKED.to_owned()),
        Err(problem) => Verdict::Blocked(format!("{BLOCKED}: invalid sync windows: {problem}")),
    }
}

/// Semantics 222-226.
fn is_open(windows: &[&SyncWindow], asked: Asked, now: Timestamp) -> Result<bool, String> {
    let mut active = Vec::new();
    let mut inactive = Vec::new();
    for window in windows {
        match is_active(window, now)? {
            true => active.push(*window),
            false => inactive.push(*window),
        }
    }
    let of_kind = |windows: &[&'_ SyncWindow], kind: &str| -> Vec<SyncWindow> {
        let found = windows.iter().filter(|it| it.kind == kind);
        found.map(|it| (*it).clone()).collect()
    };
    let mut blocking = of_kind(&active, "deny");
    if blocking.is_empty() {
        if active.iter().any(|it| it.kind == "allow") {
            return Ok(true);
        }
        blocking = of_kind(&inactive, "allow");
    }
    if blocking.is_empty() {
        return Ok(true);
    }
    let is_manual = matches!(asked, Asked::Manual(_));
    if is_manual && blocking.iter().all(|it| it.manual_sync) {
        return Ok(true);
    }
    match asked {
        Asked::Automated(Some(began)) | Asked::Manual(Some(began))
            if began < now && blocking.iter().all(|it| it.sync_overrun) =>
        {
            is_open(windows, without_start(asked), began)
        }
        _ => Ok(false),
    }
}

/// The same at the moment of its start: nothing ran over then.
fn without_start(asked: Asked) -> Asked {
    match asked {
        Asked::Manual(_) => Asked::Manual(None),
        Asked::Automated(_) | Asked::ByAutomation => Asked::ByAutomation,
    }
}

/// Whether the window is for the application (semantics 221).
fn concerns(window: &SyncWindow, app: &Application) -> bool {
    let any = |patterns: &[String], names: &[&str]| {
        patterns.iter().any(|pattern| {
            let mut names = names.iter().filter(|name| !name.is_empty());
            names.any(|name| matches(pattern, name, Dialect::Glob))
        })
    };
    let destination = &app.spec.destination;
    let clusters = [destination.name.as_str(), destination.server.as_str()];
    let lists = [
        (
            &window.applications,
            any(&window.applications, &[&app.metadata.name]),
        ),
        (&window.clusters, any(&window.clusters, &clusters)),
        (
            &window.namespaces,
            any(&window.namespaces, &[&destination.namespace]),
        ),
    ];
    let mut given = lists.iter().filter(|(list, _)| !list.is_empty()).peekable();
    if window.and_operator {
        given.peek().is_some() && given.all(|(_, is_met)| *is_met)
    } else {
        given.any(|(_, is_met)| *is_met)
    }
}

/// Whether the window is open (semantics 220). The schedule goes by the present offset of its zone;
/// one that never comes counts as open, as there its library answers with the beginning of time.
fn is_active(window: &SyncWindow, now: Timestamp) -> Result<bool, String> {
    let refused =
        |problem: String| format!("cannot parse schedule '{}': {problem}", window.schedule);
    if window.schedule.starts_with('@') {
        return Err(refused(format!(
            "parser does not accept descriptors: {}",
            window.schedule
        )));
    }
    let schedule =
        Schedule::parse(&window.schedule).map_err(|problem| refused(problem.to_string()))?;
    let duration = GoDuration::parse(&window.duration)
        .map_err(|problem| format!("cannot parse duration '{}': {problem}", window.duration))?;
    let offset = time_zone(&window.time_zone).map_or(0, |zone| zone.to_offset(now).seconds());
    let too_far = |problem: jiff::Error| problem.to_string();
    let here = now
        .checked_add(SignedDuration::from_secs(offset.into()))
        .map_err(too_far)?;
    let from = here
        .checked_sub(SignedDuration::from_nanos(duration.as_nanoseconds()))
        .map_err(too_far)?;
    let opened = schedule.after(from, &TimeZone::UTC);
    Ok(opened.is_none_or(|opened| opened < here))
}

#[cfg(test)]
mod tests;
