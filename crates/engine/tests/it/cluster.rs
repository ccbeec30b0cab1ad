//! A cluster of a few lines: enough to answer the actions of a sync without a server.
//!
//! It stores objects as they are applied, gives workloads the status that their annotation
//! `sandbox/pod` asks for, and refuses what the recording says the real server refused.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use engine::action::{Apply, Method, OnConflict, Outcome, Run, Verb};
use engine::live::Scope;
use engine::{Action, ActionResult, Live};
use manifest::schema::{Schema, SchemaSet, Type, TypeRef};
use manifest::{Gvk, Object, ObjectKey, patch};
use yaml::{Map, Value, json};

pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Read once: the table is large.
static SCHEMAS: LazyLock<Arc<SchemaSet>> = LazyLock::new(SchemaSet::builtin);

/// A write, as the recordings list them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) verb: &'static str,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) body: Option<Value>,
    /// Requests of one stage may come in any order.
    pub(crate) stage: usize,
}

pub(crate) struct Cluster {
    pub(crate) schemas: Arc<SchemaSet>,
    pub(crate) live: Live,
    pub(crate) requests: Vec<Request>,
    pub(crate) stage: usize,
    pub(crate) now: jiff::Timestamp,
    /// What the recorded server refused: (kind, name) to its words.
    pub(crate) refusals: BTreeMap<(String, String), String>,
    uids: usize,
}

impl Cluster {
    pub(crate) fn new(now: jiff::Timestamp) -> Self {
        Cluster {
            schemas: Arc::clone(&SCHEMAS),
            live: Live::default(),
            requests: Vec::new(),
            stage: 0,
            now,
            refusals: BTreeMap::new(),
            uids: 0,
        }
    }

    pub(crate) fn scope(&self, gvk: &Gvk) -> Option<Scope> {
        if gvk.group == "argoproj.io" {
            return Some(Scope::Namespaced);
        }
        if let Some(kind) = self.schemas.kind(gvk) {
            return Some(match kind.scope {
                manifest::schema::Scope::Namespaced => Scope::Namespaced,
                manifest::schema::Scope::Cluster => Scope::Cluster,
            });
        }
        self.live.iter().find_map(|(_, crd)| {
            let text = |path: &[&str]| crd.value().at(path).and_then(Value::as_str);
            let is_it = crd.kind() == "CustomResourceDefinition"
                && text(&["spec", "group"]) == Some(gvk.group.as_str())
                && text(&["spec", "names", "kind"]) == Some(gvk.kind.as_str());
            is_it.then(|| match text(&["spec", "scope"]) {
                Some("Cluster") => Scope::Cluster,
                _ => Scope::Namespaced,
            })
        })
    }

    pub(crate) fn schema(&self, gvk: &Gvk) -> Option<Schema> {
        self.schemas.schema(gvk)
    }

    /// Stores an object as the server would.
    pub(crate) fn store(&mut self, mut object: Object) -> Object {
        self.uids += 1;
        let uid = format!("uid-{}", self.uids);
        let now = self.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let metadata = object.metadata_mut();
        if !metadata
            .get("uid")
            .and_then(Value::as_str)
            .is_some_and(|uid| uid.starts_with("uid-"))
        {
            metadata.insert("uid", uid.as_str());
        }
        metadata.insert("resourceVersion", uid.trim_start_matches("uid-"));
        metadata.entry_or_insert("creationTimestamp", Value::from(now));
        if object.kind() == "Secret" {
            take_string_data(&mut object);
        }
        if let Some(schema) = self.schema(&object.gvk()) {
            drop_unknown(object.value_mut(), schema.root());
        }
        give_status(&mut object);
        self.live.insert(object.clone());
        object
    }

    pub(crate) fn execute(&mut self, action: &Action) -> ActionResult {
        match &action.verb {
            Verb::Apply(apply) => self.apply(action, apply),
            Verb::Delete { .. } => {
                self.note("delete", &action.key, None);
                self.delete(&action.key);
                ActionResult::done(Outcome::Deleted)
            }
            Verb::RemoveFinalizer(finalizer) => {
                self.note("update", &action.key, None);
                self.remove_finalizer(&action.key, finalizer);
                ActionResult::done(Outcome::Patched)
            }
        }
    }

    fn note(&mut self, verb: &'static str, key: &ObjectKey, body: Option<Value>) {
        self.requests.push(Request {
            verb,
            kind: key.kind.to_string(),
            name: key.name.to_string(),
            body,
            stage: self.stage,
        });
    }

    fn apply(&mut self, action: &Action, apply: &Apply) -> ActionResult {
        let key = &action.key;
        let refused = self
            .refusals
            .get(&(key.kind.to_string(), key.name.to_string()));
        if let Some(message) = refused {
            return ActionResult::failed(message.clone());
        }
        let namespace = ObjectKey {
            group: "".into(),
            kind: "Namespace".into(),
            namespace: "".into(),
            name: key.namespace.clone(),
        };
        if !key.namespace.is_empty() && self.live.get(&namespace).is_none() {
            return ActionResult::failed(format!(
                "namespaces {:?} not found",
                key.namespace.as_str()
            ));
        }
        if apply.run == Run::Dry {
            return ActionResult::done(Outcome::Created);
        }
        let current = self.live.get(key).cloned();
        let mut warnings = Vec::new();
        let (outcome, object) = match (&apply.method, current) {
            (Method::ClientSide, Some(current)) => {
                if current.is_terminating() {
                    warnings.push(format!(
                        "Detected changes to resource {} which is currently being deleted.",
                        key.name
                    ));
                }
                if current.annotation(LAST_APPLIED).is_none() {
                    warnings.push(missing_last_applied(key));
                }
                self.patch(&apply.object, &current)
            }
            (Method::ClientSide, None) => (Outcome::Created, with_last_applied(&apply.object)),
            (Method::ServerSide { .. }, Some(current)) => {
                let merged = patch::merge_patch(current.into_value(), apply.object.value());
                let merged = Object::new(merged.expect("two objects")).expect("an object");
                (Outcome::ServerSideApplied, merged)
            }
            (Method::ServerSide { .. }, None) => (Outcome::ServerSideApplied, apply.object.clone()),
            (Method::Create, _) => (Outcome::Created, apply.object.clone()),
            (Method::Replace, _) if apply.on_conflict == OnConflict::Recreate => {
                self.note("delete", key, None);
                (Outcome::Recreated, apply.object.clone())
            }
            (Method::Replace, _) => (Outcome::Replaced, apply.object.clone()),
            (Method::Update, _) => (Outcome::Updated, apply.object.clone()),
        };
        let verb = match outcome {
            Outcome::Unchanged => None,
            Outcome::Created | Outcome::Recreated => Some("create"),
            Outcome::Configured | Outcome::ServerSideApplied => Some("patch"),
            _ => Some("update"),
        };
        if let Some(verb) = verb {
            let body = (verb == "create").then(|| object.value().clone());
            self.note(verb, key, body);
        }
        let object = self.store(object);
        ActionResult {
            warnings,
            object: Some(object),
            ..ActionResult::done(outcome)
        }
    }

    fn patch(&self, desired: &Object, current: &Object) -> (Outcome, Object) {
        let modified = with_last_applied(desired);
        let last = current.annotation(LAST_APPLIED);
        let last = last.and_then(|text| json::parse(text.as_bytes()).ok());
        let schema = self.schema(&desired.gvk());
        let found = patch::three_way(
            last.as_ref(),
            modified.value(),
            current.value(),
            schema.as_ref(),
        );
        let found = found.expect("a patch");
        if found.patch.is_empty() {
            return (Outcome::Unchanged, current.clone());
        }
        (
            Outcome::Configured,
            Object::new(found.result).expect("an object"),
        )
    }

    pub(crate) fn delete(&mut self, key: &ObjectKey) {
        let Some(mut object) = self.live.get(key).cloned() else {
            return;
        };
        if finalizers(&object).is_empty() {
            self.live.remove(key);
            return;
        }
        let now = self.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        object
            .metadata_mut()
            .entry_or_insert("deletionTimestamp", Value::from(now));
        self.live.insert(object);
    }

    pub(crate) fn remove_finalizer(&mut self, key: &ObjectKey, finalizer: &str) {
        let Some(mut object) = self.live.get(key).cloned() else {
            return;
        };
        if let Some(Value::List(list)) = object.metadata_mut().get_mut("finalizers") {
            list.retain(|one| one.as_str() != Some(finalizer));
        }
        if object.is_terminating() && finalizers(&object).is_empty() {
            self.live.remove(key);
        } else {
            self.live.insert(object);
        }
    }
}

fn finalizers(object: &Object) -> Vec<Value> {
    let list = object
        .value()
        .at(&["metadata", "finalizers"])
        .and_then(Value::as_list);
    list.unwrap_or_default().to_vec()
}

/// As kubectl writes the annotation: the object as JSON with sorted keys and a newline.
pub(crate) fn with_last_applied(object: &Object) -> Object {
    let mut object = object.clone();
    let has_annotations = object.value().at(&["metadata", "annotations"]).is_some();
    if !has_annotations {
        object.metadata_mut().insert("annotations", Map::new());
    }
    let text = format!("{}\n", json::to_string_html_escaped(object.value()));
    object.set_annotation(LAST_APPLIED, &text);
    object
}

fn missing_last_applied(key: &ObjectKey) -> String {
    format!(
        "resource {}/{} is missing the {LAST_APPLIED} annotation which is required by  apply.  apply should only be used on resources created declaratively by either  create --save-config or  apply. The missing annotation will be patched automatically.",
        plural(&key.kind),
        key.name
    )
}

pub(crate) fn plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    match kind.strip_suffix('y') {
        Some(stem) if !kind.ends_with("ay") => format!("{stem}ies"),
        _ if kind.ends_with('s') => format!("{kind}es"),
        _ => format!("{kind}s"),
    }
}

fn take_string_data(object: &mut Object) {
    let Some(map) = object.value_mut().as_map_mut() else {
        return;
    };
    let Some(Value::Map(plain)) = map.remove("stringData") else {
        return;
    };
    let data = object.value_mut().map_at_mut(&["data"]);
    for (key, value) in plain {
        data.insert(key, base64(value.as_str().unwrap_or_default()));
    }
}

fn base64(text: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let mut bits = 0_u32;
        for i in 0..3 {
            bits = (bits << 8) | u32::from(*chunk.get(i).unwrap_or(&0));
        }
        for i in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * i)) as usize & 63];
            out.push(if i <= chunk.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    out
}

/// What the controllers would make of a workload, by the fate that its pods are given.
fn give_status(object: &mut Object) {
    let fate = ["spec", "template", "metadata", "annotations", "sandbox/pod"];
    let fate = object.value().at(&fate).and_then(Value::as_str);
    let fate = fate
        .or(object.annotation("sandbox/pod"))
        .unwrap_or_default()
        .to_owned();
    let replicas = object
        .value()
        .at(&["spec", "replicas"])
        .and_then(Value::as_i64)
        .unwrap_or(1);
    let ready = if fate.is_empty() || fate == "complete" {
        replicas
    } else {
        0
    };
    let number = |n: i64| Value::Int(n);
    let status = match object.kind() {
        "Deployment" | "ReplicaSet" => Map::from([
            ("replicas", number(replicas)),
            ("updatedReplicas", number(replicas)),
            ("availableReplicas", number(ready)),
        ]),
        "StatefulSet" => Map::from([
            ("observedGeneration", number(1)),
            ("readyReplicas", number(ready)),
            ("updatedReplicas", number(replicas)),
        ]),
        "Pod" => pod_status(&fate),
        "PersistentVolumeClaim" => Map::from([("phase", Value::from("Pending"))]),
        "HorizontalPodAutoscaler" => autoscaler_status(),
        "Job" => job_status(&fate),
        _ => return,
    };
    if let Some(map) = object.value_mut().as_map_mut() {
        map.insert("status", status);
    }
    if matches!(object.kind(), "Deployment" | "StatefulSet" | "ReplicaSet") {
        object
            .value_mut()
            .map_at_mut(&["spec"])
            .entry_or_insert("replicas", number(replicas));
    }
    if object.kind() == "Pod" {
        object
            .value_mut()
            .map_at_mut(&["spec"])
            .entry_or_insert("restartPolicy", Value::from("Always"));
    }
}

fn pod_status(fate: &str) -> Map {
    let ready = Map::from([
        ("type", Value::from("Ready")),
        ("status", Value::from("True")),
    ]);
    match fate {
        "" => Map::from([
            ("phase", Value::from("Running")),
            ("conditions", Value::List(vec![ready.into()])),
        ]),
        "complete" => Map::from([("phase", Value::from("Succeeded"))]),
        "pending" => Map::from([("phase", Value::from("Pending"))]),
        "fail" => Map::from([("phase", Value::from("Failed"))]),
        "crash" => {
            let waiting = Map::from([
                ("reason", Value::from("CrashLoopBackOff")),
                (
                    "message",
                    Value::from("back-off 40s restarting failed container"),
                ),
            ]);
            let state = Map::from([("waiting", Value::from(waiting))]);
            let container = Map::from([("state", Value::from(state))]);
            Map::from([
                ("phase", Value::from("Running")),
                ("containerStatuses", Value::List(vec![container.into()])),
            ])
        }
        _ => Map::from([("phase", Value::from("Running"))]),
    }
}

fn job_status(fate: &str) -> Map {
    let (name, message) = match fate {
        "fail" => ("Failed", "Job has reached the specified backoff limit"),
        "" | "complete" => ("Complete", "Reached expected number of succeeded pods"),
        _ => return Map::new(),
    };
    let condition = Map::from([
        ("type", Value::from(name)),
        ("status", Value::from("True")),
        ("message", Value::from(message)),
    ]);
    Map::from([("conditions", Value::List(vec![condition.into()]))])
}

/// There is no metrics server.
fn autoscaler_status() -> Map {
    let condition = |name: &str, status: &str, reason: &str| {
        Value::from(Map::from([
            ("type", Value::from(name)),
            ("status", Value::from(status)),
            ("reason", Value::from(reason)),
        ]))
    };
    let conditions = vec![
        condition("AbleToScale", "True", "SucceededGetScale"),
        condition("ScalingActive", "False", "FailedGetResourceMetric"),
    ];
    Map::from([("conditions", Value::List(conditions))])
}

/// The server keeps no field that it does not know.
fn drop_unknown(value: &mut Value, ty: TypeRef<'_>) {
    match value {
        Value::Map(map) => {
            let is_closed = matches!(ty.ty(), Type::Map(it) if it.element.is_none());
            map.retain(|name, _| !is_closed || ty.member(name).is_some());
            for (name, value) in map.iter_mut() {
                if let Some(ty) = ty.member(name) {
                    drop_unknown(value, ty);
                }
            }
        }
        Value::List(list) => {
            if let Some(ty) = ty.element() {
                list.iter_mut().for_each(|value| drop_unknown(value, ty));
            }
        }
        _ => {}
    }
}
