//! GET of `pods/NAME/log`: what a container printed, and what it prints from now on.

use bytes::Bytes;
use futures::{Stream, StreamExt};
use jiff::Timestamp;
use life::{Asked, Wanted};
use yaml::Value;

use crate::core::{Call, Core};
use crate::meta;
use crate::reply::Reply;
use crate::request::{Query, whole_number};
use crate::status_error::{About, ApiError, quoted};
use kinds::FieldError;

use super::read::find;

/// A log that is followed.
pub(crate) struct LogPlan {
    pod_uid: String,
    container: String,
    wanted: Wanted,
}

/// Answers with the log of one container.
pub(super) fn read(call: &Call<'_>) -> Result<Reply, ApiError> {
    let query = &call.request.query;
    let wanted = wanted(call, query)?;
    let pod = find(call)?.value();
    let container = container(&pod, query.get("container"))?;
    if text(&pod, &["spec", "nodeName"]).is_empty() {
        return Ok(Reply::typed(204, "text/plain", ""));
    }
    let asked = which_run(&pod, &container, query.flag("previous"))?;
    let pod_uid = meta::uid(&pod).to_owned();
    if query.flag("follow") && asked == Asked::Last {
        return Ok(Reply::log(LogPlan {
            pod_uid,
            container,
            wanted,
        }));
    }
    let text = (call.core.logs).text(&pod_uid, &container, asked, &wanted);
    Ok(Reply::typed(200, "text/plain", text))
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

/// What a client wants of a log (`PodLogOptions`).
fn wanted(call: &Call<'_>, query: &Query) -> Result<Wanted, ApiError> {
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
    Ok(Wanted {
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
        Some(_) if has_ended_before => Ok(Asked::Last),
        Some(waiting) => {
            let why = match text(waiting, &["reason"]) {
                "ErrImagePull" => "image can't be pulled",
                "ImagePullBackOff" => "trying and failing to pull image",
                reason => reason,
            };
            refused(format!("container {about} is waiting to start: {why}"))
        }
        None if previous => Ok(Asked::Previous),
        None => Ok(Asked::Last),
    }
}

/// What a container printed and prints, until its run or the server ends.
pub(crate) fn stream(core: &Core, plan: LogPlan) -> impl Stream<Item = Bytes> + Send + use<> {
    let lines = core.logs.follow(plan.pod_uid, plan.container, plan.wanted);
    lines.take_until(core.stopping.clone().cancelled_owned())
}
