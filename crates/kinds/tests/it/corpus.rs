//! The refusals of part C of the recordings: what is wrong with new objects.

use std::path::PathBuf;

use yaml::{Value, json};

use crate::judge;

/// The shared folder; `None`, with a line that says so, where it is absent.
fn shared() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = std::env::var_os("TIPHYS_SHARED").map_or(root.join("../shared"), PathBuf::from);
    if shared.is_dir() {
        return Some(shared);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "CI needs {}",
        shared.display()
    );
    println!("skipped: {} is absent", shared.display());
    None
}

/// The new objects of the recordings with what the server answered.
fn posts() -> Vec<(String, Value, Value)> {
    let Some(shared) = shared() else {
        return Vec::new();
    };
    let mut posts = Vec::new();
    for entry in std::fs::read_dir(shared.join("corpora/kubernetes-api")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("c-") {
            continue;
        }
        let scenario = json::parse(&std::fs::read(&path).unwrap()).unwrap();
        for step in scenario.get("steps").and_then(Value::as_list).unwrap() {
            let method = step.at(&["request", "method"]).and_then(Value::as_str);
            let body = step.at(&["request", "body"]);
            if let (Some("POST"), Some(body)) = (method, body) {
                let answer = step.get("response").unwrap().clone();
                posts.push((name.clone(), body.clone(), answer));
            }
        }
    }
    posts.sort_by(|a, b| a.0.cmp(&b.0));
    posts
}

/// Recordings that differ: of groups without rules yet, and those that admission or allocation
/// decides. They may only get fewer.
const ELSEWHERE: usize = 45;

#[test]
fn new_objects_are_refused_as_recorded() {
    let posts = posts();
    let (mut all, mut wrong) = (0, Vec::new());
    for (name, body, answer) in &posts {
        let status = answer.get("status").and_then(Value::as_i64);
        let answer = answer.get("body").unwrap();
        let want = match status {
            Some(422) => judge::of_status(answer),
            Some(201) => Vec::new(),
            _ => continue,
        };
        let Some(got) = judge::create(body) else {
            continue;
        };
        all += 1;
        let difference = judge::difference(&got, &want);
        if !difference.is_empty() {
            wrong.push(format!("{name}\n{difference}"));
        }
    }
    println!(
        "{} of {all} new objects judged as recorded",
        all - wrong.len()
    );
    println!("{}", wrong.join("\n"));
    assert!(wrong.len() <= ELSEWHERE, "{} differ", wrong.len());
}
