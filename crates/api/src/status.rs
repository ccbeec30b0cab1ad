//! What the controller found: sync, health, objects, history, conditions.

use crate::Time;
use crate::application::hydrator::HydratorStatus;
use crate::application::{Destination, IgnoreDifferences};
use crate::operation::{InitiatedBy, OperationState};
use crate::source::Source;
use crate::text_enum::text_enum;
use crate::wire::record;

record! {
    /// What was found about an Application.
    pub struct ApplicationStatus {
        /// Its objects, desired and live.
        optional "resources" resources: Vec<ResourceStatus>,
        /// How live and desired state compare.
        always "sync" sync: SyncStatus,
        /// How the objects fare.
        always "health" health: Health,
        /// What was deployed when.
        optional "history" history: Vec<HistoryEntry>,
        /// What is wrong, or worth knowing.
        optional "conditions" conditions: Vec<Condition>,
        /// When it was last compared after a refresh.
        optional "reconciledAt" reconciled_at: Option<Time>,
        /// The operation that runs, or the last one.
        optional "operationState" operation_state: Option<Box<OperationState>>,
        /// Deprecated; no longer written.
        optional "observedAt" observed_at: Option<Time>,
        /// The tool that renders the source.
        optional "sourceType" source_type: SourceType,
        /// URLs and images.
        always "summary" summary: Summary,
        /// Where per-object health is kept; `appTree` when it is not in `resources`.
        optional "resourceHealthSource" resource_health_source: String,
        /// The tools that render the sources.
        optional "sourceTypes" source_types: Vec<SourceType>,
        /// The namespace of the controller that wrote this.
        optional "controllerNamespace" controller_namespace: String,
        /// What the hydrator did.
        optional "sourceHydrator" source_hydrator: HydratorStatus,
    }
}

text_enum! {
    /// The tool that renders a source.
    pub enum SourceType {
        /// A Helm chart.
        Helm = "Helm",
        /// A Kustomization.
        Kustomize = "Kustomize",
        /// Plain manifests.
        Directory = "Directory",
        /// A config management plugin.
        Plugin = "Plugin",
    }
}

text_enum! {
    /// How live and desired state compare.
    pub enum SyncCode {
        /// Not known, as for a failed comparison.
        Unknown = "Unknown",
        /// Live is as desired.
        Synced = "Synced",
        /// Live differs.
        OutOfSync = "OutOfSync",
    }
}

record! {
    /// How live and desired state compare, and what was compared.
    pub struct SyncStatus {
        /// The result.
        required "status" status: SyncCode,
        /// What was compared.
        always "comparedTo" compared_to: ComparedTo,
        /// The revision that was compared.
        optional "revision" revision: String,
        /// The revisions, one for each source.
        optional "revisions" revisions: Vec<String>,
    }
}

record! {
    /// The spec's part that a comparison was made with.
    pub struct ComparedTo {
        /// The source.
        always "source" source: Source,
        /// The destination.
        required "destination" destination: Destination,
        /// The sources, when there are several.
        optional "sources" sources: Vec<Source>,
        /// The ignored differences.
        optional "ignoreDifferences" ignore_differences: Vec<IgnoreDifferences>,
    }
}

text_enum! {
    /// How an object fares, from best to worst as Argo CD aggregates it.
    pub enum HealthCode {
        /// It does what it should.
        Healthy = "Healthy",
        /// It waits for a person.
        Suspended = "Suspended",
        /// It is on its way.
        Progressing = "Progressing",
        /// It is not there.
        Missing = "Missing",
        /// It failed, or did not get there in time.
        Degraded = "Degraded",
        /// Not known.
        Unknown = "Unknown",
    }
}

record! {
    /// How an object or an Application fares.
    pub struct Health {
        /// The code.
        optional "status" status: HealthCode,
        /// In words.
        optional "message" message: String,
        /// When the code changed last.
        optional "lastTransitionTime" last_transition_time: Option<Time>,
    }
}

impl Health {
    /// A health of this code without words.
    #[must_use]
    pub fn new(status: HealthCode) -> Self {
        Health {
            status,
            ..Health::default()
        }
    }

    /// The same with words.
    #[must_use]
    pub fn with_message(status: HealthCode, message: impl Into<String>) -> Self {
        Health {
            status,
            message: message.into(),
            ..Health::default()
        }
    }
}

record! {
    /// One object of an Application.
    pub struct ResourceStatus {
        /// API group; empty for core.
        optional "group" group: String,
        /// API version.
        optional "version" version: String,
        /// Kind.
        optional "kind" kind: String,
        /// Namespace; empty for cluster-scoped objects.
        optional "namespace" namespace: String,
        /// Name.
        optional "name" name: String,
        /// How it compares; not set for hooks and for objects that are only related.
        optional "status" status: SyncCode,
        /// How it fares, where this is kept in the status.
        optional "health" health: Option<Health>,
        /// Whether it is a hook.
        optional "hook" hook: bool,
        /// Whether it left Git and is still live.
        optional "requiresPruning" requires_pruning: bool,
        /// Its sync wave.
        optional "syncWave" sync_wave: i64,
        /// Whether its deletion waits for a confirmation.
        optional "requiresDeletionConfirmation" requires_deletion_confirmation: bool,
    }
}

record! {
    /// One deployment of the past.
    pub struct HistoryEntry {
        /// The revision.
        optional "revision" revision: String,
        /// When the sync ended.
        required "deployedAt" deployed_at: Option<Time>,
        /// Counts up from 0.
        required "id" id: i64,
        /// The source.
        always "source" source: Source,
        /// When the sync began.
        optional "deployStartedAt" deploy_started_at: Option<Time>,
        /// The sources, when there are several.
        optional "sources" sources: Vec<Source>,
        /// The revisions, one for each source.
        optional "revisions" revisions: Vec<String>,
        /// Who asked.
        always "initiatedBy" initiated_by: InitiatedBy,
    }
}

record! {
    /// Something wrong, or worth knowing.
    pub struct Condition {
        /// One of the constants of `reason`.
        required "type" condition_type: String,
        /// In words.
        required "message" message: String,
        /// When it appeared.
        optional "lastTransitionTime" last_transition_time: Option<Time>,
    }
}

impl Condition {
    /// A condition of this type; the time is set when it is written.
    #[must_use]
    pub fn new(condition_type: &str, message: impl Into<String>) -> Self {
        Condition {
            condition_type: condition_type.to_owned(),
            message: message.into(),
            ..Condition::default()
        }
    }

    /// Whether it says that something failed (semantics.md 118: the type ends in `Error`).
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.condition_type.ends_with("Error")
    }
}

record! {
    /// URLs and images of an Application's objects.
    pub struct Summary {
        /// URLs from Ingresses, Services and annotations.
        optional "externalURLs" external_urls: Vec<String>,
        /// Images of live containers.
        optional "images" images: Vec<String>,
        /// Whether its objects include Applications.
        optional "isAppOfApps" is_app_of_apps: Option<bool>,
    }
}
