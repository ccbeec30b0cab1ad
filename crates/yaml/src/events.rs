//! The parts of a YAML text in order, with their byte ranges: a thin iterator over the parser
//! library, so that nothing else in this crate knows it.
//!
//! It also undoes two habits of that library that differ from go-yaml: an empty plain scalar
//! arrives as `~`, and a block scalar that the end of the text closes without a line break gets
//! one. Read [`Event`] first. This module must never know what a scalar means.

use std::borrow::Cow;
use std::ops::Range;

use granit_parser as granit;

use crate::error::{Cause, Error, Position};
use crate::limits::MAX_DEPTH;
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
    /// Stands for the node that has this anchor.
    Alias(usize),
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
    text: &'a str,
    parser: granit::Parser<'a, granit::StrInput<'a>>,
    lines_before: u32,
    line_break_at_end: bool,
}

impl<'a> Events<'a> {
    /// Starts to read `text`, which stands below `lines_before` other lines of its file.
    #[must_use]
    pub fn new(text: &'a str, lines_before: u32) -> Self {
        let mut options = granit::options! {
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        };
        options.set_emit_comments(false);
        Events {
            text,
            parser: granit::Parser::new_from_str_with_options(text, options),
            lines_before,
            line_break_at_end: text.ends_with(['\n', '\r']),
        }
    }

    /// Reads a piece of a file.
    pub(crate) fn of(source: Source<'a>) -> Self {
        let mut events = Events::new(source.text, source.lines_before);
        events.line_break_at_end |= source.last_line_closed;
        events
    }

    /// The next event; `None` at the end of the text.
    ///
    /// # Errors
    /// When the text breaks YAML's grammar; nothing can be read after that.
    pub fn next_event(&mut self) -> Result<Option<(Event<'a>, Span)>, Error> {
        loop {
            let (event, span) = match self.parser.next() {
                None => return Ok(None),
                Some(Ok(found)) => found,
                Some(Err(error)) => {
                    let position = self.position(*error.marker());
                    return Err(Error::new(position, self.cause(&error)));
                }
            };
            if let Some(event) = self.convert(event, &span) {
                return Ok(Some((event, self.span(&span))));
            }
        }
    }

    fn cause(&self, error: &granit::ScanError) -> Cause {
        match error.kind() {
            granit::ErrorKind::UnknownAnchor => Cause::Syntax(self.unknown_anchor(error)),
            granit::ErrorKind::UnclosedFlowCollection { open } => {
                let start = error.marker().byte_offset().unwrap_or(0);
                let n_lines = u32::try_from(self.text.lines().count()).unwrap_or(u32::MAX);
                Cause::Unclosed {
                    open: *open,
                    last_line: self.lines_before.saturating_add(n_lines),
                    awaits_node: awaits_node(self.text.get(start..).unwrap_or_default()),
                }
            }
            _ => Cause::Syntax(error.info()),
        }
    }

    fn unknown_anchor(&self, error: &granit::ScanError) -> String {
        let start = error.marker().byte_offset().unwrap_or(usize::MAX);
        let alias = self
            .text
            .get(start..)
            .unwrap_or_default()
            .trim_start_matches('*');
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let end = alias.find(|c| !is_name(c)).unwrap_or(alias.len());
        format!("unknown anchor '{}' referenced", &alias[..end])
    }

    fn convert(&self, event: granit::Event<'a>, span: &granit::Span) -> Option<Event<'a>> {
        let anchor = |id: usize| (id > 0).then_some(id);
        Some(match event {
            granit::Event::DocumentStart(..) => Event::DocumentStart,
            granit::Event::DocumentEnd => Event::DocumentEnd,
            granit::Event::Alias(id) => Event::Alias(id),
            granit::Event::SequenceStart(_, id, _) => Event::SequenceStart(anchor(id)),
            granit::Event::SequenceEnd => Event::SequenceEnd,
            granit::Event::MappingStart(_, id, _) => Event::MappingStart(anchor(id)),
            granit::Event::MappingEnd => Event::MappingEnd,
            granit::Event::Scalar(text, style, id, tag) => {
                let bytes = self.bytes(span);
                let (text, style) = match style {
                    granit::ScalarStyle::Plain if bytes.is_empty() => ("".into(), Style::Plain),
                    granit::ScalarStyle::Plain => (text, Style::Plain),
                    granit::ScalarStyle::SingleQuoted | granit::ScalarStyle::DoubleQuoted => {
                        (text, Style::Quoted)
                    }
                    granit::ScalarStyle::Literal | granit::ScalarStyle::Folded => {
                        (self.without_invented_break(text, bytes.end), Style::Block)
                    }
                };
                Event::Scalar(text, style, tag.map(|tag| tag_of(&tag)), anchor(id))
            }
            // The ends of the stream, and presentation that was not asked for.
            _ => return None,
        })
    }

    /// A block scalar whose last line is the last of the text and has no line break has none in
    /// its value either.
    fn without_invented_break(&self, text: Cow<'a, str>, end: usize) -> Cow<'a, str> {
        let at_end = self.text.get(end..).is_none_or(str::is_empty);
        if !at_end || self.line_break_at_end || !text.ends_with('\n') {
            return text;
        }
        match text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[..text.len() - 1]),
            Cow::Owned(mut text) => {
                text.pop();
                Cow::Owned(text)
            }
        }
    }

    fn bytes(&self, span: &granit::Span) -> Range<usize> {
        let start = span.start.byte_offset().unwrap_or(0);
        let end = span.end.byte_offset().unwrap_or(start);
        start..end.max(start)
    }

    fn span(&self, span: &granit::Span) -> Span {
        Span {
            bytes: self.bytes(span),
            position: self.position(span.start),
        }
    }

    fn position(&self, marker: granit::Marker) -> Position {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Position {
            line: count(marker.line()).saturating_add(self.lines_before),
            column: count(marker.col()).saturating_add(1),
        }
    }
}

/// Whether a text that begins with a bracket stops right behind a bracket, a comma, or the mark of a
/// key or a value; blanks and comments do not count. The parser library found nothing else wrong in it.
fn awaits_node(text: &str) -> bool {
    const MARKS: [char; 5] = ['[', '{', ',', ':', '?'];
    let (mut before, mut last) = ('\n', '[');
    let mut chars = text.chars();
    while let Some(next) = chars.next() {
        match next {
            '#' if before.is_whitespace() => {
                chars.by_ref().find(|next| *next == '\n');
            }
            '"' | '\'' if MARKS.contains(&last) => {
                let mut escaped = false;
                chars.by_ref().find(|inner| {
                    let ends = *inner == next && !escaped;
                    escaped = next == '"' && *inner == '\\' && !escaped;
                    ends
                });
                last = next;
            }
            _ if !next.is_whitespace() => last = next,
            _ => {}
        }
        before = next;
    }
    MARKS.contains(&last)
}

fn tag_of(tag: &granit::Tag) -> Tag {
    match (tag.handle(), tag.suffix()) {
        ("!", "") | ("", "!") => Tag::NonSpecific,
        ("tag:yaml.org,2002:", suffix) => yaml_tag(suffix),
        ("", whole) => whole
            .strip_prefix("tag:yaml.org,2002:")
            .map_or(Tag::Other, yaml_tag),
        _ => Tag::Other,
    }
}

fn yaml_tag(suffix: &str) -> Tag {
    match suffix {
        "null" => Tag::Null,
        "bool" => Tag::Bool,
        "int" => Tag::Int,
        "float" => Tag::Float,
        "str" => Tag::Str,
        "binary" => Tag::Binary,
        "timestamp" => Tag::Timestamp,
        "merge" => Tag::Merge,
        _ => Tag::Other,
    }
}
