//! Templates as Go executes them: the corpus `gotemplate`, recorded with Go's own text/template.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test reads recordings, says what it saw when it fails, and that it skips"
)]

mod recorded;
