//! The status of a Job: counts, conditions and times that fit each other, and never go back
//! (`ValidateJobUpdateStatus`). Most rules are looked at only where what they are about has changed.

use yaml::Value;

use super::field::Field;
use super::job::index_runs;
use crate::FieldError;

/// What a status says, now or before.
struct Said<'v> {
    complete: bool,
    failed: bool,
    failing: bool,
    succeeding: bool,
    status: Option<&'v Value>,
}

impl<'v> Said<'v> {
    fn of(status: Option<&'v Value>) -> Self {
        let conditions = status.and_then(|status| status.get("conditions")?.as_list());
        let holds = |kind: &str| {
            let text = |condition: &'v Value, key: &str| condition.get(key)?.as_str();
            conditions.unwrap_or_default().iter().any(|condition| {
                text(condition, "type") == Some(kind) && text(condition, "status") == Some("True")
            })
        };
        Said {
            complete: holds("Complete"),
            failed: holds("Failed"),
            failing: holds("FailureTarget"),
            succeeding: holds("SuccessCriteriaMet"),
            status,
        }
    }

    fn finished(&self) -> bool {
        self.complete || self.failed
    }

    fn count(&self, key: &str) -> i64 {
        let count = self.status.and_then(|status| status.get(key)?.as_i64());
        count.unwrap_or(0)
    }
}

pub(super) fn status(object: &Field<'_, '_>) {
    let (spec, status) = (object.get("spec"), object.get("status"));
    let (new, old) = (Said::of(status.value()), Said::of(status.old()));
    for key in ["active", "succeeded", "failed", "ready", "terminating"] {
        status.get(key).not_negative();
    }
    let uncounted = status.get("uncountedTerminatedPods");
    uids(&uncounted);
    let omitted = |holds: bool, why: &str| {
        if holds {
            let conditions = status.get("conditions");
            conditions.tell(|path| FieldError::invalid_without_value(path, why));
        }
    };
    omitted(
        new.complete && new.failed && (new.complete != old.complete || new.failed != old.failed),
        "cannot set Complete=True and Failed=true conditions",
    );
    omitted(
        new.complete && new.failing && (new.complete != old.complete || new.failing != old.failing),
        "cannot set Complete=True and FailureTarget=true conditions",
    );
    times(&status, &new, &old);
    omitted(
        new.failed && !new.failing && (new.failed != old.failed || new.failing != old.failing),
        "cannot set Failed=True condition without the FailureTarget=true condition",
    );
    omitted(
        new.complete
            && !new.succeeding
            && (new.complete != old.complete || new.succeeding != old.succeeding),
        "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
    );
    pods_at_the_end(&status, &new, &old);
    indexes(&spec, &status);
    omitted(
        new.succeeding && new.failed,
        "cannot set SuccessCriteriaMet=True and Failed=true conditions",
    );
    omitted(
        new.succeeding && new.failing,
        "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions",
    );
    let disabled = |before: bool, now: bool| before && !now;
    let terminal = |kind: &str| format!("cannot disable the terminal {kind}=True condition");
    omitted(disabled(old.failed, new.failed), &terminal("Failed"));
    omitted(disabled(old.complete, new.complete), &terminal("Complete"));
    omitted(
        disabled(old.failing, new.failing),
        &terminal("FailureTarget"),
    );
    counters(&spec, &status, &new, &old);
    omitted(
        disabled(old.succeeding, new.succeeding),
        "cannot disable the SuccessCriteriaMet=True condition",
    );
}

/// The pods that wait to be counted, each once.
fn uids(uncounted: &Field<'_, '_>) {
    let mut seen = Vec::new();
    for key in ["succeeded", "failed"] {
        for uid in uncounted.get(key).items() {
            if uid.text().is_empty() {
                uid.invalid("must not be empty");
            } else {
                uid.unique(&mut seen);
            }
        }
    }
}

/// When the Job began and was complete.
fn times(status: &Field<'_, '_>, new: &Said<'_>, old: &Said<'_>) {
    let (start, end) = (status.get("startTime"), status.get("completionTime"));
    if new.complete != old.complete || end.changed() {
        if end.is_set() && !new.complete {
            end.invalid("cannot set completionTime when there is no Complete=True condition");
        }
        if !end.is_set() && new.complete {
            end.required("completionTime is required for Complete jobs");
        }
    }
    let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
    if (start.changed() || end.changed())
        && let (Some(start), Some(end_time)) = (time(start.text()), time(end.text()))
        && end_time < start
    {
        end.invalid("must be equal to or after `startTime`");
    }
}

/// A Job that has ended has no pods left.
fn pods_at_the_end(status: &Field<'_, '_>, new: &Said<'_>, old: &Said<'_>) {
    let ended = new.finished() != old.finished();
    let check = |key: &str, is_wrong: bool| {
        new.finished() && is_wrong && (ended || status.get(key).changed())
    };
    let active = status.get("active");
    if check("active", new.count("active") > 0) {
        active.invalid("active>0 is invalid for finished job");
    }
    let start = status.get("startTime");
    if check("startTime", !start.is_set()) {
        start.required("startTime is required for finished job");
    }
    let uncounted = status.get("uncountedTerminatedPods");
    let (succeeded, failed) = (uncounted.get("succeeded"), uncounted.get("failed"));
    if check(
        "uncountedTerminatedPods",
        !succeeded.is_empty() || !failed.is_empty(),
    ) {
        let members = [
            ("Succeeded", "succeeded", "null"),
            ("Failed", "failed", "null"),
        ];
        uncounted.invalid_struct(&members, "must be empty for finished job");
    }
    let terminating = status.get("terminating");
    if check("terminating", new.count("terminating") > 0) {
        terminating.invalid("terminating>0 is invalid for finished job");
    }
    let ready = status.get("ready");
    if (ready.changed() || active.changed()) && new.count("ready") > new.count("active") {
        ready.invalid("cannot set more ready pods than active");
    }
}

/// The indexes that are done and those that have failed.
fn indexes(spec: &Field<'_, '_>, status: &Field<'_, '_>) {
    let (done, failed) = (status.get("completedIndexes"), status.get("failedIndexes"));
    let limited = spec.get("backoffLimitPerIndex").is_set();
    let completions = spec.get("completions").number();
    let runs = |field: &Field<'_, '_>, name: &str, is_judged: bool| {
        let runs = index_runs(field.text(), completions?);
        if let (true, Err(why)) = (is_judged, &runs) {
            field.invalid(&format!("error parsing {name}: {why}"));
        }
        runs.ok()
    };
    let done_runs = runs(&done, "completedIndexes", done.changed());
    let judged = failed.changed() && failed.is_set() && limited;
    let failed_runs = runs(&failed, "failedIndexes", judged);
    if done.changed() && !done.is_empty() && spec.get("completionMode").text() != "Indexed" {
        done.invalid("cannot set non-empty completedIndexes when non-indexed completion mode");
    }
    if failed.changed() && failed.is_set() && !limited {
        failed.invalid("cannot set non-null failedIndexes when backoffLimitPerIndex is null");
    }
    if !(done.changed() || failed.changed()) || !failed.is_set() {
        return;
    }
    let (Some(done), Some(runs)) = (done_runs, failed_runs) else {
        return;
    };
    let overlap = done.iter().flat_map(|(first, end)| {
        let common = runs
            .iter()
            .map(move |(other, last)| (*first.max(other), *end.min(last)));
        common.filter(|(first, last)| first <= last)
    });
    if let Some((index, _)) = overlap.min() {
        failed.invalid(&format!(
            "failedIndexes and completedIndexes overlap at index: {index}"
        ));
    }
}

/// What never goes back.
fn counters(spec: &Field<'_, '_>, status: &Field<'_, '_>, new: &Said<'_>, old: &Said<'_>) {
    let falls = |key: &str| new.count(key) < old.count(key);
    let tell = |key: &str| {
        let count = status.get(key);
        count.invalid_as(
            &new.count(key).into(),
            &format!("cannot decrease the {key} counter"),
        );
    };
    if falls("failed") {
        tell("failed");
    }
    // One that can be scaled down may have fewer pods that succeeded.
    let elastic = spec.get("completionMode").text() == "Indexed"
        && spec.get("completions").number() == spec.get("parallelism").number();
    if falls("succeeded") && !elastic {
        tell("succeeded");
    }
    let end = status.get("completionTime");
    if end.is_set() && end.old().is_some() {
        end.immutable();
    }
    let start = status.get("startTime");
    if start.old().is_some() && start.changed() && !spec.get("suspend").is_true() {
        start.required("startTime cannot be removed for unsuspended job");
    }
}
