//! Stored objects as clients see them: with `apiVersion` and `kind`, in the version and shape asked.

use std::sync::Arc;

use yaml::{Map, Value};

use crate::convert;
use crate::registry::Resource;
use store::Stored;

/// The text of an object in the version of `resource`.
pub(crate) fn object(resource: &Resource, stored: &Stored) -> Vec<u8> {
    let mut out = Vec::with_capacity(stored.json.len() + 64);
    push_object(&mut out, resource, stored);
    out
}

/// Appends the text of an object.
pub(crate) fn push_object(out: &mut Vec<u8>, resource: &Resource, stored: &Stored) {
    if convert::is_stored_as_served(resource) {
        push_head(out, &resource.api_version(), &resource.kind);
        out.extend_from_slice(&stored.json[1..]);
    } else {
        let mut value = convert::from_storage(resource, stored.value());
        type_meta(&mut value, resource);
        out.extend_from_slice(&crate::codec::to_vec(&value));
    }
}

/// Appends an item of a list: built-in kinds leave out what the list says already.
pub(crate) fn push_item(out: &mut Vec<u8>, resource: &Resource, stored: &Stored) {
    if resource.custom.is_some() {
        push_object(out, resource, stored);
    } else if convert::is_stored_as_served(resource) {
        out.extend_from_slice(&stored.json);
    } else {
        let value = convert::from_storage(resource, stored.value());
        out.extend_from_slice(&crate::codec::to_vec(&value));
    }
}

/// Begins an object.
pub(crate) fn push_head(out: &mut Vec<u8>, api_version: &str, kind: &str) {
    // Neither can hold a character that JSON escapes: both come from the registry.
    out.extend_from_slice(b"{\"apiVersion\":\"");
    out.extend_from_slice(api_version.as_bytes());
    out.extend_from_slice(b"\",\"kind\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",");
}

/// The tree of an object in the version of `resource`, with `apiVersion` and `kind`.
pub(crate) fn value(resource: &Resource, stored: &Stored) -> Value {
    let mut value = convert::from_storage(resource, stored.value());
    type_meta(&mut value, resource);
    value
}

/// Sets `apiVersion` and `kind`.
pub(crate) fn type_meta(value: &mut Value, resource: &Resource) {
    let map = value.map_at_mut(&[]);
    map.insert("apiVersion", resource.api_version());
    map.insert("kind", resource.kind.clone());
}

/// The metadata of an object as a PartialObjectMetadata.
pub(crate) fn partial(stored: &Stored, meta_version: &str) -> Value {
    partial_of(&stored.value(), meta_version)
}

/// The metadata of a tree as a PartialObjectMetadata.
pub(crate) fn partial_of(value: &Value, meta_version: &str) -> Value {
    let metadata = value.get("metadata").cloned().unwrap_or_default();
    Value::Map(Map::from([
        ("apiVersion", meta_version.into()),
        ("kind", "PartialObjectMetadata".into()),
        ("metadata", metadata),
    ]))
}

/// What stands in the `metadata` of a list.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListMeta {
    /// 0 for what is not stored.
    pub(crate) revision: u64,
    pub(crate) continue_token: String,
    pub(crate) remaining: Option<u64>,
}

impl ListMeta {
    pub(crate) fn value(&self) -> Value {
        let mut map = Map::new();
        if self.revision > 0 {
            map.insert("resourceVersion", self.revision.to_string());
        }
        if !self.continue_token.is_empty() {
            map.insert("continue", self.continue_token.as_str());
        }
        if let Some(remaining) = self.remaining {
            map.insert("remainingItemCount", remaining);
        }
        map.into()
    }
}

/// The text of a PartialObjectMetadataList.
pub(crate) fn partial_list(
    meta_version: &str,
    meta: &ListMeta,
    objects: &[Arc<Stored>],
) -> Vec<u8> {
    let mut out = Vec::new();
    push_head(&mut out, meta_version, "PartialObjectMetadataList");
    push_list_meta(&mut out, meta, None);
    for (index, stored) in objects.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&crate::codec::to_vec(&partial(stored, meta_version)));
    }
    out.extend_from_slice(b"]}");
    out
}

/// Appends the metadata of a list and begins its items; `continues` is the token of who writes an
/// empty one too.
pub(crate) fn push_list_meta(out: &mut Vec<u8>, meta: &ListMeta, continues: Option<&str>) {
    let mut metadata = meta.value();
    if let Some(token) = continues {
        let metadata = metadata.map_at_mut(&[]);
        metadata.entry_or_insert("continue", token.into());
    }
    out.extend_from_slice(b"\"metadata\":");
    out.extend_from_slice(&crate::codec::to_vec(&metadata));
    out.extend_from_slice(b",\"items\":[");
}
