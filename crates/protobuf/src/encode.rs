//! Trees to messages.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use yaml::{Map, Value, json};

use crate::table::{Form, MAGIC, MAX_DEPTH, Member, message_name, table};

/// An object in its envelope; `None` when its kind has no message, or a member does not fit.
pub fn encode(object: &Value) -> Option<Vec<u8>> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let name = message_name(api_version, kind);
    let raw = message(&name, object.as_map()?, 0)?;
    let mut type_meta = Vec::new();
    push_bytes(&mut type_meta, 1, api_version.as_bytes());
    push_bytes(&mut type_meta, 2, kind.as_bytes());
    let mut out = MAGIC.to_vec();
    push_bytes(&mut out, 1, &type_meta);
    push_bytes(&mut out, 2, &raw);
    // The encoding and the type of the content: as written above.
    push_bytes(&mut out, 3, b"");
    push_bytes(&mut out, 4, b"");
    Some(out)
}

/// An event of a watch with the length before it; `None` when its object cannot be encoded.
pub fn frame(kind: &str, object: &Value) -> Option<Vec<u8>> {
    let mut raw = Vec::new();
    push_bytes(&mut raw, 1, &encode(object)?);
    let mut event = Vec::new();
    push_bytes(&mut event, 1, kind.as_bytes());
    push_bytes(&mut event, 2, &raw);
    let mut out = u32::try_from(event.len()).ok()?.to_be_bytes().to_vec();
    out.extend_from_slice(&event);
    Some(out)
}

fn push_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(low_byte(number) | 0x80);
        number >>= 7;
    }
    out.push(low_byte(number));
}

/// The last seven bits.
fn low_byte(number: u64) -> u8 {
    number.to_le_bytes()[0] & 0x7f
}

pub(crate) fn push_number(out: &mut Vec<u8>, field: u64, number: i64) {
    push_varint(out, field << 3);
    push_varint(out, u64::from_le_bytes(number.to_le_bytes()));
}

pub(crate) fn push_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    push_varint(out, field << 3 | 2);
    push_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn message(name: &str, map: &Map, depth: usize) -> Option<Vec<u8>> {
    if depth > MAX_DEPTH {
        return None;
    }
    let mut out = Vec::new();
    for member in table().get(name)? {
        if member.form == Form::Inlined {
            let inner = message(member.ty, map, depth + 1)?;
            push_bytes(&mut out, member.number, &inner);
            continue;
        }
        match map.get(member.name) {
            None | Some(Value::Null) => {}
            Some(value) => push_member(&mut out, member, value, depth)?,
        }
    }
    Some(out)
}

fn push_member(out: &mut Vec<u8>, member: &Member, value: &Value, depth: usize) -> Option<()> {
    match member.form {
        Form::One | Form::Inlined => push_value(out, (member.number, member.ty), value, depth),
        Form::Many => value
            .as_list()?
            .iter()
            .try_for_each(|item| push_value(out, (member.number, member.ty), item, depth)),
        Form::Map => value.as_map()?.iter().try_for_each(|(key, value)| {
            let mut entry = Vec::new();
            push_bytes(&mut entry, 1, key.as_bytes());
            push_value(&mut entry, (2, member.ty), value, depth)?;
            push_bytes(out, member.number, &entry);
            Some(())
        }),
    }
}

fn push_value(
    out: &mut Vec<u8>,
    (field, ty): (u64, &str),
    value: &Value,
    depth: usize,
) -> Option<()> {
    match ty {
        "string" => push_bytes(out, field, value.as_str()?.as_bytes()),
        "bytes" => {
            let text = value.as_str().unwrap_or_default();
            push_bytes(out, field, &BASE64_STANDARD.decode(text).ok()?);
        }
        "bool" => push_number(out, field, i64::from(value.as_bool()?)),
        "int32" | "int64" | "uint32" | "uint64" => push_number(out, field, value.as_i64()?),
        "double" => {
            push_varint(out, field << 3 | 1);
            out.extend_from_slice(&value.as_f64()?.to_le_bytes());
        }
        name => push_bytes(out, field, &inner(name, value, depth)?),
    }
    Some(())
}

/// Messages whose JSON is not a map of their members, and all others.
fn inner(name: &str, value: &Value, depth: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match name {
        "meta.v1.Time" | "meta.v1.MicroTime" => {
            let Some(text) = value.as_str() else {
                return Some(out);
            };
            let time: jiff::Timestamp = text.parse().ok()?;
            push_number(&mut out, 1, time.as_second());
            push_number(&mut out, 2, i64::from(time.subsec_nanosecond()));
        }
        "resource.Quantity" | "resource.QuantityValue" => {
            let text = match value {
                Value::String(text) => text.to_string(),
                other => json::to_string(other),
            };
            push_bytes(&mut out, 1, text.as_bytes());
        }
        "intstr.IntOrString" => match value {
            Value::String(text) => {
                push_number(&mut out, 1, 1);
                push_number(&mut out, 2, 0);
                push_bytes(&mut out, 3, text.as_bytes());
            }
            other => {
                push_number(&mut out, 1, 0);
                push_number(&mut out, 2, other.as_i64()?);
                push_bytes(&mut out, 3, b"");
            }
        },
        "meta.v1.FieldsV1" | "runtime.RawExtension" | "apiextensions.v1.JSON" => {
            push_bytes(&mut out, 1, &json::to_vec(value));
        }
        "apiextensions.v1.JSONSchemaPropsOrBool" => return or_bool(value, depth),
        "apiextensions.v1.JSONSchemaPropsOrArray" => return or_list(value, depth),
        "apiextensions.v1.JSONSchemaPropsOrStringArray" => return or_list(value, depth),
        _ if name.ends_with(".ExtraValue") || name.ends_with(".Verbs") => {
            for item in value.as_list()? {
                push_bytes(&mut out, 1, item.as_str()?.as_bytes());
            }
        }
        _ => return message(name, value.as_map()?, depth + 1),
    }
    Some(out)
}

const SCHEMA: &str = "apiextensions.v1.JSONSchemaProps";

/// A schema, or whether there may be anything.
fn or_bool(value: &Value, depth: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    push_number(&mut out, 1, i64::from(value.as_bool().unwrap_or(true)));
    if let Some(map) = value.as_map() {
        push_bytes(&mut out, 2, &message(SCHEMA, map, depth + 1)?);
    }
    Some(out)
}

/// One schema, or a list of schemas or texts.
fn or_list(value: &Value, depth: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    if let Some(map) = value.as_map() {
        push_bytes(&mut out, 1, &message(SCHEMA, map, depth + 1)?);
    }
    for item in value.as_list().unwrap_or_default() {
        match item {
            Value::String(text) => push_bytes(&mut out, 2, text.as_bytes()),
            item => push_bytes(&mut out, 2, &message(SCHEMA, item.as_map()?, depth + 1)?),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(object: &str) {
        let object = json::parse(object.as_bytes()).unwrap();
        let body = encode(&object).unwrap();
        let back = super::super::parse(&body).unwrap();
        assert_eq!(json::to_string(&back), json::to_string(&object));
    }

    #[test]
    fn what_is_written_is_read_the_same() {
        check(
            r#"{"apiVersion":"v1","data":{"a":"b","c":""},"kind":"ConfigMap",
            "metadata":{"creationTimestamp":"2024-01-02T03:04:05Z","name":"x"}}"#,
        );
        check(
            r#"{"apiVersion":"v1","items":[{"metadata":{"name":"s"},"spec":{"ports":[
            {"port":80,"targetPort":"web"},{"port":81,"targetPort":8080}]}}],"kind":"ServiceList",
            "metadata":{"resourceVersion":"7"}}"#,
        );
        check(
            r#"{"apiVersion":"v1","kind":"Status","message":"no","metadata":{},
            "status":"Failure"}"#,
        );
    }

    #[test]
    fn kinds_without_a_message_are_not_written() {
        let object = json::parse(br#"{"apiVersion":"x.y/v1","kind":"Thing"}"#).unwrap();
        assert_eq!(encode(&object), None);
    }
}
