//! Garbage collection: what becomes of dependents when their owners go.
//!
//! Background: an object none of whose owners exists is deleted. Foreground: the owner waits for
//! the dependents that block it. Orphan: the dependents forget the owner first.

use manifest::Object;
use yaml::{Str, Value};

use super::control::Context;
use super::fields::{finalizers_without, flag, has_finalizer, map, owners, text};
use super::kind::Kind;
use super::replica_set::owners_without;
use super::world::{Change, Ref, World};
use super::write::{Deletion, Outcome, Write, delete, patch};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// An object with owners or with a deletion to do, its dependents when it is gone, and owners that
/// wait for it.
pub(crate) fn affected(world: &World, change: &Change, keys: &mut Vec<Ref>) {
    let Some(object) = change.latest() else {
        return;
    };
    if change.new.is_some() {
        if !owners(object).is_empty() || awaits_dependents(object) {
            keys.push(change.target.clone());
        }
    } else {
        keys.extend(world.dependents(object.uid()).cloned());
    }
    for state in change.states() {
        for owner in owners(state) {
            let owner = world.by_uid(text(owner, &["uid"]));
            let waits = |owner: &&Ref| world.get(owner).is_some_and(awaits_dependents);
            keys.extend(owner.filter(waits).cloned());
        }
    }
}

fn awaits_dependents(object: &Object) -> bool {
    object.is_terminating() && (has_finalizer(object, FOREGROUND) || has_finalizer(object, ORPHAN))
}

/// What deletion asks of one object.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    let Some(object) = context.world.get(target) else {
        return Outcome::nothing();
    };
    if object.is_terminating() && has_finalizer(object, ORPHAN) {
        return Outcome::from(orphan(context, target.kind, object));
    }
    if object.is_terminating() && has_finalizer(object, FOREGROUND) {
        return Outcome::from(foreground(context, target.kind, object));
    }
    if object.is_terminating() {
        return Outcome::nothing();
    }
    collect(context, target, object)
}

fn dependents<'a>(context: &Context<'a>, owner: &Object) -> Vec<(Kind, &'a Object)> {
    context
        .world
        .dependents(owner.uid())
        .filter_map(|target| Some((target.kind, context.world.get(target)?)))
        .collect()
}

fn without_finalizer(kind: Kind, object: &Object, name: &str) -> Write {
    let finalizers = finalizers_without(object, name);
    patch(
        kind,
        object,
        map([("metadata", map([("finalizers", finalizers)]))]),
    )
}

fn without_owner(kind: Kind, object: &Object, uid: &str) -> Write {
    let owners = owners_without(object, uid);
    patch(
        kind,
        object,
        map([("metadata", map([("ownerReferences", owners)]))]),
    )
}

fn orphan(context: &Context<'_>, kind: Kind, owner: &Object) -> Vec<Write> {
    let mut writes: Vec<Write> = dependents(context, owner)
        .into_iter()
        .map(|(kind, dependent)| without_owner(kind, dependent, owner.uid()))
        .collect();
    writes.push(without_finalizer(kind, owner, ORPHAN));
    writes
}

fn foreground(context: &Context<'_>, kind: Kind, owner: &Object) -> Vec<Write> {
    let dependents = dependents(context, owner);
    let blocks = |dependent: &Object| {
        owners(dependent).iter().any(|reference| {
            text(reference, &["uid"]) == owner.uid() && flag(reference, &["blockOwnerDeletion"])
        })
    };
    if !dependents.iter().any(|(_, dependent)| blocks(dependent)) {
        return vec![without_finalizer(kind, owner, FOREGROUND)];
    }
    let mut writes = Vec::new();
    for (kind, dependent) in dependents {
        let kept = owners(dependent).iter().any(|reference| {
            let other = context.world.by_uid(text(reference, &["uid"]));
            let other = other.and_then(|other| context.world.get(other));
            other.is_some_and(|other| !awaits_dependents(other))
        });
        if kept {
            writes.push(without_owner(kind, dependent, owner.uid()));
        } else if !dependent.is_terminating() {
            let has_dependents = context.world.dependents(dependent.uid()).next().is_some();
            let how = if has_dependents {
                Deletion::Foreground
            } else {
                Deletion::Background
            };
            writes.push(delete(kind, dependent, how));
        }
    }
    writes
}

/// Deletes an object that has lost its last owner, or lets it forget those that are gone.
fn collect(context: &Context<'_>, target: &Ref, object: &Object) -> Outcome {
    let exists = |owner: &Value| {
        context
            .world
            .by_uid(text(owner, &["uid"]))
            .is_some_and(|owner| owner.namespace.is_empty() || owner.namespace == target.namespace)
    };
    let (present, absent): (Vec<&Value>, Vec<&Value>) =
        owners(object).iter().partition(|owner| exists(owner));
    if absent.is_empty() {
        return Outcome::nothing();
    }
    let deleted = |owner: &&Value| context.world.was_deleted(text(owner, &["uid"]));
    if !present.is_empty() {
        let Some(gone) = absent.into_iter().find(deleted) else {
            return Outcome::nothing();
        };
        return Outcome::from(vec![without_owner(
            target.kind,
            object,
            text(gone, &["uid"]),
        )]);
    }
    if absent.iter().all(deleted) {
        return Outcome::from(vec![delete(target.kind, object, Deletion::Background)]);
    }
    let mut unknown: Vec<(Ref, Str)> = Vec::new();
    for owner in absent {
        let api_version = text(owner, &["apiVersion"]);
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let Some(kind) = context.world.registry.find(group, text(owner, &["kind"])) else {
            // Nobody can say whether such an owner exists, so the object stays.
            return Outcome::nothing();
        };
        let resource = context.world.registry.resource(kind);
        if !resource.serves(api_version) {
            return Outcome::nothing();
        }
        let namespaced = resource.namespaced;
        let namespace = if namespaced {
            target.namespace.as_str()
        } else {
            ""
        };
        let owner_ref = Ref::new(kind, namespace, text(owner, &["name"]));
        unknown.push((owner_ref, text(owner, &["uid"]).into()));
    }
    Outcome::from(vec![Write::Collect {
        target: target.clone(),
        uid: object.uid().into(),
        owners: unknown,
    }])
}
