//! Logs as text: cut as a client wants, whole or followed until their run ends.

use bytes::Bytes;
use futures::Stream;
use tokio::sync::watch;

use super::logs::{Asked, Line, Logs, Wanted};

impl Logs {
    /// What a run of a container of the pod with that uid has printed.
    #[must_use]
    pub fn text(&self, pod_uid: &str, container: &str, asked: Asked, wanted: &Wanted) -> Vec<u8> {
        let printed = self.read(pod_uid, container, asked, 0);
        let mut writer = Writer::of(wanted);
        writer.write(&wanted.of(printed.lines))
    }

    /// What the last run of a container printed and prints; ends with the run, and when as much was
    /// told as is wanted.
    pub fn follow(
        &self,
        pod_uid: String,
        container: String,
        wanted: Wanted,
    ) -> impl Stream<Item = Bytes> + Send + use<> {
        let follower = Follower {
            changes: self.changes(),
            logs: self.clone(),
            pod_uid,
            container,
            writer: Writer::of(&wanted),
            wanted,
            position: None,
        };
        futures::stream::unfold(follower, |mut follower| async move {
            let bytes = follower.next().await?;
            Some((bytes, follower))
        })
    }
}

impl Wanted {
    /// The lines that are wanted of those that are there.
    fn of(&self, mut lines: Vec<Line>) -> Vec<Line> {
        if let Some(wanted) = self.tail_lines {
            lines.drain(..lines.len().saturating_sub(wanted));
        }
        if let Some(since) = self.since {
            lines.retain(|line| line.time >= since);
        }
        lines
    }
}

/// Writes lines until as much was written as is wanted.
struct Writer {
    timestamps: bool,
    left: usize,
}

impl Writer {
    fn of(wanted: &Wanted) -> Self {
        Writer {
            timestamps: wanted.timestamps,
            left: wanted.limit_bytes.unwrap_or(usize::MAX),
        }
    }

    fn write(&mut self, lines: &[Line]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in lines {
            if self.timestamps {
                let time = line.time.strftime("%Y-%m-%dT%H:%M:%S.%9fZ ").to_string();
                bytes.extend_from_slice(time.as_bytes());
            }
            bytes.extend_from_slice(line.text.as_bytes());
        }
        bytes.truncate(self.left);
        self.left -= bytes.len();
        bytes
    }
}

/// A followed log on its way to a client.
struct Follower {
    logs: Logs,
    pod_uid: String,
    container: String,
    wanted: Wanted,
    writer: Writer,
    changes: watch::Receiver<u64>,
    /// The run, and how many of its lines were looked at.
    position: Option<(i64, usize)>,
}

impl Follower {
    async fn next(&mut self) -> Option<Bytes> {
        while self.writer.left > 0 {
            // Before the look: what comes after it is a change.
            self.changes.mark_unchanged();
            let n_seen = self.position.map_or(0, |(_, n_seen)| n_seen);
            let (pod, container) = (&self.pod_uid, &self.container);
            let printed = self.logs.read(pod, container, Asked::Last, n_seen);
            if self.position.is_some_and(|(run, _)| run != printed.run) {
                return None;
            }
            let lines = match self.position {
                None => self.wanted.of(printed.lines),
                Some(_) => printed.lines,
            };
            self.position = Some((printed.run, printed.n_lines));
            if !lines.is_empty() {
                return Some(self.writer.write(&lines).into());
            }
            if !printed.is_open {
                return None;
            }
            self.changes.changed().await.ok()?;
        }
        None
    }
}
