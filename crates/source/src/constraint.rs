//! Versions and version ranges with the semantics of Masterminds/semver v3, which Argo CD asks.
//!
//! Read [`Constraint`] first. This module knows texts only: no tags, no repositories. The rules
//! that surprise: `1.2` means `~1.2`, a missing part is a wildcard, a `v` in front is ignored, and
//! pre-releases count only when a comparison of the same AND group names one.

use std::cmp::Ordering;
use std::fmt;
use std::sync::LazyLock;

use regex::Regex;

/// The longest text taken for a version or a constraint: longer ones are not written by people.
const MAX_LEN: usize = 256;

/// A version; parts that are left out count as 0. Ordered by precedence (build metadata ignored).
#[derive(Clone, Debug)]
pub(crate) struct Version {
    major: u64,
    minor: u64,
    patch: u64,
    pre: String,
    original: String,
}

/// Why a text is no constraint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("improper constraint: {0}")]
pub(crate) struct ConstraintError(String);

/// A range of versions, such as `>=1.2.0 <2.0.0`, `^1.4`, `1.x || 2.x`, `*`.
#[derive(Clone, Debug)]
pub(crate) struct Constraint {
    groups: Vec<Group>,
    text: String,
}

/// Comparisons that must all hold.
#[derive(Clone, Debug)]
struct Group {
    comparisons: Vec<Comparison>,
    /// Whether one of them names a pre-release: then pre-releases take part.
    names_pre: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    Tilde,
    Caret,
}

/// Which part of the comparison's version was left out or a wildcard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wild {
    None,
    Major,
    Minor,
    Patch,
}

#[derive(Clone, Debug)]
struct Comparison {
    operator: Operator,
    version: Version,
    wild: Wild,
}

const PRE_AND_BUILD: &str =
    r"(-([0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?(\+([0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?";
const OPERATOR: &str = r"=>|=<|>=|<=|!=|~>|=|>|<|~|\^|";

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant that the tests compile")
}

static VERSION: LazyLock<Regex> = LazyLock::new(|| {
    regex(&format!(
        r"^v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?{PRE_AND_BUILD}$"
    ))
});

fn wild_version() -> String {
    format!(r"v?([0-9xX*]+)(?:\.([0-9xX*]+))?(?:\.([0-9xX*]+))?{PRE_AND_BUILD}")
}

static RANGE: LazyLock<Regex> = LazyLock::new(|| {
    let version = wild_version();
    regex(&format!(r"\s*({version})\s+-\s+({version})\s*"))
});

static COMPARISON: LazyLock<Regex> =
    LazyLock::new(|| regex(&format!(r"({OPERATOR})\s*({})", wild_version())));

static GROUP: LazyLock<Regex> = LazyLock::new(|| {
    let version = wild_version();
    regex(&format!(
        r"^\s*(?:{OPERATOR})\s*{version}\s*(?:(?:\s+|,\s*)(?:{OPERATOR})\s*{version}\s*)*$"
    ))
});

impl Version {
    /// Reads `1.2.3`, `v1.2`, `1`, with pre-release and build metadata; `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Version> {
        if text.len() > MAX_LEN {
            return None;
        }
        let parts = VERSION.captures(text)?;
        let number = |index: usize| match parts.get(index) {
            Some(digits) => digits.as_str().parse::<u64>().ok(),
            None => Some(0),
        };
        let pre = parts.get(5).map_or("", |pre| pre.as_str());
        if pre.split('.').any(is_number_with_leading_zero) {
            return None;
        }
        Some(Version {
            major: number(1)?,
            minor: number(2)?,
            patch: number(3)?,
            pre: pre.to_owned(),
            original: text.to_owned(),
        })
    }

    /// The text it was read from.
    pub(crate) fn original(&self) -> &str {
        &self.original
    }

    fn numbers(&self) -> (u64, u64, u64) {
        (self.major, self.minor, self.patch)
    }
}

fn is_number_with_leading_zero(segment: &str) -> bool {
    segment.len() > 1 && segment.starts_with('0') && segment.bytes().all(|b| b.is_ascii_digit())
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers()
            .cmp(&other.numbers())
            .then_with(|| compare_pre(&self.pre, &other.pre))
    }
}

fn compare_pre(left: &str, right: &str) -> Ordering {
    match (left.is_empty(), right.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(left), Some(right)) => match (left.parse::<u64>(), right.parse::<u64>()) {
                (Ok(left), Ok(right)) => left.cmp(&right),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => left.cmp(right),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

impl Constraint {
    /// Reads a constraint. A plain version is one too (`1.2.3` means `=1.2.3`).
    ///
    /// # Errors
    /// [`ConstraintError`] with the text when it is none.
    pub(crate) fn parse(text: &str) -> Result<Constraint, ConstraintError> {
        let refuse = || ConstraintError(text.chars().take(MAX_LEN).collect());
        if text.len() > MAX_LEN {
            return Err(refuse());
        }
        let rewritten = RANGE.replace_all(text, |range: &regex::Captures<'_>| {
            format!(">={} <={}", &range[1], &range[9])
        });
        let groups = rewritten
            .split("||")
            .map(|group| Group::parse(group).ok_or_else(refuse))
            .collect::<Result<_, _>>()?;
        Ok(Constraint {
            groups,
            text: text.to_owned(),
        })
    }

    /// Whether the version is in the range.
    pub(crate) fn allows(&self, version: &Version) -> bool {
        self.groups.iter().any(|group| {
            group
                .comparisons
                .iter()
                .all(|comparison| comparison.allows(version, group.names_pre))
        })
    }

    /// The highest version of `versions` in the range; the first of equals.
    pub(crate) fn highest<'v>(
        &self,
        versions: impl Iterator<Item = &'v Version>,
    ) -> Option<&'v Version> {
        let mut highest: Option<&Version> = None;
        for version in versions {
            if self.allows(version) && highest.is_none_or(|highest| version > highest) {
                highest = Some(version);
            }
        }
        highest
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Group {
    fn parse(text: &str) -> Option<Group> {
        if !GROUP.is_match(text) {
            return None;
        }
        let comparisons = COMPARISON
            .captures_iter(text)
            .map(|parts| Comparison::parse(&parts))
            .collect::<Option<Vec<_>>>()?;
        let names_pre = comparisons
            .iter()
            .any(|comparison| !comparison.version.pre.is_empty());
        Some(Group {
            comparisons,
            names_pre,
        })
    }
}

impl Comparison {
    /// From a match of [`COMPARISON`]: groups 1 = operator, 2 = version, 3 to 5 = its numbers,
    /// 6 = `-pre-release`.
    fn parse(parts: &regex::Captures<'_>) -> Option<Comparison> {
        let operator = match &parts[1] {
            "" | "=" => Operator::Equal,
            "!=" => Operator::NotEqual,
            ">" => Operator::Greater,
            "<" => Operator::Less,
            ">=" | "=>" => Operator::GreaterEqual,
            "<=" | "=<" => Operator::LessEqual,
            "~" | "~>" => Operator::Tilde,
            "^" => Operator::Caret,
            _ => return None,
        };
        let part = |index: usize| {
            parts
                .get(index)
                .map(|part| part.as_str())
                .filter(|part| !part.is_empty() && !["x", "X", "*"].contains(part))
        };
        let pre = parts.get(6).map_or("", |pre| pre.as_str());
        let (text, wild) = match (part(3), part(4), part(5)) {
            (None, _, _) => (format!("0.0.0{pre}"), Wild::Major),
            (Some(major), None, _) => (format!("{major}.0.0{pre}"), Wild::Minor),
            (Some(major), Some(minor), None) => (format!("{major}.{minor}.0{pre}"), Wild::Patch),
            (Some(major), Some(minor), Some(patch)) => {
                (format!("{major}.{minor}.{patch}{pre}"), Wild::None)
            }
        };
        Some(Comparison {
            operator,
            version: Version::parse(&text)?,
            wild,
        })
    }

    fn allows(&self, version: &Version, with_pre: bool) -> bool {
        if !version.pre.is_empty() && !with_pre {
            return false;
        }
        let order = version.cmp(&self.version);
        match self.operator {
            Operator::Equal if self.wild != Wild::None => self.in_tilde(version),
            Operator::Equal => order.is_eq(),
            Operator::NotEqual => self.differs(version),
            Operator::Greater => self.is_below(version),
            Operator::Less => order.is_lt(),
            Operator::GreaterEqual => order.is_ge(),
            Operator::LessEqual => self.reaches(version),
            Operator::Tilde => self.in_tilde(version),
            Operator::Caret => self.in_caret(version),
        }
    }

    fn differs(&self, version: &Version) -> bool {
        let own = &self.version;
        match self.wild {
            Wild::None => version != own,
            _ if version.major != own.major => true,
            Wild::Major => version.minor != own.minor || version.patch != own.patch,
            Wild::Minor => false,
            Wild::Patch if version.minor != own.minor => true,
            Wild::Patch => {
                (!version.pre.is_empty() || !own.pre.is_empty()) && version.pre != own.pre
            }
        }
    }

    /// `>`: with a part left out the whole range of it is excluded (`>11` does not allow 11.1.0).
    fn is_below(&self, version: &Version) -> bool {
        match self.wild {
            Wild::None => version > &self.version,
            _ if version.major != self.version.major => version.major > self.version.major,
            Wild::Minor => false,
            Wild::Patch => version.minor > self.version.minor,
            Wild::Major => version > &self.version,
        }
    }

    /// `<=`: with a part left out the whole range of it is included (`<=11` allows 11.1.0).
    fn reaches(&self, version: &Version) -> bool {
        let own = &self.version;
        if self.wild == Wild::None {
            return version <= own;
        }
        version.major < own.major
            || (version.major == own.major
                && (version.minor <= own.minor || self.wild == Wild::Minor))
    }

    fn in_tilde(&self, version: &Version) -> bool {
        let own = &self.version;
        if version < own {
            return false;
        }
        if own.numbers() == (0, 0, 0) && matches!(self.wild, Wild::None | Wild::Major) {
            return true;
        }
        version.major == own.major && (version.minor == own.minor || self.wild == Wild::Minor)
    }

    fn in_caret(&self, version: &Version) -> bool {
        let own = &self.version;
        if version < own {
            return false;
        }
        if own.major > 0 || self.wild == Wild::Minor {
            return version.major == own.major;
        }
        if version.major > own.major {
            return false;
        }
        if own.minor > 0 || self.wild == Wild::Patch {
            return version.minor == own.minor;
        }
        version.minor == 0 && version.patch == own.patch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_allows_what_masterminds_semver_allows() {
        let check = |range: &str, version: &str, want: bool| {
            let range = Constraint::parse(range).unwrap();
            let version = Version::parse(version).unwrap();
            assert_eq!(
                range.allows(&version),
                want,
                "{range} {}",
                version.original()
            );
        };
        check("*", "1.2.3", true);
        check("*", "1.2.3-rc.1", false);
        check("x", "0.0.1", true);
        check("1.2.3", "v1.2.3", true);
        check("1.2.3", "1.2.4", false);
        check("1.2", "1.2.9", true);
        check("1.2.x", "1.3.0", false);
        check("1", "1.9.9", true);
        check("=1.x", "2.0.0", false);
        check(">=1.0.0 <2.0.0", "1.9.9", true);
        check(">=1.0.0, <2.0.0", "2.0.0", false);
        check(">=2.0.0-0 <3.0.0", "2.0.0-rc.1", true);
        check(">=2.0.0 <3.0.0", "2.1.0-rc.1", false);
        check("~1.2.3", "1.2.9", true);
        check("~1.2.3", "1.3.0", false);
        check("~1", "1.9.0", true);
        check("~>1.2", "1.2.7", true);
        check("~0.0.0", "5.0.0", true);
        check("^1.2.3", "1.9.0", true);
        check("^1.2.3", "2.0.0", false);
        check("^0.2.3", "0.2.9", true);
        check("^0.2.3", "0.3.0", false);
        check("^0.0.3", "0.0.3", true);
        check("^0.0.3", "0.0.4", false);
        check("^0.0", "0.0.9", true);
        check("^0", "0.9.0", true);
        check(">11", "11.1.0", false);
        check(">11", "12.0.0", true);
        check(">11.1", "11.1.1", false);
        check(">11.1", "11.2.0", true);
        check("<=11", "11.9.0", true);
        check("<=11.1", "11.2.0", false);
        check("!=1.2.x", "1.2.3", false);
        check("!=1.2.x", "1.3.0", true);
        check("!=1.2.3", "1.2.3", false);
        check("1.2 - 1.4.5", "1.4.5", true);
        check("1.2 - 1.4.5", "1.4.6", false);
        check("1.x || >=3.0.0", "3.1.0", true);
        check("1.x || >=3.0.0", "2.1.0", false);
        check("=> 1.0.0", "1.0.0", true);
    }

    #[test]
    fn what_is_no_constraint_is_refused() {
        for text in [
            "main",
            "v",
            "release-1.2",
            "1.2.3.4",
            "feature/x",
            "",
            ">=",
            "1.a",
        ] {
            assert!(Constraint::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn versions_are_ordered_by_precedence() {
        let mut last = None;
        for text in [
            "0.9",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "v1",
            "1.0.1",
            "1.2",
            "2.0.0",
        ] {
            let version = Version::parse(text).unwrap();
            if let Some(last) = last.replace(version.clone()) {
                assert!(last < version, "{} < {text}", last.original());
            }
        }
        assert_eq!(Version::parse("1.0.0+a"), Version::parse("1.0.0+b"));
        assert!(Version::parse("1.0.0-01").is_none());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[v0-9xX*.,<>=!~^| a+-]{0,40}", version in "[v0-9a.+-]{0,20}") {
            let version = Version::parse(&version);
            if let (Ok(range), Some(version)) = (Constraint::parse(&text), version) {
                let _ = range.allows(&version);
            }
        }

        #[test]
        fn a_version_is_in_the_range_that_names_it(
            major in 0_u64..20, minor in 0_u64..20, patch in 0_u64..20
        ) {
            let version = Version::parse(&format!("{major}.{minor}.{patch}")).unwrap();
            for range in ["=", "", "~", "^", ">=", "<="] {
                let range = Constraint::parse(&format!("{range}{}", version.original())).unwrap();
                proptest::prop_assert!(range.allows(&version), "{range}");
            }
            for range in ["!=", "<", ">"] {
                let range = Constraint::parse(&format!("{range}{}", version.original())).unwrap();
                proptest::prop_assert!(!range.allows(&version), "{range}");
            }
        }
    }
}
