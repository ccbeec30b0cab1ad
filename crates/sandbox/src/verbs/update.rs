//! PUT, and what all changes of an existing object share.

use std::sync::Arc;

use yaml::Value;

use crate::auth::escalation;
use crate::core::Call;
use crate::decode::{self, Decoded};
use crate::reply::Reply;
use crate::status_error::ApiError;
use crate::strategy::{self, Context};
use crate::{admission, conversion, meta, ownership};
use store::{Expect, Stored};

pub(crate) use kinds::Part;

use super::create::Writer;
use super::options::Options;
use super::{object_reply, read, value_reply};

/// How often a change without a resource version is tried on the newest object.
const ATTEMPTS: usize = 32;

/// Replaces an object, or its status, by the body.
pub(crate) fn put(call: &Call<'_>, part: Part) -> Result<Reply, ApiError> {
    Options::Update.check(call)?;
    let Decoded { value, warnings } = decode::object(call)?;
    check_identity(call, &value)?;
    let mut value = crate::convert::to_storage(&call.resource, value);
    if call.resource.namespaced {
        meta::of(&mut value).insert("namespace", call.namespace());
    }
    let exists = call
        .core
        .store
        .get(&call.resource.collection, call.namespace(), call.name());
    if exists.is_none() && part == Part::Main && call.resource.handle().created_by_update() {
        meta::of(&mut value).remove("resourceVersion");
        return super::create::insert(call, value, &Writer::update(call));
    }
    let writer = Writer::update(call);
    let change = |_: &Value| Ok(value.clone());
    let replaced = if exists.is_some() && call.resource.handle().updates_need_version() {
        names_version(call, &value).and_then(|()| change_object(call, part, &writer, change))
    } else {
        change_object(call, part, &writer, change)
    };
    let reply = replaced.unwrap_or_else(Reply::from);
    Ok(reply.with_warnings(warnings))
}

/// Some kinds are replaced only by who says which state was seen.
fn names_version(call: &Call<'_>, value: &Value) -> Result<(), ApiError> {
    if !matches!(meta::text(value, "resourceVersion"), "" | "0") {
        return Ok(());
    }
    let error = kinds::FieldError::invalid(
        "metadata.resourceVersion",
        &0.into(),
        "must be specified for an update",
    );
    Err(ApiError::invalid(call.about(call.name()), &[error]))
}

/// The name and namespace of a body are those of the path.
pub(crate) fn check_identity(call: &Call<'_>, value: &Value) -> Result<(), ApiError> {
    let name = meta::name(value);
    if name.is_empty() {
        return Err(ApiError::bad_request("name must be provided"));
    }
    if name != call.name() {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            call.name()
        )));
    }
    let namespace = meta::text(value, "namespace");
    if !namespace.is_empty() && namespace != call.namespace() {
        return Err(ApiError::bad_request(format!(
            "the namespace of the object ({namespace}) does not match the namespace on the \
             request ({})",
            call.namespace()
        )));
    }
    Ok(())
}

/// Changes the object of the path: `change` gives the new state for the one stored.
///
/// When the new state names no resource version, a concurrent write only means another try.
pub(crate) fn change_object(
    call: &Call<'_>,
    part: Part,
    writer: &Writer,
    change: impl Fn(&Value) -> Result<Value, ApiError>,
) -> Result<Reply, ApiError> {
    for _ in 0..ATTEMPTS {
        let stored = read::find(call)?;
        if let Some(reply) = try_change(call, part, writer, &stored, &change)? {
            return Ok(reply);
        }
    }
    Err(ApiError::modified(call.about(call.name())))
}

/// `None` when someone else was faster.
fn try_change(
    call: &Call<'_>,
    part: Part,
    writer: &Writer,
    stored: &Arc<Stored>,
    change: impl Fn(&Value) -> Result<Value, ApiError>,
) -> Result<Option<Reply>, ApiError> {
    let old = stored.value();
    let mut new = change(&old)?;
    let context = Context::of(call);
    strategy::convert_update(&context, &mut new);
    if let Writer::Update(manager) = writer {
        ownership::track_update(&context, part, &old, &mut new, manager);
    }
    let is_of_part = admission::is_of_part(call);
    strategy::admit_update(&context, &mut new, &old);
    if !is_of_part
        && let Some(changed) = admission::mutate(call, admission::Write::update(&new, &old))?
    {
        new = changed;
        strategy::convert_update(&context, &mut new);
        strategy::admit_update(&context, &mut new, &old);
    }
    let pinned = check_preconditions(call, &old, &new, stored)?;
    escalation::check(call, &new, Some(&old))?;
    keep_system_fields(&old, &mut new);
    strategy::prepare_update(&context, part, &mut new, &old)?;
    let errors = strategy::validate(&context, &new, Some((part, &old)));
    if !errors.is_empty() {
        return Err(ApiError::invalid(call.about_kind(call.name()), &errors));
    }
    let mut warnings = strategy::warnings(&context, &new, Some((part, &old)));
    if !is_of_part {
        let write = admission::Write::update(&new, &old);
        warnings.extend(admission::check(call, write)?);
    }
    if is_unchanged(call, stored, (&old, &new)) && !may_go(&new) {
        return Ok(Some(
            object_reply(call, 200, stored).with_warnings(warnings),
        ));
    }
    if call.dry_run() {
        return Ok(Some(value_reply(call, 200, &new).with_warnings(warnings)));
    }
    if may_go(&new) && strategy::may_vanish(&call.resource, &new) {
        let Ok(gone) = call.core.store.remove(&call.resource.collection, stored) else {
            return Ok(None);
        };
        strategy::after_write(&context, None);
        return Ok(Some(value_reply(call, 200, &new).after(gone.revision)));
    }
    let expect = Expect::Revision(stored.revision);
    let kept = conversion::to_store(call.core, &call.resource, new)?;
    match call.core.store.put(&call.resource.collection, expect, kept) {
        Ok(stored) => {
            let stored = conversion::found(call.core, &call.resource, stored)?;
            strategy::after_write(&context, Some(&stored));
            let reply = object_reply(call, 200, &stored).with_warnings(warnings);
            Ok(Some(reply.after(stored.revision)))
        }
        Err(_) if pinned => Err(ApiError::modified(call.about(call.name()))),
        Err(_) => Ok(None),
    }
}

/// Whether a write leaves the text that is kept as it is: who writes an object as he read it moves it
/// to the version and form in which it is kept now.
fn is_unchanged(call: &Call<'_>, stored: &Stored, (old, new): (&Value, &Value)) -> bool {
    let mut new = new.clone();
    let is_settled = conversion::settle(call.core, &call.resource, &mut new);
    let is_kept_so = stored.version.is_empty() || stored.version == call.resource.storage;
    is_kept_so && stored.is_settled == is_settled && ownership::same_but_times(old, &new)
}

/// Whether an object is being deleted and nothing holds it any more.
fn may_go(value: &Value) -> bool {
    meta::is_terminating(value)
        && meta::finalizers(value).is_empty()
        && value
            .at(&["metadata", "deletionGracePeriodSeconds"])
            .and_then(Value::as_i64)
            .unwrap_or(0)
            == 0
}

/// Whether the new state names the resource version that it was made from.
fn check_preconditions(
    call: &Call<'_>,
    old: &Value,
    new: &Value,
    stored: &Stored,
) -> Result<bool, ApiError> {
    let uid = meta::uid(new);
    // A patch states no precondition: it changes what cannot be changed.
    let states = call.request.method == http::Method::PUT;
    if states && !uid.is_empty() && uid != meta::uid(old) {
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            meta::uid(old)
        );
        return Err(ApiError::conflict(call.about(call.name()), &why));
    }
    let version = meta::text(new, "resourceVersion");
    if version.is_empty() || version == "0" {
        return Ok(false);
    }
    let revision: u64 = version.parse().map_err(|_invalid| {
        ApiError::unclassified(format!(
            "strconv.ParseUint: parsing {}: invalid syntax",
            crate::status_error::quoted(version)
        ))
    })?;
    if revision != stored.revision {
        return Err(ApiError::modified(call.about(call.name())));
    }
    Ok(call.request.method == http::Method::PUT)
}

/// What clients cannot change comes from the stored object.
fn keep_system_fields(old: &Value, new: &mut Value) {
    let Some(from) = old.get("metadata").and_then(Value::as_map) else {
        return;
    };
    let to = meta::of(new);
    for key in ["creationTimestamp", "resourceVersion", "generation"] {
        meta::copy(from, to, key);
    }
    for key in [
        "namespace",
        "name",
        "uid",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        if to.get(key).is_none_or(Value::is_null) {
            meta::copy(from, to, key);
        }
    }
    to.remove("selfLink");
}
