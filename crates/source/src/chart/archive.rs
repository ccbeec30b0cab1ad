//! Archives of charts and artifacts as trees in memory. Read [`unpack`].
//!
//! Nothing is ever written to a disk, so there is nothing to escape to; a name that tries is
//! refused all the same, as it says what the archive is for. Every size is bounded while reading.

use std::io::{self, Read};
use std::sync::Arc;

use manifest::trees::Files;
use manifest::{Tree, TreePath};

/// The most entries: a chart with its dependencies has hundreds.
const MAX_ENTRIES: usize = 50_000;

/// The most bytes of all files together; Argo CD's limit is 1 GB on disk, ours is in memory.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// How many bytes one byte of an archive may become, beyond [`FREE_BYTES`]: YAML packs some 20 to
/// 1, a bomb 1,000 to 1.
const MAX_RATIO: u64 = 200;

/// What any archive may unpack to, whatever its ratio is.
const FREE_BYTES: u64 = 16 * 1024 * 1024;

/// The deepest folder: Helm nests dependencies, but not more than a few times.
const MAX_DEPTH: usize = 64;

/// The longest path.
const MAX_PATH_BYTES: usize = 1024;

/// Why an archive is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// It is no gzip, or no tar, or ends too early.
    #[error("it cannot be read: {0}")]
    Broken(String),
    /// An entry's name leads outside.
    #[error("entry {0:?} leads outside of the archive")]
    Escapes(String),
    /// An entry is a link, a device or something else that is no file.
    #[error("entry {name:?} is {kind}, which is not read")]
    NotAFile {
        /// The name.
        name: String,
        /// Such as "a link".
        kind: &'static str,
    },
    /// Too many, too large, too deep or too well packed.
    #[error("it has more than {0}")]
    Limit(String),
    /// A chart's archive has its files in one folder.
    #[error("its files are not in one folder")]
    NoFolder,
}

/// Whether the files are in a folder of their own, as in charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One folder at the top, which is left away: archives of charts.
    InFolder,
    /// As they are: archives of artifacts.
    Plain,
}

/// Reads a tar, or a tar in gzip, into a tree.
///
/// # Errors
/// [`ArchiveError`]: broken, over a limit, or with an entry that is no plain file or folder below
/// the top.
pub fn unpack(bytes: &[u8], layout: Layout) -> Result<Arc<dyn Tree>, ArchiveError> {
    let packed = bytes.len() as u64;
    let most = MAX_BYTES.min(FREE_BYTES.max(packed.saturating_mul(MAX_RATIO)));
    let files = if bytes.starts_with(&[0x1f, 0x8b]) {
        files_of(flate2::read::MultiGzDecoder::new(bytes), most)?
    } else {
        files_of(bytes, most)?
    };
    let files = match layout {
        Layout::Plain => files,
        Layout::InFolder => without_folder(&files)?,
    };
    Ok(Arc::new(files))
}

fn files_of(input: impl Read, most: u64) -> Result<Files, ArchiveError> {
    let limit = || ArchiveError::Limit(format!("{most} bytes"));
    // Headers count too: an archive of empty entries must end as well.
    let mut input = Bounded {
        input,
        left: most.saturating_mul(2),
    };
    let broken = |error: &io::Error| match error.kind() {
        io::ErrorKind::FileTooLarge => limit(),
        _ => ArchiveError::Broken(error.to_string()),
    };
    let mut archive = tar::Archive::new(&mut input);
    let mut files = Files::default();
    let mut left = most;
    for (number, entry) in archive.entries().map_err(|it| broken(&it))?.enumerate() {
        if number >= MAX_ENTRIES {
            return Err(ArchiveError::Limit(format!("{MAX_ENTRIES} entries")));
        }
        let entry = entry.map_err(|it| broken(&it))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let path = path_of(&name)?;
        match entry.header().entry_type() {
            tar::EntryType::Regular | tar::EntryType::Continuous => {}
            tar::EntryType::Directory | tar::EntryType::XGlobalHeader | tar::EntryType::XHeader => {
                continue;
            }
            tar::EntryType::Symlink | tar::EntryType::Link => {
                return Err(ArchiveError::NotAFile {
                    name,
                    kind: "a link",
                });
            }
            _ => {
                let kind = "a device or something else";
                return Err(ArchiveError::NotAFile { name, kind });
            }
        }
        if entry.size() > left {
            return Err(limit());
        }
        let mut content = Vec::new();
        let read = entry.take(left).read_to_end(&mut content);
        left -= read.map_err(|it| broken(&it))? as u64;
        files.insert(path, content.into());
    }
    Ok(files)
}

/// The place of an entry. A `..` is refused even where it stays inside: no honest archive has one.
fn path_of(name: &str) -> Result<TreePath, ArchiveError> {
    let outside = || ArchiveError::Escapes(name.chars().take(MAX_PATH_BYTES).collect());
    if name.len() > MAX_PATH_BYTES {
        return Err(ArchiveError::Limit(format!(
            "{MAX_PATH_BYTES} bytes in a path"
        )));
    }
    let name = name.replace('\\', "/");
    let mut parts = name.split('/').filter(|it| !it.is_empty() && *it != ".");
    let is_drive = name.as_bytes().get(1) == Some(&b':');
    if name.starts_with('/') || is_drive || parts.clone().any(|it| it == "..") {
        return Err(outside());
    }
    if parts.clone().count() > MAX_DEPTH {
        return Err(ArchiveError::Limit(format!(
            "{MAX_DEPTH} folders in each other"
        )));
    }
    let text = parts.by_ref().collect::<Vec<_>>().join("/");
    TreePath::parse(&text).map_err(|_| outside())
}

fn without_folder(files: &Files) -> Result<Files, ArchiveError> {
    let mut top: Option<String> = None;
    let mut inner = Files::default();
    for (path, content) in files.iter() {
        let (folder, rest) = path
            .as_str()
            .split_once('/')
            .ok_or(ArchiveError::NoFolder)?;
        if top.get_or_insert_with(|| folder.to_owned()) != folder {
            return Err(ArchiveError::NoFolder);
        }
        let path = TreePath::parse(rest).map_err(|_| ArchiveError::NoFolder)?;
        inner.insert(path, content.clone());
    }
    Ok(inner)
}

/// Ends with an error, not with an end of file, when there is too much.
struct Bounded<R> {
    input: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.input.read(into)?;
        self.left = self
            .left
            .checked_sub(n_bytes as u64)
            .ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(n_bytes)
    }
}

#[cfg(test)]
mod tests;
