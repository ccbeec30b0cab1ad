//! The corpora `kustomize` and `kustomizations`: what `kubectl kustomize` printed, byte for byte; of
//! cases that it refuses, that they are refused.
//!
//! Owns the reading of their files; their READMEs are the specification. It must never know how a
//! kustomization is built.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use kustomize::{LoadRestriction, Options, build};
use manifest::trees::Files;
use manifest::{ContentId, Entry, EntryKind, Recorder, Tree, TreeError, TreePath};
use serde::Deserialize;

use super::{Arguments, Case};

/// A case of `kustomize`: files, and what was printed.
#[derive(Deserialize)]
struct Small {
    name: String,
    form: String,
    files: BTreeMap<String, String>,
    path: String,
    #[serde(default)]
    options: BTreeMap<String, serde_json::Value>,
    ok: bool,
    #[serde(default)]
    expected: String,
}

/// A case of `kustomizations`: a folder in a tree, and the file with what was printed.
#[derive(Deserialize)]
struct Public {
    name: String,
    tree: PathBuf,
    path: String,
    expected: PathBuf,
}

/// Replays a folder of the format of `kustomize`; cases that need helm or an option that kubectl does
/// not have are left out.
///
/// # Errors
/// Files that cannot be read.
pub(super) fn replay_small(folder: &Path, arguments: &Arguments) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for file in ["cases.jsonl", "own.jsonl"] {
        let path = folder.join(file);
        if !path.is_file() {
            continue;
        }
        for case in lines::<Small>(&path)? {
            let needs_more = ["enable_helm", "add_managed_by_label"];
            let is_out_of_reach = needs_more
                .iter()
                .any(|name| case.options.contains_key(*name));
            if !is_out_of_reach && arguments.wants(&case.name) {
                cases.push(small(case)?);
            }
        }
    }
    Ok(cases)
}

/// Replays a folder of the format of `kustomizations`.
///
/// # Errors
/// Files that cannot be read.
pub(super) fn replay_public(folder: &Path, arguments: &Arguments) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for case in lines::<Public>(&folder.join("cases.jsonl"))? {
        if !arguments.wants(&case.name) {
            continue;
        }
        let want = folder.join(&case.expected);
        let want = fs::read_to_string(&want).with_context(|| want.display().to_string())?;
        let tree = Folder(folder.join(&case.tree));
        let got = run(&tree, &case.path, &Options::default())?;
        cases.push(Case {
            differences: differences(got, Some(&want)),
            name: case.name,
            part: "public".to_owned(),
        });
    }
    Ok(cases)
}

fn lines<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Vec<T>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lines = text.lines().map(serde_json::from_str);
    lines
        .collect::<Result<_, _>>()
        .with_context(|| path.display().to_string())
}

fn small(case: Small) -> Result<Case> {
    let tree = Files::new(&case.files)?;
    let mut options = Options::default();
    if case.options.contains_key("load_restrictor") {
        options.load_restriction = LoadRestriction::None;
    }
    let got = run(&tree, &case.path, &options)?;
    Ok(Case {
        differences: differences(got, case.ok.then_some(case.expected.as_str())),
        name: case.name,
        part: case.form,
    })
}

/// The output, or why there is none.
fn run(tree: &dyn Tree, path: &str, options: &Options<'_>) -> Result<Result<String, String>> {
    let path = TreePath::parse(path)?;
    let built = build(&Recorder::new(tree), &path, options);
    Ok(built
        .map(|built| built.text())
        .map_err(|error| error.to_string()))
}

/// What differs; `None` is wanted where the case is refused.
fn differences(got: Result<String, String>, want: Option<&str>) -> Vec<String> {
    match (got, want) {
        (Ok(got), Some(want)) if got == want => Vec::new(),
        (Ok(got), Some(want)) => {
            let mut pairs = got.lines().zip(want.lines()).enumerate();
            let differs = pairs.find(|(_, (got, want))| got != want);
            vec![differs.map_or_else(
                || {
                    format!(
                        "{} lines instead of {}",
                        got.lines().count(),
                        want.lines().count()
                    )
                },
                |(at, (got, want))| format!("line {}: {got:?} instead of {want:?}", at + 1),
            )]
        }
        (Err(error), Some(_)) => vec![error],
        (Ok(_), None) => vec!["built, but kubectl refuses it".to_owned()],
        (Err(_), None) => Vec::new(),
    }
}

/// A folder of the disk.
struct Folder(PathBuf);

impl Tree for Folder {
    fn read(&self, path: &TreePath) -> Result<Arc<[u8]>, TreeError> {
        let bytes = fs::read(self.0.join(path.as_str()));
        bytes.map(Into::into).map_err(|_| missing(path))
    }

    fn list(&self, path: &TreePath) -> Result<Vec<Entry>, TreeError> {
        Err(missing(path))
    }

    fn kind(&self, path: &TreePath) -> Result<EntryKind, TreeError> {
        match fs::metadata(self.0.join(path.as_str())) {
            Ok(found) if found.is_dir() => Ok(EntryKind::Directory),
            Ok(_) => Ok(EntryKind::File),
            Err(_) => Err(missing(path)),
        }
    }

    fn size(&self, path: &TreePath) -> Result<u64, TreeError> {
        Ok(self.read(path)?.len() as u64)
    }

    fn content_id(&self, path: &TreePath) -> Result<ContentId, TreeError> {
        Ok(ContentId::of(&self.read(path)?))
    }
}

fn missing(path: &TreePath) -> TreeError {
    TreeError::NotFound(path.clone())
}
