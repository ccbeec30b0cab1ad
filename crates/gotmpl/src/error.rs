//! What goes wrong, in Go's words.

/// When it went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A text is no template.
    Parse,
    /// A template cannot be executed over these values.
    Execute,
}

/// An error of a template, as Go prints it: `template: NAME:LINE:COLUMN: …`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Error {
    /// When it went wrong.
    pub stage: Stage,
    /// Go's text.
    pub text: String,
    /// What had been written before.
    pub partial_output: String,
}

impl Error {
    pub(crate) fn parse(text: String) -> Self {
        Error {
            stage: Stage::Parse,
            text,
            partial_output: String::new(),
        }
    }
}
