use super::*;
use yaml::{Map, Value};

fn object(name: &str, instance: Option<&str>, version: u64) -> Object {
    let mut object = Object::new(Value::Map(Map::from([
        ("apiVersion", "v1".into()),
        ("kind", "ConfigMap".into()),
    ])))
    .unwrap();
    object.metadata_mut().extend([
        ("name", Value::from(name)),
        ("namespace", "ns".into()),
        ("resourceVersion", version.to_string().into()),
    ]);
    if let Some(instance) = instance {
        object.set_annotation(TRACKING_ID, &format!("{instance}:/ConfigMap:ns/{name}"));
    }
    object
}

fn kind() -> (Str, Str) {
    ("".into(), "ConfigMap".into())
}

fn listing(objects: Vec<Object>, version: u64) -> Listing {
    Listing {
        objects,
        resource_version: version.to_string(),
    }
}

fn names(set: &BTreeSet<Str>) -> Vec<&str> {
    set.iter().map(Str::as_str).collect()
}

fn live(cache: &Cache, instance: &str) -> Vec<String> {
    cache
        .live(&instance.into())
        .iter()
        .map(|(key, _)| key.name.to_string())
        .collect()
}

#[test]
fn an_object_that_changes_hands_touches_both_instances() {
    let mut cache = Cache::new("app".into());
    assert_eq!(names(&cache.applied(object("a", Some("one"), 1))), ["one"]);
    assert_eq!(
        names(&cache.applied(object("a", Some("two"), 2))),
        ["one", "two"]
    );
    assert_eq!(live(&cache, "one"), [""; 0]);
    assert_eq!(live(&cache, "two"), ["a"]);
}

#[test]
fn an_older_state_changes_nothing() {
    let mut cache = Cache::new("app".into());
    cache.applied(object("a", Some("one"), 5));
    assert!(cache.applied(object("a", Some("two"), 4)).is_empty());
    assert_eq!(live(&cache, "one"), ["a"]);
}

#[test]
fn what_a_new_list_lacks_is_gone() {
    let mut cache = Cache::new("app".into());
    cache.applied(object("a", Some("one"), 1));
    cache.applied(object("b", Some("two"), 2));
    let touched = cache.listed(&kind(), listing(vec![object("b", Some("two"), 2)], 3));
    assert_eq!(names(&touched), ["one"]);
    assert_eq!(live(&cache, "one"), [""; 0]);
    assert_eq!(live(&cache, "two"), ["b"]);
}

#[test]
fn an_answer_that_the_watch_has_overtaken_brings_nothing_back() {
    let mut cache = Cache::new("app".into());
    cache.listed(&kind(), listing(vec![object("a", Some("one"), 1)], 2));
    // The answer to the deletion is on its way while the watch tells how it went on.
    let answer = object("a", Some("one"), 3);
    cache.applied(object("a", Some("one"), 3));
    assert_eq!(names(&cache.deleted(&object("a", Some("one"), 4))), ["one"]);
    assert!(cache.answered(answer.clone()).is_empty());
    assert_eq!(live(&cache, "one"), [""; 0]);

    cache.answered(object("a", Some("one"), 5));
    assert_eq!(live(&cache, "one"), ["a"], "made anew after that");
    cache.listed(&kind(), listing(vec![], 6));
    assert!(cache.answered(object("a", Some("one"), 5)).is_empty());
    assert_eq!(live(&cache, "one"), [""; 0], "the list knew better");
}

#[test]
fn a_foreign_object_is_held_only_while_it_is_wanted() {
    let mut cache = Cache::new("app".into());
    cache.applied(object("a", None, 1));
    let key = object("a", None, 1).key();
    assert!(cache.held(&key).is_none());
    let missing = cache.want(&"one".into(), [key.clone()].into());
    assert_eq!(missing, std::slice::from_ref(&key));
    assert_eq!(names(&cache.applied(object("a", None, 2))), ["one"]);
    assert_eq!(live(&cache, "one"), ["a"]);
    cache.want(&"one".into(), BTreeSet::new());
    assert!(cache.held(&key).is_none());
    assert!(cache.removed(&key).is_empty());
}

#[test]
fn the_label_marks_an_instance_too() {
    let mut cache = Cache::new("app".into());
    let mut marked = object("a", None, 1);
    marked.set_label("app", "one");
    assert_eq!(names(&cache.applied(marked)), ["one"]);
    assert_eq!(live(&cache, "one"), ["a"]);
}

#[test]
fn a_conversion_counts_until_its_object_changes() {
    let converted = |version: u64| {
        let mut object = object("a", None, version);
        object
            .value_mut()
            .map_at_mut(&[])
            .insert("apiVersion", "v2");
        object
    };
    let mut cache = Cache::new("app".into());
    let (key, gvk) = (converted(1).key(), converted(1).gvk());
    cache.keep_converted(converted(1));
    cache.applied(object("a", Some("one"), 1));
    assert_eq!(cache.converted(&gvk, &key), None, "it was not held");
    cache.keep_converted(converted(1));
    assert_eq!(cache.converted(&gvk, &key), Some(&converted(1)));
    assert_eq!(cache.converted(&object("a", None, 1).gvk(), &key), None);
    cache.applied(object("a", Some("one"), 2));
    assert_eq!(cache.converted(&gvk, &key), None);
    cache.keep_converted(converted(2));
    cache.removed(&key);
    cache.applied(object("a", Some("one"), 2));
    assert_eq!(cache.converted(&gvk, &key), None);
}
