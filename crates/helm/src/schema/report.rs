//! What does not fit a schema, in the words of `santhosh-tekuri/jsonschema` v6.

use std::fmt::Write as _;

use super::number::{count, shown};
use crate::Value;

/// One thing that does not fit, and what it follows from.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    /// The way to the value.
    pub(super) path: Vec<String>,
    pub(super) kind: Kind,
    pub(super) causes: Vec<Problem>,
}

/// What does not fit.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// The whole, with the place of the schema.
    Schema(String),
    /// Several problems of one value.
    Group,
    /// What a reference leads to does not fit.
    Reference,
    False,
    Cycle(String),
    Type {
        got: &'static str,
        want: Vec<&'static str>,
    },
    Const(Value),
    Enum(Vec<Value>),
    Format {
        got: Value,
        want: String,
        why: String,
    },
    /// A count of something: `minItems` and the like.
    Count {
        keyword: &'static str,
        got: usize,
        want: i64,
    },
    /// A number: `maximum` and the like.
    Number {
        keyword: &'static str,
        got: f64,
        want: f64,
    },
    Required(Vec<String>),
    Dependency {
        property: String,
        missing: Vec<String>,
    },
    AdditionalProperties(Vec<String>),
    AdditionalItems(usize),
    PropertyName(String),
    Duplicates(usize, usize),
    Contains,
    MinContains {
        got: Vec<usize>,
        want: i64,
    },
    MaxContains {
        got: Vec<usize>,
        want: i64,
    },
    Pattern {
        got: String,
        want: String,
    },
    Not,
    AllOf,
    AnyOf,
    OneOf(Option<(usize, usize)>),
}

impl Problem {
    /// All lines behind the first, which names the schema.
    pub(super) fn details(&self) -> String {
        let mut text = String::new();
        for cause in &self.causes {
            cause.write(&mut text, 1);
        }
        text.trim_start_matches('\n').to_owned()
    }

    /// The whole text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, 0);
        text
    }

    fn write(&self, text: &mut String, indent: usize) {
        let is_passed = matches!(self.kind, Kind::Reference) && self.causes.len() == 1;
        let mut inner = indent;
        if !is_passed {
            if indent > 0 {
                let _infallible = write!(text, "\n{}- ", "  ".repeat(indent - 1));
            }
            inner += 1;
            let kind = self.kind.text();
            let _infallible = match &self.kind {
                Kind::Schema(_) => write!(text, "{kind}"),
                _ => write!(text, "at {}: {kind}", quote(&pointer(&self.path))),
            };
        }
        for cause in &self.causes {
            cause.write(text, inner);
        }
    }
}

/// A path as a JSON pointer.
fn pointer(path: &[String]) -> String {
    let mut text = String::new();
    for key in path {
        push_key(&mut text, key);
    }
    text
}

/// Makes a JSON pointer longer.
pub(super) fn push_key(pointer: &mut String, key: &str) {
    pointer.push('/');
    match key.contains(['~', '/']) {
        true => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
        false => pointer.push_str(key),
    }
}

fn quote(text: &str) -> String {
    let quoted = gotmpl::quote(text)
        .replace("\\\"", "\"")
        .replace('\'', "\\'");
    format!("'{}'", &quoted[1..quoted.len() - 1])
}

fn quoted(all: &[String]) -> String {
    let all: Vec<String> = all.iter().map(|one| quote(one)).collect();
    all.join(", ")
}

fn display(value: &Value) -> String {
    match value {
        Value::Text(text) => quote(text),
        Value::List(_) | Value::Table(_) => "value".to_owned(),
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            format!("{number:.0}")
        }
        other => other.shown(),
    }
}

fn is_primitive(value: &Value) -> bool {
    !matches!(value, Value::List(_) | Value::Table(_))
}

fn places(all: &[usize]) -> String {
    let all: Vec<String> = all.iter().map(usize::to_string).collect();
    all.join(" ")
}

fn of_length(length: usize) -> String {
    count(i64::try_from(length).unwrap_or(i64::MAX))
}

impl Kind {
    fn text(&self) -> String {
        match self {
            Kind::Schema(place) => format!("jsonschema validation failed with {}", quote(place)),
            Kind::Group | Kind::Reference => "validation failed".to_owned(),
            Kind::False => "false schema".to_owned(),
            Kind::Cycle(place) => format!("{place} refers to itself"),
            Kind::Type { got, want } => format!("got {got}, want {}", want.join(" or ")),
            Kind::Const(want) if !is_primitive(want) => "'const' failed".to_owned(),
            Kind::Const(want) => format!("value must be {}", display(want)),
            Kind::Enum(want) if !want.iter().all(is_primitive) => "'enum' failed".to_owned(),
            Kind::Enum(want) => {
                let all: Vec<String> = want.iter().map(display).collect();
                match &all[..] {
                    [one] => format!("value must be {one}"),
                    all => format!("value must be one of {}", all.join(", ")),
                }
            }
            Kind::Format { got, want, why } => {
                format!("{} is not valid {want}: {why}", display(got))
            }
            Kind::Count { keyword, got, want } => {
                format!("{keyword}: got {}, want {}", of_length(*got), count(*want))
            }
            Kind::Number { keyword, got, want } => {
                format!("{keyword}: got {}, want {}", shown(*got), shown(*want))
            }
            Kind::Required(missing) => match &missing[..] {
                [one] => format!("missing property {}", quote(one)),
                all => format!("missing properties {}", quoted(all)),
            },
            Kind::Dependency { property, missing } => {
                let (missing, property) = (quoted(missing), quote(property));
                format!("properties {missing} required, if {property} exists")
            }
            Kind::AdditionalProperties(names) => {
                format!("additional properties {} not allowed", quoted(names))
            }
            Kind::AdditionalItems(number) => {
                format!("last {} additionalItem(s) not allowed", of_length(*number))
            }
            Kind::PropertyName(name) => format!("invalid propertyName {}", quote(name)),
            Kind::Duplicates(first, second) => {
                format!("items at {first} and {second} are equal")
            }
            _ => self.text_of_several(),
        }
    }

    /// Those that are about items or other schemas.
    fn text_of_several(&self) -> String {
        match self {
            Kind::Contains => "no items match contains schema".to_owned(),
            Kind::MinContains { got, want } if got.is_empty() => {
                let want = count(*want);
                format!("min {want} items required to match contains schema, but none matched")
            }
            Kind::MinContains { got, want } | Kind::MaxContains { got, want } => {
                let side = match self {
                    Kind::MinContains { .. } => "min",
                    _ => "max",
                };
                let (want, number, at) = (count(*want), of_length(got.len()), places(got));
                format!(
                    "{side} {want} items required to match contains schema, but matched {number} \
                     items at {at}"
                )
            }
            Kind::Pattern { got, want } => {
                format!("{} does not match pattern {}", quote(got), quote(want))
            }
            Kind::Not => "'not' failed".to_owned(),
            Kind::AllOf => "'allOf' failed".to_owned(),
            Kind::AnyOf => "'anyOf' failed".to_owned(),
            Kind::OneOf(None) => "'oneOf' failed, none matched".to_owned(),
            Kind::OneOf(Some((first, second))) => {
                format!("'oneOf' failed, subschemas {first}, {second} matched")
            }
            _ => "validation failed".to_owned(),
        }
    }
}
