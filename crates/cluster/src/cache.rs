//! What the cluster has, as far as applications may care: a plain data structure, fed by watches.
//!
//! Objects that carry a tracking mark, and objects that some application wants, are held whole. Of
//! all others only the key and the resource version are kept, so that a cluster with many foreign
//! objects costs little.

use std::collections::{BTreeSet, HashMap};

use engine::Live;
use engine::tracking::TRACKING_ID;
use manifest::{Gvk, Object, ObjectKey};
use yaml::Str;

use crate::Listing;
use crate::horizon::{Horizon, version};

#[derive(Debug)]
enum Entry {
    Held(Object),
    Known { version: Option<u64> },
}

impl Entry {
    /// Whether `object` tells nothing that this entry does not have already. A version that is no
    /// number cannot be compared and counts as new.
    fn covers(&self, object: &Object) -> bool {
        let Some(new) = version(object) else {
            return false;
        };
        match self {
            Entry::Held(held) => version(held).is_some_and(|held| held >= new),
            Entry::Known { version } => version.is_some_and(|known| known > new),
        }
    }
}

/// The objects of one group and kind, by namespace and name.
#[derive(Debug, Default)]
struct Kind {
    entries: HashMap<(Str, Str), Entry>,
    horizon: Horizon,
}

/// The state; every method that changes it gives the instances (applications) that it touches.
#[derive(Debug)]
pub(crate) struct Cache {
    /// The label that marks an object's instance.
    label: Str,
    kinds: HashMap<(Str, Str), Kind>,
    tracked: HashMap<Str, BTreeSet<ObjectKey>>,
    wanted: HashMap<ObjectKey, BTreeSet<Str>>,
    wants: HashMap<Str, BTreeSet<ObjectKey>>,
    /// Held objects in another version of their kind, as the server converted them last.
    converted: HashMap<ObjectKey, Object>,
}

impl Cache {
    pub(crate) fn new(label: Str) -> Self {
        Cache {
            label,
            kinds: HashMap::new(),
            tracked: HashMap::new(),
            wanted: HashMap::new(),
            wants: HashMap::new(),
            converted: HashMap::new(),
        }
    }

    /// All objects of one group and kind as of now.
    pub(crate) fn listed(&mut self, kind: &(Str, Str), listing: Listing) -> BTreeSet<Str> {
        let mut touched = BTreeSet::new();
        let known = self.kinds.entry(kind.clone()).or_default();
        known.horizon.listed(&listing.resource_version);
        let mut gone: BTreeSet<(Str, Str)> = known.entries.keys().cloned().collect();
        for object in listing.objects {
            gone.remove(&(object.namespace().into(), object.name().into()));
            touched.append(&mut self.applied(object));
        }
        for (namespace, name) in gone {
            let (group, kind) = kind.clone();
            touched.append(&mut self.removed(&ObjectKey {
                group,
                kind,
                namespace,
                name,
            }));
        }
        touched
    }

    /// An object in the answer to a request; unlike what the watch tells, it may be overtaken.
    pub(crate) fn answered(&mut self, object: Object) -> BTreeSet<Str> {
        let key = object.key();
        let kind = self.kinds.get(&(key.group.clone(), key.kind.clone()));
        let is_gone = !self.knows(&key) && kind.is_some_and(|it| it.horizon.is_past(&object));
        if is_gone {
            return BTreeSet::new();
        }
        self.put(&key, object)
    }

    /// An object as the watch tells that it is now.
    pub(crate) fn applied(&mut self, object: Object) -> BTreeSet<Str> {
        let key = object.key();
        self.horizon(&key).reached(&object);
        self.put(&key, object)
    }

    /// An object that the watch tells to be gone.
    pub(crate) fn deleted(&mut self, object: &Object) -> BTreeSet<Str> {
        let key = object.key();
        self.horizon(&key).reached(object);
        self.removed(&key)
    }

    fn horizon(&mut self, key: &ObjectKey) -> &mut Horizon {
        let kind = (key.group.clone(), key.kind.clone());
        &mut self.kinds.entry(kind).or_default().horizon
    }

    /// Takes an object's state. An older state than the known one changes nothing. An object that
    /// is tracked touches those that track it and nobody else, as in Argo CD: who only declares
    /// what another application owns sees its changes at the next refresh.
    fn put(&mut self, key: &ObjectKey, object: Object) -> BTreeSet<Str> {
        let kind = (key.group.clone(), key.kind.clone());
        let entries = &mut self.kinds.entry(kind).or_default().entries;
        let place = (key.namespace.clone(), key.name.clone());
        let known = entries.get(&place);
        if known.is_some_and(|entry| entry.covers(&object)) {
            return BTreeSet::new();
        }
        let before = match known {
            Some(Entry::Held(old)) => instances(old, &self.label),
            _ => BTreeSet::new(),
        };
        let after = instances(&object, &self.label);
        let wanted_by = self.wanted.get(key);
        let entry = if after.is_empty() && wanted_by.is_none() {
            Entry::Known {
                version: version(&object),
            }
        } else {
            Entry::Held(object)
        };
        entries.insert(place, entry);
        let mut touched: BTreeSet<Str> = before.union(&after).cloned().collect();
        if touched.is_empty() {
            touched.extend(wanted_by.into_iter().flatten().cloned());
        }
        self.retrack(key, &before, &after);
        touched
    }

    /// An object that is not there any more.
    pub(crate) fn removed(&mut self, key: &ObjectKey) -> BTreeSet<Str> {
        self.converted.remove(key);
        let entry = self
            .kinds
            .get_mut(&(key.group.clone(), key.kind.clone()))
            .and_then(|kind| {
                let place = (key.namespace.clone(), key.name.clone());
                kind.entries.remove(&place)
            });
        let before = match &entry {
            Some(Entry::Held(old)) => instances(old, &self.label),
            Some(Entry::Known { .. }) | None => BTreeSet::new(),
        };
        self.retrack(key, &before, &BTreeSet::new());
        let mut touched = before;
        if entry.is_some() && touched.is_empty() {
            touched.extend(self.wanted.get(key).into_iter().flatten().cloned());
        }
        touched
    }

    /// A kind that the cluster no longer serves.
    pub(crate) fn dropped(&mut self, kind: &(Str, Str)) -> BTreeSet<Str> {
        let touched = self.listed(kind, Listing::default());
        self.kinds.remove(kind);
        touched
    }

    /// Says which keys an instance wants to see, tracked or not, instead of what it said before.
    /// Gives the keys that exist but are not held: their objects must be fetched.
    pub(crate) fn want(&mut self, instance: &Str, keys: BTreeSet<ObjectKey>) -> Vec<ObjectKey> {
        let before = self.wants.remove(instance).unwrap_or_default();
        for key in before.difference(&keys) {
            if let Some(by) = self.wanted.get_mut(key) {
                by.remove(instance);
                if by.is_empty() {
                    self.wanted.remove(key);
                    self.forget(key);
                }
            }
        }
        for key in keys.difference(&before) {
            self.wanted
                .entry(key.clone())
                .or_default()
                .insert(instance.clone());
        }
        let missing = keys
            .iter()
            .filter(|key| matches!(self.entry(key), Some(Entry::Known { .. })))
            .cloned()
            .collect();
        if !keys.is_empty() {
            self.wants.insert(instance.clone(), keys);
        }
        missing
    }

    /// The objects that an instance tracks or wants.
    pub(crate) fn live(&self, instance: &Str) -> Live {
        let tracked = self.tracked.get(instance).into_iter().flatten();
        let wanted = self.wants.get(instance).into_iter().flatten();
        tracked
            .chain(wanted)
            .filter_map(|key| match self.entry(key) {
                Some(Entry::Held(object)) => Some(object.clone()),
                _ => None,
            })
            .collect()
    }

    /// One object, if it is held.
    pub(crate) fn held(&self, key: &ObjectKey) -> Option<&Object> {
        match self.entry(key) {
            Some(Entry::Held(object)) => Some(object),
            _ => None,
        }
    }

    /// A held object in that version of its kind, if it was converted since it changed last.
    pub(crate) fn converted(&self, gvk: &Gvk, key: &ObjectKey) -> Option<&Object> {
        let converted = self.converted.get(key)?;
        let is_current = |held: &Object| held.resource_version() == converted.resource_version();
        (converted.gvk() == *gvk && self.held(key).is_some_and(is_current)).then_some(converted)
    }

    /// Remembers how the server converted an object, as long as that object is held.
    pub(crate) fn keep_converted(&mut self, object: Object) {
        let key = object.key();
        if self.held(&key).is_some() {
            self.converted.insert(key, object);
        }
    }

    /// Whether there is such an object, held or not.
    pub(crate) fn knows(&self, key: &ObjectKey) -> bool {
        self.entry(key).is_some()
    }

    fn entry(&self, key: &ObjectKey) -> Option<&Entry> {
        self.kinds
            .get(&(key.group.clone(), key.kind.clone()))?
            .entries
            .get(&(key.namespace.clone(), key.name.clone()))
    }

    /// Lets go of the body of an object that nobody wants any more, unless it is tracked.
    fn forget(&mut self, key: &ObjectKey) {
        let label = self.label.clone();
        let entry = self
            .kinds
            .get_mut(&(key.group.clone(), key.kind.clone()))
            .and_then(|kind| {
                let place = (key.namespace.clone(), key.name.clone());
                kind.entries.get_mut(&place)
            });
        if let Some(entry) = entry
            && let Entry::Held(object) = entry
            && instances(object, &label).is_empty()
        {
            *entry = Entry::Known {
                version: version(object),
            };
            self.converted.remove(key);
        }
    }

    fn retrack(&mut self, key: &ObjectKey, before: &BTreeSet<Str>, after: &BTreeSet<Str>) {
        for instance in before.difference(after) {
            if let Some(keys) = self.tracked.get_mut(instance) {
                keys.remove(key);
                if keys.is_empty() {
                    self.tracked.remove(instance);
                }
            }
        }
        for instance in after.difference(before) {
            self.tracked
                .entry(instance.clone())
                .or_default()
                .insert(key.clone());
        }
    }
}

/// The instances that an object says it belongs to: by annotation (`app:group/kind:ns/name`) and by
/// label. Which of them counts is the engine's decision.
fn instances(object: &Object, label: &str) -> BTreeSet<Str> {
    let by_annotation = object
        .annotation(TRACKING_ID)
        .and_then(|id| id.split(':').next())
        .filter(|i| !i.is_empty());
    by_annotation
        .into_iter()
        .chain(object.label(label))
        .map(Str::from)
        .collect()
}

#[cfg(test)]
mod tests;
