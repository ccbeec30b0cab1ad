//! Claims and volumes: binding, protection, and volumes made for the sandbox's own StorageClass.

use manifest::Object;
use manifest::quantity::Quantity;
use yaml::{Map, Value};

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
        let used = context
            .world
            .list(Kind::POD, claim.namespace())
            .filter(|pod| !pod::is_finished(pod))
            .any(|pod| claims_of(pod).any(|name| name == claim.name()));
        let free = !used && has_finalizer(claim, CLAIM_PROTECTION);
        return Vec::from_iter(
            free.then(|| without_finalizer(Kind::VOLUME_CLAIM, claim, CLAIM_PROTECTION)),
        );
    }
    if text(claim.value(), &["status", "phase"]) == "Bound" {
        return Vec::new();
    }
    let named = text(claim.value(), &["spec", "volumeName"]);
    let volume = if named.is_empty() {
        candidate(context, claim)
    } else {
        context.world.find(Kind::VOLUME, "", named)
    };
    match volume {
        Some(volume) if is_free_for(volume, claim) => bind(claim, volume),
        Some(_) => Vec::new(),
        None if named.is_empty() => provision(context, claim),
        None => Vec::new(),
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

/// The smallest volume that satisfies the claim; one that was reserved for it first.
fn candidate<'a>(context: &Context<'a>, claim: &Object) -> Option<&'a Object> {
    let wanted = quantity(claim.value(), &["spec", "resources", "requests", "storage"])?;
    let modes = items(claim.value(), &["spec", "accessModes"]);
    let mode = |object: &Object| match text(object.value(), &["spec", "volumeMode"]) {
        "" => "Filesystem".to_owned(),
        mode => mode.to_owned(),
    };
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
    writes.extend(status(
        Kind::VOLUME,
        volume,
        Map::from([("phase", "Bound".into())]),
    ));
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
    if text(class.value(), &["provisioner"]) != PROVISIONER {
        return Vec::new();
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
    if volume.is_terminating() {
        let free = !held && has_finalizer(volume, VOLUME_PROTECTION);
        return Vec::from_iter(
            free.then(|| without_finalizer(Kind::VOLUME, volume, VOLUME_PROTECTION)),
        );
    }
    let phase = match reference {
        Some(_) if held => return Vec::new(),
        Some(_) if !uid.is_empty() && context.world.was_deleted(uid) => "Released",
        Some(_) if !uid.is_empty() => return Vec::new(),
        _ => "Available",
    };
    let ours = volume.annotation(PROVISIONED_BY) == Some(PROVISIONER);
    let deletes = text(volume.value(), &["spec", "persistentVolumeReclaimPolicy"]) == "Delete";
    let mut writes = Vec::from_iter(status(
        Kind::VOLUME,
        volume,
        Map::from([("phase", phase.into())]),
    ));
    if phase == "Released" && ours && deletes {
        writes.push(delete(Kind::VOLUME, volume, Deletion::Background));
    }
    writes
}
