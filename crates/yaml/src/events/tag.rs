//! Names and tags of nodes, and the directives of a document.
//!
//! Read [`tag`] first. This module must never know what a tag means.

use std::borrow::Cow;

use super::cursor::{Cursor, Mark};
use super::token::{Token, Word};
use crate::error::Error;

/// The characters of names.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// The characters of tags beside percent signs.
fn is_tag(byte: u8) -> bool {
    is_name(byte) || b";/?:@&=+$,.!~*'()[]".contains(&byte)
}

/// The name of an anchor or alias behind the mark that stands here.
pub(super) fn name<'a>(
    cursor: &mut Cursor<'a>,
    token: impl FnOnce(&'a str) -> Token<'a>,
) -> Result<Word<'a>, Error> {
    let start = cursor.mark();
    cursor.skip(1);
    let name = cursor.skip_while(is_name);
    if name.is_empty() || !cursor.is_gap(0) && !b"?:,]}%@`".contains(&cursor.byte(0)) {
        let problem = "did not find expected alphabetic or numeric character";
        return Err(cursor.fault(problem, start));
    }
    Ok(Word {
        token: token(name),
        start,
        end: cursor.mark(),
    })
}

/// The tag that begins here.
pub(super) fn tag<'a>(cursor: &mut Cursor<'a>) -> Result<Word<'a>, Error> {
    let start = cursor.mark();
    let (handle, suffix) = if cursor.byte(1) == b'<' {
        cursor.skip(2);
        let whole = suffix(cursor, cursor.at(), start)?;
        if cursor.byte(0) != b'>' {
            return Err(cursor.fault("did not find the expected '>'", start));
        }
        cursor.skip(1);
        ("", whole)
    } else {
        match handle(cursor) {
            "!" if !is_tag(cursor.byte(0)) && cursor.byte(0) != b'%' => ("", Cow::Borrowed("!")),
            handle if handle.len() > 1 && handle.ends_with('!') => {
                (handle, suffix(cursor, cursor.at(), start)?)
            }
            // What looked like the begin of a handle belongs to the suffix.
            _ => ("!", suffix(cursor, start.at + 1, start)?),
        }
    };
    if !cursor.is_gap(0) {
        return Err(cursor.fault("did not find expected whitespace or line break", start));
    }
    Ok(Word {
        token: Token::Tag(handle, suffix),
        start,
        end: cursor.mark(),
    })
}

/// `!`, `!!` or `!name!`, or `!name` without its end; nothing without a `!`.
fn handle<'a>(cursor: &mut Cursor<'a>) -> &'a str {
    let start = cursor.at();
    if cursor.byte(0) == b'!' {
        cursor.skip(1);
        cursor.skip_while(is_name);
        if cursor.byte(0) == b'!' {
            cursor.skip(1);
        }
    }
    &cursor.text()[start..cursor.at()]
}

/// The characters of a tag from the byte `from` on, which may lie before this place.
fn suffix<'a>(cursor: &mut Cursor<'a>, from: usize, start: Mark) -> Result<Cow<'a, str>, Error> {
    cursor.skip_while(is_tag);
    let plain = &cursor.text()[from..cursor.at()];
    if cursor.byte(0) != b'%' {
        return match plain {
            "" => Err(cursor.fault("did not find expected tag URI", start)),
            _ => Ok(Cow::Borrowed(plain)),
        };
    }
    let mut bytes = plain.as_bytes().to_vec();
    while cursor.byte(0) == b'%' {
        escaped(cursor, &mut bytes, start)?;
        bytes.extend_from_slice(cursor.skip_while(is_tag).as_bytes());
    }
    Ok(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
}

/// A character whose bytes are each written as `%` and two digits.
fn escaped(cursor: &mut Cursor<'_>, bytes: &mut Vec<u8>, start: Mark) -> Result<(), Error> {
    let mut left = None;
    while left != Some(0) {
        let digit = |ahead| char::from(cursor.byte(ahead)).to_digit(16);
        let (b'%', Some(high), Some(low)) = (cursor.byte(0), digit(1), digit(2)) else {
            return Err(cursor.fault("did not find URI escaped octet", start));
        };
        let byte = u8::try_from(high << 4 | low).expect("two digits are one byte");
        let n_bytes = match (left, byte) {
            (Some(left), 0x80..=0xbf) => left,
            (Some(_), _) => {
                return Err(cursor.fault("found an incorrect trailing UTF-8 octet", start));
            }
            (None, 0..=0x7f) => 1,
            (None, 0xc0..=0xdf) => 2,
            (None, 0xe0..=0xef) => 3,
            (None, 0xf0..=0xf7) => 4,
            (None, _) => {
                return Err(cursor.fault("found an incorrect leading UTF-8 octet", start));
            }
        };
        bytes.push(byte);
        cursor.skip(3);
        left = Some(n_bytes - 1);
    }
    Ok(())
}

/// The directive that begins here, up to the next line.
pub(super) fn directive<'a>(cursor: &mut Cursor<'a>) -> Result<Word<'a>, Error> {
    let start = cursor.mark();
    cursor.skip(1);
    let name = cursor.skip_while(is_name);
    if name.is_empty() {
        return Err(cursor.fault("could not find expected directive name", start));
    }
    if !cursor.is_gap(0) {
        return Err(cursor.fault("found unexpected non-alphabetical character", start));
    }
    let token = match name {
        "YAML" => version(cursor, start)?,
        "TAG" => prefix(cursor, start)?,
        _ => return Err(cursor.fault("found unknown directive name", start)),
    };
    let end = cursor.mark();
    if !cursor.skip_to_line_end() {
        return Err(cursor.fault("did not find expected comment or line break", start));
    }
    cursor.skip_break();
    Ok(Word { token, start, end })
}

fn version<'a>(cursor: &mut Cursor<'a>, start: Mark) -> Result<Token<'a>, Error> {
    cursor.skip_blanks();
    let major = version_number(cursor, start)?;
    if cursor.byte(0) != b'.' {
        return Err(cursor.fault("did not find expected digit or '.' character", start));
    }
    cursor.skip(1);
    Ok(Token::Version(major, version_number(cursor, start)?))
}

/// One or two digits.
fn version_number(cursor: &mut Cursor<'_>, start: Mark) -> Result<u8, Error> {
    let mut number = None;
    for n_before in 0.. {
        let digit = cursor.byte(0);
        if !digit.is_ascii_digit() {
            break;
        }
        if n_before == 2 {
            return Err(cursor.fault("found extremely long version number", start));
        }
        number = Some(number.unwrap_or(0) * 10 + (digit - b'0'));
        cursor.skip(1);
    }
    number.ok_or_else(|| cursor.fault("did not find expected version number", start))
}

fn prefix<'a>(cursor: &mut Cursor<'a>, start: Mark) -> Result<Token<'a>, Error> {
    cursor.skip_blanks();
    let handle = handle(cursor);
    if handle.is_empty() || handle.len() > 1 && !handle.ends_with('!') {
        return Err(cursor.fault("did not find expected '!'", start));
    }
    if !cursor.is_blank(0) {
        return Err(cursor.fault("did not find expected whitespace", start));
    }
    cursor.skip_blanks();
    let prefix = suffix(cursor, cursor.at(), start)?;
    if !cursor.is_gap(0) {
        return Err(cursor.fault("did not find expected whitespace or line break", start));
    }
    Ok(Token::TagPrefix(handle, prefix))
}
