//! Files of one revision as Kubernetes objects: trees, objects, keys, patches and merges.
//!
//! Read [`Object`] and [`Tree`] first. What belongs here is only what a commit contains and what it
//! means as objects. This crate must never know a policy, a cluster or a project.

pub mod fields;
pub mod go;
pub mod ip;
pub mod lines;
pub mod names;
mod object;
pub mod patch;
pub mod quantity;
mod read_set;
pub mod schedule;
pub mod schema;
pub mod stream;
mod tree;
pub mod trees;

pub use object::{Gvk, Object, ObjectError, ObjectKey};
pub use read_set::{ContentId, ReadSet, Recorder};
pub use tree::{Entry, EntryKind, PathError, Tree, TreeError, TreePath};
