//! Who a resource is: group, version, kind, name and namespace, and how kustomize compares them.
//!
//! Read [`Id`] first.

use std::fmt;

use yaml::Str;

/// The namespace of a cluster-scoped resource in comparisons.
const NO_NAMESPACE: &str = "_non_namespaceable_";

/// The group and the version of an `apiVersion`.
pub(crate) fn split_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// Group, version and kind. As a selector, empty parts fit everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Gvk {
    pub(crate) group: Str,
    pub(crate) version: Str,
    pub(crate) kind: Str,
}

impl Gvk {
    pub(crate) fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = split_version(api_version);
        Gvk {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
        }
    }

    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Whether the non-empty parts of `selector` are those of this.
    pub(crate) fn is_selected_by(&self, selector: &Gvk) -> bool {
        let fits = |want: &Str, have: &Str| want.is_empty() || want == have;
        fits(&selector.kind, &self.kind)
            && fits(&selector.group, &self.group)
            && fits(&selector.version, &self.version)
    }

    /// Whether the kind is known to live in no namespace.
    pub(crate) fn is_cluster_scoped(&self) -> bool {
        let kinds = CLUSTER_SCOPED
            .iter()
            .filter(|(group, version, _)| self.group == *group && self.version == *version);
        kinds
            .flat_map(|(_, _, kinds)| *kinds)
            .any(|kind| self.kind == *kind)
    }

    /// What field specs and legacy order are sorted by, behind the kind's place.
    pub(crate) fn sort_text(&self) -> String {
        let or = |part: &Str, none: &str| {
            if part.is_empty() {
                none.to_owned()
            } else {
                part.to_string()
            }
        };
        let (group, version) = (or(&self.group, "~G"), or(&self.version, "~V"));
        format!("{group}_{version}_{}", or(&self.kind, "~K"))
    }
}

impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or = |part: &Str, none: &str| {
            if part.is_empty() {
                none.to_owned()
            } else {
                part.to_string()
            }
        };
        write!(
            f,
            "{}.{}.{}",
            or(&self.kind, "[noKind]"),
            or(&self.version, "[noVer]"),
            or(&self.group, "[noGrp]")
        )
    }
}

/// The kinds without namespace that kustomize is certain about, by group and version.
const CLUSTER_SCOPED: &[(&str, &str, &[&str])] = &[
    (
        "",
        "v1",
        &[
            "ComponentStatus",
            "Namespace",
            "Node",
            "NodeProxyOptions",
            "PersistentVolume",
        ],
    ),
    ("admissionregistration.k8s.io", "v1", WEBHOOKS),
    ("admissionregistration.k8s.io", "v1beta1", WEBHOOKS),
    ("apiextensions.k8s.io", "v1", &["CustomResourceDefinition"]),
    (
        "apiextensions.k8s.io",
        "v1beta1",
        &["CustomResourceDefinition"],
    ),
    ("apiregistration.k8s.io", "v1", &["APIService"]),
    ("apiregistration.k8s.io", "v1beta1", &["APIService"]),
    ("certificates.k8s.io", "v1", &["CertificateSigningRequest"]),
    (
        "certificates.k8s.io",
        "v1beta1",
        &["CertificateSigningRequest"],
    ),
    (
        "flowcontrol.apiserver.k8s.io",
        "v1beta1",
        &["FlowSchema", "PriorityLevelConfiguration"],
    ),
    ("networking.k8s.io", "v1", &["IngressClass"]),
    ("networking.k8s.io", "v1beta1", &["IngressClass"]),
    ("node.k8s.io", "v1", &["RuntimeClass"]),
    ("node.k8s.io", "v1beta1", &["RuntimeClass"]),
    ("policy", "v1beta1", &["PodSecurityPolicy"]),
    ("rbac.authorization.k8s.io", "v1", CLUSTER_ROLES),
    ("rbac.authorization.k8s.io", "v1beta1", CLUSTER_ROLES),
    ("scheduling.k8s.io", "v1", &["PriorityClass"]),
    ("scheduling.k8s.io", "v1beta1", &["PriorityClass"]),
    ("storage.k8s.io", "v1", STORAGE),
    ("storage.k8s.io", "v1beta1", STORAGE),
];
const WEBHOOKS: &[&str] = &[
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];
const CLUSTER_ROLES: &[&str] = &["ClusterRole", "ClusterRoleBinding"];
const STORAGE: &[&str] = &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"];

/// Who a resource is, now or before a change. As a selector, empty parts fit everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Id {
    pub(crate) gvk: Gvk,
    pub(crate) name: Str,
    pub(crate) namespace: Str,
    /// Whether the kind is certain to be cluster-scoped; selectors and former ids are never.
    pub(crate) is_cluster_scoped: bool,
}

impl Id {
    /// The namespace that counts: no namespace is `default`, and cluster-scoped kinds share one.
    pub(crate) fn effective_namespace(&self) -> &str {
        match self.namespace.as_str() {
            _ if self.is_cluster_scoped => NO_NAMESPACE,
            "" => "default",
            namespace => namespace,
        }
    }

    pub(crate) fn is_same_namespace(&self, other: &Id) -> bool {
        self.effective_namespace() == other.effective_namespace()
    }

    /// Whether both name the same resource.
    pub(crate) fn equals(&self, other: &Id) -> bool {
        self.name == other.name && self.gvk == other.gvk && self.is_same_namespace(other)
    }

    /// Whether the non-empty parts of `selector` are those of this.
    pub(crate) fn is_selected_by(&self, selector: &Id) -> bool {
        (selector.name.is_empty() || selector.name == self.name)
            && (selector.namespace.is_empty() || selector.is_same_namespace(self))
            && self.gvk.is_selected_by(&selector.gvk)
    }

    pub(crate) fn is_blank(&self) -> bool {
        *self == Id::default()
    }

    /// What no two resources of a build may have in common.
    pub(crate) fn key(&self) -> (Gvk, Str, Str) {
        let namespace = match self.effective_namespace() {
            same if *same == *self.namespace => self.namespace.clone(),
            other => other.into(),
        };
        (self.gvk.clone(), self.name.clone(), namespace)
    }

    /// As Go prints the struct with `%#v`.
    pub(crate) fn go_syntax(&self) -> String {
        format!(
            "resid.ResId{{Gvk:resid.Gvk{{Group:{:?}, Version:{:?}, Kind:{:?}, \
             isClusterScoped:{}}}, Name:{:?}, Namespace:{:?}}}",
            self.gvk.group,
            self.gvk.version,
            self.gvk.kind,
            self.is_cluster_scoped,
            self.name,
            self.namespace
        )
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.name.as_str() {
            "" => "[noName]",
            name => name,
        };
        let namespace = match self.namespace.as_str() {
            "" => "[noNs]",
            namespace => namespace,
        };
        write!(f, "{}/{name}.{namespace}", self.gvk)
    }
}
