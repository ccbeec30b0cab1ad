//! Objects as the real server's types read and write them.
//!
//! Decoding into Go types and encoding again changes an object: unknown members vanish, `null`
//! means absent, required members appear with their zero value, empty optional lists and maps
//! disappear, quantities get their canonical text. [`decode`] does the same by schema, and fills in
//! the defaults on its way.

use manifest::quantity::Quantity;
use manifest::schema::{MapType, Presence, Scalar, Schema, Type, TypeRef};
use yaml::{Map, Str, Value};

use crate::quoted;
use crate::{Kind, defaults, go_types};

/// Trees deeper than this are refused while they are walked.
const MAX_DEPTH: usize = 128;

/// Gives `value` the form that the real types of `kind` give it, defaults included; gives the paths
/// of the members that the schema does not have, which are gone.
///
/// # Errors
/// What the real decoder says of a value of the wrong type.
pub fn decode(kind: Kind<'_>, schema: &Schema, value: &mut Value) -> Result<Vec<String>, String> {
    let mut reader = Reader {
        unknown: Vec::new(),
        version: kind.version,
    };
    reader.node(schema.root(), value, &Place::root(kind.kind))?;
    defaults::object(kind, value);
    Ok(reader.unknown)
}

/// Takes out the empty lists and maps of an object that a client gave and that are left out when it
/// is written: nobody comes to own them. Gives them.
pub fn take_vanishing(schema: &Schema, value: &mut Value) -> Vec<(Str, Value)> {
    let mut taken = Vec::new();
    if let Value::Map(members) = value {
        members.retain(|key, member| {
            if given_empty(schema, key, member) != Some(Presence::Vanishes) {
                return true;
            }
            taken.push((key.into(), member.clone()));
            false
        });
    }
    taken
}

/// Gives an object the form in which it is kept: no list or map in it is empty because a client gave
/// it so.
pub fn settle(schema: &Schema, value: &mut Value) {
    take_vanishing(schema, value);
    for (key, member) in value.as_map_mut().into_iter().flat_map(Map::iter_mut) {
        if given_empty(schema, key, member).is_some_and(|written| written != Presence::Pointer) {
            *member = Value::Null;
        }
    }
}

/// How a list, or a map whose keys are data, is written that a client gave empty.
fn given_empty(schema: &Schema, key: &str, member: &Value) -> Option<Presence> {
    let Type::Map(map) = schema.root().ty() else {
        return None;
    };
    let field = map.field(key)?;
    let ty = schema.root().resolve(field.ty).ty();
    let is_struct = matches!(ty, Type::Map(map) if !map.fields.is_empty());
    (!is_struct && is_empty(member)).then_some(field.presence)
}

pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::List(list) => list.is_empty(),
        Value::Map(map) => map.is_empty(),
        _ => false,
    }
}

/// Where the walk is: the step from the place above. Its path becomes text only when it is told.
#[derive(Clone, Copy)]
struct Place<'a> {
    above: Option<&'a Place<'a>>,
    step: Step<'a>,
    /// The Go struct that holds the field.
    owner: &'a str,
    depth: usize,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    /// The object itself.
    Root,
    /// A member of a struct.
    Member(&'a str),
    /// A member of a map: Go's decoder does not name it.
    Key(&'a str),
    /// An item of a list, which Go's decoder does not name either.
    Index(usize),
}

impl<'a> Place<'a> {
    fn root(kind: &'a str) -> Self {
        Place {
            above: None,
            step: Step::Root,
            owner: kind,
            depth: 0,
        }
    }

    fn down<'b>(&'b self, step: Step<'b>, owner: &'b str) -> Place<'b> {
        Place {
            above: Some(self),
            step,
            owner,
            depth: self.depth + 1,
        }
    }

    /// With keys and indices, as unknown fields are told.
    fn path(&self) -> String {
        let mut path = self.above.map(Place::path).unwrap_or_default();
        match self.step {
            Step::Root => {}
            Step::Member(name) | Step::Key(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
            }
            Step::Index(index) => path.push_str(&format!("[{index}]")),
        }
        path
    }

    /// Members of structs only, as Go's decoder tells it.
    fn bare(&self) -> String {
        let mut path = self.above.map(Place::bare).unwrap_or_default();
        if let Step::Member(name) = self.step {
            for part in go_types::embedded(self.owner, name)
                .into_iter()
                .chain([name])
            {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(part);
            }
        }
        path
    }

    fn mismatch(&self, value: &Value, go_type: &str) -> String {
        let found = match value {
            Value::Float(number) if go_type.starts_with("int") => format!("number {number:?}"),
            Value::Int(number) if go_type.starts_with("int") => format!("number {number}"),
            other => other.kind().to_owned(),
        };
        let bare = self.bare();
        let member = bare.rsplit('.').next().unwrap_or_default();
        let go_type = go_types::named(self.owner, member, go_type);
        format!(
            "json: cannot unmarshal {found} into Go struct field {}.{bare} of type {go_type}",
            self.owner
        )
    }
}

struct Reader<'k> {
    unknown: Vec<String>,
    /// The version of the kind, which is that of the package of its types.
    version: &'k str,
}

impl Reader<'_> {
    fn node(
        &mut self,
        ty: TypeRef<'_>,
        value: &mut Value,
        place: &Place<'_>,
    ) -> Result<(), String> {
        if place.depth > MAX_DEPTH {
            return Err("exceeded max depth".to_owned());
        }
        match ty.ty() {
            Type::Any | Type::Opaque => Ok(()),
            Type::Scalar(scalar) => self.scalar(*scalar, value, place),
            Type::List(list) => match value {
                Value::List(items) => {
                    let element = ty.resolve(list.element);
                    for (index, item) in items.iter_mut().enumerate() {
                        if item.is_null() {
                            *item = zero(element);
                        }
                        self.node(element, item, &place.down(Step::Index(index), place.owner))?;
                    }
                    Ok(())
                }
                other => Err(place.mismatch(other, &go_types::of(ty, self.version))),
            },
            Type::Map(map) if map.fields.is_empty() => self.map(ty, map, value, place),
            Type::Map(map) => self.structure(ty, map, value, place),
        }
    }

    fn map(
        &mut self,
        ty: TypeRef<'_>,
        map: &MapType,
        value: &mut Value,
        place: &Place<'_>,
    ) -> Result<(), String> {
        let Value::Map(members) = value else {
            return Err(place.mismatch(value, &go_types::of(ty, self.version)));
        };
        let Some(element) = map.element else {
            return Ok(());
        };
        let element = ty.resolve(element);
        for (key, member) in members.iter_mut() {
            if member.is_null() {
                *member = zero(element);
                continue;
            }
            // Go names the map, not the key, when a value is of the wrong type.
            let inner = place.down(Step::Key(key), place.owner);
            self.node(element, member, &inner)?;
            if matches!(element.ty(), Type::Scalar(Scalar::Quantity)) {
                round_up(member);
            }
        }
        Ok(())
    }

    fn structure(
        &mut self,
        ty: TypeRef<'_>,
        map: &MapType,
        value: &mut Value,
        place: &Place<'_>,
    ) -> Result<(), String> {
        let owner: &str = if map.name.is_empty() || place.depth == 0 {
            place.owner
        } else {
            &map.name
        };
        let Value::Map(members) = value else {
            return Err(place.mismatch(value, &go_types::of(ty, self.version)));
        };
        let mut failure = None;
        // Members of members are told before those of the struct itself.
        let mut own_unknown = Vec::new();
        members.retain(|key, member| {
            if failure.is_some() {
                return true;
            }
            let inner = place.down(Step::Member(key), owner);
            let Some(field) = map.field(key) else {
                let implied = place.depth == 0 && matches!(key, "apiVersion" | "kind");
                if !implied {
                    own_unknown.push(inner.path());
                }
                return implied;
            };
            if member.is_null() {
                return false;
            }
            if key == "managedFields" || key == "fieldsV1" {
                return member.as_list().is_none_or(|list| !list.is_empty());
            }
            let member_ty = ty.resolve(field.ty);
            match self.node(member_ty, member, &inner) {
                Ok(()) => match field.presence {
                    Presence::Pointer | Presence::Null => true,
                    // What is written always is added again below: empty lists as `null`.
                    Presence::Always | Presence::Vanishes => {
                        (place.depth == 0 && is_empty(member)) || !is_zero(member_ty, member)
                    }
                },
                Err(why) => {
                    failure = Some(why);
                    true
                }
            }
        });
        self.unknown.extend(own_unknown);
        match failure {
            Some(why) => Err(why),
            None => {
                defaults::fill(&map.name, members);
                self.complete(ty, map, members, place);
                Ok(())
            }
        }
    }

    /// Adds what Go always writes.
    fn complete(&mut self, ty: TypeRef<'_>, map: &MapType, members: &mut Map, place: &Place<'_>) {
        for field in &map.fields {
            let missing = !members.contains_key(&field.name);
            match field.presence {
                Presence::Null if missing => {
                    members.insert(field.name.clone(), Value::Null);
                }
                Presence::Always if missing => {
                    let member = ty.resolve(field.ty);
                    let mut value = zero(member);
                    let inner = place.down(Step::Member(&field.name), place.owner);
                    let fits = value.is_null() || self.node(member, &mut value, &inner).is_ok();
                    if fits {
                        members.insert(field.name.clone(), value);
                    }
                }
                _ => {}
            }
        }
    }

    fn scalar(
        &mut self,
        scalar: Scalar,
        value: &mut Value,
        place: &Place<'_>,
    ) -> Result<(), String> {
        let wrong = |value: &Value, go_type: &str| Err(place.mismatch(value, go_type));
        match scalar {
            Scalar::String if !matches!(value, Value::String(_)) => wrong(value, "string"),
            Scalar::Boolean if !matches!(value, Value::Bool(_)) => wrong(value, "bool"),
            Scalar::Int32 => whole(value, i64::from(i32::MIN), i64::from(i32::MAX))
                .or_else(|()| wrong(value, "int32")),
            Scalar::Int64 | Scalar::Integer => {
                whole(value, i64::MIN, i64::MAX).or_else(|()| wrong(value, "int64"))
            }
            Scalar::Number if value.as_f64().is_none() => wrong(value, "float64"),
            Scalar::Bytes => bytes(value, place),
            Scalar::Time => time(value, "%Y-%m-%dT%H:%M:%SZ", place),
            Scalar::MicroTime => time(value, "%Y-%m-%dT%H:%M:%S.%6fZ", place),
            Scalar::Quantity => quantity(value),
            Scalar::IntOrString => match value {
                Value::String(_) | Value::Int(_) => Ok(()),
                other => wrong(other, "int32"),
            },
            Scalar::String | Scalar::Boolean | Scalar::Number | Scalar::Untyped => Ok(()),
        }
    }
}

fn whole(value: &mut Value, low: i64, high: i64) -> Result<(), ()> {
    match value {
        Value::Int(number) if (low..=high).contains(number) => Ok(()),
        _ => Err(()),
    }
}

fn bytes(value: &Value, place: &Place<'_>) -> Result<(), String> {
    use base64::Engine;
    let Some(text) = value.as_str() else {
        return Err(place.mismatch(value, "[]uint8"));
    };
    let clean: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    match base64::prelude::BASE64_STANDARD.decode(&clean) {
        Ok(_) => Ok(()),
        Err(error) => {
            let offset = match error {
                base64::DecodeError::InvalidByte(offset, _)
                | base64::DecodeError::InvalidLastSymbol(offset, _) => offset,
                base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding => {
                    clean.len() / 4 * 4
                }
            };
            Err(format!("illegal base64 data at input byte {offset}"))
        }
    }
}

fn time(value: &mut Value, form: &str, place: &Place<'_>) -> Result<(), String> {
    let Some(text) = value.as_str() else {
        return Err(place.mismatch(value, "string"));
    };
    if form.contains("%6f") {
        microseconds(text)?;
    }
    match text.parse::<jiff::Timestamp>() {
        Ok(time) => *value = time.strftime(form).to_string().into(),
        Err(_) if text.is_empty() => *value = Value::Null,
        Err(_) => {
            let text = quoted(text);
            return Err(format!(
                "parsing time {text} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text} as \
                 \"2006\""
            ));
        }
    }
    Ok(())
}

/// Amounts of resources are kept in thousandths.
fn round_up(value: &mut Value) {
    let Ok(amount) = Quantity::from_value(value) else {
        return;
    };
    if let (Some(milli), Some(nano)) = (amount.scaled(-3), amount.scaled(-9))
        && milli.checked_mul(1_000_000) != Some(nano)
    {
        let rounded = format!("{milli}m").parse::<Quantity>();
        if let Ok(rounded) = rounded {
            *value = rounded.canonical().into();
        }
    }
}

/// Whole numbers from here on that are no integers were written with an exponent.
const EXPONENT: f64 = 1000.0;

/// A number is read as it was written, so one with an exponent keeps that form.
fn quantity(value: &mut Value) -> Result<(), String> {
    if let Value::Float(number) = value
        && number.abs() >= EXPONENT
        && number.fract() == 0.0
    {
        *value = format!("{number:e}").into();
    }
    match Quantity::from_value(value) {
        Ok(quantity) => {
            *value = quantity.to_string().into();
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Times with microseconds have six digits of them, no more and no less.
fn microseconds(text: &str) -> Result<(), String> {
    const WHOLE: usize = "2006-01-02T15:04:05".len();
    const DIGITS: usize = ".000000".len();
    let Some(fraction) = text.get(WHOLE..).filter(|rest| !rest.is_empty()) else {
        return Ok(());
    };
    let refused = |rest: &str, part: &str| {
        let (text, rest) = (quoted(text), quoted(rest));
        Err(format!(
            "parsing time {text} as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse {rest} as \
             \"{part}\""
        ))
    };
    let fits = |part: &str| {
        let digits = part.strip_prefix('.').unwrap_or_default();
        digits.len() + 1 == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    match fraction.get(..DIGITS) {
        Some(part) if fits(part) => match &fraction[DIGITS..] {
            zone if zone.starts_with(['Z', '+', '-']) => Ok(()),
            zone => refused(zone, "Z07:00"),
        },
        _ => refused(fraction, ".000000"),
    }
}

/// The zero value of a type as Go writes it.
fn zero(ty: TypeRef<'_>) -> Value {
    match ty.ty() {
        Type::Scalar(scalar) => match scalar {
            Scalar::String => "".into(),
            Scalar::Boolean => false.into(),
            Scalar::Int32 | Scalar::Int64 | Scalar::Integer | Scalar::Number => 0.into(),
            Scalar::Quantity => "0".into(),
            Scalar::IntOrString => 0.into(),
            Scalar::Bytes | Scalar::Time | Scalar::MicroTime | Scalar::Untyped => Value::Null,
        },
        Type::Map(map) if !map.fields.is_empty() => Value::Map(Map::new()),
        Type::Map(_) | Type::List(_) | Type::Any | Type::Opaque => Value::Null,
    }
}

/// Whether a value is what Go takes for nothing: a zero, or empty. Structs never are.
fn is_zero(ty: TypeRef<'_>, value: &Value) -> bool {
    match (ty.ty(), value) {
        (_, Value::Null) => true,
        (Type::List(_), Value::List(list)) => list.is_empty(),
        (Type::Map(map), Value::Map(members)) => map.fields.is_empty() && members.is_empty(),
        (Type::Scalar(Scalar::IntOrString), _) => false,
        (Type::Scalar(_), Value::String(text)) => text.is_empty(),
        (Type::Scalar(_), Value::Bool(flag)) => !flag,
        (Type::Scalar(_), Value::Int(number)) => *number == 0,
        _ => false,
    }
}
