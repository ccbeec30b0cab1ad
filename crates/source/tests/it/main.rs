//! `source` against real servers: git's http-backend over TLS, sshd, repositories on disk.

mod files;
mod fixture;
mod http;
mod server;
mod ssh;
mod transfer;
mod tree;
mod worktree;
