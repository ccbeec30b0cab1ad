//! Which resources a patch, replacement or transformer is for: patterns of ids, and label selectors.
//!
//! Read [`Selector`] and [`Matcher`] first.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use crate::error::{Error, Result, fail};
use crate::identity::Id;
use crate::limits::MAX_REGEX;
use crate::resource::Resource;

/// What a selector says. The parts of the id are regular expressions for patches, and plain texts for
/// replacements.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Selector {
    pub(crate) id: Id,
    pub(crate) annotations: String,
    pub(crate) labels: String,
}

/// A regular expression of Go.
///
/// # Errors
/// It cannot be compiled.
pub(crate) fn regex(pattern: &str) -> Result<Regex> {
    let compiled = RegexBuilder::new(pattern).size_limit(MAX_REGEX).build();
    compiled.map_err(|_| {
        Error::Build(format!(
            "error parsing regexp: invalid or unsupported syntax: `{pattern}`"
        ))
    })
}

/// A whole text, or anything when the pattern is empty.
enum Pattern {
    Any,
    Text(String),
    Regex(Regex),
}

impl Pattern {
    fn new(pattern: &str) -> Result<Self> {
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/' | ':' | ' ');
        Ok(match pattern {
            "" => Pattern::Any,
            text if text.chars().all(is_plain) => Pattern::Text(text.to_owned()),
            pattern => Pattern::Regex(regex(&format!("^(?:{pattern})$"))?),
        })
    }

    fn fits(&self, text: &str) -> bool {
        match self {
            Pattern::Any => true,
            Pattern::Text(want) => want == text,
            Pattern::Regex(regex) => regex.is_match(text),
        }
    }
}

/// A selector that is ready to be asked.
pub(crate) struct Matcher {
    group: Pattern,
    version: Pattern,
    kind: Pattern,
    name: Pattern,
    namespace: Pattern,
    meta: MetaMatcher,
}

impl Matcher {
    /// # Errors
    /// A pattern or label selector that cannot be understood.
    pub(crate) fn new(selector: &Selector) -> Result<Self> {
        let id = &selector.id;
        Ok(Matcher {
            group: Pattern::new(&id.gvk.group)?,
            version: Pattern::new(&id.gvk.version)?,
            kind: Pattern::new(&id.gvk.kind)?,
            name: Pattern::new(&id.name)?,
            namespace: Pattern::new(&id.namespace)?,
            meta: MetaMatcher::new(selector)?,
        })
    }

    /// Whether a resource is meant, by its first or its present name and namespace.
    pub(crate) fn fits(&self, resource: &Resource) -> bool {
        let id = resource.id();
        let gvk = &id.gvk;
        let is_kind = self.kind.fits(&gvk.kind)
            && self.group.fits(&gvk.group)
            && self.version.fits(&gvk.version);
        if !is_kind {
            return false;
        }
        let original = resource.original_id();
        let namespace = |id: &Id| self.namespace.fits(id.effective_namespace());
        (self.name.fits(&original.name) || self.name.fits(&id.name))
            && (namespace(&original) || namespace(id))
            && self.meta.fits(resource)
    }
}

/// The label and annotation selectors of a selector.
pub(crate) struct MetaMatcher {
    annotations: Vec<Requirement>,
    labels: Vec<Requirement>,
}

impl MetaMatcher {
    pub(crate) fn new(selector: &Selector) -> Result<Self> {
        Ok(MetaMatcher {
            annotations: requirements(&selector.annotations)?,
            labels: requirements(&selector.labels)?,
        })
    }

    pub(crate) fn fits(&self, resource: &Resource) -> bool {
        let all = |requirements: &[Requirement], field: &str| {
            if requirements.is_empty() {
                return true;
            }
            let texts = resource.texts(field);
            requirements.iter().all(|one| one.fits(&texts))
        };
        all(&self.labels, "labels") && all(&self.annotations, "annotations")
    }
}

/// One part of a label selector.
struct Requirement {
    key: String,
    test: Test,
}

enum Test {
    Exists,
    Missing,
    In(Vec<String>),
    NotIn(Vec<String>),
    Above(i64),
    Below(i64),
}

impl Requirement {
    fn fits(&self, texts: &BTreeMap<String, String>) -> bool {
        let value = texts.get(&self.key);
        let number = || value.and_then(|text| text.parse::<i64>().ok());
        match &self.test {
            Test::Exists => value.is_some(),
            Test::Missing => value.is_none(),
            Test::In(values) => value.is_some_and(|value| values.contains(value)),
            Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Test::Above(least) => number().is_some_and(|number| number > *least),
            Test::Below(most) => number().is_some_and(|number| number < *most),
        }
    }
}

/// Reads a label selector of Kubernetes: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1,m<2`.
fn requirements(selector: &str) -> Result<Vec<Requirement>> {
    let mut rest = selector.trim();
    let mut found = Vec::new();
    while !rest.is_empty() {
        // A comma in brackets is part of the requirement.
        let mut depth = 0;
        let end = rest.find(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            c == ',' && depth == 0
        });
        let (one, after) = end.map_or((rest, None), |end| (&rest[..end], Some(&rest[end + 1..])));
        found.push(requirement(one.trim(), selector)?);
        match after.map(str::trim) {
            Some("") => return unparsable(selector),
            after => rest = after.unwrap_or_default(),
        }
    }
    Ok(found)
}

fn unparsable<T>(selector: &str) -> Result<T> {
    fail(format!("unable to parse requirement: {selector}"))
}

fn requirement(text: &str, selector: &str) -> Result<Requirement> {
    let key_end = text.strip_prefix('!').unwrap_or(text);
    if text.starts_with('!') {
        let key = key_end.trim();
        return named(key, Test::Missing, selector);
    }
    for (sign, negated) in [("!=", true), ("==", false), ("=", false)] {
        if let Some((key, value)) = text.split_once(sign) {
            let values = vec![value.trim().to_owned()];
            let test = if negated {
                Test::NotIn(values)
            } else {
                Test::In(values)
            };
            return named(key.trim(), test, selector);
        }
    }
    for sign in ['>', '<'] {
        if let Some((key, value)) = text.split_once(sign) {
            let Ok(number) = value.trim().parse() else {
                return unparsable(selector);
            };
            let test = match sign {
                '>' => Test::Above(number),
                _ => Test::Below(number),
            };
            return named(key.trim(), test, selector);
        }
    }
    let Some((key, set)) = text.split_once(char::is_whitespace) else {
        return named(text, Test::Exists, selector);
    };
    let set = set.trim();
    let (set, negated) = match (set.strip_prefix("notin"), set.strip_prefix("in")) {
        (Some(set), _) => (set, true),
        (None, Some(set)) => (set, false),
        (None, None) => return unparsable(selector),
    };
    let inner = set
        .trim()
        .strip_prefix('(')
        .and_then(|set| set.strip_suffix(')'));
    let Some(inner) = inner else {
        return unparsable(selector);
    };
    let values = inner
        .split(',')
        .map(|value| value.trim().to_owned())
        .collect();
    let test = if negated {
        Test::NotIn(values)
    } else {
        Test::In(values)
    };
    named(key, test, selector)
}

fn named(key: &str, test: Test, selector: &str) -> Result<Requirement> {
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if key.is_empty() || !key.chars().all(is_key) {
        return unparsable(selector);
    }
    Ok(Requirement {
        key: key.to_owned(),
        test,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_selectors_are_those_of_kubernetes() {
        let labels = BTreeMap::from([
            ("app".to_owned(), "web".to_owned()),
            ("n".to_owned(), "5".to_owned()),
        ]);
        let check = |selector: &str, want: Option<bool>| {
            let parsed = requirements(selector).ok();
            let got = parsed.map(|all| all.iter().all(|one| one.fits(&labels)));
            assert_eq!(got, want, "{selector}");
        };
        check("", Some(true));
        check("app=web,n", Some(true));
        check("app in (a, web),!x", Some(true));
        check("app notin (web)", Some(false));
        check("app!=web", Some(false));
        check("n>4,n<6", Some(true));
        check("x!=1", Some(true));
        check("app=web,", None);
        check("a b c", None);
    }
}
