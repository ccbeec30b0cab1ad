//! Cells of volumes, claims and classes of storage.

use yaml::Value;

use crate::of::{Of, UNSET, join};

fn modes(of: &Of<'_>, path: &str) -> String {
    let short = |mode: &Value| match mode.as_str() {
        Some("ReadWriteOnce") => "RWO",
        Some("ReadOnlyMany") => "ROX",
        Some("ReadWriteMany") => "RWX",
        Some("ReadWriteOncePod") => "RWOP",
        _ => "",
    };
    of.list(path)
        .iter()
        .map(short)
        .collect::<Vec<_>>()
        .join(",")
}

pub(crate) fn volume(of: &Of<'_>, age: Value) -> Vec<Value> {
    let claim = match of.at("spec.claimRef") {
        Some(claim) => {
            let claim = Of(claim);
            format!("{}/{}", claim.text("namespace"), claim.text("name"))
        }
        None => String::new(),
    };
    let phase = if of.text("metadata.deletionTimestamp").is_empty() {
        of.text("status.phase")
    } else {
        "Terminating"
    };
    vec![
        of.text("spec.capacity.storage").into(),
        modes(of, "spec.accessModes").into(),
        of.text("spec.persistentVolumeReclaimPolicy").into(),
        phase.into(),
        claim.into(),
        of.text("spec.storageClassName").into(),
        of.or("spec.volumeAttributesClassName", UNSET).into(),
        of.text("status.reason").into(),
        age,
        of.or("spec.volumeMode", UNSET).into(),
    ]
}

pub(crate) fn claim(of: &Of<'_>, age: Value) -> Vec<Value> {
    let phase = if of.text("metadata.deletionTimestamp").is_empty() {
        of.text("status.phase")
    } else {
        "Terminating"
    };
    let bound = !of.text("spec.volumeName").is_empty();
    vec![
        phase.into(),
        of.text("spec.volumeName").into(),
        if bound {
            of.text("status.capacity.storage")
        } else {
            ""
        }
        .into(),
        if bound {
            modes(of, "status.accessModes")
        } else {
            String::new()
        }
        .into(),
        of.text("spec.storageClassName").into(),
        of.or("spec.volumeAttributesClassName", UNSET).into(),
        age,
        of.or("spec.volumeMode", UNSET).into(),
    ]
}

pub(crate) fn storage_class(of: &Of<'_>, age: Value) -> Vec<Value> {
    vec![
        of.text("provisioner").into(),
        of.or("reclaimPolicy", "Delete").into(),
        of.or("volumeBindingMode", UNSET).into(),
        of.at("allowVolumeExpansion")
            .and_then(Value::as_bool)
            .unwrap_or(false)
            .into(),
        age,
    ]
}

pub(crate) fn driver(of: &Of<'_>, age: Value) -> Vec<Value> {
    let flag =
        |path: &str| -> Value { of.at(path).and_then(Value::as_bool).unwrap_or(false).into() };
    let audiences: Vec<&str> = of
        .list("spec.tokenRequests")
        .iter()
        .map(|request| Of(request).text("audience"))
        .collect();
    let audiences = if audiences.is_empty() {
        UNSET.to_owned()
    } else {
        audiences.join(",")
    };
    let modes = of
        .list("spec.volumeLifecycleModes")
        .iter()
        .filter_map(Value::as_str);
    vec![
        flag("spec.attachRequired"),
        flag("spec.podInfoOnMount"),
        flag("spec.storageCapacity"),
        audiences.into(),
        flag("spec.requiresRepublish"),
        join(modes).into(),
        age,
    ]
}

/// Whether an annotation makes a StorageClass the default one.
pub(crate) fn is_default(of: &Of<'_>) -> bool {
    let annotations = of.at("metadata.annotations");
    let says = |key: &str| annotations.and_then(|all| all.get(key)?.as_str()) == Some("true");
    says("storageclass.kubernetes.io/is-default-class")
        || says("storageclass.beta.kubernetes.io/is-default-class")
}
