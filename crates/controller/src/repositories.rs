//! Where desired state is read: repositories by URL, and local folders that stand in for some.
//!
//! Read [`Repositories`] first. It turns a source of an Application into a commit and its files;
//! what they mean is not known here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::Source;
use source::{
    CredentialStore, Error, Freshness, Reference, RepoUrl, Repository, Revision, Snapshot, Store,
    WorkTree,
};

/// How many snapshots stay open: one for each repository in use, and pinned ones of operations.
const MAX_SNAPSHOTS: usize = 256;

/// What of a local folder counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalEdits {
    /// Uncommitted edits too, where the branch that is checked out (or `HEAD`) is asked for.
    Included,
    /// Commits only.
    Ignored,
}

/// A local folder that is read in place of a repository.
pub struct LocalRepository {
    /// The URL that Applications name.
    pub url: RepoUrl,
    /// The folder.
    pub tree: WorkTree,
    /// What of it counts.
    pub edits: LocalEdits,
}

/// All repositories.
pub struct Repositories {
    store: Store,
    local: Vec<Arc<Local>>,
    snapshots: Mutex<Vec<(String, Revision, Snapshot)>>,
}

struct Local {
    repository: LocalRepository,
    /// The folder as it was looked at last.
    seen: Mutex<Option<Result<Snapshot, Error>>>,
    /// One look at a time: whoever waits takes what the other one found.
    looking: tokio::sync::Mutex<()>,
}

/// Why a source's repository cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RepositoryError {
    /// The URL is refused.
    #[error(transparent)]
    Url(#[from] source::UrlError),
    /// The reference is refused.
    #[error(transparent)]
    Reference(#[from] source::ReferenceError),
    /// The repository did not answer, or has no such thing.
    #[error("{}", .0.problem)]
    Source(#[from] Error),
}

impl RepositoryError {
    /// Whether the same question may have an answer soon.
    pub(crate) fn is_retryable(&self) -> bool {
        matches!(self, RepositoryError::Source(error) if error.retry() == source::Retry::Later)
    }
}

/// The repository of one source.
#[derive(Clone)]
pub(crate) enum Handle {
    Remote(Repository),
    Local(LocalHandle),
}

/// A local folder in place of a repository.
#[derive(Clone)]
pub(crate) struct LocalHandle(Arc<Local>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The reference that a source asks for.
pub(crate) fn reference(source: &Source) -> Result<Reference, RepositoryError> {
    Ok(Reference::parse(&source.target_revision)?.with_tag_prefix(&source.tag_prefix)?)
}

impl Repositories {
    /// Repositories that are read through `store`; those whose URL a local one has are read there.
    #[must_use]
    pub fn new(store: Store, local: Vec<LocalRepository>) -> Self {
        let local = local.into_iter().map(|repository| {
            Arc::new(Local {
                repository,
                seen: Mutex::default(),
                looking: tokio::sync::Mutex::default(),
            })
        });
        Repositories {
            store,
            local: local.collect(),
            snapshots: Mutex::default(),
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The repository of a URL for an Application of `project`.
    pub(crate) fn open(
        &self,
        url: &str,
        project: &str,
        credentials: &CredentialStore,
    ) -> Result<Handle, RepositoryError> {
        let url = RepoUrl::parse(url)?;
        let is_it = |local: &&Arc<Local>| local.repository.url.normalized() == url.normalized();
        if let Some(local) = self.local.iter().find(is_it) {
            return Ok(Handle::Local(LocalHandle(local.clone())));
        }
        let credentials = credentials.find(&url, project);
        Ok(Handle::Remote(self.store.repository(&url, &credentials)?))
    }

    /// The local folders.
    pub(crate) fn local(&self) -> Vec<LocalHandle> {
        self.local.iter().cloned().map(LocalHandle).collect()
    }

    /// The files of a commit of a repository, kept open for the next one who asks.
    pub(crate) async fn snapshot(
        &self,
        handle: &Handle,
        revision: Revision,
    ) -> Result<Snapshot, RepositoryError> {
        let url = handle.url().normalized().to_owned();
        let is_it = |(u, r, _): &(String, Revision, Snapshot)| *u == url && *r == revision;
        if let Some((_, _, snapshot)) = lock(&self.snapshots).iter().find(|it| is_it(it)) {
            return Ok(snapshot.clone());
        }
        let snapshot = handle.snapshot(revision).await?;
        let mut snapshots = lock(&self.snapshots);
        if snapshots.len() >= MAX_SNAPSHOTS {
            snapshots.remove(0);
        }
        snapshots.push((url, revision, snapshot.clone()));
        Ok(snapshot)
    }
}

impl Handle {
    fn url(&self) -> &RepoUrl {
        match self {
            Handle::Remote(repository) => repository.url(),
            Handle::Local(local) => &local.0.repository.url,
        }
    }

    /// What a source's reference means now.
    pub(crate) async fn resolve(
        &self,
        source: &Source,
        freshness: Freshness,
    ) -> Result<Revision, RepositoryError> {
        let reference = reference(source)?;
        match self {
            Handle::Remote(repository) => Ok(repository.resolve(&reference, freshness).await?),
            Handle::Local(local) => Ok(local.resolve(&reference, freshness).await?),
        }
    }

    async fn snapshot(&self, revision: Revision) -> Result<Snapshot, Error> {
        match self {
            Handle::Remote(repository) => repository.snapshot(&revision).await,
            Handle::Local(local) => local.snapshot(revision).await,
        }
    }
}

impl LocalHandle {
    /// The URL that it stands in for, normalized.
    pub(crate) fn url(&self) -> &str {
        self.0.repository.url.normalized()
    }

    /// Looks at the folder again.
    pub(crate) async fn look(&self) {
        let now = self.0.repository.tree.snapshot().await;
        *lock(&self.0.seen) = Some(now);
    }

    fn seen(&self) -> Option<Result<Snapshot, Error>> {
        lock(&self.0.seen).clone()
    }

    /// The folder as it is, or as it was seen last when that will do.
    async fn files(&self, freshness: Freshness) -> Result<Snapshot, Error> {
        let _turn = self.0.looking.lock().await;
        let seen = self.seen().filter(|_| freshness != Freshness::Now);
        if let Some(seen) = seen {
            return seen;
        }
        self.look().await;
        match self.seen() {
            Some(seen) => seen,
            None => self.0.repository.tree.snapshot().await,
        }
    }

    /// Whether a reference means the folder as it is, rather than a commit.
    fn means_files(&self, reference: &Reference) -> bool {
        let LocalRepository { tree, edits, .. } = &self.0.repository;
        let text = reference.as_str();
        match (edits, tree.committed()) {
            (_, None) => true,
            (LocalEdits::Ignored, Some(_)) => false,
            (LocalEdits::Included, Some(_)) => {
                let name = text.strip_prefix("refs/heads/").unwrap_or(text);
                text == "HEAD" || tree.branch() == Some(name)
            }
        }
    }

    async fn resolve(
        &self,
        reference: &Reference,
        freshness: Freshness,
    ) -> Result<Revision, Error> {
        if self.means_files(reference) {
            return Ok(self.files(freshness).await?.revision);
        }
        match self.0.repository.tree.committed() {
            Some(repository) => {
                repository
                    .resolve(reference, local_freshness(freshness))
                    .await
            }
            None => Ok(self.files(freshness).await?.revision),
        }
    }

    async fn snapshot(&self, revision: Revision) -> Result<Snapshot, Error> {
        if let Some(Ok(seen)) = self
            .seen()
            .filter(|it| matches!(it, Ok(it) if it.revision == revision))
        {
            return Ok(seen);
        }
        if let Some(repository) = self.0.repository.tree.committed() {
            return repository.snapshot(&revision).await;
        }
        // A folder without history has its present state only.
        let files = self.files(Freshness::Now).await?;
        if files.revision == revision {
            return Ok(files);
        }
        Err(Error {
            repository: self.url().to_owned(),
            reference: None,
            problem: source::Problem::UnknownCommit(revision.to_string()),
        })
    }
}

/// References of a local repository cost nothing to read: a commit is seen at once.
fn local_freshness(freshness: Freshness) -> Freshness {
    const AT_MOST: Duration = Duration::from_millis(200);
    match freshness {
        Freshness::Now => Freshness::Now,
        Freshness::Within(age) => Freshness::Within(age.min(AT_MOST)),
    }
}
