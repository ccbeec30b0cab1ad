//! Kustomizations as sources (sources.md, section 6): what the source changes in the kustomization
//! before it is built, and what the build may read.
//!
//! Read [`render`]. What a kustomization means is `kustomize`'s. Errors are in the words of Argo CD,
//! with the command that would give the same by hand.

mod charts;
mod options;

use std::collections::HashMap;
use std::sync::Arc;

use api::Source;
use api::source::{IntOrString, Kustomize, KustomizePatch};
use kustomize::{Built, Content, Edit, Error, Existing, LabelReach, Needed};
use manifest::{ContentId, Entry, EntryKind, Recorder, Tree, TreeError, TreePath, stream};

use super::environment::{Asked, Environment, Fact};
use super::lack::Lack;
use super::value_files::{Resolver, is_pattern};
use super::{Origin, RenderError, RenderWarning, RenderedObject};
use options::BuildOptions;
pub use options::KustomizeSettings;

type Found = (Vec<RenderedObject>, Vec<RenderWarning>);

/// Renders the kustomization in a folder.
pub(super) fn render(
    tree: &Recorder<'_>,
    options: &Kustomize,
    folder: &TreePath,
    asked: &Asked<'_>,
) -> Result<Found, RenderError> {
    asked.fact(Fact::Kustomize);
    let settings = &asked.environment().kustomize;
    let text = settings.build_options(&options.version).ok_or_else(|| {
        let version = &options.version;
        RenderError::Kustomize(format!(
            "error getting kustomize binary path: kustomize version {version} is not registered"
        ))
    })?;
    let source = KustomizeSource {
        tree,
        options,
        folder,
        asked,
    };
    let command = build_command(folder, text);
    let build_options = BuildOptions::parse(text).map_err(|problem| told(&command, &problem))?;
    let mut edits = Edits::default();
    source.names(&mut edits)?;
    source.texts(&mut edits);
    source.contents(&mut edits)?;
    edits.add_flags(&build_options);
    let built = source.build(&edits, &build_options, &command)?;
    let mut found = objects(built, folder)?;
    if !options.version.is_empty() {
        let message = format!(
            "built as by kustomize v5.7, which is the only one, and not {}",
            options.version
        );
        found.1.push(warning(folder, message));
    }
    Ok(found)
}

/// Builds the kustomization in a folder as `kustomize build` does with the environment's flags.
///
/// # Errors
/// [`RenderError::KustomizeCommand`] in kustomize's words, and [`RenderError::Lacks`].
pub fn kustomization(
    tree: &dyn Tree,
    folder: &TreePath,
    environment: &Environment,
) -> Result<Built, RenderError> {
    let (options, source) = (Kustomize::default(), Source::default());
    let flags = environment.kustomize.build_options("").unwrap_or_default();
    let command = build_command(folder, flags);
    let flags = BuildOptions::parse(flags).map_err(|problem| told(&command, &problem))?;
    let mut edits = Edits::default();
    edits.add_flags(&flags);
    let source = KustomizeSource {
        tree: &Recorder::new(tree),
        options: &options,
        folder,
        asked: &Asked::new(environment, &source),
    };
    source.build(&edits, &flags, &command)
}

/// One source and what it may read.
struct KustomizeSource<'a> {
    tree: &'a Recorder<'a>,
    options: &'a Kustomize,
    folder: &'a TreePath,
    asked: &'a Asked<'a>,
}

/// Changes to the kustomization, each with the command that makes it.
#[derive(Default)]
struct Edits {
    edits: Vec<Edit>,
    commands: Vec<String>,
}

impl Edits {
    fn add(&mut self, edit: Edit, arguments: &str) {
        self.edits.push(edit);
        self.commands.push(format!("kustomize edit {arguments}"));
    }

    /// What flags of the build say, which are fields of the kustomization too.
    fn add_flags(&mut self, options: &BuildOptions) {
        if options.labels_manager {
            let edit = Edit::BuildMetadata(vec!["managedByLabel".to_owned()]);
            self.add(edit, "add buildmetadata managedByLabel");
        }
    }
}

/// A file or a repository that was brought.
enum Brought<'a> {
    File(Arc<[u8]>),
    Folder(Below<'a>),
}

impl Brought<'_> {
    fn content(&self) -> Content<'_> {
        match self {
            Brought::File(bytes) => Content::File(Arc::clone(bytes)),
            Brought::Folder(tree) => Content::Repository(tree),
        }
    }
}

impl KustomizeSource<'_> {
    fn names(&self, edits: &mut Edits) -> Result<(), RenderError> {
        let options = self.options;
        if !options.name_prefix.is_empty() {
            let prefix = options.name_prefix.clone();
            let arguments = format!("set nameprefix -- {prefix}");
            edits.add(Edit::NamePrefix(prefix), &arguments);
        }
        if !options.name_suffix.is_empty() {
            let suffix = options.name_suffix.clone();
            let arguments = format!("set namesuffix -- {suffix}");
            edits.add(Edit::NameSuffix(suffix), &arguments);
        }
        if !options.images.is_empty() {
            let images = options.images.iter();
            let images: Vec<String> = images.map(|it| self.asked.substitute(it)).collect();
            let arguments = format!("set image {}", images.join(" "));
            edits.add(Edit::Images(images), &arguments);
        }
        if !options.replicas.is_empty() {
            let mut counts = Vec::new();
            let mut arguments = "set replicas".to_owned();
            for replica in &options.replicas {
                let count = count(&replica.count).map_err(RenderError::Kustomize)?;
                arguments.push_str(&format!(" {}={count}", replica.name));
                counts.push((replica.name.clone(), count));
            }
            edits.add(Edit::Replicas(counts), &arguments);
        }
        Ok(())
    }

    fn texts(&self, edits: &mut Edits) {
        let options = self.options;
        let existing = |is_forced: bool| match is_forced {
            true => Existing::Replaced,
            false => Existing::Refused,
        };
        if !options.common_labels.is_empty() {
            let flags = [
                (options.force_common_labels, " --force"),
                (options.label_without_selector, " --without-selector"),
                (options.label_include_templates, " --include-templates"),
            ];
            let flags: String = flags.iter().filter(|it| it.0).map(|it| it.1).collect();
            let labels = options.common_labels.iter();
            let labels = labels.map(|(name, value)| (name.clone(), self.asked.substitute(value)));
            let edit = Edit::Labels {
                labels: labels.collect(),
                existing: existing(options.force_common_labels),
                reach: match (
                    options.label_without_selector,
                    options.label_include_templates,
                ) {
                    (false, false) => LabelReach::Selectors,
                    (false, true) => LabelReach::TemplatesAlone,
                    (true, false) => LabelReach::Metadata,
                    (true, true) => LabelReach::Templates,
                },
            };
            edits.add(edit, &format!("add label{flags}"));
        }
        if !options.common_annotations.is_empty() {
            let annotations = options.common_annotations.iter();
            let annotations = annotations.map(|(name, value)| {
                let value = match options.common_annotations_envsubst {
                    true => self.asked.substitute(value),
                    false => value.clone(),
                };
                (name.clone(), value)
            });
            let edit = Edit::Annotations {
                annotations: annotations.collect(),
                existing: existing(options.force_common_annotations),
            };
            let flag = match options.force_common_annotations {
                true => " --force",
                false => "",
            };
            edits.add(edit, &format!("add annotation{flag}"));
        }
        if !options.namespace.is_empty() {
            let namespace = options.namespace.clone();
            let arguments = format!("set namespace -- {namespace}");
            edits.add(Edit::Namespace(namespace), &arguments);
        }
    }

    fn contents(&self, edits: &mut Edits) -> Result<(), RenderError> {
        let options = self.options;
        if !options.patches.is_empty() {
            let patches = options.patches.iter();
            let patches = patches.map(KustomizePatch::to_value).collect();
            edits.add(Edit::Patches(patches), "add patch");
        }
        let mut components = Vec::new();
        for named in &options.components {
            if !options.ignore_missing_components || self.is_there(named)? {
                components.extend(self.component(named)?);
            }
        }
        if !components.is_empty() {
            let arguments = format!("add component {}", options.components.join(" "));
            edits.add(Edit::Components(components), &arguments);
        }
        Ok(())
    }

    fn is_there(&self, path: &str) -> Result<bool, RenderError> {
        let Ok(path) = self.folder.join(path) else {
            return Ok(false);
        };
        match self.tree.kind(&path) {
            Ok(_) => Ok(true),
            Err(error @ TreeError::Unavailable { .. }) => Err(error.into()),
            Err(_) => Ok(false),
        }
    }

    /// The components that a name, a pattern or a URL stands for.
    fn component(&self, named: &str) -> Result<Vec<String>, RenderError> {
        let pattern = match self.folder.join(named) {
            Ok(pattern) if is_pattern(named) => pattern,
            _ => return Ok(vec![named.to_owned()]),
        };
        let resolver = Resolver::new(self.tree, self.folder, self.asked);
        let found = resolver.matching(&pattern, EntryKind::Directory)?;
        let found: Vec<String> = found.iter().map(|it| relative(self.folder, it)).collect();
        match found.is_empty() {
            true => Ok(vec![named.to_owned()]),
            false => Ok(found),
        }
    }

    /// Builds, with what of other repositories is in the tree.
    fn build(
        &self,
        edits: &Edits,
        options: &BuildOptions,
        command: &str,
    ) -> Result<Built, RenderError> {
        let inflate = charts::inflater(self.options, options, self.asked);
        let mut brought: HashMap<String, Brought<'_>> = HashMap::new();
        loop {
            let remotes = brought.iter();
            let remotes = remotes.map(|(url, one)| (url.clone(), one.content()));
            let built = kustomize::build(
                self.tree,
                self.folder,
                &kustomize::Options {
                    load_restriction: options.load_restriction,
                    remotes: remotes.collect(),
                    inflate: options.enable_helm.then_some(&*inflate),
                    edits: &edits.edits,
                },
            );
            let needed = match built {
                Err(Error::Missing(needed)) => needed,
                built => return built.map_err(|error| failed(error, edits, command)),
            };
            let before = brought.len();
            let mut lacks = Vec::new();
            for one in needed {
                let lack = Lack::of_kustomization(&one)
                    .map_err(|problem| told(command, &problem.to_string()))?;
                match (one, self.brought(&lack.place)?) {
                    (Needed::Remote(remote), Some(found)) => {
                        brought.insert(remote.url, found);
                    }
                    _ => lacks.push(lack),
                }
            }
            if !lacks.is_empty() || brought.len() == before {
                return Err(RenderError::Lacks(lacks));
            }
        }
    }

    /// What is at the place of something remote.
    fn brought(&self, place: &TreePath) -> Result<Option<Brought<'_>>, RenderError> {
        match self.tree.kind(place) {
            Ok(EntryKind::File) => Ok(Some(Brought::File(self.tree.read(place)?))),
            Ok(_) => Ok(Some(Brought::Folder(Below {
                tree: self.tree,
                root: place.clone(),
            }))),
            Err(TreeError::NotFound(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// A count, as a number or as the text of one.
fn count(count: &IntOrString) -> Result<i64, String> {
    match count {
        IntOrString::Int(number) => Ok(*number),
        IntOrString::String(text) => text
            .parse()
            .map_err(|_| format!("expected integer value for count. Received: {text}")),
    }
}

/// A path as it is written in a folder.
fn relative(folder: &TreePath, path: &TreePath) -> String {
    let parts = |path: &TreePath| -> Vec<String> {
        let parts = path.as_str().split('/').filter(|it| !it.is_empty());
        parts.map(str::to_owned).collect()
    };
    let (from, to) = (parts(folder), parts(path));
    let n_same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..".to_owned(), from.len() - n_same);
    let all: Vec<String> = up.chain(to.into_iter().skip(n_same)).collect();
    all.join("/")
}

/// The command that gives the same by hand, as Argo CD shows it. In the root, what hides the path
/// eats the mark behind it.
fn build_command(folder: &TreePath, options: &str) -> String {
    let mut command = "`kustomize build <path to cached source>".to_owned();
    if !folder.is_root() {
        command.push_str(&format!("/{folder}"));
    }
    for word in options.split_whitespace() {
        command.push(' ');
        command.push_str(word);
    }
    if !folder.is_root() || command.contains(" -") {
        command.push('`');
    }
    command
}

fn told(command: &str, text: &str) -> RenderError {
    RenderError::KustomizeCommand {
        command: command.to_owned(),
        problem: text.to_owned(),
    }
}

fn failed(error: Error, edits: &Edits, command: &str) -> RenderError {
    match error {
        Error::Unavailable(error) => RenderError::Unavailable(error),
        Error::Edit { number, problem } => {
            let edit = edits.commands.get(number).map_or("", String::as_str);
            told(&format!("`{edit}`"), &problem)
        }
        other => told(command, &other.to_string()),
    }
}

fn warning(folder: &TreePath, message: String) -> RenderWarning {
    RenderWarning {
        origin: origin(folder),
        message,
    }
}

fn origin(folder: &TreePath) -> Origin {
    Origin {
        path: folder.as_str().into(),
        line: 0,
    }
}

/// What the build gives, as objects.
fn objects(built: Built, folder: &TreePath) -> Result<Found, RenderError> {
    let warnings = built.warnings.into_iter();
    let mut warnings: Vec<RenderWarning> = warnings
        .map(|it| warning(folder, it.trim_start_matches("# Warning: ").to_owned()))
        .collect();
    let mut objects = Vec::new();
    for value in built.values {
        let decoded = stream::of_document(folder.as_str(), value);
        if let Some(problem) = decoded.failure() {
            let text = format!("Failed to unmarshal manifest: {}", problem.message);
            return Err(RenderError::Kustomize(text));
        }
        let problems = decoded.problems.into_iter();
        warnings.extend(problems.map(|it| warning(folder, it.message)));
        for located in decoded.objects {
            super::directory::check_annotations(&located.item)?;
            objects.push(RenderedObject {
                object: located.item,
                origin: origin(folder),
            });
        }
    }
    Ok((objects, warnings))
}

/// A folder of a tree as a tree of its own.
struct Below<'a> {
    tree: &'a dyn Tree,
    root: TreePath,
}

impl Below<'_> {
    fn ask<T>(
        &self,
        path: &TreePath,
        question: impl Fn(&dyn Tree, &TreePath) -> Result<T, TreeError>,
    ) -> Result<T, TreeError> {
        let Ok(place) = self.root.join(path.as_str()) else {
            return Err(TreeError::NotFound(path.clone()));
        };
        question(self.tree, &place)
    }
}

impl Tree for Below<'_> {
    fn read(&self, path: &TreePath) -> Result<Arc<[u8]>, TreeError> {
        self.ask(path, |tree, place| tree.read(place))
    }

    fn list(&self, path: &TreePath) -> Result<Vec<Entry>, TreeError> {
        self.ask(path, |tree, place| tree.list(place))
    }

    fn kind(&self, path: &TreePath) -> Result<EntryKind, TreeError> {
        self.ask(path, |tree, place| tree.kind(place))
    }

    fn size(&self, path: &TreePath) -> Result<u64, TreeError> {
        self.ask(path, |tree, place| tree.size(place))
    }

    fn content_id(&self, path: &TreePath) -> Result<ContentId, TreeError> {
        self.ask(path, |tree, place| tree.content_id(place))
    }
}

#[cfg(test)]
mod tests;
