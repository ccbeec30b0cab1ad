//! Annotations, labels, finalizers and other words of the API, each defined once
//! (`reference/argocd/labels.md`).

/// API group of the custom resources.
pub const GROUP: &str = "argoproj.io";
/// API version of the custom resources.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` of the custom resources.
pub const API_VERSION: &str = "argoproj.io/v1alpha1";
/// The kind of an Application.
pub const APPLICATION: &str = "Application";
/// The kind of a project.
pub const APP_PROJECT: &str = "AppProject";
/// The kind of an ApplicationSet.
pub const APPLICATION_SET: &str = "ApplicationSet";
/// The project of Applications that name none.
pub const DEFAULT_PROJECT: &str = "default";
/// URL of the cluster that the controller runs in.
pub const IN_CLUSTER_SERVER: &str = "https://kubernetes.default.svc";
/// Name of the cluster that the controller runs in.
pub const IN_CLUSTER_NAME: &str = "in-cluster";
/// The field manager of every write to a managed object.
pub const FIELD_MANAGER: &str = "argocd-controller";
/// The field manager whose fields a migration to server-side apply takes over.
pub const CLIENT_SIDE_APPLY_MANAGER: &str = "kubectl-client-side-apply";

/// Asks for a refresh: `normal` or `hard`.
pub const REFRESH: &str = "argocd.argoproj.io/refresh";
/// When the refresh was asked for.
pub const REFRESH_TIMESTAMP: &str = "argocd.argoproj.io/refresh-timestamp";
/// Asks the hydrator to run.
pub const HYDRATE: &str = "argocd.argoproj.io/hydrate";
/// When hydration was asked for.
pub const HYDRATE_TIMESTAMP: &str = "argocd.argoproj.io/hydrate-timestamp";
/// Paths whose changes concern the Application.
pub const MANIFEST_GENERATE_PATHS: &str = "argocd.argoproj.io/manifest-generate-paths";
/// Leaves the Application alone.
pub const SKIP_RECONCILE: &str = "argocd.argoproj.io/skip-reconcile";
/// Options of the comparison.
pub const COMPARE_OPTIONS: &str = "argocd.argoproj.io/compare-options";
/// Confirms deletions that wait for it.
pub const DELETION_APPROVED: &str = "argocd.argoproj.io/deletion-approved";
/// The field manager to migrate from.
pub const CLIENT_SIDE_APPLY_MIGRATION_MANAGER: &str =
    "argocd.argoproj.io/client-side-apply-migration-manager";
/// URL of the instance that manages the Application.
pub const MANAGED_BY_URL: &str = "argocd.argoproj.io/managed-by-url";
/// Leaves an object out of the Application's health.
pub const IGNORE_HEALTHCHECK: &str = "argocd.argoproj.io/ignore-healthcheck";
/// Prefix of annotations with links.
pub const LINK_PREFIX: &str = "link.argocd.argoproj.io/";

/// Says which Application an object belongs to.
pub const TRACKING_ID: &str = "argocd.argoproj.io/tracking-id";
/// Says which installation an object belongs to.
pub const INSTALLATION_ID: &str = "argocd.argoproj.io/installation-id";
/// The label that says which Application an object belongs to.
pub const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";
/// The phases in which an object is a hook.
pub const HOOK: &str = "argocd.argoproj.io/hook";
/// When a hook is deleted.
pub const HOOK_DELETE_POLICY: &str = "argocd.argoproj.io/hook-delete-policy";
/// The order within a phase.
pub const SYNC_WAVE: &str = "argocd.argoproj.io/sync-wave";
/// Options of the sync of one object.
pub const SYNC_OPTIONS: &str = "argocd.argoproj.io/sync-options";
/// Judges a Pod that is no hook as if it always restarted.
pub const IGNORE_RESTART_POLICY: &str = "argocd.argoproj.io/ignore-restart-policy";
/// Whether the rules about uninteresting updates hold for an object.
pub const IGNORE_RESOURCE_UPDATES: &str = "argocd.argoproj.io/ignore-resource-updates";
/// Leaves out links made from an Ingress.
pub const IGNORE_DEFAULT_LINKS: &str = "argocd.argoproj.io/ignore-default-links";
/// Helm's word for when a hook runs.
pub const HELM_HOOK: &str = "helm.sh/hook";
/// Helm's word for the order of hooks.
pub const HELM_HOOK_WEIGHT: &str = "helm.sh/hook-weight";
/// Helm's word for when a hook is deleted.
pub const HELM_HOOK_DELETE_POLICY: &str = "helm.sh/hook-delete-policy";
/// Helm's word for objects that stay.
pub const HELM_RESOURCE_POLICY: &str = "helm.sh/resource-policy";
/// The object as it was applied last.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Deletes an Application's objects with it, dependents first.
pub const RESOURCES_FINALIZER: &str = "resources-finalizer.argocd.argoproj.io";
/// The same, said in full.
pub const RESOURCES_FINALIZER_FOREGROUND: &str =
    "resources-finalizer.argocd.argoproj.io/foreground";
/// Deletes an Application's objects with it, dependents later.
pub const RESOURCES_FINALIZER_BACKGROUND: &str =
    "resources-finalizer.argocd.argoproj.io/background";
/// Runs PreDelete hooks before the objects go.
pub const PRE_DELETE_FINALIZER: &str = "pre-delete-finalizer.argocd.argoproj.io";
/// Deletes PreDelete hooks.
pub const PRE_DELETE_FINALIZER_CLEANUP: &str = "pre-delete-finalizer.argocd.argoproj.io/cleanup";
/// Runs PostDelete hooks after the objects are gone.
pub const POST_DELETE_FINALIZER: &str = "post-delete-finalizer.argocd.argoproj.io";
/// Deletes PostDelete hooks.
pub const POST_DELETE_FINALIZER_CLEANUP: &str = "post-delete-finalizer.argocd.argoproj.io/cleanup";
/// Keeps a hook until it was looked at.
pub const HOOK_FINALIZER: &str = "argocd.argoproj.io/hook-finalizer";

/// What a Secret holds: `cluster`, `repository`, `repo-creds` and others.
pub const SECRET_TYPE: &str = "argocd.argoproj.io/secret-type";
/// Marks settings.
pub const PART_OF_LABEL: &str = "app.kubernetes.io/part-of";
/// The value of [`PART_OF_LABEL`] on settings.
pub const PART_OF: &str = "argocd";
/// The ConfigMap with the settings.
pub const CONFIG_MAP: &str = "argocd-cm";
/// The ConfigMap with certificates of Git servers.
pub const TLS_CERTS_CONFIG_MAP: &str = "argocd-tls-certs-cm";
/// The ConfigMap with keys of SSH hosts.
pub const SSH_KNOWN_HOSTS_CONFIG_MAP: &str = "argocd-ssh-known-hosts-cm";
/// The value of `resourceHealthSource` when per-object health is not in the status.
pub const HEALTH_SOURCE_APP_TREE: &str = "appTree";
