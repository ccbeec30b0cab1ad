//! Texts that are no UTF-8. Go's strings are bytes; ours are characters.
//!
//! A byte that is no part of a character is kept as a private character, so that a binary file can
//! pass through a template to `b64enc`. It is turned into U+FFFD where a text leaves the execution.

use std::borrow::Cow;

use crate::value::Text;

/// The character that would stand for byte 0: those of 128 and more are private characters of the
/// last plane.
const FIRST: u32 = 0x0010_FE00;

/// The character that carries a byte.
fn carrier(byte: u8) -> char {
    char::from_u32(FIRST + u32::from(byte)).expect("a private character")
}

/// The byte that a character carries.
pub fn carried(it: char) -> Option<u8> {
    u32::from(it)
        .checked_sub(FIRST)
        .and_then(|code| u8::try_from(code).ok())
        .filter(|byte| !byte.is_ascii())
}

/// Whether a text has bytes that are no UTF-8.
fn has_carriers(text: &str) -> bool {
    // All carriers begin with these bytes, and few other characters do.
    let mut rest = text.as_bytes();
    while let Some(at) = memchr::memchr(0xF4, rest) {
        if matches!(rest.get(at + 1..at + 3), Some([0x8F, 0xBA..=0xBB])) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

/// Bytes as a text.
#[must_use]
pub fn text_of_bytes(bytes: &[u8]) -> Text {
    string_of(bytes).into()
}

/// Bytes as a text that can grow.
#[must_use]
pub fn string_of(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let mut text = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| carrier(*byte)));
    }
    text
}

/// A text as Go's bytes.
pub fn bytes_of_text(text: &str) -> Cow<'_, [u8]> {
    if !has_carriers(text) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    for it in text.chars() {
        match carried(it) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(it.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

/// A text as others may see it: U+FFFD for each byte that is no character.
pub fn shown(text: String) -> String {
    if !has_carriers(&text) {
        return text;
    }
    let plain = |it: char| match carried(it) {
        Some(_) => char::REPLACEMENT_CHARACTER,
        None => it,
    };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], want: &str) {
        let text = text_of_bytes(bytes);
        assert_eq!(bytes_of_text(&text), bytes);
        assert_eq!(shown(text.to_string()), want);
    }

    #[test]
    fn bytes_survive_as_text() {
        check(b"plain", "plain");
        check("é世😀".as_bytes(), "é世😀");
        check(&[0xff, b'a', 0xc3], "\u{fffd}a\u{fffd}");
        check("\u{10ff01}".as_bytes(), "\u{10ff01}");
    }
}
