//! `helm template`, text for text: what the command prints for its flags.
//!
//! Read [`template()`]. Finding a chart and reading files is the caller's; flags are parsed by
//! programs, and mean what [`TemplateOptions`] says.

use crate::log::{Level, Warning};
use crate::manifests::{Hook, Manifest, split};
use crate::path_match::path_match;
use crate::render::{
    Release, Rendered, SchemaCheck, World, check, push_source, render_into, source_len,
};
use crate::{Chart, Error, KubeVersion, ValueSources, Values};

/// The flags of `helm template`.
#[derive(Clone, Debug, Default)]
pub struct TemplateOptions {
    /// CHART, for messages.
    pub chart: String,
    /// The release: NAME, or what `--name-template` gives.
    pub name: String,
    /// `--name-template`.
    pub name_template: Option<String>,
    /// `--namespace`.
    pub namespace: String,
    /// `-f`, `--set` and their kin.
    pub values: ValueSources,
    /// `--kube-version`.
    pub kube_version: Option<String>,
    /// `--api-versions`, beside those that are always known.
    pub api_versions: Vec<String>,
    /// `--show-only`: templates, or patterns of them.
    pub show_only: Vec<String>,
    /// Whether something is said or left out.
    pub flags: Flags,
}

/// The flags of `helm template` that are set or not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flags {
    /// `--include-crds`.
    pub include_crds: bool,
    /// `--skip-tests`.
    pub skip_tests: bool,
    /// `--no-hooks`.
    pub no_hooks: bool,
    /// `--is-upgrade`.
    pub is_upgrade: bool,
    /// `--skip-schema-validation`.
    pub skip_schemas: bool,
    /// `--debug`: what was written is shown even where it is broken.
    pub debug: bool,
}

/// What the command prints, and how it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// On the standard output.
    pub stdout: String,
    /// On the standard error: log lines without their times, and `Error: …`.
    pub stderr: String,
    /// Whether it worked.
    pub is_ok: bool,
}

/// Gives the text of a file, or says why it cannot.
type Read<'r> = &'r dyn Fn(&str) -> Result<String, String>;

/// Runs the command. `load` gives the chart, and `read` a file that `--set-file` names.
pub fn template(
    options: &TemplateOptions,
    world: &World,
    load: impl FnOnce() -> Result<Chart, Error>,
    read: &dyn Fn(&str) -> Result<String, String>,
) -> Output {
    let mut log = Vec::new();
    let mut stdout = String::new();
    let result = run(options, world, (load, read), (&mut log, &mut stdout));
    let mut stderr = String::new();
    let is_told = |line: &&Warning| options.flags.debug || line.level != Level::Debug;
    for line in log.iter().filter(is_told) {
        stderr.push_str(&format!("{line}\n"));
    }
    if let Err(problem) = &result {
        stderr.push_str(&format!("Error: {problem}\n"));
    }
    Output {
        stdout,
        stderr,
        is_ok: result.is_ok(),
    }
}

/// How a problem in a render is told, unless what it wrote is shown anyway.
const DEBUG_ADVICE: &str = "\n\nUse --debug flag to render out invalid YAML";

fn run(
    options: &TemplateOptions,
    world: &World,
    (load, read): (impl FnOnce() -> Result<Chart, Error>, Read<'_>),
    (log, stdout): (&mut Vec<Warning>, &mut String),
) -> Result<(), String> {
    let told = |error: Error| error.to_string();
    let mut world = world.clone();
    let kube_version = options.kube_version.as_ref();
    if let Some(version) = kube_version.filter(|version| !version.is_empty()) {
        let problem = |error| format!("invalid kube version '{version}': {error}");
        world.capabilities.kube_version = KubeVersion::parse(version).map_err(problem)?;
    }
    if options.flags.skip_schemas {
        world.schemas = SchemaCheck::Skipped;
    }
    let more = options.api_versions.iter().cloned();
    world.capabilities.api_versions.extend(more);
    if options.name_template.is_some() && !options.name.is_empty() {
        return Err("cannot set --name-template and also specify a name".to_owned());
    }
    log.push(Warning::debug("Original chart version").with("version", ""));
    log.push(Warning::debug("Chart path").with("path", options.chart.as_str()));
    let values = options.values.merged(read).map_err(told)?;
    let chart = load().map_err(told)?;
    log.extend(chart.warnings().iter().cloned());
    let rendered = render_with(options, &world, (&chart, &values), log);
    let (text, problem) = match rendered {
        Ok(rendered) => (printed(&rendered, options.flags), None),
        Err(Error::Render { text, written }) if options.flags.debug => {
            (format!("{}\n", written.trim()), Some(text))
        }
        Err(Error::Render { text, .. }) => return Err(format!("{text}{DEBUG_ADVICE}")),
        Err(other) => return Err(other.to_string()),
    };
    if options.show_only.is_empty() {
        *stdout = text;
    } else {
        show_only(&text, &options.show_only, stdout)
            .map_err(|missing| problem.clone().unwrap_or(missing))?;
    }
    problem.map_or(Ok(()), Err)
}

fn render_with(
    options: &TemplateOptions,
    world: &World,
    (chart, values): (&Chart, &Values),
    log: &mut Vec<Warning>,
) -> Result<Rendered, Error> {
    let name = match &options.name_template {
        Some(template) => release_name(template)?,
        None => options.name.clone(),
    };
    check(chart, log)?;
    let release = Release {
        name,
        namespace: options.namespace.clone(),
        is_upgrade: options.flags.is_upgrade,
        revision: 1,
    };
    render_into(chart, values, (&release, world), log)
}

/// The name that a template of names gives.
fn release_name(template: &str) -> Result<String, Error> {
    let mut templates = gotmpl::Templates::new(crate::functions::sprig());
    let name = templates
        .parse("name-template", template)
        .and_then(|()| templates.execute("name-template", &gotmpl::Value::Nil));
    name.map_err(|error| Error::text(error.to_string()))
}

/// What the command prints of a render.
fn printed(rendered: &Rendered, flags: Flags) -> String {
    let is_shown = |hook: &&Hook| !(flags.no_hooks || flags.skip_tests && hook.is_test());
    let crds = rendered.crds.iter().filter(|_| flags.include_crds);
    let crds = crds.map(|(name, content)| (name.as_str(), content.as_str()));
    fn shown(manifest: &Manifest) -> (&str, &str) {
        (&manifest.path, &manifest.text)
    }
    let objects = rendered.manifests.iter().map(shown);
    let hooks = rendered.hooks.iter().filter(is_shown);
    let hooks: Vec<(&str, &str)> = hooks.map(|hook| shown(&hook.manifest)).collect();
    let objects: Vec<(&str, &str)> = crds.chain(objects).collect();
    let all = objects.iter().chain(&hooks);
    let n_bytes = all
        .map(|(path, text)| source_len(path, text))
        .sum::<usize>()
        + 1;
    let mut text = String::with_capacity(n_bytes);
    for (path, content) in objects {
        push_source(&mut text, path, content);
    }
    // The objects of a chart, without the space around them; they begin with a line of dashes.
    text.truncate(text.trim_end().len());
    text.push('\n');
    for (path, content) in hooks {
        push_source(&mut text, path, content);
    }
    text
}

/// Prints the documents of some templates.
fn show_only(text: &str, patterns: &[String], stdout: &mut String) -> Result<(), String> {
    let documents: Vec<(&str, &str)> = split(text)
        .filter_map(|document| Some((source_of(document)?, document)))
        .collect();
    let mut shown = String::new();
    for pattern in patterns {
        let fits = |path: &str| path_match(pattern, path).unwrap_or(false);
        let mut found = documents.iter().filter(|(path, _)| fits(path)).peekable();
        if found.peek().is_none() {
            return Err(format!("could not find template {pattern} in chart"));
        }
        for (_, document) in found {
            shown.push_str(&format!("---\n{document}\n"));
        }
    }
    stdout.push_str(&shown);
    Ok(())
}

/// The template that a document is from, without the chart's name.
fn source_of(document: &str) -> Option<&str> {
    let after = document.split_once("# Source: ")?.1;
    let line = after.lines().next().unwrap_or_default();
    line.split_once('/').map(|(_, path)| path)
}
