//! One object as it is kept: its JSON text, without `apiVersion` and `kind`, and beside it the version
//! in which it was written, where that matters.
//!
//! Bytes are five times smaller than a tree, and most reads (get, list, watch) send them as they
//! are. Writes parse them again, which costs microseconds.

use bytes::Bytes;
use yaml::{Map, Str, Value, json};

/// An object that is to be kept.
#[derive(Debug)]
pub struct Draft {
    /// The object, with `metadata.name` and `namespace`, without `apiVersion` and `kind`: they follow
    /// from the place and from `version`.
    pub value: Value,
    /// The `apiVersion` in which it is written; empty where its kind has one form for all.
    pub version: Str,
    /// As [`Stored::is_settled`]. A store that is opened again takes all its objects for settled.
    pub is_settled: bool,
}

impl From<Value> for Draft {
    /// A settled object of a kind that has one form.
    fn from(value: Value) -> Self {
        Draft {
            value,
            version: Str::default(),
            is_settled: true,
        }
    }
}

/// An immutable version of an object.
#[derive(Debug)]
pub struct Stored {
    /// The revision that wrote it: its `metadata.resourceVersion`.
    pub revision: u64,
    /// Empty for cluster-scoped objects.
    pub namespace: Str,
    /// `metadata.name`.
    pub name: Str,
    /// `metadata.labels`, for selectors.
    pub labels: Option<Box<Map>>,
    /// Whether it has a deletion time stamp.
    pub is_terminating: bool,
    /// The `apiVersion` in which it was written; empty where its writer names none.
    pub version: Str,
    /// Whether who reads it and writes the same again leaves it as it is.
    pub is_settled: bool,
    /// The object as compact JSON, a map.
    pub json: Bytes,
}

fn text(value: &Value, path: &[&str]) -> Str {
    match value.at(path) {
        Some(Value::String(text)) => text.clone(),
        _ => Str::default(),
    }
}

impl Stored {
    /// Takes the text of an object whose `metadata.resourceVersion` is `revision`.
    pub(super) fn new(revision: u64, draft: &Draft) -> Self {
        let value = &draft.value;
        Stored {
            revision,
            version: draft.version.clone(),
            is_settled: draft.is_settled,
            namespace: text(value, &["metadata", "namespace"]),
            name: text(value, &["metadata", "name"]),
            is_terminating: value.at(&["metadata", "deletionTimestamp"]).is_some(),
            labels: value
                .at(&["metadata", "labels"])
                .and_then(Value::as_map)
                .filter(|labels| !labels.is_empty())
                .map(|labels| Box::new(labels.clone())),
            // It lives long: the room that was left for writing it does not.
            json: json::to_vec(value).into_boxed_slice().into(),
        }
    }

    /// The tree, without `apiVersion` and `kind`.
    pub fn value(&self) -> Value {
        json::parse(&self.json).expect("the store holds the text that it wrote")
    }

    /// The same object with another `resourceVersion`.
    #[must_use]
    pub fn at_revision(&self, revision: u64) -> Self {
        let mut value = self.value();
        value
            .map_at_mut(&["metadata"])
            .insert("resourceVersion", revision.to_string());
        Stored::new(revision, &self.again(value))
    }

    fn again(&self, value: Value) -> Draft {
        Draft {
            value,
            version: self.version.clone(),
            is_settled: self.is_settled,
        }
    }

    /// The same state as another tree tells it: that of another version.
    #[must_use]
    pub fn told_as(&self, value: Value) -> Self {
        Stored::new(self.revision, &self.again(value))
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.as_ref()?.get(key).and_then(Value::as_str)
    }
}
