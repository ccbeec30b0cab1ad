//! Objects as rows: what `kubectl get` prints.
//!
//! What stands in the rows of built-in kinds says `columns`; `path` reads it for custom ones.

mod path;

use std::sync::Arc;

use jiff::Timestamp;
use yaml::{Map, Value};

use crate::codec;
use crate::core::Call;
use crate::registry::Resource;
use crate::render::{self, ListMeta};
use crate::request::ApiRequest;
use crate::status_error::ApiError;
use crate::store::Stored;

/// What a row carries besides its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Include {
    None,
    Metadata,
    Object,
}

impl Include {
    /// `includeObject` of a request.
    pub(crate) fn of(request: &ApiRequest) -> Self {
        match request.query.get("includeObject") {
            "None" => Include::None,
            "Object" => Include::Object,
            _ => Include::Metadata,
        }
    }
}

/// Whether a table names its columns: in a watch only the first does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Columns {
    Defined,
    Known,
}

/// How rows are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    pub(crate) include: Include,
    pub(crate) columns: Columns,
    pub(crate) now: Timestamp,
}

/// Checks what a request says about rows.
///
/// # Errors
/// 400 when `includeObject` is none of the known words.
pub(crate) fn check_options(request: &ApiRequest) -> Result<(), ApiError> {
    let include = request.query.get("includeObject");
    if matches!(include, "" | "None" | "Metadata" | "Object") {
        return Ok(());
    }
    Err(ApiError::bad_request(format!(
        "Unable to convert to Table as requested: includeObject: Invalid value: {}: must be \
         'Metadata', 'Object', 'None', or empty",
        kinds::quoted(include)
    )))
}

/// The text of a Table.
pub(crate) fn table(call: &Call<'_>, meta: &ListMeta, objects: &[Arc<Stored>]) -> Vec<u8> {
    let rows = Rows {
        include: Include::of(call.request),
        columns: Columns::Defined,
        now: call.now,
    };
    build(&call.resource, rows, meta, objects)
}

/// The text of the Table in a watch event.
pub(crate) fn event(resource: &Resource, rows: Rows, stored: &Arc<Stored>) -> Vec<u8> {
    let meta = ListMeta {
        revision: stored.revision,
        ..ListMeta::default()
    };
    build(resource, rows, &meta, std::slice::from_ref(stored))
}

fn build(resource: &Resource, rows: Rows, meta: &ListMeta, objects: &[Arc<Stored>]) -> Vec<u8> {
    let columns = defined(resource);
    let list: Vec<Value> = objects
        .iter()
        .map(|stored| row(resource, rows, stored))
        .collect();
    let defined = match rows.columns {
        Columns::Defined => Value::List(columns),
        Columns::Known => Value::Null,
    };
    codec::to_vec(&Value::Map(Map::from([
        ("apiVersion", "meta.k8s.io/v1".into()),
        ("kind", "Table".into()),
        ("metadata", meta.value()),
        ("columnDefinitions", defined),
        ("rows", list.into()),
    ])))
}

fn row(resource: &Resource, rows: Rows, stored: &Stored) -> Value {
    // Rows are made of what is kept: they are the same in all versions.
    let kept = stored.value();
    let cells = match &resource.custom {
        Some(custom) => path::cells(&custom.columns, &kept, rows.now),
        None => columns::cells(&resource.handle(), &kept, rows.now),
    };
    let object = match rows.include {
        Include::None => Value::Null,
        Include::Metadata => render::partial_of(&resource.handle().internal_metadata(kept)),
        Include::Object => render::value(resource, stored),
    };
    Value::Map(Map::from([("cells", cells.into()), ("object", object)]))
}

fn defined(resource: &Resource) -> Vec<Value> {
    let known = columns::definitions(&resource.handle());
    let Some(custom) = &resource.custom else {
        return known.to_vec();
    };
    let mut columns: Vec<Value> = known.iter().take(1).cloned().collect();
    columns.extend(path::definitions(&custom.columns));
    columns
}
