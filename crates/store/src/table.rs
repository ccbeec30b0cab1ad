//! One collection: its objects, and the ring of its last events.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::watch;
use yaml::Str;

use crate::objects::Compacted;
use crate::stored::Stored;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It was created or changed.
    Put,
    /// It is gone.
    Removed,
}

/// One change. The revision is that of `object`.
#[derive(Debug)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The new state, or the last one of a removed object with the revision of the removal.
    pub object: Arc<Stored>,
    /// The state before; `None` when the object is new.
    pub previous: Option<Arc<Stored>>,
    /// What watchers send of it, as long as one of them has it in hand.
    text: Mutex<Weak<Text>>,
}

/// In which form an event is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form<'a> {
    /// What it is to the watcher.
    pub kind: &'static str,
    /// In which version of which group it is told.
    pub group: &'a str,
    /// The version.
    pub version: &'a str,
}

/// An event as it is sent, made once for all watchers that want the same.
#[derive(Debug)]
struct Text {
    kind: &'static str,
    group: Box<str>,
    version: Box<str>,
    bytes: Vec<u8>,
}

impl Text {
    fn form(&self) -> Form<'_> {
        Form {
            kind: self.kind,
            group: &self.group,
            version: &self.version,
        }
    }
}

/// The bytes of a text that others may have too.
struct Shared(Arc<Text>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl Event {
    /// The text of this event in a form: the one that another watcher has in hand, else what `make`
    /// gives.
    pub fn text(&self, form: Form<'_>, make: impl FnOnce() -> Vec<u8>) -> Bytes {
        let mut known = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let text = known.upgrade().filter(|text| text.form() == form);
        let text = text.unwrap_or_else(|| {
            let text = Arc::new(Text {
                kind: form.kind,
                group: form.group.into(),
                version: form.version.into(),
                bytes: make(),
            });
            *known = Arc::downgrade(&text);
            text
        });
        Bytes::from_owner(Shared(text))
    }

    /// The same event with its states told in another version.
    #[must_use]
    pub fn told_as(&self, object: Arc<Stored>, previous: Option<Arc<Stored>>) -> Event {
        Event {
            kind: self.kind,
            object,
            previous,
            text: Mutex::default(),
        }
    }

    /// The bytes that it keeps although no object has them any more: the state before, and the
    /// last one of a removed object.
    fn superseded(&self) -> usize {
        let removed = match self.kind {
            EventKind::Put => 0,
            EventKind::Removed => self.object.json.len(),
        };
        removed + self.previous.as_ref().map_or(0, |it| it.json.len())
    }
}

/// States that are no longer those of an object, per collection: ten seconds of 200 updates of 2 KB
/// each. Who is further behind starts again with a list, as with a real server.
const HISTORY_BYTES: usize = 4 << 20;
/// Events that are kept however large they are, so that a watcher of large objects gets on.
pub(super) const HISTORY_LEAST: usize = 64;

/// Objects by namespace and name; no namespace is empty.
#[derive(Clone, Default)]
struct Objects(BTreeMap<Str, BTreeMap<Str, Arc<Stored>>>);

impl Objects {
    fn get(&self, namespace: &str, name: &str) -> Option<&Arc<Stored>> {
        self.0.get(namespace)?.get(name)
    }

    fn insert(&mut self, stored: &Arc<Stored>) {
        let namespace = self.0.entry(stored.namespace.clone()).or_default();
        namespace.insert(stored.name.clone(), Arc::clone(stored));
    }

    fn remove(&mut self, stored: &Stored) {
        if let Some(namespace) = self.0.get_mut(&stored.namespace) {
            namespace.remove(&stored.name);
            if namespace.is_empty() {
                self.0.remove(&stored.namespace);
            }
        }
    }

    /// Those of one namespace or of all, sorted by namespace and name.
    fn list(&self, namespace: Option<&str>) -> Vec<Arc<Stored>> {
        match namespace {
            Some(namespace) => {
                let objects = self.0.get(namespace).into_iter();
                objects.flat_map(BTreeMap::values).cloned().collect()
            }
            None => self
                .0
                .values()
                .flat_map(BTreeMap::values)
                .cloned()
                .collect(),
        }
    }
}

/// Objects sorted by namespace and name, and their recent history.
pub(super) struct Table {
    objects: Objects,
    events: VecDeque<Arc<Event>>,
    /// The sequence number of the first event in the ring.
    first: u64,
    /// Events up to this revision have left the ring.
    horizon: u64,
    /// What the states that only the ring holds take.
    superseded: usize,
    wake: watch::Sender<u64>,
}

impl Table {
    /// An empty table whose history starts after revision `horizon`.
    pub(super) fn new(horizon: u64) -> Self {
        Table {
            objects: Objects::default(),
            events: VecDeque::new(),
            first: 0,
            horizon,
            superseded: 0,
            wake: watch::Sender::new(0),
        }
    }

    /// Takes an object that was there before history starts.
    pub(super) fn load(&mut self, stored: Stored) {
        self.objects.insert(&Arc::new(stored));
    }

    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<Arc<Stored>> {
        self.objects.get(namespace, name).cloned()
    }

    pub(super) fn list(&self, namespace: Option<&str>) -> Vec<Arc<Stored>> {
        self.objects.list(namespace)
    }

    /// Undoes the events after `revision`, newest first.
    pub(super) fn list_at(
        &self,
        namespace: Option<&str>,
        revision: u64,
    ) -> Result<Vec<Arc<Stored>>, Compacted> {
        self.check_horizon(revision)?;
        let mut objects = self.objects.clone();
        for event in self.events.iter().rev() {
            if event.object.revision <= revision {
                break;
            }
            match &event.previous {
                Some(previous) => objects.insert(previous),
                None => objects.remove(&event.object),
            }
        }
        Ok(objects.list(namespace))
    }

    fn check_horizon(&self, revision: u64) -> Result<(), Compacted> {
        if revision < self.horizon {
            return Err(Compacted {
                oldest: self.horizon,
            });
        }
        Ok(())
    }

    pub(super) fn put(
        &mut self,
        stored: &Arc<Stored>,
        previous: Option<Arc<Stored>>,
        history: usize,
    ) {
        self.objects.insert(stored);
        self.record(EventKind::Put, stored, previous, history);
    }

    pub(super) fn remove(&mut self, gone: &Arc<Stored>, previous: Arc<Stored>, history: usize) {
        self.objects.remove(gone);
        self.record(EventKind::Removed, gone, Some(previous), history);
    }

    fn record(
        &mut self,
        kind: EventKind,
        object: &Arc<Stored>,
        previous: Option<Arc<Stored>>,
        history: usize,
    ) {
        let event = Event {
            kind,
            object: Arc::clone(object),
            previous,
            text: Mutex::default(),
        };
        self.superseded += event.superseded();
        self.events.push_back(Arc::new(event));
        while self.events.len() > history
            || (self.superseded > HISTORY_BYTES && self.events.len() > HISTORY_LEAST)
        {
            if let Some(dropped) = self.events.pop_front() {
                self.superseded -= dropped.superseded();
                self.horizon = dropped.object.revision;
                self.first += 1;
            }
        }
        self.wake.send_replace(object.revision);
    }

    /// The sequence number of the first event after `revision`.
    pub(super) fn sequence_after(&self, revision: u64) -> Result<u64, Compacted> {
        self.check_horizon(revision)?;
        let skipped = self
            .events
            .partition_point(|event| event.object.revision <= revision);
        Ok(self.first + skipped as u64)
    }

    /// The sequence number that the next event will have.
    pub(super) fn end(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    /// Events from a sequence number on.
    pub(super) fn events(&self, from: u64, limit: usize) -> Result<Vec<Arc<Event>>, Compacted> {
        let Some(skipped) = from.checked_sub(self.first) else {
            return Err(Compacted {
                oldest: self.horizon,
            });
        };
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        Ok(self
            .events
            .iter()
            .skip(skipped)
            .take(limit)
            .cloned()
            .collect())
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.wake.subscribe()
    }
}
