//! What a method on a path does: one module per verb.

pub(crate) mod apply;
mod binding;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod delete_collection;
pub(crate) mod list;
pub(crate) mod log;
pub(crate) mod options;
pub(crate) mod patch;
pub(crate) mod read;
pub(crate) mod reviews;
pub(crate) mod scale;
pub(crate) mod subresource;
pub(crate) mod token;
pub(crate) mod update;

use std::sync::Arc;

use http::Method;
use kinds::Kind;
use yaml::Value;

use crate::core::Call;
use crate::negotiate::Shape;
use crate::registry::Resource;
use crate::reply::Reply;
use crate::status_error::ApiError;
use crate::{codec, render, table};
use store::Stored;

/// Answers a request on a resource.
pub(crate) fn answer(call: &Call<'_>) -> Result<Reply, ApiError> {
    if call.path.namespace.is_some() && !call.resource.namespaced {
        return Err(ApiError::no_resource());
    }
    if call.path.name.is_none() {
        return collection(call);
    }
    if call.resource.namespaced && call.path.namespace.is_none() {
        return Err(ApiError::no_resource());
    }
    let answer = match call.subresource() {
        Some(name) => subresource::answer(call, name),
        None => object(call),
    };
    // Custom resources are served by a handler of their own, with words of its own.
    match answer {
        Err(error) if error.code == 405 && call.resource.custom.is_some() => {
            Err(ApiError::not_supported(call.about(""), verb(call)))
        }
        other => other,
    }
}

/// What a request on one object does, as the real server names it.
fn verb(call: &Call<'_>) -> &'static str {
    match call.request.method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "get",
    }
}

fn collection(call: &Call<'_>) -> Result<Reply, ApiError> {
    let everywhere = call.resource.namespaced && call.path.namespace.is_none();
    let allowed = |verb| call.resource.allows(verb);
    match call.request.method {
        Method::GET if call.wants_watch() && allowed("watch") => list::watch(call),
        Method::GET if allowed("list") => list::list(call),
        Method::POST if allowed("create") && !everywhere => match reviews::answer(call) {
            Some(reply) => reply,
            None => create::create(call),
        },
        Method::DELETE if allowed("deletecollection") && !everywhere => {
            delete_collection::delete_collection(call)
        }
        _ => Err(ApiError::method_not_allowed()),
    }
}

fn object(call: &Call<'_>) -> Result<Reply, ApiError> {
    let allowed = |verb| call.resource.allows(verb);
    match call.request.method {
        // Only the old path watches one object: the parameter is not looked at.
        Method::GET if call.path.watch && allowed("watch") => list::watch(call),
        Method::GET if allowed("get") => read::get(call),
        Method::PUT if allowed("update") => update::put(call, update::Part::Main),
        Method::PATCH if allowed("patch") => patch::patch(call, update::Part::Main),
        Method::DELETE if allowed("delete") => delete::delete(call),
        _ => Err(ApiError::method_not_allowed()),
    }
}

impl Call<'_> {
    fn wants_watch(&self) -> bool {
        self.path.watch || self.request.query.flag("watch")
    }
}

/// One object in the shape that the client wants.
pub(crate) fn object_reply(call: &Call<'_>, status: u16, stored: &Arc<Stored>) -> Reply {
    let json = match call.form.shape {
        Shape::PartialList => return no_list(call),
        Shape::Object => render::object(&call.resource, stored),
        Shape::Partial => codec::to_vec(&render::partial(stored, call.form.meta_version)),
        Shape::Table => {
            let meta = render::ListMeta {
                revision: stored.revision,
                ..render::ListMeta::default()
            };
            table::table(call, &meta, std::slice::from_ref(stored))
        }
    };
    Reply::json(status, json)
}

/// An object that is not stored, in the shape that the client wants: the result of a dry run.
pub(crate) fn value_reply(call: &Call<'_>, status: u16, value: &Value) -> Reply {
    let mut value = value.clone();
    crate::conversion::settle(call.core, &call.resource, &mut value);
    let mut served = crate::convert::from_storage(&call.resource, value.clone());
    render::type_meta(&mut served, &call.resource);
    shaped_reply(call, status, &call.resource.handle(), (&value, &served))
}

/// An object as it is kept and as it is served, in the shape that the client wants. Its kind is not
/// that of the path where a subresource has one of its own.
pub(crate) fn shaped_reply(
    call: &Call<'_>,
    status: u16,
    kind: &Kind<'_>,
    (kept, served): (&Value, &Value),
) -> Reply {
    match call.form.shape {
        Shape::PartialList => no_list(call),
        Shape::Partial => Reply::value(status, &render::partial_of(served, call.form.meta_version)),
        Shape::Object => Reply::value(status, served),
        Shape::Table => Reply::json(status, table::single(call, kind, kept, served)),
    }
}

/// The answer to who wants one object as a list.
fn no_list(call: &Call<'_>) -> Reply {
    let kind = go_type(&call.resource);
    Reply::from(not_acceptable(&format!(
        "you requested PartialObjectMetadataList, but the requested object is not a list ({kind})"
    )))
}

pub(crate) fn not_acceptable(why: &str) -> ApiError {
    ApiError::new(406, "NotAcceptable", why)
}

/// The Go type that the real server keeps objects of a resource in, as its messages name it.
pub(crate) fn go_type(resource: &Resource) -> String {
    if resource.custom.is_some() {
        return "*unstructured.Unstructured".to_owned();
    }
    let package = crate::decode::internal_package(&resource.group);
    format!("*{package}.{}", resource.kind)
}
