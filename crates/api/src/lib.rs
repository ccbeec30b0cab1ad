//! The custom resources of Argo CD as types: [`Application`], [`AppProject`], [`ApplicationSet`],
//! their status, their conditions, and the words around them (annotations, labels, sync options).
//!
//! Read [`Application`] first. Every type reads itself from a [`yaml::Value`] and writes itself
//! into one as Argo CD's Go types do (absent where Go's `omitempty` leaves it out); members that a
//! type does not know stay in its `rest`. The same definition gives the schemas of [`crds()`].
//!
//! This crate knows data and its meaning alone. It must never decide about a sync, compare objects
//! or know a cluster; matching a project's rules is `engine`'s.

mod error;
mod wire;

mod meta;
mod text_enum;
mod time;

pub mod application;
pub mod application_set;
pub mod duration;
pub mod operation;
pub mod project;
pub mod source;
pub mod status;
pub mod sync_options;

pub mod names;
pub mod reason;

mod crds;

pub use application::{Application, ApplicationSpec};
pub use application_set::ApplicationSet;
pub use crds::crds;
pub use error::Error;
pub use meta::Metadata;
pub use project::AppProject;
pub use source::Source;
pub use status::{ApplicationStatus, Condition, Health, HealthCode, SyncCode};
pub use time::Time;
