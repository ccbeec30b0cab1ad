//! What is not in Git: charts of Helm repositories and registries, artifacts of files, and what a
//! render found lacking.
//!
//! Read [`Fetcher`] and [`Brought`]. Which credentials an address gets is decided
//! here; what a chart means is not known here.

use std::sync::Arc;

use api::Source;
use engine::render::{Lack, Lacking};
use manifest::trees::{Listed, Mounts};
use manifest::{Tree, TreePath};
use source::chart::{Archive, ChartError, ChartRepository, Digest, PassCredentials};
use source::{CredentialStore, Freshness, Store};

/// Files that a render found lacking, and their places in the tree. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brought(Vec<(TreePath, Arc<[u8]>)>);

impl Brought {
    /// The files.
    pub fn contents(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|(_, content)| &**content)
    }

    /// A tree with these files in it.
    #[must_use]
    pub(crate) fn within(&self, tree: Arc<dyn Tree>) -> Arc<dyn Tree> {
        if self.0.is_empty() {
            return tree;
        }
        let mount = |mounts: Mounts, (place, content): &(TreePath, Arc<[u8]>)| {
            // Archives belong into a chart's folder; what URLs name is in no folder.
            let listed = match place.as_str().starts_with('$') {
                true => Listed::No,
                false => Listed::Yes,
            };
            mounts.file(place.clone(), content.clone(), listed)
        };
        Arc::new(self.0.iter().fold(Mounts::new(tree), mount))
    }

    /// Both.
    #[must_use]
    pub(crate) fn and(mut self, other: Brought) -> Brought {
        self.0.extend(other.0);
        self
    }
}

/// Why something could not be brought.
#[derive(Debug, thiserror::Error)]
pub enum BringError {
    /// The place did not give it.
    #[error("{0}")]
    Chart(#[from] ChartError),
    /// No Secret knows a repository of that name.
    #[error("chart {chart:?}: no repository is known by the name {name:?}")]
    UnknownName {
        /// The chart.
        chart: String,
        /// As the chart names its repository.
        name: String,
    },
}

impl BringError {
    /// Whether the same question may have an answer soon.
    pub(crate) fn is_retryable(&self) -> bool {
        matches!(self, BringError::Chart(error) if error.retry() == source::Retry::Later)
    }
}

/// Who may read what: everything that fetching charts depends on.
pub struct Fetcher<'a> {
    /// Where they are cached.
    pub store: &'a Store,
    /// All Secrets of repositories.
    pub credentials: &'a CredentialStore,
    /// Whose credentials count.
    pub project: &'a str,
    /// How far they go.
    pub pass: PassCredentials,
    /// How old answers may be.
    pub freshness: Freshness,
}

impl Fetcher<'_> {
    fn repository(&self, address: &str) -> Result<ChartRepository, ChartError> {
        let credentials = self.credentials.find_charts(address, self.project);
        self.store
            .charts()?
            .repository(address, &credentials, self.pass)
    }

    /// Brings all that a render found lacking.
    ///
    /// # Errors
    /// [`BringError`] for the first that cannot be had.
    pub async fn bring(&self, lacks: &[Lack]) -> Result<Brought, BringError> {
        let mut brought = Brought::default();
        for lack in lacks {
            let content: Arc<[u8]> = match &lack.what {
                Lacking::File { url } => self.store.charts()?.file(url).await?.into(),
                Lacking::Chart {
                    name,
                    version,
                    repository,
                } => self.chart(name, version, repository).await?.bytes,
            };
            brought.0.push((lack.place.clone(), content));
        }
        Ok(brought)
    }

    async fn chart(
        &self,
        name: &str,
        version: &str,
        repository: &str,
    ) -> Result<Archive, BringError> {
        let known = repository
            .strip_prefix('@')
            .or_else(|| repository.strip_prefix("alias:"));
        let address = match known {
            None => repository,
            Some(known) => {
                let address = self.credentials.address_of(known, self.project);
                address.ok_or_else(|| BringError::UnknownName {
                    chart: name.to_owned(),
                    name: repository.to_owned(),
                })?
            }
        };
        let repository = self.repository(address)?;
        let version = repository.resolve(name, version, self.freshness).await?;
        Ok(repository.fetch(name, &version).await?)
    }

    /// What a source's reference means now: a version, or the digest of an artifact.
    pub(crate) async fn resolve(&self, source: &Source) -> Result<String, ChartError> {
        let repository = self.repository(&source.repo_url)?;
        let wanted = &source.target_revision;
        if source.chart.is_empty() {
            let digest = repository.resolve_artifact(wanted, self.freshness).await?;
            return Ok(digest.to_string());
        }
        repository
            .resolve(&source.chart, wanted, self.freshness)
            .await
    }

    /// The files of a resolved version or artifact.
    pub(crate) async fn files(
        &self,
        source: &Source,
        revision: &str,
    ) -> Result<Arc<dyn Tree>, ChartError> {
        let repository = self.repository(&source.repo_url)?;
        if source.chart.is_empty() {
            let digest = match Digest::parse(revision) {
                Some(digest) => digest,
                None => {
                    repository
                        .resolve_artifact(revision, self.freshness)
                        .await?
                }
            };
            return repository.artifact(&digest).await;
        }
        let archive = repository.fetch(&source.chart, revision).await?;
        archive.tree().map_err(|problem| ChartError {
            what: format!("chart {:?} of version {revision:?}", source.chart),
            place: source.repo_url.clone(),
            problem: problem.into(),
        })
    }
}

/// Whether a source is of a Helm repository or a registry, rather than of Git.
pub(crate) fn is_remote(source: &Source) -> bool {
    !source.chart.is_empty() || source.repo_url.starts_with("oci://")
}

/// How far a source's credentials go.
pub(crate) fn pass_of(source: &Source) -> PassCredentials {
    match source.helm.as_ref().is_some_and(|it| it.pass_credentials) {
        true => PassCredentials::Everywhere,
        false => PassCredentials::OwnServer,
    }
}
