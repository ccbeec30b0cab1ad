//! Members that are a number or a text.

use yaml::{Map, Value};

use crate::Error;
use crate::wire::Wire;

/// A count, or a text such as `25%`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntOrString {
    /// A whole number.
    Int(i64),
    /// A text, kept as it is.
    String(String),
}

impl Default for IntOrString {
    fn default() -> Self {
        IntOrString::Int(0)
    }
}

impl std::fmt::Display for IntOrString {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            IntOrString::Int(number) => write!(f, "{number}"),
            IntOrString::String(text) => f.write_str(text),
        }
    }
}

impl Wire for IntOrString {
    fn read(value: Value) -> Result<Self, Error> {
        match value {
            Value::Int(number) => Ok(IntOrString::Int(number)),
            Value::String(text) => Ok(IntOrString::String(text.into())),
            Value::Null => Ok(IntOrString::default()),
            other => Err(Error::new("a whole number or string", other.kind())),
        }
    }
    fn write(&self) -> Value {
        match self {
            IntOrString::Int(number) => Value::Int(*number),
            IntOrString::String(text) => Value::from(text.as_str()),
        }
    }
    fn is_empty(&self) -> bool {
        false
    }
    fn schema() -> Map {
        let one_of = |name: &str| Value::Map(crate::wire::of_type(name));
        Map::from([
            (
                "anyOf",
                Value::List(vec![one_of("integer"), one_of("string")]),
            ),
            ("x-kubernetes-int-or-string", Value::Bool(true)),
        ])
    }
}
