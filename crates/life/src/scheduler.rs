//! Gives each pod a node, or says why there is none.

use std::time::Duration;

use manifest::Object;
use yaml::{Map, Str, Value};

use super::control::Context;
use super::fate::{Fate, fate};
use super::fields::{generation, items, map, text};
use super::kind::Kind;
use super::kubelet::advance;
use super::neighbours::{self, Neighbours};
use super::placement::{Nodes, Refusal};
use super::pod;
use super::time::{later, stamp};
use super::volume::{has_node, select_node, waits_for_consumer};
use super::world::{Change, Ref, World};
use super::write::{Note, Outcome, Write, status};

const COMPONENT: &str = "default-scheduler";
/// How often a pod that waits for its neighbours looks for them.
const NEIGHBOURS_PERIOD: Duration = Duration::from_secs(1);

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
        Kind::POD => {
            keys.extend(
                change
                    .new
                    .as_ref()
                    .filter(|pod| waits(pod))
                    .map(|_| change.target.clone()),
            );
            // Those that watch their neighbours go one after the other.
            if change.states().any(neighbours::matter) {
                keys.extend(waiting(
                    &mut world
                        .list(Kind::POD, &change.target.namespace)
                        .filter(|pod| neighbours::matter(pod)),
                ));
            }
        }
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
    if neighbours::matter(pod) && goes_later(context, pod) {
        return Outcome::nothing();
    }
    match choose(context, pod) {
        Ok(node) if !delayed.is_empty() => {
            let select = |claim: &Object| select_node(claim, &node);
            Outcome::from(delayed.into_iter().map(select).collect::<Vec<_>>())
        }
        Ok(node) => bind(context, pod, &node),
        Err(message) => {
            let mut outcome = refuse(context, pod, message);
            if neighbours::matter(pod) {
                outcome.again_at(later(context.now, NEIGHBOURS_PERIOD));
            }
            outcome
        }
    }
}

/// Whether another pod of the namespace that watches its neighbours is first: two that decide at once
/// would not see each other.
fn goes_later(context: &Context<'_>, pod: &Object) -> bool {
    let others = context.world.list(Kind::POD, pod.namespace());
    let mut earlier = others.take_while(|other| other.name() != pod.name());
    earlier.any(|other| {
        waits(other) && neighbours::matter(other) && pod::condition(other, "PodScheduled").is_none()
    })
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
    let all = Nodes::of(context);
    let mut nodes: Vec<&Object> = all.iter().collect();
    let total = nodes.len();
    if fate(pod) == Fate::Pending {
        let lacking = vec![Refusal::Insufficient("cpu".to_owned())];
        return Err(unavailable(&vec![lacking; total]));
    }
    unbound_claim(context, pod).map_or(Ok(()), |reason| {
        Err(format!("0/{total} nodes are available: {reason}"))
    })?;
    let spec = pod.value().get("spec").unwrap_or(&Value::Null);
    let near = neighbours::matter(pod).then(|| Neighbours::of(context, &all, pod));
    let allow = |node: &Object| match (all.fits(spec, node), &near) {
        (Ok(()), Some(near)) => near.allow(node).map_err(|refusal| vec![refusal]),
        (other, _) => other,
    };
    let mut refusals: Vec<Vec<Refusal>> = Vec::new();
    nodes.retain(|node| match allow(node) {
        Ok(()) => true,
        Err(reasons) => {
            refusals.push(reasons);
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
    Err(unavailable(&refusals))
}

/// The scheduler's words about nodes of which none takes a pod.
fn unavailable(refusals: &[Vec<Refusal>]) -> String {
    let total = refusals.len();
    if total == 0 {
        return "no nodes available to schedule pods".to_owned();
    }
    let counted = |texts: &mut dyn Iterator<Item = String>| -> String {
        let mut counts = std::collections::BTreeMap::new();
        for text in texts {
            *counts.entry(text).or_insert(0) += 1;
        }
        let mut texts: Vec<String> = counts
            .into_iter()
            .map(|(text, count)| format!("{count} {text}"))
            .collect();
        texts.sort_unstable();
        texts.join(", ")
    };
    let reasons = counted(&mut refusals.iter().flatten().map(Refusal::text));
    let preemption = counted(&mut refusals.iter().map(|reasons| {
        let words = match reasons.iter().all(Refusal::may_be_resolved) {
            true => "No preemption victims found for incoming pod",
            false => "Preemption is not helpful for scheduling",
        };
        words.to_owned()
    }));
    format!(
        "0/{total} nodes are available: {reasons}. no new claims to deallocate, preemption: \
         0/{total} nodes are available: {preemption}."
    )
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
                None => Some(format!(
                    "persistentvolumeclaim \"{name}\" not found. not found"
                )),
                Some(claim) if is_unbound(claim) && !waits_for_consumer(context, claim) => {
                    Some("pod has unbound immediate PersistentVolumeClaims. not found".to_owned())
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
        ("observedGeneration", generation(pod).into()),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(refusals: &[&[Refusal]], want: &str) {
        let refusals: Vec<Vec<Refusal>> = refusals.iter().map(|it| it.to_vec()).collect();
        assert_eq!(unavailable(&refusals), want);
    }

    #[test]
    fn the_scheduler_says_why_there_is_no_node() {
        // As a kube-scheduler v1.35.4 said it of two nodes.
        let lacks = |name: &str| Refusal::Insufficient(name.to_owned());
        check(
            &[&[lacks("cpu"), lacks("memory")], &[Refusal::Taint]],
            "0/2 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 node(s) had \
             untolerated taint(s). no new claims to deallocate, preemption: 0/2 nodes are \
             available: 2 Preemption is not helpful for scheduling.",
        );
        check(
            &[&[Refusal::Near], &[Refusal::Unschedulable]],
            "0/2 nodes are available: 1 node(s) didn't match pod affinity rules, 1 node(s) were \
             unschedulable. no new claims to deallocate, preemption: 0/2 nodes are available: 2 \
             Preemption is not helpful for scheduling.",
        );
        check(&[], "no nodes available to schedule pods");
    }
}
