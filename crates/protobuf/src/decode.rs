//! Messages to trees.

use yaml::{Map, Value, json};

use crate::table::{Form, MAGIC, MAX_DEPTH, message_name, table};

/// A value on the wire.
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn bytes(&mut self, length: u64) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(bytes)
    }

    /// The next field: number and value.
    fn field(&mut self) -> Option<(u64, Wire<'a>)> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Wire::Number(self.varint()?),
            1 => Wire::Number(u64::from_le_bytes(self.bytes(8)?.try_into().ok()?)),
            2 => {
                let length = self.varint()?;
                Wire::Bytes(self.bytes(length)?)
            }
            5 => Wire::Number(u32::from_le_bytes(self.bytes(4)?.try_into().ok()?).into()),
            _ => return None,
        };
        Some((tag >> 3, value))
    }
}

fn fields(bytes: &[u8]) -> Option<Vec<(u64, Wire<'_>)>> {
    let mut reader = Reader(bytes);
    let mut fields = Vec::new();
    while !reader.0.is_empty() {
        fields.push(reader.field()?);
    }
    Some(fields)
}

/// Reads a body: an envelope with the type, and the object.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse(body: &[u8]) -> Result<Value, String> {
    let broken = || "the protobuf body is damaged".to_owned();
    let body = body.strip_prefix(MAGIC).ok_or_else(|| {
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
            .to_owned()
    })?;
    let mut raw: &[u8] = &[];
    let (mut api_version, mut kind) = (String::new(), String::new());
    for (number, value) in fields(body).ok_or_else(broken)? {
        match (number, value) {
            (1, Wire::Bytes(bytes)) => {
                for (number, value) in fields(bytes).ok_or_else(broken)? {
                    match (number, value) {
                        (1, Wire::Bytes(text)) => api_version = text_of(text),
                        (2, Wire::Bytes(text)) => kind = text_of(text),
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let name = message_name(&api_version, &kind);
    let mut map = Map::new();
    read(&name, raw, &mut map, 0).ok_or_else(broken)?;
    map.insert("apiVersion", api_version);
    map.insert("kind", kind);
    Ok(map.into())
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn read(name: &str, bytes: &[u8], map: &mut Map, depth: usize) -> Option<()> {
    if depth > MAX_DEPTH {
        return None;
    }
    let members = table().get(name)?;
    for (number, wire) in fields(bytes)? {
        let Some(member) = members.iter().find(|member| member.number == number) else {
            continue;
        };
        match (member.form, &wire) {
            (Form::Inlined, Wire::Bytes(inner)) => read(member.ty, inner, map, depth + 1)?,
            (Form::Map, Wire::Bytes(entry)) => {
                let entries = map.entry_or_insert(member.name, Map::new().into());
                map_entry(member.ty, entry, entries.map_at_mut(&[]), depth)?;
            }
            (Form::Many, _) => {
                let item = value(member.ty, &wire, depth)?;
                let list = map.entry_or_insert(member.name, Value::List(Vec::new()));
                list.as_list_mut()?.push(item);
            }
            (Form::One, _) => {
                let value = value(member.ty, &wire, depth)?;
                map.insert(member.name, value);
            }
            (Form::Inlined | Form::Map, Wire::Number(_)) => return None,
        }
    }
    Some(())
}

fn map_entry(ty: &str, entry: &[u8], map: &mut Map, depth: usize) -> Option<()> {
    let mut key = String::new();
    let mut found = None;
    for (number, wire) in fields(entry)? {
        match (number, &wire) {
            (1, Wire::Bytes(text)) => key = text_of(text),
            (2, _) => found = Some(value(ty, &wire, depth)?),
            _ => {}
        }
    }
    let empty = if matches!(ty, "string" | "bytes") {
        Value::from("")
    } else {
        Value::Null
    };
    map.insert(key, found.unwrap_or(empty));
    Some(())
}

/// A number on the wire is two's complement.
fn signed(number: u64) -> i64 {
    i64::from_le_bytes(number.to_le_bytes())
}

fn value(ty: &str, wire: &Wire<'_>, depth: usize) -> Option<Value> {
    use base64::Engine;
    match (ty, wire) {
        ("string", Wire::Bytes(bytes)) => Some(text_of(bytes).into()),
        ("bytes", Wire::Bytes(bytes)) => {
            Some(base64::prelude::BASE64_STANDARD.encode(bytes).into())
        }
        ("bool", Wire::Number(number)) => Some((*number != 0).into()),
        ("double", Wire::Number(number)) => Some(f64::from_bits(*number).into()),
        ("int32" | "int64" | "uint32" | "uint64", Wire::Number(number)) => {
            Some(signed(*number).into())
        }
        (message, Wire::Bytes(bytes)) => message_value(message, bytes, depth),
        _ => None,
    }
}

/// Messages whose JSON is not a map of their members.
fn message_value(name: &str, bytes: &[u8], depth: usize) -> Option<Value> {
    let numbers = || -> Option<(i64, i64)> {
        let (mut first, mut second) = (0, 0);
        for (number, wire) in fields(bytes)? {
            match (number, wire) {
                (1, Wire::Number(value)) => first = signed(value),
                (2, Wire::Number(value)) => second = signed(value),
                _ => {}
            }
        }
        Some((first, second))
    };
    match name {
        "meta.v1.Time" | "meta.v1.MicroTime" => {
            let (seconds, nanos) = numbers()?;
            if bytes.is_empty() {
                return Some(Value::Null);
            }
            let time = jiff::Timestamp::new(seconds, i32::try_from(nanos).ok()?).ok()?;
            let format = if name == "meta.v1.Time" {
                "%Y-%m-%dT%H:%M:%SZ"
            } else {
                "%Y-%m-%dT%H:%M:%S.%6fZ"
            };
            Some(time.strftime(format).to_string().into())
        }
        "resource.Quantity" => {
            let text = fields(bytes)?.into_iter().find_map(|(_, wire)| match wire {
                Wire::Bytes(text) => Some(text_of(text)),
                Wire::Number(_) => None,
            });
            Some(text.unwrap_or_else(|| "0".to_owned()).into())
        }
        "intstr.IntOrString" => {
            let text = fields(bytes)?
                .into_iter()
                .find_map(|(number, wire)| match wire {
                    Wire::Bytes(text) if number == 3 => Some(text_of(text)),
                    _ => None,
                });
            let (kind, number) = numbers()?;
            Some(if kind == 1 {
                text.unwrap_or_default().into()
            } else {
                number.into()
            })
        }
        "meta.v1.FieldsV1" | "runtime.RawExtension" | "apiextensions.v1.JSON" => {
            let raw = fields(bytes)?.into_iter().find_map(|(_, wire)| match wire {
                Wire::Bytes(raw) => Some(raw),
                Wire::Number(_) => None,
            });
            Some(
                raw.and_then(|raw| json::parse(raw).ok())
                    .unwrap_or_default(),
            )
        }
        "apiextensions.v1.JSONSchemaPropsOrBool" => schema_or_bool(bytes, depth),
        "apiextensions.v1.JSONSchemaPropsOrArray" => schema_or_list(bytes, SCHEMA, depth),
        "apiextensions.v1.JSONSchemaPropsOrStringArray" => schema_or_list(bytes, "string", depth),
        _ if name.ends_with(".ExtraValue") || name.ends_with(".Verbs") => {
            let mut map = Map::new();
            read(name, bytes, &mut map, depth + 1)?;
            Some(map.remove("items").unwrap_or_default())
        }
        _ => {
            let mut map = Map::new();
            read(name, bytes, &mut map, depth + 1)?;
            Some(map.into())
        }
    }
}

const SCHEMA: &str = "apiextensions.v1.JSONSchemaProps";

/// A schema, or whether there may be anything.
fn schema_or_bool(bytes: &[u8], depth: usize) -> Option<Value> {
    let mut found = Value::from(false);
    for (number, wire) in fields(bytes)? {
        match (number, &wire) {
            (1, Wire::Number(number)) => found = (*number != 0).into(),
            (2, _) => return value(SCHEMA, &wire, depth + 1),
            _ => {}
        }
    }
    Some(found)
}

/// One schema, or a list of `item`s.
fn schema_or_list(bytes: &[u8], item: &str, depth: usize) -> Option<Value> {
    let mut list = Vec::new();
    for (number, wire) in fields(bytes)? {
        match number {
            1 => return value(SCHEMA, &wire, depth + 1),
            2 => list.push(value(item, &wire, depth + 1)?),
            _ => {}
        }
    }
    Some(list.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_map_is_read_from_its_wire_form() {
        // Made by hand: type meta, then the object with its metadata and one pair of data.
        let mut body = MAGIC.to_vec();
        body.extend(b"\x0a\x0f\x0a\x02v1\x12\x09ConfigMap");
        body.extend(b"\x12\x0d\x0a\x03\x0a\x01a\x12\x06\x0a\x01k\x12\x01v");
        let value = parse(&body).unwrap();
        assert_eq!(
            yaml::json::to_string(&value),
            r#"{"apiVersion":"v1","data":{"k":"v"},"kind":"ConfigMap","metadata":{"name":"a"}}"#
        );
    }

    #[test]
    fn damaged_bodies_are_refused() {
        for body in [&b"k8s\0\x0a\xff"[..], b"k8s\0\x12\x02\x0a\x09", b"xyz", b""] {
            assert!(parse(body).is_err());
        }
    }
}
