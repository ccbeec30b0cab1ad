//! Files in memory as a tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{ContentId, Entry, EntryKind, PathError, Tree, TreeError, TreePath};

/// Files in memory: the content of an archive, or what a test says. There are no links, and no
/// folders without files but the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    files: BTreeMap<TreePath, Arc<[u8]>>,
    folders: BTreeMap<TreePath, BTreeMap<String, EntryKind>>,
}

impl Files {
    /// Takes files by their paths, as [`TreePath::parse`] reads them; the last one of a path counts.
    ///
    /// # Errors
    /// [`PathError`] when a path leads outside or holds a NUL byte.
    pub fn new<P: AsRef<str>, C: AsRef<[u8]>>(
        files: impl IntoIterator<Item = (P, C)>,
    ) -> Result<Self, PathError> {
        let parse = |(path, content): (P, C)| {
            Ok((TreePath::parse(path.as_ref())?, content.as_ref().into()))
        };
        files.into_iter().map(parse).collect()
    }

    /// Takes a file; one that was there at this path is replaced.
    pub fn insert(&mut self, path: TreePath, content: Arc<[u8]>) {
        let mut kind = EntryKind::File;
        let mut below = path.clone();
        while let Some(folder) = below.parent() {
            let entries = self.folders.entry(folder.clone()).or_default();
            let known = entries.insert(below.name().to_owned(), kind);
            if known == Some(kind) {
                break;
            }
            kind = EntryKind::Directory;
            below = folder;
        }
        self.files.insert(path, content);
    }

    /// The files, in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&TreePath, &Arc<[u8]>)> {
        self.files.iter()
    }

    fn is_folder(&self, path: &TreePath) -> bool {
        path.is_root() || self.folders.contains_key(path)
    }

    fn file(&self, path: &TreePath) -> Result<&Arc<[u8]>, TreeError> {
        self.files.get(path).ok_or_else(|| {
            if self.is_folder(path) {
                return TreeError::WrongKind {
                    path: path.clone(),
                    problem: "is a directory",
                };
            }
            TreeError::NotFound(path.clone())
        })
    }
}

impl FromIterator<(TreePath, Arc<[u8]>)> for Files {
    fn from_iter<I: IntoIterator<Item = (TreePath, Arc<[u8]>)>>(files: I) -> Self {
        let mut all = Files::default();
        for (path, content) in files {
            all.insert(path, content);
        }
        all
    }
}

impl Tree for Files {
    fn read(&self, path: &TreePath) -> Result<Arc<[u8]>, TreeError> {
        self.file(path).cloned()
    }

    fn list(&self, path: &TreePath) -> Result<Vec<Entry>, TreeError> {
        let Some(entries) = self.folders.get(path) else {
            if path.is_root() {
                return Ok(Vec::new());
            }
            self.file(path)?;
            return Err(TreeError::WrongKind {
                path: path.clone(),
                problem: "is not a directory",
            });
        };
        let entry = |(name, kind): (&String, &EntryKind)| Entry {
            name: name.clone(),
            kind: *kind,
        };
        Ok(entries.iter().map(entry).collect())
    }

    fn kind(&self, path: &TreePath) -> Result<EntryKind, TreeError> {
        if self.is_folder(path) {
            return Ok(EntryKind::Directory);
        }
        self.file(path).map(|_| EntryKind::File)
    }

    fn size(&self, path: &TreePath) -> Result<u64, TreeError> {
        self.file(path).map(|content| content.len() as u64)
    }

    fn content_id(&self, path: &TreePath) -> Result<ContentId, TreeError> {
        self.file(path).map(|content| ContentId::of(content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tree: &Files, path: &str, want: Result<&str, &str>) {
        let path = TreePath::parse(path).expect("a path");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let got = match tree.kind(&path) {
            Ok(EntryKind::File) => tree.read(&path).map(|bytes| text(&bytes)),
            Ok(_) => tree.list(&path).map(|entries| {
                let name = |entry: Entry| format!("{} {:?}\n", entry.name, entry.kind);
                entries.into_iter().map(name).collect()
            }),
            Err(error) => Err(error),
        };
        let got = got.map_err(|error| error.to_string());
        assert_eq!(got.as_deref().map_err(String::as_str), want, "{path}");
    }

    #[test]
    fn folders_are_where_files_are() {
        let files = [
            ("a/b/c.yaml", "c"),
            ("a/b.yaml", "b"),
            ("/d", "1"),
            ("d", "2"),
        ];
        let tree = Files::new(files).expect("paths");
        check(&tree, ".", Ok("a Directory\nd File\n"));
        check(&tree, "a", Ok("b Directory\nb.yaml File\n"));
        check(&tree, "a/b/c.yaml", Ok("c"));
        check(&tree, "d", Ok("2"));
        check(&tree, "a/c", Err("a/c: no such file or directory"));
        check(&Files::default(), ".", Ok(""));
    }

    #[test]
    fn a_file_is_no_folder_and_a_folder_no_file() {
        let tree = Files::new([("a/b", "")]).expect("paths");
        let path = |text: &str| TreePath::parse(text).expect("a path");
        let text = |error: TreeError| error.to_string();
        assert_eq!(
            tree.read(&path("a")).map_err(text),
            Err("a: is a directory".to_owned())
        );
        let want = Err("a/b: is not a directory".to_owned());
        assert_eq!(tree.list(&path("a/b")).map_err(text), want);
        assert!(Files::new([("../a", "")]).is_err());
    }
}
