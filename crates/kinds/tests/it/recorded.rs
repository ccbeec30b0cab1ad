//! Cases of our own, answered by a real server: `testdata/*.jsonl`, see `testdata/record.py`.

use kinds::Part;
use yaml::{Value, json};

use crate::judge::{self, Cause};

/// Sets or, with `null`, removes what a JSON pointer names; missing maps are made.
fn set(object: &mut Value, pointer: &str, to: &Value) {
    let Some((parent, last)) = pointer.rsplit_once('/') else {
        return;
    };
    let mut place = object;
    for step in parent.split('/').skip(1) {
        let step = step.replace("~1", "/");
        place = match place {
            Value::List(list) => &mut list[step.parse::<usize>().unwrap()],
            other => other.map_at_mut(&[]).entry_or_insert(&step, Value::Null),
        };
    }
    let last = last.replace("~1", "/");
    match place {
        Value::List(list) => list.insert(last.parse::<usize>().unwrap(), to.clone()),
        other if to.is_null() => {
            other.map_at_mut(&[]).remove(&last);
        }
        other => {
            other.map_at_mut(&[]).insert(last, to.clone());
        }
    }
}

fn with(base: &Value, changes: Option<&Value>) -> Value {
    let mut object = base.clone();
    for (pointer, to) in changes
        .and_then(Value::as_map)
        .into_iter()
        .flat_map(yaml::Map::iter)
    {
        set(&mut object, pointer, to);
    }
    object
}

/// What the recording server had of an object: its pods have an account.
fn stored(mut object: Value) -> Value {
    if object.get("kind").and_then(Value::as_str) == Some("Pod") {
        let spec = object.map_at_mut(&["spec"]);
        spec.entry_or_insert("serviceAccountName", "default".into());
    }
    object
}

/// Which part of the object a case writes.
fn part(case: &Value) -> Part {
    match case.get("part").and_then(Value::as_str) {
        Some("status") => Part::Status,
        Some("resize") => Part::Resize,
        Some("ephemeralcontainers") => Part::EphemeralContainers,
        other => other.map_or(Part::Main, |other| panic!("{other} is no part")),
    }
}

fn want(case: &Value) -> Vec<Cause> {
    let list = case.get("want").and_then(Value::as_list).unwrap();
    list.iter()
        .map(|cause| {
            let parts = cause.as_list().unwrap();
            [0, 1, 2].map(|index| parts[index].as_str().unwrap().to_owned())
        })
        .collect()
}

/// Judges a file; gives the number of cases and those that differ.
fn judge_file(text: &str) -> (usize, Vec<String>) {
    let mut base = Value::Null;
    let (mut all, mut wrong) = (0, Vec::new());
    for line in text.lines().filter(|line| !line.is_empty()) {
        let case = json::parse(line.as_bytes()).unwrap();
        if let Some(object) = case.get("base") {
            base = object.clone();
            continue;
        }
        if case.get("want").is_none() {
            continue;
        }
        let new = with(&base, case.get("set"));
        let got = match case.get("old") {
            None => judge::create(&new),
            old => judge::update(&stored(with(&base, old)), &new, part(&case)),
        };
        all += 1;
        let shown = json::to_string(&case.get("set").cloned().unwrap_or_default());
        let Some(got) = got else {
            wrong.push(format!("{shown}\n  does not decode"));
            continue;
        };
        let difference = judge::difference(&got, &want(&case));
        if !difference.is_empty() {
            let old = case.get("old").map(json::to_string).unwrap_or_default();
            wrong.push(format!("{old} {shown}\n{difference}"));
        }
    }
    (all, wrong)
}

/// Judges a file, of which some cases differ (SHORTCOMINGS.md): they may only get fewer.
fn check(file: &str, differences: usize) {
    let path = format!("{}/testdata/{file}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let (all, wrong) = judge_file(&std::fs::read_to_string(path).unwrap());
    println!(
        "{file}: {} of {all} cases judged as recorded",
        all - wrong.len()
    );
    println!("{}", wrong.join("\n"));
    assert_eq!(wrong.len(), differences, "differences of {file}");
}

#[test]
fn pods_are_refused_as_recorded() {
    check("pods", 1);
}

#[test]
fn workloads_are_refused_as_recorded() {
    check("workloads", 7);
}

#[test]
fn other_kinds_of_the_core_group_are_refused_as_recorded() {
    check("core", 1);
}

#[test]
fn variants_of_many_kinds_are_refused_as_recorded() {
    check("variants", 0);
}

#[test]
fn parts_below_objects_are_refused_as_recorded() {
    check("status", 0);
}
