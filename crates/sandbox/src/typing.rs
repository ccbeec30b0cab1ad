//! Objects as the real server's types read and write them.
//!
//! [`check`] reads them as `kinds` says and tells unknown members as the request wants it.

use std::collections::BTreeSet;

use manifest::Gvk;
use manifest::schema::Schema;
use yaml::Value;

use crate::conversion;
use crate::core::{Call, Core};
use crate::decode::Repeated;
use crate::registry::Resource;
use crate::status_error::{About, ApiError};
use kinds::{FieldError, quoted};

/// Where a tree comes from: errors are told in different words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Source<'a> {
    /// The body of a request, with the keys that it repeats.
    Body(&'a Repeated),
    /// The result of a JSON or merge patch, which looked into the maps at these pointers.
    Patch(&'a BTreeSet<String>),
    /// The result of this strategic merge patch.
    Strategic(&'a Value),
    /// What an applied configuration gives.
    Applied,
}

/// The schema of a resource's objects.
pub(crate) fn schema(core: &Core, resource: &Resource) -> Option<Schema> {
    match &resource.custom {
        Some(custom) => custom.shapes(core).cloned(),
        None => core.schemas.schema(&Gvk {
            group: resource.group.clone(),
            version: resource.version.clone(),
            kind: resource.kind.clone(),
        }),
    }
}

/// What is done about members that the schema does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Validation {
    Ignore,
    Warn,
    Strict,
}

/// Gives `value` the form that the real types give it; unknown members are dropped, warned of or
/// refused as the request says.
///
/// # Errors
/// 400 and 422 in the words of the real decoder.
pub(crate) fn check(
    call: &Call<'_>,
    value: &mut Value,
    warnings: &mut Vec<String>,
    source: Source<'_>,
) -> Result<(), ApiError> {
    // Other words were refused with the options.
    let validation = match call.request.query.get("fieldValidation") {
        "Ignore" => Validation::Ignore,
        "Strict" => Validation::Strict,
        _ => Validation::Warn,
    };
    let repeated = match source {
        Source::Body(repeated) => repeated,
        Source::Patch(_) | Source::Strategic(_) | Source::Applied => &Repeated::default(),
    };
    let shown = matches!(source, Source::Patch(_)).then(|| value.clone());
    let mut unknown = if call.resource.custom.is_some() {
        let unsettled = match source {
            Source::Applied => conversion::unsettled(value),
            Source::Body(_) | Source::Patch(_) | Source::Strategic(_) => Vec::new(),
        };
        let unknown = crate::custom::decode(call, value)?;
        for (key, member) in unsettled {
            crate::meta::of(value).insert(key, member);
        }
        unknown
    } else {
        let Some(schema) = schema(call.core, &call.resource) else {
            return Ok(());
        };
        kinds::decode(call.resource.handle(), &schema, value)
            .map_err(|why| refused(call, source, shown.as_ref(), &why))?
    };
    if matches!(source, Source::Strategic(_)) {
        unknown.sort();
    }
    let fields = unknown
        .iter()
        .map(|path| format!("unknown field {}", quoted(path)));
    match validation {
        Validation::Ignore => {}
        Validation::Warn => {
            warnings.extend_from_slice(&repeated.told);
            warnings.extend(fields);
        }
        Validation::Strict => {
            let told = Some(repeated.strict.clone()).filter(|told| !told.is_empty());
            let told: Vec<String> = told.into_iter().chain(fields).collect();
            if !told.is_empty() {
                let why = format!("strict decoding error: {}", told.join(", "));
                return Err(refused(call, source, shown.as_ref(), &why));
            }
        }
    }
    Ok(())
}

/// The refusal of an object that cannot be decoded, in the words for its source.
pub(crate) fn refused(
    call: &Call<'_>,
    source: Source<'_>,
    patched: Option<&Value>,
    why: &str,
) -> ApiError {
    let invalid = |shown: String, why: &str| {
        let error = FieldError::invalid("patch", &shown.into(), why);
        let about = About {
            group: "",
            kind: "",
            name: "",
        };
        ApiError::invalid(about, &[error])
    };
    match (source, patched) {
        (Source::Strategic(patch), _) => invalid(go_map(patch), &converted(why)),
        (Source::Patch(looked_into), Some(value)) => {
            let mut shown = value.clone();
            if shown.get("kind").is_none() {
                crate::render::type_meta(&mut shown, &call.resource);
            }
            let api_version = call.resource.api_version();
            let stated = (api_version.as_str(), call.resource.kind.as_str());
            invalid(protobuf::go_text(&shown, stated, looked_into), why)
        }
        _ => {
            let kind = &call.resource.kind;
            let version = &call.resource.version;
            ApiError::bad_request(format!(
                "{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"
            ))
        }
    }
}

/// A tree as Go prints a map with `%+v`.
fn go_map(value: &Value) -> String {
    match value {
        Value::Map(map) => {
            let members: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{key}:{}", go_map(value)))
                .collect();
            format!("map[{}]", members.join(" "))
        }
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(go_map).collect();
            format!("[{}]", items.join(" "))
        }
        Value::String(text) => text.to_string(),
        Value::Null => "<nil>".to_owned(),
        other => crate::codec::to_string(other),
    }
}

/// What the converter of trees says where the decoder of JSON says `why`: strategic merge patches
/// are converted, never written as text.
fn converted(why: &str) -> String {
    let parts = why
        .strip_prefix("json: cannot unmarshal ")
        .and_then(|rest| rest.split_once(" into Go struct field "))
        .and_then(|(found, rest)| Some((found, rest.split_once(" of type ")?.1)));
    let Some((found, wanted)) = parts else {
        return why.to_owned();
    };
    let found = match found.split(' ').next().unwrap_or_default() {
        "object" => "map",
        "array" => "slice",
        "number" if found.contains('.') => "float64",
        "number" => "int64",
        other => other,
    };
    if wanted.starts_with("[]") {
        format!("cannot restore slice from {found}")
    } else if wanted.starts_with("map[") {
        format!("cannot restore map from {found}")
    } else if wanted.contains('.') {
        format!("cannot restore struct from: {found}")
    } else if found == "int64" {
        format!("cannot convert {found} to {wanted}")
    } else {
        // Go has no conversion at all between these.
        format!("unrecognized type: {wanted}")
    }
}
