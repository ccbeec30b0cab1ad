//! Repositories made by real Git, and the checks that all tests share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use manifest::TreePath;
use source::{
    CredentialStore, Credentials, Error, FileUrls, Freshness, Options, Reference, RepoUrl,
    Repository, RepositorySecret, SecretKind, Snapshot, Store,
};

/// In every credential that tests use; in no message of this crate.
pub(crate) const CANARY: &str = "canary-5up3r";

/// A folder with a repository in `work`, and a store beside it.
pub(crate) struct Fixture {
    pub(crate) folder: tempfile::TempDir,
}

impl Fixture {
    /// An empty repository with branch `main`.
    pub(crate) fn new() -> Self {
        let fixture = Fixture {
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir(fixture.work()).unwrap();
        fixture.git(&["init", "-q", "-b", "main"]);
        fixture
    }

    /// With the commits and tags of the corpus' cases `src-rev-*`.
    pub(crate) fn with_history() -> Self {
        let fixture = Self::new();
        for (version, tag) in [
            ("1.0.0", "v1.0.0"),
            ("1.1.0", "v1.1.0"),
            ("2.0.0-rc1", "v2.0.0-rc.1"),
        ] {
            fixture.commit("a.yaml", &format!("v: {version}\n"));
            fixture.git(&["tag", tag]);
        }
        fixture.git(&["checkout", "-q", "-b", "dev"]);
        fixture.commit("a.yaml", "v: dev\n");
        fixture.git(&["checkout", "-q", "main"]);
        fixture.commit("a.yaml", "v: annotated\n");
        fixture.git(&["tag", "-a", "-m", "three", "v3.0.0"]);
        fixture
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Runs real Git in the repository; gives its output.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git_in(&self.work(), arguments, &[])
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.work().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Commits one file; gives the commit.
    pub(crate) fn commit(&self, path: &str, text: &str) -> String {
        self.write(path, text);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", text]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// A store in a folder of its own.
    pub(crate) fn store(&self) -> Store {
        self.store_with(Options::new(FileUrls::Allowed))
    }

    pub(crate) fn store_with(&self, options: Options) -> Store {
        Store::open(&self.folder.path().join("store"), options).unwrap()
    }

    /// The repository over its file URL.
    pub(crate) fn over_file(&self) -> Repository {
        let url = url(&format!("file://{}", self.work().display()));
        let none = Credentials::default();
        self.store().repository(&url, &none).unwrap()
    }
}

pub(crate) fn git_in(folder: &Path, arguments: &[&str], env: &[(&str, &str)]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", "A U Thor")
        .env("GIT_AUTHOR_EMAIL", "author@example.com")
        .env("GIT_COMMITTER_NAME", "A U Thor")
        .env("GIT_COMMITTER_EMAIL", "author@example.com")
        .env("GIT_ALLOW_PROTOCOL", "file")
        .envs(env.iter().copied())
        .output()
        .expect("the tests need git");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}

pub(crate) fn url(text: &str) -> RepoUrl {
    RepoUrl::parse(text).unwrap()
}

pub(crate) fn reference(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

/// Credentials as they come out of a Secret.
pub(crate) fn credentials(repository: &RepoUrl, entries: &[(&str, &str)]) -> Credentials {
    let mut data: BTreeMap<String, Vec<u8>> = entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()))
        .collect();
    data.insert("url".to_owned(), repository.normalized().into());
    let secret = RepositorySecret::parse(SecretKind::Template, &data).unwrap();
    CredentialStore::new(vec![secret]).find(repository, "default")
}

/// Resolves and reads a file of the commit, or tells why not. No error may show a credential.
pub(crate) async fn read(
    repository: &Repository,
    revision: &str,
    path: &str,
) -> Result<String, Error> {
    let checked = |error: Error| {
        let shown = format!("{error} {error:?} {error:#?}");
        assert!(!shown.contains(CANARY), "{shown}");
        error
    };
    let resolved = repository
        .resolve(&reference(revision), Freshness::Now)
        .await
        .map_err(checked)?;
    let snapshot = repository.snapshot(&resolved).await.map_err(checked)?;
    Ok(content(&snapshot, path))
}

pub(crate) fn content(snapshot: &Snapshot, path: &str) -> String {
    let bytes = snapshot
        .tree
        .read(&TreePath::parse(path).unwrap())
        .unwrap_or_else(|error| panic!("{error}"));
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// All files below a folder with their content, to see that nothing was changed.
pub(crate) fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                found.insert(path, bytes);
            }
        }
    }
    found
}
