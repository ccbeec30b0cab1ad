//! Versions, written loosely or strictly.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A version, with the text that it was read from. Its order is that of semantic versions: what is
/// behind `+` does not count.
#[derive(Clone, Debug)]
pub struct Version {
    major: u64,
    minor: u64,
    patch: u64,
    prerelease: String,
    metadata: String,
    original: String,
}

const INVALID: &str = "invalid semantic version";

impl Version {
    /// Reads a version that may begin with `v`, lack its last numbers and have leading zeros.
    ///
    /// # Errors
    /// Masterminds' text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let loose = Loose::of(text).ok_or(INVALID)?;
        let number = |digits: Option<&str>| match digits {
            None => Ok(0),
            Some(digits) => digits.parse::<u64>().map_err(|_| {
                let digits = gotmpl::quote(digits);
                format!(
                    "error parsing version segment: strconv.ParseUint: parsing {digits}: value \
                     out of range"
                )
            }),
        };
        let version = Version {
            major: number(Some(loose.major))?,
            minor: number(loose.minor)?,
            patch: number(loose.patch)?,
            prerelease: loose.prerelease.to_owned(),
            metadata: loose.metadata.to_owned(),
            original: text.to_owned(),
        };
        if !version.prerelease.is_empty() {
            check_prerelease(&version.prerelease)?;
        }
        Ok(version)
    }

    /// Reads a version that is all that the specification wants.
    ///
    /// # Errors
    /// Masterminds' text, which tells what is wrong.
    pub fn parse_strict(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("version string empty".to_owned());
        }
        let mut parts = text.splitn(3, '.');
        let (Some(major), Some(minor), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(INVALID.to_owned());
        };
        let (rest, metadata) = rest.split_once('+').unwrap_or((rest, ""));
        let has_metadata = text.contains('+');
        if has_metadata && !metadata.split('.').all(is_identifier) {
            return Err("invalid metadata string".to_owned());
        }
        let has_prerelease = rest.contains('-');
        let (patch, prerelease) = rest.split_once('-').unwrap_or((rest, ""));
        if has_prerelease {
            check_prerelease(prerelease)?;
        }
        for part in [major, minor, patch] {
            if !part.bytes().all(|it| it.is_ascii_digit()) {
                return Err("invalid characters in version".to_owned());
            }
            if part.len() > 1 && part.starts_with('0') {
                return Err("version segment starts with 0".to_owned());
            }
        }
        let number = |digits: &str| {
            digits.parse::<u64>().map_err(|_| {
                let shown = gotmpl::quote(digits);
                let why = if digits.is_empty() {
                    "invalid syntax"
                } else {
                    "value out of range"
                };
                format!("strconv.ParseUint: parsing {shown}: {why}")
            })
        };
        Ok(Version {
            major: number(major)?,
            minor: number(minor)?,
            patch: number(patch)?,
            prerelease: prerelease.to_owned(),
            metadata: metadata.to_owned(),
            original: text.to_owned(),
        })
    }

    /// The first number.
    #[must_use]
    pub fn major(&self) -> u64 {
        self.major
    }

    /// The second number.
    #[must_use]
    pub fn minor(&self) -> u64 {
        self.minor
    }

    /// The third number.
    #[must_use]
    pub fn patch(&self) -> u64 {
        self.patch
    }

    /// What is behind `-`.
    #[must_use]
    pub fn prerelease(&self) -> &str {
        &self.prerelease
    }

    /// What is behind `+`.
    #[must_use]
    pub fn metadata(&self) -> &str {
        &self.metadata
    }

    /// The text that it was read from.
    #[must_use]
    pub fn original(&self) -> &str {
        &self.original
    }

    /// A version made of parts; its text begins with `v` where the one that it is made from does.
    fn next(&self, (major, minor, patch): (u64, u64, u64)) -> Self {
        self.with(Version {
            major,
            minor,
            patch,
            prerelease: String::new(),
            metadata: String::new(),
            original: String::new(),
        })
    }

    fn with(&self, mut version: Version) -> Self {
        let start = if self.original.starts_with('v') {
            "v"
        } else {
            ""
        };
        version.original = format!("{start}{version}");
        version
    }

    /// The next major version.
    #[must_use]
    pub fn inc_major(&self) -> Self {
        self.next((self.major.wrapping_add(1), 0, 0))
    }

    /// The next minor version.
    #[must_use]
    pub fn inc_minor(&self) -> Self {
        self.next((self.major, self.minor.wrapping_add(1), 0))
    }

    /// The next patch version; of a prerelease the release.
    #[must_use]
    pub fn inc_patch(&self) -> Self {
        let step = u64::from(self.prerelease.is_empty());
        self.next((self.major, self.minor, self.patch.wrapping_add(step)))
    }

    /// The same version with another prerelease.
    ///
    /// # Errors
    /// When it is none.
    pub fn set_prerelease(&self, prerelease: &str) -> Result<Self, String> {
        if !prerelease.is_empty() {
            check_prerelease(prerelease)?;
        }
        let version = Version {
            prerelease: prerelease.to_owned(),
            ..self.clone()
        };
        Ok(self.with(version))
    }

    /// The same version with other metadata.
    ///
    /// # Errors
    /// When it is none.
    pub fn set_metadata(&self, metadata: &str) -> Result<Self, String> {
        if !metadata.is_empty() && !metadata.split('.').all(is_identifier) {
            return Err("invalid metadata string".to_owned());
        }
        let version = Version {
            metadata: metadata.to_owned(),
            ..self.clone()
        };
        Ok(self.with(version))
    }

    fn numbers(&self) -> (u64, u64, u64) {
        (self.major, self.minor, self.patch)
    }
}

/// The parts of a loosely written version.
pub(super) struct Loose<'t> {
    pub(super) major: &'t str,
    pub(super) minor: Option<&'t str>,
    pub(super) patch: Option<&'t str>,
    pub(super) prerelease: &'t str,
    pub(super) metadata: &'t str,
}

impl<'t> Loose<'t> {
    fn of(text: &'t str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit();
        let (loose, rest) = Loose::start_of(text, is_digit)?;
        rest.is_empty().then_some(loose)
    }

    /// The longest version that a text begins with, its numbers made of these bytes; and what is
    /// behind it.
    pub(super) fn start_of(text: &'t str, is_number: fn(u8) -> bool) -> Option<(Self, &'t str)> {
        let segment = |text: &'t str| {
            let size = text.bytes().take_while(|byte| is_number(*byte)).count();
            (size > 0).then(|| text.split_at(size))
        };
        let behind_point = |rest: &'t str| match rest.strip_prefix('.').and_then(segment) {
            Some((digits, behind)) => (Some(digits), behind),
            None => (None, rest),
        };
        let (major, rest) = segment(text.strip_prefix('v').unwrap_or(text))?;
        let (minor, rest) = behind_point(rest);
        let (patch, rest) = match minor {
            Some(_) => behind_point(rest),
            None => (None, rest),
        };
        let (prerelease, rest) = identifiers(rest, '-');
        let (metadata, rest) = identifiers(rest, '+');
        let loose = Loose {
            major,
            minor,
            patch,
            prerelease,
            metadata,
        };
        Some((loose, rest))
    }
}

/// Identifiers with points between them, behind a mark.
fn identifiers(text: &str, mark: char) -> (&str, &str) {
    let Some(inside) = text.strip_prefix(mark) else {
        return ("", text);
    };
    let mut size = 0;
    loop {
        let n_bytes = inside[size..]
            .bytes()
            .take_while(|byte| is_allowed(*byte))
            .count();
        if n_bytes == 0 {
            // A point without an identifier behind it does not belong to them.
            let size = size.saturating_sub(1);
            return if size == 0 {
                ("", text)
            } else {
                inside.split_at(size)
            };
        }
        size += n_bytes;
        if !inside[size..].starts_with('.') {
            return inside.split_at(size);
        }
        size += 1;
    }
}

fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

fn is_identifier(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(is_allowed)
}

fn check_prerelease(prerelease: &str) -> Result<(), String> {
    for part in prerelease.split('.') {
        if !is_identifier(part) {
            return Err("invalid prerelease string".to_owned());
        }
        let is_number = part.bytes().all(|it| it.is_ascii_digit());
        if is_number && part.len() > 1 && part.starts_with('0') {
            return Err("version segment starts with 0".to_owned());
        }
    }
    Ok(())
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.prerelease.is_empty() {
            write!(f, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.numbers().hash(state);
        self.prerelease.hash(state);
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let numbers = self.numbers().cmp(&other.numbers());
        numbers.then_with(|| match (&*self.prerelease, &*other.prerelease) {
            ("", "") => Ordering::Equal,
            ("", _) => Ordering::Greater,
            (_, "") => Ordering::Less,
            (first, second) => compare_prereleases(first, second),
        })
    }
}

/// Part by part; what is missing is less than anything.
pub(super) fn compare_prereleases(first: &str, second: &str) -> Ordering {
    let mut parts = (first.split('.'), second.split('.'));
    loop {
        let (first, second) = match (parts.0.next(), parts.1.next()) {
            (None, None) => return Ordering::Equal,
            (first, second) => (first.unwrap_or(""), second.unwrap_or("")),
        };
        let order = compare_parts(first, second);
        if order.is_ne() {
            return order;
        }
    }
}

fn compare_parts(first: &str, second: &str) -> Ordering {
    if first.is_empty() || second.is_empty() {
        return second.is_empty().cmp(&first.is_empty());
    }
    let number = |part: &str| {
        let is_number = part.bytes().all(|it| it.is_ascii_digit());
        is_number.then(|| part.parse::<u64>().ok()).flatten()
    };
    match (number(first), number(second)) {
        (Some(first), Some(second)) => first.cmp(&second),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => first.cmp(second),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: Result<&str, &str>) {
        let got = Version::parse(text).map(|it| it.to_string());
        assert_eq!(
            got,
            want.map(str::to_owned).map_err(str::to_owned),
            "{text}"
        );
    }

    #[test]
    fn versions_are_read_loosely() {
        check("v1", Ok("1.0.0"));
        check("1.2", Ok("1.2.0"));
        check("01.2.3-a.b+c", Ok("1.2.3-a.b+c"));
        check("1.2.3.4", Err(INVALID));
        check("1.2.3-", Err(INVALID));
        check("1.2.3-01", Err("version segment starts with 0"));
        check("", Err(INVALID));
        check("V1", Err(INVALID));
    }

    #[test]
    fn versions_are_ordered() {
        let ordered = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "2.0.0",
        ];
        let versions = ordered.map(|text| Version::parse(text).expect("a version"));
        assert!(versions.is_sorted());
        assert!(versions.windows(2).all(|two| two[0] < two[1]));
    }
}
