//! Admission of writes, as far as it is words: what is wrong with the expressions of webhooks and
//! policies, what a webhook is sent and what its answer means.
//!
//! Read [`problems()`] for the first, [`review()`] and [`verdict()`] for the others; [`selects`] and
//! [`parse_labels`] are label selectors, which requests have too.
//!
//! This crate must never know a store, a request or how a webhook is reached.

mod expressions;
mod query;
mod refusal;
mod review;
mod selector;

pub use expressions::problems;
pub use query::{Requirement, parse_labels};
pub use refusal::refusal;
pub use review::{Power, Verdict, denial, review, verdict};
pub use selector::{selects, selects_all};
