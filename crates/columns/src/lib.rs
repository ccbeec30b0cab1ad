//! What a table of `kubectl get` shows of objects: their columns and the cells of a row.
//!
//! Read [`cells()`] first: it names the function of each kind. A new kind is one function in the
//! module of its group, one arm there, and its columns in `data/columns.json`, which are those that a
//! real kube-apiserver sends.
//!
//! This crate must never know a request, a store or a cluster: the object and the time are arguments.

mod age;
mod cells;
mod cluster;
mod core;
mod custom;
mod network;
mod of;
mod pod;
mod storage;
mod workloads;

pub use age::{age_of, since};
pub use cells::{cells, definitions};
pub use custom::{custom_cells, custom_definitions};
