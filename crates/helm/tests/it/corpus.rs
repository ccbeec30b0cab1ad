//! Recordings on disk, and rates.

use std::path::{Path, PathBuf};

use yaml::{Value, json};

use super::recordings::text_of;

/// The folder of a corpus; nothing where it is absent, unless this is CI.
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("TIPHYS_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let folder = shared.join("corpora").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!in_ci, "{} is absent", folder.display());
    eprintln!("skipped: {} is absent", folder.display());
    None
}

/// The cases of a corpus, those that `HELM_CASE` is a part of.
pub(crate) fn cases(folder: &Path) -> Vec<Value> {
    let wanted = std::env::var("HELM_CASE").unwrap_or_default();
    let text = std::fs::read_to_string(folder.join("cases.jsonl")).expect("the cases");
    let all = text
        .lines()
        .map(|line| json::parse_str(line).expect("JSON"));
    all.filter(|case| text_of(case, "name").contains(&wanted))
        .collect()
}

/// Prints how many agree, and fails below the floor.
pub(crate) fn rate(what: &str, failed: &[String], total: usize, floor: usize) {
    let passed = total - failed.len();
    eprintln!("{what}: {passed} of {total}");
    for name in failed {
        eprintln!("  {name}");
    }
    let is_filtered = std::env::var_os("HELM_CASE").is_some();
    assert!(
        is_filtered || passed >= floor,
        "{passed} of {total} {what}, fewer than {floor}"
    );
}
