//! What a value is when it is merged or owned, by its type and, where the type leaves it open, by
//! itself.

use yaml::{Map, Str, Value};

use super::PathElement;
use crate::schema::{ListRelation, Scalar, Type, TypeRef};

/// A value's shape.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape<'a> {
    /// A struct or map; members are found through the type itself.
    Map {
        /// The whole is one value.
        atomic: bool,
    },
    /// A value without parts.
    Scalar(Scalar),
    /// A list.
    List {
        element: TypeRef<'a>,
        relation: &'a ListRelation,
    },
}

impl Shape<'_> {
    /// Whether two shapes of one type are the same one.
    pub(super) fn is_same(self, other: Shape<'_>) -> bool {
        matches!(
            (self, other),
            (Shape::Map { .. }, Shape::Map { .. })
                | (Shape::Scalar(_), Shape::Scalar(_))
                | (Shape::List { .. }, Shape::List { .. })
        )
    }
}

/// The shape of `value`, or of a missing one.
pub(super) fn shape<'a>(ty: TypeRef<'a>, value: Option<&Value>) -> Shape<'a> {
    match ty.ty() {
        Type::Map(map) => Shape::Map { atomic: map.atomic },
        Type::Scalar(scalar) => Shape::Scalar(*scalar),
        Type::List(list) => Shape::List {
            element: ty.resolve(list.element),
            relation: &list.relation,
        },
        open @ (Type::Any | Type::Opaque) => match value {
            None | Some(Value::Null | Value::Map(_)) => Shape::Map {
                atomic: matches!(open, Type::Opaque),
            },
            Some(Value::List(_)) => Shape::List {
                element: ty,
                relation: &ListRelation::Atomic,
            },
            Some(_) => Shape::Scalar(Scalar::Untyped),
        },
    }
}

/// The members of a value, when it is a map.
pub(super) fn as_map(value: Option<&Value>) -> Option<&Map> {
    value.and_then(Value::as_map)
}

/// The items of a value, when it is a list.
pub(super) fn as_list(value: Option<&Value>) -> Option<&[Value]> {
    value.and_then(Value::as_list)
}

/// Whether a list or map is to be treated as a leaf: nothing on both sides.
pub(super) fn nothing(left: Option<usize>, right: Option<usize>) -> bool {
    left.unwrap_or_default() == 0 && right.unwrap_or_default() == 0
}

/// How an item of a set or keyed list is found again.
pub(super) fn item_path(
    element: TypeRef<'_>,
    relation: &ListRelation,
    item: &Value,
) -> Result<PathElement, String> {
    match relation {
        ListRelation::Atomic => Err("invalid indexing of non-associative list".to_owned()),
        ListRelation::Set => set_item(item),
        ListRelation::Map(keys) => keyed_item(element, keys, item),
    }
}

fn set_item(item: &Value) -> Result<PathElement, String> {
    let reason = match item {
        Value::Map(_) => "associative list without keys has an element that's a map type",
        Value::List(_) => "not supported: associative list with lists as elements",
        Value::Null => "associative list without keys has an element that's an explicit null",
        other => return Ok(PathElement::Value(other.clone())),
    };
    Err(reason.to_owned())
}

fn keyed_item(element: TypeRef<'_>, keys: &[Str], item: &Value) -> Result<PathElement, String> {
    let map = match item {
        Value::Map(map) => map,
        Value::Null => {
            return Err("associative list with keys may not have a null element".to_owned());
        }
        _ => return Err("associative list with keys may not have non-map elements".to_owned()),
    };
    let mut found: Vec<(Str, Value)> = Vec::with_capacity(keys.len());
    for key in keys {
        let default = || element.field(key).and_then(|field| field.default.as_ref());
        if let Some(value) = map.get(key).or_else(default) {
            found.push((key.clone(), value.clone()));
        }
    }
    if found.is_empty() {
        let keys: Vec<String> = keys.iter().map(|key| crate::go::quote(key)).collect();
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{}] (and doesn't have default values for any key fields)",
            keys.join(" ")
        ));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(PathElement::Key(found))
}
