//! ReplicaSets and ReplicationControllers: as many pods as asked for.
//!
//! Pods that fit and have no controller are adopted; pods that fit no more are released.

use jiff::Timestamp;
use manifest::Object;
use yaml::{Map, Value};

use super::control::Context;
use super::fields::{
    controller, controller_reference, controller_uid, generation, int, items, labels, map, owners,
    set_count, text,
};
use super::kind::Kind;
use super::pod;
use super::selector::{contains, owns_by_labels};
use super::world::{Change, Ref, World};
use super::write::{Deletion, Note, Outcome, Write, delete, patch, status};

/// Pods made or deleted in one go (`BurstReplicas`).
const BURST: usize = 500;

/// ReplicaSets that changed, the owners of pods that changed, and candidates to adopt a pod.
pub(crate) fn affected(world: &World, change: &Change, keys: &mut Vec<Ref>) {
    owner_keys(Kind::REPLICA_SET, world, change, keys);
    owner_keys(Kind::REPLICATION_CONTROLLER, world, change, keys);
}

/// Who says so in events.
fn component(set: &Object) -> &'static str {
    if set.kind() == "ReplicaSet" {
        "replicaset-controller"
    } else {
        "replication-controller"
    }
}

/// The keys of owners of one kind for a change of an owner or of a pod: the owner itself, the
/// controller of the pod, and those that could adopt the pod where it has none.
pub(crate) fn owner_keys(kind: Kind, world: &World, change: &Change, keys: &mut Vec<Ref>) {
    if change.target.kind == kind {
        keys.push(change.target.clone());
    }
    if change.target.kind != Kind::POD {
        return;
    }
    for pod in change.states() {
        match controller(pod) {
            Some(owner) => {
                let name = text(owner, &["kind"]);
                if name == world.registry.resource(kind).kind.as_str() {
                    keys.push(Ref::new(kind, pod.namespace(), text(owner, &["name"])));
                }
            }
            None => keys.extend(
                world
                    .list(kind, pod.namespace())
                    .filter(|owner| owns_by_labels(owner, labels(pod)))
                    .map(|owner| Ref::of(kind, owner)),
            ),
        }
    }
}

/// Writes that adopt objects which fit `owner`'s selector and have no controller, and release
/// those of its own that fit no more.
pub(crate) fn claims(context: &Context<'_>, owner: &Object, kind: Kind) -> Vec<Write> {
    let mut writes = Vec::new();
    for object in context.world.owned(owner.uid(), kind) {
        let ours = controller_uid(object) == owner.uid();
        if ours && !object.is_terminating() && !owns_by_labels(owner, labels(object)) {
            let rest = owners_without(object, owner.uid());
            writes.push(patch(
                kind,
                object,
                map([("metadata", map([("ownerReferences", rest)]))]),
            ));
        }
    }
    if owner.is_terminating() {
        return writes;
    }
    for object in context.world.free(kind, &owner.namespace().into()) {
        if !object.is_terminating() && owns_by_labels(owner, labels(object)) {
            let mut list = owners(object).to_vec();
            list.push(controller_reference(owner));
            let list = Value::List(list);
            writes.push(patch(
                kind,
                object,
                map([("metadata", map([("ownerReferences", list)]))]),
            ));
        }
    }
    writes
}

/// The owner references of an object without those to `uid`.
pub(crate) fn owners_without(object: &Object, uid: &str) -> Value {
    let rest: Vec<Value> = owners(object)
        .iter()
        .filter(|owner| text(owner, &["uid"]) != uid)
        .cloned()
        .collect();
    if rest.is_empty() {
        Value::Null
    } else {
        Value::List(rest)
    }
}

/// Makes or deletes pods; when their number is right, writes the status.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    let Some(set) = context.world.get(target) else {
        return Outcome::nothing();
    };
    let claims = claims(context, set, Kind::POD);
    if !claims.is_empty() {
        return Outcome::from(claims);
    }
    let pods: Vec<&Object> = context
        .world
        .owned(set.uid(), Kind::POD)
        .filter(|pod| controller_uid(pod) == set.uid())
        .collect();
    let mut outcome = Outcome::nothing();
    if !set.is_terminating() {
        outcome.writes = scale(set, &pods);
    }
    // The status follows when the pods are there, unless they cannot be made.
    if outcome.writes.is_empty() || context.failure.is_some() {
        let report = report(context, set, &pods, &mut outcome);
        if let Some(write) = status(target.kind, set, report) {
            outcome.writes.insert(0, write);
        }
    }
    outcome
}

fn scale(set: &Object, pods: &[&Object]) -> Vec<Write> {
    let wanted = int(set.value(), &["spec", "replicas"]).unwrap_or(1).max(0);
    let wanted = usize::try_from(wanted).unwrap_or(0);
    let mut active: Vec<&Object> = pods
        .iter()
        .copied()
        .filter(|pod| pod::is_active(pod))
        .collect();
    if active.len() < wanted {
        let missing = (wanted - active.len()).min(BURST);
        let template = pod::template(set);
        let note = Note::creation(set, component(set), "Created pod: {name}".to_owned());
        return (0..missing)
            .map(|_| Write::Create {
                kind: Kind::POD,
                object: pod::from_template(set, template),
                note: Some(note.clone()),
            })
            .collect();
    }
    active.sort_by_key(|pod| pod::removal_rank(pod));
    active
        .into_iter()
        .take((pods.iter().filter(|pod| pod::is_active(pod)).count() - wanted).min(BURST))
        .map(|pod| {
            let message = format!("Deleted pod: {}", pod.name());
            delete(Kind::POD, pod, Deletion::Background).noted(Note::normal(
                set,
                component(set),
                "SuccessfulDelete",
                message,
            ))
        })
        .collect()
}

fn report(context: &Context<'_>, set: &Object, pods: &[&Object], outcome: &mut Outcome) -> Map {
    let min_ready = int(set.value(), &["spec", "minReadySeconds"]).unwrap_or(0);
    let no_labels = Map::new();
    let wanted_labels = pod::template(set)
        .at(&["metadata", "labels"])
        .and_then(Value::as_map)
        .unwrap_or(&no_labels);
    let (mut replicas, mut labelled, mut ready, mut available, mut terminating) = (0, 0, 0, 0, 0);
    for pod in pods {
        if pod::is_finished(pod) {
            continue;
        }
        if pod.is_terminating() {
            terminating += 1;
            continue;
        }
        replicas += 1;
        labelled += i64::from(contains(labels(pod), wanted_labels));
        ready += i64::from(pod::is_ready(pod));
        match pod::available_at(pod, min_ready) {
            Some(time) if time <= context.now => available += 1,
            time => outcome.again_at(time),
        }
    }
    let mut report = Map::new();
    report.insert("replicas", replicas);
    set_count(&mut report, "fullyLabeledReplicas", labelled);
    set_count(&mut report, "readyReplicas", ready);
    set_count(&mut report, "availableReplicas", available);
    if set.kind() == "ReplicaSet" {
        report.insert("terminatingReplicas", terminating);
    }
    report.insert("observedGeneration", generation(set));
    if let Some(conditions) = conditions(context, set) {
        report.insert("conditions", conditions);
    }
    report
}

/// `ReplicaFailure` while pods cannot be made.
fn conditions(context: &Context<'_>, set: &Object) -> Option<Value> {
    let message = context.failure?;
    let known = items(set.value(), &["status", "conditions"])
        .iter()
        .find(|condition| text(condition, &["type"]) == "ReplicaFailure");
    let since = known
        .and_then(|condition| condition.get("lastTransitionTime").cloned())
        .unwrap_or_else(|| super::time::stamp(context.now));
    Some(Value::List(vec![map([
        ("type", "ReplicaFailure".into()),
        ("status", "True".into()),
        ("lastTransitionTime", since),
        ("reason", "FailedCreate".into()),
        ("message", message.into()),
    ])]))
}

/// Used by tests and by owners that compare ages.
pub(crate) fn created(object: &Object) -> Timestamp {
    super::time::parse(object.value().at(&["metadata", "creationTimestamp"]))
        .unwrap_or(Timestamp::MIN)
}
