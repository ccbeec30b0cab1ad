//! Who owns which field of an object: sets of fields, `managedFields`, server-side apply.
//!
//! Read [`FieldSet`] and [`apply()`] first. [`apply()`] carries out an apply patch; [`track`] keeps the
//! ownership right after every other write. Both behave as kube-apiserver v1.35 with
//! structured-merge-diff v6 does, messages included. All versions of a kind are taken to have the
//! same fields: sets are not converted between versions.
//!
//! This module knows fields and their owners. It must never know defaults, admission or storage: what
//! it returns is the object before those.

mod apply;
mod compare;
mod managed;
mod merge;
mod path;
mod remove;
mod set;
mod shape;
mod validate;

pub use apply::{Applied, ApplyError, OnConflict, Writer, apply, track};
pub use compare::{Comparison, compare, set_of};
pub use managed::{Entry, ManagedFields, Operation, same_but_times};
pub use path::{PathElement, path_text};
pub use set::FieldSet;
pub use validate::{Duplicates, Invalid, validate};

/// Why a set of fields or a list of `managedFields` cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    /// A key of FieldsV1 is malformed.
    #[error("parsing key as path element: {0}")]
    Element(String),
    /// FieldsV1 is no map of maps.
    #[error("expected an object, got {0}")]
    NotAnObject(&'static str),
    /// An entry's operation is neither of the two.
    #[error("operation must be `Apply` or `Update`")]
    Operation,
    /// An entry lacks its `apiVersion`.
    #[error("apiVersion must not be empty")]
    NoApiVersion,
    /// An entry lacks its `fieldsType`.
    #[error("missing fieldsType in managed fields entry {0}")]
    NoFieldsType(usize),
    /// An entry has an unknown `fieldsType`.
    #[error("invalid fieldsType {kind} in managed fields entry {index}")]
    FieldsType {
        /// The type as written, quoted.
        kind: String,
        /// Which entry, counted from 0.
        index: usize,
    },
}

#[cfg(test)]
mod tests;
