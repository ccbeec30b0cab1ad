//! The handle of one kind.

/// One kind, as the registry of a server knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind<'a> {
    /// The API group; empty for the core group.
    pub group: &'a str,
    /// The version in the group.
    pub version: &'a str,
    /// The kind, in camel case.
    pub kind: &'a str,
    /// The name in paths.
    pub plural: &'a str,
    /// Whether a CustomResourceDefinition made it: then only what all kinds share is known here.
    pub custom: bool,
    /// Whether the status has a path of its own, so that the main one leaves it alone.
    pub has_status: bool,
}

impl<'a> Kind<'a> {
    /// Whether a PUT must name the resource version that it was made from.
    #[must_use]
    pub fn updates_need_version(&self) -> bool {
        self.custom
            || matches!(
                self.place(),
                ("admissionregistration.k8s.io" | "policy", _)
                    | ("apiextensions.k8s.io" | "apiregistration.k8s.io", _)
                    | ("coordination.k8s.io" | "node.k8s.io", _)
                    | (
                        "storage.k8s.io",
                        "csidrivers" | "csinodes" | "csistoragecapacities" | "volumeattachments"
                    )
            )
    }

    /// Whether a PUT makes the object when it is not there.
    #[must_use]
    pub fn created_by_update(&self) -> bool {
        matches!(
            self.place(),
            ("", "events" | "endpoints" | "limitranges" | "services")
                | ("events.k8s.io", "events")
                | ("coordination.k8s.io", "leases")
                | ("node.k8s.io", "runtimeclasses")
                | ("rbac.authorization.k8s.io", _)
        )
    }

    /// The group that messages about a wrong object name. Events of both groups are one type in
    /// the real server, which it calls by its first group.
    #[must_use]
    pub fn told_group(&self) -> &'a str {
        match self.place() {
            ("events.k8s.io", _) => "",
            _ => self.group,
        }
    }

    /// Group and plural, to match on; both are empty for a custom resource, of which nothing is known here.
    pub fn place(&self) -> (&'a str, &'a str) {
        if self.custom {
            ("", "")
        } else {
            (self.group, self.plural)
        }
    }
}

/// Which part of an object a path may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything but the status, where that has a path of its own.
    Main,
    /// The status.
    Status,
    /// The resources of a pod's containers.
    Resize,
    /// A pod's containers for debugging.
    EphemeralContainers,
    /// Another subresource, which has limited what changes itself.
    Other,
}
