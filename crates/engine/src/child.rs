//! When a child Application counts as ready, for the waves of its parent (design.md part 9,
//! "Ready"). Argo CD has no such check; docs/differences.md says so.
//!
//! Read [`Readiness`] first. Health orders children here; it does not roll up into the parent.

use api::operation::OperationPhase;
use api::{Application, HealthCode, Source, SyncCode};
use manifest::Object;

use crate::plan::Plan;

/// What the reference of a source resolves to now; `None` when that is not known.
pub type Resolve<'a> = &'a dyn Fn(&Source) -> Option<String>;

/// Whether the next wave may start as far as one child is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    /// It has seen what its wave asks for, and fails.
    Failed(String),
    /// Not yet, for this reason; empty where it is its health, for which Argo CD waits too.
    Waiting(String),
}

/// Judges the live object of a child; `desired` is what the wave asks for.
pub(crate) fn readiness(
    desired: &Object,
    live: &Object,
    plan: &Plan<'_>,
    resolve: Resolve<'_>,
) -> Readiness {
    let waiting = |why: &str| Readiness::Waiting(why.to_owned());
    if plan.subject.is(live) {
        // It would wait for the end of its own sync.
        return Readiness::Ready;
    }
    if live.is_terminating() {
        return waiting("it is being deleted");
    }
    let (Ok(child), Ok(wanted)) = (
        Application::from_value(live.value().clone()),
        Application::from_value(desired.value().clone()),
    ) else {
        return waiting("its spec or status cannot be read");
    };
    if !has_observed(&child, &wanted) {
        return waiting("it has not compared its new spec yet");
    }
    let status = &child.status;
    if let Some(why) = stale_revision(&child, plan, resolve) {
        return Readiness::Waiting(why);
    }
    if status.sync.status.is_unset() {
        return waiting("it was not compared yet");
    }
    if !child.spec.is_automated() {
        return Readiness::Ready;
    }
    let is_running = status.operation_state.as_ref().is_some_and(|state| {
        matches!(
            state.phase,
            OperationPhase::Running | OperationPhase::Terminating
        )
    });
    if child.operation.is_some() || is_running {
        return waiting("its sync runs");
    }
    if status.sync.status != SyncCode::Synced {
        let error = status
            .conditions
            .iter()
            .find(|condition| condition.is_error());
        return match error {
            Some(error) => {
                Readiness::Waiting(format!("{}: {}", error.condition_type, error.message))
            }
            None => Readiness::Waiting(format!("it is {}", status.sync.status)),
        };
    }
    match &status.health.status {
        HealthCode::Healthy => Readiness::Ready,
        HealthCode::Degraded => Readiness::Failed(status.health.message.clone()),
        _ => waiting(""),
    }
}

/// Whether the child's status is about the spec that the wave asks for.
fn has_observed(child: &Application, wanted: &Application) -> bool {
    let seen = &child.status.sync.compared_to;
    let sources = wanted.spec.all_sources();
    let seen_sources = if seen.sources.is_empty() {
        std::slice::from_ref(&seen.source)
    } else {
        &seen.sources
    };
    sources.len() == seen_sources.len()
        && sources
            .iter()
            .zip(seen_sources)
            .all(|(a, b)| is_same_place(a, b))
        && wanted.spec.destination == seen.destination
}

fn is_same_place(a: &Source, b: &Source) -> bool {
    a.repo_url == b.repo_url
        && a.path == b.path
        && a.chart == b.chart
        && a.target_revision == b.target_revision
}

/// What the child has compared must be what its references resolve to now, or, where it follows
/// the parent's own reference, at least the revision that the parent syncs.
fn stale_revision(child: &Application, plan: &Plan<'_>, resolve: Resolve<'_>) -> Option<String> {
    let sync = &child.status.sync;
    let revisions = if sync.revisions.is_empty() {
        std::slice::from_ref(&sync.revision)
    } else {
        &sync.revisions
    };
    let parent = plan.subject.app.spec.all_sources();
    for (source, revision) in child.spec.all_sources().iter().zip(revisions) {
        let follows_parent = parent.iter().any(|one| {
            one.repo_url == source.repo_url && one.target_revision == source.target_revision
        });
        if follows_parent && *revision == plan.request.revision {
            continue;
        }
        let wanted = match resolve(source) {
            Some(now) => now,
            None if follows_parent => plan.request.revision.clone(),
            None => continue,
        };
        if *revision != wanted {
            let short = wanted.get(..7).unwrap_or(&wanted);
            return Some(format!("it has not compared revision {short} yet"));
        }
    }
    None
}
