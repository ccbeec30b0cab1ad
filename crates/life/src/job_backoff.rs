//! How long a Job waits after failures.
//!
//! The pods that failed may be gone when their replacement is due, so the world keeps this record
//! while it sees pods end, as `job/backoff_utils.go` does.

use std::collections::HashMap;

use jiff::Timestamp;
use manifest::Object;
use yaml::Str;

use super::fields::has_finalizer;
use super::job_pods::TRACKING;
use super::job_policy::{ended_at, has_failed};
use super::pod;
use super::time::later_seconds;

/// The first wait after a failed pod and the longest (`DefaultJobPodFailureBackOff`, `Max…`).
const FIRST_SECONDS: i64 = 10;
const LONGEST_SECONDS: i64 = 600;

#[derive(Clone, Copy, Debug)]
struct Record {
    n_failures: i64,
    last: Timestamp,
}

/// The failures of each Job since its last success.
#[derive(Debug, Default)]
pub(crate) struct Backoffs(HashMap<Str, Record>);

impl Backoffs {
    /// Takes in that a pod of a Job changed.
    pub(crate) fn note(&mut self, job: &Object, old: Option<&Object>, new: &Object) {
        let ended = |pod: &Object| {
            has_finalizer(pod, TRACKING) && (pod::phase(pod) == "Succeeded" || has_failed(job, pod))
        };
        if !ended(new) || old.is_some_and(ended) {
            return;
        }
        if pod::phase(new) == "Succeeded" {
            self.0.remove(job.uid());
            return;
        }
        let time = ended_at(new);
        let record = self.0.entry(job.uid().into()).or_insert(Record {
            n_failures: 0,
            last: time,
        });
        record.n_failures += 1;
        record.last = record.last.max(time);
    }

    /// The Job is gone.
    pub(crate) fn forget(&mut self, uid: &str) {
        self.0.remove(uid);
    }

    /// When the next pod may be made; `None` when nothing has failed since the last success.
    pub(crate) fn until(&self, uid: &str) -> Option<Timestamp> {
        let record = self.0.get(uid)?;
        Some(after(record.n_failures, record.last))
    }
}

/// The end of the wait after that many failures; it doubles with each.
pub(crate) fn after(n_failures: i64, last: Timestamp) -> Timestamp {
    if n_failures <= 0 {
        return last;
    }
    let doublings = u32::try_from(n_failures - 1).unwrap_or(0).min(6);
    later_seconds(last, (FIRST_SECONDS << doublings).min(LONGEST_SECONDS))
}
