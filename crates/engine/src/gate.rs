//! The project gate: nothing is written to a cluster that the AppProject does not allow.
//!
//! Read [`Authorized`] first: it can be made here only, and the executor takes nothing else.

/// Something that the project allows.
#[derive(Clone, Debug, PartialEq)]
pub struct Authorized<T>(T);

impl<T> Authorized<T> {
    /// What was allowed.
    #[must_use]
    pub fn get(&self) -> &T {
        &self.0
    }

    /// What was allowed, to act on it.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// The project does not allow it; the text is Argo CD's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Denied(String);
