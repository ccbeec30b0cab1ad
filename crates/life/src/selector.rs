//! Label selectors: of workloads (`matchLabels`, `matchExpressions`), of Services (a plain map) and
//! of nodes (`nodeSelectorTerms`, with `Gt` and `Lt`).

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
