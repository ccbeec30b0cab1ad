//! GET of `pods/NAME/log`: what a container printed, and what it prints from now on.

use bytes::Bytes;
use futures::{Stream, StreamExt};
use jiff::Timestamp;
use life::{Asked, Logs, NoLog, Wanted};
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
    let refused = |why: NoLog| ApiError::bad_request(why.to_string());
    let container = Logs::container(&pod, query.get("container")).map_err(refused)?;
    if text(&pod, &["spec", "nodeName"]).is_empty() {
        return Ok(Reply::typed(204, "text/plain", ""));
    }
    let asked = match query.flag("previous") {
        true => Asked::Previous,
        false => Asked::Last,
    };
    let asked = Logs::run(&pod, &container, asked).map_err(refused)?;
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

/// What a container printed and prints, until its run or the server ends.
pub(crate) fn stream(core: &Core, plan: LogPlan) -> impl Stream<Item = Bytes> + Send + use<> {
    let lines = core.logs.follow(plan.pod_uid, plan.container, plan.wanted);
    lines.take_until(core.stopping.clone().cancelled_owned())
}
