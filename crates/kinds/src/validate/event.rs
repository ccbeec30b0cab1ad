//! Events of the core group.

use yaml::Value;

use super::field::Field;
use crate::names;

/// Most letters of what an event says.
const INSTANCE: usize = 128;
const ACTION: usize = 128;
const REASON: usize = 128;
const NOTE: usize = 1024;
const ELSEWHERE: &str = "does not match event.namespace";

pub(super) fn event(object: &Field<'_, '_>) {
    let metadata = object.get("metadata");
    let namespace = metadata.get("namespace").text();
    let about = object.get("involvedObject");
    let place = about.get("namespace");
    let other = place.text();
    let invalid = || place.invalid_as(&other.into(), ELSEWHERE);
    if object.get("eventTime").value().is_none_or(Value::is_null) {
        let fits = other == namespace || (other.is_empty() && namespace == "default");
        if !fits {
            invalid();
        }
        return;
    }
    if other.is_empty() && !matches!(namespace, "default" | "kube-system") {
        invalid();
    }
    let reporter = object.get("reportingComponent");
    reporter.require();
    for problem in names::qualified_name_problems(reporter.text()) {
        reporter.invalid_as(&reporter.text().into(), &problem);
    }
    for (name, limit) in [
        ("reportingInstance", INSTANCE),
        ("action", ACTION),
        ("reason", REASON),
        ("message", NOTE),
    ] {
        let text = object.get(name);
        if name != "message" {
            text.require();
        }
        if text.text().len() > limit {
            text.invalid_as(&"".into(), &format!("can have at most {limit} characters"));
        }
    }
}
