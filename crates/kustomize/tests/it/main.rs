//! Kustomizations as kubectl builds them: the corpora `kustomize` and `kustomizations`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test reads recordings, says what it saw when it fails, and that it skips"
)]

mod generated;
mod recorded;
mod robust;
mod tree;
