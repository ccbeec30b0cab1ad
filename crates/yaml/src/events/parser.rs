//! The grammar: which words may follow each other, and the events that they are.
//!
//! Read [`Parser`] first. What is open stands on a stack of its own, so that depth costs no call
//! frames. It must never look at the text itself.

use std::borrow::Cow;
use std::collections::HashMap;

use super::cursor::Mark;
use super::scanner::Scanner;
use super::token::{Token, Word};
use super::{Event, Span, Style, Tag};
use crate::error::{Cause, Error};
use crate::resolve::Mode;
use crate::simple::Source;

/// What `!!` stands for.
const YAML_TAGS: &str = "tag:yaml.org,2002:";

/// What comes next.
#[derive(Clone, Copy)]
enum State {
    /// The first document, which needs no `---`.
    FirstDocument,
    Document,
    /// What follows `---`.
    Content,
    DocumentEnd,
    /// The node of a document without `---`.
    Root,
    BlockItem,
    /// An item of a list that is indented as its key is.
    Dash,
    BlockKey,
    BlockValue,
    FirstFlowItem,
    FlowItem,
    /// `[? a: b]` and `[a: b]`: a map of one entry, without braces.
    PairKey,
    PairValue,
    PairEnd,
    FirstFlowKey,
    FlowKey,
    FlowValue,
    /// `{a}`
    NoFlowValue,
    End,
}

/// Which nodes may stand there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Flow,
    Block,
    /// As [`Place::Block`], or a list whose dashes are indented as its key is.
    Entry,
}

/// What stands before a node.
#[derive(Default)]
struct Properties<'a> {
    anchor: Option<&'a str>,
    tag: Option<Word<'a>>,
}

type Found<'a> = (Event<'a>, Span);
type Step<'a> = Result<Found<'a>, Error>;

/// Makes events of words.
pub(super) struct Parser<'a> {
    scanner: Scanner<'a>,
    state: State,
    /// What comes behind the open nodes, the innermost last.
    outer: Vec<State>,
    /// Where the open collections begin.
    begun: Vec<Mark>,
    /// What the handles of tags stand for in this document.
    prefixes: HashMap<&'a str, Cow<'a, str>>,
    /// The anchors of this document.
    anchors: HashMap<&'a str, usize>,
    /// Anchors of the whole text.
    n_anchors: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(source: Source<'a>, mode: Mode) -> Self {
        Parser {
            scanner: Scanner::new(source, mode),
            state: State::FirstDocument,
            outer: Vec::new(),
            begun: Vec::new(),
            prefixes: HashMap::new(),
            anchors: HashMap::new(),
            n_anchors: 0,
        }
    }

    /// The next event; `None` at the end of the text.
    pub(super) fn next_event(&mut self) -> Result<Option<Found<'a>>, Error> {
        match self.state {
            State::End => return Ok(None),
            State::FirstDocument | State::Document => return self.document(),
            State::Content => self.content(),
            State::DocumentEnd => self.document_end(),
            State::Root => self.node(Place::Block, State::DocumentEnd),
            State::BlockItem => self.block_item(),
            State::Dash => self.dash(),
            State::BlockKey => self.block_key(),
            State::BlockValue => self.block_value(),
            State::FirstFlowItem | State::FlowItem => self.flow_item(),
            State::PairKey => self.pair_key(),
            State::PairValue => self.flow_value(&Token::BracketClose, State::PairEnd),
            State::PairEnd => {
                let at = self.scanner.peek()?.start;
                self.state = State::FlowItem;
                Ok((Event::MappingEnd, nothing(at)))
            }
            State::FirstFlowKey | State::FlowKey => self.flow_key(),
            State::FlowValue => self.flow_value(&Token::BraceClose, State::FlowKey),
            State::NoFlowValue => {
                let at = self.scanner.peek()?.start;
                self.empty(State::FlowKey, at)
            }
        }
        .map(Some)
    }

    fn document(&mut self) -> Result<Option<Found<'a>>, Error> {
        let is_first = matches!(self.state, State::FirstDocument);
        while !is_first && matches!(self.scanner.peek()?.token, Token::DocumentEnd) {
            self.scanner.take()?;
        }
        let word = self.scanner.peek()?;
        let start = word.start;
        match word.token {
            Token::StreamEnd => {
                self.state = State::End;
                return Ok(None);
            }
            Token::Version(..) | Token::TagPrefix(..) | Token::DocumentStart => {
                self.directives()?;
                self.expect_document_start()?;
                self.state = State::Content;
            }
            _ if is_first => self.state = State::Root,
            _ => self.expect_document_start()?,
        }
        for (handle, prefix) in [("!", "!"), ("!!", YAML_TAGS)] {
            self.prefixes.entry(handle).or_insert(Cow::Borrowed(prefix));
        }
        Ok(Some((Event::DocumentStart, nothing(start))))
    }

    fn expect_document_start(&mut self) -> Result<(), Error> {
        let word = self.scanner.peek()?;
        match word.token {
            Token::DocumentStart => self.scanner.take().map(drop),
            _ => Err(fault(
                "did not find expected <document start>",
                word.start,
                None,
            )),
        }
    }

    fn directives(&mut self) -> Result<(), Error> {
        let mut has_version = false;
        loop {
            let start = self.scanner.peek()?.start;
            match &self.scanner.peek()?.token {
                Token::Version(..) if has_version => {
                    return Err(fault("found duplicate %YAML directive", start, None));
                }
                Token::Version(1, 1) => has_version = true,
                Token::Version(..) => {
                    return Err(fault("found incompatible YAML document", start, None));
                }
                Token::TagPrefix(handle, prefix) => {
                    if self.prefixes.insert(handle, prefix.clone()).is_some() {
                        return Err(fault("found duplicate %TAG directive", start, None));
                    }
                }
                _ => return Ok(()),
            }
            self.scanner.take()?;
        }
    }

    fn content(&mut self) -> Step<'a> {
        let word = self.scanner.peek()?;
        let start = word.start;
        match word.token {
            Token::Version(..)
            | Token::TagPrefix(..)
            | Token::DocumentStart
            | Token::DocumentEnd
            | Token::StreamEnd => self.empty(State::DocumentEnd, start),
            _ => self.node(Place::Block, State::DocumentEnd),
        }
    }

    fn document_end(&mut self) -> Step<'a> {
        let word = self.scanner.peek()?;
        let span = span(word);
        let is_explicit = matches!(word.token, Token::DocumentEnd);
        if is_explicit {
            self.scanner.take()?;
        }
        self.prefixes.clear();
        self.anchors.clear();
        self.state = State::Document;
        Ok((
            Event::DocumentEnd,
            if is_explicit { span } else { nothing_at(&span) },
        ))
    }

    /// A scalar that is not written.
    fn empty(&mut self, then: State, at: Mark) -> Step<'a> {
        self.state = then;
        let scalar = Event::Scalar(Cow::Borrowed(""), Style::Plain, None, None);
        Ok((scalar, nothing(at)))
    }

    /// A node, and what comes behind it.
    fn node(&mut self, place: Place, then: State) -> Step<'a> {
        let start = self.scanner.peek()?.start;
        let properties = self.properties()?;
        let has_properties = properties.anchor.is_some() || properties.tag.is_some();
        let tag = self.tag(properties.tag, start)?;
        let word = self.scanner.peek()?;
        let found = span(word);
        let is_block = place != Place::Flow;
        let (event, inner): (fn(Option<usize>) -> Event<'a>, _) = match word.token {
            Token::Alias(name) if !has_properties => {
                self.scanner.take()?;
                self.state = then;
                return match self.anchors.get(name) {
                    Some(id) => Ok((Event::Alias(*id, name), found)),
                    None => {
                        let cause = Cause::UnknownAnchor(name.to_owned());
                        Err(Error::new(found.position, cause))
                    }
                };
            }
            Token::Scalar(..) => {
                self.state = then;
                return self.scalar(properties.anchor, tag);
            }
            // The dash itself begins the first item.
            Token::Dash if place == Place::Entry => {
                self.outer.push(then);
                self.state = State::Dash;
                let anchor = self.anchor(properties.anchor);
                return Ok((Event::SequenceStart(anchor), nothing_at(&found)));
            }
            Token::BracketOpen => (Event::SequenceStart, State::FirstFlowItem),
            Token::BraceOpen => (Event::MappingStart, State::FirstFlowKey),
            Token::SequenceStart if is_block => (Event::SequenceStart, State::BlockItem),
            Token::MappingStart if is_block => (Event::MappingStart, State::BlockKey),
            _ if has_properties => {
                self.state = then;
                let anchor = self.anchor(properties.anchor);
                let scalar = Event::Scalar(Cow::Borrowed(""), Style::Plain, tag, anchor);
                return Ok((scalar, nothing(start)));
            }
            _ => {
                let at = word.start;
                return Err(fault("did not find expected node content", at, Some(start)));
            }
        };
        let word = self.scanner.take()?;
        self.begun.push(word.start);
        self.outer.push(then);
        self.state = inner;
        Ok((event(self.anchor(properties.anchor)), found))
    }

    /// At most one anchor and one tag, in either order.
    fn properties(&mut self) -> Result<Properties<'a>, Error> {
        let mut found = Properties::default();
        loop {
            match self.scanner.peek()?.token {
                Token::Anchor(name) if found.anchor.is_none() => {
                    found.anchor = Some(name);
                    self.scanner.take()?;
                }
                Token::Tag(..) if found.tag.is_none() => found.tag = Some(self.scanner.take()?),
                _ => return Ok(found),
            }
        }
    }

    fn tag(&self, word: Option<Word<'a>>, node: Mark) -> Result<Option<Tag>, Error> {
        let Some(Word {
            token: Token::Tag(handle, suffix),
            start,
            ..
        }) = word
        else {
            return Ok(None);
        };
        if handle.is_empty() {
            return Ok(Some(meaning(&suffix)));
        }
        match self.prefixes.get(handle) {
            Some(prefix) => Ok(Some(meaning(&format!("{prefix}{suffix}")))),
            None => Err(fault("found undefined tag handle", start, Some(node))),
        }
    }

    /// The number of an anchor, which stands for this node from now on.
    fn anchor(&mut self, name: Option<&'a str>) -> Option<usize> {
        let name = name?;
        self.n_anchors += 1;
        self.anchors.insert(name, self.n_anchors);
        Some(self.n_anchors)
    }

    fn scalar(&mut self, anchor: Option<&'a str>, tag: Option<Tag>) -> Step<'a> {
        let word = self.scanner.take()?;
        let found = span(&word);
        let Token::Scalar(text, style) = word.token else {
            return Err(fault(
                "did not find expected node content",
                word.start,
                None,
            ));
        };
        Ok((Event::Scalar(text, style, tag, self.anchor(anchor)), found))
    }

    /// The end of a collection.
    fn close(&mut self, event: Event<'a>) -> Step<'a> {
        let word = self.scanner.take()?;
        self.begun.pop();
        self.leave();
        Ok((event, span(&word)))
    }

    fn leave(&mut self) {
        self.state = self.outer.pop().unwrap_or(State::End);
    }

    /// The next word fits nothing that may come in the innermost collection.
    fn refuse<T>(&mut self, problem: &'static str) -> Result<T, Error> {
        let at = self.scanner.peek()?.start;
        Err(fault(problem, at, self.begun.last().copied()))
    }

    fn block_item(&mut self) -> Step<'a> {
        match self.scanner.peek()?.token {
            Token::Dash => {
                let dash = self.scanner.take()?;
                match self.scanner.peek()?.token {
                    Token::Dash | Token::BlockEnd => self.empty(State::BlockItem, dash.end),
                    _ => self.node(Place::Block, State::BlockItem),
                }
            }
            Token::BlockEnd => self.close(Event::SequenceEnd),
            _ => self.refuse("did not find expected '-' indicator"),
        }
    }

    fn dash(&mut self) -> Step<'a> {
        let word = self.scanner.peek()?;
        if !matches!(word.token, Token::Dash) {
            let at = word.start;
            self.leave();
            return Ok((Event::SequenceEnd, nothing(at)));
        }
        let dash = self.scanner.take()?;
        match self.scanner.peek()?.token {
            Token::Dash | Token::Key | Token::Value | Token::BlockEnd => {
                self.empty(State::Dash, dash.end)
            }
            _ => self.node(Place::Block, State::Dash),
        }
    }

    fn block_key(&mut self) -> Step<'a> {
        match self.scanner.peek()?.token {
            Token::Key => self.block_entry(State::BlockValue),
            Token::BlockEnd => self.close(Event::MappingEnd),
            _ => self.refuse("did not find expected key"),
        }
    }

    fn block_value(&mut self) -> Step<'a> {
        let word = self.scanner.peek()?;
        match word.token {
            Token::Value => self.block_entry(State::BlockKey),
            _ => {
                let at = word.start;
                self.empty(State::BlockKey, at)
            }
        }
    }

    /// What follows the mark of a key or of a value.
    fn block_entry(&mut self, then: State) -> Step<'a> {
        let mark = self.scanner.take()?;
        match self.scanner.peek()?.token {
            Token::Key | Token::Value | Token::BlockEnd => self.empty(then, mark.end),
            _ => self.node(Place::Entry, then),
        }
    }

    /// Goes behind the comma before all but the first part of a collection in brackets, which ends
    /// with `end`.
    fn comma(
        &mut self,
        is_first: bool,
        end: &Token<'_>,
        problem: &'static str,
    ) -> Result<(), Error> {
        let word = self.scanner.peek()?;
        match word.token {
            _ if is_first || is_same(&word.token, end) => Ok(()),
            Token::Comma => self.scanner.take().map(drop),
            _ => self.refuse(problem),
        }
    }

    fn flow_item(&mut self) -> Step<'a> {
        let is_first = matches!(self.state, State::FirstFlowItem);
        self.comma(
            is_first,
            &Token::BracketClose,
            "did not find expected ',' or ']'",
        )?;
        match self.scanner.peek()?.token {
            Token::BracketClose => self.close(Event::SequenceEnd),
            Token::Key => {
                let key = self.scanner.take()?;
                self.state = State::PairKey;
                Ok((Event::MappingStart(None), span(&key)))
            }
            _ => self.node(Place::Flow, State::FlowItem),
        }
    }

    fn pair_key(&mut self) -> Step<'a> {
        match self.scanner.peek()?.token {
            // libyaml goes behind this word, whatever it is.
            Token::Value | Token::Comma | Token::BracketClose => {
                let word = self.scanner.take()?;
                self.empty(State::PairValue, word.end)
            }
            _ => self.node(Place::Flow, State::PairValue),
        }
    }

    fn flow_key(&mut self) -> Step<'a> {
        let is_first = matches!(self.state, State::FirstFlowKey);
        self.comma(
            is_first,
            &Token::BraceClose,
            "did not find expected ',' or '}'",
        )?;
        match self.scanner.peek()?.token {
            Token::BraceClose => self.close(Event::MappingEnd),
            Token::Key => {
                self.scanner.take()?;
                let word = self.scanner.peek()?;
                let at = word.start;
                match word.token {
                    Token::Value | Token::Comma | Token::BraceClose => {
                        self.empty(State::FlowValue, at)
                    }
                    _ => self.node(Place::Flow, State::FlowValue),
                }
            }
            _ => self.node(Place::Flow, State::NoFlowValue),
        }
    }

    /// The value of an entry in a collection that ends with `end`.
    fn flow_value(&mut self, end: &Token<'_>, then: State) -> Step<'a> {
        if matches!(self.scanner.peek()?.token, Token::Value) {
            self.scanner.take()?;
            let next = &self.scanner.peek()?.token;
            if !matches!(next, Token::Comma) && !is_same(next, end) {
                return self.node(Place::Flow, then);
            }
        }
        let at = self.scanner.peek()?.start;
        self.empty(then, at)
    }
}

fn is_same(a: &Token<'_>, b: &Token<'_>) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

/// An error that a word at `at` is, in something that began at `begun`.
fn fault(problem: &'static str, at: Mark, begun: Option<Mark>) -> Error {
    // go-yaml counts from 0 here and takes that for no line.
    let first_named = |lines: [u32; 2]| lines.into_iter().find(|line| *line > 0).unwrap_or(0);
    let begun = begun.map_or(0, |mark| mark.line);
    let cause = Cause::Grammar {
        problem,
        line: first_named([at.line, begun]),
        begun: first_named([begun, at.line]),
    };
    Error::new(at.position(), cause)
}

fn span(word: &Word<'_>) -> Span {
    Span {
        bytes: word.start.at..word.end.at,
        position: word.start.position(),
    }
}

fn nothing(at: Mark) -> Span {
    Span {
        bytes: at.at..at.at,
        position: at.position(),
    }
}

fn nothing_at(span: &Span) -> Span {
    Span {
        bytes: span.bytes.start..span.bytes.start,
        position: span.position,
    }
}

fn meaning(tag: &str) -> Tag {
    match tag.strip_prefix(YAML_TAGS) {
        Some("null") => Tag::Null,
        Some("bool") => Tag::Bool,
        Some("int") => Tag::Int,
        Some("float") => Tag::Float,
        Some("str") => Tag::Str,
        Some("binary") => Tag::Binary,
        Some("timestamp") => Tag::Timestamp,
        Some("merge") => Tag::Merge,
        None if tag == "!" => Tag::NonSpecific,
        _ => Tag::Other,
    }
}
