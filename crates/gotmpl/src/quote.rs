//! Quoted texts, as Go's `strconv` writes and reads them.

use std::fmt::Write as _;

/// The error text of everything that cannot be read.
pub(crate) const INVALID: &str = "invalid syntax";

/// A text in double quotes, everything unprintable escaped.
#[must_use]
pub fn quote(text: &str) -> String {
    let is_itself = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    match text.bytes().all(is_itself) {
        true => format!("\"{text}\""),
        false => quote_with(text, '"', is_printable),
    }
}

/// As [`quote()`], with everything beyond ASCII escaped.
pub(crate) fn quote_ascii(text: &str) -> String {
    quote_with(text, '"', |it| it.is_ascii() && is_printable(it))
}

/// A character in single quotes.
pub(crate) fn quote_char(it: char, is_plain: fn(char) -> bool) -> String {
    quote_with(it.encode_utf8(&mut [0; 4]), '\'', is_plain)
}

fn quote_with(text: &str, mark: char, is_plain: fn(char) -> bool) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(mark);
    for it in text.chars() {
        if let Some(byte) = crate::bytes::carried(it) {
            let written = write!(quoted, "\\x{byte:02x}");
            debug_assert!(written.is_ok(), "a String takes everything");
            continue;
        }
        match it {
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            '\\' => quoted.push_str("\\\\"),
            _ if it == mark => {
                quoted.push('\\');
                quoted.push(it);
            }
            _ if is_plain(it) => quoted.push(it),
            _ => escape(&mut quoted, it),
        }
    }
    quoted.push(mark);
    quoted
}

fn escape(quoted: &mut String, it: char) {
    let code = u32::from(it);
    let written = match code {
        0..=0x1f | 0x7f => write!(quoted, "\\x{code:02x}"),
        0x80..=0xffff => write!(quoted, "\\u{code:04x}"),
        _ => write!(quoted, "\\U{code:08x}"),
    };
    debug_assert!(written.is_ok(), "a String takes everything");
}

/// Whether Go prints a character as it is: letters, marks, numbers, punctuation, symbols and the
/// plain space.
pub(crate) fn is_printable(it: char) -> bool {
    if it.is_ascii() {
        return (' '..='~').contains(&it);
    }
    // The standard library keeps such a table for its debug output; the letter in front keeps it
    // from escaping marks that combine.
    ['a', it].iter().collect::<String>().escape_debug().count() == 2
}

/// The text of a Go literal in double quotes or backquotes.
pub(crate) fn unquote(literal: &str) -> Result<String, String> {
    let invalid = || INVALID.to_owned();
    let inside = |mark: char| {
        let inside = literal.strip_prefix(mark)?.strip_suffix(mark)?;
        (literal.len() >= 2).then_some(inside)
    };
    if let Some(raw) = inside('`') {
        return Ok(raw.replace('\r', ""));
    }
    let mut rest = inside('"').ok_or_else(invalid)?;
    let mut bytes = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let (part, behind) = unquote_one(rest, '"').ok_or_else(invalid)?;
        match part {
            Part::Char(it) => bytes.extend_from_slice(it.encode_utf8(&mut [0; 4]).as_bytes()),
            Part::Byte(byte) => bytes.push(byte),
        }
        rest = behind;
    }
    Ok(crate::bytes::string_of(&bytes))
}

/// What one character of a literal stands for.
pub(crate) enum Part {
    Char(char),
    Byte(u8),
}

/// Reads one character of a literal in these quotes; gives what is behind it.
pub(crate) fn unquote_one(text: &str, mark: char) -> Option<(Part, &str)> {
    let mut chars = text.chars();
    let first = chars.next()?;
    if first == mark {
        return None;
    }
    if first != '\\' {
        return Some((Part::Char(first), chars.as_str()));
    }
    let kind = chars.next()?;
    let rest = chars.as_str();
    let plain = match kind {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '\\' => '\\',
        '\'' | '"' if kind == mark => kind,
        'x' => return number(rest, 2, 16).and_then(byte),
        'u' => return number(rest, 4, 16).and_then(character),
        'U' => return number(rest, 8, 16).and_then(character),
        '0'..='7' => return number(&text[1..], 3, 8).and_then(byte),
        _ => return None,
    };
    Some((Part::Char(plain), rest))
}

fn number(text: &str, n_digits: usize, radix: u32) -> Option<(u32, &str)> {
    let digits = text.get(..n_digits)?;
    if !digits.chars().all(|it| it.is_digit(radix)) {
        return None;
    }
    Some((u32::from_str_radix(digits, radix).ok()?, &text[n_digits..]))
}

fn byte((code, rest): (u32, &str)) -> Option<(Part, &str)> {
    Some((Part::Byte(u8::try_from(code).ok()?), rest))
}

fn character((code, rest): (u32, &str)) -> Option<(Part, &str)> {
    Some((Part::Char(char::from_u32(code)?), rest))
}
