//! The parts of a YAML text in order, with their byte ranges.
//!
//! Read [`Events`] first. Below it, `scanner` cuts the text into words as libyaml does, of which
//! go-yaml is a translation, and `parser` says what they are parts of; both know YAML 1.1 and
//! libyaml's habits alone. This module must never know what a scalar means.

mod block;
mod cursor;
mod parser;
mod scalar;
mod scanner;
mod tag;
mod token;

use std::borrow::Cow;
use std::ops::Range;

use self::parser::Parser;
use crate::error::{Error, Position};
use crate::resolve::Mode;
use crate::simple::Source;

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: its text decides what it is.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// As a literal (`|`) or folded (`>`) block.
    Block,
}

/// The explicit tag of a scalar, as far as go-yaml tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// `!!null`
    Null,
    /// `!!bool`
    Bool,
    /// `!!int`
    Int,
    /// `!!float`
    Float,
    /// `!!str`
    Str,
    /// `!!binary`
    Binary,
    /// `!!timestamp`
    Timestamp,
    /// `!!merge`
    Merge,
    /// `!`: the scalar is text.
    NonSpecific,
    /// Any other tag: the scalar stays text.
    Other,
}

/// One part of a YAML text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A document begins.
    DocumentStart,
    /// A document ends.
    DocumentEnd,
    /// A scalar: text after unquoting and unfolding, how it is written, its tag and anchor.
    Scalar(Cow<'a, str>, Style, Option<Tag>, Option<usize>),
    /// A list begins; the number identifies its anchor.
    SequenceStart(Option<usize>),
    /// A list ends.
    SequenceEnd,
    /// A map begins; the number identifies its anchor. Keys and values alternate up to its end.
    MappingStart(Option<usize>),
    /// A map ends.
    MappingEnd,
    /// Stands for the node that has this anchor, by its number and its name.
    Alias(usize, &'a str),
}

/// Where an event stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Its bytes in the text; empty for ends of blocks and for scalars that are not written.
    pub bytes: Range<usize>,
    /// Its first character.
    pub position: Position,
}

/// The events of one text.
pub struct Events<'a> {
    parser: Parser<'a>,
}

impl<'a> Events<'a> {
    /// Starts to read a whole text as a mode does.
    #[must_use]
    pub fn new(text: &'a str, mode: Mode) -> Self {
        let source = Source {
            text,
            lines_before: 0,
            last_line_closed: false,
        };
        Events::of(source, mode)
    }

    /// Reads a piece of a file.
    pub(crate) fn of(source: Source<'a>, mode: Mode) -> Self {
        Events {
            parser: Parser::new(source, mode),
        }
    }

    /// The next event; `None` at the end of the text.
    ///
    /// # Errors
    /// When the text breaks YAML's grammar; nothing can be read after that.
    pub fn next_event(&mut self) -> Result<Option<(Event<'a>, Span)>, Error> {
        self.parser.next_event()
    }
}

#[cfg(test)]
mod tests;
