//! What the cluster looks like: an indexed copy of the watched objects.
//!
//! Controllers read the [`World`] and nothing else. It is fed by watches and by the answers to our
//! own writes, so a controller sees what it wrote before it decides again; an older event that
//! arrives later is recognised by its resource version and dropped.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use jiff::Timestamp;
use manifest::Object;
use yaml::{Map, Str, Value};

use super::fields::{controller, controller_uid, items, owners, shared, text};
use super::job_backoff::Backoffs;
use super::kind::{Detail, Kind, Registry};
use super::namespace::ROOT_CA;
use super::pairs::Pairs;
use super::pod;

/// How many uids of deleted objects are remembered. It must outlast the events in flight; 65,536
/// uids are 4 MB.
const REMEMBERED_DELETIONS: usize = 65_536;
/// Missing nodes that are remembered before those that no pod names are forgotten.
const REMEMBERED_NODES: usize = 1024;

/// Names one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ref {
    /// The resource.
    pub(crate) kind: Kind,
    /// The namespace; empty for cluster-scoped objects.
    pub(crate) namespace: Str,
    /// The name.
    pub(crate) name: Str,
}

impl Ref {
    /// Names an object by its parts.
    pub(crate) fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        Ref {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// Names an object of that kind.
    pub(crate) fn of(kind: Kind, object: &Object) -> Self {
        Ref {
            kind,
            namespace: shared(object.value(), &["metadata", "namespace"]),
            name: shared(object.value(), &["metadata", "name"]),
        }
    }
}

/// What an event or an answer changed.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// Which object.
    pub(crate) target: Ref,
    /// As it was; `None` for a new one.
    pub(crate) old: Option<Object>,
    /// As it is; `None` when it is gone.
    pub(crate) new: Option<Object>,
}

impl Change {
    /// The object now, or as it was last.
    pub(crate) fn latest(&self) -> Option<&Object> {
        self.new.as_ref().or(self.old.as_ref())
    }

    /// Both states.
    pub(crate) fn states(&self) -> impl Iterator<Item = &Object> {
        self.old.iter().chain(&self.new)
    }
}

type Store = HashMap<Str, BTreeMap<Str, Object>>;

/// The indexed copy.
#[derive(Debug)]
pub(crate) struct World {
    /// Which resources exist.
    pub(crate) registry: Registry,
    stores: HashMap<Kind, Store>,
    owned: HashMap<Str, BTreeSet<Ref>>,
    uids: HashMap<Str, Ref>,
    free: HashMap<(Kind, Str), BTreeSet<Str>>,
    pairs: Pairs,
    gone: HashSet<Str>,
    gone_order: VecDeque<Str>,
    addresses: HashMap<Str, u32>,
    started_at: HashMap<Str, Timestamp>,
    missing: HashMap<Str, Timestamp>,
    /// How long Jobs wait after failures.
    pub(crate) backoffs: Backoffs,
}

impl World {
    /// An empty world.
    pub(crate) fn new() -> Self {
        World {
            registry: Registry::new(),
            stores: HashMap::new(),
            owned: HashMap::new(),
            uids: HashMap::new(),
            free: HashMap::new(),
            pairs: Pairs::default(),
            gone: HashSet::new(),
            gone_order: VecDeque::new(),
            addresses: HashMap::new(),
            started_at: HashMap::new(),
            missing: HashMap::new(),
            backoffs: Backoffs::default(),
        }
    }

    /// One object.
    pub(crate) fn get(&self, target: &Ref) -> Option<&Object> {
        self.find(target.kind, &target.namespace, &target.name)
    }

    /// One object by its parts.
    pub(crate) fn find(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Object> {
        self.stores.get(&kind)?.get(namespace)?.get(name)
    }

    /// The objects of a kind in one namespace (the empty one for cluster-scoped kinds), by name.
    pub(crate) fn list(&self, kind: Kind, namespace: &str) -> impl Iterator<Item = &Object> {
        self.stores
            .get(&kind)
            .and_then(|store| store.get(namespace))
            .into_iter()
            .flat_map(BTreeMap::values)
    }

    /// The objects of a kind in all namespaces.
    pub(crate) fn all(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        self.stores
            .get(&kind)
            .into_iter()
            .flat_map(HashMap::values)
            .flat_map(BTreeMap::values)
    }

    /// How many objects of a kind there are.
    pub(crate) fn total(&self, kind: Kind) -> usize {
        let stores = self.stores.get(&kind).into_iter();
        stores.flat_map(HashMap::values).map(BTreeMap::len).sum()
    }

    /// How many objects of a kind are in a namespace.
    pub(crate) fn count(&self, kind: Kind, namespace: &str) -> usize {
        self.stores
            .get(&kind)
            .and_then(|store| store.get(namespace))
            .map_or(0, BTreeMap::len)
    }

    /// Everything that names `uid` as an owner.
    pub(crate) fn dependents(&self, uid: &str) -> impl Iterator<Item = &Ref> {
        self.owned.get(uid).into_iter().flatten()
    }

    /// The objects of one kind that name `uid` as an owner.
    pub(crate) fn owned(&self, uid: &str, kind: Kind) -> impl Iterator<Item = &Object> {
        self.dependents(uid)
            .filter(move |target| target.kind == kind)
            .filter_map(|target| self.get(target))
    }

    /// The objects of a kind in a namespace that no controller owns.
    pub(crate) fn free(&self, kind: Kind, namespace: &Str) -> impl Iterator<Item = &Object> {
        self.free
            .get(&(kind, namespace.clone()))
            .into_iter()
            .flatten()
            .filter_map(move |name| self.find(kind, namespace, name))
    }

    /// The object with that uid.
    pub(crate) fn by_uid(&self, uid: &str) -> Option<&Ref> {
        self.uids.get(uid)
    }

    /// Whether an object with that uid was seen to be deleted.
    pub(crate) fn was_deleted(&self, uid: &str) -> bool {
        self.gone.contains(uid)
    }

    /// Whether a pod has that address.
    pub(crate) fn address_in_use(&self, address: &str) -> bool {
        self.addresses.contains_key(address)
    }

    /// When the pod was first seen started, more exactly than its status says.
    pub(crate) fn started_at(&self, uid: &str) -> Option<Timestamp> {
        self.started_at.get(uid).copied()
    }

    /// Since when a node that pods name is not there.
    pub(crate) fn missing_since(&self, node: &str) -> Option<Timestamp> {
        self.missing.get(node).copied()
    }

    /// The pods of a namespace that have a label, or the Services whose selector begins with it, in the
    /// order of their names.
    pub(crate) fn under(
        &self,
        kind: Kind,
        namespace: &str,
        pair: (&str, &str),
    ) -> impl Iterator<Item = &Object> {
        let names = self.pairs.names(kind, namespace, pair);
        let namespace = namespace.to_owned();
        names.filter_map(move |name| self.find(kind, &namespace, name))
    }

    /// The parts of a namespace that still hold objects.
    pub(crate) fn populated(&self, namespace: &str) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = self
            .stores
            .iter()
            .filter(|(_, store)| {
                store
                    .get(namespace)
                    .is_some_and(|objects| !objects.is_empty())
            })
            .map(|(kind, _)| *kind)
            .collect();
        kinds.sort_unstable();
        kinds
    }

    /// Takes a state of an object in; `None` when it is not newer than what is known.
    pub(crate) fn apply(&mut self, kind: Kind, value: Value, now: Timestamp) -> Option<Change> {
        let object = self.trimmed(kind, value)?;
        if self.gone.contains(object.uid()) {
            return None;
        }
        let target = Ref::of(kind, &object);
        if let Some(known) = self.get(&target)
            && known.uid() == object.uid()
            && version(known) >= version(&object)
        {
            return None;
        }
        let old = self.take(&target);
        if kind == Kind::POD
            && let Some(job) = self.uids.get(controller_uid(&object))
            && job.kind == Kind::JOB
            && let Some(job) = self.get(job).cloned()
        {
            self.backoffs.note(&job, old.as_ref(), &object);
        }
        self.index(&target, &object, now);
        self.stores
            .entry(kind)
            .or_default()
            .entry(target.namespace.clone())
            .or_default()
            .insert(target.name.clone(), object.clone());
        Some(Change {
            target,
            old,
            new: Some(object),
        })
    }

    /// Takes the end of an object in.
    pub(crate) fn remove(&mut self, target: &Ref, uid: &str, now: Timestamp) -> Option<Change> {
        self.remember_deletion(uid);
        if self.get(target)?.uid() != uid {
            return None;
        }
        let old = self.take(target);
        if target.kind == Kind::NODE {
            self.note_missing(&target.name, now);
        }
        self.started_at.remove(uid);
        self.backoffs.forget(uid);
        Some(Change {
            target: target.clone(),
            old,
            new: None,
        })
    }

    /// Takes a complete list in: what is not in it is gone.
    pub(crate) fn replace(&mut self, kind: Kind, list: Vec<Value>, now: Timestamp) -> Vec<Change> {
        let listed: HashSet<String> = list
            .iter()
            .map(|value| text(value, &["metadata", "uid"]).to_owned())
            .collect();
        let missing: Vec<(Ref, String)> = self
            .all(kind)
            .filter(|object| !listed.contains(object.uid()))
            .map(|object| (Ref::of(kind, object), object.uid().to_owned()))
            .collect();
        let mut changes: Vec<Change> = missing
            .iter()
            .filter_map(|(target, uid)| self.remove(target, uid, now))
            .collect();
        changes.extend(
            list.into_iter()
                .filter_map(|value| self.apply(kind, value, now)),
        );
        changes
    }

    fn remember_deletion(&mut self, uid: &str) {
        let uid = Str::from(uid);
        if self.gone.insert(uid.clone()) {
            self.gone_order.push_back(uid);
        }
        if self.gone_order.len() > REMEMBERED_DELETIONS
            && let Some(oldest) = self.gone_order.pop_front()
        {
            self.gone.remove(&oldest);
        }
    }

    /// Remembers that a node that pods name is not there; names that none has any more make room.
    fn note_missing(&mut self, node: &Str, now: Timestamp) {
        if self.missing.len() >= REMEMBERED_NODES {
            let pods = self.stores.get(&Kind::POD).into_iter();
            let named: HashSet<&str> = pods
                .flat_map(HashMap::values)
                .flat_map(BTreeMap::values)
                .map(pod::node)
                .collect();
            self.missing.retain(|node, _| named.contains(node.as_str()));
        }
        self.missing.entry(node.clone()).or_insert(now);
    }

    fn index(&mut self, target: &Ref, object: &Object, now: Timestamp) {
        let uid = shared(object.value(), &["metadata", "uid"]);
        self.uids.insert(uid.clone(), target.clone());
        for owner in owners(object) {
            let owner = shared(owner, &["uid"]);
            self.owned.entry(owner).or_default().insert(target.clone());
        }
        if controller(object).is_none() {
            let key = (target.kind, target.namespace.clone());
            self.free
                .entry(key)
                .or_default()
                .insert(target.name.clone());
        }
        self.pairs
            .insert(target.kind, &target.namespace, &target.name, object);
        if target.kind == Kind::NODE {
            self.missing.remove(&target.name);
        }
        if target.kind == Kind::POD {
            let node = shared(object.value(), &["spec", "nodeName"]);
            if !node.is_empty() && self.find(Kind::NODE, "", &node).is_none() {
                self.note_missing(&node, now);
            }
            let address = text(object.value(), &["status", "podIP"]);
            if !address.is_empty() {
                *self.addresses.entry(address.into()).or_default() += 1;
            }
            if object.value().at(&["status", "startTime"]).is_some() {
                self.started_at.entry(uid).or_insert(now);
            }
        }
    }

    /// Takes an object out of the store and the indexes.
    fn take(&mut self, target: &Ref) -> Option<Object> {
        let objects = self
            .stores
            .get_mut(&target.kind)?
            .get_mut(&target.namespace)?;
        let object = objects.remove(&target.name)?;
        if objects.is_empty()
            && let Some(store) = self.stores.get_mut(&target.kind)
        {
            store.remove(&target.namespace);
        }
        self.uids.remove(object.uid());
        self.pairs
            .remove(target.kind, &target.namespace, &target.name, &object);
        let key = (target.kind, target.namespace.clone());
        if let Some(free) = self.free.get_mut(&key) {
            free.remove(&target.name);
            if free.is_empty() {
                self.free.remove(&key);
            }
        }
        for owner in owners(&object) {
            let owner = text(owner, &["uid"]);
            if let Some(owned) = self.owned.get_mut(owner) {
                owned.remove(target);
                if owned.is_empty() {
                    self.owned.remove(owner);
                }
            }
        }
        let address = text(object.value(), &["status", "podIP"]);
        if target.kind == Kind::POD
            && let Some(count) = self.addresses.get_mut(address)
        {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(address);
            }
        }
        Some(object)
    }

    /// The parts of an object that are kept, with the kind that list items lack.
    fn trimmed(&self, kind: Kind, mut value: Value) -> Option<Object> {
        let resource = self.registry.resource(kind);
        let metadata = value.get_mut("metadata")?.as_map_mut()?;
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_map_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
        // Of all ConfigMaps, only the one that every namespace holds is looked into.
        let is_root_ca = kind == Kind::CONFIG_MAP
            && metadata.get("name").and_then(Value::as_str) == Some(ROOT_CA);
        if resource.detail == Detail::Metadata && !is_root_ca {
            metadata.retain(|key, _| {
                matches!(
                    key,
                    "name"
                        | "namespace"
                        | "uid"
                        | "resourceVersion"
                        | "ownerReferences"
                        | "finalizers"
                        | "deletionTimestamp"
                        | "deletionGracePeriodSeconds"
                )
            });
            metadata.shrink_to_fit();
            let map = value.as_map_mut()?;
            map.retain(|key, _| key == "metadata");
        }
        match kind {
            Kind::DEFINITION => forget_schemas(&mut value),
            Kind::SECRET => forget_values(&mut value),
            _ => {}
        }
        let map = value.as_map_mut()?;
        map.insert("apiVersion", resource.api_version());
        map.insert("kind", resource.kind.clone());
        map.shrink_to_fit();
        Object::new(value).ok()
    }
}

/// The schemas of a CustomResourceDefinition are large and nobody here reads them.
fn forget_schemas(definition: &mut Value) {
    let versions = definition
        .get_mut("spec")
        .and_then(|spec| spec.get_mut("versions"))
        .and_then(Value::as_list_mut);
    for version in versions.into_iter().flatten() {
        if let Some(version) = version.as_map_mut() {
            version.remove("schema");
            version.remove("additionalPrinterColumns");
        }
    }
}

/// Of what a Secret holds only the names are kept, each with whether there is something.
fn forget_values(secret: &mut Value) {
    let data = secret.get_mut("data").and_then(Value::as_map_mut);
    for (_, value) in data.into_iter().flat_map(Map::iter_mut) {
        *value = value.as_str().is_some_and(|text| !text.is_empty()).into();
    }
}

/// Resource versions are comparable numbers since Kubernetes 1.35; one that is not a number counts
/// as newer than anything.
fn version(object: &Object) -> u64 {
    object.resource_version().parse().unwrap_or(u64::MAX)
}

/// Whether an answer to a delete says that the object stays for now.
pub(crate) fn stays(answer: &Value) -> bool {
    let Some(metadata) = answer.get("metadata") else {
        return false;
    };
    let grace = metadata
        .get("deletionGracePeriodSeconds")
        .and_then(Value::as_i64);
    // A namespace waits for the finalizers of its spec.
    let held = !items(metadata, &["finalizers"]).is_empty()
        || !items(answer, &["spec", "finalizers"]).is_empty();
    answer.at(&["metadata", "uid"]).is_some() && (held || grace.is_some_and(|grace| grace > 0))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn json(text: &str) -> Value {
        serde_json::from_str(text).expect("is JSON")
    }

    pub(crate) fn now() -> Timestamp {
        "2026-01-02T03:04:05Z".parse().expect("is a time")
    }

    fn pod(version: u32, owner: &str) -> Value {
        json(&format!(
            r#"{{"metadata": {{"name": "p", "namespace": "n", "uid": "u", "resourceVersion": "{version}",
                "managedFields": [], "ownerReferences": [{{"uid": "{owner}"}}]}},
                "status": {{"podIP": "10.0.0.1", "startTime": "2026-01-02T03:04:05Z"}}}}"#
        ))
    }

    #[test]
    fn an_older_state_changes_nothing() {
        let mut world = World::new();
        assert!(world.apply(Kind::POD, pod(5, "a"), now()).is_some());
        assert!(world.apply(Kind::POD, pod(5, "b"), now()).is_none());
        assert!(world.apply(Kind::POD, pod(4, "b"), now()).is_none());
        assert_eq!(world.owned("a", Kind::POD).count(), 1);
        assert!(world.apply(Kind::POD, pod(6, "b"), now()).is_some());
        assert_eq!(world.dependents("a").count(), 0);
        assert_eq!(world.owned("b", Kind::POD).count(), 1);
        assert_eq!(world.started_at("u"), Some(now()));
    }

    #[test]
    fn a_deleted_object_does_not_come_back() {
        let mut world = World::new();
        world.apply(Kind::POD, pod(5, "a"), now());
        assert!(world.address_in_use("10.0.0.1"));
        let target = Ref::new(Kind::POD, "n", "p");
        assert!(world.remove(&target, "u", now()).is_some());
        assert!(world.apply(Kind::POD, pod(6, "a"), now()).is_none());
        assert!(world.get(&target).is_none());
        assert!(!world.address_in_use("10.0.0.1"));
        assert!(world.was_deleted("u"));
        assert!(world.populated("n").is_empty());
    }

    #[test]
    fn a_list_removes_what_it_does_not_hold() {
        let mut world = World::new();
        world.apply(Kind::POD, pod(5, "a"), now());
        let changes = world.replace(Kind::POD, Vec::new(), now());
        assert_eq!(changes.len(), 1);
        assert!(changes[0].new.is_none());
    }

    #[test]
    fn only_a_grace_period_or_a_finalizer_keeps_an_object() {
        let check = |answer: &str, want: bool| assert_eq!(stays(&json(answer)), want, "{answer}");
        check(
            r#"{"kind": "Status", "status": "Success", "metadata": {}}"#,
            false,
        );
        check(
            r#"{"metadata": {"uid": "u", "deletionGracePeriodSeconds": 0}}"#,
            false,
        );
        check(
            r#"{"metadata": {"uid": "u", "deletionGracePeriodSeconds": 30}}"#,
            true,
        );
        check(r#"{"metadata": {"uid": "u", "finalizers": ["x"]}}"#, true);
        check(
            r#"{"metadata": {"uid": "u"}, "spec": {"finalizers": ["x"]}}"#,
            true,
        );
    }
}
