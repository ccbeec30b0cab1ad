//! Judges of this crate: what a real kube-apiserver says of objects.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests read recordings and print what they judged; the crate itself reads nothing"
)]

mod corpus;
mod judge;
mod recorded;
