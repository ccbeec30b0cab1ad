//! Public charts: documents, and the whole text.

use std::collections::BTreeMap;
use std::path::Path;

use yaml::Value;

use super::corpus::{Files, arguments_of, cases, folder, on_deep_stack, rate, run, text_of};

/// Deterministic cases that must agree document by document, and as text.
const FLOOR_DOCUMENTS: usize = 226;
const FLOOR_TEXT: usize = 226;

/// What stands in a recording for what changed from run to run.
const CHANCE: &str = "<<nondeterministic>>";

/// How a case agrees.
enum Agreement {
    Text,
    Documents,
    Nothing(String),
}

fn compare(got: &str, want: &str) -> Agreement {
    if got == want {
        return Agreement::Text;
    }
    match (documents(got), documents(want)) {
        (Ok(got), Ok(want)) if got == want => Agreement::Documents,
        _ => Agreement::Nothing(difference(got, want)),
    }
}

fn documents(text: &str) -> Result<Vec<Value>, String> {
    let documents = yaml::parse_documents(text, yaml::Mode::GoYaml2);
    let (documents, _) = documents.map_err(|error| error.to_string())?;
    Ok(documents
        .into_iter()
        .map(|document| document.value)
        .collect())
}

/// The first line that differs.
fn difference(got: &str, want: &str) -> String {
    let (mut got, mut want) = (got.lines(), want.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (got.next(), want.next()) {
            (None, None) => return "only the end differs".to_owned(),
            (got, want) if got != want => {
                return format!("line {number}: {got:?}\n    want {want:?}");
            }
            _ => {}
        }
    }
}

/// Takes the lines of a recording that are left to chance out of both.
fn without_chance(got: &str, want: &str) -> (String, String) {
    let pairs = got.lines().zip(want.lines());
    let kept = pairs.filter(|(_, want)| *want != CHANCE);
    let (got_kept, want_kept): (Vec<&str>, Vec<&str>) = kept.unzip();
    if got.lines().count() != want.lines().count() {
        return (got.to_owned(), want.to_owned());
    }
    (got_kept.join("\n"), want_kept.join("\n"))
}

fn check(folder: &Path, files: &Files, case: &Value) -> Agreement {
    let mut arguments: Vec<String> = arguments_of(case)
        .iter()
        .map(|argument| {
            argument
                .strip_prefix("CHART/")
                .unwrap_or(argument)
                .to_owned()
        })
        .collect();
    arguments.extend(["--kube-version".to_owned(), "1.33.0".to_owned()]);
    let output = run(files, "", &arguments);
    let Some(expected) = case.get("expected").and_then(Value::as_str) else {
        return compare(&output.stderr, &text_of(case, "stderr"));
    };
    if !output.is_ok {
        return Agreement::Nothing(output.stderr);
    }
    let want = std::fs::read_to_string(folder.join(expected)).expect("the expected output");
    match case.get("nondeterministic") {
        Some(_) => {
            let (got, want) = without_chance(&output.stdout, &want);
            compare(&got, &want)
        }
        None => compare(&output.stdout, &want),
    }
}

#[test]
fn public_charts_render_as_in_helm() {
    on_deep_stack(|| {
        let Some(folder) = folder("charts") else {
            return;
        };
        let (mut by_document, mut by_text, mut by_chance) = (Vec::new(), Vec::new(), Vec::new());
        let (mut n_fixed, mut n_chance) = (0, 0);
        let mut trees: BTreeMap<String, Files> = BTreeMap::new();
        for case in &cases(&folder) {
            let chart = text_of(case, "chart");
            let path = folder.join("charts").join(&chart);
            let files = trees
                .entry(chart)
                .or_insert_with(|| Files::of_folder(&path));
            let agreement = check(&folder, files, case);
            let name = text_of(case, "name");
            let is_fixed = case.get("nondeterministic").is_none();
            *(if is_fixed {
                &mut n_fixed
            } else {
                &mut n_chance
            }) += 1;
            match agreement {
                Agreement::Text => {}
                Agreement::Documents if is_fixed => by_text.push(name),
                Agreement::Documents => {}
                Agreement::Nothing(why) if is_fixed => {
                    by_text.push(name.clone());
                    by_document.push(format!("{name}: {why}"));
                }
                Agreement::Nothing(why) => by_chance.push(format!("{name}: {why}")),
            }
        }
        rate("charts with chance in them", &by_chance, n_chance, 0);
        rate("charts as text", &by_text, n_fixed, FLOOR_TEXT);
        rate("charts by document", &by_document, n_fixed, FLOOR_DOCUMENTS);
    });
}
