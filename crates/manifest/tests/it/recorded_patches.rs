//! Patches that a real kube-apiserver answered: our result must be what it stored, but for the
//! defaults that it filled in afterwards.

use std::sync::Arc;

use manifest::Gvk;
use manifest::patch::{PatchError, json_patch, merge_patch, strategic_merge};
use manifest::schema::SchemaSet;
use yaml::Value;

use crate::recordings::{Step, scenarios};

/// What the server fills in after a patch; anything else that only the server's answer has is a
/// difference.
const DEFAULTED: [&str; 27] = [
    "clusterIP",
    "clusterIPs",
    "internalTrafficPolicy",
    "ipFamilies",
    "ipFamilyPolicy",
    "sessionAffinity",
    "apiGroup",
    "defaultMode",
    "dnsPolicy",
    "externalTrafficPolicy",
    "imagePullPolicy",
    "maxUnavailable",
    "progressDeadlineSeconds",
    "protocol",
    "replicas",
    "resources",
    "restartPolicy",
    "revisionHistoryLimit",
    "rollingUpdate",
    "schedulerName",
    "securityContext",
    "strategy",
    "targetPort",
    "terminationGracePeriodSeconds",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "type",
];

#[derive(Default)]
struct Tally {
    n_exact: usize,
    n_defaulted: usize,
    n_errors: usize,
    n_skipped: usize,
    failures: Vec<String>,
}

fn patched(set: &Arc<SchemaSet>, step: &Step, stored: &Value) -> Option<Result<Value, PatchError>> {
    let patch = step.body.as_ref()?;
    let kind = stored.get("kind").and_then(Value::as_str)?;
    let api_version = stored.get("apiVersion").and_then(Value::as_str)?;
    match step.content_type.as_str() {
        "application/json-patch+json" => Some(json_patch(stored, patch)),
        "application/merge-patch+json" => Some(merge_patch(stored.clone(), patch)),
        "application/strategic-merge-patch+json" => {
            let schema = set.schema(&Gvk::new(api_version, kind))?;
            Some(strategic_merge(stored.clone(), patch, &schema))
        }
        _ => None,
    }
}

/// Drops the members that the kind does not declare, as the server's decoder does.
fn without_undeclared(set: &Arc<SchemaSet>, mut object: Value) -> Value {
    let text = |field: &str| {
        object
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let schema = set.schema(&Gvk::new(text("apiVersion"), text("kind")));
    if let (Some(schema), Value::Map(map)) = (schema, &mut object) {
        map.retain(|key, _| schema.root().member(key).is_some());
    }
    object
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Map(map) => map.values().all(is_empty),
        Value::List(list) => list.is_empty(),
        _ => false,
    }
}

/// Fields that the server sets itself.
fn is_servers(path: &str) -> bool {
    let fields = [
        "managedFields",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "uid",
    ];
    fields
        .iter()
        .any(|field| path == format!(".metadata.{field}"))
        || path == ".metadata.namespace"
        || path.starts_with(".status")
}

/// What differs, and what the server has filled in.
pub(crate) fn compare(
    path: &str,
    got: &Value,
    want: &Value,
    tally: (&mut Vec<String>, &mut Vec<String>),
) {
    let (differences, filled) = tally;
    match (got, want) {
        (Value::Map(got), Value::Map(want)) => {
            for (key, value) in got.iter() {
                let path = format!("{path}.{key}");
                match want.get(key) {
                    _ if is_servers(&path) => {}
                    Some(want) => compare(&path, value, want, (differences, filled)),
                    None if is_empty(value) => {}
                    None => differences.push(format!("{path} is too much")),
                }
            }
            for (key, _) in want.iter().filter(|(key, _)| !got.contains_key(key)) {
                let path = format!("{path}.{key}");
                if DEFAULTED.contains(&key.as_str()) {
                    filled.push(path);
                } else if !is_servers(&path) {
                    differences.push(format!("{path} is missing"));
                }
            }
        }
        (Value::List(got), Value::List(want)) if got.len() == want.len() => {
            for (index, (got, want)) in got.iter().zip(want).enumerate() {
                compare(
                    &format!("{path}[{index}]"),
                    got,
                    want,
                    (differences, filled),
                );
            }
        }
        (Value::Null, _) => filled.push(path.to_owned()),
        _ if got == want => {}
        _ => differences.push(format!("{path} is {got:?}, not {want:?}")),
    }
}

impl Tally {
    fn judge(&mut self, set: &Arc<SchemaSet>, step: &Step, stored: Option<&Value>) {
        let is_patch = step.method == "PATCH" && !step.path.ends_with("/status");
        let outcome = stored
            .filter(|_| is_patch)
            .and_then(|stored| patched(set, step, stored));
        let Some(outcome) = outcome else {
            self.n_skipped += usize::from(is_patch);
            return;
        };
        let place = format!("{} {:?}", step.scenario, step.body);
        let message = step
            .answer
            .get("message")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let is_generic =
            message == "the server rejected our request due to an error in our request";
        match (step.status, outcome) {
            (200..=299, Ok(got)) => {
                let (mut differences, mut filled) = (Vec::new(), Vec::new());
                let got = without_undeclared(set, got);
                compare("", &got, &step.answer, (&mut differences, &mut filled));
                if !differences.is_empty() {
                    self.failures
                        .push(format!("{place}: {}", differences.join(", ")));
                } else if filled.is_empty() {
                    self.n_exact += 1;
                } else {
                    self.n_defaulted += 1;
                }
            }
            // Refused after the patch was applied: validation is not ours.
            (422, Ok(_)) if !is_generic => self.n_skipped += 1,
            (400, Ok(_))
                if step
                    .body
                    .as_ref()
                    .is_some_and(|b| b.get("$patch").is_some()) =>
            {
                self.n_skipped += 1;
            }
            (422, Err(_)) if is_generic => self.n_errors += 1,
            (_, Err(error)) if error.to_string() == message => self.n_errors += 1,
            (status, Err(error)) => self
                .failures
                .push(format!("{place}: {status} {message:?}, got {error}")),
            (status, Ok(_)) => self
                .failures
                .push(format!("{place}: applied, want {status} {message:?}")),
        }
    }
}

fn check(prefix: &str, want: (usize, usize, usize)) {
    let set = SchemaSet::builtin();
    let mut tally = Tally::default();
    let scenarios = scenarios(prefix);
    if scenarios.is_empty() {
        return;
    }
    for scenario in scenarios {
        scenario.replay(|step, stored| tally.judge(&set, step, stored));
    }
    println!(
        "{prefix}*: {} exact, {} but for defaults, {} refused alike, {} not judged",
        tally.n_exact, tally.n_defaulted, tally.n_errors, tally.n_skipped
    );
    assert_eq!(tally.failures, Vec::<String>::new());
    assert_eq!((tally.n_exact, tally.n_defaulted, tally.n_errors), want);
}

#[test]
fn json_patches_give_what_the_server_stored() {
    check("b-json-patch", (18, 3, 17));
}

#[test]
fn merge_patches_give_what_the_server_stored() {
    check("b-merge-patch", (2, 2, 0));
}

#[test]
fn strategic_merge_patches_give_what_the_server_stored() {
    check("b-strategic", (21, 22, 8));
}
