//! Scenarios of the real Argo CD controller, replayed over ours.
//!
//! The replayer is a test of `controller` (`crates/controller/tests/it/replay.rs`): it needs tokio's
//! virtual time, which is for tests only and would make every build of xtask a build of the whole
//! house. This module starts it on a folder and reads what it prints.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::{Arguments, Case};
use crate::workspace;

/// The test that replays.
const TEST: [&str; 7] = [
    "test",
    "--quiet",
    "--package",
    "controller",
    "--test",
    "it",
    "recordings_of_argo_cd_come_out_the_same",
];

/// Replays every scenario of a folder.
///
/// # Errors
/// When the folder cannot be read or the test cannot be started, and for `--server`: the scenarios
/// are replayed in virtual time, which no other server has.
pub(super) fn replay(folder: &Path, arguments: &Arguments) -> Result<Vec<Case>> {
    if arguments.server.is_some() {
        bail!("argocd-sync is replayed in virtual time, over our own server only");
    }
    let folder = folder
        .canonicalize()
        .with_context(|| format!("cannot read {}", folder.display()))?;
    // The longest plain part of the pattern spares the scenarios that cannot fit.
    let part = arguments.name.split('*').max_by_key(|part| part.len());
    let output = workspace::cargo()
        .args(TEST)
        .args(["--", "--nocapture"])
        .env("TIPHYS_REPLAY_DIR", folder)
        .env("TIPHYS_REPLAY", part.unwrap_or_default())
        .output()
        .context("cannot start cargo")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut cases = read(&text);
    if cases.is_empty() && !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    for line in text.lines().filter(|line| line.starts_with("not replayed")) {
        println!("{line}");
    }
    cases.retain(|case| arguments.wants(&case.name));
    Ok(cases)
}

/// The scenarios that the test printed: `ok NAME`, or `FAIL NAME` and its differences, indented.
fn read(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        let name = line.strip_prefix("ok ").or(line.strip_prefix("FAIL "));
        if let Some(name) = name {
            cases.push(Case {
                name: name.to_owned(),
                part: name.split('-').next().unwrap_or_default().to_owned(),
                differences: Vec::new(),
            });
        } else if let (Some(difference), Some(case)) = (line.strip_prefix("    "), cases.last_mut())
        {
            case.differences.push(difference.to_owned());
        }
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_are_read_with_their_differences() {
        let cases = read("running 1 test\nok a\nFAIL b\n    x: 1\n        instead of 2\nok c\n");
        let found: Vec<(&str, usize)> = cases
            .iter()
            .map(|case| (case.name.as_str(), case.differences.len()))
            .collect();
        assert_eq!(found, [("a", 0), ("b", 2), ("c", 0)]);
    }
}
