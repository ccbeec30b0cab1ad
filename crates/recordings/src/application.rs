//! What of an Application must match.

use yaml::Value;

use crate::pattern::{Difference, is_alike, list, text};

/// Single members of the status.
const MEMBERS: [&[&str]; 7] = [
    &["sync", "status"],
    &["sync", "revision"],
    &["health", "status"],
    &["health", "message"],
    &["operationState", "phase"],
    &["operationState", "message"],
    &["operationState", "retryCount"],
];

/// A list of the status that must be the same set.
struct Set {
    path: &'static [&'static str],
    /// What tells its items apart.
    key: fn(&Value) -> String,
    /// What must match of each.
    members: &'static [&'static str],
}

const SETS: [Set; 4] = [
    Set {
        path: &["resources"],
        key: |it| {
            let text = |key| text(it, &[key]);
            let (group, kind) = (text("group"), text("kind"));
            format!("{group}/{kind}:{}/{}", text("namespace"), text("name"))
        },
        members: &[
            "status",
            "hook",
            "requiresPruning",
            "requiresDeletionConfirmation",
            "syncWave",
            "version",
        ],
    },
    Set {
        path: &["conditions"],
        key: |it| format!("{}: {}", text(it, &["type"]), text(it, &["message"])),
        members: &[],
    },
    Set {
        path: &["operationState", "syncResult", "resources"],
        key: |it| {
            let text = |key| text(it, &[key]);
            let (group, kind, phase) = (text("group"), text("kind"), text("syncPhase"));
            let place = format!("{}/{}", text("namespace"), text("name"));
            format!("{group}/{kind}:{place}:{phase}")
        },
        members: &["status", "message", "hookType", "hookPhase", "version"],
    },
    Set {
        path: &["history"],
        key: |it| it.get("id").map(yaml::json::to_string).unwrap_or_default(),
        members: &["revision", "revisions"],
    },
];

/// Warnings that Argo CD does not have (docs/differences.md).
const OUR_WARNINGS: [&str; 2] = ["SkippedFileWarning", "UnsupportedSettingWarning"];

/// Where a found Application is not as recorded. Of a state in between (the step has `notSettled`)
/// only what does not depend on the moment is compared.
#[must_use]
pub fn application(path: &str, want: &Value, found: &Value, is_settled: bool) -> Vec<Difference> {
    let nothing = Value::Null;
    let status_of = |app: &Value| app.get("status").cloned().unwrap_or_default();
    let (wanted, there) = (status_of(want), status_of(found));
    let mut differences = Vec::new();
    for member in MEMBERS {
        let at = |status: &Value| plain_value(status.at(member).unwrap_or(&nothing));
        let is_of_the_moment = !is_settled && *member == ["operationState", "retryCount"];
        let (want, found) = (at(&wanted), at(&there));
        if !is_of_the_moment && !is_alike(&want, &found) {
            let place = format!("{path}/status/{}", member.join("/"));
            differences.push(Difference::new(&place, &found, &want));
        }
    }
    for set in &SETS {
        let is_of_the_moment = !is_settled && set.path != ["conditions"];
        if !is_of_the_moment {
            differences.extend(set.differences(path, &wanted, &there));
        }
    }
    let finalizers = |app: &Value| Value::List(list(app, &["metadata", "finalizers"]).to_vec());
    let (want, found) = (finalizers(want), finalizers(found));
    if want != found {
        let place = format!("{path}/metadata/finalizers");
        differences.push(Difference::new(&place, &found, &want));
    }
    differences
}

impl Set {
    fn differences(&self, path: &str, want: &Value, found: &Value) -> Vec<Difference> {
        let place = format!("{path}/status/{}", self.path.join("/"));
        let items = |status: &Value| -> Vec<(String, Value)> {
            let items = list(status, self.path).iter();
            let theirs = items.filter(|it| !OUR_WARNINGS.contains(&text(it, &["type"])));
            theirs
                .map(|it| (plain(&(self.key)(it)), it.clone()))
                .collect()
        };
        let (wanted, mut there) = (items(want), items(found));
        let mut differences = Vec::new();
        for (key, want) in &wanted {
            let same = there.iter().position(|(other, _)| crate::fits(key, other));
            let Some(same) = same else {
                let text = format!("is missing: {}", yaml::json::to_string(want));
                differences.push(Difference::text(&format!("{place}/{key}"), text));
                continue;
            };
            let (_, found) = there.swap_remove(same);
            for member in self.members {
                let at = |it: &Value| plain_value(it.get(member).unwrap_or(&Value::Null));
                let (want, found) = (at(want), at(&found));
                if !is_alike(&want, &found) {
                    let place = format!("{place}/{key}/{member}");
                    differences.push(Difference::new(&place, &found, &want));
                }
            }
        }
        let extra = there.into_iter().map(|(key, found)| {
            let text = format!("should not be there: {}", yaml::json::to_string(&found));
            Difference::text(&format!("{place}/{key}"), text)
        });
        differences.extend(extra);
        differences
    }
}

fn plain_value(value: &Value) -> Value {
    match value {
        Value::String(text) => plain(text).into(),
        other => other.clone(),
    }
}

/// A message without what may differ: names of temporary files, the cache's remark, the words of a
/// parser and what we add to them.
pub(crate) fn plain(message: &str) -> String {
    let mut text = message.replace("Manifest generation error (cached): ", "");
    text = text.replace("code = Unknown desc = rpc error: ", "");
    for start in [
        "failed to unmarshal manifest: ",
        "Failed to checkout revision ",
    ] {
        if let Some((before, _)) = text.split_once(start) {
            text = format!("{before}{start}");
        }
    }
    // What kustomize says of an error and of its usage is another version's.
    if text.contains("`kustomize ")
        && let Some((before, _)) = text.split_once(" failed exit status 1: ")
    {
        text = before.to_owned();
    }
    // kubectl names the file that it was given.
    let patching = "error when patching \"";
    if let Some((before, after)) = text.split_once(patching)
        && let Some((_, after)) = after.split_once("\": ")
    {
        text = format!("{before}{after}");
    }
    for start in ["unable to decode \"", "from server for: \""] {
        if let Some((before, after)) = text.split_once(start)
            && let Some((_, after)) = after.split_once('"')
        {
            text = format!("{before}{start}{after}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(want: &str, found: &str, paths: &[&str]) {
        let parse = |text: &str| yaml::parse_str(text).expect("YAML");
        let differences = application("a", &parse(want), &parse(found), true);
        let places: Vec<&str> = differences.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(places, paths);
    }

    #[test]
    fn what_must_match_is_compared_and_nothing_else() {
        check(
            "status: {sync: {status: Synced}}",
            "status: {sync: {status: Synced}, x: y}",
            &[],
        );
        check(
            "status: {sync: {status: Synced}, operationState: {message: 'at <clock>'}}",
            "status: {sync: {status: OutOfSync}, operationState: {message: at 3:04PM}}",
            &["a/status/sync/status"],
        );
        check(
            "{status: {resources: [{kind: A, name: a, status: Synced}, {kind: B, name: b}]}}",
            "{status: {resources: [{kind: A, name: a}, {kind: C, name: c}]}, metadata: {finalizers: [f]}}",
            &[
                "a/status/resources//A:/a/status",
                "a/status/resources//B:/b",
                "a/status/resources//C:/c",
                "a/metadata/finalizers",
            ],
        );
        check(
            "status: {conditions: [{type: T, message: m}]}",
            "status: {conditions: [{type: SkippedFileWarning, message: m}]}",
            &["a/status/conditions/T: m"],
        );
    }
}
