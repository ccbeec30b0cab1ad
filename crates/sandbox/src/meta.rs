//! Reading and writing `metadata` of a tree.

use yaml::{Map, Value};

/// A text in `metadata`; empty when absent.
pub(crate) fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object
        .at(&["metadata", key])
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// `metadata.name`; empty when absent.
pub(crate) fn name(object: &Value) -> &str {
    text(object, "name")
}

/// `metadata.uid`; empty when absent.
pub(crate) fn uid(object: &Value) -> &str {
    text(object, "uid")
}

/// `metadata`, made when absent.
pub(crate) fn of(object: &mut Value) -> &mut Map {
    object.map_at_mut(&["metadata"])
}

/// Whether `metadata.deletionTimestamp` is set.
pub(crate) fn is_terminating(object: &Value) -> bool {
    object
        .at(&["metadata", "deletionTimestamp"])
        .is_some_and(|time| !time.is_null())
}

/// `metadata.finalizers`.
pub(crate) fn finalizers(object: &Value) -> Vec<&str> {
    object
        .at(&["metadata", "finalizers"])
        .and_then(Value::as_list)
        .unwrap_or_default()
        .iter()
        .filter_map(Value::as_str)
        .collect()
}

/// Sets `metadata.finalizers`; an empty list removes the field.
pub(crate) fn set_finalizers(object: &mut Value, finalizers: &[String]) {
    let metadata = of(object);
    if finalizers.is_empty() {
        metadata.remove("finalizers");
    } else {
        let list: Vec<Value> = finalizers.iter().map(|name| name.as_str().into()).collect();
        metadata.insert("finalizers", list);
    }
}

/// `metadata.generation`; 0 when absent.
pub(crate) fn generation(object: &Value) -> i64 {
    object
        .at(&["metadata", "generation"])
        .and_then(Value::as_i64)
        .unwrap_or(0)
}

/// Makes `to` have what `from` has at a key, absence included.
pub(crate) fn copy(from: &Map, to: &mut Map, key: &str) {
    match from.get(key) {
        Some(value) => {
            to.insert(key, value.clone());
        }
        None => {
            to.remove(key);
        }
    }
}
