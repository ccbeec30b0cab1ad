//! How a recording of helm is replayed and compared: shared by the tests of `helm` and
//! `cargo xtask replay`.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use manifest::TreePath;
use manifest::trees::Files;
use yaml::Value;

use super::command::run;

pub(crate) fn text_of(case: &Value, field: &str) -> String {
    let text = case.get(field).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

fn arguments_of(case: &Value) -> Vec<String> {
    let all = case
        .get("args")
        .and_then(Value::as_list)
        .unwrap_or_default();
    all.iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn files_of(case: &Value) -> Files {
    let mut files = Files::default();
    let maps = ["files", "files_b64"].map(|field| case.get(field).and_then(Value::as_map));
    for (number, map) in maps.into_iter().enumerate() {
        for (name, content) in map.into_iter().flat_map(yaml::Map::iter) {
            let text = content.as_str().expect("a text");
            let bytes = match number {
                0 => text.as_bytes().to_vec(),
                _ => STANDARD.decode(text).expect("base64"),
            };
            let name = TreePath::parse(name).expect("a path");
            files.insert(name, bytes.into());
        }
    }
    files
}

/// The lines of a text, as a set where their order is left to chance.
fn lines(case: &Value, text: &str) -> Vec<String> {
    let lines = text.lines().map(str::to_owned);
    match case.get("stderr_unordered") {
        Some(_) => lines.collect::<BTreeSet<_>>().into_iter().collect(),
        None => lines.collect(),
    }
}

/// Replays a case of `helm-engine`: output and error text, byte by byte.
///
/// # Errors
/// What differs.
pub(crate) fn check_tiny(case: &Value) -> Result<(), String> {
    let output = run(&files_of(case), "chart", &arguments_of(case));
    let (stdout, stderr) = (text_of(case, "stdout"), text_of(case, "stderr"));
    let is_ok = case.get("exit").and_then(Value::as_i64) == Some(0);
    if output.stdout != stdout {
        return Err(format!("stdout {:?}\n    want {stdout:?}", output.stdout));
    }
    if lines(case, &output.stderr) != lines(case, &stderr) || output.is_ok != is_ok {
        return Err(format!("stderr {:?}\n    want {stderr:?}", output.stderr));
    }
    Ok(())
}

/// What stands in a recording for what changed from run to run.
const CHANCE: &str = "<<nondeterministic>>";

/// How a case agrees.
pub(crate) enum Agreement {
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

/// Replays a case of `charts`.
pub(crate) fn check_public(folder: &Path, files: &Files, case: &Value) -> Agreement {
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
