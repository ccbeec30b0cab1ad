//! `tiphys render`: what an Application stands for, without a cluster.

use anyhow::{Context, Result, bail};
use api::{Application, Source, names};
use engine::render::{Environment, Rendered};
use manifest::{EntryKind, Tree, TreePath};
use source::{FileUrls, Store};

use crate::cli::RenderArguments;
use crate::discover::Discovery;
use crate::{checkout, data_dir, home, origin, terminal};

/// Prints the objects as one YAML stream; warnings go to standard error.
pub(super) async fn run(arguments: &RenderArguments) -> Result<u8> {
    let folder = data_dir::default_path(&origin::repository_of(&arguments.path)?)?;
    let store = Store::open(&folder.join("git"), source::Options::new(FileUrls::Allowed))?;
    let (place, tree) = checkout::files(&store, &arguments.path).await?;
    let is_folder = tree.kind(&place)? == EntryKind::Directory;
    let tree = tree.as_ref();
    let outputs = tokio::task::block_in_place(|| {
        if is_folder && arguments.name.is_none() {
            let source = Source {
                path: place.to_string(),
                ..Source::default()
            };
            let environment = Environment {
                instance: place.name().to_owned(),
            };
            return Ok(vec![engine::render(tree, &source, &environment)?]);
        }
        application(tree, &place, arguments.name.as_deref())
    })?;
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
    };
    let sources = app.spec.all_sources();
    let n_sources = sources.len();
    let render = |(number, source): (usize, &Source)| {
        let what = || format!("source {} of {n_sources}", number + 1);
        engine::render(tree, source, &environment).with_context(what)
    };
    sources.iter().enumerate().map(render).collect()
}
