use std::sync::Arc;

use yaml::{Value, json};

use super::*;
use crate::Gvk;
use crate::schema::{Schema, SchemaSet};

fn value(text: &str) -> Value {
    json::parse_str(text).unwrap()
}

fn set(text: &str) -> FieldSet {
    FieldSet::from_fields_v1(&value(text)).unwrap()
}

fn text(set: &FieldSet) -> String {
    json::to_string(&set.to_fields_v1())
}

const LEFT: &str = r#"{"f:a":{".":{},"f:b":{}},"f:l":{"k:{\"name\":\"x\",\"port\":80}":{".":{},"f:p":{}}},"f:s":{"v:\"y\"":{}}}"#;
const RIGHT: &str =
    r#"{"f:a":{"f:b":{},"f:c":{}},"f:l":{"k:{\"name\":\"x\",\"port\":80}":{"f:p":{}}}}"#;

#[test]
fn fields_v1_survives_reading_and_writing() {
    assert_eq!(text(&set(LEFT)), LEFT);
    assert_eq!(text(&set("{}")), "{}");
    assert_eq!(
        text(&set(r#"{"f:a":{},"x:future":{"f:b":{}},"i:3":{}}"#)),
        r#"{"f:a":{},"i:3":{}}"#
    );
}

#[test]
fn malformed_fields_v1_says_what_is_wrong() {
    let check = |text: &str, want: &str| {
        assert_eq!(
            FieldSet::from_fields_v1(&value(text))
                .unwrap_err()
                .to_string(),
            want
        );
    };
    check(
        r#"{"f":{}}"#,
        "parsing key as path element: key must be 2 characters long:",
    );
    check(
        r#"{"fab":{}}"#,
        "parsing key as path element: missing colon: fab",
    );
    check(r#"{"f:a":5}"#, "expected an object, got number");
    check(
        r#"{"i:x":{}}"#,
        "parsing key as path element: not an index: x",
    );
    check(r#"{"k:[1]":{}}"#, "expected an object, got array");
}

#[test]
fn sets_join_part_and_overlap() {
    let (a, b) = (set(LEFT), set(RIGHT));
    assert_eq!(
        text(&a.union(&b)),
        r#"{"f:a":{".":{},"f:b":{},"f:c":{}},"f:l":{"k:{\"name\":\"x\",\"port\":80}":{".":{},"f:p":{}}},"f:s":{"v:\"y\"":{}}}"#
    );
    assert_eq!(
        text(&a.intersection(&b)),
        r#"{"f:a":{"f:b":{}},"f:l":{"k:{\"name\":\"x\",\"port\":80}":{"f:p":{}}}}"#
    );
    assert_eq!(
        text(&a.difference(&b)),
        r#"{"f:a":{},"f:l":{"k:{\"name\":\"x\",\"port\":80}":{}},"f:s":{"v:\"y\"":{}}}"#
    );
    assert_eq!(
        text(&b.recursive_difference(&set(r#"{"f:a":{}}"#))),
        r#"{"f:l":{"k:{\"name\":\"x\",\"port\":80}":{"f:p":{}}}}"#
    );
    assert_eq!(
        text(&a.leaves()),
        r#"{"f:a":{"f:b":{}},"f:l":{"k:{\"name\":\"x\",\"port\":80}":{"f:p":{}}},"f:s":{"v:\"y\"":{}}}"#
    );
}

#[test]
fn paths_read_as_in_messages() {
    let paths: Vec<String> = set(LEFT)
        .paths()
        .iter()
        .map(|path| path_text(path))
        .collect();
    assert_eq!(
        paths,
        [
            ".a",
            ".a.b",
            r#".l[name="x",port=80]"#,
            r#".l[name="x",port=80].p"#,
            r#".s[="y"]"#
        ]
    );
    let a = [PathElement::Field("a".into())];
    assert!(set(LEFT).contains(&a) && !set(RIGHT).contains(&a));
}

fn deployment() -> (Arc<SchemaSet>, Schema) {
    let set = SchemaSet::builtin();
    let schema = set.schema(&Gvk::new("apps/v1", "Deployment")).unwrap();
    (set, schema)
}

#[test]
fn an_object_is_owned_by_leaf_item_and_member() {
    let (_, schema) = deployment();
    let object = value(
        r#"{"metadata":{"labels":{"a":"b"},"finalizers":["x","x","y"]},"spec":{"selector":{"matchLabels":{"a":"b"}},
            "template":{"spec":{"nodeSelector":{"a":"b"},"containers":[{"name":"c","ports":[{"containerPort":80}],
            "args":["z"],"resources":{}}]}}}}"#,
    );
    assert_eq!(
        text(&set_of(&object, &schema)),
        concat!(
            r#"{"f:metadata":{"f:finalizers":{"v:\"x\"":{},"v:\"y\"":{}},"f:labels":{"f:a":{}}},"#,
            r#""f:spec":{"f:selector":{},"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:args":{},"f:name":{},"#,
            r#""f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}},"f:resources":{}}},"#,
            r#""f:nodeSelector":{}}}}}"#
        )
    );
}

#[test]
fn a_comparison_tells_added_changed_and_removed_fields_apart() {
    let (_, schema) = deployment();
    let old = value(
        r#"{"spec":{"replicas":1,"paused":true,"template":{"spec":{"containers":[{"name":"a","image":"x"}]}}}}"#,
    );
    let new = value(
        r#"{"spec":{"replicas":1.0,"template":{"spec":{"containers":[{"name":"a","image":"y"},{"name":"b"}]}}}}"#,
    );
    let change = compare(&old, &new, &schema);
    assert_eq!(text(&change.removed), r#"{"f:spec":{"f:paused":{}}}"#);
    assert_eq!(
        text(&change.modified),
        r#"{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{"f:image":{}}}}}}}"#
    );
    assert_eq!(
        text(&change.added),
        r#"{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"b\"}":{".":{},"f:name":{}}}}}}}"#
    );
}

#[test]
fn many_update_managers_are_joined_into_the_oldest() {
    let (_, schema) = deployment();
    let ignored = FieldSet::new();
    let mut object =
        value(r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"x"}}"#);
    let mut stored: Option<Value> = None;
    for i in 0..13 {
        object
            .map_at_mut(&["metadata", "labels"])
            .insert(format!("l{i:02}"), "v");
        let (manager, time) = (format!("m{i:02}"), format!("2026-01-01T00:00:{i:02}Z"));
        let writer = Writer {
            manager: &manager,
            subresource: "",
            time: &time,
            ignored: &ignored,
        };
        object = track(stored.as_ref(), object, &schema, &writer);
        object.map_at_mut(&["metadata"]).insert("uid", "u");
        stored = Some(object.clone());
    }
    let managed = ManagedFields::of(&object).unwrap();
    assert_eq!(managed.entries().len(), 10);
    let old = managed
        .entries()
        .iter()
        .find(|e| e.manager == "ancient-changes")
        .unwrap();
    assert_eq!(
        text(&old.fields),
        r#"{"f:metadata":{"f:labels":{".":{},"f:l00":{},"f:l01":{},"f:l02":{},"f:l03":{}}}}"#
    );
    assert_eq!(old.time.as_deref(), Some("2026-01-01T00:00:03Z"));
}

#[test]
fn an_empty_list_of_managed_fields_resets_them() {
    let (_, schema) = deployment();
    let ignored = FieldSet::new();
    let writer = Writer {
        manager: "m",
        subresource: "",
        time: "t",
        ignored: &ignored,
    };
    let live = value(
        r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"x","uid":"u","labels":{"a":"b"},
            "managedFields":[{"apiVersion":"apps/v1","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:labels":{"f:a":{}}}},
            "manager":"o","operation":"Update"}]}}"#,
    );
    let mut new = live.clone();
    new.map_at_mut(&["metadata"])
        .insert("managedFields", Value::List(Vec::new()));
    let tracked = track(Some(&live), new, &schema, &writer);
    assert!(ManagedFields::of(&tracked).unwrap().is_empty());
    assert!(same_but_times(
        &live,
        &track(Some(&live), live.clone(), &schema, &writer)
    ));
}

mod laws {
    use proptest::prelude::*;

    use super::super::{FieldSet, PathElement};

    fn step() -> impl Strategy<Value = PathElement> {
        let name = prop::sample::select(vec!["a", "b", "c"]);
        prop_oneof![
            name.clone().prop_map(|n| PathElement::Field(n.into())),
            name.prop_map(|n| PathElement::Key(vec![("name".into(), n.into())])),
            (0..3_i64).prop_map(|n| PathElement::Value(n.into())),
        ]
    }

    fn set() -> impl Strategy<Value = FieldSet> {
        let path = prop::collection::vec(step(), 1..4);
        prop::collection::vec(path, 0..8).prop_map(|paths| {
            let mut set = FieldSet::new();
            paths.iter().for_each(|path| set.insert(path));
            set
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: proptest::test_runner::RngSeed::Fixed(7),
            failure_persistence: None,
            ..ProptestConfig::with_cases(400)
        })]

        #[test]
        fn the_algebra_of_sets_holds(a in set(), b in set(), c in set()) {
            prop_assert_eq!(a.union(&b), b.union(&a));
            prop_assert_eq!(a.intersection(&b), b.intersection(&a));
            prop_assert_eq!(a.union(&b).union(&c), a.union(&b.union(&c)));
            prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a.clone());
            prop_assert!(a.difference(&b).intersection(&b).is_empty());
            prop_assert!(a.difference(&a).is_empty() && a.recursive_difference(&a).is_empty());
            for path in a.union(&b).paths() {
                prop_assert_eq!(a.difference(&b).contains(&path), a.contains(&path) && !b.contains(&path));
            }
        }

        #[test]
        fn a_set_survives_fields_v1(a in set()) {
            prop_assert_eq!(FieldSet::from_fields_v1(&a.to_fields_v1()), Ok(a));
        }
    }
}
