//! Where the files of `up` come from: a folder with its edits, or commits of a repository.
//!
//! Read [`Origin`] first. It must never know an Application.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use controller::Place;
use manifest::{EntryKind, Tree, TreePath};
use source::{Credentials, Freshness, Reference, RepoUrl, Repository, Snapshot, Store, WorkTree};

/// What a person points `up` at.
#[derive(Clone, Debug)]
pub(crate) enum Location {
    /// A folder or file of this machine.
    Path(PathBuf),
    /// A repository elsewhere.
    Url(RepoUrl),
}

impl Location {
    /// Reads an argument: what exists is a path, else what looks like a URL is one.
    ///
    /// # Errors
    /// When it is a URL that cannot be used.
    pub(crate) fn parse(text: &str) -> Result<Self, source::UrlError> {
        let looks_like_url = text.contains("://")
            || text
                .split_once(':')
                .is_some_and(|(host, _)| host.contains('@') && !host.contains('/'));
        if looks_like_url && !Path::new(text).exists() {
            return Ok(Location::Url(RepoUrl::parse(text)?));
        }
        Ok(Location::Path(text.into()))
    }

    /// What its data directory is called after: the repository's folder, or its URL.
    ///
    /// # Errors
    /// When there is no such folder.
    pub(crate) fn identity(&self) -> Result<PathBuf> {
        match self {
            Location::Path(path) => repository_of(path),
            Location::Url(url) => Ok(url.normalized().into()),
        }
    }
}

/// The repository around a folder: the closest folder above with a `.git`, else itself.
///
/// # Errors
/// When there is no such folder.
pub(crate) fn repository_of(path: &Path) -> Result<PathBuf> {
    let path = path
        .canonicalize()
        .with_context(|| format!("cannot read {}", path.display()))?;
    let folder = if path.is_dir() {
        path.as_path()
    } else {
        path.parent().unwrap_or(&path)
    };
    let found = folder
        .ancestors()
        .find(|folder| folder.join(".git").exists());
    Ok(found.unwrap_or(folder).to_owned())
}

/// Where files come from.
pub(crate) enum Origin {
    /// A folder as it is.
    Folder(WorkTree),
    /// What is committed in a folder, at this reference.
    Committed(WorkTree, Repository, Reference),
    /// What is committed in a repository elsewhere, at this reference.
    Remote(Repository, Reference),
}

impl Origin {
    /// Opens what a person pointed at; reads no file yet.
    ///
    /// # Errors
    /// When there is no such folder, or a reference is asked of a folder that is no repository.
    pub(crate) fn open(
        store: &Store,
        location: &Location,
        reference: Option<&str>,
    ) -> Result<Self> {
        let asked = reference.map(Reference::parse).transpose()?;
        let path = match location {
            Location::Path(path) => path,
            Location::Url(url) => {
                let repository = store.repository(url, &Credentials::default())?;
                let head = Reference::parse("HEAD").expect("a reference that every repository has");
                return Ok(Origin::Remote(repository, asked.unwrap_or(head)));
            }
        };
        let tree = WorkTree::open(store, &repository_of(path)?)?;
        let Some(reference) = asked else {
            return Ok(Origin::Folder(tree));
        };
        match tree.committed().cloned() {
            Some(repository) => Ok(Origin::Committed(tree, repository, reference)),
            None => bail!(
                "--ref needs a Git repository, and {} is none",
                tree.root().display()
            ),
        }
    }

    /// The folder, where it is one.
    pub(crate) fn root(&self) -> Option<&Path> {
        match self {
            Origin::Folder(tree) | Origin::Committed(tree, ..) => Some(tree.root()),
            Origin::Remote(..) => None,
        }
    }

    /// The URL of the repository itself.
    pub(crate) fn url(&self) -> &RepoUrl {
        match self {
            Origin::Folder(tree) | Origin::Committed(tree, ..) => tree.url(),
            Origin::Remote(repository, _) => repository.url(),
        }
    }

    /// The URLs by which its Applications may name it.
    pub(crate) fn urls(&self) -> Vec<String> {
        let remotes = match self {
            Origin::Folder(tree) | Origin::Committed(tree, ..) => tree.remotes(),
            Origin::Remote(..) => &[],
        };
        let urls = remotes.iter().chain([self.url()]);
        urls.map(ToString::to_string).collect()
    }

    /// What the controller reads for these URLs.
    pub(crate) fn place(&self) -> Place {
        match self {
            Origin::Folder(tree) => Place::Folder(tree.clone()),
            Origin::Committed(_, repository, reference) | Origin::Remote(repository, reference) => {
                Place::Commits(repository.clone(), reference.clone())
            }
        }
    }

    /// The repository's own name.
    pub(crate) fn name(&self) -> String {
        let path = match self.root() {
            Some(root) => root.to_owned(),
            None => PathBuf::from(self.url().path()),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.strip_suffix(".git").unwrap_or(&name).to_owned()
    }

    /// Where a path that a person gave is in the files: counted from the current folder, or from the
    /// root of a repository elsewhere.
    ///
    /// # Errors
    /// When it does not exist or is outside of the folder.
    pub(crate) fn inside(&self, path: &Path) -> Result<TreePath> {
        let Some(root) = self.root() else {
            return Ok(TreePath::parse(text(path)?)?);
        };
        let full = path
            .canonicalize()
            .with_context(|| format!("cannot read {}", path.display()))?;
        let relative = full
            .strip_prefix(root)
            .with_context(|| format!("{} is outside of {}", path.display(), root.display()))?;
        Ok(TreePath::parse(text(relative)?)?)
    }

    /// One line about it, with the chosen path in it.
    pub(crate) fn title(&self, place: &TreePath) -> String {
        let whole = match self.root() {
            Some(root) => root.display().to_string(),
            None => self.url().to_string(),
        };
        let place = if place.is_root() {
            whole
        } else {
            format!("{place} in {whole}")
        };
        match self {
            Origin::Committed(_, _, reference) => {
                format!("{place}, as committed at {}", reference.as_str())
            }
            Origin::Remote(_, reference) => format!("{place}, at {}", reference.as_str()),
            Origin::Folder(tree) => match (tree.committed(), tree.branch()) {
                (None, _) => format!("{place}, a folder without Git"),
                (Some(_), Some(branch)) => format!("{place}, branch {branch} with your edits"),
                (Some(_), None) => format!("{place}, with your edits"),
            },
        }
    }

    /// The files as they are now.
    ///
    /// # Errors
    /// When they cannot be read, or the reference is unknown.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot> {
        match self {
            Origin::Folder(tree) => Ok(tree.snapshot().await?),
            Origin::Committed(_, repository, reference) | Origin::Remote(repository, reference) => {
                let revision = repository.resolve(reference, Freshness::Now).await?;
                Ok(repository.snapshot(&revision).await?)
            }
        }
    }

    /// The folders in which a change is to be noticed: those of the files, or where Git keeps its
    /// references; none of a repository elsewhere, which has to be asked.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub(crate) fn folders(&self, files: &dyn Tree) -> Result<Vec<PathBuf>> {
        let mut folders = Vec::new();
        match self {
            Origin::Folder(tree) => {
                folders_of(files, &TreePath::root(), tree.root(), &mut folders)?;
            }
            Origin::Committed(tree, ..) => {
                folders.push(tree.root().join(".git"));
                folders_below(&tree.root().join(".git/refs"), &mut folders);
            }
            Origin::Remote(..) => {}
        }
        Ok(folders)
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is no UTF-8", path.display()))
}

/// The folders of a tree, as paths of the host.
fn folders_of(
    tree: &dyn Tree,
    folder: &TreePath,
    root: &Path,
    folders: &mut Vec<PathBuf>,
) -> Result<()> {
    folders.push(root.join(folder.as_str()));
    for entry in tree.list(folder)? {
        if entry.kind == EntryKind::Directory {
            folders_of(tree, &folder.join(&entry.name)?, root, folders)?;
        }
    }
    Ok(())
}

/// A folder of the host and those below it; one that cannot be read has none.
fn folders_below(folder: &Path, folders: &mut Vec<PathBuf>) {
    folders.push(folder.to_owned());
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            folders_below(&entry.path(), folders);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_told_from_paths() {
        for (text, is_url) in [
            (".", false),
            ("examples/guestbook", false),
            ("a:b", false),
            ("./a@b:c", false),
            ("https://host/r.git", true),
            ("ssh://git@host/r.git", true),
            ("git@host:team/r.git", true),
        ] {
            let location = Location::parse(text).expect("usable");
            assert_eq!(matches!(location, Location::Url(_)), is_url, "{text}");
        }
        assert!(Location::parse("ext::sh -c x://").is_err());
    }
}
