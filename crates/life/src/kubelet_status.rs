//! The status that a kubelet writes: phase, conditions, containers, addresses.

use std::time::Duration;

use jiff::Timestamp;
use manifest::Object;
use yaml::{Map, Value};

use super::control::Context;
use super::fate::{Fate, fate, ready_after};
use super::fields::{generation, items, map, text};
use super::kind::Kind;
use super::kubelet::{Doing, State};
use super::pod;
use super::time::{later, stamp};

/// A pod at one time.
pub(crate) struct Moment<'a> {
    /// The cluster and the time.
    pub(crate) context: &'a Context<'a>,
    /// The pod.
    pub(crate) pod: &'a Object,
    /// When its containers started.
    pub(crate) started: Timestamp,
    /// How long ago that was.
    pub(crate) elapsed: Duration,
    /// What each container does.
    pub(crate) states: &'a [State],
}

/// The whole status, and how long after the start it changes by itself.
pub(crate) fn report(moment: &Moment<'_>) -> (Map, Option<Duration>) {
    let Moment { pod, context, .. } = *moment;
    let fate = fate(pod);
    let ready_at = ready_after(pod);
    let ready_now = fate == Fate::Runs && moment.elapsed >= ready_at;
    let mut changes = moment.states.iter().filter_map(|(_, _, next)| *next).min();
    if fate == Fate::Runs && !ready_now {
        changes = Some(changes.map_or(ready_at, |other| other.min(ready_at)));
    }
    let phase = phase(moment, fate);
    let containers: Vec<Value> = items(pod.value(), &["spec", "containers"])
        .iter()
        .zip(moment.states)
        .map(|(container, state)| container_status(moment, container, state, ready_now))
        .collect();
    let all_ready = phase == "Running"
        && containers
            .iter()
            .all(|status| super::fields::flag(status, &["ready"]));
    let status = pod.value().get("status").and_then(Value::as_map);
    let mut report = status.cloned().unwrap_or_default();
    report.insert("phase", phase);
    report.insert("observedGeneration", generation(pod));
    report.entry_or_insert("startTime", stamp(moment.started));
    addresses(context, pod, &mut report);
    report.insert("conditions", conditions(moment, phase, all_ready));
    let initial = init_statuses(moment);
    if !initial.is_empty() {
        report.insert("initContainerStatuses", initial);
    }
    report.insert("containerStatuses", containers);
    (report, changes)
}

fn phase(moment: &Moment<'_>, fate: Fate) -> &'static str {
    if matches!(fate, Fate::ImagePull | Fate::Pending) {
        return "Pending";
    }
    let mut failed = false;
    for (doing, ..) in moment.states {
        match doing {
            Doing::Ended(code, _) => failed |= *code != 0,
            Doing::Running(_) | Doing::BackingOff(..) => return "Running",
        }
    }
    if fate == Fate::Crash || moment.states.is_empty() {
        "Running"
    } else if failed {
        "Failed"
    } else {
        "Succeeded"
    }
}

fn addresses(context: &Context<'_>, pod: &Object, report: &mut Map) {
    let node = context.world.find(Kind::NODE, "", pod::node(pod));
    let host = node
        .map(|node| items(node.value(), &["status", "addresses"]))
        .unwrap_or_default()
        .iter()
        .find(|address| text(address, &["type"]) == "InternalIP")
        .map(|address| text(address, &["address"]).to_owned());
    if let Some(host) = &host {
        report.insert("hostIP", host.as_str());
        report.insert("hostIPs", vec![map([("ip", host.as_str().into())])]);
    }
    if !report.contains_key("podIP") {
        let on_host = super::fields::flag(pod.value(), &["spec", "hostNetwork"]);
        let own = context.address.to_string();
        let address = host.filter(|_| on_host).unwrap_or(own);
        report.insert("podIPs", vec![map([("ip", address.as_str().into())])]);
        report.insert("podIP", address);
    }
}

/// The conditions that a kubelet owns, in its order, then the others as they are.
fn conditions(moment: &Moment<'_>, phase: &str, all_ready: bool) -> Vec<Value> {
    let known = items(moment.pod.value(), &["status", "conditions"]);
    let names: Vec<&str> = items(moment.pod.value(), &["spec", "containers"])
        .iter()
        .map(|container| text(container, &["name"]))
        .collect();
    let ended = matches!(phase, "Succeeded" | "Failed");
    let unready = format!("containers with unready status: [{}]", names.join(" "));
    let condition = |kind: &str, holds: bool| {
        let word = if holds { "True" } else { "False" };
        let since = known
            .iter()
            .find(|known| text(known, &["type"]) == kind && text(known, &["status"]) == word)
            .and_then(|known| known.get("lastTransitionTime").cloned());
        let mut condition = Map::from([
            ("type", kind.into()),
            ("status", word.into()),
            ("lastProbeTime", Value::Null),
            (
                "lastTransitionTime",
                since.unwrap_or_else(|| stamp(moment.context.now)),
            ),
        ]);
        if ended && kind != "PodReadyToStartContainers" && kind != "PodScheduled" {
            let reason = if phase == "Failed" && kind != "Initialized" {
                "PodFailed"
            } else {
                "PodCompleted"
            };
            condition.insert("reason", reason);
        } else if !holds && kind != "PodReadyToStartContainers" {
            condition.insert("reason", "ContainersNotReady");
            condition.insert("message", unready.as_str());
        }
        Value::Map(condition)
    };
    let mut list = vec![
        condition("PodReadyToStartContainers", !ended),
        condition("Initialized", true),
        condition("Ready", all_ready),
        condition("ContainersReady", all_ready),
        condition("PodScheduled", true),
    ];
    let others: Vec<Value> = known
        .iter()
        .filter(|known| {
            !list
                .iter()
                .any(|own| text(own, &["type"]) == text(known, &["type"]))
        })
        .cloned()
        .collect();
    list.extend(others);
    list
}

fn container_status(
    moment: &Moment<'_>,
    container: &Value,
    state: &State,
    ready_now: bool,
) -> Value {
    let name = text(container, &["name"]);
    let image = text(container, &["image"]);
    let known = items(moment.pod.value(), &["status", "containerStatuses"])
        .iter()
        .find(|known| text(known, &["name"]) == name);
    let (now, last, restarts, running) = match fate(moment.pod) {
        Fate::ImagePull => {
            let message = format!("Back-off pulling image \"{image}\"");
            (
                waiting("ImagePullBackOff", message),
                Map::new().into(),
                0,
                false,
            )
        }
        Fate::Crash => {
            let message = "back-off 40s restarting failed container".to_owned();
            let last = terminated(1, stamp(moment.started), stamp(moment.started));
            (waiting("CrashLoopBackOff", message), last, 3, false)
        }
        _ => state_of(moment, state),
    };
    // Times in a state that has not changed stay what they were.
    let kind =
        |state: &Value| -> Option<String> { Some(state.as_map()?.keys().next()?.to_string()) };
    let same = known.filter(|known| {
        known.get("state").and_then(kind) == kind(&now)
            && super::fields::int(known, &["restartCount"]) == Some(restarts)
    });
    let old = |field: &str| same.and_then(|known| known.get(field).cloned());
    map([
        ("name", name.into()),
        ("image", image.into()),
        (
            "imageID",
            if running {
                image
            } else {
                text(known.unwrap_or(&Value::Null), &["imageID"])
            }
            .into(),
        ),
        (
            "containerID",
            format!("sandbox://{}/{name}", moment.pod.uid()).into(),
        ),
        ("ready", (running && ready_now).into()),
        ("started", running.into()),
        ("restartCount", restarts.into()),
        ("state", old("state").unwrap_or(now)),
        ("lastState", old("lastState").unwrap_or(last)),
    ])
}

/// The state, the last state, the restarts, and whether the container runs.
fn state_of(moment: &Moment<'_>, state: &State) -> (Value, Value, i64, bool) {
    let at = |after: Duration| stamp(later(moment.started, after));
    let (doing, restarts, _) = *state;
    let none = Value::Map(Map::new());
    match doing {
        Doing::Running(since) => {
            let now = map([("running", map([("startedAt", at(since))]))]);
            (now, none, restarts, true)
        }
        Doing::Ended(code, end) => (
            terminated(code, stamp(moment.started), at(end)),
            none,
            restarts,
            false,
        ),
        Doing::BackingOff(code, end, backoff) => {
            let pod = moment.pod;
            let message = format!(
                "back-off {}s restarting failed container pod={}_{}({})",
                backoff.as_secs(),
                pod.name(),
                pod.namespace(),
                pod.uid(),
            );
            let last = terminated(code, stamp(moment.started), at(end));
            (waiting("CrashLoopBackOff", message), last, restarts, false)
        }
    }
}

fn waiting(reason: &str, message: String) -> Value {
    map([(
        "waiting",
        map([("reason", reason.into()), ("message", message.into())]),
    )])
}

fn terminated(code: i64, started: Value, finished: Value) -> Value {
    let reason = if code == 0 { "Completed" } else { "Error" };
    let state = map([
        ("exitCode", code.into()),
        ("reason", reason.into()),
        ("startedAt", started),
        ("finishedAt", finished),
    ]);
    map([("terminated", state)])
}

/// Init containers have done their work; those that restart always are sidecars and run.
fn init_statuses(moment: &Moment<'_>) -> Vec<Value> {
    let known = items(moment.pod.value(), &["status", "initContainerStatuses"]);
    let time = stamp(moment.started);
    items(moment.pod.value(), &["spec", "initContainers"])
        .iter()
        .map(|container| {
            let name = text(container, &["name"]);
            let sidecar = text(container, &["restartPolicy"]) == "Always";
            let old = known.iter().find(|known| text(known, &["name"]) == name);
            if let Some(old) = old.filter(|_| moment.elapsed > Duration::ZERO) {
                return old.clone();
            }
            let state = if sidecar {
                map([("running", map([("startedAt", time.clone())]))])
            } else {
                terminated(0, time.clone(), time.clone())
            };
            map([
                ("name", name.into()),
                ("image", text(container, &["image"]).into()),
                ("imageID", text(container, &["image"]).into()),
                ("ready", true.into()),
                ("started", sidecar.into()),
                ("restartCount", 0.into()),
                ("state", state),
                ("lastState", Value::Map(Map::new())),
            ])
        })
        .collect()
}
