//! The collections of one store, their one revision counter, and the ways to read and write them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::watch;
use yaml::Str;

use crate::durable::{Durable, DurableError};
use crate::stored::{Draft, Stored};
use crate::table::{Event, Table};

/// Which collection an object is in: `group/plural`, the version left out.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Collection(Str);

impl Collection {
    /// That of a group, empty for the core one, and the plural name of a resource.
    #[must_use]
    pub fn new(group: &str, plural: &str) -> Self {
        Collection(format!("{group}/{plural}").into())
    }

    /// `group/plural`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What must hold of the stored object for a write to go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// There is no object of that name.
    Absent,
    /// The object is still the one that was read at this revision.
    Revision(u64),
}

/// The write did not go through: the object is not as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed;

/// A revision is older than the history kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// The oldest revision that could still be asked for.
    pub oldest: u64,
}

/// The objects of one collection at one revision.
pub struct Listing {
    /// The revision.
    pub revision: u64,
    /// The objects, by namespace and name.
    pub objects: Vec<std::sync::Arc<Stored>>,
}

/// Where a watcher is in the history of a collection.
#[derive(Clone, Debug)]
pub struct Cursor {
    collection: Collection,
    /// The sequence number of the next event to read.
    next: u64,
}

/// What a watcher gets when it asks for more.
pub struct Batch {
    /// Events after the cursor, oldest first; never more than asked for.
    pub events: Vec<std::sync::Arc<Event>>,
    /// All events up to this revision have been given when `events` is empty.
    pub revision: u64,
}

struct State {
    revision: u64,
    /// History starts here: the revision at which the store was loaded.
    loaded: u64,
    tables: HashMap<Collection, Table>,
}

/// All objects of the server.
pub struct Store {
    state: RwLock<State>,
    durable: Option<Durable>,
    history: usize,
}

/// The first revision of an empty store; etcd's is 1 too.
const FIRST_REVISION: u64 = 1;

impl Store {
    /// An empty store that forgets everything when it is dropped. `history` is the number of
    /// events kept per collection.
    pub fn in_memory(history: usize) -> Self {
        Store {
            state: RwLock::new(State {
                revision: FIRST_REVISION,
                loaded: 0,
                tables: HashMap::new(),
            }),
            durable: None,
            history,
        }
    }

    /// The store kept in a file under `dir`, made when absent.
    ///
    /// # Errors
    /// [`DurableError`] when the file cannot be opened or read.
    pub fn open(dir: &Path, history: usize) -> Result<Self, DurableError> {
        let (durable, contents) = Durable::open(dir)?;
        let revision = contents.revision.max(FIRST_REVISION);
        let mut tables: HashMap<Collection, Table> = HashMap::new();
        for (collection, stored) in contents.objects {
            tables
                .entry(collection)
                .or_insert_with(|| Table::new(revision))
                .load(stored);
        }
        Ok(Store {
            state: RwLock::new(State {
                revision,
                loaded: revision,
                tables,
            }),
            durable: Some(durable),
            history,
        })
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest revision.
    pub fn revision(&self) -> u64 {
        self.read().revision
    }

    /// One object.
    pub fn get(
        &self,
        collection: &Collection,
        namespace: &str,
        name: &str,
    ) -> Option<std::sync::Arc<Stored>> {
        self.read().tables.get(collection)?.get(namespace, name)
    }

    /// All objects of a collection, of one namespace or of all (`None`), sorted by namespace and
    /// name.
    pub fn list(&self, collection: &Collection, namespace: Option<&str>) -> Listing {
        let state = self.read();
        Listing {
            revision: state.revision,
            objects: state
                .tables
                .get(collection)
                .map(|table| table.list(namespace))
                .unwrap_or_default(),
        }
    }

    /// As [`Store::list`], at an earlier revision.
    ///
    /// # Errors
    /// [`Compacted`] when the history no longer reaches back that far.
    pub fn list_at(
        &self,
        collection: &Collection,
        namespace: Option<&str>,
        revision: u64,
    ) -> Result<Listing, Compacted> {
        let state = self.read();
        let objects = match state.tables.get(collection) {
            Some(table) => table.list_at(namespace, revision)?,
            None if revision < state.loaded => {
                return Err(Compacted {
                    oldest: state.loaded,
                });
            }
            None => Vec::new(),
        };
        Ok(Listing { revision, objects })
    }

    /// Writes an object; `metadata.resourceVersion` is set to the new revision.
    ///
    /// # Errors
    /// [`Changed`] when the object is not as expected.
    pub fn put(
        &self,
        collection: &Collection,
        expect: Expect,
        draft: impl Into<Draft>,
    ) -> Result<std::sync::Arc<Stored>, Changed> {
        let mut draft = draft.into();
        let at = |draft: &mut Draft, revision: u64| {
            let metadata = draft.value.map_at_mut(&["metadata"]);
            metadata.insert("resourceVersion", revision.to_string());
            std::sync::Arc::new(Stored::new(revision, draft))
        };
        // The text is written before others have to wait for it, at the revision that comes next
        // unless another write is faster.
        let mut stored = at(&mut draft, self.revision() + 1);
        let mut guard = self.write();
        let state = &mut *guard;
        let revision = state.revision + 1;
        let loaded = state.loaded;
        let table = state
            .tables
            .entry(collection.clone())
            .or_insert_with(|| Table::new(loaded));
        let previous = table.get(&stored.namespace, &stored.name);
        check(expect, previous.as_deref())?;
        if stored.revision != revision {
            stored = at(&mut draft, revision);
        }
        table.put(&stored, previous, self.history);
        state.revision = revision;
        if let Some(durable) = &self.durable {
            durable.put(collection, &stored);
        }
        Ok(stored)
    }

    /// Removes an object. Gives its last state, with the revision of the removal in it.
    ///
    /// # Errors
    /// [`Changed`] when the object is not the one expected.
    pub fn remove(
        &self,
        collection: &Collection,
        last: &Stored,
    ) -> Result<std::sync::Arc<Stored>, Changed> {
        let mut guard = self.write();
        let state = &mut *guard;
        let table = state.tables.get_mut(collection).ok_or(Changed)?;
        let previous = table.get(&last.namespace, &last.name).ok_or(Changed)?;
        check(Expect::Revision(last.revision), Some(&previous))?;
        let revision = state.revision + 1;
        let gone = std::sync::Arc::new(previous.at_revision(revision));
        table.remove(&gone, previous, self.history);
        state.revision = revision;
        if let Some(durable) = &self.durable {
            durable.remove(collection, &gone);
        }
        Ok(gone)
    }

    /// Removes all objects of a collection and ends its watches: its resource is gone.
    pub fn drop_collection(&self, collection: &Collection) {
        loop {
            let listing = self.list(collection, None);
            if listing.objects.is_empty() {
                break;
            }
            for stored in &listing.objects {
                // A concurrent change only means that the next round sees the newer object.
                let _changed = self.remove(collection, stored);
            }
        }
        self.write().tables.remove(collection);
    }

    /// A cursor that gives the events after `revision`.
    ///
    /// # Errors
    /// [`Compacted`] when some of them are no longer kept.
    pub fn cursor_after(
        &self,
        collection: &Collection,
        revision: u64,
    ) -> Result<Cursor, Compacted> {
        let mut guard = self.write();
        let loaded = guard.loaded;
        let table = guard
            .tables
            .entry(collection.clone())
            .or_insert_with(|| Table::new(loaded));
        Ok(Cursor {
            collection: collection.clone(),
            next: table.sequence_after(revision)?,
        })
    }

    /// The objects as they are now, and a cursor that gives what happens next.
    pub fn list_and_watch(
        &self,
        collection: &Collection,
        namespace: Option<&str>,
    ) -> (Listing, Cursor) {
        let mut guard = self.write();
        let (revision, loaded) = (guard.revision, guard.loaded);
        let table = guard
            .tables
            .entry(collection.clone())
            .or_insert_with(|| Table::new(loaded));
        let listing = Listing {
            revision,
            objects: table.list(namespace),
        };
        let cursor = Cursor {
            collection: collection.clone(),
            next: table.end(),
        };
        (listing, cursor)
    }

    /// The next events at a cursor, at most `limit`, which is moved behind them. `None` when the
    /// collection is gone.
    ///
    /// # Errors
    /// [`Compacted`] when the watcher was so slow that events it has not seen were dropped.
    pub fn next(&self, cursor: &mut Cursor, limit: usize) -> Result<Option<Batch>, Compacted> {
        let state = self.read();
        let Some(table) = state.tables.get(&cursor.collection) else {
            return Ok(None);
        };
        let events = table.events(cursor.next, limit)?;
        cursor.next += events.len() as u64;
        Ok(Some(Batch {
            events,
            revision: state.revision,
        }))
    }

    /// Tells when something happened in the cursor's collection. `None` when it is gone.
    pub fn waker(&self, cursor: &Cursor) -> Option<watch::Receiver<u64>> {
        Some(self.read().tables.get(&cursor.collection)?.subscribe())
    }

    /// Waits until everything up to `revision` is on disk; at once for a store in memory.
    ///
    /// # Errors
    /// [`DurableError`] when the disk refused a write: nothing after it is acknowledged.
    pub async fn settled(&self, revision: u64) -> Result<(), DurableError> {
        match &self.durable {
            Some(durable) => durable.settled(revision).await,
            None => Ok(()),
        }
    }

    /// Writes what is queued and stops the writer.
    pub async fn close(&self) {
        if let Some(durable) = &self.durable {
            durable.close().await;
        }
    }
}

fn check(expect: Expect, previous: Option<&Stored>) -> Result<(), Changed> {
    match (expect, previous) {
        (Expect::Absent, None) => Ok(()),
        (Expect::Revision(revision), Some(stored)) if stored.revision == revision => Ok(()),
        _ => Err(Changed),
    }
}

#[cfg(test)]
mod tests;
