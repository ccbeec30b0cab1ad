//! What can go wrong between the name of a chart and its files. Never holds a credential.

use std::time::Duration;

use crate::chart::archive::ArchiveError;
use crate::{Problem, Retry};

/// What failed, and where it was looked up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {problem} (looked up in {place})")]
pub struct ChartError {
    /// What was wanted, such as `chart "redis" of version "^1.2"`.
    pub what: String,
    /// The repository or registry, without user information.
    pub place: String,
    /// What failed.
    pub problem: ChartProblem,
}

/// What failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChartProblem {
    /// The address says no place of charts.
    #[error("the address {0}")]
    Address(&'static str),
    /// No way to the server, or the way back was cut.
    #[error("{0}")]
    Network(String),
    /// It took longer than allowed.
    #[error("timeout after {} s", .0.as_secs())]
    Timeout(Duration),
    /// The server wants other credentials, or there are none.
    #[error("authentication required: {0}")]
    Authentication(&'static str),
    /// The credentials do not suffice.
    #[error("authorization failed")]
    Forbidden,
    /// The server's certificate is not believed, or it does not believe ours.
    #[error("certificate: {0}")]
    Certificate(String),
    /// A setting of the credentials cannot be used: names the setting, never the value.
    #[error("credentials cannot be used: {0}")]
    Credentials(&'static str),
    /// The answer is a redirect that is not followed.
    #[error("redirect {0}")]
    Redirect(String),
    /// An HTTP status that says nothing more exact.
    #[error("the server answered with status {0}")]
    Status(u16),
    /// There is nothing at the place that was asked.
    #[error("there is no {0}")]
    Absent(&'static str),
    /// The index of the repository cannot be read.
    #[error("index.yaml cannot be read: {0}")]
    Index(String),
    /// The repository has no such chart.
    #[error("the index has no such chart")]
    NoChart,
    /// Neither a version nor a range, nor a tag.
    #[error("{0:?} is neither a version nor a range of versions")]
    NotAVersion(String),
    /// The chart has no version in the range.
    #[error("no version fits ({n_versions} versions{})", of_newest(.newest.as_ref()))]
    NoVersion {
        /// How many there are.
        n_versions: usize,
        /// The newest of them.
        newest: Option<String>,
    },
    /// An answer is larger than allowed.
    #[error("the answer is larger than the limit of {0} bytes")]
    TooLarge(u64),
    /// The content is not the one that was promised.
    #[error("the content has the digest {got}, not {want}")]
    Digest {
        /// As the index or manifest says.
        want: String,
        /// Of what came.
        got: String,
    },
    /// The registry's answer is not of a chart or of an artifact.
    #[error("{0}")]
    Artifact(String),
    /// The archive cannot be read, or is refused.
    #[error("the archive is refused: {0}")]
    Archive(#[from] ArchiveError),
    /// The cache on disk failed.
    #[error("chart cache: {0}")]
    Store(String),
}

fn of_newest(newest: Option<&String>) -> String {
    newest.map_or(String::new(), |it| format!(", the newest is {it}"))
}

impl ChartError {
    /// Whether to ask again soon, or only after somebody changed something.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match &self.problem {
            ChartProblem::Network(_) | ChartProblem::Timeout(_) | ChartProblem::Store(_) => {
                Retry::Later
            }
            ChartProblem::Status(status) if *status == 429 || *status >= 500 => Retry::Later,
            _ => Retry::AfterChange,
        }
    }
}

impl From<Problem> for ChartProblem {
    /// What a failure below HTTP means for charts.
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Dns(host) => {
                ChartProblem::Network(format!("host {host:?} cannot be resolved"))
            }
            Problem::Refused => ChartProblem::Network("connection refused".to_owned()),
            Problem::Cut(text) => ChartProblem::Network(format!("connection lost: {text}")),
            Problem::Timeout(after) => ChartProblem::Timeout(after),
            Problem::Certificate(text) => ChartProblem::Certificate(text),
            Problem::Credentials(text) => ChartProblem::Credentials(text),
            other => ChartProblem::Network(other.to_string()),
        }
    }
}
