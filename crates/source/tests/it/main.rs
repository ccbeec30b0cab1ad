//! `source` against real servers: git's http-backend over TLS, sshd, repositories on disk.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "clippy allows it in test functions only, not in their helpers"
)]

mod charts;
mod files;
mod fixture;
mod http;
mod proxy;
mod recorded;
mod registry;
mod server;
mod ssh;
mod transfer;
mod tree;
mod web;
mod worktree;
