//! Where two answers differ: orders that the API leaves open are made equal, then all counts.
//!
//! It must never know where the answers come from.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::placeholders::age_columns;

/// A differing value is shown up to here.
const MAX_SHOWN_BYTES: usize = 200;

/// The answer with everything evened out that a step's `compare` leaves open.
pub(crate) fn prepare(answer: &Json, compare: &Json) -> Json {
    let mut out = ordered(answer, None);
    let keeps_bookmarks = compare
        .get("idle_bookmarks")
        .is_some_and(|value| value == true);
    if let Some(events) = out.get_mut("events").and_then(Json::as_array_mut) {
        if !keeps_bookmarks {
            events.retain(|event| !is_idle_bookmark(event));
        }
        even_ages(events);
        if compare
            .get("event_order")
            .is_some_and(|order| order == "any")
        {
            events.sort_by_key(ToString::to_string);
        }
    }
    if compare
        .get("causes_any_order")
        .is_some_and(|value| value == true)
        && let Some(body) = out.get_mut("body").and_then(Json::as_object_mut)
    {
        even_causes(body);
    }
    let ignored = compare.get("ignore").and_then(Json::as_array);
    for pointer in ignored.into_iter().flatten().filter_map(Json::as_str) {
        let segments: Vec<String> = pointer
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| segment.replace("~1", "/"))
            .collect();
        ignore(&mut out, &segments);
    }
    without_list_numbers(out)
}

/// Managed fields are a set, and so are the causes of a conflict.
fn ordered(value: &Json, key: Option<&str>) -> Json {
    match value {
        Json::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), ordered(value, Some(key))))
            .collect(),
        Json::Array(items) => {
            let mut items: Vec<Json> = items.iter().map(|item| ordered(item, None)).collect();
            let is_conflict = |item: &Json| {
                item.get("reason")
                    .is_some_and(|reason| reason == "FieldManagerConflict")
            };
            match key {
                Some("managedFields") => items.sort_by_key(manager),
                Some("causes") if items.iter().any(is_conflict) => {
                    items.sort_by_key(ToString::to_string);
                }
                _ => {}
            }
            Json::Array(items)
        }
        other => other.clone(),
    }
}

fn manager(entry: &Json) -> Vec<String> {
    let text = |key: &str| {
        entry
            .get(key)
            .and_then(Json::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    ["operation", "manager", "apiVersion", "subresource"]
        .map(text)
        .to_vec()
}

fn is_idle_bookmark(event: &Json) -> bool {
    let is_first_list_end = event
        .pointer("/object/metadata/annotations/k8s.io~1initial-events-end")
        .is_some();
    event.get("type").is_some_and(|kind| kind == "BOOKMARK") && !is_first_list_end
}

/// A watched table names its columns in the first event only; the ages of later ones count as little.
fn even_ages(events: &mut [Json]) {
    let tables = events.iter().filter_map(|event| event.get("object"));
    let ages: BTreeSet<usize> = tables
        .filter_map(Json::as_object)
        .flat_map(age_columns)
        .collect();
    for event in events {
        let rows = event
            .pointer_mut("/object/rows")
            .and_then(Json::as_array_mut);
        let cells = rows.into_iter().flatten();
        let cells = cells.filter_map(|row| row.get_mut("cells")?.as_array_mut());
        for (number, cell) in cells.flat_map(|cells| cells.iter_mut().enumerate()) {
            let is_short = |text: &str| text.ends_with(|unit: char| "smhd".contains(unit));
            if ages.contains(&number) && cell.as_str().is_some_and(is_short) {
                *cell = Json::from("<age>");
            }
        }
    }
}

/// Causes come in no fixed order, and the message lists them.
fn even_causes(body: &mut Map<String, Json>) {
    if let Some(causes) = body
        .get_mut("details")
        .and_then(|details| details.get_mut("causes"))
        .and_then(Json::as_array_mut)
    {
        causes.sort_by_key(ToString::to_string);
    }
    let message = body
        .get("message")
        .and_then(Json::as_str)
        .unwrap_or_default();
    let message = message
        .strip_suffix(']')
        .unwrap_or(message)
        .replacen(": [", ", ", usize::MAX);
    let mut parts: Vec<&str> = message.split(", ").collect();
    parts.sort_unstable();
    let parts = Json::from(parts);
    body.insert("message".to_owned(), parts);
}

fn ignore(value: &mut Json, segments: &[String]) {
    let Some((first, rest)) = segments.split_first() else {
        return;
    };
    match value {
        Json::Array(items) => {
            for (number, item) in items.iter_mut().enumerate() {
                if first == "*" || *first == number.to_string() {
                    ignore(item, rest);
                }
            }
        }
        Json::Object(map) => {
            let fitting = map
                .iter_mut()
                .filter(|(key, _)| first == "*" || *key == first);
            for (_, inner) in fitting {
                if rest.is_empty() {
                    *inner = Json::from("<ignored>");
                } else {
                    ignore(inner, rest);
                }
            }
        }
        _ => {}
    }
}

/// The versions of lists are compared by place only.
fn without_list_numbers(value: Json) -> Json {
    const MARK: &str = "<listrv:";
    match value {
        Json::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, without_list_numbers(value)))
            .collect(),
        Json::Array(items) => items.into_iter().map(without_list_numbers).collect(),
        Json::String(text) if text.contains(MARK) => {
            let mut parts = text.split(MARK);
            let mut out = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                out.push_str("<listrv>");
                out.push_str(part.split_once('>').map_or("", |(_, after)| after));
            }
            Json::String(out)
        }
        other => other,
    }
}

/// All differences, as `/path: expected …, got …`.
pub(crate) fn differences(want: &Json, got: &Json, path: &str) -> Vec<String> {
    match (want, got) {
        (Json::Object(want), Json::Object(got)) => {
            let keys: BTreeSet<&String> = want.keys().chain(got.keys()).collect();
            let compare = |key: &String| {
                let place = format!("{path}/{}", key.replace('/', "~1"));
                match (want.get(key), got.get(key)) {
                    (Some(want), Some(got)) => differences(want, got, &place),
                    (Some(want), None) => {
                        vec![format!("{place}: missing, expected {}", shown(want))]
                    }
                    (None, Some(got)) => vec![format!("{place}: unexpected {}", shown(got))],
                    (None, None) => Vec::new(),
                }
            };
            keys.into_iter().flat_map(compare).collect()
        }
        (Json::Array(want), Json::Array(got)) => {
            let mut found = Vec::new();
            if want.len() != got.len() {
                found.push(format!(
                    "{path}: expected {} items, got {}",
                    want.len(),
                    got.len()
                ));
            }
            for (number, (want, got)) in want.iter().zip(got).enumerate() {
                found.extend(differences(want, got, &format!("{path}/{number}")));
            }
            found
        }
        _ if want == got || has_aged(want, got) => Vec::new(),
        _ => vec![format!(
            "{path}: expected {}, got {}",
            shown(want),
            shown(got)
        )],
    }
}

/// Whether both are ages in years, and time has passed since the first: the corpus marks shorter ones
/// as volatile, and holds these as they were on the day of the recording.
fn has_aged(want: &Json, got: &Json) -> bool {
    let days = |age: &Json| days_of_age(age.as_str()?);
    matches!((days(want), days(got)), (Some(want), Some(got)) if want < got)
}

/// The days of an age such as `2y326d` or `8y`.
fn days_of_age(text: &str) -> Option<u64> {
    let (years, rest) = text.split_once('y')?;
    let years: u64 = years.parse().ok()?;
    let days = match rest {
        "" => 0,
        rest => rest.strip_suffix('d')?.parse().ok()?,
    };
    years.checked_mul(365)?.checked_add(days)
}

fn shown(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().find(|(at, _)| *at >= MAX_SHOWN_BYTES) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// The value at a JSON pointer; a segment `key=value` picks the element of a list with that field.
pub(crate) fn pointed<'a>(value: &'a Json, pointer: &str) -> Option<&'a Json> {
    let mut at = value;
    for segment in pointer.split('/').filter(|segment| !segment.is_empty()) {
        let segment = segment.replace("~1", "/").replace("~0", "~");
        at = match (at, segment.split_once('=')) {
            (Json::Array(items), Some((key, wanted))) => items
                .iter()
                .find(|item| item.get(key).and_then(Json::as_str) == Some(wanted))?,
            (Json::Array(items), None) => items.get(segment.parse::<usize>().ok()?)?,
            (other, _) => other.get(&segment)?,
        };
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(want: &Json, got: &Json, compare: &Json, n_differences: usize) {
        let found = differences(&prepare(want, compare), &prepare(got, compare), "");
        assert_eq!(found.len(), n_differences, "{found:?}");
    }

    #[test]
    fn orders_that_are_open_do_not_differ() {
        let entry = |manager: &str| json!({"manager": manager, "operation": "Update"});
        let object = |first: &str, second: &str| json!({"body": {"metadata": {"managedFields": [entry(first), entry(second)]}}});
        check(&object("a", "b"), &object("b", "a"), &json!({}), 0);
        check(&object("a", "b"), &object("a", "c"), &json!({}), 1);
        check(
            &json!({"body": [1, 2]}),
            &json!({"body": [2, 1]}),
            &json!({}),
            2,
        );
    }

    #[test]
    fn a_number_and_its_text_differ() {
        check(&json!({"a": 1}), &json!({"a": "1"}), &json!({}), 1);
        check(&json!({"a": 1}), &json!({"a": 1.0}), &json!({}), 1);
        check(&json!({"a": 1}), &json!({}), &json!({}), 1);
    }

    #[test]
    fn what_a_step_leaves_open_is_not_compared() {
        let body = |value: &str| json!({"body": {"items": [{"a": value}, {"a": "same"}]}});
        check(&body("x"), &body("y"), &json!({}), 1);
        check(
            &body("x"),
            &body("y"),
            &json!({"ignore": ["/body/items/*/a"]}),
            0,
        );
        let causes = |first: &str, second: &str| {
            json!({"body": {"message": format!("it is invalid: [{first}, {second}]"),
                "details": {"causes": [{"message": first}, {"message": second}]}}})
        };
        check(
            &causes("x", "y"),
            &causes("y", "x"),
            &json!({"causes_any_order": true}),
            0,
        );
        check(
            &causes("x", "y"),
            &causes("z", "x"),
            &json!({"causes_any_order": true}),
            2,
        );
    }

    #[test]
    fn idle_bookmarks_and_numbers_of_list_versions_do_not_count() {
        let want = json!({"events": [{"type": "BOOKMARK", "object": {"metadata": {}}}], "rv": "<listrv:1>"});
        let got = json!({"events": [], "rv": "<listrv:3>"});
        check(&want, &got, &json!({}), 0);
    }

    #[test]
    fn ages_in_years_may_have_grown_since() {
        let check = |want: &str, got: &str, is_same: bool| {
            let found = differences(&json!([want]), &json!([got]), "");
            assert_eq!(found.is_empty(), is_same, "{want} {got}: {found:?}");
        };
        check("2y326d", "2y326d", true);
        check("2y326d", "2y327d", true);
        check("2y364d", "3y", true);
        check("2y326d", "2y325d", false);
        check("2y326d", "<unknown>", false);
        check("2y326d", "2y327", false);
        check("2yd", "2y1d", false);
    }

    #[test]
    fn ages_of_later_events_of_a_watched_table_do_not_count() {
        let event = |columns: Json, name: &str, age: &str| json!({"object": {"columnDefinitions": columns, "rows": [{"cells": [name, age]}]}});
        let events = |name: &str, age: &str| {
            let columns = json!([{"name": "Name"}, {"name": "Age"}]);
            json!({"events": [event(columns, "a", "<age>"), event(Json::Null, name, age)]})
        };
        check(&events("a", "0s"), &events("a", "1s"), &json!({}), 0);
        check(&events("a", "0s"), &events("b", "1s"), &json!({}), 1);
    }

    #[test]
    fn a_pointer_picks_from_lists_by_field() {
        let value = json!({"conditions": [{"type": "A"}, {"type": "Ready", "status": "True"}]});
        assert_eq!(
            pointed(&value, "/conditions/type=Ready/status"),
            Some(&json!("True"))
        );
        assert_eq!(pointed(&value, "/conditions/0/type"), Some(&json!("A")));
        assert_eq!(pointed(&value, "/conditions/7"), None);
    }
}
