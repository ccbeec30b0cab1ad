//! Changes to an object as the Kubernetes API takes them.
//!
//! Read [`json_patch`], [`merge_patch`] and [`strategic_merge`] first: one function for each content
//! type of a PATCH request, from the stored object and the patch to the new object. They behave as
//! kube-apiserver v1.35 does, which is not always what the RFCs say; the differences are told where
//! they matter.
//! `kubectl apply` would send.
//!
//! This module knows patches. It must never know who asked for one, nor validate its result.

mod go;
mod json_patch;
mod merge_patch;

pub use json_patch::{MAX_COPY_BYTES, MAX_OPERATIONS, json_patch};
pub use merge_patch::{merge_patch, merge_patch_between};

/// Why a patch cannot be applied. The texts are those of kube-apiserver's answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The body of a JSON patch is not a list of operations (status 400).
    #[error("error decoding patch: json: cannot unmarshal {found} into Go {target}")]
    Decode {
        /// What the body has there, in words of Go's decoder.
        found: &'static str,
        /// What it should have there.
        target: String,
    },
    /// A JSON patch has too many operations (status 413).
    #[error("The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {0}")]
    TooManyOperations(usize),
    /// An operation of a JSON patch does not apply (status 422).
    #[error("{0}")]
    DoesNotApply(String),
    /// The `copy` operations of a JSON patch together copy too much (status 422).
    #[error(
        "Unable to complete the copy, the accumulated size increase of copy is {0}, exceeding the limit {MAX_COPY_BYTES}"
    )]
    CopiesTooMuch(usize),
    /// The body of a merge or strategic merge patch is not an object (status 400).
    #[error("json: cannot unmarshal {0} into Go value of type map[string]interface {{}}")]
    NotAnObject(&'static str),
    /// The merge patch is neither an object nor a list (status 400).
    #[error("Invalid JSON Patch")]
    InvalidMergePatch,
}
