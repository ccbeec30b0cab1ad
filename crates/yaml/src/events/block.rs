//! Block scalars: literal (`|`) and folded (`>`) ones.
//!
//! Read [`block`] first. This module must never know what a scalar means.

use std::borrow::Cow;

use super::Style;
use super::cursor::{Cursor, Mark};
use super::token::{Token, Word};
use crate::error::Error;

/// What becomes of the line breaks at the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    /// `-`: none stays.
    Strip,
    /// The first one stays.
    Clip,
    /// `+`: all stay.
    Keep,
}

/// The lines of a block scalar while they are read.
struct Lines<'c, 'a> {
    cursor: &'c mut Cursor<'a>,
    start: Mark,
    /// The end of what belongs to the scalar.
    end: Mark,
    /// Columns that do not belong to the text; `None` until the first line shows them.
    indent: Option<usize>,
    /// The fewest that they can be.
    least: usize,
    /// The breaks of empty lines.
    breaks: String,
}

/// A block scalar below a node that is indented by `parent`; `None` for the top of a document.
pub(super) fn block<'a>(cursor: &mut Cursor<'a>, parent: Option<usize>) -> Result<Word<'a>, Error> {
    let start = cursor.mark();
    let is_literal = cursor.byte(0) == b'|';
    cursor.skip(1);
    let (chomping, increment) = header(cursor, start)?;
    if !cursor.skip_to_line_end() {
        return Err(cursor.fault("did not find expected comment or line break", start));
    }
    cursor.skip_break();
    let mut lines = Lines {
        start,
        end: cursor.mark(),
        indent: increment.map(|more| parent.unwrap_or(0) + more),
        least: parent.map_or(1, |parent| parent + 1),
        breaks: String::new(),
        cursor,
    };
    let text = lines.text(is_literal, chomping)?;
    let end = lines.end;
    let token = Token::Scalar(Cow::Owned(text), Style::Block);
    Ok(Word { token, start, end })
}

/// The marks behind `|` or `>`, in either order: chomping, and how far the text is indented.
fn header(cursor: &mut Cursor<'_>, start: Mark) -> Result<(Chomping, Option<usize>), Error> {
    let mut chomping = None;
    let mut increment = None;
    loop {
        match cursor.byte(0) {
            b'+' if chomping.is_none() => chomping = Some(Chomping::Keep),
            b'-' if chomping.is_none() => chomping = Some(Chomping::Strip),
            b'0' if increment.is_none() => {
                return Err(cursor.fault("found an indentation indicator equal to 0", start));
            }
            digit @ b'1'..=b'9' if increment.is_none() => {
                increment = Some(usize::from(digit - b'0'));
            }
            _ => return Ok((chomping.unwrap_or(Chomping::Clip), increment)),
        }
        cursor.skip(1);
    }
}

impl Lines<'_, '_> {
    fn text(&mut self, is_literal: bool, chomping: Chomping) -> Result<String, Error> {
        let mut text = String::new();
        let mut line_break = "";
        let mut after_blank = false;
        self.skip_empty_lines()?;
        while Some(self.cursor.column()) == self.indent && !self.cursor.is_end(0) {
            let is_blank = self.cursor.is_blank(0);
            if is_literal || after_blank || is_blank || line_break != "\n" {
                text.push_str(line_break);
            } else if self.breaks.is_empty() {
                text.push(' ');
            }
            text.push_str(&self.breaks);
            self.breaks.clear();
            after_blank = is_blank;
            text.push_str(self.cursor.skip_line_text());
            line_break = self.cursor.skip_break();
            self.skip_empty_lines()?;
        }
        if chomping != Chomping::Strip {
            text.push_str(line_break);
        }
        if chomping == Chomping::Keep {
            text.push_str(&self.breaks);
        }
        Ok(text)
    }

    /// Goes behind empty lines, and behind the indentation of the next one.
    fn skip_empty_lines(&mut self) -> Result<(), Error> {
        self.end = self.cursor.mark();
        let mut widest = 0;
        loop {
            while self.is_in_indent() && self.cursor.byte(0) == b' ' {
                self.cursor.skip(1);
            }
            widest = widest.max(self.cursor.column());
            if self.is_in_indent() && self.cursor.byte(0) == b'\t' {
                let problem = "found a tab character where an indentation space is expected";
                return Err(self.cursor.fault(problem, self.start));
            }
            if !self.cursor.is_break(0) {
                break;
            }
            self.breaks.push_str(self.cursor.skip_break());
            self.end = self.cursor.mark();
        }
        self.indent.get_or_insert(widest.max(self.least));
        Ok(())
    }

    fn is_in_indent(&self) -> bool {
        self.indent
            .is_none_or(|indent| self.cursor.column() < indent)
    }
}
