//! The rules against what a real kube-apiserver v1.35.4 said of the same objects
//! (`testdata/rules.json`, recorded by `tools/record_kinds.py`).

use std::collections::BTreeSet;

use manifest::Gvk;
use manifest::schema::SchemaSet;
use yaml::{Map, Value, json};

use crate::{Kind, Part};

const NAMESPACE: &str = "record-kinds";

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Field, message and reason of each error, as the server told it: in the order of a Go map where
/// several errors concern one map, so they are compared as a set.
type Causes = BTreeSet<(String, String, String)>;

fn wanted(case: &Value) -> Causes {
    let causes = case.get("want").and_then(Value::as_list).unwrap();
    let cause = |cause: &Value| {
        let part = |index: usize| cause.as_list().unwrap()[index].as_str().unwrap().to_owned();
        (part(0), part(1), part(2))
    };
    causes.iter().map(cause).collect()
}

fn merge(into: &mut Map, change: &Map) {
    for (key, value) in change.iter() {
        match (into.get_mut(key), value) {
            (Some(Value::Map(inner)), Value::Map(change)) => merge(inner, change),
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The object as it is validated: decoded, defaulted, and in the version in which it is kept.
fn prepared(
    schemas: &std::sync::Arc<SchemaSet>,
    kind: Kind<'_>,
    case: &Value,
    object: &Value,
) -> Value {
    let object = json::to_string(object).replace("{{ns}}", NAMESPACE);
    let mut object = json::parse_str(&object).unwrap();
    if case.get("namespaced").and_then(Value::as_bool) == Some(true) {
        object
            .map_at_mut(&["metadata"])
            .insert("namespace", NAMESPACE);
    }
    let group = if kind.group.is_empty() {
        kind.version.to_owned()
    } else {
        format!("{}/{}", kind.group, kind.version)
    };
    let schema = schemas.schema(&Gvk::new(&group, kind.kind)).unwrap();
    crate::decode(kind, &schema, &mut object).unwrap();
    kind.to_storage(object)
}

fn found(schemas: &std::sync::Arc<SchemaSet>, case: &Value) -> Causes {
    let kind = Kind {
        group: text(case, "group"),
        version: text(case, "version"),
        kind: text(case, "kind"),
        plural: text(case, "resource"),
        custom: false,
        has_status: false,
    };
    let object = case.get("object").unwrap();
    let old = prepared(schemas, kind, case, object);
    let errors = match case.get("change").and_then(Value::as_map) {
        None => kind.validate(&old, None),
        Some(change) => {
            assert_eq!(kind.validate(&old, None), [], "{}", text(case, "name"));
            let mut changed = object.clone();
            merge(changed.as_map_mut().unwrap(), change);
            let new = prepared(schemas, kind, case, &changed);
            kind.validate(&new, Some((Part::Main, &old)))
        }
    };
    let cause = |error: crate::FieldError| (error.field, error.message, error.reason.to_owned());
    errors.into_iter().map(cause).collect()
}

#[test]
fn wrong_objects_are_told_as_by_the_real_server() {
    let schemas = SchemaSet::builtin();
    let Ok(Value::List(cases)) = json::parse(include_bytes!("../../testdata/rules.json")) else {
        panic!("the recorded cases are a list");
    };
    let mut wrong = String::new();
    for case in &cases {
        let (want, got) = (wanted(case), found(&schemas, case));
        for (field, message, reason) in want.difference(&got) {
            wrong += &format!(
                "{}: missing {field}: {reason}: {message}\n",
                text(case, "name")
            );
        }
        for (field, message, reason) in got.difference(&want) {
            wrong += &format!(
                "{}: surplus {field}: {reason}: {message}\n",
                text(case, "name")
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
