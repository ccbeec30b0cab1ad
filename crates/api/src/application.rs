//! Application: what to deploy, where, and when.

pub mod hydrator;

use std::collections::BTreeMap;

use crate::application::hydrator::SourceHydrator;
use crate::duration::{DurationError, GoDuration};
use crate::operation::Operation;
use crate::source::{NameValue, Source};
use crate::status::ApplicationStatus;
use crate::sync_options::SyncOptions;
use crate::wire::record;
use crate::{Metadata, names};

record! {
    /// An application: desired state in Git, and the place in a cluster where it lives.
    pub struct Application {
        /// Version of the API; `argoproj.io/v1alpha1`.
        optional "apiVersion" api_version: String,
        /// `Application`.
        optional "kind" kind: String,
        /// Name, labels and the like.
        required "metadata" metadata: Metadata,
        /// What is asked for.
        required "spec" spec: ApplicationSpec,
        /// What was found.
        optional "status" status: ApplicationStatus,
        /// An operation to run now; the controller takes it away when it ends.
        optional "operation" operation: Option<Box<Operation>>,
    }
}

record! {
    /// What an Application asks for.
    pub struct ApplicationSpec {
        /// The source, when there is one.
        optional "source" source: Option<Source>,
        /// Cluster and namespace.
        required "destination" destination: Destination,
        /// The AppProject whose rules hold.
        required "project" project: String,
        /// When to sync, and how.
        optional "syncPolicy" sync_policy: Option<SyncPolicy>,
        /// Fields whose differences do not count.
        optional "ignoreDifferences" ignore_differences: Vec<IgnoreDifferences>,
        /// Facts for people.
        optional "info" info: Vec<NameValue>,
        /// How many entries the history keeps; 10 when not set.
        optional "revisionHistoryLimit" revision_history_limit: Option<i64>,
        /// The sources, when there are several; wins over `source`.
        optional "sources" sources: Vec<Source>,
        /// Rendering into a branch, in place of `source`.
        optional "sourceHydrator" source_hydrator: Option<Box<SourceHydrator>>,
    }
}

record! {
    /// A cluster and a namespace in it.
    pub struct Destination {
        /// URL of the cluster's API server; excludes `name`.
        optional "server" server: String,
        /// Namespace for objects that name none.
        optional "namespace" namespace: String,
        /// Name of the cluster; excludes `server`.
        optional "name" name: String,
    }
}

record! {
    /// When an Application is synced without being asked, and how every sync is done.
    pub struct SyncPolicy {
        /// Present: sync by itself.
        optional "automated" automated: Option<Automated>,
        /// Written by people to say that they sync by hand; it has no effect.
        optional "manual" manual: Option<Manual>,
        /// Options such as `CreateNamespace=true`.
        optional "syncOptions" sync_options: Vec<String>,
        /// How failed syncs are tried again.
        optional "retry" retry: Option<Retry>,
        /// Labels and annotations of the namespace that CreateNamespace makes.
        optional "managedNamespaceMetadata" managed_namespace_metadata: Option<NamespaceMetadata>,
    }
}

record! {
    /// How an automated sync behaves.
    pub struct Automated {
        /// Whether objects that left Git are deleted.
        optional "prune" prune: bool,
        /// Whether hand edits are undone.
        optional "selfHeal" self_heal: bool,
        /// Whether a sync to nothing at all is allowed.
        optional "allowEmpty" allow_empty: bool,
        /// `false` turns automation off while its settings stay.
        optional "enabled" enabled: Option<bool>,
    }
}

record! {
    /// The empty object of `manual: {}`.
    pub struct Manual {
    }
}

record! {
    /// How a failed sync is tried again.
    pub struct Retry {
        /// How often; below 0 without end.
        optional "limit" limit: i64,
        /// How long to wait.
        optional "backoff" backoff: Option<Backoff>,
        /// Whether a retry takes the newest revision.
        optional "refresh" refresh: bool,
    }
}

record! {
    /// How long to wait between tries.
    pub struct Backoff {
        /// The first wait, as `5s`; a bare number counts seconds.
        optional "duration" duration: String,
        /// By what a wait grows into the next one.
        optional "factor" factor: Option<i64>,
        /// The longest wait.
        optional "maxDuration" max_duration: String,
    }
}

record! {
    /// Labels and annotations for a namespace.
    pub struct NamespaceMetadata {
        /// Labels.
        optional "labels" labels: BTreeMap<String, String>,
        /// Annotations.
        optional "annotations" annotations: BTreeMap<String, String>,
    }
}

record! {
    /// Fields of some objects whose differences do not count.
    pub struct IgnoreDifferences {
        /// API group; `*` and globs are allowed.
        optional "group" group: String,
        /// Kind; `*` and globs are allowed.
        required "kind" kind: String,
        /// Name of one object; empty for all.
        optional "name" name: String,
        /// Namespace; empty for all.
        optional "namespace" namespace: String,
        /// Fields by JSON pointer.
        optional "jsonPointers" json_pointers: Vec<String>,
        /// Fields by jq path.
        optional "jqPathExpressions" jq_path_expressions: Vec<String>,
        /// Fields that these managers own.
        optional "managedFieldsManagers" managed_fields_managers: Vec<String>,
    }
}

/// What the annotation `argocd.argoproj.io/refresh` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refresh {
    /// Resolve references again and compare.
    Normal,
    /// As normal, and forget every cache first.
    Hard,
}

/// What happens to an Application's objects when it is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cascade {
    /// They are deleted, their dependents first.
    Foreground,
    /// They are deleted, their dependents later.
    Background,
    /// They stay.
    Orphan,
}

impl Application {
    /// The instance name in tracking ids: the name, or `<namespace>_<name>` outside of the
    /// control namespace.
    #[must_use]
    pub fn instance_name(&self, control_namespace: &str) -> String {
        let (namespace, name) = (&self.metadata.namespace, &self.metadata.name);
        if namespace.is_empty() || namespace == control_namespace {
            name.clone()
        } else {
            format!("{namespace}_{name}")
        }
    }

    /// What the refresh annotation asks for; every value but `hard` means a normal refresh.
    #[must_use]
    pub fn refresh(&self) -> Option<Refresh> {
        match self.metadata.annotation(names::REFRESH)? {
            "hard" => Some(Refresh::Hard),
            _ => Some(Refresh::Normal),
        }
    }

    /// Whether the controller must leave it alone (labels.md 1, Go's `ParseBool`).
    #[must_use]
    pub fn skips_reconcile(&self) -> bool {
        matches!(
            self.metadata.annotation(names::SKIP_RECONCILE),
            Some("1" | "t" | "T" | "true" | "TRUE" | "True")
        )
    }

    /// What its finalizers say about its objects on deletion.
    #[must_use]
    pub fn cascade(&self) -> Cascade {
        let has = |name: &str| self.metadata.finalizers.iter().any(|it| it == name);
        if has(names::RESOURCES_FINALIZER_BACKGROUND) {
            Cascade::Background
        } else if has(names::RESOURCES_FINALIZER) || has(names::RESOURCES_FINALIZER_FOREGROUND) {
            Cascade::Foreground
        } else {
            Cascade::Orphan
        }
    }
}

impl ApplicationSpec {
    /// All sources in order: `sources` when there are any, else the hydrator's sync source or
    /// `source`.
    #[must_use]
    pub fn all_sources(&self) -> Vec<Source> {
        if !self.sources.is_empty() {
            return self.sources.clone();
        }
        if let Some(hydrator) = &self.source_hydrator {
            return vec![hydrator.sync_source()];
        }
        self.source.iter().cloned().collect()
    }

    /// Whether the Application has several sources (`sources`, even of one item).
    #[must_use]
    pub fn has_multiple_sources(&self) -> bool {
        !self.sources.is_empty()
    }

    /// The automation that is in force: present and not switched off.
    #[must_use]
    pub fn automation(&self) -> Option<&Automated> {
        self.sync_policy
            .as_ref()?
            .automated
            .as_ref()
            .filter(|automated| automated.enabled != Some(false))
    }

    /// Whether the Application syncs by itself.
    #[must_use]
    pub fn is_automated(&self) -> bool {
        self.automation().is_some()
    }

    /// The sync options of the spec.
    #[must_use]
    pub fn sync_options(&self) -> SyncOptions {
        let policy = self.sync_policy.as_ref();
        policy.map_or_else(SyncOptions::default, |policy| {
            SyncOptions::parse(&policy.sync_options)
        })
    }

    /// How many entries the history keeps (semantics.md 92).
    #[must_use]
    pub fn history_limit(&self) -> usize {
        self.revision_history_limit
            .map_or(DEFAULT_HISTORY_LIMIT, |limit| {
                usize::try_from(limit).unwrap_or(0)
            })
    }
}

/// Entries of the history that stay when the spec says nothing.
const DEFAULT_HISTORY_LIMIT: usize = 10;

impl SourceHydrator {
    /// The source that the Application syncs from.
    #[must_use]
    pub fn sync_source(&self) -> Source {
        let sync = &self.sync_source;
        let repo_url = if sync.repo_url.is_empty() {
            &self.dry_source.repo_url
        } else {
            &sync.repo_url
        };
        Source {
            repo_url: repo_url.clone(),
            path: sync.path.clone(),
            target_revision: sync.target_branch.clone(),
            ..Source::default()
        }
    }
}

impl Retry {
    /// How long to wait after `n_retries` tries (semantics.md 83): the least of `maxDuration` and
    /// `duration` × `factor`^n.
    ///
    /// # Errors
    /// When a duration of the backoff is not one.
    pub fn delay(&self, n_retries: i64) -> Result<GoDuration, DurationError> {
        let default = Backoff::default();
        let backoff = self.backoff.as_ref().unwrap_or(&default);
        let or = |text: &str, default: GoDuration| match text {
            "" => Ok(default),
            text => GoDuration::parse_or_seconds(text),
        };
        let first = or(&backoff.duration, DEFAULT_BACKOFF)?;
        let longest = or(&backoff.max_duration, DEFAULT_MAX_BACKOFF)?;
        let factor = backoff.factor.unwrap_or(DEFAULT_BACKOFF_FACTOR);
        let n_retries = u32::try_from(n_retries.max(0)).unwrap_or(u32::MAX);
        let grown = first.saturating_mul(factor.saturating_pow(n_retries));
        Ok(if longest > GoDuration::ZERO {
            grown.min(longest)
        } else {
            grown
        })
    }
}

const DEFAULT_BACKOFF: GoDuration = GoDuration::from_seconds(5);
const DEFAULT_MAX_BACKOFF: GoDuration = GoDuration::from_seconds(180);
const DEFAULT_BACKOFF_FACTOR: i64 = 2;

#[cfg(test)]
#[path = "application/tests.rs"]
mod tests;
