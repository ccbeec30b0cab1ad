//! Which resources exist and where they are served.
//!
//! [`Kind`] is a small number that stands for one resource; the well-known ones are constants, so
//! that controllers compare instead of parse. Everything else that a server offers (custom
//! resources too) gets the next free number while running. Read [`Registry`] first.

use yaml::Str;

/// One resource, as a number: an index into the [`Registry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Kind(u16);

/// How much of an object the world keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// The whole object, without `managedFields`.
    Full,
    /// What garbage collection needs: name, owners, finalizers, deletion.
    Metadata,
}

/// Where a resource is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// The API group; empty for core.
    pub(crate) group: Str,
    /// The version that requests use.
    pub(crate) version: Str,
    /// The name in paths, such as `deployments`.
    pub(crate) plural: Str,
    /// The kind, such as `Deployment`.
    pub(crate) kind: Str,
    /// Whether objects live in namespaces.
    pub(crate) namespaced: bool,
    /// How much of its objects is kept.
    pub(crate) detail: Detail,
    /// The other versions in which its group is served.
    pub(crate) also: Vec<Str>,
}

impl Resource {
    /// Whether objects of that `apiVersion` are served.
    pub(crate) fn serves(&self, api_version: &str) -> bool {
        let version = api_version
            .rsplit_once('/')
            .map_or(api_version, |(_, version)| version);
        self.version == *version || self.also.iter().any(|other| *other == *version)
    }

    /// `v1` or `apps/v1`.
    pub(crate) fn api_version(&self) -> Str {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version).into()
        }
    }

    /// The path of a collection; over all namespaces when `namespace` is empty.
    pub(crate) fn collection(&self, namespace: &str) -> String {
        let root = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        if self.namespaced && !namespace.is_empty() {
            format!("{root}/namespaces/{namespace}/{}", self.plural)
        } else {
            format!("{root}/{}", self.plural)
        }
    }
}

macro_rules! kinds {
    ($($constant:ident = $number:literal $group:literal $version:literal $plural:literal $kind:literal $namespaced:literal $detail:ident),* $(,)?) => {
        impl Kind {
            $(pub(crate) const $constant: Kind = Kind($number);)*
        }
        const KNOWN: &[(u16, &str, &str, &str, &str, bool, Detail)] = &[
            $(($number, $group, $version, $plural, $kind, $namespaced, Detail::$detail)),*
        ];
    };
}

// The macro keeps the constants and the table in one place; a test checks the numbers.
kinds! {
    POD = 0 "" "v1" "pods" "Pod" true Full,
    NODE = 1 "" "v1" "nodes" "Node" false Full,
    NAMESPACE = 2 "" "v1" "namespaces" "Namespace" false Full,
    SERVICE = 3 "" "v1" "services" "Service" true Full,
    ENDPOINTS = 4 "" "v1" "endpoints" "Endpoints" true Full,
    SERVICE_ACCOUNT = 5 "" "v1" "serviceaccounts" "ServiceAccount" true Metadata,
    CONFIG_MAP = 6 "" "v1" "configmaps" "ConfigMap" true Metadata,
    VOLUME_CLAIM = 7 "" "v1" "persistentvolumeclaims" "PersistentVolumeClaim" true Full,
    VOLUME = 8 "" "v1" "persistentvolumes" "PersistentVolume" false Full,
    QUOTA = 9 "" "v1" "resourcequotas" "ResourceQuota" true Full,
    DEPLOYMENT = 10 "apps" "v1" "deployments" "Deployment" true Full,
    REPLICA_SET = 11 "apps" "v1" "replicasets" "ReplicaSet" true Full,
    STATEFUL_SET = 12 "apps" "v1" "statefulsets" "StatefulSet" true Full,
    DAEMON_SET = 13 "apps" "v1" "daemonsets" "DaemonSet" true Full,
    CONTROLLER_REVISION = 14 "apps" "v1" "controllerrevisions" "ControllerRevision" true Full,
    JOB = 15 "batch" "v1" "jobs" "Job" true Full,
    CRON_JOB = 16 "batch" "v1" "cronjobs" "CronJob" true Full,
    ENDPOINT_SLICE = 17 "discovery.k8s.io" "v1" "endpointslices" "EndpointSlice" true Full,
    STORAGE_CLASS = 18 "storage.k8s.io" "v1" "storageclasses" "StorageClass" false Full,
    DISRUPTION_BUDGET = 19 "policy" "v1" "poddisruptionbudgets" "PodDisruptionBudget" true Full,
    AUTOSCALER = 20 "autoscaling" "v2" "horizontalpodautoscalers" "HorizontalPodAutoscaler" true Full,
    INGRESS = 21 "networking.k8s.io" "v1" "ingresses" "Ingress" true Full,
    DEFINITION = 22 "apiextensions.k8s.io" "v1" "customresourcedefinitions" "CustomResourceDefinition" false Full,
    EVENT = 23 "" "v1" "events" "Event" true Metadata,
    REPLICATION_CONTROLLER = 24 "" "v1" "replicationcontrollers" "ReplicationController" true Full,
    SECRET = 25 "" "v1" "secrets" "Secret" true Full,
    CLUSTER_ROLE = 26 "rbac.authorization.k8s.io" "v1" "clusterroles" "ClusterRole" false Full,
}

/// Every resource known so far, by [`Kind`].
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    resources: Vec<Resource>,
}

impl Registry {
    /// The well-known resources.
    pub(crate) fn new() -> Self {
        let resources = KNOWN
            .iter()
            .map(
                |&(_, group, version, plural, kind, namespaced, detail)| Resource {
                    group: group.into(),
                    version: version.into(),
                    plural: plural.into(),
                    kind: kind.into(),
                    namespaced,
                    detail,
                    also: Vec::new(),
                },
            )
            .collect();
        Registry { resources }
    }

    /// The resource behind a kind.
    pub(crate) fn resource(&self, kind: Kind) -> &Resource {
        &self.resources[usize::from(kind.0)]
    }

    /// The kind of that name in a group, in any version.
    pub(crate) fn find(&self, group: &str, kind: &str) -> Option<Kind> {
        self.position(|resource| resource.group == *group && resource.kind == *kind)
    }

    fn position(&self, test: impl Fn(&Resource) -> bool) -> Option<Kind> {
        let index = self.resources.iter().position(test)?;
        Some(Kind(u16::try_from(index).ok()?))
    }

    /// Takes a discovered resource in; the kind it had already, if it is known. `None` when there
    /// is no number left.
    pub(crate) fn add(&mut self, resource: Resource) -> Option<Kind> {
        let known =
            self.position(|other| other.group == resource.group && other.plural == resource.plural);
        if let Some(kind) = known {
            let slot = &mut self.resources[usize::from(kind.0)];
            slot.namespaced = resource.namespaced;
            slot.also = resource.also;
            slot.also.push(resource.version.clone());
            if usize::from(kind.0) >= KNOWN.len() {
                slot.version = resource.version;
                slot.kind = resource.kind;
            }
            return known;
        }
        let number = u16::try_from(self.resources.len()).ok()?;
        self.resources.push(resource);
        Some(Kind(number))
    }

    /// All kinds.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = Kind> {
        (0u16..).take(self.resources.len()).map(Kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_positions_in_the_table() {
        for (position, row) in KNOWN.iter().enumerate() {
            assert_eq!(position, usize::from(row.0), "{}", row.4);
        }
        let registry = Registry::new();
        assert_eq!(registry.find("apps", "Deployment"), Some(Kind::DEPLOYMENT));
        assert_eq!(registry.resource(Kind::EVENT).plural, "events");
    }

    #[test]
    fn a_discovered_resource_gets_one_number() {
        let mut registry = Registry::new();
        let resource = Resource {
            group: "example.com".into(),
            version: "v1".into(),
            plural: "things".into(),
            kind: "Thing".into(),
            namespaced: true,
            detail: Detail::Metadata,
            also: Vec::new(),
        };
        let kind = registry.add(resource.clone()).expect("there is room");
        assert_eq!(registry.add(resource), Some(kind));
        assert_eq!(
            registry.resource(kind).collection("ns"),
            "/apis/example.com/v1/namespaces/ns/things"
        );
        assert_eq!(
            registry.resource(kind).collection(""),
            "/apis/example.com/v1/things"
        );
    }
}
