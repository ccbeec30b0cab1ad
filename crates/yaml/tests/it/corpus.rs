//! Every YAML file of the shared third-party corpora, read in place: `testdata/corpus.txt` holds a
//! hash of what Go makes of each.

use std::path::PathBuf;

use sha2::{Digest, Sha256};
use yaml::{Mode, json};

use crate::expected;

/// Larger files are read only when ALL_FILES is set: a hundred bundles of custom resources are more
/// than half of the bytes, and this test is not compiled to be fast.
const LARGEST: usize = 100 << 10;

#[allow(clippy::disallowed_methods, reason = "tests read their recordings")]
fn shared() -> Option<PathBuf> {
    let path = match std::env::var_os("TIPHYS_SHARED") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
    };
    path.is_dir().then_some(path)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hash of all documents up to the first error, their number, and how reading ended.
fn digest(text: &str) -> String {
    let mut documents = yaml::Documents::new(text, Mode::GoYaml2);
    let mut found = Vec::new();
    let end = loop {
        match documents.next_document() {
            Ok(Some(document)) => found.push(json::to_string_html_escaped(&document.value)),
            Ok(None) => break "ok",
            Err(_) => break "error",
        }
    };
    let sum = Sha256::digest(found.join("\n"));
    format!("{} {} {end}", hex(&sum[..5]), found.len())
}

#[test]
#[allow(clippy::disallowed_methods, reason = "tests read their recordings")]
fn the_files_of_the_corpora_mean_what_they_mean_to_go() {
    let Some(shared) = shared() else {
        println!("skipped: no shared folder (TIPHYS_SHARED)");
        return;
    };
    let recorded =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/corpus.txt"))
            .unwrap();
    let (mut compared, mut changed, mut large, mut differ) = (0, 0, 0, Vec::new());
    let mut folder = "";
    for line in recorded.lines() {
        let fields: Vec<&str> = line.splitn(5, ' ').collect();
        let [input, sum, documents, end, name] = fields[..] else {
            folder = line;
            continue;
        };
        let path = format!("{folder}{name}");
        let bytes = std::fs::read(shared.join(&path)).unwrap_or_default();
        if hex(&Sha256::digest(&bytes)[..3]) != input {
            changed += 1;
            continue;
        }
        let want = format!("{sum} {documents} {end}");
        if bytes.len() > LARGEST && std::env::var_os("ALL_FILES").is_none() {
            large += 1;
            continue;
        }
        compared += 1;
        let found = match std::str::from_utf8(&bytes) {
            Ok(text) => digest(text),
            Err(_) => "not text".to_owned(),
        };
        if found != want {
            differ.push(format!("{path}\n   found {found}\n    want {want}"));
        }
    }
    println!(
        "corpus: {} of {compared} files agree, {changed} have changed, {large} are left out as large",
        compared - differ.len()
    );
    println!("{}", differ.join("\n"));
    let percent = (compared - differ.len()) * 100 / compared.max(1);
    assert!(percent >= expected::CORPUS_PERCENT, "{percent} %");
}
