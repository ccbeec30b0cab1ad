//! Helm charts as sources (sources.md, section 5): which values win, what the release is called, and
//! what of the output is the application's.
//!
//! Read [`render`]. The chart itself is `helm`'s. Errors are in the words of Argo CD, with the
//! command that would give the same by hand.

use api::source::{Helm, HelmParameter};
use helm::{Capabilities, Chart, KubeVersion, Release, SchemaCheck, ValueSources, World};
use manifest::{EntryKind, Tree, TreeError, TreePath, stream};
use sha2::{Digest, Sha256};

use super::environment::{Asked, Fact};
use super::lack::Lack;
use super::value_files::{Named, Resolver, is_pattern};
use super::{Origin, RenderError, RenderWarning, RenderedObject};

/// The namespace of a release whose application names none, as Helm's own default.
const NO_NAMESPACE: &str = "default";

/// What Helm tells about templates that write broken manifests.
const ADVICE: &str = "\n\nUse --debug flag to render out invalid YAML";

type Found = (Vec<RenderedObject>, Vec<RenderWarning>);

/// Renders the chart in a folder.
pub(super) fn render(
    tree: &dyn Tree,
    options: &Helm,
    folder: &TreePath,
    asked: &Asked<'_>,
) -> Result<Found, RenderError> {
    let source = HelmSource {
        tree,
        options,
        folder,
        asked,
        resolver: Resolver::new(tree, folder, asked),
    };
    source.check_references()?;
    let files = source.value_files()?;
    let parameters = source.file_parameters()?;
    let command = source.command(&files, &parameters);
    let failed = |error: helm::Error| source.failed(&command, error);
    let values = source.values(&files, &parameters, &command)?;
    let chart = source.chart(&failed)?;
    let rendered = helm::render(&chart, &values, &source.release(), &source.world(&failed)?);
    let rendered = rendered.map_err(failed)?;
    source.objects(&rendered)
}

/// One source and what it may read.
struct HelmSource<'a> {
    tree: &'a dyn Tree,
    options: &'a Helm,
    folder: &'a TreePath,
    asked: &'a Asked<'a>,
    resolver: Resolver<'a>,
}

/// A `--set-file`: the value's path, and the file.
struct FileParameter {
    name: String,
    file: TreePath,
}

impl HelmSource<'_> {
    /// R21: what starts with `$name` must be of a source of that name, where any has one.
    fn check_references(&self) -> Result<(), RenderError> {
        let references = &self.asked.environment().references;
        let parameters = self.options.file_parameters.iter().map(|it| &it.path);
        for name in self.options.value_files.iter().chain(parameters) {
            let first = name.split('/').next().unwrap_or_default();
            let Some(reference) = first.strip_prefix('$').filter(|_| !references.is_empty()) else {
                continue;
            };
            if !references.iter().any(|known| known == reference) {
                let known: Vec<String> = references.iter().map(|it| format!("${it}")).collect();
                return Err(RenderError::Helm(format!(
                    "source referenced {first:?}, which is not one of the available sources ({})",
                    known.join(", ")
                )));
            }
        }
        Ok(())
    }

    /// The value files in their order: each once; one that is named as such stays where it is
    /// named, whatever pattern matches it too (R19).
    fn value_files(&self) -> Result<Vec<TreePath>, RenderError> {
        let problem = |text: String| {
            let what = "error resolving helm value files: error resolving value file path";
            RenderError::Helm(format!("{what}: {text}"))
        };
        let mut named = Vec::new();
        for raw in &self.options.value_files {
            named.push((raw, self.resolver.named(raw).map_err(problem)?));
        }
        let explicit: Vec<TreePath> = named
            .iter()
            .filter_map(|(_, it)| match it {
                Named::Local { path, .. } if !is_pattern(path.as_str()) => Some(path.clone()),
                Named::Local { .. } | Named::Remote(_) => None,
            })
            .collect();
        let mut files: Vec<TreePath> = Vec::new();
        let mut add = |path: TreePath| {
            if !files.contains(&path) {
                files.push(path);
            }
        };
        let is_missing_fine = self.options.ignore_missing_value_files;
        let mut lacks = Vec::new();
        for (raw, named) in named {
            match named {
                Named::Remote(lack) if self.is_there(&lack.place)? => add(lack.place),
                Named::Remote(lack) => lacks.push(lack),
                Named::Local { path, .. } if !is_pattern(path.as_str()) => {
                    if !is_missing_fine || self.is_there(&path)? {
                        add(path);
                    }
                }
                Named::Local { path, .. } => {
                    let found = self.resolver.matching(&path, EntryKind::File)?;
                    if found.is_empty() && !is_missing_fine {
                        return Err(problem(format!("no file matches {raw:?}")));
                    }
                    found
                        .into_iter()
                        .filter(|it| !explicit.contains(it))
                        .for_each(&mut add);
                }
            }
        }
        if lacks.is_empty() {
            return Ok(files);
        }
        Err(RenderError::Lacks(lacks))
    }

    fn is_there(&self, path: &TreePath) -> Result<bool, RenderError> {
        match self.tree.kind(path) {
            Ok(_) => Ok(true),
            Err(TreeError::NotFound(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn file_parameters(&self) -> Result<Vec<FileParameter>, RenderError> {
        let mut parameters = Vec::new();
        for parameter in &self.options.file_parameters {
            let named = self.resolver.named(&parameter.path).map_err(|text| {
                RenderError::Helm(format!("error resolving helm value file path: {text}"))
            })?;
            let file = match named {
                Named::Local { path, .. } => path,
                Named::Remote(lack) if self.is_there(&lack.place)? => lack.place,
                Named::Remote(lack) => return Err(RenderError::Lacks(vec![lack])),
            };
            parameters.push(FileParameter {
                name: parameter.name.clone(),
                file,
            });
        }
        Ok(parameters)
    }

    /// The values that win over the chart's own, lowest first: files, then `valuesObject` or
    /// `values`, then parameters (R15).
    fn values(
        &self,
        files: &[TreePath],
        parameters: &[FileParameter],
        command: &str,
    ) -> Result<helm::Values, RenderError> {
        let mut sources = ValueSources::default();
        for file in files {
            let text = self.text(file).map_err(|problem| match problem {
                Unreadable::Tree(error) => error.into(),
                Unreadable::Told(text) => self.told(command, &text),
            })?;
            sources.files.push((file.to_string(), text));
        }
        if let Some(object) = &self.options.values_object {
            let text = yaml::emit(&yaml::Value::Map(object.clone()));
            sources.files.push(("valuesObject".to_owned(), text));
        } else if !self.options.values.is_empty() {
            let inline = ("values".to_owned(), self.options.values.clone());
            sources.files.push(inline);
        }
        for parameter in last_of_each(&self.options.parameters) {
            let value = escaped(&self.asked.substitute(&parameter.value));
            let line = format!("{}={value}", parameter.name);
            if parameter.force_string {
                sources.strings.push(line);
            } else {
                sources.set.push(line);
            }
        }
        // A path is given as its number: it may hold what the syntax of `--set` has a meaning for.
        for (number, parameter) in parameters.iter().enumerate() {
            let line = format!("{}={number}", parameter.name);
            sources.set_files.push(line);
        }
        let read = |number: &str| {
            let parameter = number
                .parse::<usize>()
                .ok()
                .and_then(|it| parameters.get(it));
            let parameter = parameter.ok_or_else(|| format!("no file {number}"))?;
            self.text(&parameter.file).map_err(|problem| match problem {
                Unreadable::Tree(error) => error.to_string(),
                Unreadable::Told(text) => text,
            })
        };
        sources
            .merged(&read)
            .map_err(|error| self.failed(command, error))
    }

    fn text(&self, path: &TreePath) -> Result<String, Unreadable> {
        match self.tree.read(path) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(TreeError::NotFound(_)) => {
                let text = format!("open {path}: no such file or directory");
                Err(Unreadable::Told(text))
            }
            Err(TreeError::WrongKind { .. }) => {
                Err(Unreadable::Told(format!("read {path}: is a directory")))
            }
            Err(error) => Err(Unreadable::Tree(error)),
        }
    }

    /// The chart with what it needs: from its folder, from other folders of the repository
    /// (`file://`), or named as lacking.
    fn chart(&self, failed: &dyn Fn(helm::Error) -> RenderError) -> Result<Chart, RenderError> {
        let chart = Chart::load(self.tree, self.folder).map_err(failed)?;
        let mut local = Vec::new();
        let mut lacks = Vec::new();
        for needed in chart.missing() {
            if let Some(path) = needed.repository.strip_prefix("file://") {
                local.push(self.neighbour(path, failed)?);
                continue;
            }
            let locked = chart.lock().iter().find(|it| it.name == needed.name);
            let version = locked.map_or(&needed.version, |it| &it.version);
            if needed.repository.is_empty() {
                // It was to be in the chart: Helm says that it is not.
                continue;
            }
            let lack = Lack::chart(self.folder, (&needed.name, version, &needed.repository));
            lacks.push(lack.map_err(|it| dependencies(&it.to_string()))?);
        }
        if !lacks.is_empty() {
            return Err(RenderError::Lacks(lacks));
        }
        if local.is_empty() {
            return Ok(chart);
        }
        chart.with_dependencies(&local).map_err(failed)
    }

    fn neighbour(
        &self,
        path: &str,
        failed: &dyn Fn(helm::Error) -> RenderError,
    ) -> Result<Chart, RenderError> {
        let absent = || dependencies(&format!("directory {path} not found"));
        // An absolute path would be one of the machine.
        let folder = match path.starts_with('/') {
            true => return Err(absent()),
            false => self.folder.join(path).map_err(|_| absent())?,
        };
        if !self.is_there(&folder)? {
            return Err(absent());
        }
        Chart::load(self.tree, &folder).map_err(failed)
    }

    fn release_name(&self) -> &str {
        match self.options.release_name.as_str() {
            "" => &self.asked.environment().name,
            name => name,
        }
    }

    fn namespace(&self) -> &str {
        match self.options.namespace.as_str() {
            "" => self.asked.fact(Fact::Namespace),
            namespace => namespace,
        }
    }

    fn kube_version(&self) -> &str {
        match self.options.kube_version.as_str() {
            "" => self.asked.capabilities().kube_version(),
            version => version,
        }
    }

    fn release(&self) -> Release {
        let namespace = match self.namespace() {
            "" => NO_NAMESPACE,
            namespace => namespace,
        };
        Release {
            name: self.release_name().to_owned(),
            namespace: namespace.to_owned(),
            is_upgrade: false,
            revision: 1,
        }
    }

    fn world(&self, failed: &dyn Fn(helm::Error) -> RenderError) -> Result<World, RenderError> {
        let mut capabilities = Capabilities::default();
        let version = self.kube_version();
        if !version.is_empty() {
            capabilities.kube_version = KubeVersion::parse(version).map_err(failed)?;
        }
        let more = match self.options.api_versions.as_slice() {
            [] => self.asked.capabilities().api_versions(),
            own => own,
        };
        capabilities.api_versions.extend(more.iter().cloned());
        let environment = self.asked.environment();
        // The same for every commit: keys that a chart makes up must not change at each.
        let seed = Sha256::digest(format!("{}/{}", environment.instance, self.release_name()));
        Ok(World {
            capabilities,
            now: gotmpl::Now {
                seconds: environment.seconds,
                ..gotmpl::Now::default()
            },
            seed: seed.into(),
            schemas: match self.options.skip_schema_validation {
                true => SchemaCheck::Skipped,
                false => SchemaCheck::Strict,
            },
            lookup: None,
            spread: environment.spread,
        })
    }

    /// What Helm prints, as objects: definitions first, then manifests, then hooks.
    fn objects(&self, rendered: &helm::Rendered) -> Result<Found, RenderError> {
        let mut objects = Vec::new();
        let mut warnings = Vec::new();
        let mut add = |path: &str, decoded: stream::Decoded| {
            if let Some(problem) = decoded.failure() {
                let text = &problem.message;
                let text = format!("Failed to unmarshal manifest: {text} ({path})");
                return Err(RenderError::Helm(text));
            }
            for problem in decoded.problems {
                warnings.push(RenderWarning {
                    origin: origin(path, problem.position.line),
                    message: problem.message,
                });
            }
            for located in decoded.objects {
                super::directory::check_annotations(&located.item)?;
                objects.push(RenderedObject {
                    object: located.item,
                    origin: origin(path, 0),
                });
            }
            Ok(())
        };
        if !self.options.skip_crds {
            for (path, text) in &rendered.crds {
                add(path, stream::decode(path, text.as_bytes()))?;
            }
        }
        let is_shown = |hook: &&helm::Hook| !(self.options.skip_tests && hook.is_test());
        let hooks = rendered.hooks.iter().filter(is_shown);
        let manifests = rendered
            .manifests
            .iter()
            .chain(hooks.map(|it| &it.manifest));
        for manifest in manifests {
            if !manifest.value.is_null() {
                let path = &*manifest.path;
                add(path, stream::of_document(path, manifest.value.clone()))?;
            }
        }
        Ok((objects, warnings))
    }

    /// The command that gives the same by hand, as Argo CD shows it.
    fn command(&self, files: &[TreePath], parameters: &[FileParameter]) -> String {
        let mut words = ["helm", "template", ".", "--name-template"]
            .map(str::to_owned)
            .to_vec();
        words.push(self.release_name().to_owned());
        let mut add = |flag: &str, value: String| {
            words.push(flag.to_owned());
            words.push(value);
        };
        let (namespace, version) = (self.namespace(), self.kube_version());
        if !namespace.is_empty() {
            add("--namespace", namespace.to_owned());
        }
        if !version.is_empty() {
            add("--kube-version", version.to_owned());
        }
        for is_string in [false, true] {
            let flag = if is_string { "--set-string" } else { "--set" };
            let own = last_of_each(&self.options.parameters);
            for parameter in own.filter(|it| it.force_string == is_string) {
                let value = escaped(&self.asked.substitute(&parameter.value));
                add(flag, format!("{}={value}", parameter.name));
            }
        }
        for parameter in parameters {
            add(
                "--set-file",
                format!("{}={}", parameter.name, parameter.file),
            );
        }
        for file in files {
            add("--values", file.to_string());
        }
        let mut command = words
            .iter()
            .map(|it| shell_word(it))
            .collect::<Vec<_>>()
            .join(" ");
        command.push_str(" <api versions removed>");
        for (is_set, flag) in [
            (!self.options.skip_crds, "--include-crds"),
            (
                self.options.skip_schema_validation,
                "--skip-schema-validation",
            ),
            (self.options.skip_tests, "--skip-tests"),
        ] {
            if is_set {
                command.push(' ');
                command.push_str(flag);
            }
        }
        command
    }

    fn failed(&self, command: &str, error: helm::Error) -> RenderError {
        match error {
            helm::Error::Tree(error) => error.into(),
            helm::Error::Render { text, .. } => self.told(command, &format!("{text}{ADVICE}")),
            other => self.told(command, &other.to_string()),
        }
    }

    fn told(&self, command: &str, text: &str) -> RenderError {
        RenderError::Helm(format!(
            "failed to execute helm template command: failed running helm: `{command}` failed exit status 1: Error: {text}"
        ))
    }
}

/// Why a file gives no text.
enum Unreadable {
    Tree(TreeError),
    /// In Helm's words.
    Told(String),
}

fn dependencies(text: &str) -> RenderError {
    RenderError::Helm(format!(
        "error building helm chart dependencies: failed to build helm dependencies: failed to build dependencies: failed running helm: `helm dependency build` failed exit status 1: Error: {text}"
    ))
}

/// Parameters by name; of equal names the last.
fn last_of_each(parameters: &[HelmParameter]) -> impl Iterator<Item = &HelmParameter> {
    parameters.iter().enumerate().filter_map(|(number, one)| {
        let later = &parameters[number + 1..];
        let is_last = later
            .iter()
            .all(|it| it.name != one.name || it.force_string != one.force_string);
        is_last.then_some(one)
    })
}

/// Commas are parts of the value, unless it is a list in braces (R16).
fn escaped(value: &str) -> String {
    if value.starts_with('{') && value.ends_with('}') {
        return value.to_owned();
    }
    let mut result = String::new();
    for letter in value.chars() {
        if letter == ',' && !result.ends_with('\\') {
            result.push('\\');
        }
        result.push(letter);
    }
    result
}

fn shell_word(word: &str) -> String {
    if word.is_empty() || word.contains(char::is_whitespace) {
        return format!("{word:?}");
    }
    word.to_owned()
}

fn origin(path: &str, line: u32) -> Origin {
    Origin {
        path: path.into(),
        line,
    }
}

#[cfg(test)]
mod tests;
