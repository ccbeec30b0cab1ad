//! POST: a new object.

use yaml::Value;

use crate::auth::escalation;
use crate::core::Call;
use crate::decode::{self, Decoded};
use crate::reply::Reply;
use crate::status_error::{About, ApiError, Cause};
use crate::strategy::{self, Context};
use crate::{admission, budget, conversion, meta, ownership};
use store::{Collection, Expect};

use super::options::Options;
use super::{object_reply, value_reply};

/// Tries to find a free name before giving up, as the real server does.
const NAME_ATTEMPTS: usize = 8;
/// Letters of a generated suffix: no vowels, so that no words come out.
const SUFFIX_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
const SUFFIX_LENGTH: usize = 5;
/// A generated name never exceeds 63 bytes.
const GENERATED_BASE: usize = 63 - SUFFIX_LENGTH;

/// Makes the object of the body.
pub(crate) fn create(call: &Call<'_>) -> Result<Reply, ApiError> {
    Options::Create.check(call)?;
    let Decoded { value, warnings } = decode::object(call)?;
    // The store says so, which a dry run does not reach.
    if !meta::text(&value, "resourceVersion").is_empty() && !call.dry_run() {
        return Err(ApiError::unclassified(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    let value = without_system_fields(value);
    let reply = insert(call, value, &Writer::update(call)).unwrap_or_else(Reply::from);
    Ok(reply.with_warnings(warnings))
}

/// A new object without what only the server sets, so that nobody comes to own it.
fn without_system_fields(mut value: Value) -> Value {
    let metadata = meta::of(&mut value);
    for key in [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
    ] {
        metadata.remove(key);
    }
    value
}

/// Who writes, for the managed fields.
pub(crate) enum Writer {
    /// Create, update and the patches: fields that changed become the manager's.
    Update(String),
    /// Server-side apply: the managed fields are part of the value already.
    Apply,
}

impl Writer {
    /// The writer of an update request.
    pub(crate) fn update(call: &Call<'_>) -> Self {
        Writer::Update(ownership::manager(call.request))
    }
}

/// Stores a decoded object under a name that is free.
pub(crate) fn insert(call: &Call<'_>, value: Value, writer: &Writer) -> Result<Reply, ApiError> {
    let mut value = crate::convert::to_storage(&call.resource, value);
    check_namespace(call, &mut value)?;
    let generated = meta::name(&value).is_empty() && !meta::text(&value, "generateName").is_empty();
    namespace_accepts(call, &value)?;
    let context = Context::of(call);
    escalation::check(call, &value, None)?;
    strategy::convert_create(&context, &mut value);
    if let Writer::Update(manager) = writer {
        ownership::track_create(&context, &mut value, manager);
    }
    let mut value = admit(call, &context, value)?;
    strategy::prepare_create(&context, &mut value)?;
    for attempt in 0.. {
        if generated {
            generate_name(&mut value);
        }
        let mut candidate = value.clone();
        strategy::finish_create(&context, &mut candidate)?;
        let errors = strategy::validate(&context, &candidate, None);
        if !errors.is_empty() {
            let name = meta::name(&value);
            return Err(ApiError::invalid(call.about_kind(name), &errors));
        }
        let mut warnings = strategy::warnings(&context, &candidate, None);
        let write = admission::Write::create(&candidate);
        warnings.extend(admission::check(call, write)?);
        let name = meta::name(&candidate).to_owned();
        let exists = call
            .core
            .store
            .get(&call.resource.collection, call.namespace(), &name);
        if let Some(existing) = exists {
            if generated && attempt < NAME_ATTEMPTS {
                continue;
            }
            return Err(already_exists(call, &name, &existing.value()));
        }
        budget::admit(call, &candidate)?;
        if call.dry_run() {
            return Ok(value_reply(call, 201, &candidate).with_warnings(warnings));
        }
        let mut kept = conversion::to_store(call.core, &call.resource, candidate)?;
        kept.is_settled &= call.resource.handle().settles_when_created();
        let put = call
            .core
            .store
            .put(&call.resource.collection, Expect::Absent, kept);
        if let Ok(stored) = put {
            let stored = conversion::found(call.core, &call.resource, stored)?;
            strategy::after_write(&context, Some(&stored));
            let reply = object_reply(call, 201, &stored).with_warnings(warnings);
            return Ok(reply.after(stored.revision));
        }
    }
    Err(ApiError::internal("no name is free"))
}

/// What the plug-ins and the mutating webhooks make of a new object.
fn admit(call: &Call<'_>, context: &Context<'_>, mut value: Value) -> Result<Value, ApiError> {
    strategy::admit_create(context, &mut value)?;
    let Some(mut changed) = admission::mutate(call, admission::Write::create(&value))? else {
        return Ok(value);
    };
    check_namespace(call, &mut changed)?;
    strategy::convert_create(context, &mut changed);
    strategy::admit_create(context, &mut changed)?;
    Ok(changed)
}

fn already_exists(call: &Call<'_>, name: &str, existing: &Value) -> ApiError {
    let mut error = ApiError::already_exists(call.about(name));
    if meta::is_terminating(existing) {
        error.message = format!("object is being deleted: {}", error.message);
    }
    error
}

/// The namespace of the body is that of the path, or absent.
fn check_namespace(call: &Call<'_>, value: &mut Value) -> Result<(), ApiError> {
    let given = meta::text(value, "namespace").to_owned();
    if !call.resource.namespaced {
        if !given.is_empty() {
            return Err(ApiError::bad_request(
                "the namespace of the provided object does not match the namespace sent on the \
                 request",
            ));
        }
        meta::of(value).remove("namespace");
        return Ok(());
    }
    if !given.is_empty() && given != call.namespace() {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    meta::of(value).insert("namespace", call.namespace());
    Ok(())
}

/// New objects go only into a namespace that exists and stays.
pub(crate) fn namespace_accepts(call: &Call<'_>, value: &Value) -> Result<(), ApiError> {
    if !call.resource.namespaced {
        return Ok(());
    }
    let namespace = call.namespace();
    let namespaces = Collection::new("", "namespaces");
    let Some(stored) = call.core.store.get(&namespaces, "", namespace) else {
        return Err(ApiError::not_found(About {
            group: "",
            kind: "namespaces",
            name: namespace,
        }));
    };
    if stored.is_terminating {
        let why = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        return Err(
            ApiError::forbidden(call.about(meta::name(value)), &why).with_cause(Cause {
                reason: "NamespaceTerminating",
                message: format!("namespace {namespace} is being terminated"),
                field: "metadata.namespace".to_owned(),
            }),
        );
    }
    Ok(())
}

fn generate_name(value: &mut Value) {
    let base: String = meta::text(value, "generateName")
        .chars()
        .take(GENERATED_BASE)
        .collect();
    let suffix: String = (0..SUFFIX_LENGTH)
        .map(|_| {
            let index = rand::random_range(0..SUFFIX_LETTERS.len());
            char::from(SUFFIX_LETTERS[index])
        })
        .collect();
    meta::of(value).insert("name", format!("{base}{suffix}"));
}
