//! Classes, drivers, attachments and capacities of volumes.

use yaml::{Map, Value};

use super::field::Field;
use super::selector;
use crate::FieldError;
use crate::names;
use crate::quoted;

/// Parameters of a class: how many, and how many bytes.
const MAX_PARAMETERS: usize = 512;
const MAX_PARAMETER_BYTES: usize = 256 * 1024;
/// A message of a failure.
const MAX_MESSAGE: usize = 1024;
const MAX_NODE_ID: usize = 256;

/// The rules of a `StorageClass`.
pub(super) fn class(object: &Field<'_, '_>) {
    let mode = object.get("volumeBindingMode");
    driver_name(&object.get("provisioner"));
    parameters(&object.get("parameters"));
    let policy = object.get("reclaimPolicy");
    if !policy.is_empty() {
        policy.one_of(&["Delete", "Retain"]);
    }
    if mode.is_set() {
        mode.one_of(&["Immediate", "WaitForFirstConsumer"]);
    } else {
        mode.required("");
    }
    topologies(&object.get("allowedTopologies"));
    if object.is_update() {
        forbid_change(object, &["parameters", "provisioner", "reclaimPolicy"]);
        mode.immutable();
    }
}

fn forbid_change(object: &Field<'_, '_>, names: &[&str]) {
    for name in names {
        let member = object.get(name);
        if member.changed() {
            member.forbidden(&format!("updates to {name} are forbidden."));
        }
    }
}

/// The name of who makes volumes: qualified, in any case.
fn driver_name(name: &Field<'_, '_>) {
    if !name.require() {
        return;
    }
    let lower = name.text().to_lowercase();
    for problem in names::qualified_name_problems(&lower) {
        name.invalid_as(&lower.as_str().into(), &problem);
    }
}

fn parameters(parameters: &Field<'_, '_>) {
    let pairs = || parameters.map().into_iter().flat_map(Map::iter);
    if pairs().count() > MAX_PARAMETERS {
        parameters.too_long(MAX_PARAMETERS);
        return;
    }
    let bytes = |(key, value): (&yaml::Str, &Value)| key.len() + value.as_str().map_or(0, str::len);
    if pairs().any(|(key, _)| key.is_empty()) {
        parameters.invalid_as(&"".into(), "field can not be empty.");
    }
    if pairs().map(bytes).sum::<usize>() > MAX_PARAMETER_BYTES {
        parameters.too_long(MAX_PARAMETER_BYTES);
    }
}

fn topologies(topologies: &Field<'_, '_>) {
    let mut seen: Vec<Vec<(&str, Vec<&str>)>> = Vec::new();
    for term in topologies.items() {
        let requirements = term.get("matchLabelExpressions");
        let mut own: Vec<(&str, Vec<&str>)> = Vec::new();
        for requirement in requirements.items() {
            let (key, values) = (requirement.get("key"), requirement.get("values"));
            values.require();
            let mut known = Vec::new();
            for value in values.items() {
                if known.contains(&value.text()) {
                    value.duplicate();
                } else {
                    known.push(value.text());
                }
            }
            key.problems(names::qualified_name_problems);
            if own.iter().any(|(other, _)| *other == key.text()) {
                key.duplicate();
            }
            known.sort_unstable();
            own.retain(|(other, _)| *other != key.text());
            own.push((key.text(), known));
        }
        own.sort_unstable();
        // The real server compares with a list that begins with empty terms.
        if own.is_empty() || seen.contains(&own) {
            requirements.duplicate_of(&"".into());
        }
        seen.push(own);
    }
}

/// The rules of a `VolumeAttributesClass`.
pub(super) fn attributes_class(object: &Field<'_, '_>) {
    if object.is_update() {
        forbid_change(object, &["driverName", "parameters"]);
    }
    driver_name(&object.get("driverName"));
    let members = object.get("parameters");
    parameters(&members);
    if members.is_empty() {
        members.required("must contain at least one key/value pair");
    }
}

/// The rules of a `VolumeAttachment`.
pub(super) fn attachment(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    let attacher = spec.get("attacher");
    attacher.require();
    let source = spec.get("source");
    let (inline, volume) = (
        source.get("inlineVolumeSpec"),
        source.get("persistentVolumeName"),
    );
    match (inline.is_set(), volume.is_set()) {
        (false, false) => {
            source
                .required("must specify exactly one of inlineVolumeSpec and persistentVolumeName");
        }
        (true, true) => source
            .forbidden("must specify exactly one of inlineVolumeSpec and persistentVolumeName"),
        (false, true) if volume.is_empty() => {
            volume.required("must specify non empty persistentVolumeName");
        }
        _ => {}
    }
    spec.get("nodeName").problems(names::subdomain_problems);
    attachment_status(object);
    if object.is_update() {
        if spec.changed() {
            // The source as its own package prints it; an inline volume is never told.
            let volume = volume
                .value()
                .map_or("null".to_owned(), yaml::json::to_string);
            let shown = format!(
                r#"{{"Attacher":{},"Source":{{"PersistentVolumeName":{volume},"InlineVolumeSpec":null}},"NodeName":{}}}"#,
                quoted(attacher.text()),
                quoted(spec.get("nodeName").text()),
            );
            spec.tell(|path| FieldError::invalid_printed(path, &shown, "field is immutable"));
        }
        return;
    }
    csi_name(&attacher);
    if volume.is_set() {
        volume.problems(names::subdomain_problems);
    }
}

/// The status of a `VolumeAttachment`.
pub(super) fn attachment_status(object: &Field<'_, '_>) {
    let status = object.get("status");
    let metadata = status.get("attachmentMetadata");
    let pairs = metadata.map().into_iter().flat_map(Map::iter);
    let bytes: usize = pairs
        .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
        .sum();
    if bytes > MAX_PARAMETER_BYTES {
        metadata.too_long(MAX_PARAMETER_BYTES);
    }
    for name in ["attachError", "detachError"] {
        let error = status.get(name);
        let message = error.get("message");
        if message.text().len() > MAX_MESSAGE {
            // Told with the limit of the metadata, as the real server does.
            message.too_long(MAX_PARAMETER_BYTES);
        }
        let code = error.get("errorCode");
        if code.number().is_some_and(|number| number < 0) {
            code.invalid("must be between 0 and 2147483647, inclusive");
        }
    }
}

/// The name of a CSI driver.
fn csi_name(name: &Field<'_, '_>) {
    if !name.require() {
        return;
    }
    name.at_most(63);
    for problem in names::subdomain_problems(&name.text().to_lowercase()) {
        name.invalid(&problem);
    }
}

/// The rules of a `CSINode`.
pub(super) fn node(object: &Field<'_, '_>) {
    let drivers = object.get("spec.drivers");
    let mut seen = Vec::new();
    for driver in drivers.items() {
        let (name, id) = (driver.get("name"), driver.get("nodeID"));
        csi_name(&name);
        id.require();
        if id.text().len() > MAX_NODE_ID {
            id.invalid(&format!("must be {MAX_NODE_ID} characters or less"));
        }
        driver.get("allocatable.count").not_negative();
        if seen.contains(&name.text()) {
            name.duplicate();
        }
        seen.push(name.text());
        let mut keys = Vec::new();
        for key in driver.get("topologyKeys").items() {
            // Told at the driver, as the real server does.
            if key.is_empty() {
                driver.required("");
            }
            if keys.contains(&key.text()) {
                driver.duplicate_of(&key.text().into());
            }
            keys.push(key.text());
            for problem in names::qualified_name_problems(key.text()) {
                driver.invalid_as(&key.text().into(), &problem);
            }
        }
    }
    if object.is_update() {
        changed_drivers(&drivers);
    }
}

/// A driver that a node has keeps what it says of itself, but for what can be allocated.
fn changed_drivers(drivers: &Field<'_, '_>) {
    let members = ["nodeID", "topologyKeys"];
    let name = |driver: &Value| driver.get("name").cloned();
    for old in drivers.old().and_then(Value::as_list).unwrap_or_default() {
        for new in drivers.items() {
            let Some(value) = new.value() else { continue };
            let same = |member: &str| value.get(member) == old.get(member);
            if name(value) == name(old) && !members.into_iter().all(same) {
                let shown = [
                    ("Name", "name", "\"\""),
                    ("NodeID", "nodeID", "\"\""),
                    ("TopologyKeys", "topologyKeys", "null"),
                    ("Allocatable", "", "null"),
                ];
                drivers.invalid_struct_of(&new, &shown, "field is immutable");
            }
        }
    }
}

/// The rules of a `CSIDriver`.
pub(super) fn driver(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    let attach = spec.get("attachRequired");
    // The real server calls it so.
    let attach = attach.under("spec.attachedRequired");
    let (modes, tokens) = (spec.get("volumeLifecycleModes"), spec.get("tokenRequests"));
    for flag in [
        &attach,
        &spec.get("podInfoOnMount"),
        &spec.get("storageCapacity"),
    ] {
        if !flag.is_set() {
            flag.required("");
        }
    }
    spec.get("fsGroupPolicy")
        .optional_one_of(&["File", "None", "ReadWriteOnceWithFSType"]);
    token_requests(&tokens);
    for mode in modes.items() {
        if !matches!(mode.text(), "Persistent" | "Ephemeral") {
            modes.not_supported_as(&mode.text().into(), &["Persistent", "Ephemeral"]);
        }
    }
    let mount = spec.get("seLinuxMount");
    if !mount.is_set() {
        mount.required("");
    }
    let period = spec.get("nodeAllocatableUpdatePeriodSeconds");
    if period.number().is_some_and(|number| number < 10) {
        period.invalid("must be greater than or equal to 10 seconds");
    }
    let secrets = spec.get("serviceAccountTokenInSecrets");
    if secrets.is_set() && tokens.is_empty() {
        secrets.invalid("serviceAccountTokenInSecrets is set but no tokenRequests are specified");
    }
    attach.immutable();
    modes.immutable();
}

fn token_requests(tokens: &Field<'_, '_>) {
    let mut seen = Vec::new();
    for token in tokens.items() {
        let audience = token.get("audience");
        if seen.contains(&audience.text()) {
            audience.duplicate_of(&audience.text().into());
            continue;
        }
        seen.push(audience.text());
        let seconds = token.get("expirationSeconds");
        match seconds.number() {
            Some(number) if number < 600 => {
                seconds.invalid("may not specify a duration less than 10 minutes");
            }
            Some(number) if number > 1 << 32 => {
                seconds.invalid("may not specify a duration larger than 2^32 seconds");
            }
            _ => {}
        }
    }
}

/// The rules of a `CSIStorageCapacity`.
pub(super) fn capacity(object: &Field<'_, '_>) {
    let (topology, class) = (object.get("nodeTopology"), object.get("storageClassName"));
    if object.is_update() {
        topology.immutable();
        class.immutable();
        return;
    }
    selector::check(&topology);
    for problem in names::subdomain_problems(class.text()) {
        class.invalid_as(&class.text().into(), &problem);
    }
    object.get("capacity").not_negative_quantity();
}
