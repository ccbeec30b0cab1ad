//! What the annotations of one object say about its part in a sync: hook, wave, options.
//!
//! Read [`hook_types`] first. Keys and values are those of `reference/argocd/labels.md`; nothing
//! here knows what is live or which operation runs.

use std::fmt;

use api::names;
use api::sync_options::SyncOptions;
use manifest::Object;
use yaml::Value;

/// A phase of a sync, in order of execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Before anything is applied.
    PreSync,
    /// The objects themselves.
    Sync,
    /// After everything is healthy.
    PostSync,
    /// Only when the sync failed.
    SyncFail,
}

impl Phase {
    /// The word in statuses and annotations.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::PreSync => "PreSync",
            Phase::Sync => "Sync",
            Phase::PostSync => "PostSync",
            Phase::SyncFail => "SyncFail",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a hook annotation asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum HookType {
    /// Runs in a phase of a sync.
    Sync(Phase),
    /// Never applied.
    Skip,
    /// Runs before the application's objects are deleted.
    PreDelete,
    /// Runs after the application's objects are deleted.
    PostDelete,
}

impl HookType {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "PreSync" => HookType::Sync(Phase::PreSync),
            "Sync" => HookType::Sync(Phase::Sync),
            "PostSync" => HookType::Sync(Phase::PostSync),
            "SyncFail" => HookType::Sync(Phase::SyncFail),
            "Skip" => HookType::Skip,
            "PreDelete" => HookType::PreDelete,
            "PostDelete" => HookType::PostDelete,
            _ => return None,
        })
    }

    fn of_helm(word: &str) -> Option<Self> {
        Some(match word {
            "pre-install" | "pre-upgrade" => HookType::Sync(Phase::PreSync),
            "post-install" | "post-upgrade" => HookType::Sync(Phase::PostSync),
            "pre-delete" => HookType::PreDelete,
            "post-delete" => HookType::PostDelete,
            _ => return None,
        })
    }
}

/// When a hook's object is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum DeletePolicy {
    /// After the operation succeeded.
    HookSucceeded,
    /// After the operation failed.
    HookFailed,
    /// Before it is created again.
    BeforeHookCreation,
}

/// The trimmed items of an annotation with commas, each once, in order.
fn items<'a>(object: &'a Object, annotation: &str) -> Vec<&'a str> {
    let mut items = Vec::new();
    for item in object.annotation(annotation).unwrap_or_default().split(',') {
        let item = item.trim();
        if !item.is_empty() && !items.contains(&item) {
            items.push(item);
        }
    }
    items
}

/// Whether the object carries a hook annotation at all, valid or not (semantics 33, 35).
#[must_use]
pub(crate) fn is_hook(object: &Object) -> bool {
    if !items(object, names::HOOK).is_empty() {
        return hook_types(object) != [HookType::Skip];
    }
    let helm = items(object, names::HELM_HOOK);
    !helm.is_empty() && helm != ["crd-install"]
}

/// The valid hook types of an object; Helm's count only when there is no valid one of Argo CD
/// (semantics 32-35). Empty for ordinary objects, and for hooks that are ignored.
#[must_use]
pub(crate) fn hook_types(object: &Object) -> Vec<HookType> {
    let mut types: Vec<HookType> = items(object, names::HOOK)
        .into_iter()
        .filter_map(HookType::parse)
        .collect();
    if types.is_empty() {
        for hook in items(object, names::HELM_HOOK)
            .into_iter()
            .filter_map(HookType::of_helm)
        {
            if !types.contains(&hook) {
                types.push(hook);
            }
        }
    }
    types
}

/// The phases of a sync in which the hook runs; empty when it is not a sync hook.
pub(crate) fn hook_phases(object: &Object) -> Vec<Phase> {
    let phase = |hook| match hook {
        HookType::Sync(phase) => Some(phase),
        HookType::Skip | HookType::PreDelete | HookType::PostDelete => None,
    };
    hook_types(object).into_iter().filter_map(phase).collect()
}

/// Whether the object is neither applied nor compared nor pruned: `Skip`, or a hook annotation
/// without a valid value.
pub(crate) fn is_ignored(object: &Object) -> bool {
    is_skipped(object) || (is_hook(object) && hook_types(object).is_empty())
}

/// Whether `Skip` is the only hook type.
pub(crate) fn is_skipped(object: &Object) -> bool {
    hook_types(object) == [HookType::Skip]
}

/// The delete policies of both families; `BeforeHookCreation` when there is none.
pub(crate) fn delete_policies(object: &Object) -> Vec<DeletePolicy> {
    let argo = items(object, names::HOOK_DELETE_POLICY)
        .into_iter()
        .filter_map(|word| match word {
            "HookSucceeded" => Some(DeletePolicy::HookSucceeded),
            "HookFailed" => Some(DeletePolicy::HookFailed),
            "BeforeHookCreation" => Some(DeletePolicy::BeforeHookCreation),
            _ => None,
        });
    let helm = items(object, names::HELM_HOOK_DELETE_POLICY)
        .into_iter()
        .filter_map(|word| match word {
            "hook-succeeded" => Some(DeletePolicy::HookSucceeded),
            "hook-failed" => Some(DeletePolicy::HookFailed),
            "before-hook-creation" => Some(DeletePolicy::BeforeHookCreation),
            _ => None,
        });
    let mut policies: Vec<DeletePolicy> = argo.chain(helm).collect();
    if policies.is_empty() {
        policies.push(DeletePolicy::BeforeHookCreation);
    }
    policies
}

/// The wave: `sync-wave` when it is a whole number, else Helm's weight, else 0 (semantics 4).
pub(crate) fn wave(object: &Object) -> i64 {
    [names::SYNC_WAVE, names::HELM_HOOK_WEIGHT]
        .iter()
        .find_map(|key| object.annotation(key)?.parse().ok())
        .unwrap_or_default()
}

/// The object's own sync options.
pub(crate) fn options(object: &Object) -> SyncOptions {
    SyncOptions::parse_annotation(object.annotation(names::SYNC_OPTIONS).unwrap_or_default())
}

/// Whether the object's `compare-options` hold `IgnoreExtraneous`.
pub(crate) fn ignores_extraneous(object: &Object) -> bool {
    items(object, names::COMPARE_OPTIONS).contains(&"IgnoreExtraneous")
}

/// Whether the object is left out of its application's health.
pub(crate) fn ignores_health(object: &Object) -> bool {
    object.annotation(names::IGNORE_HEALTHCHECK) == Some("true")
}

/// Whether Helm's resource policy keeps the object when the application is deleted.
pub(crate) fn is_kept_by_helm(object: &Object) -> bool {
    items(object, names::HELM_RESOURCE_POLICY).contains(&"keep")
}

/// Whether the object carries the finalizer of hooks.
pub(crate) fn has_finalizer(object: &Object) -> bool {
    object
        .value()
        .at(&["metadata", "finalizers"])
        .and_then(Value::as_list)
        .is_some_and(|all| {
            all.iter()
                .any(|one| one.as_str() == Some(names::HOOK_FINALIZER))
        })
}

#[cfg(test)]
mod tests {
    use yaml::Map;

    use super::*;

    fn object(annotations: &[(&str, &str)]) -> Object {
        let annotations: Map = annotations.iter().copied().collect();
        let metadata = Map::from([
            ("name", Value::from("a")),
            ("annotations", annotations.into()),
        ]);
        let map = Map::from([
            ("apiVersion", Value::from("v1")),
            ("kind", Value::from("ConfigMap")),
            ("metadata", metadata.into()),
        ]);
        Object::new(map.into()).expect("an object")
    }

    #[test]
    fn helm_hooks_count_only_without_a_valid_hook_of_argo() {
        let check = |annotations: &[(&str, &str)], want: &[HookType]| {
            assert_eq!(hook_types(&object(annotations)), want, "{annotations:?}");
        };
        check(&[], &[]);
        check(
            &[(names::HOOK, "PreSync, Sync,PreSync")],
            &[HookType::Sync(Phase::PreSync), HookType::Sync(Phase::Sync)],
        );
        check(
            &[(names::HELM_HOOK, "pre-install,pre-upgrade")],
            &[HookType::Sync(Phase::PreSync)],
        );
        check(
            &[(names::HOOK, "PostSync"), (names::HELM_HOOK, "pre-install")],
            &[HookType::Sync(Phase::PostSync)],
        );
        check(
            &[(names::HOOK, "bogus"), (names::HELM_HOOK, "pre-install")],
            &[HookType::Sync(Phase::PreSync)],
        );
        check(&[(names::HELM_HOOK, "test")], &[]);
    }

    #[test]
    fn a_hook_without_a_valid_type_is_ignored() {
        assert!(is_ignored(&object(&[(names::HOOK, "bogus")])));
        assert!(is_ignored(&object(&[(names::HELM_HOOK, "test")])));
        assert!(is_ignored(&object(&[(names::HOOK, "Skip")])));
        assert!(!is_hook(&object(&[(names::HOOK, "Skip")])));
        assert!(!is_ignored(&object(&[(names::HELM_HOOK, "crd-install")])));
        assert!(!is_hook(&object(&[(names::HELM_HOOK, "crd-install")])));
    }

    #[test]
    fn a_wave_that_is_no_number_gives_way_to_the_weight_of_helm() {
        assert_eq!(wave(&object(&[(names::SYNC_WAVE, "-2")])), -2);
        assert_eq!(
            wave(&object(&[
                (names::SYNC_WAVE, "x"),
                (names::HELM_HOOK_WEIGHT, "3")
            ])),
            3
        );
        assert_eq!(wave(&object(&[(names::SYNC_WAVE, "x")])), 0);
    }
}
