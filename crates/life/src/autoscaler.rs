//! HorizontalPodAutoscalers. There are no metrics, so all that can be done is to keep the size
//! between its bounds and to say why nothing else happens.

use manifest::Object;
use yaml::{Map, Value};

use super::control::Context;
use super::fields::{int, items, map, set_count, text};
use super::kind::Kind;
use super::time::stamp;
use super::world::{Change, Ref, World};
use super::write::{Note, Outcome, Part, Write, status};

const COMPONENT: &str = "horizontal-pod-autoscaler";

/// Autoscalers that changed and those of workloads that changed.
pub(crate) fn affected(world: &World, change: &Change, keys: &mut Vec<Ref>) {
    let target = &change.target;
    match target.kind {
        Kind::AUTOSCALER => keys.push(target.clone()),
        Kind::DEPLOYMENT | Kind::REPLICA_SET | Kind::STATEFUL_SET => keys.extend(
            world
                .list(Kind::AUTOSCALER, &target.namespace)
                .filter(|scaler| {
                    scaled_object(world, scaler).is_none_or(|(scaled, _)| scaled == *target)
                })
                .map(|scaler| Ref::of(Kind::AUTOSCALER, scaler)),
        ),
        _ => {}
    }
}

fn scaled_object<'a>(world: &'a World, scaler: &Object) -> Option<(Ref, &'a Object)> {
    let reference = scaler.value().at(&["spec", "scaleTargetRef"])?;
    let group = text(reference, &["apiVersion"])
        .split_once('/')
        .map_or("", |(group, _)| group);
    let kind = world.registry.find(group, text(reference, &["kind"]))?;
    let target = Ref::new(kind, scaler.namespace(), text(reference, &["name"]));
    let object = world.get(&target)?;
    Some((target, object))
}

struct Conditions<'a> {
    context: &'a Context<'a>,
    known: &'a [Value],
    list: Vec<Value>,
}

impl Conditions<'_> {
    fn set(&mut self, kind: &str, holds: bool, reason: &str, message: String) {
        let holds = if holds { "True" } else { "False" };
        let since = self
            .known
            .iter()
            .find(|known| text(known, &["type"]) == kind && text(known, &["status"]) == holds)
            .and_then(|known| known.get("lastTransitionTime").cloned());
        self.list.push(map([
            ("type", kind.into()),
            ("status", holds.into()),
            ("reason", reason.into()),
            ("message", message.into()),
            (
                "lastTransitionTime",
                since.unwrap_or_else(|| stamp(self.context.now)),
            ),
        ]));
    }
}

/// Bounds the size, and writes the conditions.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    let Some(scaler) = context.world.get(target) else {
        return Outcome::nothing();
    };
    let known = items(scaler.value(), &["status", "conditions"]);
    let mut conditions = Conditions {
        context,
        known,
        list: Vec::new(),
    };
    let mut outcome = Outcome::nothing();
    let mut report = Map::new();
    match scaled_object(context.world, scaler) {
        None => {
            let reference = scaler
                .value()
                .at(&["spec", "scaleTargetRef"])
                .cloned()
                .unwrap_or_default();
            let message = format!(
                "the HPA controller was unable to get the target's current scale: {} not found",
                described(context.world, &reference),
            );
            conditions.set("AbleToScale", false, "FailedGetScale", message);
            report.insert("desiredReplicas", 0);
        }
        Some((scaled, object)) => {
            let present = int(object.value(), &["spec", "replicas"]).unwrap_or(1);
            let decision = decide(scaler, present);
            set_count(&mut report, "currentReplicas", present);
            report.insert("currentMetrics", vec![map([("type", "".into())])]);
            explain(scaler, decision, &mut conditions);
            let desired = match decision {
                Decision::Bound(size) => size,
                Decision::Unknown | Decision::Off => 0,
            };
            report.insert("desiredReplicas", desired);
            if let Decision::Bound(size) = decision {
                outcome.writes = resize(scaler, scaled, size);
            }
        }
    }
    report.insert("conditions", conditions.list);
    for field in ["lastScaleTime", "observedGeneration"] {
        if let Some(value) = scaler.value().at(&["status", field]) {
            report.insert(field, value.clone());
        }
    }
    outcome.push(status(Kind::AUTOSCALER, scaler, report));
    outcome
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// The size was out of bounds.
    Bound(i64),
    /// Only metrics could tell.
    Unknown,
    /// A size of zero switches scaling off.
    Off,
}

fn decide(scaler: &Object, present: i64) -> Decision {
    let most = int(scaler.value(), &["spec", "maxReplicas"]).unwrap_or(i64::MAX);
    let least = int(scaler.value(), &["spec", "minReplicas"]).unwrap_or(1);
    if present == 0 && least != 0 {
        Decision::Off
    } else if present > most {
        Decision::Bound(most)
    } else if present < least {
        Decision::Bound(least)
    } else {
        Decision::Unknown
    }
}

fn resize(scaler: &Object, scaled: Ref, size: i64) -> Vec<Write> {
    let message = format!("New size: {size}; reason: Current number of replicas is out of bounds");
    vec![Write::Patch {
        target: scaled,
        part: Part::Scale,
        body: map([("spec", map([("replicas", size.into())]))]),
        note: Some(Note::normal(
            scaler,
            COMPONENT,
            "SuccessfulRescale",
            message,
        )),
    }]
}

fn explain(scaler: &Object, decision: Decision, conditions: &mut Conditions<'_>) {
    let able = "the HPA controller was able to get the target's current scale".to_owned();
    match decision {
        Decision::Off => {
            conditions.set("AbleToScale", true, "SucceededGetScale", able);
            let message =
                "scaling is disabled since the replica count of the target is zero".to_owned();
            conditions.set("ScalingActive", false, "ScalingDisabled", message);
        }
        Decision::Bound(size) => {
            let message =
                format!("the HPA controller was able to update the target scale to {size}");
            conditions.set("AbleToScale", true, "SucceededRescale", message);
        }
        Decision::Unknown => {
            conditions.set("AbleToScale", true, "SucceededGetScale", able);
            let (reason, failure) = metric_failure(scaler);
            let message = format!("the HPA was unable to compute the replica count: {failure}");
            conditions.set("ScalingActive", false, reason, message);
        }
    }
}

/// What the first metric fails with where nothing serves metrics.
fn metric_failure(scaler: &Object) -> (&'static str, String) {
    const NO_METRICS: &str =
        "the server could not find the requested resource (get pods.metrics.k8s.io)";
    let Some(metric) = items(scaler.value(), &["spec", "metrics"]).first() else {
        return ("FailedGetResourceMetric", NO_METRICS.to_owned());
    };
    let no_custom = "no custom metrics API (custom.metrics.k8s.io) registered";
    let no_external = "no external metrics API (external.metrics.k8s.io) registered";
    match text(metric, &["type"]) {
        "Pods" => {
            let name = text(metric, &["pods", "metric", "name"]);
            (
                "FailedGetPodsMetric",
                format!(
                    "unable to get metric {name}: unable to fetch metrics from custom metrics API: {no_custom}"
                ),
            )
        }
        "Object" => {
            let name = text(metric, &["object", "metric", "name"]);
            (
                "FailedGetObjectMetric",
                format!(
                    "unable to get metric {name}: unable to fetch metrics from custom metrics API: {no_custom}"
                ),
            )
        }
        "External" => {
            let name = text(metric, &["external", "metric", "name"]);
            (
                "FailedGetExternalMetric",
                format!(
                    "unable to get external metric {name}: unable to fetch metrics from external metrics API: {no_external}"
                ),
            )
        }
        _ => {
            let name = text(metric, &["resource", "name"]);
            let by_share = text(metric, &["resource", "target", "type"]) == "Utilization";
            let what = if by_share {
                "utilization"
            } else {
                "resource metric value"
            };
            (
                "FailedGetResourceMetric",
                format!(
                    "failed to get {name} {what}: unable to get metrics for resource {name}: \
                     unable to fetch metrics from resource metrics API: {NO_METRICS}"
                ),
            )
        }
    }
}

fn described(world: &World, reference: &Value) -> String {
    let group = text(reference, &["apiVersion"])
        .split_once('/')
        .map_or("", |(group, _)| group);
    let kind = text(reference, &["kind"]);
    let plural = world.registry.find(group, kind).map_or_else(
        || kind.to_lowercase(),
        |kind| world.registry.resource(kind).plural.to_string(),
    );
    let dot = if group.is_empty() { "" } else { "." };
    format!("{plural}{dot}{group} \"{}\"", text(reference, &["name"]))
}
