//! HorizontalPodAutoscalers. There are no metrics (an equipped cluster has some that give no reason
//! to scale), so all that can be done is to keep the size between its bounds and to say why nothing
//! else happens.

use manifest::Object;
use yaml::{Map, Value};

use super::control::{Context, Switch};
use super::fields::{int, items, map, set_count, text};
use super::kind::Kind;
use super::selector::go_print;
use super::time::{later_seconds, parse, stamp};
use super::world::{Change, Ref, World};
use super::write::{Note, Outcome, Part, Write, status};

const COMPONENT: &str = "horizontal-pod-autoscaler";
/// Between two looks at one scaler (`--horizontal-pod-autoscaler-sync-period`).
const PERIOD_SECONDS: i64 = 15;

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
    // After a change of size, the next look is that of the next period.
    let last = parse(scaler.value().at(&["status", "lastScaleTime"]));
    if let Some(next) = last.map(|time| later_seconds(time, PERIOD_SECONDS))
        && next > context.now
    {
        let mut outcome = Outcome::nothing();
        outcome.again_at(next);
        return outcome;
    }
    let known = items(scaler.value(), &["status", "conditions"]);
    let mut conditions = Conditions {
        context,
        known,
        list: Vec::new(),
    };
    let mut outcome = Outcome::nothing();
    let mut notes = Vec::new();
    let mut report = Map::new();
    for field in ["lastScaleTime", "observedGeneration"] {
        if let Some(value) = scaler.value().at(&["status", field]) {
            report.insert(field, value.clone());
        }
    }
    match scaled_object(context.world, scaler) {
        None => notes.push(missing(context.world, scaler, &mut conditions)),
        Some((scaled, object)) => {
            let present = int(object.value(), &["spec", "replicas"]).unwrap_or(1);
            let decision = match decide(scaler, present) {
                // All metrics are as the scaler wants them: simulated containers do nothing.
                Decision::Unknown if context.settings.equipment == Switch::On => Decision::Steady,
                decision => decision,
            };
            set_count(&mut report, "currentReplicas", present);
            notes = explain(scaler, decision, &mut conditions);
            if decision == Decision::Unknown {
                let n_metrics = items(scaler.value(), &["spec", "metrics"]).len();
                let none = map([("type", "".into())]);
                report.insert("currentMetrics", vec![none; n_metrics.max(1)]);
            }
            if decision == Decision::Steady {
                report.insert("desiredReplicas", present);
            }
            if let Decision::Bound(size) = decision {
                outcome.writes = resize(scaler, scaled, present, size);
                report.insert("desiredReplicas", size);
                report.insert("lastScaleTime", stamp(context.now));
                outcome.again_at(later_seconds(context.now, PERIOD_SECONDS));
            }
        }
    }
    report.entry_or_insert("desiredReplicas", Value::Int(0));
    report.insert("conditions", conditions.list);
    // What was said already is not said again each time somebody looks.
    if let Some(write) = status(Kind::AUTOSCALER, scaler, report) {
        outcome.push(write);
        outcome.writes.extend(notes.into_iter().map(Write::Note));
    }
    outcome
}

fn missing(world: &World, scaler: &Object, conditions: &mut Conditions<'_>) -> Note {
    let reference = scaler.value().at(&["spec", "scaleTargetRef"]);
    let error = format!(
        "{} not found",
        described(world, reference.unwrap_or(&Value::Null))
    );
    let message =
        format!("the HPA controller was unable to get the target's current scale: {error}");
    conditions.set("AbleToScale", false, "FailedGetScale", message);
    Note::warning(scaler, COMPONENT, "FailedGetScale", error)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// The size was out of bounds.
    Bound(i64),
    /// Only metrics could tell.
    Unknown,
    /// The metrics say that the size is right.
    Steady,
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

fn resize(scaler: &Object, scaled: Ref, present: i64, size: i64) -> Vec<Write> {
    let bound = if size < present {
        "above Spec.MaxReplicas"
    } else {
        "below Spec.MinReplicas"
    };
    let message = format!("New size: {size}; reason: Current number of replicas {bound}");
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

fn explain(scaler: &Object, decision: Decision, conditions: &mut Conditions<'_>) -> Vec<Note> {
    let able = "the HPA controller was able to get the target's current scale".to_owned();
    match decision {
        Decision::Off => {
            conditions.set("AbleToScale", true, "SucceededGetScale", able);
            let message =
                "scaling is disabled since the replica count of the target is zero".to_owned();
            conditions.set("ScalingActive", false, "ScalingDisabled", message);
            Vec::new()
        }
        Decision::Bound(size) => {
            let message =
                format!("the HPA controller was able to update the target scale to {size}");
            conditions.set("AbleToScale", true, "SucceededRescale", message);
            Vec::new()
        }
        Decision::Steady => {
            let matches = "recommended size matches current size".to_owned();
            conditions.set("AbleToScale", true, "ReadyForNewScale", matches);
            let metric = measured(scaler);
            let found =
                format!("the HPA was able to successfully calculate a replica count from {metric}");
            conditions.set("ScalingActive", true, "ValidMetricFound", found);
            let within = "the desired count is within the acceptable range".to_owned();
            conditions.set("ScalingLimited", false, "DesiredWithinRange", within);
            Vec::new()
        }
        Decision::Unknown => {
            conditions.set("AbleToScale", true, "SucceededGetScale", able);
            let failures = failures(scaler);
            let Some(first) = failures.first() else {
                return Vec::new();
            };
            let error = &first.error;
            let message = format!("the HPA was unable to compute the replica count: {error}");
            conditions.set("ScalingActive", false, first.reason, message);
            let n_failures = failures.len();
            let summary = format!(
                "invalid metrics ({n_failures} invalid out of {n_failures}), first error is: {}: \
                 {}{error}",
                first.what, first.inner,
            );
            failures
                .iter()
                .map(|failure| (failure.reason, failure.error.clone()))
                .chain([("FailedComputeMetricsReplicas", summary)])
                .map(|(reason, message)| Note::warning(scaler, COMPONENT, reason, message))
                .collect()
        }
    }
}

/// The metric that decides, as conditions name it: the first one, as all want the size that is.
fn measured(scaler: &Object) -> String {
    let Some(metric) = items(scaler.value(), &["spec", "metrics"]).first() else {
        return "cpu resource utilization (percentage of request)".to_owned();
    };
    let resource = |source: &str, words: &str| {
        let name = text(metric, &[source, "name"]);
        match text(metric, &[source, "target", "type"]) {
            "Utilization" => format!("{name} {words} utilization (percentage of request)"),
            _ => format!("{name} {words}"),
        }
    };
    match text(metric, &["type"]) {
        "Pods" => format!("pods metric {}", text(metric, &["pods", "metric", "name"])),
        "Object" => format!(
            "{} metric {}",
            text(metric, &["object", "describedObject", "kind"]),
            text(metric, &["object", "metric", "name"])
        ),
        "External" => {
            let selector = metric.at(&["external", "metric", "selector"]);
            format!(
                "external metric {}({})",
                text(metric, &["external", "metric", "name"]),
                selector.map_or("nil".to_owned(), go_print)
            )
        }
        "ContainerResource" => resource("containerResource", "container resource"),
        _ => resource("resource", "resource"),
    }
}

/// Why one metric cannot be read.
struct Failure {
    /// The reason of the condition and of the event.
    reason: &'static str,
    /// What failed, in the words of the summary.
    what: String,
    /// What the summary puts between.
    inner: String,
    /// The error itself.
    error: String,
}

/// What each metric fails with where nothing serves metrics. A scaler without metrics has one of
/// the processor.
fn failures(scaler: &Object) -> Vec<Failure> {
    let metrics = items(scaler.value(), &["spec", "metrics"]);
    let namespace = scaler.namespace();
    if metrics.is_empty() {
        return vec![resource_failure("cpu", true)];
    }
    let failure = |metric: &Value| match text(metric, &["type"]) {
        "Pods" => Failure {
            reason: "FailedGetPodsMetric",
            what: "failed to get pods metric value".to_owned(),
            inner: String::new(),
            error: format!(
                "unable to get metric {}: unable to fetch metrics from custom metrics API: {NO_CUSTOM}",
                text(metric, &["pods", "metric", "name"])
            ),
        },
        "Object" => Failure {
            reason: "FailedGetObjectMetric",
            what: "failed to get object metric value".to_owned(),
            inner: String::new(),
            error: format!(
                "unable to get metric {}: {} on {namespace} {}/unable to fetch metrics from custom \
                 metrics API: {NO_CUSTOM}",
                text(metric, &["object", "metric", "name"]),
                text(metric, &["object", "describedObject", "kind"]),
                text(metric, &["object", "describedObject", "name"]),
            ),
        },
        "External" => {
            let name = text(metric, &["external", "metric", "name"]);
            let selector = metric.at(&["external", "metric", "selector"]);
            let selector = selector.map_or("nil".to_owned(), go_print);
            Failure {
                reason: "FailedGetExternalMetric",
                what: format!("failed to get {name} external metric value"),
                inner: format!("failed to get external metric {name}: "),
                error: format!(
                    "unable to get external metric {namespace}/{name}/{selector}: unable to fetch \
                     metrics from external metrics API: the server could not find the requested \
                     resource (get {name}.external.metrics.k8s.io)"
                ),
            }
        }
        "ContainerResource" => {
            let name = text(metric, &["containerResource", "name"]);
            let container = text(metric, &["containerResource", "container"]);
            let target = text(metric, &["containerResource", "target", "type"]);
            let failure = resource_failure(name, target == "Utilization");
            Failure {
                reason: "FailedGetContainerResourceMetric",
                what: format!("failed to get {container} container metric value"),
                ..failure
            }
        }
        _ => {
            let target = text(metric, &["resource", "target", "type"]);
            resource_failure(text(metric, &["resource", "name"]), target == "Utilization")
        }
    };
    metrics.iter().map(failure).collect()
}

const NO_CUSTOM: &str = "no custom metrics API (custom.metrics.k8s.io) registered";

fn resource_failure(name: &str, by_share: bool) -> Failure {
    let what = if by_share { "utilization" } else { "usage" };
    Failure {
        reason: "FailedGetResourceMetric",
        what: format!("failed to get {name} resource metric value"),
        inner: String::new(),
        error: format!(
            "failed to get {name} {what}: unable to get metrics for resource {name}: unable to \
             fetch metrics from resource metrics API: the server could not find the requested \
             resource (get pods.metrics.k8s.io)"
        ),
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
