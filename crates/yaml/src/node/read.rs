//! The events of a document become nodes.
//!
//! Read [`first_document`] first. Open collections stand on a stack of its own, so that depth costs
//! no call frames.

use std::collections::HashMap;

use super::value::tag_of;
use super::{Node, Scalar, Tag};
use crate::error::{Cause, Error, Position};
use crate::events::{Event, Events, Span, Style, Tag as Written};
use crate::keys::KeyCache;
use crate::limits::{MAX_DEPTH, MAX_NODES};
use crate::resolve::{Mode, Times, resolve};
use crate::simple::{self, Sink, Source};
use crate::stream::check_text;

/// The documents of a stream, as kyaml cuts it: at lines that begin with `---` and have a line break
/// before and behind them. The line break before the separator belongs to the text above.
///
/// # Errors
/// [`Cause::BadSeparator`] when something else than a comment follows `---` on its line.
pub fn split_documents(text: &str) -> Result<Vec<&str>, Error> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while let Some(at) = text[start..].find("\n---").map(|found| start + found) {
        let Some(len) = text[at + 1..].find('\n') else {
            break;
        };
        let separator = &text[at + 1..at + 1 + len];
        let after = separator[3..].trim();
        if !after.is_empty() && !after.starts_with('#') {
            let shown = separator.trim().to_owned();
            return Err(Error::new(Position::default(), Cause::BadSeparator(shown)));
        }
        pieces.push(&text[start..=at]);
        start = at + 1 + len + 1;
    }
    pieces.push(&text[start..]);
    Ok(pieces)
}

/// The first document of a text; `None` when it has none. What follows it is not looked at.
///
/// # Errors
/// The first thing wrong with the document.
pub fn first_document(text: &str) -> Result<Option<Node>, Error> {
    check_text(text)?;
    let mut builder = Builder::new(text);
    let source = Source {
        text,
        lines_before: 0,
        last_line_closed: false,
    };
    if let Ok(()) = simple::scan(source, &mut builder) {
        return Ok(builder.root.take());
    }
    let mut builder = Builder::new(text);
    let mut events = Events::new(text, Mode::GoYaml3);
    while let Some((event, span)) = events.next_event().map_err(in_words_of_go_yaml_3)? {
        if event == Event::DocumentEnd {
            // An empty document is one, and is null.
            return Ok(Some(builder.root.take().unwrap_or_else(Node::null)));
        }
        builder.take(event, &span)?;
    }
    Ok(None)
}

/// go-yaml v3 names another line than v2, which [`Error::go_text`] speaks for.
fn in_words_of_go_yaml_3(mut error: Error) -> Error {
    if let Cause::Grammar { line, begun, .. } = &mut error.cause {
        *line = *begun;
    }
    error
}

/// What an open collection holds.
enum Open {
    List(Vec<Node>),
    Map {
        entries: Vec<(Scalar, Node)>,
        key: Option<Scalar>,
        merges: Option<Vec<Node>>,
    },
}

struct Frame {
    open: Open,
    anchor: Option<usize>,
    position: Position,
    /// Whether it is written in brackets, or stands in what is.
    is_flow: bool,
}

struct Builder<'a> {
    text: &'a str,
    keys: KeyCache,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    n_nodes: u64,
    root: Option<Node>,
}

impl Sink for Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Error> {
        let position = span.position;
        match event {
            Event::DocumentStart | Event::DocumentEnd => Ok(()),
            Event::Scalar(text, style, tag, anchor) => {
                let node = Node::Scalar(self.scalar(&text, style, tag));
                self.finish(node, anchor, position)
            }
            Event::SequenceStart(anchor) => self.open(Open::List(Vec::new()), anchor, span),
            Event::MappingStart(anchor) => {
                let map = Open::Map {
                    entries: Vec::new(),
                    key: None,
                    merges: None,
                };
                self.open(map, anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = self.frames.pop() else {
                    return Ok(());
                };
                let node = match frame.open {
                    Open::List(items) => Node::List(items),
                    Open::Map {
                        entries, merges, ..
                    } => Node::Map(merged(entries, merges)),
                };
                self.finish(node, frame.anchor, frame.position)
            }
            Event::Alias(id, name) => {
                let Some(node) = self.anchors.get(&id) else {
                    let cause = Cause::EndlessAnchor(name.to_owned());
                    return Err(Error::new(position, cause));
                };
                let node = node.clone();
                self.count(n_nodes(&node), position)?;
                self.finish(node, None, position)
            }
        }
    }
}

impl<'a> Builder<'a> {
    fn new(text: &'a str) -> Self {
        Builder {
            text,
            keys: KeyCache::for_text(text.len()),
            frames: Vec::new(),
            anchors: HashMap::new(),
            n_nodes: 0,
            root: None,
        }
    }

    fn open(&mut self, open: Open, anchor: Option<usize>, span: &Span) -> Result<(), Error> {
        let position = span.position;
        if self.frames.len() >= MAX_DEPTH {
            let (what, limit) = ("nesting", MAX_DEPTH);
            return Err(Error::new(position, Cause::Limit { what, limit }));
        }
        let first = self.text.as_bytes().get(span.bytes.start);
        let is_flow = matches!(first, Some(b'{' | b'[')) || self.is_flow();
        self.frames.push(Frame {
            open,
            anchor,
            position,
            is_flow,
        });
        Ok(())
    }

    fn is_flow(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.is_flow)
    }

    fn scalar(&mut self, text: &str, style: Style, tag: Option<Written>) -> Scalar {
        let quoted = style != Style::Plain;
        let (tag, tagged) = match tag {
            None | Some(Written::NonSpecific) if quoted => (Tag::Str, false),
            None | Some(Written::NonSpecific) => {
                (tag_of(resolve(text, Mode::GoYaml3, Times::Seen)), false)
            }
            Some(Written::Null) => (Tag::Null, true),
            Some(Written::Bool) => (Tag::Bool, true),
            Some(Written::Int) => (Tag::Int, true),
            Some(Written::Float) => (Tag::Float, true),
            Some(Written::Timestamp) => (Tag::Timestamp, true),
            Some(Written::Binary) => (Tag::Binary, true),
            Some(Written::Merge) => (Tag::Merge, true),
            Some(Written::Str | Written::Other) => (Tag::Str, true),
        };
        Scalar {
            text: self.keys.get(text),
            tag,
            // Nothing in brackets is null until it is written again: then it gets quotes.
            quoted: quoted || text.is_empty() && self.is_flow(),
            tagged,
            cell: 0,
        }
    }

    fn count(&mut self, more: u64, position: Position) -> Result<(), Error> {
        self.n_nodes = self.n_nodes.saturating_add(more);
        if self.n_nodes > MAX_NODES {
            let (what, limit) = ("number of nodes", MAX_NODES as usize);
            return Err(Error::new(position, Cause::Limit { what, limit }));
        }
        Ok(())
    }

    /// Hands a node to its parent and remembers it where it has an anchor.
    fn finish(&mut self, node: Node, anchor: Option<usize>, at: Position) -> Result<(), Error> {
        self.count(1, at)?;
        if let Some(id) = anchor {
            self.anchors.insert(id, node.clone());
        }
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut frame.open {
            Open::List(items) => items.push(node),
            Open::Map {
                entries,
                key,
                merges,
            } => match (key.take(), node) {
                (Some(name), node) if name.tag == Tag::Merge => {
                    let found = merges.replace(maps_to_merge(node, at)?);
                    if found.is_some() {
                        let text = "duplicate merge key".to_owned();
                        return Err(Error::new(at, Cause::Syntax(text)));
                    }
                }
                (Some(name), node) => entries.push((name, node)),
                (None, Node::Scalar(name)) => *key = Some(name),
                (None, Node::List(_)) => {
                    return Err(Error::new(at, Cause::UnsupportedKey("list")));
                }
                (None, Node::Map(_)) => {
                    return Err(Error::new(at, Cause::UnsupportedKey("map")));
                }
            },
        }
        Ok(())
    }
}

/// The maps that a merge key names, the one that counts least first.
fn maps_to_merge(node: Node, position: Position) -> Result<Vec<Node>, Error> {
    match node {
        Node::Map(_) => Ok(vec![node]),
        Node::List(items) if items.iter().all(|item| matches!(item, Node::Map(_))) => {
            Ok(items.into_iter().rev().collect())
        }
        _ => Err(Error::new(position, Cause::BadMerge)),
    }
}

/// A map's own entries, and those of merged maps behind them where it has no such key.
fn merged(mut own: Vec<(Scalar, Node)>, merges: Option<Vec<Node>>) -> Vec<(Scalar, Node)> {
    // The one that counts most comes first, so that what it has is not replaced.
    for map in merges.into_iter().flatten().rev() {
        let Node::Map(entries) = map else { continue };
        for (key, value) in entries {
            if !own.iter().any(|(name, _)| name.text == key.text) {
                own.push((key, value));
            }
        }
    }
    own
}

fn n_nodes(node: &Node) -> u64 {
    match node {
        Node::Scalar(_) => 1,
        Node::List(items) => 1 + items.iter().map(n_nodes).sum::<u64>(),
        Node::Map(entries) => {
            1 + entries
                .iter()
                .map(|(_, value)| 1 + n_nodes(value))
                .sum::<u64>()
        }
    }
}
