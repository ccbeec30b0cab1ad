//! Namespaces: what each one holds from the start, and how one ends.

use std::collections::BTreeMap;

use manifest::Object;
use yaml::{Map, Value};

use super::control::Context;
use super::fields::{items, map, text};
use super::kind::{Kind, Registry};
use super::time::stamp;
use super::world::{Change, Ref, World};
use super::write::{Outcome, Part, Write, difference, patch, status};

const FINALIZER: &str = "kubernetes";
pub(crate) const ROOT_CA: &str = "kube-root-ca.crt";
const DESCRIPTION: &str = "kubernetes.io/description";
const ROOT_CA_DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the \
    kube-apiserver when using internal endpoints such as the internal service IP or \
    kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes \
    clusters.";

/// Namespaces that changed, and those that lost an object that they need or wait for.
pub(crate) fn affected(world: &World, change: &Change, keys: &mut Vec<Ref>) {
    let target = &change.target;
    if target.kind == Kind::NAMESPACE {
        keys.push(target.clone());
    } else if !target.namespace.is_empty() {
        let namespace = Ref::new(Kind::NAMESPACE, "", &target.namespace);
        let ends = world.get(&namespace).is_some_and(Object::is_terminating);
        let needed = matches!(target.kind, Kind::SERVICE_ACCOUNT | Kind::CONFIG_MAP);
        let changed = change.new.is_none() || target.name == *ROOT_CA;
        if ends || (needed && changed) {
            keys.push(namespace);
        }
    }
}

/// Fills a living namespace, empties a dying one.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    let Some(namespace) = context.world.get(target) else {
        return Outcome::nothing();
    };
    if namespace.is_terminating() {
        end(context, namespace)
    } else {
        Outcome::from(fill(context, namespace.name()))
    }
}

fn fill(context: &Context<'_>, namespace: &str) -> Vec<Write> {
    let mut writes = Vec::new();
    let metadata = |name: &str| Map::from([("name", name.into()), ("namespace", namespace.into())]);
    let mut create = |kind: Kind, value: Value| {
        let object = Object::new(value).expect("it has a kind");
        writes.push(Write::Create {
            kind,
            object,
            note: None,
        });
    };
    if context
        .world
        .find(Kind::SERVICE_ACCOUNT, namespace, "default")
        .is_none()
    {
        let account = map([
            ("apiVersion", "v1".into()),
            ("kind", "ServiceAccount".into()),
            ("metadata", metadata("default").into()),
        ]);
        create(Kind::SERVICE_ACCOUNT, account);
    }
    let known = context.world.find(Kind::CONFIG_MAP, namespace, ROOT_CA);
    if known.is_none() {
        let mut metadata = metadata(ROOT_CA);
        let description = map([(DESCRIPTION, ROOT_CA_DESCRIPTION.into())]);
        metadata.insert("annotations", description);
        let config = map([
            ("apiVersion", "v1".into()),
            ("kind", "ConfigMap".into()),
            ("metadata", metadata.into()),
            (
                "data",
                map([("ca.crt", context.settings.root_ca.clone().into())]),
            ),
        ]);
        create(Kind::CONFIG_MAP, config);
    }
    writes.extend(known.and_then(|config| restore(context, config)));
    writes
}

/// Takes back what somebody changed of the certificate.
fn restore(context: &Context<'_>, config: &Object) -> Option<Write> {
    let data = map([("ca.crt", context.settings.root_ca.clone().into())]);
    let empty = Value::Map(Map::new());
    let present = config.value().get("data").unwrap_or(&empty);
    let change = difference(present, &data)?;
    let description = map([(DESCRIPTION, ROOT_CA_DESCRIPTION.into())]);
    let body = map([
        ("metadata", map([("annotations", description)])),
        ("data", change),
    ]);
    Some(patch(Kind::CONFIG_MAP, config, body))
}

fn end(context: &Context<'_>, namespace: &Object) -> Outcome {
    let finalizers = items(namespace.value(), &["spec", "finalizers"]);
    if !finalizers
        .iter()
        .any(|finalizer| finalizer.as_str() == Some(FINALIZER))
    {
        return Outcome::nothing();
    }
    let name = namespace.name();
    let left = context.world.populated(name);
    let delete_all = |kind: Kind| Write::DeleteAll {
        kind,
        namespace: name.into(),
    };
    if left.is_empty() {
        // Once more over everything, for objects that nobody has seen yet.
        let mut writes: Vec<Write> = namespaced(&context.world.registry)
            .map(delete_all)
            .collect();
        writes.push(finalize(namespace));
        return Outcome::from(writes);
    }
    let mut writes: Vec<Write> = left
        .iter()
        .filter(|kind| {
            context
                .world
                .list(**kind, name)
                .any(|object| !object.is_terminating())
        })
        .map(|kind| delete_all(*kind))
        .collect();
    if writes.is_empty() {
        writes.extend(status(
            Kind::NAMESPACE,
            namespace,
            remaining(context, namespace, &left),
        ));
    }
    Outcome::from(writes)
}

fn namespaced(registry: &Registry) -> impl Iterator<Item = Kind> {
    registry
        .kinds()
        .filter(|kind| registry.resource(*kind).namespaced)
}

fn finalize(namespace: &Object) -> Write {
    let mut body = namespace.value().clone();
    let spec = body.map_at_mut(&["spec"]);
    let rest: Vec<Value> = spec
        .get("finalizers")
        .and_then(Value::as_list)
        .unwrap_or_default()
        .iter()
        .filter(|finalizer| finalizer.as_str() != Some(FINALIZER))
        .cloned()
        .collect();
    spec.insert("finalizers", rest);
    // The newest state may differ in its conditions; the finalizer goes all the same.
    body.map_at_mut(&["metadata"]).remove("resourceVersion");
    Write::Replace {
        target: Ref::of(Kind::NAMESPACE, namespace),
        part: Part::Finalize,
        body,
    }
}

/// The conditions of a namespace that waits for its content.
fn remaining(context: &Context<'_>, namespace: &Object, left: &[Kind]) -> Map {
    let mut objects = Vec::new();
    let mut holders: BTreeMap<&str, usize> = BTreeMap::new();
    for kind in left {
        let resource = context.world.registry.resource(*kind);
        let dot = if resource.group.is_empty() { "" } else { "." };
        let count = context.world.count(*kind, namespace.name());
        objects.push(format!(
            "{}{dot}{} has {count} resource instances",
            resource.plural, resource.group
        ));
        for object in context.world.list(*kind, namespace.name()) {
            for finalizer in items(object.value(), &["metadata", "finalizers"]) {
                *holders
                    .entry(finalizer.as_str().unwrap_or_default())
                    .or_default() += 1;
            }
        }
    }
    let holders: Vec<String> = holders
        .into_iter()
        .map(|(finalizer, count)| format!("{finalizer} in {count} resource instances"))
        .collect();
    let conditions = conditions(context, namespace, &objects.join(", "), &holders.join(", "));
    Map::from([
        ("phase", "Terminating".into()),
        ("conditions", conditions.into()),
    ])
}

fn conditions(
    context: &Context<'_>,
    namespace: &Object,
    objects: &str,
    holders: &str,
) -> Vec<Value> {
    let known = items(namespace.value(), &["status", "conditions"]);
    let condition = |kind: &str, holds: bool, reason: &str, message: String| {
        let holds = if holds { "True" } else { "False" };
        let since = known
            .iter()
            .find(|known| text(known, &["type"]) == kind && text(known, &["status"]) == holds)
            .and_then(|known| known.get("lastTransitionTime").cloned());
        map([
            ("type", kind.into()),
            ("status", holds.into()),
            (
                "lastTransitionTime",
                since.unwrap_or_else(|| stamp(context.now)),
            ),
            ("reason", reason.into()),
            ("message", message.into()),
        ])
    };
    let (held, reason, message) = if holders.is_empty() {
        let message = "All content-preserving finalizers finished".to_owned();
        (false, "ContentHasNoFinalizers", message)
    } else {
        let message = format!("Some content in the namespace has finalizers remaining: {holders}");
        (true, "SomeFinalizersRemain", message)
    };
    let remaining = format!("Some resources are remaining: {objects}");
    DELETION_STEPS
        .iter()
        .map(|(kind, reason, message)| condition(kind, false, reason, (*message).to_owned()))
        .chain([
            condition(
                "NamespaceContentRemaining",
                true,
                "SomeResourcesRemain",
                remaining,
            ),
            condition("NamespaceFinalizersRemaining", held, reason, message),
        ])
        .collect()
}

/// What cannot fail here, and the words for that.
const DELETION_STEPS: [(&str, &str, &str); 3] = [
    (
        "NamespaceDeletionDiscoveryFailure",
        "ResourcesDiscovered",
        "All resources successfully discovered",
    ),
    (
        "NamespaceDeletionGroupVersionParsingFailure",
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    (
        "NamespaceDeletionContentFailure",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
];
