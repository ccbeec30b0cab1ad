//! What references meant to the real Argo CD: the cases of the corpus argocd-sync about them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use source::{Credentials, Freshness};

use crate::fixture::{Fixture, reference, url};

fn corpus() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = std::env::var_os("TIPHYS_SHARED").map_or(root.join("../shared"), PathBuf::from);
    let corpus = shared.join("corpora/argocd-sync");
    if corpus.is_dir() {
        return Some(corpus);
    }
    let is_ci = std::env::var("CI").is_ok_and(|it| it == "true");
    assert!(!is_ci, "CI must have {}", corpus.display());
    println!("SKIPPED: {} is not there", corpus.display());
    None
}

/// The cases in which the reference decides what happens.
const CASES: [&str; 15] = [
    "bad-repo",
    "bad-revision",
    "bad-revision-sha",
    "bad-revision-short",
    "bad-semver",
    "src-rev-branch",
    "src-rev-force-push",
    "src-rev-head",
    "src-rev-origin",
    "src-rev-semver-all",
    "src-rev-semver-pre",
    "src-rev-semver-range",
    "src-rev-sha",
    "src-rev-tag",
    "src-rev-tag-annotated",
];

/// Does a `commit` of the scenario; gives the commit.
fn commit(fixture: &Fixture, action: &Value, commits: &[String]) -> String {
    let branch = action["branch"].as_str().unwrap_or("main");
    let exists = !fixture.git(&["branch", "--list", branch]).is_empty();
    match (commits.is_empty(), exists) {
        (true, _) => {}
        (false, true) => drop(fixture.git(&["checkout", "-q", branch])),
        (false, false) => drop(fixture.git(&["checkout", "-q", "-b", branch])),
    }
    if let Some(files) = action["files"].as_object() {
        for (path, text) in files {
            match text.as_str() {
                Some(text) => fixture.write(path, text),
                None => std::fs::remove_file(fixture.work().join(path)).unwrap(),
            }
        }
    }
    if let Some(edits) = action["edit"].as_object() {
        for (path, edit) in edits {
            let text = std::fs::read_to_string(fixture.work().join(path)).unwrap();
            let (old, new) = (edit[0].as_str().unwrap(), edit[1].as_str().unwrap());
            fixture.write(path, &text.replace(old, new));
        }
    }
    fixture.git(&["add", "-A"]);
    fixture.git(&["commit", "-q", "--allow-empty", "-m", "x"]);
    if let Some(tag) = action["tag"].as_str() {
        fixture.git(&["tag", "-f", tag]);
    }
    for tag in action["annotatedTag"].as_array().into_iter().flatten() {
        let tag = tag.as_str().unwrap();
        fixture.git(&["tag", "-f", "-a", "-m", tag, tag]);
    }
    fixture.git(&["rev-parse", "HEAD"])
}

/// What this crate makes of the Application's source: the revision, or the problem.
async fn resolve(fixture: &Fixture, source: &Value, commits: &[String]) -> Result<String, String> {
    let mut text = source["targetRevision"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    for (n, commit) in commits.iter().enumerate() {
        text = text.replace(&format!("<COMMIT{}>", n + 1), commit);
    }
    let place = format!("file://{}", fixture.work().display());
    let place = source["repoURL"]
        .as_str()
        .unwrap()
        .replace("<REPO>", &place);
    let store = fixture.store();
    let repository = store
        .repository(&url(&place), &Credentials::default())
        .map_err(|error| error.problem.to_string())?;
    let revision = repository
        .resolve(&reference(&text), Freshness::Now)
        .await
        .map_err(|error| error.problem.to_string())?;
    let snapshot = repository.snapshot(&revision).await;
    let snapshot = snapshot.map_err(|error| error.problem.to_string())?;
    Ok(snapshot.revision.to_string())
}

/// What the recording has: `<COMMITn>`, or the message of the condition.
fn recorded(application: &Value) -> Result<String, String> {
    let status = &application["status"];
    let message = status["conditions"][0]["message"].as_str();
    match message {
        Some(message) => Err(message.to_owned()),
        None => Ok(status["sync"]["revision"].as_str().unwrap().to_owned()),
    }
}

/// Compares each step of a scenario; gives how many were compared, and the first difference.
async fn replay(case: &Value) -> (usize, Option<String>) {
    let fixture = Fixture::new();
    let mut commits = Vec::new();
    let mut sources: BTreeMap<String, Value> = BTreeMap::new();
    let mut n_compared = 0;
    for step in case["steps"].as_array().unwrap() {
        for action in step["do"].as_array().unwrap() {
            if let Some(action) = action.get("commit") {
                commits.push(commit(&fixture, action, &commits));
            }
            if let Some(object) = action.get("create").or(action.get("apply"))
                && object["kind"] == "Application"
            {
                let name = object["metadata"]["name"].as_str().unwrap();
                sources.insert(name.to_owned(), object["spec"]["source"].clone());
            }
            if action.get("patch").is_some() {
                return (n_compared, None);
            }
        }
        let Some(applications) = step["expect"]["applications"].as_object() else {
            continue;
        };
        for (name, application) in applications {
            let got = resolve(&fixture, &sources[name], &commits).await;
            let number = |sha: &String| commits.iter().rposition(|it| it == sha);
            let got = got.map(|sha| number(&sha).map_or(sha, |n| format!("<COMMIT{}>", n + 1)));
            let want = recorded(application);
            n_compared += 1;
            let is_same = match (&got, &want) {
                (Ok(got), Ok(want)) => got == want,
                // Argo CD's text ends in what its `git` program printed: ours names the commit.
                (Err(got), Err(want)) if want.contains("Failed to checkout revision") => {
                    let words = got.to_lowercase();
                    words.contains("failed to checkout revision")
                        || words.contains("unable to resolve")
                }
                (Err(got), Err(want)) => want.ends_with(got.as_str()),
                _ => false,
            };
            if !is_same {
                return (n_compared, Some(format!("got {got:?}, want {want:?}")));
            }
        }
    }
    (n_compared, None)
}

#[tokio::test]
async fn references_mean_what_they_meant_to_argo_cd() {
    let Some(corpus) = corpus() else {
        return;
    };
    let mut n_passed = 0;
    for name in CASES {
        let text = std::fs::read_to_string(corpus.join(format!("{name}.json"))).unwrap();
        let case: Value = serde_json::from_str(&text).unwrap();
        let (n_compared, difference) = replay(&case).await;
        assert_eq!(difference, None, "{name}");
        assert!(n_compared > 0, "{name}");
        n_passed += 1;
    }
    println!(
        "argocd-sync, references: {n_passed} of {} cases passed",
        CASES.len()
    );
}
