//! Who owns what after the writes that a real kube-apiserver answered: server-side applies with their
//! results and conflicts, and the `managedFields` after every other write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use manifest::Gvk;
use manifest::fields::{
    ApplyError, FieldSet, ManagedFields, OnConflict, Writer, apply, path_text, track,
};
use manifest::schema::{Schema, SchemaSet};
use yaml::Value;

use crate::recorded_patches::compare;
use crate::recordings::{Scenario, Step, scenarios};

/// What the server's registries set or clear after the ownership is tracked, by kind.
const SET_LATER: [(&str, &str); 24] = [
    ("Job", ".metadata.labels"),
    ("Job", ".spec.selector"),
    ("Job", ".spec.template.metadata.labels"),
    ("Namespace", ".spec.finalizers"),
    ("PersistentVolume", ".metadata.finalizers"),
    ("PersistentVolumeClaim", ".metadata.finalizers"),
    ("PersistentVolumeClaim", ".spec.dataSourceRef"),
    ("Pod", ".spec.containers[name="),
    ("Pod", ".spec.preemptionPolicy"),
    ("Pod", ".spec.priority"),
    ("Pod", ".spec.serviceAccount"),
    ("Pod", ".spec.tolerations"),
    ("Pod", ".spec.volumes"),
    ("Pod", ".status.conditions"),
    ("Role", ".rules"),
    ("Service", ".spec.allocateLoadBalancerNodePorts"),
    ("Service", ".spec.clusterIP"),
    ("Service", ".spec.externalTrafficPolicy"),
    ("Service", ".spec.healthCheckNodePort"),
    ("Service", ".spec.internalTrafficPolicy"),
    ("Service", ".spec.ipFamilies"),
    ("Service", ".spec.ipFamilyPolicy"),
    ("Service", ".spec.ports[port="),
    ("Widget", ".metadata.labels"),
];

const APPLY: &str = "application/apply-patch+yaml";

#[derive(Default)]
struct Tally {
    n_right: usize,
    /// Right but for what the server sets later.
    n_later: usize,
    n_refused: usize,
    n_skipped: usize,
    failures: Vec<String>,
}

struct Judge {
    set: Arc<SchemaSet>,
    custom: BTreeMap<Gvk, Schema>,
    /// Custom kinds without a status subresource.
    plain: BTreeSet<Gvk>,
    spec: FieldSet,
    status: FieldSet,
    nothing: FieldSet,
    tally: Tally,
}

fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    value.at(path).and_then(Value::as_str).unwrap_or_default()
}

/// The entries of an object as a set, without times.
fn owners(object: &Value) -> BTreeSet<String> {
    let list = object.at(&["metadata", "managedFields"]);
    let entries = list.and_then(Value::as_list).unwrap_or_default();
    entries
        .iter()
        .map(|entry| {
            let mut entry = entry.clone();
            entry.map_at_mut(&[]).remove("time");
            // Placeholders stand where no character needs an escape.
            yaml::json::to_string(&entry)
                .replace("\\\\u003c", "<")
                .replace("\\\\u003e", ">")
        })
        .collect()
}

/// Whether all differences of ownership are about fields that the server sets later.
fn differs_later(got: &Value, want: &Value) -> bool {
    let kind = text(want, &["kind"]);
    let all = |object: &Value| {
        let managed = ManagedFields::of(object).unwrap_or_default();
        let sets = managed.entries().iter().map(|entry| &entry.fields);
        sets.fold(FieldSet::new(), |all, set| all.union(set))
    };
    let (got, want) = (all(got), all(want));
    let differences = got.difference(&want).union(&want.difference(&got));
    differences.paths().iter().all(|path| {
        let path = path_text(path);
        let is_later = |later: &(&str, &str)| later.0 == kind && path.starts_with(later.1);
        SET_LATER.iter().any(is_later)
    })
}

impl Judge {
    fn new() -> Self {
        Judge {
            set: SchemaSet::builtin(),
            custom: BTreeMap::new(),
            plain: BTreeSet::new(),
            spec: FieldSet::of_names(&[&["spec"]]),
            status: FieldSet::of_names(&[&["status"]]),
            nothing: FieldSet::new(),
            tally: Tally::default(),
        }
    }

    /// Learns the custom kinds that a scenario defines.
    fn learn(&mut self, scenario: &Scenario) {
        let bodies = scenario.objects.values();
        let answers = scenario.steps.iter().map(|step| &step.answer);
        for object in bodies.chain(answers) {
            if text(object, &["kind"]) != "CustomResourceDefinition" {
                continue;
            }
            let versions = object.at(&["spec", "versions"]).and_then(Value::as_list);
            for version in versions.unwrap_or_default() {
                let gvk = Gvk {
                    group: text(object, &["spec", "group"]).into(),
                    version: text(version, &["name"]).into(),
                    kind: text(object, &["spec", "names", "kind"]).into(),
                };
                if version.at(&["subresources", "status"]).is_none() {
                    self.plain.insert(gvk.clone());
                }
                let openapi = version.at(&["schema", "openAPIV3Schema"]);
                if let Some(schema) = openapi.and_then(|it| self.set.custom(it).ok()) {
                    self.custom.insert(gvk, schema);
                }
            }
        }
    }

    fn schema(&self, object: &Value) -> Option<Schema> {
        let gvk = Gvk::new(text(object, &["apiVersion"]), text(object, &["kind"]));
        self.set
            .schema(&gvk)
            .or_else(|| self.custom.get(&gvk).cloned())
    }

    fn writer<'a>(&'a self, step: &'a Step, object: &Value) -> Writer<'a> {
        let agent = match step.user_agent.as_str() {
            "" => "tiphys-corpus",
            agent => agent.split('/').next().unwrap_or_default(),
        };
        let manager = match text(&step.query, &["fieldManager"]) {
            "" => agent,
            named => named,
        };
        let gvk = Gvk::new(text(object, &["apiVersion"]), text(object, &["kind"]));
        let (subresource, ignored) = match step.path.ends_with("/status") {
            true => ("status", &self.spec),
            false if self.plain.contains(&gvk) => ("", &self.nothing),
            false => ("", &self.status),
        };
        Writer {
            manager,
            subresource,
            time: "<time>",
            ignored,
        }
    }

    fn apply(&mut self, step: &Step, stored: Option<&Value>) {
        let Some(config) = step.body.as_ref() else {
            return;
        };
        let exists_unseen = stored.is_none() && step.status == 200;
        let Some(schema) = self.schema(config).filter(|_| !exists_unseen) else {
            self.tally.n_skipped += 1;
            return;
        };
        let on_conflict = match text(&step.query, &["force"]) {
            "true" => OnConflict::TakeOver,
            _ => OnConflict::Refuse,
        };
        let outcome = apply(
            stored,
            config,
            &schema,
            &self.writer(step, config),
            on_conflict,
        );
        let place = format!("{} {}", step.scenario, yaml::json::to_string(config));
        let message = text(&step.answer, &["message"]);
        match (step.status, outcome) {
            (200..=299, Ok(applied)) => {
                let (mut differences, mut filled) = (Vec::new(), Vec::new());
                compare(
                    "",
                    &applied.object,
                    &step.answer,
                    (&mut differences, &mut filled),
                );
                let (got, want) = (owners(&applied.object), owners(&step.answer));
                // The server turns stringData into data when it decodes.
                let is_secret = text(config, &["kind"]) == "Secret";
                differences.retain(|it| {
                    !is_secret || !it.starts_with(".data") && !it.starts_with(".stringData")
                });
                if got != want {
                    differences.push(format!("owners {got:#?}, want {want:#?}"));
                }
                self.verdict(&place, &differences);
            }
            (409, Err(error @ ApplyError::Conflicts(_))) if error.to_string() == message => {
                self.causes(&place, step, &error);
            }
            (_, Err(error)) if error.to_string() == message => self.tally.n_refused += 1,
            // Refused before or after the merge: the address, the fields' values.
            (400 | 403 | 404 | 409 | 422, Ok(_)) => self.tally.n_skipped += 1,
            (status, outcome) => {
                let got = outcome.map(|_| "applied").map_err(|e| e.to_string());
                self.tally
                    .failures
                    .push(format!("{place}: {status} {message}, got {got:?}"));
            }
        }
    }

    fn causes(&mut self, place: &str, step: &Step, error: &ApplyError) {
        let ApplyError::Conflicts(conflicts) = error else {
            return;
        };
        let got: BTreeSet<(String, String)> = conflicts
            .iter()
            .map(|c| (c.field.clone(), format!("conflict with {}", c.owner)))
            .collect();
        let causes = step
            .answer
            .at(&["details", "causes"])
            .and_then(Value::as_list);
        let want: BTreeSet<(String, String)> = causes
            .unwrap_or_default()
            .iter()
            .map(|c| {
                (
                    text(c, &["field"]).to_owned(),
                    text(c, &["message"]).to_owned(),
                )
            })
            .collect();
        if got == want {
            self.tally.n_refused += 1;
        } else {
            self.tally
                .failures
                .push(format!("{place}: causes {got:?}, want {want:?}"));
        }
    }

    fn verdict(&mut self, place: &str, differences: &[String]) {
        if differences.is_empty() {
            self.tally.n_right += 1;
        } else {
            self.tally
                .failures
                .push(format!("{place}: {}", differences.join("; ")));
        }
    }

    /// A create, update or patch: given the stored objects, the entries follow.
    fn track(&mut self, step: &Step, stored: Option<&Value>) {
        let is_object = step.answer.at(&["metadata", "uid"]).is_some();
        let schema = self
            .schema(&step.answer)
            .filter(|_| is_object && step.status < 300);
        let Some(schema) = schema else {
            return;
        };
        let stored = stored.filter(|_| step.method != "POST");
        let sent = step
            .body
            .as_ref()
            .and_then(|body| body.at(&["metadata", "managedFields"]));
        let has_history = stored.is_none_or(|stored| stored.at(&["metadata", "uid"]).is_some());
        if !has_history || (step.method != "POST" && stored.is_none()) || sent.is_some() {
            self.tally.n_skipped += 1;
            return;
        }
        let mut new = step.answer.clone();
        let metadata = new.map_at_mut(&["metadata"]);
        metadata.remove("managedFields");
        if let Some(list) = stored.and_then(|stored| stored.at(&["metadata", "managedFields"])) {
            metadata.insert("managedFields", list.clone());
        }
        let writer = self.writer(step, &step.answer);
        let tracked = track(stored, new, &schema, &writer);
        let (got, want) = (owners(&tracked), owners(&step.answer));
        let body = step.body.as_ref().map(yaml::json::to_string);
        let place = format!("{} {} {} {body:?}", step.scenario, step.method, step.path);
        if got != want && differs_later(&tracked, &step.answer) {
            self.tally.n_later += 1;
            return;
        }
        let differences = if got == want {
            Vec::new()
        } else {
            let more: Vec<_> = got.difference(&want).collect();
            let less: Vec<_> = want.difference(&got).collect();
            vec![format!("\n  got {more:#?}\n want {less:#?}")]
        };
        self.verdict(&place, &differences);
    }

    fn finish(self, what: &str, want: (usize, usize, usize)) {
        let tally = self.tally;
        println!(
            "{what}: {} right, {} but for later fields, {} refused alike, {} not judged, {} wrong",
            tally.n_right,
            tally.n_later,
            tally.n_refused,
            tally.n_skipped,
            tally.failures.len()
        );
        for failure in &tally.failures {
            println!("{failure}");
        }
        assert!(tally.failures.is_empty(), "{} wrong", tally.failures.len());
        assert_eq!((tally.n_right, tally.n_later, tally.n_refused), want);
    }
}

#[test]
fn applies_give_the_objects_owners_and_conflicts_of_the_server() {
    let mut judge = Judge::new();
    let all = scenarios("");
    if all.is_empty() {
        return;
    }
    for scenario in all {
        judge.learn(&scenario);
        scenario.replay(|step, stored| {
            let stored = stored.filter(|stored| stored.at(&["metadata", "uid"]).is_some());
            if step.content_type == APPLY && !step.path.ends_with("/scale") {
                judge.apply(step, stored);
            }
        });
    }
    judge.finish("applies", (55, 0, 27));
}

#[test]
fn other_writes_give_the_owners_of_the_server() {
    let mut judge = Judge::new();
    let all = scenarios("");
    if all.is_empty() {
        return;
    }
    for scenario in all {
        judge.learn(&scenario);
        scenario.replay(|step, stored| {
            let is_write = ["POST", "PUT", "PATCH"].contains(&step.method.as_str());
            if is_write && step.content_type != APPLY {
                judge.track(step, stored);
            }
        });
    }
    judge.finish("other writes", (389, 51, 0));
}

#[test]
fn recorded_entries_survive_reading_and_writing() {
    let mut n_entries = 0;
    for scenario in scenarios("") {
        for step in &scenario.steps {
            let want = owners(&step.answer);
            if want.is_empty() {
                continue;
            }
            let managed = ManagedFields::of(&step.answer).unwrap();
            n_entries += managed.entries().len();
            let mut object = Value::default();
            managed.write(&mut object);
            assert_eq!(owners(&object), want, "{}", step.scenario);
        }
    }
    println!("{n_entries} entries read and written");
}
