//! A tree with other trees and files in it: what a render reads may come from several places.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{ContentId, Entry, EntryKind, Tree, TreeError, TreePath};

/// Whether a mount is an entry of the folder that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Yes: a dependency that belongs into a chart's folder.
    Yes,
    /// No: it is found by who knows its name, such as another source's files.
    No,
}

/// What is at a mount.
#[derive(Clone)]
enum Content {
    Folder { tree: Arc<dyn Tree>, from: TreePath },
    File(Arc<[u8]>),
}

struct Mount {
    content: Content,
    listed: Listed,
}

/// A tree with others mounted into it. What is mounted hides what is below.
///
/// Links of one tree do not lead into another: each is read as the whole that it is.
pub struct Mounts {
    base: Arc<dyn Tree>,
    mounts: BTreeMap<TreePath, Mount>,
}

/// Where a path leads.
enum Place<'a> {
    In(&'a dyn Tree, TreePath),
    File(&'a Arc<[u8]>),
    /// Below a mounted file: there is nothing.
    Nowhere,
}

impl Mounts {
    /// Of a tree, with nothing mounted yet.
    #[must_use]
    pub fn new(base: Arc<dyn Tree>) -> Self {
        Mounts {
            base,
            mounts: BTreeMap::new(),
        }
    }

    /// Mounts the folder `from` of another tree at a path.
    #[must_use]
    pub fn folder(
        mut self,
        at: TreePath,
        (tree, from): (Arc<dyn Tree>, TreePath),
        listed: Listed,
    ) -> Self {
        let content = Content::Folder { tree, from };
        self.mounts.insert(at, Mount { content, listed });
        self
    }

    /// Mounts a file at a path.
    #[must_use]
    pub fn file(mut self, at: TreePath, content: Arc<[u8]>, listed: Listed) -> Self {
        let content = Content::File(content);
        self.mounts.insert(at, Mount { content, listed });
        self
    }

    fn place(&self, path: &TreePath) -> Place<'_> {
        let mut at = Some(path.clone());
        while let Some(folder) = at {
            if let Some(mount) = self.mounts.get(&folder) {
                let rest = path.as_str()[folder.as_str().len()..].trim_start_matches('/');
                return match &mount.content {
                    Content::File(content) if rest.is_empty() => Place::File(content),
                    Content::File(_) => Place::Nowhere,
                    Content::Folder { tree, from } => match from.join(rest) {
                        Ok(inner) => Place::In(&**tree, inner),
                        Err(_) => Place::Nowhere,
                    },
                };
            }
            at = folder.parent();
        }
        Place::In(&*self.base, path.clone())
    }

    /// What is mounted in a folder, directly or further below.
    fn mounted_in(&self, folder: &TreePath) -> BTreeMap<String, EntryKind> {
        let mut found = BTreeMap::new();
        for (at, mount) in &self.mounts {
            let rest = match folder.as_str() {
                "" => Some(at.as_str()),
                folder => at
                    .as_str()
                    .strip_prefix(folder)
                    .and_then(|it| it.strip_prefix('/')),
            };
            let Some(rest) = rest.filter(|_| mount.listed == Listed::Yes) else {
                continue;
            };
            let (name, kind) = match (rest.split_once('/'), &mount.content) {
                (Some((name, _)), _) => (name, EntryKind::Directory),
                (None, Content::Folder { .. }) => (rest, EntryKind::Directory),
                (None, Content::File(_)) => (rest, EntryKind::File),
            };
            found.insert(name.to_owned(), kind);
        }
        found
    }

    fn ask<T>(
        &self,
        path: &TreePath,
        tree: impl FnOnce(&dyn Tree, &TreePath) -> Result<T, TreeError>,
        file: impl FnOnce(&Arc<[u8]>) -> Result<T, TreeError>,
    ) -> Result<T, TreeError> {
        match self.place(path) {
            Place::File(content) => file(content),
            Place::Nowhere => Err(TreeError::NotFound(path.clone())),
            Place::In(inner_tree, inner) => {
                tree(inner_tree, &inner).map_err(|error| at(error, path))
            }
        }
    }
}

/// The same error at the path that was asked for.
fn at(error: TreeError, path: &TreePath) -> TreeError {
    let path = path.clone();
    match error {
        TreeError::NotFound(_) => TreeError::NotFound(path),
        TreeError::WrongKind { problem, .. } => TreeError::WrongKind { path, problem },
        TreeError::BadLink { problem, .. } => TreeError::BadLink { path, problem },
        TreeError::Unsupported { problem, .. } => TreeError::Unsupported { path, problem },
        TreeError::TooLarge { size, limit, .. } => TreeError::TooLarge { path, size, limit },
        TreeError::Unavailable { problem, .. } => TreeError::Unavailable { path, problem },
    }
}

impl Tree for Mounts {
    fn read(&self, path: &TreePath) -> Result<Arc<[u8]>, TreeError> {
        self.ask(
            path,
            |tree, inner| tree.read(inner),
            |file| Ok(file.clone()),
        )
    }

    fn list(&self, path: &TreePath) -> Result<Vec<Entry>, TreeError> {
        let no_folder = |_: &Arc<[u8]>| {
            Err(TreeError::WrongKind {
                path: path.clone(),
                problem: "is not a directory",
            })
        };
        let mounted = self.mounted_in(path);
        let entries = match self.ask(path, |tree, inner| tree.list(inner), no_folder) {
            Err(TreeError::NotFound(_)) if !mounted.is_empty() => Vec::new(),
            entries => entries?,
        };
        if mounted.is_empty() {
            return Ok(entries);
        }
        let own = entries.into_iter().map(|it| (it.name, it.kind));
        let mut all: BTreeMap<String, EntryKind> = own.collect();
        all.extend(mounted);
        let entry = |(name, kind)| Entry { name, kind };
        Ok(all.into_iter().map(entry).collect())
    }

    fn kind(&self, path: &TreePath) -> Result<EntryKind, TreeError> {
        let kind = self.ask(
            path,
            |tree, inner| tree.kind(inner),
            |_| Ok(EntryKind::File),
        );
        match kind {
            Err(TreeError::NotFound(_)) if !self.mounted_in(path).is_empty() => {
                Ok(EntryKind::Directory)
            }
            kind => kind,
        }
    }

    fn size(&self, path: &TreePath) -> Result<u64, TreeError> {
        self.ask(
            path,
            |tree, inner| tree.size(inner),
            |file| Ok(file.len() as u64),
        )
    }

    fn content_id(&self, path: &TreePath) -> Result<ContentId, TreeError> {
        self.ask(
            path,
            |tree, inner| tree.content_id(inner),
            |file| Ok(ContentId::of(file)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::parse(text).unwrap()
    }

    fn tree(files: &[(&str, &str)]) -> Arc<dyn Tree> {
        let empty: Arc<dyn Tree> = Arc::new(super::super::Files::default());
        let mount = |mounts: Mounts, (at, text): &(&str, &str)| {
            mounts.file(path(at), text.as_bytes().into(), Listed::Yes)
        };
        Arc::new(files.iter().fold(Mounts::new(empty), mount))
    }

    fn names(tree: &dyn Tree, at: &str) -> String {
        match tree.list(&path(at)) {
            Ok(entries) => {
                let names: Vec<_> = entries.into_iter().map(|it| it.name).collect();
                names.join(" ")
            }
            Err(error) => error.to_string(),
        }
    }

    fn text(tree: &dyn Tree, at: &str) -> String {
        match tree.read(&path(at)) {
            Ok(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_is_mounted_is_found_and_listed_as_asked() {
        let chart = tree(&[
            ("Chart.yaml", "x"),
            ("charts/a/Chart.yaml", "own"),
            ("values.yaml", "v"),
        ]);
        let other = tree(&[("deep/Chart.yaml", "other"), ("deep/t/b", "b")]);
        let mounts = Mounts::new(chart)
            .folder(
                path("charts/dep"),
                (other.clone(), path("deep")),
                Listed::Yes,
            )
            .file(path("charts/c.tgz"), b"c".as_slice().into(), Listed::Yes)
            .folder(path("$ref"), (other, TreePath::root()), Listed::No);
        let check = |got: String, want: &str| assert_eq!(got, want);
        check(names(&mounts, ""), "Chart.yaml charts values.yaml");
        check(names(&mounts, "charts"), "a c.tgz dep");
        check(names(&mounts, "charts/dep"), "Chart.yaml t");
        check(names(&mounts, "$ref"), "deep");
        check(
            names(&mounts, "charts/c.tgz"),
            "charts/c.tgz: is not a directory",
        );
        check(text(&mounts, "charts/dep/Chart.yaml"), "other");
        check(text(&mounts, "charts/a/Chart.yaml"), "own");
        check(text(&mounts, "$ref/deep/t/b"), "b");
        check(text(&mounts, "$ref/../values.yaml"), "v");
        check(text(&mounts, "$ref/x"), "$ref/x: no such file or directory");
        check(
            text(&mounts, "charts/c.tgz/x"),
            "charts/c.tgz/x: no such file or directory",
        );
        assert_eq!(mounts.kind(&path("charts/dep")), Ok(EntryKind::Directory));
        assert_eq!(mounts.size(&path("charts/c.tgz")), Ok(1));
    }
}
