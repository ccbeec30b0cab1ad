//! Label selectors as they stand in objects.

use yaml::{Map, Value};

/// A label selector in the form of a query.
#[must_use]
pub fn selector_text(selector: Option<&Value>) -> String {
    let Some(selector) = selector.and_then(Value::as_map) else {
        return String::new();
    };
    let structured =
        selector.contains_key("matchLabels") || selector.contains_key("matchExpressions");
    let labels = if structured {
        selector.get("matchLabels").and_then(Value::as_map)
    } else {
        Some(selector)
    };
    let mut parts: Vec<String> = Vec::new();
    for (key, value) in labels.into_iter().flat_map(Map::iter) {
        parts.push(format!("{key}={}", value.as_str().unwrap_or_default()));
    }
    let expressions = structured
        .then(|| selector.get("matchExpressions").and_then(Value::as_list))
        .flatten()
        .unwrap_or_default();
    for expression in expressions {
        let text = |key| {
            expression
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let mut values: Vec<&str> = expression
            .get("values")
            .and_then(Value::as_list)
            .unwrap_or_default()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        values.sort_unstable();
        let (key, values) = (text("key"), values.join(","));
        parts.push(match text("operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    parts.sort();
    parts.join(",")
}
