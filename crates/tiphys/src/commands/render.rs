//! `tiphys render`: what an Application stands for, without a cluster.

mod chart;
mod disk;
mod overlay;

use std::path::Path;

use anyhow::{Context, Result, bail};
use api::{Application, Source, names};
use engine::render::{Environment, RenderError, Rendered};
use manifest::{Tree, TreePath};
use source::{FileUrls, Store, WorkTree};

use super::DOES_NOT_WORK;
use crate::cli::RenderArguments;
use crate::discover::Discovery;
use crate::origin::{self, Origin};
use crate::{data_dir, home, terminal};

/// Prints the objects as one YAML stream; warnings go to standard error.
pub(super) async fn run(arguments: &RenderArguments) -> Result<u8> {
    if arguments.name.is_none() && overlay::is_kustomization(&arguments.path) {
        return Ok(match overlay::run(arguments).await? {
            None => 0,
            Some(problem) => {
                terminal::complain(&format!("error: {}", problem.trim_end()));
                DOES_NOT_WORK
            }
        });
    }
    if chart::is_chart(&arguments.path) {
        return Ok(match chart::run(arguments).await? {
            None => 0,
            Some(problem) => {
                terminal::complain(problem.trim_end());
                DOES_NOT_WORK
            }
        });
    }
    let data = data_dir::default_path(&origin::repository_of(&arguments.path)?)?;
    let store = Store::open(&data.join("git"), source::Options::new(FileUrls::Allowed))?;
    let work_tree = WorkTree::open(&store, &origin::repository_of(&arguments.path)?)?;
    let place = Origin::Folder(work_tree.clone()).inside(&arguments.path)?;
    let is_folder = arguments.path.is_dir() && arguments.name.is_none();
    let part = if is_folder {
        alone(&work_tree, &place).await?
    } else {
        None
    };
    let outputs = match part {
        Some(rendered) => vec![rendered],
        None => {
            let tree = work_tree.snapshot().await?.tree;
            tokio::task::block_in_place(|| {
                if is_folder {
                    return Ok(vec![folder(tree.as_ref(), &place)?]);
                }
                application(tree.as_ref(), &place, arguments.name.as_deref())
            })?
        }
    };
    for rendered in outputs {
        for warning in &rendered.warnings {
            terminal::complain(&format!("warning: {warning}"));
        }
        for one in &rendered.objects {
            terminal::print(&format!("---\n{}", yaml::emit(one.object.value())));
        }
    }
    Ok(0)
}

/// Renders a folder by looking at nothing else; `None` when more is needed to know what it gives.
async fn alone(work_tree: &WorkTree, place: &TreePath) -> Result<Option<Rendered>> {
    let Some(tree) = work_tree.part(place).await? else {
        return Ok(None);
    };
    let rendered = tokio::task::block_in_place(|| folder(tree.as_ref(), place));
    let is_inside = |path: &TreePath| Path::new(path.as_str()).starts_with(place.as_str());
    Ok(rendered
        .ok()
        .filter(|rendered| rendered.read_set.paths().all(is_inside)))
}

/// Renders a folder as the source of an Application that says nothing else.
fn folder(tree: &dyn Tree, place: &TreePath) -> Result<Rendered, RenderError> {
    let source = Source {
        path: place.to_string(),
        ..Source::default()
    };
    let environment = Environment {
        instance: place.name().to_owned(),
        name: place.name().to_owned(),
        ..Environment::default()
    };
    engine::render(tree, &source, &environment)
}

/// Renders the sources of the Application in a file, or of that name below a folder.
fn application(tree: &dyn Tree, place: &TreePath, name: Option<&str>) -> Result<Vec<Rendered>> {
    let discovery = Discovery::of(tree, place)?;
    if let Some(problem) = discovery.problems.first() {
        bail!("{problem}");
    }
    let mut apps = discovery.found.into_iter().filter(|found| {
        let is_named = name.is_none_or(|name| found.object.name() == name);
        found.object.kind() == names::APPLICATION && is_named
    });
    let app = apps
        .next()
        .with_context(|| format!("there is no such Application in {place}"))?;
    if let Some(other) = apps.next() {
        bail!(
            "{place} holds several Applications, {} and {}: choose with --name",
            app.object.name(),
            other.object.name()
        );
    }
    let app = Application::from_value(app.object.into_value())?;
    let environment = Environment {
        instance: app.instance_name(home::NAMESPACE),
        name: app.metadata.name.clone(),
        namespace: app.spec.destination.namespace.clone(),
        project: app.spec.project.clone(),
        ..Environment::default()
    };
    let sources = app.spec.all_sources();
    let n_sources = sources.len();
    let render = |(number, source): (usize, &Source)| {
        let what = || format!("source {} of {n_sources}", number + 1);
        engine::render(tree, source, &environment).with_context(what)
    };
    sources.iter().enumerate().map(render).collect()
}
