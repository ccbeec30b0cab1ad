//! The row of a pod: what its containers do, told in one word.
//!
//! The rules are those of kube-apiserver's printer (`pkg/printers/internalversion`). Read [`pod()`]
//! first.

use jiff::Timestamp;
use yaml::Value;

use crate::age::time_since;
use crate::of::{NONE, Of};

pub(crate) fn pod(of: &Of<'_>, age: Value, now: Timestamp) -> Vec<Value> {
    let told = Told::of(of);
    let restarts = match told.restarts.last {
        "" => told.restarts.count.to_string(),
        _ if told.restarts.count == 0 => "0".to_owned(),
        last => format!("{} ({} ago)", told.restarts.count, time_since(last, now)),
    };
    vec![
        format!("{}/{}", told.ready, told.total).into(),
        told.reason.into(),
        restarts.into(),
        age,
        of.or("status.podIP", NONE).into(),
        of.or("spec.nodeName", NONE).into(),
        of.or("status.nominatedNodeName", NONE).into(),
        gates(of).into(),
    ]
}

/// How many readiness gates are open.
fn gates(of: &Of<'_>) -> String {
    let gates = of.list("spec.readinessGates");
    if gates.is_empty() {
        return NONE.to_owned();
    }
    let open = gates
        .iter()
        .filter(|gate| is_true(of, Of(gate).text("conditionType")));
    format!("{}/{}", open.count(), gates.len())
}

/// Whether the first condition of a type is true.
fn is_true(of: &Of<'_>, kind: &str) -> bool {
    let mut conditions = of.list("status.conditions").iter().map(Of);
    conditions
        .find(|condition| condition.text("type") == kind)
        .is_some_and(|condition| condition.text("status") == "True")
}

/// Restarts of some containers, and when the last of them ended.
#[derive(Clone, Copy, Default)]
struct Restarts<'a> {
    count: i64,
    last: &'a str,
}

impl<'a> Restarts<'a> {
    fn add(&mut self, status: &Of<'a>) {
        self.count += status.number("restartCount");
        // Times of one form and zone have the order of their texts.
        self.last = self
            .last
            .max(status.text("lastState.terminated.finishedAt"));
    }
}

/// What the containers of a pod tell.
struct Told<'a> {
    ready: usize,
    total: usize,
    reason: String,
    restarts: Restarts<'a>,
}

impl<'a> Told<'a> {
    fn of(of: &Of<'a>) -> Self {
        let sidecars = of
            .list("spec.initContainers")
            .iter()
            .filter(|one| is_sidecar(&Of(one)));
        let mut told = Told {
            ready: 0,
            total: of.list("spec.containers").len() + sidecars.count(),
            reason: of.or("status.reason", of.text("status.phase")).to_owned(),
            restarts: Restarts::default(),
        };
        let is_gated = |condition: Of<'_>| {
            condition.text("type") == "PodScheduled"
                && condition.text("reason") == "SchedulingGated"
        };
        if of.list("status.conditions").iter().map(Of).any(is_gated) {
            "SchedulingGated".clone_into(&mut told.reason);
        }
        let is_initializing = told.initialize(of);
        if !is_initializing || is_true(of, "Initialized") {
            told.run(of);
        }
        if !of.text("metadata.deletionTimestamp").is_empty() {
            if of.text("status.reason") == "NodeLost" {
                "Unknown".clone_into(&mut told.reason);
            } else if !matches!(of.text("status.phase"), "Succeeded" | "Failed") {
                "Terminating".clone_into(&mut told.reason);
            }
        }
        told
    }

    /// Looks at the init containers up to the first that holds the pod back; tells whether one does.
    fn initialize(&mut self, of: &Of<'a>) -> bool {
        let specs = of.list("spec.initContainers");
        let is_known_sidecar = |name: &str| {
            let mut specs = specs.iter().map(Of);
            specs.any(|spec| spec.text("name") == name && is_sidecar(&spec))
        };
        let mut all = Restarts::default();
        for (index, status) in of.list("status.initContainerStatuses").iter().enumerate() {
            let status = Of(status);
            let is_sidecar = is_known_sidecar(status.text("name"));
            all.add(&status);
            if is_sidecar {
                self.restarts.add(&status);
            }
            let ended = status.at("state.terminated").is_some();
            if ended && status.number("state.terminated.exitCode") == 0 {
                continue;
            }
            if is_sidecar && is_set(&status, "started") {
                self.ready += usize::from(is_set(&status, "ready"));
                continue;
            }
            let why = match ended_for(&status) {
                Some(why) => why,
                None => match status.text("state.waiting.reason") {
                    "" | "PodInitializing" => format!("{index}/{}", specs.len()),
                    why => why.to_owned(),
                },
            };
            self.reason = format!("Init:{why}");
            if !is_true(of, "Initialized") {
                self.restarts = all;
            }
            return true;
        }
        false
    }

    /// Looks at the containers, from the last to the first.
    fn run(&mut self, of: &Of<'a>) {
        let mut has_running = false;
        for status in of.list("status.containerStatuses").iter().rev() {
            let status = Of(status);
            self.restarts.add(&status);
            let waits = status.text("state.waiting.reason");
            if !waits.is_empty() {
                waits.clone_into(&mut self.reason);
            } else if let Some(why) = ended_for(&status) {
                self.reason = why;
            } else if is_set(&status, "ready") && status.at("state.running").is_some() {
                has_running = true;
                self.ready += 1;
            }
        }
        if self.reason == "Completed" && has_running {
            let is_ready = is_true(of, "Ready");
            let reason = if is_ready { "Running" } else { "NotReady" };
            reason.clone_into(&mut self.reason);
        }
    }
}

/// Why a container ended: its reason, else its signal or exit code.
fn ended_for(status: &Of<'_>) -> Option<String> {
    let ended = Of(status.at("state.terminated")?);
    Some(match (ended.text("reason"), ended.number("signal")) {
        ("", 0) => format!("ExitCode:{}", ended.number("exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    })
}

fn is_sidecar(container: &Of<'_>) -> bool {
    container.text("restartPolicy") == "Always"
}

fn is_set(of: &Of<'_>, path: &str) -> bool {
    of.at(path).and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cells for readiness, status, restarts and gates.
    fn check(pod: &str, want: [&str; 4]) {
        let value = yaml::json::parse(pod.as_bytes()).expect("is JSON");
        let cells = super::pod(&Of(&value), Value::Null, Timestamp::UNIX_EPOCH);
        let text = |at: usize| cells[at].as_str().unwrap_or_default().to_owned();
        assert_eq!([text(0), text(1), text(2), text(7)], want, "{pod}");
    }

    #[test]
    fn the_first_init_container_that_is_not_done_speaks_for_the_pod() {
        let pod = |status: &str| {
            format!(
                r#"{{"spec":{{"containers":[{{"name":"c"}}],"initContainers":[{{"name":"i"}},
                {{"name":"s","restartPolicy":"Always"}}]}},
                "status":{{"phase":"Pending","initContainerStatuses":[{status}]}}}}"#
            )
        };
        check(&pod(""), ["0/2", "Pending", "0", "<none>"]);
        check(
            &pod(r#"{"name":"i","restartCount":2,"state":{"terminated":{"exitCode":3}}}"#),
            ["0/2", "Init:ExitCode:3", "2", "<none>"],
        );
        check(
            &pod(r#"{"name":"i","state":{"terminated":{"exitCode":0}}},
                {"name":"s","started":true,"ready":true,"state":{"running":{}}}"#),
            ["1/2", "Pending", "0", "<none>"],
        );
    }

    #[test]
    fn a_pod_that_runs_beside_completed_containers_is_ready_or_not() {
        let pod = |ready: &str| {
            format!(
                r#"{{"spec":{{"containers":[{{"name":"a"}},{{"name":"b"}}],
                "readinessGates":[{{"conditionType":"g"}}]}},"status":{{"phase":"Running",
                "conditions":[{{"type":"Ready","status":"{ready}"}},{{"type":"g","status":"True"}}],
                "containerStatuses":[{{"name":"a","ready":true,"state":{{"running":{{}}}}}},
                {{"name":"b","restartCount":1,"state":{{"terminated":{{"reason":"Completed"}}}}}}]}}}}"#
            )
        };
        check(&pod("True"), ["1/2", "Running", "1", "1/1"]);
        check(&pod("False"), ["1/2", "NotReady", "1", "1/1"]);
    }
}
