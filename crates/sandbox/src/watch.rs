//! The stream of a watch: events of the store as lines of JSON.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use tokio::time::Instant;
use yaml::{Map, Value};

use crate::core::Core;
use crate::negotiate::{Media, Shape};
use crate::registry::Resource;
use crate::selector::Selector;
use crate::status_error::ApiError;
use crate::store::{Cursor, Event, EventKind, Stored};
use crate::{codec, render, table};

/// Events that are read from the store at once: bounds the memory of one watcher.
const BATCH: usize = 256;
/// How often a quiet watch tells its position to who asked for bookmarks.
const BOOKMARK_PERIOD: Duration = Duration::from_secs(60);

/// What a watch sends.
pub(crate) struct WatchPlan {
    pub(crate) resource: Arc<Resource>,
    pub(crate) shape: Shape,
    pub(crate) meta_version: &'static str,
    pub(crate) media: Media,
    /// What the rows of a table carry.
    pub(crate) include: table::Include,
    pub(crate) selector: Selector,
    pub(crate) namespace: Option<String>,
    pub(crate) initial: Option<Initial>,
    /// Where to go on, or the asked and the oldest revision when that is gone.
    pub(crate) cursor: Result<Cursor, (u64, u64)>,
    pub(crate) bookmarks: bool,
    pub(crate) timeout: Duration,
}

/// The state that a watch starts with.
pub(crate) struct Initial {
    pub(crate) objects: Vec<Arc<Stored>>,
    pub(crate) revision: u64,
    /// A bookmark tells that all of it was sent.
    pub(crate) marks_end: bool,
}

struct Watcher {
    core: Arc<Core>,
    plan: WatchPlan,
    ready: VecDeque<Bytes>,
    deadline: Instant,
    next_bookmark: Instant,
    rows_sent: bool,
    done: bool,
}

/// The lines of a watch. It ends at its deadline, when its events are gone, or its resource.
pub(crate) fn stream(core: Arc<Core>, mut plan: WatchPlan) -> impl Stream<Item = Bytes> + Send {
    let now = Instant::now();
    let initial = plan.initial.take();
    let mut watcher = Watcher {
        core,
        ready: VecDeque::new(),
        deadline: now + plan.timeout,
        next_bookmark: now + BOOKMARK_PERIOD,
        rows_sent: false,
        done: false,
        plan,
    };
    if let Some(initial) = initial {
        watcher.queue_initial(&initial);
    }
    futures::stream::unfold(watcher, |mut watcher| async move {
        let line = watcher.next().await?;
        Some((line, watcher))
    })
}

impl Watcher {
    fn queue_initial(&mut self, initial: &Initial) {
        for stored in &initial.objects {
            if self.plan.selector.matches(stored) {
                let line = self.line("ADDED", stored);
                self.ready.push_back(line);
            }
        }
        if initial.marks_end {
            let line = self.bookmark(initial.revision, true);
            self.ready.push_back(line);
        }
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(line);
            }
            if self.done {
                return None;
            }
            self.fill().await;
        }
    }

    /// Queues lines, or ends the watch.
    async fn fill(&mut self) {
        let mut cursor = match &self.plan.cursor {
            Ok(cursor) => cursor.clone(),
            Err((asked, oldest)) => {
                let line = expired(self.plan.media, *asked, *oldest);
                self.ready.push_back(line);
                self.done = true;
                return;
            }
        };
        let Some(mut waker) = self.core.store.waker(&cursor) else {
            self.done = true;
            return;
        };
        match self.core.store.next(&mut cursor, BATCH) {
            Ok(Some(batch)) if !batch.events.is_empty() => {
                for event in &batch.events {
                    self.queue_event(event);
                }
                self.plan.cursor = Ok(cursor);
            }
            Ok(Some(batch)) => {
                let wake = self.deadline.min(self.bookmark_time());
                let stopping = self.core.stopping.clone();
                tokio::select! {
                    () = stopping.cancelled() => self.done = true,
                    changed = waker.changed() => self.done = changed.is_err(),
                    () = tokio::time::sleep_until(wake) => self.on_time(batch.revision),
                }
            }
            Ok(None) => self.done = true,
            Err(compacted) => {
                let line = expired(self.plan.media, 0, compacted.oldest);
                self.ready.push_back(line);
                self.done = true;
            }
        }
    }

    fn bookmark_time(&self) -> Instant {
        if self.plan.bookmarks {
            self.next_bookmark
        } else {
            self.deadline
        }
    }

    fn on_time(&mut self, revision: u64) {
        let now = Instant::now();
        self.done = now >= self.deadline;
        if self.plan.bookmarks && (self.done || now >= self.next_bookmark) {
            self.next_bookmark = now + BOOKMARK_PERIOD;
            let line = self.bookmark(revision, false);
            self.ready.push_back(line);
        }
    }

    /// What an event is to this watcher depends on which of both states it selects.
    fn queue_event(&mut self, event: &Event) {
        if let Some(namespace) = &self.plan.namespace
            && event.object.namespace != namespace.as_str()
        {
            return;
        }
        let selector = &self.plan.selector;
        let was = event
            .previous
            .as_ref()
            .is_some_and(|previous| selector.matches(previous));
        let is = event.kind == EventKind::Put && selector.matches(&event.object);
        let line = match (was, is) {
            (false, false) => return,
            (false, true) => self.line("ADDED", &event.object),
            (true, true) => self.line("MODIFIED", &event.object),
            (true, false) if event.kind == EventKind::Removed => {
                self.line("DELETED", &event.object)
            }
            (true, false) => {
                let Some(previous) = &event.previous else {
                    return;
                };
                let left = Arc::new(previous.at_revision(event.object.revision));
                self.line("DELETED", &left)
            }
        };
        self.ready.push_back(line);
    }

    fn line(&mut self, kind: &str, stored: &Arc<Stored>) -> Bytes {
        let mut object = Vec::with_capacity(stored.json.len() + 128);
        match self.plan.shape {
            Shape::Object => render::push_object(&mut object, &self.plan.resource, stored),
            Shape::Partial | Shape::PartialList => {
                object.extend_from_slice(&codec::to_vec(&render::partial(
                    stored,
                    self.plan.meta_version,
                )));
            }
            Shape::Table => {
                let columns = if self.rows_sent {
                    table::Columns::Known
                } else {
                    table::Columns::Defined
                };
                self.rows_sent = true;
                let rows = table::Rows {
                    include: self.plan.include,
                    meta_version: self.plan.meta_version,
                    columns,
                    now: jiff::Timestamp::now(),
                };
                object.extend_from_slice(&table::event(&self.plan.resource, rows, stored));
            }
        }
        event(self.plan.media, kind, &object)
    }

    fn bookmark(&self, revision: u64, ends_initial: bool) -> Bytes {
        let mut metadata = Map::from([("resourceVersion", revision.to_string().into())]);
        if ends_initial {
            metadata.insert(
                "annotations",
                Map::from([("k8s.io/initial-events-end", "true".into())]),
            );
        }
        let (api_version, kind) = match self.plan.shape {
            Shape::Object => (
                self.plan.resource.api_version(),
                self.plan.resource.kind.to_string(),
            ),
            Shape::Partial | Shape::PartialList => (
                self.plan.meta_version.to_owned(),
                "PartialObjectMetadata".to_owned(),
            ),
            Shape::Table => (self.plan.meta_version.to_owned(), "Table".to_owned()),
        };
        let mut object = match self.plan.shape {
            Shape::Object => zero(&self.plan.resource),
            Shape::Partial | Shape::PartialList | Shape::Table => Map::new(),
        };
        object.insert("apiVersion", api_version);
        object.insert("kind", kind);
        object.insert("metadata", metadata);
        let object = Value::Map(object);
        event(self.plan.media, "BOOKMARK", &codec::to_vec(&object))
    }
}

/// What bookmarks of built-in kinds hold besides their metadata: the zero values of the Go types,
/// recorded from a real server.
const ZEROS: &str = include_str!("../data/bookmarks.jsonl");

/// The zero value of a resource's objects.
fn zero(resource: &Resource) -> Map {
    static TABLE: OnceLock<HashMap<[String; 3], Map>> = OnceLock::new();
    if resource.custom.is_some() {
        return Map::new();
    }
    let table = TABLE.get_or_init(|| {
        let entry = |line: &str| {
            let entry = codec::parse(line.as_bytes()).ok()?;
            let text = |key| Some(entry.get(key)?.as_str()?.to_owned());
            let place = [text("group")?, text("version")?, text("plural")?];
            Some((place, entry.get("object")?.as_map()?.clone()))
        };
        ZEROS.lines().filter_map(entry).collect()
    });
    let place = [&resource.group, &resource.version, &resource.plural];
    let place = place.map(ToString::to_string);
    table.get(&place).cloned().unwrap_or_default()
}

/// One event in the stream: a line of JSON, or a message with its length.
fn event(media: Media, kind: &str, object: &[u8]) -> Bytes {
    if media == Media::Protobuf
        && let Ok(value) = codec::parse(object)
        && let Some(frame) = protobuf::frame(kind, &value)
    {
        return frame.into();
    }
    let mut out = Vec::with_capacity(object.len() + 32);
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",\"object\":");
    out.extend_from_slice(object);
    out.extend_from_slice(b"}\n");
    out.into()
}

fn expired(media: Media, asked: u64, oldest: u64) -> Bytes {
    let error = ApiError::expired(format!("too old resource version: {asked} ({oldest})"));
    event(media, "ERROR", &codec::to_vec(&error.status()))
}
