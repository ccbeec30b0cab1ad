//! What admission adds to a new pod: priority, account, tolerations, the token's volume.

use yaml::{Map, Value};

use crate::budget::limits;
use crate::meta;
use crate::status_error::{About, ApiError};
use store::{Collection, Store};

use super::Context;

const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// The account of pods that name none. Bare servers lack it, and take such pods all the same.
const DEFAULT_ACCOUNT: &str = "default";
const TOLERATED: [&str; 2] = [
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
];
/// Seconds for which a pod stays on a node that is gone.
const TOLERATION_SECONDS: i64 = 300;
const SUFFIX_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Changes a pod as the default admission plug-ins do.
///
/// # Errors
/// 403 where it names an account or a priority class that is not there.
pub(super) fn admit(context: &Context<'_>, value: &mut Value) -> Result<(), ApiError> {
    let node = text(value, &["spec", "nodeName"]).to_owned();
    if !node.is_empty() {
        place(&context.core.store, value, &node);
    }
    limits::fill_in(&context.core.store, value);
    account(context, value)?;
    priority(context, value)?;
    tolerations(value);
    token(context, value);
    Ok(())
}

/// Where nodes say where they are.
const TOPOLOGY: [&str; 2] = [
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
];

/// Labels what goes to a node with the place of that node, unless it has such labels (admission
/// plug-in `PodTopologyLabels`).
pub(crate) fn place(store: &Store, value: &mut Value, node: &str) {
    let Some(node) = store.get(&Collection::new("", "nodes"), "", node) else {
        return;
    };
    let node = node.value();
    for key in TOPOLOGY {
        if let Some(place) = node.at(&["metadata", "labels", key]) {
            value
                .map_at_mut(&["metadata", "labels"])
                .entry_or_insert(key, place.clone());
        }
    }
}

fn refused(context: &Context<'_>, value: &Value, why: &str) -> ApiError {
    let about = About {
        group: &context.resource.group,
        kind: &context.resource.plural,
        name: meta::name(value),
    };
    ApiError::forbidden(about, why)
}

fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    value.at(path).and_then(Value::as_str).unwrap_or_default()
}

/// The account that a pod runs as: one that it names itself must be there.
fn account(context: &Context<'_>, value: &mut Value) -> Result<(), ApiError> {
    let spec = value.map_at_mut(&["spec"]);
    let given = spec
        .get("serviceAccountName")
        .or_else(|| spec.get("serviceAccount"))
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty())
        .unwrap_or(DEFAULT_ACCOUNT)
        .to_owned();
    spec.insert("serviceAccountName", given.as_str());
    spec.insert("serviceAccount", given.as_str());
    let namespace = meta::text(value, "namespace");
    let accounts = Collection::new("", "serviceaccounts");
    if given != DEFAULT_ACCOUNT
        && context
            .core
            .store
            .get(&accounts, namespace, &given)
            .is_none()
    {
        let why = format!(
            "error looking up service account {namespace}/{given}: serviceaccount \"{given}\" not \
             found"
        );
        return Err(refused(context, value, &why));
    }
    Ok(())
}

fn priority(context: &Context<'_>, value: &mut Value) -> Result<(), ApiError> {
    let name = text(value, &["spec", "priorityClassName"]).to_owned();
    let class = (!name.is_empty())
        .then(|| {
            let classes = Collection::new("scheduling.k8s.io", "priorityclasses");
            context.core.store.get(&classes, "", &name)
        })
        .flatten()
        .map(|stored| stored.value());
    if class.is_none() && !name.is_empty() {
        let why = format!("no PriorityClass with name {name} was found");
        return Err(refused(context, value, &why));
    }
    let number = class
        .as_ref()
        .and_then(|class| class.get("value"))
        .and_then(Value::as_i64)
        .unwrap_or(0);
    let spec = value.map_at_mut(&["spec"]);
    spec.entry_or_insert("priority", number.into());
    spec.entry_or_insert("preemptionPolicy", "PreemptLowerPriority".into());
    Ok(())
}

/// Adds to a changed pod what it may not lose.
pub(super) fn admit_again(new: &mut Value, old: &Value) {
    for key in ["priority", "preemptionPolicy"] {
        if let Some(known) = old.at(&["spec", key]) {
            new.map_at_mut(&["spec"])
                .entry_or_insert(key, known.clone());
        }
    }
    tolerations(new);
}

fn tolerations(value: &mut Value) {
    let spec = value.map_at_mut(&["spec"]);
    let list = spec.entry_or_insert("tolerations", Value::List(Vec::new()));
    let Some(list) = list.as_list_mut() else {
        return;
    };
    for key in TOLERATED {
        let covered = list.iter().any(|known| {
            let same = text(known, &["key"]);
            let effect = text(known, &["effect"]);
            (same == key || same.is_empty()) && matches!(effect, "NoExecute" | "")
        });
        if !covered {
            list.push(Value::Map(Map::from([
                ("effect", "NoExecute".into()),
                ("key", key.into()),
                ("operator", "Exists".into()),
                ("tolerationSeconds", TOLERATION_SECONDS.into()),
            ])));
        }
    }
}

/// Mounts the account's token, unless pod or account say otherwise.
fn token(context: &Context<'_>, value: &mut Value) {
    let account = text(value, &["spec", "serviceAccountName"]).to_owned();
    let namespace = text(value, &["metadata", "namespace"]).to_owned();
    let own = value
        .at(&["spec", "automountServiceAccountToken"])
        .and_then(Value::as_bool);
    let wanted = own.unwrap_or_else(|| {
        let accounts = Collection::new("", "serviceaccounts");
        context
            .core
            .store
            .get(&accounts, &namespace, &account)
            .and_then(|stored| {
                stored
                    .value()
                    .get("automountServiceAccountToken")?
                    .as_bool()
            })
            .unwrap_or(true)
    });
    if !wanted || has_token(value) {
        return;
    }
    let suffix: String = (0..5)
        .map(|_| char::from(SUFFIX_LETTERS[rand::random_range(0..SUFFIX_LETTERS.len())]))
        .collect();
    let name = format!("kube-api-access-{suffix}");
    let spec = value.map_at_mut(&["spec"]);
    let mut mounted = false;
    for key in ["initContainers", "containers"] {
        let containers = spec.get_mut(key).and_then(Value::as_list_mut);
        for container in containers.into_iter().flatten() {
            mounted |= mount(container, &name);
        }
    }
    if !mounted {
        return;
    }
    let volumes = spec.entry_or_insert("volumes", Value::List(Vec::new()));
    if let Some(volumes) = volumes.as_list_mut() {
        volumes.push(volume(&name));
    }
}

fn has_token(value: &Value) -> bool {
    value
        .at(&["spec", "volumes"])
        .and_then(Value::as_list)
        .unwrap_or_default()
        .iter()
        .any(|volume| text(volume, &["name"]).starts_with("kube-api-access-"))
}

fn mount(container: &mut Value, volume: &str) -> bool {
    let mounts = container
        .map_at_mut(&[])
        .entry_or_insert("volumeMounts", Value::List(Vec::new()));
    let Some(mounts) = mounts.as_list_mut() else {
        return false;
    };
    if mounts
        .iter()
        .any(|mount| text(mount, &["mountPath"]) == TOKEN_PATH)
    {
        return false;
    }
    mounts.push(Value::Map(Map::from([
        ("mountPath", TOKEN_PATH.into()),
        ("name", volume.into()),
        ("readOnly", true.into()),
    ])));
    true
}

fn volume(name: &str) -> Value {
    let source = format!(
        r#"{{"name":"{name}","projected":{{"defaultMode":420,"sources":[
        {{"serviceAccountToken":{{"expirationSeconds":3607,"path":"token"}}}},
        {{"configMap":{{"items":[{{"key":"ca.crt","path":"ca.crt"}}],"name":"kube-root-ca.crt"}}}},
        {{"downwardAPI":{{"items":[{{"fieldRef":{{"apiVersion":"v1",
        "fieldPath":"metadata.namespace"}},"path":"namespace"}}]}}}}]}}}}"#
    );
    crate::codec::parse(source.as_bytes()).expect("the volume is JSON with a safe name in it")
}
