//! The functions of templates, beside Go's own: Sprig's, and those that Helm adds.
//!
//! Read [`table`]: it is made once and shared by all renders. What a render knows that others do not
//! (how often a template is inside itself, the cluster) is its `Rendering`, in the session.

mod data;
mod inclusion;
mod toml;

use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use gotmpl::text::Text;
use gotmpl::{Function, Functions, Limits, Scope, Session, Type, Value};

use crate::World;
use inclusion::Rendering;

/// How `lookup` finds objects of a cluster: API version, kind, namespace and name to an object, or a
/// list for an empty name; empty maps where there is nothing.
pub(crate) type Lookup =
    Arc<dyn Fn(&str, &str, &str, &str) -> Result<yaml::Value, String> + Send + Sync>;

/// What a function does.
type Body = fn(&mut Scope<'_>, &[Value]) -> Result<Value, String>;

/// A function under its name, with what it takes and gives.
struct Row {
    name: &'static str,
    parameters: &'static [Type],
    result: Type,
    body: Body,
}

/// All functions.
pub(crate) fn table() -> Arc<Functions> {
    static TABLE: LazyLock<Arc<Functions>> = LazyLock::new(|| {
        let mut functions = sprig::functions();
        for row in data::ROWS.iter().chain(inclusion::ROWS) {
            functions.add(
                row.name,
                Function::new(row.parameters, row.result, row.body),
            );
        }
        Arc::new(functions)
    });
    TABLE.clone()
}

/// Those of Sprig alone: what `--name-template` may use.
pub(crate) fn sprig() -> Arc<Functions> {
    Arc::new(sprig::functions())
}

/// A render: its limits, time, randomness, and the cluster that `lookup` asks.
pub(crate) fn session(limits: Limits, world: &World) -> Session {
    Session::new(limits)
        .at(world.now)
        .with_seed(world.seed)
        .with_context(Rc::new(Rendering::new(world.lookup.clone())))
}

/// The text of an argument; the executor has checked that it is one.
fn text(given: &[Value], place: usize) -> &str {
    match given.get(place) {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

/// As [`text`], to be kept.
fn shared(given: &[Value], place: usize) -> Text {
    match given.get(place) {
        Some(Value::Text(text)) => text.clone(),
        _ => "".into(),
    }
}

/// An argument, or nil.
fn value(given: &[Value], place: usize) -> &Value {
    given.get(place).unwrap_or(&Value::Nil)
}
