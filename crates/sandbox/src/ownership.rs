//! Who owns which field: `metadata.managedFields`, kept right by every write.

use manifest::fields::{self, FieldSet, Writer};
use manifest::schema::Schema;
use yaml::Value;

use crate::core::Core;
use crate::request::ApiRequest;
use crate::strategy::Context;
use crate::verbs::update::Part;
use crate::{convert, strategy, typing};
use life::clock;

/// Names longer than this are cut.
const MANAGER_LENGTH: usize = 128;

/// The name of the field manager of a request: the parameter, or the program's name.
pub(crate) fn manager(request: &ApiRequest) -> String {
    let given = request.query.get("fieldManager");
    let name = if given.is_empty() {
        request
            .header("user-agent")
            .split('/')
            .next()
            .unwrap_or_default()
    } else {
        given
    };
    name.chars().take(MANAGER_LENGTH).collect()
}

/// The schema by which fields of a resource are told apart.
pub(crate) fn schema(context: &Context<'_>) -> Schema {
    typing::schema(context.core, context.resource).unwrap_or_else(|| context.core.schemas.unknown())
}

/// What the path that is written resets: nobody gets to own it by this write.
pub(crate) fn ignored(context: &Context<'_>, part: Part) -> FieldSet {
    match part {
        Part::Main if strategy::has_status(context.resource) => FieldSet::of_names(&[&["status"]]),
        // Recorded: what else a write of a custom status names is owned, though it is not kept.
        Part::Status if context.resource.custom.is_some() => FieldSet::of_names(&[&["spec"]]),
        Part::Status => FieldSet::of_names(&[&["spec"], &["metadata"]]),
        Part::Main | Part::Resize | Part::EphemeralContainers | Part::Other => FieldSet::new(),
    }
}

/// Notes who made an object.
pub(crate) fn track_create(context: &Context<'_>, value: &mut Value, manager: &str) {
    let ignored = ignored(context, Part::Main);
    track(context, None, value, (manager, &ignored));
}

/// Notes who changed an object.
pub(crate) fn track_update(
    context: &Context<'_>,
    part: Part,
    old: &Value,
    new: &mut Value,
    manager: &str,
) {
    let ignored = ignored(context, part);
    track(context, Some(old), new, (manager, &ignored));
}

fn track(
    context: &Context<'_>,
    old: Option<&Value>,
    value: &mut Value,
    (manager, ignored): (&str, &FieldSet),
) {
    // Fields are owned in the version that is written.
    let typed = |value: Value| {
        let mut value = convert::from_storage(context.resource, value);
        crate::render::type_meta(&mut value, context.resource);
        value
    };
    let time = clock::seconds(context.now);
    let writer = Writer {
        manager,
        subresource: context.subresource.unwrap_or_default(),
        time: &time,
        ignored,
    };
    // The type of the old state is no field: only another version makes it another tree.
    let converted = match old {
        Some(old) if !convert::is_stored_as_served(context.resource) => Some(typed(old.clone())),
        _ => None,
    };
    let mut new = typed(std::mem::take(value));
    let old = converted.as_ref().or(old);
    let schema = schema(context);
    let vanishing = match &context.resource.custom {
        Some(_) => Vec::new(),
        None => kinds::take_vanishing(&schema, &mut new),
    };
    let mut tracked = fields::track(old, new, &schema, &writer);
    for (key, member) in vanishing {
        tracked.map_at_mut(&[]).insert(key, member);
    }
    *value = convert::to_storage(context.resource, untyped(tracked));
    without_times_of_scale(value);
}

const SCALE: &str = "scale";

/// What was written through a Scale has no time: a Scale has no place for it.
pub(crate) fn without_times_of_scale(value: &mut Value) {
    let entries = value.map_at_mut(&["metadata"]).get_mut("managedFields");
    for entry in entries.and_then(Value::as_list_mut).into_iter().flatten() {
        if entry.get("subresource").and_then(Value::as_str) == Some(SCALE) {
            entry.map_at_mut(&[]).remove("time");
        }
    }
}

fn untyped(mut value: Value) -> Value {
    let map = value.map_at_mut(&[]);
    map.remove("apiVersion");
    map.remove("kind");
    value
}

/// Notes that the server itself changed the status of an object of a built-in kind.
pub(crate) fn track_system(core: &Core, gvk: &manifest::Gvk, old: &Value, new: &mut Value) {
    let Some(schema) = core.schemas.schema(gvk) else {
        return;
    };
    let typed = |mut value: Value| {
        let map = value.map_at_mut(&[]);
        map.insert("apiVersion", gvk.api_version());
        map.insert("kind", gvk.kind.clone());
        value
    };
    let ignored = FieldSet::of_names(&[&["spec"], &["metadata"]]);
    let time = new
        .at(&["metadata", "creationTimestamp"])
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let writer = Writer {
        manager: "kube-apiserver",
        subresource: "status",
        time: &time,
        ignored: &ignored,
    };
    let tracked = fields::track(
        Some(&typed(old.clone())),
        typed(std::mem::take(new)),
        &schema,
        &writer,
    );
    *new = untyped(tracked);
}

/// Whether two states differ at most in the times of their managed fields.
pub(crate) fn same_but_times(old: &Value, new: &Value) -> bool {
    old == new || fields::same_but_times(old, new)
}
