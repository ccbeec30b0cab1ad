//! The actions of one step of a sync, in stages.
//!
//! Read [`Batch`] first. Every action in it has passed the project gate; how an object is applied
//! (semantics D) is decided here.

use api::names;
use api::operation::OperationPhase;
use api::sync_options::{Consent, SyncOption};
use manifest::{Object, ObjectKey};
use yaml::Value;

use crate::action::{Action, Apply, Method, OnConflict, Propagation, Run, Validation, Verb};
use crate::gate::{Authorized, authorize};
use crate::hook;
use crate::live::Live;
use crate::plan::{Plan, Task, Work};
use crate::results::Results;
use crate::tracking::is_crd;

/// Actions to execute: the stages one after the other, the actions of a stage at the same time.
#[derive(Debug)]
pub struct Batch {
    stages: Vec<Stage>,
    pub(crate) then: Then,
}

/// Actions that do not depend on each other.
#[derive(Debug)]
pub struct Stage {
    /// In the order of the plan.
    pub actions: Vec<Authorized<Action>>,
    /// What a failure in this stage means for the later ones.
    pub on_failure: OnFailure,
}

/// What a failed action means for the stages behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// They are executed all the same.
    Continue,
    /// They are not.
    Stop,
}

/// What the answers are taken for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Then {
    Namespace,
    Finalizers,
    Wave,
    HookDeletion,
    Failing {
        message: String,
    },
    SyncFail {
        message: String,
    },
    Finish {
        phase: OperationPhase,
        message: String,
    },
    Terminate,
}

impl Batch {
    /// The stages, in order.
    #[must_use]
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// All actions in order; answers are given back in this order.
    pub fn actions(&self) -> impl Iterator<Item = &Authorized<Action>> {
        self.stages.iter().flat_map(|stage| &stage.actions)
    }

    /// Whether there is nothing to execute.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    fn new(stages: Vec<Stage>, then: Then) -> Self {
        let stages = stages
            .into_iter()
            .filter(|stage| !stage.actions.is_empty())
            .collect();
        Batch { stages, then }
    }
}

/// Tasks that the project refuses never get as far as an action; the gate is passed again all the
/// same, as it alone makes what the executor takes.
fn stage(plan: &Plan<'_>, on_failure: OnFailure, actions: impl Iterator<Item = Action>) -> Stage {
    let gate = plan.subject.gate();
    Stage {
        actions: actions
            .filter_map(|action| authorize(&gate, action).ok())
            .collect(),
        on_failure,
    }
}

/// The destination namespace, made for real before the dry run (semantics 20).
pub(crate) fn namespace(plan: &Plan<'_>, task: &Task) -> Batch {
    let actions = apply_action(plan, task, &Live::default()).map(|mut action| {
        if let Verb::Apply(apply) = &mut action.verb {
            let is_managed = apply.object.annotation(names::SYNC_OPTIONS).is_some();
            apply.method = if is_managed {
                Method::ServerSide { migrate_from: None }
            } else {
                Method::ClientSide
            };
        }
        action
    });
    Batch::new(
        vec![stage(plan, OnFailure::Stop, actions.into_iter())],
        Then::Namespace,
    )
}

/// Takes the finalizer off hooks that are done.
pub(crate) fn finalizers(plan: &Plan<'_>, tasks: &[&Task], live: &Live) -> Batch {
    let actions = tasks.iter().filter_map(|task| free(task, live));
    Batch::new(
        vec![stage(plan, OnFailure::Continue, actions)],
        Then::Finalizers,
    )
}

/// A wave: prunes, then either deletions of old hooks or applies by runs of equal kind
/// (semantics 21, 22).
pub(crate) fn wave(
    plan: &Plan<'_>,
    (tasks, old_hooks): (&[&Task], &[&Task]),
    results: &Results<'_>,
    live: &Live,
    then: Then,
) -> Batch {
    let prunes = tasks
        .iter()
        .filter(|task| task.is_prune() && results.is_pending(task))
        .filter_map(|task| delete(plan, task, live));
    let mut stages = vec![stage(plan, OnFailure::Stop, prunes)];
    let frees = old_hooks.iter().filter_map(|task| free(task, live));
    stages.push(stage(plan, OnFailure::Stop, frees));
    let hooks = old_hooks.iter().filter_map(|task| delete(plan, task, live));
    stages.push(stage(plan, OnFailure::Stop, hooks));
    let applies: Vec<&Task> = tasks
        .iter()
        .copied()
        .filter(|task| !task.is_prune())
        .collect();
    for run in applies.chunk_by(|a, b| a.gvk.kind == b.gvk.kind) {
        let actions = run.iter().filter_map(|task| apply_action(plan, task, live));
        stages.push(stage(plan, OnFailure::Continue, actions));
    }
    Batch::new(stages, then)
}

/// Deletions of hooks by their policy.
pub(crate) fn hook_deletions(plan: &Plan<'_>, hooks: &[&Task], live: &Live, then: Then) -> Batch {
    let frees = hooks.iter().filter_map(|task| free(task, live));
    let deletions = hooks.iter().filter_map(|task| delete(plan, task, live));
    Batch::new(
        vec![
            stage(plan, OnFailure::Continue, frees),
            stage(plan, OnFailure::Continue, deletions),
        ],
        then,
    )
}

/// Frees all hooks and deletes the running ones (semantics 27).
pub(crate) fn terminate(
    plan: &Plan<'_>,
    (free_all, running): (&[&Task], &[&Task]),
    live: &Live,
) -> Batch {
    let frees = free_all.iter().filter_map(|task| free(task, live));
    let deletions = running.iter().filter_map(|task| delete(plan, task, live));
    Batch::new(
        vec![
            stage(plan, OnFailure::Continue, frees),
            stage(plan, OnFailure::Continue, deletions),
        ],
        Then::Terminate,
    )
}

fn action(task: &Task, verb: Verb) -> Action {
    Action {
        gvk: task.gvk.clone(),
        key: task.key.object.clone(),
        verb,
        task: Some(task.key.clone()),
    }
}

fn free(task: &Task, live: &Live) -> Option<Action> {
    live.get(&task.key.object)
        .filter(|object| hook::has_finalizer(object))
        .map(|_| action(task, Verb::RemoveFinalizer(names::HOOK_FINALIZER)))
}

/// A deletion of what is live; nothing when it is gone or going already.
fn delete(plan: &Plan<'_>, task: &Task, live: &Live) -> Option<Action> {
    let object = live.get(&task.key.object)?;
    if object.is_terminating() && !task.is_prune() {
        return None;
    }
    Some(action(
        task,
        Verb::Delete {
            propagation: Propagation::from(plan.request.options.propagation()),
            uid: object.uid().into(),
        },
    ))
}

fn apply_action(plan: &Plan<'_>, task: &Task, live: &Live) -> Option<Action> {
    let Work::Apply(object) = &task.work else {
        return None;
    };
    let request = &plan.request;
    let own = hook::options(object);
    let found = live.get(&task.key.object);
    let live_options = found.map(hook::options).unwrap_or_default();
    let has = |option| own.has(option) || live_options.has(option);
    let is_forced = request.is_forced || has(SyncOption::Force);
    let is_unchecked =
        request.options.has(SyncOption::ValidateFalse) || own.has(SyncOption::ValidateFalse);
    let replaces = request.options.has(SyncOption::Replace) || has(SyncOption::Replace);
    let method = if replaces {
        replace_method(task, object, found)
    } else if uses_server_side(plan, object) {
        Method::ServerSide {
            migrate_from: found.and_then(|found| manager_to_migrate(plan, found)),
        }
    } else {
        Method::ClientSide
    };
    Some(action(
        task,
        Verb::Apply(Apply {
            object: object.clone(),
            method,
            on_conflict: if is_forced {
                OnConflict::Recreate
            } else {
                OnConflict::Fail
            },
            validation: if is_unchecked {
                Validation::Off
            } else {
                Validation::On
            },
            run: if plan.is_dry_run() {
                Run::Dry
            } else {
                Run::Wet
            },
        }),
    ))
}

/// Semantics 54.
fn replace_method(task: &Task, object: &Object, live: Option<&Object>) -> Method {
    let is_namespace = task.gvk.kind == "Namespace";
    match live {
        None => Method::Create,
        Some(_) if is_crd(object) || is_namespace => Method::Update,
        Some(_) => Method::Replace,
    }
}

/// Semantics 56-58.
fn uses_server_side(plan: &Plan<'_>, object: &Object) -> bool {
    let own = hook::options(object);
    let is_asked = own.has(SyncOption::ServerSideApply)
        || (plan.request.options.has(SyncOption::ServerSideApply)
            && !own.has(SyncOption::ServerSideApplyFalse));
    is_asked && !plan.is_dry_run()
}

/// Semantics 59.
fn manager_to_migrate(plan: &Plan<'_>, live: &Object) -> Option<yaml::Str> {
    if plan
        .request
        .options
        .has(SyncOption::ClientSideApplyMigrationFalse)
    {
        return None;
    }
    let chosen = plan
        .subject
        .app
        .metadata
        .annotation(names::CLIENT_SIDE_APPLY_MIGRATION_MANAGER);
    let manager = chosen.unwrap_or(names::CLIENT_SIDE_APPLY_MANAGER);
    let entries = live.value().at(&["metadata", "managedFields"])?.as_list()?;
    let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
    entries
        .iter()
        .any(|entry| {
            text(entry, "manager").as_deref() == Some(manager)
                && text(entry, "operation").as_deref() == Some("Update")
        })
        .then(|| manager.into())
}

/// Why a prune is not done although it is planned; `None` when it is (semantics 44, 45, 53).
pub(crate) fn prune_refusal(plan: &Plan<'_>, task: &Task, live: &Live) -> Option<&'static str> {
    if !plan.request.operation.prune {
        return Some("ignored (requires pruning)");
    }
    match prune_consent(plan, &task.key.object, live) {
        Some(Consent::Never) => Some("ignored (no prune)"),
        Some(Consent::Confirm) | None if plan.is_dry_run() => Some("pruned (dry run)"),
        Some(Consent::Confirm) | None => None,
    }
}

fn prune_consent(plan: &Plan<'_>, key: &ObjectKey, live: &Live) -> Option<Consent> {
    let own = live
        .get(key)
        .and_then(|object| hook::options(object).prune());
    own.or(plan.request.options.prune())
        .or(plan.subject.app.spec.sync_options().prune())
}

/// Prunes that wait for the annotation `deletion-approved` (semantics 48).
pub(crate) fn unconfirmed_prunes<'p>(
    plan: &Plan<'_>,
    tasks: &[&'p Task],
    live: &Live,
) -> Vec<&'p Task> {
    let approved = plan
        .subject
        .app
        .metadata
        .annotation(names::DELETION_APPROVED);
    let approved = approved.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    if approved.is_some_and(|time| time.as_second() >= plan.request.started_at) {
        return Vec::new();
    }
    let prunes = tasks.iter().copied().filter(|task| task.is_prune());
    prunes
        .filter(|_| plan.request.operation.prune && !plan.is_dry_run())
        .filter(|task| prune_consent(plan, &task.key.object, live) == Some(Consent::Confirm))
        .collect()
}

/// What a client-side dry run refuses: no name, or labels and annotations that are not text.
pub(crate) fn dry_run(plan: &Plan<'_>, task: &Task) -> Option<String> {
    let object = task.object()?;
    let replaces = plan.request.options.has(SyncOption::Replace)
        || hook::options(object).has(SyncOption::Replace);
    if object.name().is_empty() && !replaces {
        let prefix = object
            .value()
            .at(&["metadata", "generateName"])
            .and_then(Value::as_str);
        return Some(match prefix {
            Some(prefix) => format!("from {prefix}: cannot use generate name with apply"),
            None => format!(
                "error when retrieving current configuration of:\nName: \"\", Namespace: {:?}\nfrom server for: {:?}: resource name may not be empty",
                object.namespace(),
                task.origin.to_string()
            ),
        });
    }
    ["labels", "annotations"].iter().find_map(|field| {
        let map = object.value().at(&["metadata", field])?.as_map()?;
        let odd = map.values().find(|value| value.as_str().is_none() && !value.is_null())?;
        Some(format!(
            "unable to decode {:?}: json: cannot unmarshal {} into Go struct field ObjectMeta.metadata.{field} of type string",
            task.origin.to_string(),
            odd.kind()
        ))
    })
}
