//! One collection: its objects, and the ring of its last events.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use tokio::sync::watch;
use yaml::Str;

use super::{Compacted, Stored};

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    Put,
    Removed,
}

/// One change. The revision is that of `object`.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) kind: EventKind,
    /// The new state, or the last one of a removed object with the revision of the removal.
    pub(crate) object: Arc<Stored>,
    /// The state before; `None` when the object is new.
    pub(crate) previous: Option<Arc<Stored>>,
}

impl Event {
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

type Place = (Str, Str);

/// Objects sorted by namespace and name, and their recent history.
pub(super) struct Table {
    objects: BTreeMap<Place, Arc<Stored>>,
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
            objects: BTreeMap::new(),
            events: VecDeque::new(),
            first: 0,
            horizon,
            superseded: 0,
            wake: watch::Sender::new(0),
        }
    }

    /// Takes an object that was there before history starts.
    pub(super) fn load(&mut self, stored: Stored) {
        let place = (stored.namespace.clone(), stored.name.clone());
        self.objects.insert(place, Arc::new(stored));
    }

    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<Arc<Stored>> {
        self.objects
            .get(&(Str::from(namespace), Str::from(name)))
            .cloned()
    }

    pub(super) fn list(&self, namespace: Option<&str>) -> Vec<Arc<Stored>> {
        list(&self.objects, namespace)
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
            let place = (event.object.namespace.clone(), event.object.name.clone());
            match &event.previous {
                Some(previous) => objects.insert(place, Arc::clone(previous)),
                None => objects.remove(&place),
            };
        }
        Ok(list(&objects, namespace))
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
        let place = (stored.namespace.clone(), stored.name.clone());
        self.objects.insert(place, Arc::clone(stored));
        self.record(EventKind::Put, stored, previous, history);
    }

    pub(super) fn remove(&mut self, gone: &Arc<Stored>, previous: Arc<Stored>, history: usize) {
        self.objects
            .remove(&(gone.namespace.clone(), gone.name.clone()));
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

fn list(objects: &BTreeMap<Place, Arc<Stored>>, namespace: Option<&str>) -> Vec<Arc<Stored>> {
    let Some(namespace) = namespace else {
        return objects.values().cloned().collect();
    };
    let start = (Str::from(namespace), Str::default());
    objects
        .range((Bound::Included(start), Bound::Unbounded))
        .take_while(|((ns, _), _)| ns.as_str() == namespace)
        .map(|(_, stored)| Arc::clone(stored))
        .collect()
}
