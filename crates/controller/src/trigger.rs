//! Why an Application is looked at. For logs alone: nothing branches on it.

/// Every reason for which a reconcile is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// The Application was made or changed.
    Application,
    /// Its project changed.
    Project,
    /// A setting, a repository or credentials changed.
    Settings,
    /// An object in the cluster changed.
    Live,
    /// A reference means another commit.
    Reference,
}
