//! Go values with fields or methods: structs, pointers to them, and named types.
//!
//! Read [`Object`]. What such a value means is told by whoever makes it; the executor asks for
//! members, printers and encoders for its data.

use std::any::Any;

use crate::exec::Scope;
use crate::function::Signature;
use crate::value::{Text, Value};

/// The kinds of values that are objects, as Go's `reflect` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `struct`.
    Struct,
    /// `ptr`, a pointer to a struct.
    Pointer,
    /// `map`, a named one.
    Map,
    /// `slice`, a named one.
    Slice,
    /// `int`, a named one.
    Int,
    /// `int64`, a named one.
    Int64,
}

impl Kind {
    /// Go's word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Struct => "struct",
            Kind::Pointer => "ptr",
            Kind::Map => "map",
            Kind::Slice => "slice",
            Kind::Int => "int",
            Kind::Int64 => "int64",
        }
    }
}

/// What a name means behind an object.
pub enum Member {
    /// A field.
    Field(Value),
    /// A method, which [`Object::call`] calls.
    Method(Signature<'static>),
}

/// What encoders and printers see of an object.
pub enum Data {
    /// A text, as types that marshal themselves give.
    Text(String),
    /// Exported fields, in the order of their declaration.
    Fields(Vec<(&'static str, Value)>),
    /// The value that a named map, slice or integer is.
    Value(Value),
}

/// A Go value with fields or methods.
pub trait Object: Any {
    /// Go's name of its type, such as `time.Time`.
    fn type_name(&self) -> String;

    /// What Go's `reflect` calls it.
    fn kind(&self) -> Kind;

    /// What its `String` method gives, when it has one.
    fn text(&self) -> Option<String> {
        None
    }

    /// What encoders see.
    fn data(&self) -> Data;

    /// A field or method; a method wins.
    fn member(&self, name: &str) -> Option<Member>;

    /// Calls the method of this name with arguments of its types.
    ///
    /// # Errors
    /// Go's text of the method's error.
    fn call(&self, scope: &mut Scope<'_>, name: &str, given: &[Value]) -> Result<Value, String> {
        let _ = (scope, given);
        Err(format!("{name} is no method"))
    }

    /// Itself, for functions that know its type.
    fn as_any(&self) -> &dyn Any;
}

/// The map, list or number that an object is, when it is no struct.
pub(crate) fn underlying(object: &dyn Object) -> Option<Value> {
    match object.data() {
        Data::Value(value) => Some(value),
        Data::Text(_) | Data::Fields(_) => None,
    }
}

/// How an object is printed by `%v`: by its `String` method, or as the values of its fields.
pub(crate) enum Shown {
    Text(Text),
    Fields(Vec<(&'static str, Value)>),
    Value(Value),
}

pub(crate) fn shown(object: &dyn Object) -> Shown {
    if let Some(text) = object.text() {
        return Shown::Text(text.into());
    }
    match object.data() {
        Data::Text(text) => Shown::Text(text.into()),
        Data::Fields(fields) => Shown::Fields(fields),
        Data::Value(value) => Shown::Value(value),
    }
}
