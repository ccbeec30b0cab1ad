//! Rows of the table of functions, and their arguments as Rust sees them. Read [`Row`].

use gotmpl::text::Text;
use gotmpl::{Element, Function, List, Map, Scope, Type, Value};

/// What a function gives: a value, or Go's text of an error.
pub(super) type Answer = Result<Value, String>;

/// What a function does.
type Body = fn(&mut Scope<'_>, Arguments<'_>) -> Answer;

pub(super) const ANY: Type = Type::Any;
pub(super) const TEXT: Type = Type::Text;
pub(super) const INT: Type = Type::Int;
pub(super) const INT64: Type = Type::Int64;
pub(super) const FLOAT: Type = Type::Float;
pub(super) const BOOL: Type = Type::Bool;
pub(super) const LIST: Type = Type::List(Element::Any);
pub(super) const TEXTS: Type = Type::List(Element::Text);
pub(super) const INTS: Type = Type::List(Element::Int);
pub(super) const DICT: Type = Type::Map(Element::Any);

/// A function under its name.
pub(super) struct Row {
    pub(super) name: &'static str,
    parameters: &'static [Type],
    rest: Option<Type>,
    result: Type,
    body: Body,
}

impl Row {
    /// A function of these parameters.
    pub(super) const fn new(
        name: &'static str,
        parameters: &'static [Type],
        result: Type,
        body: Body,
    ) -> Self {
        Row {
            name,
            parameters,
            rest: None,
            result,
            body,
        }
    }

    /// The same with any number of further arguments.
    pub(super) const fn with_rest(mut self, rest: Type) -> Self {
        self.rest = Some(rest);
        self
    }

    /// What the executor calls.
    pub(super) fn function(&self) -> Function {
        let body = self.body;
        let function = Function::new(self.parameters, self.result, move |scope, all| {
            body(scope, Arguments(all))
        });
        match self.rest {
            Some(rest) => function.with_rest(rest),
            None => function,
        }
    }
}

/// Arguments, whose types the executor has checked: asked for another type, they give its zero.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'a>(&'a [Value]);

impl<'a> Arguments<'a> {
    /// Any value; nil where none was given.
    pub(super) fn value(self, place: usize) -> &'a Value {
        const NIL: &Value = &Value::Nil;
        self.0.get(place).unwrap_or(NIL)
    }

    /// A `string`.
    pub(super) fn text(self, place: usize) -> &'a str {
        match self.value(place) {
            Value::Text(text) => text,
            _ => "",
        }
    }

    /// A `string`, to be kept.
    pub(super) fn shared(self, place: usize) -> Text {
        match self.value(place) {
            Value::Text(text) => text.clone(),
            _ => "".into(),
        }
    }

    /// An `int`, or an integer of any other type.
    pub(super) fn int(self, place: usize) -> i64 {
        match self.value(place) {
            Value::Integer(number, _) => i64::try_from(*number).unwrap_or_default(),
            _ => 0,
        }
    }

    /// A `float64`, when one was given.
    pub(super) fn float(self, place: usize) -> Option<f64> {
        match self.value(place) {
            Value::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// A `bool`.
    pub(super) fn flag(self, place: usize) -> bool {
        matches!(self.value(place), Value::Bool(true))
    }

    /// A `map[string]interface {}`.
    pub(super) fn map(self, place: usize) -> Map {
        match self.value(place) {
            Value::Map(map) => map.clone(),
            _ => Map::nil(Element::Any),
        }
    }

    /// The arguments from a place on.
    pub(super) fn rest(self, place: usize) -> &'a [Value] {
        self.0.get(place..).unwrap_or_default()
    }

    /// The maps from a place on.
    pub(super) fn maps(self, place: usize) -> impl Iterator<Item = &'a Map> {
        self.rest(place).iter().filter_map(|value| match value {
            Value::Map(map) => Some(map),
            _ => None,
        })
    }

    /// The texts from a place on.
    pub(super) fn texts(self, place: usize) -> impl Iterator<Item = &'a str> {
        self.rest(place).iter().filter_map(|value| match value {
            Value::Text(text) => Some(text.as_ref()),
            _ => None,
        })
    }
}

/// A `string`.
pub(super) fn text(text: impl Into<Text>) -> Answer {
    Ok(Value::Text(text.into()))
}

/// A `bool`.
pub(super) fn truth(truth: bool) -> Answer {
    Ok(Value::Bool(truth))
}

/// A `[]string`.
pub(super) fn texts<T: Into<Text>>(texts: impl IntoIterator<Item = T>) -> Answer {
    let items = texts.into_iter().map(|text| Value::Text(text.into()));
    Ok(Value::List(List::new(items.collect(), Element::Text)))
}

/// A length as an `int`.
pub(super) fn length(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
