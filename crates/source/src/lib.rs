//! Git repositories and charts as complete snapshots: what a reference resolves to, and the files of
//! it.
//!
//! Read [`Store`] first: it keeps one bare object store per repository and hands out a
//! [`Repository`] per (URL, credentials), which lists references, resolves a [`Reference`] to a
//! [`Revision`] and fetches it as a [`Snapshot`]. [`WorkTree`] does
//! the same for a folder with uncommitted edits, [`chart::Charts`] for Helm repositories and
//! registries.
//!
//! Everything happens in this process: no program is started, no configuration of the host's Git
//! is read, no credential helper is asked, and there is never a checkout. This crate must never
//! know an Application's status, a project's rules or a cluster. No error, log line or debug text
//! of this crate holds a credential.

pub mod chart;
mod constraint;
mod credentials;
mod database;
mod error;
mod files;
mod http;
mod known_hosts;
mod masked;
mod objects;
mod reference;
mod ssh;
mod store;
mod tls;
mod transfer;
mod tree;
mod trust;
mod url;
mod watcher;
mod worktree;

pub use credentials::{CredentialStore, Credentials, RepositorySecret, SecretKind, Verification};
pub use error::{Error, Problem, Retry};
pub use masked::Masked;
pub use reference::{Reference, ReferenceError, Revision};
pub use store::{FileUrls, Freshness, Options, Repository, Snapshot, Store};
pub use trust::{Trust, TrustError};
pub use url::{RepoUrl, UrlError};
pub use watcher::Watcher;
pub use worktree::WorkTree;
