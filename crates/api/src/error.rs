//! Why a value is not one of this crate's types, with the place in the object.

/// A member that does not have the shape its type asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: expected {expected}, found {found}")]
pub struct Error {
    /// Where, as `spec.sources[1].path`; empty at the top.
    pub path: String,
    /// What the type asks for, in words.
    pub expected: &'static str,
    /// What is there: a kind of value, or the text itself where its form is wrong.
    pub found: String,
}

impl Error {
    pub(crate) fn new(expected: &'static str, found: impl Into<String>) -> Self {
        Error {
            path: String::new(),
            expected,
            found: found.into(),
        }
    }

    /// The error as seen from the map that holds it under `key`.
    pub(crate) fn in_member(mut self, key: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') {
            ""
        } else {
            "."
        };
        self.path = format!("{key}{dot}{}", self.path);
        self
    }

    /// The error as seen from the list that holds it at `index`.
    pub(crate) fn in_item(mut self, index: usize) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') {
            ""
        } else {
            "."
        };
        self.path = format!("[{index}]{dot}{}", self.path);
        self
    }
}
