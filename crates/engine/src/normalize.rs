//! From rendered objects to desired ones: namespace, marks of ownership, one object per key, the
//! project's verdict (semantics 119-128, 136-138).
//!
//! Read [`Desired`] first. It must never know what is live.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};

use api::{Condition, reason};
use manifest::{Gvk, Object, ObjectKey};
use yaml::{Str, Value};

use crate::gate::Denied;
use crate::hook;
use crate::live::{Scope, ScopeOf};
use crate::render::{Origin, Rendered, RenderedObject};
use crate::subject::Subject;
use crate::tracking::is_crd;

/// What Git says, ready to be compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desired {
    /// In the order of rendering; one object per key; hooks are among them.
    pub objects: Vec<DesiredObject>,
    /// Repeated objects, missing namespaces, skipped files.
    pub conditions: Vec<Condition>,
}

/// One desired object.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredObject {
    /// With namespace and marks.
    pub object: Object,
    /// Its identity. An object without a name has `generateName` and its number here.
    pub key: ObjectKey,
    /// Where it was written.
    pub origin: Origin,
    /// What the cluster, or a definition beside the object, says about its kind; `None` when the
    /// kind is unknown to both.
    pub scope: Option<Scope>,
    /// Whether the cluster serves the kind now.
    pub is_served: bool,
    /// Whether the project allows it.
    pub verdict: Result<(), Denied>,
}

impl Desired {
    /// Whether a condition forbids a sync (semantics 77).
    #[must_use]
    pub fn has_error(&self) -> bool {
        self.conditions.iter().any(Condition::is_error)
    }
}

/// Makes rendered objects (one [`Rendered`] per source, in order) desired ones.
#[must_use]
pub fn normalize<R: Borrow<Rendered>>(
    rendered: &[R],
    subject: &Subject<'_>,
    scope_of: ScopeOf<'_>,
) -> Desired {
    let mut desired = Desired::default();
    let all: Vec<&RenderedObject> = rendered
        .iter()
        .flat_map(|one| &one.borrow().objects)
        .collect();
    for warning in rendered.iter().flat_map(|one| &one.borrow().warnings) {
        desired.conditions.push(Condition::new(
            reason::SKIPPED_FILE_WARNING,
            warning.to_string(),
        ));
    }
    let defined = defined_scopes(&all);
    let instance = subject.instance();
    let gate = subject.gate();
    let mut places: HashMap<ObjectKey, (usize, usize)> = HashMap::new();
    for (number, rendered) in all.into_iter().enumerate() {
        let mut object = rendered.object.clone();
        let gvk = object.gvk();
        let served = scope_of(&gvk);
        let scope = served.or_else(|| defined.get(&(gvk.group.clone(), gvk.kind.clone())).copied());
        place(&mut object, scope, subject.namespace());
        subject
            .settings
            .tracking
            .mark(&mut object, &instance, subject.namespace());
        let key = key_of(&object, number);
        if key.namespace.is_empty() && scope == Some(Scope::Namespaced) {
            desired.conditions.push(missing_namespace(&object));
        }
        let one = DesiredObject {
            verdict: gate.check(&gvk, &key),
            object,
            key: key.clone(),
            origin: rendered.origin.clone(),
            scope,
            is_served: served.is_some(),
        };
        match places.get_mut(&key) {
            None => {
                places.insert(key, (desired.objects.len(), 1));
                desired.objects.push(one);
            }
            Some((at, count)) => {
                *count += 1;
                desired.objects[*at] = one;
            }
        }
    }
    let repeated: BTreeMap<ObjectKey, usize> = places
        .into_iter()
        .filter(|(_, (_, n))| *n > 1)
        .map(|(key, (_, n))| (key, n))
        .collect();
    desired.conditions.extend(
        repeated
            .iter()
            .map(|(key, count)| repeated_warning(key, *count)),
    );
    desired
}

/// The scopes of the kinds that are defined beside the objects: the cluster learns them only when
/// the definition is applied.
fn defined_scopes(objects: &[&RenderedObject]) -> HashMap<(Str, Str), Scope> {
    let definitions = objects
        .iter()
        .map(|one| &one.object)
        .filter(|object| is_crd(object));
    definitions
        .filter_map(|object| {
            let text = |path: &[&str]| object.value().at(path).and_then(Value::as_str);
            let scope = match text(&["spec", "scope"])? {
                "Cluster" => Scope::Cluster,
                _ => Scope::Namespaced,
            };
            let group = text(&["spec", "group"])?.into();
            Some(((group, text(&["spec", "names", "kind"])?.into()), scope))
        })
        .collect()
}

fn place(object: &mut Object, scope: Option<Scope>, namespace: &str) {
    match scope {
        Some(Scope::Cluster) => {
            if object.value().at(&["metadata", "namespace"]).is_some() {
                object.metadata_mut().remove("namespace");
            }
        }
        Some(Scope::Namespaced) | None => {
            if object.namespace().is_empty() && !namespace.is_empty() {
                object.metadata_mut().insert("namespace", namespace);
            }
        }
    }
}

fn key_of(object: &Object, number: usize) -> ObjectKey {
    let mut key = object.key();
    if key.name.is_empty() {
        let prefix = object
            .value()
            .at(&["metadata", "generateName"])
            .and_then(Value::as_str);
        if let Some(prefix) = prefix {
            key.name = format!("{prefix}{number}").into();
        }
    }
    key
}

/// A Go `GroupVersionKind` in text: `apps/v1, Kind=Deployment`, `/v1, Kind=Pod`.
pub(crate) fn go_gvk(gvk: &Gvk) -> String {
    format!("{}/{}, Kind={}", gvk.group, gvk.version, gvk.kind)
}

fn missing_namespace(object: &Object) -> Condition {
    Condition::new(
        reason::INVALID_SPEC_ERROR,
        format!(
            "Namespace for {} {} is missing.",
            object.name(),
            go_gvk(&object.gvk())
        ),
    )
}

fn repeated_warning(key: &ObjectKey, count: usize) -> Condition {
    Condition::new(
        reason::REPEATED_RESOURCE_WARNING,
        format!(
            "Resource {}/{}/{}/{} appeared {count} times among application resources.",
            key.group, key.kind, key.namespace, key.name
        ),
    )
}

impl DesiredObject {
    /// Whether it is a hook, valid or not.
    #[must_use]
    pub fn is_hook(&self) -> bool {
        hook::is_hook(&self.object)
    }
}
