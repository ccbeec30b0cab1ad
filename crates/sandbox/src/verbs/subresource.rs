//! Paths below an object.

use http::Method;
use yaml::{Map, Value};

use crate::admission::{self, Write};
use crate::core::Call;
use crate::decode::{self, Decoded};
use crate::meta;
use crate::registry::Subresource;
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
            update::put(call, part_of(name))
        }
        ("approval" | "ephemeralcontainers" | "resize", "patch") => {
            patch::patch(call, part_of(name))
        }
        ("scale", _) => super::scale::answer(call, verb),
        ("binding", "create") => binding::bind(call),
        ("eviction", "create") => evict(call),
        ("log", "get") => log::read(call),
        ("token", "create") => super::token::create(call),
        _ => connect(call, part),
    }
}

/// Refuses a connection to an object, after those who have a say in it: nothing runs here.
fn connect(call: &Call<'_>, part: &Subresource) -> Result<Reply, ApiError> {
    let options = connection(call, part);
    let changed = admission::mutate(call, Write::connect(&options))?;
    let options = changed.as_ref().unwrap_or(&options);
    call.warn(admission::check(call, Write::connect(options))?);
    let object = read::find(call)?.value();
    let is_set = |path: &[&str]| {
        let text = object.at(path).and_then(Value::as_str);
        text.is_some_and(|text| !text.is_empty())
    };
    let why = match (&*call.resource.plural, &*part.name) {
        ("pods", "proxy") if !is_set(&["status", "podIP"]) => "address not allowed".to_owned(),
        ("pods", "exec" | "attach" | "portforward") if !is_set(&["spec", "nodeName"]) => {
            format!("pod {} does not have a host assigned", call.name())
        }
        (plural, name) => format!("the sandbox does not serve {name} of {plural}"),
    };
    Err(ApiError::bad_request(why))
}

/// What a connection asks for, as an object: the kind of its path, of the parameters.
fn connection(call: &Call<'_>, part: &Subresource) -> Value {
    let query = &call.request.query;
    let mut options = Map::from([
        ("kind", part.kind.clone().into()),
        ("apiVersion", call.resource.api_version().into()),
    ]);
    for key in ["stdin", "stdout", "stderr", "tty"] {
        if query.flag(key) {
            options.insert(key, true);
        }
    }
    if !query.get("container").is_empty() {
        options.insert("container", query.get("container"));
    }
    let words: Vec<Value> = query.all("command").map(Value::from).collect();
    let ports = query.all("ports").flat_map(|ports| ports.split(','));
    let ports: Vec<Value> = ports
        .filter_map(|port| port.parse::<i64>().ok())
        .map(Value::from)
        .collect();
    for (key, items) in [("command", words), ("ports", ports)] {
        if !items.is_empty() {
            options.insert(key, items);
        }
    }
    let slash = if call.request.path.ends_with('/') {
        "/"
    } else {
        ""
    };
    let path = format!("{}{slash}", call.path.rest.join("/"));
    if part.name == "proxy" && !path.is_empty() {
        options.insert("path", format!("/{}", path.trim_start_matches('/')));
    }
    options.into()
}

fn part_of(subresource: &str) -> Part {
    match subresource {
        "resize" => Part::Resize,
        "ephemeralcontainers" => Part::EphemeralContainers,
        _ => Part::Other,
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
