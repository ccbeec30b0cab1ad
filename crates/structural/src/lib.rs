//! Custom resources: what a CustomResourceDefinition may say, and what its schemas mean for
//! objects: which members stay, which defaults they get, and what is wrong with them.
//!
//! Read [`Schema`] first: an `openAPIV3Schema`, read once. [`Rules`] are its CEL rules, compiled once.
//! [`definition::problems`] judges whole definitions. [`conversion::review`] asks for another version.
//!
//! The judge is a real kube-apiserver v1.35; the texts are its own, word for word. This crate must
//! never know a request, a store or a clock.

pub mod conversion;
pub mod definition;
mod embedded;
mod formats;
mod lists;
mod prune;
mod rules;
mod schema;
mod validate;

pub use embedded::{Malformed, coerce_metadata};
pub use rules::{Rules, environment};
pub use schema::{Additional, Bound, Rule, Schema};
pub use validate::is_blocking;
