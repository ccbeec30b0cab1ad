//! A loaded chart: what can be known of it before anybody gives values.
//!
//! Read [`Chart`]. Below it stands a [`Node`] for each chart that may take part in a render, under
//! the name and path that it has there: aliases are charts of their own. Which of them do take part
//! is decided by values, in `dependencies`.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use gotmpl::{Parsed, Templates};
use manifest::{Tree, TreePath};

use crate::load::{self, Loaded};
use crate::log::Warning;
use crate::metadata::{Dependency, Metadata};
use crate::{Error, File, Values, render, versions};

/// A chart and the charts in it. Cheap to clone; templates are parsed when they are first needed,
/// once for all renders.
#[derive(Clone)]
pub struct Chart {
    root: Arc<Node>,
    warnings: Arc<[Warning]>,
    /// What all its renders start from: regular expressions that one compiled are there for the next.
    engine: Templates,
    /// The templates of the last render, for the next of the same charts.
    last: Arc<Mutex<Option<Together>>>,
}

impl fmt::Debug for Chart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metadata = self.metadata();
        write!(f, "Chart({} {})", metadata.name, metadata.version)
    }
}

/// Templates of several files at once.
struct Together {
    names: Vec<Arc<str>>,
    templates: Templates,
}

/// Charts that one chart may consist of: an alias of a chart with aliases multiplies.
const MAX_CHARTS: usize = 10_000;

impl Chart {
    /// Loads the chart in a folder of a tree: all files of it, but those that its `.helmignore`
    /// names. What was read can be had by giving a [`manifest::Recorder`].
    ///
    /// # Errors
    /// What Helm says of charts that cannot be loaded; [`Error::Tree`] when a file cannot be read.
    pub fn load(tree: &dyn Tree, folder: &TreePath) -> Result<Self, Error> {
        let mut log = Vec::new();
        let loaded = load::from_tree(tree, folder, &mut log)?;
        Chart::new(Arc::new(loaded), log.into())
    }

    /// Loads the chart in an archive (`.tgz`).
    ///
    /// # Errors
    /// What Helm says of archives that are none, lead outside or are too large.
    pub fn from_archive(bytes: &[u8]) -> Result<Self, Error> {
        let mut log = Vec::new();
        let loaded = load::from_archive(bytes, &mut log)?;
        Chart::new(Arc::new(loaded), log.into())
    }

    /// The same chart with more charts in its `charts/` folder, such as those that
    /// [`Chart::missing`] named.
    ///
    /// # Errors
    /// When there are too many charts.
    pub fn with_dependencies(&self, charts: &[Chart]) -> Result<Self, Error> {
        let own = &self.root.loaded;
        let more = charts.iter().map(|chart| chart.root.loaded.clone());
        let loaded = Loaded {
            metadata: own.metadata.clone(),
            lock: own.lock.clone(),
            templates: own.templates.clone(),
            files: own.files.clone(),
            values: own.values.clone(),
            schema: own.schema.clone(),
            children: own.children.iter().cloned().chain(more).collect(),
        };
        Chart::new(Arc::new(loaded), self.warnings.clone())
    }

    fn new(loaded: Arc<Loaded>, warnings: Arc<[Warning]>) -> Result<Self, Error> {
        let name: Arc<str> = loaded.metadata.name.as_str().into();
        let mut left = MAX_CHARTS;
        let path = name.clone();
        let root = Node::new(loaded, (name, path), Children::Declared, &mut left)?;
        let root = Arc::new(root);
        Ok(Chart {
            root,
            warnings,
            engine: render::engine(),
            last: Arc::default(),
        })
    }

    /// What its `Chart.yaml` says.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.root.loaded.metadata
    }

    /// Its own values, before anybody gives others.
    #[must_use]
    pub fn values(&self) -> &Values {
        &self.root.loaded.values
    }

    /// A file of it that is no template and has no meaning to Helm, such as `values-dev.yaml`.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&File> {
        let files = &self.root.loaded.files;
        files.iter().find(|file| &*file.name == name)
    }

    /// What its `Chart.lock` says: the versions to take of what it needs.
    #[must_use]
    pub fn lock(&self) -> &[Dependency] {
        &self.root.loaded.lock
    }

    /// What it needs and has not: Helm refuses to render until all are there, whether they are
    /// turned on or not.
    #[must_use]
    pub fn missing(&self) -> Vec<Dependency> {
        let loaded = &self.root.loaded;
        let is_there = |wanted: &&Dependency| {
            let name = &wanted.name;
            loaded
                .children
                .iter()
                .any(|child| child.metadata.name == *name)
        };
        let all = loaded.metadata.dependencies.iter();
        all.filter(|one| !is_there(one)).cloned().collect()
    }

    /// What Helm told when it loaded the chart.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// What executes these templates, in their order; made of the engine with none in it when the
    /// last render was of others.
    pub(crate) fn together<E>(
        &self,
        names: Vec<Arc<str>>,
        make: impl FnOnce(Templates) -> Result<Templates, E>,
    ) -> Result<Templates, E> {
        // A render that panicked left it as it was: it is put in whole.
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*last()
            && known.names == names
        {
            return Ok(known.templates.clone());
        }
        let templates = make(self.engine.clone())?.shared();
        *last() = Some(Together {
            names,
            templates: templates.clone(),
        });
        Ok(templates)
    }

    /// What its templates are parsed for.
    pub(crate) fn engine(&self) -> &Templates {
        &self.engine
    }

    pub(crate) fn root(&self) -> &Node {
        &self.root
    }
}

/// A chart at its place below the root.
pub(crate) struct Node {
    /// Its name, or the alias that it has here.
    pub(crate) name: Arc<str>,
    /// `root/charts/name`, which all its templates' names begin with.
    pub(crate) path: Arc<str>,
    pub(crate) loaded: Arc<Loaded>,
    /// Whether what it declares decides on its children; not so in a chart whose parent declares
    /// nothing, as Helm does not look there.
    pub(crate) children_of: Children,
    pub(crate) templates: Vec<Template>,
    pub(crate) children: Vec<Node>,
}

/// Where the children of a chart come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Children {
    /// As it declares: under aliases, in their order, behind those that it does not declare.
    Declared,
    /// All that are in its folder.
    InFolder,
}

impl Node {
    fn new(
        loaded: Arc<Loaded>,
        (name, path): (Arc<str>, Arc<str>),
        from: Children,
        left: &mut usize,
    ) -> Result<Self, Error> {
        *left = left
            .checked_sub(1)
            .ok_or_else(|| Error::text(format!("more charts than the maximum of {MAX_CHARTS}")))?;
        let children_of = match loaded.metadata.declares {
            true => from,
            false => Children::InFolder,
        };
        let mut children = Vec::new();
        for (name, child) in places(&loaded, children_of) {
            let path = format!("{path}/charts/{name}").into();
            children.push(Node::new(child, (name, path), children_of, left)?);
        }
        let templates = templates(&loaded, &path);
        Ok(Node {
            name,
            path,
            loaded,
            children_of,
            templates,
            children,
        })
    }
}

/// The names of the charts below another, and the charts.
fn places(loaded: &Loaded, from: Children) -> Vec<(Arc<str>, Arc<Loaded>)> {
    let declared = &loaded.metadata.dependencies;
    let fits = |wanted: &Dependency, chart: &Loaded| {
        wanted.name == chart.metadata.name
            && versions::fits(&wanted.version, &chart.metadata.version)
    };
    let is_declared = |chart: &&Arc<Loaded>| {
        from == Children::Declared && declared.iter().any(|wanted| fits(wanted, chart))
    };
    let mut all: Vec<(Arc<str>, Arc<Loaded>)> = loaded
        .children
        .iter()
        .filter(|chart| !is_declared(chart))
        .map(|chart| (chart.metadata.name.as_str().into(), chart.clone()))
        .collect();
    if from == Children::Declared {
        for wanted in declared {
            let found = loaded.children.iter().find(|chart| fits(wanted, chart));
            all.extend(found.map(|chart| (wanted.name_in_parent().into(), chart.clone())));
        }
    }
    all
}

/// A template of a chart, under the name that errors tell.
pub(crate) struct Template {
    pub(crate) name: Arc<str>,
    file: File,
    parsed: OnceLock<Result<Parsed, gotmpl::Error>>,
}

fn templates(loaded: &Loaded, path: &str) -> Vec<Template> {
    let is_library = loaded.metadata.is_library();
    let counts = |file: &&File| !is_library || is_partial(&file.name);
    let files = loaded.templates.iter().filter(counts);
    files
        .map(|file| Template {
            name: format!("{path}/{}", file.name).into(),
            file: file.clone(),
            parsed: OnceLock::new(),
        })
        .collect()
}

/// Whether a file has definitions alone.
pub(crate) fn is_partial(name: &str) -> bool {
    let name = name.rsplit_once('/').map_or(name, |(_, name)| name);
    name.starts_with('_')
}

impl Template {
    /// How much text it is.
    pub(crate) fn n_bytes(&self) -> usize {
        self.file.data.len()
    }

    /// Whether a render has parsed it.
    pub(crate) fn is_parsed(&self) -> bool {
        self.parsed.get().is_some()
    }

    /// What its text means; parsed once.
    pub(crate) fn parsed(&self, templates: &Templates) -> Result<&Parsed, gotmpl::Error> {
        let parse = || templates.parse_apart(&self.name, &self.file.text());
        self.parsed
            .get_or_init(parse)
            .as_ref()
            .map_err(Clone::clone)
    }
}
