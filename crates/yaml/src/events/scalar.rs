//! Scalars that lines may be folded in: plain ones and those in quotes.
//!
//! Read [`plain`] first. A text that means what stands in the source is borrowed from there. This
//! module must never know what a scalar means.

use std::borrow::Cow;

use super::Style;
use super::cursor::{Cursor, Mark};
use super::token::{Token, Word};
use crate::error::Error;

/// The text of a scalar: what is ready, and from where the source goes on as it is.
struct Pieces<'a> {
    source: &'a str,
    ready: String,
    from: usize,
}

impl<'a> Pieces<'a> {
    fn new(cursor: &Cursor<'a>) -> Self {
        Pieces {
            source: cursor.text(),
            ready: String::new(),
            from: cursor.at(),
        }
    }

    /// Takes the source up to a byte. It goes on where [`Pieces::from`] is set to.
    fn take(&mut self, to: usize) {
        self.ready.push_str(&self.source[self.from..to]);
        self.from = to;
    }

    fn finish(mut self, to: usize) -> Cow<'a, str> {
        if self.ready.is_empty() {
            return Cow::Borrowed(&self.source[self.from..to]);
        }
        self.take(to);
        Cow::Owned(self.ready)
    }
}

/// The line breaks between two lines of a scalar.
#[derive(Default)]
struct Breaks {
    /// Whether there is one at all.
    crossed: bool,
    /// What the first one means; nothing where it is escaped.
    first: &'static str,
    more: String,
}

impl Breaks {
    fn add(&mut self, meaning: &'static str) {
        if self.crossed {
            self.more.push_str(meaning);
        } else {
            self.first = meaning;
            self.crossed = true;
        }
    }

    /// One line break is a space; of several the first is left out.
    fn fold_into(&mut self, text: &mut String) {
        match self.first {
            "\n" if self.more.is_empty() => text.push(' '),
            "\n" => {}
            first => text.push_str(first),
        }
        text.push_str(&self.more);
        *self = Breaks::default();
    }
}

/// Where a plain scalar stands.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// In brackets.
    Flow,
    /// Outside of them.
    Block,
}

/// A plain scalar that goes on in lines which are indented by at least `indent`, and whether it
/// ended at the end of a line.
pub(super) fn plain<'a>(
    cursor: &mut Cursor<'a>,
    place: Place,
    indent: usize,
) -> Result<(Word<'a>, bool), Error> {
    let start = cursor.mark();
    let mut end = start;
    let mut pieces = Pieces::new(cursor);
    let mut breaks = Breaks::default();
    while cursor.byte(0) != b'#' && !cursor.at_document_marker() {
        let len = plain_len(cursor, place);
        if len > 0 {
            if breaks.crossed {
                pieces.take(end.at);
                breaks.fold_into(&mut pieces.ready);
                pieces.from = cursor.at();
            }
            cursor.skip(len);
            end = cursor.mark();
        }
        if !cursor.is_blank(0) && !cursor.is_break(0) {
            break;
        }
        loop {
            if cursor.is_break(0) {
                breaks.add(cursor.skip_break());
            } else if cursor.is_blank(0) {
                if breaks.crossed && cursor.byte(0) == b'\t' && cursor.column() < indent {
                    return Err(
                        cursor.fault("found a tab character that violates indentation", start)
                    );
                }
                cursor.skip(1);
            } else {
                break;
            }
        }
        if matches!(place, Place::Block) && cursor.column() < indent {
            break;
        }
    }
    let token = Token::Scalar(pieces.finish(end.at), Style::Plain);
    Ok((Word { token, start, end }, breaks.crossed))
}

/// How many bytes of a plain scalar stand here before a gap or its end.
fn plain_len(cursor: &Cursor<'_>, place: Place) -> usize {
    let mut len = 0;
    loop {
        let ends = match cursor.byte(len) {
            b':' => cursor.is_gap(len + 1),
            b',' | b'?' | b'[' | b']' | b'{' | b'}' => matches!(place, Place::Flow),
            _ => cursor.is_gap(len),
        };
        if ends {
            return len;
        }
        len += 1;
    }
}

/// A scalar in the quotes that begin here.
pub(super) fn quoted<'a>(cursor: &mut Cursor<'a>) -> Result<Word<'a>, Error> {
    let start = cursor.mark();
    let quote = cursor.byte(0);
    cursor.skip(1);
    let mut pieces = Pieces::new(cursor);
    loop {
        if cursor.at_document_marker() {
            return Err(cursor.fault("found unexpected document indicator", start));
        }
        if cursor.is_end(0) {
            return Err(cursor.fault("found unexpected end of stream", start));
        }
        let mut breaks = quoted_words(cursor, quote, &mut pieces, start)?;
        if cursor.byte(0) == quote {
            break;
        }
        let line_end = cursor.at();
        while cursor.is_gap(0) && !cursor.is_end(0) {
            if cursor.is_break(0) {
                breaks.add(cursor.skip_break());
            } else {
                cursor.skip(1);
            }
        }
        if breaks.crossed {
            pieces.take(line_end);
            breaks.fold_into(&mut pieces.ready);
            pieces.from = cursor.at();
        }
    }
    let text = pieces.finish(cursor.at());
    cursor.skip(1);
    Ok(Word {
        token: Token::Scalar(text, Style::Quoted),
        start,
        end: cursor.mark(),
    })
}

/// Goes to the next gap or the closing quote; gives the line break if an escaped one stood before.
fn quoted_words(
    cursor: &mut Cursor<'_>,
    quote: u8,
    pieces: &mut Pieces<'_>,
    start: Mark,
) -> Result<Breaks, Error> {
    let mut breaks = Breaks::default();
    loop {
        let mut len = 0;
        while !cursor.is_gap(len) && !matches!(cursor.byte(len), b'\\' | b'\'' | b'"') {
            len += 1;
        }
        cursor.skip(len);
        match (cursor.byte(0), quote) {
            (b'\'', b'\'') if cursor.byte(1) == b'\'' => {
                pieces.take(cursor.at() + 1);
                cursor.skip(2);
                pieces.from = cursor.at();
            }
            (b'\\', b'"') => {
                pieces.take(cursor.at());
                if cursor.is_break(1) {
                    cursor.skip(1);
                    cursor.skip_break();
                    pieces.from = cursor.at();
                    breaks.add("");
                    return Ok(breaks);
                }
                pieces.ready.push(escaped(cursor, start)?);
                pieces.from = cursor.at();
            }
            (b'\\', _) | (b'\'', b'"') | (b'"', b'\'') => cursor.skip(1),
            _ => return Ok(breaks),
        }
    }
}

/// The character that a backslash and what follows it stand for.
fn escaped(cursor: &mut Cursor<'_>, start: Mark) -> Result<char, Error> {
    let (found, n_digits) = match cursor.byte(1) {
        b'0' => ('\0', 0),
        b'a' => ('\u{7}', 0),
        b'b' => ('\u{8}', 0),
        b't' | b'\t' => ('\t', 0),
        b'n' => ('\n', 0),
        b'v' => ('\u{b}', 0),
        b'f' => ('\u{c}', 0),
        b'r' => ('\r', 0),
        b'e' => ('\u{1b}', 0),
        b' ' => (' ', 0),
        b'"' => ('"', 0),
        b'\'' => ('\'', 0),
        b'\\' => ('\\', 0),
        b'N' => ('\u{85}', 0),
        b'_' => ('\u{a0}', 0),
        b'L' => ('\u{2028}', 0),
        b'P' => ('\u{2029}', 0),
        b'x' => ('\0', 2),
        b'u' => ('\0', 4),
        b'U' => ('\0', 8),
        _ => return Err(cursor.fault("found unknown escape character", start)),
    };
    cursor.skip(2);
    if n_digits == 0 {
        return Ok(found);
    }
    let mut code = 0;
    for ahead in 0..n_digits {
        let Some(digit) = char::from(cursor.byte(ahead)).to_digit(16) else {
            return Err(cursor.fault("did not find expected hexdecimal number", start));
        };
        code = code << 4 | digit;
    }
    let found = char::from_u32(code)
        .ok_or_else(|| cursor.fault("found invalid Unicode character escape code", start))?;
    cursor.skip(n_digits);
    Ok(found)
}
