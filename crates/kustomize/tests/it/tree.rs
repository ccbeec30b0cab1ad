//! Trees for tests: files in memory, and folders of the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use manifest::{ContentId, Entry, EntryKind, Tree, TreeError, TreePath};

/// Files by path.
#[derive(Default)]
pub(crate) struct Files {
    files: BTreeMap<String, Arc<[u8]>>,
    folders: BTreeSet<String>,
}

impl Files {
    pub(crate) fn add(&mut self, path: &str, content: &[u8]) {
        let path = TreePath::parse(path).unwrap();
        let mut above = path.parent();
        while let Some(folder) = above {
            self.folders.insert(folder.as_str().to_owned());
            above = folder.parent();
        }
        self.files.insert(path.as_str().to_owned(), content.into());
    }
}

impl Tree for Files {
    fn read(&self, path: &TreePath) -> Result<Arc<[u8]>, TreeError> {
        match self.kind(path)? {
            EntryKind::File => Ok(Arc::clone(&self.files[path.as_str()])),
            _ => Err(TreeError::WrongKind {
                path: path.clone(),
                problem: "is a directory",
            }),
        }
    }

    fn list(&self, path: &TreePath) -> Result<Vec<Entry>, TreeError> {
        Err(TreeError::NotFound(path.clone()))
    }

    fn kind(&self, path: &TreePath) -> Result<EntryKind, TreeError> {
        let name = path.as_str();
        if self.files.contains_key(name) {
            Ok(EntryKind::File)
        } else if path.is_root() || self.folders.contains(name) {
            Ok(EntryKind::Directory)
        } else {
            Err(TreeError::NotFound(path.clone()))
        }
    }

    fn size(&self, path: &TreePath) -> Result<u64, TreeError> {
        Ok(self.read(path)?.len() as u64)
    }

    fn content_id(&self, path: &TreePath) -> Result<ContentId, TreeError> {
        Ok(ContentId::of(&self.read(path)?))
    }
}

/// A folder of the disk.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Tree for Folder {
    fn read(&self, path: &TreePath) -> Result<Arc<[u8]>, TreeError> {
        match self.kind(path)? {
            EntryKind::File => Ok(std::fs::read(self.0.join(path.as_str())).unwrap().into()),
            _ => Err(TreeError::WrongKind {
                path: path.clone(),
                problem: "is a directory",
            }),
        }
    }

    fn list(&self, path: &TreePath) -> Result<Vec<Entry>, TreeError> {
        Err(TreeError::NotFound(path.clone()))
    }

    fn kind(&self, path: &TreePath) -> Result<EntryKind, TreeError> {
        match std::fs::metadata(self.0.join(path.as_str())) {
            Ok(found) if found.is_dir() => Ok(EntryKind::Directory),
            Ok(_) => Ok(EntryKind::File),
            Err(_) => Err(TreeError::NotFound(path.clone())),
        }
    }

    fn size(&self, path: &TreePath) -> Result<u64, TreeError> {
        Ok(self.read(path)?.len() as u64)
    }

    fn content_id(&self, path: &TreePath) -> Result<ContentId, TreeError> {
        Ok(ContentId::of(&self.read(path)?))
    }
}
