//! From what was asked for (branch, tag, range, SHA) to the commit that it means now.
//!
//! Read [`Reference`] first, then [`RefList::resolve`]. The rules are Argo CD's
//! (reference/argocd/sources.md R6 and R7). This module is pure: it never talks to a server.

use std::fmt;

use gix::ObjectId;

use crate::constraint::{Range, version};

/// The longest reference taken: Git's own names end at 255 bytes, ranges are shorter.
const MAX_LEN: usize = 512;

/// The fewest digits that are taken for a shortened SHA, as Argo CD does.
const MIN_SHORT: usize = 7;

/// What an Application asks for: `targetRevision`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    text: String,
    tag_prefix: String,
}

/// Why a text is no reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It could be read as an option.
    #[error("revision {0:?} starts with a dash")]
    Dash(String),
    /// A control character.
    #[error("revision {0:?} holds a control character")]
    Control(String),
    /// Over 512 bytes.
    #[error("revision is longer than {MAX_LEN} bytes")]
    TooLong,
    /// A tag prefix is only for ranges and versions.
    #[error("revision {0:?} is no version or range, so no tag prefix can be used with it")]
    Prefix(String),
}

/// A resolved commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(ObjectId);

/// One reference of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteRef {
    /// The full name, such as `refs/heads/main` or `HEAD`.
    pub name: String,
    /// The commit; of an annotated tag the one it points at.
    pub commit: Revision,
    /// For a symbolic reference the name it points at.
    pub target: Option<String>,
}

/// One answer to "which references do you have": the state of a repository at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefList {
    refs: Vec<RemoteRef>,
}

/// What a reference means in a [`RefList`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// This commit.
    Commit(Revision),
    /// A shortened SHA that the list does not hold: the store must look for it.
    Abbreviated(String),
    /// Nothing.
    Unknown,
}

impl Reference {
    /// Reads a reference; empty means `HEAD`.
    ///
    /// # Errors
    /// [`ReferenceError`] for texts that are dangerous in a command line or a message.
    pub fn parse(text: &str) -> Result<Reference, ReferenceError> {
        let text = text.trim();
        if text.len() > MAX_LEN {
            return Err(ReferenceError::TooLong);
        }
        if text.starts_with('-') {
            return Err(ReferenceError::Dash(text.to_owned()));
        }
        if text.chars().any(char::is_control) {
            return Err(ReferenceError::Control(text.to_owned()));
        }
        Ok(Reference {
            text: if text.is_empty() { "HEAD" } else { text }.to_owned(),
            tag_prefix: String::new(),
        })
    }

    /// Only tags that start with `prefix` take part in a range, and their rest is the version.
    ///
    /// # Errors
    /// [`ReferenceError::Prefix`] when this is neither a version nor a range.
    pub fn with_tag_prefix(mut self, prefix: &str) -> Result<Reference, ReferenceError> {
        if !prefix.is_empty() {
            if version(&self.text).is_some() {
                self.text.insert_str(0, prefix);
                return Ok(self);
            }
            if Range::parse(&self.text).is_none() {
                return Err(ReferenceError::Prefix(self.text));
            }
        }
        prefix.clone_into(&mut self.tag_prefix);
        Ok(self)
    }

    /// The text; `HEAD` when nothing was asked for.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The commit, when this is a full SHA: then no server needs to be asked what it means.
    #[must_use]
    pub fn as_revision(&self) -> Option<Revision> {
        Revision::parse(&self.text)
    }

    /// The full name to list besides branches and tags, when it may be of neither kind.
    pub(crate) fn extra_name(&self) -> Option<String> {
        let name = self.text.strip_prefix("refs/").unwrap_or(&self.text);
        let is_usual = name.starts_with("heads/") || name.starts_with("tags/");
        let is_name = !name.contains([' ', '*', '?', '[', '\\', '^', '~', ':', '<', '>', '=', '|']);
        (name.contains('/') && is_name && !is_usual && !name.contains(".."))
            .then(|| format!("refs/{name}"))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Revision {
    /// Reads a full SHA-1 in hexadecimal digits; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Revision> {
        ObjectId::from_hex(text.as_bytes()).ok().map(Revision)
    }

    pub(crate) fn new(id: ObjectId) -> Self {
        Revision(id)
    }

    pub(crate) fn id(self) -> ObjectId {
        self.0
    }
}

impl fmt::Display for Revision {
    /// All 40 digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl RefList {
    /// Keeps the references in the order in which the server lists them.
    #[must_use]
    pub fn new(refs: Vec<RemoteRef>) -> Self {
        RefList { refs }
    }

    /// All of them.
    #[must_use]
    pub fn refs(&self) -> &[RemoteRef] {
        &self.refs
    }

    /// What a reference means: a full SHA itself; of a range the highest tag in it; else the exact
    /// name, or the first branch or tag of that short name; else the commit of which it is a
    /// shortened SHA.
    #[must_use]
    pub fn resolve(&self, reference: &Reference) -> Resolved {
        if let Some(revision) = reference.as_revision() {
            return Resolved::Commit(revision);
        }
        let tag = self.highest_tag(reference);
        let name = tag.as_deref().unwrap_or(&reference.text);
        if let Some(found) = self.named(name) {
            return Resolved::Commit(found);
        }
        if name.len() < MIN_SHORT || !name.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Resolved::Unknown;
        }
        let digits = name.to_ascii_lowercase();
        let mut tips = self.refs.iter().map(|it| it.commit);
        match tips.find(|tip| tip.to_string().starts_with(&digits)) {
            Some(tip) => Resolved::Commit(tip),
            None => Resolved::Abbreviated(digits),
        }
    }

    fn named(&self, name: &str) -> Option<Revision> {
        let found = |it: &&RemoteRef| it.name == name || short_name(&it.name) == name;
        self.refs.iter().find(found).map(|it| it.commit)
    }

    /// The full tag name; `None` when the reference is no range or no tag is in it.
    fn highest_tag(&self, reference: &Reference) -> Option<String> {
        if version(&reference.text).is_some() {
            return None;
        }
        let range = Range::parse(&reference.text)?;
        let versions: Vec<_> = self
            .refs
            .iter()
            .filter_map(|it| it.name.strip_prefix("refs/tags/"))
            .filter_map(|tag| tag.strip_prefix(reference.tag_prefix.as_str()))
            .filter_map(version)
            .collect();
        let highest = range.highest(versions.iter())?;
        Some(format!(
            "refs/tags/{}{}",
            reference.tag_prefix,
            highest.original()
        ))
    }
}

/// As go-git shortens names: the last part of `refs/heads/`, `refs/tags/`, `refs/remotes/`, `refs/`.
fn short_name(name: &str) -> &str {
    let Some(rest) = name.strip_prefix("refs/") else {
        return name;
    };
    ["heads/", "tags/", "remotes/"]
        .iter()
        .find_map(|folder| rest.strip_prefix(folder))
        .unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> RefList {
        let one = |name: &str, digit: &str| RemoteRef {
            name: name.to_owned(),
            commit: Revision::parse(&digit.repeat(40)).unwrap(),
            target: (name == "HEAD").then(|| "refs/heads/main".to_owned()),
        };
        RefList::new(vec![
            one("HEAD", "1"),
            one("refs/heads/both", "2"),
            one("refs/heads/main", "1"),
            one("refs/pull/7/head", "3"),
            one("refs/tags/both", "4"),
            one("refs/tags/chart-1.2.0", "5"),
            one("refs/tags/v1.0.0", "6"),
            one("refs/tags/v1.1.0", "7"),
            one("refs/tags/v2.0.0-rc.1", "8"),
            one("refs/tags/v3.0.0", "9"),
        ])
    }

    #[test]
    fn references_resolve_as_in_argo_cd() {
        let check = |text: &str, want: Option<&str>| {
            let got = match list().resolve(&Reference::parse(text).unwrap()) {
                Resolved::Commit(revision) => Some(revision.to_string()[..1].to_owned()),
                Resolved::Abbreviated(_) => Some("short".to_owned()),
                Resolved::Unknown => None,
            };
            assert_eq!(got.as_deref(), want, "{text}");
        };
        check("", Some("1"));
        check("HEAD", Some("1"));
        check("main", Some("1"));
        check("refs/heads/main", Some("1"));
        check("both", Some("2"));
        check("refs/tags/both", Some("4"));
        check("pull/7/head", Some("3"));
        check("refs/pull/7/head", Some("3"));
        check("origin/main", None);
        check("nope", None);
        check("v1.0.0", Some("6"));
        check("1.0.0", None);
        check("*", Some("9"));
        check("1.x", Some("7"));
        check(">=1.0.0 <2.0.0", Some("7"));
        check(">=2.0.0-0 <3.0.0", Some("8"));
        check(">=9.0.0", None);
        check("4444444", Some("4"));
        check("abcdef1", Some("short"));
        check("abcdef", None);
        check(&"d".repeat(40), Some("d"));
    }

    #[test]
    fn a_tag_prefix_picks_the_tags_of_a_range() {
        let check = |text: &str, want: Result<&str, ()>| {
            let reference = Reference::parse(text).unwrap().with_tag_prefix("chart-");
            let got = reference.map_err(|_| ()).map(|it| list().resolve(&it));
            let want = want.map(|digit| Revision::parse(&digit.repeat(40)).unwrap());
            assert_eq!(got, want.map(Resolved::Commit), "{text}");
        };
        check("1.x", Ok("5"));
        check("1.2.0", Ok("5"));
        check("main", Err(()));
    }

    #[test]
    fn dangerous_references_are_refused() {
        for text in ["--upload-pack=x", "-x", "a\nb", "a\0b"] {
            assert!(Reference::parse(text).is_err(), "{text:?}");
        }
        assert!(Reference::parse(&"a".repeat(513)).is_err());
    }
}
