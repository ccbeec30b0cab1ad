//! Where the scanner stands in the text, and what stands there.
//!
//! Read [`Cursor`] first. It knows characters and line breaks, as YAML 1.1 has them. It must never
//! know what a character means in YAML.

use crate::error::{Cause, Error, Position};
use crate::simple::Source;

/// A place in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// The byte.
    pub(super) at: usize,
    /// The line, from 0, lines above the text included.
    pub(super) line: u32,
    /// The column in characters, from 0.
    pub(super) column: usize,
}

impl Mark {
    pub(super) fn position(self) -> Position {
        Position {
            line: self.line.saturating_add(1),
            column: u32::try_from(self.column)
                .unwrap_or(u32::MAX)
                .saturating_add(1),
        }
    }
}

/// A place that moves through a text.
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    line_start: usize,
    /// Bytes of the line so far that only continue a character.
    continuations: usize,
    /// Whether a line break is read behind the last byte.
    closes_line: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(source: Source<'a>) -> Self {
        let text = source.text;
        let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
        Cursor {
            text,
            at: start,
            line: source.lines_before,
            line_start: start,
            continuations: 0,
            closes_line: source.last_line_closed && !text.ends_with('\n'),
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            at: self.at,
            line: self.line,
            column: self.column(),
        }
    }

    pub(super) fn column(&self) -> usize {
        self.at - self.line_start - self.continuations
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The whole text.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// What is left of the text.
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The byte that stands so many bytes ahead; 0 behind the end. (Texts have no such byte.)
    pub(super) fn byte(&self, ahead: usize) -> u8 {
        match self.text.as_bytes().get(self.at + ahead) {
            Some(byte) => *byte,
            None if self.closes_line && self.at + ahead == self.text.len() => b'\n',
            None => 0,
        }
    }

    pub(super) fn is_end(&self, ahead: usize) -> bool {
        self.byte(ahead) == 0
    }

    pub(super) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\t')
    }

    pub(super) fn is_break(&self, ahead: usize) -> bool {
        match self.byte(ahead) {
            b'\n' | b'\r' => true,
            0xc2 => self.byte(ahead + 1) == 0x85,
            0xe2 => self.byte(ahead + 1) == 0x80 && matches!(self.byte(ahead + 2), 0xa8 | 0xa9),
            _ => false,
        }
    }

    pub(super) fn is_break_or_end(&self, ahead: usize) -> bool {
        self.is_end(ahead) || self.is_break(ahead)
    }

    /// Whether a word ends there: at a blank, a line break or the end.
    pub(super) fn is_gap(&self, ahead: usize) -> bool {
        match self.byte(ahead) {
            b' ' | b'\t' | b'\n' | b'\r' | 0 => true,
            0xc2 | 0xe2 => self.is_break(ahead),
            _ => false,
        }
    }

    /// Whether a line begins here with three of this byte and then a gap.
    pub(super) fn at_marker(&self, byte: u8) -> bool {
        self.at == self.line_start && (0..3).all(|ahead| self.byte(ahead) == byte) && self.is_gap(3)
    }

    /// Whether a line begins here that begins or ends a document.
    pub(super) fn at_document_marker(&self) -> bool {
        self.at_marker(b'-') || self.at_marker(b'.')
    }

    /// Goes on by bytes of this line that are whole characters.
    pub(super) fn skip(&mut self, len: usize) {
        let passed = &self.text.as_bytes()[self.at..self.at + len];
        if !passed.is_ascii() {
            let continues = |byte: &&u8| **byte & 0xc0 == 0x80;
            self.continuations += passed.iter().filter(continues).count();
        }
        self.at += len;
    }

    /// Goes on while bytes are as asked for; they must not be parts of longer characters.
    pub(super) fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        let len = rest.bytes().take_while(|byte| wanted(*byte)).count();
        self.at += len;
        &rest[..len]
    }

    pub(super) fn skip_blanks(&mut self) {
        self.skip_while(|byte| matches!(byte, b' ' | b'\t'));
    }

    /// Goes to the end of the line and gives what stood before it.
    pub(super) fn skip_line_text(&mut self) -> &'a str {
        let rest = self.rest();
        let mut len = 0;
        loop {
            len += rest.as_bytes()[len..]
                .iter()
                .take_while(|byte| !matches!(byte, 0 | b'\n' | b'\r' | 0xc2 | 0xe2))
                .count();
            if len >= rest.len() || self.is_break_or_end(len) {
                break;
            }
            len += 1;
        }
        self.skip(len);
        &rest[..len]
    }

    /// Goes behind blanks and a comment to what ends the line; whether the line ends there.
    pub(super) fn skip_to_line_end(&mut self) -> bool {
        self.skip_blanks();
        if self.byte(0) == b'#' {
            self.skip_line_text();
        }
        self.is_break_or_end(0)
    }

    /// Goes behind the line break that stands here, if one does, and gives what it means.
    pub(super) fn skip_break(&mut self) -> &'static str {
        let (len, meaning) = match (self.byte(0), self.byte(1)) {
            (b'\r', b'\n') => (2, "\n"),
            (b'\r' | b'\n', _) => (1, "\n"),
            (0xc2, 0x85) => (2, "\n"),
            (0xe2, _) if self.byte(2) == 0xa8 => (3, "\u{2028}"),
            (0xe2, _) if self.byte(2) == 0xa9 => (3, "\u{2029}"),
            _ => return "",
        };
        if self.at + len > self.text.len() {
            self.closes_line = false;
        }
        self.at = (self.at + len).min(self.text.len());
        self.line = self.line.saturating_add(1);
        self.line_start = self.at;
        self.continuations = 0;
        meaning
    }

    /// Behind the text, go-yaml counts a line for the one that no line break has ended.
    pub(super) fn close_last_line(&mut self) {
        if self.at != self.line_start {
            self.line = self.line.saturating_add(1);
            self.line_start = self.at;
            self.continuations = 0;
        }
    }

    /// An error that the scanner meets here, in something that began at `begun`.
    pub(super) fn fault(&self, problem: &'static str, begun: Mark) -> Error {
        let named = |line: u32| if line == 0 { 0 } else { line.saturating_add(1) };
        let line = named(self.line);
        let begun = if begun.line == 0 {
            line
        } else {
            named(begun.line)
        };
        let cause = Cause::Grammar {
            problem,
            line,
            begun,
        };
        Error::new(self.mark().position(), cause)
    }
}
