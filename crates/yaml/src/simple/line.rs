//! What stands on one line of a simple text: spaces, keys, scalars, comments.
//!
//! Each function looks at a part of a line and says what it is and where it ends, or that the full
//! parser has to be asked. It must never know which collections are open, nor other lines.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memchr3};

use super::{MAX_KEY, NotSimple, Step};
use crate::events::Style;

/// How many spaces a text begins with.
pub(super) fn n_spaces(text: impl AsRef<[u8]>) -> usize {
    const SPACES: [u8; 8] = [b' '; 8];
    let (chunks, rest) = text.as_ref().as_chunks();
    let mut n_spaces = 0;
    for chunk in chunks {
        let other = u64::from_le_bytes(*chunk) ^ u64::from_le_bytes(SPACES);
        if other != 0 {
            return n_spaces + other.trailing_zeros() as usize / 8;
        }
        n_spaces += SPACES.len();
    }
    n_spaces + rest.iter().take_while(|byte| **byte == b' ').count()
}

pub(super) fn is_dash(content: &str) -> bool {
    matches!(content.as_bytes(), [b'-'] | [b'-', b' ', ..])
}

/// Whether nothing but a comment follows.
pub(super) fn only_comment(rest: &str) -> Step {
    let text = &rest[n_spaces(rest)..];
    if text.is_empty() || text.starts_with('#') && text.len() < rest.len() {
        return Ok(());
    }
    Err(NotSimple)
}

/// A key, how it is written and where its colon is; `None` when the text is no key.
pub(super) fn split_key(content: &str) -> Step<Option<(&str, Style, usize)>> {
    let (key, style, end) = match content.as_bytes()[0] {
        b'"' | b'\'' => match quoted(content)? {
            (_, None) => return Ok(None),
            (Cow::Borrowed(text), Some(len)) if content[len..].starts_with(':') => {
                (text, Style::Quoted, len)
            }
            (_, Some(len)) if only_comment(&content[len..]).is_ok() => return Ok(None),
            _ => return Err(NotSimple),
        },
        // No key as long as nothing but a comment follows, which is seen where values are read.
        b'[' | b'{' => return Ok(None),
        first => match find_colon(content) {
            // What may stand behind a dash is judged where values are.
            None => return Ok(None),
            Some((_, Between::Other)) => return Err(NotSimple),
            Some(_) if is_indicator(first) => return Err(NotSimple),
            Some((end, Between::Text)) => (content[..end].trim_end_matches(' '), Style::Plain, end),
        },
    };
    if !matches!(content.as_bytes().get(end + 1), None | Some(b' ')) {
        return Err(NotSimple);
    }
    if end > MAX_KEY || style == Style::Quoted && key.contains('\t') {
        return Err(NotSimple);
    }
    Ok(Some((key, style, end)))
}

/// What stands before the colon of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Between {
    Text,
    /// A tab, or what may be a comment.
    Other,
}

/// The first colon with a space or the end of the line behind it.
fn find_colon(content: &str) -> Option<(usize, Between)> {
    let bytes = content.as_bytes();
    let mut between = Between::Text;
    let mut before = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b':' if matches!(bytes.get(at + 1), None | Some(b' ')) => return Some((at, between)),
            b'\t' => between = Between::Other,
            b'#' if before == b' ' => between = Between::Other,
            _ => {}
        }
        before = *byte;
    }
    None
}

/// Whether a plain scalar may not begin with this byte, or only sometimes.
pub(super) fn is_indicator(byte: u8) -> bool {
    matches!(
        byte,
        b'?' | b':'
            | b','
            | b'['
            | b']'
            | b'{'
            | b'}'
            | b'#'
            | b'&'
            | b'*'
            | b'!'
            | b'|'
            | b'>'
            | b'\''
            | b'"'
            | b'%'
            | b'@'
            | b'`'
            | b'\t'
    )
}

/// The text of a plain scalar on one line, and whether a comment ends it.
pub(super) fn plain_line(content: &str) -> Step<(&str, bool)> {
    let bytes = content.as_bytes();
    let mut from = 0;
    while let Some(found) = memchr3(b'\t', b':', b'#', &bytes[from..]) {
        let at = from + found;
        match bytes[at] {
            b'\t' => return Err(NotSimple),
            b':' if matches!(bytes.get(at + 1), None | Some(b' ')) => return Err(NotSimple),
            b'#' if at > 0 && bytes[at - 1] == b' ' => {
                return Ok((content[..at].trim_end_matches(' '), true));
            }
            _ => from = at + 1,
        }
    }
    Ok((content.trim_end_matches(' '), false))
}

/// The text of a quoted scalar on this line, and its length with the quotes if it ends there.
pub(super) fn quoted(content: &str) -> Step<(Cow<'_, str>, Option<usize>)> {
    let (text, len) = unquoted(&content[1..], content.as_bytes()[0])?;
    Ok((text, len.map(|len| len + 1)))
}

/// The text up to a quote, and its length with the quote; without one, all of it.
pub(super) fn unquoted(content: &str, quote: u8) -> Step<(Cow<'_, str>, Option<usize>)> {
    match quote {
        b'"' => double_quoted(content),
        _ => Ok(single_quoted(content)),
    }
}

fn single_quoted(content: &str) -> (Cow<'_, str>, Option<usize>) {
    let bytes = content.as_bytes();
    let mut doubled = false;
    let mut from = 0;
    let end = loop {
        match memchr(b'\'', &bytes[from..]).map(|at| from + at) {
            Some(at) if bytes.get(at + 1) == Some(&b'\'') => {
                doubled = true;
                from = at + 2;
            }
            end => break end,
        }
    };
    let text = &content[..end.unwrap_or(content.len())];
    let text = match doubled {
        true => Cow::Owned(text.replace("''", "'")),
        false => Cow::Borrowed(text),
    };
    (text, end.map(|end| end + 1))
}

/// Of the escapes, those that are frequent.
fn double_quoted(content: &str) -> Step<(Cow<'_, str>, Option<usize>)> {
    let bytes = content.as_bytes();
    let mut text = Cow::Borrowed("");
    let mut from = 0;
    loop {
        let end = memchr2(b'"', b'\\', &bytes[from..]).map(|at| from + at);
        let part = &content[from..end.unwrap_or(content.len())];
        match &mut text {
            Cow::Borrowed("") => text = Cow::Borrowed(part),
            text => text.to_mut().push_str(part),
        }
        let Some(at) = end.filter(|at| bytes[*at] == b'\\') else {
            return Ok((text, end.map(|end| end + 1)));
        };
        text.to_mut().push(match bytes.get(at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'n') => '\n',
            Some(b't') => '\t',
            _ => return Err(NotSimple),
        });
        from = at + 2;
    }
}

/// Goes from behind an entry in brackets to the next one, or to the bracket that closes them.
pub(super) fn behind_entry(line: &str, end: usize, close: u8) -> Step<usize> {
    let at = end + n_spaces(&line[end..]);
    match line.as_bytes().get(at) {
        Some(b',') => Ok(at + 1),
        Some(byte) if *byte == close => Ok(at),
        _ => Err(NotSimple),
    }
}

/// A scalar in brackets on one line: quoted, or of letters, digits and `_./*-` without a sign of
/// anything else.
pub(super) fn flow_scalar(rest: &str) -> Step<(Cow<'_, str>, Style, usize)> {
    if rest.starts_with(['"', '\'']) {
        let (text, len) = quoted(rest)?;
        return Ok((text, Style::Quoted, len.ok_or(NotSimple)?));
    }
    let is_plain =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'-');
    let len = rest.bytes().take_while(|byte| is_plain(byte)).count();
    if len == 0 || is_dash(&rest[..len]) {
        return Err(NotSimple);
    }
    Ok((Cow::Borrowed(&rest[..len]), Style::Plain, len))
}
