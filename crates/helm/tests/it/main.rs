//! Charts as real helm v4.1.4 renders them: the corpora `helm-engine`, `charts` and `sprig`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test reads recordings, says what it saw when it fails, and that it skips"
)]

mod any_bytes;
mod charts;
mod command;
mod corpus;
mod helm_engine;
mod recordings;
mod sprig;
