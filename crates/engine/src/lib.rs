//! Decides: from what Git says, what is live and what was asked for, to the next actions and the
//! status.
//!
//! Read [`Action`] first, then the modules in the order of the pipeline.
//! Everything here is a function of its arguments: no file, clock, network or randomness.

mod action;
mod gate;
mod glob;
mod hook;
mod live;
mod tracking;

pub use action::{
    Action, ActionResult, Apply, FIELD_MANAGER, Method, OnConflict, Outcome, Propagation, Run,
    TaskKey, Validation, Verb,
};
pub use gate::{Authorized, Denied};
pub use hook::{HOOK_FINALIZER, Phase};
pub use live::{ClusterName, Live, Scope, ScopeOf};
pub use tracking::{TRACKING_ID, Tracking, TrackingId, TrackingMethod};
