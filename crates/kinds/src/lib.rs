//! What the built-in kinds of Kubernetes mean: how an object is read and defaulted, what a client
//! may set and what is valid.
//!
//! Read [`Kind`] first: it is the handle of one kind, and its methods are the doors. [`decode()`]
//! gives a tree the form that the real types give it. A new kind is one module below `validate`
//! and one line in its table.
//!
//! The judge is a real kube-apiserver: its recordings and, where they are silent, its code. This
//! crate must never know a request, a store or a cluster: what it needs is an argument.

mod convert;
mod decode;
mod defaults;
mod field_error;
mod go_types;
mod image;
mod internal;
mod kind;
mod quality;
mod selector;
mod strategy;
mod validate;

use manifest::{ip, lines};

pub use decode::{decode, settle, take_vanishing};
pub use field_error::FieldError;
pub use kind::{Kind, Part};
/// A text as Go's `%q` prints it.
pub use manifest::go::quote as quoted;
pub use manifest::names;
pub use quality::{begin_pod, quality_of_service};
pub use selector::selector_text;
pub use validate::binding_problems;
