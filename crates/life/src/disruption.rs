//! PodDisruptionBudgets: how many pods may go.

use manifest::Object;
use yaml::{Map, Value};

use super::control::Context;
use super::fields::{Rounding, controller_uid, generation, int, items, labels, map, scaled, text};
use super::kind::Kind;
use super::pod;
use super::selector::{go_print, selects};
use super::time::stamp;
use super::world::{Change, Ref, World};
use super::write::{Note, Outcome, Write, status};

const COMPONENT: &str = "controllermanager";

/// Budgets that changed and those that select a pod that changed.
pub(crate) fn affected(world: &World, change: &Change, keys: &mut Vec<Ref>) {
    let target = &change.target;
    match target.kind {
        Kind::DISRUPTION_BUDGET => keys.push(target.clone()),
        Kind::POD => keys.extend(
            world
                .list(Kind::DISRUPTION_BUDGET, &target.namespace)
                .filter(|budget| change.states().any(|pod| covers(budget, pod)))
                .map(|budget| Ref::of(Kind::DISRUPTION_BUDGET, budget)),
        ),
        Kind::DEPLOYMENT
        | Kind::REPLICA_SET
        | Kind::STATEFUL_SET
        | Kind::REPLICATION_CONTROLLER => keys.extend(
            world
                .list(Kind::DISRUPTION_BUDGET, &target.namespace)
                .map(|budget| Ref::of(Kind::DISRUPTION_BUDGET, budget)),
        ),
        _ => {}
    }
}

fn covers(budget: &Object, pod: &Object) -> bool {
    selects(budget.value().at(&["spec", "selector"]), labels(pod))
}

/// Writes the status of one budget.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    let Some(budget) = context.world.get(target) else {
        return Outcome::nothing();
    };
    let pods: Vec<&Object> = context
        .world
        .list(Kind::POD, budget.namespace())
        .filter(|pod| covers(budget, pod))
        .collect();
    let present = pods.iter().filter(|pod| !pod::is_finished(pod)).count();
    let present = i64::try_from(present).unwrap_or(i64::MAX);
    let healthy = pods
        .iter()
        .filter(|pod| pod::is_ready(pod) && !pod.is_terminating())
        .count();
    let healthy = i64::try_from(healthy).unwrap_or(i64::MAX);
    let spec = |field: &str| budget.value().at(&["spec", field]);
    let (expected, desired) = if let Some(most) = spec("maxUnavailable") {
        let expected = wanted(context, &pods);
        let most = scaled(Some(most), expected, Rounding::Up).unwrap_or(0);
        (expected, (expected - most).max(0))
    } else if let Some(Value::Int(least)) = spec("minAvailable") {
        (present, *least)
    } else {
        let expected = wanted(context, &pods);
        (
            expected,
            scaled(spec("minAvailable"), expected, Rounding::Up).unwrap_or(0),
        )
    };
    let allowed = if expected > 0 {
        (healthy - desired).max(0)
    } else {
        0
    };
    let mut report = Map::from([
        ("observedGeneration", generation(budget).into()),
        ("currentHealthy", healthy.into()),
        ("desiredHealthy", desired.into()),
        ("disruptionsAllowed", allowed.into()),
        ("expectedPods", expected.into()),
        (
            "conditions",
            vec![condition(context, budget, allowed > 0)].into(),
        ),
    ]);
    if let Some(disrupted) = budget.value().at(&["status", "disruptedPods"]) {
        report.insert("disruptedPods", disrupted.clone());
    }
    let mut outcome = Outcome::nothing();
    // What was said already is not said again each time somebody looks.
    if let Some(write) = status(Kind::DISRUPTION_BUDGET, budget, report) {
        outcome.writes.extend(note(budget, &pods).map(Write::Note));
        outcome.push(write);
    }
    outcome
}

/// What is odd about the selected pods.
fn note(budget: &Object, pods: &[&Object]) -> Option<Note> {
    if pods.is_empty() {
        let message = "No matching pods found".to_owned();
        return Some(Note::normal(budget, COMPONENT, "NoPods", message));
    }
    let counts_pods = matches!(
        budget.value().at(&["spec", "minAvailable"]),
        Some(Value::Int(_))
    );
    let unmanaged = pods.iter().any(|pod| controller_uid(pod).is_empty());
    let selector = budget.value().at(&["spec", "selector"]);
    (unmanaged && !counts_pods).then(|| {
        let message = format!(
            "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. \
             As a result, the status of the PDB cannot be calculated correctly, which may result in \
             undefined behavior. To account for these pods please set \".spec.minAvailable\" field \
             of the PDB to an integer value.",
            go_print(selector.unwrap_or(&Value::Null)),
        );
        Note::warning(budget, COMPONENT, "UnmanagedPods", message)
    })
}

fn condition(context: &Context<'_>, budget: &Object, allowed: bool) -> Value {
    let (holds, reason) = if allowed {
        ("True", "SufficientPods")
    } else {
        ("False", "InsufficientPods")
    };
    let since = items(budget.value(), &["status", "conditions"])
        .iter()
        .find(|known| {
            text(known, &["type"]) == "DisruptionAllowed" && text(known, &["status"]) == holds
        })
        .and_then(|known| known.get("lastTransitionTime").cloned());
    map([
        ("type", "DisruptionAllowed".into()),
        ("status", holds.into()),
        ("reason", reason.into()),
        ("message", "".into()),
        (
            "lastTransitionTime",
            since.unwrap_or_else(|| stamp(context.now)),
        ),
        ("observedGeneration", generation(budget).into()),
    ])
}

/// The sizes of the workloads that the pods belong to, each once.
fn wanted(context: &Context<'_>, pods: &[&Object]) -> i64 {
    let mut seen = std::collections::BTreeMap::new();
    for pod in pods {
        let Some(mut owner) = context.world.by_uid(controller_uid(pod)) else {
            continue;
        };
        if let Some(set) = context.world.get(owner)
            && let Some(above) = context.world.by_uid(controller_uid(set))
        {
            owner = above;
        }
        let size = context
            .world
            .get(owner)
            .and_then(|owner| int(owner.value(), &["spec", "replicas"]));
        seen.insert(owner, size.unwrap_or(0));
    }
    seen.values().sum()
}
