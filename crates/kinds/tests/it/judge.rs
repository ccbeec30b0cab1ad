//! An object on its way through the crate, as a server sends it.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use kinds::{FieldError, Kind, Part};
use manifest::schema::{SchemaSet, Scope};
use manifest::{Gvk, Object};
use yaml::{Map, Value};

/// One cause: reason, field and message.
pub(crate) type Cause = [String; 3];

fn schemas() -> &'static Arc<SchemaSet> {
    static SCHEMAS: OnceLock<Arc<SchemaSet>> = OnceLock::new();
    SCHEMAS.get_or_init(SchemaSet::builtin)
}

/// Gives the object its form; `None` when the decoder refuses it or the kind is not built in.
fn decoded(value: &Value) -> Option<(Kind<'static>, Value)> {
    let mut value = value.clone();
    let gvk: Gvk = Object::new(value.clone()).ok()?.gvk();
    let known = schemas().kinds().find(|kind| kind.gvk == gvk)?;
    let kind = Kind {
        group: known.gvk.group.as_str(),
        version: known.gvk.version.as_str(),
        kind: known.gvk.kind.as_str(),
        plural: known.resource.as_str(),
        custom: false,
        has_status: schemas().schema(&gvk)?.root().member("status").is_some(),
    };
    let schema = schemas().schema(&gvk)?;
    kinds::decode(kind, &schema, &mut value).ok()?;
    if known.scope == Scope::Namespaced {
        value
            .map_at_mut(&["metadata"])
            .entry_or_insert("namespace", "kinds-record".into());
    }
    Some((kind, value))
}

fn created(value: &Value) -> Option<(Kind<'static>, Value)> {
    let (kind, mut value) = decoded(value)?;
    kind.convert_create(&mut value);
    kind.prepare_create(&mut value, Timestamp::UNIX_EPOCH);
    let metadata = value.map_at_mut(&["metadata"]);
    metadata.insert("uid", "9bd40c02-5bdd-4bd0-8fd8-2ef4b2fbc7ab");
    kind.identify(&mut value);
    // What the server does beside this crate.
    if kind.plural == "pods" {
        let class = kinds::quality_of_service(&value);
        value.map_at_mut(&["status"]).insert("qosClass", class);
    }
    Some((kind, value))
}

/// What is wrong with a new object; `None` when it has no form.
pub(crate) fn create(value: &Value) -> Option<Vec<Cause>> {
    let (kind, value) = created(value)?;
    Some(causes(&kind.validate(&value, None)))
}

/// What is wrong with a change of an object; `None` when one of them has no form. Where a part of it
/// is changed, the old object has the status that it is given.
pub(crate) fn update(old: &Value, new: &Value, part: Part) -> Option<Vec<Cause>> {
    let (kind, mut before) = created(old)?;
    if part != Part::Main
        && let Some((_, given)) = decoded(old)
        && let Some(status) = given.get("status")
    {
        let class = before.at(&["status", "qosClass"]).cloned();
        let map = before.map_at_mut(&[]);
        map.insert("status", status.clone());
        if let Some(class) = class {
            before
                .map_at_mut(&["status"])
                .entry_or_insert("qosClass", class);
        }
    }
    let (_, mut new) = decoded(new)?;
    let metadata = new.map_at_mut(&["metadata"]);
    for key in ["uid", "generation"] {
        let before = before.at(&["metadata", key]).cloned().unwrap_or_default();
        metadata.insert(key, before);
    }
    kind.prepare_update(part, &mut new, &before, Timestamp::UNIX_EPOCH);
    Some(causes(&kind.validate(&new, Some((part, &before)))))
}

fn causes(errors: &[FieldError]) -> Vec<Cause> {
    errors
        .iter()
        .map(|error| {
            let reason = error.reason.to_owned();
            [reason, error.field.clone(), error.message.clone()]
        })
        .collect()
}

/// The causes of a Status.
pub(crate) fn of_status(status: &Value) -> Vec<Cause> {
    let list = status.at(&["details", "causes"]).and_then(Value::as_list);
    list.unwrap_or_default()
        .iter()
        .filter_map(Value::as_map)
        .map(|cause: &Map| {
            ["reason", "field", "message"].map(|key| {
                let text = cause.get(key).and_then(Value::as_str);
                text.unwrap_or_default().to_owned()
            })
        })
        .collect()
}

/// The difference of two lists of causes, a line each; empty when there is none.
///
/// Their order is not judged: where the server walks a map, it is another one each time.
pub(crate) fn difference(got: &[Cause], want: &[Cause]) -> String {
    let sorted = |causes: &[Cause]| {
        let mut causes = causes.to_vec();
        causes.sort();
        causes
    };
    if sorted(got) == sorted(want) {
        return String::new();
    }
    let mut lines = String::new();
    for (mark, list, other) in [("want", want, got), ("got ", got, want)] {
        for cause in list {
            let note = if other.contains(cause) { "same" } else { mark };
            lines.push_str(&format!(
                "  {note} {}: {} ({})\n",
                cause[1], cause[2], cause[0]
            ));
        }
    }
    lines
}
