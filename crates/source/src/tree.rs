//! The files of a commit, read straight from the object database. Read [`GitTree`].
//!
//! Symbolic links are followed inside the tree only: there is no host file system behind it.

use std::collections::VecDeque;
use std::sync::Arc;

use gix::ObjectId;
use gix::objs::tree::EntryKind as GitKind;
use manifest::{ContentId, Entry, EntryKind, Tree, TreeError, TreePath};

use crate::objects::{ObjectError, Objects};

/// The largest file that is read: Argo CD's limit for all manifests of an application is 10 MB,
/// but values files and charts may be beside them.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// The most links on the way to a file, as Linux allows.
const MAX_LINKS: usize = 40;

/// The longest text of a link that is read.
const MAX_LINK_BYTES: u64 = 4096;

/// A pointer file of Git LFS is smaller than this and starts so.
const MAX_LFS_POINTER_BYTES: usize = 1024;
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1";

/// The files of one commit. Cheap to clone; a pure function of the commit.
#[derive(Clone)]
pub(crate) struct GitTree {
    objects: Arc<Objects>,
    root: ObjectId,
}

/// What is at a path when all links are followed.
struct Found {
    kind: GitKind,
    id: ObjectId,
}

impl GitTree {
    pub(crate) fn new(objects: Arc<Objects>, root: ObjectId) -> Self {
        GitTree { objects, root }
    }

    fn find(&self, path: &TreePath) -> Result<Found, TreeError> {
        let root = Found {
            kind: GitKind::Tree,
            id: self.root,
        };
        let mut folders = vec![self.root];
        let mut found = root;
        let mut rest: VecDeque<String> = parts(path.as_str());
        let mut n_links = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                folders.pop();
                let Some(&folder) = folders.last() else {
                    return Err(bad_link(path, "leads outside of the repository"));
                };
                found = Found {
                    kind: GitKind::Tree,
                    id: folder,
                };
                continue;
            }
            found = self.step(path, &found, &name)?;
            match found.kind {
                GitKind::Tree => folders.push(found.id),
                GitKind::Link => {
                    n_links += 1;
                    if n_links > MAX_LINKS {
                        return Err(bad_link(path, "goes in circles"));
                    }
                    let mut target = self.link_target(path, found.id)?;
                    target.append(&mut rest);
                    rest = target;
                    found = Found {
                        kind: GitKind::Tree,
                        id: folders.last().copied().unwrap_or(self.root),
                    };
                }
                GitKind::Commit if !rest.is_empty() => return Err(submodule(path)),
                GitKind::Blob | GitKind::BlobExecutable | GitKind::Commit => {}
            }
        }
        Ok(found)
    }

    fn step(&self, path: &TreePath, folder: &Found, name: &str) -> Result<Found, TreeError> {
        if folder.kind != GitKind::Tree {
            return Err(TreeError::NotFound(path.clone()));
        }
        let entries = self
            .objects
            .tree(folder.id)
            .map_err(|it| unavailable(path, &it))?;
        let at = entries.binary_search_by(|entry| entry.name.as_slice().cmp(name.as_bytes()));
        match at.ok().and_then(|at| entries.get(at)) {
            Some(entry) => Ok(Found {
                kind: entry.mode.kind(),
                id: entry.id,
            }),
            None => Err(TreeError::NotFound(path.clone())),
        }
    }

    fn link_target(&self, path: &TreePath, id: ObjectId) -> Result<VecDeque<String>, TreeError> {
        let (_, size) = self
            .objects
            .header(id)
            .map_err(|it| unavailable(path, &it))?;
        if size > MAX_LINK_BYTES {
            return Err(bad_link(path, "is too long"));
        }
        let target = self.objects.blob(id).map_err(|it| unavailable(path, &it))?;
        let target = String::from_utf8(target).map_err(|_| bad_link(path, "is no text"))?;
        if target.starts_with('/') {
            return Err(bad_link(path, "leads outside of the repository"));
        }
        Ok(parts(&target))
    }

    fn file(&self, path: &TreePath) -> Result<ObjectId, TreeError> {
        let found = self.find(path)?;
        match found.kind {
            GitKind::Blob | GitKind::BlobExecutable | GitKind::Link => Ok(found.id),
            GitKind::Tree => Err(TreeError::WrongKind {
                path: path.clone(),
                problem: "is a directory",
            }),
            GitKind::Commit => Err(submodule(path)),
        }
    }
}

fn parts(text: &str) -> VecDeque<String> {
    text.split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .map(str::to_owned)
        .collect()
}

fn bad_link(path: &TreePath, problem: &'static str) -> TreeError {
    TreeError::BadLink {
        path: path.clone(),
        problem,
    }
}

fn submodule(path: &TreePath) -> TreeError {
    TreeError::Unsupported {
        path: path.clone(),
        problem: "submodules",
    }
}

fn unavailable(path: &TreePath, error: &ObjectError) -> TreeError {
    TreeError::Unavailable {
        path: path.clone(),
        problem: error.to_string(),
    }
}

fn entry_kind(kind: GitKind) -> EntryKind {
    match kind {
        GitKind::Tree => EntryKind::Directory,
        GitKind::Blob | GitKind::BlobExecutable => EntryKind::File,
        GitKind::Link => EntryKind::Symlink,
        GitKind::Commit => EntryKind::Submodule,
    }
}

impl Tree for GitTree {
    fn read(&self, path: &TreePath) -> Result<Arc<[u8]>, TreeError> {
        let id = self.file(path)?;
        let (_, size) = self
            .objects
            .header(id)
            .map_err(|it| unavailable(path, &it))?;
        if size > MAX_FILE_BYTES {
            return Err(TreeError::TooLarge {
                path: path.clone(),
                size,
                limit: MAX_FILE_BYTES,
            });
        }
        let bytes = self.objects.blob(id).map_err(|it| unavailable(path, &it))?;
        if bytes.len() < MAX_LFS_POINTER_BYTES && bytes.starts_with(LFS_POINTER) {
            return Err(TreeError::Unsupported {
                path: path.clone(),
                problem: "Git LFS files",
            });
        }
        Ok(bytes.into())
    }

    fn list(&self, path: &TreePath) -> Result<Vec<Entry>, TreeError> {
        let found = self.find(path)?;
        match found.kind {
            GitKind::Tree => {}
            GitKind::Commit => return Err(submodule(path)),
            GitKind::Blob | GitKind::BlobExecutable | GitKind::Link => {
                return Err(TreeError::WrongKind {
                    path: path.clone(),
                    problem: "is not a directory",
                });
            }
        }
        let entries = self
            .objects
            .tree(found.id)
            .map_err(|it| unavailable(path, &it))?;
        let listed = entries.iter().map(|entry| Entry {
            name: String::from_utf8_lossy(&entry.name).into_owned(),
            kind: entry_kind(entry.mode.kind()),
        });
        Ok(listed.collect())
    }

    fn kind(&self, path: &TreePath) -> Result<EntryKind, TreeError> {
        self.find(path).map(|found| entry_kind(found.kind))
    }

    fn size(&self, path: &TreePath) -> Result<u64, TreeError> {
        let id = self.file(path)?;
        let header = self
            .objects
            .header(id)
            .map_err(|it| unavailable(path, &it))?;
        Ok(header.1)
    }

    fn content_id(&self, path: &TreePath) -> Result<ContentId, TreeError> {
        self.file(path).map(|id| ContentId::new(id.as_bytes()))
    }
}
