//! Which repository URLs are read from a local folder (design part 9).
//!
//! Pure: URLs of found Applications, remotes and `--map` go in, the mapping comes out.

use std::collections::BTreeSet;

use manifest::{Tree, TreePath};
use source::RepoUrl;
use yaml::Value;

use crate::discover::Found;

/// A repository URL and a path in it, as an Application names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reads {
    /// The repository, as written.
    pub(crate) url: String,
    /// The path in it.
    pub(crate) path: String,
    /// What of it, as written: a branch, a tag, a range; empty for `HEAD`.
    pub(crate) revision: String,
}

/// What a found Application reads from Git repositories; nothing for other kinds.
pub(crate) fn reads(found: &Found) -> Vec<Reads> {
    if found.object.kind() != "Application" {
        return Vec::new();
    }
    let spec = found
        .object
        .value()
        .get("spec")
        .cloned()
        .unwrap_or_default();
    let several = spec
        .get("sources")
        .and_then(Value::as_list)
        .unwrap_or_default()
        .to_vec();
    let sources = if several.is_empty() {
        spec.get("source").cloned().into_iter().collect()
    } else {
        several
    };
    let text = |source: &Value, key: &str| {
        source
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    sources
        .iter()
        .filter(|source| text(source, "chart").is_empty())
        .map(|source| Reads {
            url: text(source, "repoURL"),
            path: text(source, "path"),
            revision: text(source, "targetRevision"),
        })
        .collect()
}

/// Whether two texts name one repository.
pub(crate) fn same(first: &str, second: &str) -> bool {
    normalized(first) == normalized(second)
}

/// The text that all URLs of one repository share, as Argo CD compares them.
pub(crate) fn normalized(url: &str) -> String {
    let parsed = RepoUrl::parse(url);
    parsed.map_or_else(|_| url.to_owned(), |url| url.normalized().to_owned())
}

/// The URLs that could be mapped to a folder when none equals a remote: named by Applications,
/// each once, in the order of their files, and all paths that are asked of them exist.
pub(crate) fn candidates(found: &[Found], tree: &dyn Tree) -> Vec<String> {
    let all: Vec<Reads> = found.iter().flat_map(reads).collect();
    let exists =
        |one: &Reads| TreePath::parse(&one.path).is_ok_and(|path| tree.kind(&path).is_ok());
    let is_elsewhere = |one: &&Reads| !exists(one);
    let elsewhere: BTreeSet<String> = all
        .iter()
        .filter(is_elsewhere)
        .map(|one| normalized(&one.url))
        .collect();
    let mut seen = BTreeSet::new();
    all.iter()
        .filter(|one| seen.insert(&one.url))
        .filter(|one| !elsewhere.contains(&normalized(&one.url)))
        .map(|one| one.url.clone())
        .collect()
}

/// Whether every root that reads from Git reads this URL alone.
pub(crate) fn all_read(roots: &[&Found], url: &str) -> bool {
    let url = normalized(url);
    let mut reads = roots.iter().flat_map(|root| reads(root)).peekable();
    reads.peek().is_some() && reads.all(|one| normalized(&one.url) == url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::Discovery;
    use crate::discover::tests::{application, tree};

    #[test]
    fn only_urls_whose_paths_exist_can_be_mapped() {
        let here = application("a", "https://host/here.git", "apps");
        let away = application("b", "https://host/away.git", "elsewhere");
        let files = [
            ("a.yaml", here.as_str()),
            ("b.yaml", &away),
            ("apps/x.yaml", "a: 1"),
        ];
        let tree = tree(&files);
        let discovery = Discovery::of(&tree, &TreePath::root()).expect("a tree");
        assert_eq!(
            candidates(&discovery.found, &tree),
            ["https://host/here.git"]
        );
        let roots: Vec<&Found> = discovery.found.iter().collect();
        assert!(all_read(&roots[..1], "https://HOST/here"));
        assert!(!all_read(&roots, "https://host/here.git"));
    }
}
