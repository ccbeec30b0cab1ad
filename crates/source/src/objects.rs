//! One object database: reads and writes of Git objects by id. Read [`Objects`].
//!
//! Knows ids, trees and blobs; it must never know URLs, references or credentials.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use gix::ObjectId;
use gix::objs::tree::EntryMode;
use gix::objs::{Find, FindHeader, Kind, Write};
use gix::odb::store::init::Slots;

/// The most packs of a store: each fetch adds one to ours, which are at most 400, and a folder that
/// `up` reads may have neglected its own. Each costs memory and time even while it is not there.
const MAX_PACKS: u16 = 2048;

/// The largest object that is unpacked: a manifest tree has no business with larger ones.
pub(crate) const MAX_OBJECT_BYTES: usize = 256 * 1024 * 1024;

/// The most tree entries kept parsed: about 100 bytes each.
const MAX_CACHED_ENTRIES: usize = 500_000;

type Handle = gix::odb::HandleArc;

/// An object database with a cache of parsed trees. Cheap to share.
pub(crate) struct Objects {
    store: Arc<gix::odb::Store>,
    idle: Mutex<Vec<Handle>>,
    trees: Mutex<TreeCache>,
}

#[derive(Default)]
struct TreeCache {
    by_id: HashMap<ObjectId, Arc<[TreeEntry]>>,
    n_entries: usize,
}

/// One line of a Git tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TreeEntry {
    pub(crate) name: Vec<u8>,
    pub(crate) mode: EntryMode,
    pub(crate) id: ObjectId,
}

/// What a commit says besides its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommitInfo {
    pub(crate) tree: ObjectId,
    pub(crate) author: String,
    pub(crate) message: String,
    pub(crate) seconds: i64,
}

/// Which commit a shortened SHA means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Abbreviation {
    One(ObjectId),
    None,
    Several,
}

/// Why an object was not given. Only `Missing` is a fact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ObjectError {
    #[error("object {0} is missing")]
    Missing(ObjectId),
    #[error("object {0} is of another kind")]
    Kind(ObjectId),
    #[error("{0}")]
    Store(String),
}

fn broken(error: impl std::fmt::Display) -> ObjectError {
    ObjectError::Store(error.to_string())
}

impl Objects {
    /// Opens the folder `objects` of a repository; other databases that it names are read too.
    pub(crate) fn open(directory: &Path) -> std::io::Result<Objects> {
        let options = gix::odb::store::init::Options {
            slots: Slots::Given(MAX_PACKS),
            alloc_limit_bytes: Some(MAX_OBJECT_BYTES),
            ..gix::odb::store::init::Options::default()
        };
        let store = gix::odb::Store::at_opts(
            directory.to_path_buf(),
            gix::hash::Kind::Sha1,
            &mut std::iter::empty(),
            options,
        )?;
        Ok(Objects {
            store: Arc::new(store),
            idle: Mutex::default(),
            trees: Mutex::default(),
        })
    }

    /// The folder of the packs.
    pub(crate) fn pack_directory(&self) -> PathBuf {
        self.store.path().join("pack")
    }

    /// A handle of its own, for code of gix that takes one.
    pub(crate) fn handle(&self) -> Handle {
        self.store.to_cache_arc()
    }

    fn with<T>(&self, run: impl FnOnce(&Handle) -> T) -> T {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let handle = idle().pop().unwrap_or_else(|| self.handle());
        let answer = run(&handle);
        idle().push(handle);
        answer
    }

    /// Whether the object is here.
    pub(crate) fn holds(&self, id: ObjectId) -> bool {
        self.with(|handle| gix::objs::Exists::exists(handle, &id))
    }

    /// Kind and size, without unpacking.
    pub(crate) fn header(&self, id: ObjectId) -> Result<(Kind, u64), ObjectError> {
        let found = self.with(|handle| handle.try_header(&id)).map_err(broken)?;
        let header = found.ok_or(ObjectError::Missing(id))?;
        Ok((header.kind, header.size))
    }

    /// The bytes of a file.
    pub(crate) fn blob(&self, id: ObjectId) -> Result<Vec<u8>, ObjectError> {
        self.read(id, Kind::Blob)
    }

    fn read(&self, id: ObjectId, kind: Kind) -> Result<Vec<u8>, ObjectError> {
        let mut buffer = Vec::new();
        let found = self.with(|handle| {
            let found = handle.try_find(&id, &mut buffer);
            found.map(|data| data.map(|data| data.kind))
        });
        match found.map_err(broken)? {
            Some(found) if found == kind => Ok(buffer),
            Some(_) => Err(ObjectError::Kind(id)),
            None => Err(ObjectError::Missing(id)),
        }
    }

    /// The entries of a tree, sorted by name.
    pub(crate) fn tree(&self, id: ObjectId) -> Result<Arc<[TreeEntry]>, ObjectError> {
        let trees = || self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entries) = trees().by_id.get(&id) {
            return Ok(entries.clone());
        }
        // The empty tree need not be stored.
        let bytes = match self.read(id, Kind::Tree) {
            Err(ObjectError::Missing(_)) if id.is_empty_tree() => Vec::new(),
            other => other?,
        };
        let tree = gix::objs::TreeRef::from_bytes(&bytes, gix::hash::Kind::Sha1).map_err(broken)?;
        let mut entries: Vec<TreeEntry> = tree
            .entries
            .iter()
            .map(|entry| TreeEntry {
                name: entry.filename.to_vec(),
                mode: entry.mode,
                id: entry.oid.to_owned(),
            })
            .collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let entries: Arc<[TreeEntry]> = entries.into();
        let mut cache = trees();
        if cache.n_entries + entries.len() > MAX_CACHED_ENTRIES {
            *cache = TreeCache::default();
        }
        cache.n_entries += entries.len();
        cache.by_id.insert(id, entries.clone());
        Ok(entries)
    }

    /// The commit at `id`, or the one that the tag at `id` points at.
    pub(crate) fn peel_to_commit(&self, id: ObjectId) -> Result<ObjectId, ObjectError> {
        /// Tags of tags are rare, and deeper ones are made to waste time.
        const MAX_TAGS: usize = 8;
        let mut id = id;
        for _ in 0..MAX_TAGS {
            match self.header(id)?.0 {
                Kind::Commit => return Ok(id),
                Kind::Tag => {
                    let bytes = self.read(id, Kind::Tag)?;
                    id = gix::objs::TagRef::from_bytes(&bytes, gix::hash::Kind::Sha1)
                        .map_err(broken)?
                        .target();
                }
                Kind::Tree | Kind::Blob => return Err(ObjectError::Kind(id)),
            }
        }
        Err(ObjectError::Kind(id))
    }

    /// What a commit says.
    pub(crate) fn commit(&self, id: ObjectId) -> Result<CommitInfo, ObjectError> {
        let bytes = self.read(id, Kind::Commit)?;
        let commit =
            gix::objs::CommitRef::from_bytes(&bytes, gix::hash::Kind::Sha1).map_err(broken)?;
        let author = commit.author().map_err(broken)?;
        let committer = commit.committer().map_err(broken)?;
        Ok(CommitInfo {
            tree: commit.tree(),
            author: format!("{} <{}>", author.name, author.email),
            message: commit.message.to_string(),
            seconds: committer.seconds(),
        })
    }

    /// The commit that a shortened SHA of at least 4 digits means.
    pub(crate) fn abbreviation(&self, digits: &str) -> Result<Abbreviation, ObjectError> {
        let prefix = gix::hash::Prefix::from_hex(digits).map_err(broken)?;
        let mut candidates = std::collections::HashSet::new();
        self.with(|handle| handle.lookup_prefix(prefix, Some(&mut candidates)))
            .map_err(broken)?;
        let mut found = Abbreviation::None;
        for id in candidates {
            match self.peel_to_commit(id) {
                Ok(commit) => match found {
                    Abbreviation::One(other) if other != commit => {
                        return Ok(Abbreviation::Several);
                    }
                    _ => found = Abbreviation::One(commit),
                },
                Err(ObjectError::Kind(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Stores an object unless it is here; gives its id.
    pub(crate) fn write(&self, kind: Kind, bytes: &[u8]) -> Result<ObjectId, ObjectError> {
        let id = id_of(kind, bytes)?;
        if self.holds(id) {
            return Ok(id);
        }
        self.with(|handle| handle.write_buf(kind, bytes))
            .map_err(broken)
    }
}

/// The id that an object has wherever it is.
pub(crate) fn id_of(kind: Kind, bytes: &[u8]) -> Result<ObjectId, ObjectError> {
    gix::objs::compute_hash(gix::hash::Kind::Sha1, kind, bytes).map_err(broken)
}
