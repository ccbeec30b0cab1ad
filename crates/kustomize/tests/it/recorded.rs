//! Replays `corpora/kustomize` and `corpora/kustomizations`: output byte for byte; for errors, that the
//! same cases fail, and in how many of them with the same words.

use std::path::PathBuf;

use kustomize::{LoadRestriction, Options, build};
use manifest::{Recorder, Tree, TreePath};
use yaml::Value;

use crate::tree::{Files, Folder};

/// How many cases of `kustomize` agree, of those that need no other program. May only rise.
const KUSTOMIZE: usize = 413;
/// How many errors have the same words. May only rise.
const WORDS: usize = 69;
/// How many cases of `kustomizations` agree. May only rise.
const KUSTOMIZATIONS: usize = 179;

fn corpus(name: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("TIPHYS_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let folder = shared.join("corpora").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "CI needs the corpora");
    eprintln!("skipped: {} is absent", folder.display());
    None
}

fn lines(folder: &std::path::Path, file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    let lines = text.lines();
    lines
        .map(|line| yaml::json::parse(line.as_bytes()).unwrap())
        .collect()
}

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn run(
    tree: &dyn Tree,
    path: &str,
    options: &Options<'_>,
) -> Result<(String, Vec<String>), String> {
    let recorder = Recorder::new(tree);
    let path = TreePath::parse(path).unwrap();
    match build(&recorder, &path, options) {
        Ok(built) => Ok((built.text(), built.warnings)),
        Err(error) => Err(error.to_string()),
    }
}

/// The first line that differs.
pub(crate) fn difference(got: &str, want: &str) -> String {
    let mut pairs = got.lines().zip(want.lines()).enumerate();
    let differs = pairs.find(|(_, (got, want))| got != want);
    differs.map_or_else(
        || {
            format!(
                "{} lines instead of {}",
                got.lines().count(),
                want.lines().count()
            )
        },
        |(at, (got, want))| format!("line {}: {got:?} instead of {want:?}", at + 1),
    )
}

/// Why a case is not asked: it needs another program, or an option that kubectl does not have.
fn is_out_of_reach(case: &Value) -> bool {
    let option = |name: &str| case.at(&["options", name]).is_some();
    option("enable_helm") || option("add_managed_by_label")
}

#[test]
fn small_kustomizations_are_built_as_kubectl_builds_them() {
    let Some(folder) = corpus("kustomize") else {
        return;
    };
    let mut cases = lines(&folder, "cases.jsonl");
    cases.extend(lines(&folder, "own.jsonl"));
    cases.retain(|case| !is_out_of_reach(case));
    let (mut n_agree, mut n_errors, mut n_words) = (0, 0, 0);
    for case in &cases {
        let mut files = Files::default();
        for (path, content) in case.get("files").and_then(Value::as_map).unwrap().iter() {
            files.add(path, content.as_str().unwrap().as_bytes());
        }
        let mut options = Options::default();
        if case.at(&["options", "load_restrictor"]).is_some() {
            options.load_restriction = LoadRestriction::None;
        }
        let name = text(case, "name");
        match run(&files, text(case, "path"), &options) {
            Ok((got, warnings)) if case.get("ok") == Some(&Value::Bool(true)) => {
                let want = text(case, "expected");
                let said: Vec<&String> = warnings
                    .iter()
                    .filter(|line| line.starts_with("# "))
                    .collect();
                let recorded = case.get("warnings").and_then(Value::as_list);
                let n_recorded = recorded.map_or(0, <[_]>::len);
                if got != want {
                    eprintln!("{name}: {}", difference(&got, want));
                } else if said.len() != n_recorded {
                    eprintln!("{name}: warnings {said:?} instead of {recorded:?}");
                } else {
                    n_agree += 1;
                }
            }
            Ok(_) => eprintln!("{name}: built, but {:?}", text(case, "error")),
            Err(error) if case.get("ok") == Some(&Value::Bool(false)) => {
                n_agree += 1;
                n_errors += 1;
                let want = text(case, "error").trim_start_matches("error: ").trim();
                if error.trim() == want {
                    n_words += 1;
                } else {
                    eprintln!("{name}: words {:?}\n    instead of {want:?}", error.trim());
                }
            }
            Err(error) => eprintln!("{name}: {error}"),
        }
    }
    eprintln!("kustomize: {n_agree} of {} agree", cases.len());
    eprintln!("kustomize: {n_words} of {n_errors} errors have the same words");
    assert!(n_agree >= KUSTOMIZE.min(cases.len()), "{KUSTOMIZE} agreed");
    assert!(n_words >= WORDS.min(n_errors), "{WORDS} had the same words");
}

#[test]
fn kustomizations_of_public_repositories_are_built_as_kubectl_builds_them() {
    let Some(folder) = corpus("kustomizations") else {
        return;
    };
    let cases = lines(&folder, "cases.jsonl");
    let mut n_agree = 0;
    for case in &cases {
        let tree = Folder(folder.join(text(case, "tree")));
        let want = std::fs::read_to_string(folder.join(text(case, "expected"))).unwrap();
        let name = text(case, "name");
        match run(&tree, text(case, "path"), &Options::default()) {
            Ok((got, _)) if got == want => n_agree += 1,
            Ok((got, _)) => eprintln!("{name}: {}", difference(&got, &want)),
            Err(error) => eprintln!("{name}: {error}"),
        }
    }
    eprintln!("kustomizations: {n_agree} of {} agree", cases.len());
    assert!(
        n_agree >= KUSTOMIZATIONS.min(cases.len()),
        "{KUSTOMIZATIONS} agreed"
    );
}
