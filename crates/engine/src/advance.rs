//! One cycle of a sync: from a plan, what is recorded and what is live, to the next actions, a
//! reason to wait, or the end (semantics A, B, C).
//!
//! Read [`Step`] first. Nothing is remembered between calls: after a crash the same call gives the
//! same answer. [`advance`] begins a cycle, [`settle`] goes on with it when the actions are done.

use std::ops::ControlFlow;

use api::operation::ResultCode;
use api::operation::{OperationPhase, OperationState};
use api::{HealthCode, names};
use manifest::{Object, ObjectKey};

use crate::action::{Action, ActionResult, Verb, message};
use crate::batch::{self, Then};
use crate::child::{self, Readiness};
use crate::health::assess;
use crate::hook::{self, DeletePolicy};
use crate::live::Live;
use crate::plan::{Plan, Task};
use crate::results::{Report, Results};

pub use crate::batch::{Batch, OnFailure, Stage};
pub use crate::child::Resolve;

/// What a cycle came to.
#[derive(Debug)]
pub struct Step {
    /// The operation's state to store: phase, message and results so far. It is stored before the
    /// actions of [`Next::Do`] are executed.
    pub state: OperationState,
    /// What comes next.
    pub next: Next,
}

/// What comes next in an operation.
#[derive(Debug)]
pub enum Next {
    /// Execute these, then call [`settle`] with the answers.
    Do(Batch),
    /// Nothing can be done before the cluster changes; the reason is the state's message.
    Wait(String),
    /// The operation is over; phase and message stand in the state.
    Done(OperationPhase, String),
}

/// What a cycle looks at besides the plan.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The live objects; after actions it holds their answers.
    pub live: &'a Live,
    /// What the references of child Applications resolve to now.
    pub resolve: Resolve<'a>,
}

/// Whether this is the beginning of a cycle, or its continuation in the same look at the cluster.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    Fresh,
    AfterNamespace,
    AfterFinalizers,
    AfterWave,
}

/// Begins a cycle.
#[must_use]
pub fn advance(plan: &Plan<'_>, state: &OperationState, view: &View<'_>) -> Step {
    let results = Results::new(state, plan.subject.namespace());
    let cycle = Cycle {
        plan,
        view: *view,
        results,
    };
    if state.phase == OperationPhase::Terminating {
        return cycle.terminate();
    }
    cycle.run(Entry::Fresh)
}

/// Goes on with a cycle: takes the answers to the batch of the last step, one for each action, in
/// order (see [`Batch::actions`]); `None` for an action that was not executed any more.
#[must_use]
pub fn settle(
    plan: &Plan<'_>,
    state: &OperationState,
    batch: &Batch,
    answers: &[Option<ActionResult>],
    view: &View<'_>,
) -> Step {
    let mut cycle = Cycle {
        plan,
        view: *view,
        results: Results::new(state, plan.subject.namespace()),
    };
    let is_clean = cycle.record(batch, answers);
    match &batch.then {
        Then::Namespace if !is_clean => cycle.namespace_failed(),
        Then::Namespace => cycle.run(Entry::AfterNamespace),
        Then::Finalizers => cycle.run(Entry::AfterFinalizers),
        Then::Wave => cycle.after_wave(),
        Then::HookDeletion => cycle.after_hook_deletion(batch),
        Then::Failing { message } => cycle.run_sync_fail(message.clone()),
        Then::SyncFail { message } => cycle.after_sync_fail(message),
        Then::Finish { phase, message } => cycle.done(phase.clone(), message.clone()),
        Then::Terminate if is_clean => {
            cycle.done(OperationPhase::Failed, "Operation terminated".into())
        }
        Then::Terminate => cycle.done(
            OperationPhase::Error,
            "Operation termination had errors".into(),
        ),
    }
}

pub(crate) struct Cycle<'p, 'a> {
    pub(crate) plan: &'p Plan<'a>,
    pub(crate) view: View<'p>,
    pub(crate) results: Results<'p>,
}

type Tasks<'p> = Vec<&'p Task>;

const TASKS_FAILED: &str = "one or more synchronization tasks completed unsuccessfully";
const NOT_VALID: &str = "one or more synchronization tasks are not valid";
const APPLY_FAILED: &str = "one or more objects failed to apply";

impl<'p> Cycle<'p, '_> {
    fn run(mut self, entry: Entry) -> Step {
        self = match self.begin(entry) {
            ControlFlow::Break(step) => return step,
            ControlFlow::Continue(cycle) => cycle,
        };
        let reasons = if entry == Entry::AfterFinalizers {
            Vec::new()
        } else {
            self.update_running(entry)
        };
        let finalizers = self.finished_hooks_to_free();
        if !finalizers.is_empty() && entry != Entry::AfterFinalizers {
            let batch = batch::finalizers(self.plan, &finalizers, self.view.live);
            return self.execute(batch);
        }
        let is_multi_step = self.is_multi_step();
        let tasks: Tasks<'p> = self.plan.tasks.iter().collect();
        let running: Tasks<'p> = tasks
            .iter()
            .copied()
            .filter(|task| (is_multi_step || task.is_hook) && self.results.is_running(task))
            .collect();
        if !running.is_empty() {
            let why = why_waiting(&running, "", reasons.first().map(String::as_str));
            return self.wait(why);
        }
        let deleting: Tasks<'p> = tasks
            .iter()
            .copied()
            .filter(|task| self.results.is_pruned(task))
            .filter(|task| self.live(task).is_some_and(Object::is_terminating))
            .collect();
        if !deleting.is_empty() {
            return self.wait(why_waiting(&deleting, "deletion of", None));
        }
        let (on_failure, tasks): (Tasks<'p>, Tasks<'p>) = tasks
            .into_iter()
            .partition(|task| task.key.phase == hook::Phase::SyncFail);
        if tasks.iter().any(|task| self.results.has_failed(task)) {
            let failed = tasks
                .into_iter()
                .filter(|task| self.results.is_sync_failed(task))
                .collect();
            return self.fail(&failed, &on_failure, TASKS_FAILED);
        }
        self.next_wave(tasks)
    }

    /// What happens before anything else: tasks that cannot run, the namespace, the dry run.
    fn begin(mut self, entry: Entry) -> ControlFlow<Step, Self> {
        let mut is_first = entry == Entry::AfterNamespace;
        if entry == Entry::Fresh {
            let summaries = self.record_refusals();
            if !summaries.is_empty() {
                let message = format!("{NOT_VALID}: {}", summaries.join("; "));
                return ControlFlow::Break(self.done(OperationPhase::Failed, message));
            }
            is_first = !self.results.is_started();
            if let (true, Some(namespace)) = (is_first, &self.plan.namespace) {
                let batch = batch::namespace(self.plan, namespace);
                return ControlFlow::Break(self.execute(batch));
            }
        }
        if is_first && self.record_dry_run() {
            let message = format!("{APPLY_FAILED} (dry run)");
            return ControlFlow::Break(self.done(OperationPhase::Failed, message));
        }
        ControlFlow::Continue(self)
    }

    /// Writes down the tasks that cannot run; gives the distinct reasons, sorted.
    fn record_refusals(&mut self) -> Vec<String> {
        let mut summaries = Vec::new();
        for task in self.plan.tasks.iter().chain(&self.plan.namespace) {
            let Some(refusal) = &task.refusal else {
                continue;
            };
            let report = Report {
                code: ResultCode::SyncFailed,
                phase: OperationPhase::Unset,
                message: refusal.message.clone(),
            };
            self.results.record(task, report);
            summaries.push(refusal.summary.clone());
        }
        summaries.sort_unstable();
        summaries.dedup();
        summaries
    }

    /// Writes down what `kubectl apply --dry-run=client` would refuse without asking for a change
    /// (semantics 17); true when there is something.
    fn record_dry_run(&mut self) -> bool {
        let mut has_failed = false;
        for task in &self.plan.tasks {
            if let Some(problem) = batch::dry_run(self.plan, task) {
                self.results
                    .record(task, Report::of(ResultCode::SyncFailed, problem));
                has_failed = true;
            }
        }
        has_failed
    }

    /// Looks at the live objects of running tasks (semantics 13-15); gives what child Applications
    /// wait for.
    fn update_running(&mut self, entry: Entry) -> Vec<String> {
        let mut reasons = Vec::new();
        for task in &self.plan.tasks {
            if !self.results.is_running(task) {
                continue;
            }
            match self.live(task) {
                Some(live) => {
                    // What was only just applied has had no time: its progress is no news yet.
                    let is_news =
                        |report: &Report| entry == Entry::Fresh || report.phase.is_completed();
                    if let Some(report) = self.judge(task, live, &mut reasons).filter(is_news) {
                        self.results.record(task, report);
                    }
                }
                // In the cycle that applied it, the view may be older than the answer.
                None if entry == Entry::Fresh => {
                    let missing = format!(
                        "Resource {} is missing, it might have been deleted",
                        go_name(task)
                    );
                    let mut report = Report::of(ResultCode::SyncFailed, missing);
                    report.phase = OperationPhase::Error;
                    self.results.record(task, report);
                }
                None => {}
            }
        }
        reasons
    }

    fn judge(&self, task: &Task, live: &Object, reasons: &mut Vec<String>) -> Option<Report> {
        if task.is_hook {
            return Some(judge_hook(task, live));
        }
        if task.gvk.kind == names::APPLICATION && task.gvk.group == names::GROUP {
            return match child::readiness(task.object()?, live, self.plan, self.view.resolve) {
                Readiness::Ready => Some(Report::phase(OperationPhase::Succeeded, "")),
                Readiness::Failed(why) => Some(Report::phase(OperationPhase::Failed, why)),
                Readiness::Waiting(why) => {
                    reasons.extend(Some(why).filter(|why| !why.is_empty()));
                    None
                }
            };
        }
        match assess(live) {
            None => Some(Report::phase(OperationPhase::Succeeded, "")),
            Some(health) => match health.status {
                HealthCode::Healthy => {
                    Some(Report::phase(OperationPhase::Succeeded, health.message))
                }
                HealthCode::Degraded => Some(Report::phase(OperationPhase::Failed, health.message)),
                _ => None,
            },
        }
    }

    fn live(&self, task: &Task) -> Option<&'p Object> {
        self.view.live.get(&task.key.object)
    }

    /// Hooks that are done and still carry the finalizer.
    fn finished_hooks_to_free(&self) -> Tasks<'p> {
        let hooks = self.plan.tasks.iter().filter(|task| task.is_hook);
        hooks
            .filter(|task| self.results.is_completed(task))
            .filter(|task| self.live(task).is_some_and(hook::has_finalizer))
            .collect()
    }

    fn is_multi_step(&self) -> bool {
        let step = |task: &Task| (task.key.phase, task.wave);
        let tasks = &self.plan.tasks;
        tasks.first().map(step) != tasks.last().map(step)
    }

    fn next_wave(self, tasks: Tasks<'p>) -> Step {
        let only_modified = self.plan.applies_only_modified();
        let pending: Tasks<'p> = tasks
            .into_iter()
            .filter(|task| self.results.is_pending(task))
            .filter(|task| !only_modified || task.is_hook || task.is_modified)
            .collect();
        let Some(first) = pending.first() else {
            return self.succeed("successfully synced (no more tasks)");
        };
        let (phase, wave) = (first.key.phase, first.wave);
        let now: Tasks<'p> = pending
            .into_iter()
            .filter(|task| task.key.phase == phase && task.wave == wave)
            .collect();
        self.run_tasks(&now, Then::Wave)
    }

    /// Prunes first, then the deletions of old hooks, then the rest (semantics 21).
    fn run_tasks(mut self, tasks: &Tasks<'p>, then: Then) -> Step {
        let unconfirmed = batch::unconfirmed_prunes(self.plan, tasks, self.view.live);
        if let Some(first) = unconfirmed.first() {
            let message = format!(
                "waiting for pruning confirmation of {}{}",
                go_name(first),
                more(&unconfirmed)
            );
            return self.wait(message);
        }
        for task in tasks.iter().filter(|task| task.is_prune()) {
            if let Some(reason) = batch::prune_refusal(self.plan, task, self.view.live) {
                self.results
                    .record(task, Report::of(ResultCode::PruneSkipped, reason));
            }
        }
        let old_hooks = self.old_hooks(tasks.iter().copied());
        let (tasks, then) = if old_hooks.is_empty() {
            (tasks.clone(), then)
        } else {
            (
                tasks
                    .iter()
                    .copied()
                    .filter(|task| task.is_prune())
                    .collect(),
                Then::HookDeletion,
            )
        };
        let batch = batch::wave(
            self.plan,
            (&tasks, &old_hooks),
            &self.results,
            self.view.live,
            then,
        );
        self.results
            .conclude(OperationPhase::Running, "one or more tasks are running");
        if batch.is_empty() && !old_hooks.is_empty() {
            return self.wait(why_waiting(&old_hooks, "deletion of", None));
        }
        if batch.is_empty() {
            return self.after_wave();
        }
        self.execute(batch)
    }

    /// Hooks of an earlier operation that are in the way (semantics 39). One that this operation
    /// made, and whose result was not written down yet, is kept: a hook runs once.
    fn old_hooks(&self, tasks: impl Iterator<Item = &'p Task>) -> Tasks<'p> {
        let started_at = self.plan.request.started_at;
        let is_ours = |live: &Object| {
            let created = live.value().at(&["metadata", "creationTimestamp"]);
            let created = created.and_then(yaml::Value::as_str);
            let created = created.and_then(|text| text.parse::<jiff::Timestamp>().ok());
            hook::has_finalizer(live)
                && created.is_some_and(|time| time.as_second() >= started_at)
                && !live.is_terminating()
        };
        tasks
            .filter(|task| task.is_hook && self.results.is_pending(task))
            .filter(|task| self.live(task).is_some_and(|live| !is_ours(live)))
            .filter(|task| has_policy(task, DeletePolicy::BeforeHookCreation))
            .collect()
    }

    /// Semantics 8-12 and 24: after the actions of a wave.
    fn after_wave(self) -> Step {
        let (on_failure, tasks): (Tasks<'p>, Tasks<'p>) = self
            .plan
            .tasks
            .iter()
            .partition(|task| task.key.phase == hook::Phase::SyncFail);
        let failed: Tasks<'p> = tasks
            .iter()
            .copied()
            .filter(|task| self.results.is_sync_failed(task))
            .collect();
        if let Some(first) = failed.first() {
            let step = (first.key.phase, first.wave);
            let running: Tasks<'p> = tasks
                .iter()
                .copied()
                .filter(|task| (task.key.phase, task.wave) == step && self.results.is_running(task))
                .collect();
            if running.is_empty() {
                return self.fail(&failed, &on_failure, APPLY_FAILED);
            }
            // What was applied beside it may be at rest already: look once more before giving up.
            return self.run(Entry::AfterWave);
        }
        let only_modified = self.plan.applies_only_modified();
        let is_left = |task: &&Task| {
            (self.results.is_pending(task) && (!only_modified || task.is_hook || task.is_modified))
                || (task.is_hook && self.results.is_running(task))
        };
        if tasks.iter().any(is_left) {
            return self.run(Entry::AfterWave);
        }
        self.succeed("successfully synced (all tasks run)")
    }

    fn succeed(self, message: &str) -> Step {
        self.finish(
            DeletePolicy::HookSucceeded,
            OperationPhase::Succeeded,
            message.to_owned(),
        )
    }

    /// Deletes the hooks whose policy says so, and ends.
    fn finish(self, policy: DeletePolicy, phase: OperationPhase, message: String) -> Step {
        let hooks = self.hooks_to_delete(policy);
        if hooks.is_empty() {
            return self.done(phase, message);
        }
        let then = Then::Finish { phase, message };
        let batch = batch::hook_deletions(self.plan, &hooks, self.view.live, then);
        self.execute(batch)
    }

    fn hooks_to_delete(&self, policy: DeletePolicy) -> Tasks<'p> {
        let hooks = self.plan.tasks.iter().filter(|task| task.is_hook);
        hooks
            .filter(|task| !self.results.is_running(task) && self.live(task).is_some())
            .filter(|task| {
                policy != DeletePolicy::HookSucceeded || task.key.phase != hook::Phase::SyncFail
            })
            .filter(|task| has_policy(task, policy))
            .collect()
    }

    /// Semantics 23-25: hooks go whose policy says so, the SyncFail hooks run, then the operation
    /// has failed.
    fn fail(mut self, failed: &Tasks<'p>, on_failure: &Tasks<'p>, summary: &str) -> Step {
        let message = self.with_reasons(failed, summary);
        if on_failure
            .iter()
            .all(|task| self.results.is_completed(task))
        {
            return self.finish(DeletePolicy::HookFailed, OperationPhase::Failed, message);
        }
        let hooks = self.hooks_to_delete(DeletePolicy::HookFailed);
        let then = Then::Failing {
            message: message.clone(),
        };
        let deletions = batch::hook_deletions(self.plan, &hooks, self.view.live, then);
        self.results
            .conclude(OperationPhase::Running, message.clone());
        if deletions.is_empty() {
            return self.run_sync_fail(message);
        }
        self.execute(deletions)
    }

    fn run_sync_fail(self, message: String) -> Step {
        let hooks = self
            .plan
            .tasks
            .iter()
            .filter(|task| task.key.phase == hook::Phase::SyncFail);
        let pending: Tasks<'p> = hooks.filter(|task| self.results.is_pending(task)).collect();
        self.run_tasks(&pending, Then::SyncFail { message })
    }

    fn with_reasons(&self, failed: &Tasks<'p>, summary: &str) -> String {
        let messages: Vec<&str> = failed
            .iter()
            .filter_map(|task| self.results.get(task))
            .map(|result| result.message.as_str())
            .collect();
        if messages.is_empty() {
            return summary.to_owned();
        }
        format!("{summary}, reason: {}", messages.join(","))
    }

    fn after_sync_fail(self, message: &str) -> Step {
        let hooks: Tasks<'p> = self
            .plan
            .tasks
            .iter()
            .filter(|task| task.key.phase == hook::Phase::SyncFail)
            .collect();
        let failed: Tasks<'p> = hooks
            .iter()
            .copied()
            .filter(|task| self.results.is_sync_failed(task))
            .collect();
        if !failed.is_empty() {
            let second = self.with_reasons(&failed, "one or more SyncFail hooks failed");
            let message = format!("{message}\n{second}");
            return self.finish(DeletePolicy::HookFailed, OperationPhase::Failed, message);
        }
        self.run(Entry::AfterWave)
    }

    fn namespace_failed(self) -> Step {
        let message = {
            let failed: Tasks<'p> = self.plan.namespace.iter().collect();
            self.with_reasons(&failed, "the namespace failed to apply")
        };
        self.done(OperationPhase::Failed, message)
    }

    /// Semantics 27.
    fn terminate(self) -> Step {
        let hooks: Tasks<'p> = self.plan.tasks.iter().filter(|task| task.is_hook).collect();
        let with_finalizer: Tasks<'p> = hooks
            .iter()
            .copied()
            .filter(|task| self.results.is_completed(task) || self.results.is_running(task))
            .filter(|task| self.live(task).is_some_and(hook::has_finalizer))
            .collect();
        let running: Tasks<'p> = hooks
            .into_iter()
            .filter(|task| self.results.is_running(task) && self.live(task).is_some())
            .collect();
        let mut cycle = self;
        for task in &running {
            let Some(live) = cycle.live(task) else {
                continue;
            };
            let mut report = judge_hook(task, live);
            if !report.phase.is_completed() {
                report = Report::phase(OperationPhase::Failed, "Terminated");
            }
            cycle.results.record(task, report);
        }
        let batch = batch::terminate(cycle.plan, (&with_finalizer, &running), cycle.view.live);
        if batch.is_empty() {
            return cycle.done(OperationPhase::Failed, "Operation terminated".into());
        }
        cycle.execute(batch)
    }

    /// Old hooks were deleted: goes on when they are gone.
    fn after_hook_deletion(self, batch: &Batch) -> Step {
        let is_left = |task: &&Task| {
            task.is_hook
                && self.live(task).is_some()
                && batch
                    .actions()
                    .any(|action| action.get().task.as_ref() == Some(&task.key))
        };
        let old: Tasks<'p> = self.plan.tasks.iter().filter(is_left).collect();
        if old.is_empty() {
            return self.run(Entry::AfterWave);
        }
        self.wait(why_waiting(&old, "deletion of", None))
    }

    /// Writes down the answers; false when one was an error.
    fn record(&mut self, batch: &Batch, answers: &[Option<ActionResult>]) -> bool {
        let mut is_clean = true;
        for (action, answer) in batch.actions().zip(answers) {
            let Some(answer) = answer else { continue };
            is_clean &= answer.outcome.is_ok();
            let action = action.get();
            let Some(key) = &action.task else { continue };
            let tasks = self.plan.tasks.iter().chain(&self.plan.namespace);
            let Some(task) = tasks.into_iter().find(|task| task.key == *key) else {
                continue;
            };
            if let Some(report) = report(task, action, answer, self.plan.is_dry_run()) {
                self.results.record(task, report);
            }
        }
        is_clean
    }

    fn execute(mut self, batch: Batch) -> Step {
        if self.results_phase_is_unset() {
            self.results
                .conclude(OperationPhase::Running, "one or more tasks are running");
        }
        Step {
            state: self.results.into_state(),
            next: Next::Do(batch),
        }
    }

    fn results_phase_is_unset(&self) -> bool {
        self.results.clone().into_state().phase.is_unset()
    }

    fn wait(mut self, why: String) -> Step {
        self.results.conclude(OperationPhase::Running, why.clone());
        Step {
            state: self.results.into_state(),
            next: Next::Wait(why),
        }
    }

    fn done(mut self, phase: OperationPhase, message: String) -> Step {
        self.results.conclude(phase.clone(), message.clone());
        Step {
            state: self.results.into_state(),
            next: Next::Done(phase, message),
        }
    }
}

/// What an answer means for its task; `None` when it changes nothing in the results.
fn report(task: &Task, action: &Action, answer: &ActionResult, is_dry_run: bool) -> Option<Report> {
    match (&action.verb, &answer.outcome) {
        (Verb::Apply(_), Ok(outcome)) => {
            let mut report = Report::of(ResultCode::Synced, message(action, *outcome, answer));
            if is_dry_run {
                report.phase = OperationPhase::Succeeded;
            }
            Some(report)
        }
        (Verb::Apply(_), Err(problem)) => Some(Report::of(ResultCode::SyncFailed, problem.clone())),
        (Verb::Delete { .. }, Ok(_)) if task.is_prune() => {
            Some(Report::of(ResultCode::Pruned, "pruned"))
        }
        (Verb::Delete { .. }, Err(problem)) if task.is_prune() => {
            Some(Report::of(ResultCode::SyncFailed, problem.clone()))
        }
        (Verb::Delete { .. }, Err(problem)) => Some(Report::phase(
            OperationPhase::Error,
            format!("failed to delete resource: {problem}"),
        )),
        (Verb::RemoveFinalizer(_), Err(problem)) => Some(Report::phase(
            OperationPhase::Error,
            format!("failed to remove hook finalizer: {problem}"),
        )),
        (Verb::Delete { .. } | Verb::RemoveFinalizer(_), Ok(_)) => None,
    }
}

/// Semantics 14.
fn judge_hook(task: &Task, live: &Object) -> Report {
    match assess(live) {
        None => Report::phase(
            OperationPhase::Succeeded,
            format!("{} created", task.key.object.name),
        ),
        Some(health) => {
            let phase = match health.status {
                HealthCode::Healthy => OperationPhase::Succeeded,
                HealthCode::Degraded => OperationPhase::Failed,
                HealthCode::Unknown | HealthCode::Other(_) => OperationPhase::Error,
                HealthCode::Progressing
                | HealthCode::Suspended
                | HealthCode::Missing
                | HealthCode::Unset => OperationPhase::Running,
            };
            Report::phase(phase, health.message)
        }
    }
}

fn has_policy(task: &Task, policy: DeletePolicy) -> bool {
    task.object()
        .is_some_and(|object| hook::delete_policies(object).contains(&policy))
}

/// `group/kind/name`, as messages name a task.
fn go_name(task: &Task) -> String {
    let key: &ObjectKey = &task.key.object;
    format!("{}/{}/{}", key.group, key.kind, key.name)
}

fn more(tasks: &[&Task]) -> String {
    match (
        tasks.len().saturating_sub(1),
        tasks.first().is_some_and(|task| task.is_hook),
    ) {
        (0, _) => String::new(),
        (count, true) => format!(" and {count} more hooks"),
        (count, false) => format!(" and {count} more resources"),
    }
}

/// Semantics 16. The reason is ours: what a child Application still lacks.
fn why_waiting(tasks: &[&Task], what: &str, reason: Option<&str>) -> String {
    let Some(first) = tasks.first() else {
        return String::new();
    };
    let what = match (what, first.is_hook) {
        ("deletion of", true) => "deletion of hook",
        ("", true) => "completion of hook",
        ("", false) => "healthy state of",
        (what, _) => what,
    };
    let reason = reason
        .map(|reason| format!(" ({reason})"))
        .unwrap_or_default();
    format!(
        "waiting for {what} {}{}{reason}",
        go_name(first),
        more(tasks)
    )
}
