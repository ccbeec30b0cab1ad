//! Containers of all three kinds.

use yaml::Map;

use super::handler::{lifecycle, probe};
use super::volume::descending;
use super::{Pod, duplicate_as, environment, security};
use crate::names;
use crate::validate::amounts;
use crate::validate::field::Field;

/// Most rules of a container's restart policy, and most exit codes in one.
const RULES: usize = 20;
const CODES: usize = 255;
/// Members that an ephemeral container may have.
const EPHEMERAL: [&str; 16] = [
    "name",
    "image",
    "command",
    "args",
    "workingDir",
    "env",
    "envFrom",
    "volumeMounts",
    "volumeDevices",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "imagePullPolicy",
    "securityContext",
    "stdin",
    "stdinOnce",
    "tty",
];
const PROBES: [&str; 3] = ["livenessProbe", "readinessProbe", "startupProbe"];

/// All containers of a pod, with the checks that only a pod's spec can make.
pub(super) fn all(pod: &Field<'_, '_>, shared: &Pod<'_>) {
    let containers = pod.get("containers");
    if containers.is_empty() {
        containers.required("");
    }
    let mut names = Vec::new();
    for container in containers.items() {
        common(&container, shared);
        container.get("name").unique(&mut names);
        handlers(&container, shared);
        restart_policy(&container);
    }
    host_ports(containers.items());
    let init = pod.get("initContainers");
    for container in init.items() {
        common(&container, shared);
        restart_policy(&container);
        container.get("name").unique(&mut names);
        host_ports(std::iter::once(container));
        if container.get("restartPolicy").text() == "Always" {
            handlers(&container, shared);
        } else {
            no_handlers(&container);
        }
    }
    ephemeral(&pod.get("ephemeralContainers"), shared, &mut names);
}

/// Calls a function for every container of a pod.
pub(super) fn visit<'v>(pod: &Field<'_, 'v>, mut see: impl FnMut(&Field<'_, 'v>)) {
    for key in ["initContainers", "containers", "ephemeralContainers"] {
        for container in pod.get(key).items() {
            see(&container);
        }
    }
}

/// Images of a pod, as opposed to a template's, have no space around them.
pub(super) fn images(pod: &Field<'_, '_>) {
    for key in ["containers", "initContainers"] {
        for container in pod.get(key).items() {
            image(&container);
        }
    }
}

pub(super) fn image(container: &Field<'_, '_>) {
    let image = container.get("image");
    if image.text() != image.text().trim() {
        image.invalid("must not have leading or trailing whitespace");
    }
}

fn ephemeral<'v>(containers: &Field<'_, 'v>, shared: &Pod<'_>, names: &mut Vec<&'v str>) {
    let others = names.clone();
    for container in containers.items() {
        common(&container, shared);
        image(&container);
        container.get("name").unique(names);
        let target = container.get("targetContainerName");
        if !target.is_empty() && !others.contains(&target.text()) {
            target.not_found();
        }
        for key in container.map().into_iter().flat_map(Map::keys) {
            let empty = key == "resources" && container.get(key).is_empty();
            if !EPHEMERAL.contains(&key.as_str()) && key != "targetContainerName" && !empty {
                container
                    .get(key)
                    .forbidden("cannot be set for an Ephemeral Container");
            }
        }
        for mount in container.get("volumeMounts").items() {
            for key in ["subPath", "subPathExpr"] {
                let path = mount.get(key);
                if !path.is_empty() {
                    path.forbidden("cannot be set for an Ephemeral Container");
                }
            }
        }
    }
}

/// What holds for every container.
fn common(container: &Field<'_, '_>, shared: &Pod<'_>) {
    container.get("name").require_name(names::label_problems);
    container.get("image").require();
    container
        .get("terminationMessagePolicy")
        .require_one_of(&["File", "FallbackToLogsOnError"]);
    ports(&container.get("ports"));
    environment::variables(&container.get("env"));
    environment::sources(&container.get("envFrom"));
    mounts(container, shared);
    devices(container, shared);
    container
        .get("imagePullPolicy")
        .require_one_of(&["Always", "IfNotPresent", "Never"]);
    amounts::container_resources(&container.get("resources"), &shared.claims);
    resize_policy(&container.get("resizePolicy"), shared.restart);
    security::of_container(&container.get("securityContext"), shared.host_users);
}

fn handlers(container: &Field<'_, '_>, shared: &Pod<'_>) {
    lifecycle(&container.get("lifecycle"), shared.grace);
    for name in PROBES {
        probe(&container.get(name), name, shared.grace);
    }
}

/// Init containers that end have nothing that watches over them.
fn no_handlers(container: &Field<'_, '_>) {
    for name in ["lifecycle"].into_iter().chain(PROBES) {
        let handler = container.get(name);
        if handler.is_set() {
            handler.forbidden("may not be set for init containers without restartPolicy=Always");
        }
    }
}

fn ports(ports: &Field<'_, '_>) {
    let mut seen = Vec::new();
    for port in ports.items() {
        let name = port.get("name");
        if !name.is_empty() {
            let problems = names::port_name_problems(name.text());
            if problems.is_empty() {
                name.unique(&mut seen);
            }
            name.invalid_each(problems);
        }
        let number = port.get("containerPort");
        match number.number().unwrap_or(0) {
            0 => number.required(""),
            _ => number.port_number(),
        }
        let host = port.get("hostPort");
        if host.number().unwrap_or(0) != 0 {
            host.port_number();
        }
        port.get("protocol").require_one_of(&["SCTP", "TCP", "UDP"]);
    }
}

/// No two containers have one port of the host.
fn host_ports<'a, 'v: 'a>(containers: impl Iterator<Item = Field<'a, 'v>>) {
    let mut seen: Vec<String> = Vec::new();
    for container in containers {
        for port in container.get("ports").items() {
            let host = port.get("hostPort");
            let number = host.number().unwrap_or(0);
            if number == 0 {
                continue;
            }
            let (protocol, address) = (port.get("protocol").text(), port.get("hostIP").text());
            let key = format!("{protocol}/{address}/{number}");
            if seen.contains(&key) {
                duplicate_as(&host, &key);
            } else {
                seen.push(key);
            }
        }
    }
}

fn mounts(container: &Field<'_, '_>, shared: &Pod<'_>) {
    let (mounts, devices) = (
        container.get("volumeMounts"),
        container.get("volumeDevices"),
    );
    let mut seen: Vec<&str> = Vec::new();
    for mount in mounts.items() {
        let (name, path) = (mount.get("name"), mount.get("mountPath"));
        name.require();
        if !shared
            .volumes
            .iter()
            .any(|(known, _)| *known == name.text())
        {
            name.not_found();
        }
        path.require();
        if seen.contains(&path.text()) {
            path.invalid("must be unique");
        }
        seen.push(path.text());
        if devices
            .items()
            .any(|device| device.get("name").text() == name.text())
        {
            name.invalid("must not already exist in volumeDevices");
        }
        if devices
            .items()
            .any(|device| device.get("devicePath").text() == path.text())
        {
            path.invalid("must not already exist as a path in volumeDevices");
        }
        sub_paths(&mount, &mounts);
        propagation(&mount, &mounts, container);
    }
}

/// Told at the list, not at its item.
fn sub_paths(mount: &Field<'_, '_>, mounts: &Field<'_, '_>) {
    let (path, expression) = (mount.get("subPath"), mount.get("subPathExpr"));
    if !path.is_empty() {
        descending(&path.told_at(&mounts.get("subPath")));
    }
    if !expression.is_empty() {
        if !path.is_empty() {
            expression.invalid("subPathExpr and subPath are mutually exclusive");
        }
        descending(&expression.told_at(&mounts.get("subPathExpr")));
    }
}

fn propagation(mount: &Field<'_, '_>, mounts: &Field<'_, '_>, container: &Field<'_, '_>) {
    let (propagation, place) = (
        mount.get("mountPropagation"),
        mounts.get("mountPropagation"),
    );
    let propagation = propagation.told_at(&place);
    propagation.optional_one_of(&["Bidirectional", "HostToContainer", "None"]);
    let privileged = container.get("securityContext.privileged").is_true();
    if propagation.text() == "Bidirectional" && !privileged {
        propagation.forbidden(
            "Bidirectional mount propagation is available only to privileged containers",
        );
    }
    let (recursive, place) = (
        mount.get("recursiveReadOnly"),
        mounts.get("recursiveReadOnly"),
    );
    let recursive = recursive.told_at(&place);
    match recursive.text() {
        "" | "Disabled" if !recursive.is_set() || !recursive.is_empty() => {}
        "Enabled" | "IfPossible" => {
            if !mount.get("readOnly").is_true() {
                recursive.forbidden("may only be specified when readOnly is true");
            }
            if propagation.is_set() && propagation.text() != "None" {
                recursive.forbidden(
                    "may only be specified when mountPropagation is None or not specified",
                );
            }
        }
        _ => recursive.not_supported(&["Disabled", "Enabled", "IfPossible"]),
    }
}

fn devices(container: &Field<'_, '_>, shared: &Pod<'_>) {
    let (devices, mounts) = (
        container.get("volumeDevices"),
        container.get("volumeMounts"),
    );
    let (mut names, mut paths): (Vec<&str>, Vec<&str>) = Default::default();
    for device in devices.items() {
        let (name, path) = (device.get("name"), device.get("devicePath"));
        let volume = shared
            .volumes
            .iter()
            .find(|(known, _)| *known == name.text());
        name.require();
        if names.contains(&name.text()) {
            name.invalid("must be unique");
        }
        match volume {
            None => name.not_found(),
            Some((_, "persistentVolumeClaim" | "ephemeral")) => {}
            Some(_) => name.invalid(
                "can only use volume source type of PersistentVolumeClaim or Ephemeral for block \
                 mode",
            ),
        }
        path.require();
        if paths.contains(&path.text()) {
            path.invalid("must be unique");
        }
        if path.text().split('/').any(|part| part == "..") {
            path.invalid("can not contain backsteps ('..')");
        } else {
            paths.push(path.text());
        }
        if mounts
            .items()
            .any(|mount| mount.get("name").text() == name.text())
        {
            name.invalid("must not already exist in volumeMounts");
        }
        if mounts
            .items()
            .any(|mount| mount.get("mountPath").text() == path.text())
        {
            path.invalid("must not already exist as a path in volumeMounts");
        }
        if !name.is_empty() {
            names.push(name.text());
        }
    }
}

fn resize_policy(policies: &Field<'_, '_>, restart: &str) {
    let mut seen = Vec::new();
    for policy in policies.items() {
        let (name, restarts) = (policy.get("resourceName"), policy.get("restartPolicy"));
        // Told at the list, except for duplicates.
        name.told_at(&policy).unique(&mut seen);
        name.told_at(policies).require_one_of(&["cpu", "memory"]);
        restarts
            .told_at(policies)
            .require_one_of(&["NotRequired", "RestartContainer"]);
        if restart == "Never" && restarts.text() != "NotRequired" {
            restarts
                .told_at(policies)
                .invalid("must be 'NotRequired' when `restartPolicy` is 'Never'");
        }
    }
}

/// A container's own policy, with the exit codes after which it starts again.
fn restart_policy(container: &Field<'_, '_>) {
    let (policy, rules) = (
        container.get("restartPolicy"),
        container.get("restartPolicyRules"),
    );
    if !policy.is_set() && !rules.is_empty() {
        policy.required("must specify restartPolicy when restart rules are used");
    }
    let sidecar = container.path().contains("initContainers[");
    if sidecar && policy.text() == "Always" {
        if !rules.is_empty() {
            rules.forbidden(
                "restartPolicyRules are not allowed for init containers with restart policy Always",
            );
        }
        return;
    }
    if sidecar && !policy.is_set() {
        return;
    }
    policy.optional_one_of(&["Always", "Never", "OnFailure"]);
    if rules.list().len() > RULES {
        rules.too_long(RULES);
    }
    for rule in rules.items() {
        rule.get("action").one_of(&["Restart"]);
        let codes = rule.get("exitCodes");
        if !codes.is_set() {
            codes.required("must be specified");
            continue;
        }
        codes.get("operator").one_of(&["In", "NotIn"]);
        let values = codes.get("values");
        if values.list().len() > CODES {
            values.too_long(CODES);
        }
    }
}
