//! The OpenAPI document of version 2 as gnostic's protobuf messages, which kubectl asks for.
//!
//! Only what describes kinds is written: the definitions. Paths are left out, as the clients that
//! want them read JSON.

use yaml::{Map, Value};

use crate::encode::{push_bytes, push_number};
use crate::table::MAX_DEPTH;

/// The members of a schema that are text, with their numbers.
const TEXTS: [(&str, u64); 4] = [("$ref", 1), ("format", 2), ("title", 3), ("description", 4)];
const REQUIRED: u64 = 19;
const ENUM: u64 = 20;
const ADDITIONAL_PROPERTIES: u64 = 21;
const TYPE: u64 = 22;
const ITEMS: u64 = 23;
const PROPERTIES: u64 = 25;
const EXTENSION: u64 = 31;

/// A document; `None` when it is none, or nests too deep.
pub fn encode_swagger(document: &Value) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    push_text(&mut out, 1, document.get("swagger"));
    let mut info = Vec::new();
    push_text(&mut info, 1, document.get("info")?.get("title"));
    push_text(&mut info, 2, document.get("info")?.get("version"));
    push_bytes(&mut out, 2, &info);
    let definitions = document.get("definitions")?.as_map()?;
    push_bytes(&mut out, 9, &named_schemas(definitions, 0)?);
    Some(out)
}

fn push_text(out: &mut Vec<u8>, number: u64, value: Option<&Value>) {
    if let Some(text) = value.and_then(Value::as_str) {
        push_bytes(out, number, text.as_bytes());
    }
}

fn named_schemas(schemas: &Map, depth: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for (name, value) in schemas.iter() {
        let mut named = Vec::new();
        push_bytes(&mut named, 1, name.as_bytes());
        push_bytes(&mut named, 2, &schema(value, depth)?);
        push_bytes(&mut out, 1, &named);
    }
    Some(out)
}

fn schema(value: &Value, depth: usize) -> Option<Vec<u8>> {
    if depth > MAX_DEPTH {
        return None;
    }
    let mut out = Vec::new();
    for (name, number) in TEXTS {
        push_text(&mut out, number, value.get(name));
    }
    let list = |name: &str| value.get(name).and_then(Value::as_list).unwrap_or_default();
    for name in list("required") {
        push_text(&mut out, REQUIRED, Some(name));
    }
    for one in list("enum") {
        push_bytes(&mut out, ENUM, &any(one));
    }
    if let Some(rule) = value.get("additionalProperties") {
        let mut inner = Vec::new();
        match rule.as_bool() {
            Some(allowed) => push_number(&mut inner, 2, i64::from(allowed)),
            None => push_bytes(&mut inner, 1, &schema(rule, depth + 1)?),
        }
        push_bytes(&mut out, ADDITIONAL_PROPERTIES, &inner);
    }
    if value.get("type").is_some() {
        let mut inner = Vec::new();
        push_text(&mut inner, 1, value.get("type"));
        push_bytes(&mut out, TYPE, &inner);
    }
    if let Some(items) = value.get("items") {
        let mut inner = Vec::new();
        push_bytes(&mut inner, 1, &schema(items, depth + 1)?);
        push_bytes(&mut out, ITEMS, &inner);
    }
    if let Some(properties) = value.get("properties").and_then(Value::as_map) {
        push_bytes(&mut out, PROPERTIES, &named_schemas(properties, depth + 1)?);
    }
    let extensions = value.as_map()?.iter();
    for (name, value) in extensions.filter(|(name, _)| name.starts_with("x-")) {
        let mut named = Vec::new();
        push_bytes(&mut named, 1, name.as_bytes());
        push_bytes(&mut named, 2, &any(value));
        push_bytes(&mut out, EXTENSION, &named);
    }
    Some(out)
}

/// A value of any type travels as its YAML text.
fn any(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    push_bytes(&mut out, 2, yaml::emit(value).as_bytes());
    out
}
