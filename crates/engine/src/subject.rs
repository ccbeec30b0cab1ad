//! The application that is decided about, with the rules around it.

use api::application::IgnoreDifferences;
use api::{AppProject, Application, names};
use manifest::Object;

use crate::gate::Gate;
use crate::live::ClusterName;
use crate::tracking::Tracking;

/// Settings of the controller that decisions depend on (argocd-cm).
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The namespace that the controller, and most Applications, live in.
    pub control_namespace: String,
    /// How objects are marked as an application's.
    pub tracking: Tracking,
    /// Differences that count for no application (`resource.customizations.ignoreDifferences`).
    pub ignore_differences: Vec<IgnoreDifferences>,
    /// Whether the health of a child Application counts for its parent's.
    pub child_health: ChildHealth,
}

/// What the health of a child Application does to its parent's (semantics 135).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChildHealth {
    /// Nothing: it orders waves only.
    #[default]
    Apart,
    /// It counts, as with a Lua check for Applications in argocd-cm.
    Counts,
}

impl Default for Settings {
    /// As Argo CD without argocd-cm.
    fn default() -> Self {
        Settings {
            control_namespace: "argocd".to_owned(),
            tracking: Tracking::default(),
            ignore_differences: Vec::new(),
            child_health: ChildHealth::default(),
        }
    }
}

/// One application and what it is judged by. The destination is resolved already.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The application.
    pub app: &'a Application,
    /// Its project.
    pub project: &'a AppProject,
    /// Its destination's cluster.
    pub cluster: &'a ClusterName,
    /// The controller's settings.
    pub settings: &'a Settings,
}

impl<'a> Subject<'a> {
    /// The application's name in tracking marks.
    #[must_use]
    pub fn instance(&self) -> String {
        self.app.instance_name(&self.settings.control_namespace)
    }

    /// The namespace for objects that name none.
    #[must_use]
    pub fn namespace(&self) -> &'a str {
        &self.app.spec.destination.namespace
    }

    /// Whether a live object is the application itself, which a root that lists itself manages.
    pub(crate) fn is(&self, live: &Object) -> bool {
        let own = &self.app.metadata;
        live.kind() == names::APPLICATION
            && live.group() == names::GROUP
            && live.name() == own.name
            && live.namespace() == own.namespace
    }

    /// The project's rules for the cluster.
    #[must_use]
    pub fn gate(&self) -> Gate<'a> {
        Gate::new(self.project, self.cluster)
    }
}
