//! One render: from a chart and values to manifests.
//!
//! Read [`render()`]. The order of steps is Helm's, as the first error is what a user sees.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::{Limits, MissingKey, Now, Templates, Value as Go};

use crate::chart::{Template, is_partial};
use crate::coalesce::{Nulls, coalesce};
use crate::dependencies::{Active, activate};
use crate::log::{Level, Warning};
use crate::manifests::{self, Hook, Manifest, Sorted};
use crate::metadata::Metadata;
use crate::schema::Schema;
use crate::scope::Scopes;
use crate::spread::Spread;
use crate::{Capabilities, Chart, Error, Values, functions, schema, trace, versions};

/// What a render is of: `.Release`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Whether it is there already.
    pub is_upgrade: bool,
    /// How often it was released.
    pub revision: i64,
}

/// What a render may know of the world around it.
#[derive(Clone)]
pub struct World {
    /// The cluster.
    pub capabilities: Capabilities,
    /// The time.
    pub now: Now,
    /// What random numbers follow from.
    pub seed: [u8; 32],
    /// Whether values are checked against `values.schema.json`.
    pub schemas: SchemaCheck,
    /// How `lookup` finds objects of the cluster; without it, it finds none.
    pub lookup: Option<functions::Lookup>,
    /// Who parses what is long.
    pub spread: Spread,
}

/// Whether schemas of values count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SchemaCheck {
    /// They do.
    #[default]
    Strict,
    /// They do not: `--skip-schema-validation`.
    Skipped,
}

/// What a render gives.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// Objects in the order in which Helm installs them.
    pub manifests: Vec<Manifest>,
    /// Objects with hook annotations that Helm knows.
    pub hooks: Vec<Hook>,
    /// The files of `crds/` folders: names and texts, which are no templates.
    pub crds: Vec<(String, String)>,
    /// What `NOTES.txt` of the root chart says.
    pub notes: String,
    /// What Helm tells on the side.
    pub warnings: Vec<Warning>,
}

/// What templates may use in one render, all of them together. Helm itself stops the 1,001st
/// `include` of one name within itself: that has to be reached first.
const LIMITS: Limits = Limits {
    n_steps: 100_000_000,
    n_bytes: 256 << 20,
    depth: 1_010,
};

/// Renders a chart with values over its own.
///
/// # Errors
/// What Helm says: of values that do not fit, charts that need another Kubernetes, templates and
/// what they write. [`Error::MissingDependencies`] when charts that it needs are not there.
pub fn render(
    chart: &Chart,
    values: &Values,
    release: &Release,
    world: &World,
) -> Result<Rendered, Error> {
    let mut warnings = chart.warnings().to_vec();
    check(chart, &mut warnings)?;
    let rendered = render_into(chart, values, (release, world), &mut warnings)?;
    warnings.retain(|warning| warning.level != Level::Debug);
    Ok(Rendered {
        warnings,
        ..rendered
    })
}

/// What can be said of a chart before its values are looked at.
pub(crate) fn check(chart: &Chart, warnings: &mut Vec<Warning>) -> Result<(), Error> {
    let metadata = chart.metadata();
    if !matches!(metadata.kind.as_str(), "" | "application") {
        let kind = &metadata.kind;
        return Err(Error::text(format!("{kind} charts are not installable")));
    }
    if metadata.deprecated {
        warnings.push(Warning::warn("this chart is deprecated"));
    }
    let missing = chart.missing();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.into_iter().map(|one| one.name);
    Err(Error::MissingDependencies(names.collect()))
}

/// What the templates of a chart write, by their names, before it is taken for manifests.
///
/// # Errors
/// As [`render()`], for what goes wrong until then.
pub fn execute(
    chart: &Chart,
    values: &Values,
    release: &Release,
    world: &World,
) -> Result<BTreeMap<Arc<str>, String>, Error> {
    let mut log = Vec::new();
    check(chart, &mut log)?;
    let root = prepare(chart, values, release, &mut log)?;
    written(chart, &root, values, (release, world), &mut log)
}

/// The charts that take part.
fn prepare<'a>(
    chart: &'a Chart,
    given: &Values,
    release: &Release,
    log: &mut Vec<Warning>,
) -> Result<Active<'a>, Error> {
    check_name(&release.name, log)?;
    let root = activate(chart, given, log).map_err(|error| {
        let problem = "chart dependencies processing failed";
        log.push(Warning::error(problem).with("error", error.to_string()));
        error.within(problem)
    })?;
    Ok(root)
}

/// What all templates write over the merged values.
fn written(
    chart: &Chart,
    root: &Active<'_>,
    given: &Values,
    (release, world): (&Release, &World),
    log: &mut Vec<Warning>,
) -> Result<BTreeMap<Arc<str>, String>, Error> {
    parse_all(chart, root, world);
    let values = coalesce(root, given.clone(), Nulls::Remove, log)?;
    if world.schemas == SchemaCheck::Strict {
        schema::check(root, &values, log)?;
    }
    check_kube_version(&root.node.loaded.metadata, &world.capabilities)?;
    let scopes = Scopes::new(root, &values, release, &world.capabilities);
    execute_all(chart, &scopes, world)
}

/// What is parsed once, for all renders.
enum Part<'a> {
    Template(&'a Template),
    Schema(&'a Schema),
}

impl Part<'_> {
    fn n_bytes(&self) -> usize {
        match self {
            Part::Template(template) => template.n_bytes(),
            Part::Schema(schema) => schema.n_bytes(),
        }
    }
}

/// Parses what no render has parsed yet, side by side. Who needs it later finds it, or what is
/// wrong with it.
fn parse_all(chart: &Chart, root: &Active<'_>, world: &World) {
    let mut parts = Vec::new();
    unparsed(root, world.schemas, &mut parts);
    // The longest first, so that none of them is left over at the end.
    parts.sort_by_key(|part| Reverse(part.n_bytes()));
    let n_bytes = parts.iter().map(Part::n_bytes).sum();
    world.spread.map(&parts, n_bytes, |part| match part {
        Part::Template(template) => drop(template.parsed(chart.engine())),
        Part::Schema(schema) => schema.compile(),
    });
}

fn unparsed<'a>(chart: &Active<'a>, schemas: SchemaCheck, parts: &mut Vec<Part<'a>>) {
    let templates = chart.node.templates.iter();
    let new = templates.filter(|template| !template.is_parsed());
    parts.extend(new.map(Part::Template));
    let schema = chart.node.loaded.schema.as_ref();
    let new = schema.filter(|schema| schemas == SchemaCheck::Strict && !schema.is_compiled());
    parts.extend(new.map(Part::Schema));
    for child in &chart.children {
        unparsed(child, schemas, parts);
    }
}

/// The render itself; warnings are kept when it fails too.
pub(crate) fn render_into(
    chart: &Chart,
    given: &Values,
    (release, world): (&Release, &World),
    log: &mut Vec<Warning>,
) -> Result<Rendered, Error> {
    let root = prepare(chart, given, release, log)?;
    let mut files = written(chart, &root, given, (release, world), log)?;
    let notes = take_notes(&mut files, &root.name);
    let files: Vec<(Arc<str>, String)> = files.into_iter().collect();
    let Sorted { manifests, hooks } =
        manifests::sort(&files, world.spread, log).map_err(|text| Error::Render {
            text,
            written: sources(&files),
        })?;
    let mut crds = Vec::new();
    crds_of(&root, &mut crds);
    Ok(Rendered {
        manifests,
        hooks,
        crds,
        notes,
        warnings: Vec::new(),
    })
}

/// Names of releases become names of objects.
const MAX_NAME: usize = 53;
const NAME: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

fn check_name(name: &str, log: &mut Vec<Warning>) -> Result<(), Error> {
    let is_plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
    let is_part = |part: &str| {
        !part.is_empty()
            && part.chars().all(is_plain)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    let problem = match name {
        "" => "no name provided".to_owned(),
        name if name.len() <= MAX_NAME && name.split('.').all(is_part) => return Ok(()),
        _ => format!(
            "invalid release name, must match regex {NAME} and the length must not be longer than \
             {MAX_NAME}"
        ),
    };
    let problem = format!("release name {}: {problem}", gotmpl::quote(name));
    let what = "release name check failed";
    log.push(Warning::error(what).with("error", problem.as_str()));
    Err(Error::text(format!("{what}: {problem}")))
}

fn check_kube_version(metadata: &Metadata, capabilities: &Capabilities) -> Result<(), Error> {
    let wanted = &metadata.kube_version;
    let version = &capabilities.kube_version;
    if wanted.is_empty() || versions::fits(wanted, &version.plain) {
        return Ok(());
    }
    let version = &version.version;
    Err(Error::render(format!(
        "chart requires kubeVersion: {wanted} which is incompatible with Kubernetes {version}"
    )))
}

/// A template of a chart and what it sees.
struct Place<'a> {
    template: &'a Template,
    dot: &'a gotmpl::Map,
    base_path: Arc<str>,
}

/// What all templates write, by their names.
fn execute_all(
    chart: &Chart,
    scopes: &Scopes<'_>,
    world: &World,
) -> Result<BTreeMap<Arc<str>, String>, Error> {
    let mut places: Vec<Place<'_>> = Vec::new();
    for (chart, dot) in &scopes.charts {
        let base_path: Arc<str> = format!("{}/templates", chart.node.path).into();
        places.extend(chart.node.templates.iter().map(|template| Place {
            template,
            dot,
            base_path: base_path.clone(),
        }));
    }
    // Deep ones first, and of one depth the last by name: so the first ones win where they define
    // the same.
    places.sort_by_cached_key(|place| {
        let name = &place.template.name;
        Reverse((name.matches('/').count(), name.clone()))
    });
    let names = places.iter().map(|place| place.template.name.clone());
    let templates = chart.together(names.collect(), |engine| templates(engine, &places))?;
    let mut session = functions::session(LIMITS, world);
    let mut files = BTreeMap::new();
    for place in &places {
        let name = &place.template.name;
        if is_partial(name) {
            continue;
        }
        let of_template = [
            ("Name".into(), Go::Text(name.clone())),
            ("BasePath".into(), Go::Text(place.base_path.clone())),
        ];
        let of_template = Go::Map(of_template.into_iter().collect());
        place.dot.set("Template".into(), of_template);
        let text = templates
            .execute_in(name, &Go::Map(place.dot.clone()), &mut session)
            .map_err(|error| Error::render(trace::execution_error(name, &error.text)))?;
        let text = match text.contains("<no value>") {
            true => text.replace("<no value>", ""),
            false => text,
        };
        files.insert(name.clone(), text);
    }
    Ok(files)
}

/// What executes templates of charts, with none in it.
pub(crate) fn engine() -> Templates {
    Templates::new(functions::table())
        .with_missing_key(MissingKey::Zero)
        .with_limits(LIMITS)
}

fn templates(mut engine: Templates, places: &[Place<'_>]) -> Result<Templates, Error> {
    for place in places {
        let parsed = place.template.parsed(&engine).map_err(|error| {
            Error::render(trace::parse_error(&place.template.name, &error.text))
        })?;
        engine.add(parsed);
    }
    Ok(engine)
}

const NOTES: &str = "NOTES.txt";

/// Takes notes out; those of the root chart are told.
fn take_notes(files: &mut BTreeMap<Arc<str>, String>, root: &str) -> String {
    let notes = files.remove(&*format!("{root}/templates/{NOTES}"));
    files.retain(|name, _| !name.ends_with(NOTES));
    notes.unwrap_or_default()
}

/// Texts below lines that name their sources, as Helm prints them.
fn sources(files: &[(Arc<str>, String)]) -> String {
    let mut text = String::new();
    for (name, content) in files
        .iter()
        .filter(|(_, content)| !content.trim().is_empty())
    {
        push_source(&mut text, name, content);
    }
    text
}

/// Writes a text below the lines that name its source.
pub(crate) fn push_source(out: &mut String, name: &str, content: &str) {
    for part in ["---\n# Source: ", name, "\n", content, "\n"] {
        out.push_str(part);
    }
}

/// How long that is.
pub(crate) fn source_len(name: &str, content: &str) -> usize {
    "---\n# Source: \n\n".len() + name.len() + content.len()
}

fn crds_of(chart: &Active<'_>, crds: &mut Vec<(String, String)>) {
    let is_manifest = |name: &str| {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        ["yaml", "yml", "json"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(ending))
    };
    for file in chart.node.loaded.files.iter() {
        if file.name.starts_with("crds/") && is_manifest(&file.name) {
            let name = format!("{}/{}", chart.node.path, file.name);
            crds.push((name, file.text().into_owned()));
        }
    }
    for child in &chart.children {
        crds_of(child, crds);
    }
}
