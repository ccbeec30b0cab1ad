//! Changes to an object as the Kubernetes API takes them.
//!
//! Read [`json_patch()`], [`merge_patch()`] and [`strategic_merge`] first: one function for each content
//! type of a PATCH request, from the stored object and the patch to the new object. They behave as
//! kube-apiserver v1.35 does, which is not always what the RFCs say; the differences are told where
//! they matter. [`three_way()`] computes the patch that `kubectl apply` would send.
//!
//! This module knows patches. It must never know who asked for one, nor validate its result.

mod json_patch;
mod list;
mod merge_patch;
mod strategic;
mod three_way;

pub use json_patch::{MAX_COPY_BYTES, MAX_OPERATIONS, json_patch};
pub use merge_patch::{merge_patch, merge_patch_between};
pub use strategic::strategic_merge;
pub use three_way::{ThreeWay, three_way, two_way};

use yaml::{Str, Value};

use crate::go;

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
    /// A `$patch` directive of a strategic merge patch is none that exists (status 500).
    #[error("unknown patch type: {directive} in map: {map}")]
    UnknownDirective {
        /// The directive as written.
        directive: String,
        /// The map that holds it, as Go prints it.
        map: String,
    },
    /// A `$patch` directive in a state to compare is no text.
    #[error("invalid value for special key: $patch")]
    BadDirective,
    /// An item of a merged list lacks its merge key (status 500).
    #[error("map: {map} does not contain declared merge key: {key}")]
    NoMergeKey {
        /// The item as Go prints it.
        map: String,
        /// The merge key.
        key: Str,
    },
    /// A merged list of maps whose field declares no merge key.
    #[error("cannot merge lists without merge key for {0}")]
    NoMergeKeyDeclared(&'static str),
    /// `$patch: merge` stands in a list.
    #[error("merging lists cannot yet be specified in the patch")]
    MergeDirectiveInList,
    /// A directive or list has a value of the wrong type (status 500).
    #[error("expected a {expected}, but received a {found}")]
    WrongType {
        /// The Go type that belongs there.
        expected: &'static str,
        /// The Go type that is there.
        found: &'static str,
    },
    /// A list holds lists.
    #[error("lists of lists are not supported")]
    ListOfLists,
    /// The items of a merged list are of several types.
    #[error("list element types are not identical: {0}")]
    MixedItems(String),
    /// A list directive for a list that has no items on either side.
    #[error("no elements in any of the given slices")]
    NoItems,
    /// `$retainKeys` is no list, or lacks a member that the patch sets.
    #[error("invalid patch format of retainKeys")]
    BadRetainKeys,
    /// Two patches that are joined retain different members.
    #[error(
        "{left} and {right} are not deep equal: this may happen when calculating the 3-way diff patch"
    )]
    RetainKeysDiffer {
        /// The list of the first patch.
        left: String,
        /// The list of the second patch.
        right: String,
    },
    /// `$deleteFromPrimitiveList` names no list.
    #[error("invalid patch format of primitive list")]
    BadDeleteList,
    /// `$setElementOrder` names no list, or differs between two patches.
    #[error("invalid patch format of setElementOrder list")]
    BadOrderList,
    /// The items of a patch do not stand in the order that `$setElementOrder` lists.
    #[error("The order in patch list:\n{patch}\n doesn't match $setElementOrder list:\n{order}\n")]
    OrderMismatch {
        /// The items as Go prints them.
        patch: String,
        /// The order as Go prints it.
        order: String,
    },
    /// A map or list is merged under a name that the kind does not have.
    #[error("unable to find api field in struct {owner} for the json field {}", go::quote(.field))]
    UnknownField {
        /// The struct's Go name.
        owner: Str,
        /// The member's name.
        field: Str,
    },
    /// A map is merged where the kind has no struct.
    #[error("merging an object in json but data type is not struct, instead is: {0}")]
    NotAStruct(&'static str),
    /// A list is merged where the kind has no list.
    #[error("expected slice or array type, but got: struct")]
    NotAList,
}

impl PatchError {
    fn no_merge_key(item: &Value, key: &str) -> Self {
        PatchError::NoMergeKey {
            map: go::display(item),
            key: key.into(),
        }
    }
}
