//! Label selectors in configurations, on whole objects.

use yaml::{Map, Value};

/// Whether a label selector says nothing, and so selects even what has no labels to look at.
#[must_use]
pub fn selects_all(selector: &Value) -> bool {
    selector.get("matchLabels").is_none() && items(selector, "matchExpressions").is_empty()
}

/// Whether a label selector, or none, selects an object.
#[must_use]
pub fn selects(selector: &Value, object: &Value) -> bool {
    let labels = object.at(&["metadata", "labels"]);
    let label = |key: &str| labels.and_then(|labels| labels.get(key)?.as_str());
    let pairs = selector.get("matchLabels").and_then(Value::as_map);
    let equal = pairs
        .into_iter()
        .flat_map(Map::iter)
        .all(|(key, value)| label(key) == value.as_str());
    let fits = |expression: &Value| {
        let value = label(text(expression, "key"));
        let among = value.is_some_and(|value| {
            let known = items(expression, "values");
            known.iter().any(|known| known.as_str() == Some(value))
        });
        match text(expression, "operator") {
            "In" => among,
            "NotIn" => !among,
            "Exists" => value.is_some(),
            _ => value.is_none(),
        }
    };
    equal && items(selector, "matchExpressions").iter().all(fits)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_list).unwrap_or_default()
}
