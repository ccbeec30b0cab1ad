//! What the ConfigMap `argocd-cm` says, as far as decisions depend on it.
//!
//! Read [`Settings`] first. Pure: data goes in, settings and warnings come out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::application::IgnoreDifferences;
use api::duration::GoDuration;
use api::{Condition, names, reason};
use engine::render::{KustomizeSettings, Tools};
use engine::subject::ChildHealth;
use engine::tracking::{Tracking, TrackingMethod};
use yaml::Value;

/// Settings of the controller.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// What `engine` wants to know.
    pub(crate) engine: engine::subject::Settings,
    /// How often references are asked for (`timeout.reconciliation`), where the ConfigMap says so;
    /// zero turns polling off.
    pub(crate) poll_interval: Option<Duration>,
    /// Schemes of value files that are fetched (`helm.valuesFileSchemes`).
    pub(crate) value_file_schemes: Vec<String>,
    /// How kustomizations are built (`kustomize.buildOptions`).
    pub(crate) kustomize: Arc<KustomizeSettings>,
    /// Which tools render (`helm.enable`, `kustomize.enable`).
    pub(crate) tools: Tools,
    /// What in the ConfigMap cannot be read.
    pub(crate) warnings: Vec<Condition>,
}

const CUSTOMIZATIONS: &str = "resource.customizations";
const IGNORE_PREFIX: &str = "resource.customizations.ignoreDifferences.";
const APPLICATION_HEALTH: &str = "resource.customizations.health.argoproj.io_Application";

impl Settings {
    /// Of the data of `argocd-cm`; empty when there is none.
    pub(crate) fn read(control_namespace: &str, data: &BTreeMap<String, String>) -> Self {
        let text = |key: &str| data.get(key).map(String::as_str).unwrap_or_default();
        let is_enabled = |key: &str| !text(key).eq_ignore_ascii_case("false");
        let label_key = match text("application.instanceLabelKey") {
            "" => names::INSTANCE_LABEL,
            key => key,
        };
        let mut warnings = Vec::new();
        let child_health = if data.contains_key(APPLICATION_HEALTH) {
            ChildHealth::Counts
        } else {
            ChildHealth::Apart
        };
        let poll_interval = match text("timeout.reconciliation") {
            "" => None,
            interval => match GoDuration::parse_or_seconds(interval) {
                Ok(interval) => Some(interval.to_std()),
                Err(error) => {
                    warnings.push(warning("timeout.reconciliation", &error.to_string()));
                    None
                }
            },
        };
        Settings {
            engine: engine::subject::Settings {
                control_namespace: control_namespace.to_owned(),
                tracking: Tracking {
                    method: TrackingMethod::parse(text("application.resourceTrackingMethod")),
                    label_key: label_key.into(),
                    installation_id: text("installationID").into(),
                },
                ignore_differences: ignore_differences(data, &mut warnings),
                child_health,
            },
            poll_interval,
            value_file_schemes: value_file_schemes(data.get("helm.valuesFileSchemes")),
            kustomize: Arc::new(kustomize(data)),
            tools: Tools::new(is_enabled("helm.enable"), is_enabled("kustomize.enable")),
            warnings,
        }
    }
}

/// The flags of builds; a version that a source may name has a program of its own, whose place is
/// all that is known of it.
fn kustomize(data: &BTreeMap<String, String>) -> KustomizeSettings {
    let options = |key: &str| data.get(key).map(String::as_str).unwrap_or_default();
    let version = |key: &String| {
        let prefixes = ["kustomize.path.", "kustomize.version."];
        let version = prefixes.iter().find_map(|it| key.strip_prefix(it))?;
        let own = options(&format!("kustomize.buildOptions.{version}"));
        Some((version.to_owned(), own.to_owned()))
    };
    let versions = data.keys().filter_map(version).collect();
    KustomizeSettings::new(options("kustomize.buildOptions"), versions)
}

/// Without the key those that Argo CD has by default; an empty text is none.
fn value_file_schemes(text: Option<&String>) -> Vec<String> {
    let text = text.map_or("https,http", String::as_str);
    let schemes = text.split(',').map(str::trim).filter(|it| !it.is_empty());
    schemes.map(str::to_owned).collect()
}

fn warning(key: &str, problem: &str) -> Condition {
    Condition::new(
        reason::UNKNOWN_ERROR,
        format!("argocd-cm: {key}: {problem}"),
    )
}

/// The entries of all kinds, in the order of their keys.
fn ignore_differences(
    data: &BTreeMap<String, String>,
    warnings: &mut Vec<Condition>,
) -> Vec<IgnoreDifferences> {
    let mut found = Vec::new();
    let mut add = |key: &str, kind: &str, text: &str| match entry(kind, text) {
        Ok(entry) => found.push(entry),
        Err(problem) => warnings.push(warning(key, &problem)),
    };
    for (key, text) in data {
        if let Some(kind) = key.strip_prefix(IGNORE_PREFIX) {
            add(key, &kind.replacen('_', "/", 1), text);
        }
    }
    // The older form: one map from kind to settings.
    let all = yaml::parse_str(data.get(CUSTOMIZATIONS).map_or("", String::as_str));
    for (kind, settings) in all
        .iter()
        .filter_map(Value::as_map)
        .flat_map(yaml::Map::iter)
    {
        if let Some(text) = settings.get("ignoreDifferences").and_then(Value::as_str) {
            add(CUSTOMIZATIONS, kind, text);
        }
    }
    found
}

/// One entry: `all`, a kind, or `group/kind`.
fn entry(kind: &str, text: &str) -> Result<IgnoreDifferences, String> {
    let value = yaml::parse_str(text).map_err(|error| error.to_string())?;
    let mut entry = IgnoreDifferences::from_value(value).map_err(|error| error.to_string())?;
    let (group, kind) = match kind {
        "all" => ("*", "*"),
        kind => kind.split_once('/').unwrap_or(("", kind)),
    };
    entry.group = group.to_owned();
    entry.kind = kind.to_owned();
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(data: &[(&str, &str)], want: &[(&str, &str, &str)]) {
        let data = data
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let settings = Settings::read("argocd", &data);
        let found: Vec<(&str, &str, &str)> = settings
            .engine
            .ignore_differences
            .iter()
            .map(|it| {
                (
                    it.group.as_str(),
                    it.kind.as_str(),
                    it.json_pointers[0].as_str(),
                )
            })
            .collect();
        assert_eq!(found, want);
    }

    #[test]
    fn ignored_differences_are_read_in_both_forms() {
        let pointers = "jsonPointers: [/spec]";
        check(
            &[
                ("resource.customizations.ignoreDifferences.all", pointers),
                (
                    "resource.customizations.ignoreDifferences.apps_Deployment",
                    pointers,
                ),
                (
                    "resource.customizations.ignoreDifferences.ConfigMap",
                    pointers,
                ),
            ],
            &[
                ("", "ConfigMap", "/spec"),
                ("*", "*", "/spec"),
                ("apps", "Deployment", "/spec"),
            ],
        );
        check(
            &[(
                "resource.customizations",
                "apps/Deployment:\n  ignoreDifferences: |\n    jsonPointers: [/x]\n",
            )],
            &[("apps", "Deployment", "/x")],
        );
    }

    #[test]
    fn flags_of_kustomize_are_for_all_builds_or_for_those_of_a_version() {
        let data = [
            ("kustomize.buildOptions", "--enable-helm"),
            ("kustomize.buildOptions.v4", "--network"),
            ("kustomize.path.v4", "/bin/kustomize4"),
            ("kustomize.version.v3", "/bin/kustomize3"),
        ];
        let data = data.map(|(key, text)| (key.to_owned(), text.to_owned()));
        let settings = Settings::read("argocd", &BTreeMap::from(data));
        let versions = [("v3", ""), ("v4", "--network")];
        let versions = versions.map(|(version, text)| (version.to_owned(), text.to_owned()));
        let want = KustomizeSettings::new("--enable-helm", BTreeMap::from(versions));
        assert_eq!(*settings.kustomize, want);
    }

    #[test]
    fn a_tool_renders_unless_it_is_turned_off() {
        let data = BTreeMap::from([("helm.enable".to_owned(), "false".to_owned())]);
        assert_eq!(Settings::read("argocd", &data).tools, Tools::Kustomize);
    }

    #[test]
    fn a_setting_that_cannot_be_read_is_a_warning() {
        let data = BTreeMap::from([("timeout.reconciliation".to_owned(), "soon".to_owned())]);
        let settings = Settings::read("argocd", &data);
        assert_eq!(settings.poll_interval, None);
        assert_eq!(settings.warnings.len(), 1);
    }
}
