//! Jobs: pods that end, counted once each.
//!
//! As `job/job_controller.go`: a pod keeps the finalizer `batch.kubernetes.io/job-tracking` until
//! its end is counted. The uids of ended pods are first written to
//! `status.uncountedTerminatedPods`, then the finalizers go, then the counts are written: a stop
//! at any point counts no pod twice and none never.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use manifest::Object;
use yaml::Value;

use super::control::Context;
use super::fields::{controller, controller_uid, flag, has_finalizer, int, items, text};
use super::job_backoff;
use super::job_pods::{Place, TRACKING, create, drop, index, parse_indexes, remove, untrack};
use super::job_policy::{
    INDEX_FAILURES, INDEX_IGNORED, Verdict, ended_at, failed_indexes, failures_before, has_failed,
    limit_per_index, replaces_failed_only, success, verdict,
};
use super::job_status::{Conditions, Counts, Rest, Running, finished_condition, true_condition};
use super::kind::Kind;
use super::pod;
use super::time::{later_seconds, parse, stamp};
use super::world::{Change, Ref, World};
use super::write::{Deletion, Note, Outcome, Write, delete, status_after};

pub(crate) const COMPONENT: &str = "job-controller";
/// The value of `spec.managedBy` that means this controller.
const OURSELVES: &str = "kubernetes.io/job-controller";
/// Pods made or deleted in one go (`MaxPodCreateDeletePerSync`).
const BURST: usize = 500;

/// Jobs that changed, those of pods that changed, also when the Job is gone, and pods that nobody
/// owns any more.
pub(crate) fn affected(_world: &World, change: &Change, keys: &mut Vec<Ref>) {
    match change.target.kind {
        Kind::JOB => keys.push(change.target.clone()),
        Kind::POD => {
            for state in change.states() {
                match controller(state).filter(|owner| text(owner, &["kind"]) == "Job") {
                    Some(owner) => keys.push(Ref::new(
                        Kind::JOB,
                        &change.target.namespace,
                        text(owner, &["name"]),
                    )),
                    None if has_finalizer(state, TRACKING) => keys.push(change.target.clone()),
                    None => {}
                }
            }
        }
        _ => {}
    }
}

/// How a Job ends: what announces it, what states it.
struct End {
    kinds: [&'static str; 2],
    reason: String,
    message: String,
}

impl End {
    const FAILED: [&str; 2] = ["FailureTarget", "Failed"];
    const DONE: [&str; 2] = ["SuccessCriteriaMet", "Complete"];

    fn new(kinds: [&'static str; 2], reason: &str, message: impl Into<String>) -> Self {
        End {
            kinds,
            reason: reason.to_owned(),
            message: message.into(),
        }
    }

    fn failed(reason: &str, message: impl Into<String>) -> Self {
        End::new(End::FAILED, reason, message)
    }

    /// An end that was announced stays.
    fn announced(job: &Object) -> Option<Self> {
        [End::DONE, End::FAILED].into_iter().find_map(|kinds| {
            let known = true_condition(job, kinds[0])?;
            let (reason, message) = (text(known, &["reason"]), text(known, &["message"]));
            Some(End::new(kinds, reason, message))
        })
    }

    fn rest(&self) -> Rest {
        if self.kinds == End::DONE {
            Rest::Uncounted
        } else {
            Rest::Fails
        }
    }
}

struct View<'a> {
    context: &'a Context<'a>,
    job: &'a Object,
    pods: Vec<&'a Object>,
    /// Indexes that have succeeded, of an indexed Job.
    done: Option<BTreeSet<i64>>,
    /// Indexes that have failed for good, where indexes have limits of their own.
    failed: Option<BTreeSet<i64>>,
}

/// What was decided about the pods that run.
struct Managed {
    writes: Vec<Write>,
    running: Running,
}

/// One step: count, end or replace pods, report.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    if target.kind == Kind::POD {
        let pod = context.world.get(target);
        let lost = pod.filter(|pod| has_finalizer(pod, TRACKING) && controller(pod).is_none());
        return Outcome::from(Vec::from_iter(lost.map(untrack)));
    }
    let orphans = orphans(context, target);
    let Some(job) = context.world.get(target) else {
        return Outcome::from(orphans);
    };
    let manager = text(job.value(), &["spec", "managedBy"]);
    if !orphans.is_empty() || !matches!(manager, "" | OURSELVES) {
        return Outcome::from(orphans);
    }
    let pods: Vec<&Object> = context
        .world
        .owned(job.uid(), Kind::POD)
        .filter(|pod| controller_uid(pod) == job.uid())
        .collect();
    if let Some(condition) = finished_condition(job) {
        let ended = parse(job.value().at(&["status", "completionTime"]))
            .or_else(|| parse(condition.get("lastTransitionTime")));
        return finished(context, job, &pods, ended);
    }
    let indexed = text(job.value(), &["spec", "completionMode"]) == "Indexed";
    let view = View {
        context,
        job,
        done: indexed.then(|| succeeded_indexes(job, &pods)),
        failed: failed_indexes(job, &pods),
        pods,
    };
    view.step()
}

/// Those in the status, and those of pods that have succeeded since.
fn succeeded_indexes(job: &Object, pods: &[&Object]) -> BTreeSet<i64> {
    let wanted = int(job.value(), &["spec", "completions"]).unwrap_or(0);
    let mut done = parse_indexes(text(job.value(), &["status", "completedIndexes"]));
    let ended = pods.iter().filter(|pod| pod::phase(pod) == "Succeeded");
    done.extend(ended.filter_map(|pod| index(pod)));
    done.retain(|index| *index < wanted);
    done
}

/// Pods whose Job is gone, or was replaced by a namesake, must not wait to be counted.
fn orphans(context: &Context<'_>, target: &Ref) -> Vec<Write> {
    context
        .world
        .list(Kind::POD, &target.namespace)
        .filter(|pod| has_finalizer(pod, TRACKING))
        .filter(|pod| {
            controller(pod).is_some_and(|owner| text(owner, &["name"]) == target.name.as_str())
                && context.world.by_uid(controller_uid(pod)).is_none()
                && context.world.was_deleted(controller_uid(pod))
        })
        .map(untrack)
        .collect()
}

/// What is left to do about a Job that has ended: its last finalizers, and its own end.
fn finished(
    context: &Context<'_>,
    job: &Object,
    pods: &[&Object],
    ended: Option<Timestamp>,
) -> Outcome {
    let tracked = pods.iter().filter(|pod| has_finalizer(pod, TRACKING));
    let mut outcome = Outcome::from(tracked.map(|pod| untrack(pod)).collect::<Vec<_>>());
    let lifetime = int(job.value(), &["spec", "ttlSecondsAfterFinished"]);
    if let Some((ended, seconds)) = ended.zip(lifetime)
        && !job.is_terminating()
    {
        let due = later_seconds(ended, seconds);
        if due <= context.now {
            outcome.push(delete(Kind::JOB, job, Deletion::Foreground));
        } else {
            outcome.again_at(due);
        }
    }
    outcome
}

impl<'a> View<'a> {
    fn number(&self, field: &str) -> Option<i64> {
        int(self.job.value(), &["spec", field])
    }

    fn suspended(&self) -> bool {
        flag(self.job.value(), &["spec", "suspend"])
    }

    fn active(&self) -> Vec<&'a Object> {
        let pods = self.pods.iter().copied();
        pods.filter(|pod| pod::is_active(pod)).collect()
    }

    fn tracked(&self) -> impl Iterator<Item = &'a Object> {
        let pods = self.pods.iter().copied();
        pods.filter(|pod| has_finalizer(pod, TRACKING))
    }

    fn step(self) -> Outcome {
        let mut outcome = Outcome::nothing();
        let mut conditions = Conditions::of(self.job, self.context.now);
        let mut counts = Counts::of(self.job, &self.pods, self.done.clone(), self.failed.clone());
        let mut started = parse(self.job.value().at(&["status", "startTime"]));
        if started.is_none() && !self.suspended() {
            started = Some(self.context.now);
        }
        let mut end = self.end(&counts, started, &mut outcome);
        let managed = if end.is_some() {
            self.drop_all()
        } else if self.job.is_terminating() {
            self.unchanged()
        } else {
            self.manage(&counts, &mut outcome)
        };
        if end.is_none() {
            end = self.completion(&counts, managed.running);
        }
        let suspension =
            end.is_none() && !self.job.is_terminating() && conditions.suspend(self.suspended());
        if suspension && !self.suspended() {
            started = Some(self.context.now);
        }
        if let Some(end) = &end {
            conditions.set(end.kinds[0], &end.reason, &end.message);
        }
        // Pods that cannot be made must not keep the status from being written.
        let (pods, later, running) = if self.context.failure.is_some() {
            (Vec::new(), managed.writes, Running::of(&self.pods))
        } else {
            (managed.writes, Vec::new(), managed.running)
        };
        outcome.writes.extend(pods);
        if suspension {
            outcome.push(Write::Note(self.suspension()));
        }
        let report = Report {
            started,
            running,
            conditions,
        };
        self.count(&mut counts, &report, end.as_ref(), &mut outcome);
        outcome.writes.extend(later);
        outcome
    }

    /// Ended pods: announce, release, count; then the end of the Job, when nothing is left.
    fn count(&self, counts: &mut Counts, report: &Report, end: Option<&End>, out: &mut Outcome) {
        let rest = end.map_or(Rest::Stays, End::rest);
        let released: Vec<&Object> = self
            .tracked()
            .filter(|pod| self.lets_go(pod, rest))
            .collect();
        for pod in &released {
            counts.take(self.job, pod, rest);
        }
        let old = self.job.value().get("status").and_then(Value::as_map);
        let before = old.cloned().unwrap_or_default();
        let announced = counts.report(report.running, report.started, &report.conditions);
        out.push(status_after(Kind::JOB, self.job, before, announced.clone()));
        out.writes.extend(released.iter().map(|pod| untrack(pod)));
        counts.settle();
        let mut conditions = report.conditions.clone();
        let ending = end.filter(|_| report.running.terminating == 0 && report.running.active == 0);
        if let Some(end) = ending {
            conditions.set(end.kinds[1], &end.reason, &end.message);
        }
        let mut counted = counts.report(report.running, report.started, &conditions);
        if ending.is_some_and(|end| end.kinds == End::DONE) {
            counted.insert("completionTime", stamp(self.context.now));
        }
        out.push(status_after(Kind::JOB, self.job, announced, counted));
        if let Some(end) = ending {
            out.push(Write::Note(self.ending(end)));
        }
    }

    /// Whether a pod may lose its finalizer.
    fn lets_go(&self, pod: &Object, rest: Rest) -> bool {
        if self.job.is_terminating() || rest != Rest::Stays || pod::phase(pod) == "Succeeded" {
            return true;
        }
        has_failed(self.job, pod)
            && !self
                .delayed()
                .values()
                .any(|delayed| delayed.uid() == pod.uid())
    }

    /// The last failed pod of each index that will be tried again; it stays until there is a new
    /// one, which goes on counting from it.
    fn delayed(&self) -> BTreeMap<i64, &'a Object> {
        let mut last: BTreeMap<i64, &Object> = BTreeMap::new();
        let Some(failed) = self.failed.as_ref() else {
            return last;
        };
        let failures = |pod: &Object| {
            failures_before(pod, INDEX_FAILURES) + failures_before(pod, INDEX_IGNORED)
        };
        let running: BTreeSet<i64> = self.active().iter().filter_map(|pod| index(pod)).collect();
        for pod in self.tracked().filter(|pod| has_failed(self.job, pod)) {
            let Some(index) = index(pod) else { continue };
            let over = failed.contains(&index)
                || running.contains(&index)
                || self.done.as_ref().is_some_and(|done| done.contains(&index));
            let newer = last
                .get(&index)
                .is_none_or(|other| failures(pod) >= failures(other));
            if !over && newer {
                last.insert(index, pod);
            }
        }
        last
    }

    fn suspension(&self) -> Note {
        let (reason, message) = if self.suspended() {
            ("Suspended", "Job suspended")
        } else {
            ("Resumed", "Job resumed")
        };
        Note::normal(self.job, COMPONENT, reason, message.to_owned())
    }

    fn ending(&self, end: &End) -> Note {
        if end.kinds == End::DONE {
            Note::normal(self.job, COMPONENT, "Completed", "Job completed".to_owned())
        } else {
            let reason = FAILURES.iter().find(|known| **known == end.reason);
            let reason = reason.copied().unwrap_or("BackoffLimitExceeded");
            Note::warning(self.job, COMPONENT, reason, end.message.clone())
        }
    }

    /// Whether the Job ends before all is done, and how.
    fn end(&self, counts: &Counts, started: Option<Timestamp>, out: &mut Outcome) -> Option<End> {
        if let Some(end) = End::announced(self.job) {
            return Some(end);
        }
        let failed = self.pods.iter().filter(|pod| has_failed(self.job, pod));
        let mut fatal = failed.filter_map(|pod| match verdict(self.job, pod) {
            Verdict::FailsJob(message) => Some(message),
            Verdict::Counts | Verdict::Ignored | Verdict::FailsIndex => None,
        });
        if let Some(message) = fatal.next() {
            return Some(End::failed("PodFailurePolicy", message));
        }
        if self.too_many_failures(counts) {
            let message = "Job has reached the specified backoff limit";
            return Some(End::failed("BackoffLimitExceeded", message));
        }
        if let Some((started, seconds)) = started.zip(self.number("activeDeadlineSeconds"))
            && !self.suspended()
        {
            let due = later_seconds(started, seconds);
            if due <= self.context.now {
                let message = "Job was active longer than specified deadline";
                return Some(End::failed("DeadlineExceeded", message));
            }
            out.again_at(due);
        }
        self.failed_by_indexes().or_else(|| {
            let message = success(self.job, self.done.as_ref()?)?;
            Some(End::new(End::DONE, "SuccessPolicy", message))
        })
    }

    fn too_many_failures(&self, counts: &Counts) -> bool {
        let no_limit = if limit_per_index(self.job).is_some() {
            i64::MAX
        } else {
            6
        };
        let limit = self.number("backoffLimit").unwrap_or(no_limit);
        let restarts = self.restarts();
        let restarted_too_often = restarts > 0 && restarts >= limit;
        restarted_too_often || counts.n_failed(self.job, &self.pods) > limit
    }

    fn failed_by_indexes(&self) -> Option<End> {
        let (failed, done) = self.failed.as_ref().zip(self.done.as_ref())?;
        let n_failed = i64::try_from(failed.len()).ok()?;
        let n_done = i64::try_from(done.len()).ok()?;
        if self
            .number("maxFailedIndexes")
            .is_some_and(|most| n_failed > most)
        {
            let message = "Job has exceeded the specified maximal number of failed indexes";
            return Some(End::failed("MaxFailedIndexesExceeded", message));
        }
        let all = self.number("completions").unwrap_or(0);
        (n_failed > 0 && n_failed + n_done >= all)
            .then(|| End::failed("FailedIndexes", "Job has failed indexes"))
    }

    /// Whether everything is done.
    fn completion(&self, counts: &Counts, running: Running) -> Option<End> {
        let succeeded = counts.n_succeeded(&self.pods);
        let enough = match self.number("completions") {
            Some(wanted) => succeeded >= wanted,
            None => succeeded > 0,
        };
        let message = "Reached expected number of succeeded pods";
        (enough && running.active == 0 && !self.suspended())
            .then(|| End::new(End::DONE, "CompletionsReached", message))
    }

    /// Restarts of containers count as failures where pods are restarted in place.
    fn restarts(&self) -> i64 {
        let in_place = text(pod::template(self.job), &["spec", "restartPolicy"]) == "OnFailure";
        if !in_place {
            return 0;
        }
        self.pods
            .iter()
            .filter(|pod| matches!(pod::phase(pod), "Running" | "Pending"))
            .flat_map(|pod| {
                ["initContainerStatuses", "containerStatuses"]
                    .map(|field| items(pod.value(), &["status", field]))
            })
            .flatten()
            .filter_map(|status| int(status, &["restartCount"]))
            .sum()
    }

    fn unchanged(&self) -> Managed {
        Managed {
            writes: Vec::new(),
            running: Running::of(&self.pods),
        }
    }

    /// Deletes what still runs when the Job ends; it is counted, or not, with the others.
    fn drop_all(&self) -> Managed {
        let active = self.active();
        Managed {
            writes: active.iter().map(|pod| drop(self.job, pod)).collect(),
            running: Running::of(&self.pods).without(&active),
        }
    }

    fn remove(&self, pods: &[&Object]) -> Managed {
        Managed {
            writes: pods.iter().flat_map(|pod| remove(self.job, pod)).collect(),
            running: Running::of(&self.pods).without(pods),
        }
    }

    /// Makes missing pods and takes surplus ones away.
    fn manage(&self, counts: &Counts, outcome: &mut Outcome) -> Managed {
        let active = self.active();
        if self.suspended() {
            return self.remove(&active);
        }
        let n_active = i64::try_from(active.len()).unwrap_or(i64::MAX);
        let succeeded = counts.n_succeeded(&self.pods);
        let parallelism = self.number("parallelism").unwrap_or(1);
        let wanted = match self.number("completions") {
            Some(completions) => parallelism.min(completions - succeeded).max(0),
            None if succeeded > 0 => n_active,
            None => parallelism,
        };
        let surplus = self.surplus(active, n_active - wanted);
        if !surplus.is_empty() {
            return self.remove(&surplus);
        }
        let held = if replaces_failed_only(self.job) {
            Running::of(&self.pods).terminating
        } else {
            0
        };
        let missing = usize::try_from(wanted - n_active - held)
            .unwrap_or(0)
            .min(BURST);
        if missing == 0 {
            return self.unchanged();
        }
        let (writes, due) = self.creations(missing);
        if writes.is_empty() && due.is_some() {
            // As in Kubernetes, nothing counts as active during this wait.
            outcome.again_at(due);
            let mut managed = self.unchanged();
            managed.running.active = 0;
            return managed;
        }
        let mut running = Running::of(&self.pods);
        running.active += i64::try_from(writes.len()).unwrap_or(0);
        Managed { writes, running }
    }

    /// The pods that are too many: those of indexes that are not wanted or have another pod, and
    /// the least useful.
    fn surplus(&self, mut active: Vec<&'a Object>, n_surplus: i64) -> Vec<&'a Object> {
        active.sort_by_key(|pod| pod::removal_rank(pod));
        let mut surplus = Vec::new();
        if self.done.is_some() {
            let wanted = self.number("completions").unwrap_or(0);
            let mut seen = BTreeSet::new();
            for pod in active.iter().rev() {
                let fits = index(pod).is_some_and(|index| index < wanted && seen.insert(index));
                if !fits {
                    surplus.push(*pod);
                }
            }
        }
        let wanted = usize::try_from(n_surplus).unwrap_or(0);
        for pod in active {
            if surplus.len() >= wanted {
                break;
            }
            if !surplus.iter().any(|other| other.uid() == pod.uid()) {
                surplus.push(pod);
            }
        }
        surplus.truncate(BURST);
        surplus
    }

    /// Creations that may happen now, or the time of the next one.
    fn creations(&self, missing: usize) -> (Vec<Write>, Option<Timestamp>) {
        let now = self.context.now;
        let waits = || {
            let until = self.context.world.backoffs.until(self.job.uid());
            until.filter(|time| self.failed.is_none() && *time > now)
        };
        if let Some(time) = waits() {
            return (Vec::new(), Some(time));
        }
        let Some(done) = &self.done else {
            return ((0..missing).map(|_| create(self.job, None)).collect(), None);
        };
        let mut taken: BTreeSet<i64> = self.active().iter().filter_map(|pod| index(pod)).collect();
        if replaces_failed_only(self.job) {
            let leaving = self.pods.iter().filter(|pod| pod.is_terminating());
            let leaving = leaving.filter(|pod| !pod::is_finished(pod));
            taken.extend(leaving.filter_map(|pod| index(pod)));
        }
        taken.extend(done);
        taken.extend(self.failed.iter().flatten());
        let delayed = self.delayed();
        let wanted = self.number("completions").unwrap_or(0);
        let (mut writes, mut due) = (Vec::new(), None);
        for index in (0..wanted)
            .filter(|index| !taken.contains(index))
            .take(missing)
        {
            let before = delayed.get(&index).copied();
            let time = before.map(|pod| {
                let failures =
                    failures_before(pod, INDEX_FAILURES) + failures_before(pod, INDEX_IGNORED) + 1;
                job_backoff::after(failures, ended_at(pod))
            });
            match time.filter(|time| *time > now) {
                Some(time) => due = Some(due.map_or(time, |other: Timestamp| other.min(time))),
                None => writes.push(create(self.job, Some(self.place(index, before)))),
            }
        }
        (writes, due)
    }

    fn place(&self, index: i64, before: Option<&Object>) -> Place {
        let failures = before.map_or((0, 0), |pod| {
            let counted = failures_before(pod, INDEX_FAILURES);
            let ignored = failures_before(pod, INDEX_IGNORED);
            match verdict(self.job, pod) {
                Verdict::Ignored => (counted, ignored + 1),
                Verdict::Counts | Verdict::FailsIndex | Verdict::FailsJob(_) => {
                    (counted + 1, ignored)
                }
            }
        });
        Place {
            index,
            failures: self.failed.is_some().then_some(failures),
        }
    }
}

/// What is reported in any case.
struct Report {
    started: Option<Timestamp>,
    running: Running,
    conditions: Conditions,
}

/// The reasons of failures, for their events.
const FAILURES: [&str; 5] = [
    "BackoffLimitExceeded",
    "DeadlineExceeded",
    "PodFailurePolicy",
    "MaxFailedIndexesExceeded",
    "FailedIndexes",
];
