//! The words in which cells are told: what stands at a path of an object, and how it is printed.

use yaml::{Map, Value};

pub(crate) const NONE: &str = "<none>";
pub(crate) const UNKNOWN: &str = "<unknown>";
pub(crate) const UNSET: &str = "<unset>";

/// Access to an object in the words of this module.
pub(crate) struct Of<'a>(pub(crate) &'a Value);

impl<'a> Of<'a> {
    pub(crate) fn at(&self, path: &str) -> Option<&'a Value> {
        path.split('.')
            .try_fold(self.0, |value, key| value.get(key))
    }

    pub(crate) fn text(&self, path: &str) -> &'a str {
        self.at(path).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn or(&self, path: &str, other: &'a str) -> &'a str {
        match self.text(path) {
            "" => other,
            text => text,
        }
    }

    pub(crate) fn number(&self, path: &str) -> i64 {
        self.at(path).and_then(Value::as_i64).unwrap_or(0)
    }

    pub(crate) fn list(&self, path: &str) -> &'a [Value] {
        self.at(path).and_then(Value::as_list).unwrap_or_default()
    }

    pub(crate) fn size(&self, path: &str) -> i64 {
        let size = self.at(path).and_then(Value::as_map).map_or(0, Map::len);
        i64::try_from(size).unwrap_or(i64::MAX)
    }
}

pub(crate) fn join<'a>(items: impl Iterator<Item = &'a str>) -> String {
    items.collect::<Vec<_>>().join(",")
}

pub(crate) fn labels(map: Option<&Value>) -> String {
    let pairs: Vec<String> = map
        .and_then(Value::as_map)
        .into_iter()
        .flat_map(Map::iter)
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    if pairs.is_empty() {
        NONE.to_owned()
    } else {
        pairs.join(",")
    }
}

pub(crate) fn selector(selector: Option<&Value>) -> String {
    match kinds::selector_text(selector) {
        text if text.is_empty() => NONE.to_owned(),
        text => text,
    }
}

pub(crate) fn containers(of: &Of<'_>, path: &str, key: &str) -> Value {
    let names = of.list(path).iter().map(|container| {
        container
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    });
    join(names).into()
}
