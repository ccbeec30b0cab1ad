//! Environment variables and where their values come from.

use super::volume::no_backsteps;
use crate::names;
use crate::validate::field::Field;

/// Members of the pod that a variable may show.
const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// Members that can be named at all, besides labels and annotations.
const LABELS: [&str; 14] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// Amounts of a container that can be shown.
const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const DIVISORS: [&str; 13] = [
    "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
];
const ONE_SOURCE: &str = "may not have more than one field specified at a time";

/// The check of a source.
type Check = fn(&Field<'_, '_>);

const SOURCES: [(&str, Check); 5] = [
    ("fieldRef", |field| field_reference(field, &FIELDS)),
    ("resourceFieldRef", resource_reference),
    ("configMapKeyRef", key),
    ("secretKeyRef", key),
    ("fileKeyRef", file),
];

pub(super) fn variables(variables: &Field<'_, '_>) {
    for variable in variables.items() {
        variable
            .get("name")
            .require_name(names::variable_name_problems);
        value_from(&variable);
    }
}

fn value_from(variable: &Field<'_, '_>) {
    let source = variable.get("valueFrom");
    if !source.is_set() {
        return;
    }
    let mut count = 0;
    for (name, check) in SOURCES {
        let member = source.get(name);
        if member.is_set() {
            count += 1;
            check(&member);
        }
    }
    let why = match count {
        0 => {
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, \
             `secretKeyRef` or `fileKeyRef`"
        }
        _ if !variable.get("value").is_empty() => "may not be specified when `value` is not empty",
        1 => return,
        _ => ONE_SOURCE,
    };
    source.invalid_as(&"".into(), why);
}

/// A reference to a member of the pod, which is one of `known`.
pub(super) fn field_reference(reference: &Field<'_, '_>, known: &[&str]) {
    let (version, path) = (reference.get("apiVersion"), reference.get("fieldPath"));
    if !version.require() || !path.require() {
        return;
    }
    let text = path.text();
    let convert = |why: String| path.invalid(&format!("error converting fieldPath: {why}"));
    if version.text() != "v1" {
        return convert(format!("unsupported pod version: {}", version.text()));
    }
    let subscript = text
        .strip_suffix("']")
        .and_then(|text| text.split_once("['"))
        .filter(|(path, _)| !path.is_empty());
    match subscript {
        Some(("metadata.annotations", key)) => {
            let key = key.to_lowercase();
            for problem in names::qualified_name_problems(&key) {
                reference.invalid_as(&key.as_str().into(), &problem);
            }
        }
        Some(("metadata.labels", key)) => {
            for problem in names::qualified_name_problems(key) {
                reference.invalid_as(&key.into(), &problem);
            }
        }
        Some(_) => convert(format!("field label does not support subscript: {text}")),
        None => {
            let name = if text == "spec.host" {
                "spec.nodeName"
            } else {
                text
            };
            if !LABELS.contains(&name) {
                convert(format!("field label not supported: {text}"));
            } else if !known.contains(&name) {
                path.not_supported(known);
            }
        }
    }
}

/// A reference to an amount of a container.
pub(super) fn resource_reference(reference: &Field<'_, '_>) {
    let (resource, divisor) = (reference.get("resource"), reference.get("divisor"));
    let name = resource.text();
    let huge = name.starts_with("requests.hugepages-") || name.starts_with("limits.hugepages-");
    if name.is_empty() {
        resource.required("");
    } else if !RESOURCES.contains(&name) && !huge {
        resource.not_supported(&RESOURCES);
    }
    if matches!(divisor.text(), "" | "0") {
        return;
    }
    let (known, values, what): (&[&str], _, _) = match name {
        "limits.cpu" | "requests.cpu" => (&["1m", "1"], "1m and 1".to_owned(), "cpu"),
        "limits.memory" | "requests.memory" => (&DIVISORS, DIVISORS.join(", "), "memory"),
        "limits.ephemeral-storage" | "requests.ephemeral-storage" => {
            (&DIVISORS, DIVISORS.join(", "), "local ephemeral storage")
        }
        _ if huge => (&DIVISORS, DIVISORS.join(", "), "hugepages"),
        _ => return,
    };
    if !known.contains(&divisor.text()) {
        divisor.invalid_as(
            &name.into(),
            &format!("only divisor's values {values} are supported with the {what} resource"),
        );
    }
}

/// A key of a ConfigMap or Secret.
fn key(selector: &Field<'_, '_>) {
    let name = selector.get("name");
    for problem in names::subdomain_problems(name.text()) {
        name.invalid_as(&name.text().into(), &problem);
    }
    selector.get("key").require_name(names::config_key_problems);
}

fn file(selector: &Field<'_, '_>) {
    selector
        .get("key")
        .require_name(names::variable_name_problems);
    selector
        .get("volumeName")
        .require_name(names::label_problems);
    let path = selector.get("path");
    if path.require() {
        no_backsteps(&path);
    }
}

/// Whole ConfigMaps and Secrets as variables.
pub(super) fn sources(sources: &Field<'_, '_>) {
    for source in sources.items() {
        source
            .get("prefix")
            .optional_name(names::variable_name_problems);
        let mut count = 0;
        for name in ["configMapRef", "secretRef"] {
            let reference = source.get(name);
            if reference.is_set() {
                count += 1;
                let problems = names::subdomain_problems;
                reference.get("name").require_name(problems);
            }
        }
        let why = match count {
            0 => "must specify one of: `configMapRef` or `secretRef`",
            1 => continue,
            _ => ONE_SOURCE,
        };
        // Told at the list, not at its item.
        sources.invalid_as(&"".into(), why);
    }
}
