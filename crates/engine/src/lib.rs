//! Decides: from what Git says, what is live and what was asked for, to the next actions and the
//! status.
//!
//! The pipeline, in reading order: [`render()`] makes objects of files, [`normalize()`] makes them
//! an application's, [`compare()`] puts them beside what is live, [`plan()`] orders what a sync has
//! to do, [`advance()`] takes one step of it, [`assess`] judges live objects. Everything here is a
//! function of its arguments: no file, clock, network or randomness, and nothing is remembered.

mod batch;
mod child;
mod glob;
mod health;
mod hook;
mod jq;
mod results;

pub mod live;
pub mod subject;
pub mod tracking;

pub mod render;

pub mod gate;
pub mod normalize;

pub mod compare;

pub mod action;
pub mod advance;
pub mod operation;
pub mod plan;
pub mod summarize;
pub mod teardown;

pub use action::{Action, ActionResult};
pub use advance::advance;
pub use compare::compare;
pub use gate::Authorized;
pub use health::assess;
pub use live::Live;
pub use normalize::normalize;
pub use plan::plan;
pub use render::render;
pub use summarize::summarize;
pub use teardown::teardown;
