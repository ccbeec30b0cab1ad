//! What is special about each kind: defaults, what a client may set, what is valid.
//!
//! [`prepare_create`] and [`prepare_update`] are the doors; the modules below hold the kinds.

pub(crate) mod defaults;
mod pods;
pub(crate) mod services;

use std::sync::Arc;

use jiff::Timestamp;
use yaml::{Map, Value};

use crate::core::{Call, Core};
use crate::registry::Resource;
use crate::status_error::{About, ApiError, FieldError};
use crate::store::Stored;
use crate::verbs::update::Part;
use crate::{crd, meta};
use life::clock;

/// What the rules of a kind may look at besides the object.
pub(crate) struct Context<'a> {
    pub(crate) core: &'a Core,
    pub(crate) resource: &'a Arc<Resource>,
    pub(crate) now: Timestamp,
    /// The path that is written: `None` for the object itself.
    pub(crate) subresource: Option<&'a str>,
    pub(crate) dry_run: bool,
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
        }
    }

    /// What a message about a wrong object names.
    pub(crate) fn about_kind<'n>(&'n self, name: &'n str) -> About<'n> {
        About {
            group: &self.resource.group,
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

/// Whether the kind counts changes of its spec.
fn has_generation(resource: &Resource) -> bool {
    if resource.custom.is_some() {
        return true;
    }
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods" | "replicationcontrollers") => true,
        ("", _) | ("coordination.k8s.io" | "rbac.authorization.k8s.io" | "autoscaling", _) => false,
        ("events.k8s.io" | "certificates.k8s.io" | "storage.k8s.io", _) => false,
        ("apps", "controllerrevisions") => false,
        _ => true,
    }
}

/// Sets what a client cannot set on a new object, and the defaults.
pub(crate) fn prepare_create(context: &Context<'_>, value: &mut Value) -> Result<(), ApiError> {
    let resource = context.resource;
    let metadata = meta::of(value);
    for key in [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "resourceVersion",
    ] {
        metadata.remove(key);
    }
    metadata.retain(|_, value| !value.is_null());
    if has_generation(resource) {
        metadata.insert("generation", 1);
    }
    if has_status(resource) {
        reset_status(context, value);
    }
    kind_defaults(context, value)
}

/// Sets what depends on the final name: the identity.
pub(crate) fn finish_create(context: &Context<'_>, value: &mut Value) -> Result<(), ApiError> {
    let metadata = meta::of(value);
    metadata.insert("uid", uuid::Uuid::new_v4().to_string());
    metadata.insert("creationTimestamp", clock::seconds(context.now));
    if context.place() == ("batch", "jobs") {
        job_selector(value);
    }
    Ok(())
}

/// What the types themselves set before the ownership is tracked: it becomes the writer's.
pub(crate) fn convert_create(context: &Context<'_>, value: &mut Value) {
    if is_definition(context.resource) {
        crd::default(value);
    }
    if context.place() == ("apps", "daemonsets") {
        value
            .map_at_mut(&["metadata", "annotations"])
            .insert(TEMPLATE_GENERATION, "1");
    }
    if is_namespace(context.resource) {
        let name = meta::name(value).to_owned();
        if !name.is_empty() {
            value
                .map_at_mut(&["metadata", "labels"])
                .insert("kubernetes.io/metadata.name", name);
        }
    }
}

/// A Job finds its pods by its own uid, unless the selector is given by hand.
fn job_selector(value: &mut Value) {
    let manual = value
        .at(&["spec", "manualSelector"])
        .and_then(Value::as_bool)
        .unwrap_or(false);
    if manual {
        return;
    }
    let uid = meta::uid(value).to_owned();
    let name = meta::name(value).to_owned();
    let bare = value.at(&["metadata", "labels"]).is_none();
    let labels = value.map_at_mut(&["spec", "template", "metadata", "labels"]);
    for (key, text) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ] {
        labels.insert(key, text.as_str());
    }
    let labels = labels.clone();
    if bare {
        meta::of(value).insert("labels", labels);
    }
    value
        .map_at_mut(&["spec", "selector", "matchLabels"])
        .insert("batch.kubernetes.io/controller-uid", uid);
}

/// A new object has the status of one that nobody has looked at.
fn reset_status(context: &Context<'_>, value: &mut Value) {
    let status = match (context.resource.custom.is_some(), context.place()) {
        (true, _) => None,
        (false, ("", "nodes")) => return,
        (false, place) => initial_status(place),
    };
    let map = value.map_at_mut(&[]);
    match status {
        Some(json) => {
            let status = crate::codec::parse(json.as_bytes()).expect("the table holds JSON");
            map.insert("status", status);
        }
        None => {
            map.remove("status");
        }
    }
}

/// The status that a new object of a kind has; most have none or an empty one.
fn initial_status(place: (&str, &str)) -> Option<&'static str> {
    Some(match place {
        ("apps", "daemonsets") => {
            r#"{"currentNumberScheduled":0,"desiredNumberScheduled":0,"numberMisscheduled":0,
            "numberReady":0}"#
        }
        ("apps", "statefulsets") => r#"{"availableReplicas":0,"replicas":0}"#,
        ("apps", "replicasets") | ("", "replicationcontrollers") => r#"{"replicas":0}"#,
        ("apps", "deployments") | ("batch", _) | ("", "resourcequotas") => "{}",
        ("networking.k8s.io", "ingresses") | ("", "services") => r#"{"loadBalancer":{}}"#,
        ("", "persistentvolumeclaims" | "persistentvolumes") => r#"{"phase":"Pending"}"#,
        ("policy", "poddisruptionbudgets") => {
            r#"{"currentHealthy":0,"desiredHealthy":0,"disruptionsAllowed":0,"expectedPods":0}"#
        }
        ("autoscaling", "horizontalpodautoscalers") => {
            r#"{"currentMetrics":null,"desiredReplicas":0}"#
        }
        ("storage.k8s.io", "volumeattachments") => r#"{"attached":false}"#,
        ("certificates.k8s.io", _) | ("admissionregistration.k8s.io", _) => "{}",
        _ => return None,
    })
}

fn kind_defaults(context: &Context<'_>, value: &mut Value) -> Result<(), ApiError> {
    match context.place() {
        ("", "pods") => pods::admit(context, value),
        ("", "services") => services::allocate(context, value, None)?,
        ("", "persistentvolumeclaims") => {
            add_finalizer(value, "kubernetes.io/pvc-protection");
        }
        ("", "persistentvolumes") => {
            add_finalizer(value, "kubernetes.io/pv-protection");
            value
                .map_at_mut(&["status"])
                .insert("lastPhaseTransitionTime", clock::seconds(context.now));
        }
        _ => {}
    }
    if is_namespace(context.resource) {
        let finalizers: Vec<Value> = vec!["kubernetes".into()];
        value
            .map_at_mut(&["spec"])
            .entry_or_insert("finalizers", finalizers.into());
        value.map_at_mut(&["status"]).insert("phase", "Active");
    }
    if is_definition(context.resource) {
        let status = crd::initial_status(value);
        value.map_at_mut(&[]).insert("status", status);
    }
    Ok(())
}

fn add_finalizer(value: &mut Value, name: &str) {
    let mut finalizers: Vec<String> = meta::finalizers(value)
        .into_iter()
        .map(str::to_owned)
        .collect();
    if !finalizers.iter().any(|known| known == name) {
        finalizers.push(name.to_owned());
    }
    meta::set_finalizers(value, &finalizers);
}

/// As [`convert_create`], for a change.
pub(crate) fn convert_update(context: &Context<'_>, new: &mut Value, old: &Value) {
    if is_namespace(context.resource) {
        let name = meta::name(old).to_owned();
        new.map_at_mut(&["metadata", "labels"])
            .insert("kubernetes.io/metadata.name", name);
    }
}

/// Keeps what the written path may not change, and counts the generation.
pub(crate) fn prepare_update(
    context: &Context<'_>,
    part: Part,
    new: &mut Value,
    old: &Value,
) -> Result<(), ApiError> {
    let resource = context.resource;
    match part {
        Part::Main if has_status(resource) => {
            restore(new.map_at_mut(&[]), Some(old), "status");
        }
        Part::Main | Part::Other => {}
        Part::Status => {
            // The deployment controller numbers revisions through the status (recorded).
            let annotations = (resource.group == "apps" && resource.plural == "deployments")
                .then(|| new.at(&["metadata", "annotations"]).cloned())
                .flatten();
            keep_all_but_status(new, old);
            if let Some(annotations) = annotations {
                meta::of(new).insert("annotations", annotations);
            }
        }
    }
    if part == Part::Main {
        match context.place() {
            ("", "services") => services::allocate(context, new, Some(old))?,
            ("", "namespaces") => {
                restore(new.map_at_mut(&["spec"]), old.get("spec"), "finalizers");
            }
            ("apps", "daemonsets") => template_generation(new, old),
            _ => {}
        }
    }
    if has_generation(resource) && part != Part::Status && content_changed(resource, new, old) {
        meta::of(new).insert("generation", meta::generation(old) + 1);
    }
    Ok(())
}

/// Makes a map have what the old state has at a key.
fn restore(map: &mut Map, old: Option<&Value>, key: &str) {
    match old.and_then(|old| old.get(key)) {
        Some(value) => {
            map.insert(key, value.clone());
        }
        None => {
            map.remove(key);
        }
    }
}

const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// A DaemonSet counts the changes of its template in an annotation.
fn template_generation(new: &mut Value, old: &Value) {
    let before = old
        .at(&["metadata", "annotations", TEMPLATE_GENERATION])
        .and_then(Value::as_str)
        .and_then(|text| text.parse::<i64>().ok())
        .unwrap_or(0);
    let changed = new.at(&["spec", "template"]) != old.at(&["spec", "template"]);
    let now = before + i64::from(changed);
    new.map_at_mut(&["metadata", "annotations"])
        .insert(TEMPLATE_GENERATION, now.to_string());
}

fn keep_all_but_status(new: &mut Value, old: &Value) {
    let status = new.get("status").cloned();
    let managed = new.at(&["metadata", "managedFields"]).cloned();
    let mut kept = old.clone();
    match status {
        Some(status) => {
            kept.map_at_mut(&[]).insert("status", status);
        }
        None => {
            kept.map_at_mut(&[]).remove("status");
        }
    }
    match managed {
        Some(managed) => {
            meta::of(&mut kept).insert("managedFields", managed);
        }
        None => {
            meta::of(&mut kept).remove("managedFields");
        }
    }
    *new = kept;
}

/// Whether anything but metadata and status differs; a Deployment also hands its annotations on.
fn content_changed(resource: &Resource, new: &Value, old: &Value) -> bool {
    let annotations = |value: &Value| value.at(&["metadata", "annotations"]).cloned();
    if resource.group == "apps"
        && resource.plural == "deployments"
        && annotations(new) != annotations(old)
    {
        return true;
    }
    let content = |value: &Value| -> Map {
        value
            .as_map()
            .into_iter()
            .flat_map(Map::iter)
            .filter(|(key, _)| !matches!(key.as_str(), "metadata" | "status"))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    content(new) != content(old)
}

/// What is wrong with an object; `old` is the state that an update replaces.
pub(crate) fn validate(
    context: &Context<'_>,
    value: &Value,
    old: Option<&Value>,
) -> Vec<FieldError> {
    crate::validate::object(context.resource, value, old)
}

/// Follows a write that went through: a CustomResourceDefinition changes what is served.
pub(crate) fn after_write(context: &Context<'_>, stored: Option<&Arc<Stored>>) {
    if context.place() == ("", "services") {
        match stored {
            Some(stored) => context.core.allocator.take(&stored.value()),
            None => context.core.allocator.refresh(&context.core.store),
        }
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

/// Whether a PUT makes the object when it is not there.
pub(crate) fn creates_on_update(resource: &Resource) -> bool {
    matches!(
        (resource.group.as_str(), resource.plural.as_str()),
        ("", "events" | "endpoints" | "limitranges" | "services")
            | ("events.k8s.io", "events")
            | ("coordination.k8s.io", "leases")
            | ("rbac.authorization.k8s.io", _)
            | ("networking.k8s.io", "servicecidrs")
    )
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
        )
    )
}
