//! Names, labels, annotations, finalizers and owners.

use yaml::{Map, Value};

use super::{Errors, list, map, text};
use crate::names;
use crate::registry::Resource;
use crate::status_error::{FieldError, quoted};

/// All annotations together may have this many bytes.
const ANNOTATIONS: usize = 256 * 1024;
/// Finalizers without a domain that are known.
const STANDARD: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

pub(super) fn check(resource: &Resource, value: &Value, old: Option<&Value>, errors: &mut Errors) {
    name(resource, value, errors);
    labels(value, "metadata.labels", &["metadata", "labels"], errors);
    annotations(value, &["metadata", "annotations"], errors);
    owners(value, errors);
    finalizers(resource, value, errors);
    if let Some(old) = old {
        immutable(value, old, errors);
    }
}

fn name(resource: &Resource, value: &Value, errors: &mut Errors) {
    let name = text(value, &["metadata", "name"]);
    if name.is_empty() {
        errors.push(FieldError::required(
            "metadata.name",
            "name or generateName is required",
        ));
        return;
    }
    let mut invalid = |why: &str| {
        errors.push(FieldError::invalid("metadata.name", &name.into(), why));
    };
    for problem in problems(resource, name) {
        // Names are measured in characters where labels are measured in bytes.
        invalid(&problem.replace(" bytes", " characters"));
    }
}

fn problems(resource: &Resource, name: &str) -> Vec<String> {
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "namespaces") if name.contains('.') && name.len() <= 63 => {
            vec!["must not contain dots".to_owned()]
        }
        ("", "namespaces") => names::label_problems(name),
        ("", "services") => names::label_1035_problems(name),
        ("rbac.authorization.k8s.io", _) => names::path_segment_problems(name),
        ("", "events") | ("events.k8s.io", _) | ("certificates.k8s.io", _) => Vec::new(),
        _ => names::subdomain_problems(name),
    }
}

/// Keys and values of labels at a path.
pub(super) fn labels(value: &Value, field: &str, path: &[&str], errors: &mut Errors) {
    for (key, label) in map(value, path) {
        for problem in names::qualified_name_problems(key) {
            let problem = problem.replace("valid qualified name", "valid label key");
            errors.push(FieldError::invalid(field, &key.into(), &problem));
        }
        let label = label.as_str().unwrap_or_default();
        if let Some(problem) = names::label_value_problem(label) {
            errors.push(FieldError::invalid(field, &label.into(), &problem));
        }
    }
}

fn annotations(value: &Value, path: &[&str], errors: &mut Errors) {
    let field = "metadata.annotations";
    let mut size = 0;
    for (key, text) in map(value, path) {
        for problem in names::qualified_name_problems(&key.to_lowercase()) {
            errors.push(FieldError::invalid(field, &key.into(), &problem));
        }
        size += key.len() + text.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS {
        errors.push(FieldError::too_long(field, ANNOTATIONS));
    }
}

fn owners(value: &Value, errors: &mut Errors) {
    let mut controllers: Vec<&Value> = Vec::new();
    let owners = list(value, &["metadata", "ownerReferences"]);
    for owner in owners {
        let version = text(owner, &["apiVersion"]);
        let parts = version.split('/').count();
        if version.is_empty() || parts > 2 {
            errors.push(FieldError::invalid(
                "metadata.ownerReferences.apiVersion",
                &version.into(),
                "version must not be empty",
            ));
        }
        for key in ["kind", "name", "uid"] {
            if text(owner, &[key]).is_empty() {
                errors.push(FieldError::invalid(
                    format!("metadata.ownerReferences.{key}"),
                    &"".into(),
                    "must not be empty",
                ));
            }
        }
        if owner.get("controller").and_then(Value::as_bool) == Some(true) {
            controllers.push(owner);
        }
    }
    if let [first, second, ..] = controllers.as_slice() {
        let shown =
            |owner: &Value| format!("{}/{}", text(owner, &["kind"]), text(owner, &["name"]));
        errors.push(FieldError::invalid(
            "metadata.ownerReferences",
            &owners.to_vec().into(),
            &format!(
                "Only one reference can have Controller set to true. Found \"true\" in references \
                 for {} and {}",
                shown(first),
                shown(second)
            ),
        ));
    }
}

fn finalizers(resource: &Resource, value: &Value, errors: &mut Errors) {
    let names = list(value, &["metadata", "finalizers"]);
    for name in names.iter().filter_map(Value::as_str) {
        for problem in names::qualified_name_problems(name) {
            errors.push(FieldError::invalid(
                "metadata.finalizers",
                &name.into(),
                &problem,
            ));
        }
    }
    if resource.custom.is_some() {
        // Only built-in kinds refuse bare names; for others they are discouraged.
        return;
    }
    for (index, name) in names.iter().filter_map(Value::as_str).enumerate() {
        if !name.contains('/') && !STANDARD.contains(&name) {
            errors.push(FieldError::invalid(
                format!("metadata.finalizers[{index}]"),
                &name.into(),
                "name is neither a standard finalizer name nor is it fully qualified",
            ));
        }
    }
}

fn immutable(value: &Value, old: &Value, errors: &mut Errors) {
    for key in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
        let (new, before) = (value.at(&["metadata", key]), old.at(&["metadata", key]));
        if new != before {
            let shown = new.cloned().unwrap_or_default();
            // Said twice: by the generic check and by that of the kind.
            for _ in 0..2 {
                errors.push(FieldError::invalid(
                    format!("metadata.{key}"),
                    &shown,
                    "field is immutable",
                ));
            }
        }
    }
    let terminating = old.at(&["metadata", "deletionTimestamp"]).is_some();
    let had = list(old, &["metadata", "finalizers"]);
    let added: Vec<&str> = list(value, &["metadata", "finalizers"])
        .iter()
        .filter(|name| !had.contains(name))
        .filter_map(Value::as_str)
        .collect();
    if terminating && !added.is_empty() {
        let added: Vec<String> = added.iter().map(|name| quoted(name)).collect();
        errors.push(FieldError::forbidden(
            "metadata.finalizers",
            &format!(
                "no new finalizers can be added if the object is being deleted, found new \
                 finalizers []string{{{}}}",
                added.join(", ")
            ),
        ));
    }
}

/// Whether labels have all pairs of a map of pairs.
pub(super) fn has_all(labels: Option<&Value>, wanted: Option<&Map>) -> bool {
    wanted
        .into_iter()
        .flat_map(Map::iter)
        .all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
}
