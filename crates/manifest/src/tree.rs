//! The files of one revision: what rendering reads instead of a file system.

use std::fmt;
use std::sync::Arc;

use crate::ContentId;

/// A place in a [`Tree`]: relative, `/`-separated, without `.` and `..`; the empty path is the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePath(String);

/// Why a text is no path in a tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// More `..` than there are folders above.
    #[error("path {0:?} leads outside of the repository")]
    Outside(String),
    /// A NUL byte.
    #[error("path {0:?} holds a NUL byte")]
    Nul(String),
}

impl TreePath {
    /// The root of the tree.
    #[must_use]
    pub fn root() -> Self {
        TreePath::default()
    }

    /// Reads a path relative to the root; `.`, `..` and doubled slashes are resolved, and a leading
    /// `/` means the root.
    ///
    /// # Errors
    /// [`PathError`] when it leads outside or holds a NUL byte.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        TreePath::root().join(text)
    }

    /// Follows `text` from this folder; a leading `/` starts at the root.
    ///
    /// # Errors
    /// [`PathError`] when it leads outside or holds a NUL byte.
    pub fn join(&self, text: &str) -> Result<Self, PathError> {
        if text.contains('\0') {
            return Err(PathError::Nul(text.to_owned()));
        }
        let base = if text.starts_with('/') {
            ""
        } else {
            self.as_str()
        };
        let mut parts: Vec<&str> = base.split('/').filter(|part| !part.is_empty()).collect();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts
                        .pop()
                        .ok_or_else(|| PathError::Outside(text.to_owned()))?;
                }
                name => parts.push(name),
            }
        }
        Ok(TreePath(parts.join("/")))
    }

    /// The text; empty for the root.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The folder above; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<TreePath> {
        if self.is_root() {
            return None;
        }
        Some(TreePath(
            self.0
                .rsplit_once('/')
                .map_or(String::new(), |(above, _)| above.to_owned()),
        ))
    }

    /// The last part; empty for the root.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0
            .rsplit_once('/')
            .map_or(self.as_str(), |(_, name)| name)
    }
}

impl fmt::Display for TreePath {
    /// The text, `.` for the root.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "." } else { &self.0 })
    }
}

/// What a name in a tree stands for, symlinks followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A link as listed; [`Tree::kind`] never gives it, as it follows links.
    Symlink,
    /// A submodule, which is refused when it is read.
    Submodule,
}

/// One name of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name in its folder.
    pub name: String,
    /// What it is; links are not followed here.
    pub kind: EntryKind,
}

/// Why a tree did not give what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// There is nothing at this path. A render may go on.
    #[error("{0}: no such file or directory")]
    NotFound(TreePath),
    /// A file was asked for, and there is a folder, or the reverse.
    #[error("{path}: {problem}")]
    WrongKind {
        /// The place.
        path: TreePath,
        /// Such as "is a directory".
        problem: &'static str,
    },
    /// A link leads outside of the tree, or in circles.
    #[error("{path}: symbolic link {problem}")]
    BadLink {
        /// The place of the link.
        path: TreePath,
        /// Such as "leads outside of the repository".
        problem: &'static str,
    },
    /// Submodules and LFS files are not read.
    #[error("{path}: {problem} are not supported")]
    Unsupported {
        /// The place.
        path: TreePath,
        /// `submodules` or `Git LFS files`.
        problem: &'static str,
    },
    /// A file is over the limit.
    #[error("{path}: {size} bytes, more than the limit of {limit}")]
    TooLarge {
        /// The place.
        path: TreePath,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The store could not answer. Retryable; never means "missing".
    #[error("{path}: cannot be read now: {problem}")]
    Unavailable {
        /// The place.
        path: TreePath,
        /// What the store said.
        problem: String,
    },
}

/// The files of one revision: a pure function of the revision, complete before rendering starts.
///
/// Links are followed inside the tree by `read`, `list` (the folder asked for) and `kind`; there is
/// no host file system behind it, so a path that leads outside has nowhere to go.
pub trait Tree: Send + Sync {
    /// The bytes of a file.
    ///
    /// # Errors
    /// [`TreeError`]; `NotFound` is a fact of the revision, `Unavailable` is not.
    fn read(&self, path: &TreePath) -> Result<Arc<[u8]>, TreeError>;

    /// The names in a folder, sorted by name.
    ///
    /// # Errors
    /// As [`Tree::read`].
    fn list(&self, path: &TreePath) -> Result<Vec<Entry>, TreeError>;

    /// What is at a path, links followed.
    ///
    /// # Errors
    /// As [`Tree::read`].
    fn kind(&self, path: &TreePath) -> Result<EntryKind, TreeError>;

    /// The size of a file in bytes, without reading it where the store can.
    ///
    /// # Errors
    /// As [`Tree::read`].
    fn size(&self, path: &TreePath) -> Result<u64, TreeError>;

    /// An id of a file's content, without reading it where the store can: equal ids, equal bytes.
    /// Ids of one kind of tree are compared with each other only.
    ///
    /// # Errors
    /// As [`Tree::read`].
    fn content_id(&self, path: &TreePath) -> Result<ContentId, TreeError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_leave_the_tree() {
        let check = |text: &str, want: Option<&str>| {
            assert_eq!(
                TreePath::parse(text).ok().as_ref().map(TreePath::as_str),
                want,
                "{text}"
            );
        };
        check("a/./b//c/", Some("a/b/c"));
        check("/a", Some("a"));
        check("a/../b", Some("b"));
        check("a/../..", None);
        check("a\0", None);
        check(".", Some(""));
    }
}
