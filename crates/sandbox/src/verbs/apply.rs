//! Server-side apply: the configuration of one manager, merged by field ownership.

use manifest::fields::{self, ApplyError, OnConflict};
use yaml::Value;

use crate::core::Call;
use crate::reply::Reply;
use crate::status_error::{ApiError, Cause, Details};
use crate::strategy::Context;
use crate::{convert, meta, ownership, render, typing};
use life::clock;

use super::create::{self, Writer};
use super::options::Options;
use super::update::{self, Part};

/// Applies the configuration of the body; makes the object when it is not there.
pub(crate) fn apply(call: &Call<'_>, part: Part) -> Result<Reply, ApiError> {
    Options::Apply.check(call)?;
    let resource = &call.resource;
    let config = configuration(call, &resource.api_version(), &resource.kind)?;
    apply_config(call, part, &config, |_, applied| Ok(applied))
}

/// Applies a configuration of the whole object. What comes of one that is there goes through
/// `admit` with its state before.
pub(crate) fn apply_config(
    call: &Call<'_>,
    part: Part,
    config: &Value,
    admit: impl Fn(&Value, Value) -> Result<Value, ApiError>,
) -> Result<Reply, ApiError> {
    let warnings = std::cell::RefCell::new(Vec::new());
    let exists = call
        .core
        .store
        .get(&call.resource.collection, call.namespace(), call.name())
        .is_some();
    if !exists && part == Part::Main {
        let value = merged(call, part, config, None, &mut warnings.borrow_mut())?;
        let reply = create::insert(call, value, &Writer::Apply)?;
        return Ok(reply.with_warnings(warnings.into_inner()));
    }
    let reply = update::change_object(call, part, &Writer::Apply, |old| {
        let mut live = convert::from_storage(&call.resource, old.clone());
        render::type_meta(&mut live, &call.resource);
        warnings.borrow_mut().clear();
        let value = merged(call, part, config, Some(&live), &mut warnings.borrow_mut())?;
        admit(old, convert::to_storage(&call.resource, value))
    })?;
    Ok(reply.with_warnings(warnings.into_inner()))
}

/// The body, checked to be of a type and about the object of the path.
pub(crate) fn configuration(
    call: &Call<'_>,
    type_version: &str,
    type_kind: &str,
) -> Result<Value, ApiError> {
    let text = String::from_utf8_lossy(&call.request.body);
    let mut config = yaml::parse_str(&text).map_err(|error| {
        ApiError::bad_request(format!(
            "error decoding YAML: error converting YAML to JSON: {}",
            error.go_text()
        ))
    })?;
    match &config {
        Value::Map(_) => {}
        Value::Null => config = Value::Map(yaml::Map::new()),
        other => {
            return Err(ApiError::bad_request(format!(
                "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot \
                 unmarshal {} into Go value of type map[string]interface {{}}",
                other.kind()
            )));
        }
    }
    let said = |key: &str| config.get(key).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (said("apiVersion"), said("kind"));
    if api_version != type_version || kind != type_kind {
        let slash = if api_version.contains('/') { "" } else { "/" };
        return Err(ApiError::bad_request(format!(
            "invalid object type: {slash}{api_version}, Kind={kind}"
        )));
    }
    if meta::name(&config).is_empty() {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            call.name()
        )));
    }
    let namespace = meta::text(&config, "namespace");
    if !namespace.is_empty() && namespace != call.namespace() {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    update::check_identity(call, &config)?;
    Ok(config)
}

fn merged(
    call: &Call<'_>,
    part: Part,
    config: &Value,
    live: Option<&Value>,
    warnings: &mut Vec<String>,
) -> Result<Value, ApiError> {
    let context = Context::of(call);
    let manager = ownership::manager(call.request);
    let time = clock::seconds(call.now);
    let ignored = ownership::ignored(&context, part);
    let writer = fields::Writer {
        manager: &manager,
        subresource: call.subresource().unwrap_or_default(),
        time: &time,
        ignored: &ignored,
    };
    let on_conflict = if call.request.query.flag("force") {
        OnConflict::TakeOver
    } else {
        OnConflict::Refuse
    };
    let applied = fields::apply(
        live,
        config,
        &ownership::schema(&context),
        &writer,
        on_conflict,
    )
    .map_err(|error| refusal(&error))?;
    let mut value = applied.object;
    ownership::without_times_of_scale(&mut value);
    let map = value.map_at_mut(&[]);
    map.remove("apiVersion");
    map.remove("kind");
    typing::check(call, &mut value, warnings, typing::Source::Applied)?;
    Ok(value)
}

fn refusal(error: &ApplyError) -> ApiError {
    let message = error.to_string();
    match error {
        ApplyError::Conflicts(conflicts) => {
            let causes = conflicts
                .iter()
                .map(|conflict| Cause {
                    reason: "FieldManagerConflict",
                    message: format!("conflict with {}", conflict.owner),
                    field: conflict.field.clone(),
                })
                .collect();
            ApiError {
                details: Some(Box::new(Details {
                    causes,
                    ..Details::default()
                })),
                ..ApiError::new(409, "Conflict", message)
            }
        }
        ApplyError::HasManagedFields => ApiError::bad_request(message),
        ApplyError::Invalid { .. } | ApplyError::Managed(_) => ApiError::unclassified(message),
    }
}
