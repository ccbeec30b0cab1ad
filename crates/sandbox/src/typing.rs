//! Objects as the real server's types read and write them.
//!
//! [`check`] reads them as `kinds` says and tells unknown members as the request wants it.

use manifest::Gvk;
use manifest::schema::Schema;
use yaml::Value;

use crate::core::{Call, Core};
use crate::registry::Resource;
use crate::status_error::{About, ApiError};
use kinds::{FieldError, quoted};

/// Where a tree comes from: errors are told in different words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The body of a request.
    Body,
    /// The result of a patch.
    Patch,
}

/// The schema of a resource's objects.
pub(crate) fn schema(core: &Core, resource: &Resource) -> Option<Schema> {
    match &resource.custom {
        Some(custom) => custom.schema.clone(),
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
    source: Source,
) -> Result<(), ApiError> {
    let validation = match call.request.query.get("fieldValidation") {
        "Ignore" => Validation::Ignore,
        "Strict" => Validation::Strict,
        "" | "Warn" => Validation::Warn,
        other => {
            let about = About {
                group: "meta.k8s.io",
                kind: match call.request.method {
                    http::Method::POST => "CreateOptions",
                    http::Method::PUT => "UpdateOptions",
                    _ => "PatchOptions",
                },
                name: "",
            };
            let error = FieldError::not_supported(
                "fieldValidation",
                &other.into(),
                &["", "Ignore", "Strict", "Warn"],
            );
            return Err(ApiError::invalid(about, &[error]));
        }
    };
    if call.resource.custom.is_some() {
        return crate::custom::check(call, value, warnings, validation == Validation::Strict);
    }
    let Some(schema) = schema(call.core, &call.resource) else {
        return Ok(());
    };
    let shown = (source == Source::Patch).then(|| value.clone());
    let unknown = kinds::decode(call.resource.handle(), &schema, value)
        .map_err(|why| refused(call, shown.as_ref(), &why))?;
    if unknown.is_empty() {
        return Ok(());
    }
    let fields: Vec<String> = unknown
        .iter()
        .map(|path| format!("unknown field {}", quoted(path)))
        .collect();
    match validation {
        Validation::Ignore => {}
        Validation::Warn => warnings.extend(fields),
        Validation::Strict => {
            let why = format!("strict decoding error: {}", fields.join(", "));
            return Err(refused(call, shown.as_ref(), &why));
        }
    }
    Ok(())
}

fn refused(call: &Call<'_>, patched: Option<&Value>, why: &str) -> ApiError {
    match patched {
        Some(value) => {
            let mut shown = value.clone();
            crate::render::type_meta(&mut shown, &call.resource);
            let error = FieldError::invalid("patch", &crate::codec::to_string(&shown).into(), why);
            let about = About {
                group: "",
                kind: "",
                name: "",
            };
            ApiError::invalid(about, &[error])
        }
        None => {
            let kind = &call.resource.kind;
            let version = &call.resource.version;
            ApiError::bad_request(format!(
                "{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"
            ))
        }
    }
}
