//! What goes wrong, in Helm's words.

use manifest::TreeError;

/// Why a chart cannot be loaded or rendered. The text is what `helm template` prints behind `Error: `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Before a render began: a chart, values or options that cannot be used.
    #[error("{0}")]
    Text(String),
    /// A chart needs others that are not there.
    #[error(
        "an error occurred while checking for chart dependencies. You may need to run `helm dependency build` to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: {}",
        .0.join(", ")
    )]
    MissingDependencies(Vec<String>),
    /// A template or what it wrote.
    #[error("{text}")]
    Render {
        /// Helm's words.
        text: String,
        /// What templates wrote, when all could be executed.
        written: String,
    },
    /// A file could not be read; when it is `Unavailable`, another try may help.
    #[error("{0}")]
    Tree(#[from] TreeError),
}

impl Error {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Error::Text(text.into())
    }

    pub(crate) fn render(text: impl Into<String>) -> Self {
        Error::Render {
            text: text.into(),
            written: String::new(),
        }
    }

    /// The same with words before it.
    pub(crate) fn within(self, context: &str) -> Self {
        match self {
            Error::Tree(error) => Error::Tree(error),
            other => Error::Text(format!("{context}: {other}")),
        }
    }
}
