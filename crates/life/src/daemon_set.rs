//! DaemonSets: one pod on every node that takes it.

use std::collections::BTreeMap;

use manifest::Object;
use yaml::{Map, Value};

use super::control::Context;
use super::fields::{
    Rounding, controller_uid, flag, generation, int, items, map, scaled, set_count, text,
};
use super::kind::Kind;
use super::placement::Nodes;
use super::pod;
use super::replica_set::{claims, created, owner_keys};
use super::revisions::{Marks, Newest, Revisions};
use super::stateful_pods::REVISION_LABEL;
use super::stateful_set::revision_keys;
use super::world::{Change, Ref, World};
use super::write::{Deletion, Note, Outcome, Write, delete, status};

const COMPONENT: &str = "daemonset-controller";
const GENERATION: &str = "deprecated.daemonset.template.generation";

/// DaemonSets that changed, those of pods and revisions that changed, all when a node did.
pub(crate) fn affected(world: &World, change: &Change, keys: &mut Vec<Ref>) {
    owner_keys(Kind::DAEMON_SET, world, change, keys);
    revision_keys(Kind::DAEMON_SET, world, change, keys);
    if change.target.kind == Kind::NODE {
        keys.extend(
            world
                .all(Kind::DAEMON_SET)
                .map(|set| Ref::of(Kind::DAEMON_SET, set)),
        );
    }
}

struct View<'a> {
    context: &'a Context<'a>,
    nodes: Nodes<'a>,
    set: &'a Object,
    spec: Value,
    hash: &'a str,
    pods: BTreeMap<&'a str, Vec<&'a Object>>,
}

/// Missing and surplus pods, then the update, then the status.
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
    let template_generation = set.annotation(GENERATION).unwrap_or("1");
    let marks = Marks {
        label: REVISION_LABEL,
        annotations: Map::from([(GENERATION, template_generation.into())]),
    };
    let newest = match revisions.newest(marks) {
        Newest::Present(newest) => newest,
        Newest::Missing(_) if set.is_terminating() => return Outcome::nothing(),
        Newest::Missing(write) => return Outcome::from(vec![write]),
    };
    let hash = newest.label(REVISION_LABEL).unwrap_or_default();
    let view = View {
        context,
        nodes: Nodes::of(context),
        set,
        spec: daemon_spec(pod::template(set)),
        hash,
        pods: by_node(context, set),
    };
    let mut outcome = Outcome::nothing();
    if !set.is_terminating() {
        outcome.writes = view.place(template_generation);
        if outcome.writes.is_empty() {
            outcome.writes = view.update(template_generation);
        }
    }
    let report = view.report(&mut outcome);
    if (outcome.writes.is_empty() || context.failure.is_some())
        && let Some(write) = status(Kind::DAEMON_SET, set, report)
    {
        outcome.writes.insert(0, write);
    }
    if outcome.writes.is_empty() {
        let used = |revision: &Object| {
            let hash = revision.label(REVISION_LABEL);
            revision.uid() == newest.uid()
                || view
                    .pods
                    .values()
                    .flatten()
                    .any(|pod| pod.label(REVISION_LABEL) == hash)
        };
        outcome.writes = revisions.forget(used);
    }
    outcome
}

/// The pods of a set by their nodes; of those of one node, the one that counts first.
fn by_node<'a>(context: &Context<'a>, set: &Object) -> BTreeMap<&'a str, Vec<&'a Object>> {
    let mut pods: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
    for pod in context.world.owned(set.uid(), Kind::POD) {
        if controller_uid(pod) == set.uid() {
            pods.entry(node_of(pod)).or_default().push(pod);
        }
    }
    for list in pods.values_mut() {
        list.sort_by_key(|pod| {
            (
                pod.is_terminating(),
                pod::node(pod).is_empty(),
                created(pod),
            )
        });
    }
    pods
}

/// The node that a pod is on, or is meant for.
fn node_of(pod: &Object) -> &str {
    if !pod::node(pod).is_empty() {
        return pod::node(pod);
    }
    let path = [
        "spec",
        "affinity",
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "nodeSelectorTerms",
    ];
    items(pod.value(), &path)
        .iter()
        .flat_map(|term| items(term, &["matchFields"]))
        .find_map(|field| items(field, &["values"]).first()?.as_str())
        .unwrap_or_default()
}

/// The template's spec with the tolerations that every daemon gets.
fn daemon_spec(template: &Value) -> Value {
    let mut spec = template.get("spec").cloned().unwrap_or_default();
    let toleration = |key: &str, effect: &str| {
        map([
            ("key", key.into()),
            ("operator", "Exists".into()),
            ("effect", effect.into()),
        ])
    };
    let mut added = vec![
        toleration("node.kubernetes.io/not-ready", "NoExecute"),
        toleration("node.kubernetes.io/unreachable", "NoExecute"),
        toleration("node.kubernetes.io/disk-pressure", "NoSchedule"),
        toleration("node.kubernetes.io/memory-pressure", "NoSchedule"),
        toleration("node.kubernetes.io/pid-pressure", "NoSchedule"),
        toleration("node.kubernetes.io/unschedulable", "NoSchedule"),
    ];
    if flag(&spec, &["hostNetwork"]) {
        added.push(toleration(
            "node.kubernetes.io/network-unavailable",
            "NoSchedule",
        ));
    }
    let list = spec
        .map_at_mut(&[])
        .entry_or_insert("tolerations", Value::List(Vec::new()));
    if let Some(list) = list.as_list_mut() {
        added.retain(|toleration| !list.contains(toleration));
        list.append(&mut added);
    }
    spec
}

impl<'a> View<'a> {
    fn wants(&self, node: &Object) -> bool {
        let name = text(&self.spec, &["nodeName"]);
        (name.is_empty() || name == node.name()) && self.nodes.suits(&self.spec, node).is_ok()
    }

    fn place(&self, template_generation: &str) -> Vec<Write> {
        let mut writes = Vec::new();
        for node in self.nodes.iter() {
            let pods = self.on(node);
            if !self.wants(node) {
                let live = pods.iter().filter(|pod| !pod.is_terminating());
                writes.extend(live.map(|pod| self.delete(pod)));
                continue;
            }
            let (ended, live): (Vec<&Object>, Vec<&Object>) = pods
                .iter()
                .filter(|pod| !pod.is_terminating())
                .partition(|pod| pod::is_finished(pod));
            writes.extend(ended.iter().flat_map(|pod| self.replace_ended(pod, node)));
            writes.extend(self.surplus(&live).into_iter().map(|pod| self.delete(pod)));
            let missing = pods.is_empty() || (self.surge() > 0 && live.is_empty());
            if missing && ended.is_empty() {
                writes.push(self.create(node.name(), template_generation));
            }
        }
        let gone = self
            .pods
            .iter()
            .filter(|(node, _)| self.context.world.find(Kind::NODE, "", node).is_none());
        for pod in gone
            .flat_map(|(_, pods)| pods)
            .filter(|pod| !pod.is_terminating())
        {
            writes.push(self.delete(pod));
        }
        writes
    }

    fn on(&self, node: &Object) -> &[&'a Object] {
        let pods = self.pods.get(node.name());
        pods.map(Vec::as_slice).unwrap_or_default()
    }

    /// Says that a pod has ended, and deletes it; the next one follows when it is gone.
    fn replace_ended(&self, pod: &Object, node: &Object) -> Vec<Write> {
        let place = format!(
            "daemon pod {}/{} on node {}, will try to",
            pod.namespace(),
            pod.name(),
            node.name()
        );
        let note = if pod::phase(pod) == "Failed" {
            let message = format!("Found failed {place} kill it");
            Note::warning(self.set, COMPONENT, "FailedDaemonPod", message)
        } else {
            let message = format!("Found succeeded {place} delete it");
            Note::normal(self.set, COMPONENT, "SucceededDaemonPod", message)
        };
        vec![Write::Note(note), self.delete(pod)]
    }

    /// Live pods of one node that are too many: all but the oldest, or, where an update may put a
    /// new one beside the old, all but the oldest of each and the old one that is not needed.
    fn surplus<'p>(&self, live: &[&'p Object]) -> Vec<&'p Object> {
        if self.surge() == 0 || live.len() < 2 {
            return live.iter().skip(1).copied().collect();
        }
        let (new, old): (Vec<&Object>, Vec<&Object>) =
            live.iter().partition(|pod| self.is_new(pod));
        let mut surplus: Vec<&Object> = new.iter().chain(&old).copied().collect();
        surplus.retain(|pod| {
            let first =
                |list: &[&Object]| list.first().is_some_and(|other| other.uid() == pod.uid());
            !first(&new) && !first(&old)
        });
        if let Some((new, old)) = new.first().zip(old.first())
            && (!pod::is_ready(old) || self.is_available(new))
        {
            surplus.push(old);
        }
        surplus
    }

    fn is_new(&self, pod: &Object) -> bool {
        pod.label(REVISION_LABEL) == Some(self.hash)
    }

    fn create(&self, node: &str, template_generation: &str) -> Write {
        let mut object = pod::from_template(self.set, pod::template(self.set));
        object.set_label(REVISION_LABEL, self.hash);
        object.set_label("pod-template-generation", template_generation);
        let mut spec = self.spec.clone();
        let field = map([
            ("key", "metadata.name".into()),
            ("operator", "In".into()),
            ("values", vec![node].into()),
        ]);
        let path = [
            "affinity",
            "nodeAffinity",
            "requiredDuringSchedulingIgnoredDuringExecution",
        ];
        let terms = spec
            .map_at_mut(&path)
            .entry_or_insert("nodeSelectorTerms", Value::List(Vec::new()));
        match terms.as_list_mut() {
            Some(terms) if !terms.is_empty() => {
                for term in terms {
                    term.map_at_mut(&[])
                        .insert("matchFields", vec![field.clone()]);
                }
            }
            _ => *terms = Value::List(vec![map([("matchFields", vec![field].into())])]),
        }
        object.value_mut().map_at_mut(&[]).insert("spec", spec);
        let note = Note::creation(self.set, COMPONENT, "Created pod: {name}".to_owned());
        Write::Create {
            kind: Kind::POD,
            object,
            note: Some(note),
        }
    }

    fn delete(&self, pod: &Object) -> Write {
        let message = format!("Deleted pod: {}", pod.name());
        delete(Kind::POD, pod, Deletion::Background).noted(Note::normal(
            self.set,
            COMPONENT,
            "SuccessfulDelete",
            message,
        ))
    }

    fn min_ready(&self) -> i64 {
        int(self.set.value(), &["spec", "minReadySeconds"]).unwrap_or(0)
    }

    fn is_available(&self, pod: &Object) -> bool {
        !pod.is_terminating()
            && pod::available_at(pod, self.min_ready()).is_some_and(|time| time <= self.context.now)
    }

    fn limit(&self, field: &str) -> Option<i64> {
        let nodes = self.nodes.iter();
        let total = nodes.filter(|node| self.wants(node)).count();
        let total = i64::try_from(total).unwrap_or(i64::MAX);
        let path = ["spec", "updateStrategy", "rollingUpdate", field];
        scaled(self.set.value().at(&path), total, Rounding::Up)
    }

    /// How many nodes may have a new pod beside the old one.
    fn surge(&self) -> i64 {
        self.limit("maxSurge").unwrap_or(0)
    }

    /// The update to the newest revision, as far as the strategy lets it.
    fn update(&self, template_generation: &str) -> Vec<Write> {
        if text(self.set.value(), &["spec", "updateStrategy", "type"]) == "OnDelete" {
            return Vec::new();
        }
        let nodes = self.nodes.iter();
        let wanted: Vec<&Object> = nodes.filter(|node| self.wants(node)).collect();
        match self.surge() {
            0 => self.replace_old(&wanted),
            surge => self.surge_new(&wanted, surge, template_generation),
        }
    }

    /// Takes old pods away, as far as `maxUnavailable` allows; unavailable ones cost nothing.
    fn replace_old(&self, wanted: &[&Object]) -> Vec<Write> {
        let limit = self.limit("maxUnavailable").unwrap_or(1).max(1);
        let mut unavailable = 0;
        let (mut broken, mut healthy) = (Vec::new(), Vec::new());
        for node in wanted {
            let Some(pod) = self.on(node).first() else {
                unavailable += 1;
                continue;
            };
            let available = self.is_available(pod);
            unavailable += i64::from(!available);
            if !self.is_new(pod) && !pod.is_terminating() {
                if available {
                    healthy.push(pod);
                } else {
                    broken.push(pod);
                }
            }
        }
        let room = usize::try_from(limit - unavailable).unwrap_or(0);
        broken
            .into_iter()
            .chain(healthy.into_iter().take(room))
            .map(|pod| self.delete(pod))
            .collect()
    }

    /// Puts new pods beside old ones, as far as `maxSurge` allows; beside an unavailable one at
    /// once. An old pod goes when the new one is available.
    fn surge_new(&self, wanted: &[&Object], surge: i64, template_generation: &str) -> Vec<Write> {
        let mut surging = 0;
        let (mut free, mut candidates, mut writes) = (Vec::new(), Vec::new(), Vec::new());
        for node in wanted {
            let live = self.on(node).iter().filter(|pod| !pod.is_terminating());
            let (new, old): (Vec<&Object>, Vec<&Object>) = live.partition(|pod| self.is_new(pod));
            match (new.first(), old.first()) {
                (_, None) => {}
                (None, Some(old)) if self.is_available(old) => candidates.push(node.name()),
                (None, Some(_)) => free.push(node.name()),
                (Some(new), Some(old)) if self.is_available(new) => writes.push(self.delete(old)),
                (Some(_), Some(_)) => surging += 1,
            }
        }
        let room = usize::try_from(surge - surging).unwrap_or(0);
        let nodes = free.into_iter().chain(candidates.into_iter().take(room));
        writes.extend(nodes.map(|node| self.create(node, template_generation)));
        writes
    }

    fn report(&self, outcome: &mut Outcome) -> Map {
        let (mut desired, mut present, mut misplaced) = (0, 0, 0);
        let (mut ready, mut available, mut updated) = (0, 0, 0);
        for node in self.nodes.iter() {
            let pods = self.pods.get(node.name());
            if !self.wants(node) {
                misplaced += i64::from(pods.is_some());
                continue;
            }
            desired += 1;
            let Some(pod) = pods.and_then(|pods| pods.first()) else {
                continue;
            };
            present += 1;
            if pod::is_ready(pod) && !pod.is_terminating() {
                ready += 1;
                available += i64::from(self.is_available(pod));
                let time = pod::available_at(pod, self.min_ready());
                outcome.again_at(time.filter(|time| *time > self.context.now));
            }
            updated += i64::from(pod.label(REVISION_LABEL) == Some(self.hash));
        }
        let mut report = Map::from([
            ("observedGeneration", generation(self.set).into()),
            ("desiredNumberScheduled", desired.into()),
            ("currentNumberScheduled", present.into()),
            ("numberMisscheduled", misplaced.into()),
            ("numberReady", ready.into()),
        ]);
        set_count(&mut report, "updatedNumberScheduled", updated);
        set_count(&mut report, "numberAvailable", available);
        set_count(&mut report, "numberUnavailable", desired - available);
        if let Some(collisions) = int(self.set.value(), &["status", "collisionCount"]) {
            report.insert("collisionCount", collisions);
        }
        report
    }
}
