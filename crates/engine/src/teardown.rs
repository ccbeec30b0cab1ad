//! What happens when an Application goes (semantics M): hooks before, its objects one wave at a time,
//! hooks after, and what is left of the hooks.
//!
//! Read [`Step`] first, then [`teardown`]. Each step is asked for by a finalizer of its own; without
//! one nothing is done.

mod hooks;

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

pub use hooks::{When, clean_up, finalizers, run_hooks};

/// What comes next in a step of an application's deletion.
#[derive(Debug)]
pub enum Teardown {
    /// Do this, then look again.
    Do(Vec<Authorized<Action>>),
    /// Something runs or is going, or waits for a person; the reason says which.
    Wait(String),
    /// It failed, as the text says. Do this, then begin it anew.
    Failed(String, Vec<Authorized<Action>>),
    /// Nothing is left: the finalizer can go.
    Gone,
}

/// A part of an application's deletion, in the order in which they come (semantics 192).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Hooks run.
    Hooks(When),
    /// The objects are deleted.
    Cascade,
    /// What is left of hooks is deleted.
    CleanUp(When),
}

impl Step {
    const ALL: [Step; 5] = [
        Step::Hooks(When::Before),
        Step::Cascade,
        Step::Hooks(When::After),
        Step::CleanUp(When::Before),
        Step::CleanUp(When::After),
    ];

    /// The step that is next for an Application with these finalizers; `None` when nothing is to be
    /// done.
    #[must_use]
    pub fn next(finalizers: &[String]) -> Option<Step> {
        let is_asked = |step: &Step| finalizers.iter().any(|it| step.asks(it));
        Step::ALL.into_iter().find(is_asked)
    }

    /// Whether a finalizer asks for this step.
    #[must_use]
    pub fn asks(self, finalizer: &str) -> bool {
        match self {
            Step::Hooks(when) => finalizer == when.finalizers()[0],
            Step::CleanUp(when) => finalizer == when.finalizers()[1],
            Step::Cascade => [
                names::RESOURCES_FINALIZER,
                names::RESOURCES_FINALIZER_FOREGROUND,
                names::RESOURCES_FINALIZER_BACKGROUND,
            ]
            .contains(&finalizer),
        }
    }
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
    Teardown::Do(deletions(now, propagation, subject))
}

/// The deletions of objects, as far as the project allows them.
fn deletions<'a>(
    objects: impl IntoIterator<Item = &'a Object>,
    propagation: Propagation,
    subject: &Subject<'_>,
) -> Vec<Authorized<Action>> {
    let gate = subject.gate();
    let actions = objects.into_iter().map(|object| Action {
        gvk: object.gvk(),
        key: object.key(),
        verb: Verb::Delete {
            propagation,
            uid: object.uid().into(),
        },
        task: None,
    });
    actions
        .filter_map(|action| authorize(&gate, action).ok())
        .collect()
}

/// Whether a live object carries the application's mark, for itself.
fn is_ours(object: &Object, subject: &Subject<'_>, instance: &str) -> bool {
    let tracking = &subject.settings.tracking;
    tracking.owner(object) == Some(instance)
        && tracking.is_self_referencing(object, subject.namespace())
}

/// Semantics 193 and 194.
fn is_deletable(object: &Object, subject: &Subject<'_>, instance: &str) -> bool {
    let owners = object.value().at(&["metadata", "ownerReferences"]);
    let is_owned = owners
        .and_then(yaml::Value::as_list)
        .is_some_and(|list| !list.is_empty());
    let metadata = &subject.app.metadata;
    let is_app_itself = object.kind() == names::APPLICATION
        && object.group() == names::GROUP
        && object.name() == metadata.name
        && object.namespace() == metadata.namespace;
    is_ours(object, subject, instance)
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
