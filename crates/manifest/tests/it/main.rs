//! Judges of this crate that read recordings of real programs from the shared folder.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests read recordings and print what they judged; the crate itself reads nothing"
)]

mod oracle;
mod recorded_ownership;
mod recorded_patches;
mod recordings;
