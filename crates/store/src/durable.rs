//! The store on disk: one writer thread that commits what has queued up while it wrote before.
//!
//! A commit costs an fsync, so writes that arrive together share one (group commit). Writes keep
//! their order; a crash loses a suffix of them, none of which was acknowledged.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use tokio::sync::watch;

use yaml::{Str, Value, json};

use crate::objects::Collection;
use crate::stored::{Draft, Stored};

const OBJECTS: TableDefinition<&str, &[u8]> = TableDefinition::new("objects");
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
const REVISION: &str = "revision";
const FILE: &str = "objects.redb";
/// Pages that the file keeps in memory. It is read once, at the start, so they only spare writes
/// the pages above what they change; its own choice of 1 GiB would be a second copy of everything.
const CACHE_BYTES: usize = 2 << 20;
/// Operations that share one commit at most: bounds the memory of a transaction.
const GROUP: usize = 4096;

/// Why the store on disk cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DurableError {
    /// The file cannot be opened, or holds something else.
    #[error("cannot open the object store {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<redb::Error>,
    },
    /// An object in it is not readable.
    #[error("the object store {path} is damaged at {key:?}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The object.
        key: String,
    },
    /// A commit failed, or the writer was stopped.
    #[error("the object store does not accept writes: {0}")]
    Write(Arc<str>),
}

/// What a file held when it was opened.
pub(super) struct Contents {
    pub(super) revision: u64,
    pub(super) objects: Vec<(Collection, Stored)>,
}

enum Operation {
    Put { version: Str, json: Bytes },
    Remove,
}

struct Write {
    key: String,
    revision: u64,
    operation: Operation,
}

#[derive(Clone, Debug)]
struct Progress {
    committed: u64,
    failure: Option<Arc<str>>,
}

/// The handle of the writer thread.
pub(crate) struct Durable {
    queue: Mutex<Option<Sender<Write>>>,
    progress: watch::Receiver<Progress>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Durable {
    pub(super) fn open(dir: &Path) -> Result<(Self, Contents), DurableError> {
        let path = dir.join(FILE);
        let opened = |error: redb::Error| DurableError::Open {
            path: path.clone(),
            source: Arc::new(error),
        };
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create(&path)
            .map_err(|error| opened(error.into()))?;
        let entries = read(&database).map_err(opened)?;
        let contents = decode(&path, entries)?;
        let (queue, receiver) = mpsc::channel();
        let (report, progress) = watch::channel(Progress {
            committed: contents.revision,
            failure: None,
        });
        let thread = std::thread::Builder::new()
            .name("sandbox-store".to_owned())
            .spawn(move || write_all(&database, &receiver, &report))
            .map_err(|error| DurableError::Write(error.to_string().into()))?;
        let durable = Durable {
            queue: Mutex::new(Some(queue)),
            progress,
            thread: Mutex::new(Some(thread)),
        };
        Ok((durable, contents))
    }

    pub(super) fn put(&self, collection: &Collection, stored: &Stored) {
        let written = Operation::Put {
            version: stored.version.clone(),
            json: stored.json.clone(),
        };
        self.send(collection, stored, written);
    }

    pub(super) fn remove(&self, collection: &Collection, gone: &Stored) {
        self.send(collection, gone, Operation::Remove);
    }

    fn send(&self, collection: &Collection, stored: &Stored, operation: Operation) {
        let key = format!(
            "{}\0{}\0{}",
            collection.as_str(),
            stored.namespace,
            stored.name
        );
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = &*queue {
            // A writer that is gone is seen by `settled`, which refuses the acknowledgement.
            let _refused = queue.send(Write {
                key,
                revision: stored.revision,
                operation,
            });
        }
    }

    pub(super) async fn settled(&self, revision: u64) -> Result<(), DurableError> {
        let mut progress = self.progress.clone();
        let state = progress
            .wait_for(|state| state.committed >= revision || state.failure.is_some())
            .await
            .map_err(|_closed| DurableError::Write("the writer has stopped".into()))?;
        match &state.failure {
            Some(failure) if state.committed < revision => {
                Err(DurableError::Write(Arc::clone(failure)))
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn close(&self) {
        drop(
            self.queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the writer of the object store did not stop cleanly");
            }
        }
    }
}

impl Drop for Durable {
    /// Waits for the writer, so that the file is free for the next one who opens it.
    fn drop(&mut self) {
        let queue = self.queue.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(queue.take());
        let thread = self
            .thread
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            let _panicked = thread.join();
        }
    }
}

type Entries = (u64, Vec<(String, Vec<u8>)>);

fn read(database: &Database) -> Result<Entries, redb::Error> {
    // A first transaction makes the tables of a new file.
    let transaction = database.begin_write()?;
    transaction.open_table(OBJECTS)?;
    transaction.open_table(META)?;
    transaction.commit()?;
    let transaction = database.begin_read()?;
    let revision = transaction
        .open_table(META)?
        .get(REVISION)?
        .map_or(0, |value| value.value());
    let objects = transaction.open_table(OBJECTS)?;
    let mut entries = Vec::new();
    for entry in objects.iter()? {
        let (key, value) = entry?;
        entries.push((key.value().to_owned(), value.value().to_vec()));
    }
    Ok((revision, entries))
}

fn decode(path: &Path, (revision, entries): Entries) -> Result<Contents, DurableError> {
    let mut objects = Vec::with_capacity(entries.len());
    for (key, bytes) in entries {
        let object = decode_entry(&key, &bytes);
        objects.push(object.ok_or_else(|| DurableError::Damaged {
            path: path.to_owned(),
            key: key.replace('\0', " "),
        })?);
    }
    Ok(Contents { revision, objects })
}

/// The revision, and the text with the version in it.
fn encode_entry(revision: u64, version: &str, json: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(json.len() + version.len() + 32);
    bytes.extend_from_slice(&revision.to_be_bytes());
    match json.split_first() {
        Some((brace, members)) if !version.is_empty() => {
            bytes.push(*brace);
            bytes.extend_from_slice(b"\"apiVersion\":");
            bytes.extend_from_slice(&json::to_vec(&version.into()));
            bytes.push(b',');
            bytes.extend_from_slice(members);
        }
        _ => bytes.extend_from_slice(json),
    }
    bytes
}

fn decode_entry(key: &str, bytes: &[u8]) -> Option<(Collection, Stored)> {
    let (revision, json) = bytes.split_first_chunk::<8>()?;
    let mut draft = Draft::from(json::parse(json).ok()?);
    let map = draft.value.as_map_mut()?;
    if let Some(Value::String(version)) = map.remove("apiVersion") {
        draft.version = version;
    }
    let (collection, _) = key.split_once('\0')?;
    let (group, plural) = collection.rsplit_once('/')?;
    Some((
        Collection::new(group, plural),
        Stored::new(u64::from_be_bytes(*revision), &draft),
    ))
}

fn write_all(database: &Database, queue: &Receiver<Write>, report: &watch::Sender<Progress>) {
    while let Ok(first) = queue.recv() {
        let mut group = vec![first];
        while group.len() < GROUP {
            match queue.try_recv() {
                Ok(next) => group.push(next),
                Err(_) => break,
            }
        }
        match commit(database, &group) {
            Ok(committed) => report.send_modify(|state| state.committed = committed),
            Err(error) => {
                tracing::error!(%error, "the object store refused a commit");
                report.send_modify(|state| state.failure = Some(error.to_string().into()));
                return;
            }
        }
    }
}

fn commit(database: &Database, group: &[Write]) -> Result<u64, redb::Error> {
    let transaction = database.begin_write()?;
    let mut last = 0;
    {
        let mut objects = transaction.open_table(OBJECTS)?;
        for write in group {
            match &write.operation {
                Operation::Put { version, json } => {
                    let bytes = encode_entry(write.revision, version, json);
                    objects.insert(write.key.as_str(), bytes.as_slice())?;
                }
                Operation::Remove => {
                    objects.remove(write.key.as_str())?;
                }
            }
            last = last.max(write.revision);
        }
        transaction.open_table(META)?.insert(REVISION, last)?;
    }
    transaction.commit()?;
    Ok(last)
}
