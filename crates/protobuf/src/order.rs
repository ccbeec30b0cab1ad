//! JSON text with members in the order of the Go types, which messages quote.

use std::collections::BTreeSet;

use yaml::{Map, Value, json};

use crate::table::{Form, message_name, table};

/// The text of an object of a type, whatever type it states. Maps at the pointers in `sorted` have
/// their members by name instead: a patch that looks into a map loses its order.
#[must_use]
pub fn go_text(
    object: &Value,
    (api_version, kind): (&str, &str),
    sorted: &BTreeSet<String>,
) -> String {
    let name = message_name(api_version, kind);
    let mut writer = Writer {
        out: String::new(),
        sorted,
    };
    writer.value(object, Some((Form::One, &name)), "");
    writer.out
}

/// What a patch looks into: the pointers of the maps that it changes.
pub fn looked_into(patch: &Value, before: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    match patch {
        Value::List(operations) => {
            for operation in operations {
                for key in ["path", "from"] {
                    let path = operation.get(key).and_then(Value::as_str);
                    let mut path = path.unwrap_or_default();
                    while let Some((parent, _)) = path.rsplit_once('/') {
                        found.insert(parent.to_owned());
                        path = parent;
                    }
                }
            }
        }
        patch => merged(patch, before, "", &mut found),
    }
    found
}

fn merged(patch: &Value, before: &Value, pointer: &str, found: &mut BTreeSet<String>) {
    let (Value::Map(patch), Value::Map(before)) = (patch, before) else {
        return;
    };
    found.insert(pointer.to_owned());
    for (key, value) in patch.iter() {
        if let Some(before) = before.get(key) {
            merged(value, before, &below(pointer, key), found);
        }
    }
}

/// The pointer of a member.
fn below(pointer: &str, key: &str) -> String {
    let key = key.replace('~', "~0").replace('/', "~1");
    format!("{pointer}/{key}")
}

struct Writer<'a> {
    out: String,
    sorted: &'a BTreeSet<String>,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value, ty: Option<(Form, &str)>, pointer: &str) {
        match value {
            Value::Map(map) => self.map(map, ty, pointer),
            Value::List(items) => {
                self.out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.out.push(',');
                    }
                    let ty = ty.map(|(_, name)| (Form::One, name));
                    self.value(item, ty, &format!("{pointer}/{index}"));
                }
                self.out.push(']');
            }
            other => self.out.push_str(&json::to_string(other)),
        }
    }

    fn map(&mut self, map: &Map, ty: Option<(Form, &str)>, pointer: &str) {
        let members = match ty {
            Some((Form::One, name)) => members(name),
            _ => Vec::new(),
        };
        // The type of an object stands before everything else; messages leave it to the envelope.
        let is_member = |key: &str| members.iter().any(|(known, ..)| *known == key);
        let head = ["kind", "apiVersion"]
            .into_iter()
            .filter(|key| !is_member(key));
        let known = head.chain(members.iter().map(|(key, ..)| *key));
        let mut order: Vec<&str> = Vec::new();
        if !self.sorted.contains(pointer) {
            order.extend(known.filter(|key| map.contains_key(key)));
        }
        let rest: Vec<&str> = map
            .keys()
            .map(yaml::Str::as_str)
            .filter(|key| !order.contains(key))
            .collect();
        self.out.push('{');
        for (index, key) in order.into_iter().chain(rest).enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.out.push_str(&json::to_string(&key.into()));
            self.out.push(':');
            let ty = match ty {
                // The values of a map of messages are messages.
                Some((Form::Map, name)) => Some((Form::One, name)),
                _ => members
                    .iter()
                    .find(|(known, ..)| *known == key)
                    .map(|(_, form, ty)| (*form, *ty)),
            };
            let ty = ty.map(|(form, name)| match form {
                Form::Map => (Form::Map, name),
                _ => (Form::One, name),
            });
            if let Some(value) = map.get(key) {
                self.value(value, ty, &below(pointer, key));
            }
        }
        self.out.push('}');
    }
}

/// The members of a message with those that stand in it, in the order of its type.
fn members(name: &str) -> Vec<(&'static str, Form, &'static str)> {
    let mut found = Vec::new();
    for member in table().get(name).into_iter().flatten() {
        if member.form == Form::Inlined {
            found.extend(members(member.ty));
        } else {
            found.push((member.name, member.form, member.ty));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(object: &str, patch: &str, want: &str) {
        let [object, patch] = [object, patch].map(|text| json::parse(text.as_bytes()).unwrap());
        let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
        let stated = (text("apiVersion"), text("kind"));
        assert_eq!(
            go_text(&object, stated, &looked_into(&patch, &object)),
            want
        );
    }

    #[test]
    fn only_what_a_patch_looks_into_is_sorted() {
        let object = r#"{"apiVersion":"v1","data":{"b":"1","a":"2"},"kind":"ConfigMap",
            "metadata":{"labels":{"z":"","y":""},"name":"x","namespace":"n","uid":"u"}}"#;
        let metadata =
            r#""metadata":{"name":"x","namespace":"n","uid":"u","labels":{"y":"","z":""}}"#;
        let data = r#""data":{"a":"2","b":"1"}"#;
        check(
            object,
            r#"{"data":{"a":5}}"#,
            &format!(r#"{{"apiVersion":"v1",{data},"kind":"ConfigMap",{metadata}}}"#),
        );
        check(
            object,
            "[]",
            &format!(r#"{{"kind":"ConfigMap","apiVersion":"v1",{metadata},{data}}}"#),
        );
    }
}
