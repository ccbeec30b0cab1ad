//! GET of `pods/NAME/log`: what a container printed, and what it prints from now on.

use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use jiff::Timestamp;
use life::{Asked, Line, Logs};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use yaml::Value;

use crate::core::{Call, Core};
use crate::meta;
use crate::reply::Reply;
use crate::request::{Query, whole_number};
use crate::status_error::{About, ApiError, quoted};
use kinds::FieldError;

use super::read::find;

/// What a client wants of a log (`PodLogOptions`).
#[derive(Debug)]
struct Options {
    previous: bool,
    timestamps: bool,
    tail_lines: Option<usize>,
    since: Option<Timestamp>,
    limit_bytes: Option<usize>,
}

/// A log that is followed.
pub(crate) struct LogPlan {
    pod_uid: String,
    container: String,
    options: Options,
}

/// Answers with the log of one container.
pub(super) fn read(call: &Call<'_>) -> Result<Reply, ApiError> {
    let query = &call.request.query;
    let options = options(call, query)?;
    let pod = find(call)?.value();
    let container = container(&pod, query.get("container"))?;
    if text(&pod, &["spec", "nodeName"]).is_empty() {
        return Ok(Reply::typed(204, "text/plain", ""));
    }
    let asked = which_run(&pod, &container, options.previous)?;
    let plan = LogPlan {
        pod_uid: meta::uid(&pod).to_owned(),
        container,
        options,
    };
    if query.flag("follow") && asked != Asked::Previous {
        return Ok(Reply::log(plan));
    }
    let printed = call.core.logs.read(&plan.pod_uid, &plan.container, asked);
    let mut writer = Writer::of(&plan.options);
    let lines = plan.options.first(printed.lines);
    let body: Vec<u8> = lines.iter().flat_map(|line| writer.write(line)).collect();
    Ok(Reply::typed(200, "text/plain", body))
}

fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    value.at(path).and_then(Value::as_str).unwrap_or_default()
}

fn number(query: &Query, key: &str) -> Result<Option<i64>, ApiError> {
    query
        .has(key)
        .then(|| whole_number(query.get(key)))
        .transpose()
}

fn options(call: &Call<'_>, query: &Query) -> Result<Options, ApiError> {
    let tail = number(query, "tailLines")?;
    let limit = number(query, "limitBytes")?;
    let seconds = number(query, "sinceSeconds")?;
    let time = query
        .has("sinceTime")
        .then(|| time(query.get("sinceTime")))
        .transpose()?;
    let mut problems = Vec::new();
    let mut require = |key: &str, number: Option<i64>, least: i64, why: &str| {
        if let Some(number) = number.filter(|number| *number < least) {
            problems.push(FieldError::invalid(key, &number.into(), why));
        }
    };
    require("tailLines", tail, 0, "must be greater than or equal to 0");
    require("limitBytes", limit, 1, "must be greater than 0");
    if time.is_none() {
        require("sinceSeconds", seconds, 1, "must be greater than 0");
    } else if seconds.is_some() {
        let why = "at most one of `sinceTime` or `sinceSeconds` may be specified";
        problems.push(FieldError::forbidden("[]", why));
    }
    if query.has("stream") {
        problems.push(FieldError::forbidden("stream", "may not be specified"));
    }
    if !problems.is_empty() {
        let about = About {
            group: "",
            kind: "PodLogOptions",
            name: call.name(),
        };
        return Err(ApiError::invalid(about, &problems));
    }
    let ago = |seconds: i64| {
        let since = call.now.as_second().saturating_sub(seconds);
        Timestamp::from_second(since).unwrap_or(Timestamp::MIN)
    };
    let size = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    Ok(Options {
        previous: query.flag("previous"),
        timestamps: query.flag("timestamps"),
        tail_lines: tail.map(size),
        since: time.or(seconds.map(ago)),
        limit_bytes: limit.map(size),
    })
}

/// A time; an empty one is the beginning of all.
fn time(text: &str) -> Result<Timestamp, ApiError> {
    if matches!(text, "" | "null") {
        return Ok(Timestamp::MIN);
    }
    text.parse().map_err(|_invalid| {
        let text = quoted(text);
        ApiError::bad_request(format!(
            "parsing time {text} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text} as \"2006\""
        ))
    })
}

const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// The container that is meant: one that is there, or the only one.
fn container(pod: &Value, asked: &str) -> Result<String, ApiError> {
    let names = |key: &'static str| {
        let list = pod.at(&["spec", key]).and_then(Value::as_list);
        list.unwrap_or_default()
            .iter()
            .map(|container| text(container, &["name"]))
    };
    let all: Vec<&str> = CONTAINERS.into_iter().flat_map(names).collect();
    let pod = meta::name(pod);
    if all.contains(&asked) {
        return Ok(asked.to_owned());
    }
    if !asked.is_empty() {
        let why = format!("container {asked} is not valid for pod {pod}");
        return Err(ApiError::bad_request(why));
    }
    let mut main = names("containers");
    match (main.next(), main.next()) {
        (Some(only), None) => Ok(only.to_owned()),
        _ => Err(ApiError::bad_request(format!(
            "a container name must be specified for pod {pod}, choose one of: [{}]",
            all.join(" ")
        ))),
    }
}

/// The run that is meant, or why there is none, as a kubelet says it.
fn which_run(pod: &Value, container: &str, previous: bool) -> Result<Asked, ApiError> {
    const STATUSES: [&str; 3] = [
        "containerStatuses",
        "initContainerStatuses",
        "ephemeralContainerStatuses",
    ];
    let about = format!("{} in pod {}", quoted(container), quoted(meta::name(pod)));
    let refused = |why: String| Err(ApiError::bad_request(why));
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
    if previous && !has_ended_before {
        return refused(format!("previous terminated container {about} not found"));
    }
    match waiting {
        // The last run is the one that has ended.
        Some(_) if has_ended_before => Ok(Asked::After(0)),
        Some(waiting) => {
            let why = match text(waiting, &["reason"]) {
                "ErrImagePull" => "image can't be pulled",
                "ImagePullBackOff" => "trying and failing to pull image",
                reason => reason,
            };
            refused(format!("container {about} is waiting to start: {why}"))
        }
        None if previous => Ok(Asked::Previous),
        None => Ok(Asked::After(0)),
    }
}

impl Options {
    /// The lines that are wanted of those that are there.
    fn first(&self, mut lines: Vec<Line>) -> Vec<Line> {
        if let Some(wanted) = self.tail_lines {
            lines.drain(..lines.len().saturating_sub(wanted));
        }
        if let Some(since) = self.since {
            lines.retain(|line| line.time >= since);
        }
        lines
    }
}

/// Writes lines until as much was written as the client wants.
struct Writer {
    timestamps: bool,
    left: usize,
}

impl Writer {
    fn of(options: &Options) -> Self {
        Writer {
            timestamps: options.timestamps,
            left: options.limit_bytes.unwrap_or(usize::MAX),
        }
    }

    fn write(&mut self, line: &Line) -> Vec<u8> {
        let mut text = String::new();
        if self.timestamps {
            text = line.time.strftime("%Y-%m-%dT%H:%M:%S.%9fZ ").to_string();
        }
        text.push_str(&line.text);
        let mut bytes = text.into_bytes();
        bytes.truncate(self.left);
        self.left -= bytes.len();
        bytes
    }
}

/// A followed log on its way to a client.
struct Follower {
    logs: Logs,
    plan: LogPlan,
    writer: Writer,
    changes: watch::Receiver<u64>,
    stopping: CancellationToken,
    /// The run, and how many of its lines were looked at.
    position: Option<(i64, usize)>,
}

/// What a container printed and prints, until its run ends.
pub(crate) fn stream(core: &Arc<Core>, plan: LogPlan) -> impl Stream<Item = Bytes> + Send + use<> {
    let follower = Follower {
        changes: core.logs.changes(),
        logs: core.logs.clone(),
        stopping: core.stopping.clone(),
        writer: Writer::of(&plan.options),
        plan,
        position: None,
    };
    futures::stream::unfold(follower, |mut follower| async move {
        let bytes = follower.next().await?;
        Some((bytes, follower))
    })
}

impl Follower {
    async fn next(&mut self) -> Option<Bytes> {
        while self.writer.left > 0 {
            // Before the look: what comes after it is a change.
            self.changes.mark_unchanged();
            let n_seen = self.position.map_or(0, |(_, n_seen)| n_seen);
            let (pod, container) = (&self.plan.pod_uid, &self.plan.container);
            let printed = self.logs.read(pod, container, Asked::After(n_seen));
            if self.position.is_some_and(|(run, _)| run != printed.run) {
                return None;
            }
            let lines = match self.position {
                None => self.plan.options.first(printed.lines),
                Some(_) => printed.lines,
            };
            self.position = Some((printed.run, printed.n_lines));
            if !lines.is_empty() {
                let writer = &mut self.writer;
                let bytes: Vec<u8> = lines.iter().flat_map(|line| writer.write(line)).collect();
                return Some(bytes.into());
            }
            if !printed.is_open {
                return None;
            }
            tokio::select! {
                changed = self.changes.changed() => changed.ok()?,
                () = self.stopping.cancelled() => return None,
            }
        }
        None
    }
}
