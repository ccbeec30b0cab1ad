//! Gives each pod a node, or says why there is none.

use manifest::Object;
use yaml::{Map, Str, Value};

use super::control::Context;
use super::fate::{Fate, fate};
use super::fields::{items, map, text};
use super::kind::Kind;
use super::kubelet::advance;
use super::placement::{Refusal, fits};
use super::pod;
use super::time::stamp;
use super::volume::{has_node, select_node, waits_for_consumer};
use super::world::{Change, Ref, World};
use super::write::{Note, Outcome, Write, status};

const COMPONENT: &str = "default-scheduler";

fn waits(pod: &Object) -> bool {
    pod::node(pod).is_empty()
        && pod::is_active(pod)
        && matches!(
            text(pod.value(), &["spec", "schedulerName"]),
            "" | COMPONENT
        )
        && items(pod.value(), &["spec", "schedulingGates"]).is_empty()
}

/// Pods without a node; all of them when a node changes, those of a namespace when a claim does.
pub(crate) fn affected(world: &World, change: &Change, keys: &mut Vec<Ref>) {
    let waiting = |pods: &mut dyn Iterator<Item = &Object>| {
        pods.filter(|pod| waits(pod))
            .map(|pod| Ref::of(Kind::POD, pod))
            .collect::<Vec<_>>()
    };
    match change.target.kind {
        Kind::POD if change.new.as_ref().is_some_and(waits) => keys.push(change.target.clone()),
        Kind::NODE => keys.extend(waiting(&mut world.all(Kind::POD))),
        Kind::VOLUME_CLAIM => {
            keys.extend(waiting(
                &mut world.list(Kind::POD, &change.target.namespace),
            ));
        }
        _ => {}
    }
}

/// Binds one pod.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    // Without nodes of ours somebody else schedules, or nobody.
    if context.settings.nodes.is_empty() {
        return Outcome::nothing();
    }
    let Some(pod) = context.world.get(target).filter(|pod| waits(pod)) else {
        return Outcome::nothing();
    };
    let claims = || unbound(context, pod);
    if claims().any(has_node) {
        return Outcome::nothing();
    }
    let delayed: Vec<&Object> = claims()
        .filter(|claim| waits_for_consumer(context, claim))
        .collect();
    match choose(context, pod) {
        Ok(node) if !delayed.is_empty() => {
            let select = |claim: &Object| select_node(claim, &node);
            Outcome::from(delayed.into_iter().map(select).collect::<Vec<_>>())
        }
        Ok(node) => bind(context, pod, &node),
        Err(message) => refuse(context, pod, message),
    }
}

fn bind(context: &Context<'_>, pod: &Object, node: &Str) -> Outcome {
    let mut outcome = Outcome::from(vec![Write::Bind {
        pod: Ref::of(Kind::POD, pod),
        uid: pod.uid().into(),
        node: node.clone(),
    }]);
    // The kubelet of a simulated node need not wait to be told.
    if context.settings.nodes.contains(node) {
        let mut bound = pod.clone();
        bound
            .value_mut()
            .map_at_mut(&["spec"])
            .insert("nodeName", node.clone());
        outcome.writes.extend(advance(context, &bound).writes);
    }
    outcome
}

/// The node for a pod.
///
/// # Errors
/// The scheduler's message where no node takes it.
fn choose(context: &Context<'_>, pod: &Object) -> Result<Str, String> {
    let mut nodes: Vec<&Object> = context.world.all(Kind::NODE).collect();
    let total = nodes.len();
    if fate(pod) == Fate::Pending {
        return Err(format!(
            "0/{total} nodes are available: {total} Insufficient cpu."
        ));
    }
    unbound_claim(context, pod).map_or(Ok(()), |reason| {
        Err(format!("0/{total} nodes are available: {reason}."))
    })?;
    let spec = pod.value().get("spec").unwrap_or(&Value::Null);
    let mut refusals = std::collections::BTreeMap::new();
    nodes.retain(|node| match fits(spec, node) {
        Ok(()) => true,
        Err(refusal) => {
            *refusals.entry(refusal).or_insert(0) += 1;
            false
        }
    });
    nodes.sort_by_key(|node| node.name());
    // Spread by uid: as even as counting, and two pods of one batch do not wait for each other.
    let seed = pod.uid().bytes().fold(0usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    if let Some(node) = nodes.get(seed % nodes.len().max(1)) {
        return Ok(node.name().into());
    }
    let reasons: Vec<String> = refusals
        .into_iter()
        .map(|(refusal, count)| match refusal {
            Refusal::Affinity => {
                format!("{count} node(s) didn't match Pod's node affinity/selector")
            }
            Refusal::Taint => format!("{count} node(s) had untolerated taint(s)"),
            Refusal::Unschedulable => format!("{count} node(s) were unschedulable"),
        })
        .collect();
    Err(format!(
        "0/{total} nodes are available: {}.",
        reasons.join(", ")
    ))
}

fn is_unbound(claim: &Object) -> bool {
    text(claim.value(), &["status", "phase"]) != "Bound"
}

/// The claims of a pod that have no volume yet.
fn unbound<'a>(context: &Context<'a>, pod: &Object) -> impl Iterator<Item = &'a Object> {
    items(pod.value(), &["spec", "volumes"])
        .iter()
        .filter_map(|volume| {
            let path = ["persistentVolumeClaim", "claimName"];
            let name = volume.at(&path)?.as_str()?;
            context
                .world
                .find(Kind::VOLUME_CLAIM, pod.namespace(), name)
        })
        .filter(|claim| is_unbound(claim))
}

fn unbound_claim(context: &Context<'_>, pod: &Object) -> Option<String> {
    items(pod.value(), &["spec", "volumes"])
        .iter()
        .find_map(|volume| {
            let name = volume
                .at(&["persistentVolumeClaim", "claimName"])?
                .as_str()?;
            match context
                .world
                .find(Kind::VOLUME_CLAIM, pod.namespace(), name)
            {
                None => Some(format!("persistentvolumeclaim \"{name}\" not found")),
                Some(claim) if is_unbound(claim) && !waits_for_consumer(context, claim) => {
                    Some("pod has unbound immediate PersistentVolumeClaims".to_owned())
                }
                Some(_) => None,
            }
        })
}

fn refuse(context: &Context<'_>, pod: &Object, message: String) -> Outcome {
    let known = pod::condition(pod, "PodScheduled");
    if known.is_some_and(|known| text(known, &["message"]) == message) {
        return Outcome::nothing();
    }
    let since = known
        .filter(|known| text(known, &["status"]) == "False")
        .and_then(|known| known.get("lastTransitionTime").cloned());
    let condition = map([
        ("type", "PodScheduled".into()),
        ("status", "False".into()),
        ("lastProbeTime", Value::Null),
        (
            "lastTransitionTime",
            since.unwrap_or_else(|| stamp(context.now)),
        ),
        ("reason", "Unschedulable".into()),
        ("message", message.as_str().into()),
    ]);
    let mut report = pod
        .value()
        .get("status")
        .and_then(Value::as_map)
        .cloned()
        .unwrap_or_else(Map::new);
    let mut conditions: Vec<Value> = items(pod.value(), &["status", "conditions"])
        .iter()
        .filter(|known| text(known, &["type"]) != "PodScheduled")
        .cloned()
        .collect();
    conditions.push(condition);
    report.insert("conditions", conditions);
    let mut outcome = Outcome::nothing();
    outcome.push(status(Kind::POD, pod, report));
    outcome.push(Write::Note(Note::warning(
        pod,
        COMPONENT,
        "FailedScheduling",
        message,
    )));
    outcome
}
