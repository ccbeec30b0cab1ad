//! Jobs: pods that end, counted once each.
//!
//! As `job/job_controller.go`: a pod keeps the finalizer `batch.kubernetes.io/job-tracking` until
//! its end is counted. The uids of ended pods are first written to
//! `status.uncountedTerminatedPods`, then the finalizers go, then the counts are written: a stop
//! at any point counts no pod twice and none never.

use std::collections::BTreeSet;

use jiff::Timestamp;
use manifest::Object;
use yaml::Value;

use super::control::Context;
use super::fields::{controller, controller_uid, flag, has_finalizer, int, items, text};
use super::job_pods::{Indexes, TRACKING, create, index, remove, untrack};
use super::job_status::{Conditions, Counts, finished_condition};
use super::kind::Kind;
use super::pod;
use super::time::{later_seconds, parse};
use super::world::{Change, Ref, World};
use super::write::{Deletion, Note, Outcome, Write, delete, status, status_after};

pub(crate) const COMPONENT: &str = "job-controller";
/// The first wait after a failed pod and the longest (`DefaultJobPodFailureBackOff`, `Max…`).
const FIRST_BACKOFF_SECONDS: i64 = 10;
const LONGEST_BACKOFF_SECONDS: i64 = 600;

/// Jobs that changed and those of pods that changed, also when the Job is gone.
pub(crate) fn affected(_world: &World, change: &Change, keys: &mut Vec<Ref>) {
    match change.target.kind {
        Kind::JOB => keys.push(change.target.clone()),
        Kind::POD => {
            let owner = change.latest().and_then(controller);
            if let Some(owner) = owner.filter(|owner| text(owner, &["kind"]) == "Job") {
                keys.push(Ref::new(
                    Kind::JOB,
                    &change.target.namespace,
                    text(owner, &["name"]),
                ));
            }
        }
        _ => {}
    }
}

/// How a Job ends.
struct End {
    /// The condition that announces the end, and the one that states it.
    kinds: [&'static str; 2],
    reason: &'static str,
    message: String,
}

struct View<'a> {
    context: &'a Context<'a>,
    job: &'a Object,
    pods: Vec<&'a Object>,
    counts: Counts,
    indexes: Option<Indexes>,
}

/// One step: count, end or replace pods, report.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    let orphans = orphans(context, target);
    let Some(job) = context.world.get(target) else {
        return Outcome::from(orphans);
    };
    if !orphans.is_empty() {
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
        counts: Counts::of(job, &pods),
        indexes: indexed.then(|| Indexes::of(job, &pods)),
        pods,
    };
    view.step()
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

impl View<'_> {
    fn number(&self, field: &str) -> Option<i64> {
        int(self.job.value(), &["spec", field])
    }

    fn active(&self) -> Vec<&Object> {
        self.pods
            .iter()
            .copied()
            .filter(|pod| pod::is_active(pod))
            .collect()
    }

    fn terminating(&self) -> usize {
        self.pods
            .iter()
            .filter(|pod| pod.is_terminating() && !pod::is_finished(pod))
            .count()
    }

    fn step(self) -> Outcome {
        let mut conditions = Conditions::of(self.job, self.context.now);
        let suspended = flag(self.job.value(), &["spec", "suspend"]);
        let mut started = parse(self.job.value().at(&["status", "startTime"]));
        let mut outcome = Outcome::nothing();
        let end = self.end(started, &mut outcome);
        if end.is_none() {
            let changed = conditions.suspend(suspended);
            if !suspended && (started.is_none() || changed) {
                started = Some(self.context.now);
            }
            if changed {
                outcome.push(Write::Note(self.suspension(suspended)));
            }
        }
        let surplus = end.is_some() || suspended || self.job.is_terminating();
        let pods = if surplus {
            self.remove_all()
        } else {
            self.manage(&mut outcome)
        };
        if let Some(end) = &end {
            conditions.set(end.kinds[0], end.reason, &end.message);
        }
        // Ended pods: announce, release, count.
        let completed = self.indexes.as_ref().map(Indexes::completed);
        let mut before = self
            .job
            .value()
            .get("status")
            .and_then(Value::as_map)
            .cloned();
        if self.counts.any_uncounted() {
            let announced = self
                .counts
                .announced(self.job, started, &completed, &conditions);
            outcome.push(status(Kind::JOB, self.job, announced.clone()));
            before = Some(announced);
            outcome.writes.extend(self.counts.uncounted().map(untrack));
        }
        let nothing_left = self.terminating() == 0 && self.active().is_empty();
        let mut completion = None;
        if let Some(end) = end.as_ref().filter(|_| nothing_left) {
            conditions.set(end.kinds[1], end.reason, &end.message);
            completion = (end.kinds[1] == "Complete").then_some(self.context.now);
            outcome.push(Write::Note(self.ending(end)));
        }
        let waits_for_pods = !pods.is_empty() && self.context.failure.is_none();
        if !waits_for_pods || self.counts.any_uncounted() {
            let mut counted = self
                .counts
                .counted(self.job, started, &completed, &conditions);
            if let Some(time) = completion {
                counted.insert("completionTime", super::time::stamp(time));
            }
            let before = before.unwrap_or_default();
            outcome.push(status_after(Kind::JOB, self.job, before, counted));
        }
        outcome.writes.extend(pods);
        outcome
    }

    fn suspension(&self, suspended: bool) -> Note {
        let (reason, message) = if suspended {
            ("Suspended", "Job suspended")
        } else {
            ("Resumed", "Job resumed")
        };
        Note::normal(self.job, COMPONENT, reason, message.to_owned())
    }

    fn ending(&self, end: &End) -> Note {
        if end.kinds[1] == "Complete" {
            Note::normal(self.job, COMPONENT, "Completed", "Job completed".to_owned())
        } else {
            Note::warning(self.job, COMPONENT, end.reason, end.message.clone())
        }
    }

    /// Whether the Job has ended, and how. An end that was announced stays.
    fn end(&self, started: Option<Timestamp>, outcome: &mut Outcome) -> Option<End> {
        const FAILED: [&str; 2] = ["FailureTarget", "Failed"];
        let announced = items(self.job.value(), &["status", "conditions"])
            .iter()
            .find(|condition| text(condition, &["type"]) == FAILED[0]);
        if let Some(condition) = announced {
            let reason = match text(condition, &["reason"]) {
                "DeadlineExceeded" => "DeadlineExceeded",
                _ => "BackoffLimitExceeded",
            };
            let message = text(condition, &["message"]).to_owned();
            return Some(End {
                kinds: FAILED,
                reason,
                message,
            });
        }
        if self.counts.failed() + self.restarts() > self.number("backoffLimit").unwrap_or(6) {
            let message = "Job has reached the specified backoff limit".to_owned();
            return Some(End {
                kinds: FAILED,
                reason: "BackoffLimitExceeded",
                message,
            });
        }
        if let Some((started, seconds)) = started.zip(self.number("activeDeadlineSeconds"))
            && !flag(self.job.value(), &["spec", "suspend"])
        {
            let due = later_seconds(started, seconds);
            if due <= self.context.now {
                let message = "Job was active longer than specified deadline".to_owned();
                return Some(End {
                    kinds: FAILED,
                    reason: "DeadlineExceeded",
                    message,
                });
            }
            outcome.again_at(due);
        }
        let succeeded = self.succeeded();
        let complete = match self.number("completions") {
            Some(wanted) => succeeded >= wanted,
            None => succeeded > 0 && self.active().is_empty(),
        };
        complete.then(|| End {
            kinds: ["SuccessCriteriaMet", "Complete"],
            reason: "CompletionsReached",
            message: "Reached expected number of succeeded pods".to_owned(),
        })
    }

    fn succeeded(&self) -> i64 {
        self.indexes
            .as_ref()
            .map_or(self.counts.succeeded(), Indexes::count)
    }

    /// Restarts of containers count as failures where pods are restarted in place.
    fn restarts(&self) -> i64 {
        let in_place = text(pod::template(self.job), &["spec", "restartPolicy"]) == "OnFailure";
        if !in_place {
            return 0;
        }
        self.active()
            .iter()
            .flat_map(|pod| items(pod.value(), &["status", "containerStatuses"]))
            .filter_map(|status| int(status, &["restartCount"]))
            .sum()
    }

    fn remove_all(&self) -> Vec<Write> {
        self.active()
            .into_iter()
            .flat_map(|pod| remove(self.job, pod))
            .collect()
    }

    /// Makes missing pods and takes surplus ones away.
    fn manage(&self, outcome: &mut Outcome) -> Vec<Write> {
        let mut active = self.active();
        let parallelism = self.number("parallelism").unwrap_or(1);
        let wanted = match self.number("completions") {
            Some(completions) => parallelism.min(completions - self.succeeded()),
            None if self.succeeded() > 0 => {
                parallelism.min(i64::try_from(active.len()).unwrap_or(i64::MAX))
            }
            None => parallelism,
        };
        let wanted = usize::try_from(wanted).unwrap_or(0);
        if active.len() > wanted {
            active.sort_by_key(|pod| pod::removal_rank(pod));
            let surplus = active.len() - wanted;
            return active
                .into_iter()
                .take(surplus)
                .flat_map(|pod| remove(self.job, pod))
                .collect();
        }
        let replaces_failed_only =
            text(self.job.value(), &["spec", "podReplacementPolicy"]) == "Failed";
        let held = if replaces_failed_only {
            self.terminating()
        } else {
            0
        };
        let missing = wanted.saturating_sub(active.len() + held);
        if missing == 0 {
            return Vec::new();
        }
        if let Some(time) = self.backoff_until().filter(|time| *time > self.context.now) {
            outcome.again_at(time);
            return Vec::new();
        }
        match &self.indexes {
            None => (0..missing).map(|_| create(self.job, None)).collect(),
            Some(indexes) => {
                let taken: BTreeSet<i64> = active.iter().filter_map(|pod| index(pod)).collect();
                let completions = self.number("completions").unwrap_or(0);
                (0..completions)
                    .filter(|index| !indexes.has(*index) && !taken.contains(index))
                    .take(missing)
                    .map(|index| create(self.job, Some(index)))
                    .collect()
            }
        }
    }

    /// The end of the wait after the last failure, which doubles with each.
    fn backoff_until(&self) -> Option<Timestamp> {
        let failures = self.counts.failed();
        let last = self
            .pods
            .iter()
            .filter(|pod| pod::phase(pod) == "Failed")
            .flat_map(|pod| items(pod.value(), &["status", "containerStatuses"]))
            .filter_map(|status| parse(status.at(&["state", "terminated", "finishedAt"])))
            .max()?;
        let doublings = u32::try_from(failures - 1).unwrap_or(0).min(6);
        let seconds = FIRST_BACKOFF_SECONDS << doublings;
        Some(later_seconds(last, seconds.min(LONGEST_BACKOFF_SECONDS)))
    }
}
