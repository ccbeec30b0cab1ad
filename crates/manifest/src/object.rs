//! One Kubernetes object and what identifies it.

use std::fmt;
use std::sync::Arc;

use yaml::{Map, Str, Value};

/// Group, version and kind: how an object says what it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gvk {
    /// The API group; empty for the core group.
    pub group: Str,
    /// The version in the group, such as `v1`.
    pub version: Str,
    /// The kind, in camel case.
    pub kind: Str,
}

impl Gvk {
    /// From the two fields of an object; `api_version` is `version` or `group/version`.
    #[must_use]
    pub fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Gvk {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
        }
    }

    /// `version` or `group/version`.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

/// The identity of an object in a cluster. The version is not part of it: the same object is
/// served in several versions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The API group; empty for the core group.
    pub group: Str,
    /// The kind.
    pub kind: Str,
    /// The namespace; empty for cluster-scoped objects.
    pub namespace: Str,
    /// The name.
    pub name: Str,
}

impl fmt::Display for ObjectKey {
    /// `group/Kind/namespace/name`, empty parts left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.group.is_empty() {
            write!(f, "{}/", self.group)?;
        }
        write!(f, "{}/", self.kind)?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

/// Why a value is not an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// The document is a list, text or a number.
    #[error("expected an object, got {0}")]
    NotAnObject(&'static str),
    /// `apiVersion`, `kind` or `metadata.name` is absent, empty or not text.
    #[error("{0} is missing")]
    Missing(&'static str),
}

/// A Kubernetes object without a static type: a map that has `apiVersion` and `kind`.
///
/// A clone copies a pointer; the tree is copied when it is changed while shared.
#[derive(Clone, Debug, PartialEq)]
pub struct Object(Arc<Value>);

impl Object {
    /// Checks that `value` is a map with a text `apiVersion` and `kind`, and takes it.
    ///
    /// A missing name is not an error here: `generateName` and lists have none.
    ///
    /// # Errors
    /// [`ObjectError`] says what is missing.
    pub fn new(value: Value) -> Result<Self, ObjectError> {
        let Value::Map(map) = &value else {
            return Err(ObjectError::NotAnObject(value.kind()));
        };
        for field in ["apiVersion", "kind"] {
            match map.get(field).and_then(Value::as_str) {
                Some(text) if !text.is_empty() => {}
                _ => return Err(ObjectError::Missing(field)),
            }
        }
        Ok(Object(Arc::new(value)))
    }

    /// The whole tree.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// The whole tree, to change it; `apiVersion` and `kind` must stay text.
    pub fn value_mut(&mut self) -> &mut Value {
        Arc::make_mut(&mut self.0)
    }

    /// The whole tree, without a copy when this is its only holder.
    #[must_use]
    pub fn into_value(self) -> Value {
        Arc::try_unwrap(self.0).unwrap_or_else(|shared| (*shared).clone())
    }

    fn text(&self, path: &[&str]) -> &str {
        self.0.at(path).and_then(Value::as_str).unwrap_or_default()
    }

    /// `apiVersion`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.text(&["apiVersion"])
    }

    /// `kind`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text(&["kind"])
    }

    /// The API group; empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version()
            .split_once('/')
            .map_or("", |(group, _)| group)
    }

    /// Group, version and kind.
    #[must_use]
    pub fn gvk(&self) -> Gvk {
        Gvk::new(self.api_version(), self.kind())
    }

    /// `metadata.name`; empty when absent.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text(&["metadata", "name"])
    }

    /// `metadata.namespace`; empty when absent.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.text(&["metadata", "namespace"])
    }

    /// `metadata.uid`; empty when absent.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.text(&["metadata", "uid"])
    }

    /// `metadata.resourceVersion`; empty when absent.
    #[must_use]
    pub fn resource_version(&self) -> &str {
        self.text(&["metadata", "resourceVersion"])
    }

    /// The identity of the object, with the namespace as written in it.
    #[must_use]
    pub fn key(&self) -> ObjectKey {
        ObjectKey {
            group: self.group().into(),
            kind: self.kind().into(),
            namespace: self.namespace().into(),
            name: self.name().into(),
        }
    }

    /// One annotation.
    #[must_use]
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.0
            .at(&["metadata", "annotations", name])
            .and_then(Value::as_str)
    }

    /// One label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.0
            .at(&["metadata", "labels", name])
            .and_then(Value::as_str)
    }

    /// `metadata`, made when absent.
    pub fn metadata_mut(&mut self) -> &mut Map {
        self.value_mut().map_at_mut(&["metadata"])
    }

    /// Sets one annotation.
    pub fn set_annotation(&mut self, name: &str, value: &str) {
        self.value_mut()
            .map_at_mut(&["metadata", "annotations"])
            .insert(name, value);
    }

    /// Sets one label.
    pub fn set_label(&mut self, name: &str, value: &str) {
        self.value_mut()
            .map_at_mut(&["metadata", "labels"])
            .insert(name, value);
    }

    /// Whether `metadata.deletionTimestamp` is set.
    #[must_use]
    pub fn is_terminating(&self) -> bool {
        self.0
            .at(&["metadata", "deletionTimestamp"])
            .is_some_and(|time| !time.is_null())
    }
}
