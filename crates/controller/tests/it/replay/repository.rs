//! A bare repository, written by one `git fast-import` per commit.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use yaml::{Map, Value};

const DEFAULT_BRANCH: &str = "main";

/// One repository of a scenario.
pub(crate) struct Repository {
    pub(crate) name: String,
    path: PathBuf,
    branches: BTreeSet<String>,
    pub(crate) n_commits: usize,
}

impl Repository {
    pub(crate) fn create(folder: &Path, name: &str) -> Repository {
        let path = folder.join(name);
        let mut init = Command::new("git");
        init.args(["init", "-q", "--bare", "-b", DEFAULT_BRANCH]);
        let status = init.arg(&path).status().expect("git");
        assert!(status.success(), "git init");
        Repository {
            name: name.to_owned(),
            path,
            branches: BTreeSet::new(),
            n_commits: 0,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("file://{}", self.path.display())
    }

    /// Makes the commit of an action; gives its SHA.
    pub(crate) fn commit(&mut self, commit: &Value) -> String {
        let text = |key: &str| commit.get(key).and_then(Value::as_str).unwrap_or_default();
        let branch = match text("branch") {
            "" => DEFAULT_BRANCH,
            branch => branch,
        };
        let parent = [branch, DEFAULT_BRANCH]
            .into_iter()
            .find(|it| self.branches.contains(*it));
        let mut stream = format!(
            "commit refs/heads/{branch}\nmark :1\ncommitter t <t@example.com> {} +0000\n",
            1_700_000_000 + self.n_commits
        );
        data(&mut stream, "commit");
        if let Some(parent) = parent {
            let _ = writeln!(stream, "from refs/heads/{parent}^0");
        }
        let files = commit.get("files").and_then(Value::as_map);
        for (path, content) in files.into_iter().flat_map(Map::iter) {
            change(&mut stream, path.as_str(), content);
        }
        for tag in names(commit, "tag") {
            let _ = writeln!(stream, "reset refs/tags/{tag}\nfrom :1\n");
        }
        for tag in names(commit, "annotatedTag") {
            let tagger = "tagger t <t@example.com> 1 +0000";
            let _ = writeln!(stream, "tag {tag}\nfrom :1\n{tagger}");
            data(&mut stream, "tag");
        }
        stream.push_str("get-mark :1\ndone\n");
        self.branches.insert(branch.to_owned());
        self.n_commits += 1;
        self.import(&stream)
    }

    fn import(&self, stream: &str) -> String {
        let mut git = Command::new("git")
            .args(["fast-import", "--quiet", "--done"])
            .env("GIT_DIR", &self.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("git");
        let mut input = git.stdin.take().expect("it is piped");
        input.write_all(stream.as_bytes()).expect("git reads");
        drop(input);
        let output = git.wait_with_output().expect("git ends");
        assert!(output.status.success(), "git fast-import");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

/// A name, or a list of names.
fn names<'a>(commit: &'a Value, key: &str) -> Vec<&'a str> {
    match commit.get(key) {
        Some(Value::List(list)) => list.iter().filter_map(Value::as_str).collect(),
        one => one.and_then(Value::as_str).into_iter().collect(),
    }
}

/// One file; null deletes it, and a map with `symlink` is a link.
fn change(stream: &mut String, path: &str, content: &Value) {
    let link = content.get("symlink").and_then(Value::as_str);
    let _ = match (content.as_str(), link) {
        (Some(_), _) => writeln!(stream, "M 100644 inline {path}"),
        (None, Some(_)) => writeln!(stream, "M 120000 inline {path}"),
        (None, None) => writeln!(stream, "D {path}"),
    };
    if let Some(content) = content.as_str().or(link) {
        data(stream, content);
    }
}

fn data(stream: &mut String, text: &str) {
    let _ = writeln!(stream, "data {}\n{text}", text.len());
}
