//! What the cluster is asked to do, and what it answers.
//!
//! Read [`Action`] first: it carries everything that the executor needs, so that the executor makes
//! no decision. An action reaches it only inside [`crate::Authorized`].

use std::fmt;

use manifest::{Gvk, Object, ObjectKey};
use yaml::Str;

use crate::hook::Phase;

/// The field manager of every write to managed objects.
pub const FIELD_MANAGER: &str = api::names::FIELD_MANAGER;

/// A task of a sync, as results are kept in the status: one object in one phase.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKey {
    /// The object.
    pub object: ObjectKey,
    /// The phase in which it takes part.
    pub phase: Phase,
}

/// One write to the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// Which object; the version is the one to speak.
    pub gvk: Gvk,
    /// Namespace and name of the object. The namespace is empty for cluster-scoped kinds.
    pub key: ObjectKey,
    /// What to do with it.
    pub verb: Verb,
    /// The task that gets the result; `None` for the deletions of an application's cascade.
    pub task: Option<TaskKey>,
}

/// What to do with an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    /// Make it as `object` says.
    Apply(Apply),
    /// Delete it. An object that is gone already is a success.
    Delete {
        /// What happens to the objects that it owns.
        propagation: Propagation,
        /// Only the object that was judged is deleted, not one that was made in between.
        uid: Str,
    },
    /// Take one finalizer off, by an update of the live object. Gone already is a success.
    RemoveFinalizer(&'static str),
}

/// How an object is brought into the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Apply {
    /// The object as desired, tracking included; without `last-applied-configuration`, which the
    /// executor adds for [`Method::ClientSide`], [`Method::Create`] and [`Method::Replace`] do not
    /// have it.
    pub object: Object,
    /// The kind of request.
    pub method: Method,
    /// What happens when a field that cannot change differs.
    pub on_conflict: OnConflict,
    /// Whether unknown fields are refused by the server.
    pub validation: Validation,
    /// Whether the request only tries.
    pub run: Run,
}

/// The kind of request that applies an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// `kubectl apply`: create with the annotation `last-applied-configuration`, or the three-way
    /// patch against what is live.
    ClientSide,
    /// Server-side apply as [`FIELD_MANAGER`], conflicts forced.
    ServerSide {
        /// A manager whose fields are taken over first (semantics 59); `None` leaves all as is.
        migrate_from: Option<Str>,
    },
    /// `kubectl create`: fails when the object exists.
    Create,
    /// `kubectl replace`: the whole object, by an update.
    Replace,
    /// An update with the resource version that is live now: CRDs and namespaces are never
    /// replaced by deletion.
    Update,
}

/// What happens when a field that cannot change differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// The error of the server is the result.
    Fail,
    /// Delete and create again (`--force`).
    Recreate,
}

/// Whether the server checks the fields of an object against its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// Unknown and duplicate fields are warnings, as the Kubernetes API does by default.
    On,
    /// `Validate=false`.
    Off,
}

/// Whether a request changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// It does.
    Wet,
    /// It only tries (`operation.sync.dryRun`).
    Dry,
}

/// What happens to the objects that a deleted object owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They go first.
    #[default]
    Foreground,
    /// They go later.
    Background,
    /// They stay.
    Orphan,
}

impl Propagation {
    /// The word in the request.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Propagation::Foreground => "Foreground",
            Propagation::Background => "Background",
            Propagation::Orphan => "Orphan",
        }
    }
}

impl From<api::sync_options::Propagation> for Propagation {
    fn from(option: api::sync_options::Propagation) -> Self {
        match option {
            api::sync_options::Propagation::Foreground => Propagation::Foreground,
            api::sync_options::Propagation::Background => Propagation::Background,
            api::sync_options::Propagation::Orphan => Propagation::Orphan,
        }
    }
}

/// What the cluster answered to one action.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionResult {
    /// What happened, or the error as kubectl prints it (without credentials or Secret values).
    pub outcome: Result<Outcome, String>,
    /// What `kubectl auth reconcile` says, which comes before the apply of a role or binding.
    pub reconciled: Option<String>,
    /// Warning headers of the answer, in order.
    pub warnings: Vec<String>,
    /// The object as the server returned it, for [`crate::Live`]; `None` after a deletion.
    pub object: Option<Object>,
}

impl ActionResult {
    /// A success without warnings.
    #[must_use]
    pub fn done(outcome: Outcome) -> Self {
        ActionResult {
            outcome: Ok(outcome),
            reconciled: None,
            warnings: Vec::new(),
            object: None,
        }
    }

    /// A failure with the server's words.
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        ActionResult {
            outcome: Err(message.into()),
            reconciled: None,
            warnings: Vec::new(),
            object: None,
        }
    }
}

/// What an action did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did not exist.
    Created,
    /// It existed and was changed.
    Configured,
    /// It existed and was as desired.
    Unchanged,
    /// Server-side apply, whatever changed.
    ServerSideApplied,
    /// Replaced as a whole.
    Replaced,
    /// Deleted and created again.
    Recreated,
    /// Updated as a whole ([`Method::Update`]).
    Updated,
    /// Deletion was accepted, or the object was gone.
    Deleted,
    /// A finalizer was taken off.
    Patched,
}

/// An object in kubectl's words: `deployment.apps/d`, `configmap/a`.
pub(crate) fn kubectl_name(gvk: &Gvk, name: &str) -> String {
    let kind = gvk.kind.to_lowercase();
    if gvk.group.is_empty() {
        format!("{kind}/{name}")
    } else {
        format!("{kind}.{}/{name}", gvk.group)
    }
}

/// The message of a result, as Argo CD keeps it in `syncResult.resources` (semantics 69).
pub(crate) fn message(action: &Action, outcome: Outcome, answer: &ActionResult) -> String {
    let name = kubectl_name(&action.gvk, &action.key.name);
    let mut text = answer.reconciled.clone().unwrap_or_default();
    text.push_str(&match outcome {
        Outcome::Created => format!("{name} created"),
        Outcome::Configured | Outcome::Patched => format!("{name} configured"),
        Outcome::Unchanged => format!("{name} unchanged"),
        Outcome::ServerSideApplied => format!("{name} serverside-applied"),
        Outcome::Replaced => format!("{name} replaced"),
        Outcome::Recreated => recreated(action, &name),
        Outcome::Updated => format!("{}/{} updated", action.gvk.kind, action.key.name),
        Outcome::Deleted => "pruned".to_owned(),
    });
    if let Verb::Apply(Apply { run: Run::Dry, .. }) = &action.verb {
        text.push_str(" (dry run)");
    }
    for warning in &answer.warnings {
        text.push_str(". Warning: ");
        text.push_str(warning);
    }
    text
}

fn recreated(action: &Action, name: &str) -> String {
    let resource = kubectl_name(&action.gvk, "");
    let resource = resource.trim_end_matches('/');
    let place = if action.key.namespace.is_empty() {
        String::new()
    } else {
        format!(" from {} namespace", action.key.namespace)
    };
    format!(
        "{resource} \"{}\" deleted{place}\n{name} replaced",
        action.key.name
    )
}

impl fmt::Display for Action {
    /// One line for logs and scenario tests; never holds the content of an object.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verb {
            Verb::Apply(apply) => {
                let method = match &apply.method {
                    Method::ClientSide => "apply",
                    Method::ServerSide { migrate_from: None } => "server-side apply",
                    Method::ServerSide {
                        migrate_from: Some(_),
                    } => "migrate and server-side apply",
                    Method::Create => "create",
                    Method::Replace => "replace",
                    Method::Update => "update",
                };
                let force = match apply.on_conflict {
                    OnConflict::Fail => "",
                    OnConflict::Recreate => "force ",
                };
                write!(f, "{force}{method} {}", self.key)?;
                if apply.run == Run::Dry {
                    f.write_str(" (dry run)")?;
                }
                Ok(())
            }
            Verb::Delete { propagation, .. } => {
                write!(
                    f,
                    "delete {} ({})",
                    self.key,
                    propagation.as_str().to_lowercase()
                )
            }
            Verb::RemoveFinalizer(finalizer) => {
                write!(f, "remove finalizer {finalizer} of {}", self.key)
            }
        }
    }
}
