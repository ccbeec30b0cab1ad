//! Reads of the fields that several controllers share: owners, finalizers, numbers, labels.
//!
//! Absent, null and wrongly typed fields read as absent: the API server has validated them.

use manifest::Object;
use yaml::{Map, Str, Value};

/// A whole number at `path`.
pub(crate) fn int(value: &Value, path: &[&str]) -> Option<i64> {
    value.at(path)?.as_i64()
}

/// The text at `path`; empty when absent.
pub(crate) fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    value.at(path).and_then(Value::as_str).unwrap_or_default()
}

/// The text at `path`, shared with the tree; empty when absent.
pub(crate) fn shared(value: &Value, path: &[&str]) -> Str {
    match value.at(path) {
        Some(Value::String(text)) => text.clone(),
        _ => Str::default(),
    }
}

/// The items at `path`; none when absent.
pub(crate) fn items<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    value.at(path).and_then(Value::as_list).unwrap_or_default()
}

/// Whether `path` holds `true`.
pub(crate) fn flag(value: &Value, path: &[&str]) -> bool {
    value.at(path).and_then(Value::as_bool).unwrap_or(false)
}

/// `metadata.generation`; 0 when absent.
pub(crate) fn generation(object: &Object) -> i64 {
    int(object.value(), &["metadata", "generation"]).unwrap_or(0)
}

/// `metadata.labels`.
pub(crate) fn labels(object: &Object) -> Option<&Map> {
    object.value().at(&["metadata", "labels"])?.as_map()
}

/// `metadata.ownerReferences`.
pub(crate) fn owners(object: &Object) -> &[Value] {
    items(object.value(), &["metadata", "ownerReferences"])
}

/// The owner reference with `controller: true`.
pub(crate) fn controller(object: &Object) -> Option<&Value> {
    owners(object)
        .iter()
        .find(|owner| flag(owner, &["controller"]))
}

/// The uid of the controlling owner; empty when there is none.
pub(crate) fn controller_uid(object: &Object) -> &str {
    controller(object).map_or("", |owner| text(owner, &["uid"]))
}

/// Whether `metadata.finalizers` holds `name`.
pub(crate) fn has_finalizer(object: &Object, name: &str) -> bool {
    items(object.value(), &["metadata", "finalizers"])
        .iter()
        .any(|finalizer| finalizer.as_str() == Some(name))
}

/// The finalizers without `name`.
pub(crate) fn finalizers_without(object: &Object, name: &str) -> Value {
    let rest: Vec<Value> = items(object.value(), &["metadata", "finalizers"])
        .iter()
        .filter(|finalizer| finalizer.as_str() != Some(name))
        .cloned()
        .collect();
    if rest.is_empty() {
        Value::Null
    } else {
        Value::List(rest)
    }
}

/// The owner reference that makes `owner` the controller of a new object.
pub(crate) fn controller_reference(owner: &Object) -> Value {
    Value::Map(Map::from([
        ("apiVersion", owner.api_version().into()),
        ("kind", owner.kind().into()),
        ("name", owner.name().into()),
        ("uid", owner.uid().into()),
        ("controller", true.into()),
        ("blockOwnerDeletion", true.into()),
    ]))
}

/// A map value from pairs.
pub(crate) fn map<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::Map(Map::from(pairs))
}

/// Sets `key` where `number` is not zero: Go's `omitempty`.
pub(crate) fn set_count(status: &mut Map, key: &str, number: i64) {
    if number == 0 {
        status.remove(key);
    } else {
        status.insert(key, number);
    }
}

/// Resolves an int-or-percent against `total`, percentages rounded up or down; `None` when absent
/// or unreadable (`intstr.GetScaledValueFromIntOrPercent`).
pub(crate) fn scaled(value: Option<&Value>, total: i64, rounding: Rounding) -> Option<i64> {
    match value? {
        Value::Int(number) => Some(*number),
        Value::String(text) => {
            let percent: i64 = text.strip_suffix('%')?.parse().ok()?;
            let product = percent.checked_mul(total)?;
            Some(match rounding {
                Rounding::Up => product.checked_add(99)?.div_euclid(100),
                Rounding::Down => product.div_euclid(100),
            })
        }
        _ => None,
    }
}

/// What happens to the fraction of a percentage.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rounding {
    /// To the next whole number.
    Up,
    /// Dropped.
    Down,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_rounded_as_asked() {
        let quarter = Value::from("25%");
        assert_eq!(scaled(Some(&quarter), 3, Rounding::Up), Some(1));
        assert_eq!(scaled(Some(&quarter), 3, Rounding::Down), Some(0));
        assert_eq!(scaled(Some(&Value::Int(2)), 3, Rounding::Down), Some(2));
        assert_eq!(scaled(None, 3, Rounding::Down), None);
    }
}
