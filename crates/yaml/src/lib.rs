//! YAML and JSON text as Go programs read and write it, over one data tree.
//!
//! Read [`Value`] first: it is the only data tree of Tiphys. Everything that comes from a commit, a
//! cluster or a client is a `Value` until a typed crate (`api`) looks at it.
//!
//! [`parse_documents`] reads YAML as `sigs.k8s.io/yaml` does, [`emit()`] writes it, [`json`] does the
//! same for JSON, [`events::Events`] gives the parts of a text with their byte ranges, and [`node::Node`] is
//! a document whose scalars have kept their text.
//!
//! This crate knows text and data. It must never know what a Kubernetes object is.

mod decode;
mod emit;
mod error;
pub mod events;
mod go_text;
pub mod json;
mod keys;
pub mod limits;
mod map;
pub mod node;
mod number;
mod resolve;
mod serde_impl;
mod simple;
mod stream;
mod value;

pub use emit::{Dialect, emit, emit_in};
pub use error::{Cause, Error, Oddity, Position, Warning};
pub use map::Map;
pub use resolve::Mode;
pub use serde_impl::{SerdeError, from_value, to_value};
pub use stream::{Document, Documents, parse_documents, parse_str, parse_str_in};
pub use value::{Str, Value};
