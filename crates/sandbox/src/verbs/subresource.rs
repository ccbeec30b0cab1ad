//! Paths below an object.

use http::Method;
use yaml::{Map, Value};

use crate::admission::{self, Write};
use crate::core::Call;
use crate::decode::{self, Decoded};
use crate::meta;
use crate::reply::Reply;
use crate::status_error::{ApiError, success};

use super::create::Writer;
use super::update::{self, Part};
use super::{patch, read};

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
        ("binding", "create") => bind(call),
        ("eviction", "create") => evict(call),
        ("log", "get") => log(call),
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

/// What a simulated container printed: the asked one, or the first.
fn log(call: &Call<'_>) -> Result<Reply, ApiError> {
    let pod = read::find(call)?.value();
    let first = pod
        .pointer("/spec/containers/0/name")
        .and_then(Value::as_str);
    let container = match call.request.query.get("container") {
        "" => first.unwrap_or_default(),
        container => container,
    };
    let text = call.core.logs.read(meta::uid(&pod), container);
    Ok(Reply::typed(200, "text/plain", text.unwrap_or_default()))
}

/// The body, as webhooks and policies leave it.
fn admitted(call: &Call<'_>) -> Result<Value, ApiError> {
    let Decoded { mut value, .. } = decode::any(call)?;
    meta::of(&mut value).insert("namespace", call.namespace());
    if let Some(changed) = admission::mutate(call, Write::create(&value))? {
        value = changed;
    }
    call.warn(admission::check(call, Write::create(&value))?);
    Ok(value)
}

/// Assigns a pod to a node, as a scheduler asks for.
fn bind(call: &Call<'_>) -> Result<Reply, ApiError> {
    let binding = admitted(call)?;
    let node = binding
        .at(&["target", "name"])
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let now = life::clock::seconds(call.now);
    let reply = update::change_object(call, Part::Other, &Writer::Apply, |old| {
        let bound = old.at(&["spec", "nodeName"]).and_then(Value::as_str);
        if let Some(bound) = bound.filter(|bound| !bound.is_empty()) {
            let why = format!("pod {} is already assigned to node {bound:?}", call.name());
            return Err(ApiError::conflict(
                crate::status_error::About {
                    group: "",
                    kind: "pods/binding",
                    name: call.name(),
                },
                &why,
            ));
        }
        let mut new = old.clone();
        new.map_at_mut(&["spec"]).insert("nodeName", node.as_str());
        set_condition(
            &mut new,
            Map::from([
                ("type", "PodScheduled".into()),
                ("status", "True".into()),
                ("lastProbeTime", Value::Null),
                ("lastTransitionTime", now.as_str().into()),
            ]),
        );
        Ok(new)
    })?;
    Ok(Reply::value(201, &success(Some(201), None)).after(reply.revision))
}

fn set_condition(object: &mut Value, condition: Map) {
    let status = object.map_at_mut(&["status"]);
    let conditions = status.entry_or_insert("conditions", Value::List(Vec::new()));
    if !matches!(conditions, Value::List(_)) {
        *conditions = Value::List(Vec::new());
    }
    if let Some(list) = conditions.as_list_mut() {
        list.retain(|known| known.get("type") != condition.get("type"));
        list.push(condition.into());
    }
}

/// Deletes a pod on behalf of who drains a node.
fn evict(call: &Call<'_>) -> Result<Reply, ApiError> {
    admitted(call)?;
    let reply = super::delete::delete(call)?;
    Ok(Reply::value(201, &success(Some(201), None)).after(reply.revision))
}
