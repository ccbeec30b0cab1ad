//! `eq`, `lt` and their kin, with Go's rules about types.

use std::cmp::Ordering;
use std::rc::Rc;

use crate::object::{Kind, Object};
use crate::value::Value;

const INCOMPARABLE: &str = "invalid type for comparison";

/// Whether a value is of a basic type: only these have an order.
fn is_basic(value: &Value) -> bool {
    !matches!(
        value,
        Value::Nil | Value::List(_) | Value::Map(_) | Value::Function(_) | Value::Object(_)
    )
}

fn incompatible(first: &Value, second: &Value) -> String {
    format!(
        "incompatible types for comparison: {} and {}",
        first.type_name(),
        second.type_name()
    )
}

/// Whether the first is equal to one of the others.
///
/// # Errors
/// Go's texts for types that cannot be compared.
pub(crate) fn equal_all(all: &[Value]) -> Result<bool, String> {
    let Some((first, others)) = all.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Err("missing argument for comparison".to_owned());
    };
    for other in others {
        if equal_two(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal_two(first: &Value, second: &Value) -> Result<bool, String> {
    match (first.underlying().as_ref(), second.underlying().as_ref()) {
        (Value::Integer(first, _), Value::Integer(second, _)) => return Ok(first == second),
        (Value::Bool(first), Value::Bool(second)) => return Ok(first == second),
        (Value::Float(first), Value::Float(second)) => return Ok(first == second),
        (Value::Text(first), Value::Text(second)) => return Ok(first == second),
        (Value::Complex(first, more), Value::Complex(second, other)) => {
            return Ok(first == second && more == other);
        }
        (Value::Nil, Value::Nil) => return Ok(true),
        (Value::Nil, _) | (_, Value::Nil) => return Ok(false),
        (Value::Object(first), Value::Object(second)) if is_comparable(first, second) => {
            return Ok(Rc::ptr_eq(first, second) || same_struct(first, second));
        }
        _ => {}
    }
    if first.type_name() != second.type_name() {
        return Err(incompatible(first, second));
    }
    let shown = crate::printf::sprintf("%s", std::slice::from_ref(second));
    Err(format!(
        "non-comparable type {shown}: {}",
        second.type_name()
    ))
}

fn is_comparable(first: &Rc<dyn Object>, second: &Rc<dyn Object>) -> bool {
    first.type_name() == second.type_name()
}

/// Structs are equal when they print the same; pointers only when they are the same.
fn same_struct(first: &Rc<dyn Object>, second: &Rc<dyn Object>) -> bool {
    first.kind() == Kind::Struct && is_same_object(first, second)
}

/// Whether two objects are of one type and print the same.
pub fn is_same_object(first: &Rc<dyn Object>, second: &Rc<dyn Object>) -> bool {
    let print =
        |object: &Rc<dyn Object>| crate::printf::sprintf("%#v", &[Value::Object(object.clone())]);
    is_comparable(first, second) && print(first) == print(second)
}

/// The order of two values.
///
/// # Errors
/// Go's texts for types that have none.
pub(crate) fn order(first: &Value, second: &Value) -> Result<Option<Ordering>, String> {
    let (first, second) = (first.underlying(), second.underlying());
    let (first, second) = (first.as_ref(), second.as_ref());
    if !is_basic(first) || !is_basic(second) {
        return Err(INCOMPARABLE.to_owned());
    }
    match (first, second) {
        (Value::Integer(first, _), Value::Integer(second, _)) => Ok(Some(first.cmp(second))),
        (Value::Float(first), Value::Float(second)) => Ok(first.partial_cmp(second)),
        (Value::Text(first), Value::Text(second)) => {
            Ok(Some(first.as_bytes().cmp(second.as_bytes())))
        }
        (Value::Bool(_), Value::Bool(_)) | (Value::Complex(..), Value::Complex(..)) => {
            Err(INCOMPARABLE.to_owned())
        }
        _ => Err(incompatible(first, second)),
    }
}
