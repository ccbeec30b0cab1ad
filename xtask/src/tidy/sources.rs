//! Rules on Rust files: sizes, documentation, names, words that do not belong there.

use std::collections::BTreeMap;

use super::Finding;
use crate::lexer;
use crate::workspace::Workspace;

/// Lines of one file, tests included; beyond it, it is two ideas.
const MAX_FILE_LINES: usize = 1_200;
/// Filled lines of production code of one crate.
const MAX_CRATE_LINES: usize = 12_000;
/// Names that a crate shows at its root.
const MAX_ROOT_NAMES: usize = 25;
/// Names that say nothing about what is inside.
const VAGUE_NAMES: &[&str] = &[
    "util", "utils", "common", "helper", "helpers", "types", "prelude", "misc", "shared",
];

/// Words that production code does not hold, and why.
const FORBIDDEN_IN_PRODUCTION: &[(&str, &str)] = &[
    (
        ".unwrap()",
        "say why it holds: `expect(\"…\")`, or return the error",
    ),
    ("todo!(", "finish it or open an issue"),
    ("unimplemented!(", "finish it or refuse the input"),
    ("dbg!(", "is for the desk only"),
    ("allow(dead_code", "delete what nobody uses"),
];
/// Words that no Rust code holds, tests included.
const FORBIDDEN_ANYWHERE: &[(&str, &str)] = &[
    ("#[ignore", "a test runs or is deleted"),
    ("unsafe {", "unsafe is forbidden"),
    ("dbg!(", "is for the desk only"),
];
/// Marks of unfinished work in comments; with an issue number they are fine.
const UNFINISHED: &[&str] = &["TODO", "FIXME", "XXX"];

/// Crates whose tasks have an owner that awaits them.
const MAY_SPAWN: &[&str] = &[
    "controller",
    "server",
    "cluster",
    "source",
    "sandbox",
    "life",
];

fn is_generated(path: &str, text: &str) -> bool {
    path.ends_with("generated.rs")
        || path.contains("/generated/")
        || text.starts_with("// @generated")
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.contains("/testdata/")
}

/// Our Rust files that a person writes.
fn written(workspace: &Workspace) -> impl Iterator<Item = (&str, &str)> {
    ["crates/", "xtask/"]
        .into_iter()
        .flat_map(|folder| workspace.files_in(folder, ".rs"))
        .filter(|(path, text)| !is_generated(path, text) && !path.contains("/testdata/"))
}

fn production(workspace: &Workspace) -> impl Iterator<Item = (&str, &str)> {
    written(workspace).filter(|(path, _)| !is_test(path))
}

fn crate_of(path: &str) -> &str {
    let rest = path.strip_prefix("crates/").unwrap_or(path);
    rest.split('/').next().unwrap_or_default()
}

/// No file over the limit of lines.
pub(super) fn file_size(workspace: &Workspace) -> Vec<Finding> {
    let count = |text: &str| text.lines().count();
    written(workspace)
        .filter(|(_, text)| count(text) > MAX_FILE_LINES)
        .map(|(path, text)| {
            let problem = format!(
                "{} lines, more than {MAX_FILE_LINES}: tell it apart",
                count(text)
            );
            Finding::new(path, 0, problem)
        })
        .collect()
}

/// No crate over the limit of production lines.
pub(super) fn crate_size(workspace: &Workspace) -> Vec<Finding> {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for (path, text) in production(workspace) {
        let lines = lexer::filled_lines(&lexer::production_code(text));
        *sizes.entry(crate_of(path)).or_default() += lines;
    }
    sizes
        .into_iter()
        .filter(|(_, lines)| *lines > MAX_CRATE_LINES)
        .map(|(name, lines)| {
            let problem = format!("{lines} production lines, more than {MAX_CRATE_LINES}");
            Finding::new(&format!("crates/{name}"), 0, problem)
        })
        .collect()
}

/// A crate shows few names at its root.
pub(super) fn root_names(workspace: &Workspace) -> Vec<Finding> {
    let roots = production(workspace).filter(|(path, _)| path.ends_with("/src/lib.rs"));
    roots
        .filter_map(|(path, text)| {
            let names: usize = statements(&lexer::production_code(text))
                .filter(|(_, statement)| statement.starts_with("pub "))
                .map(|(_, statement)| statement.split(',').filter(|name| has_word(name)).count())
                .sum();
            let problem = format!("{names} names at the root, more than {MAX_ROOT_NAMES}");
            (names > MAX_ROOT_NAMES).then(|| Finding::new(path, 0, problem))
        })
        .collect()
}

fn has_word(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// The statements of a crate root with the line that each begins on, attributes left out.
fn statements(code: &str) -> impl Iterator<Item = (usize, String)> {
    let mut line = 1;
    let mut found = Vec::new();
    for part in code.split_inclusive(';') {
        let mut rest = part.trim_start();
        while rest.starts_with("#[") || rest.starts_with("#![") {
            let end = rest.find("]\n").map_or(rest.len(), |place| place + 1);
            rest = rest[end..].trim_start();
        }
        let skipped = part.len() - rest.len();
        let start = line + part[..skipped].matches('\n').count();
        line += part.matches('\n').count();
        if has_word(rest) {
            found.push((start, rest.trim().to_owned()));
        }
    }
    found.into_iter()
}

/// Every module begins with `//!`: what it owns and what it must never know.
pub(super) fn module_documentation(workspace: &Workspace) -> Vec<Finding> {
    written(workspace)
        .filter(|(path, _)| path.contains("/src/") || path.ends_with("/tests/it/main.rs"))
        .filter(|(path, _)| !path.ends_with("/tests.rs") && !path.contains("/tests/"))
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| {
            Finding::new(
                path,
                1,
                "begins with `//!`: what it owns, what it never knows",
            )
        })
        .collect()
}

/// `lib.rs` is a table of contents: documentation, modules, exports.
pub(super) fn crate_roots(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in production(workspace).filter(|(path, _)| path.ends_with("/src/lib.rs")) {
        for (line, statement) in statements(&lexer::production_code(text)) {
            let words = statement.strip_prefix("pub(crate) ").unwrap_or(&statement);
            let words = words.strip_prefix("pub ").unwrap_or(words);
            if !(words.starts_with("mod ") || words.starts_with("use ")) || words.contains("fn ") {
                let problem = "lib.rs holds documentation, `mod` and `pub use` only";
                findings.push(Finding::new(path, line, problem));
            }
        }
    }
    findings
}

/// A module's name says what is inside.
pub(super) fn module_names(workspace: &Workspace) -> Vec<Finding> {
    production(workspace)
        .filter(|(path, _)| path.contains("/src/"))
        .filter_map(|(path, _)| {
            let inside = path.split_once("/src/").map_or("", |(_, inside)| inside);
            let vague = inside
                .trim_end_matches(".rs")
                .split('/')
                .find(|name| VAGUE_NAMES.contains(name))?;
            Some(Finding::new(
                path,
                0,
                format!("`{vague}` says nothing: name what it owns"),
            ))
        })
        .collect()
}

/// No unfinished work, no silenced lint without a reason, no `unwrap`.
pub(super) fn forbidden_words(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in written(workspace) {
        let all = lexer::code(text);
        find_words(path, &all, FORBIDDEN_ANYWHERE, &mut findings);
        if !is_test(path) {
            let production = lexer::production_code(text);
            find_words(path, &production, FORBIDDEN_IN_PRODUCTION, &mut findings);
        }
        if !is_test(path) {
            silenced(path, text, &all, &mut findings);
        }
        for (number, line) in lexer::comments(text).lines().enumerate() {
            let open = |word: &&&str| line.contains(**word) && !line.contains("(#");
            if let Some(word) = UNFINISHED.iter().find(open) {
                let problem = format!("`{word}` without an issue number: {word}(#12)");
                findings.push(Finding::new(path, number + 1, problem));
            }
        }
    }
    findings
}

fn find_words(path: &str, code: &str, words: &[(&str, &str)], findings: &mut Vec<Finding>) {
    for (number, line) in code.lines().enumerate() {
        for (word, why) in words.iter().filter(|(word, _)| line.contains(word)) {
            findings.push(Finding::new(path, number + 1, format!("`{word}`: {why}")));
        }
    }
}

/// A silenced lint says why.
fn silenced(path: &str, text: &str, code: &str, findings: &mut Vec<Finding>) {
    for start in ["[allow(", "[expect("] {
        for (place, _) in code.match_indices(start) {
            let end = code[place..]
                .find(")]")
                .map_or(code.len(), |length| place + length);
            if !text[place..end].contains("reason =") {
                let line = code[..place].matches('\n').count() + 1;
                findings.push(Finding::new(
                    path,
                    line,
                    "a silenced lint has a `reason = \"…\"`",
                ));
            }
        }
    }
}

/// No process is started by the product, and tasks are spawned only where somebody awaits them.
pub(super) fn processes_and_tasks(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in production(workspace).filter(|(path, _)| path.starts_with("crates/")) {
        for (number, line) in lexer::production_code(text).lines().enumerate() {
            if line.contains("process::Command") {
                let problem = "no process is started to render, fetch, diff or serve";
                findings.push(Finding::new(path, number + 1, problem));
            }
            if line.contains("tokio::spawn(") && !MAY_SPAWN.contains(&crate_of(path)) {
                let problem = "tasks are spawned in the edges only, each with an owner";
                findings.push(Finding::new(path, number + 1, problem));
            }
        }
    }
    findings
}

/// Nothing names a place of the machine that it was written on.
pub(super) fn machine_paths(workspace: &Workspace) -> Vec<Finding> {
    let places = [concat!("/wor", "k/"), concat!("/roo", "t/")];
    let mut findings = Vec::new();
    for (path, text) in &workspace.files {
        for (number, line) in text.lines().enumerate() {
            for place in places {
                let starts_path = line.match_indices(place).any(|(at, _)| {
                    let before = line[..at].chars().next_back().unwrap_or(' ');
                    let after = line[at + place.len()..].chars().next().unwrap_or(' ');
                    let is_start = !before.is_alphanumeric() && !"./_-}>".contains(before);
                    is_start && after.is_alphanumeric()
                });
                if starts_path {
                    findings.push(Finding::new(path, number + 1, "a path of one machine"));
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, checkout};
    use super::*;

    #[test]
    fn long_files_and_crates_are_found() {
        let long = "//! x\n".to_owned() + &"fn f() {}\n".repeat(MAX_FILE_LINES);
        let workspace = checkout(&[
            ("crates/yaml/src/long.rs", &long),
            ("crates/yaml/src/generated.rs", &long),
        ]);
        check(
            file_size,
            &workspace,
            &["crates/yaml/src/long.rs: 1201 lines"],
        );
        let huge = "fn f() {}\n".repeat(MAX_CRATE_LINES);
        let tests = format!("fn g() {{}}\n#[cfg(test)]\nmod tests {{\n{huge}}}\n");
        let workspace = checkout(&[
            ("crates/yaml/src/a.rs", &huge),
            ("crates/yaml/src/b.rs", "fn f() {}\n"),
            ("crates/api/src/a.rs", &tests),
        ]);
        check(
            crate_size,
            &workspace,
            &["crates/yaml: 12001 production lines"],
        );
    }

    #[test]
    fn a_crate_shows_few_names() {
        let names: Vec<String> = (0..26).map(|number| format!("Name{number}")).collect();
        let text = format!("//! x\nmod a;\npub use a::{{{}}};\n", names.join(", "));
        let workspace = checkout(&[("crates/yaml/src/lib.rs", &text)]);
        check(root_names, &workspace, &["26 names at the root"]);
    }

    #[test]
    fn a_crate_root_is_a_table_of_contents() {
        let good = "//! x\n#![warn(missing_docs)]\nmod a;\npub mod b;\npub use a::{\n    C,\n    D,\n};\n#[cfg(test)]\nmod tests;\n";
        let bad = "//! x\nmod a;\n\npub fn f() { g(); }\n";
        let workspace = checkout(&[("crates/yaml/src/lib.rs", good)]);
        check(crate_roots, &workspace, &[]);
        let workspace = checkout(&[("crates/yaml/src/lib.rs", bad)]);
        check(crate_roots, &workspace, &["lib.rs:4: lib.rs holds"]);
    }

    #[test]
    fn modules_have_documentation_and_a_telling_name() {
        let workspace = checkout(&[
            ("crates/yaml/src/util.rs", "fn f() {}\n"),
            ("crates/yaml/src/common/a.rs", "//! x\n"),
            ("crates/yaml/src/a/tests.rs", "use super::*;\n"),
        ]);
        check(
            module_documentation,
            &workspace,
            &["crates/yaml/src/util.rs:1:"],
        );
        check(module_names, &workspace, &["`common`", "`util`"]);
    }

    #[test]
    fn unfinished_work_is_found() {
        let source = "//! x\nfn f() { g().unwrap() }\n// TODO later\n// TODO(#3): later\n\
            fn h() { let s = \".unwrap() // TODO\"; }\n#[allow(dead_code)]\nfn i() {}\n\
            #[cfg(test)]\nmod tests {\n    #[ignore]\n    fn j() { k().unwrap() }\n}\n";
        let workspace = checkout(&[("crates/yaml/src/a.rs", source)]);
        let want = [
            "a.rs:10: `#[ignore`",
            "a.rs:2: `.unwrap()`",
            "a.rs:6: `allow(dead_code`",
            "a.rs:6: a silenced lint",
            "a.rs:3: `TODO`",
        ];
        check(forbidden_words, &workspace, &want);
    }

    #[test]
    fn the_product_starts_no_process_and_no_task_without_owner() {
        let source = "//! x\nfn f() { std::process::Command::new(\"git\"); tokio::spawn(g()); }\n";
        let workspace = checkout(&[
            ("crates/engine/src/a.rs", source),
            (
                "crates/cluster/src/a.rs",
                "//! x\nfn f() { tokio::spawn(g()); }\n",
            ),
            ("crates/cluster/tests/it/main.rs", source),
        ]);
        check(
            processes_and_tasks,
            &workspace,
            &["no process", "tasks are spawned"],
        );
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        let bad = concat!("see /wor", "k/main\nfine: a/wor", "k/main\n");
        check(
            machine_paths,
            &checkout(&[("docs/a.md", bad)]),
            &["docs/a.md:1:"],
        );
    }
}
