//! Observes and changes one Kubernetes cluster.
//!
//! Read [`Cluster`] first: one handle that knows what the cluster serves ([`Discovery`]), holds what
//! it has (a watch cache of live objects) and carries out what was decided ([`Cluster::execute`]).
//! Everything goes over `kube`'s client, on TLS to a real API server or in process to the sandbox.
//!
//! This crate decides nothing: what to apply, prune or wait for is said by `engine`.

mod apply;
mod cache;
mod changes;
mod client;
mod connect;
mod discovery;
mod error;
mod execute;
mod handle;
mod horizon;
mod observe;
mod reconcile;
mod watch;

pub use changes::Changes;
pub use client::{Client, Listing, PatchKind, WriteOptions, Written};
pub use connect::{Access, Connection, connect};
pub use discovery::{Discovery, Resource};
pub use error::{Class, Error};
pub use handle::{Cluster, Options};
pub use horizon::Horizon;
pub use watch::{WatchEvent, Watcher};
