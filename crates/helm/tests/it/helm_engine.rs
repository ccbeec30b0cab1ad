//! Tiny charts: output and error text, byte by byte.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use yaml::Value;

use super::corpus::{Files, arguments_of, cases, folder, on_deep_stack, rate, run, text_of};

/// Cases that must agree.
const FLOOR: usize = 384;

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
            files.0.insert(name.to_string(), bytes.into());
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

fn check(case: &Value) -> Result<(), String> {
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

#[test]
fn tiny_charts_render_as_in_helm() {
    on_deep_stack(|| {
        let Some(folder) = folder("helm-engine") else {
            return;
        };
        let cases = cases(&folder);
        let mut failed = Vec::new();
        for case in &cases {
            if let Err(difference) = check(case) {
                failed.push(format!("{}: {difference}", text_of(case, "name")));
            }
        }
        rate("charts of helm-engine", &failed, cases.len(), FLOOR);
    });
}
