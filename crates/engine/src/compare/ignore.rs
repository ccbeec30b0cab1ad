//! `ignoreDifferences`: fields that are taken out of both sides before they are compared
//! (semantics 150-153).
//!
//! Read [`Rules`] first.

use api::application::IgnoreDifferences;
use api::{Condition, reason};
use manifest::Object;
use yaml::Value;

use super::managed;
use crate::glob::{Dialect, matches};

/// The rules of the controller and of one application, together.
#[derive(Clone, Debug)]
pub(crate) struct Rules<'a> {
    rules: Vec<&'a IgnoreDifferences>,
}

impl<'a> Rules<'a> {
    pub(crate) fn new(system: &'a [IgnoreDifferences], own: &'a [IgnoreDifferences]) -> Self {
        Rules {
            rules: system.iter().chain(own).collect(),
        }
    }

    /// What cannot be honoured yet, for people.
    pub(crate) fn warnings(&self) -> Vec<Condition> {
        let jq = self.rules.iter().flat_map(|rule| &rule.jq_path_expressions);
        jq.map(|path| {
            let message = format!(
                "ignoreDifferences: jq path {path:?} is not supported yet, the difference counts; use jsonPointers where the path has no wildcard"
            );
            Condition::new(reason::UNSUPPORTED_SETTING_WARNING, message)
        })
        .collect()
    }

    /// The rules that are for this object.
    fn of<'b>(&'b self, object: &'b Object) -> impl Iterator<Item = &'b IgnoreDifferences> {
        self.rules.iter().copied().filter(|rule| {
            matches(&rule.group, object.group(), Dialect::Glob)
                && matches(&rule.kind, object.kind(), Dialect::Glob)
                && (rule.name.is_empty() || rule.name == object.name())
                && (rule.namespace.is_empty() || rule.namespace == object.namespace())
        })
    }

    /// Takes the ignored fields out of `values`, which are sides of `live`'s object.
    pub(crate) fn strip(&self, live: &Object, values: &mut [&mut Value]) {
        for rule in self.of(live) {
            for pointer in &rule.json_pointers {
                for value in values.iter_mut() {
                    remove(value, &tokens(pointer));
                }
            }
            for manager in &rule.managed_fields_managers {
                for field in managed::owned_leaves(live, manager) {
                    for value in values.iter_mut() {
                        managed::remove(value, &field);
                    }
                }
            }
        }
    }

    /// Gives the ignored fields of `desired` the values that are live (semantics 68).
    pub(crate) fn respect(&self, desired: &mut Object, live: &Object) {
        let pointers: Vec<Vec<String>> = self
            .of(live)
            .flat_map(|rule| &rule.json_pointers)
            .filter(|pointer| pointer.as_str() != "/status" && !pointer.starts_with("/status/"))
            .map(|pointer| tokens(pointer))
            .collect();
        for tokens in pointers {
            match find(live.value(), &tokens) {
                Some(value) => put(desired.value_mut(), &tokens, value),
                None => remove(desired.value_mut(), &tokens),
            }
        }
    }
}

/// The parts of an RFC 6901 pointer.
fn tokens(pointer: &str) -> Vec<String> {
    let unescape = |token: &str| token.replace("~1", "/").replace("~0", "~");
    pointer.split('/').skip(1).map(unescape).collect()
}

fn find<'a>(value: &'a Value, tokens: &[String]) -> Option<&'a Value> {
    tokens.iter().try_fold(value, |value, token| match value {
        Value::Map(map) => map.get(token),
        Value::List(list) => list.get(token.parse::<usize>().ok()?),
        _ => None,
    })
}

fn step<'a>(value: &'a mut Value, token: &str) -> Option<&'a mut Value> {
    match value {
        Value::Map(map) => map.get_mut(token),
        Value::List(list) => list.get_mut(token.parse::<usize>().ok()?),
        _ => None,
    }
}

/// Takes out what a pointer leads to; a path that leads nowhere is fine.
fn remove(value: &mut Value, tokens: &[String]) {
    let Some((last, above)) = tokens.split_last() else {
        return;
    };
    let parent = above
        .iter()
        .try_fold(value, |value, token| step(value, token));
    match parent {
        Some(Value::Map(map)) => {
            map.remove(last);
        }
        Some(Value::List(list)) => {
            if let Some(index) = last
                .parse::<usize>()
                .ok()
                .filter(|index| *index < list.len())
            {
                list.remove(index);
            }
        }
        _ => {}
    }
}

/// Puts `new` where a pointer leads; only the last step is made where it is missing.
fn put(value: &mut Value, tokens: &[String], new: &Value) {
    let Some((last, above)) = tokens.split_last() else {
        return;
    };
    let mut at = value;
    for token in above {
        if let Value::Map(map) = at {
            map.entry_or_insert(token, Value::Map(yaml::Map::new()));
        }
        match step(at, token) {
            Some(next) => at = next,
            None => return,
        }
    }
    match at {
        Value::Map(map) => {
            map.insert(last.as_str(), new.clone());
        }
        Value::List(list) => {
            if let Some(place) = last
                .parse::<usize>()
                .ok()
                .and_then(|index| list.get_mut(index))
            {
                *place = new.clone();
            }
        }
        _ => {}
    }
}
