//! A folder of this machine as a tree. Read [`Disk`].
//!
//! For the command line only, where a person names a folder of theirs: links are followed wherever
//! they lead, as other tools do. What a controller renders never comes from here.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use manifest::{ContentId, Entry, EntryKind, Tree, TreeError, TreePath};

/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// A folder.
pub(super) struct Disk(PathBuf);

impl Disk {
    pub(super) fn new(folder: &Path) -> Self {
        Disk(folder.to_owned())
    }

    fn metadata(&self, path: &TreePath) -> Result<(PathBuf, fs::Metadata), TreeError> {
        let place = self.0.join(path.as_str());
        let metadata = fs::metadata(&place).map_err(|error| failed(path, &error))?;
        Ok((place, metadata))
    }
}

fn failed(path: &TreePath, error: &io::Error) -> TreeError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => TreeError::NotFound(path.clone()),
        io::ErrorKind::IsADirectory => TreeError::WrongKind {
            path: path.clone(),
            problem: "is a directory",
        },
        _ => TreeError::Unavailable {
            path: path.clone(),
            problem: error.to_string(),
        },
    }
}

fn kind_of(metadata: &fs::Metadata) -> EntryKind {
    match metadata.is_dir() {
        true => EntryKind::Directory,
        false => EntryKind::File,
    }
}

/// What an entry of a folder is, where a link leads; the system is only asked about links.
fn kind_of_entry(entry: &fs::DirEntry) -> Option<EntryKind> {
    match entry.file_type() {
        Ok(known) if known.is_dir() => Some(EntryKind::Directory),
        Ok(known) if known.is_file() => Some(EntryKind::File),
        _ => fs::metadata(entry.path()).ok().map(|it| kind_of(&it)),
    }
}

/// What is in a file; one byte more than the largest may have shows that it is larger.
fn content_of(place: &Path) -> io::Result<Vec<u8>> {
    let file = fs::File::open(place)?;
    let size = file.metadata()?.len();
    let mut content = Vec::with_capacity(size.min(MAX_FILE_BYTES) as usize + 1);
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut content)?;
    Ok(content)
}

impl Tree for Disk {
    fn read(&self, path: &TreePath) -> Result<Arc<[u8]>, TreeError> {
        let place = self.0.join(path.as_str());
        let content = content_of(&place).map_err(|error| failed(path, &error))?;
        if content.len() as u64 > MAX_FILE_BYTES {
            return Err(TreeError::TooLarge {
                path: path.clone(),
                size: fs::metadata(place).map_or(MAX_FILE_BYTES + 1, |it| it.len()),
                limit: MAX_FILE_BYTES,
            });
        }
        Ok(content.into())
    }

    fn list(&self, path: &TreePath) -> Result<Vec<Entry>, TreeError> {
        let entries = fs::read_dir(self.0.join(path.as_str())).map_err(|it| failed(path, &it))?;
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| failed(path, &error))?;
            // A link that leads nowhere is no file.
            let Some(kind) = kind_of_entry(&entry) else {
                continue;
            };
            found.push(Entry {
                name: entry.file_name().to_string_lossy().into_owned(),
                kind,
            });
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    fn kind(&self, path: &TreePath) -> Result<EntryKind, TreeError> {
        self.metadata(path).map(|(_, metadata)| kind_of(&metadata))
    }

    fn size(&self, path: &TreePath) -> Result<u64, TreeError> {
        self.metadata(path).map(|(_, metadata)| metadata.len())
    }

    fn content_id(&self, path: &TreePath) -> Result<ContentId, TreeError> {
        self.read(path).map(|content| ContentId::of(&content))
    }
}
