//! PATCH: which of the four patches a body is, and what it makes of an object.

use http::Method;
use manifest::patch::{self, PatchError};
use yaml::Value;

use crate::core::Call;
use crate::decode::WrongType;
use crate::reply::Reply;
use crate::status_error::{ApiError, Details};
use crate::{codec, convert, decode, render, typing};

use super::create::Writer;
use super::options::Options;
use super::update::{self, Part};

/// The four kinds of patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Json,
    Merge,
    Strategic,
    Apply,
}

const CUSTOM_TYPES: [&str; 3] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
];

pub(crate) fn kind(call: &Call<'_>) -> Result<Kind, ApiError> {
    let header = call.request.header("content-type");
    let media = header.split(';').next().unwrap_or_default().trim();
    match media {
        "application/json-patch+json" => Ok(Kind::Json),
        "application/merge-patch+json" => Ok(Kind::Merge),
        "application/apply-patch+yaml" => Ok(Kind::Apply),
        "application/strategic-merge-patch+json" if call.resource.custom.is_none() => {
            Ok(Kind::Strategic)
        }
        _ if call.resource.custom.is_some() => Err(ApiError::unsupported_media_type(&CUSTOM_TYPES)),
        _ => Err(ApiError {
            details: Some(Box::new(Details::default())),
            ..ApiError::new(415, "UnsupportedMediaType", "415: Unsupported Media Type")
        }),
    }
}

/// Changes an object by the patch of the body.
pub(crate) fn patch(call: &Call<'_>, part: Part) -> Result<Reply, ApiError> {
    debug_assert_eq!(call.request.method, Method::PATCH);
    let kind = kind(call)?;
    if kind == Kind::Apply {
        return super::apply::apply(call, part);
    }
    Options::Patch.check(call)?;
    // What is patched is looked for first.
    super::read::find(call)?;
    let patch = body(call, kind)?;
    let warnings = std::cell::RefCell::new(Vec::new());
    let reply = update::change_object(call, part, &Writer::update(call), |old| {
        let mut before = convert::from_storage(&call.resource, old.clone());
        render::type_meta(&mut before, &call.resource);
        warnings.borrow_mut().clear();
        let after = patched(call, kind, &patch, before, &mut warnings.borrow_mut())?;
        check_result(call, &after)?;
        Ok(convert::to_storage(&call.resource, after))
    })
    .unwrap_or_else(Reply::from);
    Ok(reply.with_warnings(warnings.into_inner()))
}

/// A tree that is no stored object, such as a Scale, changed by the patch of the body.
pub(crate) fn on_value(call: &Call<'_>, value: &Value) -> Result<Value, ApiError> {
    let kind = match kind(call)? {
        Kind::Json => Kind::Json,
        _ => Kind::Merge,
    };
    let patch = body(call, kind)?;
    // These subresources answer without warnings.
    patched(call, kind, &patch, value.clone(), &mut Vec::new())
}

/// The object that a patch makes of another one, in the form of its kind and without its type.
fn patched(
    call: &Call<'_>,
    kind: Kind,
    patch: &Value,
    before: Value,
    warnings: &mut Vec<String>,
) -> Result<Value, ApiError> {
    let looked_into = protobuf::looked_into(patch, &before);
    let source = match kind {
        Kind::Strategic => typing::Source::Strategic(patch),
        Kind::Json | Kind::Merge | Kind::Apply => typing::Source::Patch(&looked_into),
    };
    if kind == Kind::Merge && !matches!(patch, Value::Map(_) | Value::Null) {
        return Err(ApiError::bad_request(format!(
            "error decoding patch: json: cannot unmarshal {} into Go value of type \
             map[string]interface {{}}",
            patch.kind()
        )));
    }
    let mut after = change(call, kind, patch, before)?;
    match decode::wrong_type(call, &after) {
        Some(WrongType::Kind { why, .. }) if matches!(kind, Kind::Json | Kind::Merge) => {
            return Err(typing::refused(call, source, Some(&after), &why));
        }
        _ => decode::check_type(call, &after)?,
    }
    let map = after.map_at_mut(&[]);
    map.remove("apiVersion");
    map.remove("kind");
    typing::check(call, &mut after, warnings, source)?;
    Ok(after)
}

fn body(call: &Call<'_>, kind: Kind) -> Result<Value, ApiError> {
    let body = &call.request.body;
    codec::parse_json(body).map_err(|why| match kind {
        Kind::Json | Kind::Merge => ApiError::bad_request(format!("error decoding patch: {why}")),
        Kind::Strategic | Kind::Apply => ApiError::bad_request(why),
    })
}

fn change(call: &Call<'_>, kind: Kind, patch: &Value, before: Value) -> Result<Value, ApiError> {
    let changed = match kind {
        Kind::Json => patch::json_patch(&before, patch),
        Kind::Merge | Kind::Apply => patch::merge_patch(before, patch),
        Kind::Strategic => match typing::schema(call.core, &call.resource) {
            Some(schema) => patch::strategic_merge(before, patch, &schema),
            None => patch::merge_patch(before, patch),
        },
    };
    changed.map_err(|error| refusal(&error))
}

/// The Status of a patch that cannot be applied.
fn refusal(error: &PatchError) -> ApiError {
    let message = error.to_string();
    match error {
        PatchError::Decode { .. }
        | PatchError::NotAnObject(_)
        | PatchError::InvalidMergePatch
        | PatchError::BadRetainKeys
        | PatchError::BadDeleteList
        | PatchError::BadOrderList => ApiError::bad_request(message),
        PatchError::TooManyOperations(_) => ApiError::new(413, "RequestEntityTooLarge", message),
        PatchError::DoesNotApply(_) | PatchError::CopiesTooMuch(_) => ApiError {
            details: Some(Box::new(Details::default())),
            ..ApiError::new(
                422,
                "Invalid",
                "the server rejected our request due to an error in our request",
            )
        },
        _ => ApiError::unclassified(message),
    }
}

/// A patch cannot give an object another name.
fn check_result(call: &Call<'_>, after: &Value) -> Result<(), ApiError> {
    let name = crate::meta::name(after);
    if name.is_empty() {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            call.name()
        )));
    }
    let namespace = crate::meta::text(after, "namespace");
    if !namespace.is_empty() && namespace != call.namespace() {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    update::check_identity(call, after)
}
