//! What the real server said of definitions (`testdata/origin.md`).

use yaml::{Map, Value};

/// Definitions that are judged otherwise, with the reason.
const DIFFER: &[(&str, &str)] = &[];

fn text(value: &Value, key: &str) -> String {
    let text = value.get(key).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// The definition as it is judged: with the status that a new one gets.
fn with_status(definition: &Value) -> Value {
    let versions = definition
        .at(&["spec", "versions"])
        .and_then(Value::as_list);
    let stored: Vec<Value> = versions
        .unwrap_or_default()
        .iter()
        .filter(|version| version.get("storage") == Some(&Value::Bool(true)))
        .take(1)
        .map(|version| text(version, "name").into())
        .collect();
    let mut definition = definition.clone();
    let status = Map::from([("storedVersions", stored.into())]);
    definition.map_at_mut(&[]).insert("status", status);
    definition
}

pub(crate) fn recorded(case: &Value) -> Vec<[String; 3]> {
    let causes = case.get("says").and_then(Value::as_list);
    let causes = causes.expect("a case says causes");
    let mut causes: Vec<[String; 3]> = causes
        .iter()
        .map(|cause| {
            let parts = cause.as_list().expect("a cause has parts");
            [0, 1, 2].map(|index| parts[index].as_str().unwrap_or_default().to_owned())
        })
        .collect();
    causes.sort();
    causes
}

#[test]
fn definitions_are_refused_in_the_words_of_the_real_server() {
    let environment = structural::environment();
    let (mut passed, mut failed) = (0, Vec::new());
    for line in include_str!("../../testdata/definitions.jsonl").lines() {
        let case = yaml::json::parse(line.as_bytes()).unwrap();
        let name = text(&case, "name");
        let definition = with_status(case.get("definition").unwrap());
        let found = structural::definition::problems(&definition, None, &environment);
        let mut found: Vec<[String; 3]> = found
            .into_iter()
            .map(|error| [error.reason.to_owned(), error.field, error.message])
            .collect();
        found.sort();
        let want = recorded(&case);
        if found == want {
            passed += 1;
        } else if !DIFFER.iter().any(|(known, _)| *known == name) {
            failed.push(format!("{name}\n  want: {want:#?}\n  got:  {found:#?}"));
        }
    }
    println!("{passed} of {} definitions", passed + failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
