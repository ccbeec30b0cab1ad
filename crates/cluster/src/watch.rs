//! A list that stays true: list, then watch, then list again when the position is lost.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use kube::client::Body;
use manifest::Object;
use yaml::Value;

use crate::client::Reader;
use crate::{Class, Client, Error, Listing, Resource};

/// How long the server keeps a watch open, in seconds. client-go asks for 5 to 10 minutes; the
/// spread is taken from the resource's name, so that a hundred watches do not end together.
const WATCH_SECONDS: u64 = 300;

/// How much longer than asked a silent watch is trusted.
const SILENCE: Duration = Duration::from_secs(WATCH_SECONDS * 2 + 30);

/// The first and the longest wait after an error.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// The longest event: an object may have 1.5 MiB in etcd, in JSON somewhat more.
const EVENT_LIMIT: usize = 16 * 1024 * 1024;

/// What became known about a resource.
#[derive(Debug)]
pub enum WatchEvent {
    /// All objects as of now; what is not among them is gone.
    Listed(Listing),
    /// An object was made or changed.
    Applied(Object),
    /// An object is gone; this is its last state.
    Deleted(Object),
    /// The server could not be asked. The watcher goes on by itself after a while.
    Failed(Error),
}

enum State {
    /// Nothing is known.
    Empty,
    /// Everything up to the resource version is known.
    Known { resource_version: String },
    /// Events arrive after the resource version.
    Watching {
        resource_version: String,
        stream: Lines,
    },
}

/// Watches all objects of one resource, in one namespace or everywhere.
pub struct Watcher {
    client: Client,
    resource: Arc<Resource>,
    namespace: String,
    state: State,
    backoff: Duration,
    failed: bool,
}

impl Watcher {
    /// Starts with nothing known; an empty `namespace` means all of them.
    #[must_use]
    pub fn new(client: Client, resource: Arc<Resource>, namespace: &str) -> Self {
        Watcher {
            client,
            resource,
            namespace: namespace.to_owned(),
            state: State::Empty,
            backoff: BACKOFF.0,
            failed: false,
        }
    }

    /// The next thing that became known. Waits before it asks again after a failure.
    pub async fn next(&mut self) -> WatchEvent {
        if std::mem::take(&mut self.failed) {
            tokio::time::sleep(self.backoff).await;
            self.backoff = (self.backoff * 2).min(BACKOFF.1);
        }
        loop {
            match std::mem::replace(&mut self.state, State::Empty) {
                State::Empty => return self.list().await,
                State::Known { resource_version } => {
                    if let Some(failed) = self.open(resource_version).await {
                        return failed;
                    }
                }
                State::Watching {
                    resource_version,
                    stream,
                } => {
                    if let Some(event) = self.event(resource_version, stream).await {
                        return event;
                    }
                }
            }
        }
    }

    fn fail(&mut self, error: Error) -> WatchEvent {
        self.failed = true;
        WatchEvent::Failed(error)
    }

    async fn list(&mut self) -> WatchEvent {
        match self.client.list(&self.resource, &self.namespace).await {
            Ok(listing) => {
                self.backoff = BACKOFF.0;
                self.state = State::Known {
                    resource_version: listing.resource_version.clone(),
                };
                WatchEvent::Listed(listing)
            }
            Err(error) => self.fail(error),
        }
    }

    async fn open(&mut self, resource_version: String) -> Option<WatchEvent> {
        let spread = self.resource.plural.bytes().map(u64::from).sum::<u64>() % WATCH_SECONDS;
        let path = format!(
            "{}?watch=true&allowWatchBookmarks=true&resourceVersion={resource_version}&timeoutSeconds={}",
            self.resource.collection_path(&self.namespace),
            WATCH_SECONDS + spread
        );
        match self.client.watch(&path).await {
            Ok(response) => {
                let stream = Lines::new(response.into_body(), self.client.reader.clone());
                self.state = State::Watching {
                    resource_version,
                    stream,
                };
                None
            }
            Err(error) if error.class() == Class::Gone => None, // list again
            Err(error) => {
                self.state = State::Known { resource_version };
                Some(self.fail(error))
            }
        }
    }

    /// Takes one event from the stream; `None` when there is nothing to tell.
    async fn event(&mut self, known: String, mut stream: Lines) -> Option<WatchEvent> {
        let event = match stream.next().await {
            Ok(Some(event)) => event,
            Ok(None) => {
                self.state = State::Known {
                    resource_version: known,
                };
                return None;
            }
            Err(problem) => {
                self.state = State::Known {
                    resource_version: known,
                };
                let what = format!("watch {}", self.resource.collection_path(&self.namespace));
                return Some(self.fail(Error::Answer { what, problem }));
            }
        };
        let (kind, object) = take_event(event);
        if kind == "ERROR" {
            let code = object
                .get("code")
                .and_then(Value::as_i64)
                .unwrap_or_default();
            let error = Error::from_status(u16::try_from(code).unwrap_or_default(), &object);
            return match error.class() {
                Class::Gone => None, // the state is Empty: list again
                _ => Some(self.fail(error)),
            };
        }
        let version = object
            .at(&["metadata", "resourceVersion"])
            .and_then(Value::as_str);
        let resource_version = version.map_or(known, str::to_owned);
        self.state = State::Watching {
            resource_version,
            stream,
        };
        self.backoff = BACKOFF.0;
        let object = self.resource.stamp(object).ok()?;
        match kind.as_str() {
            "ADDED" | "MODIFIED" => Some(WatchEvent::Applied(object)),
            "DELETED" => Some(WatchEvent::Deleted(object)),
            _ => None, // a bookmark
        }
    }
}

fn take_event(event: Value) -> (String, Value) {
    let Value::Map(mut event) = event else {
        return (String::new(), Value::Null);
    };
    let kind = event
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    (kind, event.remove("object").unwrap_or_default())
}

/// The JSON documents of a body, one a line.
struct Lines {
    body: Body,
    reader: Reader,
    buffer: BytesMut,
    searched: usize,
}

impl Lines {
    fn new(body: Body, reader: Reader) -> Self {
        Lines {
            body,
            reader,
            buffer: BytesMut::new(),
            searched: 0,
        }
    }

    async fn next(&mut self) -> Result<Option<Value>, String> {
        loop {
            let fresh = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(end) = fresh.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.searched + end);
                self.buffer.advance(1);
                self.searched = 0;
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                let value = self.reader.parse(&line);
                return value.map(Some).map_err(|error| error.to_string());
            }
            self.searched = self.buffer.len();
            if self.searched > EVENT_LIMIT {
                return Err(format!("an event of more than {EVENT_LIMIT} bytes"));
            }
            match tokio::time::timeout(SILENCE, self.body.frame()).await {
                Err(_) => return Err("silence".to_owned()),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(error.to_string()),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
            }
        }
    }
}
