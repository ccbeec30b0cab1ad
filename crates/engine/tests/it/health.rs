//! The built-in checks beside the asserted results of the real ones (`corpora/health`).

use std::collections::BTreeMap;

use manifest::Object;
use yaml::Value;

use crate::shared;

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// What is wrong with one case; `None` when nothing is.
fn check(case: &Value) -> Option<String> {
    let object = Object::new(yaml::parse_str(text(case, "input")).ok()?).ok()?;
    let found = engine::assess(&object);
    let status = found
        .as_ref()
        .map(|health| health.status.as_str().to_owned());
    let want = case
        .get("status")
        .and_then(Value::as_str)
        .map(str::to_owned);
    if status != want {
        return Some(format!(
            "{} instead of {want:?}",
            status.unwrap_or_default()
        ));
    }
    let message = found.map(|health| health.message).unwrap_or_default();
    match case.get("message").and_then(Value::as_str) {
        Some(want) if want != message => Some(format!("{message:?} instead of {want:?}")),
        _ => None,
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "tests read their corpus")]
fn built_in_checks_agree_with_the_real_ones() {
    let Some(folder) = shared("corpora/health") else {
        return;
    };
    let lines = std::fs::read_to_string(folder.join("health.jsonl")).expect("a readable corpus");
    let mut kinds: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for line in lines.lines() {
        let case = yaml::json::parse(line.as_bytes()).expect("a case");
        if !text(&case, "customization").is_empty() {
            continue;
        }
        // On purpose: a child Application has a health here, which orders waves (design.md part 3).
        if text(&case, "kind") == "Application" {
            assert!(
                check(&case).is_some(),
                "the difference is gone: take it out of the documents"
            );
            continue;
        }
        let count = kinds.entry(text(&case, "kind").to_owned()).or_default();
        count.1 += 1;
        match check(&case) {
            None => count.0 += 1,
            Some(problem) => wrong.push(format!("{}: {problem}", text(&case, "name"))),
        }
    }
    for (kind, (passed, all)) in &kinds {
        println!("{kind}: {passed} of {all}");
    }
    let passed: usize = kinds.values().map(|(passed, _)| passed).sum();
    println!("health: {passed} passed, {} failed", wrong.len());
    assert!(passed > 0 && wrong.is_empty(), "{wrong:#?}");
}
