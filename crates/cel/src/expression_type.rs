//! The types of expressions.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use yaml::Str;

/// The type of an expression or of data.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// Of an expression that is wrong; what contains it is not blamed as well.
    Error,
    /// Known when it runs only.
    Dyn,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// A whole number of 64 bits without sign.
    Uint,
    /// A floating point number.
    Double,
    /// Text.
    String,
    /// Bytes; base64 text in data.
    Bytes,
    /// A span of time; Go's text in data.
    Duration,
    /// A point in time; RFC 3339 text in data.
    Timestamp,
    /// A list of one type.
    List(Arc<Type>, Relation),
    /// A map from keys of one type to values of one type.
    Map(Arc<Type>, Arc<Type>),
    /// A struct.
    Object(Arc<ObjectType>),
    /// A value that may be absent.
    Optional(Arc<Type>),
    /// The type of types.
    Type(Arc<Type>),
    /// A type of a library, such as `net.IP`.
    Opaque(&'static str),
    /// A type parameter of an overload, or one still to be found.
    Param(u32),
}

/// How lists of data are compared and joined (`x-kubernetes-list-type`).
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Relation {
    /// Item by item.
    #[default]
    Atomic,
    /// Without order.
    Set,
    /// By these members of their items, without order.
    Map(Arc<[Str]>),
}

/// A struct: its declared members by the name that expressions use.
#[derive(Clone, Debug)]
pub struct ObjectType {
    /// The name for messages.
    pub name: Str,
    /// The members.
    pub fields: BTreeMap<Str, Field>,
}

/// Objects are the same type when they have the same name: schemas repeat.
impl PartialEq for ObjectType {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// A member of a struct.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its key in the data, which may be no identifier.
    pub key: Str,
    /// Its type.
    pub ty: Type,
}

impl Type {
    /// A list without a relation of its own.
    #[must_use]
    pub fn list(element: Type) -> Type {
        Type::List(Arc::new(element), Relation::Atomic)
    }

    /// A map.
    #[must_use]
    pub fn map(key: Type, value: Type) -> Type {
        Type::Map(Arc::new(key), Arc::new(value))
    }

    /// A value that may be absent.
    #[must_use]
    pub fn optional(of: Type) -> Type {
        Type::Optional(Arc::new(of))
    }

    pub(crate) fn is_dyn_or_error(&self) -> bool {
        matches!(self, Type::Dyn | Type::Error)
    }

    /// The types that it is made of.
    pub(crate) fn parts(&self) -> Vec<&Type> {
        match self {
            Type::List(element, _) => vec![element],
            Type::Map(key, value) => vec![key, value],
            Type::Optional(of) | Type::Type(of) => vec![of],
            _ => Vec::new(),
        }
    }
}

/// As messages name types.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Error => f.write_str("!error!"),
            Type::Dyn => f.write_str("dyn"),
            Type::Null => f.write_str("null"),
            Type::Bool => f.write_str("bool"),
            Type::Int => f.write_str("int"),
            Type::Uint => f.write_str("uint"),
            Type::Double => f.write_str("double"),
            Type::String => f.write_str("string"),
            Type::Bytes => f.write_str("bytes"),
            Type::Duration => f.write_str("duration"),
            Type::Timestamp => f.write_str("timestamp"),
            Type::List(element, _) => write!(f, "list({element})"),
            Type::Map(key, value) => write!(f, "map({key}, {value})"),
            Type::Object(object) => f.write_str(&object.name),
            Type::Optional(of) => write!(f, "optional_type({of})"),
            Type::Type(of) => write!(f, "type({of})"),
            Type::Opaque(name) => f.write_str(name),
            Type::Param(index) => write!(f, "_var{index}"),
        }
    }
}
