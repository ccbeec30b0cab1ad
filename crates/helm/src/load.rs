//! From files to a loaded chart.
//!
//! Read [`from_files`]: it sorts the files of a chart into what they are for, and loads the charts
//! in `charts/` the same way. What it must never know is where the files come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use manifest::{EntryKind, Tree, TreeError, TreePath};

use crate::archive::{self, Budget, MAX_FILE_BYTES};
use crate::ignore::Rules;
use crate::log::Warning;
use crate::metadata::{Dependency, Metadata, parse_map};
use crate::schema::Schema;
use crate::{Error, File, Values};

/// One chart as its files say, and those in its `charts/` folder.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) metadata: Metadata,
    /// What `Chart.lock` names.
    pub(crate) lock: Vec<Dependency>,
    pub(crate) templates: Vec<File>,
    /// Everything that is nothing else.
    pub(crate) files: Arc<[File]>,
    pub(crate) values: Values,
    pub(crate) schema: Option<Schema>,
    pub(crate) children: Vec<Arc<Loaded>>,
}

/// Loads the chart in a folder of a tree.
pub(crate) fn from_tree(
    tree: &dyn Tree,
    folder: &TreePath,
    log: &mut Vec<Warning>,
) -> Result<Loaded, Error> {
    let mut budget = Budget::default();
    let chart_yaml = join(folder, "Chart.yaml")?;
    check_version(&tree.read(&chart_yaml).map_err(|error| match error {
        TreeError::NotFound(path) => Error::text(format!(
            "unable to detect chart at {path}: open {path}: no such file or directory"
        )),
        other => Error::Tree(other),
    })?)?;
    let rules = match tree.read(&join(folder, ".helmignore")?) {
        Ok(text) => Rules::parse(&String::from_utf8_lossy(&text))?,
        Err(TreeError::NotFound(_)) => Rules::parse("")?,
        Err(other) => return Err(Error::Tree(other)),
    };
    let mut walk = Walk {
        tree,
        rules,
        files: Vec::new(),
        budget: &mut budget,
    };
    walk.folder(folder, "")?;
    let files = walk.files;
    from_files(files, &mut budget, log)
}

/// Loads the chart in an archive.
pub(crate) fn from_archive(bytes: &[u8], log: &mut Vec<Warning>) -> Result<Loaded, Error> {
    let mut budget = Budget::default();
    let files = archive::files_of(bytes, &mut budget)?;
    match files.iter().find(|file| &*file.name == "Chart.yaml") {
        Some(file) => check_version(&file.data)?,
        None => {
            let problem = "unable to detect chart version, no Chart.yaml found";
            return Err(Error::text(problem));
        }
    }
    from_files(files, &mut budget, log)
}

fn join(folder: &TreePath, name: &str) -> Result<TreePath, Error> {
    folder
        .join(name)
        .map_err(|error| Error::text(error.to_string()))
}

/// The kind of chart decides who loads it; only that of versions 1 and 2 is known.
fn check_version(chart_yaml: &[u8]) -> Result<(), Error> {
    let text = String::from_utf8_lossy(chart_yaml);
    let map = parse_map(&text, "loader.chartBase")
        .map_err(|error| error.within("cannot load Chart.yaml"))?;
    match map.get("apiVersion").map(|value| value.as_str()) {
        None | Some(Some("" | "v1" | "v2")) => Ok(()),
        Some(Some("v3")) => Err(Error::text("invalid chart apiVersion")),
        Some(_) => Err(Error::text("unsupported chart version")),
    }
}

/// Goes through the folder of a chart in the order of names.
struct Walk<'w> {
    tree: &'w dyn Tree,
    rules: Rules,
    files: Vec<File>,
    budget: &'w mut Budget,
}

/// Folders within folders; a link can make a circle.
const MAX_FOLDERS: usize = 100;

impl Walk<'_> {
    fn folder(&mut self, folder: &TreePath, name: &str) -> Result<(), Error> {
        if name.split('/').count() > MAX_FOLDERS {
            let problem = "folders are nested deeper than the maximum";
            return Err(Error::text(format!("{problem} of {MAX_FOLDERS}: {name}")));
        }
        for entry in self.tree.list(folder)? {
            let path = join(folder, &entry.name)?;
            let name = match name {
                "" => entry.name,
                above => format!("{above}/{}", entry.name),
            };
            let kind = match entry.kind {
                EntryKind::Symlink => self.tree.kind(&path)?,
                kind => kind,
            };
            let is_folder = kind == EntryKind::Directory;
            if self.rules.leave_out(&name, is_folder) {
                continue;
            }
            if is_folder {
                self.folder(&path, &name)?;
            } else {
                self.file(&path, &name)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &TreePath, name: &str) -> Result<(), Error> {
        let size = self.tree.size(path)?;
        if size > MAX_FILE_BYTES {
            let name = gotmpl::quote(path.name());
            return Err(Error::text(format!(
                "chart file {name} is larger than the maximum file size {MAX_FILE_BYTES}"
            )));
        }
        self.budget.take(size)?;
        let data = self.tree.read(path)?;
        self.files.push(File::new(name, Bytes::from_owner(data)));
        Ok(())
    }
}

/// A chart of its files.
pub(crate) fn from_files(
    files: Vec<File>,
    budget: &mut Budget,
    log: &mut Vec<Warning>,
) -> Result<Loaded, Error> {
    let mut parts = Parts::default();
    for file in files {
        parts.sort_in(file)?;
    }
    let metadata = parts.metadata(log)?;
    metadata.validate()?;
    let mut children = Vec::new();
    for (name, files) in std::mem::take(&mut parts.children) {
        if name.starts_with(['_', '.']) {
            continue;
        }
        let child = budget.enter(|budget| child(&name, files, budget, log));
        let child = child.map_err(|error| {
            error.within(&format!(
                "error unpacking subchart {name} in {}",
                metadata.name
            ))
        })?;
        children.push(Arc::new(child));
    }
    Ok(Loaded {
        metadata,
        lock: parts.lock,
        templates: parts.templates,
        files: parts.files.into(),
        values: parts.values,
        schema: parts.schema,
        children,
    })
}

/// A chart in the folder `charts/` of another: a folder or an archive.
fn child(
    name: &str,
    files: Vec<File>,
    budget: &mut Budget,
    log: &mut Vec<Warning>,
) -> Result<Loaded, Error> {
    if name.ends_with(".tgz") {
        return match files.first() {
            Some(file) if &*file.name == name => {
                let files = archive::files_of(&file.data, budget)?;
                from_files(files, budget, log)
            }
            _ => Err(Error::text(format!("expected {name}, got a folder"))),
        };
    }
    let inside = files.into_iter().filter_map(|file| {
        let (_, name) = file.name.split_once('/')?;
        let name = name.into();
        Some(File { name, ..file })
    });
    from_files(inside.collect(), budget, log)
}

/// Go's name of what a `Chart.yaml` is.
const METADATA: &str = "v2.Metadata";

/// The files of a chart by what they are for.
#[derive(Default)]
struct Parts {
    chart: Option<yaml::Map>,
    requirements: Option<yaml::Map>,
    lock: Vec<Dependency>,
    has_old_lock: bool,
    templates: Vec<File>,
    files: Vec<File>,
    values: Values,
    schema: Option<Schema>,
    /// By the first name below `charts/`, which the files still begin with.
    children: BTreeMap<String, Vec<File>>,
}

impl Parts {
    fn sort_in(&mut self, file: File) -> Result<(), Error> {
        let name = file.name.clone();
        let context = || format!("cannot load {name}");
        match &*name {
            "Chart.yaml" => {
                let map =
                    parse_map(&file.text(), METADATA).map_err(|error| error.within(&context()))?;
                self.chart = Some(map);
            }
            "requirements.yaml" => {
                let map =
                    parse_map(&file.text(), METADATA).map_err(|error| error.within(&context()))?;
                self.requirements = Some(map);
                self.files.push(file);
            }
            "Chart.lock" | "requirements.lock" => {
                let lock =
                    parse_map(&file.text(), "v2.Lock").and_then(|map| Dependency::read_lock(&map));
                self.lock = lock.map_err(|error| error.within(&context()))?;
                if &*name == "requirements.lock" {
                    self.has_old_lock = true;
                    self.files.push(file);
                }
            }
            "values.yaml" => {
                let values = Values::parse(&file.text());
                self.values = values.map_err(|error| error.within(&context()))?;
            }
            "values.schema.json" => self.schema = Some(Schema::new(file.data)),
            _ if name.starts_with("templates/") => self.templates.push(file),
            _ if name.starts_with("charts/") && !name.ends_with(".prov") => {
                let below = &name["charts/".len()..];
                let child = below.split('/').next().unwrap_or_default().to_owned();
                let name = below.into();
                let file = File { name, ..file };
                self.children.entry(child).or_default().push(file);
            }
            _ => self.files.push(file),
        }
        Ok(())
    }

    /// What `Chart.yaml` says, and `requirements.yaml` over it.
    fn metadata(&mut self, log: &mut Vec<Warning>) -> Result<Metadata, Error> {
        let no_chart = || Error::text("Chart.yaml file is missing");
        if self.chart.is_none() && self.requirements.is_none() {
            return Err(no_chart());
        }
        let mut map = self.chart.take().unwrap_or_default();
        let first = Metadata::read(&map).map_err(|error| error.within("cannot load Chart.yaml"))?;
        let is_old = first.api_version == "v1";
        let mut warn = |is_there: bool, what: &str, advice: &str| {
            if is_there && !is_old {
                log.push(Warning::info(format!("Warning: {what} in Chart.{advice}")));
            }
        };
        warn(
            self.has_old_lock,
            "Dependency locking is handled",
            "lock since apiVersion \"v2\". We recommend migrating to Chart.lock.",
        );
        warn(
            self.requirements.is_some(),
            "Dependencies are handled",
            "yaml since apiVersion \"v2\". We recommend migrating dependencies to Chart.yaml.",
        );
        if !is_old {
            self.files
                .retain(|file| !matches!(&*file.name, "requirements.yaml" | "requirements.lock"));
        }
        let Some(requirements) = self.requirements.take() else {
            return Ok(first);
        };
        map.extend(requirements);
        Metadata::read(&map).map_err(|error| error.within("cannot load requirements.yaml"))
    }
}
