//! The store of all repositories: one bare object database per URL, and a handle per login.
//!
//! Read [`Store`], then [`Repository`]. Here the async world meets gix's blocking one: each piece
//! of work runs on the blocking pool under a permit and a deadline, and ends early when nobody
//! waits for it any more. This module must never know an Application.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use manifest::{ContentId, Tree};
use tokio::sync::Semaphore;

use crate::chart::{ChartError, ChartOptions, Charts};
use crate::database::Database;
use crate::error::Error;
use crate::objects::{Abbreviation, ObjectError};
use crate::reference::{RefList, Resolved};
use crate::transfer::{Budget, Remote};
use crate::url::Scheme;
use crate::{Credentials, Problem, Reference, RepoUrl, Revision, Trust};

/// What a whole fetch may bring. A monorepo with its history is below; more is a mistake.
const MAX_TRANSFER_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// How long listing may take: Argo CD gives 15 s to one request, and a list may be two.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a fetch may take: a first fetch of a large repository over a slow line.
const FETCH_TIMEOUT: Duration = Duration::from_secs(300);

/// Transfers at one time: each uses a thread and, while it unpacks, a core.
const N_PARALLEL: usize = 8;

/// The most repositories kept open; with more the handles are made anew.
const MAX_REPOSITORIES: usize = 10_000;

/// The most names listed besides branches and tags.
const MAX_EXTRA_NAMES: usize = 256;

/// How long a failed list is not asked again by those who take an older answer.
const FAILURE_FRESHNESS: Duration = Duration::from_secs(10);

/// Whether repositories on this machine's disk may be read by URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileUrls {
    /// In `up` and in tests.
    Allowed,
    /// On a cluster: an Application must not read the controller's disk.
    Refused,
}

/// Limits of a [`Store`].
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether file URLs are read.
    pub file_urls: FileUrls,
    /// The most bytes of one answer of a server.
    pub max_transfer_bytes: u64,
    /// How long listing references may take.
    pub list_timeout: Duration,
    /// How long a fetch may take.
    pub fetch_timeout: Duration,
    /// How many transfers run at one time.
    pub n_parallel: usize,
    /// Limits of charts.
    pub charts: ChartOptions,
}

impl Options {
    /// The limits that fit everybody we know.
    #[must_use]
    pub fn new(file_urls: FileUrls) -> Self {
        Options {
            file_urls,
            max_transfer_bytes: MAX_TRANSFER_BYTES,
            list_timeout: LIST_TIMEOUT,
            fetch_timeout: FETCH_TIMEOUT,
            n_parallel: N_PARALLEL,
            charts: ChartOptions::default(),
        }
    }
}

/// How old an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The server is asked now (a webhook, a refresh): answers to earlier questions do not count.
    Now,
    /// An answer of this age will do.
    Within(Duration),
}

/// What was asked of a repository since it was opened: for metrics and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Lists of references asked.
    pub n_lists: u64,
    /// Fetches asked.
    pub n_fetches: u64,
    /// Bytes that servers sent.
    pub n_bytes: u64,
}

/// A commit with all its files: needs no network from here on.
#[derive(Clone)]
pub struct Snapshot {
    /// The commit.
    pub revision: Revision,
    /// Its files.
    pub tree: Arc<dyn Tree>,
    /// The id of all files together: equal ids, equal files.
    pub tree_id: ContentId,
    /// Who wrote it, as `Name <address>`.
    pub author: String,
    /// The whole message.
    pub message: String,
    /// When it was committed, in seconds since 1970.
    pub committed_seconds: i64,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot({})", self.revision)
    }
}

/// All repositories. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<StoreInner>);

struct StoreInner {
    directory: PathBuf,
    options: Options,
    permits: Arc<Semaphore>,
    trust: RwLock<Arc<Trust>>,
    charts: Mutex<Option<Charts>>,
    databases: Mutex<HashMap<String, Arc<Database>>>,
    repositories: Mutex<HashMap<Key, Repository>>,
}

/// A repository under one login.
pub(crate) type Key = (String, [u8; 32]);

/// One repository under one login. Cheap to clone; clones share the last list of references.
#[derive(Clone)]
pub struct Repository(Arc<RepositoryInner>);

struct RepositoryInner {
    url: RepoUrl,
    key: Key,
    remote: Arc<Remote>,
    database: Arc<Database>,
    options: Options,
    permits: Arc<Semaphore>,
    extra_names: Mutex<BTreeSet<String>>,
    listed: Mutex<Option<Listed>>,
    listing: tokio::sync::Mutex<()>,
    fetched_all: Mutex<Option<Arc<RefList>>>,
    n_lists: AtomicU64,
    n_fetches: AtomicU64,
    n_bytes: Arc<AtomicU64>,
}

#[derive(Clone)]
struct Listed {
    started: Instant,
    answer: Result<Arc<RefList>, Problem>,
}

impl Store {
    /// Opens the store in a folder, which is made when it is not there. The folder is a cache: it
    /// can be deleted while nobody uses it.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(directory: &Path, options: Options) -> Result<Store, Error> {
        // Files of private repositories, and the user's uncommitted edits: for this user only.
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| Error::store(directory, error))?;
        Ok(Store(Arc::new(StoreInner {
            directory: directory.to_path_buf(),
            permits: Arc::new(Semaphore::new(options.n_parallel.max(1))),
            options,
            trust: RwLock::default(),
            charts: Mutex::default(),
            databases: Mutex::default(),
            repositories: Mutex::default(),
        })))
    }

    /// From now on these servers are believed; connections that are open end with their handles.
    pub fn set_trust(&self, trust: Trust) {
        if let Some(charts) = &*lock(&self.0.charts) {
            charts.set_trust(trust.clone());
        }
        *self.0.trust.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(trust);
        lock(&self.0.repositories).clear();
    }

    /// Helm repositories and registries, cached in the same folder.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn charts(&self) -> Result<Charts, ChartError> {
        let mut opened = lock(&self.0.charts);
        if let Some(charts) = &*opened {
            return Ok(charts.clone());
        }
        let folder = self.0.directory.join("charts");
        let charts = Charts::open(&folder, self.0.options.charts.clone())?;
        let trust = self.0.trust.read().unwrap_or_else(PoisonError::into_inner);
        charts.set_trust(Trust::clone(&trust));
        Ok(opened.insert(charts).clone())
    }

    /// The handle of a repository under a login: the same one for equal arguments. Asks no server.
    ///
    /// # Errors
    /// When the credentials cannot be used, the scheme is not allowed, or the disk fails.
    pub fn repository(
        &self,
        url: &RepoUrl,
        credentials: &Credentials,
    ) -> Result<Repository, Error> {
        if url.scheme() == Scheme::File && self.0.options.file_urls == FileUrls::Refused {
            return Err(Error::new(url, None, Problem::FileRefused));
        }
        self.open_repository(url, credentials)
    }

    /// As [`Store::repository`], also for files: the caller names the folder himself.
    pub(crate) fn open_repository(
        &self,
        url: &RepoUrl,
        credentials: &Credentials,
    ) -> Result<Repository, Error> {
        let key = (url.identity(), login(url, credentials));
        if let Some(repository) = lock(&self.0.repositories).get(&key) {
            return Ok(repository.clone());
        }
        let trust = self
            .0
            .trust
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let remote = Remote::new(url, credentials, trust)
            .map_err(|problem| Error::new(url, None, problem))?;
        let repository = Repository(Arc::new(RepositoryInner {
            url: url.clone(),
            key: key.clone(),
            remote: Arc::new(remote),
            database: self.database(url)?,
            options: self.0.options.clone(),
            permits: self.0.permits.clone(),
            extra_names: Mutex::default(),
            listed: Mutex::default(),
            listing: tokio::sync::Mutex::default(),
            fetched_all: Mutex::default(),
            n_lists: AtomicU64::new(0),
            n_fetches: AtomicU64::new(0),
            n_bytes: Arc::default(),
        }));
        let mut repositories = lock(&self.0.repositories);
        if repositories.len() >= MAX_REPOSITORIES {
            repositories.clear();
        }
        Ok(repositories.entry(key).or_insert(repository).clone())
    }

    /// The object database of a URL. Logins share it; who may read it is asked of the server.
    pub(crate) fn database(&self, url: &RepoUrl) -> Result<Arc<Database>, Error> {
        self.open_database(url, Database::open)
    }

    /// The object database of a folder that is no repository.
    pub(crate) fn plain_database(&self, url: &RepoUrl) -> Result<Arc<Database>, Error> {
        self.open_database(url, Database::open_plain)
    }

    fn open_database(
        &self,
        url: &RepoUrl,
        open: impl Fn(&Path, &RepoUrl) -> Result<Database, Problem>,
    ) -> Result<Arc<Database>, Error> {
        let mut databases = lock(&self.0.databases);
        if let Some(database) = databases.get(&url.identity()) {
            return Ok(database.clone());
        }
        let database =
            open(&self.0.directory, url).map_err(|problem| Error::new(url, None, problem))?;
        let database = Arc::new(database);
        if databases.len() >= MAX_REPOSITORIES {
            databases.clear();
        }
        databases.insert(url.identity(), database.clone());
        Ok(database)
    }
}

/// The login that a URL and its Secret make together.
fn login(url: &RepoUrl, credentials: &Credentials) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    hash.update(credentials.fingerprint());
    hash.update(url.user().unwrap_or_default());
    hash.update([0]);
    hash.update(url.password().map_or("", crate::Masked::reveal));
    hash.finalize().into()
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Repository({})", self.0.url)
    }
}

impl Repository {
    /// The address.
    #[must_use]
    pub fn url(&self) -> &RepoUrl {
        &self.0.url
    }

    /// What was asked of the server until now.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            n_lists: self.0.n_lists.load(Ordering::Relaxed),
            n_fetches: self.0.n_fetches.load(Ordering::Relaxed),
            n_bytes: self.0.n_bytes.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn key(&self) -> &Key {
        &self.0.key
    }

    /// All branches, tags and `HEAD`. Those who ask at the same time share one request, and also
    /// its failure.
    ///
    /// # Errors
    /// Whatever keeps the server from answering.
    pub async fn ls_refs(&self, freshness: Freshness) -> Result<Arc<RefList>, Error> {
        self.list(freshness)
            .await
            .map_err(|problem| self.error(None, problem))
    }

    async fn list(&self, freshness: Freshness) -> Result<Arc<RefList>, Problem> {
        let asked = Instant::now();
        if let Some(answer) = self.listed(asked, freshness) {
            return answer;
        }
        let _turn = self.0.listing.lock().await;
        if let Some(answer) = self.listed(asked, freshness) {
            return answer;
        }
        let started = Instant::now();
        self.0.n_lists.fetch_add(1, Ordering::Relaxed);
        let remote = self.0.remote.clone();
        let extra_names: Vec<String> = lock(&self.0.extra_names).iter().cloned().collect();
        let answer = self
            .run(self.0.options.list_timeout, move |budget| {
                remote.list(&budget, &extra_names)
            })
            .await
            .map(Arc::new);
        if answer != Err(Problem::Cancelled) {
            *lock(&self.0.listed) = Some(Listed {
                started,
                answer: answer.clone(),
            });
        }
        answer
    }

    fn listed(
        &self,
        asked: Instant,
        freshness: Freshness,
    ) -> Option<Result<Arc<RefList>, Problem>> {
        let listed = lock(&self.0.listed).clone()?;
        let age = asked.saturating_duration_since(listed.started);
        let is_fresh = match freshness {
            _ if listed.started >= asked => true,
            Freshness::Now => false,
            Freshness::Within(limit) if listed.answer.is_err() => {
                age <= limit.min(FAILURE_FRESHNESS)
            }
            Freshness::Within(limit) => age <= limit,
        };
        is_fresh.then_some(listed.answer)
    }

    /// The commit that a reference means.
    ///
    /// # Errors
    /// `UnknownReference` and `Ambiguous`, or whatever keeps the server from answering. A full SHA
    /// is itself and asks nobody.
    pub async fn resolve(
        &self,
        reference: &Reference,
        freshness: Freshness,
    ) -> Result<Revision, Error> {
        if let Some(revision) = reference.as_revision() {
            return Ok(revision);
        }
        let in_error = |problem| self.error(Some(reference.as_str()), problem);
        let list = self.list(freshness).await.map_err(in_error)?;
        self.resolve_in(&list, reference).await
    }

    /// As [`Repository::resolve`], with the list that was just asked.
    pub(crate) async fn resolve_in(
        &self,
        list: &Arc<RefList>,
        reference: &Reference,
    ) -> Result<Revision, Error> {
        let in_error = |problem| self.error(Some(reference.as_str()), problem);
        let unknown = || in_error(Problem::UnknownReference(reference.to_string()));
        match list.resolve(reference) {
            Resolved::Commit(revision) => return Ok(revision),
            Resolved::Abbreviated(digits) => {
                let found = self.abbreviated(&digits, list).await.map_err(in_error)?;
                let lacks = || in_error(Problem::UnknownCommit(reference.to_string()));
                return found.ok_or_else(lacks);
            }
            Resolved::Unknown => {}
        }
        let is_new = reference.extra_name().is_some_and(|name| {
            let mut names = lock(&self.0.extra_names);
            names.len() < MAX_EXTRA_NAMES && names.insert(name)
        });
        if !is_new {
            return Err(unknown());
        }
        let list = self.list(Freshness::Now).await.map_err(in_error)?;
        match list.resolve(reference) {
            Resolved::Commit(revision) => Ok(revision),
            Resolved::Abbreviated(_) | Resolved::Unknown => Err(unknown()),
        }
    }

    async fn abbreviated(
        &self,
        digits: &str,
        list: &Arc<RefList>,
    ) -> Result<Option<Revision>, Problem> {
        if let Some(found) = self.look_up(digits).await? {
            return Ok(Some(found));
        }
        if lock(&self.0.fetched_all).as_ref() == Some(list) {
            return Ok(None);
        }
        self.fetch(list.refs().iter().map(|it| it.commit).collect())
            .await?;
        *lock(&self.0.fetched_all) = Some(list.clone());
        self.look_up(digits).await
    }

    async fn look_up(&self, digits: &str) -> Result<Option<Revision>, Problem> {
        let database = self.0.database.clone();
        let digits = digits.to_owned();
        blocking(move || match database.objects().abbreviation(&digits) {
            Ok(Abbreviation::One(id)) => Ok(Some(Revision::new(id))),
            Ok(Abbreviation::None) => Ok(None),
            Ok(Abbreviation::Several) => Err(Problem::Ambiguous(digits)),
            Err(error) => Err(Problem::Store(error.to_string())),
        })
        .await
    }

    /// The files of a commit: fetched when they are not here yet.
    ///
    /// # Errors
    /// `UnknownCommit`, or whatever keeps the server from answering. Who never got an answer from
    /// the server under this login gets no files that another login fetched.
    pub async fn snapshot(&self, revision: &Revision) -> Result<Snapshot, Error> {
        let text = revision.to_string();
        self.take_snapshot(*revision)
            .await
            .map_err(|problem| self.error(Some(&text), problem))
    }

    async fn take_snapshot(&self, revision: Revision) -> Result<Snapshot, Problem> {
        let may_read = lock(&self.0.listed)
            .as_ref()
            .is_some_and(|it| it.answer.is_ok());
        if !may_read {
            self.list(Freshness::Within(FAILURE_FRESHNESS)).await?;
        }
        if !self.0.database.objects().holds(revision.id()) {
            self.fetch_commit(revision).await?;
        }
        let database = self.0.database.clone();
        blocking(move || snapshot_of(&database, revision)).await
    }

    async fn fetch_commit(&self, revision: Revision) -> Result<(), Problem> {
        let unknown = || Problem::UnknownCommit(revision.to_string());
        match self.fetch(vec![revision]).await {
            Ok(()) => {}
            // Not every server gives commits that no reference names: those may still be below one.
            Err(Problem::Protocol(_)) => {
                let list = self.list(Freshness::Within(FAILURE_FRESHNESS)).await?;
                if list.refs().iter().any(|it| it.commit == revision) {
                    return Err(unknown());
                }
                self.fetch(list.refs().iter().map(|it| it.commit).collect())
                    .await?;
            }
            Err(problem) => return Err(problem),
        }
        if self.0.database.objects().holds(revision.id()) {
            return Ok(());
        }
        Err(unknown())
    }

    async fn fetch(&self, wanted: Vec<Revision>) -> Result<(), Problem> {
        let _turn = self.0.database.fetching.lock().await;
        let database = self.0.database.clone();
        let mut missing: Vec<gix::ObjectId> = wanted
            .iter()
            .map(|revision| revision.id())
            .filter(|id| !database.objects().holds(*id))
            .collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() || self.0.url.scheme() == Scheme::File {
            return Ok(());
        }
        self.0.n_fetches.fetch_add(1, Ordering::Relaxed);
        let remote = self.0.remote.clone();
        self.run(self.0.options.fetch_timeout, move |budget| {
            database.fetch_with(|database| remote.fetch(&budget, database, &missing))
        })
        .await
    }

    /// Runs blocking work under a permit and a deadline.
    async fn run<T: Send + 'static>(
        &self,
        timeout: Duration,
        work: impl FnOnce(Arc<Budget>) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let _permit = self
            .0
            .permits
            .acquire()
            .await
            .map_err(|_| Problem::Cancelled)?;
        let budget = Arc::new(Budget::new(
            timeout,
            self.0.options.max_transfer_bytes,
            self.0.n_bytes.clone(),
        ));
        // When this future is dropped, nobody waits for the work: it ends at its next step.
        let _guard = budget.stop_on_drop();
        let at_work = budget.clone();
        let mut working = tokio::task::spawn_blocking(move || work(at_work));
        let done = tokio::select! {
            done = &mut working => done,
            () = tokio::time::sleep(timeout) => {
                budget.interrupt();
                working.await
            }
        };
        done.unwrap_or_else(|error| Err(Problem::Store(error.to_string())))
    }

    fn error(&self, reference: Option<&str>, problem: Problem) -> Error {
        Error::new(&self.0.url, reference, problem)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Problem::Store(error.to_string())))
}

/// The commit and its files, all from the local store.
pub(crate) fn snapshot_of(database: &Database, revision: Revision) -> Result<Snapshot, Problem> {
    let objects = database.objects();
    let of_object = |error: ObjectError| match error {
        ObjectError::Missing(_) | ObjectError::Kind(_) => {
            Problem::UnknownCommit(revision.to_string())
        }
        ObjectError::Store(problem) => Problem::Store(problem),
    };
    let id = objects.peel_to_commit(revision.id()).map_err(of_object)?;
    let commit = objects.commit(id).map_err(of_object)?;
    Ok(Snapshot {
        revision: Revision::new(id),
        tree: Arc::new(crate::tree::GitTree::new(objects.clone(), commit.tree)),
        tree_id: ContentId::new(commit.tree.as_bytes()),
        author: commit.author,
        message: commit.message,
        committed_seconds: commit.seconds,
    })
}
