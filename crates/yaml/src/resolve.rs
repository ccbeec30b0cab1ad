//! What a scalar means: go-yaml's resolver in the dialects of v2 and v3.
//!
//! The emitter asks it too: a string whose plain text would mean something else is quoted.

use std::borrow::Cow;

use crate::number::{self, Whole};

/// Which Go library's reading of YAML is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// go-yaml v2 and then JSON, as `sigs.k8s.io/yaml` and everything of Kubernetes reads:
    /// `yes`, `on`, `y` and their like are booleans, of repeated keys the last one wins with a
    /// warning, streams are split at `---` lines before they are parsed.
    GoYaml2,
    /// As [`Mode::GoYaml2`], but a repeated key is an error (`UnmarshalStrict`).
    GoYaml2Strict,
    /// go-yaml v3, as kustomize reads: `yes` and its like stay text, a repeated key is an error.
    GoYaml3,
}

/// The meaning of a scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    /// Text that looks like a time: it stays text, but a string of this form is quoted.
    Timestamp,
    /// The key `<<`.
    Merge,
    Text,
}

impl Scalar {
    /// The short tag, for messages.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Scalar::Null => "!!null",
            Scalar::Bool(_) => "!!bool",
            Scalar::Int(_) | Scalar::Uint(_) => "!!int",
            Scalar::Float(_) => "!!float",
            Scalar::Timestamp => "!!timestamp",
            Scalar::Merge => "!!merge",
            Scalar::Text => "!!str",
        }
    }
}

/// Whether a time-like text counts as a timestamp: only without a tag, or with that tag.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    Seen,
    Ignored,
}

/// The meaning of a plain scalar.
pub(crate) fn resolve(text: &str, mode: Mode, times: Times) -> Scalar {
    let Some(first) = text.as_bytes().first() else {
        return Scalar::Null;
    };
    match first {
        b'0'..=b'9' | b'+' | b'-' => signed_or_digit(text, mode, times),
        b'.' => special_float(text)
            .or_else(|| number::parse_float(&without_separators(text)?))
            .map_or(Scalar::Text, Scalar::Float),
        b'~' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' => word(text, mode),
        b'y' | b'Y' | b'o' | b'O' => word(text, mode),
        b'<' if text == "<<" => Scalar::Merge,
        _ => Scalar::Text,
    }
}

/// Go's float syntax allows `_` between two digits.
fn without_separators(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('_') {
        return Some(text.into());
    }
    let separate = text
        .as_bytes()
        .windows(3)
        .filter(|three| three[1] == b'_' && three[0].is_ascii_digit() && three[2].is_ascii_digit());
    let all_separate = separate.count() == text.matches('_').count();
    all_separate.then(|| text.replace('_', "").into())
}

fn word(text: &str, mode: Mode) -> Scalar {
    match text {
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "true" | "True" | "TRUE" => Scalar::Bool(true),
        "false" | "False" | "FALSE" => Scalar::Bool(false),
        _ if mode == Mode::GoYaml3 => Scalar::Text,
        _ => old_bool(text).map_or(Scalar::Text, Scalar::Bool),
    }
}

/// The booleans that only YAML 1.1 knows.
pub(crate) fn old_bool(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn special_float(text: &str) -> Option<f64> {
    match text {
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

fn signed_or_digit(text: &str, mode: Mode, times: Times) -> Scalar {
    if let Some(number) = special_float(text) {
        return Scalar::Float(number);
    }
    if times == Times::Seen && is_timestamp(text) {
        return Scalar::Timestamp;
    }
    let plain: Cow<'_, str> = if text.contains('_') {
        text.replace('_', "").into()
    } else {
        text.into()
    };
    match number::parse_whole(&plain) {
        Some(Whole::Signed(number)) => return Scalar::Int(number),
        Some(Whole::Unsigned(number)) => return Scalar::Uint(number),
        None => {}
    }
    if let Some(number) = number::parse_float(&plain) {
        return Scalar::Float(number);
    }
    late_base(&plain, mode).unwrap_or(Scalar::Text)
}

/// go-yaml's second try after `strconv`: digits behind `0b` (and, in v3, `0o`) may carry their own
/// sign, which base 0 refuses.
fn late_base(plain: &str, mode: Mode) -> Option<Scalar> {
    let (negative, rest) = match plain.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, plain),
    };
    let (radix, digits) = match rest.get(..2)? {
        "0b" => (2, &rest[2..]),
        "0o" if mode == Mode::GoYaml3 => (8, &rest[2..]),
        _ => return None,
    };
    if negative && digits.starts_with(['+', '-']) {
        return None;
    }
    i64::from_str_radix(digits, radix).ok().map(Scalar::Int)
}

/// Whether Go's `time.Parse` accepts `text` in one of the four layouts that go-yaml tries.
pub(crate) fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    let year = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if year != 4 || bytes.get(4) != Some(&b'-') {
        return false;
    }
    let mut time = Scan { rest: &bytes[5..] };
    let year = text[..4].parse().unwrap_or(0);
    time.date(year).is_some() && (time.rest.is_empty() || time.clock().is_some())
}

struct Scan<'a> {
    rest: &'a [u8],
}

impl Scan<'_> {
    fn byte(&mut self, wanted: u8) -> Option<()> {
        self.rest = self.rest.strip_prefix(&[wanted])?;
        Some(())
    }

    /// One or two digits.
    fn number(&mut self) -> Option<u32> {
        let len = self
            .rest
            .iter()
            .take(2)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (digits, rest) = self.rest.split_at(len);
        self.rest = rest;
        (len > 0).then(|| {
            digits
                .iter()
                .fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'))
        })
    }

    fn date(&mut self, year: u32) -> Option<()> {
        let month = self.number().filter(|month| (1..=12).contains(month))?;
        self.byte(b'-')?;
        let leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u32::from(leap),
            _ => 31,
        };
        self.number()
            .filter(|day| (1..=days).contains(day))
            .map(|_| ())
    }

    fn clock(&mut self) -> Option<()> {
        let (separator, rest) = self.rest.split_first()?;
        self.rest = rest;
        self.number().filter(|hour| *hour < 24)?;
        self.byte(b':')?;
        self.number().filter(|minute| *minute < 60)?;
        self.byte(b':')?;
        self.number().filter(|second| *second < 60)?;
        if let [b'.' | b',', b'0'..=b'9', ..] = self.rest {
            let digits = self.rest[1..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            self.rest = &self.rest[1 + digits..];
        }
        match separator {
            b'T' | b't' => self.zone(),
            b' ' => self.rest.is_empty().then_some(()),
            _ => None,
        }
    }

    fn zone(&mut self) -> Option<()> {
        if self.rest == b"Z" {
            return Some(());
        }
        let [b'+' | b'-', a, b, b':', c, d] = self.rest else {
            return None;
        };
        if ![a, b, c, d].iter().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let two = |x: &u8, y: &u8| u32::from(x - b'0') * 10 + u32::from(y - b'0');
        (two(a, b) <= 24 && two(c, d) <= 60).then_some(())
    }
}

/// Whether `text` has the base 60 form of YAML 1.1, which go-yaml does not read but quotes.
pub(crate) fn is_base60(text: &str) -> bool {
    let bytes = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !bytes.starts_with(|c: char| c.is_ascii_digit()) || !bytes.contains(':') {
        return false;
    }
    let mut parts = bytes.split(':');
    let head = parts.next().unwrap_or_default();
    if !head
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'_')
    {
        return false;
    }
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let part = match part.split_once('.') {
            Some((part, fraction))
                if parts.peek().is_none()
                    && fraction
                        .bytes()
                        .all(|byte| byte.is_ascii_digit() || byte == b'_') =>
            {
                part
            }
            _ => part,
        };
        match part.as_bytes() {
            [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9'] => {}
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mode: Mode, texts: &[&str], want: Scalar) {
        for text in texts {
            assert_eq!(resolve(text, mode, Times::Seen), want, "{text}");
        }
    }

    #[test]
    fn version_two_reads_the_booleans_of_yaml_1_1() {
        check(
            Mode::GoYaml2,
            &["y", "Yes", "ON", "true"],
            Scalar::Bool(true),
        );
        check(
            Mode::GoYaml2,
            &["n", "No", "OFF", "False"],
            Scalar::Bool(false),
        );
        check(Mode::GoYaml3, &["y", "Yes", "ON", "no"], Scalar::Text);
        check(Mode::GoYaml2, &["yEs", "oN", "tRUE", "nULL"], Scalar::Text);
    }

    #[test]
    fn numbers_have_many_spellings() {
        check(
            Mode::GoYaml2,
            &["0o10", "010", "0x8", "0b1000", "8", "+8", "0_10_"],
            Scalar::Int(8),
        );
        check(Mode::GoYaml2, &["1_000"], Scalar::Int(1000));
        check(
            Mode::GoYaml2,
            &["08", "8.", "0_8", "8e0", "+8.0"],
            Scalar::Float(8.0),
        );
        check(
            Mode::GoYaml2,
            &["1:30", "0x", "1e999", "_1", "1.2.3", ".", "-", "1e"],
            Scalar::Text,
        );
    }

    #[test]
    fn times_are_recognised_as_go_parses_them() {
        check(
            Mode::GoYaml2,
            &[
                "2001-1-2",
                "2001-12-14t21:59:43.10-05:00",
                "2001-12-14 21:59:43",
                "2024-02-29",
            ],
            Scalar::Timestamp,
        );
        check(
            Mode::GoYaml2,
            &[
                "2001-13-1",
                "2023-02-29",
                "2001-12-14T21:59:43",
                "2001-12-14 21:59:43 -5",
            ],
            Scalar::Text,
        );
    }

    #[test]
    fn base_60_is_recognised() {
        for text in ["1:30", "12:30:45.5", "-1:0", "1_0:59."] {
            assert!(is_base60(text), "{text}");
        }
        for text in ["1:60", "1:", "a:30", "1.5:30", "1:123", "30"] {
            assert!(!is_base60(text), "{text}");
        }
    }
}
