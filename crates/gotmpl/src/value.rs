//! Go's dynamic values, as far as templates can see them.
//!
//! Read [`Value`] first. Maps are shared and can change, as Go's are: a function that sets a key
//! changes the map for everybody who holds it. Lists and texts never change. Values belong to one
//! execution and one thread; what is parsed holds none.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use crate::function::Function;
use crate::object::Object;

/// A text. Go's strings are bytes; those that are no UTF-8 are kept as `bytes` says.
pub type Text = Arc<str>;

/// A value with its Go type.
#[derive(Clone)]
pub enum Value {
    /// `nil`, of type `interface {}`.
    Nil,
    /// `bool`.
    Bool(bool),
    /// An integer of one of Go's types; in range for it.
    Integer(i128, Width),
    /// `float64`.
    Float(f64),
    /// `complex128`: real and imaginary part.
    Complex(f64, f64),
    /// `string`.
    Text(Text),
    /// A slice.
    List(List),
    /// A map with text keys.
    Map(Map),
    /// A function, to be called by `call`.
    Function(Rc<Function>),
    /// A value with fields or methods.
    Object(Rc<dyn Object>),
}

/// The types of integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// `int`, of 64 bits.
    Int,
    /// `int32`, which is also Go's type of characters.
    Int32,
    /// `int64`.
    Int64,
    /// `uint8`, a byte.
    Uint8,
    /// `uint32`.
    Uint32,
    /// `uint64`.
    Uint64,
}

impl Width {
    /// Go's name of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Width::Int => "int",
            Width::Int32 => "int32",
            Width::Int64 => "int64",
            Width::Uint8 => "uint8",
            Width::Uint32 => "uint32",
            Width::Uint64 => "uint64",
        }
    }

    /// Whether it has a sign.
    #[must_use]
    pub fn is_signed(self) -> bool {
        matches!(self, Width::Int | Width::Int32 | Width::Int64)
    }
}

/// The declared type of the elements of a list or map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// `interface {}`: anything.
    Any,
    /// `string`.
    Text,
    /// `int`.
    Int,
    /// `uint8`.
    Byte,
    /// `map[string]interface {}`.
    Map,
    /// `[]interface {}`.
    List,
}

impl Element {
    /// Go's name of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Element::Any => "interface {}",
            Element::Text => "string",
            Element::Int => "int",
            Element::Byte => "uint8",
            Element::Map => "map[string]interface {}",
            Element::List => "[]interface {}",
        }
    }

    /// The value of an element that was never set.
    #[must_use]
    pub fn zero(self) -> Value {
        match self {
            Element::Any => Value::Nil,
            Element::Text => Value::text(""),
            Element::Int => Value::int(0),
            Element::Byte => Value::Integer(0, Width::Uint8),
            Element::Map => Value::Map(Map::nil(Element::Any)),
            Element::List => Value::List(List::nil(Element::Any)),
        }
    }
}

/// A slice: never changes, cheap to clone.
#[derive(Clone)]
pub struct List {
    items: Rc<[Value]>,
    element: Element,
    is_nil: bool,
}

impl List {
    /// A slice of any values.
    #[must_use]
    pub fn new(items: Vec<Value>, element: Element) -> Self {
        List {
            items: items.into(),
            element,
            is_nil: false,
        }
    }

    /// The slice that was never made: empty, and `null` for encoders.
    #[must_use]
    pub fn nil(element: Element) -> Self {
        List {
            items: Rc::new([]),
            element,
            is_nil: true,
        }
    }

    /// Whether it was never made.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        self.is_nil
    }

    /// Its values.
    #[must_use]
    pub fn items(&self) -> &[Value] {
        &self.items
    }

    /// The type of its elements.
    #[must_use]
    pub fn element(&self) -> Element {
        self.element
    }
}

/// A map: shared by its clones, which see each other's changes.
#[derive(Clone)]
pub struct Map {
    entries: Rc<RefCell<BTreeMap<Text, Value>>>,
    element: Element,
    is_nil: bool,
}

impl Map {
    /// An empty map.
    #[must_use]
    pub fn new(element: Element) -> Self {
        Map {
            entries: Rc::default(),
            element,
            is_nil: false,
        }
    }

    /// The map that was never made: empty, `null` for encoders, and nothing can be set in it.
    #[must_use]
    pub fn nil(element: Element) -> Self {
        Map {
            is_nil: true,
            ..Map::new(element)
        }
    }

    /// Whether it was never made.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        self.is_nil
    }

    /// A map of the same entries, which is not shared.
    #[must_use]
    pub fn copied(&self) -> Self {
        Map {
            entries: Rc::new(RefCell::new(self.entries.borrow().clone())),
            element: self.element,
            is_nil: self.is_nil,
        }
    }

    /// Whether it has a key.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.entries.borrow().contains_key(key)
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value> {
        self.entries.borrow().get(key).cloned()
    }

    /// Sets a key, for everybody who holds the map.
    pub fn set(&self, key: Text, value: Value) {
        self.entries.borrow_mut().insert(key, value);
    }

    /// Removes a key, for everybody who holds the map; gives what it was.
    #[must_use = "the value may matter; drop it when it does not"]
    pub fn remove(&self, key: &str) -> Option<Value> {
        self.entries.borrow_mut().remove(key)
    }

    /// How many keys it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    /// Whether it has no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its entries in the order of their keys, as they are now.
    #[must_use]
    pub fn entries(&self) -> Vec<(Text, Value)> {
        let entries = self.entries.borrow();
        entries
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// The type of its elements.
    #[must_use]
    pub fn element(&self) -> Element {
        self.element
    }

    /// Whether both are one map.
    #[must_use]
    pub fn is_same(&self, other: &Map) -> bool {
        Rc::ptr_eq(&self.entries, &other.entries)
    }
}

impl FromIterator<(Text, Value)> for Map {
    fn from_iter<T: IntoIterator<Item = (Text, Value)>>(entries: T) -> Self {
        let entries: BTreeMap<Text, Value> = entries.into_iter().collect();
        Map {
            entries: Rc::new(RefCell::new(entries)),
            element: Element::Any,
            is_nil: false,
        }
    }
}

impl Value {
    /// An `int`.
    #[must_use]
    pub fn int(number: i64) -> Self {
        Value::Integer(number.into(), Width::Int)
    }

    /// An `int64`.
    #[must_use]
    pub fn int64(number: i64) -> Self {
        Value::Integer(number.into(), Width::Int64)
    }

    /// A `string`.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Value::Text(text.into())
    }

    /// A `[]interface {}`.
    #[must_use]
    pub fn list(items: Vec<Value>) -> Self {
        Value::List(List::new(items, Element::Any))
    }

    /// Go's name of its type, as `%T` prints it.
    #[must_use]
    pub fn type_name(&self) -> String {
        match self {
            Value::Nil => "<nil>".to_owned(),
            Value::Bool(_) => "bool".to_owned(),
            Value::Integer(_, width) => width.name().to_owned(),
            Value::Float(_) => "float64".to_owned(),
            Value::Complex(..) => "complex128".to_owned(),
            Value::Text(_) => "string".to_owned(),
            Value::List(list) => format!("[]{}", list.element.name()),
            Value::Map(map) => format!("map[string]{}", map.element.name()),
            Value::Function(function) => function.type_name(),
            Value::Object(object) => object.type_name(),
        }
    }

    /// Whether `if` takes it for true: neither nil, false, zero nor empty.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(value) => *value,
            Value::Integer(number, _) => *number != 0,
            Value::Float(number) => *number != 0.0,
            Value::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::List(list) => !list.items.is_empty(),
            Value::Map(map) => !map.is_empty(),
            Value::Function(_) => true,
            Value::Object(object) => {
                crate::object::underlying(object.as_ref()).is_none_or(|value| value.is_true())
            }
        }
    }

    /// The map, list or number that a named type is; any other value as it is.
    #[must_use]
    pub fn underlying(&self) -> std::borrow::Cow<'_, Value> {
        let Value::Object(object) = self else {
            return std::borrow::Cow::Borrowed(self);
        };
        match crate::object::underlying(object.as_ref()) {
            Some(value) => std::borrow::Cow::Owned(value),
            None => std::borrow::Cow::Borrowed(self),
        }
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text.into())
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", crate::print::sprint(std::slice::from_ref(self)))
    }
}
