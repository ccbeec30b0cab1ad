//! Columns of custom resources: a JSONPath each.

use jiff::Timestamp;
use yaml::{Map, Value};

use crate::age::{age_of, since};

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The columns of a custom resource after the name, by what its definition declares; only the age when none are declared.
#[must_use]
pub fn custom_definitions(columns: &[Value]) -> Vec<Value> {
    if columns.is_empty() {
        let age = Map::from([
            ("name", "Age".into()),
            ("type", "date".into()),
            ("format", "".into()),
            ("description", AGE.into()),
            ("priority", 0.into()),
        ]);
        return vec![age.into()];
    }
    columns
        .iter()
        .map(|column| {
            let path = text(column, "jsonPath");
            let description = match text(column, "description") {
                "" => {
                    format!("Custom resource definition column (in JSONPath format): {path}")
                }
                given => given.to_owned(),
            };
            let priority = column.get("priority").and_then(Value::as_i64).unwrap_or(0);
            Value::Map(Map::from([
                ("name", text(column, "name").into()),
                ("type", text(column, "type").into()),
                ("format", text(column, "format").into()),
                ("description", description.into()),
                ("priority", priority.into()),
            ]))
        })
        .collect()
}

const AGE: &str = "CreationTimestamp is a timestamp representing the server time when this object \
                   was created. It is not guaranteed to be set in happens-before order across \
                   separate operations. Clients may not set this value. It is represented in \
                   RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for \
                   lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/// The cells of the row of a custom object, by the columns that its definition declares.
#[must_use]
pub fn custom_cells(columns: &[Value], object: &Value, now: Timestamp) -> Vec<Value> {
    let mut cells = vec![Value::from(
        object
            .at(&["metadata", "name"])
            .and_then(Value::as_str)
            .unwrap_or_default(),
    )];
    if columns.is_empty() {
        cells.push(age_of(object, now));
    }
    for column in columns {
        let found = follow(object, text(column, "jsonPath"));
        // Of several values only the first is shown.
        let first = found.first();
        cells.push(first.map_or(Value::Null, |value| cell(text(column, "type"), value, now)));
    }
    cells
}

fn cell(kind: &str, value: &Value, now: Timestamp) -> Value {
    match (kind, value) {
        ("integer", Value::Int(_)) | ("boolean", Value::Bool(_)) => value.clone(),
        ("integer", Value::Float(number)) => Value::Int(number.trunc() as i64),
        ("number", Value::Int(_) | Value::Float(_)) => value.clone(),
        ("date", Value::String(time)) => match time.parse::<Timestamp>() {
            Ok(time) => since(time, now).into(),
            Err(_) => "<invalid>".into(),
        },
        ("string", Value::String(_)) => value.clone(),
        ("string", other) => yaml::json::to_string(other).into(),
        _ => Value::Null,
    }
}

/// Follows the simple form of a JSONPath: members, indices, `[*]` and equality filters.
fn follow<'a>(object: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut found = vec![object];
    let mut rest = path;
    while !rest.is_empty() {
        let step;
        if let Some(after) = rest.strip_prefix('[') {
            let Some(end) = after.find(']') else {
                return Vec::new();
            };
            step = (true, &after[..end]);
            rest = &after[end + 1..];
        } else {
            let after = rest.strip_prefix('.').unwrap_or(rest);
            let end = name_end(after);
            step = (false, &after[..end]);
            rest = &after[end..];
            if end == 0 && rest == after && !rest.starts_with('[') {
                return Vec::new();
            }
        }
        found = match step {
            (false, "") => found,
            (false, name) => {
                let name = name.replace("\\.", ".");
                found
                    .into_iter()
                    .filter_map(|value| value.get(&name))
                    .collect()
            }
            (true, inner) => found
                .into_iter()
                .flat_map(|value| bracket(value, inner))
                .collect(),
        };
    }
    found.retain(|value| !value.is_null());
    found
}

fn name_end(text: &str) -> usize {
    let mut escaped = false;
    for (index, letter) in text.char_indices() {
        if !escaped && matches!(letter, '.' | '[') {
            return index;
        }
        escaped = letter == '\\';
    }
    text.len()
}

fn bracket<'a>(value: &'a Value, inner: &str) -> Vec<&'a Value> {
    let items = value.as_list().unwrap_or_default();
    if inner == "*" {
        return items.iter().collect();
    }
    if let Ok(index) = inner.parse::<usize>() {
        return items.get(index).into_iter().collect();
    }
    if let Some(name) = inner
        .strip_prefix('\'')
        .and_then(|name| name.strip_suffix('\''))
    {
        return value.get(name).into_iter().collect();
    }
    let condition = inner
        .strip_prefix("?(")
        .and_then(|rest| rest.strip_suffix(')'))
        .and_then(|rest| rest.trim().strip_prefix("@."))
        .and_then(|rest| rest.split_once("=="));
    let Some((member, want)) = condition else {
        return Vec::new();
    };
    let want = want.trim().trim_matches(['"', '\'']);
    items
        .iter()
        .filter(|item| text(item, member.trim()) == want)
        .collect()
}
