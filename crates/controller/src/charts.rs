//! What is not in a source's repository: charts of Helm repositories and registries, artifacts of
//! files, and what a render found lacking.
//!
//! Read [`Fetcher`] and [`Brought`]. Which credentials an address gets is decided
//! here; what a chart means is not known here.

use std::sync::Arc;

use api::Source;
use engine::render::{ChartForm, Lack, Lacking};
use manifest::trees::{Listed, Mounts};
use manifest::{Tree, TreePath};
use source::chart::{Archive, ChartError, ChartRepository, Digest, PassCredentials};
use source::{CredentialStore, Freshness, Reference, RepoUrl, Store};

/// What a render found lacking, and where it belongs in the tree. Cheap to clone.
#[derive(Clone, Default)]
pub struct Brought(Vec<(TreePath, Piece)>);

/// One thing that was brought.
#[derive(Clone)]
enum Piece {
    File(Arc<[u8]>),
    Folder(Arc<dyn Tree>),
}

impl Brought {
    /// The files, without those in folders.
    pub fn contents(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter_map(|(_, piece)| match piece {
            Piece::File(content) => Some(&**content),
            Piece::Folder(_) => None,
        })
    }

    /// A tree with these in it.
    #[must_use]
    pub fn within(&self, tree: Arc<dyn Tree>) -> Arc<dyn Tree> {
        if self.0.is_empty() {
            return tree;
        }
        let mount = |mounts: Mounts, (place, piece): &(TreePath, Piece)| {
            // Charts belong into a folder; what URLs name is in no folder.
            let listed = match place.as_str().starts_with('$') {
                true => Listed::No,
                false => Listed::Yes,
            };
            match piece {
                Piece::File(content) => mounts.file(place.clone(), content.clone(), listed),
                Piece::Folder(tree) => {
                    mounts.folder(place.clone(), (tree.clone(), TreePath::root()), listed)
                }
            }
        };
        Arc::new(self.0.iter().fold(Mounts::new(tree), mount))
    }

    /// Both.
    #[must_use]
    pub fn and(mut self, other: Brought) -> Brought {
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
    /// What a kustomization names by a URL is not there.
    #[error("remote base {url:?}: {problem}")]
    Base {
        /// As the kustomization names it.
        url: String,
        /// Why.
        problem: String,
        /// Whether it may be there soon.
        retry: source::Retry,
    },
}

impl BringError {
    /// Whether the same question may have an answer soon.
    pub(crate) fn is_retryable(&self) -> bool {
        let retry = match self {
            BringError::Chart(error) => error.retry(),
            BringError::UnknownName { .. } => return false,
            BringError::Base { retry, .. } => *retry,
        };
        retry == source::Retry::Later
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
            let piece = match &lack.what {
                Lacking::File { url } => Piece::File(self.store.charts()?.file(url).await?.into()),
                Lacking::Remote {
                    url,
                    repository,
                    may_be_file,
                } => {
                    let is_file_first = *may_be_file;
                    self.remote(url, repository.as_ref(), is_file_first).await?
                }
                Lacking::Chart {
                    name,
                    version,
                    repository,
                    form,
                } => {
                    let archive = self.chart(name, version, repository).await?;
                    match form {
                        ChartForm::Archive => Piece::File(archive.bytes),
                        ChartForm::Folder => Piece::Folder(tree_of(&archive, name, repository)?),
                    }
                }
            };
            brought.0.push((lack.place.clone(), piece));
        }
        Ok(brought)
    }

    /// What a URL of a kustomization names: a file, where its server gives one, else the files of a
    /// repository.
    async fn remote(
        &self,
        url: &str,
        repository: Option<&(String, String)>,
        may_be_file: bool,
    ) -> Result<Piece, BringError> {
        if may_be_file {
            match self.store.charts()?.file(url).await {
                Ok(content) if !is_page(&content) || repository.is_none() => {
                    return Ok(Piece::File(content.into()));
                }
                Err(error) if repository.is_none() => return Err(error.into()),
                Ok(_) | Err(_) => {}
            }
        }
        let failed = |problem: String, retry| BringError::Base {
            url: url.to_owned(),
            problem,
            retry,
        };
        let never = |problem: String| failed(problem, source::Retry::AfterChange);
        let git = |error: source::Error| failed(error.problem.to_string(), error.retry());
        let Some((address, reference)) = repository else {
            return Err(never("is neither a file nor a repository".to_owned()));
        };
        let address = RepoUrl::parse(address).map_err(|it| never(it.to_string()))?;
        let credentials = self.credentials.find(&address, self.project);
        let repository = self.store.repository(&address, &credentials);
        let repository = repository.map_err(git)?;
        let reference = Reference::parse(reference).map_err(|it| never(it.to_string()))?;
        let revision = repository.resolve(&reference, self.freshness).await;
        let snapshot = repository.snapshot(&revision.map_err(git)?).await;
        Ok(Piece::Folder(snapshot.map_err(git)?.tree))
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
        tree_of(&archive, &source.chart, &source.repo_url)
    }
}

/// The files of a chart.
fn tree_of(archive: &Archive, chart: &str, repository: &str) -> Result<Arc<dyn Tree>, ChartError> {
    archive.tree().map_err(|problem| ChartError {
        what: format!("chart {chart:?} with digest {}", archive.digest),
        place: repository.to_owned(),
        problem: problem.into(),
    })
}

/// Whether a server answered with a page for people, as those of repositories do.
fn is_page(content: &[u8]) -> bool {
    let start = content.trim_ascii_start();
    [&b"<!doctype"[..], b"<html"].iter().any(|mark| {
        let found = start.get(..mark.len());
        found.is_some_and(|found| found.eq_ignore_ascii_case(mark))
    })
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
