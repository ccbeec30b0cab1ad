//! Operations: what a sync is asked to do, and how far it is.

use crate::Time;
use crate::application::{NamespaceMetadata, Retry};
use crate::source::{NameValue, Source};
use crate::sync_options::SyncOptions;
use crate::text_enum::text_enum;
use crate::wire::record;

record! {
    /// A request to act.
    pub struct Operation {
        /// The sync to run.
        optional "sync" sync: Option<SyncOperation>,
        /// Who asked.
        always "initiatedBy" initiated_by: InitiatedBy,
        /// Facts for people.
        optional "info" info: Vec<NameValue>,
        /// How a failure is tried again.
        always "retry" retry: Retry,
    }
}

record! {
    /// Who asked for an operation.
    pub struct InitiatedBy {
        /// The user.
        optional "username" username: String,
        /// Whether the controller asked by itself.
        optional "automated" automated: bool,
    }
}

record! {
    /// What a sync is asked to do.
    pub struct SyncOperation {
        /// The revision; empty means that of the spec.
        optional "revision" revision: String,
        /// Whether objects that left Git are deleted.
        optional "prune" prune: bool,
        /// Whether nothing is changed.
        optional "dryRun" dry_run: bool,
        /// Apply with or without hooks.
        optional "syncStrategy" sync_strategy: Option<SyncStrategy>,
        /// The objects to sync; empty means all.
        optional "resources" resources: Vec<SyncResource>,
        /// A source in place of the spec's.
        optional "source" source: Option<Source>,
        /// Manifests in place of the source's.
        optional "manifests" manifests: Vec<String>,
        /// Options such as `Replace=true`.
        optional "syncOptions" sync_options: Vec<String>,
        /// Sources in place of the spec's.
        optional "sources" sources: Vec<Source>,
        /// The revisions, one for each source.
        optional "revisions" revisions: Vec<String>,
        /// How often self-heal tried this in a row.
        optional "autoHealAttemptsCount" auto_heal_attempts_count: i64,
    }
}

impl SyncOperation {
    /// The sync options of the operation.
    #[must_use]
    pub fn options(&self) -> SyncOptions {
        SyncOptions::parse(&self.sync_options)
    }
}

record! {
    /// One object of a selective sync.
    pub struct SyncResource {
        /// API group; empty for core.
        optional "group" group: String,
        /// Kind.
        required "kind" kind: String,
        /// Name.
        required "name" name: String,
        /// Namespace; empty means any.
        optional "namespace" namespace: String,
    }
}

record! {
    /// Apply alone, or with hooks.
    pub struct SyncStrategy {
        /// Apply; hooks do not run.
        optional "apply" apply: Option<SyncStrategyOptions>,
        /// Apply with hooks; the default.
        optional "hook" hook: Option<SyncStrategyOptions>,
    }
}

record! {
    /// How a strategy applies.
    pub struct SyncStrategyOptions {
        /// Whether an object that cannot be changed is deleted and created again.
        optional "force" force: bool,
    }
}

text_enum! {
    /// How far an operation or a hook is.
    pub enum OperationPhase {
        /// It runs.
        Running = "Running",
        /// It was told to stop.
        Terminating = "Terminating",
        /// It ran and failed.
        Failed = "Failed",
        /// It could not run.
        Error = "Error",
        /// It is done.
        Succeeded = "Succeeded",
    }
}

impl OperationPhase {
    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        matches!(
            self,
            OperationPhase::Failed | OperationPhase::Error | OperationPhase::Succeeded
        )
    }

    /// Whether it ended well.
    #[must_use]
    pub fn is_successful(&self) -> bool {
        *self == OperationPhase::Succeeded
    }
}

record! {
    /// The operation that runs, or the last one.
    pub struct OperationState {
        /// What was asked.
        required "operation" operation: Operation,
        /// How far it is.
        required "phase" phase: OperationPhase,
        /// What happened.
        optional "message" message: String,
        /// What the sync did.
        optional "syncResult" sync_result: Option<SyncResult>,
        /// When it began.
        required "startedAt" started_at: Option<Time>,
        /// When it ended, or when its last try ended.
        optional "finishedAt" finished_at: Option<Time>,
        /// How often it was tried again.
        optional "retryCount" retry_count: i64,
    }
}

record! {
    /// What a sync did.
    pub struct SyncResult {
        /// Object by object, in the order of completion.
        optional "resources" resources: Vec<ResourceResult>,
        /// The revision.
        required "revision" revision: String,
        /// The source.
        always "source" source: Source,
        /// The sources, when there are several.
        optional "sources" sources: Vec<Source>,
        /// The revisions, one for each source.
        optional "revisions" revisions: Vec<String>,
        /// What the namespace was given.
        optional "managedNamespaceMetadata" managed_namespace_metadata: Option<NamespaceMetadata>,
    }
}

text_enum! {
    /// What a sync did to one object.
    pub enum ResultCode {
        /// Applied.
        Synced = "Synced",
        /// Not applied, for the reason in the message.
        SyncFailed = "SyncFailed",
        /// Deleted.
        Pruned = "Pruned",
        /// It should be deleted, but was not to be.
        PruneSkipped = "PruneSkipped",
    }
}

text_enum! {
    /// The phases of a sync.
    pub enum SyncPhase {
        /// Before anything is applied.
        PreSync = "PreSync",
        /// Everything that is no hook, and Sync hooks.
        Sync = "Sync",
        /// After everything is applied and healthy.
        PostSync = "PostSync",
        /// After a failure.
        SyncFail = "SyncFail",
    }
}

text_enum! {
    /// When a hook runs.
    pub enum HookType {
        /// Before the sync.
        PreSync = "PreSync",
        /// With the sync.
        Sync = "Sync",
        /// After the sync.
        PostSync = "PostSync",
        /// Never; the object is not applied.
        Skip = "Skip",
        /// After a failed sync.
        SyncFail = "SyncFail",
        /// Before the Application's objects are deleted.
        PreDelete = "PreDelete",
        /// After the Application's objects are deleted.
        PostDelete = "PostDelete",
    }
}

record! {
    /// What a sync did to one object.
    pub struct ResourceResult {
        /// API group; empty for core.
        required "group" group: String,
        /// API version.
        required "version" version: String,
        /// Kind.
        required "kind" kind: String,
        /// Namespace; empty for cluster-scoped objects.
        required "namespace" namespace: String,
        /// Name.
        required "name" name: String,
        /// What was done.
        optional "status" status: ResultCode,
        /// In words.
        optional "message" message: String,
        /// The hook that this is, if one.
        optional "hookType" hook_type: HookType,
        /// How far a hook is, or a task of the current wave.
        optional "hookPhase" hook_phase: OperationPhase,
        /// The phase it belongs to.
        optional "syncPhase" sync_phase: SyncPhase,
        /// The images of its containers.
        optional "images" images: Vec<String>,
    }
}
