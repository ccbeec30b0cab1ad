//! A folder with uncommitted edits, as a commit. Read [`WorkTree`].
//!
//! The commit and its new objects are written to Tiphys' own store, never to the user's `.git`,
//! which is only read. Equal content gives an equal commit: its author and time are fixed.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use gix::ObjectId;
use gix::bstr::ByteSlice;
use gix::objs::Kind;
use manifest::{Tree, TreePath};

use crate::database::{Database, open_isolated};
use crate::files::{self, Seen};
use crate::store::{lock, snapshot_of};
use crate::tree::GitTree;
use crate::{Credentials, Error, Problem, RepoUrl, Repository, Revision, Snapshot, Store};

/// Who "wrote" uncommitted edits.
const AUTHOR: &str = "Tiphys <tiphys@localhost>";

/// What their commit says.
const MESSAGE: &str = "Uncommitted changes of the working tree\n";

/// A folder: a Git working tree, or any folder, which then counts as its own repository.
#[derive(Clone)]
pub struct WorkTree(Arc<Inner>);

struct Inner {
    root: PathBuf,
    url: RepoUrl,
    committed: Option<Repository>,
    remotes: Vec<RepoUrl>,
    /// Follows the folder with each snapshot.
    branch: Mutex<Option<String>>,
    database: Arc<Database>,
    /// What the last snapshot found, so that the next one reads changed files only.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seen: Seen,
    /// Trees and commits that were written by earlier snapshots.
    written: HashSet<ObjectId>,
}

impl WorkTree {
    /// Finds the repository around `path`: the closest folder above with a `.git`, else `path`.
    ///
    /// # Errors
    /// When there is no such folder, or the store cannot be written.
    pub fn open(store: &Store, path: &Path) -> Result<WorkTree, Error> {
        let path = path
            .canonicalize()
            .map_err(|error| Error::store(path, error))?;
        if !path.is_dir() {
            return Err(Error::store(&path, "is no folder"));
        }
        let found = path
            .ancestors()
            .filter(|folder| folder.join(".git").exists())
            .find_map(|folder| Some((folder.to_path_buf(), open_isolated(folder)?)));
        let (root, git) = match found {
            Some((root, git)) => (root, Some(git)),
            None => (path, None),
        };
        let url = root
            .to_str()
            .and_then(|root| RepoUrl::parse(&format!("file://{}", encoded(root))).ok());
        let url = url.ok_or_else(|| Error::store(&root, "is a path that cannot be used"))?;
        let (committed, database) = match &git {
            Some(_) => {
                let committed = store.open_repository(&url, &Credentials::default())?;
                (Some(committed), store.database(&url)?)
            }
            None => (None, store.plain_database(&url)?),
        };
        Ok(WorkTree(Arc::new(Inner {
            root,
            url,
            committed,
            remotes: git.as_ref().map(remotes).unwrap_or_default(),
            branch: Mutex::new(git.as_ref().and_then(branch)),
            database,
            state: Mutex::default(),
        })))
    }

    /// The folder that paths count from.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// Its file URL.
    #[must_use]
    pub fn url(&self) -> &RepoUrl {
        &self.0.url
    }

    /// The URLs of the repository's remotes.
    #[must_use]
    pub fn remotes(&self) -> &[RepoUrl] {
        &self.0.remotes
    }

    /// The branch that was checked out at the last snapshot, or when it was opened.
    #[must_use]
    pub fn branch(&self) -> Option<String> {
        lock(&self.0.branch).clone()
    }

    /// What is committed in it; `None` for a folder that is no Git repository.
    #[must_use]
    pub fn committed(&self) -> Option<&Repository> {
        self.0.committed.as_ref()
    }

    /// The files as they are now: `HEAD` itself when nothing was changed, else a commit on top of
    /// it. Untracked files count, ignored ones do not.
    ///
    /// # Errors
    /// When files cannot be read or the store cannot be written.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        let inner = self.0.clone();
        let taken = tokio::task::spawn_blocking(move || inner.snapshot()).await;
        taken
            .unwrap_or_else(|error| Err(Problem::Store(error.to_string())))
            .map_err(|problem| Error::new(&self.0.url, None, problem))
    }
}

impl WorkTree {
    /// The files below one folder as they are now, in their places, and nothing of the rest: what a
    /// look at a large repository costs is spared. `None` when something in the folder, a link or a
    /// submodule, may lead to the rest.
    ///
    /// # Errors
    /// As [`WorkTree::snapshot`].
    pub async fn part(&self, folder: &TreePath) -> Result<Option<Arc<dyn Tree>>, Error> {
        let (inner, folder) = (self.0.clone(), folder.clone());
        let taken = tokio::task::spawn_blocking(move || inner.part(&folder)).await;
        taken
            .unwrap_or_else(|error| Err(Problem::Store(error.to_string())))
            .map_err(|problem| Error::new(&self.0.url, None, problem))
    }
}

fn encoded(path: &str) -> String {
    path.replace('%', "%25")
        .replace(' ', "%20")
        .replace('#', "%23")
        .replace('?', "%3F")
}

fn remotes(git: &gix::Repository) -> Vec<RepoUrl> {
    let of_name = |name: &gix::bstr::BStr| {
        let remote = git.find_remote(name).ok()?;
        let url = remote.url(gix::remote::Direction::Fetch)?.to_bstring();
        RepoUrl::parse(url.to_str().ok()?).ok()
    };
    git.remote_names()
        .iter()
        .filter_map(|name| of_name(name.as_ref()))
        .collect()
}

fn branch(git: &gix::Repository) -> Option<String> {
    let name = git.head_name().ok()??;
    Some(name.shorten().to_string())
}

impl Inner {
    /// The user's repository, read anew.
    fn git(&self) -> Result<Option<gix::Repository>, Problem> {
        let open = |_| open_isolated(&self.root).ok_or(Problem::NotFound);
        self.committed.as_ref().map(open).transpose()
    }

    fn part(&self, folder: &TreePath) -> Result<Option<Arc<dyn Tree>>, Problem> {
        let git = self.git()?;
        let objects = self.database.objects();
        let folder = folder.as_str().as_bytes();
        let files = files::read_below(&self.root, git.as_ref(), &objects, folder)?;
        if !files.iter().all(files::File::is_regular) {
            return Ok(None);
        }
        let mut state = lock(&self.state);
        let tree = self.write_tree(&mut state.written, &files, 0)?;
        Ok(Some(Arc::new(GitTree::new(objects, tree))))
    }

    fn snapshot(&self) -> Result<Snapshot, Problem> {
        let mut state = lock(&self.state);
        let git = self.git()?;
        let objects = self.database.objects();
        let files = files::read(&self.root, git.as_ref(), &objects, &mut state.seen)?;
        let tree = self.write_tree(&mut state.written, &files, 0)?;
        *lock(&self.branch) = git.as_ref().and_then(branch);
        let head = git.and_then(|git| Some(git.head_id().ok()?.detach()));
        let parent = match head {
            Some(id) => Some((
                id,
                objects
                    .commit(id)
                    .map_err(|it| Problem::Store(it.to_string()))?,
            )),
            None => None,
        };
        if let Some((id, commit)) = &parent
            && commit.tree == tree
        {
            return snapshot_of(&self.database, Revision::new(*id));
        }
        let seconds = parent.as_ref().map_or(0, |(_, commit)| commit.seconds);
        let mut text = format!("tree {tree}\n");
        if let Some((id, _)) = parent {
            text.push_str(&format!("parent {id}\n"));
        }
        text.push_str(&format!("author {AUTHOR} {seconds} +0000\n"));
        text.push_str(&format!("committer {AUTHOR} {seconds} +0000\n\n{MESSAGE}"));
        let commit = self.write(&mut state.written, Kind::Commit, text.as_bytes())?;
        snapshot_of(&self.database, Revision::new(commit))
    }

    /// Writes the trees of `files`, which are sorted by path and share a folder of `depth` bytes.
    fn write_tree(
        &self,
        written: &mut HashSet<ObjectId>,
        files: &[files::File],
        depth: usize,
    ) -> Result<ObjectId, Problem> {
        let mut bytes = Vec::new();
        let mut rest = files;
        while let Some(file) = rest.first() {
            let name = &file.path[depth..];
            let (mode, name, id, n_files) = match name.find_byte(b'/') {
                None => (file.mode, name, file.id, 1),
                Some(end) => {
                    let folder = &file.path[..=depth + end];
                    let n_files = rest.partition_point(|file| file.path.starts_with(folder));
                    let id = self.write_tree(written, &rest[..n_files], folder.len())?;
                    ("40000", &name[..end], id, n_files)
                }
            };
            bytes.extend_from_slice(mode.as_bytes());
            bytes.push(b' ');
            bytes.extend_from_slice(name);
            bytes.push(0);
            bytes.extend_from_slice(id.as_bytes());
            rest = &rest[n_files..];
        }
        self.write(written, Kind::Tree, &bytes)
    }

    fn write(
        &self,
        written: &mut HashSet<ObjectId>,
        kind: Kind,
        bytes: &[u8],
    ) -> Result<ObjectId, Problem> {
        let in_store = |it: crate::objects::ObjectError| Problem::Store(it.to_string());
        let id = crate::objects::id_of(kind, bytes).map_err(in_store)?;
        if written.insert(id) {
            self.database
                .objects()
                .write(kind, bytes)
                .map_err(in_store)?;
        }
        Ok(id)
    }
}
