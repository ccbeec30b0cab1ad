//! The audit log: one line of JSON for each request, as the level `Metadata` of a real server.
//!
//! It tells who did what to which object and how it ended. It never sees bodies, tokens or headers
//! but the program's name, so no secret can get into it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use http::HeaderMap;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use yaml::{Map, Value};

use crate::auth::attributes::Attributes;
use crate::request::{ApiRequest, Route, User};
use crate::{Error, codec};

/// Lines that wait for the disk: when it is slow, requests wait too, and nothing is lost.
const WAITING: usize = 1024;
/// A path or a program's name is cut after this many bytes.
const MAX_TEXT: usize = 4096;

/// One request and its outcome.
pub(crate) struct Entry {
    pub(crate) uri: String,
    pub(crate) agent: String,
    pub(crate) received: Timestamp,
    pub(crate) user: Option<User>,
    pub(crate) action: Attributes,
    /// The version in the path of a resource.
    pub(crate) version: String,
    pub(crate) code: u16,
}

impl Entry {
    /// What is known before it is known who asks.
    pub(crate) fn new(method: &http::Method, uri: &http::Uri, headers: &HeaderMap) -> Self {
        let agent = headers.get(http::header::USER_AGENT);
        let agent = agent.and_then(|value| value.to_str().ok());
        Entry {
            uri: cut(uri.path_and_query().map_or("/", |text| text.as_str())),
            agent: cut(agent.unwrap_or_default()),
            received: Timestamp::UNIX_EPOCH,
            user: None,
            action: Attributes {
                verb: method.as_str().to_lowercase(),
                ..Attributes::default()
            },
            version: String::new(),
            code: 0,
        }
    }

    /// Who asks for what.
    pub(crate) fn name(&mut self, request: &ApiRequest) {
        let route = Route::parse(&request.path);
        self.action = Attributes::of(request, &route);
        self.user = Some(request.user.clone());
        if let Route::Resource(path) = route {
            self.version = path.version;
        }
    }

    fn line(&self, now: Timestamp) -> Vec<u8> {
        let stage = if self.action.verb == "watch" {
            "ResponseStarted"
        } else {
            "ResponseComplete"
        };
        let status = Map::from([
            ("metadata", Map::new().into()),
            ("code", i64::from(self.code).into()),
        ]);
        let mut event = Map::from([
            ("kind", "Event".into()),
            ("apiVersion", "audit.k8s.io/v1".into()),
            ("level", "Metadata".into()),
            ("auditID", uuid::Uuid::new_v4().to_string().into()),
            ("stage", stage.into()),
            ("requestURI", self.uri.as_str().into()),
            ("verb", self.action.verb.as_str().into()),
            (
                "user",
                self.user.as_ref().map_or_else(Map::new, User::info).into(),
            ),
            ("userAgent", self.agent.as_str().into()),
            ("responseStatus", status.into()),
            ("requestReceivedTimestamp", micro(self.received).into()),
            ("stageTimestamp", micro(now).into()),
        ]);
        if self.action.is_resource {
            event.insert("objectRef", self.reference());
        }
        let mut line = codec::to_vec(&Value::Map(event));
        line.push(b'\n');
        line
    }

    fn reference(&self) -> Map {
        let action = &self.action;
        let parts = [
            ("resource", &action.resource),
            ("namespace", &action.namespace),
            ("name", &action.name),
            ("apiGroup", &action.group),
            ("apiVersion", &self.version),
            ("subresource", &action.subresource),
        ];
        let given = parts.into_iter().filter(|(_, text)| !text.is_empty());
        given
            .map(|(key, text)| (key, Value::from(text.as_str())))
            .collect()
    }
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

fn micro(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// The way to the log's file.
pub(crate) struct Audit {
    lines: mpsc::Sender<Option<Vec<u8>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Audit {
    /// Appends to `path`, which only its owner can read when it is made here.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be opened.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|source| Error::File {
            path: path.to_owned(),
            source,
        })?;
        let (lines, waiting) = mpsc::channel(WAITING);
        let writer = tokio::task::spawn_blocking(move || write(file, waiting));
        Ok(Audit {
            lines,
            writer: Mutex::new(Some(writer)),
        })
    }

    /// Writes one line, when there is room for it.
    pub(crate) async fn record(&self, entry: &Entry, now: Timestamp) {
        if self.lines.send(Some(entry.line(now))).await.is_err() {
            tracing::warn!("the audit log has ended");
        }
    }

    /// Writes what waits and closes the file.
    pub(crate) async fn close(&self) {
        let _ended_already = self.lines.send(None).await;
        let writer = {
            let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            writer.take()
        };
        if let Some(writer) = writer
            && writer.await.is_err()
        {
            tracing::warn!("the audit log ended badly");
        }
    }
}

fn write(mut file: File, mut waiting: mpsc::Receiver<Option<Vec<u8>>>) {
    while let Some(Some(line)) = waiting.blocking_recv() {
        if let Err(error) = file.write_all(&line) {
            tracing::error!(%error, "cannot write the audit log");
        }
    }
}
