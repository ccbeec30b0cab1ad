//! The corpora `helm-engine` and `charts`: what real helm printed, asked of the crate `helm`.
//!
//! How a case is replayed and compared is that of the crate's own tests; here it is for any folder
//! of the format.

#[path = "../../../crates/helm/tests/it/command.rs"]
pub(crate) mod command;
#[path = "../../../crates/helm/tests/it/recordings.rs"]
mod recordings;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use manifest::trees::Files;
use yaml::{Value, json};

use self::command::{files_of_folder, on_deep_stack};
use self::recordings::{Agreement, check_public, check_tiny, text_of};
use super::{Arguments, Case};

/// Replays tiny charts: output and error text.
///
/// # Errors
/// When the folder cannot be read.
pub(super) fn replay_tiny(folder: &Path, arguments: &Arguments) -> Result<Vec<Case>> {
    let cases = cases(folder, arguments)?;
    Ok(on_deep_stack(move || {
        let judged = cases.iter().map(|case| Case {
            name: text_of(case, "name"),
            part: "all".to_owned(),
            differences: check_tiny(case).err().into_iter().collect(),
        });
        judged.collect()
    }))
}

/// Replays public charts; a case counts in two parts, document by document and as text. What is left
/// to chance has a part of its own.
///
/// # Errors
/// When the folder cannot be read.
pub(super) fn replay_public(folder: &Path, arguments: &Arguments) -> Result<Vec<Case>> {
    let cases = cases(folder, arguments)?;
    let folder: PathBuf = folder.to_owned();
    Ok(on_deep_stack(move || {
        let mut trees: BTreeMap<String, Files> = BTreeMap::new();
        let mut judged = Vec::new();
        for case in &cases {
            let chart = text_of(case, "chart");
            let path = folder.join("charts").join(&chart);
            let files = trees.entry(chart).or_insert_with(|| files_of_folder(&path));
            judged.extend(parts(case, check_public(&folder, files, case)));
        }
        judged
    }))
}

fn parts(case: &Value, agreement: Agreement) -> Vec<Case> {
    let (documents, text) = match agreement {
        Agreement::Text => (Vec::new(), Vec::new()),
        Agreement::Documents => (Vec::new(), vec!["only the documents agree".to_owned()]),
        Agreement::Nothing(why) => (vec![why.clone()], vec![why]),
    };
    let part = |part: &str, differences: Vec<String>| Case {
        name: text_of(case, "name"),
        part: part.to_owned(),
        differences,
    };
    match case.get("nondeterministic") {
        Some(_) => vec![part("chance", documents)],
        None => vec![part("documents", documents), part("text", text)],
    }
}

fn cases(folder: &Path, arguments: &Arguments) -> Result<Vec<Value>> {
    let path = folder.join("cases.jsonl");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut cases = Vec::new();
    for line in text.lines() {
        let case = json::parse_str(line).with_context(|| path.display().to_string())?;
        if arguments.wants(&text_of(&case, "name")) {
            cases.push(case);
        }
    }
    Ok(cases)
}
