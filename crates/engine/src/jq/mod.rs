//! Expressions of jq, as far as they say which fields to leave out (`jqPathExpressions`).
//!
//! Read [`Program`] first. Its judge is gojq: what an expression means, and what is said of a broken
//! one. It is written here, and not a library, as expressions come from users and must end: every
//! step of an evaluation is counted, which no library of Rust can do. So there is no `def`, `reduce`
//! or variable; an expression with these is [`JqError::Unsupported`].

mod eval;
mod functions;
mod syntax;

use yaml::Value;

/// Why an expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JqError {
    /// It is none; the text is gojq's.
    #[error("{0}")]
    Syntax(String),
    /// It is beyond what is read here.
    #[error("{0}")]
    Unsupported(String),
}

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Program(syntax::Term);

impl Program {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`JqError`] for what is no expression, and for what is beyond this module.
    pub(crate) fn parse(text: &str) -> Result<Self, JqError> {
        syntax::parse(text).map(Program)
    }

    /// Takes out of `value` what the expression leads to, as `del` does. An expression that fails, or
    /// takes too many steps, takes out nothing (semantics 151).
    pub(crate) fn delete(&self, value: &mut Value) {
        if let Ok(paths) = eval::paths(&self.0, value) {
            eval::delete(value, paths);
        }
    }
}

#[cfg(test)]
mod tests;
