//! The `scale` subresource: replicas of a workload, whatever its kind.

use std::sync::Arc;

use kinds::Kind;
use yaml::{Map, Value};

use crate::admission::{self, Write};
use crate::codec;
use crate::core::Call;
use crate::decode::{self, Decoded};
use crate::meta;
use crate::negotiate::Form;
use crate::registry::Resource;
use crate::reply::{Content, Reply};
use crate::status_error::{About, ApiError, Cause, Details};

use super::apply;
use super::create::Writer;
use super::patch;
use super::read;
use super::update::{self, Part};

const SCALE_VERSION: &str = "autoscaling/v1";

/// Reads or changes the number of replicas.
pub(crate) fn answer(call: &Call<'_>, verb: &str) -> Result<Reply, ApiError> {
    match verb {
        "get" => reply(call, &read::find(call)?.value()),
        "update" => {
            let Decoded { value, .. } = decode::object(&as_scale(call))?;
            update::check_identity(call, &value)?;
            write(call, |_| Ok(value.clone()))
        }
        "patch" if patch::kind(call)? == patch::Kind::Apply => apply(call),
        "patch" => write(call, |scale| patch::on_value(&as_scale(call), scale)),
        _ => Err(ApiError::method_not_allowed()),
    }
}

/// Answers with the Scale of an object. A table of custom resources has their columns here too.
fn reply(call: &Call<'_>, object: &Value) -> Result<Reply, ApiError> {
    let kind = match &call.resource.custom {
        Some(_) => call.resource.handle(),
        None => Kind {
            group: "autoscaling",
            version: "v1",
            kind: "Scale",
            plural: "scales",
            custom: false,
            has_status: true,
        },
    };
    let scale = scale_of(call, object)?;
    Ok(super::shaped_reply(call, 200, &kind, (&scale, &scale)))
}

/// The same call on a resource of Scales, which decide what its body is.
fn as_scale<'a>(call: &Call<'a>) -> Call<'a> {
    let resource = Resource {
        group: "autoscaling".into(),
        version: "v1".into(),
        kind: "Scale".into(),
        plural: "scales".into(),
        custom: None,
        ..(*call.resource).clone()
    };
    Call {
        resource: Arc::new(resource),
        ..*call
    }
}

/// Where a resource keeps what a Scale shows.
struct Paths {
    replicas: Vec<String>,
    status: Vec<String>,
    selector: Option<Vec<String>>,
}

fn paths(call: &Call<'_>) -> Paths {
    let split = |path: &str| {
        path.trim_start_matches('.')
            .split('.')
            .map(str::to_owned)
            .collect::<Vec<String>>()
    };
    match call
        .resource
        .custom
        .as_ref()
        .and_then(|custom| custom.scale.as_ref())
    {
        Some(scale) => Paths {
            replicas: split(&scale.replicas),
            status: split(&scale.status),
            selector: scale.selector.as_deref().map(split),
        },
        None => Paths {
            replicas: split("spec.replicas"),
            status: split("status.replicas"),
            selector: None,
        },
    }
}

fn at<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, key| value.get(key))
}

/// The Scale of an object.
fn scale_of(call: &Call<'_>, object: &Value) -> Result<Value, ApiError> {
    let paths = paths(call);
    let number = |path: &[String]| at(object, path).and_then(Value::as_i64);
    let mut metadata = Map::new();
    if let Some(from) = object.get("metadata").and_then(Value::as_map) {
        for key in [
            "name",
            "namespace",
            "uid",
            "resourceVersion",
            "creationTimestamp",
        ] {
            meta::copy(from, &mut metadata, key);
        }
    }
    let mut spec = Map::new();
    let replicas = number(&paths.replicas).unwrap_or(0);
    if replicas != 0 {
        spec.insert("replicas", replicas);
    }
    let mut status = Map::from([("replicas", number(&paths.status).unwrap_or(0).into())]);
    let selector = match &paths.selector {
        Some(path) => at(object, path).and_then(Value::as_str).map(str::to_owned),
        None if call.resource.custom.is_some() => None,
        None => Some(kinds::selector_text(object.at(&["spec", "selector"]))),
    };
    if let Some(selector) = selector.filter(|text| !text.is_empty()) {
        status.insert("selector", selector);
    }
    Ok(Value::Map(Map::from([
        ("apiVersion", SCALE_VERSION.into()),
        ("kind", "Scale".into()),
        ("metadata", metadata.into()),
        ("spec", spec.into()),
        ("status", status.into()),
    ])))
}

fn write(
    call: &Call<'_>,
    change: impl Fn(&Value) -> Result<Value, ApiError>,
) -> Result<Reply, ApiError> {
    let paths = paths(call);
    let reply = update::change_object(&whole(call), Part::Other, &Writer::update(call), |old| {
        let before = scale_of(call, old)?;
        let after = admitted(call, &before, change(&before)?)?;
        let replicas = replicas_of(&after);
        let version = meta::text(&after, "resourceVersion").to_owned();
        let mut new = old.clone();
        insert_at(&mut new, &paths.replicas, replicas.into());
        meta::of(&mut new).insert("resourceVersion", version);
        Ok(new)
    })?;
    written(call, reply)
}

fn replicas_of(scale: &Value) -> i64 {
    let replicas = scale.at(&["spec", "replicas"]);
    replicas.and_then(Value::as_i64).unwrap_or(0)
}

/// A Scale as those who have a say in it leave it.
fn admitted(call: &Call<'_>, before: &Value, mut after: Value) -> Result<Value, ApiError> {
    if let Some(changed) = admission::mutate(call, Write::update(&after, before))? {
        after = changed;
    }
    let replicas = replicas_of(&after);
    if replicas < 0 {
        let about = About {
            group: "autoscaling",
            kind: "Scale",
            name: call.name(),
        };
        let error = kinds::FieldError::invalid(
            "spec.replicas",
            &replicas.into(),
            "must be greater than or equal to 0",
        );
        return Err(ApiError::invalid(about, &[error]));
    }
    call.warn(admission::check(call, Write::update(&after, before))?);
    Ok(after)
}

/// Applies the replicas of a Scale to its object: fields are owned there.
fn apply(call: &Call<'_>) -> Result<Reply, ApiError> {
    let config = apply::configuration(call, SCALE_VERSION, "Scale")?;
    let metadata = config.get("metadata").cloned().unwrap_or_default();
    let mut object = Value::Map(Map::from([
        ("apiVersion", call.resource.api_version().into()),
        ("kind", call.resource.kind.clone().into()),
        ("metadata", metadata),
    ]));
    if let Some(replicas) = config.at(&["spec", "replicas"]) {
        if !call.request.query.flag("force") {
            check_first_apply(call, replicas)?;
        }
        insert_at(&mut object, &paths(call).replicas, replicas.clone());
    }
    let paths = paths(call);
    let reply = apply::apply_config(&whole(call), Part::Other, &object, |old, mut new| {
        let after = admitted(call, &scale_of(call, old)?, scale_of(call, &new)?)?;
        if after != scale_of(call, &new)? {
            insert_at(&mut new, &paths.replicas, replicas_of(&after).into());
        }
        Ok(new)
    })?;
    written(call, reply)
}

/// Replicas that nobody owns count as those of who wrote before anybody applied.
fn check_first_apply(call: &Call<'_>, replicas: &Value) -> Result<(), ApiError> {
    let object = read::find(call)?.value();
    let path = paths(call).replicas;
    let fields: Vec<String> = path.iter().map(|name| format!("f:{name}")).collect();
    let entries = object.at(&["metadata", "managedFields"]);
    let entries = entries.and_then(Value::as_list).unwrap_or_default();
    let mut owned = entries.iter().filter_map(|entry| entry.get("fieldsV1"));
    let live = at(&object, &path).filter(|live| live.as_i64() != Some(0));
    if live.is_none_or(|live| live == replicas) || owned.any(|owned| at(owned, &fields).is_some()) {
        return Ok(());
    }
    let owner =
        "conflict with \"before-first-apply\" with subresource \"scale\" using autoscaling/v1";
    let cause = Cause {
        reason: "FieldManagerConflict",
        message: owner.to_owned(),
        field: ".spec.replicas".to_owned(),
    };
    let message = format!("Apply failed with 1 conflict: {owner}: {}", cause.field);
    Err(ApiError {
        details: Some(Box::new(Details {
            causes: vec![cause],
            ..Details::default()
        })),
        ..ApiError::new(409, "Conflict", message)
    })
}

/// The same call, answered with the object as JSON.
fn whole<'a>(call: &Call<'a>) -> Call<'a> {
    Call {
        resource: Arc::clone(&call.resource),
        form: Form::PLAIN,
        ..*call
    }
}

/// Answers with the Scale of the object that was written.
fn written(call: &Call<'_>, reply: Reply) -> Result<Reply, ApiError> {
    let Content::Json(object) = &reply.content else {
        return Err(ApiError::internal("an object is JSON"));
    };
    let object = codec::parse(object).map_err(|error| ApiError::internal(&error))?;
    let scale = self::reply(call, &object)?;
    Ok(scale.with_warnings(reply.warnings).after(reply.revision))
}

fn insert_at(object: &mut Value, path: &[String], value: Value) {
    if let Some((last, parents)) = path.split_last() {
        let parents: Vec<&str> = parents.iter().map(String::as_str).collect();
        object.map_at_mut(&parents).insert(last.as_str(), value);
    }
}
