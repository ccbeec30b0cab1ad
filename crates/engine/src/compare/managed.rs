//! Which fields a field manager owns, read from `metadata.managedFields`.
//!
//! Read [`Step`] first. Only what a comparison needs: the paths of owned fields, and the part of an
//! object that one manager has applied.

use manifest::Object;
use yaml::{Map, Value, json};

/// One step from a value to a part of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// The member of a map (`f:name`).
    Member(String),
    /// The item of a list with these members (`k:{...}`).
    Keyed(Map),
    /// The item of a list with this value (`v:...`).
    Item(Value),
}

/// The paths of the leaves that `manager` owns, whatever the operation.
pub(super) fn owned_leaves(live: &Object, manager: &str) -> Vec<Vec<Step>> {
    let mut leaves = Vec::new();
    for fields in entries(live, |entry| text(entry, "manager") == manager) {
        collect(fields, &mut Vec::new(), &mut leaves);
    }
    leaves
}

/// The part of `live` that `manager` has brought in by server-side apply; `None` when it has not.
pub(super) fn applied_by(live: &Object, manager: &str) -> Option<Value> {
    let is_applied = |entry: &Value| {
        text(entry, "manager") == manager
            && text(entry, "operation") == "Apply"
            && text(entry, "subresource").is_empty()
    };
    let fields = entries(live, is_applied).next()?;
    Some(part(live.value(), fields))
}

fn text<'a>(entry: &'a Value, key: &str) -> &'a str {
    entry.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn entries<'a>(
    live: &'a Object,
    keep: impl Fn(&Value) -> bool + 'a,
) -> impl Iterator<Item = &'a Value> + 'a {
    let all = live
        .value()
        .at(&["metadata", "managedFields"])
        .and_then(Value::as_list);
    all.unwrap_or_default()
        .iter()
        .filter(move |entry| keep(entry))
        .filter_map(|entry| entry.get("fieldsV1"))
}

fn parse(step: &str) -> Option<Step> {
    if let Some(name) = step.strip_prefix("f:") {
        return Some(Step::Member(name.to_owned()));
    }
    if let Some(key) = step.strip_prefix("k:") {
        return match json::parse(key.as_bytes()) {
            Ok(Value::Map(map)) => Some(Step::Keyed(map)),
            _ => None,
        };
    }
    let value = step.strip_prefix("v:")?;
    json::parse(value.as_bytes()).ok().map(Step::Item)
}

fn collect(fields: &Value, path: &mut Vec<Step>, leaves: &mut Vec<Vec<Step>>) {
    let members = fields.as_map().into_iter().flat_map(Map::iter);
    let mut is_leaf = true;
    for (name, below) in members {
        if let Some(step) = parse(name) {
            is_leaf = false;
            path.push(step);
            collect(below, path, leaves);
            path.pop();
        }
    }
    if is_leaf && !path.is_empty() {
        leaves.push(path.clone());
    }
}

fn index_of(list: &[Value], step: &Step) -> Option<usize> {
    list.iter().position(|item| match step {
        Step::Member(_) => false,
        Step::Keyed(keys) => keys.iter().all(|(key, value)| item.get(key) == Some(value)),
        Step::Item(value) => item == value,
    })
}

/// Takes out what a path leads to.
pub(super) fn remove(value: &mut Value, path: &[Step]) {
    let Some((step, rest)) = path.split_first() else {
        return;
    };
    match (value, step) {
        (Value::Map(map), Step::Member(name)) if rest.is_empty() => {
            map.remove(name);
        }
        (Value::Map(map), Step::Member(name)) => {
            if let Some(next) = map.get_mut(name) {
                remove(next, rest);
            }
        }
        (Value::List(list), step) => {
            let Some(index) = index_of(list, step) else {
                return;
            };
            if rest.is_empty() {
                list.remove(index);
            } else {
                remove(&mut list[index], rest);
            }
        }
        _ => {}
    }
}

/// The part of `value` that `fields` names.
fn part(value: &Value, fields: &Value) -> Value {
    let steps: Vec<(Step, &Value)> = fields
        .as_map()
        .into_iter()
        .flat_map(Map::iter)
        .filter_map(|(name, below)| Some((parse(name)?, below)))
        .collect();
    if steps.is_empty() {
        return value.clone();
    }
    match value {
        Value::Map(map) => {
            let members = steps.iter().filter_map(|(step, below)| match step {
                Step::Member(name) => Some((name.as_str(), part(map.get(name)?, below))),
                Step::Keyed(_) | Step::Item(_) => None,
            });
            Value::Map(members.collect())
        }
        Value::List(list) => {
            let items = steps.iter().filter_map(|(step, below)| {
                index_of(list, step).map(|index| (index, part(&list[index], below)))
            });
            let mut items: Vec<(usize, Value)> = items.collect();
            items.sort_by_key(|(index, _)| *index);
            Value::List(items.into_iter().map(|(_, item)| item).collect())
        }
        other => other.clone(),
    }
}
