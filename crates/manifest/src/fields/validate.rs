//! Whether an object has the shape that its schema says, in structured-merge-diff's words.

use std::fmt;

use yaml::Value;

use super::shape::{Shape, item_path, shape};
use super::{PathElement, path_text};
use crate::go;
use crate::schema::{ListRelation, Scalar, Schema, TypeRef};

/// Whether sets and keyed lists may hold an item twice: stored objects may, applied ones may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// They may.
    Allowed,
    /// They may not.
    Refused,
}

/// What is wrong with an object: the path and the reason of each error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(pub Vec<(String, String)>);

impl fmt::Display for Invalid {
    /// The errors as the API server joins them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let write = |f: &mut fmt::Formatter<'_>, (path, reason): &(String, String)| {
            if path.is_empty() {
                f.write_str(reason)
            } else {
                write!(f, "{path}: {reason}")
            }
        };
        if let [only] = self.0.as_slice() {
            return write(f, only);
        }
        f.write_str("errors:")?;
        for error in &self.0 {
            f.write_str("\n  ")?;
            write(f, error)?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

/// Checks `object` against `schema`: kinds of values, undeclared members, items of lists.
///
/// # Errors
/// [`Invalid`] with everything that is wrong.
pub fn validate(object: &Value, schema: &Schema, duplicates: Duplicates) -> Result<(), Invalid> {
    let mut walk = Walk {
        duplicates,
        path: Vec::new(),
        errors: Vec::new(),
    };
    walk.value(schema.root(), object);
    if walk.errors.is_empty() {
        Ok(())
    } else {
        Err(Invalid(walk.errors))
    }
}

struct Walk {
    duplicates: Duplicates,
    path: Vec<PathElement>,
    errors: Vec<(String, String)>,
}

impl Walk {
    fn error(&mut self, reason: String) {
        self.errors.push((path_text(&self.path), reason));
    }

    fn value(&mut self, ty: TypeRef<'_>, value: &Value) {
        match shape(ty, Some(value)) {
            Shape::Map { .. } => self.map(ty, value),
            Shape::Scalar(scalar) => {
                if let Some(reason) = wrong_scalar(scalar, value) {
                    self.error(reason);
                }
            }
            Shape::List { element, relation } => self.list(element, relation, value),
        }
    }

    fn map(&mut self, ty: TypeRef<'_>, value: &Value) {
        let map = match value {
            Value::Map(map) => map,
            Value::Null => return,
            other => return self.error(format!("expected map, got &{{{}}}", go::display(other))),
        };
        for (key, member) in map.iter() {
            self.path.push(PathElement::Field(key.clone()));
            let below = ty.member(key);
            match below {
                Some(below) => self.value(below, member),
                None => self.error("field not declared in schema".to_owned()),
            }
            self.path.pop();
            if below.is_none() {
                // The reference stops at the first undeclared member of a struct.
                return;
            }
        }
    }

    fn list(&mut self, element: TypeRef<'_>, relation: &ListRelation, value: &Value) {
        let list = match value {
            Value::List(list) => list,
            Value::Null => return,
            other => return self.error(format!("expected list, got &{{{}}}", go::display(other))),
        };
        let mut seen: Vec<PathElement> = Vec::new();
        for (index, item) in list.iter().enumerate() {
            let step = if *relation == ListRelation::Atomic {
                PathElement::Index(i64::try_from(index).unwrap_or(i64::MAX))
            } else {
                match item_path(element, relation, item) {
                    Ok(step) => step,
                    Err(reason) => return self.error(format!("element {index}: {reason}")),
                }
            };
            if *relation != ListRelation::Atomic && self.duplicates == Duplicates::Refused {
                match seen.binary_search(&step) {
                    Ok(_) => self.error(format!("duplicate entries for key {step}")),
                    Err(place) => seen.insert(place, step.clone()),
                }
            }
            self.path.push(step);
            self.value(element, item);
            self.path.pop();
        }
    }
}

/// Why a value is not what a scalar type asks for.
fn wrong_scalar(scalar: Scalar, value: &Value) -> Option<String> {
    let is_number = matches!(value, Value::Int(_) | Value::Uint(_) | Value::Float(_));
    match scalar {
        _ if value.is_null() => None,
        Scalar::Int32 | Scalar::Int64 | Scalar::Integer | Scalar::Number => {
            (!is_number).then(|| {
                let found = go::type_name(value);
                format!("expected numeric (int or float), got {found}")
            })
        }
        Scalar::String | Scalar::Bytes => value.as_str().is_none().then(|| {
            let found = go::syntax(value);
            format!("expected string, got &value.valueUnstructured{{Value:{found}}}")
        }),
        Scalar::Boolean => value
            .as_bool()
            .is_none()
            .then(|| format!("expected boolean, got &{{{}}}", go::display(value))),
        _ => matches!(value, Value::Map(_) | Value::List(_))
            .then(|| format!("expected any scalar, got &{{{}}}", go::display(value))),
    }
}
