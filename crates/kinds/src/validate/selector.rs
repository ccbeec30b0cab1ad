//! Selectors of labels and of nodes.

use yaml::{Map, Value};

use super::field::{Field, IMMUTABLE};
use super::metadata::labels;
use crate::{FieldError, names};

const NO_OPERATOR: &str = "not a valid selector operator";

/// What is wrong with a label selector.
pub(crate) fn check(selector: &Field<'_, '_>) {
    labels(&selector.get("matchLabels"));
    for expression in selector.get("matchExpressions").items() {
        requirement(&expression, |_, _| false);
        label_values(&expression.get("values"));
    }
}

/// One requirement of a key. `is_other` judges the values of operators that only some selectors have,
/// and tells whether the operator is one of them.
fn requirement(expression: &Field<'_, '_>, is_other: impl Fn(&str, &Field<'_, '_>) -> bool) {
    let (operator, values) = (expression.get("operator"), expression.get("values"));
    match operator.text() {
        "In" | "NotIn" if values.is_empty() => {
            values.required("must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            values.forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other if is_other(other, &values) => {}
        _ => operator.invalid(NO_OPERATOR),
    }
    expression
        .get("key")
        .problems(names::qualified_name_problems);
}

/// Nodes are also selected by the order of a number.
fn is_order(operator: &str, values: &Field<'_, '_>) -> bool {
    let is_order = matches!(operator, "Gt" | "Lt");
    if is_order && values.list().len() != 1 {
        values.required("must be specified single value when `operator` is 'Lt' or 'Gt'");
    }
    is_order
}

/// An update may not change a label selector.
pub(crate) fn immutable(selector: &Field<'_, '_>) {
    if !selector.changed() {
        return;
    }
    // In the order of the server's type.
    let members = ["matchLabels", "matchExpressions"]
        .into_iter()
        .filter_map(|name| {
            let text = yaml::json::to_string(selector.get(name).value()?);
            Some(format!("\"{name}\":{text}"))
        });
    let shown = match selector.value() {
        Some(_) => format!("{{{}}}", members.collect::<Vec<_>>().join(",")),
        None => "null".to_owned(),
    };
    selector.tell(|path| FieldError::invalid_printed(path, &shown, IMMUTABLE));
}

fn label_values(values: &Field<'_, '_>) {
    for value in values.items() {
        value.problems(names::label_value_problems);
    }
}

/// Whether a selector is there and says nothing.
pub(crate) fn is_empty(selector: &Field<'_, '_>) -> bool {
    selector.get("matchLabels").is_empty() && selector.get("matchExpressions").is_empty()
}

/// Whether a selector can be used: its keys, operators and values are known.
pub(crate) fn is_usable(selector: &Field<'_, '_>) -> bool {
    let is_value = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        names::label_value_problems(text).is_empty()
    };
    let is_key = |key: &str| names::qualified_name_problems(key).is_empty();
    let mut pairs = selector
        .get("matchLabels")
        .map()
        .into_iter()
        .flat_map(Map::iter);
    pairs.all(|(key, value)| is_key(key) && is_value(value))
        && selector.get("matchExpressions").items().all(|expression| {
            let values = expression.get("values").list();
            let fits = match expression.get("operator").text() {
                "In" | "NotIn" => !values.is_empty(),
                "Exists" | "DoesNotExist" => values.is_empty(),
                _ => false,
            };
            fits && is_key(expression.get("key").text()) && values.iter().all(is_value)
        })
}

/// Whether a selector selects what has these labels; one that is not there selects nothing.
pub(crate) fn selects(selector: &Field<'_, '_>, labels: Option<&Value>) -> bool {
    let label = |key: &str| labels.and_then(|labels| labels.get(key));
    let mut pairs = selector
        .get("matchLabels")
        .map()
        .into_iter()
        .flat_map(Map::iter);
    selector.is_set()
        && pairs.all(|(key, value)| label(key) == Some(value))
        && selector.get("matchExpressions").items().all(|expression| {
            let value = label(expression.get("key").text());
            let listed = value.is_some_and(|value| expression.get("values").list().contains(value));
            match expression.get("operator").text() {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        })
}

/// What is wrong with a selector of nodes.
pub(crate) fn nodes(selector: &Field<'_, '_>) {
    let terms = selector.get("nodeSelectorTerms");
    if terms.is_empty() {
        terms.required("must have at least one node selector term");
    }
    for item in terms.items() {
        term(&item, true);
    }
}

/// One term of a selector of nodes; preferences do not look at the values.
pub(super) fn term(term: &Field<'_, '_>, strict: bool) {
    for expression in term.get("matchExpressions").items() {
        requirement(&expression, is_order);
        if strict {
            label_values(&expression.get("values"));
        }
    }
    for requirement in term.get("matchFields").items() {
        field(&requirement);
    }
}

fn field(requirement: &Field<'_, '_>) {
    let (operator, values) = (requirement.get("operator"), requirement.get("values"));
    match operator.text() {
        "In" | "NotIn" if values.list().len() != 1 => {
            values.required(
                "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
            );
        }
        "In" | "NotIn" => {}
        _ => operator.invalid(NO_OPERATOR),
    }
    let key = requirement.get("key");
    if key.text() == "metadata.name" {
        for value in values.items() {
            value.problems(names::subdomain_problems);
        }
    } else {
        key.invalid("not a valid field selector key");
    }
}
