//! `helmCharts`: charts are inflated by a function of the caller.
//!
//! Read [`Inflation`] first. This module must never know a template.

use manifest::{EntryKind, Tree, TreePath};
use yaml::node::Node;
use yaml::{Map, Value};

use crate::decode::Fields;
use crate::error::{Error, Result, fail};
use crate::loader::Folder;
use crate::merge::Merger;
use crate::merge::schema::Schemas;
use crate::remote::Needed;

/// What a chart is inflated with.
#[derive(Clone)]
pub struct Inflation<'a> {
    /// The tree that holds the chart.
    pub tree: &'a dyn Tree,
    /// The chart's folder.
    pub chart: TreePath,
    /// The entry of `helmCharts`.
    pub settings: &'a HelmChart,
    /// Values, the later ones count more.
    pub values: Vec<Value>,
}

/// Inflates a chart: gives the manifests as `helm template` prints them, or why it cannot.
pub type Inflate<'a> = dyn Fn(&Inflation<'_>) -> std::result::Result<String, String> + 'a;

/// An entry of `helmCharts`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HelmChart {
    /// The chart's name.
    pub name: String,
    /// Its version; empty for any.
    pub version: String,
    /// The repository that it comes from; empty for a chart in the tree.
    pub repo: String,
    /// The release's name; empty for a made-up one.
    pub release_name: String,
    /// The release's namespace.
    pub namespace: String,
    /// Whether definitions of custom resources are part of the output.
    pub include_crds: bool,
    /// Whether hooks are left out.
    pub skip_hooks: bool,
    /// Whether tests are left out.
    pub skip_tests: bool,
    /// API versions that the cluster is said to have.
    pub api_versions: Vec<String>,
    /// The Kubernetes version that is said to run.
    pub kube_version: String,
    /// The template of the release's name.
    pub name_template: String,
    chart_home: String,
    values_file: String,
    additional_values_files: Vec<String>,
    values_inline: Map,
    values_merge: String,
}

impl HelmChart {
    fn read(fields: &Fields<'_>) -> Result<Self> {
        fields.boolean("debug")?;
        fields.boolean("devel")?;
        let inline = fields.value("valuesInline").and_then(Value::as_map);
        Ok(HelmChart {
            name: fields.string("name")?,
            version: fields.string("version")?,
            repo: fields.string("repo")?,
            release_name: fields.string("releaseName")?,
            namespace: fields.string("namespace")?,
            include_crds: fields.boolean("includeCRDs")?,
            skip_hooks: fields.boolean("skipHooks")?,
            skip_tests: fields.boolean("skipTests")?,
            api_versions: fields.strings("apiVersions")?,
            kube_version: fields.string("kubeVersion")?,
            name_template: fields.string("nameTemplate")?,
            chart_home: String::new(),
            values_file: fields.string("valuesFile")?,
            additional_values_files: fields.strings("additionalValuesFiles")?,
            values_inline: inline.cloned().unwrap_or_default(),
            values_merge: fields.string("valuesMerge")?,
        })
    }

    /// As a generator of its own is configured: settings and globals in one.
    pub(crate) fn of_plugin(fields: &Fields<'_>) -> Result<Self> {
        fields.string("configHome")?;
        Ok(HelmChart {
            chart_home: fields.string("chartHome")?,
            ..HelmChart::read(fields)?
        })
    }

    /// The manifests of the chart.
    ///
    /// # Errors
    /// Inflating is not enabled, the chart is not in the tree ([`Error::Missing`] where it has a
    /// repository), values that cannot be merged, and what the caller's function says.
    pub(crate) fn inflate(
        &self,
        folder: &Folder<'_>,
        inflate: Option<&Inflate<'_>>,
    ) -> Result<String> {
        let Some(inflate) = inflate else {
            return fail(
                "trouble configuring builtin HelmChartInflationGenerator: \
                 must specify --enable-helm",
            );
        };
        if self.name.is_empty() {
            return fail("chart name cannot be empty");
        }
        let home = match self.chart_home.as_str() {
            "" => "charts",
            home => home,
        };
        let versioned = match (self.version.as_str(), self.repo.as_str()) {
            ("", _) | (_, "") => String::new(),
            (version, _) => format!("{}-{version}/", self.name),
        };
        let within = format!("{home}/{versioned}{}", self.name);
        let chart = folder
            .path()
            .join(&within)
            .map_err(|error| Error::Build(error.to_string()))?;
        if !matches!(folder.tree().kind(&chart), Ok(EntryKind::Directory)) {
            return match self.repo.as_str() {
                "" => fail(format!(
                    "no repo specified for pull, no chart found at '{within}'"
                )),
                repo if folder.is_in_repository() => fail(format!(
                    "chart '{}' of '{repo}' is needed by a remote base, and not in its tree",
                    self.name
                )),
                repo => Err(Error::Missing(vec![Needed::Chart {
                    name: self.name.clone(),
                    version: self.version.clone(),
                    repository: repo.to_owned(),
                    place: chart,
                }])),
            };
        }
        let mut values = vec![self.values(folder, &within)?];
        for path in &self.additional_values_files {
            let bytes = folder
                .read(path)
                .map_err(|error| error.within("could not load additionalValuesFile"))?;
            values.push(yaml::parse_str(&String::from_utf8_lossy(&bytes))?);
        }
        let inflation = Inflation {
            tree: folder.tree(),
            chart,
            settings: self,
            values,
        };
        inflate(&inflation).map_err(Error::Build)
    }

    /// The values file and the inline values, merged as `valuesMerge` says.
    fn values(&self, folder: &Folder<'_>, chart: &str) -> Result<Value> {
        let default = format!("{chart}/values.yaml");
        let path = match self.values_file.as_str() {
            "" => default.as_str(),
            path => path,
        };
        let of_file = || -> Result<Node> {
            let bytes = folder.read(path)?;
            let node =
                yaml::node::first_document(&String::from_utf8_lossy(&bytes)).map_err(|error| {
                    Error::from(error).within("could not parse values file into rnode")
                })?;
            Ok(node.unwrap_or_else(|| Node::Map(Vec::new())))
        };
        let own = Node::from_value(&Value::Map(self.values_inline.clone()));
        if self.values_inline.is_empty() {
            return Ok(of_file()?.to_value()?);
        }
        let schemas = Schemas::empty();
        let merger = Merger { schemas: &schemas };
        let merged = match self.values_merge.as_str() {
            "" | "override" => merger.merge(of_file()?, own)?,
            "merge" => merger.merge(own, of_file()?)?,
            "replace" => Some(own),
            _ => return fail("valuesMerge must be one of [merge override replace]"),
        };
        Ok(merged.unwrap_or_else(|| Node::Map(Vec::new())).to_value()?)
    }
}

/// Reads `helmCharts` with `helmGlobals`, and the deprecated `helmChartInflationGenerator`.
pub(crate) fn read(fields: &Fields<'_>) -> Result<Vec<HelmChart>> {
    let globals = fields.object("helmGlobals", "HelmGlobals", |fields| {
        fields.string("configHome")?;
        fields.string("chartHome")
    })?;
    let mut charts = fields.list("helmCharts", "[]types.HelmChart", HelmChart::read)?;
    let mut old_home = String::new();
    let old = fields.list(
        "helmChartInflationGenerator",
        "[]types.HelmChartArgs",
        |fields| {
            for unused in ["chartRepoName", "helmBin", "helmHome", "releaseNamespace"] {
                fields.string(unused)?;
            }
            fields.strings("extraArgs")?;
            let local = fields.value("valuesLocal").and_then(Value::as_map);
            Ok(HelmChart {
                name: fields.string("chartName")?,
                version: fields.string("chartVersion")?,
                repo: fields.string("chartRepoUrl")?,
                chart_home: fields.string("chartHome")?,
                values_file: fields.string("values")?,
                values_inline: local.cloned().unwrap_or_default(),
                values_merge: fields.string("valuesMerge")?,
                release_name: fields.string("releaseName")?,
                ..HelmChart::default()
            })
        },
    )?;
    for chart in &old {
        if !chart.chart_home.is_empty() {
            old_home.clone_from(&chart.chart_home);
        }
    }
    charts.extend(old);
    let home = globals.unwrap_or(old_home);
    for chart in &mut charts {
        chart.chart_home.clone_from(&home);
    }
    Ok(charts)
}
