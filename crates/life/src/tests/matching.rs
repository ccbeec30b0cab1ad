//! Compares objects with recordings in which volatile values are placeholders.
//!
//! The corpus' README lists them; numbers behind placeholders are not compared, as in its own
//! replayer for part D.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use regex::Regex;
use yaml::{Map, Value};

/// What each placeholder stands for.
const PLACEHOLDERS: &[(&str, &str)] = &[
    ("uid", r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    ("rv", r"\d+"),
    ("listrv", r"\d+"),
    ("time", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    ("microtime", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"),
    ("name", r"[a-z0-9][a-z0-9.-]*-[a-z0-9]{5}"),
    ("hash", r"[a-z0-9]+"),
    ("ip", r"10\.96\.\d+\.\d+"),
    ("nodeport", r"3\d{4}"),
    ("rand", r"[a-z0-9]{5}"),
    ("event", r"[0-9a-f]{16}"),
    ("ca", r"(?s:.*)"),
    ("token", r"[A-Za-z0-9+/=._-]{20,}"),
];

fn pattern(text: &str) -> Option<Regex> {
    static PATTERNS: OnceLock<Mutex<HashMap<String, Option<Regex>>>> = OnceLock::new();
    let patterns = PATTERNS.get_or_init(Mutex::default);
    let mut patterns = patterns.lock().unwrap_or_else(PoisonError::into_inner);
    patterns
        .entry(text.to_owned())
        .or_insert_with(|| {
            let mark = Regex::new(r"<([a-z]+)(?::\d+)?>|10\.0\.0\.\d+").expect("is a pattern");
            let mut whole = String::from("^");
            let mut rest = 0;
            let mut found = false;
            for captures in mark.captures_iter(text) {
                let all = captures.get(0).expect("group 0 is the match");
                let meaning = match captures.get(1) {
                    Some(name) => {
                        PLACEHOLDERS
                            .iter()
                            .find(|(known, _)| *known == name.as_str())?
                            .1
                    }
                    None => r"10\.0\.0\.\d+",
                };
                whole.push_str(&regex::escape(&text[rest..all.start()]));
                whole.push_str(meaning);
                rest = all.end();
                found = true;
            }
            whole.push_str(&regex::escape(&text[rest..]));
            whole.push('$');
            found.then(|| Regex::new(&whole).expect("is a pattern"))
        })
        .clone()
}

/// The first place where `got` is not what was recorded.
pub(super) fn difference(want: &Value, got: &Value, path: &str) -> Option<String> {
    match (want, got) {
        (Value::Map(want), Value::Map(got)) => maps(want, got, path),
        (Value::List(want), Value::List(got)) => {
            if want.len() != got.len() {
                return Some(format!("{path}: {} items, not {}", got.len(), want.len()));
            }
            let pairs = want.iter().zip(got).enumerate();
            pairs
                .into_iter()
                .find_map(|(index, (want, got))| difference(want, got, &format!("{path}/{index}")))
        }
        (Value::String(want), Value::String(got)) => {
            let same = want == got || pattern(want).is_some_and(|pattern| pattern.is_match(got));
            (!same).then(|| format!("{path}: {got:?}, not {want:?}"))
        }
        _ => (want != got).then(|| format!("{path}: {got:?}, not {want:?}")),
    }
}

fn maps(want: &Map, got: &Map, path: &str) -> Option<String> {
    for key in got.keys() {
        // Keys may hold placeholders too; none of part D's do outside of values.
        if !want.contains_key(key) {
            return Some(format!(
                "{path}/{key}: not recorded, but {:?}",
                got.get(key)
            ));
        }
    }
    want.iter().find_map(|(key, want)| match got.get(key) {
        Some(got) => difference(want, got, &format!("{path}/{key}")),
        None => Some(format!("{path}/{key}: missing, not {want:?}")),
    })
}

/// The value without members that are null or empty text. Whether an absent field is written so is
/// the API server's business, not a controller's.
pub(super) fn without_zeros(value: &Value) -> Value {
    match value {
        Value::Map(map) => map
            .iter()
            .filter(|(_, value)| !value.is_null() && value.as_str() != Some(""))
            .map(|(key, value)| (key.clone(), without_zeros(value)))
            .collect::<Map>()
            .into(),
        Value::List(list) => Value::List(list.iter().map(without_zeros).collect()),
        other => other.clone(),
    }
}

/// Compares lists of objects as sets; gives the first difference of the best partner.
pub(super) fn sets(want: &[Value], got: &[Value]) -> Option<String> {
    let mut left: Vec<&Value> = got.iter().collect();
    for want in want {
        let name = |value: &Value| crate::fields::text(value, &["metadata", "name"]).to_owned();
        match left
            .iter()
            .position(|got| difference(want, got, "").is_none())
        {
            Some(position) => {
                left.remove(position);
            }
            None => {
                let same_name =
                    |got: &&&Value| difference(&name(want).into(), &name(got).into(), "").is_none();
                let partner = left.iter().find(same_name).or(left.first());
                let reason = partner.and_then(|got| difference(want, got, &name(want)));
                return Some(reason.unwrap_or_else(|| format!("{} is missing", name(want))));
            }
        }
    }
    left.first()
        .map(|got| format!("{:?} was not recorded", got.pointer("/metadata/name")))
}

#[test]
fn placeholders_stand_for_their_values_only() {
    let check = |want: &str, got: &str, same: bool| {
        assert_eq!(
            difference(&want.into(), &got.into(), "").is_none(),
            same,
            "{want} {got}"
        );
    };
    check("web-<hash:1>", "web-7d9f", true);
    check("web-<hash:1>", "api-7d9f", false);
    check("<time>", "2026-01-02T03:04:05Z", true);
    check("<time>", "now", false);
    check("Created pod: <name:2>", "Created pod: web-7d9f-x2b4z", true);
    check("plain", "plain", true);
    check("10.0.0.1", "10.0.0.7", true);
}
