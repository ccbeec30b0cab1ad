//! The formats of text that schemas may ask for, as a server of v1.35 checks them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;

use regex::Regex;

/// Formats that a pattern describes, without dashes in their names.
const PATTERNS: [(&str, &str); 17] = [
    ("hostname", r"^[a-zA-Z0-9\p{S}\p{L}]+$"),
    ("k8sshortname", "^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$"),
    (
        "k8slongname",
        "^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$",
    ),
    (
        "uuid",
        "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$",
    ),
    (
        "uuid3",
        "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$",
    ),
    (
        "uuid4",
        "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$",
    ),
    (
        "uuid5",
        "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$",
    ),
    (
        "mac",
        "^(?i)(?:[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}|[0-9a-f]{2}(?:[:-][0-9a-f]{2}){7}|[0-9a-f]{4}(?:\\.[0-9a-f]{4}){2,3})$",
    ),
    (
        "creditcard",
        r"^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$",
    ),
    ("ssn", r"^\d{3}[- ]?\d{2}[- ]?\d{4}$"),
    ("hexcolor", "^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"),
    (
        "rgbcolor",
        r"^rgb\(\s*(?:0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])(?:\s*,\s*(?:0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])){2}\s*\)$",
    ),
    (
        "byte",
        "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$",
    ),
    ("bsonobjectid", "^[0-9a-fA-F]{24}$"),
    (
        "email",
        r"^[^@\s<>()]+@[^@\s<>()]+$|^[^<>@]*<[^@\s<>]+@[^@\s<>]+>$",
    ),
    ("date", r"^\d{4}-\d{2}-\d{2}$"),
    (
        "datetime",
        r"^\d{4}-\d{2}-\d{2}[tT](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:.[0-9]+)?(?:[zZ]|[+-][0-9]{2}:[0-9]{2})$",
    ),
];

/// The patterns, compiled once for all schemas, each when the first text is matched.
static COMPILED: [OnceLock<Option<Regex>>; PATTERNS.len()] =
    [const { OnceLock::new() }; PATTERNS.len()];

/// One of [`PATTERNS`], by its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape(usize);

impl Shape {
    fn named(name: &str) -> Option<Shape> {
        let place = PATTERNS.iter().position(|(known, _)| *known == name);
        place.map(Shape)
    }

    fn is_match(self, text: &str) -> bool {
        let Shape(place) = self;
        let compiled = COMPILED[place].get_or_init(|| cel::regexp::compile(PATTERNS[place].1).ok());
        compiled.as_ref().is_some_and(|regex| regex.is_match(text))
    }
}

/// A known format.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    Pattern(Shape),
    /// A pattern and a longest length.
    Name(Shape, usize),
    /// A date, with what may follow it.
    Date(Shape),
    Uri,
    /// A pattern for the letters of a name.
    Hostname(Shape),
    Ipv4,
    Ipv6,
    Cidr,
    Duration,
    Isbn10,
    Isbn13,
    Isbn,
    Password,
}

impl Format {
    /// The format of a name; `None` when the server does not know it, and so does not check it.
    pub(crate) fn named(name: &str) -> Option<Format> {
        let name = name.replace('-', "");
        Some(match name.as_str() {
            "uri" => Format::Uri,
            "ipv4" => Format::Ipv4,
            "ipv6" => Format::Ipv6,
            "cidr" => Format::Cidr,
            "duration" => Format::Duration,
            "isbn10" => Format::Isbn10,
            "isbn13" => Format::Isbn13,
            "isbn" => Format::Isbn,
            "password" => Format::Password,
            other => {
                let shape = Shape::named(other)?;
                match other {
                    "hostname" => Format::Hostname(shape),
                    "k8sshortname" => Format::Name(shape, 63),
                    "k8slongname" => Format::Name(shape, 253),
                    "date" | "datetime" => Format::Date(shape),
                    _ => Format::Pattern(shape),
                }
            }
        })
    }

    /// Whether a text has the format.
    pub(crate) fn fits(&self, text: &str) -> bool {
        match self {
            Format::Pattern(pattern) => pattern.is_match(text),
            Format::Name(pattern, longest) => text.len() <= *longest && pattern.is_match(text),
            Format::Date(pattern) => pattern.is_match(text) && is_date(text),
            Format::Uri => cel::is_request_uri(text),
            Format::Hostname(letters) => is_hostname(text, *letters),
            Format::Ipv4 => ipv4(text).is_some(),
            Format::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Format::Cidr => is_cidr(text),
            Format::Duration => cel::parse_duration(text).is_ok() || is_scala_duration(text),
            Format::Isbn10 => is_isbn10(text),
            Format::Isbn13 => is_isbn13(text),
            Format::Isbn => is_isbn10(text) || is_isbn13(text),
            Format::Password => true,
        }
    }
}

/// Whether the first ten letters are a day of the calendar.
fn is_date(text: &str) -> bool {
    let part =
        |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse::<u32>().ok());
    let (Some(year), Some(month), Some(day)) = (part(0, 4), part(5, 7), part(8, 10)) else {
        return false;
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// A name of one label, with a dash behind its first letter at most, or of several, the last of
/// which has letters only (the real server's pattern).
fn is_hostname(text: &str, letters: Shape) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    let is_short = text.len() <= 255 && labels.iter().all(|label| label.len() <= 63);
    let Some((last, rest)) = labels.split_last() else {
        return false;
    };
    if rest.is_empty() {
        let mut tail = last.chars();
        let starts = tail
            .next()
            .is_some_and(|first| letters.is_match(&first.to_string()));
        let tail = tail.as_str();
        let tail = tail.strip_prefix('-').unwrap_or(tail);
        return is_short && starts && (tail.is_empty() || letters.is_match(tail));
    }
    let fits = |label: &&str| {
        let is_bordered = !label.starts_with('-') && !label.ends_with('-');
        is_bordered && letters.is_match(&label.replace('-', "a")) && !label.is_empty()
    };
    let is_top = last.chars().count() >= 2 && last.chars().all(char::is_alphabetic);
    is_short && is_top && rest.iter().all(fits)
}

/// An IPv4 address, whose numbers may have leading zeros.
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let numbers: Option<Vec<u8>> = text
        .split('.')
        .map(|part| {
            let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse().ok().filter(|_| is_number)
        })
        .collect();
    let numbers: [u8; 4] = numbers?.try_into().ok()?;
    Some(numbers.into())
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    let address = match ipv4(address) {
        Some(address) => IpAddr::V4(address),
        None => match address.parse() {
            Ok(address) => IpAddr::V6(address),
            Err(_) => return false,
        },
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    let is_number = length.bytes().all(|byte| byte.is_ascii_digit());
    is_number && length.parse::<u8>().is_ok_and(|length| length <= most)
}

/// `22 ns`, `3 days`: numbers and units with what is between them.
fn is_scala_duration(text: &str) -> bool {
    const UNITS: [&[&str]; 8] = [
        &["ns", "nano"],
        &["us", "µs", "micro"],
        &["ms", "milli"],
        &["s", "sec"],
        &["m", "min"],
        &["h", "hr", "hour"],
        &["d", "day"],
        &["w", "wk", "week"],
    ];
    let mut rest = text;
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let after = rest[start..].trim_start_matches(|letter: char| letter.is_ascii_digit());
        let after = after.trim_start();
        let end = after
            .find(|letter: char| !letter.is_ascii_alphabetic() && letter != 'µ')
            .unwrap_or(after.len());
        let unit = after[..end].to_lowercase();
        let known = UNITS.iter().any(|names| {
            let last = names.last().is_some_and(|last| unit.starts_with(last));
            last || names.contains(&unit.as_str())
        });
        if known {
            return true;
        }
        rest = after;
    }
    false
}

/// The digits of an ISBN without spaces and dashes.
fn digits(text: &str) -> Vec<char> {
    text.chars()
        .filter(|letter| !matches!(letter, ' ' | '-'))
        .collect()
}

fn is_isbn10(text: &str) -> bool {
    let letters = digits(text);
    let values: Option<Vec<u32>> = letters
        .iter()
        .enumerate()
        .map(|(index, letter)| match letter {
            'X' if index == 9 => Some(10),
            letter => letter.to_digit(10),
        })
        .collect();
    let Some(values) = values.filter(|values| values.len() == 10) else {
        return false;
    };
    let sum: u32 = (1..)
        .zip(values)
        .map(|(weight, value)| weight * value)
        .sum();
    sum.is_multiple_of(11)
}

fn is_isbn13(text: &str) -> bool {
    let values: Option<Vec<u32>> = digits(text)
        .iter()
        .map(|letter| letter.to_digit(10))
        .collect();
    let Some(values) = values.filter(|values| values.len() == 13) else {
        return false;
    };
    let weights = [1, 3].into_iter().cycle();
    let sum: u32 = weights
        .zip(values)
        .map(|(weight, value)| weight * value)
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: &str, text: &str, want: bool) {
        let format = Format::named(format).unwrap();
        assert_eq!(format.fits(text), want, "{format:?} {text}");
    }

    #[test]
    fn formats_are_told_apart() {
        check("date-time", "2024-01-01T00:00:00Z", true);
        check("date-time", "2024-02-30T00:00:00Z", false);
        check("duration", "22 ns", true);
        check("duration", "1h", true);
        check("duration", "x", false);
        check("uri", "://", false);
        check("uri", "https://a.b/c", true);
        check("ipv4", "010.1.1.1", true);
        check("cidr", "10.0.0.0/33", false);
        check("isbn", "978-0321751041", true);
        check("isbn10", "0321751043", true);
        check("byte", "*", false);
        check("k8s-short-name", "a-b", true);
        check("k8s-short-name", "A", false);
        check("hostname", "a.example.com", true);
        check("hostname", "a_b", false);
        check("hostname", "-a.com", false);
        assert!(Format::named("int32").is_none());
    }
}
