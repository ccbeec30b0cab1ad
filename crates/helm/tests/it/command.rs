//! `helm template` over files in memory: shared by the tests of `helm` and `cargo xtask replay`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use helm::{Capabilities, Chart, Output, SchemaCheck, TemplateOptions, World, template};
use manifest::{ContentId, Entry, EntryKind, Tree, TreeError, TreePath};

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

/// Runs something on the stack that deep templates need.
pub(crate) fn on_deep_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(gotmpl::Limits::STACK_BYTES);
    let outcome = thread.spawn(work).expect("a thread").join();
    outcome.unwrap_or_else(|problem| std::panic::resume_unwind(problem))
}
