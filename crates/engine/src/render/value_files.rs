//! Which files a source's `valueFiles` and `fileParameters` name (sources.md R17 to R21).
//!
//! Read [`Resolver`]. All that it finds is in the tree: other sources are mounted under `$name`, what
//! URLs name under the place that a [`Lack`] says. A path cannot leave the repository that it starts
//! in.

use std::collections::BTreeSet;

use manifest::{EntryKind, Tree, TreeError, TreePath};

use super::environment::Asked;
use super::lack::Lack;
use crate::glob::{Dialect, matches};

/// The most files that one pattern may look at.
const MAX_LOOKED_AT: usize = 100_000;

/// The deepest folder that a pattern goes into.
const MAX_DEPTH: usize = 64;

/// Finds the files that a source names.
pub(super) struct Resolver<'a> {
    tree: &'a dyn Tree,
    /// Where the source's chart is.
    folder: &'a TreePath,
    asked: &'a Asked<'a>,
}

/// What a pattern is looked up for.
struct Search {
    kind: EntryKind,
    /// How many entries may be looked at yet.
    left: usize,
    found: BTreeSet<TreePath>,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// A file, or the pattern of some, in the tree; the root of its repository is kept.
    Local { root: TreePath, path: TreePath },
    /// What is at a URL, which may be lacking yet.
    Remote(Lack),
}

impl<'a> Resolver<'a> {
    pub(super) fn new(tree: &'a dyn Tree, folder: &'a TreePath, asked: &'a Asked<'a>) -> Self {
        Resolver {
            tree,
            folder,
            asked,
        }
    }

    /// What a name stands for; whether there is such a file is not looked at.
    pub(super) fn named(&self, raw: &str) -> Result<Named, String> {
        let (first, rest) = raw.split_once('/').unwrap_or((raw, ""));
        let references = &self.asked.environment().references;
        if let Some(name) = first.strip_prefix('$')
            && references.iter().any(|known| known == name)
        {
            let root = TreePath::parse(first).map_err(|it| it.to_string())?;
            let rest = self.asked.substitute(rest);
            return self.local(&root, &root, rest.trim_start_matches('/'), raw);
        }
        let text = self.asked.substitute(raw);
        if let Some(scheme) = scheme(&text) {
            let allowed = &self.asked.environment().value_file_schemes;
            if !allowed.iter().any(|it| it.eq_ignore_ascii_case(scheme)) {
                return Err(format!("the URL scheme '{scheme}' is not allowed"));
            }
            return Lack::file(&text)
                .map(Named::Remote)
                .map_err(|it| it.to_string());
        }
        let root = TreePath::root();
        match text.strip_prefix('/') {
            Some(rest) => self.local(&root, &root, rest, &text),
            None => self.local(&root, self.folder, &text, &text),
        }
    }

    fn local(
        &self,
        root: &TreePath,
        folder: &TreePath,
        text: &str,
        shown: &str,
    ) -> Result<Named, String> {
        let outside = || format!("file '{shown}' resolved to outside repository root");
        let path = folder
            .join(text.trim_start_matches('/'))
            .map_err(|_| outside())?;
        let is_inside = root.is_root()
            || path
                .as_str()
                .strip_prefix(root.as_str())
                .is_some_and(|rest| rest.starts_with('/'));
        if path == *root || !is_inside {
            return Err(outside());
        }
        match self.tree.kind(&path) {
            Err(TreeError::BadLink { .. }) => Err(outside()),
            _ => Ok(Named::Local {
                root: root.clone(),
                path,
            }),
        }
    }

    /// The files, or folders, that match a pattern, in the order of their names.
    pub(super) fn matching(
        &self,
        pattern: &TreePath,
        kind: EntryKind,
    ) -> Result<Vec<TreePath>, TreeError> {
        let parts: Vec<&str> = pattern.as_str().split('/').collect();
        let mut search = Search {
            kind,
            left: MAX_LOOKED_AT,
            found: BTreeSet::new(),
        };
        self.walk(&TreePath::root(), (&parts, 0), &mut search)?;
        Ok(search.found.into_iter().collect())
    }

    fn walk(
        &self,
        folder: &TreePath,
        (parts, depth): (&[&str], usize),
        search: &mut Search,
    ) -> Result<(), TreeError> {
        let Some((part, rest)) = parts.split_first() else {
            return Ok(());
        };
        if depth > MAX_DEPTH {
            return Ok(());
        }
        if !is_pattern(part) {
            let Ok(path) = folder.join(part) else {
                return Ok(());
            };
            return self.enter(&path, (rest, depth), search);
        }
        if *part == "**" {
            // No folder at all, or one and again.
            self.walk(folder, (rest, depth), search)?;
        }
        let entries = match self.tree.list(folder) {
            Ok(entries) => entries,
            Err(error @ TreeError::Unavailable { .. }) => return Err(error),
            Err(_) => return Ok(()),
        };
        for entry in entries {
            let Some(fewer) = search.left.checked_sub(1) else {
                return Ok(());
            };
            search.left = fewer;
            let Ok(path) = folder.join(&entry.name) else {
                continue;
            };
            if *part == "**" {
                if entry.kind == EntryKind::Directory {
                    self.walk(&path, (parts, depth + 1), search)?;
                } else if rest.is_empty() && search.kind == EntryKind::File {
                    search.found.insert(path);
                }
            } else if matches(part, &entry.name, Dialect::Shell) {
                self.enter(&path, (rest, depth), search)?;
            }
        }
        Ok(())
    }

    fn enter(
        &self,
        path: &TreePath,
        (rest, depth): (&[&str], usize),
        search: &mut Search,
    ) -> Result<(), TreeError> {
        match self.tree.kind(path) {
            Ok(kind) if rest.is_empty() && kind == search.kind => {
                search.found.insert(path.clone());
                Ok(())
            }
            Ok(EntryKind::Directory) => self.walk(path, (rest, depth + 1), search),
            Err(error @ TreeError::Unavailable { .. }) => Err(error),
            // A link that leads out of the repository is in no listing of it.
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// Whether a name is a pattern of several.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The scheme, where Go's `url.Parse` finds one.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let is_first = |byte: u8| byte.is_ascii_alphabetic();
    let is_other = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_scheme = scheme.bytes().next().is_some_and(is_first) && scheme.bytes().all(is_other);
    is_scheme.then_some(scheme)
}
