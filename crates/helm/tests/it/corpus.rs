//! What both corpora need: recordings, trees in memory, the command, and rates.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use helm::{Capabilities, Chart, Output, SchemaCheck, TemplateOptions, World, template};
use manifest::{ContentId, Entry, EntryKind, Tree, TreeError, TreePath};
use yaml::{Value, json};

/// Files by their paths.
#[derive(Default)]
pub(crate) struct Files(pub(crate) BTreeMap<String, Arc<[u8]>>);

impl Files {
    /// All files of a folder on disk.
    pub(crate) fn of_folder(folder: &Path) -> Self {
        let mut files = Files::default();
        files.add(folder, "");
        files
    }

    fn add(&mut self, folder: &Path, name: &str) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let own = path.file_name().expect("a name").to_string_lossy();
            let name = match name {
                "" => own.into_owned(),
                above => format!("{above}/{own}"),
            };
            if path.is_dir() {
                self.add(&path, &name);
            } else {
                self.0
                    .insert(name, std::fs::read(&path).expect("a file").into());
            }
        }
    }

    pub(crate) fn text(&self, name: &str) -> Result<String, String> {
        match self.0.get(name) {
            Some(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
            None => Err(format!("open {name}: no such file or directory")),
        }
    }
}

impl Tree for Files {
    fn read(&self, path: &TreePath) -> Result<Arc<[u8]>, TreeError> {
        let found = self.0.get(path.as_str()).cloned();
        found.ok_or_else(|| TreeError::NotFound(path.clone()))
    }

    fn list(&self, path: &TreePath) -> Result<Vec<Entry>, TreeError> {
        let start = match path.as_str() {
            "" => String::new(),
            folder => format!("{folder}/"),
        };
        let names: BTreeSet<(String, bool)> = self
            .0
            .range(start.clone()..)
            .map_while(|(name, _)| name.strip_prefix(&start))
            .map(|name| match name.split_once('/') {
                Some((folder, _)) => (folder.to_owned(), true),
                None => (name.to_owned(), false),
            })
            .collect();
        if names.is_empty() {
            return Err(TreeError::NotFound(path.clone()));
        }
        let kind = |is_folder| match is_folder {
            true => EntryKind::Directory,
            false => EntryKind::File,
        };
        let entries = names.into_iter().map(|(name, is_folder)| Entry {
            name,
            kind: kind(is_folder),
        });
        Ok(entries.collect())
    }

    fn kind(&self, path: &TreePath) -> Result<EntryKind, TreeError> {
        if self.0.contains_key(path.as_str()) {
            return Ok(EntryKind::File);
        }
        self.list(path).map(|_| EntryKind::Directory)
    }

    fn size(&self, path: &TreePath) -> Result<u64, TreeError> {
        Ok(self.read(path)?.len() as u64)
    }

    fn content_id(&self, path: &TreePath) -> Result<ContentId, TreeError> {
        Ok(ContentId::of(&self.read(path)?))
    }
}

/// What a render of a test may know.
pub(crate) fn world() -> World {
    World {
        capabilities: Capabilities::default(),
        now: gotmpl::Now::default(),
        seed: [1; 32],
        schemas: SchemaCheck::Strict,
        lookup: None,
    }
}

/// `helm template demo CHART -n demo ARGUMENTS...`
pub(crate) fn run(files: &Files, chart: &str, arguments: &[String]) -> Output {
    let read = |name: &str| files.text(name);
    let mut options = match TemplateOptions::parse(arguments, &read) {
        Ok(options) => options,
        Err(problem) => {
            return Output {
                stderr: format!("Error: {problem}\n"),
                ..Output::default()
            };
        }
    };
    options.name = "demo".to_owned();
    options.chart = chart.to_owned();
    if options.namespace.is_empty() {
        options.namespace = "demo".to_owned();
    }
    let folder = TreePath::parse(chart).expect("a path");
    let load = || {
        if files.list(&folder).is_err() {
            return Err(helm::Error::Text(format!(
                "non-absolute URLs should be in form of repo_name/path_to_chart, got: {chart}"
            )));
        }
        Chart::load(files, &folder)
    };
    template(&options, &world(), load, &read)
}

/// The folder of a corpus; nothing where it is absent, unless this is CI.
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("TIPHYS_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let folder = shared.join("corpora").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!in_ci, "{} is absent", folder.display());
    eprintln!("skipped: {} is absent", folder.display());
    None
}

/// The cases of a corpus, those that `HELM_CASE` is a part of.
pub(crate) fn cases(folder: &Path) -> Vec<Value> {
    let wanted = std::env::var("HELM_CASE").unwrap_or_default();
    let text = std::fs::read_to_string(folder.join("cases.jsonl")).expect("the cases");
    let all = text
        .lines()
        .map(|line| json::parse_str(line).expect("JSON"));
    all.filter(|case| text_of(case, "name").contains(&wanted))
        .collect()
}

pub(crate) fn text_of(case: &Value, field: &str) -> String {
    let text = case.get(field).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

pub(crate) fn arguments_of(case: &Value) -> Vec<String> {
    let all = case
        .get("args")
        .and_then(Value::as_list)
        .unwrap_or_default();
    all.iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// Prints how many agree, and fails below the floor.
pub(crate) fn rate(what: &str, failed: &[String], total: usize, floor: usize) {
    let passed = total - failed.len();
    eprintln!("{what}: {passed} of {total}");
    for name in failed {
        eprintln!("  {name}");
    }
    let is_filtered = std::env::var_os("HELM_CASE").is_some();
    assert!(
        is_filtered || passed >= floor,
        "{passed} of {total} {what}, fewer than {floor}"
    );
}

/// Runs cases on a stack that deep templates need.
pub(crate) fn on_deep_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(gotmpl::Limits::STACK_BYTES);
    let outcome = thread.spawn(test).expect("a thread").join();
    if let Err(problem) = outcome {
        std::panic::resume_unwind(problem);
    }
}
