//! A tree of files in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use manifest::{ContentId, Entry, EntryKind, Tree, TreeError, TreePath};

#[derive(Clone, Default)]
pub(crate) struct Files(pub(crate) BTreeMap<String, String>);

impl Files {
    fn content(&self, path: &TreePath) -> Result<&String, TreeError> {
        self.0
            .get(path.as_str())
            .ok_or_else(|| match self.is_folder(path) {
                true => TreeError::WrongKind {
                    path: path.clone(),
                    problem: "is a directory",
                },
                false => TreeError::NotFound(path.clone()),
            })
    }

    fn is_folder(&self, path: &TreePath) -> bool {
        let prefix = format!("{}/", path.as_str());
        path.is_root() || self.0.keys().any(|name| name.starts_with(&prefix))
    }
}

impl Tree for Files {
    fn read(&self, path: &TreePath) -> Result<Arc<[u8]>, TreeError> {
        Ok(self.content(path)?.as_bytes().into())
    }

    fn list(&self, path: &TreePath) -> Result<Vec<Entry>, TreeError> {
        if !self.is_folder(path) {
            return Err(TreeError::NotFound(path.clone()));
        }
        let prefix = match path.as_str() {
            "" => String::new(),
            folder => format!("{folder}/"),
        };
        let mut found: BTreeMap<String, EntryKind> = BTreeMap::new();
        for rest in self.0.keys().filter_map(|name| name.strip_prefix(&prefix)) {
            match rest.split_once('/') {
                Some((folder, _)) => found.insert(folder.to_owned(), EntryKind::Directory),
                None => found.insert(rest.to_owned(), EntryKind::File),
            };
        }
        Ok(found
            .into_iter()
            .map(|(name, kind)| Entry { name, kind })
            .collect())
    }

    fn kind(&self, path: &TreePath) -> Result<EntryKind, TreeError> {
        if self.0.contains_key(path.as_str()) {
            Ok(EntryKind::File)
        } else if self.is_folder(path) {
            Ok(EntryKind::Directory)
        } else {
            Err(TreeError::NotFound(path.clone()))
        }
    }

    fn size(&self, path: &TreePath) -> Result<u64, TreeError> {
        Ok(self.content(path)?.len() as u64)
    }

    fn content_id(&self, path: &TreePath) -> Result<ContentId, TreeError> {
        Ok(ContentId::of(self.content(path)?.as_bytes()))
    }
}
