//! The checkout as data: its text files and what cargo says about its packages.
//!
//! Owns the reading; judging is `tidy`'s. Read [`Workspace`] first.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// Folders that hold no source: build output, history, downloads.
const SKIPPED_FOLDERS: &[&str] = &["target", ".git", "node_modules", "dist"];

/// Files over this size are data, not text that a person reads.
const MAX_TEXT_BYTES: u64 = 1 << 20;

/// The checkout: text files by path from the root, and the packages.
pub(crate) struct Workspace {
    /// Every text file of at most [`MAX_TEXT_BYTES`].
    pub(crate) files: BTreeMap<String, String>,
    /// What `cargo metadata` prints.
    pub(crate) metadata: Metadata,
    /// Whether a crate of ours needs a package when it is built alone: in the metadata of the whole
    /// workspace, features that others ask for are on for all.
    pub(crate) needs_alone: fn(&str, &str) -> bool,
}

/// The part of `cargo metadata` that the rules read.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_members: Vec<String>,
    pub(crate) resolve: Resolve,
}

/// One package, ours or not.
#[derive(Clone, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a package's dependency tables.
#[derive(Clone, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None` is a normal dependency; else `dev` or `build`.
    pub(crate) kind: Option<String>,
}

/// The graph that cargo chose.
#[derive(Deserialize)]
pub(crate) struct Resolve {
    pub(crate) nodes: Vec<Node>,
}

/// One package of the graph, with its features.
#[derive(Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) features: Vec<String>,
    pub(crate) deps: Vec<Edge>,
}

/// One edge of the graph.
#[derive(Deserialize)]
pub(crate) struct Edge {
    pub(crate) pkg: String,
    pub(crate) dep_kinds: Vec<EdgeKind>,
}

/// Why an edge is there.
#[derive(Deserialize)]
pub(crate) struct EdgeKind {
    pub(crate) kind: Option<String>,
}

impl Workspace {
    /// Reads the checkout that this program was built from.
    ///
    /// # Errors
    /// A file or folder that cannot be read, or cargo's refusal.
    pub(crate) fn load() -> Result<Self> {
        let mut files = BTreeMap::new();
        read_folder(&root(), "", &mut files)?;
        Ok(Workspace {
            files,
            metadata: metadata()?,
            needs_alone,
        })
    }

    /// The files whose path starts with `start` and ends with `end`, sorted.
    pub(crate) fn files_in<'a>(
        &'a self,
        start: &'a str,
        end: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .iter()
            .filter(move |(path, _)| path.starts_with(start) && path.ends_with(end))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Our own packages, in cargo's order.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.metadata
            .packages
            .iter()
            .filter(|package| self.metadata.workspace_members.contains(&package.id))
    }
}

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the workspace")
        .to_owned()
}

/// What `cargo run` tells this program about itself.
const OF_THIS_PROGRAM: [&str; 5] = [
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
    "CARGO_PRIMARY_PACKAGE",
];

/// The cargo that runs us, so that a pinned toolchain stays the same, in the workspace. It sees the
/// environment of a terminal: the build script of `ring` runs again, and half of the workspace with
/// it, wherever one of these variables is another than in the last build.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if OF_THIS_PROGRAM.iter().any(|start| text.starts_with(start)) {
            command.env_remove(name);
        }
    }
    command
}

fn metadata() -> Result<Metadata> {
    let output = cargo()
        .args(["metadata", "--format-version", "1", "--locked", "--quiet"])
        .output()
        .context("cannot start cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata printed something else")
}

fn needs_alone(owner: &str, package: &str) -> bool {
    let output = cargo()
        .args([
            "tree", "--locked", "--quiet", "--edges", "normal", "--prefix", "none",
        ])
        .args(["--package", owner])
        .output();
    let is_it = |line: &str| line.split(' ').next() == Some(package);
    // What cannot be asked is taken for needed.
    output.map_or(true, |output| {
        !output.status.success() || String::from_utf8_lossy(&output.stdout).lines().any(is_it)
    })
}

fn read_folder(root: &Path, folder: &str, files: &mut BTreeMap<String, String>) -> Result<()> {
    let place = root.join(folder);
    for entry in fs::read_dir(&place).with_context(|| format!("cannot list {}", place.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() {
            name.clone()
        } else {
            format!("{folder}/{name}")
        };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !SKIPPED_FOLDERS.contains(&name.as_str()) {
                read_folder(root, &path, files)?;
            }
        } else if kind.is_file()
            && name != ".git" // a file in a linked work tree
            && entry.metadata()?.len() <= MAX_TEXT_BYTES
            && let Ok(text) = String::from_utf8(fs::read(entry.path())?)
        {
            files.insert(path, text);
        }
    }
    Ok(())
}
