//! Which version of several a range means: Masterminds/semver, which Argo CD and Helm ask.
//!
//! Read [`Range`] first. The dialect itself is `sprig`'s; here it meets texts of people and of
//! servers, which are bounded, and lists of tags. This module knows no tags and no repositories.

use sprig::semver::{self, Constraint};

/// The longest text taken for a version or a constraint: longer ones are not written by people.
const MAX_LEN: usize = 256;

/// A range of versions, such as `>=1.2.0 <2.0.0`, `^1.4`, `1.x || 2.x`, `*`. A plain version is one
/// too.
#[derive(Debug)]
pub(crate) struct Range(Constraint);

/// Reads `1.2.3`, `v1.2`, `1`, with pre-release and build metadata; `None` for anything else.
pub(crate) fn version(text: &str) -> Option<semver::Version> {
    bounded(text).and_then(|text| semver::Version::parse(text).ok())
}

fn bounded(text: &str) -> Option<&str> {
    (text.len() <= MAX_LEN).then_some(text)
}

impl Range {
    /// Reads a range; `None` for what is none.
    pub(crate) fn parse(text: &str) -> Option<Range> {
        let constraint = bounded(text).and_then(|text| Constraint::parse(text).ok());
        constraint.map(Range)
    }

    /// The highest of these versions that is in the range; the first of equals.
    pub(crate) fn highest<'v>(
        &self,
        versions: impl Iterator<Item = &'v semver::Version>,
    ) -> Option<&'v semver::Version> {
        let mut highest: Option<&semver::Version> = None;
        for version in versions {
            if self.0.matches(version) && highest.is_none_or(|highest| version > highest) {
                highest = Some(version);
            }
        }
        highest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version_of(text: &str) -> semver::Version {
        version(text).unwrap()
    }

    #[test]
    fn a_range_allows_what_masterminds_semver_allows() {
        let check = |range: &str, version: &str, want: bool| {
            let allows = Range::parse(range).unwrap();
            let of = version_of(version);
            assert_eq!(allows.0.matches(&of), want, "{range} {version}");
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
            assert!(Range::parse(text).is_none(), "{text}");
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
            let version = version_of(text);
            if let Some(last) = last.replace(version.clone()) {
                assert!(last < version, "{} < {text}", last.original());
            }
        }
        assert_eq!(version("1.0.0+a"), version("1.0.0+b"));
        assert!(version("1.0.0-01").is_none());
    }

    #[test]
    fn long_texts_are_neither_versions_nor_ranges() {
        let long = format!("1.0.0-{}", "a".repeat(MAX_LEN));
        assert!(version(&long).is_none() && Range::parse(&long).is_none());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[v0-9xX*.,<>=!~^| a+-]{0,40}", number in "[v0-9a.+-]{0,20}") {
            if let (Some(range), Some(version)) = (Range::parse(&text), version(&number)) {
                let _ = range.0.matches(&version);
            }
        }

        #[test]
        fn a_version_is_in_the_range_that_names_it(
            major in 0_u64..20, minor in 0_u64..20, patch in 0_u64..20
        ) {
            let version = version_of(&format!("{major}.{minor}.{patch}"));
            for range in ["=", "", "~", "^", ">=", "<="] {
                let range = Range::parse(&format!("{range}{}", version.original())).unwrap();
                proptest::prop_assert!(range.0.matches(&version), "{range:?}");
            }
            for range in ["!=", "<", ">"] {
                let range = Range::parse(&format!("{range}{}", version.original())).unwrap();
                proptest::prop_assert!(!range.0.matches(&version), "{range:?}");
            }
        }
    }
}
