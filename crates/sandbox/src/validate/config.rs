//! ConfigMaps, Secrets, claims and role bindings.

use yaml::Value;

use super::{Errors, map, text};
use crate::status_error::FieldError;

/// The largest ConfigMap or Secret.
const SIZE: usize = 1024 * 1024;

fn key_problem(key: &str) -> Option<String> {
    let valid = !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if key.len() > 253 {
        return Some("must be no more than 253 bytes".to_owned());
    }
    if !valid {
        return Some(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. \
             'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is \
             '[-._a-zA-Z0-9]+')"
                .to_owned(),
        );
    }
    match key {
        "." => Some("must not be '.'".to_owned()),
        ".." => Some("must not be '..'".to_owned()),
        _ if key.starts_with("..") => Some("must not start with '..'".to_owned()),
        _ => None,
    }
}

fn keys(value: &Value, field: &str, errors: &mut Errors) -> usize {
    let mut size = 0;
    for (key, data) in map(value, &[field]) {
        if let Some(problem) = key_problem(key) {
            errors.push(FieldError::invalid(
                format!("{field}[{key}]"),
                &key.into(),
                &problem,
            ));
        }
        size += data.as_str().map_or(0, str::len);
    }
    size
}

fn frozen(value: &Value, old: &Value, fields: &[&str], errors: &mut Errors) {
    if old.get("immutable").and_then(Value::as_bool) != Some(true) {
        return;
    }
    if value.get("immutable").and_then(Value::as_bool) != Some(true) {
        errors.push(FieldError::forbidden(
            "immutable",
            "field is immutable when `immutable` is set",
        ));
    }
    for field in fields {
        if value.get(field) != old.get(field) {
            errors.push(FieldError::forbidden(
                *field,
                "field is immutable when `immutable` is set",
            ));
        }
    }
}

pub(super) fn config_map(value: &Value, old: Option<&Value>, errors: &mut Errors) {
    for (key, _) in map(value, &["data"]) {
        if value.at(&["binaryData", key]).is_some() {
            errors.push(FieldError::invalid(
                format!("data[{key}]"),
                &key.into(),
                "duplicate of key present in binaryData",
            ));
        }
    }
    let size = keys(value, "data", errors) + keys(value, "binaryData", errors);
    if size > SIZE {
        errors.push(FieldError::too_long("", SIZE));
    }
    if let Some(old) = old {
        frozen(value, old, &["data", "binaryData"], errors);
    }
}

pub(super) fn secret(value: &Value, old: Option<&Value>, errors: &mut Errors) {
    let size = keys(value, "data", errors);
    if size / 4 * 3 > SIZE {
        errors.push(FieldError::too_long("data", SIZE));
    }
    let has = |key: &str| value.at(&["data", key]).is_some();
    let mut require = |wanted: &[&str]| {
        for key in wanted {
            if !has(key) {
                errors.push(FieldError::required(format!("data[{key}]"), ""));
            }
        }
    };
    match text(value, &["type"]) {
        "kubernetes.io/tls" => require(&["tls.crt", "tls.key"]),
        "kubernetes.io/ssh-auth" => require(&["ssh-privatekey"]),
        "kubernetes.io/dockercfg" => require(&[".dockercfg"]),
        "kubernetes.io/dockerconfigjson" => require(&[".dockerconfigjson"]),
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            require(&["username", "password"]);
        }
        "kubernetes.io/service-account-token" => {
            let name = "kubernetes.io/service-account.name";
            if text(value, &["metadata", "annotations", name]).is_empty() {
                errors.push(FieldError::required(
                    format!("metadata.annotations[{name}]"),
                    "",
                ));
            }
        }
        _ => {}
    }
    if let Some(old) = old {
        if value.get("type") != old.get("type") {
            let kind = value.get("type").cloned().unwrap_or_default();
            errors.push(FieldError::invalid("type", &kind, "field is immutable"));
        }
        frozen(value, old, &["data"], errors);
    }
}

pub(super) fn claim(value: &Value, old: Option<&Value>, errors: &mut Errors) {
    if value
        .at(&["spec", "accessModes"])
        .and_then(Value::as_list)
        .is_none_or(<[Value]>::is_empty)
    {
        errors.push(FieldError::required(
            "spec.accessModes",
            "at least 1 access mode is required",
        ));
    }
    if value
        .at(&["spec", "resources", "requests", "storage"])
        .is_none()
    {
        errors.push(FieldError::required("spec.resources[storage]", ""));
    }
    if let Some(old) = old {
        let fixed = |object: &Value| {
            let mut spec = object.get("spec").cloned().unwrap_or_default();
            let map = spec.map_at_mut(&[]);
            for key in ["resources", "volumeName", "volumeAttributesClassName"] {
                map.remove(key);
            }
            spec
        };
        if fixed(value) != fixed(old) {
            errors.push(FieldError::forbidden(
                "spec",
                "spec is immutable after creation except resources.requests and \
                 volumeAttributesClassName for bound claims",
            ));
        }
    }
}

pub(super) fn binding(value: &Value, old: Option<&Value>, errors: &mut Errors) {
    if let Some(old) = old
        && value.get("roleRef") != old.get("roleRef")
    {
        let role = value.get("roleRef").cloned().unwrap_or_default();
        errors.push(FieldError::invalid(
            "roleRef",
            &role,
            "cannot change roleRef",
        ));
    }
}
