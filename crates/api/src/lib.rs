//! The custom resources of Argo CD as types: [`Application`], [`AppProject`], [`ApplicationSet`],
//! their status, their conditions, and the words around them (annotations, labels, sync options).
//!
//! Read [`Application`] first. Every type reads itself from a [`yaml::Value`] and writes itself
//! into one as Argo CD's Go types do (absent where Go's `omitempty` leaves it out); members that a
//! type does not know stay in its `rest`. The same definition gives the schemas of [`crds`].
//!
//! This crate knows data and its meaning alone. It must never decide about a sync, compare objects
//! or know a cluster; matching a project's rules is `engine`'s.

mod error;
mod wire;

mod duration;
mod int_or_string;
mod meta;
mod text_enum;
mod time;

pub mod application;
pub mod application_set;
pub mod generators;
pub mod hydrator;
pub mod operation;
pub mod project;
pub mod pull_requests;
pub mod scm;
pub mod source;
pub mod status;

pub mod names;
pub mod reason;
mod sync_options;

mod crds;

pub use application::{Application, ApplicationSpec, Destination};
pub use application_set::ApplicationSet;
pub use crds::crds;
pub use duration::{DurationError, GoDuration};
pub use error::Error;
pub use int_or_string::IntOrString;
pub use meta::Metadata;
pub use operation::{Operation, OperationPhase, OperationState};
pub use project::AppProject;
pub use source::Source;
pub use status::{ApplicationStatus, Condition, Health, HealthCode, ResourceStatus, SyncCode};
pub use sync_options::{Consent, Propagation, SyncOption, SyncOptions};
pub use time::Time;
