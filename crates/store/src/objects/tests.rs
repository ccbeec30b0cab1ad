use yaml::{Value, json};

use super::*;
use crate::table::EventKind;

fn object(name: &str, data: &str) -> Value {
    json::parse(
        format!(r#"{{"metadata":{{"name":"{name}","namespace":"ns"}},"data":"{data}"}}"#)
            .as_bytes(),
    )
    .unwrap()
}

fn names(listing: &Listing) -> Vec<String> {
    listing
        .objects
        .iter()
        .map(|stored| stored.name.to_string())
        .collect()
}

fn maps() -> Collection {
    Collection::new("", "configmaps")
}

#[test]
fn a_write_goes_through_only_when_the_object_is_as_expected() {
    let store = Store::in_memory(10);
    let first = store
        .put(&maps(), Expect::Absent, object("a", "1"))
        .unwrap();
    assert_eq!(
        store
            .put(&maps(), Expect::Absent, object("a", "2"))
            .unwrap_err(),
        Changed
    );
    let second = store
        .put(&maps(), Expect::Revision(first.revision), object("a", "2"))
        .unwrap();
    assert!(second.revision > first.revision);
    assert_eq!(
        store
            .put(&maps(), Expect::Revision(first.revision), object("a", "3"))
            .unwrap_err(),
        Changed
    );
    assert_eq!(store.remove(&maps(), &first).unwrap_err(), Changed);
    let gone = store.remove(&maps(), &second).unwrap();
    assert!(gone.revision > second.revision);
    assert!(store.get(&maps(), "ns", "a").is_none());
}

#[test]
fn an_old_revision_is_listed_as_it_was() {
    let store = Store::in_memory(10);
    let a1 = store
        .put(&maps(), Expect::Absent, object("a", "1"))
        .unwrap();
    let b = store
        .put(&maps(), Expect::Absent, object("b", "1"))
        .unwrap();
    store
        .put(&maps(), Expect::Revision(a1.revision), object("a", "2"))
        .unwrap();
    let c = store
        .put(&maps(), Expect::Absent, object("c", "1"))
        .unwrap();
    store.remove(&maps(), &b).unwrap();
    let at = |revision| store.list_at(&maps(), Some("ns"), revision).unwrap();
    assert_eq!(names(&at(a1.revision)), ["a"]);
    assert_eq!(names(&at(b.revision)), ["a", "b"]);
    assert_eq!(at(b.revision).objects[0].revision, a1.revision);
    assert_eq!(names(&at(c.revision)), ["a", "b", "c"]);
    assert_eq!(names(&store.list(&maps(), None)), ["a", "c"]);
}

#[test]
fn a_watcher_sees_each_event_once_and_in_order() {
    let store = Store::in_memory(10);
    let a = store
        .put(&maps(), Expect::Absent, object("a", "1"))
        .unwrap();
    let mut cursor = store.cursor_after(&maps(), a.revision).unwrap();
    store
        .put(&maps(), Expect::Absent, object("b", "1"))
        .unwrap();
    store.remove(&maps(), &a).unwrap();
    let first = store.next(&mut cursor, 1).unwrap().unwrap();
    assert_eq!(first.events[0].object.name.as_str(), "b");
    let rest = store.next(&mut cursor, 10).unwrap().unwrap();
    assert_eq!(rest.events.len(), 1);
    assert_eq!(rest.events[0].kind, EventKind::Removed);
    assert!(
        store
            .next(&mut cursor, 10)
            .unwrap()
            .unwrap()
            .events
            .is_empty()
    );
}

#[test]
fn history_that_was_dropped_is_reported() {
    let store = Store::in_memory(2);
    let mut cursor = store.cursor_after(&maps(), 1).unwrap();
    for name in ["a", "b", "c", "d"] {
        store
            .put(&maps(), Expect::Absent, object(name, "1"))
            .unwrap();
    }
    assert!(store.next(&mut cursor, 10).is_err());
    assert!(store.cursor_after(&maps(), 1).is_err());
    assert!(store.list_at(&maps(), None, 2).is_err());
    assert!(store.cursor_after(&maps(), 3).is_ok());
}

#[tokio::test]
async fn a_store_on_disk_is_read_back_with_its_revisions() {
    let dir = tempfile::tempdir().unwrap();
    let (kept, last) = {
        let store = Store::open(dir.path(), 10).unwrap();
        let kept = store
            .put(&maps(), Expect::Absent, object("a", "1"))
            .unwrap();
        let gone = store
            .put(&maps(), Expect::Absent, object("b", "1"))
            .unwrap();
        let last = store.remove(&maps(), &gone).unwrap().revision;
        store.settled(last).await.unwrap();
        store.close().await;
        (kept, last)
    };
    let store = Store::open(dir.path(), 10).unwrap();
    assert_eq!(store.revision(), last);
    let again = store.get(&maps(), "ns", "a").unwrap();
    assert_eq!((again.revision, &again.json), (kept.revision, &kept.json));
    assert_eq!(names(&store.list(&maps(), None)), ["a"]);
    assert!(store.cursor_after(&maps(), kept.revision).is_err());
    assert!(store.cursor_after(&maps(), last).is_ok());
}

#[test]
fn history_is_bounded_by_the_bytes_of_states_that_are_no_more() {
    const SIZE: usize = 1 << 20;
    let store = Store::in_memory(1_000);
    let text = "x".repeat(SIZE);
    let mut last = store
        .put(&maps(), Expect::Absent, object("a", &text))
        .unwrap();
    let start = last.revision;
    for _ in 0..crate::table::HISTORY_LEAST + 8 {
        last = store
            .put(&maps(), Expect::Revision(last.revision), object("a", &text))
            .unwrap();
    }
    let kept = u64::try_from(crate::table::HISTORY_LEAST).unwrap();
    assert!(store.cursor_after(&maps(), start).is_err());
    assert!(store.cursor_after(&maps(), last.revision - kept).is_ok());
    assert!(
        store
            .cursor_after(&maps(), last.revision - kept - 1)
            .is_err()
    );
}
