//! Which nodes a pod may run on: taints, node selector, required node affinity, ports, sizes.
//!
//! A pod must fit on an empty node; simulated nodes are never full.

use std::collections::BTreeMap;

use manifest::Object;
use manifest::quantity::Quantity;
use yaml::{Map, Str, Value};

use super::fields::{flag, items, labels, map, text};
use super::selector::{contains, meets};

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

/// Whether the node takes a pod of that spec.
///
/// # Errors
/// The reasons why not; several only where several resources are lacking.
pub(crate) fn fits(spec: &Value, node: &Object) -> Result<(), Vec<Refusal>> {
    suits(spec, node).map_err(|refusal| vec![refusal])?;
    let lacking = lacking(spec, node);
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
pub(crate) fn suits(spec: &Value, node: &Object) -> Result<(), Refusal> {
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
    let wanted = spec.get("nodeSelector").and_then(Value::as_map);
    if !wanted.is_none_or(|wanted| contains(labels(node), wanted)) || !affine(spec, node) {
        return Err(Refusal::Affinity);
    }
    Ok(())
}

/// The resources of which the pod asks for more than the whole node has.
fn lacking(spec: &Value, node: &Object) -> Vec<Refusal> {
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
    let has = |name: &str| quantity(node.value().at(&["status", "allocatable", name]));
    let zero = quantity(Some(&Value::Int(0)));
    wanted
        .into_iter()
        .filter(|(name, amount)| {
            let amount = Some(amount.clone());
            amount > zero && amount > has(name).or_else(|| zero.clone())
        })
        .map(|(name, _)| Refusal::Insufficient(name.to_string()))
        .collect()
}

fn quantity(value: Option<&Value>) -> Option<Quantity> {
    Quantity::from_value(value?).ok()
}

/// The required node affinity: any term, and all requirements of that term.
fn affine(spec: &Value, node: &Object) -> bool {
    let path = [
        "affinity",
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
    ];
    let Some(required) = spec.at(&path) else {
        return true;
    };
    let label = |key: &str| labels(node).and_then(|labels: &Map| labels.get(key)?.as_str());
    items(required, &["nodeSelectorTerms"]).iter().any(|term| {
        let expressions = items(term, &["matchExpressions"]);
        let fields = items(term, &["matchFields"]);
        !(expressions.is_empty() && fields.is_empty())
            && expressions
                .iter()
                .all(|wanted| meets(wanted, label(text(wanted, &["key"]))))
            && fields.iter().all(|wanted| {
                text(wanted, &["key"]) == "metadata.name" && meets(wanted, Some(node.name()))
            })
    })
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

    fn check(spec: &str, node: &str, want: Result<(), Refusal>) {
        let want = want.map_err(|refusal| vec![refusal]);
        let mut value = json(node);
        value.map_at_mut(&[]).insert("apiVersion", "v1");
        value.map_at_mut(&[]).insert("kind", "Node");
        let node = Object::new(value).expect("is an object");
        assert_eq!(fits(&json(spec), &node), want, "{spec}");
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
