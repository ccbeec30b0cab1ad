//! What Kubernetes' own Go libraries answered to generated cases (`testdata/origin`).

use std::path::Path;

use manifest::Gvk;
use manifest::fields::{
    ApplyError, FieldSet, ManagedFields, OnConflict, Operation, Writer, apply, track,
};
use manifest::patch::{strategic_merge, three_way};
use manifest::quantity::{Format, Quantity};
use manifest::schema::{Schema, SchemaSet};
use yaml::{Map, Value, json};

fn lines(file: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(file);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Compares case by case; all that differ are shown.
#[derive(Default)]
struct Tally {
    n_same: usize,
    differences: Vec<String>,
}

impl Tally {
    fn check(&mut self, place: &str, got: &str, want: &str) {
        if got == want {
            self.n_same += 1;
        } else {
            self.differences
                .push(format!("{place}\n   got {got}\n  want {want}"));
        }
    }

    fn finish(self, what: &str) {
        println!(
            "{what}: {} the same, {} different",
            self.n_same,
            self.differences.len()
        );
        for difference in self.differences.iter().take(8) {
            println!("{difference}");
        }
        assert!(self.differences.is_empty() && self.n_same > 50);
    }
}

#[test]
fn quantities_read_and_print_as_in_go() {
    let mut tally = Tally::default();
    for line in lines("quantity/cases.tsv") {
        let (text, want) = line.split_once('\t').unwrap();
        let got = match text.parse::<Quantity>() {
            Ok(quantity) => {
                let format = match quantity.format() {
                    Format::DecimalExponent => "DecimalExponent",
                    Format::BinarySi => "BinarySI",
                    Format::DecimalSi => "DecimalSI",
                };
                format!("{quantity}\t{}\t{format}", quantity.canonical())
            }
            Err(error) => format!("error\t{error}"),
        };
        tally.check(text, &got, want);
    }
    tally.finish("quantities");
}

#[test]
fn quantities_compare_as_in_go() {
    let mut tally = Tally::default();
    for line in lines("quantity/compare.tsv") {
        let [left, right, want] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let (a, b): (Quantity, Quantity) = (left.parse().unwrap(), right.parse().unwrap());
        let got = (a.cmp(&b) as i8).to_string();
        tally.check(&format!("{left} against {right}"), &got, want);
    }
    tally.finish("comparisons");
}

fn deployment() -> Schema {
    let gvk = Gvk::new("apps/v1", "Deployment");
    SchemaSet::builtin().schema(&gvk).unwrap()
}

fn part<'a>(case: &'a Value, name: &str) -> &'a Value {
    case.get(name).unwrap_or(&Value::Null)
}

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    part(case, name).as_str().unwrap_or_default()
}

#[test]
fn strategic_merges_give_what_go_gives() {
    let (schema, mut tally) = (deployment(), Tally::default());
    for line in lines("strategic/cases.jsonl") {
        let case = json::parse_str(&line).unwrap();
        let outcome = strategic_merge(
            part(&case, "original").clone(),
            part(&case, "patch"),
            &schema,
        );
        let got = outcome.map_or_else(|error| error.to_string(), |value| json::to_string(&value));
        let want = match case.get("error") {
            Some(error) => error.as_str().unwrap().to_owned(),
            None => json::to_string(part(&case, "result")),
        };
        tally.check(&line, &got, &want);
    }
    tally.finish("strategic merges");
}

#[test]
fn three_way_patches_are_those_of_go() {
    let (schema, mut tally) = (deployment(), Tally::default());
    for line in lines("three_way/cases.jsonl") {
        let case = json::parse_str(&line).unwrap();
        let (original, modified, current) = (
            part(&case, "original"),
            part(&case, "modified"),
            part(&case, "current"),
        );
        let got = match three_way(Some(original), modified, current, Some(&schema)) {
            Ok(it) => format!(
                "{} {}",
                json::to_string(&Value::Map(it.patch)),
                json::to_string(&it.result)
            ),
            Err(error) => error.to_string(),
        };
        let want = match case.get("error") {
            Some(error) => error.as_str().unwrap().to_owned(),
            None => {
                let (patch, result) = (part(&case, "patch"), part(&case, "result"));
                format!("{} {}", json::to_string(patch), json::to_string(result))
            }
        };
        tally.check(&line, &got, &want);
    }
    tally.finish("three-way patches");
}

/// One object through a sequence of applies and updates.
struct Replay<'a> {
    schema: &'a Schema,
    live: Option<Value>,
}

impl Replay<'_> {
    fn step(&mut self, step: &Value) -> String {
        let ignored = FieldSet::new();
        let writer = Writer {
            manager: text(step, "manager"),
            subresource: "",
            time: "2026-01-01T00:00:00Z",
            ignored: &ignored,
        };
        let stored = if let Some(config) = step.get("apply") {
            let on_conflict = match part(step, "force") {
                Value::Bool(true) => OnConflict::TakeOver,
                _ => OnConflict::Refuse,
            };
            match apply(
                self.live.as_ref(),
                config,
                self.schema,
                &writer,
                on_conflict,
            ) {
                Ok(applied) => applied.object,
                Err(ApplyError::Conflicts(conflicts)) => {
                    let causes = conflicts
                        .iter()
                        .map(|c| format!("{}: conflict with {}", c.field, c.owner));
                    let mut causes: Vec<String> = causes.collect();
                    causes.sort();
                    return causes.join("\n");
                }
                Err(error) => return error.to_string(),
            }
        } else {
            track(
                self.live.as_ref(),
                part(step, "update").clone(),
                self.schema,
                &writer,
            )
        };
        let shown = shown(&stored);
        self.live = Some(stored);
        shown
    }
}

/// The object and its owners, as the recording has them.
fn shown(object: &Value) -> String {
    let managed = ManagedFields::of(object).unwrap();
    let owners: Map = managed
        .entries()
        .iter()
        .map(|entry| {
            let operation = match entry.operation {
                Operation::Apply => "Apply",
                Operation::Update => "Update",
            };
            (
                format!("{}/{operation}", entry.manager),
                entry.fields.to_fields_v1(),
            )
        })
        .collect();
    let mut live = object.clone();
    ManagedFields::default().write(&mut live);
    format!(
        "{} {}",
        json::to_string(&live),
        json::to_string(&Value::Map(owners))
    )
}

fn wanted(step: &Value) -> String {
    if let Some(causes) = part(step, "causes")
        .as_list()
        .filter(|list| !list.is_empty())
    {
        let causes: Vec<&str> = causes.iter().filter_map(Value::as_str).collect();
        return causes.join("\n");
    }
    match step.get("error") {
        Some(error) => error.as_str().unwrap().to_owned(),
        None => format!(
            "{} {}",
            json::to_string(part(step, "live")),
            json::to_string(part(step, "owners"))
        ),
    }
}

#[test]
fn sequences_of_applies_and_updates_go_as_in_go() {
    let mut tally = Tally::default();
    let mut lines = lines("apply/cases.jsonl").into_iter();
    let openapi = json::parse_str(&lines.next().unwrap()).unwrap();
    let schema = SchemaSet::builtin().custom(&openapi).unwrap();
    for (index, line) in lines.enumerate() {
        let steps = json::parse_str(&line).unwrap();
        let mut replay = Replay {
            schema: &schema,
            live: None,
        };
        for (n, step) in steps.as_list().unwrap().iter().enumerate() {
            let before = replay.live.as_ref().map(json::to_string);
            let place = format!(
                "case {index} step {n}: {}\n  live {before:?}",
                json::to_string(step)
            );
            let (got, want) = (replay.step(step), wanted(step));
            let is_same = got == want;
            tally.check(&place, &got, &want);
            if !is_same {
                break;
            }
        }
    }
    tally.finish("applies and updates");
}
