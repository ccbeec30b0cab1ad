//! Which nodes a pod may run on: node selector, required node affinity, taints.
//!
//! Sizes are not compared: simulated nodes are never full.

use manifest::Object;
use yaml::{Map, Value};

use super::fields::{flag, items, labels, map, text};
use super::selector::{contains, meets};

/// Why a node does not take a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refusal {
    /// Selector or affinity exclude it.
    Affinity,
    /// It has a taint that the pod does not tolerate.
    Taint,
    /// It is cordoned.
    Unschedulable,
}

/// Whether the node takes a pod of that spec.
///
/// # Errors
/// The reason why not.
pub(crate) fn fits(spec: &Value, node: &Object) -> Result<(), Refusal> {
    let wanted = spec.get("nodeSelector").and_then(Value::as_map);
    if !wanted.is_none_or(|wanted| contains(labels(node), wanted)) || !affine(spec, node) {
        return Err(Refusal::Affinity);
    }
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
    if blocked { Err(Refusal::Taint) } else { Ok(()) }
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
    }
}
