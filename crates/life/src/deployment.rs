//! Deployments: one ReplicaSet per template, and the way from one to the next.

use manifest::Object;
use yaml::{Map, Str, Value};

use super::control::Context;
use super::fields::{controller_reference, controller_uid, flag, generation, int, map, text};
use super::hash::short_name;
use super::kind::Kind;
use super::pod;
use super::replica_set::claims;
use super::rollout::{COMPONENT, DESIRED, MAXIMUM, Sets, plain_template};
use super::rollout_status::{Conditions, complete, mark_new_set, mark_pause, progress, report};
use super::world::{Change, Ref, World};
use super::write::{Deletion, Note, Outcome, Part, Write, delete, patch, status};

const REVISION: &str = "deployment.kubernetes.io/revision";
const HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// Annotations of a Deployment that its ReplicaSets do not inherit.
const NOT_INHERITED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    DESIRED,
    MAXIMUM,
    "deprecated.deployment.rollback.to",
];

/// Deployments that changed, and those of ReplicaSets and pods that changed.
pub(crate) fn affected(world: &World, change: &Change, keys: &mut Vec<Ref>) {
    let target = &change.target;
    match target.kind {
        Kind::DEPLOYMENT => keys.push(target.clone()),
        Kind::REPLICA_SET => {
            for set in change.states() {
                let owner = world.by_uid(controller_uid(set));
                match owner.filter(|owner| owner.kind == Kind::DEPLOYMENT) {
                    Some(owner) => keys.push(owner.clone()),
                    None => keys.extend(
                        world
                            .list(Kind::DEPLOYMENT, &target.namespace)
                            .map(|deployment| Ref::of(Kind::DEPLOYMENT, deployment)),
                    ),
                }
            }
        }
        // Recreate waits for the last pod; everything else shows in the ReplicaSets.
        Kind::POD if change.new.is_none() => {
            let owner = change
                .old
                .as_ref()
                .and_then(|pod| world.by_uid(controller_uid(pod)))
                .and_then(|set| world.get(set))
                .and_then(|set| world.by_uid(controller_uid(set)))
                .filter(|owner| owner.kind == Kind::DEPLOYMENT);
            keys.extend(owner.cloned());
        }
        _ => {}
    }
}

/// One step: adoption, pause, size, rollout, status.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    let Some(deployment) = context.world.get(target) else {
        return Outcome::nothing();
    };
    let claims = claims(context, deployment, Kind::REPLICA_SET);
    if !claims.is_empty() {
        return Outcome::from(claims);
    }
    let owned = context
        .world
        .owned(deployment.uid(), Kind::REPLICA_SET)
        .filter(|set| controller_uid(set) == deployment.uid());
    let mut sets = Sets::new(deployment, owned);
    let mut conditions = Conditions::of(deployment, context.now);
    if deployment.is_terminating() {
        return finish(sets, conditions, Report::CountsOnly);
    }
    let paused = flag(deployment.value(), &["spec", "paused"]);
    mark_pause(deployment, paused, &mut conditions);
    number_new_set(&mut sets, &mut conditions);
    if paused || sets.size_changed() {
        sets.follow_size();
        if paused {
            forget_old(&mut sets);
        }
        return finish(sets, conditions, Report::CountsOnly);
    }
    if text(deployment.value(), &["spec", "strategy", "type"]) == "Recreate" {
        recreate(context, sets, conditions)
    } else if sets.new.is_none() {
        create(sets, conditions)
    } else {
        sets.roll();
        finish_rollout(sets, conditions)
    }
}

fn recreate(context: &Context<'_>, mut sets: Sets<'_>, conditions: Conditions) -> Outcome {
    let old_pods = sets.old.iter().any(|set| {
        set.status("replicas") > 0
            || context
                .world
                .owned(set.object.uid(), Kind::POD)
                .any(|pod| !pod::is_finished(pod))
    });
    if sets.drop_old() || old_pods {
        return finish(sets, conditions, Report::Progress);
    }
    if sets.new.is_none() {
        return create(sets, conditions);
    }
    sets.fill_new();
    finish_rollout(sets, conditions)
}

fn finish_rollout(mut sets: Sets<'_>, conditions: Conditions) -> Outcome {
    let status = |field: &str| int(sets.deployment.value(), &["status", field]).unwrap_or(0);
    let replicas = sets.limits.replicas;
    let complete = status("updatedReplicas") == replicas
        && status("replicas") == replicas
        && status("availableReplicas") == replicas
        && status("observedGeneration") >= generation(sets.deployment);
    if complete {
        forget_old(&mut sets);
    }
    finish(sets, conditions, Report::Progress)
}

#[derive(Clone, Copy)]
enum Report {
    CountsOnly,
    Progress,
}

fn finish(sets: Sets<'_>, mut conditions: Conditions, kind: Report) -> Outcome {
    let counts = report(&sets, &mut conditions);
    let again = match kind {
        Report::CountsOnly => None,
        Report::Progress => progress(&sets, &counts, &mut conditions),
    };
    let write = status(
        Kind::DEPLOYMENT,
        sets.deployment,
        complete(counts, conditions),
    );
    let mut outcome = Outcome::from(sets.writes);
    outcome.again_at(again);
    outcome.push(write);
    outcome
}

fn revision(object: &Object) -> i64 {
    object
        .annotation(REVISION)
        .and_then(|revision| revision.parse().ok())
        .unwrap_or(0)
}

fn next_revision(sets: &Sets<'_>) -> i64 {
    sets.old
        .iter()
        .map(|set| revision(set.object))
        .max()
        .unwrap_or(0)
        + 1
}

/// The annotations that a ReplicaSet takes over.
fn inherited(deployment: &Object) -> Map {
    let annotations = deployment
        .value()
        .at(&["metadata", "annotations"])
        .and_then(Value::as_map);
    annotations
        .into_iter()
        .flat_map(Map::iter)
        .filter(|(key, _)| !NOT_INHERITED.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Gives the ReplicaSet of the present template the newest revision number, and the Deployment
/// too: going back to an old template makes it the newest again.
fn number_new_set(sets: &mut Sets<'_>, conditions: &mut Conditions) {
    let Some(set) = &sets.new else {
        return;
    };
    let mut annotations: Map = inherited(sets.deployment)
        .into_iter()
        .filter(|(key, value)| set.object.annotation(key) != value.as_str())
        .collect();
    let present = revision(set.object);
    let wanted = next_revision(sets).max(present);
    if wanted != present {
        annotations.insert(REVISION, wanted.to_string());
        if let Some(before) = set.object.annotation(REVISION) {
            let history = match set.object.annotation(HISTORY) {
                Some(history) if !history.is_empty() => format!("{history},{before}"),
                _ => before.to_owned(),
            };
            annotations.insert(HISTORY, history);
        }
    }
    let mut body = Value::Null;
    if !annotations.is_empty() {
        body.map_at_mut(&["metadata"])
            .insert("annotations", annotations);
    }
    let min_ready =
        |object: &Object| int(object.value(), &["spec", "minReadySeconds"]).unwrap_or(0);
    if min_ready(sets.deployment) != min_ready(set.object) {
        body.map_at_mut(&["spec"])
            .insert("minReadySeconds", min_ready(sets.deployment));
    }
    if !body.is_null() {
        sets.writes.push(patch(Kind::REPLICA_SET, set.object, body));
    }
    if revision(sets.deployment) != wanted {
        sets.writes.push(number(sets.deployment, wanted));
    }
    if conditions.get("Progressing").is_none() && wanted != present {
        let message = format!("Found new replica set \"{}\"", set.object.name());
        mark_new_set(sets.deployment, "FoundNewReplicaSet", message, conditions);
    }
}

/// Through the status, as Kubernetes does it: a change of annotations beside the spec would count as
/// a new generation.
fn number(deployment: &Object, revision: i64) -> Write {
    let annotations = map([(REVISION, revision.to_string().into())]);
    let metadata = map([
        ("uid", deployment.uid().into()),
        ("annotations", annotations),
    ]);
    Write::Patch {
        target: Ref::of(Kind::DEPLOYMENT, deployment),
        part: Part::Status,
        body: map([("metadata", metadata)]),
        note: None,
    }
}

/// Makes the ReplicaSet of a new template. The rest of the step follows when it is there.
fn create(sets: Sets<'_>, mut conditions: Conditions) -> Outcome {
    let deployment = sets.deployment;
    let number_of_set = next_revision(&sets);
    let size = sets.new_size();
    let set = new_set(&sets, number_of_set, size);
    let name = set.name().to_owned();
    let note = (size > 0).then(|| {
        let message = format!("Scaled up replica set {name} from 0 to {size}");
        Note::normal(deployment, COMPONENT, "ScalingReplicaSet", message)
    });
    let mut outcome = Outcome::from(sets.writes);
    outcome.push(Write::Create {
        kind: Kind::REPLICA_SET,
        object: set,
        note,
    });
    if revision(deployment) != number_of_set {
        outcome.push(number(deployment, number_of_set));
    }
    // A first rollout is reported when its pods are there; a later one must not look finished.
    if conditions.get("Progressing").is_some() {
        let message = format!("Created new replica set \"{name}\"");
        mark_new_set(deployment, "NewReplicaSetCreated", message, &mut conditions);
        let old = deployment.value().get("status").and_then(Value::as_map);
        let report = complete(old.cloned().unwrap_or_default(), conditions);
        outcome.push(status(Kind::DEPLOYMENT, deployment, report));
    }
    outcome
}

fn new_set(sets: &Sets<'_>, number: i64, size: i64) -> Object {
    let deployment = sets.deployment;
    let value = deployment.value();
    let template = pod::template(deployment);
    let collisions = int(value, &["status", "collisionCount"]).unwrap_or(0);
    let hash = Str::from(short_name(&plain_template(template), collisions));
    let mut template = template.clone();
    template
        .map_at_mut(&["metadata", "labels"])
        .insert("pod-template-hash", hash.clone());
    let labels = template
        .at(&["metadata", "labels"])
        .cloned()
        .unwrap_or_default();
    let mut selector = value.at(&["spec", "selector"]).cloned().unwrap_or_default();
    selector
        .map_at_mut(&["matchLabels"])
        .insert("pod-template-hash", hash.clone());
    let limits = sets.limits;
    let mut annotations = inherited(deployment);
    annotations.insert(REVISION, number.to_string());
    annotations.insert(DESIRED, limits.replicas.to_string());
    annotations.insert(MAXIMUM, (limits.replicas + limits.surge).to_string());
    let mut spec = Map::from([
        ("replicas", size.into()),
        ("selector", selector),
        ("template", template),
    ]);
    if let Some(seconds) = int(value, &["spec", "minReadySeconds"]) {
        spec.insert("minReadySeconds", seconds);
    }
    let metadata = map([
        ("name", format!("{}-{hash}", deployment.name()).into()),
        ("namespace", deployment.namespace().into()),
        ("labels", labels),
        ("annotations", Value::Map(annotations)),
        (
            "ownerReferences",
            vec![controller_reference(deployment)].into(),
        ),
    ]);
    Object::new(map([
        ("apiVersion", "apps/v1".into()),
        ("kind", "ReplicaSet".into()),
        ("metadata", metadata),
        ("spec", Value::Map(spec)),
    ]))
    .expect("a replica set has a kind")
}

/// Deletes empty old ReplicaSets beyond `revisionHistoryLimit`, the lowest revisions first.
fn forget_old(sets: &mut Sets<'_>) {
    let Some(limit) = int(sets.deployment.value(), &["spec", "revisionHistoryLimit"]) else {
        return;
    };
    let mut old: Vec<&Object> = sets
        .old
        .iter()
        .map(|set| set.object)
        .filter(|object| !object.is_terminating())
        .collect();
    old.sort_by_key(|object| revision(object));
    let surplus = old
        .len()
        .saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
    let empty = |object: &Object| {
        let seen = int(object.value(), &["status", "observedGeneration"]).unwrap_or(0);
        int(object.value(), &["status", "replicas"]).unwrap_or(0) == 0
            && int(object.value(), &["spec", "replicas"]) == Some(0)
            && generation(object) <= seen
    };
    let deletions: Vec<Write> = old
        .into_iter()
        .take(surplus)
        .filter(|object| empty(object))
        .map(|object| delete(Kind::REPLICA_SET, object, Deletion::Background))
        .collect();
    sets.writes.extend(deletions);
}
