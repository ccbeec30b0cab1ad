//! The source hydrator: rendered manifests pushed to a branch of their own.

use crate::Time;
use crate::source::{Directory, Helm, Kustomize, Plugin};
use crate::text_enum::text_enum;
use crate::wire::record;

record! {
    /// Where dry manifests come from and where hydrated ones go.
    pub struct SourceHydrator {
        /// The source to render.
        required "drySource" dry_source: DrySource,
        /// Where the Application syncs from.
        required "syncSource" sync_source: SyncSource,
        /// Where the hydrator pushes first, when that is another branch.
        optional "hydrateTo" hydrate_to: Option<HydrateTo>,
    }
}

record! {
    /// The source that the hydrator renders.
    pub struct DrySource {
        /// URL of the Git repository.
        required "repoURL" repo_url: String,
        /// Branch, tag or commit.
        required "targetRevision" target_revision: String,
        /// Path in the repository.
        required "path" path: String,
        /// Options of Helm.
        optional "helm" helm: Option<Box<Helm>>,
        /// Options of Kustomize.
        optional "kustomize" kustomize: Option<Box<Kustomize>>,
        /// Options of plain directories.
        optional "directory" directory: Option<Box<Directory>>,
        /// Options of a config management plugin.
        optional "plugin" plugin: Option<Box<Plugin>>,
    }
}

record! {
    /// The branch and path that the Application syncs from.
    pub struct SyncSource {
        /// URL of the Git repository; empty means the dry source's.
        optional "repoURL" repo_url: String,
        /// The branch with hydrated manifests.
        required "targetBranch" target_branch: String,
        /// The path of the hydrated manifests.
        required "path" path: String,
    }
}

record! {
    /// The branch that the hydrator pushes to.
    pub struct HydrateTo {
        /// The branch.
        required "targetBranch" target_branch: String,
    }
}

text_enum! {
    /// How far a hydration is.
    pub enum HydratePhase {
        /// It runs.
        Hydrating = "Hydrating",
        /// It failed.
        Failed = "Failed",
        /// It is done.
        Hydrated = "Hydrated",
    }
}

record! {
    /// What the hydrator did.
    pub struct HydratorStatus {
        /// The last one that succeeded.
        optional "lastSuccessfulOperation" last_successful_operation: Option<Box<SuccessfulHydration>>,
        /// The current one, or the last.
        optional "currentOperation" current_operation: Option<Box<Hydration>>,
        /// The dry revision that was compared last.
        optional "lastComparedDryRevision" last_compared_dry_revision: String,
    }
}

record! {
    /// One hydration.
    pub struct Hydration {
        /// When it began.
        optional "startedAt" started_at: Option<Time>,
        /// When it ended.
        optional "finishedAt" finished_at: Option<Time>,
        /// How far it is.
        required "phase" phase: HydratePhase,
        /// What happened.
        required "message" message: String,
        /// The dry commit.
        optional "drySHA" dry_sha: String,
        /// The hydrated commit.
        optional "hydratedSHA" hydrated_sha: String,
        /// What was asked for.
        optional "sourceHydrator" source_hydrator: SourceHydrator,
    }
}

record! {
    /// A hydration that succeeded.
    pub struct SuccessfulHydration {
        /// The dry commit.
        optional "drySHA" dry_sha: String,
        /// The hydrated commit.
        optional "hydratedSHA" hydrated_sha: String,
        /// What was asked for.
        optional "sourceHydrator" source_hydrator: SourceHydrator,
    }
}
