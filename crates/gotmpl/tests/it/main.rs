//! Templates as Go executes them: the corpus `gotemplate`, recorded with Go's own text/template.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that fails says what it saw, and one that skips says so"
)]

mod recorded;
