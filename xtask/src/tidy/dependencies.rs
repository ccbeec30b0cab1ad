//! Rules on what others wrote: how much of it, which licences, which crates never.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use crate::workspace::Workspace;

const LOCK: &str = "Cargo.lock";
const EXCEPTIONS: &str = "xtask/exceptions.txt";

/// Entries of the lock file; the chosen set of libraries has 636.
const MAX_LOCK_ENTRIES: usize = 650;

/// Crates that no feature may bring in: a second TLS provider, C libraries, build tools.
const BANNED: &[&str] = &[
    "aws-lc-sys",
    "aws-lc-rs",
    "openssl-sys",
    "openssl",
    "native-tls",
    "cmake",
    "bindgen",
];

/// Features that would change the behaviour of a crate for the whole workspace.
const BANNED_FEATURES: &[(&str, &str)] = &[
    ("serde_json", "preserve_order"),
    ("serde_json", "arbitrary_precision"),
];

/// Licences that every dependency may have; others stand in the exceptions, by crate.
const LICENCES: &[&str] = &[
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unicode-3.0",
    "BSL-1.0",
    "CC0-1.0",
    "bzip2-1.0.6",
];

/// One line of the exceptions.
struct Exception<'a> {
    line: usize,
    name: &'a str,
    reason: &'a str,
}

/// The exceptions of one kind (`licence`, `duplicate`).
fn exceptions<'a>(workspace: &'a Workspace, kind: &str) -> Vec<Exception<'a>> {
    let text = workspace.files.get(EXCEPTIONS).map_or("", String::as_str);
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut words = line.splitn(3, ' ');
        if words.next() == Some(kind) {
            let name = words.next().unwrap_or_default();
            let reason = words.next().unwrap_or_default().trim();
            found.push(Exception {
                line: number + 1,
                name,
                reason,
            });
        }
    }
    found
}

/// Compares what is needed with what is excepted; both must agree, and each line has its reason.
fn settle(workspace: &Workspace, kind: &str, mut needed: BTreeMap<String, String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for exception in exceptions(workspace, kind) {
        if needed.remove(exception.name).is_none() {
            let problem = format!(
                "{kind} {}: nothing needs this line any more",
                exception.name
            );
            findings.push(Finding::new(EXCEPTIONS, exception.line, problem));
        } else if exception.reason.split_whitespace().count() < 3 {
            let problem = format!("{kind} {}: say why", exception.name);
            findings.push(Finding::new(EXCEPTIONS, exception.line, problem));
        }
    }
    for (name, what) in needed {
        let problem = format!("{what}; avoid it, or write `{kind} {name} REASON` in {EXCEPTIONS}");
        findings.push(Finding::new(LOCK, 0, problem));
    }
    findings
}

/// The lock file stays within its number of entries.
pub(super) fn lock_file(workspace: &Workspace) -> Vec<Finding> {
    let Some(text) = workspace.files.get(LOCK) else {
        return vec![Finding::new(LOCK, 0, "is missing")];
    };
    let entries = text.lines().filter(|line| *line == "[[package]]").count();
    if entries <= MAX_LOCK_ENTRIES {
        return Vec::new();
    }
    vec![Finding::new(
        LOCK,
        0,
        format!("{entries} entries, more than {MAX_LOCK_ENTRIES}"),
    )]
}

/// No crate and no feature of the lists above.
pub(super) fn banned(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &workspace.metadata.packages {
        if BANNED.contains(&package.name.as_str()) {
            let problem = format!("{} is banned: see `cargo tree -i {0}`", package.name);
            findings.push(Finding::new(LOCK, 0, problem));
        }
        let node = workspace
            .metadata
            .resolve
            .nodes
            .iter()
            .find(|node| node.id == package.id);
        let features = node.map_or(&[][..], |node| node.features.as_slice());
        for (name, feature) in BANNED_FEATURES {
            if package.name == *name && features.iter().any(|one| one == feature) {
                let problem = format!("feature {feature} of {name} is banned: Go sorts its maps");
                findings.push(Finding::new(LOCK, 0, problem));
            }
        }
    }
    findings
}

/// Every dependency has a licence of the list, or an exception with its reason.
pub(super) fn licences(workspace: &Workspace) -> Vec<Finding> {
    let mut needed = BTreeMap::new();
    for package in &workspace.metadata.packages {
        let licence = package.license.as_deref().unwrap_or("none");
        if !is_allowed(licence) {
            needed.insert(
                package.name.clone(),
                format!("{} has licence {licence}", package.name),
            );
        }
    }
    settle(workspace, "licence", needed)
}

/// Whether an SPDX expression can be met with the licences of the list.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let spaced = expression.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let allowed = any_of(&mut rest);
    allowed && rest.is_empty()
}

fn any_of(words: &mut &[&str]) -> bool {
    let mut allowed = all_of(words);
    while words.first() == Some(&"OR") {
        *words = &words[1..];
        allowed |= all_of(words);
    }
    allowed
}

fn all_of(words: &mut &[&str]) -> bool {
    let mut allowed = one_of(words);
    while words.first() == Some(&"AND") {
        *words = &words[1..];
        allowed &= one_of(words);
    }
    allowed
}

fn one_of(words: &mut &[&str]) -> bool {
    let Some((first, rest)) = words.split_first() else {
        return false;
    };
    *words = rest;
    if *first == "(" {
        let allowed = any_of(words);
        *words = words.get(1..).unwrap_or_default();
        return allowed;
    }
    if let ["WITH", exception, rest @ ..] = *words {
        *words = rest;
        return LICENCES.contains(&format!("{first} WITH {exception}").as_str());
    }
    LICENCES.contains(first)
}

/// One version of each crate, or a written reason.
pub(super) fn duplicates(workspace: &Workspace) -> Vec<Finding> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in &workspace.metadata.packages {
        versions
            .entry(&package.name)
            .or_default()
            .insert(&package.version);
    }
    let needed = versions
        .into_iter()
        .filter(|(_, versions)| versions.len() > 1)
        .map(|(name, versions)| {
            let list: Vec<&str> = versions.into_iter().collect();
            (
                name.to_owned(),
                format!("{name} in several versions: {}", list.join(", ")),
            )
        })
        .collect();
    settle(workspace, "duplicate", needed)
}

/// The pinned toolchain is the one that the manifests promise.
pub(super) fn toolchain(workspace: &Workspace) -> Vec<Finding> {
    let value = |path: &str, key: &str| {
        let text = workspace.files.get(path).map_or("", String::as_str);
        let line = text.lines().find(|line| line.starts_with(key))?;
        line.split('"').nth(1).map(str::to_owned)
    };
    let pinned = value("rust-toolchain.toml", "channel").unwrap_or_default();
    let promised = value("Cargo.toml", "rust-version").unwrap_or_default();
    if !promised.is_empty() && (pinned == promised || pinned.starts_with(&format!("{promised}."))) {
        return Vec::new();
    }
    let problem = format!("pins {pinned:?}, but rust-version is {promised:?}");
    vec![Finding::new("rust-toolchain.toml", 0, problem)]
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, checkout, package};
    use super::*;

    #[test]
    fn the_lock_file_has_a_limit() {
        let full = "[[package]]\n".repeat(MAX_LOCK_ENTRIES);
        check(lock_file, &checkout(&[(LOCK, &full)]), &[]);
        let more = full + "[[package]]\n";
        check(lock_file, &checkout(&[(LOCK, &more)]), &["651 entries"]);
    }

    #[test]
    fn banned_crates_and_features_are_found() {
        let mut workspace = checkout(&[]);
        package(&mut workspace, "openssl-sys", "1.0.0", &[]);
        package(&mut workspace, "serde_json", "1.0.0", &[]);
        workspace.metadata.resolve.nodes[1]
            .features
            .push("preserve_order".to_owned());
        check(
            banned,
            &workspace,
            &["openssl-sys is banned", "preserve_order"],
        );
    }

    #[test]
    fn a_licence_expression_is_understood() {
        for (expression, want) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("MIT OR GPL-3.0", true),
            ("MIT AND GPL-3.0", false),
            ("(MIT OR GPL-3.0) AND Unicode-3.0", true),
            ("(MIT AND GPL-3.0) OR ISC", true),
            ("Unlicense/MIT", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("MIT WITH Some-exception", false),
            ("", false),
        ] {
            assert_eq!(is_allowed(expression), want, "{expression}");
        }
    }

    #[test]
    fn a_licence_or_a_duplicate_needs_a_line_with_a_reason() {
        let text = "# words\nlicence odd it is only a table\nlicence gone no longer used here\n\
            duplicate twin because\n";
        let mut workspace = checkout(&[(EXCEPTIONS, text)]);
        for (name, version) in [
            ("odd", "1.0.0"),
            ("new", "1.0.0"),
            ("twin", "1.0.0"),
            ("twin", "2.0.0"),
        ] {
            package(&mut workspace, name, version, &[]);
        }
        workspace.metadata.packages[0].license = Some("Odd-1.0".to_owned());
        workspace.metadata.packages[1].license = None;
        check(
            licences,
            &workspace,
            &["exceptions.txt:3: licence gone", "new has licence none"],
        );
        check(
            duplicates,
            &workspace,
            &["exceptions.txt:4: duplicate twin: say why"],
        );
    }

    #[test]
    fn the_toolchain_is_the_promised_one() {
        let check_versions = |pinned: &str, want: &[&str]| {
            let pinned = format!("[toolchain]\nchannel = \"{pinned}\"\n");
            let files = [
                ("rust-toolchain.toml", pinned.as_str()),
                ("Cargo.toml", "rust-version = \"1.95\"\n"),
            ];
            check(toolchain, &checkout(&files), want);
        };
        check_versions("1.95.0", &[]);
        check_versions("1.950", &["pins"]);
        check_versions("stable", &["pins"]);
    }
}
