//! What was fetched, on disk: archives by their digest, indexes with their marks, and which digest
//! a version has. Read [`Cache`].
//!
//! Everything here can be deleted at any time, and is private to this user. Nothing is believed
//! because it is there: an archive whose content has another digest counts as absent.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use crate::chart::ChartProblem;
use crate::chart::digest::Digest;
use crate::store::lock;

/// A file of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shelf {
    /// Archives and provenance files, by digest.
    Blobs,
    /// Indexes of repositories, by address and login.
    Indexes,
    /// The mark (`ETag`) that an index was sent with.
    Marks,
    /// The digest of a version of a chart, by address, login, chart and version.
    Pins,
}

impl Shelf {
    const ALL: [Shelf; 4] = [Shelf::Blobs, Shelf::Indexes, Shelf::Marks, Shelf::Pins];

    fn folder(self) -> &'static str {
        match self {
            Shelf::Blobs => "blobs",
            Shelf::Indexes => "indexes",
            Shelf::Marks => "marks",
            Shelf::Pins => "pins",
        }
    }
}

/// The folder. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Cache(Arc<Inner>);

struct Inner {
    directory: PathBuf,
    max_bytes: u64,
    trimming: Mutex<()>,
    n_made: AtomicU64,
}

/// A file that is being written; it is seen when it is complete, and gone when it is dropped.
pub(crate) struct Draft {
    path: PathBuf,
    file: File,
    hash: Sha256,
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Gone already when it was finished.
        let _ = fs::remove_file(&self.path);
    }
}

impl Draft {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), ChartProblem> {
        self.hash.update(bytes);
        self.file.write_all(bytes).map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> ChartProblem {
    ChartProblem::Store(error.to_string())
}

impl Cache {
    pub(crate) fn open(directory: &Path, max_bytes: u64) -> Result<Cache, ChartProblem> {
        for shelf in Shelf::ALL {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory.join(shelf.folder()))
                .map_err(failed)?;
        }
        Ok(Cache(Arc::new(Inner {
            directory: directory.to_path_buf(),
            max_bytes,
            trimming: Mutex::default(),
            n_made: AtomicU64::new(0),
        })))
    }

    fn path(&self, shelf: Shelf, name: &str) -> PathBuf {
        self.0.directory.join(shelf.folder()).join(name)
    }

    /// The content of a file; `None` when it is not there. It counts as used now.
    pub(crate) fn read(&self, shelf: Shelf, name: &str) -> Option<Vec<u8>> {
        let path = self.path(shelf, name);
        let content = fs::read(&path).ok()?;
        // A cache that cannot be written to is still read.
        let _ = File::options()
            .append(true)
            .open(&path)
            .and_then(|file| file.set_modified(SystemTime::now()));
        Some(content)
    }

    /// An archive, if it is whole.
    pub(crate) fn blob(&self, digest: &Digest) -> Option<Vec<u8>> {
        let content = self.read(Shelf::Blobs, digest.hex())?;
        (Digest::of(&content) == *digest).then_some(content)
    }

    pub(crate) fn open_file(&self, shelf: Shelf, name: &str) -> Option<File> {
        File::open(self.path(shelf, name)).ok()
    }

    /// Starts a file.
    pub(crate) fn draft(&self) -> Result<Draft, ChartProblem> {
        let number = self.0.n_made.fetch_add(1, Ordering::Relaxed);
        let name = format!("draft-{}-{number}", std::process::id());
        let path = self.0.directory.join(name);
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        Ok(Draft {
            path,
            file,
            hash: Sha256::new(),
        })
    }

    /// Puts a draft into its place; gives the digest of its content.
    pub(crate) fn finish(
        &self,
        mut draft: Draft,
        shelf: Shelf,
        name: &str,
    ) -> Result<Digest, ChartProblem> {
        let digest = Digest::from_hash(&std::mem::take(&mut draft.hash).finalize());
        fs::rename(&draft.path, self.path(shelf, name)).map_err(failed)?;
        self.trim();
        Ok(digest)
    }

    /// Writes a small file.
    pub(crate) fn write(
        &self,
        shelf: Shelf,
        name: &str,
        content: &[u8],
    ) -> Result<(), ChartProblem> {
        let mut draft = self.draft()?;
        draft.write(content)?;
        self.finish(draft, shelf, name).map(|_| ())
    }

    pub(crate) fn remove(&self, shelf: Shelf, name: &str) {
        // What is not there need not be removed.
        let _ = fs::remove_file(self.path(shelf, name));
    }

    /// Deletes what was not used for longest until the rest fits. The newest file stays, however
    /// large it is: somebody is about to read it.
    fn trim(&self) {
        let _turn = lock(&self.0.trimming);
        let mut files = self.files();
        files.sort_unstable_by_key(|(used, _, _)| std::cmp::Reverse(*used));
        let mut n_bytes = 0u64;
        for (number, (_, size, path)) in files.into_iter().enumerate() {
            n_bytes = n_bytes.saturating_add(size);
            if number > 0 && n_bytes > self.0.max_bytes {
                // Who deletes it first does not matter.
                let _ = fs::remove_file(path);
            }
        }
    }

    fn files(&self) -> Vec<(SystemTime, u64, PathBuf)> {
        let folders = Shelf::ALL
            .iter()
            .map(|it| self.0.directory.join(it.folder()));
        let entries = folders
            .filter_map(|folder| fs::read_dir(folder).ok())
            .flatten();
        entries
            .filter_map(|entry| {
                let entry: io::Result<fs::DirEntry> = entry;
                let entry = entry.ok()?;
                let metadata = entry.metadata().ok()?;
                Some((metadata.modified().ok()?, metadata.len(), entry.path()))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_keeps_what_was_used_last_within_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path(), 250).unwrap();
        let put = |text: &str, age: u64| {
            let content = text.repeat(100);
            let digest = Digest::of(content.as_bytes());
            cache
                .write(Shelf::Blobs, digest.hex(), content.as_bytes())
                .unwrap();
            if let Some(file) = cache.open_file(Shelf::Blobs, digest.hex()) {
                let time = SystemTime::now() - std::time::Duration::from_secs(age);
                file.set_modified(time).unwrap();
            }
            digest
        };
        let (a, b) = (put("a", 100), put("b", 50));
        assert!(cache.blob(&a).is_some(), "used now");
        let c = put("c", 0);
        assert!(cache.blob(&a).is_some());
        assert!(cache.blob(&b).is_none(), "the oldest went");
        assert!(cache.blob(&c).is_some());
        let path = cache.path(Shelf::Blobs, c.hex());
        fs::write(path, "changed").unwrap();
        assert!(cache.blob(&c).is_none(), "not believed");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4, "no drafts");
    }
}
