//! `testdata/*.jsonl`: one case a line.

use serde_json::Value as Case;
use yaml::{Dialect, Mode, json};

use crate::expected;

/// Differences shown when a count is below what is expected.
const SHOWN: usize = 60;

fn cases(file: &str) -> Vec<Case> {
    let path = format!("{}/testdata/{file}", env!("CARGO_MANIFEST_DIR"));
    #[allow(clippy::disallowed_methods, reason = "tests read their recordings")]
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn text<'a>(case: &'a Case, field: &str) -> Option<&'a str> {
    case.get(field).and_then(Case::as_str)
}

/// Counts the cases for which `compare` gives no difference.
fn check(what: &str, file: &str, expected: usize, compare: impl Fn(&Case) -> Result<(), String>) {
    let cases = cases(file);
    let differences: Vec<String> = cases
        .iter()
        .filter_map(|case| compare(case).err())
        .collect();
    let agree = cases.len() - differences.len();
    println!("{what}: {agree} of {} agree", cases.len());
    let show_all = std::env::var_os("SHOW_DIFFERENCES").is_some();
    if agree < expected || show_all {
        for difference in differences
            .iter()
            .take(if show_all { usize::MAX } else { SHOWN })
        {
            println!("{difference}");
        }
    }
    assert!(
        agree >= expected,
        "{what}: {agree} agree, {expected} did before"
    );
}

fn compare(input: &str, found: &Result<String, String>, want: Option<&str>) -> Result<(), String> {
    match (found, want) {
        (Ok(found), Some(want)) if found == want => Ok(()),
        (Err(_), None) => Ok(()),
        _ => Err(format!("{input:?}\n   found {found:?}\n    want {want:?}")),
    }
}

fn parse(input: &str, mode: Mode) -> Result<String, String> {
    yaml::parse_str_in(input, mode)
        .map(|value| json::to_string_html_escaped(&value))
        .map_err(|error| error.to_string())
}

#[test]
fn texts_mean_what_they_mean_to_sigs_yaml() {
    check("parse v2", "parse.jsonl", expected::PARSE_V2, |case| {
        let input = text(case, "input").unwrap();
        compare(input, &parse(input, Mode::GoYaml2), text(case, "v2"))
            .map_err(|difference| format!("{difference} {}", text(case, "error").unwrap_or("")))
    });
}

#[test]
fn errors_have_the_words_of_sigs_yaml() {
    check("error text", "parse.jsonl", expected::ERROR_TEXT, |case| {
        let input = text(case, "input").unwrap();
        match (yaml::parse_str(input), text(case, "error")) {
            (Err(error), Some(want)) if error.go_text() != want => {
                let found = error.go_text();
                Err(format!(
                    "{input:?}\n   found {found:?} {error}\n    want {want:?}"
                ))
            }
            _ => Ok(()),
        }
    });
}

#[test]
fn strict_mode_accepts_what_sigs_yaml_accepts() {
    check(
        "parse strict",
        "parse.jsonl",
        expected::PARSE_STRICT,
        |case| {
            let input = text(case, "input").unwrap();
            let found = parse(input, Mode::GoYaml2Strict);
            let want = case["strict"].as_bool().unwrap();
            if found.is_ok() == want {
                Ok(())
            } else {
                Err(format!("{input:?} {found:?} {want}"))
            }
        },
    );
}

#[test]
fn texts_mean_what_they_mean_to_go_yaml_3() {
    check("parse v3", "parse.jsonl", expected::PARSE_V3, |case| {
        let input = text(case, "input").unwrap();
        if case["v3_skip"] == true {
            return Ok(());
        }
        compare(input, &parse(input, Mode::GoYaml3), text(case, "v3"))
    });
}

#[test]
fn streams_are_split_as_kubernetes_does() {
    check("stream", "stream.jsonl", expected::STREAM, |case| {
        let input = text(case, "input").unwrap();
        let mut documents = yaml::Documents::new(input, Mode::GoYaml2);
        let mut found = Vec::new();
        let error = loop {
            match documents.next_document() {
                Ok(Some(document)) => found.push(json::to_string_html_escaped(&document.value)),
                Ok(None) => break None,
                Err(error) => break Some(error.to_string()),
            }
        };
        let want: Vec<&str> = case["documents"]
            .as_array()
            .unwrap()
            .iter()
            .map(|doc| doc.as_str().unwrap())
            .collect();
        if found == want && error.is_some() == text(case, "error").is_some() {
            return Ok(());
        }
        let want_error = text(case, "error");
        Err(format!(
            "{input:?}\n   found {found:?} {error:?}\n    want {want:?} {want_error:?}"
        ))
    });
}

fn check_emit(field: &'static str, dialect: Dialect, expected: usize) {
    check(field, "emit.jsonl", expected, |case| {
        let input = text(case, "value").unwrap();
        let value = json::parse(input.as_bytes()).unwrap();
        compare(
            input,
            &Ok(yaml::emit_in(&value, dialect)),
            text(case, field),
        )
    });
}

#[test]
fn values_are_written_as_sigs_yaml_does() {
    check_emit("v2", Dialect::GoYaml2, expected::EMIT_V2);
}

#[test]
fn values_are_written_as_go_yaml_3_does() {
    check_emit("v3", Dialect::GoYaml3, expected::EMIT_V3);
}

#[test]
fn values_are_written_as_kustomize_does() {
    check_emit("kustomize", Dialect::Kustomize, expected::EMIT_KUSTOMIZE);
}

#[test]
fn json_is_read_and_written_as_kubernetes_does() {
    check("json", "json.jsonl", expected::JSON, |case| {
        let input = text(case, "input").unwrap();
        let value = json::parse(input.as_bytes()).map_err(|error| error.to_string());
        let found = value
            .as_ref()
            .map(json::to_string_html_escaped)
            .map_err(Clone::clone);
        compare(input, &found, text(case, "output"))?;
        let pretty = value.map(|value| json::to_string_pretty(&value, json::Indent::Two));
        compare(input, &pretty, text(case, "pretty"))
    });
}
