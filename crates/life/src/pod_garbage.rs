//! Pods that nobody else would end: those of nodes that are no more, those that were deleted before
//! a node took them, and the oldest finished ones when there are too many.
//!
//! As `podgc/gc_controller.go`, without its period of 20 seconds: it looks when something changes.

use jiff::Timestamp;
use manifest::Object;
use yaml::Value;

use super::control::Context;
use super::fields::{items, map, text};
use super::kind::Kind;
use super::pod;
use super::time::{later_seconds, parse, stamp};
use super::world::{Change, Ref, World};
use super::write::{Deletion, Outcome, delete, status};

/// A node that pods name must be missing for this long (`quarantineTime`).
const QUARANTINE_SECONDS: i64 = 40;
/// The time between two looks (`gcCheckPeriod`): how long a pod without a node may take to end.
const PERIOD_SECONDS: i64 = 20;
/// Finished pods that are kept (`--terminated-pod-gc-threshold`).
const MAX_FINISHED: usize = 12_500;

/// Pods whose node is missing, that end without one or are finished; all pods of a node that goes.
pub(crate) fn affected(world: &World, change: &Change, keys: &mut Vec<Ref>) {
    match change.target.kind {
        Kind::POD => {
            let pod = change.new.as_ref();
            keys.extend(
                pod.filter(|pod| {
                    is_homeless(world, pod) || ends_unscheduled(pod) || too_many(world)
                })
                .map(|_| change.target.clone()),
            );
        }
        Kind::NODE if change.new.is_none() => {
            let pods = world.all(Kind::POD);
            let lost = pods.filter(|pod| *pod::node(pod) == *change.target.name);
            keys.extend(lost.map(|pod| Ref::of(Kind::POD, pod)));
        }
        _ => {}
    }
}

/// Whether there may be more finished pods than are kept.
fn too_many(world: &World) -> bool {
    world.total(Kind::POD) > MAX_FINISHED
}

fn is_homeless(world: &World, pod: &Object) -> bool {
    !pod::node(pod).is_empty() && world.find(Kind::NODE, "", pod::node(pod)).is_none()
}

fn ends_unscheduled(pod: &Object) -> bool {
    pod.is_terminating() && pod::node(pod).is_empty()
}

/// Ends a pod when its time has come.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    let Some(pod) = context.world.get(target) else {
        return Outcome::nothing();
    };
    let may_go = pod::is_finished(pod) && !pod.is_terminating();
    if may_go && too_many(context.world) && is_surplus(context, pod) {
        return end(pod, None);
    }
    let (due, condition) = if ends_unscheduled(pod) {
        let since = parse(pod.value().at(&["metadata", "deletionTimestamp"]));
        (
            since.map(|since| later_seconds(since, PERIOD_SECONDS)),
            None,
        )
    } else if is_homeless(context.world, pod) {
        let since = context.world.missing_since(pod::node(pod));
        let due = since.map(|since| later_seconds(since, QUARANTINE_SECONDS));
        (due, Some(disruption(context.now)))
    } else {
        return Outcome::nothing();
    };
    let due = due.unwrap_or(context.now);
    if due <= context.now {
        return end(pod, condition);
    }
    let mut outcome = Outcome::nothing();
    outcome.again_at(due);
    outcome
}

fn disruption(now: Timestamp) -> Value {
    map([
        ("type", "DisruptionTarget".into()),
        ("status", "True".into()),
        ("lastProbeTime", Value::Null),
        ("lastTransitionTime", stamp(now)),
        ("reason", "DeletionByPodGC".into()),
        ("message", "PodGC: node no longer exists".into()),
    ])
}

/// Whether enough finished pods are younger than this one.
fn is_surplus(context: &Context<'_>, pod: &Object) -> bool {
    let finished = || {
        context
            .world
            .all(Kind::POD)
            .filter(|pod| pod::is_finished(pod))
    };
    let surplus = finished().count().saturating_sub(MAX_FINISHED);
    let age = |pod: &Object| {
        let evicted = text(pod.value(), &["status", "reason"]) == "Evicted";
        let created = parse(pod.value().at(&["metadata", "creationTimestamp"]));
        (!evicted, created, pod.name().to_owned())
    };
    surplus > 0 && finished().filter(|other| age(other) < age(pod)).count() < surplus
}

/// A pod that goes has failed, unless it ended before.
fn end(pod: &Object, condition: Option<Value>) -> Outcome {
    let mut outcome = Outcome::nothing();
    if !pod::is_finished(pod) {
        let known = pod.value().get("status").and_then(Value::as_map);
        let mut report = known.cloned().unwrap_or_default();
        report.insert("phase", "Failed");
        if let Some(condition) = condition {
            let mut conditions = items(pod.value(), &["status", "conditions"]).to_vec();
            conditions.retain(|known| text(known, &["type"]) != "DisruptionTarget");
            conditions.push(condition);
            report.insert("conditions", conditions);
        }
        outcome.push(status(Kind::POD, pod, report));
    }
    // One that only waits for its finalizers was told already.
    let told = pod.value().at(&["metadata", "deletionGracePeriodSeconds"]);
    if !(pod.is_terminating() && told.and_then(Value::as_i64) == Some(0)) {
        outcome.push(delete(Kind::POD, pod, Deletion::Now));
    }
    outcome
}
