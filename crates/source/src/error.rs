//! What can go wrong between a repository URL and its files.
//!
//! Read [`Error`]: it carries the repository, the reference and the [`Problem`]. Texts of a
//! problem are those of Argo CD where `corpora/argocd-sync` has them. Never holds a credential.

use std::time::Duration;

use crate::RepoUrl;

/// What failed, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} (repository {repository}{})", of_reference(.reference.as_ref()))]
pub struct Error {
    /// The repository, without user information.
    pub repository: String,
    /// What was asked for, when it matters.
    pub reference: Option<String>,
    /// What failed.
    pub problem: Problem,
}

fn of_reference(reference: Option<&String>) -> String {
    reference.map_or(String::new(), |it| format!(", reference '{it}'"))
}

/// What failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The host has no address.
    #[error("failed to list refs: host {0:?} cannot be resolved")]
    Dns(String),
    /// Nobody listens there.
    #[error("failed to list refs: connection refused")]
    Refused,
    /// The server wants credentials, and there are none or wrong ones (401, or SSH).
    #[error("failed to list refs: authentication required: {0}")]
    Authentication(&'static str),
    /// The credentials do not suffice (403).
    #[error("failed to list refs: authorization failed")]
    Forbidden,
    /// There is no such repository.
    #[error("failed to list refs: repository not found")]
    NotFound,
    /// The server's certificate is not believed, or it does not believe ours.
    #[error("failed to list refs: certificate: {0}")]
    Certificate(String),
    /// The server's SSH key is not the known one.
    #[error("failed to list refs: ssh host key of {host}: {verdict}")]
    HostKey {
        /// Host and port.
        host: String,
        /// Such as "is not in ssh_known_hosts".
        verdict: &'static str,
    },
    /// The answer is a redirect that is not followed.
    #[error("failed to list refs: redirect {0}")]
    Redirect(String),
    /// An HTTP status that says nothing more exact.
    #[error("failed to list refs: server answered with status {0}")]
    Status(u16),
    /// The server does not speak Git's protocol, or said that it cannot do what was asked.
    #[error("failed to list refs: {0}")]
    Protocol(String),
    /// The connection ended before the answer was complete.
    #[error("connection lost: {0}")]
    Cut(String),
    /// It took longer than allowed.
    #[error("timeout after {} s", .0.as_secs())]
    Timeout(Duration),
    /// The transfer is larger than allowed.
    #[error("transfer is larger than the limit of {limit} bytes")]
    TooLarge {
        /// In bytes.
        limit: u64,
    },
    /// The one who asked does not wait any more.
    #[error("cancelled")]
    Cancelled,
    /// No such branch, tag, range or shortened SHA.
    #[error("unable to resolve '{0}' to a commit SHA: revision not found")]
    UnknownReference(String),
    /// Several commits start with these digits.
    #[error("unable to resolve '{0}' to a commit SHA: several commits start with it")]
    Ambiguous(String),
    /// The repository has no such commit.
    #[error(
        "failed to initialize repository resources: rpc error: code = Internal desc = \
         Failed to checkout revision {0}: there is no such commit in the repository"
    )]
    UnknownCommit(String),
    /// A setting of the credentials cannot be used: names the setting, never the value.
    #[error("credentials cannot be used: {0}")]
    Credentials(&'static str),
    /// Something that is refused on purpose.
    #[error("{0} are not supported")]
    Unsupported(&'static str),
    /// File URLs are for `up` and tests.
    #[error("repositories of scheme file are not allowed here")]
    FileRefused,
    /// The local store failed.
    #[error("object store: {0}")]
    Store(String),
}

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It may go away by itself: ask again later.
    Later,
    /// Somebody must change the spec, the credentials or the repository first.
    AfterChange,
}

impl Error {
    pub(crate) fn new(url: &RepoUrl, reference: Option<&str>, problem: Problem) -> Self {
        Error {
            repository: url.to_string(),
            reference: reference.map(str::to_owned),
            problem,
        }
    }

    pub(crate) fn store(place: &std::path::Path, problem: impl std::fmt::Display) -> Self {
        Error {
            repository: place.display().to_string(),
            reference: None,
            problem: Problem::Store(problem.to_string()),
        }
    }

    /// Whether to ask again. An unknown reference may be pushed at any time, but that shows at the
    /// next regular poll: asking sooner is of no use.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match &self.problem {
            Problem::Dns(_)
            | Problem::Refused
            | Problem::Cut(_)
            | Problem::Timeout(_)
            | Problem::Cancelled
            | Problem::Store(_) => Retry::Later,
            Problem::Status(status) if *status == 429 || *status >= 500 => Retry::Later,
            Problem::Status(_)
            | Problem::Authentication(_)
            | Problem::Forbidden
            | Problem::NotFound
            | Problem::Certificate(_)
            | Problem::HostKey { .. }
            | Problem::Redirect(_)
            | Problem::Protocol(_)
            | Problem::TooLarge { .. }
            | Problem::UnknownReference(_)
            | Problem::Ambiguous(_)
            | Problem::UnknownCommit(_)
            | Problem::Credentials(_)
            | Problem::Unsupported(_)
            | Problem::FileRefused => Retry::AfterChange,
        }
    }
}
