//! What a Deployment says about itself (`deployment/progress.go`, `sync.go: calculateStatus`).

use jiff::Timestamp;
use manifest::Object;
use yaml::{Map, Value};

use super::fields::{generation, int, items, map, set_count, text};
use super::rollout::{Set, Sets};
use super::time::{later_seconds, parse, stamp};

/// A progress deadline of the largest int32 means none.
const NO_DEADLINE: i64 = 2_147_483_647;

/// The conditions of a status while they are changed. A condition that changes goes to the end, as
/// the recordings show.
pub(crate) struct Conditions {
    list: Vec<Value>,
    now: Timestamp,
}

impl Conditions {
    /// Those that the object has.
    pub(crate) fn of(object: &Object, now: Timestamp) -> Self {
        Conditions {
            list: items(object.value(), &["status", "conditions"]).to_vec(),
            now,
        }
    }

    /// One of them.
    pub(crate) fn get(&self, kind: &str) -> Option<&Value> {
        self.list
            .iter()
            .find(|condition| text(condition, &["type"]) == kind)
    }

    /// The reason of one of them; empty when there is none.
    pub(crate) fn reason(&self, kind: &str) -> &str {
        self.get(kind)
            .map_or("", |condition| text(condition, &["reason"]))
    }

    /// Takes one away.
    pub(crate) fn remove(&mut self, kind: &str) {
        self.list
            .retain(|condition| text(condition, &["type"]) != kind);
    }

    /// Sets one, unless status and reason are what they were.
    pub(crate) fn set(&mut self, kind: &str, holds: &str, reason: &str, message: String) {
        let known = self.get(kind);
        let same_status = known.filter(|known| text(known, &["status"]) == holds);
        if same_status.is_some_and(|known| text(known, &["reason"]) == reason) {
            return;
        }
        let now = stamp(self.now);
        let since = same_status.and_then(|known| known.get("lastTransitionTime").cloned());
        let condition = map([
            ("type", kind.into()),
            ("status", holds.into()),
            ("reason", reason.into()),
            ("message", message.into()),
            ("lastUpdateTime", now.clone()),
            ("lastTransitionTime", since.unwrap_or(now)),
        ]);
        self.remove(kind);
        self.list.push(condition);
    }

    /// As [`Conditions::set`], with a new `lastUpdateTime` even if nothing else changed.
    fn renew(&mut self, kind: &str, holds: &str, reason: &str, message: String) {
        let since = self
            .get(kind)
            .filter(|known| text(known, &["status"]) == holds)
            .and_then(|known| known.get("lastTransitionTime").cloned());
        self.remove(kind);
        self.set(kind, holds, reason, message);
        if let (Some(since), Some(Value::Map(last))) = (since, self.list.last_mut()) {
            last.insert("lastTransitionTime", since);
        }
    }
}

/// Seconds without progress after which a rollout counts as stuck; `None` when it never does.
fn deadline(deployment: &Object) -> Option<i64> {
    int(deployment.value(), &["spec", "progressDeadlineSeconds"])
        .filter(|seconds| *seconds != NO_DEADLINE)
}

/// Marks a paused or resumed Deployment.
pub(crate) fn mark_pause(deployment: &Object, paused: bool, conditions: &mut Conditions) {
    let reason = conditions.reason("Progressing");
    if deadline(deployment).is_none() || reason == "ProgressDeadlineExceeded" {
        return;
    }
    let was_paused = reason == "DeploymentPaused";
    if paused && !was_paused {
        let message = "Deployment is paused".to_owned();
        conditions.set("Progressing", "Unknown", "DeploymentPaused", message);
    } else if !paused && was_paused {
        let message = "Deployment is resumed".to_owned();
        conditions.set("Progressing", "Unknown", "DeploymentResumed", message);
    }
}

/// Marks that a ReplicaSet was made or found for the present template.
pub(crate) fn mark_new_set(deployment: &Object, reason: &str, text: String, to: &mut Conditions) {
    if deadline(deployment).is_some() {
        to.set("Progressing", "True", reason, text);
    }
}

/// The counts, and whether enough pods are available.
pub(crate) fn report(sets: &Sets<'_>, conditions: &mut Conditions) -> Map {
    let sum = |field: &str| sets.all().map(|set| set.status(field)).sum::<i64>();
    let limits = sets.limits;
    let available = sum("availableReplicas");
    let wanted: i64 = sets.all().map(|set| set.replicas).sum();
    let mut report = Map::new();
    report.insert("observedGeneration", generation(sets.deployment));
    set_count(&mut report, "replicas", sum("replicas"));
    let updated = sets.new.as_ref().map_or(0, |set| set.status("replicas"));
    set_count(&mut report, "updatedReplicas", updated);
    set_count(&mut report, "readyReplicas", sum("readyReplicas"));
    set_count(&mut report, "availableReplicas", available);
    set_count(
        &mut report,
        "unavailableReplicas",
        (wanted - available).max(0),
    );
    report.insert("terminatingReplicas", sum("terminatingReplicas"));
    if let Some(collisions) = int(sets.deployment.value(), &["status", "collisionCount"]) {
        report.insert("collisionCount", collisions);
    }
    if available >= limits.replicas - limits.unavailable {
        let message = "Deployment has minimum availability.".to_owned();
        conditions.set("Available", "True", "MinimumReplicasAvailable", message);
    } else {
        let message = "Deployment does not have minimum availability.".to_owned();
        conditions.set("Available", "False", "MinimumReplicasUnavailable", message);
    }
    report
}

/// Judges the progress of a rollout; gives the time at which it will have taken too long.
pub(crate) fn progress(
    sets: &Sets<'_>,
    report: &Map,
    conditions: &mut Conditions,
) -> Option<Timestamp> {
    mark_failure(sets, conditions);
    let Some(seconds) = deadline(sets.deployment) else {
        conditions.remove("Progressing");
        return None;
    };
    let count = |field: &str| report.get(field).and_then(Value::as_i64).unwrap_or(0);
    let before = |field: &str| int(sets.deployment.value(), &["status", field]).unwrap_or(0);
    let finished = conditions.reason("Progressing") == "NewReplicaSetAvailable"
        && count("replicas") == count("updatedReplicas");
    if finished {
        return None;
    }
    let set = sets
        .new
        .as_ref()
        .map_or("", |set: &Set<'_>| set.object.name());
    let replicas = sets.limits.replicas;
    let complete = ["updatedReplicas", "replicas", "availableReplicas"]
        .iter()
        .all(|field| count(field) == replicas);
    let old = |replicas: i64, updated: i64| replicas - updated;
    let moved = count("updatedReplicas") > before("updatedReplicas")
        || old(count("replicas"), count("updatedReplicas"))
            < old(before("replicas"), before("updatedReplicas"))
        || count("readyReplicas") > before("readyReplicas")
        || count("availableReplicas") > before("availableReplicas");
    if complete {
        let message = format!("ReplicaSet \"{set}\" has successfully progressed.");
        conditions.set("Progressing", "True", "NewReplicaSetAvailable", message);
        return None;
    }
    if moved {
        let message = format!("ReplicaSet \"{set}\" is progressing.");
        conditions.renew("Progressing", "True", "ReplicaSetUpdated", message);
    } else if conditions.get("Progressing").is_none() {
        let message = format!("Created new replica set \"{set}\"");
        conditions.set("Progressing", "True", "NewReplicaSetCreated", message);
    }
    let stuck_at = stuck_at(conditions, seconds)?;
    if stuck_at > conditions.now {
        return Some(stuck_at);
    }
    let message = format!("ReplicaSet \"{set}\" has timed out progressing.");
    conditions.set("Progressing", "False", "ProgressDeadlineExceeded", message);
    None
}

/// When the present condition will have been there too long.
fn stuck_at(conditions: &Conditions, seconds: i64) -> Option<Timestamp> {
    let condition = conditions.get("Progressing")?;
    if matches!(
        text(condition, &["reason"]),
        "NewReplicaSetAvailable" | "ProgressDeadlineExceeded" | "DeploymentPaused"
    ) {
        return None;
    }
    // A second more, because the times are cut to whole seconds.
    Some(later_seconds(
        parse(condition.get("lastUpdateTime"))?,
        seconds + 1,
    ))
}

/// Passes on that a ReplicaSet cannot make its pods.
fn mark_failure(sets: &Sets<'_>, conditions: &mut Conditions) {
    let failing = sets.new.iter().chain(&sets.old).find_map(|set| {
        items(set.object.value(), &["status", "conditions"])
            .iter()
            .find(|condition| text(condition, &["type"]) == "ReplicaFailure")
    });
    match failing {
        Some(condition) => conditions.set(
            "ReplicaFailure",
            "True",
            text(condition, &["reason"]),
            text(condition, &["message"]).to_owned(),
        ),
        None => conditions.remove("ReplicaFailure"),
    }
}

/// Adds the conditions to the counts.
pub(crate) fn complete(mut report: Map, conditions: Conditions) -> Map {
    if !conditions.list.is_empty() {
        report.insert("conditions", Value::List(conditions.list));
    }
    report
}
