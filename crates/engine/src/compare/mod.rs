//! Desired and live state side by side: Synced or OutOfSync for every object, with the difference.
//!
//! Read [`Comparison`] first. The rules are semantics 120-128 and 142-157; what a difference is
//! stands in `diff`. It must never know an operation.

mod diff;
mod dropped;
mod ignore;
mod managed;

use std::collections::HashMap;

use api::sync_options::{Consent, SyncOption, SyncOptions};
use api::{Condition, SyncCode, reason};
use manifest::schema::Schema;
use manifest::{Gvk, Object, ObjectKey};
use yaml::Value;

use crate::gate::Denied;
use crate::hook;
use crate::live::Live;
use crate::normalize::{Desired, DesiredObject};
use crate::subject::Subject;

pub use diff::{Diff, Difference};
pub(crate) use ignore::Rules;

/// How desired and live state compare.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// Desired objects in the order of rendering, then extra live ones in the order of their keys.
    pub objects: Vec<Compared>,
    /// For the whole application.
    pub sync: SyncCode,
    /// Those of [`Desired`], and what the comparison adds.
    pub conditions: Vec<Condition>,
}

/// One object, desired or live or both.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// Its identity.
    pub key: ObjectKey,
    /// Its kind, in the version that Git speaks where it is desired.
    pub gvk: Gvk,
    /// As Git says.
    pub desired: Option<DesiredObject>,
    /// As the cluster says.
    pub live: Option<Object>,
    /// `Unset` for hooks, ignored objects and copies of another object's mark.
    pub status: SyncCode,
    /// What differs, when both exist; empty when nothing does.
    pub diff: Diff,
    /// Whether it is a hook.
    pub is_hook: bool,
    /// Whether it would be pruned: live, not desired, and really this application's.
    pub requires_pruning: bool,
    /// Whether its deletion waits for a confirmation.
    pub requires_confirmation: bool,
    /// Whether its mark is its own, rather than copied from another object.
    pub is_own: bool,
    /// What the project says.
    pub verdict: Result<(), Denied>,
}

impl Compared {
    /// Whether live differs from desired, or one of the two is not there.
    #[must_use]
    pub fn is_modified(&self) -> bool {
        self.desired.is_none() || self.live.is_none() || !self.diff.is_empty()
    }

    /// Whether it stands in `status.resources`: hooks do only while they are live.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        !self.is_hook || self.live.is_some()
    }

    /// The desired object, else the live one.
    #[must_use]
    pub fn object(&self) -> Option<&Object> {
        self.desired
            .as_ref()
            .map(|desired| &desired.object)
            .or(self.live.as_ref())
    }
}

/// The schema of a kind: built in, or that of its definition in the cluster; `None` where nothing is
/// known.
pub type SchemaOf<'a> = &'a dyn Fn(&Gvk) -> Option<Schema>;

/// Compares.
#[must_use]
pub fn compare(
    desired: &Desired,
    live: &Live,
    subject: &Subject<'_>,
    schema_of: SchemaOf<'_>,
) -> Comparison {
    let rules = Rules::new(
        &subject.settings.ignore_differences,
        &subject.app.spec.ignore_differences,
    );
    let mut comparison = Comparison {
        conditions: desired.conditions.clone(),
        ..Comparison::default()
    };
    comparison
        .conditions
        .extend(rules.problems().iter().cloned());
    let options = subject.app.spec.sync_options();
    let mut is_desired: HashMap<&ObjectKey, ()> = HashMap::new();
    for one in &desired.objects {
        is_desired.insert(&one.key, ());
        let found = live.get(&one.key);
        if let Some(condition) = found.and_then(|object| shared(object, subject)) {
            comparison.conditions.push(condition);
        }
        let means = Means {
            rules: &rules,
            options: &options,
            schema_of,
        };
        let (compared, dropped) = compare_desired(one, found, subject, &means);
        comparison.objects.push(compared);
        comparison.conditions.extend(dropped);
    }
    let instance = subject.instance();
    for (key, object) in live.iter() {
        if !is_desired.contains_key(key) && is_managed(object, &instance, subject) {
            comparison
                .objects
                .extend(extra(key, object, subject, &options));
        }
    }
    comparison.sync = overall(&comparison, subject);
    if rules.problems().iter().any(Condition::is_error) {
        nothing_is_known(&mut comparison);
    }
    comparison
}

/// What was found does not count, as a rule of the comparison cannot be read (recording
/// ignore-badjq).
fn nothing_is_known(comparison: &mut Comparison) {
    comparison.sync = SyncCode::Unknown;
    let judged = comparison.objects.iter_mut();
    for one in judged.filter(|one| one.status != SyncCode::Unset) {
        one.status = SyncCode::Unknown;
    }
}

/// What a comparison of two objects needs besides them.
pub(crate) struct Means<'a> {
    pub(crate) rules: &'a Rules<'a>,
    pub(crate) options: &'a SyncOptions,
    pub(crate) schema_of: SchemaOf<'a>,
}

fn compare_desired(
    one: &DesiredObject,
    live: Option<&Object>,
    subject: &Subject<'_>,
    means: &Means<'_>,
) -> (Compared, Option<Condition>) {
    let is_hook = one.is_hook();
    let is_permitted = subject.gate().permits_kind(&one.object.gvk(), &one.key);
    let live = live.filter(|_| is_permitted);
    let is_own = live.is_none_or(|live| is_own_mark(one, live, subject));
    let mut diff = match live {
        Some(live) if !is_hook => diff::diff(&one.object, live, means),
        _ => Diff::default(),
    };
    let dropped = (means.schema_of)(&one.object.gvk())
        .filter(|schema| !diff.is_empty() && schema.is_custom())
        .and_then(|schema| dropped::take(&mut diff, &one.object, &schema));
    let status = if is_hook || hook::is_ignored(&one.object) || !is_own {
        SyncCode::Unset
    } else if !is_permitted {
        SyncCode::Unknown
    } else if live.is_none() || !diff.is_empty() {
        SyncCode::OutOfSync
    } else {
        SyncCode::Synced
    };
    let compared = Compared {
        key: one.key.clone(),
        gvk: one.object.gvk(),
        live: live.cloned(),
        status,
        diff,
        is_hook,
        // As recorded: a live hook is listed so, and never pruned.
        requires_pruning: is_hook && live.is_some(),
        requires_confirmation: needs_confirmation(Some(&one.object), live, means.options),
        is_own,
        verdict: one.verdict.clone(),
        desired: Some(one.clone()),
    };
    (compared, dropped)
}

/// A live object that is this application's and no longer desired. One that the project does not
/// allow is invisible (semantics 122).
fn extra(
    key: &ObjectKey,
    live: &Object,
    subject: &Subject<'_>,
    options: &SyncOptions,
) -> Option<Compared> {
    let gvk = live.gvk();
    subject.gate().check(&gvk, key).ok()?;
    let is_hook = hook::is_hook(live);
    let is_own = subject
        .settings
        .tracking
        .is_self_referencing(live, subject.namespace());
    let has_status = !is_hook && !hook::is_ignored(live) && is_own;
    Some(Compared {
        key: key.clone(),
        gvk,
        desired: None,
        status: if has_status {
            SyncCode::OutOfSync
        } else {
            SyncCode::Unset
        },
        diff: Diff::default(),
        is_hook,
        requires_pruning: is_own,
        requires_confirmation: needs_confirmation(None, Some(live), options),
        is_own,
        verdict: Ok(()),
        live: Some(live.clone()),
    })
}

/// Whether a live object is the application's: marked, and owned by no other object (semantics
/// 140, 52).
fn is_managed(live: &Object, instance: &str, subject: &Subject<'_>) -> bool {
    let owners = live
        .value()
        .at(&["metadata", "ownerReferences"])
        .and_then(Value::as_list);
    owners.is_none_or(<[Value]>::is_empty)
        && subject.settings.tracking.owner(live) == Some(instance)
}

/// Whether the mark on the live object of a desired one names that object (semantics 126). What
/// Git says decides: the live mark may be missing or an older one.
fn is_own_mark(one: &DesiredObject, live: &Object, subject: &Subject<'_>) -> bool {
    let tracking = &subject.settings.tracking;
    match tracking.owner(live) {
        Some(owner) if owner == subject.instance() => {
            tracking.is_self_referencing(&one.object, subject.namespace())
        }
        _ => true,
    }
}

/// A live object that another application says is its own (semantics 123).
fn shared(live: &Object, subject: &Subject<'_>) -> Option<Condition> {
    let owner = subject.settings.tracking.owner(live)?;
    let instance = subject.instance();
    if owner == instance {
        return None;
    }
    let namespace = match subject.app.metadata.namespace.as_str() {
        "" => &subject.settings.control_namespace,
        namespace => namespace,
    };
    Some(Condition::new(
        reason::SHARED_RESOURCE_WARNING,
        format!(
            "{}/{} is part of applications {namespace}/{} and {}",
            live.kind(),
            live.name(),
            subject.app.metadata.name,
            owner.replacen('_', "/", 1)
        ),
    ))
}

/// `Prune=confirm` or `Delete=confirm` in force; the object's own word wins (semantics 127).
fn needs_confirmation(
    desired: Option<&Object>,
    live: Option<&Object>,
    options: &SyncOptions,
) -> bool {
    let own = desired.or(live).map(hook::options).unwrap_or_default();
    own.prune().or(options.prune()) == Some(Consent::Confirm)
        || own.delete().or(options.delete()) == Some(Consent::Confirm)
}

/// Semantics 125; a change of the managed namespace's metadata counts as well (66).
fn overall(comparison: &Comparison, subject: &Subject<'_>) -> SyncCode {
    let counts = |one: &Compared| {
        let is_extra_and_ignored =
            one.desired.is_none() && one.live.as_ref().is_some_and(hook::ignores_extraneous);
        // What the project forbids is shown as Unknown, and keeps the application OutOfSync.
        matches!(one.status, SyncCode::OutOfSync | SyncCode::Unknown) && !is_extra_and_ignored
    };
    if comparison.objects.iter().any(counts) || namespace_metadata_changed(subject) {
        SyncCode::OutOfSync
    } else {
        SyncCode::Synced
    }
}

fn namespace_metadata_changed(subject: &Subject<'_>) -> bool {
    let app = subject.app;
    let Some(policy) = &app.spec.sync_policy else {
        return false;
    };
    if policy.managed_namespace_metadata.is_none() {
        return false;
    }
    let options = app.spec.sync_options();
    let applied = app
        .status
        .operation_state
        .as_ref()
        .and_then(|state| state.sync_result.as_ref());
    options.has(SyncOption::CreateNamespace)
        && applied.is_some_and(|result| {
            result.managed_namespace_metadata != policy.managed_namespace_metadata
        })
}

#[cfg(test)]
mod tests;
