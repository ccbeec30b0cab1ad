//! Paths below an object.

use http::Method;
use yaml::Value;

use crate::admission::{self, Write};
use crate::core::Call;
use crate::decode::{self, Decoded};
use crate::meta;
use crate::reply::Reply;
use crate::status_error::{ApiError, success};

use super::update::{self, Part};
use super::{binding, log, patch, read};

/// Answers a request on a part of an object.
pub(crate) fn answer(call: &Call<'_>, name: &str) -> Result<Reply, ApiError> {
    let Some(part) = call.resource.subresource(name) else {
        return Err(ApiError::no_resource());
    };
    let verb = match call.request.method {
        Method::GET => "get",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::POST => "create",
        Method::DELETE => "delete",
        _ => "",
    };
    if !part.verbs.iter().any(|known| known == verb) {
        return Err(ApiError::method_not_allowed());
    }
    match (name, verb) {
        ("status", "get") => read::get(call),
        ("status", "update") => update::put(call, Part::Status),
        ("status", "patch") => patch::patch(call, Part::Status),
        ("approval" | "ephemeralcontainers" | "resize" | "finalize", "get") => read::get(call),
        ("approval" | "ephemeralcontainers" | "resize" | "finalize", "update") => {
            update::put(call, Part::Other)
        }
        ("approval" | "ephemeralcontainers" | "resize", "patch") => patch::patch(call, Part::Other),
        ("scale", _) => super::scale::answer(call, verb),
        ("binding", "create") => binding::bind(call),
        ("eviction", "create") => evict(call),
        ("log", "get") => log::read(call),
        ("token", "create") => super::token::create(call),
        _ => {
            read::find(call)?;
            Err(ApiError::bad_request(format!(
                "the sandbox does not serve {name} of {}",
                call.resource.plural
            )))
        }
    }
}

/// The body, as webhooks and policies leave it.
pub(super) fn admitted(call: &Call<'_>) -> Result<Value, ApiError> {
    let Decoded { mut value, .. } = decode::any(call)?;
    meta::of(&mut value).insert("namespace", call.namespace());
    if let Some(changed) = admission::mutate(call, Write::create(&value))? {
        value = changed;
    }
    call.warn(admission::check(call, Write::create(&value))?);
    Ok(value)
}

/// Deletes a pod on behalf of who drains a node.
fn evict(call: &Call<'_>) -> Result<Reply, ApiError> {
    admitted(call)?;
    let reply = super::delete::delete(call)?;
    Ok(Reply::value(201, &success(Some(201), None)).after(reply.revision))
}
