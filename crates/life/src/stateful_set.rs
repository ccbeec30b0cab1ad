//! StatefulSets: pods with names, one after the other.
//!
//! As `statefulset/stateful_set_control.go`: creation in order, removal and update in reverse
//! order, each waiting for the pod before unless `podManagementPolicy` is `Parallel`.

use std::collections::BTreeMap;

use manifest::Object;
use yaml::Map;

use super::control::Context;
use super::fields::{controller_uid, generation, int, items, set_count, text};
use super::kind::Kind;
use super::pod;
use super::replica_set::{claims, owner_keys};
use super::revisions::{Marks, Newest, Revisions, template};
use super::stateful_pods::{claim_owner_changes, make, missing_claims, ordinal, revision, start};
use super::world::{Change, Ref, World};
use super::write::{Deletion, Note, Outcome, Write, delete, status};

pub(crate) const COMPONENT: &str = "statefulset-controller";

/// StatefulSets that changed, and those of pods and revisions that changed.
pub(crate) fn affected(world: &World, change: &Change, keys: &mut Vec<Ref>) {
    owner_keys(Kind::STATEFUL_SET, world, change, keys);
    revision_keys(Kind::STATEFUL_SET, world, change, keys);
    if change.target.kind == Kind::VOLUME_CLAIM {
        keys.extend(claim_owners(world, change));
    }
}

/// The owner of a revision that changed, and the owners of pods whose claims changed.
pub(crate) fn revision_keys(kind: Kind, world: &World, change: &Change, keys: &mut Vec<Ref>) {
    if change.target.kind == Kind::CONTROLLER_REVISION
        && let Some(revision) = change.latest()
    {
        let owner = world.by_uid(controller_uid(revision));
        keys.extend(owner.filter(|owner| owner.kind == kind).cloned());
    }
}

/// The sets that keep claims by a policy and whose claim, by its name, changed.
fn claim_owners(world: &World, change: &Change) -> Vec<Ref> {
    let name = change.target.name.as_str();
    world
        .list(Kind::STATEFUL_SET, &change.target.namespace)
        .filter(|set| {
            items(set.value(), &["spec", "volumeClaimTemplates"])
                .iter()
                .any(|claim| {
                    name.strip_prefix(text(claim, &["metadata", "name"]))
                        .and_then(|rest| rest.strip_prefix('-')?.strip_prefix(set.name()))
                        .is_some_and(|rest| rest.starts_with('-'))
                })
        })
        .map(|set| Ref::of(Kind::STATEFUL_SET, set))
        .collect()
}

struct View<'a> {
    context: &'a Context<'a>,
    set: &'a Object,
    pods: BTreeMap<i64, &'a Object>,
    wanted: std::ops::Range<i64>,
    current: &'a Object,
    update: &'a Object,
}

/// One step, then the status.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    let Some(set) = context.world.get(target) else {
        return Outcome::nothing();
    };
    let claims: Vec<Write> = [Kind::POD, Kind::CONTROLLER_REVISION]
        .into_iter()
        .flat_map(|kind| claims(context, set, kind))
        .collect();
    if !claims.is_empty() {
        return Outcome::from(claims);
    }
    let revisions = Revisions::of(context, set);
    let marks = Marks {
        label: "controller.kubernetes.io/hash",
        annotations: Map::new(),
    };
    let update = match revisions.newest(marks) {
        Newest::Present(update) => update,
        Newest::Missing(_) if set.is_terminating() => return Outcome::nothing(),
        Newest::Missing(write) => return Outcome::from(vec![write]),
    };
    let current = revisions.named(text(set.value(), &["status", "currentRevision"]));
    let first = start(set);
    let replicas = int(set.value(), &["spec", "replicas"]).unwrap_or(1).max(0);
    let view = View {
        context,
        set,
        pods: context
            .world
            .owned(set.uid(), Kind::POD)
            .filter_map(|pod| Some((ordinal(set, pod)?, pod)))
            .collect(),
        wanted: first..first + replicas,
        current: current.unwrap_or(update),
        update,
    };
    let mut outcome = Outcome::nothing();
    if !set.is_terminating() {
        outcome.writes = view.step();
    }
    let report = view.report(&mut outcome);
    let unreported = text(set.value(), &["status", "currentRevision"]).is_empty();
    let reports = outcome.writes.is_empty() || unreported || context.failure.is_some();
    if reports && let Some(write) = status(Kind::STATEFUL_SET, set, report) {
        outcome.writes.insert(0, write);
    }
    if outcome.writes.is_empty() {
        let used = |object: &Object| {
            object.uid() == view.current.uid()
                || object.uid() == update.uid()
                || view.pods.values().any(|pod| revision(pod) == object.name())
        };
        outcome.writes = revisions.forget(used);
    }
    outcome
}

impl View<'_> {
    fn in_order(&self) -> bool {
        text(self.set.value(), &["spec", "podManagementPolicy"]) != "Parallel"
    }

    fn min_ready(&self) -> i64 {
        int(self.set.value(), &["spec", "minReadySeconds"]).unwrap_or(0)
    }

    fn is_available(&self, pod: &Object) -> bool {
        pod::available_at(pod, self.min_ready()).is_some_and(|time| time <= self.context.now)
    }

    fn is_healthy(&self, pod: &Object) -> bool {
        pod::phase(pod) == "Running" && pod::is_ready(pod) && !pod.is_terminating()
    }

    fn rolls(&self) -> bool {
        text(self.set.value(), &["spec", "updateStrategy", "type"]) != "OnDelete"
    }

    fn partition(&self) -> i64 {
        let path = ["spec", "updateStrategy", "rollingUpdate", "partition"];
        int(self.set.value(), &path).unwrap_or(0)
    }

    /// The next writes; none when everything is as wanted or something is awaited.
    fn step(&self) -> Vec<Write> {
        let mut writes: Vec<Write> = self
            .pods
            .iter()
            .flat_map(|(ordinal, pod)| {
                let stays = self.wanted.contains(ordinal);
                claim_owner_changes(self.context, self.set, pod, stays)
            })
            .collect();
        if !writes.is_empty() {
            return writes;
        }
        for ordinal in self.wanted.clone() {
            match self.pods.get(&ordinal) {
                None => writes.extend(self.create(ordinal)),
                Some(pod) if pod::is_finished(pod) && !pod.is_terminating() => {
                    writes.push(self.delete(pod));
                }
                Some(pod)
                    if self.in_order() && !(self.is_healthy(pod) && self.is_available(pod)) =>
                {
                    return writes;
                }
                Some(_) => {}
            }
            if self.in_order() && !writes.is_empty() {
                return writes;
            }
        }
        let surplus = self
            .pods
            .iter()
            .rev()
            .filter(|(ordinal, _)| !self.wanted.contains(ordinal));
        for (_, pod) in surplus {
            if !pod.is_terminating() {
                writes.push(self.delete(pod));
            }
            if self.in_order() {
                return writes;
            }
        }
        if writes.is_empty() {
            self.update().into_iter().collect()
        } else {
            writes
        }
    }

    /// Takes the highest pod of an old revision away, when all above it are healthy.
    fn update(&self) -> Option<Write> {
        if !self.rolls() {
            return None;
        }
        let lowest = self.wanted.start.max(self.partition());
        for (_, pod) in self.pods.range(lowest..).rev() {
            if revision(pod) != self.update.name() && !pod.is_terminating() {
                return Some(self.delete(pod));
            }
            if !self.is_healthy(pod) {
                return None;
            }
        }
        None
    }

    fn create(&self, ordinal: i64) -> Vec<Write> {
        let old = self.rolls() && ordinal < self.partition();
        let source = if old { self.current } else { self.update };
        let object = make(self.set, &template(source), source.name(), ordinal);
        let mut writes = missing_claims(self.context, self.set, ordinal);
        let (pod, set) = (object.name().to_owned(), self.set.name());
        let message = format!("Create Pod {pod} in StatefulSet {set} successful");
        let note = Note {
            failed: Some(format!(
                "Create Pod {pod} in StatefulSet {set} failed error: {{error}}"
            )),
            ..Note::normal(self.set, COMPONENT, "SuccessfulCreate", message)
        };
        writes.push(Write::Create {
            kind: Kind::POD,
            object,
            note: Some(note),
        });
        writes
    }

    fn delete(&self, pod: &Object) -> Write {
        let message = format!(
            "Delete Pod {} in StatefulSet {} successful",
            pod.name(),
            self.set.name()
        );
        delete(Kind::POD, pod, Deletion::Background).noted(Note::normal(
            self.set,
            COMPONENT,
            "SuccessfulDelete",
            message,
        ))
    }

    fn report(&self, outcome: &mut Outcome) -> Map {
        let (mut ready, mut available, mut on_current, mut on_update) = (0, 0, 0, 0);
        for pod in self.pods.values() {
            if pod::phase(pod) == "Running" && pod::is_ready(pod) {
                ready += 1;
                available += i64::from(self.is_available(pod));
                let time = pod::available_at(pod, self.min_ready());
                outcome.again_at(time.filter(|time| *time > self.context.now));
            }
            if !pod.is_terminating() {
                on_current += i64::from(revision(pod) == self.current.name());
                on_update += i64::from(revision(pod) == self.update.name());
            }
        }
        let replicas = i64::try_from(self.pods.len()).unwrap_or(i64::MAX);
        let wanted = self.wanted.end - self.wanted.start;
        let mut current = self.current.name();
        if self.rolls() && on_update == wanted && ready == wanted && replicas == wanted {
            current = self.update.name();
            on_current = on_update;
        }
        let mut report = Map::from([
            ("observedGeneration", generation(self.set).into()),
            ("replicas", replicas.into()),
            ("availableReplicas", available.into()),
            ("currentRevision", current.into()),
            ("updateRevision", self.update.name().into()),
            (
                "collisionCount",
                int(self.set.value(), &["status", "collisionCount"])
                    .unwrap_or(0)
                    .into(),
            ),
        ]);
        set_count(&mut report, "readyReplicas", ready);
        set_count(&mut report, "currentReplicas", on_current);
        set_count(&mut report, "updatedReplicas", on_update);
        if let Some(conditions) = self.set.value().at(&["status", "conditions"]) {
            report.insert("conditions", conditions.clone());
        }
        report
    }
}
