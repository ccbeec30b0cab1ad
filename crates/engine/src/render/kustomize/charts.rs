//! Charts in kustomizations, inflated as by the `helm` that kustomize would run.
//!
//! Read [`inflater`].

use api::source::Kustomize;
use helm::{Capabilities, Chart, Flags, SchemaCheck, TemplateOptions, ValueSources, World};
use kustomize::{Inflate, Inflation};
use sha2::{Digest, Sha256};

use super::options::BuildOptions;
use crate::render::environment::Asked;

/// The namespace of a release that names none, as Helm's own default.
const NO_NAMESPACE: &str = "default";

/// The function that inflates the charts of one source. Versions that a kustomization names count
/// before those of the source, and these before the cluster's (R25).
pub(super) fn inflater<'a>(
    source: &'a Kustomize,
    options: &'a BuildOptions,
    asked: &'a Asked<'a>,
) -> Box<Inflate<'a>> {
    Box::new(move |inflation| inflate(inflation, source, options, asked))
}

fn inflate(
    inflation: &Inflation<'_>,
    source: &Kustomize,
    options: &BuildOptions,
    asked: &Asked<'_>,
) -> Result<String, String> {
    let settings = inflation.settings;
    let first = |texts: [&str; 3]| {
        texts
            .into_iter()
            .find(|it| !it.is_empty())
            .map(str::to_owned)
    };
    let kube_version = first([
        &settings.kube_version,
        &options.kube_version,
        &source.kube_version,
    ]);
    let kube_version = kube_version.unwrap_or_else(|| asked.capabilities().kube_version().into());
    let api_versions = [
        &settings.api_versions,
        &options.api_versions,
        &source.api_versions,
    ];
    let api_versions = match api_versions.into_iter().find(|it| !it.is_empty()) {
        Some(own) => own.as_slice(),
        None => asked.capabilities().api_versions(),
    };
    let has_template = !settings.name_template.is_empty();
    let name = match settings.release_name.as_str() {
        "" if has_template => String::new(),
        // As Helm makes up names, with a clock that stands still for a revision.
        "" => format!("{}-{}", settings.name, asked.environment().seconds),
        name => name.to_owned(),
    };
    let values = inflation.values.iter().map(|value| {
        let name = format!("{}-kustomize-values.yaml", settings.name);
        (name, yaml::emit(value))
    });
    let template = TemplateOptions {
        chart: inflation.chart.to_string(),
        name_template: has_template.then(|| settings.name_template.clone()),
        namespace: match settings.namespace.as_str() {
            "" => NO_NAMESPACE.to_owned(),
            namespace => namespace.to_owned(),
        },
        values: ValueSources {
            files: values.collect(),
            ..ValueSources::default()
        },
        kube_version: Some(kube_version),
        api_versions: api_versions.to_vec(),
        flags: Flags {
            include_crds: settings.include_crds,
            skip_tests: settings.skip_tests,
            no_hooks: settings.skip_hooks,
            ..Flags::default()
        },
        show_only: Vec::new(),
        name,
    };
    let world = world(asked, &template.name);
    let no_files = |path: &str| Err(format!("open {path}: no such file or directory"));
    let load = || Chart::load(inflation.tree, &inflation.chart);
    let output = helm::template(&template, &world, load, &no_files);
    match output.is_ok {
        true => Ok(output.stdout),
        false => Err(format!("{}: unable to run: 'helm template'", output.stderr)),
    }
}

/// What a chart may know besides files: the same at every render of a revision.
fn world(asked: &Asked<'_>, release: &str) -> World {
    let environment = asked.environment();
    let seed = Sha256::digest(format!("{}/{release}", environment.instance));
    World {
        capabilities: Capabilities::default(),
        now: gotmpl::Now {
            seconds: environment.seconds,
            ..gotmpl::Now::default()
        },
        seed: seed.into(),
        schemas: SchemaCheck::Strict,
        lookup: None,
        spread: environment.spread,
    }
}
