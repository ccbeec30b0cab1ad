//! `helm template` over files in memory: shared by the tests of `helm` and `cargo xtask replay`.

use std::path::Path;

use helm::{Capabilities, Chart, Output, SchemaCheck, Spread, TemplateOptions, World, template};
use manifest::trees::Files;
use manifest::{Tree, TreePath};

/// All files of a folder on disk.
pub(crate) fn files_of_folder(folder: &Path) -> Files {
    let mut files = Files::default();
    add(&mut files, folder, &TreePath::root());
    files
}

fn add(files: &mut Files, folder: &Path, at: &TreePath) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        let at = at.join(&name).expect("a name");
        if path.is_dir() {
            add(files, &path, &at);
        } else {
            files.insert(at, std::fs::read(&path).expect("a file").into());
        }
    }
}

fn text(files: &Files, name: &str) -> Result<String, String> {
    let found = TreePath::parse(name).ok().map(|path| files.read(&path));
    match found {
        Some(Ok(bytes)) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        _ => Err(format!("open {name}: no such file or directory")),
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
        spread: Spread::default(),
    }
}

/// `helm template demo CHART -n demo ARGUMENTS...`
pub(crate) fn run(files: &Files, chart: &str, arguments: &[String]) -> Output {
    let read = |name: &str| text(files, name);
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
