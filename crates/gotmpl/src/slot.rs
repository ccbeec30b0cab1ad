//! A value as the pipeline sees it: Go's `reflect.Value`.
//!
//! Go tells nil in an `interface {}` from no value at all, and names the type of an element by
//! that of its list; some errors depend on it.

use crate::value::{Element, Value};

/// A value on its way through a pipeline.
#[derive(Clone)]
pub(crate) enum Slot {
    /// No value: a missing key, or nil taken out of its interface.
    Absent,
    /// A value of its own type; never nil.
    Plain(Value),
    /// A value in an `interface {}`, as elements of lists and maps are.
    Boxed(Value),
}

impl Slot {
    pub(crate) fn plain(value: Value) -> Self {
        match value {
            Value::Nil => Slot::Absent,
            value => Slot::Plain(value),
        }
    }

    /// An element of a list or map.
    pub(crate) fn element(value: Value, element: Element) -> Self {
        match element {
            Element::Any => Slot::Boxed(value),
            _ => Slot::plain(value),
        }
    }

    /// What is in the interface.
    pub(crate) fn unboxed(self) -> Self {
        match self {
            Slot::Boxed(value) => Slot::plain(value),
            other => other,
        }
    }

    pub(crate) fn into_value(self) -> Value {
        match self {
            Slot::Absent => Value::Nil,
            Slot::Plain(value) | Slot::Boxed(value) => value,
        }
    }

    pub(crate) fn is_true(&self) -> bool {
        match self {
            Slot::Absent => false,
            Slot::Plain(value) | Slot::Boxed(value) => value.is_true(),
        }
    }
}
