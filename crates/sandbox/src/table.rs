//! Objects as rows: what `kubectl get` prints.

use std::sync::Arc;

use yaml::{Map, Value};

use crate::codec;
use crate::core::Call;
use crate::negotiate::Shape;
use crate::registry::Resource;
use crate::render::{self, ListMeta};
use crate::request::ApiRequest;
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

/// The text of a Table.
pub(crate) fn table(call: &Call<'_>, meta: &ListMeta, objects: &[Arc<Stored>]) -> Vec<u8> {
    let include = Include::of(call.request);
    codec::to_vec(&build(&call.resource, include, meta, objects))
}

/// The text of the Table in a watch event.
pub(crate) fn event(
    resource: &Resource,
    include: &Include,
    columns: Columns,
    stored: &Arc<Stored>,
) -> Vec<u8> {
    let meta = ListMeta {
        revision: stored.revision,
        ..ListMeta::default()
    };
    let mut table = build(resource, *include, &meta, std::slice::from_ref(stored));
    if columns == Columns::Known {
        table
            .map_at_mut(&[])
            .insert("columnDefinitions", Value::Null);
    }
    codec::to_vec(&table)
}

/// A bookmark of a watch in a shape.
pub(crate) fn bookmark(_shape: Shape, _resource: &Resource, object: Value) -> Value {
    object
}

fn build(resource: &Resource, include: Include, meta: &ListMeta, objects: &[Arc<Stored>]) -> Value {
    let rows: Vec<Value> = objects
        .iter()
        .map(|stored| row(resource, include, stored))
        .collect();
    let name = Map::from([
        ("name", "Name".into()),
        ("type", "string".into()),
        ("format", "name".into()),
        (
            "description",
            "Name must be unique within a namespace.".into(),
        ),
        ("priority", 0.into()),
    ]);
    Value::Map(Map::from([
        ("apiVersion", "meta.k8s.io/v1".into()),
        ("kind", "Table".into()),
        ("metadata", meta.value()),
        ("columnDefinitions", vec![Value::Map(name)].into()),
        ("rows", rows.into()),
    ]))
}

fn row(resource: &Resource, include: Include, stored: &Stored) -> Value {
    let object = match include {
        Include::None => Value::Null,
        Include::Metadata => render::partial(stored),
        Include::Object => render::value(resource, stored),
    };
    Value::Map(Map::from([
        ("cells", vec![Value::from(stored.name.clone())].into()),
        ("object", object),
    ]))
}
