//! YAML and JSON text as Go programs read and write it, over one data tree.
//!
//! Read [`Value`] first: it is the only data tree of Tiphys. Everything that comes from a commit, a
//! cluster or a client is a `Value` until a typed crate (`api`) looks at it.
//!
//! This crate knows text and data. It must never know what a Kubernetes object is.

mod map;
mod serde_impl;
mod value;

pub use map::Map;
pub use serde_impl::{SerdeError, from_value, to_value};
pub use value::{Str, Value};
