//! Plain folders of YAML and JSON files (sources.md, section 7).
//!
//! Files are taken in the order of their paths. What Argo CD leaves out in silence is left out with
//! a warning that names file and line (design.md part 9, "Recordings and purpose").

use api::source::Directory;
use manifest::go::decoded_type;
use manifest::{EntryKind, Object, Tree, TreeError, TreePath, stream};
use yaml::Value;

use super::{Origin, RenderError, RenderWarning, RenderedObject};
use crate::glob::{Dialect, matches};
use crate::normalize::go_gvk;

/// All files of a source together, as Argo CD's default for
/// `reposerver.max.combined.directory.manifests.size`: a commit must not fill the memory.
const MAX_COMBINED_SIZE: u64 = 10 << 20;
/// A folder tree with more files than this is a mistake in the path, not a set of manifests.
const MAX_FILES: usize = 50_000;
/// One application with more objects would not fit into its own status.
const MAX_OBJECTS: usize = 100_000;
/// Deeper trees do not exist in practice; a limit keeps the walk's stack bounded.
const MAX_DEPTH: usize = 100;
/// In a file: it is no manifest.
const SKIP_MARK: &[u8] = b"+argocd:skip-file-rendering";

type Found = (Vec<RenderedObject>, Vec<RenderWarning>);

struct Walk<'a> {
    tree: &'a dyn Tree,
    root: &'a TreePath,
    options: &'a Directory,
    files: Vec<TreePath>,
    warnings: Vec<RenderWarning>,
    size: u64,
    objects_left: usize,
}

/// Renders the folder, or the single file, at `path`.
pub(super) fn render(
    tree: &dyn Tree,
    path: &TreePath,
    options: &Directory,
) -> Result<Found, RenderError> {
    let mut walk = Walk {
        tree,
        root: path,
        options,
        files: Vec::new(),
        warnings: Vec::new(),
        size: 0,
        objects_left: MAX_OBJECTS,
    };
    if tree.kind(path)? == EntryKind::File {
        walk.take(path.clone())?;
    } else {
        walk.folder(path, 0)?;
    }
    let mut objects = Vec::new();
    for file in std::mem::take(&mut walk.files) {
        walk.read(&file, &mut objects)?;
    }
    Ok((objects, walk.warnings))
}

impl Walk<'_> {
    fn folder(&mut self, path: &TreePath, depth: usize) -> Result<(), RenderError> {
        if depth > MAX_DEPTH {
            return Err(self.limit(format!("folders are more than {MAX_DEPTH} deep")));
        }
        for entry in self.tree.list(path)? {
            let Ok(child) = path.join(&entry.name) else {
                continue;
            };
            match entry.kind {
                EntryKind::Directory if self.options.recurse => self.folder(&child, depth + 1)?,
                EntryKind::Directory | EntryKind::Submodule => {}
                EntryKind::File => self.consider(child)?,
                EntryKind::Symlink => self.link(child)?,
            }
        }
        Ok(())
    }

    /// A link counts as the file that it leads to; linked folders are not walked (R34).
    fn link(&mut self, path: TreePath) -> Result<(), RenderError> {
        if !self.is_manifest(path.name()) {
            return Ok(());
        }
        match self.tree.kind(&path) {
            Ok(EntryKind::File) => self.consider(path),
            Ok(_) => {
                self.warn(
                    &path,
                    0,
                    "ignored: the symbolic link does not lead to a file".into(),
                );
                Ok(())
            }
            Err(TreeError::NotFound(_)) => {
                self.warn(&path, 0, "ignored: the symbolic link leads nowhere".into());
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn is_manifest(&self, name: &str) -> bool {
        // Options of the source, not objects: read already.
        if name.starts_with(".argocd-source") {
            return false;
        }
        self.options.disable_extension_filter
            || [".yaml", ".yml", ".json", ".jsonnet"]
                .iter()
                .any(|end| name.ends_with(end))
    }

    fn consider(&mut self, path: TreePath) -> Result<(), RenderError> {
        if !self.is_manifest(path.name()) {
            return Ok(());
        }
        let relative = path
            .as_str()
            .strip_prefix(self.root.as_str())
            .unwrap_or(path.as_str())
            .trim_start_matches('/');
        let Directory {
            include, exclude, ..
        } = self.options;
        if !exclude.is_empty() && matches(exclude, relative, Dialect::Glob) {
            return Ok(());
        }
        if !include.is_empty() && !matches(include, relative, Dialect::Glob) {
            return Ok(());
        }
        self.take(path)
    }

    fn take(&mut self, path: TreePath) -> Result<(), RenderError> {
        if self.files.len() >= MAX_FILES {
            return Err(self.limit(format!("more than {MAX_FILES} manifest files")));
        }
        if !path.name().ends_with(".jsonnet") {
            self.size = self.size.saturating_add(self.tree.size(&path)?);
            if self.size > MAX_COMBINED_SIZE {
                return Err(self.limit(format!(
                    "total size of manifest files exceeds the limit of {MAX_COMBINED_SIZE} bytes"
                )));
            }
        }
        self.files.push(path);
        Ok(())
    }

    fn limit(&self, problem: String) -> RenderError {
        RenderError::Limit {
            path: self.root.to_string(),
            problem,
        }
    }

    fn warn(&mut self, path: &TreePath, line: u32, message: String) {
        self.warnings.push(RenderWarning {
            origin: origin(path, line),
            message,
        });
    }

    fn read(
        &mut self,
        path: &TreePath,
        objects: &mut Vec<RenderedObject>,
    ) -> Result<(), RenderError> {
        if path.name().ends_with(".jsonnet") {
            return Err(RenderError::Unsupported {
                path: path.to_string(),
                tool: "Jsonnet",
                problem: "leave the file out with `directory.exclude`; Jsonnet comes later",
            });
        }
        let content = self.tree.read(path)?;
        if contains(&content, SKIP_MARK) {
            return Ok(());
        }
        let decoded = stream::decode(path.as_str(), &content);
        if let Some(problem) = decoded.failure() {
            return Err(RenderError::File {
                file: path.name().to_owned(),
                origin: origin(path, problem.position.line),
                column: problem.position.column,
                problem: format!("failed to unmarshal manifest: {}", problem.message),
            });
        }
        for problem in decoded.problems {
            self.warn(path, problem.position.line, problem.message);
        }
        if path.name().ends_with(".json") && decoded.objects.len() > 1 && !is_list(&content) {
            return Err(RenderError::SeveralObjects {
                file: path.name().to_owned(),
            });
        }
        for located in decoded.objects {
            if self.objects_left == 0 {
                return Err(self.limit(format!("more than {MAX_OBJECTS} objects")));
            }
            self.objects_left -= 1;
            check_annotations(&located.item)?;
            objects.push(RenderedObject {
                object: located.item,
                origin: origin(path, located.line),
            });
        }
        Ok(())
    }
}

fn origin(path: &TreePath, line: u32) -> Origin {
    Origin {
        path: path.as_str().into(),
        line,
    }
}

fn contains(content: &[u8], mark: &[u8]) -> bool {
    content.windows(mark.len()).any(|window| window == mark)
}

/// Whether a JSON file holds one list object, which stands for its items.
fn is_list(content: &[u8]) -> bool {
    yaml::json::parse(content).is_ok()
}

/// The mark of ownership is an annotation: annotations that are not text stop the render
/// (recording bad-labels-number).
pub(super) fn check_annotations(object: &Object) -> Result<(), RenderError> {
    let Some(annotations) = object.value().at(&["metadata", "annotations"]) else {
        return Ok(());
    };
    let bad = |problem: String| {
        RenderError::Tracking(format!(
            "failed to get annotations for {} {}/{}: .metadata.annotations accessor error: {problem}",
            go_gvk(&object.gvk()),
            object.namespace(),
            object.name()
        ))
    };
    match annotations {
        Value::Null => Ok(()),
        Value::Map(map) => match map.iter().find(|(_, value)| value.as_str().is_none()) {
            None => Ok(()),
            Some((key, value)) => Err(bad(format!(
                "contains non-string value in the map under key {:?}: {} is of the type {}, expected string",
                key.as_str(),
                go_value(value),
                decoded_type(value)
            ))),
        },
        other => Err(bad(format!(
            "{} is of the type {}, expected map[string]interface{{}}",
            go_value(other),
            decoded_type(other)
        ))),
    }
}

/// As `%v` prints a plain value.
fn go_value(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.to_string(),
        other => yaml::json::to_string(other),
    }
}
