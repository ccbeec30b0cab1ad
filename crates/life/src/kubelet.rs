//! The kubelet of the simulated nodes: pods come up, do what their plans say, and go.

use std::time::Duration;

use manifest::Object;

use super::control::Context;
use super::fate::{Fate, Plan, fate, plans};
use super::fields::{int, items, text};
use super::kind::Kind;
use super::kubelet_status::{Moment, report};
use super::pod;
use super::time::later;
use super::world::{Change, Ref, World};
use super::write::{Deletion, Outcome, Write, delete, status};

/// The wait before a container is started again doubles from the first to the second.
const FIRST_BACKOFF: Duration = Duration::from_secs(10);
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

/// Pods that have a node.
pub(crate) fn affected(_world: &World, change: &Change, keys: &mut Vec<Ref>) {
    if change.target.kind == Kind::POD
        && change
            .new
            .as_ref()
            .is_some_and(|pod| !pod::node(pod).is_empty())
    {
        keys.push(change.target.clone());
    }
}

/// Moves a pod on, or ends it.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    let Some(pod) = context.world.get(target) else {
        return Outcome::nothing();
    };
    let node = pod::node(pod);
    let ours = context.settings.nodes.contains(node);
    if pod.is_terminating() {
        // Nobody else would end the pods of a node that is no more.
        let abandoned = context.world.find(Kind::NODE, "", node).is_none();
        let over = int(pod.value(), &["metadata", "deletionGracePeriodSeconds"]) == Some(0);
        let end = (ours || abandoned) && !over;
        return Outcome::from(Vec::from_iter(
            end.then(|| delete(Kind::POD, pod, Deletion::Now)),
        ));
    }
    if ours {
        advance(context, pod)
    } else {
        Outcome::nothing()
    }
}

/// What one container is doing at some time after the start of its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// It runs, since then.
    Running(Duration),
    /// It has ended with that code, and stays so.
    Ended(i64, Duration),
    /// It has ended with that code and will be started again.
    BackingOff(i64, Duration, Duration),
}

/// What a container is doing, how often it was restarted, and when that changes.
pub(crate) type State = (Doing, i64, Option<Duration>);

/// Follows a plan through its restarts. Restarts are bounded by the time that has passed.
pub(crate) fn follow(plan: &Plan, restart: &str, elapsed: Duration) -> State {
    let Plan::Ends { code, after, .. } = plan else {
        return (Doing::Running(Duration::ZERO), 0, None);
    };
    let again = restart == "Always" || (restart == "OnFailure" && *code != 0);
    let mut start = Duration::ZERO;
    let mut backoff = FIRST_BACKOFF;
    let mut restarts = 0;
    loop {
        let end = start.saturating_add(*after);
        if elapsed < end {
            return (Doing::Running(start), restarts, Some(end));
        }
        if !again {
            return (Doing::Ended(*code, end), restarts, None);
        }
        let next = end.saturating_add(backoff);
        if elapsed < next {
            return (Doing::BackingOff(*code, end, backoff), restarts, Some(next));
        }
        start = next;
        restarts += 1;
        backoff = (backoff * 2).min(LONGEST_BACKOFF);
    }
}

/// Writes the status that the pod has now, and asks to be called when that changes.
pub(crate) fn advance(context: &Context<'_>, pod: &Object) -> Outcome {
    if pod::is_finished(pod) || fate(pod) == Fate::Pending {
        return Outcome::nothing();
    }
    let since = context.world.running_since(pod.uid());
    let started = since.unwrap_or(context.now);
    let elapsed = Duration::try_from(context.now.duration_since(started)).unwrap_or_default();
    let restart = text(pod.value(), &["spec", "restartPolicy"]);
    let plans = plans(pod);
    let states: Vec<State> = plans
        .iter()
        .map(|plan| follow(plan, restart, elapsed))
        .collect();
    // A pod is first seen running: what waits for it must not miss that.
    let fresh = since.is_none();
    let states = if fresh {
        plans.iter().map(begin).collect()
    } else {
        states
    };
    let moment = Moment {
        context,
        pod,
        started,
        elapsed,
        states: &states,
    };
    let (report, changes) = report(&moment);
    let mut outcome = Outcome::nothing();
    if let Some(write) = status(Kind::POD, pod, report) {
        if !fresh {
            outcome.writes.extend(output(pod, &plans, &states));
        }
        outcome.push(write);
    }
    // A pod that just started comes back here as soon as it was seen running.
    if !fresh {
        outcome.again_at(changes.map(|after| later(started, after)));
    }
    outcome
}

fn begin(plan: &Plan) -> State {
    match plan {
        Plan::Forever => (Doing::Running(Duration::ZERO), 0, None),
        Plan::Ends { after, .. } => (Doing::Running(Duration::ZERO), 0, Some(*after)),
    }
}

/// What containers print when they end for the first time.
fn output(pod: &Object, plans: &[Plan], states: &[State]) -> Vec<Write> {
    let known = items(pod.value(), &["status", "containerStatuses"]);
    let containers = items(pod.value(), &["spec", "containers"]);
    containers
        .iter()
        .zip(plans.iter().zip(states))
        .filter_map(|(container, (plan, (doing, ..)))| {
            let name = text(container, &["name"]);
            let was_running = known.iter().any(|status| {
                text(status, &["name"]) == name && status.at(&["state", "running"]).is_some()
            });
            let ended = !matches!(doing, Doing::Running(_));
            match plan {
                Plan::Ends { output, .. } if ended && was_running && !output.is_empty() => {
                    Some(Write::Log {
                        pod_uid: pod.uid().into(),
                        container: name.into(),
                        text: output.clone(),
                    })
                }
                _ => None,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(restart: &str, code: i64, seconds: u64, want: (Doing, i64, Option<u64>)) {
        let plan = Plan::Ends {
            code,
            after: Duration::from_secs(2),
            output: String::new(),
        };
        let got = follow(&plan, restart, Duration::from_secs(seconds));
        assert_eq!(
            got,
            (want.0, want.1, want.2.map(Duration::from_secs)),
            "{restart} {seconds}"
        );
    }

    #[test]
    fn containers_are_restarted_with_growing_waits() {
        let seconds = Duration::from_secs;
        check("Never", 1, 1, (Doing::Running(seconds(0)), 0, Some(2)));
        check("Never", 1, 99, (Doing::Ended(1, seconds(2)), 0, None));
        check("OnFailure", 0, 99, (Doing::Ended(0, seconds(2)), 0, None));
        check(
            "OnFailure",
            1,
            5,
            (Doing::BackingOff(1, seconds(2), seconds(10)), 0, Some(12)),
        );
        check("Always", 0, 13, (Doing::Running(seconds(12)), 1, Some(14)));
        check(
            "Always",
            0,
            20,
            (Doing::BackingOff(0, seconds(14), seconds(20)), 1, Some(34)),
        );
        assert_eq!(
            follow(&Plan::Forever, "Always", seconds(9)),
            (Doing::Running(seconds(0)), 0, None)
        );
    }
}
