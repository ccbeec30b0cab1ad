//! What a kustomization wants from other repositories and hosts: URLs as kustomize reads them.
//!
//! Nothing is fetched here: what is missing is told, and comes back as [`Content`].
//! Read [`Remote`] first.

use std::collections::HashMap;
use std::sync::Arc;

use manifest::{Tree, TreePath};

/// Something that a kustomization refers to by a URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remote {
    /// As it is written; the key of the answer in [`Remotes`].
    pub url: String,
    /// How to fetch it as a repository; `None` when it can only be a file.
    pub repository: Option<RepoSpec>,
    /// Whether it may be a file: asked first by kustomize where the URL says https or http.
    pub may_be_file: bool,
}

/// What a build needs and was not given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needed {
    /// What a URL names.
    Remote(Remote),
    /// A chart of a repository: its folder belongs at a place in the tree.
    Chart {
        /// Its name.
        name: String,
        /// Its version, or a range; empty for the newest.
        version: String,
        /// The repository's address.
        repository: String,
        /// The folder of the chart, where it would be had it been pulled before.
        place: TreePath,
    },
}

impl std::fmt::Display for Needed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Needed::Remote(remote) => f.write_str(&remote.url),
            Needed::Chart {
                name, repository, ..
            } => write!(f, "chart '{name}' of '{repository}'"),
        }
    }
}

/// A URL of a repository and a folder in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepoSpec {
    /// What to clone.
    pub clone_url: String,
    /// The branch, tag or commit of `?ref=`; empty for the default branch.
    pub reference: String,
    /// The folder in the repository; empty for its root.
    pub path: String,
}

/// What a [`Remote`] turned out to be.
#[derive(Clone)]
pub enum Content<'a> {
    /// A file.
    File(Arc<[u8]>),
    /// The whole repository at the reference.
    Repository(&'a dyn Tree),
}

/// What was fetched, by URL as written.
pub type Remotes<'a> = HashMap<String, Content<'a>>;

impl Remote {
    /// What a path of a kustomization stands for; `None` when it is a path in the tree.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let repository = RepoSpec::parse(path);
        let lower = path.to_ascii_lowercase();
        let may_be_file = lower.starts_with("http:") || lower.starts_with("https:");
        (repository.is_some() || may_be_file).then(|| Remote {
            url: path.to_owned(),
            repository,
            may_be_file,
        })
    }
}

const SCHEMES: [&str; 4] = ["ssh://", "https://", "http://", "file://"];

impl RepoSpec {
    /// Reads a URL as kustomize does; `None` for what it takes for a path.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        if url.starts_with('/') {
            return None;
        }
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let (host, rest) = host(address)?;
        let (repository, path) = if host.starts_with("file://") && !has_marker(&rest) {
            (rest.clone(), String::new())
        } else {
            parts(&rest)?
        };
        let path = path.trim_start_matches('/').to_owned();
        if repository.is_empty() || leaves(&path) {
            return None;
        }
        Some(RepoSpec {
            clone_url: format!("{host}{repository}"),
            reference: reference(query),
            path,
        })
    }
}

fn has_marker(rest: &str) -> bool {
    rest.contains("_git/") || rest.contains("//") || rest.contains(".git")
}

/// The host with its scheme and user, as it is cloned from, and what follows.
fn host(address: &str) -> Option<(String, String)> {
    let address = strip_prefix_ignoring_case(address, "git::").unwrap_or(address);
    let found = SCHEMES
        .iter()
        .find_map(|scheme| strip_prefix_ignoring_case(address, scheme).map(|rest| (*scheme, rest)));
    let (scheme, rest) = found.unwrap_or(("", address));
    let (user, rest) = user(rest);
    let lower = rest.to_ascii_lowercase();
    let is_github = lower.starts_with("github.com/") || lower.starts_with("github.com:");
    let is_scp = scheme.is_empty() && (!user.is_empty() || is_github);
    if scheme.is_empty() && !is_scp {
        return None;
    }
    if scheme == "file://" {
        return Some((scheme.to_owned(), format!("{user}{rest}")));
    }
    let slash = rest.find('/');
    let colon = rest.find(':').filter(|colon| is_scp && *colon > 0);
    let end = match (slash, colon) {
        (Some(slash), Some(colon)) => Some(slash.min(colon)),
        (slash, colon) => slash.or(colon),
    };
    let (name, path) = end.map_or((rest, ""), |end| rest.split_at(end + 1));
    if name.is_empty() {
        return None;
    }
    let host = match is_github {
        true if scheme == "ssh://" || !user.is_empty() => format!("{user}github.com:"),
        true => "https://github.com/".to_owned(),
        false => format!("{scheme}{user}{name}"),
    };
    Some((host, path.to_owned()))
}

fn user(rest: &str) -> (&str, &str) {
    let end = rest.find('@').filter(|end| {
        let name = &rest[..*end];
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    });
    end.map_or(("", rest), |end| rest.split_at(end + 1))
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let start = text.get(..prefix.len())?;
    start
        .eq_ignore_ascii_case(prefix)
        .then(|| &text[prefix.len()..])
}

/// The repository and the folder in it.
fn parts(rest: &str) -> Option<(String, String)> {
    if let Some(at) = rest.find("_git/") {
        let (start, after) = rest.split_at(at + "_git/".len());
        let (name, path) = after.split_once('/').unwrap_or((after, ""));
        return Some((format!("{start}{name}"), path.to_owned()));
    }
    if let Some((repository, path)) = rest.split_once("//") {
        return Some((repository.to_owned(), path.to_owned()));
    }
    if let Some(at) = rest.find(".git") {
        let (repository, path) = rest.split_at(at + ".git".len());
        return Some((repository.to_owned(), path.to_owned()));
    }
    let segments: Vec<&str> = rest.split('/').collect();
    (segments.len() >= 2).then(|| (segments[..2].join("/"), segments[2..].join("/")))
}

fn leaves(path: &str) -> bool {
    let mut depth = 0_i64;
    path.split('/').any(|part| {
        depth += match part {
            "" | "." => 0,
            ".." => -1,
            _ => 1,
        };
        depth < 0
    })
}

fn reference(query: &str) -> String {
    let of = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(key, value)| *key == name && !value.is_empty())
            .map(|(_, value)| value)
    };
    of("ref")
        .or_else(|| of("version"))
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_kustomize_does() {
        let check = |url: &str, want: Option<(&str, &str, &str)>| {
            let spec = RepoSpec::parse(url);
            let got = spec.as_ref().map(|spec| {
                (
                    spec.clone_url.as_str(),
                    spec.reference.as_str(),
                    spec.path.as_str(),
                )
            });
            assert_eq!(got, want, "{url}");
        };
        check("../base", None);
        check("base/x.yaml", None);
        check("/a/b", None);
        check(
            "github.com/o/r/p?ref=v1",
            Some(("https://github.com/o/r", "v1", "p")),
        );
        check(
            "https://github.com/o/r//a/b?ref=v1&timeout=9",
            Some(("https://github.com/o/r", "v1", "a/b")),
        );
        check(
            "git@github.com:o/r.git//a",
            Some(("git@github.com:o/r.git", "", "a")),
        );
        check(
            "ssh://git@h.example/o/r.git?version=x",
            Some(("ssh://git@h.example/o/r.git", "x", "")),
        );
        check("https://h.example/o/r//../x", None);
        check("file:///srv/x.git//a", Some(("file:///srv/x.git", "", "a")));
    }
}
