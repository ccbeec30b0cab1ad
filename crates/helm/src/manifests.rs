//! What templates wrote, cut into manifests and put in order.
//!
//! Read [`sort`]. Helm orders by kind: what others need comes first. Hooks stand apart, in the same
//! order.

use std::sync::Arc;

use memchr::memmem;
use yaml::Value as Yaml;

use crate::log::Warning;
use crate::spread::Spread;

/// One object as a template wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The template: `web/templates/service.yaml`.
    pub path: Arc<str>,
    /// Its text, without the space around it.
    pub text: String,
    /// What it says; null for a text of comments alone.
    pub value: Yaml,
}

/// A manifest that Helm would run at certain times.
#[derive(Clone, Debug, PartialEq)]
pub struct Hook {
    /// The object.
    pub manifest: Manifest,
    /// When: `pre-install`, `test` and so on.
    pub events: Vec<&'static str>,
    /// In which order among those of one event.
    pub weight: i64,
}

impl Hook {
    /// Whether it is a test.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.events.contains(&"test")
    }
}

/// Hooks and manifests, each in the order of their kinds.
#[derive(Debug, Default)]
pub(crate) struct Sorted {
    pub(crate) manifests: Vec<Manifest>,
    pub(crate) hooks: Vec<Hook>,
}

/// The order in which kinds are installed (`InstallOrder` of Helm's `pkg/release/v1/util`).
const KINDS: [&str; 38] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

const HOOK: &str = "helm.sh/hook";
const HOOK_WEIGHT: &str = "helm.sh/hook-weight";

/// The events of hooks, by the words for them.
const EVENTS: [(&str, &str); 10] = [
    ("pre-install", "pre-install"),
    ("post-install", "post-install"),
    ("pre-delete", "pre-delete"),
    ("post-delete", "post-delete"),
    ("pre-upgrade", "pre-upgrade"),
    ("post-upgrade", "post-upgrade"),
    ("pre-rollback", "pre-rollback"),
    ("post-rollback", "post-rollback"),
    ("test", "test"),
    ("test-success", "test"),
];

/// Cuts the outputs of templates, which are in the order of their names, and sorts the pieces.
///
/// # Errors
/// Helm's words for the first piece that is no manifest.
pub(crate) fn sort(
    files: &[(Arc<str>, String)],
    spread: Spread,
    log: &mut Vec<Warning>,
) -> Result<Sorted, String> {
    let mut sorted = Sorted::default();
    let pieces = files
        .iter()
        .flat_map(|(path, text)| split(text).map(move |piece| (path, piece)));
    let pieces: Vec<(&Arc<str>, &str)> = pieces.collect();
    let n_bytes = pieces.iter().map(|(_, text)| text.len()).sum();
    let heads = spread.map(&pieces, n_bytes, |(_, text)| Head::read(text));
    for ((path, text), head) in pieces.into_iter().zip(heads) {
        let Head { value, hook } =
            head.map_err(|problem| format!("YAML parse error on {path}: {problem}"))?;
        let manifest = Manifest {
            path: path.clone(),
            text: text.to_owned(),
            value,
        };
        let Some((types, weight)) = hook else {
            sorted.manifests.push(manifest);
            continue;
        };
        match events(&types) {
            Some(events) => sorted.hooks.push(Hook {
                manifest,
                events,
                weight,
            }),
            None => log.push(Warning::info("skipping unknown hooks").with("hookTypes", types)),
        }
    }
    sorted.manifests.sort_by_cached_key(place);
    sorted
        .hooks
        .sort_by_cached_key(|hook| place(&hook.manifest));
    Ok(sorted)
}

/// Where a manifest stands: that of its kind, or behind all of them by the name of the kind.
fn place(manifest: &Manifest) -> (usize, yaml::Str) {
    let Some(Yaml::String(kind)) = manifest.value.get("kind") else {
        return (KINDS.len(), yaml::Str::default());
    };
    match KINDS.iter().position(|known| *known == kind.as_str()) {
        Some(place) => (place, yaml::Str::default()),
        None => (KINDS.len(), kind.clone()),
    }
}

fn events(types: &str) -> Option<Vec<&'static str>> {
    let event = |word: &str| {
        let word = word.trim().to_lowercase();
        let known = EVENTS.iter().find(|(known, _)| *known == word)?;
        Some(known.1)
    };
    types.split(',').map(event).collect()
}

/// The documents of a text. Helm cuts with the expression `(?:^|\s*\n)---\s*`: whatever follows on
/// the line is a part of the document, and of two separators with space between the second is text.
pub(crate) fn split(text: &str) -> impl Iterator<Item = &str> {
    const SPACE: [char; 5] = ['\t', '\n', '\u{c}', '\r', ' '];
    let text = text.trim();
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let piece = rest?;
        let is_first = piece.len() == text.len();
        let found = match piece.starts_with("---") && is_first {
            true => Some((0, 3)),
            false => memmem::find(piece.as_bytes(), b"\n---").map(|at| (at, at + 4)),
        };
        Some(match found {
            None => {
                rest = None;
                piece
            }
            Some((at, behind)) => {
                rest = Some(piece[behind..].trim_start_matches(SPACE));
                piece[..at].trim_end_matches(SPACE)
            }
        })
    })
    .filter(|piece| !piece.is_empty())
    .map(str::trim)
}

/// What decides where a manifest goes.
struct Head {
    value: Yaml,
    /// The types and the weight of a hook.
    hook: Option<(String, i64)>,
}

impl Head {
    fn read(text: &str) -> Result<Self, String> {
        let value = yaml::parse_str(text)
            .map_err(|error| format!("error converting YAML to JSON: {}", error.go_text()))?;
        let wrong = |found: &Yaml, place: &str, wanted: &str| {
            let found = found.kind();
            Err(format!(
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} \
                 into Go {place} of type {wanted}"
            ))
        };
        let map = match &value {
            Yaml::Null => return Ok(Head { value, hook: None }),
            Yaml::Map(map) => map,
            other => return wrong(other, "value", "util.SimpleHead"),
        };
        for field in ["apiVersion", "kind"] {
            if let Some(found @ (Yaml::List(_) | Yaml::Map(_))) = map.get(field) {
                return wrong(found, &format!("struct field SimpleHead.{field}"), "string");
            }
        }
        let metadata = match map.get("metadata") {
            None | Some(Yaml::Null) => return Ok(Head { value, hook: None }),
            Some(Yaml::Map(metadata)) => metadata,
            Some(other) => return wrong(other, "struct field SimpleHead.metadata", METADATA),
        };
        if let Some(found @ (Yaml::List(_) | Yaml::Map(_))) = metadata.get("name") {
            return wrong(found, "struct field .metadata.name", "string");
        }
        let place = "struct field .metadata.annotations";
        let annotations = match metadata.get("annotations") {
            None | Some(Yaml::Null) => return Ok(Head { value, hook: None }),
            Some(Yaml::Map(annotations)) => annotations,
            Some(other) => return wrong(other, place, "map[string]string"),
        };
        let is_nested = |value: &&Yaml| matches!(value, Yaml::List(_) | Yaml::Map(_));
        if let Some(found) = annotations.values().find(is_nested) {
            return wrong(found, place, "string");
        }
        let text = |name: &str| annotations.get(name).map(scalar);
        let hook = text(HOOK).map(|types| {
            let weight = text(HOOK_WEIGHT).and_then(|weight| weight.parse().ok());
            (types, weight.unwrap_or(0))
        });
        Ok(Head { value, hook })
    }
}

/// Go's name of the type of `metadata` in Helm's struct.
const METADATA: &str = "struct { Name string \"json:\\\"name\\\"\"; Annotations map[string]string \"json:\\\"annotations\\\"\" }";

/// A scalar as the text that Go's decoder makes of it.
fn scalar(value: &Yaml) -> String {
    match value {
        Yaml::String(text) => text.to_string(),
        Yaml::Null => String::new(),
        other => yaml::json::to_string(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_cut_as_helm_does() {
        let check = |text: &str, want: &[&str]| {
            assert_eq!(split(text).collect::<Vec<_>>(), want, "{text:?}");
        };
        check("a: 1\n", &["a: 1"]);
        check("---\na: 1\n---\nb: 1\n---\n", &["a: 1", "b: 1"]);
        check("a: 1\n--- # c\nb: 1", &["a: 1", "# c\nb: 1"]);
        check("a: 1\n---\n\n---\nb: 1", &["a: 1", "---\nb: 1"]);
        check("a: 1\n\n--- \n\n  b: 1", &["a: 1", "b: 1"]);
        check("a: |\n  ---\nb: 1", &["a: |\n  ---\nb: 1"]);
    }
}
