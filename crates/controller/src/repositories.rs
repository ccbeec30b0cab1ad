//! Where desired state is read: repositories by URL, and places that stand in for some.
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

/// What a reference means that names no branch, tag or commit.
const HEAD: &str = "HEAD";

/// A place that is read instead of the repository that Applications name.
#[derive(Clone)]
pub struct StandIn {
    /// The URL that Applications name.
    pub url: RepoUrl,
    /// What is read instead.
    pub place: Place,
}

/// Where files are read from.
#[derive(Clone)]
pub enum Place {
    /// A folder as it is: uncommitted edits count where the branch that is checked out (or `HEAD`)
    /// is asked for.
    Folder(WorkTree),
    /// What is committed in a repository, where `HEAD` means this reference.
    Commits(Repository, Reference),
}

/// All repositories.
pub struct Repositories {
    store: Store,
    stand_ins: Vec<(RepoUrl, Handle)>,
    snapshots: Mutex<Vec<(String, Revision, Snapshot)>>,
}

struct Folder {
    url: RepoUrl,
    tree: WorkTree,
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
    Commits(Commits),
    Folder(FolderHandle),
}

/// What is committed in a repository.
#[derive(Clone)]
pub(crate) struct Commits {
    repository: Repository,
    /// What `HEAD` means, where that is not the repository's own.
    head: Option<Reference>,
}

/// A folder in place of a repository.
#[derive(Clone)]
pub(crate) struct FolderHandle(Arc<Folder>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The reference that a source asks for.
fn reference(source: &Source) -> Result<Reference, RepositoryError> {
    Ok(Reference::parse(&source.target_revision)?.with_tag_prefix(&source.tag_prefix)?)
}

impl Repositories {
    /// Repositories that are read through `store`, but for those that something stands in for.
    #[must_use]
    pub fn new(store: Store, stand_ins: Vec<StandIn>) -> Self {
        let handle = |StandIn { url, place }: StandIn| {
            let handle = match place {
                Place::Folder(tree) => Handle::Folder(FolderHandle(Arc::new(Folder {
                    url: url.clone(),
                    tree,
                    seen: Mutex::default(),
                    looking: tokio::sync::Mutex::default(),
                }))),
                Place::Commits(repository, head) => Handle::Commits(Commits {
                    repository,
                    head: Some(head),
                }),
            };
            (url, handle)
        };
        Repositories {
            store,
            stand_ins: stand_ins.into_iter().map(handle).collect(),
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
        let is_it = |(named, _): &&(RepoUrl, Handle)| named.normalized() == url.normalized();
        if let Some((_, handle)) = self.stand_ins.iter().find(is_it) {
            return Ok(handle.clone());
        }
        let credentials = credentials.find(&url, project);
        let repository = self.store.repository(&url, &credentials)?;
        Ok(Handle::Commits(Commits::of(repository)))
    }

    /// What stands in for repositories.
    pub(crate) fn stand_ins(&self) -> impl Iterator<Item = &Handle> {
        self.stand_ins.iter().map(|(_, handle)| handle)
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

impl Commits {
    /// Those of a repository whose `HEAD` is its own.
    pub(crate) fn of(repository: Repository) -> Self {
        Commits {
            repository,
            head: None,
        }
    }

    pub(crate) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// What a source asks of this repository.
    pub(crate) fn reference(&self, source: &Source) -> Result<Reference, RepositoryError> {
        let asked = reference(source)?;
        match &self.head {
            Some(head) if asked.as_str() == HEAD => Ok(head.clone()),
            _ => Ok(asked),
        }
    }

    async fn resolve(
        &self,
        reference: &Reference,
        freshness: Freshness,
    ) -> Result<Revision, Error> {
        let freshness = if self.is_at_hand() {
            at_hand(freshness)
        } else {
            freshness
        };
        self.repository.resolve(reference, freshness).await
    }

    /// Only a local stand-in is looked at whenever somebody says that it changed.
    fn is_at_hand(&self) -> bool {
        self.head.is_some() && self.repository.url().file_path().is_some()
    }
}

/// How old an answer of a local repository may be: asking costs nothing, and a commit is to be seen
/// at once.
fn at_hand(freshness: Freshness) -> Freshness {
    const AT_MOST: Duration = Duration::from_millis(200);
    match freshness {
        Freshness::Now => Freshness::Now,
        Freshness::Within(age) => Freshness::Within(age.min(AT_MOST)),
    }
}

impl Handle {
    fn url(&self) -> &RepoUrl {
        match self {
            Handle::Commits(commits) => commits.repository.url(),
            Handle::Folder(folder) => &folder.0.url,
        }
    }

    /// Whether both read the same place.
    pub(crate) fn is_same(&self, other: &Handle) -> bool {
        match (self, other) {
            (Handle::Folder(first), Handle::Folder(second)) => Arc::ptr_eq(&first.0, &second.0),
            (Handle::Commits(_), Handle::Commits(_)) => {
                self.url().normalized() == other.url().normalized()
            }
            _ => false,
        }
    }

    /// What a source's reference means now.
    pub(crate) async fn resolve(
        &self,
        source: &Source,
        freshness: Freshness,
    ) -> Result<Revision, RepositoryError> {
        match self {
            Handle::Commits(commits) => {
                let reference = commits.reference(source)?;
                Ok(commits.resolve(&reference, freshness).await?)
            }
            Handle::Folder(folder) => Ok(folder.resolve(&reference(source)?, freshness).await?),
        }
    }

    /// As [`Handle::resolve`] where something has just changed: what is at hand is asked again. A
    /// folder's files are taken as they were looked at.
    pub(crate) async fn resolve_changed(
        &self,
        source: &Source,
        freshness: Freshness,
    ) -> Result<Revision, RepositoryError> {
        let is_at_hand = match self {
            Handle::Commits(commits) => commits.is_at_hand(),
            Handle::Folder(folder) => folder.means_commit(&reference(source)?),
        };
        let freshness = if is_at_hand {
            Freshness::Now
        } else {
            freshness
        };
        self.resolve(source, freshness).await
    }

    async fn snapshot(&self, revision: Revision) -> Result<Snapshot, Error> {
        match self {
            Handle::Commits(commits) => commits.repository.snapshot(&revision).await,
            Handle::Folder(folder) => folder.snapshot(revision).await,
        }
    }
}

impl FolderHandle {
    /// Looks at the folder again.
    pub(crate) async fn look(&self) {
        let now = self.0.tree.snapshot().await;
        *lock(&self.0.seen) = Some(now);
    }

    /// Nobody reads it now: who comes next looks for itself.
    pub(crate) fn forget(&self) {
        *lock(&self.0.seen) = None;
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
            None => self.0.tree.snapshot().await,
        }
    }

    /// Whether a reference means a commit, rather than the folder as it is. One without history has
    /// its present state only, whatever is asked.
    fn means_commit(&self, reference: &Reference) -> bool {
        let text = reference.as_str();
        let name = text.strip_prefix("refs/heads/").unwrap_or(text);
        let tree = &self.0.tree;
        tree.committed().is_some() && text != HEAD && tree.branch().as_deref() != Some(name)
    }

    async fn resolve(
        &self,
        reference: &Reference,
        freshness: Freshness,
    ) -> Result<Revision, Error> {
        match self.0.tree.committed() {
            Some(repository) if self.means_commit(reference) => {
                repository.resolve(reference, at_hand(freshness)).await
            }
            _ => Ok(self.files(freshness).await?.revision),
        }
    }

    async fn snapshot(&self, revision: Revision) -> Result<Snapshot, Error> {
        if let Some(Ok(seen)) = self
            .seen()
            .filter(|it| matches!(it, Ok(it) if it.revision == revision))
        {
            return Ok(seen);
        }
        if let Some(repository) = self.0.tree.committed() {
            return repository.snapshot(&revision).await;
        }
        // A folder without history has its present state only.
        let files = self.files(Freshness::Now).await?;
        if files.revision == revision {
            return Ok(files);
        }
        Err(Error {
            repository: self.0.url.normalized().to_owned(),
            reference: None,
            problem: source::Problem::UnknownCommit(revision.to_string()),
        })
    }
}
