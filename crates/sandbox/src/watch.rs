//! The stream of a watch: events of the store as lines of JSON.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;
use yaml::{Map, Value};

use crate::core::Core;
use crate::negotiate::{Media, Shape};
use crate::registry::Resource;
use crate::selector::Selector;
use crate::status_error::ApiError;
use crate::{codec, conversion, render, table};
use store::{Cursor, Event, EventKind, Form, Stored};

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
    /// What a quiet watch waits for, kept between events.
    alarms: Option<Alarms>,
}

/// What wakes a watcher.
struct Alarms {
    changed: watch::Receiver<u64>,
    stopping: Pin<Box<WaitForCancellationFutureOwned>>,
    time: Pin<Box<Sleep>>,
}

impl Alarms {
    /// Waits for something to do until `time`. Gives what woke it.
    async fn wait(&mut self, time: Instant) -> Woken {
        if self.time.deadline() != time {
            self.time.as_mut().reset(time);
        }
        tokio::select! {
            changed = self.changed.changed() => match changed {
                Ok(()) => Woken::Changed,
                Err(_gone) => Woken::End,
            },
            () = self.stopping.as_mut() => Woken::End,
            () = self.time.as_mut() => Woken::Time,
        }
    }
}

/// Why a watcher woke.
enum Woken {
    /// There are events.
    Changed,
    Time,
    /// The server stops, or the collection is gone.
    End,
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
        alarms: None,
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
        let batch = match &mut self.plan.cursor {
            Ok(cursor) => self.core.store.next(cursor, BATCH),
            Err((asked, oldest)) => {
                let line = expired(self.plan.media, *asked, *oldest);
                return self.end_with(line);
            }
        };
        match batch {
            Ok(Some(batch)) if !batch.events.is_empty() => {
                for event in &batch.events {
                    let resource = &self.plan.resource;
                    match conversion::event(&self.core.store, resource, event).await {
                        Ok(event) => self.queue_event(&event),
                        Err(why) => {
                            let line = failed(self.plan.media, &ApiError::unclassified(why));
                            return self.end_with(line);
                        }
                    }
                }
            }
            Ok(Some(batch)) => self.wait(batch.revision).await,
            Ok(None) => self.done = true,
            Err(compacted) => {
                let line = expired(self.plan.media, 0, compacted.oldest);
                self.end_with(line);
            }
        }
    }

    fn end_with(&mut self, line: Bytes) {
        self.ready.push_back(line);
        self.done = true;
    }

    /// Waits for what comes after `revision`.
    async fn wait(&mut self, revision: u64) {
        let time = self.deadline.min(self.bookmark_time());
        let Some(alarms) = &mut self.alarms else {
            // What came before it was subscribed is looked for once more.
            self.alarms = self.subscribe(time);
            self.done = self.alarms.is_none();
            return;
        };
        match alarms.wait(time).await {
            Woken::Changed => {}
            Woken::Time => self.on_time(revision),
            Woken::End => self.done = true,
        }
    }

    /// `None` when the collection is gone.
    fn subscribe(&self, time: Instant) -> Option<Alarms> {
        let cursor = self.plan.cursor.as_ref().ok()?;
        Some(Alarms {
            changed: self.core.store.waker(cursor)?,
            stopping: Box::pin(self.core.stopping.clone().cancelled_owned()),
            time: Box::pin(tokio::time::sleep_until(time)),
        })
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
        let kind = match (was, is) {
            (false, false) => return,
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
        };
        let line = match &event.previous {
            // It is still there, but no longer for this watcher: told in its last state.
            Some(previous) if kind == "DELETED" && event.kind == EventKind::Put => {
                let left = Arc::new(previous.at_revision(event.object.revision));
                self.line(kind, &left)
            }
            _ if self.sends_text() => {
                let resource = &self.plan.resource;
                let form = Form {
                    kind,
                    version: &resource.version,
                    group: &resource.group,
                };
                event.text(form, || line_of(kind, resource, &event.object))
            }
            _ => self.line(kind, &event.object),
        };
        self.ready.push_back(line);
    }

    /// Whether an event is the same text for every such watcher.
    fn sends_text(&self) -> bool {
        self.plan.shape == Shape::Object && self.plan.media == Media::Json
    }

    fn line(&mut self, kind: &str, stored: &Arc<Stored>) -> Bytes {
        let object = match self.plan.shape {
            Shape::Object if self.sends_text() => {
                return line_of(kind, &self.plan.resource, stored).into();
            }
            Shape::Object => render::object(&self.plan.resource, stored),
            Shape::Partial | Shape::PartialList => {
                codec::to_vec(&render::partial(stored, self.plan.meta_version))
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
                table::event(&self.plan.resource, rows, stored)
            }
        };
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
    line(kind, object.len(), |out| out.extend_from_slice(object)).into()
}

/// The line that tells of an object.
fn line_of(kind: &str, resource: &Resource, stored: &Stored) -> Vec<u8> {
    let head = resource.group.len() + resource.version.len() + resource.kind.len() + 32;
    line(kind, stored.json.len() + head, |out| {
        render::push_object(out, resource, stored);
    })
}

/// A line with an object of about this size.
fn line(kind: &str, size: usize, push: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(size + 40);
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",\"object\":");
    push(&mut out);
    out.extend_from_slice(b"}\n");
    out
}

fn expired(media: Media, asked: u64, oldest: u64) -> Bytes {
    let why = format!("too old resource version: {asked} ({oldest})");
    failed(media, &ApiError::expired(why))
}

/// The last event of a watch that cannot go on.
fn failed(media: Media, error: &ApiError) -> Bytes {
    event(media, "ERROR", &codec::to_vec(&error.status()))
}
