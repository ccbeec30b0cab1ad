//! One bare repository in the store's folder. Read [`Database`].
//!
//! Its layout is Git's own, so real Git can look into it. It must never know credentials.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use gix::ObjectId;
use sha2::{Digest, Sha256};

use crate::objects::Objects;
use crate::store::lock;
use crate::{Problem, RepoUrl, Scheme};

/// The most commits remembered as complete with their history: told to the server at a fetch, so
/// that it sends only what is new.
const MAX_TIPS: usize = 256;

/// Where the complete commits are noted.
const TIPS: &str = "refs/tiphys";

/// A bare repository: objects, and which commits are complete.
pub(crate) struct Database {
    directory: PathBuf,
    objects: Arc<Objects>,
    /// Newest last.
    tips: Mutex<Vec<ObjectId>>,
    /// Held while a fetch runs, so that two do not bring the same objects.
    pub(crate) fetching: tokio::sync::Mutex<()>,
}

impl Database {
    /// Opens the database of a URL below `directory`, and makes it when it is not there. That of a
    /// file URL reads the other repository's objects where they are.
    pub(crate) fn open(directory: &Path, url: &RepoUrl) -> Result<Database, Problem> {
        let Some(other) = url.file_path() else {
            return Self::open_plain(directory, url);
        };
        let other = open_isolated(&other).ok_or(Problem::NotFound)?;
        let objects = other.objects.store_ref().path().to_path_buf();
        let folder = folder_of(directory, url);
        lay_out(&folder)
            .and_then(|()| read_also(&folder, &objects))
            .map_err(|error| Problem::Store(error.to_string()))?;
        Self::open_directory(folder)
    }

    /// As [`Database::open`], with nothing but its own objects.
    pub(crate) fn open_plain(directory: &Path, url: &RepoUrl) -> Result<Database, Problem> {
        let folder = folder_of(directory, url);
        lay_out(&folder).map_err(|error| Problem::Store(error.to_string()))?;
        Self::open_directory(folder)
    }

    fn open_directory(directory: PathBuf) -> Result<Database, Problem> {
        let store = |error: std::io::Error| Problem::Store(error.to_string());
        remove_leftovers(&directory.join("objects/pack")).map_err(store)?;
        let objects = Objects::open(&directory.join("objects")).map_err(store)?;
        let tips = read_tips(&directory.join(TIPS)).map_err(store)?;
        Ok(Database {
            directory,
            objects: Arc::new(objects),
            tips: Mutex::new(tips),
            fetching: tokio::sync::Mutex::default(),
        })
    }

    pub(crate) fn objects(&self) -> &Arc<Objects> {
        &self.objects
    }

    /// The file in which Git notes where history was cut off.
    pub(crate) fn shallow_file(&self) -> PathBuf {
        self.directory.join("shallow")
    }

    /// Commits that are here with everything below them, newest first.
    pub(crate) fn tips(&self) -> Vec<ObjectId> {
        lock(&self.tips).iter().rev().copied().collect()
    }

    /// Notes commits that a fetch completed.
    pub(crate) fn add_tips(&self, ids: &[ObjectId]) -> std::io::Result<()> {
        let mut tips = lock(&self.tips);
        for id in ids {
            let file = self.directory.join(TIPS).join(id.to_string());
            std::fs::write(file, format!("{id}\n"))?;
            tips.push(*id);
        }
        while tips.len() > MAX_TIPS {
            let oldest = tips.remove(0);
            if !tips.contains(&oldest) {
                std::fs::remove_file(self.directory.join(TIPS).join(oldest.to_string()))?;
            }
        }
        Ok(())
    }
}

/// Opens a repository without any configuration of the host, its users or the environment.
pub(crate) fn open_isolated(path: &Path) -> Option<gix::Repository> {
    gix::open_opts(path, gix::open::Options::isolated()).ok()
}

fn folder_of(directory: &Path, url: &RepoUrl) -> PathBuf {
    let scheme = match url.scheme() {
        Scheme::Http | Scheme::Https => "http",
        Scheme::Ssh => "ssh",
        Scheme::File => "file",
    };
    let hash = Sha256::digest(format!("{scheme} {}", url.identity()));
    let name: String = hash
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    directory.join(format!("{name}.git"))
}

fn lay_out(directory: &Path) -> std::io::Result<()> {
    for folder in ["objects/pack", "objects/info", "refs/heads", TIPS] {
        std::fs::create_dir_all(directory.join(folder))?;
    }
    for (file, text) in [
        ("HEAD", "ref: refs/heads/main\n"),
        (
            "config",
            "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
        ),
    ] {
        if !directory.join(file).exists() {
            std::fs::write(directory.join(file), text)?;
        }
    }
    Ok(())
}

/// Makes the objects of another repository readable from this one.
fn read_also(directory: &Path, objects: &Path) -> std::io::Result<()> {
    let objects = objects.canonicalize()?;
    let mut line = objects.into_os_string().into_encoded_bytes();
    line.push(b'\n');
    std::fs::write(directory.join("objects/info/alternates"), line)
}

/// Removes what a process that was killed in the middle of a fetch left behind.
fn remove_leftovers(packs: &Path) -> std::io::Result<()> {
    /// Longer than any fetch takes, as another process may be at one.
    const MIN_AGE: std::time::Duration = std::time::Duration::from_secs(3600);
    for entry in std::fs::read_dir(packs)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_temporary = !name.as_encoded_bytes().starts_with(b"pack-");
        let age = entry
            .metadata()
            .and_then(|it| it.modified())
            .ok()
            .and_then(|it| it.elapsed().ok());
        if is_temporary && age.is_some_and(|age| age > MIN_AGE) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn read_tips(directory: &Path) -> std::io::Result<Vec<ObjectId>> {
    let mut tips = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let id = ObjectId::from_hex(entry.file_name().as_encoded_bytes());
        if let (Ok(id), Ok(written)) = (id, entry.metadata()?.modified()) {
            tips.push((written, id));
        }
    }
    tips.sort_unstable();
    Ok(tips.into_iter().map(|(_, id)| id).collect())
}
