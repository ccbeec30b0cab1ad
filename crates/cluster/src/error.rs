//! What can go wrong with a cluster, and what a caller may do about it.

use yaml::Value;

/// Why a request to a cluster had no result. Never holds a credential or the body of a request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server answered with a Status.
    #[error("{message}")]
    Status {
        /// The HTTP status code.
        code: u16,
        /// The Status reason, such as `NotFound`; empty when the server gave none.
        reason: String,
        /// The message, as the server worded it.
        message: String,
        /// Seconds after which the server wants to be asked again.
        retry_after_seconds: Option<u64>,
    },
    /// No answer arrived, or it broke off.
    #[error("{what}: no answer from the Kubernetes API")]
    Transport {
        /// The request, as `GET /api/v1/pods`.
        what: String,
        /// What the transport said.
        #[source]
        source: Box<kube::Error>,
    },
    /// An answer that is not what the API promises.
    #[error("{what}: unexpected answer from the Kubernetes API: {problem}")]
    Answer {
        /// The request, as `GET /api/v1/pods`.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A larger answer than we hold in memory.
    #[error("{what}: the answer is larger than {limit} bytes")]
    TooLarge {
        /// The request, as `GET /api/v1/pods`.
        what: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The cluster serves no such kind.
    #[error("no matches for kind \"{kind}\" in version \"{api_version}\"")]
    UnknownKind {
        /// The `apiVersion` asked for.
        api_version: String,
        /// The kind asked for.
        kind: String,
    },
    /// An object has no namespace and its kind needs one, or the like.
    #[error("{what}: {problem}")]
    BadObject {
        /// The object, as kind and name.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The configuration of the connection cannot be used.
    #[error("{what}")]
    Config {
        /// What was being read or built.
        what: String,
        /// Why it could not be.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What a caller may do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The object or resource is not there.
    NotFound,
    /// Somebody else wrote in between (409 `Conflict`): read again and retry.
    Conflict,
    /// It exists already (409 `AlreadyExists`).
    Exists,
    /// A watch or list position that the server has forgotten (410): list again.
    Gone,
    /// The same request may succeed later.
    Retry,
    /// The same request will fail again.
    Final,
}

impl Error {
    /// Classifies once for all callers.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Error::Status { code, reason, .. } => match (*code, reason.as_str()) {
                (404, _) => Class::NotFound,
                (409, "AlreadyExists") => Class::Exists,
                (409, _) => Class::Conflict,
                (410, _) => Class::Gone,
                (429 | 500 | 502 | 503 | 504, _) => Class::Retry,
                _ => Class::Final,
            },
            Error::Transport { .. } | Error::Answer { .. } => Class::Retry,
            Error::UnknownKind { .. } => Class::NotFound,
            Error::TooLarge { .. } | Error::BadObject { .. } | Error::Config { .. } => Class::Final,
        }
    }

    /// From the Status object that an API server answered with.
    pub(crate) fn from_status(code: u16, status: &Value) -> Self {
        let text = |key: &str| {
            status
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let message = match text("message") {
            empty if empty.is_empty() => format!("the server answered with HTTP status {code}"),
            message => message,
        };
        let retry_after_seconds = status
            .at(&["details", "retryAfterSeconds"])
            .and_then(Value::as_i64)
            .and_then(|seconds| u64::try_from(seconds).ok());
        Error::Status {
            code,
            reason: text("reason"),
            message,
            retry_after_seconds,
        }
    }
}
