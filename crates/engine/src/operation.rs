//! Operations around the sync itself: when one starts by itself, how a failed one is tried again,
//! what stays in the history (semantics E and F).
//!
//! Read [`autosync`] first. The clock is an argument.

pub mod window;

use api::application::Retry;
use api::operation::{
    InitiatedBy, Operation, OperationPhase, OperationState, SyncOperation, SyncResource, SyncResult,
};
use api::project::SyncWindow;
use api::status::{HistoryEntry, SyncStatus};
use api::{Application, ApplicationSpec, ApplicationStatus, Condition, SyncCode, Time, reason};
use jiff::{SignedDuration, Timestamp};

use self::window::{Asked, Verdict};
use crate::compare::{Compared, Comparison};

/// How soon it is looked again whether a window has opened: they do at whole minutes.
const NEXT_WINDOW: SignedDuration = SignedDuration::from_secs(60);

/// How often an automated sync is tried again when the spec says nothing (semantics 88).
const DEFAULT_RETRIES: i64 = 5;
/// The first wait between two self-heals, by what it grows, and its end, in seconds (104).
const HEAL_FIRST: i64 = 2;
const HEAL_FACTOR: i64 = 3;
const HEAL_LONGEST: i64 = 300;

/// Begins an operation: what is stored before anything is done. An operation without a sync ends
/// at once (semantics 75).
#[must_use]
pub fn begin(operation: &Operation, now: Timestamp) -> OperationState {
    let mut state = OperationState {
        operation: operation.clone(),
        phase: OperationPhase::Running,
        started_at: Some(now.into()),
        ..OperationState::default()
    };
    if operation.sync.is_none() {
        "Invalid operation request: no operation specified".clone_into(&mut state.message);
        state.phase = OperationPhase::Error;
        state.finished_at = Some(now.into());
    }
    state
}

/// The sources that an operation syncs: its own, else those of the spec.
#[must_use]
pub fn sources(operation: &SyncOperation, spec: &ApplicationSpec) -> Vec<api::Source> {
    if !operation.sources.is_empty() {
        return operation.sources.clone();
    }
    match &operation.source {
        Some(source) => vec![source.clone()],
        None => spec.all_sources(),
    }
}

/// Pins the resolved revisions, so that the operation goes on with them after a restart
/// (semantics 78). What is pinned already stays; without revisions only the sources are noted.
pub fn pin(state: &mut OperationState, spec: &ApplicationSpec, revisions: &[String]) {
    let is_pinned = |it: &SyncResult| !it.revision.is_empty() || !it.revisions.is_empty();
    if state.sync_result.as_ref().is_some_and(is_pinned) {
        return;
    }
    let operation = state.operation.sync.clone().unwrap_or_default();
    let mut sources = sources(&operation, spec);
    let is_multiple = spec.has_multiple_sources() || !operation.sources.is_empty();
    let metadata = spec.sync_policy.as_ref();
    let mut result = SyncResult {
        managed_namespace_metadata: metadata
            .and_then(|policy| policy.managed_namespace_metadata.clone()),
        ..SyncResult::default()
    };
    if is_multiple {
        result.sources = sources;
        result.revisions = revisions.to_vec();
    } else {
        result.source = sources.pop().unwrap_or_default();
        result.revision = revisions.first().cloned().unwrap_or_default();
    }
    state.sync_result = Some(result);
}

/// How an operation came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself.
    Ran,
    /// It was told to stop: it is never tried again (semantics 81).
    Terminated,
}

/// Closes an operation whose phase is final: it ends, or waits for its next try (semantics 82-87;
/// the announced time counts one try less than the real one, as recorded).
#[must_use]
pub fn conclude(mut state: OperationState, ending: Ending, now: Timestamp) -> OperationState {
    state.finished_at = Some(now.into());
    if !matches!(state.phase, OperationPhase::Failed | OperationPhase::Error) {
        return state;
    }
    let retry = &state.operation.retry;
    let is_tried_again =
        ending == Ending::Ran && (state.retry_count < retry.limit || retry.limit < 0);
    if !is_tried_again {
        if state.retry_count > 0 {
            state.message = format!("{} (retried {} times).", state.message, state.retry_count);
        }
        return state;
    }
    match retry_at(retry, now, state.retry_count) {
        Err(problem) => {
            state.phase = OperationPhase::Failed;
            state.message = format!("{} (failed to retry: {problem})", state.message);
        }
        Ok(at) => {
            state.phase = OperationPhase::Running;
            state.retry_count = state.retry_count.saturating_add(1);
            state.message = format!(
                "{}. Retrying attempt #{} at {}.",
                state.message,
                state.retry_count,
                kitchen(at)
            );
        }
    }
    state
}

fn retry_at(retry: &Retry, from: Timestamp, n_retries: i64) -> Result<Timestamp, String> {
    let delay = retry
        .delay(n_retries)
        .map_err(|problem| problem.to_string())?;
    from.checked_add(SignedDuration::from_nanos(delay.as_nanoseconds()))
        .map_err(|problem| problem.to_string())
}

/// Go's `time.Kitchen` in UTC: `3:04PM`.
fn kitchen(time: Timestamp) -> String {
    let minutes = time.as_second().rem_euclid(86_400) / 60;
    let (hour, minute) = (minutes / 60, minutes % 60);
    let half = if hour < 12 { "AM" } else { "PM" };
    let hour = if hour % 12 == 0 { 12 } else { hour % 12 };
    format!("{hour}:{minute:02}{half}")
}

/// What is to be done with a stored operation that has not ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Resume {
    /// Go on with this state.
    Go(Box<OperationState>),
    /// Its next try begins then.
    WaitUntil(Timestamp),
}

/// Picks up a stored operation: one that runs goes on, one that waits for its next try starts it
/// when its time has come.
#[must_use]
pub fn resume(state: &OperationState, now: Timestamp) -> Resume {
    let mut state = state.clone();
    let Some(finished) = state.finished_at else {
        return Resume::Go(Box::new(state));
    };
    if state.phase == OperationPhase::Terminating {
        return Resume::Go(Box::new(state));
    }
    if let Ok(at) = retry_at(
        &state.operation.retry,
        finished.instant(),
        state.retry_count,
    ) && at > now
    {
        return Resume::WaitUntil(at);
    }
    let mut extra = "";
    if state.operation.retry.refresh {
        extra = " with latest revisions";
        if let Some(sync) = &mut state.operation.sync {
            sync.revision.clear();
            sync.revisions.clear();
        }
    }
    state.message = format!("Retrying operation{extra}. Attempt #{}", state.retry_count);
    state.finished_at = None;
    state.sync_result = None;
    Resume::Go(Box::new(state))
}

/// What automation makes of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Auto {
    /// Nothing is to be done, or automation is off.
    Nothing,
    /// This operation is to be written.
    Sync(Box<Operation>),
    /// A self-heal comes later, or a sync when a window opens.
    Later(SignedDuration),
    /// It would sync, but must not; the condition says why.
    Refused(Condition),
}

/// Whether the application is synced by itself now. `sync` is the new `status.sync`; errors among
/// `conditions` of the comparison forbid it, and so may the `windows` of the project.
#[must_use]
pub fn autosync(
    app: &Application,
    windows: &[SyncWindow],
    sync: &SyncStatus,
    comparison: &Comparison,
    now: Timestamp,
) -> Auto {
    let Some(automated) = app.spec.automation() else {
        return Auto::Nothing;
    };
    let is_busy = app.operation.is_some() || app.metadata.deletion_timestamp.is_some();
    let has_error = comparison.conditions.iter().any(Condition::is_error);
    if is_busy || has_error || sync.status != SyncCode::OutOfSync {
        return Auto::Nothing;
    }
    if window::check(windows, app, Asked::ByAutomation, now) != Verdict::Open {
        return Auto::Later(NEXT_WINDOW);
    }
    let shown: Vec<_> = comparison
        .objects
        .iter()
        .filter(|one| one.is_shown())
        .collect();
    let only_prunes = shown
        .iter()
        .all(|one| one.status == SyncCode::Synced || one.requires_pruning);
    if !automated.prune && only_prunes {
        return Auto::Nothing;
    }
    let revisions = if sync.revisions.is_empty() {
        vec![sync.revision.clone()]
    } else {
        sync.revisions.clone()
    };
    let mut operation = automated_operation(app, sync);
    if let Some(last) = attempted(app, sync) {
        if !last.phase.is_successful() {
            let message = format!(
                "Failed last sync attempt to {}: {}",
                go_list(&revisions),
                last.message
            );
            return Auto::Refused(Condition::new(reason::SYNC_ERROR, message));
        }
        let drifted = drifted(&shown);
        if !automated.self_heal || drifted.is_empty() {
            return Auto::Nothing;
        }
        let count = last
            .operation
            .sync
            .as_ref()
            .map_or(0, |sync| sync.auto_heal_attempts_count);
        if let Some(wait) = heal_wait(last, count, now) {
            return Auto::Later(wait);
        }
        if let Some(sync) = &mut operation.sync {
            sync.auto_heal_attempts_count = count.saturating_add(1);
            sync.resources = drifted;
        }
    }
    if automated.prune && !automated.allow_empty && shown.iter().all(|one| one.requires_pruning) {
        let message = format!(
            "Skipping sync attempt to {}: auto-sync will wipe out all resources",
            go_list(&revisions)
        );
        return Auto::Refused(Condition::new(reason::SYNC_ERROR, message));
    }
    Auto::Sync(Box::new(operation))
}

/// The objects that a self-heal is for; what is being deleted needs no other operation.
fn drifted(shown: &[&Compared]) -> Vec<SyncResource> {
    let is_going = |one: &Compared| {
        one.desired.is_none()
            && one
                .live
                .as_ref()
                .is_some_and(manifest::Object::is_terminating)
    };
    shown
        .iter()
        .filter(|one| one.status != SyncCode::Synced && !is_going(one))
        .map(|one| SyncResource {
            group: one.key.group.to_string(),
            kind: one.key.kind.to_string(),
            name: one.key.name.to_string(),
            ..SyncResource::default()
        })
        .collect()
}

/// A Go slice of strings as `%s` prints it.
fn go_list(items: &[String]) -> String {
    format!("[{}]", items.join(" "))
}

/// Semantics 106.
fn automated_operation(app: &Application, sync: &SyncStatus) -> Operation {
    let policy = app.spec.sync_policy.clone().unwrap_or_default();
    let is_multiple = app.spec.has_multiple_sources();
    Operation {
        sync: Some(SyncOperation {
            revision: sync.revision.clone(),
            revisions: sync.revisions.clone(),
            prune: app
                .spec
                .automation()
                .is_some_and(|automated| automated.prune),
            sync_options: policy.sync_options,
            source: app.spec.source.clone().filter(|_| !is_multiple),
            sources: app.spec.sources.clone(),
            ..SyncOperation::default()
        }),
        initiated_by: InitiatedBy {
            automated: true,
            ..InitiatedBy::default()
        },
        retry: policy.retry.unwrap_or(Retry {
            limit: DEFAULT_RETRIES,
            ..Retry::default()
        }),
        ..Operation::default()
    }
}

/// The last operation, when it was about the same revisions and sources (semantics 100, 101).
/// Revisions that were compared before and found Synced needed no operation: what differs now was
/// changed in the cluster (recording aoa-basic).
fn attempted<'a>(app: &'a Application, sync: &SyncStatus) -> Option<&'a OperationState> {
    let last = app.status.operation_state.as_ref()?;
    let Some(result) = &last.sync_result else {
        return last.phase.is_completed().then_some(last);
    };
    let before = &app.status.sync;
    let was_synced = before.status == SyncCode::Synced;
    let is_same = if app.spec.has_multiple_sources() {
        let was_seen = was_synced && before.revisions == sync.revisions;
        (was_seen || result.revisions == sync.revisions) && result.sources == app.spec.sources
    } else {
        let was_seen = was_synced && before.revision == sync.revision;
        let source = app.spec.all_sources().pop().unwrap_or_default();
        (was_seen || result.revision == sync.revision) && result.source == source
    };
    is_same.then_some(last)
}

/// How long a self-heal still has to wait; `None` when it is due (semantics 104).
fn heal_wait(last: &OperationState, count: i64, now: Timestamp) -> Option<SignedDuration> {
    if count <= 0 {
        return None;
    }
    let exponent = u32::try_from(count - 1).unwrap_or(u32::MAX);
    let seconds = HEAL_FIRST
        .saturating_mul(HEAL_FACTOR.saturating_pow(exponent))
        .min(HEAL_LONGEST);
    let since = last.finished_at.map_or(SignedDuration::ZERO, |finished| {
        now.duration_since(finished.instant())
    });
    let left = SignedDuration::from_secs(seconds).saturating_sub(since);
    left.is_positive().then_some(left)
}

/// Adds a successful sync to the history (semantics 91, 92): not a dry run, not a selective one.
pub fn remember(status: &mut ApplicationStatus, state: &OperationState, limit: usize, now: Time) {
    let sync = state.operation.sync.clone().unwrap_or_default();
    if !state.phase.is_successful() || sync.dry_run || !sync.resources.is_empty() {
        return;
    }
    let Some(result) = &state.sync_result else {
        return;
    };
    let id = status
        .history
        .last()
        .map_or(0, |entry| entry.id.saturating_add(1));
    status.history.push(HistoryEntry {
        revision: result.revision.clone(),
        revisions: result.revisions.clone(),
        source: result.source.clone(),
        sources: result.sources.clone(),
        deployed_at: Some(now),
        deploy_started_at: state.started_at,
        id,
        initiated_by: state.operation.initiated_by.clone(),
        ..HistoryEntry::default()
    });
    let surplus = status.history.len().saturating_sub(limit);
    status.history.drain(..surplus);
}

/// The text of the event when an operation ended (semantics 90): with the revision of a single
/// source, an empty one for several sources or when none was resolved, and without any when the
/// operation never looked at its sources (recordings `src-single-to-multi`, `bad-path`, `op-empty`).
#[must_use]
pub fn completion_text(state: &OperationState) -> String {
    let sync = state.operation.sync.as_ref();
    let is_partial = sync.is_some_and(|sync| !sync.resources.is_empty());
    let what = if is_partial { "Partial sync" } else { "Sync" };
    let target = state
        .sync_result
        .as_ref()
        .map(|result| format!(" to {}", result.revision))
        .unwrap_or_default();
    if state.phase.is_successful() {
        format!("{what} operation{target} succeeded")
    } else {
        format!("{what} operation{target} failed: {}", state.message)
    }
}

#[cfg(test)]
mod tests;
