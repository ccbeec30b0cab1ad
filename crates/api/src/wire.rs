//! How a type reads and writes itself, and the schema that says so: the trait [`Wire`] for single
//! values and the macro `record!` for structs.
//!
//! One definition of a struct gives its fields, Go's `omitempty` rules, the members that it does
//! not know, errors with a path, and its part of the CRD. Serde's `flatten` was the other way: it
//! buffers every value once more, has no paths in its errors, and would need a second derive for
//! the schema, whose output is not structural.

use std::collections::BTreeMap;

use yaml::{Map, Value};

use crate::Error;

/// A value that has a form in JSON.
pub(crate) trait Wire: Sized {
    /// Reads it; `null` reads as the zero value, as in Go.
    fn read(value: Value) -> Result<Self, Error>;

    /// Writes it, empty or not.
    fn write(&self) -> Value;

    /// Whether Go's `omitempty` leaves it out.
    fn is_empty(&self) -> bool;

    /// Its structural schema.
    fn schema() -> Map;
}

/// What a missing member reads as.
pub(crate) fn read_member<T: Wire>(value: Option<Value>, key: &str) -> Result<T, Error> {
    T::read(value.unwrap_or_default()).map_err(|error| error.in_member(key))
}

pub(crate) fn of_type(name: &str) -> Map {
    Map::from([("type", Value::from(name))])
}

impl Wire for String {
    fn read(value: Value) -> Result<Self, Error> {
        match value {
            Value::String(text) => Ok(text.into()),
            Value::Null => Ok(String::new()),
            other => Err(Error::new("string", other.kind())),
        }
    }
    fn write(&self) -> Value {
        Value::from(self.as_str())
    }
    fn is_empty(&self) -> bool {
        self.as_str().is_empty()
    }
    fn schema() -> Map {
        of_type("string")
    }
}

impl Wire for bool {
    fn read(value: Value) -> Result<Self, Error> {
        match value {
            Value::Bool(flag) => Ok(flag),
            Value::Null => Ok(false),
            other => Err(Error::new("bool", other.kind())),
        }
    }
    fn write(&self) -> Value {
        Value::Bool(*self)
    }
    fn is_empty(&self) -> bool {
        !self
    }
    fn schema() -> Map {
        of_type("boolean")
    }
}

impl Wire for i64 {
    fn read(value: Value) -> Result<Self, Error> {
        match value {
            Value::Int(number) => Ok(number),
            Value::Null => Ok(0),
            other => Err(Error::new("a whole number", other.kind())),
        }
    }
    fn write(&self) -> Value {
        Value::Int(*self)
    }
    fn is_empty(&self) -> bool {
        *self == 0
    }
    fn schema() -> Map {
        let mut schema = of_type("integer");
        schema.insert("format", "int64");
        schema
    }
}

/// Anything: kept as it is.
impl Wire for Value {
    fn read(value: Value) -> Result<Self, Error> {
        Ok(value)
    }
    fn write(&self) -> Value {
        self.clone()
    }
    fn is_empty(&self) -> bool {
        self.is_null()
    }
    fn schema() -> Map {
        Map::from([("x-kubernetes-preserve-unknown-fields", Value::Bool(true))])
    }
}

/// An object whose members are the user's own.
impl Wire for Map {
    fn read(value: Value) -> Result<Self, Error> {
        match value {
            Value::Map(map) => Ok(map),
            Value::Null => Ok(Map::new()),
            other => Err(Error::new("object", other.kind())),
        }
    }
    fn write(&self) -> Value {
        Value::Map(self.clone())
    }
    fn is_empty(&self) -> bool {
        Map::is_empty(self)
    }
    fn schema() -> Map {
        let mut schema = of_type("object");
        schema.insert("x-kubernetes-preserve-unknown-fields", true);
        schema
    }
}

impl<T: Wire> Wire for Option<T> {
    fn read(value: Value) -> Result<Self, Error> {
        match value {
            Value::Null => Ok(None),
            value => T::read(value).map(Some),
        }
    }
    fn write(&self) -> Value {
        self.as_ref().map_or(Value::Null, Wire::write)
    }
    fn is_empty(&self) -> bool {
        self.is_none()
    }
    fn schema() -> Map {
        T::schema()
    }
}

/// What is large and mostly absent is boxed, so that its absence takes no room.
impl<T: Wire> Wire for Box<T> {
    fn read(value: Value) -> Result<Self, Error> {
        T::read(value).map(Box::new)
    }
    fn write(&self) -> Value {
        T::write(self)
    }
    fn is_empty(&self) -> bool {
        T::is_empty(self)
    }
    fn schema() -> Map {
        T::schema()
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn read(value: Value) -> Result<Self, Error> {
        match value {
            Value::List(list) => list
                .into_iter()
                .enumerate()
                .map(|(index, item)| T::read(item).map_err(|error| error.in_item(index)))
                .collect(),
            Value::Null => Ok(Vec::new()),
            other => Err(Error::new("array", other.kind())),
        }
    }
    fn write(&self) -> Value {
        Value::List(self.iter().map(Wire::write).collect())
    }
    fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }
    fn schema() -> Map {
        let mut schema = of_type("array");
        schema.insert("items", T::schema());
        schema
    }
}

impl<T: Wire> Wire for BTreeMap<String, T> {
    fn read(value: Value) -> Result<Self, Error> {
        match value {
            Value::Map(map) => map
                .into_iter()
                .map(|(key, value)| match T::read(value) {
                    Ok(value) => Ok((String::from(key), value)),
                    Err(error) => Err(error.in_member(&key)),
                })
                .collect(),
            Value::Null => Ok(BTreeMap::new()),
            other => Err(Error::new("object", other.kind())),
        }
    }
    fn write(&self) -> Value {
        Value::Map(
            self.iter()
                .map(|(key, value)| (key.as_str(), value.write()))
                .collect(),
        )
    }
    fn is_empty(&self) -> bool {
        BTreeMap::is_empty(self)
    }
    fn schema() -> Map {
        let mut schema = of_type("object");
        schema.insert("additionalProperties", T::schema());
        schema
    }
}

/// Defines a struct by its members. Each line is `PRESENCE "jsonName" field: Type,` under a
/// documentation comment, which is the description in the CRD as well:
///
/// - `optional`: written unless empty (Go's `omitempty`);
/// - `always`: written even when empty, yet nobody must set it (Go's `omitempty` on a struct);
/// - `required`: written even when empty, and required by the CRD.
macro_rules! record {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $(
                $(#[doc = $field_doc:literal])*
                $presence:ident $json:literal $field:ident: $type:ty,
            )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $(
                $(#[doc = $field_doc])*
                pub $field: $type,
            )*
            /// Members that this version does not know, kept as they are.
            pub rest: yaml::Map,
        }

        impl $name {
            /// Reads it from a tree; `null` reads as the default.
            ///
            /// # Errors
            /// When a member has another shape than its type; the error names the place.
            pub fn from_value(value: yaml::Value) -> Result<Self, $crate::Error> {
                $crate::wire::Wire::read(value)
            }

            /// Writes it as a tree, as Argo CD's Go types would.
            #[must_use]
            pub fn to_value(&self) -> yaml::Value {
                $crate::wire::Wire::write(self)
            }
        }

        impl $crate::wire::Wire for $name {
            fn read(value: yaml::Value) -> Result<Self, $crate::Error> {
                #[allow(unused_mut, reason = "a record may have no members")]
                let mut rest = <yaml::Map as $crate::wire::Wire>::read(value)?;
                Ok($name {
                    $($field: $crate::wire::read_member(rest.remove($json), $json)?,)*
                    rest,
                })
            }

            fn write(&self) -> yaml::Value {
                let mut members: Vec<(yaml::Str, yaml::Value)> = Vec::new();
                $(
                    if record!(@always $presence) || !$crate::wire::Wire::is_empty(&self.$field) {
                        members.push(($json.into(), $crate::wire::Wire::write(&self.$field)));
                    }
                )*
                members.extend(self.rest.iter().map(|(key, value)| (key.clone(), value.clone())));
                yaml::Value::Map(members.into_iter().collect())
            }

            fn is_empty(&self) -> bool {
                $($crate::wire::Wire::is_empty(&self.$field) &&)* self.rest.is_empty()
            }

            fn schema() -> yaml::Map {
                #[allow(unused_mut, reason = "a record may have no members")]
                let mut properties = yaml::Map::new();
                #[allow(unused_mut, reason = "a record may have no members")]
                let mut required: Vec<yaml::Value> = Vec::new();
                $(
                    let mut property = <$type as $crate::wire::Wire>::schema();
                    property.insert("description", concat!($($field_doc),*).trim());
                    properties.insert($json, property);
                    record!(@require required $presence $json);
                )*
                let mut schema = $crate::wire::of_type("object");
                if !properties.is_empty() {
                    schema.insert("properties", properties);
                }
                if !required.is_empty() {
                    schema.insert("required", required);
                }
                schema
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.to_value().serialize(serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                let value = <yaml::Value as serde::Deserialize>::deserialize(input)?;
                Self::from_value(value).map_err(serde::de::Error::custom)
            }
        }
    };
    (@always optional) => { false };
    (@always always) => { true };
    (@always required) => { true };
    (@require $required:ident required $json:literal) => {
        $required.push(yaml::Value::from($json));
    };
    (@require $required:ident optional $json:literal) => {};
    (@require $required:ident always $json:literal) => {};
}

pub(crate) use record;
