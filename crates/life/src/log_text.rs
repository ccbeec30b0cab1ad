//! Logs as text: cut as a client wants, whole or followed until their run ends.

use bytes::Bytes;
use futures::Stream;
use tokio::sync::watch;
use yaml::Value;

use super::fields::text;
use super::logs::{Asked, Line, Logs, Wanted};

const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// Why there is no log, in the words of the real programs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoLog(String);

impl Logs {
    /// The container of a pod that is meant: one that is there, or the only one.
    ///
    /// # Errors
    /// None or several are meant, or one that is not there.
    pub fn container(pod: &Value, asked: &str) -> Result<String, NoLog> {
        let names = |key: &'static str| {
            let list = pod.at(&["spec", key]).and_then(Value::as_list);
            list.unwrap_or_default()
                .iter()
                .map(|container| text(container, &["name"]))
        };
        let all: Vec<&str> = CONTAINERS.into_iter().flat_map(names).collect();
        let pod = text(pod, &["metadata", "name"]);
        if all.contains(&asked) {
            return Ok(asked.to_owned());
        }
        if !asked.is_empty() {
            let why = format!("container {asked} is not valid for pod {pod}");
            return Err(NoLog(why));
        }
        let mut main = names("containers");
        match (main.next(), main.next()) {
            (Some(only), None) => Ok(only.to_owned()),
            _ => Err(NoLog(format!(
                "a container name must be specified for pod {pod}, choose one of: [{}]",
                all.join(" ")
            ))),
        }
    }

    /// The run of a container that is meant, by what the pod's status says.
    ///
    /// # Errors
    /// There is no such run, as a kubelet says it.
    pub fn run(pod: &Value, container: &str, asked: Asked) -> Result<Asked, NoLog> {
        const STATUSES: [&str; 3] = [
            "containerStatuses",
            "initContainerStatuses",
            "ephemeralContainerStatuses",
        ];
        let name = text(pod, &["metadata", "name"]);
        let about = format!("{container:?} in pod {name:?}");
        let refused = |why: String| Err(NoLog(why));
        let status = STATUSES.into_iter().find_map(|key| {
            let list = pod.at(&["status", key])?.as_list()?;
            list.iter()
                .find(|known| text(known, &["name"]) == container)
        });
        let Some(status) = status else {
            return refused(format!("container {about} is not available"));
        };
        let has_ended_before = status.at(&["lastState", "terminated"]).is_some();
        let waiting = status.at(&["state", "waiting"]);
        if asked == Asked::Previous && !has_ended_before {
            return refused(format!("previous terminated container {about} not found"));
        }
        match waiting {
            // The last run is the one that has ended.
            Some(_) if has_ended_before => Ok(Asked::Last),
            Some(waiting) => {
                let why = match text(waiting, &["reason"]) {
                    "ErrImagePull" => "image can't be pulled",
                    "ImagePullBackOff" => "trying and failing to pull image",
                    reason => reason,
                };
                refused(format!("container {about} is waiting to start: {why}"))
            }
            None if asked == Asked::Previous => Ok(Asked::Previous),
            None => Ok(Asked::Last),
        }
    }
}

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
