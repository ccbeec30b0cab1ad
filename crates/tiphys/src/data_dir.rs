//! The folder in which `up` keeps its state between runs: private, one per repository, one user.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

/// Only the user may look inside.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
const LOCK: &str = "lock";
const KUBECONFIG: &str = "kubeconfig";
/// Hexadecimal digits of the path's hash in the folder's name; the name is for people.
const N_HASH_DIGITS: usize = 12;

/// A data directory that this process alone uses while it lives.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    // Held, not read: closing it gives the lock back, also when the process is killed.
    _lock: File,
}

impl DataDir {
    /// Makes the folder when it is absent, and takes it for this process.
    ///
    /// # Errors
    /// When it cannot be made, or another process runs in it.
    pub(crate) fn take(path: &Path) -> Result<Self> {
        let what = || format!("data directory {}", path.display());
        make_private(path).with_context(what)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(FILE_MODE)
            .open(path.join(LOCK))
            .with_context(what)?;
        match lock.try_lock() {
            Ok(()) => Ok(DataDir {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => bail!(
                "another `tiphys up` runs with {}; stop it, or give this one its own --data-dir",
                what()
            ),
            Err(TryLockError::Error(error)) => Err(error).with_context(what),
        }
    }

    /// A path inside.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where the kubeconfig is unless it was asked for elsewhere.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.path.join(KUBECONFIG)
    }
}

/// The data directory of a repository: in the user's state folder, by the repository's path.
///
/// # Errors
/// When neither `XDG_STATE_HOME` nor `HOME` is set.
pub(crate) fn default_path(repository: &Path) -> Result<PathBuf> {
    let digest = Sha256::digest(repository.as_os_str().as_encoded_bytes());
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let name = repository.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name
        .chars()
        .filter(|it| it.is_alphanumeric() || *it == '-')
        .collect();
    Ok(state_folder()?.join(format!("{name}-{}", &hash[..N_HASH_DIGITS])))
}

/// The kubeconfigs of all `up`s that run now.
///
/// # Errors
/// As [`default_path`].
pub(crate) fn running() -> Result<Vec<PathBuf>> {
    let Ok(entries) = std::fs::read_dir(state_folder()?) else {
        return Ok(Vec::new());
    };
    let is_running = |folder: &PathBuf| {
        let lock = OpenOptions::new().write(true).open(folder.join(LOCK));
        lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
    };
    let folders = entries.filter_map(Result::ok).map(|entry| entry.path());
    Ok(folders
        .filter(is_running)
        .map(|folder| folder.join(KUBECONFIG))
        .collect())
}

fn state_folder() -> Result<PathBuf> {
    let absolute = |name: &str| {
        let path = std::env::var_os(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    let base = absolute("XDG_STATE_HOME")
        .or_else(|| Some(absolute("HOME")?.join(".local/state")))
        .context("neither XDG_STATE_HOME nor HOME is set; give --data-dir")?;
    Ok(base.join("tiphys"))
}

fn make_private(path: &Path) -> std::io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(FOLDER_MODE))
}

/// Writes a file that only the user can read; readers see the old or the new content, never half.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    let what = || format!("cannot write {}", path.display());
    let temporary = path.with_extension(format!("{}.new", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(FILE_MODE)
            .open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().with_context(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_is_private_and_has_one_user() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a/b");
        let taken = DataDir::take(&path).expect("free");
        write_private(&taken.kubeconfig(), "text").expect("writable");
        let mode = |path: &Path| {
            std::fs::metadata(path)
                .expect("it is there")
                .permissions()
                .mode()
                & 0o777
        };
        assert_eq!(mode(&path), FOLDER_MODE);
        assert_eq!(mode(&taken.kubeconfig()), FILE_MODE);
        let refused = DataDir::take(&path).expect_err("taken").to_string();
        assert!(refused.contains("another `tiphys up`"), "{refused}");
        drop(taken);
        DataDir::take(&path).expect("free again");
    }

    #[test]
    fn repositories_of_one_name_have_their_own_folder() {
        let first = default_path(Path::new("/a/guest book")).expect("HOME is set");
        let second = default_path(Path::new("/b/guest book")).expect("HOME is set");
        assert_ne!(first, second);
        let name = first
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        assert!(name.starts_with("guestbook-"), "{name}");
    }
}
