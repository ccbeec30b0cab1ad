//! Claims and volumes: binding, protection, and volumes made for the sandbox's own StorageClass.

use manifest::Object;
use manifest::quantity::Quantity;
use yaml::{Map, Str, Value};

use super::control::{Context, Switch};
use super::fields::{finalizers_without, has_finalizer, items, labels, map, text};
use super::kind::Kind;
use super::pod;
use super::selector::selects;
use super::world::{Change, Ref, World};
use super::write::{Deletion, Note, Outcome, Write, delete, patch, status};

const COMPONENT: &str = "persistentvolume-controller";
const CLAIM_PROTECTION: &str = "kubernetes.io/pvc-protection";
const VOLUME_PROTECTION: &str = "kubernetes.io/pv-protection";
const BOUND_BY: &str = "pv.kubernetes.io/bound-by-controller";
const PROVISIONER: &str = "sandbox.tiphys.dev/volumes";
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// Where a claim says who is to make its volume.
const PROVISIONER_MARKS: [&str; 2] = [
    "volume.beta.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/storage-provisioner",
];
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
const WAIT: &str = "WaitForFirstConsumer";
/// The class that exists when volumes are switched on.
pub(crate) const CLASS: &str = "standard";

/// Claims and volumes that changed, waiting claims when something to bind to did, and dying claims
/// when a pod lets go of them.
pub(crate) fn affected(world: &World, change: &Change, keys: &mut Vec<Ref>) {
    // A change that cannot help a claim would only repeat what was said about it.
    let class = change.latest().map(|object| match change.target.kind {
        Kind::STORAGE_CLASS => object.name().to_owned(),
        _ => class_of(object).to_owned(),
    });
    let waiting = || {
        world
            .all(Kind::VOLUME_CLAIM)
            .filter(|claim| text(claim.value(), &["status", "phase"]) != "Bound")
            .filter(|claim| class.as_deref() == Some(class_of(claim)))
            .map(|claim| Ref::of(Kind::VOLUME_CLAIM, claim))
    };
    let target = &change.target;
    match target.kind {
        Kind::VOLUME_CLAIM => {
            keys.push(target.clone());
            for claim in change.states() {
                let volume = text(claim.value(), &["spec", "volumeName"]);
                if !volume.is_empty() {
                    keys.push(Ref::new(Kind::VOLUME, "", volume));
                }
            }
        }
        Kind::VOLUME => {
            keys.push(target.clone());
            keys.extend(waiting());
            let reference = change
                .latest()
                .and_then(|volume| volume.value().at(&["spec", "claimRef"]));
            keys.extend(reference.map(|reference| {
                let (namespace, name) =
                    (text(reference, &["namespace"]), text(reference, &["name"]));
                Ref::new(Kind::VOLUME_CLAIM, namespace, name)
            }));
        }
        Kind::STORAGE_CLASS => {
            keys.push(target.clone());
            keys.extend(waiting());
        }
        Kind::POD => {
            if let Some(pod) = change
                .latest()
                .filter(|pod| change.new.is_none() || pod::is_finished(pod))
            {
                keys.extend(
                    claims_of(pod)
                        .map(|claim| Ref::new(Kind::VOLUME_CLAIM, pod.namespace(), claim)),
                );
            }
        }
        _ => {}
    }
}

fn claims_of(pod: &Object) -> impl Iterator<Item = &str> {
    items(pod.value(), &["spec", "volumes"])
        .iter()
        .filter_map(|volume| volume.at(&["persistentVolumeClaim", "claimName"])?.as_str())
}

/// One claim, one volume, or the class.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    let object = context.world.get(target);
    let writes = match (target.kind, object) {
        (Kind::VOLUME_CLAIM, Some(claim)) => claim_writes(context, claim),
        (Kind::VOLUME, Some(volume)) => volume_writes(context, volume),
        (Kind::STORAGE_CLASS, None) if target.name == *CLASS => {
            Vec::from_iter((context.settings.volumes == Switch::On).then(class))
        }
        _ => Vec::new(),
    };
    Outcome::from(writes)
}

/// Gives a volume a phase; the rest of its status stays.
fn in_phase(volume: &Object, phase: &str) -> Option<Write> {
    let known = volume.value().get("status").and_then(Value::as_map);
    let mut report = known.cloned().unwrap_or_default();
    report.insert("phase", phase);
    status(Kind::VOLUME, volume, report)
}

fn class() -> Write {
    let annotations = map([("storageclass.kubernetes.io/is-default-class", "true".into())]);
    let object = Object::new(map([
        ("apiVersion", "storage.k8s.io/v1".into()),
        ("kind", "StorageClass".into()),
        (
            "metadata",
            map([("name", CLASS.into()), ("annotations", annotations)]),
        ),
        ("provisioner", PROVISIONER.into()),
    ]))
    .expect("a class has a kind");
    Write::Create {
        kind: Kind::STORAGE_CLASS,
        object,
        note: None,
    }
}

fn without_finalizer(kind: Kind, object: &Object, name: &str) -> Write {
    let finalizers = finalizers_without(object, name);
    patch(
        kind,
        object,
        map([("metadata", map([("finalizers", finalizers)]))]),
    )
}

fn claim_writes(context: &Context<'_>, claim: &Object) -> Vec<Write> {
    if claim.is_terminating() {
        // As in Kubernetes, a pod that no node has yet does not use its claims.
        let used = context
            .world
            .list(Kind::POD, claim.namespace())
            .filter(|pod| !pod::is_finished(pod) && !pod::node(pod).is_empty())
            .any(|pod| claims_of(pod).any(|name| name == claim.name()));
        let free = !used && has_finalizer(claim, CLAIM_PROTECTION);
        return Vec::from_iter(
            free.then(|| without_finalizer(Kind::VOLUME_CLAIM, claim, CLAIM_PROTECTION)),
        );
    }
    let named = text(claim.value(), &["spec", "volumeName"]);
    match text(claim.value(), &["status", "phase"]) {
        "Lost" => return Vec::new(),
        "Bound" => return lost(context, claim, named),
        _ => {}
    }
    if !named.is_empty() {
        let volume = context.world.find(Kind::VOLUME, "", named);
        return volume.map_or_else(Vec::new, |volume| bind_named(claim, volume));
    }
    if let Some(class) = default_class(context, claim) {
        let body = map([("spec", map([("storageClassName", class.name().into())]))]);
        return vec![patch(Kind::VOLUME_CLAIM, claim, body)];
    }
    match candidate(context, claim) {
        Some(volume) => bind(claim, volume),
        None => provision(context, claim),
    }
}

/// The class of a claim that names none (an empty name is one): the newest of those that are
/// defaults, as the volume controller assigns it to claims that were there before the class.
fn default_class<'a>(context: &Context<'a>, claim: &Object) -> Option<&'a Object> {
    let is_named = claim.value().at(&["spec", "storageClassName"]).is_some()
        || claim
            .annotation("volume.beta.kubernetes.io/storage-class")
            .is_some();
    if is_named || context.settings.equipment == Switch::Off {
        return None;
    }
    let is_default = |class: &&Object| {
        class.annotation("storageclass.kubernetes.io/is-default-class") == Some("true")
    };
    let classes = context.world.all(Kind::STORAGE_CLASS).filter(is_default);
    classes.max_by_key(|class| {
        let made = text(class.value(), &["metadata", "creationTimestamp"]).to_owned();
        (made, std::cmp::Reverse(class.name().to_owned()))
    })
}

/// A bound claim whose volume has gone, or belongs to another, is lost.
fn lost(context: &Context<'_>, claim: &Object, volume: &str) -> Vec<Write> {
    let gone = context.world.find(Kind::VOLUME, "", volume);
    let (reason, message) = match gone.map(|volume| is_free_for(volume, claim)) {
        Some(true) => return Vec::new(),
        None => (
            "ClaimLost",
            "Bound claim has lost its PersistentVolume. Data on the volume is lost!",
        ),
        // One that is going may forget its claim first.
        Some(false) if gone.is_some_and(Object::is_terminating) => return Vec::new(),
        Some(false) => (
            "ClaimMisbound",
            "Two claims are bound to the same volume, this one is bound incorrectly",
        ),
    };
    let note = Note::warning(claim, COMPONENT, reason, message.to_owned());
    let report = Map::from([("phase", "Lost".into())]);
    let mut writes = Vec::from_iter(status(Kind::VOLUME_CLAIM, claim, report));
    writes.push(Write::Note(note));
    writes
}

/// Binds a claim to the volume that it names, or says why that cannot be.
fn bind_named(claim: &Object, volume: &Object) -> Vec<Write> {
    let name = volume.name();
    if !is_free_for(volume, claim) {
        let message = format!("volume \"{name}\" already bound to a different claim.");
        let note = Note::warning(claim, COMPONENT, "FailedBinding", message);
        return vec![Write::Note(note)];
    }
    if volume.value().at(&["spec", "claimRef"]).is_none()
        && let Some(why) = mismatch(claim, volume)
    {
        let message = format!("Cannot bind to requested volume \"{name}\": {why}");
        let note = Note::warning(claim, COMPONENT, "VolumeMismatch", message);
        return vec![Write::Note(note)];
    }
    bind(claim, volume)
}

/// Why a volume does not satisfy a claim.
fn mismatch(claim: &Object, volume: &Object) -> Option<&'static str> {
    let wanted = quantity(claim.value(), &["spec", "resources", "requests", "storage"]);
    let offered = quantity(volume.value(), &["spec", "capacity", "storage"]);
    let modes = items(volume.value(), &["spec", "accessModes"]);
    let wanted_modes = items(claim.value(), &["spec", "accessModes"]);
    if wanted > offered {
        Some("requested PV is too small")
    } else if class_of(claim) != class_of(volume) {
        Some("storageClassName does not match")
    } else if mode(claim) != mode(volume) {
        Some("incompatible volumeMode")
    } else if !wanted_modes.iter().all(|mode| modes.contains(mode)) {
        Some("incompatible accessMode")
    } else {
        None
    }
}

fn quantity(value: &Value, path: &[&str]) -> Option<Quantity> {
    Quantity::from_value(value.at(path)?).ok()
}

fn class_of(object: &Object) -> &str {
    text(object.value(), &["spec", "storageClassName"])
}

fn is_free_for(volume: &Object, claim: &Object) -> bool {
    let reference = volume.value().at(&["spec", "claimRef"]);
    !volume.is_terminating()
        && reference.is_none_or(|reference| {
            let uid = text(reference, &["uid"]);
            text(reference, &["name"]) == claim.name()
                && text(reference, &["namespace"]) == claim.namespace()
                && (uid.is_empty() || uid == claim.uid())
        })
}

fn mode(object: &Object) -> &str {
    match text(object.value(), &["spec", "volumeMode"]) {
        "" => "Filesystem",
        mode => mode,
    }
}

/// Whether a claim waits for a pod before it gets a volume.
pub(crate) fn waits_for_consumer(context: &Context<'_>, claim: &Object) -> bool {
    let class = context.world.find(Kind::STORAGE_CLASS, "", class_of(claim));
    class.is_some_and(|class| text(class.value(), &["volumeBindingMode"]) == WAIT)
        && claim.annotation(SELECTED_NODE).is_none()
}

/// Whether a claim was told its node, so that it waits for its volume only.
pub(crate) fn has_node(claim: &Object) -> bool {
    claim.annotation(SELECTED_NODE).is_some()
}

/// Tells a claim which node its pod goes to, so that it gets a volume.
pub(crate) fn select_node(claim: &Object, node: &str) -> Write {
    let annotations = map([(SELECTED_NODE, node.into())]);
    let body = map([("metadata", map([("annotations", annotations)]))]);
    patch(Kind::VOLUME_CLAIM, claim, body)
}

/// The smallest volume that satisfies the claim; one that was reserved for it first.
fn candidate<'a>(context: &Context<'a>, claim: &Object) -> Option<&'a Object> {
    let wanted = quantity(claim.value(), &["spec", "resources", "requests", "storage"])?;
    let modes = items(claim.value(), &["spec", "accessModes"]);
    let waits = waits_for_consumer(context, claim);
    let selector = claim.value().at(&["spec", "selector"]);
    context
        .world
        .all(Kind::VOLUME)
        .filter(|volume| is_free_for(volume, claim))
        .filter(|volume| class_of(volume) == class_of(claim) && mode(volume) == mode(claim))
        .filter(|volume| {
            let offered = items(volume.value(), &["spec", "accessModes"]);
            modes.iter().all(|mode| offered.contains(mode))
        })
        .filter(|volume| selector.is_none() || selects(selector, labels(volume)))
        .filter_map(|volume| {
            Some((
                quantity(volume.value(), &["spec", "capacity", "storage"])?,
                volume,
            ))
        })
        .filter(|(size, _)| *size >= wanted)
        .filter(|(_, volume)| !waits || volume.value().at(&["spec", "claimRef"]).is_some())
        .min_by_key(|(size, volume)| {
            (
                volume.value().at(&["spec", "claimRef"]).is_none(),
                size.clone(),
                volume.name().to_owned(),
            )
        })
        .map(|(_, volume)| volume)
}

fn claim_reference(claim: &Object) -> Value {
    map([
        ("apiVersion", "v1".into()),
        ("kind", "PersistentVolumeClaim".into()),
        ("namespace", claim.namespace().into()),
        ("name", claim.name().into()),
        ("uid", claim.uid().into()),
        ("resourceVersion", claim.resource_version().into()),
    ])
}

/// First the volume, then the claim: a stop between leaves a reservation that is found again.
fn bind(claim: &Object, volume: &Object) -> Vec<Write> {
    let mut writes = Vec::new();
    if text(volume.value(), &["spec", "claimRef", "uid"]) != claim.uid() {
        let mut body = map([("spec", map([("claimRef", claim_reference(claim))]))]);
        if volume.value().at(&["spec", "claimRef"]).is_none() {
            body.map_at_mut(&["metadata", "annotations"])
                .insert(BOUND_BY, "yes");
        }
        writes.push(patch(Kind::VOLUME, volume, body));
    }
    writes.extend(in_phase(volume, "Bound"));
    let mut annotations = Map::from([("pv.kubernetes.io/bind-completed", "yes".into())]);
    let mut body = Value::Null;
    if text(claim.value(), &["spec", "volumeName"]).is_empty() {
        annotations.insert(BOUND_BY, "yes");
        body.map_at_mut(&["spec"])
            .insert("volumeName", volume.name());
    }
    body.map_at_mut(&["metadata"])
        .insert("annotations", annotations);
    writes.push(patch(Kind::VOLUME_CLAIM, claim, body));
    let spec = |field: &str| {
        volume
            .value()
            .at(&["spec", field])
            .cloned()
            .unwrap_or_default()
    };
    let report = Map::from([
        ("phase", "Bound".into()),
        ("accessModes", spec("accessModes")),
        ("capacity", spec("capacity")),
    ]);
    writes.extend(status(Kind::VOLUME_CLAIM, claim, report));
    writes
}

/// Makes a volume where the class is ours; else says why there is none.
fn provision(context: &Context<'_>, claim: &Object) -> Vec<Write> {
    let warn = |reason: &'static str, message: String| {
        vec![Write::Note(Note::warning(
            claim, COMPONENT, reason, message,
        ))]
    };
    let name = class_of(claim);
    if waits_for_consumer(context, claim) {
        let message = "waiting for first consumer to be created before binding".to_owned();
        let note = Note::normal(claim, COMPONENT, "WaitForFirstConsumer", message);
        return vec![Write::Note(note)];
    }
    if name.is_empty() {
        let message =
            "no persistent volumes available for this claim and no storage class is set".to_owned();
        return vec![Write::Note(Note::normal(
            claim,
            COMPONENT,
            "FailedBinding",
            message,
        ))];
    }
    let Some(class) = context.world.find(Kind::STORAGE_CLASS, "", name) else {
        let message = format!("storageclass.storage.k8s.io \"{name}\" not found");
        return warn("ProvisioningFailed", message);
    };
    let provisioner = text(class.value(), &["provisioner"]);
    if provisioner != PROVISIONER {
        return ask_provisioner(claim, provisioner);
    }
    let volume = format!("pvc-{}", claim.uid());
    if context.world.find(Kind::VOLUME, "", &volume).is_some() {
        return Vec::new();
    }
    let message = format!("Successfully provisioned volume {volume}");
    let note = Note::normal(claim, PROVISIONER, "ProvisioningSucceeded", message);
    let object = new_volume(claim, class, &volume);
    vec![Write::Create {
        kind: Kind::VOLUME,
        object,
        note: Some(note),
    }]
}

/// Leaves a claim to somebody else's provisioner.
fn ask_provisioner(claim: &Object, provisioner: &str) -> Vec<Write> {
    let mut writes = Vec::new();
    if PROVISIONER_MARKS
        .iter()
        .any(|mark| claim.annotation(mark) != Some(provisioner))
    {
        let annotations: Map = PROVISIONER_MARKS
            .iter()
            .map(|mark| (Str::from(*mark), Value::from(provisioner)))
            .collect();
        let body = map([("metadata", map([("annotations", annotations.into())]))]);
        writes.push(patch(Kind::VOLUME_CLAIM, claim, body));
    }
    let message = format!(
        "Waiting for a volume to be created either by the external provisioner '{provisioner}' or \
         manually by the system administrator. If volume creation is delayed, please verify that \
         the provisioner is running and correctly registered."
    );
    let note = Note::normal(claim, COMPONENT, "ExternalProvisioning", message);
    writes.push(Write::Note(note));
    writes
}

fn new_volume(claim: &Object, class: &Object, volume: &str) -> Object {
    let policy = match text(class.value(), &["reclaimPolicy"]) {
        "" => "Delete",
        policy => policy,
    };
    let size = claim
        .value()
        .at(&["spec", "resources", "requests", "storage"]);
    let spec = map([
        (
            "accessModes",
            claim
                .value()
                .at(&["spec", "accessModes"])
                .cloned()
                .unwrap_or_default(),
        ),
        (
            "capacity",
            map([("storage", size.cloned().unwrap_or_default())]),
        ),
        ("claimRef", claim_reference(claim)),
        (
            "hostPath",
            map([("path", format!("/sandbox/{volume}").into())]),
        ),
        ("persistentVolumeReclaimPolicy", policy.into()),
        ("storageClassName", class.name().into()),
        (
            "volumeMode",
            claim
                .value()
                .at(&["spec", "volumeMode"])
                .cloned()
                .unwrap_or("Filesystem".into()),
        ),
    ]);
    let annotations = map([(PROVISIONED_BY, PROVISIONER.into())]);
    Object::new(map([
        ("apiVersion", "v1".into()),
        ("kind", "PersistentVolume".into()),
        (
            "metadata",
            map([("name", volume.into()), ("annotations", annotations)]),
        ),
        ("spec", spec),
    ]))
    .expect("a volume has a kind")
}

/// The phase of a volume, and its end.
fn volume_writes(context: &Context<'_>, volume: &Object) -> Vec<Write> {
    let reference = volume.value().at(&["spec", "claimRef"]);
    let claim = reference.and_then(|reference| {
        let (namespace, name) = (text(reference, &["namespace"]), text(reference, &["name"]));
        context.world.find(Kind::VOLUME_CLAIM, namespace, name)
    });
    let uid = reference
        .map(|reference| text(reference, &["uid"]))
        .unwrap_or_default();
    let held = claim.is_some_and(|claim| claim.uid() == uid);
    let is_taken =
        claim.is_some_and(|claim| text(claim.value(), &["spec", "volumeName"]) == volume.name());
    if volume.is_terminating() {
        let free = !held && has_finalizer(volume, VOLUME_PROTECTION);
        return Vec::from_iter(
            free.then(|| without_finalizer(Kind::VOLUME, volume, VOLUME_PROTECTION)),
        );
    }
    if text(volume.value(), &["status", "phase"]) == "Failed" {
        return Vec::new();
    }
    let phase = match reference {
        // Two decisions of one moment may have been written in the other order.
        Some(_) if held && is_taken => "Bound",
        Some(_) if held => return Vec::new(),
        Some(_) if !uid.is_empty() && context.world.was_deleted(uid) => "Released",
        Some(_) if !uid.is_empty() => return Vec::new(),
        _ => "Available",
    };
    let policy = text(volume.value(), &["spec", "persistentVolumeReclaimPolicy"]);
    let mut writes = Vec::from_iter(in_phase(volume, phase));
    if phase == "Released" && policy == "Delete" {
        writes.extend(reclaim(volume));
    }
    writes
}

/// The end of a released volume that is to be deleted: ours and those that kube-controller-manager
/// can delete itself go, others fail or are left to their provisioner.
fn reclaim(volume: &Object) -> Vec<Write> {
    let going = || vec![delete(Kind::VOLUME, volume, Deletion::Background)];
    let provisioner = volume.annotation(PROVISIONED_BY).unwrap_or_default();
    if provisioner == PROVISIONER {
        return going();
    }
    if !provisioner.is_empty() {
        return Vec::new();
    }
    let path = text(volume.value(), &["spec", "hostPath", "path"]);
    let message = if path.is_empty() {
        format!(
            "error getting deleter volume plugin for volume \"{}\": no deletable volume plugin matched",
            volume.name()
        )
    } else if path.starts_with("/tmp/") && path.len() > "/tmp/".len() {
        return going();
    } else {
        format!("host_path deleter only supports /tmp/.+ but received provided {path}")
    };
    let note = Note::warning(volume, COMPONENT, "VolumeFailedDelete", message.clone());
    let known = volume.value().get("status").and_then(Value::as_map);
    let mut report = known.cloned().unwrap_or_default();
    report.insert("phase", "Failed");
    report.insert("message", message);
    let mut writes = Vec::from_iter(status(Kind::VOLUME, volume, report));
    writes.push(Write::Note(note));
    writes
}
