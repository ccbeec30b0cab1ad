//! Constraints: `>=1.2, <2 || ~3.1`, `1.2 - 2`, `^0.3`, `1.x`.

use std::cmp::Ordering;

use super::version::{Loose, Version, compare_prereleases};

/// What a version must fulfil: one of several groups, all of the conditions of that one.
#[derive(Clone, Debug)]
pub struct Constraint {
    groups: Vec<Group>,
}

#[derive(Clone, Debug)]
struct Group {
    conditions: Vec<Condition>,
    /// Only a group that names a prerelease lets one in.
    has_prerelease: bool,
}

/// One condition.
#[derive(Clone, Debug)]
struct Condition {
    operator: Operator,
    version: Version,
    /// The text behind the operator, for messages.
    text: String,
    precision: Precision,
}

/// Which numbers of a condition were given; `x` and `*` are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Precision {
    Nothing,
    Major,
    Minor,
    Patch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

/// Longer ones first, so that the longest is found.
const OPERATORS: [(&str, Operator); 12] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterOrEqual),
    ("=>", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=<", Operator::LessOrEqual),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
    ("", Operator::Equal),
];

impl Constraint {
    /// Reads a constraint.
    ///
    /// # Errors
    /// Masterminds' text: `improper constraint: …`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = without_ranges(text);
        let groups: Result<Vec<Group>, String> = text.split("||").map(Group::parse).collect();
        Ok(Constraint { groups: groups? })
    }

    /// Whether a version fulfils it.
    #[must_use]
    pub fn matches(&self, version: &Version) -> bool {
        let fits = |group: &Group| {
            let lets_in = group.has_prerelease || version.prerelease().is_empty();
            lets_in
                && group
                    .conditions
                    .iter()
                    .all(|one| one.problem(version).is_none())
        };
        self.groups.iter().any(fits)
    }

    /// Why a version does not fulfil it, one reason per condition; nothing when it does.
    #[must_use]
    pub fn problems(&self, version: &Version) -> Vec<String> {
        let mut problems = Vec::new();
        let mut is_prerelease_told = false;
        for group in &self.groups {
            let n_before = problems.len();
            let is_barred = !group.has_prerelease && !version.prerelease().is_empty();
            if is_barred {
                if !std::mem::replace(&mut is_prerelease_told, true) {
                    problems.push(format!(
                        "{version} is a prerelease version and the constraint is only looking \
                         for release versions"
                    ));
                }
                continue;
            }
            problems.extend(
                group
                    .conditions
                    .iter()
                    .filter_map(|one| one.problem(version)),
            );
            if problems.len() == n_before {
                return Vec::new();
            }
        }
        problems
    }
}

impl Group {
    fn parse(text: &str) -> Result<Self, String> {
        let improper = || format!("improper constraint: {text}");
        let mut conditions = Vec::new();
        let mut rest = text;
        loop {
            rest = rest.trim_start_matches(is_space);
            let (condition, behind) = Condition::start_of(rest)?.ok_or_else(improper)?;
            conditions.push(condition);
            let next = behind.trim_start_matches(is_space);
            if next.is_empty() {
                break;
            }
            // Conditions stand apart by spaces or a comma.
            rest = match next.strip_prefix(',') {
                Some(next) => next,
                None if next.len() < behind.len() => next,
                None => return Err(improper()),
            };
        }
        let names = |one: &Condition| !one.version.prerelease().is_empty();
        let has_prerelease = conditions.iter().any(names);
        Ok(Group {
            conditions,
            has_prerelease,
        })
    }
}

fn is_space(it: char) -> bool {
    matches!(it, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

/// Digits, and what stands for any; `|` too, as Masterminds' pattern has it by mistake.
fn is_number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'x' | b'X' | b'*' | b'|')
}

fn is_any(segment: Option<&str>) -> bool {
    matches!(segment, None | Some("x" | "X" | "*"))
}

impl Condition {
    /// The condition that a text begins with, and what is behind it.
    fn start_of(text: &str) -> Result<Option<(Self, &str)>, String> {
        for (sign, operator) in OPERATORS {
            let Some(rest) = text.strip_prefix(sign) else {
                continue;
            };
            let rest = rest.trim_start_matches(is_space);
            let Some((loose, behind)) = Loose::start_of(rest, is_number) else {
                continue;
            };
            let shown = &rest[..rest.len() - behind.len()];
            return Condition::new(operator, &loose, shown).map(|one| Some((one, behind)));
        }
        Ok(None)
    }

    fn new(operator: Operator, loose: &Loose<'_>, shown: &str) -> Result<Self, String> {
        let (precision, numbers) = if is_any(Some(loose.major)) {
            (Precision::Nothing, "0.0.0".to_owned())
        } else if is_any(loose.minor) {
            (Precision::Major, format!("{}.0.0", loose.major))
        } else if is_any(loose.patch) {
            let minor = loose.minor.unwrap_or_default();
            (Precision::Minor, format!("{}.{minor}.0", loose.major))
        } else {
            (Precision::Patch, shown.to_owned())
        };
        let text = match (precision, loose.prerelease) {
            (Precision::Patch, _) | (_, "") => numbers,
            (_, prerelease) => format!("{numbers}-{prerelease}"),
        };
        let broken = |_| "constraint parser error".to_owned();
        Ok(Condition {
            operator,
            version: Version::parse(&text).map_err(broken)?,
            text: shown.to_owned(),
            precision,
        })
    }

    /// Why a version does not fulfil it.
    fn problem(&self, version: &Version) -> Option<String> {
        let own = &self.version;
        let told = |what: &str| Some(format!("{version} {what} {}", self.text));
        let order = version.cmp(own);
        match self.operator {
            Operator::Equal if self.precision != Precision::Patch => self.tilde_problem(version),
            Operator::Equal if order.is_ne() => told("is not equal to"),
            Operator::NotEqual if self.is_excluded(version) => told("is equal to"),
            Operator::Greater if !self.is_above(version) => told("is less than or equal to"),
            Operator::Less if order.is_ge() => told("is greater than or equal to"),
            Operator::GreaterOrEqual if order.is_lt() => told("is less than"),
            Operator::LessOrEqual if !self.is_at_most(version) => told("is greater than"),
            Operator::Tilde => self.tilde_problem(version),
            Operator::Caret => self.caret_problem(version),
            _ => None,
        }
    }

    fn is_excluded(&self, version: &Version) -> bool {
        let own = &self.version;
        let same_major = version.major() == own.major();
        let same_minor = same_major && version.minor() == own.minor();
        match self.precision {
            Precision::Patch => version == own,
            // `!=*` excludes only what `!=0.0.0` does.
            Precision::Nothing => version == own,
            Precision::Major => same_major,
            Precision::Minor => {
                same_minor
                    && ((version.prerelease().is_empty() && own.prerelease().is_empty())
                        || compare_prereleases(version.prerelease(), own.prerelease()).is_eq())
            }
        }
    }

    fn is_above(&self, version: &Version) -> bool {
        let own = &self.version;
        match (self.precision, version.major().cmp(&own.major())) {
            (Precision::Patch, _) => version > own,
            (_, Ordering::Greater) => true,
            (_, Ordering::Less) | (Precision::Major, _) => false,
            (Precision::Minor, _) => version.minor() > own.minor(),
            (Precision::Nothing, _) => version > own,
        }
    }

    fn is_at_most(&self, version: &Version) -> bool {
        let own = &self.version;
        match (self.precision, version.major().cmp(&own.major())) {
            (Precision::Patch, _) => version <= own,
            (_, Ordering::Greater) => false,
            (Precision::Major, _) | (_, Ordering::Less) => true,
            (Precision::Minor | Precision::Nothing, _) => version.minor() <= own.minor(),
        }
    }

    fn tilde_problem(&self, version: &Version) -> Option<String> {
        let (own, shown) = (&self.version, &self.text);
        let given = matches!(self.precision, Precision::Patch | Precision::Nothing);
        if version < own {
            return Some(format!("{version} is less than {shown}"));
        }
        if given && (own.major(), own.minor(), own.patch()) == (0, 0, 0) {
            return None;
        }
        if version.major() != own.major() {
            return Some(format!(
                "{version} does not have same major version as {shown}"
            ));
        }
        if version.minor() != own.minor() && self.precision != Precision::Major {
            return Some(format!(
                "{version} does not have same major and minor version as {shown}"
            ));
        }
        None
    }

    fn caret_problem(&self, version: &Version) -> Option<String> {
        let (own, shown) = (&self.version, &self.text);
        let differs = |what: &str| Some(format!("{version} does not have same {what}"));
        if version < own {
            return Some(format!("{version} is less than {shown}"));
        }
        if own.major() > 0 || self.precision == Precision::Major {
            if version.major() == own.major() {
                return None;
            }
            return differs(&format!("major version as {shown}"));
        }
        if version.major() > 0 {
            return differs(&format!("major version as {shown}"));
        }
        if own.minor() > 0 || self.precision == Precision::Minor {
            if version.minor() == own.minor() {
                return None;
            }
            return differs(&format!(
                "minor version as {shown}. Expected minor versions to match when constraint major \
                 version is 0"
            ));
        }
        if version.minor() > 0 {
            return differs(&format!("minor version as {shown}"));
        }
        if version.patch() == own.patch() {
            return None;
        }
        Some(format!(
            "{version} does not equal {shown}. Expect version and constraint to equal when major \
             and minor versions are 0"
        ))
    }
}

/// Writes `1.2 - 2` as two conditions.
fn without_ranges(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, second, before, behind)) = first_range(rest) {
        out.push_str(before);
        out.push_str(&format!(">= {first}, <= {second} "));
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// The first range of a text with spaces around its line: both ends, and what is around it.
fn first_range(text: &str) -> Option<(&str, &str, &str, &str)> {
    for (at, _) in text.char_indices() {
        let start = &text[at..];
        let inside = start.trim_start_matches(is_space);
        let Some((_, behind)) = Loose::start_of(inside, is_number) else {
            continue;
        };
        let first = &inside[..inside.len() - behind.len()];
        let spaced = behind.trim_start_matches(is_space);
        let Some(line) = spaced
            .strip_prefix('-')
            .filter(|_| spaced.len() < behind.len())
        else {
            continue;
        };
        let end = line.trim_start_matches(is_space);
        if end.len() == line.len() {
            continue;
        }
        if let Some((_, behind)) = Loose::start_of(end, is_number) {
            let second = &end[..end.len() - behind.len()];
            let behind = behind.trim_start_matches(is_space);
            return Some((first, second, &text[..at], behind));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(constraint: &str, version: &str, want: bool) {
        let constraint = Constraint::parse(constraint).expect("a constraint");
        let version = Version::parse(version).expect("a version");
        assert_eq!(
            constraint.matches(&version),
            want,
            "{constraint:?} {version}"
        );
        assert_eq!(constraint.problems(&version).is_empty(), want);
    }

    #[test]
    fn constraints_mean_what_masterminds_says() {
        check("=2.0.0", "2.0.0", true);
        check("4.1", "4.1.5", true);
        check("!=4.1", "4.1.0", false);
        check("!=4.x", "5.0.0", true);
        check("<11.1", "11.1.0", false);
        check("<=11", "11.9.0", true);
        check(">11", "11.1.0", false);
        check(">11.1", "11.1.1", false);
        check(">=11.1.3", "11.1.2", false);
        check("1.x", "1.9.9", true);
        check("*", "1.0.0-rc1", false);
        check("~1.2.3", "1.2.9", true);
        check("~1", "2.0.0", false);
        check("^0.2", "0.2.9", true);
        check("^0.0.3", "0.0.4", false);
        check("^0", "0.9.0", true);
        check("^0.0", "0.1.0", false);
        check(">=1.1 <2 || 3.x", "3.4.5", true);
        check("1.2 - 1.4", "1.4.9", true);
        check(">=1.0.0-0", "1.0.0-alpha", true);
        check("~0.0.0", "9.9.9", true);
        check("> 1.2 , <2", "1.9.0", true);
    }

    #[test]
    fn what_is_no_constraint_is_told() {
        for text in ["bad", "", "1.2.3.4", ">=", "1.0 ||", "==1", "1,,2"] {
            let error = Constraint::parse(text).expect_err("no constraint");
            assert!(error.starts_with("improper constraint: "), "{error}");
        }
    }
}
