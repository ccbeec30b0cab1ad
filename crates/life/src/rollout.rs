//! How a Deployment spreads its replicas over its ReplicaSets.
//!
//! Pure arithmetic over [`Sets`], as in Kubernetes' `deployment/rolling.go`, `recreate.go` and
//! `sync.go`. Each step changes the sets in memory and notes the write; whoever reads the sets
//! afterwards sees them as they will be.

use manifest::Object;
use yaml::Value;

use super::fields::{Rounding, int, map, scaled, text};
use super::kind::Kind;
use super::pod;
use super::replica_set::created;
use super::write::{Note, Write, patch};

pub(crate) const COMPONENT: &str = "deployment-controller";
pub(crate) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
pub(crate) const MAXIMUM: &str = "deployment.kubernetes.io/max-replicas";

/// One ReplicaSet with the size it has or is about to get.
#[derive(Clone, Debug)]
pub(crate) struct Set<'a> {
    /// As it is in the cluster.
    pub(crate) object: &'a Object,
    /// `spec.replicas`, decided writes included.
    pub(crate) replicas: i64,
}

impl<'a> Set<'a> {
    /// As it is.
    pub(crate) fn new(object: &'a Object) -> Self {
        let replicas = int(object.value(), &["spec", "replicas"]).unwrap_or(1);
        Set { object, replicas }
    }

    /// A count of its status.
    pub(crate) fn status(&self, field: &str) -> i64 {
        int(self.object.value(), &["status", field]).unwrap_or(0)
    }

    fn annotated(&self, name: &str) -> Option<i64> {
        self.object.annotation(name)?.parse().ok()
    }
}

/// How far a rolling update may go above and below the wanted size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The wanted size.
    pub(crate) replicas: i64,
    /// Pods above it.
    pub(crate) surge: i64,
    /// Pods below it.
    pub(crate) unavailable: i64,
}

impl Limits {
    /// Of a Deployment; both are 0 when it does not roll.
    pub(crate) fn of(deployment: &Object) -> Self {
        let value = deployment.value();
        let replicas = int(value, &["spec", "replicas"]).unwrap_or(1);
        if text(value, &["spec", "strategy", "type"]) == "Recreate" {
            return Limits {
                replicas,
                surge: 0,
                unavailable: 0,
            };
        }
        let rolling = |field: &str, rounding: Rounding| {
            let quarter = Value::from("25%");
            let given = value.at(&["spec", "strategy", "rollingUpdate", field]);
            scaled(given.or(Some(&quarter)), replicas, rounding).unwrap_or(0)
        };
        let surge = rolling("maxSurge", Rounding::Up);
        let mut unavailable = rolling("maxUnavailable", Rounding::Down);
        if surge == 0 && unavailable == 0 {
            unavailable = 1;
        }
        Limits {
            replicas,
            surge,
            unavailable: unavailable.min(replicas),
        }
    }
}

/// The ReplicaSets of one Deployment.
pub(crate) struct Sets<'a> {
    /// Their owner.
    pub(crate) deployment: &'a Object,
    /// The one with the present template.
    pub(crate) new: Option<Set<'a>>,
    /// The others, oldest first.
    pub(crate) old: Vec<Set<'a>>,
    /// The limits of the rollout.
    pub(crate) limits: Limits,
    /// What has been decided.
    pub(crate) writes: Vec<Write>,
}

/// The template without the label that tells ReplicaSets apart.
pub(crate) fn plain_template(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(metadata) = template.get_mut("metadata").and_then(Value::as_map_mut) {
        let empty = metadata
            .get_mut("labels")
            .and_then(Value::as_map_mut)
            .is_some_and(|labels| {
                labels.remove("pod-template-hash");
                labels.is_empty()
            });
        if empty {
            metadata.remove("labels");
        }
        if metadata.is_empty()
            && let Some(template) = template.as_map_mut()
        {
            template.remove("metadata");
        }
    }
    template
}

impl<'a> Sets<'a> {
    /// Sorts the ReplicaSets by age and finds the one with the Deployment's template.
    pub(crate) fn new(deployment: &'a Object, sets: impl Iterator<Item = &'a Object>) -> Self {
        let wanted = plain_template(pod::template(deployment));
        let mut old: Vec<Set<'a>> = sets.map(Set::new).collect();
        old.sort_by(|a, b| {
            (created(a.object), a.object.name()).cmp(&(created(b.object), b.object.name()))
        });
        let position = old
            .iter()
            .position(|set| plain_template(pod::template(set.object)) == wanted);
        let new = position.map(|position| old.remove(position));
        let limits = Limits::of(deployment);
        Sets {
            deployment,
            new,
            old,
            limits,
            writes: Vec::new(),
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Set<'a>> {
        self.old.iter().chain(&self.new)
    }

    fn total(&self) -> i64 {
        self.all().map(|set| set.replicas).sum()
    }

    /// The size that a ReplicaSet of the present template gets now (`NewRSNewReplicas`).
    pub(crate) fn new_size(&self) -> i64 {
        let Limits {
            replicas, surge, ..
        } = self.limits;
        let present = self.new.as_ref().map_or(0, |set| set.replicas);
        if text(self.deployment.value(), &["spec", "strategy", "type"]) == "Recreate" {
            return replicas;
        }
        let room = replicas + surge - self.total();
        if room <= 0 {
            present
        } else {
            present + room.min(replicas - present)
        }
    }

    /// Notes a new size of one set; `false` when it has it.
    fn resize(&mut self, which: Which, size: i64) -> bool {
        let slot = match which {
            Which::New => self.new.as_mut(),
            Which::Old(index) => self.old.get_mut(index),
        };
        let Some(set) = slot else {
            return false;
        };
        let Limits {
            replicas, surge, ..
        } = self.limits;
        let before = std::mem::replace(&mut set.replicas, size);
        let known = set.annotated(DESIRED) == Some(replicas)
            && set.annotated(MAXIMUM) == Some(replicas + surge);
        if before == size && known {
            return false;
        }
        let body = map([
            (
                "metadata",
                map([(
                    "annotations",
                    map([
                        (DESIRED, replicas.to_string().into()),
                        (MAXIMUM, (replicas + surge).to_string().into()),
                    ]),
                )]),
            ),
            ("spec", map([("replicas", size.into())])),
        ]);
        let mut write = patch(Kind::REPLICA_SET, set.object, body);
        if before != size {
            let way = if size > before { "up" } else { "down" };
            let name = set.object.name();
            let message = format!("Scaled {way} replica set {name} from {before} to {size}");
            write = write.noted(Note::normal(
                self.deployment,
                COMPONENT,
                "ScalingReplicaSet",
                message,
            ));
        }
        self.writes.push(write);
        true
    }

    /// As [`Sets::resize`], but leaves a set of the right size alone.
    fn scale_to(&mut self, which: Which, size: i64) -> bool {
        let present = match which {
            Which::New => self.new.as_ref(),
            Which::Old(index) => self.old.get(index),
        };
        present.is_some_and(|set| set.replicas != size) && self.resize(which, size)
    }

    /// One step of a rolling update: first up, then down.
    pub(crate) fn roll(&mut self) {
        let size = if self
            .new
            .as_ref()
            .is_some_and(|set| set.replicas > self.limits.replicas)
        {
            self.limits.replicas
        } else {
            self.new_size()
        };
        if !self.scale_to(Which::New, size) {
            self.shrink_old();
        }
    }

    /// Takes from the old sets what the limits allow: unhealthy pods first.
    fn shrink_old(&mut self) {
        if self.old.iter().all(|set| set.replicas == 0) {
            return;
        }
        let least = self.limits.replicas - self.limits.unavailable;
        let unready = self
            .new
            .as_ref()
            .map_or(0, |set| set.replicas - set.status("availableReplicas"));
        let mut room = self.total() - least - unready;
        if room <= 0 {
            return;
        }
        for index in 0..self.old.len() {
            let set = &self.old[index];
            let unhealthy = set.replicas - set.status("availableReplicas");
            let cut = room.min(unhealthy);
            if set.replicas > 0 && cut > 0 {
                room -= cut;
                let size = set.replicas - cut;
                self.scale_to(Which::Old(index), size);
            }
        }
        let available: i64 = self.all().map(|set| set.status("availableReplicas")).sum();
        let mut surplus = available - least;
        for index in 0..self.old.len() {
            let cut = surplus.min(self.old[index].replicas);
            if cut > 0 {
                surplus -= cut;
                let size = self.old[index].replicas - cut;
                self.scale_to(Which::Old(index), size);
            }
        }
    }

    /// Takes all pods of old templates away; `false` when there were none wanted any more.
    pub(crate) fn drop_old(&mut self) -> bool {
        let mut changed = false;
        for index in 0..self.old.len() {
            changed |= self.scale_to(Which::Old(index), 0);
        }
        changed
    }

    /// Brings the set of the present template to full size.
    pub(crate) fn fill_new(&mut self) {
        self.scale_to(Which::New, self.limits.replicas);
    }

    /// Whether the Deployment was given another size since its sets were last scaled.
    pub(crate) fn size_changed(&self) -> bool {
        self.all().filter(|set| set.replicas > 0).any(|set| {
            set.annotated(DESIRED)
                .is_some_and(|desired| desired != self.limits.replicas)
        })
    }

    /// Follows a change of size without rolling: the only set takes it all, several share it in
    /// proportion (`sync.go: scale`).
    pub(crate) fn follow_size(&mut self) {
        let active: Vec<Which> = self.positions(|set| set.replicas > 0);
        let only = match active.as_slice() {
            [] if self.new.is_some() => Some(Which::New),
            [] => self.old.len().checked_sub(1).map(Which::Old),
            [one] => Some(*one),
            _ => None,
        };
        if let Some(only) = only {
            self.scale_to(only, self.limits.replicas);
            return;
        }
        let saturated = self.new.as_ref().is_some_and(|set| {
            let wanted = self.limits.replicas;
            set.replicas == wanted
                && set.annotated(DESIRED) == Some(wanted)
                && set.status("availableReplicas") == wanted
        });
        if saturated {
            self.drop_old();
        } else if text(self.deployment.value(), &["spec", "strategy", "type"]) != "Recreate" {
            self.share(active);
        }
    }

    fn positions(&self, test: impl Fn(&Set<'a>) -> bool) -> Vec<Which> {
        let old = (0..self.old.len())
            .filter(|index| test(&self.old[*index]))
            .map(Which::Old);
        let new = self
            .new
            .as_ref()
            .filter(|set| test(set))
            .map(|_| Which::New);
        old.chain(new).collect()
    }

    fn at(&self, which: Which) -> Option<&Set<'a>> {
        match which {
            Which::New => self.new.as_ref(),
            Which::Old(index) => self.old.get(index),
        }
    }

    fn share(&mut self, mut active: Vec<Which>) {
        let Limits {
            replicas, surge, ..
        } = self.limits;
        let allowed = if replicas > 0 { replicas + surge } else { 0 };
        let to_add = allowed - self.total();
        // The largest first; of equal ones the newest grows first and the oldest shrinks first.
        active.sort_by_key(|which| {
            let set = self.at(*which);
            let age = set.map(|set| created(set.object));
            let size = std::cmp::Reverse(set.map(|set| set.replicas));
            (
                size,
                if to_add > 0 { None } else { age },
                std::cmp::Reverse(age),
            )
        });
        let mut sizes: Vec<i64> = Vec::new();
        let mut added = 0;
        for which in &active {
            let present = self.at(*which).map_or(0, |set| set.replicas);
            let share = self
                .at(*which)
                .map_or(0, |set| self.proportion(set, to_add, added));
            added += share;
            sizes.push(present + share);
        }
        for (position, (which, size)) in active.into_iter().zip(sizes).enumerate() {
            let rest = if position == 0 { to_add - added } else { 0 };
            self.resize(which, (size + rest).max(0));
        }
    }

    /// The part of a change of size that falls on one set (`deployment_util.go: GetProportion`).
    fn proportion(&self, set: &Set<'_>, to_add: i64, added: i64) -> i64 {
        if set.replicas == 0 || to_add == 0 || to_add == added {
            return 0;
        }
        let Limits {
            replicas, surge, ..
        } = self.limits;
        let fraction = if replicas == 0 {
            -set.replicas
        } else {
            let before = set.annotated(MAXIMUM).filter(|size| *size > 0);
            let before = before.unwrap_or_else(|| set.status("replicas")).max(1);
            // Half a pod is rounded away from zero, as Go's math.Round does.
            let product = set.replicas * (replicas + surge);
            (2 * product + before).div_euclid(2 * before) - set.replicas
        };
        let allowed = to_add - added;
        if to_add > 0 {
            fraction.min(allowed)
        } else {
            fraction.max(allowed)
        }
    }
}

/// Which of the sets.
#[derive(Clone, Copy, Debug)]
enum Which {
    New,
    Old(usize),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::tests::json;

    fn deployment(replicas: i64, strategy: &str) -> Object {
        Object::new(json(&format!(
            r#"{{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {{"name": "web"}},
                "spec": {{"replicas": {replicas}, "strategy": {strategy},
                "template": {{"metadata": {{"labels": {{"app": "web"}}}}, "spec": {{"v": 2}}}}}}}}"#
        )))
        .expect("is an object")
    }

    fn set(version: i64, replicas: i64, available: i64, desired: i64) -> Object {
        Object::new(json(&format!(
            r#"{{"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {{"name": "web-{version}",
                "creationTimestamp": "2026-01-0{version}T00:00:00Z",
                "annotations": {{"{DESIRED}": "{desired}", "{MAXIMUM}": "{desired}"}}}},
                "spec": {{"replicas": {replicas}, "template": {{"metadata": {{"labels":
                {{"app": "web", "pod-template-hash": "h{version}"}}}}, "spec": {{"v": {version}}}}}}},
                "status": {{"availableReplicas": {available}}}}}"#
        )))
        .expect("is an object")
    }

    fn sizes(sets: &Sets<'_>) -> Vec<i64> {
        sets.all().map(|set| set.replicas).collect()
    }

    fn check_roll(limits: &str, old: (i64, i64), new: (i64, i64), want: [i64; 2]) {
        let deployment = deployment(
            4,
            &format!(r#"{{"type": "RollingUpdate", "rollingUpdate": {limits}}}"#),
        );
        let (old, new) = (set(1, old.0, old.1, 4), set(2, new.0, new.1, 4));
        let mut sets = Sets::new(&deployment, [&old, &new].into_iter());
        sets.roll();
        assert_eq!(sizes(&sets), want, "{limits}");
    }

    #[test]
    fn a_rolling_update_stays_between_its_limits() {
        let quarters = r#"{"maxSurge": "25%", "maxUnavailable": "25%"}"#;
        check_roll(quarters, (4, 4), (0, 0), [4, 1]);
        check_roll(quarters, (4, 4), (1, 0), [3, 1]);
        check_roll(quarters, (3, 3), (1, 0), [3, 2]);
        check_roll(quarters, (3, 3), (2, 2), [1, 2]);
        check_roll(quarters, (1, 1), (4, 4), [0, 4]);
        // Unhealthy old pods go first, as far as the size allows.
        check_roll(
            r#"{"maxSurge": 1, "maxUnavailable": 0}"#,
            (4, 1),
            (1, 1),
            [3, 1],
        );
        check_roll(
            r#"{"maxSurge": 0, "maxUnavailable": 0}"#,
            (4, 4),
            (0, 0),
            [3, 0],
        );
    }

    #[test]
    fn a_change_of_size_is_shared_in_proportion() {
        let deployment = deployment(
            8,
            r#"{"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}"#,
        );
        let (old, new) = (set(1, 3, 3, 4), set(2, 1, 1, 4));
        let mut sets = Sets::new(&deployment, [&old, &new].into_iter());
        assert!(sets.size_changed());
        sets.follow_size();
        assert_eq!(sizes(&sets), [6, 2]);
    }

    #[test]
    fn the_only_set_takes_the_whole_size() {
        let deployment = deployment(7, r#"{"type": "RollingUpdate"}"#);
        let new = set(2, 1, 1, 1);
        let mut sets = Sets::new(&deployment, [&new].into_iter());
        sets.follow_size();
        assert_eq!(sizes(&sets), [7]);
        assert_eq!(sets.writes.len(), 1);
    }
}
