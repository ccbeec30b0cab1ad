//! An object without some of its fields.

use yaml::{Map, Value};

use super::shape::{Shape, item_path, shape};
use super::{FieldSet, PathElement};
use crate::schema::{ListRelation, TypeRef};

/// `value` without the paths in `gone`. A map or list that loses all it holds becomes `null`, which
/// the decoder of a typed kind drops.
pub(super) fn remove(ty: TypeRef<'_>, value: &Value, gone: &FieldSet) -> Value {
    match (shape(ty, Some(value)), value) {
        (Shape::Map { atomic: false }, Value::Map(map)) => {
            let kept: Map = map
                .iter()
                .filter_map(|(key, member)| {
                    let step = PathElement::Field(key.clone());
                    part((ty.member(key), &step), member, gone).map(|kept| (key.clone(), kept))
                })
                .collect();
            if kept.is_empty() {
                Value::Null
            } else {
                Value::Map(kept)
            }
        }
        (Shape::List { element, relation }, Value::List(list))
            if *relation != ListRelation::Atomic =>
        {
            let kept: Vec<Value> = list
                .iter()
                .filter_map(|item| match item_path(element, relation, item) {
                    Ok(step) => part((Some(element), &step), item, gone),
                    Err(_) => Some(item.clone()),
                })
                .collect();
            if kept.is_empty() {
                Value::Null
            } else {
                Value::List(kept)
            }
        }
        (Shape::Scalar(_), _) => value.clone(),
        _ => Value::Null,
    }
}

/// What stays of one member or item.
fn part(
    (ty, step): (Option<TypeRef<'_>>, &PathElement),
    value: &Value,
    gone: &FieldSet,
) -> Option<Value> {
    if gone.has(step) {
        return None;
    }
    Some(match (gone.below(step), ty) {
        (Some(below), Some(ty)) => remove(ty, value, below),
        _ => value.clone(),
    })
}
