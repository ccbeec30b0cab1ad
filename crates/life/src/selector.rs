//! Label selectors: of workloads (`matchLabels`, `matchExpressions`), of Services (a plain map) and
//! of nodes (`nodeSelectorTerms`, with `Gt` and `Lt`).

use manifest::Object;
use yaml::{Map, Value};

use super::fields::{items, text};

/// Whether a `metav1.LabelSelector` takes these labels. An empty selector takes everything, an
/// absent one nothing.
pub(crate) fn selects(selector: Option<&Value>, labels: Option<&Map>) -> bool {
    let Some(selector) = selector.and_then(Value::as_map) else {
        return false;
    };
    let wanted = selector.get("matchLabels").and_then(Value::as_map);
    wanted.is_none_or(|wanted| contains(labels, wanted))
        && selector
            .get("matchExpressions")
            .and_then(Value::as_list)
            .unwrap_or_default()
            .iter()
            .all(|requirement| meets(requirement, label(labels, text(requirement, &["key"]))))
}

/// Whether the selector of a workload takes these labels: a ReplicationController's is a plain map.
pub(crate) fn owns_by_labels(owner: &Object, labels: Option<&Map>) -> bool {
    let selector = owner.value().at(&["spec", "selector"]);
    if owner.kind() == "ReplicationController" {
        let wanted = selector.and_then(Value::as_map);
        wanted.is_some_and(|wanted| !wanted.is_empty() && contains(labels, wanted))
    } else {
        selects(selector, labels)
    }
}

/// A `metav1.LabelSelector` as Go prints it.
pub(crate) fn go_print(selector: &Value) -> String {
    let labels = selector.get("matchLabels").and_then(Value::as_map);
    let mut labels: Vec<String> = labels
        .into_iter()
        .flat_map(Map::iter)
        .map(|(key, value)| format!("{key}: {},", value.as_str().unwrap_or_default()))
        .collect();
    labels.sort_unstable();
    let expressions: String = items(selector, &["matchExpressions"])
        .iter()
        .map(|requirement| {
            let values = items(requirement, &["values"]).iter();
            let values: Vec<&str> = values.filter_map(Value::as_str).collect();
            format!(
                "LabelSelectorRequirement{{Key:{},Operator:{},Values:[{}],}},",
                text(requirement, &["key"]),
                text(requirement, &["operator"]),
                values.join(" ")
            )
        })
        .collect();
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{}}},MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}",
        labels.concat()
    )
}

/// Whether `labels` has every pair of `wanted`.
pub(crate) fn contains(labels: Option<&Map>, wanted: &Map) -> bool {
    wanted
        .iter()
        .all(|(key, value)| label(labels, key) == value.as_str())
}

fn label<'a>(labels: Option<&'a Map>, key: &str) -> Option<&'a str> {
    labels?.get(key)?.as_str()
}

/// One requirement of a label, node label or node field against the value it has.
pub(crate) fn meets(requirement: &Value, value: Option<&str>) -> bool {
    let listed = || {
        items(requirement, &["values"])
            .iter()
            .any(|wanted| wanted.as_str() == value)
    };
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
    let bound = || {
        number(
            items(requirement, &["values"])
                .first()
                .and_then(Value::as_str),
        )
    };
    match text(requirement, &["operator"]) {
        "In" => value.is_some() && listed(),
        "NotIn" => value.is_none() || !listed(),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => number(value)
            .zip(bound())
            .is_some_and(|(have, than)| have > than),
        "Lt" => number(value)
            .zip(bound())
            .is_some_and(|(have, than)| have < than),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::map;

    fn check(selector: &Value, pairs: [(&str, Value); 2], want: bool) {
        assert_eq!(
            selects(Some(selector), Some(&Map::from(pairs))),
            want,
            "{selector:?}"
        );
    }

    #[test]
    fn expressions_and_labels_must_all_hold() {
        let labels = || [("app", Value::from("web")), ("tier", Value::from("2"))];
        let with = |operator: &str, values: Vec<&str>| {
            map([
                ("matchLabels", map([("app", "web".into())])),
                (
                    "matchExpressions",
                    Value::List(vec![map([
                        ("key", "tier".into()),
                        ("operator", operator.into()),
                        ("values", values.into()),
                    ])]),
                ),
            ])
        };
        check(&with("In", vec!["1", "2"]), labels(), true);
        check(&with("NotIn", vec!["2"]), labels(), false);
        check(&with("Exists", vec![]), labels(), true);
        check(&with("DoesNotExist", vec![]), labels(), false);
        check(&with("Gt", vec!["1"]), labels(), true);
        check(&with("Lt", vec!["1"]), labels(), false);
        check(&map([]), labels(), true);
        assert!(!selects(None, Some(&Map::from(labels()))));
    }
}
