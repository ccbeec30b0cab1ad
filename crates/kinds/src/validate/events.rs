//! Events: lenient where they come by the core group, strict where they come by their own.

use yaml::Value;

use super::field::{Field, GoMember, IMMUTABLE};
use crate::names;

const MAX_WORDS: usize = 128;
const MAX_NOTE: usize = 1024;

/// The rules of an `Event` of the core group, in the form in which it is stored.
pub(super) fn core_event(object: &Field<'_, '_>) {
    lenient(object, "reportingComponent");
}

/// The rules of an `Event` of `events.k8s.io`, in the form in which it is stored.
pub(super) fn event(object: &Field<'_, '_>) {
    lenient(object, "reportingController");
    let series = object.get("series");
    if !object.is_update() || series.changed() {
        check_series(&series);
    }
    if object.is_update() {
        frozen(object);
        return;
    }
    object.get("eventTime").require();
    let kind = object.get("type");
    if !matches!(kind.text(), "Normal" | "Warning") {
        kind.invalid_as(&"".into(), &format!("has invalid value: {}", kind.text()));
    }
    for (name, set) in [
        ("firstTimestamp", object.get("firstTimestamp").is_set()),
        ("lastTimestamp", object.get("lastTimestamp").is_set()),
        ("count", object.get("count").number().unwrap_or(0) != 0),
        (
            "source",
            !object.get("source.component").is_empty() || !object.get("source.host").is_empty(),
        ),
    ] {
        if set {
            object.get(name).invalid_as(&"".into(), "needs to be unset");
        }
    }
}

fn check_series(series: &Field<'_, '_>) {
    if !series.is_set() {
        return;
    }
    let count = series.get("count");
    if count.number().unwrap_or(0) < 2 {
        count.invalid_as(&"".into(), "should be at least 2");
    }
    series.get("lastObservedTime").require();
}

/// How a member is told that an update changed.
enum Shown {
    /// As JSON.
    Plain,
    /// As text, which is never absent.
    Text,
    /// As a struct without JSON names.
    Struct(&'static [GoMember<'static>]),
}

const REFERENCE: Shown = Shown::Struct(&[
    ("Kind", "kind", "\"\""),
    ("Namespace", "namespace", "\"\""),
    ("Name", "name", "\"\""),
    ("UID", "uid", "\"\""),
    ("APIVersion", "apiVersion", "\"\""),
    ("ResourceVersion", "resourceVersion", "\"\""),
    ("FieldPath", "fieldPath", "\"\""),
]);
const SOURCE: Shown =
    Shown::Struct(&[("Component", "component", "\"\""), ("Host", "host", "\"\"")]);

/// What an update may not change: the name that is told, and where it is stored.
const FROZEN: [(&str, &str, Shown); 14] = [
    ("involvedObject", "involvedObject", REFERENCE),
    ("reason", "reason", Shown::Text),
    ("message", "message", Shown::Text),
    ("source", "source", SOURCE),
    ("firstTimestamp", "firstTimestamp", Shown::Plain),
    ("lastTimestamp", "lastTimestamp", Shown::Plain),
    ("count", "count", Shown::Plain),
    ("reason", "reason", Shown::Text),
    ("type", "type", Shown::Text),
    ("eventTime", "eventTime", Shown::Plain),
    ("action", "action", Shown::Text),
    ("related", "related", REFERENCE),
    ("reportingController", "reportingComponent", Shown::Text),
    ("reportingInstance", "reportingInstance", Shown::Text),
];

fn frozen(object: &Field<'_, '_>) {
    for (told, stored, shown) in FROZEN {
        let member = object.get(stored);
        let told = member.under(told);
        match shown {
            Shown::Text => told.immutable_text(),
            Shown::Struct(members) if member.is_set() && member.changed() => {
                told.invalid_struct(members, IMMUTABLE);
            }
            Shown::Plain | Shown::Struct(_) => told.immutable(),
        }
    }
}

fn lenient(object: &Field<'_, '_>, controller: &str) {
    let namespace = object.get("metadata.namespace").text();
    let about = object.get("involvedObject.namespace");
    let mismatch = || about.invalid_as(&about.text().into(), "does not match event.namespace");
    if object.get("eventTime").is_set() {
        if about.is_empty() && !matches!(namespace, "default" | "kube-system") {
            mismatch();
        }
        words(object, controller);
    } else if about.is_empty() {
        if !matches!(namespace, "" | "default") {
            mismatch();
        }
    } else if about.text() != namespace {
        mismatch();
    }
    for problem in names::subdomain_problems(namespace) {
        let told = object.get("namespace");
        told.invalid_as(&namespace.into(), &problem);
    }
}

fn words(object: &Field<'_, '_>, controller: &str) {
    let stored = object.get("reportingComponent");
    let reporter = stored.under(controller);
    reporter.require();
    for problem in names::qualified_name_problems(reporter.text()) {
        reporter.invalid_as(&reporter.text().into(), &problem);
    }
    let limits = [
        ("reportingInstance", MAX_WORDS),
        ("action", MAX_WORDS),
        ("reason", MAX_WORDS),
        ("message", MAX_NOTE),
    ];
    for (name, limit) in limits {
        let word = object.get(name);
        if name != "message" {
            word.require();
        }
        if word.text().len() > limit {
            let why = format!("can have at most {limit} characters");
            word.invalid_as(&Value::from(""), &why);
        }
    }
}
