//! Objects within objects: their type and metadata.

use kinds::{FieldError, names};
use yaml::{Map, Str, Value};

use crate::schema::{Additional, Schema};

/// Metadata of an object within an object that cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Malformed(pub FieldError);

/// The members of metadata and what they hold.
const MEMBERS: [(&str, Form); 15] = [
    ("name", Form::Text),
    ("generateName", Form::Text),
    ("namespace", Form::Text),
    ("selfLink", Form::Text),
    ("uid", Form::Text),
    ("resourceVersion", Form::Text),
    ("generation", Form::Number),
    ("creationTimestamp", Form::Time),
    ("deletionTimestamp", Form::Time),
    ("deletionGracePeriodSeconds", Form::Number),
    ("labels", Form::Texts),
    ("annotations", Form::Texts),
    ("ownerReferences", Form::List),
    ("finalizers", Form::List),
    ("managedFields", Form::List),
];

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Text,
    Number,
    Time,
    Texts,
    List,
}

/// Gives the metadata of a whole object the form of real metadata: unknown members go. Gives their
/// paths.
///
/// # Errors
/// Why it cannot be read, in words of Go's decoder.
pub fn coerce_metadata(object: &mut Value) -> Result<Vec<String>, String> {
    let mut unknown = Vec::new();
    if let Some(metadata) = object.get_mut("metadata").filter(|it| !it.is_null()) {
        metadata_form(metadata, "metadata", &mut unknown)?;
    }
    Ok(unknown)
}

impl Schema {
    /// Gives the metadata of objects within a whole object the form of real metadata: unknown
    /// members go. Gives their paths.
    ///
    /// # Errors
    /// When metadata, `apiVersion` or `kind` is of another type.
    pub fn coerce(&self, object: &mut Value) -> Result<Vec<String>, Malformed> {
        let mut unknown = Vec::new();
        walk(self, object, &mut String::new(), &mut unknown)?;
        unknown.sort();
        Ok(unknown)
    }

    /// What is wrong with objects within a whole object.
    #[must_use]
    pub fn embedded_problems(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = Vec::new();
        judge(self, object, &mut String::new(), &mut errors);
        errors
    }
}

/// The schema and the step of a path to a member.
fn below<'a>(schema: &'a Schema, name: &str) -> Option<(&'a Schema, String)> {
    if let Some(declared) = schema.properties.get(name) {
        return Some((declared, format!(".{name}")));
    }
    match &schema.additional {
        Additional::Schema(schema) => Some((schema, format!("[{name}]"))),
        _ => None,
    }
}

fn push(path: &mut String, step: &str) -> usize {
    let length = path.len();
    path.push_str(if length == 0 {
        step.trim_start_matches('.')
    } else {
        step
    });
    length
}

fn walk(
    schema: &Schema,
    value: &mut Value,
    path: &mut String,
    unknown: &mut Vec<String>,
) -> Result<(), Malformed> {
    match value {
        Value::Map(members) => {
            if schema.embedded {
                type_meta(members, path)?;
                if let Some(metadata) = members.get_mut("metadata") {
                    let length = push(path, ".metadata");
                    let shown = metadata.clone();
                    metadata_form(metadata, path, unknown).map_err(|why| {
                        Malformed(FieldError::invalid(path.clone(), &shown, &why))
                    })?;
                    path.truncate(length);
                }
            }
            for (name, member) in members.iter_mut() {
                if let Some((schema, step)) = below(schema, name) {
                    let length = push(path, &step);
                    walk(schema, member, path, unknown)?;
                    path.truncate(length);
                }
            }
        }
        Value::List(items) => {
            let Some(schema) = &schema.items else {
                return Ok(());
            };
            for (index, item) in items.iter_mut().enumerate() {
                let length = push(path, &format!("[{index}]"));
                walk(schema, item, path, unknown)?;
                path.truncate(length);
            }
        }
        _ => {}
    }
    Ok(())
}

fn type_meta(members: &Map, path: &str) -> Result<(), Malformed> {
    for key in ["apiVersion", "kind"] {
        if let Some(value) = members.get(key).filter(|value| value.as_str().is_none()) {
            let field = format!("{path}.{key}");
            return Err(Malformed(FieldError::invalid(
                field,
                value,
                "must be a string",
            )));
        }
    }
    Ok(())
}

fn metadata_form(
    metadata: &mut Value,
    path: &str,
    unknown: &mut Vec<String>,
) -> Result<(), String> {
    let Value::Map(members) = metadata else {
        let why = format!(
            "json: cannot unmarshal {} into Go value of type v1.ObjectMeta",
            metadata.kind()
        );
        return Err(why);
    };
    for (name, member) in members.iter() {
        let form = MEMBERS.iter().find(|(known, _)| *name == **known);
        let Some((_, form)) = form else { continue };
        if let Some((place, found, wanted)) = misfit(name, member, *form) {
            return Err(format!(
                "json: cannot unmarshal {found} into Go struct field ObjectMeta.{place} of type \
                 {wanted}"
            ));
        }
    }
    members.retain(|name, member| {
        let is_known = MEMBERS.iter().any(|(known, _)| name == *known);
        if !is_known {
            unknown.push(format!("{path}.{name}"));
        }
        is_known && !is_left_out(member)
    });
    Ok(())
}

/// Whether real metadata does not write a member of this value: all that it has may be left out.
fn is_left_out(member: &Value) -> bool {
    match member {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Int(number) => *number == 0,
        Value::List(items) => items.is_empty(),
        Value::Map(members) => members.is_empty(),
        Value::Bool(_) | Value::Uint(_) | Value::Float(_) => false,
    }
}

/// Where a member is of another type, what it is and what it should be, in words of Go.
fn misfit(name: &Str, value: &Value, form: Form) -> Option<(String, &'static str, &'static str)> {
    let place = name.to_string();
    match (form, value) {
        (_, Value::Null) => None,
        (Form::Text, Value::String(_))
        | (Form::Number, Value::Int(_))
        | (Form::Time, Value::String(_))
        | (Form::List, Value::List(_)) => None,
        (Form::Texts, Value::Map(members)) => members
            .values()
            .find(|member| !matches!(member, Value::String(_) | Value::Null))
            .map(|member| (place, member.kind(), "string")),
        (Form::Text, other) => Some((place, other.kind(), "string")),
        (Form::Number, other) => Some((place, other.kind(), "int64")),
        (Form::Time, other) => Some((place, other.kind(), "v1.Time")),
        (Form::Texts, other) => Some((place, other.kind(), "map[string]string")),
        (Form::List, other) => Some((
            place,
            other.kind(),
            match name.as_str() {
                "finalizers" => "[]string",
                "ownerReferences" => "[]v1.OwnerReference",
                _ => "[]v1.ManagedFieldsEntry",
            },
        )),
    }
}

fn judge(schema: &Schema, value: &Value, path: &mut String, errors: &mut Vec<FieldError>) {
    match value {
        Value::Map(members) => {
            if schema.embedded {
                resource(members, path, errors);
            }
            for (name, member) in members.iter() {
                if let Some((schema, step)) = below(schema, name) {
                    let length = push(path, &step);
                    judge(schema, member, path, errors);
                    path.truncate(length);
                }
            }
        }
        Value::List(items) => {
            let Some(schema) = &schema.items else { return };
            for (index, item) in items.iter().enumerate() {
                let length = push(path, &format!("[{index}]"));
                judge(schema, item, path, errors);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

fn resource(members: &Map, path: &str, errors: &mut Vec<FieldError>) {
    for key in ["apiVersion", "kind"] {
        let field = format!("{path}.{key}");
        match members.get(key) {
            None => errors.push(FieldError::required(field, "")),
            Some(Value::String(text)) if text.is_empty() => {
                errors.push(FieldError::invalid(field, &"".into(), "must not be empty"));
            }
            Some(value @ Value::String(text)) if key == "apiVersion" => {
                if text.matches('/').count() > 1 {
                    let why = format!("unexpected GroupVersion string: {text}");
                    errors.push(FieldError::invalid(field, value, &why));
                }
            }
            Some(value @ Value::String(text)) => {
                let problems = names::label_1035_problems(&text.to_lowercase());
                if !problems.is_empty() {
                    let why = format!(
                        "may have mixed case, but should otherwise match: {}",
                        problems.join(",")
                    );
                    errors.push(FieldError::invalid(field, value, &why));
                }
            }
            Some(value) => errors.push(FieldError::invalid(field, value, "must be a string")),
        }
    }
    if let Some(metadata) = members.get("metadata") {
        metadata_problems(metadata, &format!("{path}.metadata"), errors);
    }
}

fn metadata_problems(metadata: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for key in ["name", "generateName"] {
        let name = metadata
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !name.is_empty() {
            for problem in names::path_segment_problems(name) {
                errors.push(FieldError::invalid(
                    format!("{path}.{key}"),
                    &name.into(),
                    &problem,
                ));
            }
        }
    }
    let labels = metadata.get("labels").and_then(Value::as_map);
    for (key, value) in labels.into_iter().flat_map(Map::iter) {
        let field = format!("{path}.labels");
        if let Some(problem) = names::label_key_problem(key) {
            errors.push(FieldError::invalid(
                field.clone(),
                &key.clone().into(),
                &problem,
            ));
        }
        let text = value.as_str().unwrap_or_default();
        if let Some(problem) = names::label_value_problem(text) {
            errors.push(FieldError::invalid(field, value, &problem));
        }
    }
}
