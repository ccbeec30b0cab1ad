//! Lists that are sets or maps: no item twice.

use kinds::FieldError;
use yaml::{Map, Value};

use crate::schema::{Additional, Schema};

impl Schema {
    /// Items of sets and keyed lists that are there twice, in a whole object.
    #[must_use]
    pub fn duplicates(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = Vec::new();
        node(self, object, &mut String::new(), &mut errors);
        errors
    }
}

fn within(path: &mut String, step: &str, work: impl FnOnce(&mut String)) {
    let length = path.len();
    if length == 0 {
        path.push_str(step.trim_start_matches('.'));
    } else {
        path.push_str(step);
    }
    work(path);
    path.truncate(length);
}

fn node(schema: &Schema, value: &Value, path: &mut String, errors: &mut Vec<FieldError>) {
    match value {
        Value::Map(members) => {
            for (name, member) in members.iter() {
                if let Some(below) = schema.properties.get(name) {
                    within(path, &format!(".{name}"), |path| {
                        node(below, member, path, errors);
                    });
                } else if let Additional::Schema(below) = &schema.additional {
                    within(path, &format!("[{name}]"), |path| {
                        node(below, member, path, errors);
                    });
                }
            }
        }
        Value::List(items) => {
            match schema.list_type.as_str() {
                "set" => repeats(items.iter(), path, errors),
                "map" => keyed(schema, items, path, errors),
                _ => {}
            }
            if let Some(below) = &schema.items {
                for (index, item) in items.iter().enumerate() {
                    within(path, &format!("[{index}]"), |path| {
                        node(below, item, path, errors);
                    });
                }
            }
        }
        _ => {}
    }
}

fn keyed(schema: &Schema, items: &[Value], path: &str, errors: &mut Vec<FieldError>) {
    for (index, item) in items.iter().enumerate() {
        if !matches!(item, Value::Map(_) | Value::Null) {
            errors.push(FieldError::invalid(
                format!("{path}[{index}]"),
                item,
                "must be an object for an array of list-type map",
            ));
            return;
        }
    }
    let keys: Vec<Value> = items
        .iter()
        .map(|item| {
            let key: Map = schema
                .list_keys
                .iter()
                .filter_map(|name| Some((name.clone(), item.get(name)?.clone())))
                .collect();
            Value::Map(key)
        })
        .collect();
    repeats(keys.iter(), path, errors);
}

/// Says of each value once where it is seen the second time.
fn repeats<'a>(items: impl Iterator<Item = &'a Value>, path: &str, errors: &mut Vec<FieldError>) {
    let mut seen: Vec<(&Value, bool)> = Vec::new();
    for (index, item) in items.enumerate() {
        match seen.iter_mut().find(|(known, _)| *known == item) {
            None => seen.push((item, false)),
            Some((_, told)) if *told => {}
            Some((_, told)) => {
                *told = true;
                errors.push(FieldError::duplicate(format!("{path}[{index}]"), item));
            }
        }
    }
}
