//! Events: kept as the core group has them, where `events.k8s.io` calls much otherwise.

use yaml::{Map, Value};

/// The names in `events.k8s.io` and in the core group.
const NAMES: [(&str, &str); 7] = [
    ("deprecatedCount", "count"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedSource", "source"),
    ("note", "message"),
    ("regarding", "involvedObject"),
    ("reportingController", "reportingComponent"),
];

/// Texts that the core group always writes, the other one only when they are not empty.
const WRITTEN: [&str; 2] = ["reportingComponent", "reportingInstance"];

pub(super) fn to_core(event: &mut Value) {
    let members = event.map_at_mut(&[]);
    for (other, core) in NAMES {
        rename(members, other, core);
    }
    for name in WRITTEN {
        members.entry_or_insert(name, "".into());
    }
}

pub(super) fn from_core(event: &mut Value) {
    let members = event.map_at_mut(&[]);
    for name in WRITTEN {
        if members.get(name).and_then(Value::as_str) == Some("") {
            members.remove(name);
        }
    }
    for (other, core) in NAMES {
        rename(members, core, other);
    }
}

fn rename(members: &mut Map, from: &str, to: &str) {
    if let Some(value) = members.remove(from) {
        members.insert(to, value);
    }
}
