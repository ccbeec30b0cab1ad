//! Why a build fails. Texts are those of kustomize v5.7, as people and scripts know them: a chain of
//! the kustomizations that led to the place, with the file and the cause.

use manifest::TreeError;

use crate::remote::Needed;

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Why a kustomization cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The kustomization, or what it refers to, is wrong: kustomize's own words, which name the
    /// kustomizations on the way and the file. `/` is the root of the tree.
    #[error("{0}")]
    Build(String),
    /// Something of other repositories or hosts is needed and was not given: all of it, sorted.
    #[error("not fetched yet: {}", list(.0))]
    Missing(Vec<Needed>),
    /// A change of [`crate::Options::edits`] cannot be made, in the words of `kustomize edit`.
    #[error("{problem}")]
    Edit {
        /// Its place among the changes, from 0.
        number: usize,
        /// Why.
        problem: String,
    },
    /// The tree cannot be read now. Retryable; says nothing about the kustomization.
    #[error(transparent)]
    Unavailable(TreeError),
    /// A limit of this crate is exceeded.
    #[error("{what} exceeds the limit of {limit}")]
    Limit {
        /// What was counted.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

fn list(needed: &[Needed]) -> String {
    let all: Vec<String> = needed.iter().map(ToString::to_string).collect();
    all.join(", ")
}

impl Error {
    /// Puts `prefix: ` before the text of a failed build; other errors stay as they are.
    pub(crate) fn within(self, prefix: &str) -> Self {
        match self {
            Error::Build(text) => Error::Build(format!("{prefix}: {text}")),
            other => other,
        }
    }

    /// Replaces the text of a failed build.
    pub(crate) fn reworded(self, words: impl FnOnce(&str) -> String) -> Self {
        match self {
            Error::Build(text) => Error::Build(words(&text)),
            other => other,
        }
    }

    /// Whether a file is no YAML: kustomize does not try such a path as a directory.
    pub(crate) fn is_malformed_yaml(&self) -> bool {
        matches!(self, Error::Build(text) if text.contains("MalformedYAMLError"))
    }
}

/// A failed build.
pub(crate) fn fail<T>(text: impl Into<String>) -> Result<T> {
    Err(Error::Build(text.into()))
}

impl From<yaml::Error> for Error {
    fn from(error: yaml::Error) -> Self {
        Error::Build(error.go_text())
    }
}
