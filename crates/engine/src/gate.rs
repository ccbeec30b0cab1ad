//! The project gate: nothing is written to a cluster that the AppProject does not allow.
//!
//! Read [`Gate`] first. [`Authorized`] can be made here only, and the executor takes nothing else.
//! Rules and words: semantics N, judged by the `proj-*` recordings of argocd-sync.

use api::project::{ClusterKind, GroupKind};
use api::{AppProject, Condition, reason};
use manifest::{Gvk, ObjectKey};

use crate::action::Action;
use crate::glob::{Dialect, matches};
use crate::live::ClusterName;

/// Something that the project allows.
#[derive(Clone, Debug, PartialEq)]
pub struct Authorized<T>(T);

impl<T> Authorized<T> {
    /// What was allowed.
    #[must_use]
    pub fn get(&self) -> &T {
        &self.0
    }

    /// What was allowed, to act on it.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// The project does not allow it; the text is Argo CD's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Denied(String);

/// One project's rules for one cluster.
#[derive(Clone, Copy, Debug)]
pub struct Gate<'a> {
    project: &'a AppProject,
    cluster: &'a ClusterName,
}

/// Allows `action`, or says why not.
///
/// # Errors
/// [`Denied`] when the kind, or the namespace, is not the project's to use.
pub fn authorize(gate: &Gate<'_>, action: Action) -> Result<Authorized<Action>, Denied> {
    gate.check(&action.gvk, &action.key)?;
    Ok(Authorized(action))
}

impl<'a> Gate<'a> {
    /// The rules of `project` for objects in `cluster`.
    #[must_use]
    pub fn new(project: &'a AppProject, cluster: &'a ClusterName) -> Self {
        Gate { project, cluster }
    }

    /// Whether an object may be used: its kind, then its namespace.
    ///
    /// # Errors
    /// [`Denied`] with the text that a sync result shows.
    pub fn check(&self, gvk: &Gvk, key: &ObjectKey) -> Result<(), Denied> {
        let project = &self.project.metadata.name;
        if !self.permits_kind(gvk, key) {
            return Err(Denied(format!(
                "resource {}:{} is not permitted in project {project}",
                gvk.group, gvk.kind
            )));
        }
        if !key.namespace.is_empty() && !self.permits_destination(&key.namespace) {
            return Err(Denied(format!(
                "namespace {} is not permitted in project '{project}'",
                key.namespace
            )));
        }
        Ok(())
    }

    /// Whether the kind may be used; an object without namespace counts as cluster-scoped
    /// (semantics 207, 208).
    #[must_use]
    pub fn permits_kind(&self, gvk: &Gvk, key: &ObjectKey) -> bool {
        let spec = &self.project.spec;
        if key.namespace.is_empty() {
            let lists = |list: &[ClusterKind]| {
                list.iter().any(|entry| {
                    is_kind(&entry.group, &entry.kind, gvk)
                        && (entry.name.is_empty()
                            || matches(&entry.name, &key.name, Dialect::Shell))
                })
            };
            return lists(&spec.cluster_resource_whitelist)
                && !lists(&spec.cluster_resource_blacklist);
        }
        let lists = |list: &[GroupKind]| {
            list.iter()
                .any(|entry| is_kind(&entry.group, &entry.kind, gvk))
        };
        let allowed = spec.namespace_resource_whitelist.as_deref();
        allowed.is_none_or(lists) && !lists(&spec.namespace_resource_blacklist)
    }

    /// Whether objects may be put into `namespace` of the cluster (semantics 205, 206).
    #[must_use]
    pub fn permits_destination(&self, namespace: &str) -> bool {
        let spec = &self.project.spec;
        if spec.permit_only_project_scoped_clusters
            && self.cluster.project != self.project.metadata.name
        {
            return false;
        }
        let mut is_allowed = false;
        for entry in &spec.destinations {
            let named = |pattern: &str, value: &str| {
                !value.is_empty() && match_or_deny(pattern, value, Dialect::Glob)
            };
            let name = named(&entry.name, &self.cluster.name);
            let server = named(&entry.server, &self.cluster.server);
            let inside = match_or_deny(&entry.namespace, namespace, Dialect::Glob);
            if (server || name) && inside {
                is_allowed = true;
            } else if (!name && is_deny(&entry.name))
                || (!server && is_deny(&entry.server) && inside)
                || (!inside && is_deny(&entry.namespace) && server)
            {
                return false;
            }
        }
        // A cluster of the project's own needs no entry (semantics 211).
        is_allowed
            || (!self.cluster.project.is_empty()
                && self.cluster.project == self.project.metadata.name)
    }

    /// Whether sources may come from `repo_url` (semantics 204).
    #[must_use]
    pub fn permits_source(&self, repo_url: &str) -> bool {
        let url = normalize_url(repo_url);
        let mut is_allowed = false;
        for pattern in &self.project.spec.source_repos {
            let matched = match pattern.strip_prefix('!') {
                Some(denied) => !matches_url(&normalize_url(denied), &url),
                None => matches_url(&normalize_url(pattern), &url),
            };
            if matched {
                is_allowed = true;
            } else if is_deny(pattern) {
                return false;
            }
        }
        is_allowed
    }

    /// What is wrong with an application's spec as far as the project sees it: the conditions that
    /// stop comparison and sync (semantics 116, R57).
    #[must_use]
    pub fn check_spec(&self, spec: &api::ApplicationSpec) -> Vec<Condition> {
        let project = &self.project.metadata.name;
        let mut conditions = Vec::new();
        let mut invalid =
            |message: String| conditions.push(Condition::new(reason::INVALID_SPEC_ERROR, message));
        for source in spec.all_sources() {
            if !self.permits_source(&source.repo_url) {
                invalid(format!(
                    "application repo {} is not permitted in project '{project}'",
                    source.repo_url
                ));
            }
        }
        let namespace = &spec.destination.namespace;
        if !self.permits_destination(namespace) {
            invalid(format!(
                "application destination server '{}' and namespace '{namespace}' do not match any of the allowed destinations in project '{project}'",
                self.cluster.server
            ));
        }
        conditions
    }
}

/// What is wrong with a spec before any project or cluster is asked; `None` when nothing is.
#[must_use]
pub fn check_sources(spec: &api::ApplicationSpec) -> Option<Condition> {
    let sources = spec.all_sources();
    let is_incomplete = |source: &api::Source| {
        source.repo_url.is_empty()
            || (source.path.is_empty()
                && source.chart.is_empty()
                && source.reference_name.is_empty())
    };
    (sources.is_empty() || sources.iter().any(is_incomplete)).then(|| {
        Condition::new(
            reason::INVALID_SPEC_ERROR,
            "spec.source.repoURL and either spec.source.path or spec.source.chart are required",
        )
    })
}

fn is_kind(group: &str, kind: &str, gvk: &Gvk) -> bool {
    matches(kind, &gvk.kind, Dialect::Shell) && matches(group, &gvk.group, Dialect::Shell)
}

fn is_deny(pattern: &str) -> bool {
    pattern.starts_with('!')
}

fn match_or_deny(pattern: &str, value: &str, dialect: Dialect) -> bool {
    match pattern.strip_prefix('!') {
        Some(denied) => !matches(denied, value, dialect),
        None => matches(pattern, value, dialect),
    }
}

fn matches_url(pattern: &str, url: &str) -> bool {
    pattern == "*" || matches(pattern, url, Dialect::GlobPath)
}

/// As Argo CD compares repository URLs: lower case, without `.git`, the scp form as ssh, without
/// the scheme of ssh.
fn normalize_url(url: &str) -> String {
    let mut url = url.trim().to_lowercase();
    if is_scp_form(&url) {
        url = url.replacen(':', "/", 1);
    }
    let url = url.strip_suffix(".git").unwrap_or(&url);
    url.strip_prefix("ssh://").unwrap_or(url).to_owned()
}

/// `user@host:path`, without a scheme.
fn is_scp_form(url: &str) -> bool {
    url.split_once('@').is_some_and(|(user, rest)| {
        !user.contains(['/', ':']) && !rest.contains('@') && rest.contains(':')
    })
}

#[cfg(test)]
mod tests;
