//! Where the files of a kustomization are read: folders in each other's tracks, and what may be read.
//!
//! Read [`Folder`] first. Paths in messages begin with `/`, the root of the tree.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use manifest::{EntryKind, Tree, TreeError, TreePath};

use crate::error::{Error, Result, fail};
use crate::limits::MAX_BYTES;
use crate::origin::shown;

/// Which files a kustomization may read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadRestriction {
    /// Those in or below its folder.
    #[default]
    RootOnly,
    /// All in the tree.
    None,
}

/// A folder with a kustomization, and how the build came there.
#[derive(Clone)]
pub(crate) struct Folder<'a> {
    tree: &'a dyn Tree,
    path: TreePath,
    restriction: LoadRestriction,
    /// Whether the tree is another repository than that of the one before.
    is_repository: bool,
    before: Option<Rc<Folder<'a>>>,
    /// Bytes that the build has read so far.
    n_read: Rc<Cell<usize>>,
}

impl<'a> Folder<'a> {
    /// The folder in which a build begins.
    ///
    /// # Errors
    /// It is no folder.
    pub(crate) fn first(
        tree: &'a dyn Tree,
        path: &TreePath,
        restriction: LoadRestriction,
    ) -> Result<Self> {
        check_folder(tree, path)?;
        Ok(Folder {
            tree,
            path: path.clone(),
            restriction,
            is_repository: false,
            before: None,
            n_read: Rc::default(),
        })
    }

    /// As messages show it.
    pub(crate) fn shown(&self) -> String {
        shown(&self.path)
    }

    /// The last part of its path.
    pub(crate) fn name(&self) -> &str {
        self.path.name()
    }

    /// Its path in its tree.
    pub(crate) fn path(&self) -> &TreePath {
        &self.path
    }

    /// Its tree.
    pub(crate) fn tree(&self) -> &'a dyn Tree {
        self.tree
    }

    /// Whether the way here left the tree in which the build began.
    pub(crate) fn is_in_repository(&self) -> bool {
        let before = self.before.as_ref();
        self.is_repository || before.is_some_and(|before| before.is_in_repository())
    }

    /// How many folders lead here.
    pub(crate) fn depth(&self) -> usize {
        1 + self.before.as_ref().map_or(0, |before| before.depth())
    }

    /// The folder that `path` leads to.
    ///
    /// # Errors
    /// It is no folder, lies outside, or is one of those that led here or above one of them.
    pub(crate) fn enter(self: &Rc<Self>, path: &str) -> Result<Self> {
        if path.is_empty() {
            return fail("new root cannot be empty");
        }
        if path.starts_with('/') {
            return fail(format!("new root '{path}' cannot be absolute"));
        }
        let Ok(found) = self.path.join(path) else {
            return fail(format!(
                "must build at directory: '{path}' leads outside of the repository"
            ));
        };
        check_folder(self.tree, &found)?;
        let folder = Folder {
            tree: self.tree,
            path: found,
            restriction: self.restriction,
            is_repository: false,
            before: Some(Rc::clone(self)),
            n_read: Rc::clone(&self.n_read),
        };
        folder.check_cycle()?;
        Ok(folder)
    }

    /// A folder of another repository.
    ///
    /// # Errors
    /// It is no folder there.
    pub(crate) fn enter_repository(
        self: &Rc<Self>,
        tree: &'a dyn Tree,
        path: &str,
    ) -> Result<Self> {
        let Ok(path) = TreePath::parse(path) else {
            return fail(format!("url path exits repo: {path}"));
        };
        check_folder(tree, &path)?;
        Ok(Folder {
            tree,
            path,
            restriction: LoadRestriction::RootOnly,
            is_repository: true,
            before: Some(Rc::clone(self)),
            n_read: Rc::clone(&self.n_read),
        })
    }

    fn check_cycle(&self) -> Result<()> {
        let mut here = self.before.as_ref();
        while let Some(before) = here {
            if is_in(&before.path, &self.path) {
                return fail(format!(
                    "cycle detected: candidate root '{}' contains visited root '{}'",
                    self.shown(),
                    before.shown()
                ));
            }
            if before.is_repository {
                return Ok(());
            }
            here = before.before.as_ref();
        }
        Ok(())
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It is missing, a folder, or not one that may be read.
    pub(crate) fn read(&self, path: &str) -> Result<Arc<[u8]>> {
        let bytes = self.read_unlimited(path)?;
        let n_read = self.n_read.get().saturating_add(bytes.len());
        self.n_read.set(n_read);
        if n_read > MAX_BYTES {
            return Err(Error::Limit {
                what: "number of bytes read",
                limit: MAX_BYTES,
            });
        }
        Ok(bytes)
    }

    fn read_unlimited(&self, path: &str) -> Result<Arc<[u8]>> {
        let Ok(found) = self.path.join(path) else {
            let root = self.shown();
            return fail(format!(
                "security; file '{path}' is not in or below '{root}'"
            ));
        };
        match self.restriction {
            LoadRestriction::None => self.tree.read(&found).or_else(|error| match error {
                TreeError::NotFound(_) => {
                    fail(format!("open {}: no such file or directory", shown(&found)))
                }
                TreeError::WrongKind { .. } => {
                    fail(format!("read {}: is a directory", shown(&found)))
                }
                error => refuse(error),
            }),
            LoadRestriction::RootOnly => {
                let kind = kind(self.tree, &found)?;
                if kind != EntryKind::File {
                    return fail(format!("'{}' must resolve to a file", shown(&found)));
                }
                if !is_in(&found, &self.path) {
                    return fail(format!(
                        "security; file '{}' is not in or below '{}'",
                        shown(&found),
                        self.shown()
                    ));
                }
                self.tree.read(&found).or_else(refuse)
            }
        }
    }

    /// Whether there is a file of this name in the folder itself.
    pub(crate) fn has_file(&self, name: &str) -> Result<bool> {
        let Ok(path) = self.path.join(name) else {
            return Ok(false);
        };
        match self.tree.kind(&path) {
            Ok(kind) => Ok(kind == EntryKind::File),
            Err(TreeError::Unavailable { path, problem }) => {
                Err(Error::Unavailable(TreeError::Unavailable { path, problem }))
            }
            Err(_) => Ok(false),
        }
    }
}

/// Whether `path` is `folder` or below it.
fn is_in(path: &TreePath, folder: &TreePath) -> bool {
    let below = path.as_str().strip_prefix(folder.as_str());
    folder.is_root() || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn refuse<T>(error: TreeError) -> Result<T> {
    match error {
        error @ TreeError::Unavailable { .. } => Err(Error::Unavailable(error)),
        error => fail(error.to_string()),
    }
}

/// What is at a path, or which part of the path is missing.
fn kind(tree: &dyn Tree, path: &TreePath) -> Result<EntryKind> {
    match tree.kind(path) {
        Ok(kind) => return Ok(kind),
        Err(TreeError::NotFound(_) | TreeError::WrongKind { .. }) => {}
        Err(error) => return refuse(error),
    }
    let mut parts = path.as_str().split('/');
    let mut at = TreePath::root();
    let (missing, why) = loop {
        let Some(part) = parts.next() else {
            break (path.clone(), "no such file or directory");
        };
        at = at.join(part).unwrap_or(at);
        match tree.kind(&at) {
            Ok(EntryKind::Directory) => {}
            Ok(_) if at != *path => break (path.clone(), "not a directory"),
            Ok(kind) => return Ok(kind),
            Err(TreeError::NotFound(_)) => break (at, "no such file or directory"),
            Err(error) => return refuse(error),
        }
    };
    fail(format!(
        "evalsymlink failure on '{}' : lstat {}: {why}",
        shown(path),
        shown(&missing)
    ))
}

fn check_folder(tree: &dyn Tree, path: &TreePath) -> Result<()> {
    let kind = kind(tree, path)
        .map_err(|error| error.within("must build at directory: not a valid directory"))?;
    if kind == EntryKind::Directory {
        return Ok(());
    }
    fail(format!(
        "must build at directory: '{}': file is not directory",
        shown(path)
    ))
}
