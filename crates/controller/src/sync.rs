//! Runs the operation of an Application as far as it goes now: plan, then steps and their actions,
//! until there is something to wait for or it is over.
//!
//! Read [`Controller::operate`] first. Every decision is `engine`'s; the record of the operation
//! is written before the actions that it permits.

use std::time::Duration;

use api::operation::{OperationPhase, OperationState, SyncOperation, SyncResult};
use api::sync_options::SyncOption;
use api::{Application, Source, reason};
use cluster::Cluster;
use engine::ActionResult;
use engine::advance::{Batch, Next, OnFailure, Step, View};
use engine::operation::window::{self, Asked, Verdict};
use engine::operation::{self, Ending, Resume};
use futures::StreamExt as _;
use jiff::Timestamp;
use source::Freshness;

use crate::Error;
use crate::controller::Controller;
use crate::counters::Count;
use crate::observe::{Context, Observed, Wanted};

/// How many actions of one stage run at the same time, as Argo CD's `--kubectl-parallelism-limit`.
const PARALLEL_ACTIONS: usize = 20;

/// A waiting operation is looked at again after this time, whatever happens (semantics 79).
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Batches of one step: a sync has one per wave at most, so more is a defect that must not spin.
const MAX_BATCHES: usize = 10_000;

/// What became of an operation in this reconcile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operated {
    /// There was none, or nothing can be done yet.
    Idle,
    /// It runs on; something was done.
    Running,
    /// It is over.
    Finished,
}

impl Controller {
    /// Runs the operation of `app`, whose state in the cluster is `stored`; changes `app` and
    /// writes it in between. `newest` is what Git says now, empty where that is not known.
    pub(crate) async fn operate(
        &self,
        context: &Context,
        app: &mut Application,
        stored: &mut Application,
        newest: &[String],
    ) -> Result<Operated, Error> {
        let state = match standing(app, self.now()) {
            Standing::Idle => return Ok(Operated::Idle),
            Standing::WaitForRetry(delay) => {
                let failed = app.status.operation_state.as_ref();
                if let Some(state) = failed.and_then(|state| superseded(state, newest)) {
                    return Ok(self.conclude(context, app, state, Ending::Terminated));
                }
                self.queue.add_after(context.key.clone(), delay);
                return Ok(Operated::Idle);
            }
            Standing::Go(state) => *state,
        };
        let ending = if state.phase == OperationPhase::Terminating {
            Ending::Terminated
        } else {
            Ending::Ran
        };
        if state.phase.is_completed() {
            return Ok(self.conclude(context, app, state, ending));
        }
        let state = self.step(context, app, stored, state).await?;
        match superseded(&state, newest) {
            Some(state) => Ok(self.conclude(context, app, state, Ending::Terminated)),
            None => Ok(self.conclude(context, app, state, ending)),
        }
    }

    /// Puts the state that a step has reached into `app`.
    fn conclude(
        &self,
        context: &Context,
        app: &mut Application,
        mut state: OperationState,
        ending: Ending,
    ) -> Operated {
        if state.phase.is_completed() {
            state = operation::conclude(state, ending, self.now());
        }
        let is_over = state.phase.is_completed();
        if is_over {
            let limit = app.spec.history_limit();
            operation::remember(&mut app.status, &state, limit, self.now().into());
            app.operation = None;
            tracing::info!(application = %context.key, phase = %state.phase, message = state.message, "operation ended");
        } else {
            let delay = if state.finished_at.is_some() {
                Duration::ZERO
            } else {
                LOOK_AGAIN
            };
            self.queue.add_after(context.key.clone(), delay);
        }
        app.status.operation_state = Some(Box::new(state));
        if is_over {
            Operated::Finished
        } else {
            Operated::Running
        }
    }

    /// One try: from the operation's state to the state that it reaches now.
    async fn step(
        &self,
        context: &Context,
        app: &mut Application,
        stored: &mut Application,
        mut state: OperationState,
    ) -> Result<OperationState, Error> {
        let Some(sync) = state.operation.sync.clone() else {
            return Ok(ended(
                state,
                "Invalid operation request: no operation specified",
            ));
        };
        if let Verdict::Blocked(why) = self.window(context, &state) {
            operation::pin(&mut state, &app.spec, &[]);
            if state.phase == OperationPhase::Running {
                state.message = why;
            }
            return Ok(state);
        }
        let observed = self.observe(context, &wanted(app, &sync, &state)).await?;
        operation::pin(&mut state, &app.spec, observed.resolved());
        if let Some(errors) = observed.errors(&app.status.conditions) {
            return Ok(ended(state, &errors));
        }
        if let Some(shared) = shared_resource(&sync, &observed) {
            return Ok(OperationState {
                phase: OperationPhase::Failed,
                message: format!("Shared resource found: {shared}"),
                ..state
            });
        }
        self.execute_plan(context, (app, stored), state, observed)
            .await
    }

    /// What the project's sync windows say of an operation.
    fn window(&self, context: &Context, state: &OperationState) -> Verdict {
        let began = state.started_at.map(api::Time::instant);
        let asked = if state.operation.initiated_by.automated {
            Asked::Automated(began)
        } else {
            Asked::Manual(began)
        };
        let windows = &context.project.spec.sync_windows;
        window::check(windows, &context.app, asked, self.now())
    }

    async fn execute_plan(
        &self,
        context: &Context,
        (app, stored): (&mut Application, &mut Application),
        mut state: OperationState,
        observed: Observed,
    ) -> Result<OperationState, Error> {
        let Observed {
            comparison,
            mut live,
            ..
        } = observed;
        let objects = comparison
            .objects
            .iter()
            .filter_map(|one| one.desired.as_ref());
        let children = self
            .child_revisions(context, objects.map(|one| &one.object))
            .await;
        let resolve = |source: &Source| {
            children
                .get(&(source.repo_url.clone(), source.target_revision.clone()))
                .cloned()
        };
        let schemas = context.handle.builtin_schemas();
        let schema_of = |gvk: &manifest::Gvk| schemas.schema(gvk);
        let plan = engine::plan(&comparison, &live, &state, context.subject(), &schema_of);
        let mut step = engine::advance(
            &plan,
            &state,
            &View {
                live: &live,
                resolve: &resolve,
            },
        );
        for _ in 0..MAX_BATCHES {
            let Step {
                state: reached,
                next,
            } = step;
            state = reached;
            let batch = match next {
                Next::Do(batch) => batch,
                Next::Wait(why) => {
                    state.message = why;
                    return Ok(state);
                }
                Next::Done(phase, message) => {
                    return Ok(OperationState {
                        phase,
                        message,
                        ..state
                    });
                }
            };
            app.status.operation_state = Some(Box::new(state.clone()));
            self.write(stored, app).await?;
            let answers = self.execute(&context.handle, &batch).await;
            live = context.handle.live(&context.instance);
            let view = View {
                live: &live,
                resolve: &resolve,
            };
            step = engine::advance::settle(&plan, &state, &batch, &answers, &view);
        }
        Ok(ended(state, "the sync makes no progress"))
    }

    /// Executes a batch: stage by stage, the actions of a stage side by side.
    async fn execute(&self, cluster: &Cluster, batch: &Batch) -> Vec<Option<ActionResult>> {
        let mut answers = Vec::new();
        let mut is_stopped = false;
        for stage in batch.stages() {
            if is_stopped {
                answers.extend(stage.actions.iter().map(|_| None));
                continue;
            }
            let running = stage.actions.iter().cloned().map(|action| {
                self.counters.add(Count::Action);
                tracing::debug!(action = %action.get(), "execute");
                let cluster = cluster.clone();
                async move { cluster.execute(&action).await }
            });
            let running: Vec<_> = running.collect();
            let results: Vec<ActionResult> = futures::stream::iter(running)
                .buffered(PARALLEL_ACTIONS)
                .collect()
                .await;
            let has_failed = results.iter().any(|result| result.outcome.is_err());
            is_stopped = has_failed && stage.on_failure == OnFailure::Stop;
            answers.extend(results.into_iter().map(Some));
        }
        answers
    }
}

/// The end of an automated operation that waits while there is a newer revision: the newer one is
/// synced rather than wait behind it (docs/differences.md). A running hook is let come to its end.
fn superseded(state: &OperationState, newest: &[String]) -> Option<OperationState> {
    let result = state.sync_result.as_ref()?;
    let pinned = if result.revisions.is_empty() {
        std::slice::from_ref(&result.revision)
    } else {
        &result.revisions
    };
    let is_hook_running = result
        .resources
        .iter()
        .any(|it| !it.hook_type.is_unset() && it.hook_phase == OperationPhase::Running);
    let is_outdated = state.phase == OperationPhase::Running
        && state.operation.initiated_by.automated
        && !newest.is_empty()
        && pinned.iter().any(|it| !it.is_empty())
        && pinned != newest;
    (is_outdated && !is_hook_running).then(|| OperationState {
        phase: OperationPhase::Failed,
        message: format!("superseded by revision {}", newest.join(", ")),
        ..state.clone()
    })
}

/// The operation could not run.
pub(crate) fn ended(state: OperationState, message: &str) -> OperationState {
    OperationState {
        phase: OperationPhase::Error,
        message: message.to_owned(),
        ..state
    }
}

/// The state of Git that an operation is for: what it resolved to at its start, for as long as it
/// runs (semantics 78).
fn wanted(app: &Application, sync: &SyncOperation, state: &OperationState) -> Wanted {
    let one_or_many = |one: &String, many: &Vec<String>| {
        if many.is_empty() {
            vec![one.clone()]
        } else {
            many.clone()
        }
    };
    let is_pinned = |it: &&SyncResult| !it.revision.is_empty() || !it.revisions.is_empty();
    let pinned = match state.sync_result.as_ref().filter(is_pinned) {
        Some(result) => one_or_many(&result.revision, &result.revisions),
        None => one_or_many(&sync.revision, &sync.revisions),
    };
    Wanted {
        sources: operation::sources(sync, &app.spec),
        pinned,
        // Who asks for a sync after a push means that push; what is pinned asks nobody.
        freshness: Freshness::Now,
    }
}

fn shared_resource(sync: &SyncOperation, observed: &Observed) -> Option<String> {
    if !sync.options().has(SyncOption::FailOnSharedResource) {
        return None;
    }
    let mut conditions = observed.comparison.conditions.iter();
    let shared = conditions.find(|it| it.condition_type == reason::SHARED_RESOURCE_WARNING)?;
    Some(shared.message.clone())
}

/// Where the operation of an Application stands.
pub(crate) enum Standing {
    /// There is none.
    Idle,
    /// It goes on with this state.
    Go(Box<OperationState>),
    /// It failed and is tried again after this time.
    WaitForRetry(Duration),
}

/// Where the operation of an Application stands now.
pub(crate) fn standing(app: &Application, now: Timestamp) -> Standing {
    let Some(asked) = &app.operation else {
        return Standing::Idle;
    };
    let running = app
        .status
        .operation_state
        .as_ref()
        .filter(|state| !state.phase.is_completed());
    let Some(state) = running else {
        return Standing::Go(Box::new(operation::begin(asked, now)));
    };
    match operation::resume(state, now) {
        Resume::Go(state) => Standing::Go(state),
        Resume::WaitUntil(at) => {
            let delay = Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO);
            Standing::WaitForRetry(delay)
        }
    }
}
