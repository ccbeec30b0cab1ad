//! The words of YAML.
//!
//! Read [`Token`] first. This module must never know where a word may stand.

use std::borrow::Cow;

use super::Style;
use super::cursor::Mark;

/// A word of a text.
#[derive(Clone, Debug)]
pub(super) enum Token<'a> {
    /// Behind the last word.
    StreamEnd,
    /// `---`
    DocumentStart,
    /// `...`
    DocumentEnd,
    /// `%YAML`: its version.
    Version(u8, u8),
    /// `%TAG`: what stands for what.
    TagPrefix(&'a str, Cow<'a, str>),
    /// A first `-` of an indentation.
    SequenceStart,
    /// A first key of an indentation.
    MappingStart,
    /// The end of an indentation.
    BlockEnd,
    /// `[`
    BracketOpen,
    /// `]`
    BracketClose,
    /// `{`
    BraceOpen,
    /// `}`
    BraceClose,
    /// `-`
    Dash,
    /// `,`
    Comma,
    /// `?`, or nothing before what `:` shows to be a key.
    Key,
    /// `:`
    Value,
    /// `*name`
    Alias(&'a str),
    /// `&name`
    Anchor(&'a str),
    /// `!handle!suffix`; without a handle the suffix is the whole tag.
    Tag(&'a str, Cow<'a, str>),
    /// A scalar: its text and how it is written.
    Scalar(Cow<'a, str>, Style),
}

/// A word and its place.
#[derive(Clone, Debug)]
pub(super) struct Word<'a> {
    pub(super) token: Token<'a>,
    pub(super) start: Mark,
    pub(super) end: Mark,
}
