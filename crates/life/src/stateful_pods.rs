//! The pods and claims of a StatefulSet: names, identities, volumes.

use manifest::Object;
use yaml::{Map, Value};

use super::control::Context;
use super::fields::{controller_reference, int, items, map, owners, text};
use super::kind::Kind;
use super::pod;
use super::stateful_set::COMPONENT;
use super::write::{Note, Write, patch};

/// The label that tells a pod's revision.
pub(crate) const REVISION_LABEL: &str = "controller-revision-hash";

/// The lowest ordinal.
pub(crate) fn start(set: &Object) -> i64 {
    int(set.value(), &["spec", "ordinals", "start"]).unwrap_or(0)
}

/// The ordinal in a pod's name, if it is one of the set's.
pub(crate) fn ordinal(set: &Object, pod: &Object) -> Option<i64> {
    pod.name()
        .strip_prefix(set.name())?
        .strip_prefix('-')?
        .parse()
        .ok()
}

/// The revision that a pod was made from.
pub(crate) fn revision(pod: &Object) -> &str {
    pod.label(REVISION_LABEL).unwrap_or_default()
}

/// A pod with its identity.
pub(crate) fn make(set: &Object, template: &Value, revision: &str, ordinal: i64) -> Object {
    let mut made = pod::from_template(set, template);
    let name = format!("{}-{ordinal}", set.name());
    made.metadata_mut().insert("name", name.as_str());
    made.set_label(REVISION_LABEL, revision);
    made.set_label("statefulset.kubernetes.io/pod-name", &name);
    made.set_label("apps.kubernetes.io/pod-index", &ordinal.to_string());
    let spec = made.value_mut().map_at_mut(&["spec"]);
    spec.insert("hostname", name.as_str());
    spec.insert("subdomain", text(set.value(), &["spec", "serviceName"]));
    let claims = items(set.value(), &["spec", "volumeClaimTemplates"]);
    let names: Vec<&str> = claims
        .iter()
        .map(|claim| text(claim, &["metadata", "name"]))
        .collect();
    if !names.is_empty() {
        let volumes = spec.entry_or_insert("volumes", Value::List(Vec::new()));
        if let Some(volumes) = volumes.as_list_mut() {
            volumes.retain(|volume| !names.contains(&text(volume, &["name"])));
            volumes.extend(names.iter().map(|claim| {
                let source = map([("claimName", format!("{claim}-{name}").into())]);
                map([("name", (*claim).into()), ("persistentVolumeClaim", source)])
            }));
        }
    }
    made
}

/// Creations of the claims that a pod needs and that do not exist.
pub(crate) fn missing_claims(context: &Context<'_>, set: &Object, ordinal: i64) -> Vec<Write> {
    let selector = set
        .value()
        .at(&["spec", "selector", "matchLabels"])
        .and_then(Value::as_map);
    items(set.value(), &["spec", "volumeClaimTemplates"])
        .iter()
        .filter_map(|template| {
            let claim = text(template, &["metadata", "name"]);
            let name = format!("{claim}-{}-{ordinal}", set.name());
            if context
                .world
                .find(Kind::VOLUME_CLAIM, set.namespace(), &name)
                .is_some()
            {
                return None;
            }
            let mut value = template.clone();
            let map = value.map_at_mut(&[]);
            map.remove("status");
            map.insert("apiVersion", "v1");
            map.insert("kind", "PersistentVolumeClaim");
            let mut object = Object::new(value).ok()?;
            for (key, label) in selector.into_iter().flat_map(Map::iter) {
                object.set_label(key, label.as_str().unwrap_or_default());
            }
            let metadata = object.metadata_mut();
            metadata.insert("name", name);
            metadata.insert("namespace", set.namespace());
            let message = format!(
                "Create Claim {} Pod {}-{ordinal} in StatefulSet {} success",
                object.name(),
                set.name(),
                set.name()
            );
            let note = Note::normal(set, COMPONENT, "SuccessfulCreate", message);
            Some(Write::Create {
                kind: Kind::VOLUME_CLAIM,
                object,
                note: Some(note),
            })
        })
        .collect()
}

/// Makes the claims of a pod go with whom `persistentVolumeClaimRetentionPolicy` says: with the set
/// when it is deleted, or with a pod that is not wanted any more.
pub(crate) fn claim_owner_changes(
    context: &Context<'_>,
    set: &Object,
    pod: &Object,
    stays: bool,
) -> Vec<Write> {
    let goes = |when: &str| {
        let path = ["spec", "persistentVolumeClaimRetentionPolicy", when];
        text(set.value(), &path) == "Delete"
    };
    let owner = if goes("whenScaled") && !stays {
        Some(pod)
    } else {
        goes("whenDeleted").then_some(set)
    };
    let change = |template: &Value| {
        let name = format!("{}-{}", text(template, &["metadata", "name"]), pod.name());
        let claim = context
            .world
            .find(Kind::VOLUME_CLAIM, set.namespace(), &name)?;
        let ours = |reference: &&Value| [set.uid(), pod.uid()].contains(&text(reference, &["uid"]));
        let known: Vec<&Value> = owners(claim).iter().filter(ours).collect();
        let wanted: Vec<Value> = owner.map(controller_reference).into_iter().collect();
        let uid = |reference: &Value| text(reference, &["uid"]).to_owned();
        if claim.is_terminating() || known.iter().map(|one| uid(one)).eq(wanted.iter().map(uid)) {
            return None;
        }
        let mut list: Vec<Value> = owners(claim)
            .iter()
            .filter(|reference| !ours(reference))
            .cloned()
            .collect();
        list.extend(wanted);
        let list = if list.is_empty() {
            Value::Null
        } else {
            list.into()
        };
        let body = map([("metadata", map([("ownerReferences", list)]))]);
        Some(patch(Kind::VOLUME_CLAIM, claim, body))
    };
    items(set.value(), &["spec", "volumeClaimTemplates"])
        .iter()
        .filter_map(change)
        .collect()
}
