//! What is wrong with an object, in the words of the real server.
//!
//! [`object`] is the door: metadata first, then the rules of the kind.

mod config;
mod metadata;
mod pod;
mod service;
mod workload;

use yaml::{Map, Value};

use crate::registry::Resource;
use crate::status_error::FieldError;

/// The errors found so far.
pub(crate) type Errors = Vec<FieldError>;

/// What is wrong with an object; `old` is the state that an update replaces.
pub(crate) fn object(resource: &Resource, value: &Value, old: Option<&Value>) -> Errors {
    let mut errors = Errors::new();
    metadata::check(resource, value, old, &mut errors);
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "configmaps") => config::config_map(value, old, &mut errors),
        ("", "secrets") => config::secret(value, old, &mut errors),
        ("", "services") => service::check(value, &mut errors),
        ("", "persistentvolumeclaims") => config::claim(value, old, &mut errors),
        ("", "pods") if old.is_none() => {
            pod::spec(value.get("spec"), "spec", &mut errors);
        }
        ("apps", "deployments") => workload::deployment(value, old, &mut errors),
        ("apps", "replicasets") => workload::replica_set(value, old, &mut errors),
        ("apps", "statefulsets") => workload::stateful_set(value, old, &mut errors),
        ("apps", "daemonsets") => workload::daemon_set(value, old, &mut errors),
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => {
            config::binding(value, old, &mut errors);
        }
        _ => {}
    }
    if let Some(custom) = &resource.custom {
        errors.extend(crate::custom::validate(&custom.openapi, value));
    }
    errors
}

fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    value.at(path).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    value.at(path).and_then(Value::as_list).unwrap_or_default()
}

fn map<'a>(
    value: &'a Value,
    path: &[&str],
) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
    let map = value.at(path).and_then(Value::as_map);
    map.into_iter()
        .flat_map(Map::iter)
        .map(|(key, value)| (key.as_str(), value))
}

/// A whole number that may not be below zero.
fn not_negative(value: &Value, path: &[&str], errors: &mut Errors) {
    if let Some(number) = value.at(path).and_then(Value::as_i64)
        && number < 0
    {
        errors.push(FieldError::invalid(
            path.join("."),
            &number.into(),
            "must be greater than or equal to 0",
        ));
    }
}
