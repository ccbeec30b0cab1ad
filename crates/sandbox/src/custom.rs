//! Custom resources against their schema: unknown members pruned, defaults filled in, types checked.
//!
//! The schema is the `openAPIV3Schema` of the served version, read as it stands.

use yaml::{Map, Value};

use crate::core::Call;
use crate::status_error::{ApiError, quoted};
use kinds::FieldError;

/// Trees deeper than this are not looked into.
const MAX_DEPTH: usize = 128;

/// Prunes and defaults `value`, and tells unknown members.
pub(crate) fn check(
    call: &Call<'_>,
    value: &mut Value,
    warnings: &mut Vec<String>,
    strict: bool,
) -> Result<(), ApiError> {
    let Some(custom) = &call.resource.custom else {
        return Ok(());
    };
    let mut unknown = Vec::new();
    if !preserves(&custom.openapi) {
        prune_root(&custom.openapi, value, &mut unknown);
    }
    default(&custom.openapi, value, 0);
    let validation = call.request.query.get("fieldValidation");
    if unknown.is_empty() || validation == "Ignore" {
        return Ok(());
    }
    let fields: Vec<String> = unknown
        .iter()
        .map(|path| format!("unknown field {}", quoted(path)))
        .collect();
    if strict {
        let kind = &call.resource.kind;
        let version = &call.resource.version;
        return Err(ApiError::bad_request(format!(
            "{kind} in version \"{version}\" cannot be handled as a {kind}: strict decoding error: \
             {}",
            fields.join(", ")
        )));
    }
    warnings.extend(fields);
    Ok(())
}

fn preserves(schema: &Value) -> bool {
    schema
        .get("x-kubernetes-preserve-unknown-fields")
        .and_then(Value::as_bool)
        .unwrap_or(false)
}

fn is_int_or_string(schema: &Value) -> bool {
    schema
        .get("x-kubernetes-int-or-string")
        .and_then(Value::as_bool)
        .unwrap_or(false)
}

fn prune_root(schema: &Value, value: &mut Value, unknown: &mut Vec<String>) {
    let properties = schema.get("properties");
    let Value::Map(members) = value else {
        return;
    };
    members.retain(|key, member| {
        if matches!(key, "apiVersion" | "kind" | "metadata") {
            return true;
        }
        match properties.and_then(|properties| properties.get(key)) {
            Some(schema) => {
                prune(schema, member, key, unknown);
                true
            }
            None => {
                unknown.push(key.to_owned());
                false
            }
        }
    });
}

fn prune(schema: &Value, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    if path.len() > MAX_DEPTH * 64 {
        return;
    }
    match value {
        Value::List(items) => {
            if let Some(item) = schema.get("items") {
                for (index, value) in items.iter_mut().enumerate() {
                    prune(item, value, &format!("{path}[{index}]"), unknown);
                }
            }
        }
        Value::Map(members) => {
            let properties = schema.get("properties");
            let additional = schema.get("additionalProperties");
            let keeps = preserves(schema)
                || additional.and_then(Value::as_bool).unwrap_or(false)
                || schema.get("x-kubernetes-embedded-resource").is_some();
            let typed = schema.get("type").is_some() || properties.is_some();
            members.retain(|key, member| {
                let inner = format!("{path}.{key}");
                let declared = properties.and_then(|properties| properties.get(key));
                match declared.or(additional.filter(|schema| schema.as_map().is_some())) {
                    Some(schema) => {
                        prune(schema, member, &inner, unknown);
                        true
                    }
                    None if keeps || !typed => true,
                    None => {
                        unknown.push(inner);
                        false
                    }
                }
            });
        }
        _ => {}
    }
}

/// Fills in declared defaults; `null` where the schema does not allow it counts as absent.
fn default(schema: &Value, value: &mut Value, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    match value {
        Value::List(items) => {
            if let Some(item) = schema.get("items") {
                for value in items {
                    default(item, value, depth + 1);
                }
            }
        }
        Value::Map(members) => {
            let properties = schema.get("properties").and_then(Value::as_map);
            for (key, property) in properties.into_iter().flat_map(Map::iter) {
                let Some(filler) = property.get("default") else {
                    continue;
                };
                let nullable = property
                    .get("nullable")
                    .and_then(Value::as_bool)
                    .unwrap_or(false);
                let missing = match members.get(key) {
                    None => true,
                    Some(Value::Null) => !nullable,
                    Some(_) => false,
                };
                if missing {
                    members.insert(key.clone(), filler.clone());
                }
            }
            let additional = schema
                .get("additionalProperties")
                .filter(|schema| schema.as_map().is_some());
            for (key, member) in members.iter_mut() {
                let declared = properties.and_then(|properties| properties.get(key));
                if let Some(schema) = declared.or(additional) {
                    default(schema, member, depth + 1);
                }
            }
        }
        _ => {}
    }
}

/// What is wrong with a custom resource, by its schema.
pub(crate) fn validate(schema: &Value, value: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let Some(properties) = schema.get("properties") else {
        return errors;
    };
    required(schema, value, "", &mut errors);
    for (key, member) in value.as_map().into_iter().flat_map(Map::iter) {
        if matches!(key.as_str(), "apiVersion" | "kind" | "metadata") {
            continue;
        }
        if let Some(schema) = properties.get(key) {
            node(schema, member, key, &mut errors);
        }
    }
    errors
}

fn required(schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let names = schema.get("required").and_then(Value::as_list);
    for name in names.unwrap_or_default().iter().filter_map(Value::as_str) {
        let implied = path.is_empty() && matches!(name, "apiVersion" | "kind" | "metadata");
        if !implied && value.get(name).is_none() {
            let field = if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}.{name}")
            };
            errors.push(FieldError::required(field, ""));
        }
    }
}

fn node(schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if path.len() > MAX_DEPTH * 64 {
        return;
    }
    if !has_type(schema, value) {
        let want = schema
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or("integer,string");
        let found = json_type(value);
        let detail = if is_int_or_string(schema) {
            format!("{path} in body must be of type integer,string: \"{found}\"")
        } else {
            format!("{path} in body must be of type {want}: \"{found}\"")
        };
        errors.push(FieldError::type_invalid(path, &found.into(), &detail));
        return;
    }
    enumeration(schema, value, path, errors);
    bounds(schema, value, path, errors);
    match value {
        Value::List(items) => {
            if let Some(item) = schema.get("items") {
                for (index, value) in items.iter().enumerate() {
                    node(item, value, &format!("{path}[{index}]"), errors);
                }
            }
        }
        Value::Map(members) => {
            required(schema, value, path, errors);
            let properties = schema.get("properties");
            let additional = schema
                .get("additionalProperties")
                .filter(|schema| schema.as_map().is_some());
            for (key, member) in members.iter() {
                let declared = properties.and_then(|properties| properties.get(key));
                if let Some(schema) = declared.or(additional) {
                    node(schema, member, &format!("{path}.{key}"), errors);
                }
            }
        }
        _ => {}
    }
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Int(_) | Value::Uint(_) => "integer",
        Value::Float(_) => "number",
        Value::String(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
    }
}

fn has_type(schema: &Value, value: &Value) -> bool {
    if value.is_null() {
        let nullable = schema.get("nullable").and_then(Value::as_bool);
        return nullable.unwrap_or(false) || schema.get("type").is_none();
    }
    if is_int_or_string(schema) {
        return matches!(value, Value::Int(_) | Value::String(_));
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("number") => value.as_f64().is_some(),
        Some("integer") => match value {
            Value::Float(number) => number.fract() == 0.0,
            other => matches!(other, Value::Int(_) | Value::Uint(_)),
        },
        Some(want) => json_type(value) == want,
        None => true,
    }
}

fn enumeration(schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let Some(known) = schema.get("enum").and_then(Value::as_list) else {
        return;
    };
    if known.contains(value) {
        return;
    }
    let words: Vec<String> = known
        .iter()
        .map(|word| match word {
            Value::String(text) => text.to_string(),
            other => crate::codec::to_string(other),
        })
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    errors.push(FieldError::not_supported(path, value, &words));
}

fn bounds(schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let limit = |key: &str| schema.get(key).and_then(Value::as_f64);
    let mut invalid = |detail: String| {
        errors.push(FieldError::invalid(path, value, &detail));
    };
    if let Some(number) = value.as_f64() {
        if let Some(low) = limit("minimum").filter(|low| number < *low) {
            invalid(format!(
                "{path} in body should be greater than or equal to {low}"
            ));
        }
        if let Some(high) = limit("maximum").filter(|high| number > *high) {
            invalid(format!(
                "{path} in body should be less than or equal to {high}"
            ));
        }
    }
    if let Some(text) = value.as_str() {
        let length = text.chars().count();
        let count = |key: &str| schema.get(key).and_then(Value::as_i64);
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        if let Some(low) = count("minLength").filter(|low| length < *low) {
            invalid(format!(
                "{path} in body should be at least {low} chars long"
            ));
        }
        if let Some(high) = count("maxLength").filter(|high| length > *high) {
            invalid(format!(
                "{path} in body should be at most {high} chars long"
            ));
        }
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
            let fits = regex::Regex::new(pattern).is_ok_and(|regex| regex.is_match(text));
            if !fits {
                invalid(format!("{path} in body should match '{pattern}'"));
            }
        }
    }
}
