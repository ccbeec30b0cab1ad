//! The status that a kubelet writes: phase, conditions, containers, addresses.

use std::time::Duration;

use jiff::Timestamp;
use manifest::Object;
use yaml::{Map, Value};

use super::control::Context;
use super::course::{Course, Doing, Run, State};
use super::fate::{Fate, fate, ready_after};
use super::fields::{flag, generation, int, items, map, text};
use super::kind::Kind;
use super::pod;
use super::time::{go_seconds, later, stamp};

/// A pod at one time.
pub(crate) struct Moment<'a> {
    /// The cluster and the time.
    pub(crate) context: &'a Context<'a>,
    /// The pod.
    pub(crate) pod: &'a Object,
    /// When the kubelet took it.
    pub(crate) started: Timestamp,
    /// How long ago that was.
    pub(crate) elapsed: Duration,
    /// What each container does.
    pub(crate) course: &'a Course,
}

/// The whole status, and how long after the start it changes by itself.
pub(crate) fn report(moment: &Moment<'_>) -> (Map, Option<Duration>) {
    let Moment { pod, course, .. } = *moment;
    let fate = fate(pod);
    let ready_at = course
        .initialized
        .map(|from| from.saturating_add(ready_after(pod)))
        .filter(|_| fate == Fate::Runs);
    let is_ready = ready_at.is_some_and(|at| moment.elapsed >= at);
    let readiness = ready_at.filter(|_| !is_ready);
    let changes = course.changes().into_iter().chain(readiness).min();
    let phase = phase(moment, fate);
    let status = pod.value().get("status").and_then(Value::as_map);
    let mut report = status.cloned().unwrap_or_default();
    report.insert("phase", phase);
    report.insert("observedGeneration", generation(pod));
    report.entry_or_insert("startTime", stamp(moment.started));
    addresses(moment.context, pod, &mut report);
    for (list, states) in [
        (INITIAL, &course.initial),
        (MAIN, &course.main),
        (EPHEMERAL, &course.ephemeral),
    ] {
        let containers = items(pod.value(), &["spec", list.spec]).iter().zip(states);
        let statuses: Vec<Value> = containers
            .map(|(container, state)| container_status(moment, list, container, (state, is_ready)))
            .collect();
        if !statuses.is_empty() {
            report.insert(list.status, statuses);
        }
    }
    report.insert("conditions", conditions(moment, phase, &report));
    (report, changes)
}

/// One of the lists of containers: where it is in the spec and in the status.
#[derive(Clone, Copy, PartialEq, Eq)]
struct List {
    spec: &'static str,
    status: &'static str,
}

const INITIAL: List = List {
    spec: "initContainers",
    status: "initContainerStatuses",
};
const MAIN: List = List {
    spec: "containers",
    status: "containerStatuses",
};
const EPHEMERAL: List = List {
    spec: "ephemeralContainers",
    status: "ephemeralContainerStatuses",
};

fn phase(moment: &Moment<'_>, fate: Fate) -> &'static str {
    if matches!(fate, Fate::ImagePull | Fate::Pending) {
        return "Pending";
    }
    if moment.course.initialized.is_none() {
        let failed = |state: &State| matches!(state.doing, Doing::Ended(code, _) if code != 0);
        let has_failed = moment.course.initial.iter().any(failed);
        return if has_failed { "Failed" } else { "Pending" };
    }
    let mut failed = false;
    for state in &moment.course.main {
        match state.doing {
            Doing::Ended(code, _) => failed |= code != 0,
            Doing::Waiting | Doing::Running | Doing::BackingOff(..) => return "Running",
        }
    }
    if moment.course.main.is_empty() {
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
        let on_host = flag(pod.value(), &["spec", "hostNetwork"]);
        let own = context.address.to_string();
        let address = host.filter(|_| on_host).unwrap_or(own);
        report.insert("podIPs", vec![map([("ip", address.as_str().into())])]);
        report.insert("podIP", address);
    }
}

/// Whether something holds, and if not (or for an ended pod) why.
struct Finding {
    holds: bool,
    reason: &'static str,
    message: String,
}

impl Finding {
    const HOLDS: Finding = Finding::of(true, "");

    const fn of(holds: bool, reason: &'static str) -> Self {
        Finding {
            holds,
            reason,
            message: String::new(),
        }
    }

    fn fails(reason: &'static str, message: String) -> Self {
        Finding {
            holds: false,
            reason,
            message,
        }
    }
}

/// The conditions that a kubelet owns, in its order, then the others as they are
/// (`status/generate.go`).
fn conditions(moment: &Moment<'_>, phase: &str, report: &Map) -> Vec<Value> {
    let known = items(moment.pod.value(), &["status", "conditions"]);
    let ended = matches!(phase, "Succeeded" | "Failed");
    let ready = containers_ready(moment, phase, report);
    let condition = |kind: &str, finding: &Finding| {
        let word = if finding.holds { "True" } else { "False" };
        let since = known
            .iter()
            .find(|known| text(known, &["type"]) == kind && text(known, &["status"]) == word)
            .and_then(|known| known.get("lastTransitionTime").cloned());
        let mut condition = Map::from([
            ("type", kind.into()),
            ("status", word.into()),
            ("observedGeneration", generation(moment.pod).into()),
            ("lastProbeTime", Value::Null),
            (
                "lastTransitionTime",
                since.unwrap_or_else(|| stamp(moment.context.now)),
            ),
        ]);
        if !finding.reason.is_empty() {
            condition.insert("reason", finding.reason);
        }
        if !finding.message.is_empty() {
            condition.insert("message", finding.message.as_str());
        }
        Value::Map(condition)
    };
    let gates = gates(moment.pod, known);
    let mut list = vec![
        condition("PodReadyToStartContainers", &Finding::of(!ended, "")),
        condition("Initialized", &initialized(moment, phase)),
        condition(
            "Ready",
            gates.as_ref().filter(|_| ready.holds).unwrap_or(&ready),
        ),
        condition("ContainersReady", &ready),
        condition("PodScheduled", &Finding::HOLDS),
    ];
    let is_own = |known: &Value| {
        list.iter()
            .any(|own| text(own, &["type"]) == text(known, &["type"]))
    };
    let others: Vec<Value> = known.iter().filter(|it| !is_own(it)).cloned().collect();
    list.extend(others);
    list
}

fn initialized(moment: &Moment<'_>, phase: &str) -> Finding {
    if phase == "Succeeded" {
        return Finding::of(true, "PodCompleted");
    }
    if moment.course.initialized.is_some() {
        return Finding::HOLDS;
    }
    let containers = items(moment.pod.value(), &["spec", INITIAL.spec]).iter();
    let incomplete: Vec<&str> = containers
        .zip(&moment.course.initial)
        .filter(|(container, state)| match state.doing {
            Doing::Running => text(container, &["restartPolicy"]) != "Always",
            Doing::Ended(code, _) => code != 0,
            Doing::Waiting | Doing::BackingOff(..) => true,
        })
        .map(|(container, _)| text(container, &["name"]))
        .collect();
    let message = format!(
        "containers with incomplete status: [{}]",
        incomplete.join(" ")
    );
    Finding::fails("ContainersNotInitialized", message)
}

fn containers_ready(moment: &Moment<'_>, phase: &str, report: &Map) -> Finding {
    match phase {
        "Succeeded" => return Finding::of(false, "PodCompleted"),
        "Failed" => return Finding::of(false, "PodFailed"),
        _ => {}
    }
    let initial = items(moment.pod.value(), &["spec", INITIAL.spec]);
    let is_sidecar = |name: &str| {
        initial.iter().any(|container| {
            text(container, &["name"]) == name && text(container, &["restartPolicy"]) == "Always"
        })
    };
    let statuses = |list: List| {
        report
            .get(list.status)
            .and_then(Value::as_list)
            .unwrap_or_default()
    };
    let unready: Vec<&str> = statuses(INITIAL)
        .iter()
        .filter(|status| is_sidecar(text(status, &["name"])))
        .chain(statuses(MAIN))
        .filter(|status| !flag(status, &["ready"]))
        .map(|status| text(status, &["name"]))
        .collect();
    if unready.is_empty() {
        return Finding::HOLDS;
    }
    let message = format!("containers with unready status: [{}]", unready.join(" "));
    Finding::fails("ContainersNotReady", message)
}

/// What keeps a pod unready though its containers are ready: conditions that others set.
fn gates(pod: &Object, known: &[Value]) -> Option<Finding> {
    let missing: Vec<String> = items(pod.value(), &["spec", "readinessGates"])
        .iter()
        .map(|gate| text(gate, &["conditionType"]))
        .filter_map(|kind| {
            let status = known.iter().find(|known| text(known, &["type"]) == kind);
            match status.map(|known| text(known, &["status"])) {
                Some("True") => None,
                None => Some(format!(
                    "corresponding condition of pod readiness gate \"{kind}\" does not exist."
                )),
                Some(other) => Some(format!(
                    "the status of pod readiness gate \"{kind}\" is not \"True\", but {other}"
                )),
            }
        })
        .collect();
    let fails = || Finding::fails("ReadinessGatesNotReady", missing.join(", "));
    (!missing.is_empty()).then(fails)
}

/// What one container's status says; `is_ready` is about containers that run.
fn container_status(
    moment: &Moment<'_>,
    list: List,
    container: &Value,
    (state, is_ready): (&State, bool),
) -> Value {
    let name = text(container, &["name"]);
    let image = text(container, &["image"]);
    let known = items(moment.pod.value(), &["status", list.status])
        .iter()
        .find(|known| text(known, &["name"]) == name);
    let shown = match fate(moment.pod) {
        Fate::ImagePull if list == MAIN => Shown::unpulled(image),
        Fate::Crash if list == MAIN => Shown::crashed(moment),
        _ => Shown::of(moment, container, state),
    };
    let is_sidecar = text(container, &["restartPolicy"]) == "Always";
    let ready = if list == INITIAL && !is_sidecar {
        matches!(state.doing, Doing::Ended(0, _))
    } else {
        shown.runs && (is_ready || list == INITIAL)
    };
    // Times in a state that has not changed stay what they were.
    let kind =
        |state: &Value| -> Option<String> { Some(state.as_map()?.keys().next()?.to_string()) };
    let same = known.filter(|known| {
        known.get("state").and_then(kind) == kind(&shown.state)
            && int(known, &["restartCount"]) == Some(shown.restarts)
    });
    let old = |field: &str| same.and_then(|known| known.get(field).cloned());
    let was_started = shown.runs || (list != MAIN && state.doing != Doing::Waiting);
    map([
        ("name", name.into()),
        ("image", image.into()),
        (
            "imageID",
            match was_started {
                true => image,
                false => text(known.unwrap_or(&Value::Null), &["imageID"]),
            }
            .into(),
        ),
        (
            "containerID",
            format!("sandbox://{}/{name}", moment.pod.uid()).into(),
        ),
        ("ready", ready.into()),
        ("started", shown.runs.into()),
        ("restartCount", shown.restarts.into()),
        ("state", old("state").unwrap_or(shown.state)),
        ("lastState", old("lastState").unwrap_or(shown.last)),
    ])
}

/// What a container's status says of its runs.
struct Shown {
    state: Value,
    last: Value,
    restarts: i64,
    runs: bool,
}

impl Shown {
    fn waiting(reason: &str, message: String) -> Self {
        let mut waiting = Map::from([("reason", reason.into())]);
        if !message.is_empty() {
            waiting.insert("message", message);
        }
        Shown {
            state: map([("waiting", waiting.into())]),
            last: Value::Map(Map::new()),
            restarts: 0,
            runs: false,
        }
    }

    fn unpulled(image: &str) -> Self {
        let message = format!("Back-off pulling image \"{image}\"");
        Shown::waiting("ImagePullBackOff", message)
    }

    /// One that the annotation lets crash over and over.
    fn crashed(moment: &Moment<'_>) -> Self {
        let message = "back-off 40s restarting failed container".to_owned();
        let run = Run {
            code: 1,
            begun: Duration::ZERO,
            end: Duration::ZERO,
        };
        Shown {
            last: terminated(moment, run),
            restarts: 3,
            ..Shown::waiting("CrashLoopBackOff", message)
        }
    }

    fn of(moment: &Moment<'_>, container: &Value, state: &State) -> Self {
        let before = state.before.map(|run| terminated(moment, run));
        let run = |code, end| Run {
            code,
            begun: state.begun,
            end,
        };
        let shown = Shown {
            restarts: state.restarts,
            last: before.unwrap_or_else(|| Value::Map(Map::new())),
            ..Shown::waiting("PodInitializing", String::new())
        };
        match state.doing {
            Doing::Waiting => shown,
            Doing::Running => {
                let since = stamp(later(moment.started, state.begun));
                Shown {
                    state: map([("running", map([("startedAt", since)]))]),
                    runs: true,
                    ..shown
                }
            }
            Doing::Ended(code, end) => Shown {
                state: terminated(moment, run(code, end)),
                ..shown
            },
            Doing::BackingOff(code, end, backoff) => {
                let pod = moment.pod;
                let message = format!(
                    "back-off {} restarting failed container={} pod={}_{}({})",
                    go_seconds(backoff),
                    text(container, &["name"]),
                    pod.name(),
                    pod.namespace(),
                    pod.uid(),
                );
                Shown {
                    last: terminated(moment, run(code, end)),
                    restarts: state.restarts,
                    ..Shown::waiting("CrashLoopBackOff", message)
                }
            }
        }
    }
}

fn terminated(moment: &Moment<'_>, run: Run) -> Value {
    let at = |after: Duration| stamp(later(moment.started, after));
    let reason = if run.code == 0 { "Completed" } else { "Error" };
    let state = map([
        ("exitCode", run.code.into()),
        ("reason", reason.into()),
        ("startedAt", at(run.begun)),
        ("finishedAt", at(run.end)),
    ]);
    map([("terminated", state)])
}
