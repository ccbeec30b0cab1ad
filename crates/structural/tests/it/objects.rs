//! What the real server said of custom resources (`testdata/origin.md`).

use kinds::FieldError;
use structural::{Rules, Schema, is_blocking};
use yaml::{Map, Value};

use crate::definitions::recorded;

/// What is wrong with a new object, in the steps of a server.
fn problems(schema: &Schema, rules: &Rules, object: &Value) -> Vec<FieldError> {
    let mut object = object.clone();
    schema.prune(&mut object);
    schema.fill_defaults(&mut object);
    let mut errors = schema.validate("", &object, None);
    errors.extend(schema.duplicates(&object));
    if !errors.iter().any(is_blocking) {
        errors.extend(rules.run(&object, None).0);
    }
    errors
}

/// Said by the server around the rules, not by the rules.
const NOT_CHECKED: &str = "Invalid value: null: some validation rules were not checked";

#[test]
fn objects_are_refused_in_the_words_of_the_real_server() {
    let mut lines = include_str!("../../testdata/objects.jsonl").lines();
    let parse = |line: &str| yaml::json::parse(line.as_bytes()).unwrap();
    let first = parse(lines.next().unwrap());
    let schema = Schema::parse(first.get("schema").unwrap());
    let rules = Rules::compile(&schema, &structural::environment()).unwrap();
    let (mut passed, mut failed) = (0, Vec::new());
    for case in lines.map(parse) {
        let object = Value::Map(Map::from([
            ("apiVersion", "e.com/v1".into()),
            ("kind", "Widget".into()),
            ("metadata", Map::from([("name", "w".into())]).into()),
            ("spec", case.get("spec").unwrap().clone()),
        ]));
        let found = problems(&schema, &rules, &object);
        let mut found: Vec<[String; 3]> = found
            .into_iter()
            .map(|error| [error.reason.to_owned(), error.field, error.message])
            .collect();
        found.sort();
        let mut want = recorded(&case);
        want.retain(|[_, _, message]| !message.starts_with(NOT_CHECKED));
        if found == want {
            passed += 1;
        } else {
            let spec = yaml::json::to_string(case.get("spec").unwrap());
            failed.push(format!("{spec}\n  want: {want:#?}\n  got:  {found:#?}"));
        }
    }
    println!("{passed} of {} objects", passed + failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
