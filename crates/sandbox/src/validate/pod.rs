//! The rules of a pod's spec that people run into.

use yaml::Value;

use super::{Errors, list, text};
use crate::names;
use crate::status_error::FieldError;

/// What is wrong with a pod spec at a path.
pub(super) fn spec(value: Option<&Value>, path: &str, errors: &mut Errors) {
    let Some(spec) = value else {
        errors.push(FieldError::required(format!("{path}.containers"), ""));
        return;
    };
    let volumes = volumes(spec, path, errors);
    let containers = list(spec, &["containers"]);
    if containers.is_empty() {
        errors.push(FieldError::required(format!("{path}.containers"), ""));
    }
    let mut seen: Vec<&str> = Vec::new();
    for (key, containers) in [
        ("containers", containers),
        ("initContainers", list(spec, &["initContainers"])),
    ] {
        for (index, item) in containers.iter().enumerate() {
            let path = format!("{path}.{key}[{index}]");
            container(item, &path, &volumes, errors);
            let name = text(item, &["name"]);
            if !name.is_empty() && seen.contains(&name) {
                errors.push(FieldError::duplicate(format!("{path}.name"), &name.into()));
            }
            seen.push(name);
        }
    }
    let known = |field: &str, words: &[&str], errors: &mut Errors| {
        let word = text(spec, &[field]);
        if !word.is_empty() && !words.contains(&word) {
            let field = format!("{path}.{field}");
            errors.push(FieldError::not_supported(field, &word.into(), words));
        }
    };
    known("restartPolicy", &["Always", "OnFailure", "Never"], errors);
    known(
        "dnsPolicy",
        &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"],
        errors,
    );
}

fn volumes<'a>(spec: &'a Value, path: &str, errors: &mut Errors) -> Vec<&'a str> {
    let mut names = Vec::new();
    for (index, volume) in list(spec, &["volumes"]).iter().enumerate() {
        let path = format!("{path}.volumes[{index}]");
        let name = text(volume, &["name"]);
        if name.is_empty() {
            errors.push(FieldError::required(format!("{path}.name"), ""));
        } else if names.contains(&name) {
            errors.push(FieldError::duplicate(format!("{path}.name"), &name.into()));
        }
        let sources: Vec<&str> = volume
            .as_map()
            .into_iter()
            .flat_map(yaml::Map::keys)
            .map(yaml::Str::as_str)
            .filter(|key| *key != "name")
            .collect();
        match sources.as_slice() {
            [] => errors.push(FieldError::required(path, "must specify a volume type")),
            [_] => {}
            [_, rest @ ..] => {
                for source in rest {
                    errors.push(FieldError::forbidden(
                        format!("{path}.{source}"),
                        "may not specify more than 1 volume type",
                    ));
                }
            }
        }
        names.push(name);
    }
    names
}

fn container(value: &Value, path: &str, volumes: &[&str], errors: &mut Errors) {
    let name = text(value, &["name"]);
    if name.is_empty() {
        errors.push(FieldError::required(format!("{path}.name"), ""));
    } else {
        for problem in names::label_problems(name) {
            errors.push(FieldError::invalid(
                format!("{path}.name"),
                &name.into(),
                &problem,
            ));
        }
    }
    if text(value, &["image"]).is_empty() {
        errors.push(FieldError::required(format!("{path}.image"), ""));
    }
    ports(value, path, errors);
    environment(value, path, errors);
    for (index, mount) in list(value, &["volumeMounts"]).iter().enumerate() {
        let volume = text(mount, &["name"]);
        let path = format!("{path}.volumeMounts[{index}]");
        if !volumes.contains(&volume) && !volume.starts_with("kube-api-access-") {
            errors.push(FieldError::not_found(
                format!("{path}.name"),
                &volume.into(),
            ));
        }
        if text(mount, &["mountPath"]).is_empty() {
            errors.push(FieldError::required(format!("{path}.mountPath"), ""));
        }
    }
}

fn ports(value: &Value, path: &str, errors: &mut Errors) {
    for (index, port) in list(value, &["ports"]).iter().enumerate() {
        let field = format!("{path}.ports[{index}].containerPort");
        match port
            .get("containerPort")
            .and_then(Value::as_i64)
            .unwrap_or(0)
        {
            0 => errors.push(FieldError::required(field, "")),
            1..=65535 => {}
            other => errors.push(FieldError::invalid(
                field,
                &other.into(),
                "must be between 1 and 65535, inclusive",
            )),
        }
        let protocol = text(port, &["protocol"]);
        if !matches!(protocol, "TCP" | "UDP" | "SCTP" | "") {
            errors.push(FieldError::not_supported(
                format!("{path}.ports[{index}].protocol"),
                &protocol.into(),
                &["SCTP", "TCP", "UDP"],
            ));
        }
    }
}

fn environment(value: &Value, path: &str, errors: &mut Errors) {
    for (index, variable) in list(value, &["env"]).iter().enumerate() {
        let path = format!("{path}.env[{index}]");
        let name = text(variable, &["name"]);
        if name.is_empty() {
            errors.push(FieldError::required(format!("{path}.name"), ""));
        } else if name
            .bytes()
            .any(|byte| !(0x20..0x7f).contains(&byte) || byte == b'=')
        {
            errors.push(FieldError::invalid(
                format!("{path}.name"),
                &name.into(),
                "a valid environment variable name must consist only of printable ASCII \
                 characters other than '='",
            ));
        }
        let both = variable.get("valueFrom").is_some() && !text(variable, &["value"]).is_empty();
        if both {
            errors.push(FieldError::invalid(
                format!("{path}.valueFrom"),
                &"".into(),
                "may not be specified when `value` is not empty",
            ));
        }
    }
}
