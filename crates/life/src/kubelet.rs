//! The kubelet of the simulated nodes: pods come up, do what their plans say, and go.

use std::time::Duration;

use manifest::Object;
use yaml::Value;

use super::control::Context;
use super::course::{Doing, Reach, State, course};
use super::fate::{Fate, Plan, Plans, fate, plans};
use super::fields::{int, items, text};
use super::kind::Kind;
use super::kubelet_status::{Moment, report};
use super::logs::{Line, Told};
use super::pod;
use super::time::later;
use super::world::{Change, Ref, World};
use super::write::{Deletion, Outcome, Write, delete, status};

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

/// Writes the status that the pod has now, and asks to be called when that changes.
pub(crate) fn advance(context: &Context<'_>, pod: &Object) -> Outcome {
    if pod::is_finished(pod) || fate(pod) == Fate::Pending {
        return Outcome::nothing();
    }
    let since = context.world.started_at(pod.uid());
    let started = since.unwrap_or(context.now);
    let elapsed = Duration::try_from(context.now.duration_since(started)).unwrap_or_default();
    let reach = match since {
        None => Reach::First,
        Some(_) if pod::phase(pod) != "Running" => Reach::Main,
        Some(_) => Reach::Whole,
    };
    let plans = plans(pod);
    let restart = text(pod.value(), &["spec", "restartPolicy"]);
    let moment = Moment {
        context,
        pod,
        started,
        elapsed,
        course: &course(&plans, restart, elapsed, reach),
    };
    let (report, changes) = report(&moment);
    let mut outcome = Outcome::from(printed(&moment, &plans));
    let report = status(Kind::POD, pod, report);
    // A step that was told brings the pod back here, as soon as it was seen.
    if reach == Reach::Whole || report.is_none() {
        outcome.again_at(changes.map(|after| later(started, after)));
    }
    outcome.push(report);
    outcome
}

/// What the last runs of containers have printed so far.
fn printed(moment: &Moment<'_>, plans: &Plans) -> Vec<Write> {
    let initial: Vec<&Plan> = plans.initial.iter().map(|(plan, _)| plan).collect();
    let (main, course) = (plans.main.iter().collect(), moment.course);
    let ephemeral = plans.ephemeral.iter().collect();
    [
        ("initContainers", initial, &course.initial),
        ("containers", main, &course.main),
        ("ephemeralContainers", ephemeral, &course.ephemeral),
    ]
    .into_iter()
    .flat_map(|(key, plans, states): (_, Vec<&Plan>, _)| {
        let containers = items(moment.pod.value(), &["spec", key]);
        let pairs = plans.into_iter().zip(states);
        let of_one = |(container, (plan, state))| log(moment, container, plan, state);
        containers.iter().zip(pairs).filter_map(of_one)
    })
    .collect()
}

fn log(moment: &Moment<'_>, container: &Value, plan: &Plan, state: &State) -> Option<Write> {
    if state.doing == Doing::Waiting {
        return None;
    }
    let lines: Vec<Line> = plan
        .prints
        .iter()
        .map(|(at, text)| (state.begun.saturating_add(*at), text))
        .take_while(|(at, _)| *at <= moment.elapsed)
        .map(|(at, text)| Line {
            time: later(moment.started, at),
            text: text.as_str().into(),
        })
        .collect();
    Some(Write::Log {
        pod_uid: moment.pod.uid().into(),
        container: text(container, &["name"]).into(),
        told: Told {
            run: state.restarts,
            lines,
            has_ended: state.doing != Doing::Running,
        },
    })
}
