//! The live objects that one application has to do with, and the cluster they are in.

use std::collections::BTreeMap;

use manifest::{Gvk, Object, ObjectKey};

/// The live objects of one application: those under the keys that it desires, and those that are
/// marked as its own. More does no harm.
///
/// After an action was executed, it must hold what the server answered (or something newer): a
/// sync that looks at an older state would take a new object for a lost one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Live {
    objects: BTreeMap<ObjectKey, Object>,
}

impl Live {
    /// The object under a key; the namespace of a cluster-scoped object is empty.
    #[must_use]
    pub fn get(&self, key: &ObjectKey) -> Option<&Object> {
        self.objects.get(key)
    }

    /// Adds an object, in place of an older one with its key.
    pub fn insert(&mut self, object: Object) {
        self.objects.insert(object.key(), object);
    }

    /// Takes an object out.
    pub fn remove(&mut self, key: &ObjectKey) -> Option<Object> {
        self.objects.remove(key)
    }

    /// All objects in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &Object)> {
        self.objects.iter()
    }

    /// The number of objects.
    #[must_use]
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
}

impl FromIterator<Object> for Live {
    fn from_iter<I: IntoIterator<Item = Object>>(objects: I) -> Self {
        Live {
            objects: objects
                .into_iter()
                .map(|object| (object.key(), object))
                .collect(),
        }
    }
}

/// Whether the objects of a kind live in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// They have no namespace.
    Cluster,
    /// They are in a namespace.
    Namespaced,
}

/// What the cluster says about a kind; `None` when it does not serve it.
pub type ScopeOf<'a> = &'a dyn Fn(&Gvk) -> Option<Scope>;

/// A cluster, as destinations and project rules name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterName {
    /// The URL of its API.
    pub server: String,
    /// Its name in Argo CD; `in-cluster` for the one that the controller runs in.
    pub name: String,
    /// The project that it is scoped to; empty for none.
    pub project: String,
}
