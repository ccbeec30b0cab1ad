//! Where a resource comes from and what changed it, as annotations for `buildMetadata`.
//!
//! Read [`Origin`] first.

use std::fmt::Write as _;

use manifest::TreePath;
use yaml::Value;

use crate::error::Result;
use crate::remote::RepoSpec;
use crate::resource::Resource;

/// The annotation that says where a resource comes from.
pub(crate) const ORIGIN: &str = "config.kubernetes.io/origin";
/// The annotation that says what changed a resource.
pub(crate) const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";

/// A place in a repository, or a generator or transformer there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Origin {
    pub(crate) path: String,
    pub(crate) repo: String,
    pub(crate) reference: String,
    pub(crate) configured_in: String,
    /// `apiVersion`, `kind`, `name` and `namespace`.
    pub(crate) configured_by: [String; 4],
}

impl Origin {
    /// The place that `path` leads to from here.
    pub(crate) fn append(&self, path: &str) -> Self {
        let mut origin = self.clone();
        match RepoSpec::parse(path) {
            Some(spec) => {
                origin.path = clean(&spec.path);
                origin.repo = spec.clone_url;
                origin.reference = spec.reference;
            }
            None => origin.path = join(&origin.path, path),
        }
        origin
    }

    /// A builtin of a kind in this kustomization.
    pub(crate) fn builtin(&self, file: &str, kind: &str) -> Self {
        Origin {
            path: String::new(),
            configured_in: join(&self.path, file),
            configured_by: [
                "builtin".to_owned(),
                kind.to_owned(),
                String::new(),
                String::new(),
            ],
            ..self.clone()
        }
    }

    /// What a resource that configures a transformer or generator changes comes from.
    pub(crate) fn of_plugin(resource: &Resource) -> Option<Self> {
        let origin = read(resource)?;
        let id = resource.id();
        Some(Origin {
            configured_in: origin.path,
            path: String::new(),
            repo: origin.repo,
            reference: origin.reference,
            configured_by: [
                id.gvk.api_version(),
                id.gvk.kind.to_string(),
                id.name.to_string(),
                id.namespace.to_string(),
            ],
        })
    }

    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        let mut line = |indent: &str, name: &str, value: &str| {
            if !value.is_empty() {
                let shown = yaml::emit_in(&Value::from(value), yaml::Dialect::Kustomize);
                // Writing to a String cannot fail.
                let _ = write!(text, "{indent}{name}: {shown}");
            }
        };
        line("", "path", &self.path);
        line("", "repo", &self.repo);
        line("", "ref", &self.reference);
        line("", "configuredIn", &self.configured_in);
        if self.configured_by.iter().any(|part| !part.is_empty()) {
            text.push_str("configuredBy:\n");
            let mut line = |name: &str, value: &str| {
                if !value.is_empty() {
                    let shown = yaml::emit_in(&Value::from(value), yaml::Dialect::Kustomize);
                    let _ = write!(text, "  {name}: {shown}");
                }
            };
            let names = ["apiVersion", "kind", "name", "namespace"];
            for (name, value) in names.into_iter().zip(&self.configured_by) {
                line(name, value);
            }
        }
        text
    }
}

/// The origin that a resource is annotated with.
fn read(resource: &Resource) -> Option<Origin> {
    let annotations = resource.texts("annotations");
    let value = yaml::parse_str(annotations.get(ORIGIN)?).ok()?;
    let text = |name: &str| {
        value
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    Some(Origin {
        path: text("path"),
        repo: text("repo"),
        reference: text("ref"),
        configured_in: text("configuredIn"),
        configured_by: Default::default(),
    })
}

/// Whether a resource says where it comes from.
pub(crate) fn has_origin(resource: &Resource) -> bool {
    resource.texts("annotations").contains_key(ORIGIN)
}

/// Says where a resource comes from.
pub(crate) fn set(resource: &mut Resource, origin: &str) -> Result<()> {
    let mut annotations = resource.texts("annotations");
    annotations.insert(ORIGIN.to_owned(), origin.to_owned());
    resource.set_texts("annotations", &annotations)
}

/// Says what changed a resource, or what made it where nothing says where it comes from.
pub(crate) fn note(resource: &mut Resource, origin: &Origin) -> Result<()> {
    let text = origin.to_text();
    if !has_origin(resource) {
        return set(resource, &text);
    }
    let mut annotations = resource.texts("annotations");
    let before = annotations.entry(TRANSFORMATIONS.to_owned()).or_default();
    for (number, line) in text.lines().enumerate() {
        before.push_str(if number == 0 { "- " } else { "  " });
        before.push_str(line);
        before.push('\n');
    }
    resource.set_texts("annotations", &annotations)
}

/// Joins two paths as Go's `filepath.Join`; they may begin with `..`.
fn join(base: &str, path: &str) -> String {
    clean(&format!("{base}/{path}"))
}

fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// A folder as messages show it: `/` is the root of the tree.
pub(crate) fn shown(path: &TreePath) -> String {
    format!("/{}", path.as_str())
}
