//! The rules of a pod's spec.

use yaml::{Map, Str};

use super::field::Field;
use crate::names;

pub(super) fn pod(object: &Field<'_, '_>) {
    if !object.is_update() {
        spec(&object.get("spec"));
    }
}

/// The spec of a pod or of a template.
pub(super) fn spec(spec: &Field<'_, '_>) {
    let volumes = volumes(&spec.get("volumes"));
    let containers = spec.get("containers");
    containers.require();
    let mut seen: Vec<&str> = Vec::new();
    for list in [containers, spec.get("initContainers")] {
        for item in list.items() {
            container(&item, &volumes);
            let name = item.get("name");
            if !name.is_empty() && seen.contains(&name.text()) {
                name.duplicate();
            }
            seen.push(name.text());
        }
    }
    spec.get("restartPolicy")
        .optional_one_of(&["Always", "OnFailure", "Never"]);
    spec.get("dnsPolicy").optional_one_of(&[
        "ClusterFirstWithHostNet",
        "ClusterFirst",
        "Default",
        "None",
    ]);
}

/// Checks the volumes; gives their names.
fn volumes<'v>(volumes: &Field<'_, 'v>) -> Vec<&'v str> {
    let mut seen = Vec::new();
    for volume in volumes.items() {
        let name = volume.get("name");
        if name.require() && seen.contains(&name.text()) {
            name.duplicate();
        }
        let sources: Vec<&str> = volume
            .map()
            .into_iter()
            .flat_map(Map::keys)
            .map(Str::as_str)
            .filter(|key| *key != "name")
            .collect();
        match sources.as_slice() {
            [] => volume.required("must specify a volume type"),
            [_, rest @ ..] => {
                for source in rest {
                    volume
                        .get(source)
                        .forbidden("may not specify more than 1 volume type");
                }
            }
        }
        seen.push(name.text());
    }
    seen
}

fn container(container: &Field<'_, '_>, volumes: &[&str]) {
    let name = container.get("name");
    if name.require() {
        name.problems(names::label_problems);
    }
    container.get("image").require();
    for port in container.get("ports").items() {
        let number = port.get("containerPort");
        match number.number().unwrap_or(0) {
            0 => number.required(""),
            _ => number.port_number(),
        }
        port.get("protocol")
            .optional_one_of(&["SCTP", "TCP", "UDP"]);
    }
    for variable in container.get("env").items() {
        environment(&variable);
    }
    for mount in container.get("volumeMounts").items() {
        let volume = mount.get("name");
        if !volumes.contains(&volume.text()) && !volume.text().starts_with("kube-api-access-") {
            volume.not_found();
        }
        mount.get("mountPath").require();
    }
}

fn environment(variable: &Field<'_, '_>) {
    let name = variable.get("name");
    if name.require()
        && name
            .text()
            .bytes()
            .any(|byte| !(0x20..0x7f).contains(&byte) || byte == b'=')
    {
        name.invalid(
            "a valid environment variable name must consist only of printable ASCII characters \
             other than '='",
        );
    }
    let source = variable.get("valueFrom");
    if source.is_set() && !variable.get("value").is_empty() {
        source.invalid_as(&"".into(), "may not be specified when `value` is not empty");
    }
}
