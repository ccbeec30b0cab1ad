//! `ignoreDifferences`: fields that are taken out of both sides before they are compared
//! (semantics 150-153).
//!
//! Read [`Rules`] first.

use api::application::IgnoreDifferences;
use api::{Condition, reason};
use manifest::Object;
use manifest::patch::{merge_patch, merge_patch_between, strategic_merge, two_way};
use manifest::schema::Schema;
use yaml::Value;

use super::managed;
use crate::glob::{Dialect, matches};
use crate::jq::{JqError, Program};

/// The rules of the controller and of one application, together.
#[derive(Clone, Debug)]
pub(crate) struct Rules<'a> {
    rules: Vec<Rule<'a>>,
    problems: Vec<Condition>,
}

#[derive(Clone, Debug)]
struct Rule<'a> {
    written: &'a IgnoreDifferences,
    programs: Vec<Program>,
}

impl<'a> Rules<'a> {
    pub(crate) fn new(system: &'a [IgnoreDifferences], own: &'a [IgnoreDifferences]) -> Self {
        let mut problems = Vec::new();
        let rules = system.iter().chain(own).map(|written| {
            let mut programs = Vec::new();
            for text in &written.jq_path_expressions {
                match Program::parse(text) {
                    Ok(program) => programs.push(program),
                    Err(error) => problems.push(problem(text, &error)),
                }
            }
            Rule { written, programs }
        });
        Rules {
            rules: rules.collect(),
            problems,
        }
    }

    /// What is wrong with the rules: errors, which forbid any comparison, and warnings.
    pub(crate) fn problems(&self) -> &[Condition] {
        &self.problems
    }

    /// The rules that are for this object.
    fn of<'b>(&'b self, object: &'b Object) -> impl Iterator<Item = &'b Rule<'a>> {
        self.rules.iter().filter(|rule| {
            let rule = rule.written;
            matches(&rule.group, object.group(), Dialect::Glob)
                && matches(&rule.kind, object.kind(), Dialect::Glob)
                && (rule.name.is_empty() || rule.name == object.name())
                && (rule.namespace.is_empty() || rule.namespace == object.namespace())
        })
    }

    /// Takes the ignored fields out of `values`, which are sides of `live`'s object.
    pub(crate) fn strip(&self, live: &Object, values: &mut [&mut Value]) {
        for rule in self.of(live) {
            for program in &rule.programs {
                for value in values.iter_mut() {
                    program.delete(value);
                }
            }
            for pointer in &rule.written.json_pointers {
                for value in values.iter_mut() {
                    remove(value, &tokens(pointer));
                }
            }
            for manager in &rule.written.managed_fields_managers {
                for field in managed::owned_leaves(live, manager) {
                    for value in values.iter_mut() {
                        managed::remove(value, &field);
                    }
                }
            }
        }
    }

    /// Gives the ignored fields of `desired` the values that are live (semantics 68): what takes the
    /// live object without them to the live object is put on the desired one without them.
    pub(crate) fn respect(&self, desired: &mut Object, live: &Object, schema: Option<&Schema>) {
        let is_status = |pointer: &str| pointer == "/status" || pointer.starts_with("/status/");
        let mut stripped = live.value().clone();
        for rule in self.of(live) {
            let pointers = rule.written.json_pointers.iter();
            for pointer in pointers.filter(|it| !is_status(it)) {
                let tokens = tokens(pointer);
                match find(live.value(), &tokens) {
                    Some(value) => put(desired.value_mut(), &tokens, value),
                    None => remove(desired.value_mut(), &tokens),
                }
            }
            for program in &rule.programs {
                program.delete(&mut stripped);
                program.delete(desired.value_mut());
            }
            for manager in &rule.written.managed_fields_managers {
                for field in managed::owned_leaves(live, manager) {
                    managed::remove(&mut stripped, &field);
                    managed::remove(desired.value_mut(), &field);
                }
            }
        }
        if stripped == *live.value() {
            return;
        }
        let patched = match schema {
            Some(schema) => two_way(&stripped, live.value(), schema).and_then(|patch| {
                strategic_merge(desired.value().clone(), &Value::Map(patch), schema)
            }),
            None => merge_patch(desired.value().clone(), &between(&stripped, live.value())),
        };
        // Where no patch can be made of it, what Git says stands.
        if let Ok(patched) = patched
            && let Ok(object) = Object::new(patched)
        {
            *desired = object;
        }
    }
}

fn between(original: &Value, modified: &Value) -> Value {
    match (original, modified) {
        (Value::Map(original), Value::Map(modified)) => {
            Value::Map(merge_patch_between(original, modified))
        }
        _ => Value::Map(yaml::Map::new()),
    }
}

/// What is said of an expression that cannot be used: of a broken one as Argo CD does.
fn problem(text: &str, error: &JqError) -> Condition {
    match error {
        JqError::Syntax(problem) => Condition::new(
            reason::COMPARISON_ERROR,
            format!(
                "Failed to compare desired state to live state: failed to create diff normalizer: {problem}"
            ),
        ),
        JqError::Unsupported(problem) => Condition::new(
            reason::UNSUPPORTED_SETTING_WARNING,
            format!(
                "ignoreDifferences: jq path {text:?} is not honoured, the difference counts: {problem}"
            ),
        ),
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
