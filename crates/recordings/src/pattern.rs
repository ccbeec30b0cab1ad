//! Recorded texts are patterns: a mark in them stands for anything.

use yaml::{Map, Str, Value};

/// What stands for any text.
const MARKS: [&str; 9] = [
    "<time>",
    "<clock>",
    "<uid>",
    "<n>",
    "<rand>",
    "<rs>",
    "<unixtime>",
    "<checkout>",
    "<tmp>",
];

/// One place in which two values differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where, as the corpus' `unstable` writes it.
    pub path: String,
    /// What was found, and what was recorded.
    pub text: String,
}

impl Difference {
    pub(crate) fn new(path: &str, found: &Value, want: &Value) -> Self {
        let (found, want) = (shown(found), shown(want));
        Difference {
            path: path.to_owned(),
            text: format!("{found}\n        instead of {want}"),
        }
    }

    pub(crate) fn text(path: &str, text: impl Into<String>) -> Self {
        Difference {
            path: path.to_owned(),
            text: text.into(),
        }
    }
}

fn shown(value: &Value) -> String {
    yaml::json::to_string(value)
}

/// Whether `text` is what `pattern` says, in which marks like `<time>` stand for any text.
#[must_use]
pub fn fits(pattern: &str, text: &str) -> bool {
    let first = MARKS
        .iter()
        .filter_map(|mark| Some((pattern.find(mark)?, mark.len())))
        .min();
    let Some((at, length)) = first else {
        return pattern == text;
    };
    let Some(rest) = text.strip_prefix(&pattern[..at]) else {
        return false;
    };
    let pattern = &pattern[at + length..];
    let mut starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    starts.any(|at| fits(pattern, &rest[at..]))
}

/// Every text in a value changed, keys included.
#[must_use]
pub fn map_texts(value: &Value, change: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => change(text).into(),
        Value::List(list) => Value::List(list.iter().map(|it| map_texts(it, change)).collect()),
        Value::Map(map) => {
            let members = map
                .iter()
                .map(|(key, it)| (Str::from(change(key)), map_texts(it, change)));
            Value::Map(members.collect())
        }
        other => other.clone(),
    }
}

/// Whether a found value is what a recorded one says, marks taken into account.
pub(crate) fn is_alike(want: &Value, found: &Value) -> bool {
    match (want, found) {
        (Value::String(want), Value::String(found)) => fits(want, found),
        (Value::List(want), Value::List(found)) => {
            want.len() == found.len() && want.iter().zip(found).all(|(a, b)| is_alike(a, b))
        }
        (Value::Map(want), Value::Map(found)) => {
            let is_there = |(key, value): (&Str, &Value)| {
                found
                    .get(key.as_str())
                    .is_some_and(|it| is_alike(value, it))
            };
            want.len() == found.len() && want.iter().all(is_there)
        }
        _ => want == found,
    }
}

/// Where a found value is not what a recorded one says, member by member.
pub(crate) fn differences(path: &str, want: &Value, found: &Value) -> Vec<Difference> {
    let (Value::Map(wanted), Value::Map(there)) = (want, found) else {
        let differ = !is_alike(want, found);
        return differ
            .then(|| Difference::new(path, found, want))
            .into_iter()
            .collect();
    };
    let nothing = Value::Null;
    let mut keys: Vec<&Str> = wanted.keys().chain(there.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter()
        .flat_map(|key| {
            let at = |map: &Map| map.get(key.as_str()).cloned().unwrap_or(nothing.clone());
            differences(&format!("{path}/{key}"), &at(wanted), &at(there))
        })
        .collect()
}

/// The text at a path; empty where there is none.
pub(crate) fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    value.at(path).and_then(Value::as_str).unwrap_or_default()
}

/// The list at a path; empty where there is none.
pub(crate) fn list<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    value.at(path).and_then(Value::as_list).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_stands_for_any_text() {
        for (pattern, text, want) in [
            ("at <clock>.", "at 3:04PM.", true),
            ("at <clock>.", "at 3:04PM", false),
            ("d-<rs>-<rand>", "d-67f-x2z", true),
            ("d-<rs>", "e-67f", false),
            ("plain", "plain", true),
            ("<n>", "", true),
        ] {
            assert_eq!(fits(pattern, text), want, "{pattern} {text}");
        }
    }
}
