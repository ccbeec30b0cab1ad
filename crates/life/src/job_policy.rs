//! The policies of a Job: which failures count and which end it, and when success is enough.
//!
//! As `job/pod_failure_policy.go`, `success_policy.go` and `backoff_utils.go`.

use std::collections::BTreeSet;

use jiff::Timestamp;
use manifest::Object;
use yaml::Value;

use super::fields::{has_finalizer, int, items, text};
use super::job_pods::{TRACKING, index, parse_indexes};
use super::pod;
use super::replica_set::created;
use super::time::{earlier_seconds, parse};

/// The annotation that counts the failures of an index before a pod.
pub(crate) const INDEX_FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
/// The annotation that counts those that did not count.
pub(crate) const INDEX_IGNORED: &str = "batch.kubernetes.io/job-index-ignored-failure-count";

/// What a failed pod means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A failure as any other.
    Counts,
    /// It does not count.
    Ignored,
    /// Its index has failed.
    FailsIndex,
    /// The Job has failed, for this reason.
    FailsJob(String),
}

/// Whether a pod that is being deleted is replaced only when it has ended.
pub(crate) fn replaces_failed_only(job: &Object) -> bool {
    text(job.value(), &["spec", "podReplacementPolicy"]) == "Failed"
        || job.value().at(&["spec", "podFailurePolicy"]).is_some()
}

/// Whether a pod has failed; one that somebody deletes counts so where it is replaced at once.
pub(crate) fn has_failed(job: &Object, pod: &Object) -> bool {
    pod::phase(pod) == "Failed"
        || (!replaces_failed_only(job) && pod.is_terminating() && pod::phase(pod) != "Succeeded")
}

/// What the Job's policy says about a failed pod: the first rule that fits.
pub(crate) fn verdict(job: &Object, pod: &Object) -> Verdict {
    let rules = items(job.value(), &["spec", "podFailurePolicy", "rules"]);
    let found = rules.iter().enumerate().find_map(|(number, rule)| {
        let what = if let Some(codes) = rule.get("onExitCodes") {
            exit_code(codes, pod)
        } else {
            pod_condition(rule, pod)
        };
        Some((number, rule, what?))
    });
    let Some((number, rule, what)) = found else {
        return Verdict::Counts;
    };
    match text(rule, &["action"]) {
        "Ignore" => Verdict::Ignored,
        "FailIndex" => Verdict::FailsIndex,
        "FailJob" => Verdict::FailsJob(format!("{what} matching FailJob rule at index {number}")),
        _ => Verdict::Counts,
    }
}

fn exit_code(codes: &Value, pod: &Object) -> Option<String> {
    let wanted = text(codes, &["containerName"]);
    let values = items(codes, &["values"]);
    ["containerStatuses", "initContainerStatuses"]
        .into_iter()
        .flat_map(|field| items(pod.value(), &["status", field]))
        .filter(|status| wanted.is_empty() || text(status, &["name"]) == wanted)
        .find_map(|status| {
            let code =
                int(status, &["state", "terminated", "exitCode"]).filter(|code| *code != 0)?;
            let listed = values.iter().any(|value| value.as_i64() == Some(code));
            let fits = listed == (text(codes, &["operator"]) == "In");
            fits.then(|| {
                format!(
                    "Container {} for pod {}/{} failed with exit code {code}",
                    text(status, &["name"]),
                    pod.namespace(),
                    pod.name(),
                )
            })
        })
}

fn pod_condition(rule: &Value, pod: &Object) -> Option<String> {
    let patterns = items(rule, &["onPodConditions"]);
    let fitting = |condition: &&Value| {
        patterns.iter().any(|pattern| {
            let status = match text(pattern, &["status"]) {
                "" => "True",
                status => status,
            };
            text(pattern, &["type"]) == text(condition, &["type"])
                && status == text(condition, &["status"])
        })
    };
    let condition = items(pod.value(), &["status", "conditions"])
        .iter()
        .find(fitting)?;
    Some(format!(
        "Pod {}/{} has condition {}",
        pod.namespace(),
        pod.name(),
        text(condition, &["type"]),
    ))
}

/// Why the succeeded indexes are enough; `None` while they are not.
pub(crate) fn success(job: &Object, done: &BTreeSet<i64>) -> Option<String> {
    let rules = items(job.value(), &["spec", "successPolicy", "rules"]);
    let number = rules.iter().position(|rule| {
        let wanted_count = int(rule, &["succeededCount"]);
        match rule.get("succeededIndexes").and_then(Value::as_str) {
            Some(indexes) => {
                let wanted = parse_indexes(indexes);
                let n_met = wanted.intersection(done).count();
                let enough = wanted_count.map_or(Ok(wanted.len()), usize::try_from);
                enough.is_ok_and(|enough| n_met >= enough)
            }
            None => wanted_count
                .and_then(|count| usize::try_from(count).ok())
                .is_some_and(|count| done.len() >= count),
        }
    })?;
    Some(format!("Matched rules at index {number}"))
}

/// How often each index may fail; `None` where the whole Job has one limit.
pub(crate) fn limit_per_index(job: &Object) -> Option<i64> {
    int(job.value(), &["spec", "backoffLimitPerIndex"])
}

/// The number in one of the annotations of a pod.
pub(crate) fn failures_before(pod: &Object, annotation: &str) -> i64 {
    let number = pod
        .annotation(annotation)
        .and_then(|text| text.parse().ok());
    number.unwrap_or(0)
}

/// The indexes that have failed for good: those in the status and those of pods that failed once
/// too often.
pub(crate) fn failed_indexes(job: &Object, pods: &[&Object]) -> Option<BTreeSet<i64>> {
    let limit = limit_per_index(job)?;
    let mut failed = parse_indexes(text(job.value(), &["status", "failedIndexes"]));
    let ended = pods
        .iter()
        .filter(|pod| has_finalizer(pod, TRACKING) && has_failed(job, pod))
        .filter(|pod| match verdict(job, pod) {
            Verdict::Ignored => false,
            Verdict::FailsIndex => true,
            Verdict::Counts | Verdict::FailsJob(_) => failures_before(pod, INDEX_FAILURES) >= limit,
        });
    failed.extend(ended.filter_map(|pod| index(pod)));
    Some(failed)
}

/// When a pod ended: its containers, else when it got unready, was deleted or made.
pub(crate) fn ended_at(pod: &Object) -> Timestamp {
    let statuses = items(pod.value(), &["status", "containerStatuses"]);
    let ends: Option<Vec<Timestamp>> = statuses
        .iter()
        .map(|status| parse(status.at(&["state", "terminated", "finishedAt"])))
        .collect();
    let unready = || {
        pod::condition(pod, "Ready")
            .filter(|ready| text(ready, &["status"]) == "False")
            .and_then(|ready| parse(ready.get("lastTransitionTime")))
    };
    let deleted = || {
        let metadata = pod.value().get("metadata")?;
        let grace = int(metadata, &["deletionGracePeriodSeconds"]).unwrap_or(0);
        Some(earlier_seconds(
            parse(metadata.get("deletionTimestamp"))?,
            grace,
        ))
    };
    ends.and_then(|ends| ends.into_iter().max())
        .or_else(unready)
        .or_else(deleted)
        .unwrap_or_else(|| created(pod))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::tests::json;

    fn check(rule: &str, status: &str, want: &Verdict) {
        let object = |kind: &str, rest: &str| {
            let text = format!(
                r#"{{"apiVersion": "v1", "kind": "{kind}", "metadata": {{"name": "p", "namespace": "n"}}, {rest}}}"#
            );
            Object::new(json(&text)).expect("is an object")
        };
        let job = object(
            "Job",
            &format!(r#""spec": {{"podFailurePolicy": {{"rules": [{rule}]}}}}"#),
        );
        let pod = object("Pod", &format!(r#""status": {status}"#));
        assert_eq!(&verdict(&job, &pod), want, "{rule}");
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let ended = r#"{"phase": "Failed", "containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 3}}}]}"#;
        let codes = |action: &str, rest: &str| {
            format!(r#"{{"action": "{action}", "onExitCodes": {{{rest}, "values": [3]}}}}"#)
        };
        check(
            &codes("Ignore", r#""operator": "In""#),
            ended,
            &Verdict::Ignored,
        );
        check(
            &codes("Ignore", r#""operator": "NotIn""#),
            ended,
            &Verdict::Counts,
        );
        check(
            &codes("FailIndex", r#""containerName": "d", "operator": "In""#),
            ended,
            &Verdict::Counts,
        );
        let message =
            "Container c for pod n/p failed with exit code 3 matching FailJob rule at index 0";
        check(
            &codes("FailJob", r#""containerName": "c", "operator": "In""#),
            ended,
            &Verdict::FailsJob(message.to_owned()),
        );
        check(
            r#"{"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget"}]}"#,
            r#"{"conditions": [{"type": "DisruptionTarget", "status": "True"}]}"#,
            &Verdict::FailsJob(
                "Pod n/p has condition DisruptionTarget matching FailJob rule at index 0"
                    .to_owned(),
            ),
        );
    }

    #[test]
    fn indexes_or_their_number_are_enough() {
        let check = |rule: &str, done: &[i64], want: bool| {
            let job = Object::new(json(&format!(
                r#"{{"apiVersion": "batch/v1", "kind": "Job", "spec": {{"successPolicy": {{"rules": [{rule}]}}}}}}"#
            )))
            .expect("is an object");
            let met = success(&job, &done.iter().copied().collect()).is_some();
            assert_eq!(met, want, "{rule} {done:?}");
        };
        check(r#"{"succeededIndexes": "0,2"}"#, &[0, 1], false);
        check(r#"{"succeededIndexes": "0,2"}"#, &[0, 2], true);
        check(
            r#"{"succeededIndexes": "0-2", "succeededCount": 1}"#,
            &[1],
            true,
        );
        check(r#"{"succeededCount": 2}"#, &[5], false);
        check(r#"{"succeededCount": 2}"#, &[5, 6], true);
    }
}
