//! Object metadata, as far as a GitOps controller reads it.

use std::collections::BTreeMap;

use crate::Time;
use crate::wire::record;

record! {
    /// `metadata` of a custom resource; what is not named here is in `rest`.
    pub struct Metadata {
        /// The name.
        optional "name" name: String,
        /// The namespace; empty for none.
        optional "namespace" namespace: String,
        /// Set by the API server, unique over time.
        optional "uid" uid: String,
        /// The version for optimistic locking.
        optional "resourceVersion" resource_version: String,
        /// Counts changes of the spec.
        optional "generation" generation: i64,
        /// When it was created.
        optional "creationTimestamp" creation_timestamp: Option<Time>,
        /// When its deletion was asked for; it stays until the finalizers are gone.
        optional "deletionTimestamp" deletion_timestamp: Option<Time>,
        /// Labels.
        optional "labels" labels: BTreeMap<String, String>,
        /// Annotations.
        optional "annotations" annotations: BTreeMap<String, String>,
        /// What must happen before it goes.
        optional "finalizers" finalizers: Vec<String>,
    }
}

impl Metadata {
    /// The value of the annotation `key`.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).map(String::as_str)
    }
}
