//! Rules on what people read: the documents exist, are true where that can be checked, and short.

use std::collections::BTreeSet;

use super::Finding;
use crate::workspace::Workspace;

const ARCHITECTURE: &str = "ARCHITECTURE.md";
const README: &str = "README.md";
const CHANGELOG: &str = "CHANGELOG.md";
const SHORTCOMINGS: &str = "SHORTCOMINGS.md";
const DIFFERENCES: &str = "docs/differences.md";
const CI: &str = ".ci/run";

/// The map must be read in one sitting.
const MAX_ARCHITECTURE_LINES: usize = 300;
/// The README is one page.
const MAX_README_LINES: usize = 80;
/// The README's two commands.
const UP_COMMAND: &str = "cargo run --release -- up examples/guestbook";
const TEST_COMMAND: &str = "cargo xtask test";
/// Fewer words than this are no reason.
const MIN_REASON_WORDS: usize = 3;

fn missing(path: &str) -> Vec<Finding> {
    vec![Finding::new(path, 0, "is missing")]
}

/// ARCHITECTURE.md is short, names every crate, and names no crate that is gone.
pub(super) fn architecture(workspace: &Workspace) -> Vec<Finding> {
    let Some(text) = workspace.files.get(ARCHITECTURE) else {
        return missing(ARCHITECTURE);
    };
    let mut findings = Vec::new();
    let lines = text.lines().count();
    if lines > MAX_ARCHITECTURE_LINES {
        let problem = format!("{lines} lines, more than {MAX_ARCHITECTURE_LINES}");
        findings.push(Finding::new(ARCHITECTURE, 0, problem));
    }
    for package in workspace.members() {
        let folder = if package.name == "xtask" {
            ""
        } else {
            "crates/"
        };
        let name = format!("`{folder}{}`", package.name);
        if !text.contains(&name) {
            findings.push(Finding::new(
                ARCHITECTURE,
                0,
                format!("does not mention {name}"),
            ));
        }
    }
    let paths: BTreeSet<&str> = workspace.files.keys().map(String::as_str).collect();
    for (number, line) in text.lines().enumerate() {
        for word in line.split('`').skip(1).step_by(2) {
            let is_path = ["crates/", "xtask/", "docs/", "examples/", "tools/", ".ci/"]
                .iter()
                .any(|start| word.starts_with(start));
            if is_path && !exists(&paths, word) {
                findings.push(Finding::new(
                    ARCHITECTURE,
                    number + 1,
                    format!("no such path: {word}"),
                ));
            }
        }
    }
    findings
}

/// Whether a file, or a folder that holds one, is at this path.
fn exists(paths: &BTreeSet<&str>, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    if path.is_empty() || paths.contains(path) {
        return true;
    }
    let folder = format!("{path}/");
    paths
        .range(folder.as_str()..)
        .next()
        .is_some_and(|next| next.starts_with(&folder))
}

/// Every relative link of a document leads to a file of the checkout.
pub(super) fn links(workspace: &Workspace) -> Vec<Finding> {
    let paths: BTreeSet<&str> = workspace.files.keys().map(String::as_str).collect();
    let mut findings = Vec::new();
    for (path, text) in workspace.files_in("", ".md") {
        if path.contains("/testdata/") {
            continue;
        }
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (number, line) in text.lines().enumerate() {
            for part in line.split("](").skip(1) {
                let link = part.split([')', ' ']).next().unwrap_or_default();
                let target = link.split('#').next().unwrap_or_default();
                if link.contains("://") || link.starts_with("mailto:") || target.is_empty() {
                    continue;
                }
                if !exists(&paths, &joined(folder, target)) {
                    findings.push(Finding::new(
                        path,
                        number + 1,
                        format!("link to nothing: {link}"),
                    ));
                }
            }
        }
    }
    findings
}

fn joined(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// The changelog exists and has a place for what is not released yet.
pub(super) fn changelog(workspace: &Workspace) -> Vec<Finding> {
    match workspace.files.get(CHANGELOG) {
        None => missing(CHANGELOG),
        Some(text) if !text.contains("\n## Unreleased\n") => {
            vec![Finding::new(CHANGELOG, 0, "has no `## Unreleased` part")]
        }
        Some(_) => Vec::new(),
    }
}

/// Lines of a list, with their line numbers; continuation lines are joined.
fn items(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        if let Some(rest) = line.strip_prefix("- ") {
            found.push((number + 1, rest.to_owned()));
            open = true;
        } else if open && line.starts_with("  ") {
            if let Some((_, item)) = found.last_mut() {
                item.push(' ');
                item.push_str(line.trim());
            }
        } else {
            open = false;
        }
    }
    found
}

/// Each shortcoming is ``- `case`: reason`` under the heading of its corpus or part.
pub(super) fn shortcomings(workspace: &Workspace) -> Vec<Finding> {
    let Some(text) = workspace.files.get(SHORTCOMINGS) else {
        return missing(SHORTCOMINGS);
    };
    let mut findings = Vec::new();
    for (line, item) in items(text) {
        let (name, reason) = item.split_once(": ").unwrap_or((&item, ""));
        if !name.starts_with('`') {
            let problem = "begins with the case or part in backquotes, then `: ` and the reason";
            findings.push(Finding::new(SHORTCOMINGS, line, problem));
        } else if reason.split_whitespace().count() < MIN_REASON_WORDS {
            findings.push(Finding::new(
                SHORTCOMINGS,
                line,
                format!("{name} has no reason"),
            ));
        }
    }
    findings
}

/// Each difference from Argo CD, Helm or Kustomize names the test that shows it.
pub(super) fn differences(workspace: &Workspace) -> Vec<Finding> {
    let Some(text) = workspace.files.get(DIFFERENCES) else {
        return missing(DIFFERENCES);
    };
    let mut findings = Vec::new();
    for (line, item) in items(text) {
        let test = item.rsplit_once("Test: `").map_or("", |(_, rest)| rest);
        let test = test.split('`').next().unwrap_or_default();
        let definition = format!("fn {}(", test.rsplit("::").next().unwrap_or_default());
        if test.is_empty() {
            let problem = "names no test: end with Test: `name_of_the_test`.";
            findings.push(Finding::new(DIFFERENCES, line, problem));
        } else if !workspace
            .files_in("", ".rs")
            .any(|(_, text)| text.contains(&definition))
        {
            findings.push(Finding::new(
                DIFFERENCES,
                line,
                format!("there is no test `{test}`"),
            ));
        }
    }
    findings
}

/// The README is one page with the two commands, and CI runs the same test command.
pub(super) fn one_gate(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(readme) = workspace.files.get(README) else {
        return missing(README);
    };
    let lines = readme.lines().count();
    if lines > MAX_README_LINES {
        findings.push(Finding::new(
            README,
            0,
            format!("{lines} lines: it is one page"),
        ));
    }
    for command in [UP_COMMAND, TEST_COMMAND] {
        if !readme.lines().any(|line| line.trim() == command) {
            findings.push(Finding::new(
                README,
                0,
                format!("lacks the line `{command}`"),
            ));
        }
    }
    let ci = workspace.files.get(CI).map_or("", String::as_str);
    if !ci.lines().any(runs_tests) {
        findings.push(Finding::new(
            CI,
            0,
            format!("must run `{TEST_COMMAND}`, as the README says"),
        ));
    }
    findings
}

/// Whether a line of CI runs the tests, alone or under a time limit; nothing else may stand before
/// the command.
fn runs_tests(line: &str) -> bool {
    let Some(before) = line.trim().strip_suffix(TEST_COMMAND) else {
        return false;
    };
    let mut words = before.split_whitespace();
    let is_limit =
        |word: &str| word.starts_with("--") || word.starts_with(|it: char| it.is_ascii_digit());
    match words.next() {
        None => true,
        Some("exec") => words.next().is_none(),
        Some("timeout") => words.all(is_limit),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, checkout, package};
    use super::*;

    #[test]
    fn ci_runs_the_tests_with_nothing_else_before_them() {
        for (before, want) in [
            ("", true),
            ("exec ", true),
            ("timeout --kill-after=10 80m ", true),
            ("timeout 1 echo ", false),
            ("# ", false),
            ("true || ", false),
        ] {
            assert_eq!(
                runs_tests(&format!("{before}{TEST_COMMAND}")),
                want,
                "{before}"
            );
        }
        assert!(!runs_tests(&format!("{TEST_COMMAND} --help")));
    }

    #[test]
    fn the_map_names_every_crate_and_no_other() {
        let long =
            "`crates/yaml` `crates/gone`\n".to_owned() + &"x\n".repeat(MAX_ARCHITECTURE_LINES);
        let mut workspace = checkout(&[(ARCHITECTURE, &long), ("crates/yaml/src/lib.rs", "")]);
        package(&mut workspace, "yaml", "0.1.0", &[]);
        package(&mut workspace, "api", "0.1.0", &[]);
        let want = [
            "301 lines",
            "mention `crates/api`",
            "ARCHITECTURE.md:1: no such path: crates/gone",
        ];
        check(architecture, &workspace, &want);
        check(architecture, &checkout(&[]), &["is missing"]);
    }

    #[test]
    fn links_lead_somewhere() {
        let text = "[a](b.md#c) [d](../e/) [f](https://example.com) [g](#here)\n[h](gone.md)\n";
        let workspace = checkout(&[("docs/a.md", text), ("docs/b.md", ""), ("e/f.txt", "")]);
        check(
            links,
            &workspace,
            &["docs/a.md:2: link to nothing: gone.md"],
        );
    }

    #[test]
    fn shortcomings_have_reasons() {
        let text = "# x\n\n## corpus\n\n- `a`: needs the next issue\n- `b`:\n- c: no quotes at all\n\
            - `d`:\n  a reason on the next line\n";
        let workspace = checkout(&[(SHORTCOMINGS, text)]);
        check(
            shortcomings,
            &workspace,
            &["`b`: has no reason", "begins with the case"],
        );
    }

    #[test]
    fn differences_name_a_test_that_exists() {
        let text =
            "- We do it. Test: `engine::it_is_done`.\n- We do more. Test: `gone`.\n- Trust us.\n";
        let source = "fn it_is_done() {}";
        let workspace = checkout(&[(DIFFERENCES, text), ("crates/engine/src/a.rs", source)]);
        check(
            differences,
            &workspace,
            &[":2: there is no test `gone`", ":3: names no test"],
        );
    }

    #[test]
    fn the_changelog_has_a_place_for_the_next_line() {
        check(changelog, &checkout(&[]), &["is missing"]);
        check(
            changelog,
            &checkout(&[(CHANGELOG, "# Changes\n")]),
            &["Unreleased"],
        );
        check(
            changelog,
            &checkout(&[(CHANGELOG, "# Changes\n\n## Unreleased\n")]),
            &[],
        );
    }

    #[test]
    fn people_and_ci_run_the_same_gate() {
        let readme = format!("    {UP_COMMAND}\n    {TEST_COMMAND}\n");
        let workspace = checkout(&[(README, &readme), (CI, "exec cargo xtask test\n")]);
        check(one_gate, &workspace, &[]);
        let workspace = checkout(&[(README, "x\n"), (CI, "cargo test\n")]);
        check(
            one_gate,
            &workspace,
            &["lacks the line", "lacks the line", "must run"],
        );
    }
}
