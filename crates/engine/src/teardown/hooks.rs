//! Hooks that run when an Application is deleted (semantics 197-199).

use std::fmt;

use api::{HealthCode, names};
use manifest::Object;
use yaml::Value;

use super::{Teardown, deletions, is_ours};
use crate::action::{Action, Apply, Method, OnConflict, Propagation, Run, Validation, Verb};
use crate::compare::Comparison;
use crate::gate::authorize;
use crate::health::{assess, rank};
use crate::hook::{self, DeletePolicy, HookType};
use crate::live::Live;
use crate::normalize::{Desired, DesiredObject};
use crate::subject::Subject;

/// When a hook of a deletion runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before the objects are deleted.
    Before,
    /// After they are gone.
    After,
}

impl fmt::Display for When {
    /// As in errors: `pre-delete`, `post-delete`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            When::Before => "pre-delete",
            When::After => "post-delete",
        })
    }
}

impl When {
    /// The finalizers that hold an Application with such hooks: for running them, and for deleting
    /// what is left of them.
    pub(super) fn finalizers(self) -> [&'static str; 2] {
        match self {
            When::Before => [
                names::PRE_DELETE_FINALIZER,
                names::PRE_DELETE_FINALIZER_CLEANUP,
            ],
            When::After => [
                names::POST_DELETE_FINALIZER,
                names::POST_DELETE_FINALIZER_CLEANUP,
            ],
        }
    }

    fn has(self, object: &Object) -> bool {
        let wanted = match self {
            When::Before => HookType::PreDelete,
            When::After => HookType::PostDelete,
        };
        hook::hook_types(object).contains(&wanted)
    }

    fn word(self) -> &'static str {
        match self {
            When::Before => "PreDelete",
            When::After => "PostDelete",
        }
    }
}

/// The finalizers of an Application that has `before`: those for hooks of its deletion are there
/// when such hooks are desired, and else not (semantics 131).
#[must_use]
pub fn finalizers(before: &[String], comparison: &Comparison) -> Vec<String> {
    let mut finalizers = before.to_vec();
    for when in [When::Before, When::After] {
        let mut desired = comparison
            .objects
            .iter()
            .filter_map(|it| it.desired.as_ref());
        let is_wanted = desired.any(|one| when.has(&one.object));
        for finalizer in when.finalizers() {
            let is_there = finalizers.iter().any(|it| it == finalizer);
            if is_wanted && !is_there {
                finalizers.push(finalizer.to_owned());
            } else if !is_wanted {
                finalizers.retain(|it| it != finalizer);
            }
        }
    }
    finalizers
}

/// Runs the desired hooks of one kind: those that are not live are created, as they are and without
/// the finalizer of other hooks; then it is waited for all of them (semantics 198).
#[must_use]
pub fn run_hooks(when: When, desired: &Desired, live: &Live, subject: &Subject<'_>) -> Teardown {
    let running = hooks(when, live, subject);
    let missing = desired
        .objects
        .iter()
        .filter(|one| when.has(&one.object))
        .filter(|one| !running.iter().any(|live| is_instance(live, one)));
    let mut creations = Vec::new();
    for one in missing {
        match authorize(&subject.gate(), creation(one)) {
            Ok(action) => creations.push(action),
            Err(denied) => return Teardown::Failed(denied.to_string(), Vec::new()),
        }
    }
    if !creations.is_empty() {
        return Teardown::Do(creations);
    }
    let health_of = |object: &Object| assess(object).map_or(HealthCode::Healthy, |it| it.status);
    let is = |code: HealthCode| {
        let found = running
            .iter()
            .copied()
            .filter(move |it| health_of(it) == code);
        found.collect::<Vec<_>>()
    };
    let failed = is(HealthCode::Degraded);
    if !failed.is_empty() {
        let names = failed
            .iter()
            .map(|it| format!("{}/{}", it.namespace(), it.name()));
        let names: Vec<String> = names.collect();
        return Teardown::Failed(
            format!("{} hook(s) failed: {}", when.word(), names.join(", ")),
            deletions(failed, Propagation::Foreground, subject),
        );
    }
    match is(HealthCode::Progressing).first() {
        Some(hook) => Teardown::Wait(format!("waiting for completion of hook {}", hook.key())),
        None => Teardown::Gone,
    }
}

/// Deletes the live hooks of one kind whose policy asks for it, by the worst health of them all
/// (semantics 199).
#[must_use]
pub fn clean_up(when: When, live: &Live, subject: &Subject<'_>) -> Teardown {
    let hooks = hooks(when, live, subject);
    let codes = hooks.iter().filter_map(|it| assess(it)).map(|it| it.status);
    let worst = codes.max_by_key(rank).unwrap_or(HealthCode::Healthy);
    let due: Vec<&Object> = hooks
        .into_iter()
        .filter(|it| {
            let mut policies = hook::delete_policies(it).into_iter();
            policies.any(|policy| match policy {
                DeletePolicy::HookSucceeded => worst == HealthCode::Healthy,
                DeletePolicy::HookFailed => worst == HealthCode::Degraded,
                DeletePolicy::BeforeHookCreation => false,
            })
        })
        .collect();
    let (going, left): (Vec<&Object>, Vec<&Object>) =
        due.into_iter().partition(|it| it.is_terminating());
    if !left.is_empty() {
        return Teardown::Do(deletions(left, Propagation::Foreground, subject));
    }
    match going.first() {
        Some(hook) => Teardown::Wait(format!("waiting for deletion of hook {}", hook.key())),
        None => Teardown::Gone,
    }
}

/// The application's own live hooks of one kind.
fn hooks<'a>(when: When, live: &'a Live, subject: &Subject<'_>) -> Vec<&'a Object> {
    let instance = subject.instance();
    live.iter()
        .map(|(_, object)| object)
        .filter(|it| when.has(it) && is_ours(it, subject, &instance))
        .collect()
}

/// Whether a live hook was made of a desired one; where the server gives the name, by its prefix.
fn is_instance(live: &Object, desired: &DesiredObject) -> bool {
    if !desired.object.name().is_empty() {
        return live.key() == desired.key;
    }
    let prefix = desired.object.value().at(&["metadata", "generateName"]);
    live.gvk() == desired.object.gvk()
        && live.namespace() == desired.object.namespace()
        && prefix
            .and_then(Value::as_str)
            .is_some_and(|prefix| live.name().starts_with(prefix))
}

fn creation(one: &DesiredObject) -> Action {
    Action {
        gvk: one.object.gvk(),
        key: one.key.clone(),
        verb: Verb::Apply(Apply {
            object: one.object.clone(),
            method: Method::Create,
            on_conflict: OnConflict::Fail,
            validation: Validation::On,
            run: Run::Wet,
        }),
        task: None,
    }
}
