//! Reconciles Applications: watches what they depend on, and brings the cluster to what Git says.
//!
//! Read [`Controller`] first, then `reconcile.rs`, which names the pipeline. Inputs (Applications,
//! projects, settings, changes in the cluster and in Git) fill a queue of keys; workers take one
//! Application at a time through the pipeline of `engine`, act through `cluster` and write the
//! status once. Nothing depends on having seen an event.
//!
//! This crate must never decide about a sync, and never talk to a cluster or a repository but
//! through `cluster` and `source`.

mod clusters;
mod controller;
mod counters;
mod error;
mod inputs;
mod options;
mod queue;
mod settings;
mod trigger;

mod charts;
mod references;
mod renders;
mod repositories;

mod deletion;
mod events;
mod observe;
mod reconcile;
mod spread;
mod status;
mod sync;

pub use charts::{BringError, Brought, Fetcher};
pub use controller::Controller;
pub use counters::Counts;
pub use error::Error;
pub use options::Options;
pub use queue::AppKey;
pub use repositories::{Place, Repositories, StandIn};
pub use spread::on_all_processors;
