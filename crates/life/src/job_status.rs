//! What a Job says about itself: counts, uncounted pods, conditions.

use jiff::Timestamp;
use manifest::Object;
use yaml::{Map, Value};

use super::fields::{has_finalizer, int, items, map, set_count, text};
use super::job_pods::TRACKING;
use super::pod;
use super::time::stamp;

/// The condition that says that the Job has ended.
pub(crate) fn finished_condition(job: &Object) -> Option<&Value> {
    items(job.value(), &["status", "conditions"])
        .iter()
        .find(|condition| {
            matches!(text(condition, &["type"]), "Complete" | "Failed")
                && text(condition, &["status"]) == "True"
        })
}

/// The conditions of a Job while they are changed. They keep their places.
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

/// The pods of a Job, sorted by what they mean for its counts.
pub(crate) struct Counts {
    succeeded_before: i64,
    failed_before: i64,
    succeeded: Vec<String>,
    failed: Vec<String>,
    announced: Map,
    tracked: Vec<Object>,
    active: i64,
    ready: i64,
    terminating: i64,
}

impl Counts {
    /// Of the status and the pods.
    pub(crate) fn of(job: &Object, pods: &[&Object]) -> Self {
        let uids = |field: &str| -> Vec<String> {
            items(job.value(), &["status", "uncountedTerminatedPods", field])
                .iter()
                .filter_map(|uid| Some(uid.as_str()?.to_owned()))
                .collect()
        };
        let before = |field: &str| int(job.value(), &["status", field]).unwrap_or(0);
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let leaving = |pod: &&&Object| pod.is_terminating() && !pod::is_finished(pod);
        let active: Vec<&&Object> = pods.iter().filter(|pod| pod::is_active(pod)).collect();
        let announced = job.value().at(&["status", "uncountedTerminatedPods"]);
        let mut counts = Counts {
            succeeded_before: before("succeeded"),
            failed_before: before("failed"),
            succeeded: uids("succeeded"),
            failed: uids("failed"),
            announced: announced
                .and_then(Value::as_map)
                .cloned()
                .unwrap_or_default(),
            tracked: Vec::new(),
            ready: number(active.iter().filter(|pod| pod::is_ready(pod)).count()),
            active: number(active.len()),
            terminating: number(pods.iter().filter(leaving).count()),
        };
        for pod in pods.iter().filter(|pod| has_finalizer(pod, TRACKING)) {
            let list = match pod::phase(pod) {
                "Succeeded" => &mut counts.succeeded,
                // A pod that somebody deletes counts as failed, so that it is replaced at once.
                _ if pod::is_finished(pod) || pod.is_terminating() => &mut counts.failed,
                _ => continue,
            };
            if !list.iter().any(|uid| uid == pod.uid()) {
                list.push(pod.uid().to_owned());
            }
            counts.tracked.push((*pod).clone());
        }
        counts
    }

    /// Pods that have succeeded, counted or not.
    pub(crate) fn succeeded(&self) -> i64 {
        self.succeeded_before + i64::try_from(self.succeeded.len()).unwrap_or(i64::MAX)
    }

    /// Pods that have failed, counted or not.
    pub(crate) fn failed(&self) -> i64 {
        self.failed_before + i64::try_from(self.failed.len()).unwrap_or(i64::MAX)
    }

    /// Whether there is an end that was not counted.
    pub(crate) fn any_uncounted(&self) -> bool {
        !(self.succeeded.is_empty() && self.failed.is_empty())
    }

    /// The ended pods that still have their finalizer.
    pub(crate) fn uncounted(&self) -> impl Iterator<Item = &Object> {
        self.tracked.iter()
    }

    fn report(
        &self,
        started: Option<Timestamp>,
        completed: &Option<String>,
        conditions: &Conditions,
    ) -> Map {
        let mut report = Map::new();
        set_count(&mut report, "active", self.active);
        report.insert("ready", self.ready);
        report.insert("terminating", self.terminating);
        if let Some(time) = started {
            report.insert("startTime", stamp(time));
        }
        if let Some(completed) = completed.as_ref().filter(|text| !text.is_empty()) {
            report.insert("completedIndexes", completed.as_str());
        }
        if !conditions.list.is_empty() {
            report.insert("conditions", conditions.list.clone());
        }
        report
    }

    /// The status that names the ended pods before they are released.
    pub(crate) fn announced(
        &self,
        job: &Object,
        started: Option<Timestamp>,
        completed: &Option<String>,
        conditions: &Conditions,
    ) -> Map {
        let mut report = self.report(started, completed, conditions);
        set_count(&mut report, "succeeded", self.succeeded_before);
        set_count(&mut report, "failed", self.failed_before);
        let mut uncounted = self.announced.clone();
        for (field, uids) in [("succeeded", &self.succeeded), ("failed", &self.failed)] {
            if !uids.is_empty() {
                uncounted.insert(field, uids.iter().map(String::as_str).collect::<Vec<_>>());
            }
        }
        report.insert("uncountedTerminatedPods", uncounted);
        keep_failed_indexes(job, &mut report);
        report
    }

    /// The status when they have been released.
    pub(crate) fn counted(
        &self,
        job: &Object,
        started: Option<Timestamp>,
        completed: &Option<String>,
        conditions: &Conditions,
    ) -> Map {
        let mut report = self.report(started, completed, conditions);
        set_count(&mut report, "succeeded", self.succeeded());
        set_count(&mut report, "failed", self.failed());
        report.insert("uncountedTerminatedPods", Map::new());
        keep_failed_indexes(job, &mut report);
        report
    }
}

fn keep_failed_indexes(job: &Object, report: &mut Map) {
    if let Some(indexes) = job.value().at(&["status", "failedIndexes"]) {
        report.insert("failedIndexes", indexes.clone());
    }
}
