//! What is special about each kind and needs the store: admission, addresses, deletion.
//!
//! [`prepare_create`] and [`prepare_update`] are the doors; what needs only the object is in `kinds`.

mod certificates;
pub(crate) mod pods;
pub(crate) mod services;

use std::sync::Arc;

use jiff::Timestamp;
use kinds::{FieldError, Part};
use yaml::Value;

use crate::core::{Call, Core};
use crate::registry::Resource;
use crate::request::User;
use crate::status_error::{About, ApiError};
use crate::{admission, crd, meta};
use life::clock;
use store::Stored;

/// The place of requests for certificates.
const REQUESTS: (&str, &str) = ("certificates.k8s.io", "certificatesigningrequests");

/// What the rules of a kind may look at besides the object.
pub(crate) struct Context<'a> {
    pub(crate) core: &'a Core,
    pub(crate) resource: &'a Arc<Resource>,
    pub(crate) now: Timestamp,
    /// The path that is written: `None` for the object itself.
    pub(crate) subresource: Option<&'a str>,
    pub(crate) dry_run: bool,
    /// Who asks.
    pub(crate) user: &'a User,
}

impl<'a> Context<'a> {
    /// The context of a request.
    pub(crate) fn of(call: &'a Call<'_>) -> Self {
        Context {
            core: call.core,
            resource: &call.resource,
            now: call.now,
            subresource: call.subresource(),
            dry_run: call.dry_run(),
            user: &call.request.user,
        }
    }

    /// What a message about a wrong object names.
    pub(crate) fn about_kind<'n>(&'n self, name: &'n str) -> About<'n> {
        About {
            group: self.resource.handle().told_group(),
            kind: &self.resource.kind,
            name,
        }
    }

    /// Group and plural, to match on.
    pub(crate) fn place(&self) -> (&str, &str) {
        (&self.resource.group, &self.resource.plural)
    }
}

/// Whether the status has a path of its own, so that the main one leaves it alone.
pub(crate) fn has_status(resource: &Resource) -> bool {
    match &resource.custom {
        Some(custom) => custom.has_status,
        None => resource.subresource("status").is_some(),
    }
}

/// Adds to a new object what the default admission plug-ins add, before webhooks see it; again
/// when they changed it.
///
/// # Errors
/// 403 where a pod names an account or a priority class that is not there.
pub(crate) fn admit_create(context: &Context<'_>, value: &mut Value) -> Result<(), ApiError> {
    match context.place() {
        ("", "pods") => pods::admit(context, value),
        _ => Ok(()),
    }
}

/// As [`admit_create`], for a change of the whole object.
pub(crate) fn admit_update(context: &Context<'_>, new: &mut Value, old: &Value) {
    if context.place() == ("", "pods") && context.subresource.is_none() {
        pods::admit_again(new, old);
    }
}

/// Sets what a client cannot set on a new object, and the defaults.
pub(crate) fn prepare_create(context: &Context<'_>, value: &mut Value) -> Result<(), ApiError> {
    let kind = context.resource.handle();
    kind.prepare_create(value, context.now);
    match context.place() {
        ("", "services") => services::allocate(context, value, None)?,
        REQUESTS => certificates::sign(context, value),
        _ => {}
    }
    if context.place() == ("", "pods") {
        kinds::begin_pod(value, context.now);
    }
    if is_definition(context.resource) {
        let status = crd::initial_status(value);
        value.map_at_mut(&[]).insert("status", status);
    }
    Ok(())
}

/// Sets what depends on the final name: the identity.
pub(crate) fn finish_create(context: &Context<'_>, value: &mut Value) -> Result<(), ApiError> {
    let metadata = meta::of(value);
    metadata.insert("uid", uuid::Uuid::new_v4().to_string());
    metadata.insert("creationTimestamp", clock::seconds(context.now));
    context.resource.handle().identify(value);
    Ok(())
}

/// What the types themselves set before the ownership is tracked: it becomes the writer's.
pub(crate) fn convert_create(context: &Context<'_>, value: &mut Value) {
    if is_definition(context.resource) {
        crd::default(value);
    }
    context.resource.handle().convert_create(value);
}

/// As [`convert_create`], for a change.
pub(crate) fn convert_update(context: &Context<'_>, new: &mut Value) {
    context.resource.handle().convert_update(new);
}

/// Keeps what the written path may not change, and counts the generation.
pub(crate) fn prepare_update(
    context: &Context<'_>,
    part: Part,
    new: &mut Value,
    old: &Value,
) -> Result<(), ApiError> {
    let kind = context.resource.handle();
    kind.prepare_update(part, new, old, context.now);
    if part == Part::Main && context.place() == ("", "services") {
        services::allocate(context, new, Some(old))?;
    }
    if part == Part::Main && is_definition(context.resource) {
        crd::note_stored_version(new);
    }
    if context.place() == REQUESTS {
        certificates::keep(context, new, old);
        if part != Part::Main {
            certificates::date(context, new, old);
        }
    }
    // A scheduler's decision is no change of what was asked for.
    if context.subresource != Some("binding") {
        kind.count_generation(part, new, old);
    }
    Ok(())
}

/// What is wrong with an object; `old` is the state that an update of a part replaces.
pub(crate) fn validate(
    context: &Context<'_>,
    value: &Value,
    old: Option<(Part, &Value)>,
) -> Vec<FieldError> {
    let mut errors = context.resource.handle().validate(value, old);
    if let Some(custom) = &context.resource.custom {
        errors.extend(crate::custom::validate(context, custom, value, old));
    }
    if let ("admissionregistration.k8s.io", plural) = context.place() {
        let (functions, old) = (&context.core.rules, old.map(|(_, old)| old));
        errors.extend(admit::problems(plural, functions, value, old));
    }
    if is_definition(context.resource) && old.is_none_or(|(part, _)| part != Part::Status) {
        let rules = &context.core.rules;
        let old = old.map(|(_, old)| old);
        errors.extend(structural::definition::problems(value, old, rules));
    }
    errors
}

/// What the writer is warned of though it is allowed.
pub(crate) fn warnings(
    context: &Context<'_>,
    value: &Value,
    old: Option<(Part, &Value)>,
) -> Vec<String> {
    let kind = context.resource.handle();
    if !is_definition(context.resource) && context.resource.custom.is_none() {
        return kind.warnings(value, old);
    }
    let old = old.map(|(_, old)| old);
    if context.resource.custom.is_some() {
        return crate::custom::warnings(value, old);
    }
    let had = old.map(structural::definition::unknown_formats);
    let mut formats = structural::definition::unknown_formats(value);
    formats.retain(|format| !had.as_ref().is_some_and(|had| had.contains(format)));
    formats
        .iter()
        .map(|format| format!("unrecognized format {}", kinds::quoted(format)))
        .collect()
}

/// Follows a write that went through: a CustomResourceDefinition changes what is served.
pub(crate) fn after_write(context: &Context<'_>, stored: Option<&Arc<Stored>>) {
    if context.place() == ("", "services") {
        match stored {
            Some(stored) => context.core.allocator.take(&stored.value()),
            None => context.core.allocator.refresh(&context.core.store),
        }
    }
    if context.resource.group == crate::auth::rbac::GROUP {
        context.core.authorizer.changed();
    }
    if context.resource.group == admission::GROUP {
        context.core.configure_webhooks();
    }
    if is_definition(context.resource) {
        if let Some(stored) = stored {
            crd::reconcile(context.core, context.now, &stored.name);
            crd::clean_up(context.core, context.now, &stored.name);
        } else {
            crd::reconcile(context.core, context.now, "");
        }
    } else if context.resource.custom.is_some() && stored.is_none() {
        let resource = context.resource;
        let name = format!("{}.{}", resource.plural, resource.group);
        crd::clean_up(context.core, context.now, &name);
    }
}

/// CustomResourceDefinitions have a life of their own.
pub(crate) fn is_definition(resource: &Resource) -> bool {
    resource.group == "apiextensions.k8s.io" && resource.plural == "customresourcedefinitions"
}

/// Namespaces have a life cycle of their own.
pub(crate) fn is_namespace(resource: &Resource) -> bool {
    resource.group.is_empty() && resource.plural == "namespaces"
}

/// The namespaces that every cluster keeps.
const KEPT_NAMESPACES: [&str; 3] = ["default", "kube-system", "kube-public"];

/// Whether an object may be deleted at all.
pub(crate) fn may_delete(call: &Call<'_>, old: &Value) -> Result<(), ApiError> {
    let name = meta::name(old);
    if is_namespace(&call.resource) && KEPT_NAMESPACES.contains(&name) {
        return Err(ApiError::forbidden(
            call.about(name),
            "this namespace may not be deleted",
        ));
    }
    Ok(())
}

/// Whether something besides its finalizers keeps a deleted object: the content of a namespace.
pub(crate) fn stays(resource: &Resource, old: &Value) -> bool {
    is_namespace(resource) && has_namespace_finalizers(old)
}

/// Whether an object that is being deleted and has no finalizers is removed by an update.
pub(crate) fn may_vanish(resource: &Resource, value: &Value) -> bool {
    !is_namespace(resource) || !has_namespace_finalizers(value)
}

fn has_namespace_finalizers(value: &Value) -> bool {
    value
        .at(&["spec", "finalizers"])
        .and_then(Value::as_list)
        .is_some_and(|list| !list.is_empty())
}

/// Whether deletion first sets a deletion timestamp, with a grace period.
pub(crate) fn is_graceful(resource: &Resource) -> bool {
    resource.group.is_empty() && resource.plural == "pods"
}

/// The grace period of a deletion in seconds: pods that run have one.
pub(crate) fn grace_seconds(resource: &Resource, old: &Value, asked: Option<i64>) -> i64 {
    if !is_graceful(resource) {
        return 0;
    }
    let phase = old.at(&["status", "phase"]).and_then(Value::as_str);
    let scheduled = old
        .at(&["spec", "nodeName"])
        .and_then(Value::as_str)
        .is_some_and(|node| !node.is_empty());
    if !scheduled || matches!(phase, Some("Succeeded" | "Failed")) {
        return 0;
    }
    let own = old
        .at(&["spec", "terminationGracePeriodSeconds"])
        .and_then(Value::as_i64)
        .unwrap_or(30);
    let grace = asked.unwrap_or(own);
    // A negative period stands for the shortest one.
    if grace < 0 { 1 } else { grace }
}

/// Whether dependents stay when a deletion says nothing about them.
pub(crate) fn orphans_by_default(resource: &Resource) -> bool {
    matches!(
        (resource.group.as_str(), resource.plural.as_str()),
        ("batch", "jobs") | ("", "replicationcontrollers")
    )
}

/// Whether the answer to a deletion is the object rather than a Status.
pub(crate) fn returns_deleted(resource: &Resource) -> bool {
    matches!(
        (resource.group.as_str(), resource.plural.as_str()),
        (
            "",
            "pods"
                | "services"
                | "serviceaccounts"
                | "persistentvolumeclaims"
                | "persistentvolumes"
        ) | ("resource.k8s.io", _)
            | (
                "storage.k8s.io",
                "csidrivers"
                    | "csinodes"
                    | "storageclasses"
                    | "volumeattachments"
                    | "volumeattributesclasses"
            )
    )
}
