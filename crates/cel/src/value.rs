//! Values while an expression runs: made ones, and parts of data seen through their type.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use jiff::Timestamp;
use manifest::quantity::Quantity;
use yaml::{Map, Str, Value};

use crate::eval::EvalError;
use crate::expression_type::{Relation, Type};
use crate::functions::{named_format::Format, semver::Semver, url::Url};
use crate::go_time;

/// The type of data of which nothing is known.
pub(crate) static DYN: Type = Type::Dyn;

/// A value. Data is borrowed, not copied.
#[derive(Clone, Debug)]
pub enum Val<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number without sign.
    Uint(u64),
    /// A floating point number.
    Double(f64),
    /// Text.
    String(Str),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// Nanoseconds.
    Duration(i64),
    /// A point in time.
    Timestamp(Timestamp),
    /// A list.
    List(List<'a>),
    /// A map or struct.
    Map(MapValue<'a>),
    /// A value that may be absent.
    Optional(Option<Box<Val<'a>>>),
    /// A type, by its name.
    Type(Str),
    /// A value of a library.
    Opaque(Opaque),
}

/// A list.
#[derive(Clone, Debug)]
pub enum List<'a> {
    /// A list of data, its items' type and how it is compared.
    Data(&'a [Value], &'a Type, &'a Relation),
    /// A list that was made.
    Made(Arc<Vec<Val<'a>>>),
}

/// A map.
#[derive(Clone, Debug)]
pub enum MapValue<'a> {
    /// A map of data and its type.
    Data(&'a Map, &'a Type),
    /// A map that was made.
    Made(Arc<Vec<(Val<'a>, Val<'a>)>>),
    /// Named results, some of which failed: a failure counts when it is asked for.
    Results(Arc<Vec<(Str, Result<Val<'a>, EvalError>)>>),
}

/// A value of a library.
#[derive(Clone, Debug, PartialEq)]
pub enum Opaque {
    /// `net.IP`
    Ip(IpAddr),
    /// `net.CIDR`: an address and the length of its prefix.
    Cidr(IpAddr, u8),
    /// `net.URL`
    Url(Url),
    /// `kubernetes.Quantity`
    Quantity(Quantity),
    /// `kubernetes.Semver`
    Semver(Semver),
    /// `kubernetes.NamedFormat`
    Format(&'static Format),
}

impl<'a> Val<'a> {
    /// Data seen through a type.
    ///
    /// # Errors
    /// When text is not what its format says.
    pub fn data(value: &'a Value, ty: &'a Type) -> Result<Val<'a>, EvalError> {
        Ok(match (value, ty) {
            (Value::Null, _) => Val::Null,
            (Value::Bool(flag), _) => Val::Bool(*flag),
            (Value::Int(number), Type::Double) => Val::Double(*number as f64),
            (Value::Int(number), _) => Val::Int(*number),
            (Value::Uint(number), _) => Val::Uint(*number),
            (Value::Float(number), Type::Int) => Val::Int(*number as i64),
            (Value::Float(number), _) => Val::Double(*number),
            (Value::String(text), ty) => text_data(text, ty)?,
            (Value::List(items), Type::List(element, relation)) => {
                Val::List(List::Data(items, element, relation))
            }
            (Value::List(items), _) => Val::List(List::Data(items, &DYN, &Relation::Atomic)),
            (Value::Map(members), ty) => Val::Map(MapValue::Data(members, ty)),
        })
    }

    /// Text.
    #[must_use]
    pub fn text(text: &str) -> Val<'a> {
        Val::String(text.into())
    }

    /// A list of values.
    #[must_use]
    pub fn list(items: Vec<Val<'a>>) -> Val<'a> {
        Val::List(List::Made(Arc::new(items)))
    }

    pub(crate) fn some(value: Val<'a>) -> Val<'a> {
        Val::Optional(Some(Box::new(value)))
    }

    /// The name of its type.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Val::Null => "null_type",
            Val::Bool(_) => "bool",
            Val::Int(_) => "int",
            Val::Uint(_) => "uint",
            Val::Double(_) => "double",
            Val::String(_) => "string",
            Val::Bytes(_) => "bytes",
            Val::Duration(_) => "google.protobuf.Duration",
            Val::Timestamp(_) => "google.protobuf.Timestamp",
            Val::List(_) => "list",
            Val::Map(_) => "map",
            Val::Optional(_) => "optional_type",
            Val::Type(_) => "type",
            Val::Opaque(opaque) => match opaque {
                Opaque::Ip(_) => "net.IP",
                Opaque::Cidr(..) => "net.CIDR",
                Opaque::Url(_) => "net.URL",
                Opaque::Quantity(_) => "kubernetes.Quantity",
                Opaque::Semver(_) => "kubernetes.Semver",
                Opaque::Format(_) => "kubernetes.NamedFormat",
            },
        }
    }

    /// Whether it is what its type starts with: zero, empty, absent.
    pub(crate) fn is_zero(&self) -> bool {
        match self {
            Val::Null => true,
            Val::Bool(flag) => !flag,
            Val::Int(number) | Val::Duration(number) => *number == 0,
            Val::Uint(number) => *number == 0,
            Val::Double(number) => *number == 0.0,
            Val::String(text) => text.is_empty(),
            Val::Bytes(bytes) => bytes.is_empty(),
            Val::List(list) => list.len() == 0,
            Val::Map(map) => map.len() == 0,
            Val::Optional(value) => value.is_none(),
            Val::Timestamp(_) | Val::Type(_) | Val::Opaque(_) => false,
        }
    }
}

fn text_data<'a>(text: &Str, ty: &Type) -> Result<Val<'a>, EvalError> {
    let failed = |what: &str, why: &str| EvalError::new(format!("Invalid {what} {text}: {why}"));
    Ok(match ty {
        Type::Bytes => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(text.as_bytes());
            let bytes =
                bytes.map_err(|_invalid| failed("byte formatted string", "illegal base64"))?;
            Val::Bytes(bytes.into())
        }
        Type::Duration => {
            Val::Duration(go_time::parse_duration(text).map_err(|why| failed("duration", &why))?)
        }
        Type::Timestamp => {
            let parsed = go_time::parse_timestamp(text).or_else(|| go_time::parse_date(text));
            Val::Timestamp(parsed.ok_or_else(|| failed("date formatted string", "no such time"))?)
        }
        _ => Val::String(text.clone()),
    })
}

impl<'a> List<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            List::Data(items, ..) => items.len(),
            List::Made(items) => items.len(),
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<Result<Val<'a>, EvalError>> {
        match self {
            List::Data(items, element, _) => items.get(index).map(|item| Val::data(item, element)),
            List::Made(items) => items.get(index).cloned().map(Ok),
        }
    }

    /// All items.
    ///
    /// # Errors
    /// When one is not what its format says.
    pub fn items(&self) -> Result<Vec<Val<'a>>, EvalError> {
        (0..self.len())
            .filter_map(|index| self.get(index))
            .collect()
    }

    pub(crate) fn relation(&self) -> &Relation {
        match self {
            List::Data(_, _, relation) => relation,
            List::Made(_) => &Relation::Atomic,
        }
    }
}

impl<'a> MapValue<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            MapValue::Data(members, _) => members.len(),
            MapValue::Made(entries) => entries.len(),
            MapValue::Results(results) => results.len(),
        }
    }

    /// The value at a key; `None` when there is none.
    pub(crate) fn get(&self, key: &Val<'a>) -> Option<Result<Val<'a>, EvalError>> {
        match (self, key) {
            (MapValue::Made(entries), key) => entries
                .iter()
                .find(|(known, _)| equal(known, key).unwrap_or(false))
                .map(|(_, value)| Ok(value.clone())),
            (_, Val::String(name)) => self.field(name),
            _ => None,
        }
    }

    /// The member of a name as expressions write it.
    pub(crate) fn field(&self, name: &str) -> Option<Result<Val<'a>, EvalError>> {
        match self {
            MapValue::Data(members, ty) => {
                let (key, ty) = match ty {
                    Type::Object(object) => {
                        let field = object.fields.get(name)?;
                        (field.key.as_str(), &field.ty)
                    }
                    Type::Map(_, value) => (name, value.as_ref()),
                    _ => (name, &DYN),
                };
                members.get(key).map(|value| Val::data(value, ty))
            }
            MapValue::Made(_) => self.get(&Val::text(name)),
            MapValue::Results(results) => results
                .iter()
                .find(|(known, _)| *known == *name)
                .map(|(_, result)| result.clone()),
        }
    }

    /// All keys.
    pub(crate) fn keys(&self) -> Vec<Val<'a>> {
        match self {
            MapValue::Data(members, _) => {
                members.keys().map(|key| Val::String(key.clone())).collect()
            }
            MapValue::Made(entries) => entries.iter().map(|(key, _)| key.clone()).collect(),
            MapValue::Results(results) => results
                .iter()
                .map(|(key, _)| Val::String(key.clone()))
                .collect(),
        }
    }
}

/// Whether two values are equal; values of different types are not.
///
/// # Errors
/// When data is not what its format says.
pub(crate) fn equal(one: &Val<'_>, other: &Val<'_>) -> Result<bool, EvalError> {
    Ok(match (one, other) {
        (Val::Null, Val::Null) => true,
        (Val::Bool(one), Val::Bool(other)) => one == other,
        (Val::String(one), Val::String(other)) | (Val::Type(one), Val::Type(other)) => one == other,
        (Val::Bytes(one), Val::Bytes(other)) => one == other,
        (Val::Duration(one), Val::Duration(other)) => one == other,
        (Val::Timestamp(one), Val::Timestamp(other)) => one == other,
        (Val::Opaque(one), Val::Opaque(other)) => one == other,
        (Val::Optional(one), Val::Optional(other)) => match (one, other) {
            (Some(one), Some(other)) => equal(one, other)?,
            (None, None) => true,
            _ => false,
        },
        (Val::List(one), Val::List(other)) => lists_equal(one, other)?,
        (Val::Map(one), Val::Map(other)) => maps_equal(one, other)?,
        (one, other) => numbers(one, other) == Some(Ordering::Equal),
    })
}

fn lists_equal(one: &List<'_>, other: &List<'_>) -> Result<bool, EvalError> {
    if one.len() != other.len() {
        return Ok(false);
    }
    let (items, others) = (one.items()?, other.items()?);
    match one.relation() {
        Relation::Atomic => {
            for (item, other) in items.iter().zip(&others) {
                if !equal(item, other)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Relation::Set => all_among(&items, &others),
        Relation::Map(keys) => {
            for item in &items {
                let same = find_by_keys(item, &others, keys)?;
                if !matches!(same, Some(same) if equal(item, same)?) {
                    return Ok(false);
                }
            }
            Ok(true)
        }
    }
}

/// Whether every item is among others.
pub(crate) fn all_among(items: &[Val<'_>], others: &[Val<'_>]) -> Result<bool, EvalError> {
    for item in items {
        if !is_among(item, others)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether an item is among others.
pub(crate) fn is_among(item: &Val<'_>, others: &[Val<'_>]) -> Result<bool, EvalError> {
    for other in others {
        if equal(item, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The item with the same keys.
pub(crate) fn find_by_keys<'b, 'a>(
    item: &Val<'a>,
    others: &'b [Val<'a>],
    keys: &[Str],
) -> Result<Option<&'b Val<'a>>, EvalError> {
    let key = |of: &Val<'a>, name: &Str| match of {
        Val::Map(map) => map.field(name).transpose(),
        _ => Ok(None),
    };
    'others: for other in others {
        for name in keys {
            let same = match (key(item, name)?, key(other, name)?) {
                (Some(one), Some(other)) => equal(&one, &other)?,
                (None, None) => true,
                _ => false,
            };
            if !same {
                continue 'others;
            }
        }
        return Ok(Some(other));
    }
    Ok(None)
}

fn maps_equal(one: &MapValue<'_>, other: &MapValue<'_>) -> Result<bool, EvalError> {
    // Members are compared by their keys in the data.
    if let (MapValue::Data(one, _), MapValue::Data(other, _)) = (one, other) {
        return Ok(one == other);
    }
    if one.len() != other.len() {
        return Ok(false);
    }
    for key in one.keys() {
        let (Some(one), Some(other)) = (one.get(&key), other.get(&key)) else {
            return Ok(false);
        };
        if !equal(&one?, &other?)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The order of two values that have one; numbers are compared across their types.
pub(crate) fn order(one: &Val<'_>, other: &Val<'_>) -> Option<Ordering> {
    match (one, other) {
        (Val::Bool(one), Val::Bool(other)) => Some(one.cmp(other)),
        (Val::String(one), Val::String(other)) => Some(one.cmp(other)),
        (Val::Bytes(one), Val::Bytes(other)) => Some(one.cmp(other)),
        (Val::Duration(one), Val::Duration(other)) => Some(one.cmp(other)),
        (Val::Timestamp(one), Val::Timestamp(other)) => Some(one.cmp(other)),
        (one, other) => numbers(one, other),
    }
}

fn numbers(one: &Val<'_>, other: &Val<'_>) -> Option<Ordering> {
    let whole = |of: &Val<'_>| match of {
        Val::Int(number) => Some(i128::from(*number)),
        Val::Uint(number) => Some(i128::from(*number)),
        _ => None,
    };
    if let (Some(one), Some(other)) = (whole(one), whole(other)) {
        return Some(one.cmp(&other));
    }
    let any = |of: &Val<'_>| match of {
        Val::Double(number) => Some(*number),
        of => whole(of).map(|number| number as f64),
    };
    any(one)?.partial_cmp(&any(other)?)
}
