//! Functions that templates call, with Go's types of their parameters.
//!
//! Read [`Function`] first. The executor checks the number and types of arguments, in Go's words,
//! before a body sees them.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

use crate::exec::Scope;
use crate::slot::Slot;
use crate::value::{Element, Value, Width};

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `interface {}`: anything; an absent value arrives as nil.
    Any,
    /// `reflect.Value`: anything, as the built-in functions take it.
    Reflect,
    /// `bool`.
    Bool,
    /// `string`.
    Text,
    /// `int`.
    Int,
    /// `int64`.
    Int64,
    /// `float64`.
    Float,
    /// A slice of this element.
    List(Element),
    /// A map with text keys of this element.
    Map(Element),
    /// `uint32`.
    Uint32,
    /// The type of an object, by its name.
    Named(&'static str),
}

impl Type {
    /// Go's name of it.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Type::Any => "interface {}".to_owned(),
            Type::Reflect => "reflect.Value".to_owned(),
            Type::Bool => "bool".to_owned(),
            Type::Text => "string".to_owned(),
            Type::Int => "int".to_owned(),
            Type::Int64 => "int64".to_owned(),
            Type::Float => "float64".to_owned(),
            Type::List(element) => format!("[]{}", element.name()),
            Type::Map(element) => format!("map[string]{}", element.name()),
            Type::Uint32 => "uint32".to_owned(),
            Type::Named(name) => name.to_owned(),
        }
    }

    /// Whether nil is one of its values.
    pub(crate) fn takes_nil(self) -> bool {
        matches!(
            self,
            Type::Any | Type::Reflect | Type::List(_) | Type::Map(_)
        )
    }

    /// The value that stands for nil.
    pub(crate) fn zero(self) -> Value {
        match self {
            Type::List(element) => Value::List(crate::value::List::nil(element)),
            Type::Map(element) => Value::Map(crate::value::Map::nil(element)),
            _ => Value::Nil,
        }
    }

    /// Whether a value is of this type.
    pub(crate) fn takes(self, value: &Value) -> bool {
        match (self, value) {
            (Type::Any | Type::Reflect, _) => true,
            (Type::Bool, Value::Bool(_))
            | (Type::Text, Value::Text(_))
            | (Type::Int, Value::Integer(_, Width::Int))
            | (Type::Int64, Value::Integer(_, Width::Int64))
            | (Type::Uint32, Value::Integer(_, Width::Uint32))
            | (Type::Float, Value::Float(_)) => true,
            (Type::List(element), Value::List(list)) => element == list.element(),
            (Type::Map(element), Value::Map(map)) => element == map.element(),
            (Type::Named(name), Value::Object(object)) => object.type_name() == name,
            _ => false,
        }
    }
}

/// What a function or method takes and gives.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    /// The types of the fixed parameters.
    pub parameters: &'a [Type],
    /// The type of further arguments, when it takes any.
    pub rest: Option<Type>,
    /// What it gives; `Any` hides the value's own type from the next field access.
    pub result: Type,
}

impl Signature<'_> {
    /// What it takes at a place; behind the last one nothing is wanted.
    pub(crate) fn wanted(&self, place: usize) -> Type {
        let fixed = self.parameters.get(place).copied();
        fixed.or(self.rest).unwrap_or(Type::Any)
    }
}

impl<'a> Signature<'a> {
    /// A signature of these parameters and no further ones.
    #[must_use]
    pub const fn new(parameters: &'a [Type], result: Type) -> Self {
        Signature {
            parameters,
            rest: None,
            result,
        }
    }
}

/// What a function does: it is given the execution that it runs in, and values.
type OverValues = dyn Fn(&mut Scope<'_>, &[Value]) -> Result<Value, String> + Send + Sync;

/// What a function does with its arguments, which are of the declared types.
enum Body {
    /// One of the caller's.
    Values(Box<OverValues>),
    /// One that Go builds in: it tells nil from no value.
    Slots(fn(&[Slot]) -> Result<Value, String>),
}

/// A function.
pub struct Function {
    parameters: Vec<Type>,
    /// The type of further arguments.
    rest: Option<Type>,
    /// What it gives; `Any` hides the value's own type from the next field access.
    result: Type,
    body: Body,
}

impl Function {
    /// A function of these parameters.
    pub fn new(
        parameters: &[Type],
        result: Type,
        body: impl Fn(&mut Scope<'_>, &[Value]) -> Result<Value, String> + Send + Sync + 'static,
    ) -> Self {
        Function {
            parameters: parameters.to_vec(),
            rest: None,
            result,
            body: Body::Values(Box::new(body)),
        }
    }

    /// One of Go's own, over `reflect.Value`s.
    pub(crate) fn of_slots(
        parameters: &[Type],
        result: Type,
        body: fn(&[Slot]) -> Result<Value, String>,
    ) -> Self {
        Function {
            parameters: parameters.to_vec(),
            rest: None,
            result,
            body: Body::Slots(body),
        }
    }

    /// The same with any number of further arguments.
    #[must_use]
    pub fn with_rest(mut self, rest: Type) -> Self {
        self.rest = Some(rest);
        self
    }

    /// The types of the fixed parameters.
    #[must_use]
    pub fn parameters(&self) -> &[Type] {
        &self.parameters
    }

    /// The type of further arguments, when it takes any.
    #[must_use]
    pub fn rest(&self) -> Option<Type> {
        self.rest
    }

    /// What it takes and gives.
    #[must_use]
    pub fn signature(&self) -> Signature<'_> {
        Signature {
            parameters: &self.parameters,
            rest: self.rest,
            result: self.result,
        }
    }

    pub(crate) fn call(
        &self,
        scope: &mut Scope<'_>,
        arguments: Vec<Slot>,
    ) -> Result<Value, String> {
        match &self.body {
            Body::Slots(body) => body(&arguments),
            Body::Values(body) => {
                let values: Vec<Value> = arguments.into_iter().map(Slot::into_value).collect();
                body(scope, &values)
            }
        }
    }

    /// Go's name of its type.
    #[must_use]
    pub fn type_name(&self) -> String {
        let fixed = self.parameters.iter().map(|one| one.name());
        let rest = self.rest.map(|one| format!("...{}", one.name()));
        let parameters: Vec<String> = fixed.chain(rest).collect();
        format!("func({}) {}", parameters.join(", "), self.result.name())
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.type_name())
    }
}

/// Functions by name, beside those that are built in.
#[derive(Debug, Default)]
pub struct Functions(HashMap<&'static str, Function, BuildHasherDefault<NameHasher>>);

/// FNV-1a: names of functions are short, ours, and asked for at every call.
#[derive(Clone, Copy)]
struct NameHasher(u64);

impl Default for NameHasher {
    fn default() -> Self {
        NameHasher(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Functions {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Functions::default()
    }

    /// Adds a function, in place of one of its name.
    pub fn add(&mut self, name: &'static str, function: Function) {
        self.0.insert(name, function);
    }

    /// The names of all, in no order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    /// A function.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Function> {
        self.0.get(name)
    }
}
