//! Why the controller cannot run, or one reconcile did not come to its end.

/// What failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cluster could not be asked or written.
    #[error("{what}")]
    Cluster {
        /// What was tried.
        what: String,
        /// What the cluster said.
        #[source]
        source: cluster::Error,
    },
    /// Work on a thread of its own was lost: it panicked, or the program ends.
    #[error("{what} was interrupted: {problem}")]
    Interrupted {
        /// What was being done.
        what: &'static str,
        /// What the runtime says.
        problem: String,
    },
}

impl Error {
    pub(crate) fn cluster(what: impl Into<String>) -> impl FnOnce(cluster::Error) -> Error {
        let what = what.into();
        move |source| Error::Cluster { what, source }
    }
}
