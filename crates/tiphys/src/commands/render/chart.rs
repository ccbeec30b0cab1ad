//! `tiphys render` of a chart: what `helm template` prints for the same flags.
//!
//! Read [`run`]. The folder is read as it is on disk, files that Git ignores included, as Helm does.

use std::mem::ManuallyDrop;
use std::path::Path;

use anyhow::{Context, Result};
use controller::Fetcher;
use engine::render::{ChartForm, Lack, Lacking};
use helm::{Capabilities, Chart, Flags, SchemaCheck, Spread, TemplateOptions, ValueSources, World};
use jiff::Timestamp;
use manifest::TreePath;
use source::chart::PassCredentials;
use source::{CredentialStore, FileUrls, Freshness, Store};

use super::disk::Disk;
use crate::cli::{ChartArguments, RenderArguments};
use crate::{data_dir, terminal};

/// The name of a release that is given none, as in Helm.
const RELEASE_NAME: &str = "release-name";

/// Whether a path is a chart: a folder with a `Chart.yaml`, or an archive.
pub(super) fn is_chart(path: &Path) -> bool {
    let is_archive = path.is_file() && path.extension().is_some_and(|it| it == "tgz");
    is_archive || path.join("Chart.yaml").is_file()
}

/// Renders the chart; the exit code is 0, or that of an error, which is told as Helm tells it.
pub(super) async fn run(arguments: &RenderArguments) -> Result<Option<String>> {
    let flags = &arguments.chart;
    let options = options(arguments)?;
    let mut chart = load(&arguments.path);
    if flags.dependency_update
        && let Ok(loaded) = &chart
        && !loaded.missing().is_empty()
    {
        chart = Ok(complete(loaded, &arguments.path).await?);
    }
    let seed: [u8; 32] = rand::random();
    let now = Timestamp::now();
    let world = World {
        capabilities: Capabilities::default(),
        now: gotmpl::Now {
            seconds: now.as_second(),
            nanoseconds: now.subsec_nanosecond().unsigned_abs(),
        },
        seed,
        schemas: match flags.skip_schema_validation {
            true => SchemaCheck::Skipped,
            false => SchemaCheck::Strict,
        },
        lookup: None,
        spread: Spread::new(controller::on_all_processors),
    };
    let read =
        |path: &str| std::fs::read_to_string(path).map_err(|it| format!("open {path}: {it}"));
    // The process ends soon: taking a large chart apart would only delay that.
    let _kept = ManuallyDrop::new(chart.as_ref().ok().cloned());
    let output = helm::template(&options, &world, || chart, &read);
    terminal::print(&output.stdout);
    if output.is_ok {
        for line in output.stderr.lines() {
            terminal::complain(line);
        }
        return Ok(None);
    }
    Ok(Some(output.stderr))
}

fn load(path: &Path) -> Result<Chart, helm::Error> {
    if path.is_dir() {
        return Chart::load(&Disk::new(path), &TreePath::root());
    }
    match std::fs::read(path) {
        Ok(bytes) => Chart::from_archive(&bytes),
        Err(error) => Err(helm::Error::Text(format!(
            "open {}: {error}",
            path.display()
        ))),
    }
}

/// The chart with what it needs, from neighbours on disk and from repositories.
async fn complete(chart: &Chart, path: &Path) -> Result<Chart> {
    let store = store(path)?;
    let credentials = CredentialStore::default();
    let fetcher = Fetcher {
        store: &store,
        credentials: &credentials,
        project: "",
        pass: PassCredentials::OwnServer,
        freshness: Freshness::Now,
    };
    let mut found = Vec::new();
    for needed in chart.missing() {
        if let Some(neighbour) = needed.repository.strip_prefix("file://") {
            found.push(load(&path.join(neighbour))?);
            continue;
        }
        let locked = chart.lock().iter().find(|it| it.name == needed.name);
        let lack = Lack {
            place: TreePath::parse(&needed.name)?,
            what: Lacking::Chart {
                version: locked.map_or(&needed.version, |it| &it.version).clone(),
                name: needed.name,
                repository: needed.repository,
                form: ChartForm::Archive,
            },
        };
        let brought = fetcher.bring(&[lack]).await?;
        for bytes in brought.contents() {
            found.push(Chart::from_archive(bytes)?);
        }
    }
    Ok(chart.with_dependencies(&found)?)
}

/// Where what is fetched for a folder is kept.
pub(super) fn store(path: &Path) -> Result<Store> {
    let data = data_dir::default_path(&path.canonicalize()?)?;
    let mut options = source::Options::new(FileUrls::Allowed);
    options.charts.docker_config = docker_config();
    Ok(Store::open(&data.join("git"), options)?)
}

/// Where `docker login` leaves what registries are logged in to.
fn docker_config() -> Option<std::path::PathBuf> {
    let folder = match std::env::var_os("DOCKER_CONFIG") {
        Some(folder) => folder.into(),
        None => Path::new(&std::env::var_os("HOME")?).join(".docker"),
    };
    Some(folder.join("config.json"))
}

fn options(arguments: &RenderArguments) -> Result<TemplateOptions> {
    let flags = &arguments.chart;
    let name = match (&arguments.name, &flags.name_template) {
        (Some(name), _) => name.clone(),
        (None, Some(_)) => String::new(),
        (None, None) => RELEASE_NAME.to_owned(),
    };
    Ok(TemplateOptions {
        name,
        chart: arguments.path.display().to_string(),
        name_template: flags.name_template.clone(),
        namespace: flags.namespace.clone(),
        values: values(flags)?,
        kube_version: flags.kube_version.clone(),
        api_versions: flags.api_versions.clone(),
        show_only: flags.show_only.clone(),
        flags: Flags {
            include_crds: flags.include_crds && !flags.skip_crds,
            skip_tests: flags.skip_tests,
            no_hooks: flags.no_hooks,
            is_upgrade: flags.is_upgrade,
            skip_schemas: flags.skip_schema_validation,
            debug: false,
        },
    })
}

fn values(flags: &ChartArguments) -> Result<ValueSources> {
    let read = |path: &String| {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
        anyhow::Ok((path.clone(), text))
    };
    Ok(ValueSources {
        files: flags.values.iter().map(read).collect::<Result<_>>()?,
        json: flags.set_json.clone(),
        set: flags.set.clone(),
        strings: flags.set_string.clone(),
        set_files: flags.set_file.clone(),
        literals: flags.set_literal.clone(),
    })
}
