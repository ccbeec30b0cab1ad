//! The Events about Applications of a step.

use yaml::Value;

use crate::application::plain;
use crate::fits;
use crate::pattern::{Difference, text};

/// Reasons that an operation has exactly once; the others are a matter of timing.
const COUNTED: [&str; 2] = ["OperationStarted", "OperationCompleted"];

/// Where found events are not as recorded: as a set, each with its application, type, reason and
/// message.
#[must_use]
pub fn events(want: &[Value], found: &[Value]) -> Vec<Difference> {
    let lines = |events: &[Value]| -> Vec<String> {
        let counted = events
            .iter()
            .filter(|it| COUNTED.contains(&text(it, &["reason"])));
        let line = |it: &Value| {
            let text = |key| text(it, &[key]);
            let (app, kind, reason) = (text("application"), text("type"), text("reason"));
            format!("{app}: {kind} {reason}: {}", plain(text("message")))
        };
        counted.map(line).collect()
    };
    let mut there = lines(found);
    let mut differences = Vec::new();
    for want in lines(want) {
        match there.iter().position(|it| fits(&want, it)) {
            Some(at) => drop(there.swap_remove(at)),
            None => differences.push(Difference::text("events", format!("is missing: {want}"))),
        }
    }
    let extra = there.into_iter();
    differences
        .extend(extra.map(|it| Difference::text("events", format!("should not be there: {it}"))));
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(want: &str, found: &str, n_differences: usize) {
        let parse = |text: &str| -> Vec<Value> {
            let value: Value = yaml::parse_str(text).expect("YAML");
            value.as_list().expect("a list").to_vec()
        };
        assert_eq!(events(&parse(want), &parse(found)).len(), n_differences);
    }

    #[test]
    fn what_an_operation_says_must_match_and_other_events_need_not() {
        let ended = "{application: a, type: Normal, reason: OperationCompleted, message: m}";
        let other = "{application: a, type: Normal, reason: ResourceUpdated, message: x}";
        check(&format!("[{ended}, {other}]"), &format!("[{ended}]"), 0);
        check(&format!("[{ended}]"), "[]", 1);
        check("[]", &format!("[{ended}, {ended}]"), 2);
        check(
            &format!("[{ended}]"),
            &format!("[{}]", ended.replace("m}", "n}")),
            2,
        );
    }
}
