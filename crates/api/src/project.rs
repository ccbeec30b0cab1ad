//! AppProject: what its Applications may use, and who may use them.

use std::collections::BTreeMap;

use crate::Metadata;
use crate::application::Destination;
use crate::wire::record;

record! {
    /// A project: rules for the Applications that name it.
    pub struct AppProject {
        /// Version of the API; `argoproj.io/v1alpha1`.
        optional "apiVersion" api_version: String,
        /// `AppProject`.
        optional "kind" kind: String,
        /// Name, labels and the like.
        required "metadata" metadata: Metadata,
        /// The rules.
        required "spec" spec: ProjectSpec,
        /// Tokens that were given out.
        optional "status" status: ProjectStatus,
    }
}

record! {
    /// The rules of a project.
    pub struct ProjectSpec {
        /// Repositories that may be used; globs, `!` denies.
        optional "sourceRepos" source_repos: Vec<String>,
        /// Clusters and namespaces that may be used; globs, `!` denies.
        optional "destinations" destinations: Vec<Destination>,
        /// For people.
        optional "description" description: String,
        /// Roles with their policies.
        optional "roles" roles: Vec<Role>,
        /// Cluster-scoped kinds that may be used.
        optional "clusterResourceWhitelist" cluster_resource_whitelist: Vec<ClusterKind>,
        /// Namespaced kinds that must not be used.
        optional "namespaceResourceBlacklist" namespace_resource_blacklist: Vec<GroupKind>,
        /// Objects in a destination's namespace that no Application tracks.
        optional "orphanedResources" orphaned_resources: Option<OrphanedResources>,
        /// When syncs may run.
        optional "syncWindows" sync_windows: Vec<SyncWindow>,
        /// Namespaced kinds that may be used: all where there is no list, none where it is empty.
        optional "namespaceResourceWhitelist" namespace_resource_whitelist: Option<Vec<GroupKind>>,
        /// Keys that must have signed the commits.
        optional "signatureKeys" signature_keys: Vec<SignatureKey>,
        /// Cluster-scoped kinds that must not be used.
        optional "clusterResourceBlacklist" cluster_resource_blacklist: Vec<ClusterKind>,
        /// Namespaces whose Applications may name the project; globs.
        optional "sourceNamespaces" source_namespaces: Vec<String>,
        /// Whether only clusters of the project may be used.
        optional "permitOnlyProjectScopedClusters" permit_only_project_scoped_clusters: bool,
        /// Service accounts that syncs act as.
        optional "destinationServiceAccounts" destination_service_accounts: Vec<DestinationServiceAccount>,
        /// What must be proven about the sources.
        optional "sourceIntegrity" source_integrity: Option<SourceIntegrity>,
    }
}

record! {
    /// A kind of cluster-scoped objects, perhaps some names only.
    pub struct ClusterKind {
        /// API group; a glob.
        required "group" group: String,
        /// Kind; a glob.
        required "kind" kind: String,
        /// Name; a glob; empty for all.
        optional "name" name: String,
    }
}

record! {
    /// A kind of objects.
    pub struct GroupKind {
        /// API group; a glob.
        required "group" group: String,
        /// Kind; a glob.
        required "kind" kind: String,
    }
}

record! {
    /// What to say about objects that no Application tracks.
    pub struct OrphanedResources {
        /// Whether they are a warning; they are unless this is `false`.
        optional "warn" warn: Option<bool>,
        /// Objects that do not count.
        optional "ignore" ignore: Vec<OrphanedResourceKey>,
    }
}

record! {
    /// Objects that do not count as orphaned.
    pub struct OrphanedResourceKey {
        /// API group; a glob.
        optional "group" group: String,
        /// Kind; a glob.
        optional "kind" kind: String,
        /// Name; a glob.
        optional "name" name: String,
    }
}

record! {
    /// A key that may sign commits.
    pub struct SignatureKey {
        /// The key's id.
        required "keyID" key_id: String,
    }
}

record! {
    /// The account that syncs into some destinations act as.
    pub struct DestinationServiceAccount {
        /// The cluster's URL; a glob.
        required "server" server: String,
        /// The namespace; a glob.
        optional "namespace" namespace: String,
        /// The service account.
        required "defaultServiceAccount" default_service_account: String,
    }
}

record! {
    /// What must be proven about the sources.
    pub struct SourceIntegrity {
        /// About Git repositories.
        required "git" git: Option<GitIntegrity>,
    }
}

record! {
    /// What must be proven about Git repositories.
    pub struct GitIntegrity {
        /// The first that fits a repository holds.
        required "policies" policies: Vec<GitIntegrityPolicy>,
    }
}

record! {
    /// What must be proven about some Git repositories.
    pub struct GitIntegrityPolicy {
        /// The repositories.
        required "repos" repos: Vec<GitIntegrityRepo>,
        /// The signatures they need.
        required "gpg" gpg: Option<GitIntegrityGpg>,
    }
}

record! {
    /// Some Git repositories.
    pub struct GitIntegrityRepo {
        /// Their URL; a glob.
        required "url" url: String,
    }
}

record! {
    /// Which commits must be signed, and by whom.
    pub struct GitIntegrityGpg {
        /// Which commits are checked.
        required "mode" mode: String,
        /// The keys that may sign.
        required "keys" keys: Vec<String>,
    }
}

record! {
    /// A time in which syncs may run, or must not.
    pub struct SyncWindow {
        /// `allow` or `deny`.
        optional "kind" kind: String,
        /// When it opens, in cron's syntax.
        optional "schedule" schedule: String,
        /// How long it stays open, as `1h`.
        optional "duration" duration: String,
        /// Applications by name; globs.
        optional "applications" applications: Vec<String>,
        /// Destination namespaces; globs.
        optional "namespaces" namespaces: Vec<String>,
        /// Clusters by URL or name; globs.
        optional "clusters" clusters: Vec<String>,
        /// Whether syncs by hand may run all the same.
        optional "manualSync" manual_sync: bool,
        /// Time zone of the schedule; UTC when empty.
        optional "timeZone" time_zone: String,
        /// Whether all of applications, namespaces and clusters must match.
        optional "andOperator" and_operator: bool,
        /// For people.
        optional "description" description: String,
        /// Whether a running sync may go on after the window.
        optional "syncOverrun" sync_overrun: bool,
    }
}

record! {
    /// A role of the project.
    pub struct Role {
        /// Its name.
        required "name" name: String,
        /// For people.
        optional "description" description: String,
        /// Rules in Casbin's CSV.
        optional "policies" policies: Vec<String>,
        /// Tokens that act as this role.
        optional "jwtTokens" jwt_tokens: Vec<JwtToken>,
        /// OIDC groups that have this role.
        optional "groups" groups: Vec<String>,
    }
}

record! {
    /// A token that was given out.
    pub struct JwtToken {
        /// When, in Unix seconds.
        required "iat" issued_at: i64,
        /// Until when, in Unix seconds; 0 for ever.
        optional "exp" expires_at: i64,
        /// Its id.
        optional "id" id: String,
    }
}

record! {
    /// What was found about a project.
    pub struct ProjectStatus {
        /// Tokens by role.
        optional "jwtTokensByRole" jwt_tokens_by_role: BTreeMap<String, JwtTokens>,
    }
}

record! {
    /// Tokens that were given out.
    pub struct JwtTokens {
        /// The tokens.
        optional "items" items: Vec<JwtToken>,
    }
}
