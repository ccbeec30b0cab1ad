//! From the files of one revision to objects, in process (sources.md, sections 1, 2 and 7).
//!
//! Read [`render`] and [`Rendered`] first. What is rendered is a function of the tree, the source
//! and the [`Environment`]; it must never know the cluster, the project or what is live.

mod directory;
mod environment;
mod helm;
mod kustomize;
mod lack;
mod value_files;

use api::Source;
use api::status::SourceType;
use manifest::{EntryKind, Object, ReadSet, Recorder, Tree, TreeError, TreePath};
use yaml::{Str, Value};

pub use ::helm::Spread;
pub use environment::{Capabilities, Environment, Facts, Tools};
pub use kustomize::{KustomizeSettings, kustomization};
pub use lack::{ChartForm, Lack, Lacking};

use environment::Asked;

/// Objects of one source, and what was read for them.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// In the order of files and documents; lists are expanded.
    pub objects: Vec<RenderedObject>,
    /// What was left out, or is odd, where the render could go on.
    pub warnings: Vec<RenderWarning>,
    /// Everything that was read: while it holds, the render would give the same.
    pub read_set: ReadSet,
    /// What of the environment took part.
    pub facts: Facts,
    /// The tool that rendered.
    pub source_type: SourceType,
}

/// An object with the place that it was written at.
#[derive(Clone, Debug, PartialEq)]
pub struct RenderedObject {
    /// The object as written.
    pub object: Object,
    /// Where.
    pub origin: Origin,
}

/// A place in the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The file, from the root of the repository.
    pub path: Str,
    /// The line, from 1; 0 when it is not known.
    pub line: u32,
}

impl std::fmt::Display for Origin {
    /// `file:line`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.path)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        Ok(())
    }
}

/// Something that was left out, or is odd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderWarning {
    /// Where.
    pub origin: Origin,
    /// What.
    pub message: String,
}

impl std::fmt::Display for RenderWarning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// Why a source gives no objects. `Display` is the text that Argo CD shows behind
/// `Failed to load target state: ...` (see [`RenderError::condition_message`]).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The path of the source is missing, or not inside of the repository.
    #[error("{path}: app path {problem}")]
    Path {
        /// As written in the source.
        path: String,
        /// Such as "does not exist".
        problem: &'static str,
    },
    /// A file is broken.
    #[error("Failed to unmarshal {file:?}: {problem}")]
    File {
        /// Its name, without folders, as in Argo CD.
        file: String,
        /// Where the problem is, from the root of the repository.
        origin: Origin,
        /// The column, from 1.
        column: u32,
        /// What the parser says.
        problem: String,
    },
    /// A `.json` file holds more than one value.
    #[error("Found multiple objects in {file:?}. Only single objects are allowed in JSON files.")]
    SeveralObjects {
        /// Its name, without folders.
        file: String,
    },
    /// More than one tool's options are set.
    #[error("error getting app source type: multiple application sources defined: {0}")]
    SeveralTypes(String),
    /// Helm, or what a chart's values come from: in Argo CD's words.
    #[error("{0}")]
    Helm(String),
    /// What a kustomization is changed by: in Argo CD's words.
    #[error("{0}")]
    Kustomize(String),
    /// A kustomization cannot be changed as asked, or not be built.
    #[error("{command} failed exit status 1: Error: {problem}")]
    KustomizeCommand {
        /// What would say the same, by hand.
        command: String,
        /// In kustomize's words.
        problem: String,
    },
    /// The tree is not complete: once these are in it, the render can be tried again.
    #[error("not at hand: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Lacks(Vec<Lack>),
    /// A tool that is not there yet.
    #[error("{path}: {tool} sources are not supported yet: {problem}")]
    Unsupported {
        /// The path of the source.
        path: String,
        /// The tool.
        tool: &'static str,
        /// What asked for it, and what to do.
        problem: &'static str,
    },
    /// The files are too many or too large together.
    #[error("{path}: {problem}")]
    Limit {
        /// The path of the source.
        path: String,
        /// Which limit.
        problem: String,
    },
    /// A link leads out of the repository, or in circles, or to a submodule.
    #[error("{0}")]
    Tree(TreeError),
    /// An override file does not fit.
    #[error("{origin}: {problem}")]
    Override {
        /// The file.
        origin: Origin,
        /// What does not fit.
        problem: String,
    },
    /// Labels or annotations that are not text.
    #[error("failed to set app instance tracking info on manifest: {0}")]
    Tracking(String),
    /// The store could not answer: try again; it never means "missing".
    #[error("{0}")]
    Unavailable(TreeError),
}

impl RenderError {
    /// Whether trying again later can help without a change in Git.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, RenderError::Unavailable(_))
    }

    /// The message of the `ComparisonError` condition for source `number` of `total`, from 1.
    #[must_use]
    pub fn condition_message(&self, number: usize, total: usize) -> String {
        let code = match self {
            RenderError::File { .. } | RenderError::SeveralObjects { .. } => "FailedPrecondition",
            _ => "Unknown",
        };
        load_failure(
            number,
            total,
            &format!("rpc error: code = {code} desc = {self}{}", self.place()),
        )
    }

    /// Where, when the text of Argo CD does not say it: file and line.
    fn place(&self) -> String {
        match self {
            RenderError::File { origin, column, .. } => format!(" ({origin}:{column})"),
            _ => String::new(),
        }
    }
}

/// The message of the `ComparisonError` condition when source `number` of `total` (from 1) gives no
/// objects, for errors before the render: unknown references, unreachable repositories.
#[must_use]
pub fn load_failure(number: usize, total: usize, problem: &str) -> String {
    format!(
        "Failed to load target state: failed to generate manifest for source {number} of {total}: {problem}"
    )
}

impl From<TreeError> for RenderError {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::Unavailable { .. } => RenderError::Unavailable(error),
            fact => RenderError::Tree(fact),
        }
    }
}

/// Renders one source over the files of its revision.
///
/// # Errors
/// [`RenderError`]; of these only `Unavailable` says nothing about the revision.
pub fn render(
    tree: &dyn Tree,
    source: &Source,
    environment: &Environment,
) -> Result<Rendered, RenderError> {
    let recorder = Recorder::new(tree);
    if is_reference_only(source) {
        return Ok(Rendered {
            objects: Vec::new(),
            warnings: Vec::new(),
            read_set: recorder.into_read_set(),
            facts: Facts::default(),
            source_type: SourceType::Unset,
        });
    }
    let path = source_path(&recorder, &source.path)?;
    let overridden = with_overrides(&recorder, source, &path, environment)?;
    let asked = Asked::new(environment, source);
    let source_type = detect(&recorder, &overridden, &path, &asked)?;
    refuse_unsupported(&source_type, &overridden)?;
    let (objects, warnings) = match source_type {
        SourceType::Helm => {
            let options = overridden.helm.unwrap_or_default();
            helm::render(&recorder, &options, &path, &asked)?
        }
        SourceType::Kustomize => {
            let options = overridden.kustomize.unwrap_or_default();
            kustomize::render(&recorder, &options, &path, &asked)?
        }
        _ => {
            let directory = overridden.directory.unwrap_or_default();
            directory::render(&recorder, &path, &directory)?
        }
    };
    Ok(Rendered {
        objects,
        warnings,
        read_set: recorder.into_read_set(),
        facts: asked.into_facts(),
        source_type,
    })
}

/// Whether a source gives files to others and nothing else (R42).
#[must_use]
pub fn is_reference_only(source: &Source) -> bool {
    !source.reference_name.is_empty() && source.path.is_empty() && source.chart.is_empty()
}

fn bad_path(path: &str, problem: &'static str) -> RenderError {
    RenderError::Path {
        path: path.to_owned(),
        problem,
    }
}

/// The folder, or the one file, that the source names. Argo CD refuses a file; here it is the
/// source (docs/differences.md).
fn source_path(tree: &dyn Tree, text: &str) -> Result<TreePath, RenderError> {
    if text.starts_with('/') {
        return Err(bad_path(text, "is absolute"));
    }
    let path = TreePath::parse(text).map_err(|_| bad_path(text, "outside root"))?;
    match tree.kind(&path) {
        Ok(EntryKind::Directory | EntryKind::File) => Ok(path),
        Ok(EntryKind::Submodule) => Err(bad_path(text, "is a submodule, which is not read")),
        Ok(EntryKind::Symlink) => Err(bad_path(text, "is a symbolic link that leads nowhere")),
        Err(TreeError::NotFound(_)) => Err(bad_path(text, "does not exist")),
        Err(TreeError::WrongKind { .. }) => Err(bad_path(text, "is not a directory")),
        Err(error) => Err(error.into()),
    }
}

/// Applies `.argocd-source.yaml` and `.argocd-source-<instance>.yaml` (R1).
fn with_overrides(
    tree: &dyn Tree,
    source: &Source,
    path: &TreePath,
    environment: &Environment,
) -> Result<Source, RenderError> {
    let mut result = source.clone();
    if tree.kind(path)? != EntryKind::Directory {
        return Ok(result);
    }
    let own = format!(".argocd-source-{}.yaml", environment.instance);
    for name in [".argocd-source.yaml", own.as_str()] {
        if name.contains('/') {
            continue;
        }
        let Ok(file) = path.join(name) else { continue };
        let content = match tree.read(&file) {
            Ok(content) => content,
            Err(TreeError::NotFound(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        result = apply_override(&result, &content).map_err(|problem| RenderError::Override {
            origin: Origin {
                path: file.as_str().into(),
                line: 0,
            },
            problem,
        })?;
    }
    Ok(result)
}

fn apply_override(source: &Source, content: &[u8]) -> Result<Source, String> {
    let text = std::str::from_utf8(content).map_err(|problem| problem.to_string())?;
    let mut patch = yaml::parse_str(text).map_err(|problem| problem.to_string())?;
    if let Some(map) = patch.as_map_mut() {
        // Where to read from is the Application's to say.
        map.retain(|key, _| !matches!(key, "chart" | "path" | "repoURL" | "targetRevision"));
    }
    let merged = manifest::patch::merge_patch(source.to_value(), &patch)
        .map_err(|problem| problem.to_string())?;
    Source::from_value(merged).map_err(|problem| problem.to_string())
}

/// R2 and R3: an explicit block decides, else the files; what no enabled tool renders is a folder.
fn detect(
    tree: &dyn Tree,
    source: &Source,
    path: &TreePath,
    asked: &Asked<'_>,
) -> Result<SourceType, RenderError> {
    let set = |value: Option<Value>| value.is_some_and(|value| !is_empty(&value));
    let explicit = [
        (
            set(source.kustomize.as_ref().map(|it| it.to_value())),
            SourceType::Kustomize,
        ),
        (
            set(source.helm.as_ref().map(|it| it.to_value())),
            SourceType::Helm,
        ),
        (
            set(source.directory.as_ref().map(|it| it.to_value())),
            SourceType::Directory,
        ),
        (source.plugin.is_some(), SourceType::Plugin),
    ];
    let mut found: Vec<SourceType> = explicit
        .into_iter()
        .filter(|(is_set, _)| *is_set)
        .map(|(_, kind)| kind)
        .collect();
    if found.len() > 1 {
        let names: Vec<&str> = found.iter().map(SourceType::as_str).collect();
        return Err(RenderError::SeveralTypes(names.join(",")));
    }
    if let Some(kind) = found.pop() {
        return Ok(match asked.renders(&kind) {
            true => kind,
            false => SourceType::Directory,
        });
    }
    if tree.kind(path)? != EntryKind::Directory {
        return Ok(SourceType::Directory);
    }
    let entries = tree.list(path)?;
    let has = |test: &dyn Fn(&str) -> bool| entries.iter().any(|entry| test(&entry.name));
    let is_kustomization = |name: &str| {
        matches!(
            name,
            "kustomization.yaml" | "kustomization.yml" | "Kustomization"
        )
    };
    Ok(
        if has(&is_kustomization) && asked.renders(&SourceType::Kustomize) {
            SourceType::Kustomize
        } else if has(&|name| name.ends_with("Chart.yaml")) && asked.renders(&SourceType::Helm) {
            SourceType::Helm
        } else {
            SourceType::Directory
        },
    )
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Map(map) => map.values().all(is_empty),
        _ => false,
    }
}

fn refuse_unsupported(kind: &SourceType, source: &Source) -> Result<(), RenderError> {
    let (tool, problem) = match kind {
        SourceType::Directory | SourceType::Helm | SourceType::Kustomize => return Ok(()),
        SourceType::Plugin => ("plugin", "the source sets `plugin`, and plugins are off"),
        SourceType::Unset | SourceType::Other(_) => return Ok(()),
    };
    Err(RenderError::Unsupported {
        path: source.path.clone(),
        tool,
        problem,
    })
}

#[cfg(test)]
mod tests;
