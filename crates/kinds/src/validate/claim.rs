//! Storage: claims, and the volumes that satisfy them.

use yaml::{Map, Value};

use super::field::Check::{self, Needs, Rule};
use super::field::Field;
use super::metadata::{annotations, labels};
use super::pod::volume;
use super::{amounts, selector};
use crate::{FieldError, names};

const ONE_TYPE: &str = "may not specify more than 1 volume type";
const MODES: [&str; 4] = [
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];
const GROUP: &str = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";

/// The sources of a volume in the order in which they are looked at.
const SOURCES: [(&str, Check); 21] = [
    ("hostPath", Rule(volume::host_path)),
    ("gcePersistentDisk", Rule(volume::google_disk)),
    ("awsElasticBlockStore", Rule(volume::amazon_disk)),
    ("glusterfs", Needs(&["endpoints", "path"])),
    ("flocker", Rule(volume::flocker)),
    ("nfs", Rule(volume::nfs)),
    ("rbd", Needs(&["monitors", "image"])),
    ("quobyte", Rule(volume::quobyte)),
    ("cephfs", Needs(&["monitors"])),
    ("iscsi", Rule(volume::iscsi)),
    ("cinder", Needs(&["volumeID"])),
    ("fc", Rule(volume::fibre_channel)),
    ("flexVolume", Rule(volume::flex)),
    ("azureFile", Needs(&["secretName", "shareName"])),
    ("vsphereVolume", Needs(&["volumePath"])),
    ("photonPersistentDisk", Needs(&["pdID"])),
    ("portworxVolume", Needs(&["volumeID"])),
    ("azureDisk", Rule(volume::azure_disk)),
    ("scaleIO", Needs(&["gateway", "system", "volumeName"])),
    ("local", Rule(local)),
    ("storageos", Rule(volume::storage_os)),
];

pub(super) fn claim(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    claim_spec(&spec);
    if object.is_update() {
        claim_update(object, &spec);
    }
}

/// A claim that a pod or a StatefulSet makes.
pub(super) fn template(template: &Field<'_, '_>) {
    let metadata = template.get("metadata");
    annotations(&metadata.get("annotations"));
    labels(&metadata.get("labels"));
    for key in metadata.map().into_iter().flat_map(Map::keys) {
        if key != "annotations" && key != "labels" {
            metadata.get(key).forbidden("cannot be set");
        }
    }
    claim_spec(&template.get("spec"));
}

fn access_modes(modes: &Field<'_, '_>) {
    for mode in modes.items() {
        mode.told_at(modes).one_of(&MODES);
    }
    let known = |mode: &&str| MODES.contains(mode);
    let given: Vec<&str> = modes
        .list()
        .iter()
        .filter_map(Value::as_str)
        .filter(known)
        .collect();
    let alone = |mode: &&str| *mode == "ReadWriteOncePod";
    if given.iter().any(alone) && !given.iter().all(alone) {
        modes.forbidden("may not use ReadWriteOncePod with other access modes");
    }
}

/// The spec of a claim.
pub(super) fn claim_spec(spec: &Field<'_, '_>) {
    let modes = spec.get("accessModes");
    if modes.is_empty() {
        modes.required("at least 1 access mode is required");
    }
    selector::check(&spec.get("selector"));
    access_modes(&modes);
    let resources = spec.get("resources");
    let requests = resources.get("requests");
    let (asked, place) = (requests.key("storage"), resources.key("storage"));
    let asked = asked.told_at(&place);
    match amounts::quantity(&asked).and_then(|amount| amount.scaled(0)) {
        None => asked.required(""),
        Some(..=0) => asked.invalid("must be greater than zero"),
        Some(_) => {}
    }
    spec.get("storageClassName")
        .optional_name(names::subdomain_problems);
    spec.get("volumeMode")
        .optional_one_of(&["Block", "Filesystem"]);
    let (source, reference) = (spec.get("dataSource"), spec.get("dataSourceRef"));
    data_source(&source);
    data_source(&reference);
    let namespace = reference.get("namespace");
    namespace.optional_name(names::label_problems);
    let same = |key| source.get(key).value() == reference.get(key).value();
    let matching = ["apiGroup", "kind", "name"].iter().all(|key| same(key));
    let why = match (source.is_set(), namespace.is_empty()) {
        (true, false) => Some("may not be specified when dataSourceRef.namespace is specified"),
        (true, true) if reference.is_set() && !matching => Some("must match dataSourceRef"),
        _ => None,
    };
    if let Some(why) = why {
        // The server gives a path for the value, which prints as nothing.
        spec.tell(|path| FieldError::invalid_printed(path, "{}", why));
    }
    spec.get("volumeAttributesClassName")
        .optional_name(names::subdomain_problems);
}

fn data_source(source: &Field<'_, '_>) {
    if !source.is_set() {
        return;
    }
    source.get("name").require();
    let (kind, group) = (source.get("kind"), source.get("apiGroup"));
    kind.require();
    if group.is_empty() && kind.text() != "PersistentVolumeClaim" {
        source.invalid_as(&kind.text().into(), GROUP);
    }
    group.optional_name(names::subdomain_problems);
}

fn claim_update(object: &Field<'_, '_>, spec: &Field<'_, '_>) {
    let bound = object.get("status.phase").text() == "Bound";
    let mut fixed = spec.value().cloned().unwrap_or_default();
    let mut old = spec.old().cloned().unwrap_or_default();
    let map = fixed.map_at_mut(&[]);
    let mut free = Vec::new();
    if old.get("volumeName").is_none()
        && let Some(name) = map.get("volumeName")
    {
        old.map_at_mut(&[]).insert("volumeName", name.clone());
    }
    if old.get("storageClassName").is_none() {
        free.push("storageClassName");
    }
    if bound {
        free.push("volumeAttributesClassName");
    }
    for key in free {
        match old.get(key) {
            Some(value) => map.insert(key, value.clone()),
            None => map.remove(key),
        };
    }
    let requests = ["resources", "requests"];
    if bound
        && let (Some(Value::Map(now)), Some(asked)) = (
            map.get_mut("resources")
                .and_then(|resources| resources.get_mut("requests")),
            old.at(&requests)
                .and_then(|requests| requests.get("storage")),
        )
    {
        now.insert("storage", asked.clone());
    }
    if fixed != old {
        let why = "spec is immutable after creation except resources.requests and \
                   volumeAttributesClassName for bound claims";
        spec.forbidden_change("PersistentVolumeClaimSpec", (&old, &fixed), why);
    }
    shrinking(object, spec);
    let mode = spec.get("volumeMode");
    mode.under("volumeMode").immutable();
}

/// A claim may shrink only while it has less than it asks for.
fn shrinking(object: &Field<'_, '_>, spec: &Field<'_, '_>) {
    let size = |value: Option<&Value>| {
        value.and_then(|value| manifest::quantity::Quantity::from_value(value).ok())
    };
    let requests = spec.get("resources.requests");
    let asked = requests.get("storage");
    let capacity = object.get("status.capacity");
    let has = size(capacity.get("storage").value());
    // What is not asked for counts as nothing.
    let new = size(asked.value().or(Some(&Value::Int(0))));
    if let (Some(new), Some(old)) = (new, size(asked.old()))
        && new < old
        && has.map_or(new.scaled(0).is_some_and(|number| number <= 0), |has| {
            new <= has
        })
    {
        asked.forbidden("field can not be less than status.capacity");
    }
}

pub(super) fn persistent_volume(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    volume_spec(&spec);
    if object.is_update() {
        // The rules of updates look at all of it as well.
        volume_spec(&spec);
        volume_update(&spec);
    }
}

fn volume_spec(spec: &Field<'_, '_>) {
    let modes = spec.get("accessModes");
    modes.require();
    access_modes(&modes);
    capacity(&spec.get("capacity"));
    let policy = spec.get("persistentVolumeReclaimPolicy");
    policy.optional_one_of(&["Delete", "Recycle", "Retain"]);
    let required = spec.get("nodeAffinity.required");
    let affinity = spec.get("nodeAffinity");
    if affinity.is_set() {
        if required.is_set() {
            selector::nodes(&required);
        } else {
            required.required("must specify required node constraints");
        }
    }
    let csi = spec.get("csi");
    let found = spec.one_member(SOURCES, ONE_TYPE);
    if spec.get("local").is_set() && !affinity.is_set() {
        affinity.required("Local volume requires node affinity");
    }
    if csi.is_set() {
        if found {
            csi.forbidden(ONE_TYPE);
        } else {
            csi_source(&csi);
        }
    } else if !found {
        spec.required("must specify a volume type");
    }
    let root = spec.get("hostPath.path").text().trim_end_matches('/');
    if spec.get("hostPath").is_set() && root.is_empty() && policy.text() == "Recycle" {
        policy.forbidden("may not be 'recycle' for a hostPath mount of '/'");
    }
    spec.get("storageClassName")
        .optional_name(names::subdomain_problems);
    spec.get("volumeMode")
        .optional_one_of(&["Block", "Filesystem"]);
    let class = spec.get("volumeAttributesClassName");
    if class.is_set() {
        if class.is_empty() {
            class.required("an empty string is disallowed");
        }
        class.optional_name(names::subdomain_problems);
        if !csi.is_set() {
            csi.required("has to be specified when using volumeAttributesClassName");
        }
    }
}

fn capacity(capacity: &Field<'_, '_>) {
    capacity.require();
    if !capacity.key("storage").is_set() || capacity.map().map_or(0, Map::len) > 1 {
        capacity.tell(|path| {
            let shown = capacity.value().cloned().unwrap_or_default();
            FieldError::not_supported(path, &shown, &["storage"])
        });
    }
    for (_, amount) in capacity.entries() {
        let Some(number) = amounts::quantity(&amount).and_then(|amount| amount.scaled(0)) else {
            continue;
        };
        if number < 0 {
            amount.invalid_as(&number.into(), "must be a valid resource quantity");
        }
        if number <= 0 {
            amount.invalid("must be greater than zero");
        }
    }
}

fn local(source: &Field<'_, '_>) {
    let path = source.get("path");
    if path.require() {
        volume::no_backsteps(&path);
    }
}

fn csi_source(source: &Field<'_, '_>) {
    volume::driver(&source.get("driver"));
    source.get("volumeHandle").require();
    for name in [
        "controllerPublishSecretRef",
        "controllerExpandSecretRef",
        "nodePublishSecretRef",
        "nodeExpandSecretRef",
    ] {
        let secret = source.get(name);
        if secret.is_set() {
            secret.get("name").require_name(names::subdomain_problems);
            secret.get("namespace").require_name(names::label_problems);
        }
    }
}

/// The source of a volume and how it is used never change.
fn volume_update(spec: &Field<'_, '_>) {
    let sources = SOURCES.iter().map(|(name, _)| *name).chain(["csi"]);
    let changed = sources.clone().any(|name| spec.get(name).changed());
    if let (true, Some(old), Some(new)) = (changed, spec.old(), spec.value()) {
        let why = "spec.persistentvolumesource is immutable after creation";
        spec.get("persistentvolumesource").forbidden_change(
            "PersistentVolumeSource",
            (old, new),
            why,
        );
    }
    spec.get("volumeMode").under("volumeMode").immutable();
    let affinity = spec.get("nodeAffinity");
    if affinity.old().is_some() && affinity.changed() {
        affinity
            .under("nodeAffinity")
            .invalid("field is immutable, except for updating from beta label to GA");
    }
    let class = spec.get("volumeAttributesClassName");
    if class.old().is_some() && !class.is_set() {
        class.forbidden("update from non-nil value to nil is forbidden");
    }
}
