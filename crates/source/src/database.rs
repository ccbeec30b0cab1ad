//! One bare repository in the store's folder. Read [`Database`].
//!
//! Its layout is Git's own, so real Git can look into it. It must never know credentials.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use gix::ObjectId;
use sha2::{Digest, Sha256};

use crate::objects::Objects;
use crate::url::Scheme;
use crate::{Problem, RepoUrl};

/// The most commits remembered as complete with their history: told to the server at a fetch, so
/// that it sends only what is new.
const MAX_TIPS: usize = 256;

/// Where the complete commits are noted.
const TIPS: &str = "refs/tiphys";

/// Packs after which a database starts over: each fetch adds one, and every lookup asks them all.
const MAX_PACKS: usize = 400;

/// A bare repository: objects, and which commits are complete.
pub(crate) struct Database {
    directory: PathBuf,
    opened: RwLock<Opened>,
    /// Held while a fetch runs, so that two do not bring the same objects.
    pub(crate) fetching: tokio::sync::Mutex<()>,
}

struct Opened {
    objects: Arc<Objects>,
    /// Newest last.
    tips: Vec<ObjectId>,
    /// Locked as long as the database is open, so that another process does not clean it up.
    in_use: std::fs::File,
}

impl Opened {
    fn open(directory: &Path) -> std::io::Result<Opened> {
        lay_out(directory)?;
        let in_use = take_into_use(directory)?;
        Ok(Opened {
            objects: Arc::new(Objects::open(&directory.join("objects"))?),
            tips: read_tips(&directory.join(TIPS))?,
            in_use,
        })
    }
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
        Self::open_directory(folder_of(directory, url))
    }

    fn open_directory(directory: PathBuf) -> Result<Database, Problem> {
        let opened = Opened::open(&directory).map_err(|error| Problem::Store(error.to_string()))?;
        Ok(Database {
            directory,
            opened: RwLock::new(opened),
            fetching: tokio::sync::Mutex::default(),
        })
    }

    fn opened(&self) -> RwLockReadGuard<'_, Opened> {
        self.opened.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened_mut(&self) -> RwLockWriteGuard<'_, Opened> {
        self.opened.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn objects(&self) -> Arc<Objects> {
        self.opened().objects.clone()
    }

    /// The file in which Git notes where history was cut off.
    pub(crate) fn shallow_file(&self) -> PathBuf {
        self.directory.join("shallow")
    }

    /// Commits that are here with everything below them, newest first.
    pub(crate) fn tips(&self) -> Vec<ObjectId> {
        self.opened().tips.iter().rev().copied().collect()
    }

    /// Notes commits that a fetch completed.
    pub(crate) fn add_tips(&self, ids: &[ObjectId]) -> std::io::Result<()> {
        let mut opened = self.opened_mut();
        for id in ids {
            let file = self.directory.join(TIPS).join(id.to_string());
            std::fs::write(file, format!("{id}\n"))?;
            opened.tips.push(*id);
        }
        while opened.tips.len() > MAX_TIPS {
            let oldest = opened.tips.remove(0);
            if !opened.tips.contains(&oldest) {
                std::fs::remove_file(self.directory.join(TIPS).join(oldest.to_string()))?;
            }
        }
        Ok(())
    }

    /// Runs `fetch`: on this database, or, when that has too many packs, on an empty one that then
    /// takes its place. Snapshots of the old one that are still read then ask for missing files in
    /// vain, which their readers may retry with a new snapshot.
    pub(crate) fn fetch_with(
        &self,
        fetch: impl Fn(&Database) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let store = |error: std::io::Error| Problem::Store(error.to_string());
        if !self.is_crowded().map_err(store)? {
            return fetch(self);
        }
        let fresh = self.directory.with_extension("new");
        remove_folder(&fresh).map_err(store)?;
        let fetched = Database::open_directory(fresh.clone()).and_then(|it| fetch(&it));
        if let Err(problem) = fetched {
            remove_folder(&fresh).map_err(store)?;
            return Err(problem);
        }
        self.replace_by(&fresh).map_err(store)
    }

    /// Whether there are too many packs, and no other process uses them.
    fn is_crowded(&self) -> std::io::Result<bool> {
        let packs = std::fs::read_dir(self.directory.join("objects/pack"))?;
        if packs
            .flatten()
            .filter(|it| it.path().extension().is_some_and(|it| it == "pack"))
            .count()
            < MAX_PACKS
        {
            return Ok(false);
        }
        let opened = self.opened();
        opened.in_use.unlock()?;
        let is_alone = opened.in_use.try_lock().is_ok();
        opened.in_use.unlock()?;
        opened.in_use.lock_shared()?;
        Ok(is_alone)
    }

    fn replace_by(&self, fresh: &Path) -> std::io::Result<()> {
        let old = self.directory.with_extension("old");
        remove_folder(&old)?;
        let mut opened = self.opened_mut();
        std::fs::rename(&self.directory, &old)?;
        std::fs::rename(fresh, &self.directory)?;
        *opened = Opened::open(&self.directory)?;
        drop(opened);
        remove_folder(&old)
    }
}

fn remove_folder(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Puts a received pack on the disk for good, then takes away its mark of being incomplete.
pub(crate) fn keep_for_good(pack: &gix::odb::pack::bundle::write::Outcome) -> std::io::Result<()> {
    for part in [&pack.data_path, &pack.index_path].into_iter().flatten() {
        std::fs::File::open(part)?.sync_all()?;
    }
    let folder = pack.data_path.as_deref().and_then(Path::parent);
    if let Some(folder) = folder {
        std::fs::File::open(folder)?.sync_all()?;
    }
    match &pack.keep_path {
        Some(keep) => std::fs::remove_file(keep),
        None => Ok(()),
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

/// Marks the database as used; who is alone first removes what a killed process left behind.
fn take_into_use(directory: &Path) -> std::io::Result<std::fs::File> {
    let lock = std::fs::File::create(directory.join("tiphys.lock"))?;
    if lock.try_lock().is_ok() {
        remove_leftovers(&directory.join("objects/pack"))?;
        lock.unlock()?;
    }
    lock.lock_shared()?;
    Ok(lock)
}

/// Removes packs that may be incomplete: temporary files, and packs whose `.keep` is still there,
/// as it goes only when all of the pack is on the disk.
fn remove_leftovers(packs: &Path) -> std::io::Result<()> {
    let mut leftovers = Vec::new();
    for entry in std::fs::read_dir(packs)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        if !name.starts_with(b"pack-") || path.extension().is_some_and(|it| it == "keep") {
            leftovers.push(path);
        }
    }
    for path in leftovers {
        for extension in ["idx", "pack"] {
            let part = path.with_extension(extension);
            if part != path && part.exists() {
                std::fs::remove_file(part)?;
            }
        }
        std::fs::remove_file(path)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_removed_by_the_next_that_is_alone() {
        let folder = tempfile::tempdir().unwrap();
        let url = RepoUrl::parse("https://git.example/x").unwrap();
        let database = Database::open(folder.path(), &url).unwrap();
        let packs = database.objects().pack_directory();
        let all = [
            "tmp123",
            "pack-a.pack",
            "pack-a.idx",
            "pack-a.keep",
            "pack-b.pack",
            "pack-b.idx",
        ];
        for name in all {
            std::fs::write(packs.join(name), "x").unwrap();
        }
        let left = || {
            let names = std::fs::read_dir(&packs)
                .unwrap()
                .map(|it| it.unwrap().file_name());
            let mut names: Vec<_> = names.map(|it| it.into_string().unwrap()).collect();
            names.sort_unstable();
            names
        };
        // The first one still runs: nothing is touched.
        take_into_use(&database.directory).unwrap();
        assert_eq!(left().len(), all.len());
        let directory = database.directory.clone();
        drop(database);
        take_into_use(&directory).unwrap();
        assert_eq!(left(), ["pack-b.idx", "pack-b.pack"]);
    }

    #[test]
    fn only_the_newest_complete_commits_are_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let url = RepoUrl::parse("https://git.example/x").unwrap();
        let database = Database::open(folder.path(), &url).unwrap();
        let id = |n: usize| ObjectId::from_hex(format!("{n:040x}").as_bytes()).unwrap();
        let ids: Vec<_> = (0..MAX_TIPS + 10).map(id).collect();
        database.add_tips(&ids).unwrap();
        assert_eq!(database.tips().len(), MAX_TIPS);
        assert_eq!(database.tips().first(), ids.last());
        drop(database);
        let again = Database::open(folder.path(), &url).unwrap();
        assert_eq!(again.tips().len(), MAX_TIPS);
    }
}
