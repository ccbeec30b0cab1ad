//! One step of a path to a field, with its order and its texts.

use std::cmp::Ordering;
use std::fmt;

use yaml::{Map, Str, Value, json};

use super::FieldsError;
use crate::go;

/// How to get from a map or list to one of its parts.
#[derive(Clone, Debug)]
pub enum PathElement {
    /// The member of a struct or map.
    Field(Str),
    /// The item of a list that has these values, sorted by name.
    Key(Vec<(Str, Value)>),
    /// The item of a set with this value.
    Value(Value),
    /// The item at this place.
    Index(i64),
}

/// The order of values of any kind, as structured-merge-diff has it: whole numbers and fractions
/// compare as numbers.
pub(super) fn compare_values(left: &Value, right: &Value) -> Ordering {
    match (number(left), number(right)) {
        (Some(a), Some(b)) => return compare_numbers(left, right, (a, b)),
        (None, None) => {}
        (Some(_), None) => return Ordering::Less,
        (None, Some(_)) => return Ordering::Greater,
    }
    match (left, right) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::List(a), Value::List(b)) => {
            let pairs = a.iter().zip(b).map(|(a, b)| compare_values(a, b));
            first_difference(pairs).then(a.len().cmp(&b.len()))
        }
        (Value::Map(a), Value::Map(b)) => {
            let pairs = a.iter().zip(b.iter());
            first_difference(
                pairs.map(|((k, a), (l, b))| k.cmp(l).then_with(|| compare_values(a, b))),
            )
            .then(a.len().cmp(&b.len()))
        }
        _ => rank(left).cmp(&rank(right)),
    }
}

fn first_difference(mut pairs: impl Iterator<Item = Ordering>) -> Ordering {
    pairs.find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}

fn compare_numbers(left: &Value, right: &Value, (a, b): (f64, f64)) -> Ordering {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Uint(a), Value::Uint(b)) => a.cmp(b),
        (Value::Int(_), Value::Uint(_)) => Ordering::Less,
        (Value::Uint(_), Value::Int(_)) => Ordering::Greater,
        _ => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Int(_) | Value::Uint(_) | Value::Float(_) => 0,
        Value::String(_) => 1,
        Value::Bool(_) => 2,
        Value::List(_) => 3,
        Value::Map(_) => 4,
        Value::Null => 5,
    }
}

/// Whether two values are equal, `1` and `1.0` being so.
pub(super) fn same_value(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b))
        }
        (Value::Map(a), Value::Map(b)) => {
            let same =
                |((k, a), (l, b)): ((&Str, &Value), (&Str, &Value))| k == l && same_value(a, b);
            a.len() == b.len() && a.iter().zip(b.iter()).all(same)
        }
        _ => compare_values(left, right).is_eq(),
    }
}

impl Ord for PathElement {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (PathElement::Field(a), PathElement::Field(b)) => a.cmp(b),
            (PathElement::Key(a), PathElement::Key(b)) => {
                let pairs = a.iter().zip(b);
                first_difference(
                    pairs.map(|(a, b)| a.0.cmp(&b.0).then_with(|| compare_values(&a.1, &b.1))),
                )
                .then(a.len().cmp(&b.len()))
            }
            (PathElement::Value(a), PathElement::Value(b)) => compare_values(a, b),
            (PathElement::Index(a), PathElement::Index(b)) => a.cmp(b),
            _ => self.order().cmp(&other.order()),
        }
    }
}

impl PartialOrd for PathElement {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for PathElement {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for PathElement {}

impl PathElement {
    fn order(&self) -> u8 {
        match self {
            PathElement::Field(_) => 0,
            PathElement::Key(_) => 1,
            PathElement::Value(_) => 2,
            PathElement::Index(_) => 3,
        }
    }

    /// How the step stands to the member of that name.
    pub(super) fn cmp_name(&self, name: &str) -> Ordering {
        match self {
            PathElement::Field(own) => own.as_str().cmp(name),
            // Members come before all other steps.
            _ => Ordering::Greater,
        }
    }

    /// The key that stands for the step in FieldsV1: `f:name`, `k:{"name":"x"}`, `v:"x"`, `i:0`.
    #[must_use]
    pub fn to_key(&self) -> String {
        match self {
            PathElement::Field(name) => format!("f:{name}"),
            PathElement::Key(fields) => {
                let map: Map = fields.iter().cloned().collect();
                format!("k:{}", json::to_string_html_escaped(&Value::Map(map)))
            }
            PathElement::Value(value) => format!("v:{}", json::to_string_html_escaped(value)),
            PathElement::Index(index) => format!("i:{index}"),
        }
    }

    /// Reads a key of FieldsV1; `None` for a kind of step that is not known, which is passed over.
    ///
    /// # Errors
    /// [`FieldsError::Element`] for a malformed key.
    pub fn from_key(key: &str) -> Result<Option<Self>, FieldsError> {
        let malformed = |reason: String| FieldsError::Element(reason);
        if key.len() < 2 {
            return Err(malformed("key must be 2 characters long:".to_owned()));
        }
        let Some((kind, rest)) = key.split_once(':').filter(|(kind, _)| kind.len() == 1) else {
            return Err(malformed(format!("missing colon: {key}")));
        };
        let parse = || json::parse_str(rest).map_err(|error| malformed(error.to_string()));
        Ok(match kind {
            "f" => Some(PathElement::Field(rest.into())),
            "v" => Some(PathElement::Value(parse()?)),
            "k" => match parse()? {
                Value::Map(fields) => Some(PathElement::Key(fields.into_iter().collect())),
                other => return Err(FieldsError::NotAnObject(other.kind())),
            },
            "i" => {
                let index = rest
                    .parse()
                    .map_err(|_| malformed(format!("not an index: {rest}")))?;
                Some(PathElement::Index(index))
            }
            _ => None,
        })
    }
}

impl fmt::Display for PathElement {
    /// The step as in messages: `.name`, `[name="x"]`, `[="x"]`, `[0]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathElement::Field(name) => write!(f, ".{name}"),
            PathElement::Key(fields) => {
                f.write_str("[")?;
                for (index, (name, value)) in fields.iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    write!(f, "{comma}{name}={}", readable(value))?;
                }
                f.write_str("]")
            }
            PathElement::Value(value) => write!(f, "[={}]", readable(value)),
            PathElement::Index(index) => write!(f, "[{index}]"),
        }
    }
}

fn readable(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => go::quote(text),
        Value::List(list) => {
            let items: Vec<String> = list.iter().map(readable).collect();
            format!("[{}]", items.join(","))
        }
        Value::Map(map) => map
            .iter()
            .map(|(key, value)| format!("{key}={}", readable(value)))
            .collect(),
        other => go::display(other),
    }
}

/// A path as in messages: `.spec.containers[name="x"].image`.
#[must_use]
pub fn path_text(path: &[PathElement]) -> String {
    path.iter().map(ToString::to_string).collect()
}
