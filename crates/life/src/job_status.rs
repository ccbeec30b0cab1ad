//! What a Job says about itself: counts, uncounted pods, conditions.

use std::collections::BTreeSet;

use jiff::Timestamp;
use manifest::Object;
use yaml::{Map, Value};

use super::fields::{has_finalizer, int, items, map, set_count, text};
use super::job_pods::{TRACKING, index, written};
use super::job_policy::{Verdict, has_failed, verdict};
use super::pod;
use super::time::stamp;

/// The condition that says that the Job has ended.
pub(crate) fn finished_condition(job: &Object) -> Option<&Value> {
    ["Complete", "Failed"]
        .iter()
        .find_map(|kind| true_condition(job, kind))
}

/// A condition that holds.
pub(crate) fn true_condition<'a>(job: &'a Object, kind: &str) -> Option<&'a Value> {
    pod::condition(job, kind).filter(|condition| text(condition, &["status"]) == "True")
}

/// The conditions of a Job while they are changed. They keep their places.
#[derive(Clone)]
pub(crate) struct Conditions {
    list: Vec<Value>,
    now: Timestamp,
}

impl Conditions {
    /// Those that the Job has.
    pub(crate) fn of(job: &Object, now: Timestamp) -> Self {
        Conditions {
            list: items(job.value(), &["status", "conditions"]).to_vec(),
            now,
        }
    }

    /// States that something holds.
    pub(crate) fn set(&mut self, kind: &str, reason: &str, message: &str) {
        self.put(kind, "True", reason, message);
    }

    fn put(&mut self, kind: &str, holds: &str, reason: &str, message: &str) {
        let slot = self
            .list
            .iter_mut()
            .find(|known| text(known, &["type"]) == kind);
        if slot
            .as_ref()
            .is_some_and(|known| text(known, &["status"]) == holds)
        {
            return;
        }
        let condition = map([
            ("type", kind.into()),
            ("status", holds.into()),
            ("lastProbeTime", stamp(self.now)),
            ("lastTransitionTime", stamp(self.now)),
            ("reason", reason.into()),
            ("message", message.into()),
        ]);
        match slot {
            Some(known) => *known = condition,
            None => self.list.push(condition),
        }
    }

    /// States whether the Job is suspended; `true` when that is news.
    pub(crate) fn suspend(&mut self, suspended: bool) -> bool {
        let known = self
            .list
            .iter()
            .find(|known| text(known, &["type"]) == "Suspended");
        let was = known.is_some_and(|known| text(known, &["status"]) == "True");
        if was == suspended {
            return false;
        }
        if suspended {
            self.put("Suspended", "True", "JobSuspended", "Job suspended");
        } else {
            self.put("Suspended", "False", "JobResumed", "Job resumed");
        }
        true
    }
}

/// How many pods a Job has, by what they do.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Running {
    /// Neither ended nor being deleted.
    pub(crate) active: i64,
    /// Active and ready.
    pub(crate) ready: i64,
    /// Being deleted, not ended.
    pub(crate) terminating: i64,
}

impl Running {
    /// Of the pods.
    pub(crate) fn of(pods: &[&Object]) -> Self {
        let number = |test: &dyn Fn(&Object) -> bool| {
            i64::try_from(pods.iter().filter(|pod| test(pod)).count()).unwrap_or(i64::MAX)
        };
        Running {
            active: number(&pod::is_active),
            ready: number(&|pod| pod::is_active(pod) && pod::is_ready(pod)),
            terminating: number(&|pod| pod.is_terminating() && !pod::is_finished(pod)),
        }
    }

    /// The same after a deletion of active pods.
    pub(crate) fn without(mut self, deleted: &[&Object]) -> Self {
        for pod in deleted {
            self.active -= 1;
            self.ready -= i64::from(pod::is_ready(pod));
            self.terminating += 1;
        }
        self
    }
}

/// Whether pods that are still active when the Job ends count as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// The Job goes on.
    Stays,
    /// The Job has succeeded: they do not count.
    Uncounted,
    /// The Job has failed.
    Fails,
}

/// The ends of a Job's pods, counted and not yet counted.
pub(crate) struct Counts {
    /// Counted successes; of an indexed Job, its indexes.
    succeeded: i64,
    failed: i64,
    /// Uids that wait to be counted until their finalizer is gone.
    waiting: [Vec<String>; 2],
    /// Indexes that have succeeded, of an indexed Job.
    indexes: Option<BTreeSet<i64>>,
    failed_indexes: Option<BTreeSet<i64>>,
}

impl Counts {
    /// What the status says, with those counted whose finalizer is gone.
    pub(crate) fn of(
        job: &Object,
        pods: &[&Object],
        indexes: Option<BTreeSet<i64>>,
        failed_indexes: Option<BTreeSet<i64>>,
    ) -> Self {
        let status = |field: &str| int(job.value(), &["status", field]).unwrap_or(0);
        let tracked: BTreeSet<&str> = pods
            .iter()
            .filter(|pod| has_finalizer(pod, TRACKING))
            .map(|pod| pod.uid())
            .collect();
        let mut counts = Counts {
            succeeded: status("succeeded"),
            failed: status("failed"),
            waiting: [Vec::new(), Vec::new()],
            indexes,
            failed_indexes,
        };
        for (slot, field) in ["succeeded", "failed"].into_iter().enumerate() {
            let path = ["status", "uncountedTerminatedPods", field];
            for uid in items(job.value(), &path).iter().filter_map(Value::as_str) {
                if tracked.contains(uid) {
                    counts.waiting[slot].push(uid.to_owned());
                } else if slot == 0 {
                    counts.succeeded += 1;
                } else {
                    counts.failed += 1;
                }
            }
        }
        counts
    }

    fn waits(&self, pod: &Object) -> bool {
        self.waiting.iter().flatten().any(|uid| uid == pod.uid())
    }

    /// Pods that have succeeded, counted or not; indexes where there are.
    pub(crate) fn n_succeeded(&self, pods: &[&Object]) -> i64 {
        if let Some(indexes) = &self.indexes {
            return i64::try_from(indexes.len()).unwrap_or(i64::MAX);
        }
        let new = pods.iter().filter(|pod| {
            has_finalizer(pod, TRACKING) && pod::phase(pod) == "Succeeded" && !self.waits(pod)
        });
        self.succeeded + number(self.waiting[0].len() + new.count())
    }

    /// Pods that have failed, counted or not, as far as they count.
    pub(crate) fn n_failed(&self, job: &Object, pods: &[&Object]) -> i64 {
        let new = pods.iter().filter(|pod| {
            has_finalizer(pod, TRACKING)
                && has_failed(job, pod)
                && !self.waits(pod)
                && verdict(job, pod) != Verdict::Ignored
        });
        self.failed + number(self.waiting[1].len() + new.count())
    }

    /// Notes the end of a pod before its finalizer goes.
    pub(crate) fn take(&mut self, job: &Object, pod: &Object, rest: Rest) {
        if self.waits(pod) {
            return;
        }
        if pod::phase(pod) == "Succeeded" {
            // The index tells that it was counted.
            if self.indexes.is_none() {
                self.waiting[0].push(pod.uid().to_owned());
            }
        } else if has_failed(job, pod) || rest == Rest::Fails {
            let fits = self.indexes.is_none() || index(pod).is_some();
            if fits && verdict(job, pod) != Verdict::Ignored {
                self.waiting[1].push(pod.uid().to_owned());
            }
        }
    }

    /// Counts those that were noted.
    pub(crate) fn settle(&mut self) {
        let [succeeded, failed] = std::mem::take(&mut self.waiting);
        self.succeeded += number(succeeded.len());
        self.failed += number(failed.len());
    }

    /// The status.
    pub(crate) fn report(
        &self,
        running: Running,
        started: Option<Timestamp>,
        conditions: &Conditions,
    ) -> Map {
        let mut report = Map::new();
        set_count(&mut report, "active", running.active);
        report.insert("ready", running.ready);
        report.insert("terminating", running.terminating);
        if let Some(time) = started {
            report.insert("startTime", stamp(time));
        }
        let succeeded = match &self.indexes {
            Some(indexes) => {
                if !indexes.is_empty() {
                    report.insert("completedIndexes", written(indexes));
                }
                number(indexes.len())
            }
            None => self.succeeded,
        };
        if let Some(indexes) = &self.failed_indexes {
            report.insert("failedIndexes", written(indexes));
        }
        set_count(&mut report, "succeeded", succeeded);
        set_count(&mut report, "failed", self.failed);
        let mut uncounted = Map::new();
        for (field, uids) in ["succeeded", "failed"].into_iter().zip(&self.waiting) {
            if !uids.is_empty() {
                uncounted.insert(field, uids.iter().map(String::as_str).collect::<Vec<_>>());
            }
        }
        report.insert("uncountedTerminatedPods", uncounted);
        if !conditions.list.is_empty() {
            report.insert("conditions", conditions.list.clone());
        }
        report
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
