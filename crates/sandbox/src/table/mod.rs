//! Objects as rows: what `kubectl get` prints.
//!
//! What stands in the rows says `columns`.

use std::sync::Arc;

use jiff::Timestamp;
use kinds::Kind;
use yaml::{Map, Value};

use crate::codec;
use crate::core::Call;
use crate::crd::Served;
use crate::meta;
use crate::registry::Resource;
use crate::render::{self, ListMeta};
use crate::request::ApiRequest;
use crate::status_error::ApiError;
use store::Stored;

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
    /// The `apiVersion` of the table and of the metadata in it.
    pub(crate) meta_version: &'static str,
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
    build(&call.resource, Rows::of(call), meta, objects)
}

/// The text of the Table in a watch event.
pub(crate) fn event(resource: &Resource, rows: Rows, stored: &Arc<Stored>) -> Vec<u8> {
    let meta = ListMeta {
        revision: stored.revision,
        ..ListMeta::default()
    };
    build(resource, rows, &meta, std::slice::from_ref(stored))
}

/// The text of the Table of one object that is not stored as it is: see [`verbs::shaped_reply`].
///
/// [`verbs::shaped_reply`]: crate::verbs::shaped_reply
pub(crate) fn single(call: &Call<'_>, kind: &Kind<'_>, kept: &Value, served: &Value) -> Vec<u8> {
    let rows = Rows::of(call);
    let shown = Shown {
        kind: *kind,
        custom: call.resource.custom.as_deref(),
    };
    let meta = ListMeta {
        revision: meta::text(served, "resourceVersion").parse().unwrap_or(0),
        ..ListMeta::default()
    };
    let row = shown.row(rows, kept.clone(), || served.clone());
    rows.text(&meta, shown.columns(), vec![row])
}

fn build(resource: &Resource, rows: Rows, meta: &ListMeta, objects: &[Arc<Stored>]) -> Vec<u8> {
    let shown = Shown {
        kind: resource.handle(),
        custom: resource.custom.as_deref(),
    };
    let row = |stored: &Arc<Stored>| {
        // Rows are made of what is kept: they are the same in all versions.
        shown.row(rows, stored.value(), || render::value(resource, stored))
    };
    rows.text(meta, shown.columns(), objects.iter().map(row).collect())
}

impl Rows {
    fn of(call: &Call<'_>) -> Self {
        Rows {
            include: Include::of(call.request),
            columns: Columns::Defined,
            meta_version: call.form.meta_version,
            now: call.now,
        }
    }

    fn text(self, meta: &ListMeta, columns: Vec<Value>, rows: Vec<Value>) -> Vec<u8> {
        let defined = match self.columns {
            Columns::Defined => Value::List(columns),
            Columns::Known => Value::Null,
        };
        codec::to_vec(&Value::Map(Map::from([
            ("apiVersion", self.meta_version.into()),
            ("kind", "Table".into()),
            ("metadata", meta.value()),
            ("columnDefinitions", defined),
            ("rows", rows.into()),
        ])))
    }
}

/// Whose columns and cells are shown.
struct Shown<'a> {
    kind: Kind<'a>,
    custom: Option<&'a Served>,
}

impl Shown<'_> {
    fn columns(&self) -> Vec<Value> {
        let known = columns::definitions(&self.kind);
        let Some(custom) = self.custom else {
            return known.to_vec();
        };
        let mut columns: Vec<Value> = known.iter().take(1).cloned().collect();
        columns.extend(columns::custom_definitions(&custom.columns));
        columns
    }

    fn row(&self, rows: Rows, kept: Value, served: impl FnOnce() -> Value) -> Value {
        let cells = match self.custom {
            Some(custom) => columns::custom_cells(&custom.columns, &kept, rows.now),
            None => columns::cells(&self.kind, &kept, rows.now),
        };
        let object = match rows.include {
            Include::None => Value::Null,
            Include::Metadata => {
                render::partial_of(&self.kind.internal_metadata(kept), rows.meta_version)
            }
            Include::Object => served(),
        };
        Value::Map(Map::from([("cells", cells.into()), ("object", object)]))
    }
}
