//! Which nodes a pod may run on: taints, node selector, required node affinity, ports, sizes.
//!
//! A pod must fit on an empty node; simulated nodes are never full. Read [`Nodes`] first.

use std::collections::BTreeMap;

use manifest::Object;
use manifest::quantity::Quantity;
use yaml::{Map, Str, Value};

use super::control::{Context, Switch};
use super::fields::{flag, items, map, text};
use super::kind::Kind;
use super::selector::meets;

/// Why a node does not take a pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refusal {
    /// It is cordoned.
    Unschedulable,
    /// It has a taint that the pod does not tolerate.
    Taint,
    /// Selector or affinity exclude it.
    Affinity,
    /// It has not as much of a resource as the pod asks for.
    Insufficient(String),
    /// It lacks the label of a topology that the pod is spread over.
    SpreadLabel,
    /// The pod's like would be spread too unevenly.
    Spread,
    /// The pods that the pod wants to be near to are elsewhere.
    Near,
    /// Pods that the pod wants to be far from are there.
    Far,
}

impl Refusal {
    /// The reason in the scheduler's words.
    pub(crate) fn text(&self) -> String {
        let words = match self {
            Refusal::Unschedulable => "node(s) were unschedulable",
            Refusal::Taint => "node(s) had untolerated taint(s)",
            Refusal::Affinity => "node(s) didn't match Pod's node affinity/selector",
            Refusal::Insufficient(resource) => return format!("Insufficient {resource}"),
            Refusal::SpreadLabel => {
                "node(s) didn't match pod topology spread constraints (missing required label)"
            }
            Refusal::Spread => "node(s) didn't match pod topology spread constraints",
            Refusal::Near => "node(s) didn't match pod affinity rules",
            Refusal::Far => "node(s) didn't match pod anti-affinity rules",
        };
        words.to_owned()
    }

    /// Whether the pod might get the node if others left it.
    pub(crate) fn may_be_resolved(&self) -> bool {
        matches!(self, Refusal::Spread | Refusal::Far)
    }
}

/// Labels that every node has and whose values say which machine it is, or of what make.
const MACHINE_LABELS: [&str; 2] = ["kubernetes.io/hostname", "kubernetes.io/arch"];

/// The nodes of a cluster, as those who place pods see them.
///
/// Simulated nodes of an equipped cluster stand for those that a workload was written for, which we do
/// not know: what is asked of a label or a resource that no node has, or of a machine that is not
/// among them ([`MACHINE_LABELS`]), is no reason to refuse. As soon as one node has it, it counts for all.
pub(crate) struct Nodes<'a> {
    all: Vec<&'a Object>,
    equipment: Switch,
}

impl<'a> Nodes<'a> {
    /// All nodes that there are.
    pub(crate) fn of(context: &Context<'a>) -> Self {
        Nodes {
            all: context.world.all(Kind::NODE).collect(),
            equipment: context.settings.equipment,
        }
    }

    /// One after the other.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a Object> {
        self.all.iter().copied()
    }

    /// Whether the node takes a pod of that spec.
    ///
    /// # Errors
    /// The reasons why not; several only where several resources are lacking.
    pub(crate) fn fits(&self, spec: &Value, node: &Object) -> Result<(), Vec<Refusal>> {
        self.suits(spec, node).map_err(|refusal| vec![refusal])?;
        let lacking = self.lacking(spec, node);
        if lacking.is_empty() {
            Ok(())
        } else {
            Err(lacking)
        }
    }

    /// Whether the node takes a pod of that spec, whatever its size.
    ///
    /// # Errors
    /// The first reason why not.
    pub(crate) fn suits(&self, spec: &Value, node: &Object) -> Result<(), Refusal> {
        if flag(node.value(), &["spec", "unschedulable"]) {
            let taint = map([
                ("key", "node.kubernetes.io/unschedulable".into()),
                ("effect", "NoSchedule".into()),
            ]);
            if !tolerated(spec, &taint) {
                return Err(Refusal::Unschedulable);
            }
        }
        let blocked = items(node.value(), &["spec", "taints"])
            .iter()
            .filter(|taint| matches!(text(taint, &["effect"]), "NoSchedule" | "NoExecute"))
            .any(|taint| !tolerated(spec, taint));
        if blocked {
            return Err(Refusal::Taint);
        }
        if self.selects(spec, node) && self.affine(spec, node) {
            Ok(())
        } else {
            Err(Refusal::Affinity)
        }
    }

    /// Whether it matters that pods ask for a label, or that they stay together or apart by it.
    pub(crate) fn heed_label(&self, key: &str) -> bool {
        self.equipment == Switch::Off || self.iter().any(|node| node.label(key).is_some())
    }

    /// Whether it matters that one of these values of a label is asked for.
    fn heed_values(&self, key: &str, values: &[Value]) -> bool {
        let is_asked = |node: &Object| {
            let has = node.label(key);
            values.iter().any(|value| value.as_str() == has)
        };
        self.heed_label(key)
            && (self.equipment == Switch::Off
                || values.is_empty()
                || !MACHINE_LABELS.contains(&key)
                || self.iter().any(is_asked))
    }

    fn heed_resource(&self, name: &str) -> bool {
        self.equipment == Switch::Off || self.iter().any(|node| amount(node, name).is_some())
    }

    fn selects(&self, spec: &Value, node: &Object) -> bool {
        let wanted = spec.get("nodeSelector").and_then(Value::as_map);
        wanted.into_iter().flat_map(Map::iter).all(|(key, value)| {
            node.label(key)
                .is_some_and(|has| value.as_str() == Some(has))
                || !self.heed_values(key, std::slice::from_ref(value))
        })
    }

    /// The required node affinity: any term, and all requirements of that term.
    fn affine(&self, spec: &Value, node: &Object) -> bool {
        let path = [
            "affinity",
            "nodeAffinity",
            "requiredDuringSchedulingIgnoredDuringExecution",
        ];
        let Some(required) = spec.at(&path) else {
            return true;
        };
        items(required, &["nodeSelectorTerms"]).iter().any(|term| {
            let expressions = items(term, &["matchExpressions"]);
            let fields = items(term, &["matchFields"]);
            let is_met = |wanted: &Value| {
                let key = text(wanted, &["key"]);
                let values = items(wanted, &["values"]);
                meets(wanted, node.label(key)) || !self.heed_values(key, values)
            };
            !(expressions.is_empty() && fields.is_empty())
                && expressions.iter().all(is_met)
                && fields.iter().all(|wanted| {
                    text(wanted, &["key"]) == "metadata.name" && meets(wanted, Some(node.name()))
                })
        })
    }

    /// The resources of which the pod asks for more than the whole node has.
    fn lacking(&self, spec: &Value, node: &Object) -> Vec<Refusal> {
        let mut wanted: BTreeMap<&Str, Quantity> = BTreeMap::new();
        for container in items(spec, &["containers"]) {
            let requests = container.at(&["resources", "requests"]);
            for (name, amount) in requests
                .and_then(Value::as_map)
                .into_iter()
                .flat_map(Map::iter)
            {
                let Some(amount) = quantity(Some(amount)) else {
                    continue;
                };
                let known = wanted.remove(name);
                let sum = known.and_then(|known: Quantity| known.checked_add(&amount));
                wanted.insert(name, sum.unwrap_or(amount));
            }
        }
        let zero = quantity(Some(&Value::Int(0)));
        wanted
            .into_iter()
            .filter(|(name, wanted)| {
                let wanted = Some(wanted.clone());
                wanted > zero
                    && wanted > amount(node, name).or_else(|| zero.clone())
                    && self.heed_resource(name)
            })
            .map(|(name, _)| Refusal::Insufficient(name.to_string()))
            .collect()
    }
}

/// How much of a resource a node has for pods.
fn amount(node: &Object, resource: &str) -> Option<Quantity> {
    quantity(node.value().at(&["status", "allocatable", resource]))
}

fn quantity(value: Option<&Value>) -> Option<Quantity> {
    Quantity::from_value(value?).ok()
}

fn tolerated(spec: &Value, taint: &Value) -> bool {
    items(spec, &["tolerations"]).iter().any(|toleration| {
        let effect = text(toleration, &["effect"]);
        let key = text(toleration, &["key"]);
        let exists = text(toleration, &["operator"]) == "Exists";
        (effect.is_empty() || effect == text(taint, &["effect"]))
            && (key == text(taint, &["key"]) || (key.is_empty() && exists))
            && (exists || text(toleration, &["value"]) == text(taint, &["value"]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::tests::json;

    fn node(text: &str) -> Object {
        let mut value = json(text);
        value.map_at_mut(&[]).insert("apiVersion", "v1");
        value.map_at_mut(&[]).insert("kind", "Node");
        Object::new(value).expect("is an object")
    }

    fn check(spec: &str, text: &str, want: Result<(), Refusal>) {
        let want = want.map_err(|refusal| vec![refusal]);
        let node = node(text);
        let nodes = Nodes {
            all: vec![&node],
            equipment: Switch::Off,
        };
        assert_eq!(nodes.fits(&json(spec), &node), want, "{spec}");
    }

    /// Whether the nodes of an equipped cluster take a pod: one without labels, and one with some.
    fn check_equipped(spec: &str, want: [bool; 2]) {
        let plain =
            node(r#"{"metadata": {"name": "a", "labels": {"kubernetes.io/hostname": "one"}}}"#);
        let rich = node(
            r#"{"metadata": {"name": "b", "labels": {"disk": "ssd", "kubernetes.io/hostname": "two"}},
            "status": {"allocatable": {"x.y/disk": "1"}}}"#,
        );
        let nodes = Nodes {
            all: vec![&plain, &rich],
            equipment: Switch::On,
        };
        let taken = [&plain, &rich].map(|node| nodes.fits(&json(spec), node).is_ok());
        assert_eq!(taken, want, "{spec}");
    }

    #[test]
    fn what_no_node_of_an_equipped_cluster_has_is_no_matter() {
        check_equipped(r#"{"nodeSelector": {"workload": "ml"}}"#, [true, true]);
        check_equipped(r#"{"nodeSelector": {"disk": "ssd"}}"#, [false, true]);
        check_equipped(r#"{"nodeSelector": {"disk": "hdd"}}"#, [false, false]);
        for (name, want) in [("two", [false, true]), ("pi4", [true, true])] {
            let selects = format!(r#"{{"nodeSelector": {{"kubernetes.io/hostname": "{name}"}}}}"#);
            check_equipped(&selects, want);
        }
        let affine = |key: &str, operator: &str| {
            format!(
                r#"{{"affinity": {{"nodeAffinity": {{"requiredDuringSchedulingIgnoredDuringExecution":
                {{"nodeSelectorTerms": [{{"matchExpressions": [{{"key": "{key}",
                "operator": "{operator}", "values": ["a"]}}]}}]}}}}}}}}"#
            )
        };
        check_equipped(&affine("zone", "In"), [true, true]);
        check_equipped(&affine("zone", "Exists"), [true, true]);
        check_equipped(&affine("disk", "Exists"), [false, true]);
        check_equipped(&affine("disk", "In"), [false, false]);
        check_equipped(&affine("kubernetes.io/hostname", "In"), [true, true]);
        check_equipped(&affine("kubernetes.io/hostname", "NotIn"), [true, true]);
        let asks = |name: &str| {
            format!(r#"{{"containers": [{{"resources": {{"requests": {{"{name}": "1"}}}}}}]}}"#)
        };
        check_equipped(&asks("nvidia.com/gpu"), [true, true]);
        check_equipped(&asks("x.y/disk"), [false, true]);
    }

    #[test]
    fn selectors_affinity_and_taints_decide() {
        let plain = r#"{"metadata": {"name": "a", "labels": {"disk": "ssd"}}}"#;
        check("{}", plain, Ok(()));
        check(r#"{"nodeSelector": {"disk": "ssd"}}"#, plain, Ok(()));
        check(
            r#"{"nodeSelector": {"disk": "hdd"}}"#,
            plain,
            Err(Refusal::Affinity),
        );
        let named = |name: &str| {
            format!(
                r#"{{"affinity": {{"nodeAffinity": {{"requiredDuringSchedulingIgnoredDuringExecution":
                {{"nodeSelectorTerms": [{{"matchFields": [{{"key": "metadata.name", "operator": "In",
                "values": ["{name}"]}}]}}]}}}}}}}}"#
            )
        };
        check(&named("a"), plain, Ok(()));
        check(&named("b"), plain, Err(Refusal::Affinity));
        let tainted = r#"{"metadata": {"name": "a"},
            "spec": {"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}}"#;
        check("{}", tainted, Err(Refusal::Taint));
        check(
            r#"{"tolerations": [{"key": "k", "value": "v"}]}"#,
            tainted,
            Ok(()),
        );
        check(
            r#"{"tolerations": [{"key": "k", "value": "x"}]}"#,
            tainted,
            Err(Refusal::Taint),
        );
        check(
            r#"{"tolerations": [{"operator": "Exists"}]}"#,
            tainted,
            Ok(()),
        );
        let cordoned = r#"{"metadata": {"name": "a"}, "spec": {"unschedulable": true}}"#;
        check("{}", cordoned, Err(Refusal::Unschedulable));
        let small = r#"{"metadata": {"name": "a"}, "status": {"allocatable": {"cpu": "2", "memory": "1Gi"}}}"#;
        let asks = |name: &str, amount: &str| {
            format!(
                r#"{{"containers": [{{"resources": {{"requests": {{"{name}": "{amount}"}}}}}}]}}"#
            )
        };
        check(&asks("cpu", "2000m"), small, Ok(()));
        let lacks = |name: &str| Err(Refusal::Insufficient(name.to_owned()));
        check(&asks("cpu", "2001m"), small, lacks("cpu"));
        check(&asks("x.y/z", "1"), small, lacks("x.y/z"));
        check(&asks("x.y/z", "0"), small, Ok(()));
    }
}
