//! What is deleted when an Application goes (semantics M): one wave at a time, highest first.
//!
//! Read [`teardown`] first. Without a cascade finalizer nothing is deleted, and this is not asked.

use api::application::Cascade;
use api::names;
use api::sync_options::Consent;
use manifest::Object;

use crate::action::{Action, Propagation, Verb};
use crate::gate::{Authorized, authorize};
use crate::hook;
use crate::live::Live;
use crate::subject::Subject;
use crate::tracking::is_crd;

/// What comes next in an application's deletion.
#[derive(Debug)]
pub enum Teardown {
    /// Delete these, then look again.
    Delete(Vec<Authorized<Action>>),
    /// Objects are going, or wait for a person; the reason says which.
    Wait(String),
    /// Nothing is left: the finalizer can go.
    Gone,
}

/// The next step of the cascade. Only objects that carry the application's mark count, so that
/// nothing untracked is deleted; `cascade` comes from the finalizers.
#[must_use]
pub fn teardown(live: &Live, subject: &Subject<'_>, cascade: Cascade) -> Teardown {
    let propagation = match cascade {
        Cascade::Foreground => Propagation::Foreground,
        Cascade::Background => Propagation::Background,
        Cascade::Orphan => return Teardown::Gone,
    };
    let instance = subject.instance();
    let objects: Vec<&Object> = live
        .iter()
        .map(|(_, object)| object)
        .filter(|object| is_deletable(object, subject, &instance))
        .collect();
    if let Some(going) = objects.iter().find(|object| object.is_terminating()) {
        return Teardown::Wait(format!("waiting for deletion of {}", going.key()));
    }
    let Some(wave) = objects.iter().map(|object| hook::wave(object)).max() else {
        return Teardown::Gone;
    };
    let now: Vec<&Object> = objects
        .into_iter()
        .filter(|object| hook::wave(object) == wave)
        .collect();
    if let Some(waiting) = now.iter().find(|object| !is_confirmed(object, subject)) {
        return Teardown::Wait(format!(
            "waiting for deletion confirmation of {}",
            waiting.key()
        ));
    }
    let gate = subject.gate();
    let actions = now.into_iter().map(|object| Action {
        gvk: object.gvk(),
        key: object.key(),
        verb: Verb::Delete {
            propagation,
            uid: object.uid().into(),
        },
        task: None,
    });
    let actions: Vec<_> = actions
        .filter_map(|action| authorize(&gate, action).ok())
        .collect();
    Teardown::Delete(actions)
}

/// Semantics 193 and 194.
fn is_deletable(object: &Object, subject: &Subject<'_>, instance: &str) -> bool {
    let owners = object.value().at(&["metadata", "ownerReferences"]);
    let is_owned = owners
        .and_then(yaml::Value::as_list)
        .is_some_and(|list| !list.is_empty());
    let tracking = &subject.settings.tracking;
    let metadata = &subject.app.metadata;
    let is_app_itself = object.kind() == names::APPLICATION
        && object.group() == names::GROUP
        && object.name() == metadata.name
        && object.namespace() == metadata.namespace;
    let is_ours = tracking.owner(object) == Some(instance)
        && tracking.is_self_referencing(object, subject.namespace());
    is_ours
        && !is_owned
        && !is_app_itself
        && !is_crd(object)
        && !hook::is_kept_by_helm(object)
        && consent(object, subject) != Some(Consent::Never)
        && subject.gate().check(&object.gvk(), &object.key()).is_ok()
}

fn consent(object: &Object, subject: &Subject<'_>) -> Option<Consent> {
    hook::options(object)
        .delete()
        .or(subject.app.spec.sync_options().delete())
}

/// Semantics 195.
fn is_confirmed(object: &Object, subject: &Subject<'_>) -> bool {
    let asks = [consent(object, subject), hook::options(object).prune()];
    if !asks.contains(&Some(Consent::Confirm)) {
        return true;
    }
    let metadata = &subject.app.metadata;
    let approved = metadata.annotation(names::DELETION_APPROVED);
    let approved = approved.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    match (approved, metadata.deletion_timestamp) {
        (Some(approved), Some(deleted)) => approved >= deleted.instant(),
        _ => false,
    }
}
