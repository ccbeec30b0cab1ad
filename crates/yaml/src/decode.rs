//! One document's events become a [`Value`].
//!
//! Read [`Decoder`] first: it keeps open collections on a stack of its own, so that depth costs no
//! call frames, and scalars and entries on two shared stacks, so that each list and map of the tree
//! is allocated once, at its size.

use std::collections::HashMap;

use crate::error::{Cause, Error, Oddity, Position, Warning};
use crate::events::{Event, Events, Span, Style, Tag};
use crate::keys::KeyCache;
use crate::limits::{ALIAS_RANGE_HIGH, ALIAS_RANGE_LOW, MAX_DEPTH, MAX_NODES};
use crate::number;
use crate::resolve::{Mode, Scalar, Times, resolve};
use crate::simple::{self, Sink, Source};
use crate::{Map, Str, Value};

/// A finished node on its way to its parent.
struct Node {
    value: Value,
    position: Position,
    /// Nodes in it, itself and expanded aliases included.
    size: u64,
    /// Levels in it.
    height: usize,
    role: Role,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Written,
    Alias,
    /// The key `<<`.
    Merge,
}

/// An entry of an open map.
struct Entry {
    key: Str,
    value: Value,
    position: Position,
    merged: bool,
}

/// What an open map waits for.
enum Slot {
    Key,
    Value(Str, Position),
    Merge,
}

enum Kind {
    List { start: usize },
    Map { start: usize, slot: Slot },
}

struct Frame {
    kind: Kind,
    anchor: Option<usize>,
    position: Position,
    size: u64,
    height: usize,
}

struct Anchored {
    value: Value,
    size: u64,
    height: usize,
}

/// Builds the trees of the documents of one file.
pub(crate) struct Decoder {
    mode: Mode,
    keys: KeyCache,
    warnings: Vec<Warning>,
    frames: Vec<Frame>,
    values: Vec<Value>,
    entries: Vec<Entry>,
    anchors: HashMap<usize, Anchored>,
    /// Nodes made so far in this document, and those of them that aliases made.
    decoded: u64,
    aliased: u64,
    root: Option<Value>,
    /// Where the content of the document begins.
    start: Option<Position>,
}

impl Decoder {
    pub(crate) fn new(mode: Mode) -> Self {
        Decoder::with_keys(mode, KeyCache::large())
    }

    /// For one text of this many bytes.
    pub(crate) fn for_text(mode: Mode, n_bytes: usize) -> Self {
        Decoder::with_keys(mode, KeyCache::for_text(n_bytes))
    }

    fn with_keys(mode: Mode, keys: KeyCache) -> Self {
        Decoder {
            mode,
            keys,
            warnings: Vec::new(),
            frames: Vec::with_capacity(16),
            values: Vec::new(),
            entries: Vec::with_capacity(32),
            anchors: HashMap::new(),
            decoded: 0,
            aliased: 0,
            root: None,
            start: None,
        }
    }

    /// Repeated keys seen so far.
    pub(crate) fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }

    /// The first document of a text, with the place of its content; `None` when it has none.
    pub(crate) fn first_document(
        &mut self,
        source: Source<'_>,
    ) -> Result<Option<(Value, Position)>, Error> {
        self.reset();
        let n_warnings = self.warnings.len();
        if let Ok(()) = simple::scan(source, self) {
            return Ok(self.root.take().zip(self.start));
        }
        self.warnings.truncate(n_warnings);
        let mut events = Events::of(source, self.mode);
        let found = self.document(&mut events)?;
        if found.is_some() {
            let position = match events.next_event() {
                Ok(next) => next.map(|(_, span)| span.position),
                Err(error) => Some(error.position),
            };
            self.warnings.extend(position.map(|position| Warning {
                position,
                oddity: Oddity::IgnoredText,
            }));
        }
        Ok(found)
    }

    fn reset(&mut self) {
        self.frames.clear();
        self.values.clear();
        self.entries.clear();
        self.anchors.clear();
        (self.decoded, self.aliased) = (0, 0);
        (self.root, self.start) = (None, None);
    }

    /// The next document of `events`, with the place of its content; `None` at the end.
    pub(crate) fn document(
        &mut self,
        events: &mut Events<'_>,
    ) -> Result<Option<(Value, Position)>, Error> {
        self.reset();
        while let Some((event, span)) = events.next_event()? {
            match event {
                Event::DocumentStart => {}
                Event::DocumentEnd => {
                    let value = self.root.take().unwrap_or_default();
                    return Ok(Some((value, self.start.unwrap_or(span.position))));
                }
                event => {
                    if let Err(error) = self.take(event, &span) {
                        // go-yaml reads the whole document before it asks what it means.
                        drain(events)?;
                        return Err(error);
                    }
                }
            }
        }
        Ok(None)
    }

    fn event(&mut self, event: Event<'_>, span: &Span) -> Result<(), Error> {
        match event {
            Event::Scalar(text, _, Some(Tag::Binary), anchor) => {
                self.finish(binary(&text, span.position)?, anchor)
            }
            Event::Scalar(text, style, tag, anchor) => {
                let scalar = self.meaning(&text, style, tag, span.position)?;
                if anchor.is_none() && matches!(scalar, Scalar::Text | Scalar::Timestamp) {
                    return self.text(&text, span.position);
                }
                let node = self.scalar(scalar, &text, span.position)?;
                self.finish(node, anchor)
            }
            Event::SequenceStart(anchor) => {
                let start = self.values.len();
                self.open(Kind::List { start }, anchor, span.position)
            }
            Event::MappingStart(anchor) => {
                let start = self.entries.len();
                let slot = Slot::Key;
                self.open(Kind::Map { start, slot }, anchor, span.position)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(id, name) => {
                let node = self.alias(id, name, span.position)?;
                self.finish(node, None)
            }
            Event::DocumentStart | Event::DocumentEnd => Ok(()),
        }
    }

    fn open(&mut self, kind: Kind, anchor: Option<usize>, position: Position) -> Result<(), Error> {
        self.check_depth(1, position)?;
        self.frames.push(Frame {
            kind,
            anchor,
            position,
            size: 1,
            height: 1,
        });
        Ok(())
    }

    fn check_depth(&self, more: usize, position: Position) -> Result<(), Error> {
        if self.frames.len() + more > MAX_DEPTH {
            let (what, limit) = ("nesting", MAX_DEPTH);
            return Err(Error::new(position, Cause::Limit { what, limit }));
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Error> {
        let Some(frame) = self.frames.pop() else {
            return Ok(());
        };
        let value = match frame.kind {
            Kind::List { start } => Value::List(self.values.drain(start..).collect()),
            Kind::Map { start, .. } => Value::Map(self.map(start)?),
        };
        let node = Node {
            value,
            position: frame.position,
            size: frame.size,
            height: frame.height,
            role: Role::Written,
        };
        self.finish(node, frame.anchor)
    }

    /// Takes the entries from `start` as a map: sorted, of equal keys the last.
    fn map(&mut self, start: usize) -> Result<Map, Error> {
        let late_merge = self.mode == Mode::GoYaml3;
        let open = &mut self.entries[start..];
        if open.is_sorted_by(|a, b| a.key < b.key) {
            let entries = self.entries.drain(start..);
            return Ok(Map::from_ascending(
                entries.map(|entry| (entry.key, entry.value)),
            ));
        }
        // Stable, so equal keys stay in the order of the text. go-yaml v2 merges in place: a merge
        // overwrites keys above it; v3 lets a map's own keys win.
        open.sort_by(|a, b| {
            let merged = |entry: &Entry| late_merge && !entry.merged;
            a.key.cmp(&b.key).then_with(|| merged(a).cmp(&merged(b)))
        });
        for pair in open.windows(2) {
            let [earlier, later] = pair else { continue };
            if earlier.key != later.key {
                continue;
            }
            let merges = earlier.merged || later.merged;
            match self.mode {
                Mode::GoYaml2 | Mode::GoYaml3 if merges => {}
                Mode::GoYaml2 => self.warnings.push(Warning {
                    position: later.position,
                    oddity: Oddity::RepeatedKey(later.key.clone()),
                }),
                Mode::GoYaml2Strict | Mode::GoYaml3 => {
                    let cause = Cause::DuplicateKey(later.key.to_string());
                    return Err(Error::new(later.position, cause));
                }
            }
        }
        let entries = self
            .entries
            .drain(start..)
            .map(|entry| (entry.key, entry.value));
        Ok(Map::from_sorted(entries))
    }

    /// Hands a node to its parent and remembers it where it has an anchor.
    fn finish(&mut self, node: Node, anchor: Option<usize>) -> Result<(), Error> {
        if node.role != Role::Alias {
            self.count(1, 0, node.position)?;
        }
        if let Some(id) = anchor {
            let (value, size, height) = (node.value.clone(), node.size, node.height);
            self.anchors.insert(
                id,
                Anchored {
                    value,
                    size,
                    height,
                },
            );
        }
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node.value);
            return Ok(());
        };
        frame.size = frame.size.saturating_add(node.size);
        frame.height = frame.height.max(node.height + 1);
        match &mut frame.kind {
            Kind::List { .. } => self.values.push(node.value),
            Kind::Map { slot, .. } => match std::mem::replace(slot, Slot::Key) {
                Slot::Key if node.role == Role::Merge => *slot = Slot::Merge,
                Slot::Key => {
                    let position = node.position;
                    *slot = Slot::Value(key_text(&mut self.keys, node)?, position);
                }
                Slot::Value(key, position) => self.entries.push(Entry {
                    key,
                    value: node.value,
                    position,
                    merged: false,
                }),
                Slot::Merge => self.merge(node)?,
            },
        }
        Ok(())
    }

    fn merge(&mut self, node: Node) -> Result<(), Error> {
        let position = node.position;
        let maps = match node.value {
            Value::Map(map) => vec![map],
            Value::List(items) if node.role == Role::Written => items
                .into_iter()
                .map(|item| match item {
                    Value::Map(map) => Ok(map),
                    _ => Err(Error::new(position, Cause::BadMerge)),
                })
                .collect::<Result<_, _>>()?,
            _ => return Err(Error::new(position, Cause::BadMerge)),
        };
        // Of several maps the first wins, and of equal keys the last: so in reverse order.
        for map in maps.into_iter().rev() {
            self.entries
                .extend(map.into_iter().map(|(key, value)| Entry {
                    key,
                    value,
                    position,
                    merged: true,
                }));
        }
        Ok(())
    }

    fn alias(&mut self, id: usize, name: &str, position: Position) -> Result<Node, Error> {
        let Some(anchored) = self.anchors.get(&id) else {
            // The parser knows the name, so the anchored node is still open.
            let cause = Cause::EndlessAnchor(name.to_owned());
            return Err(Error::new(position, cause));
        };
        let (size, height) = (anchored.size, anchored.height);
        self.check_depth(height, position)?;
        self.count(size.saturating_add(1), size, position)?;
        let value = self.anchors.get(&id).map(|anchored| anchored.value.clone());
        Ok(Node {
            value: value.unwrap_or_default(),
            position,
            size: size.saturating_add(1),
            height,
            role: Role::Alias,
        })
    }

    /// Counts nodes before they are made, and applies go-yaml's rule for the share of aliases.
    #[allow(
        clippy::cast_precision_loss,
        reason = "go-yaml computes the share in floats too"
    )]
    fn count(&mut self, nodes: u64, aliased: u64, position: Position) -> Result<(), Error> {
        self.decoded = self.decoded.saturating_add(nodes);
        self.aliased = self.aliased.saturating_add(aliased);
        if self.decoded > MAX_NODES {
            let (what, limit) = ("number of nodes", MAX_NODES as usize);
            return Err(Error::new(position, Cause::Limit { what, limit }));
        }
        if self.aliased <= 100 || self.decoded <= 1000 {
            return Ok(());
        }
        let range = (ALIAS_RANGE_HIGH - ALIAS_RANGE_LOW) as f64;
        let over = self.decoded.saturating_sub(ALIAS_RANGE_LOW) as f64;
        let allowed = 0.99 - 0.89 * (over / range).min(1.0);
        if self.aliased as f64 / self.decoded as f64 > allowed {
            return Err(Error::new(position, Cause::ExcessiveAliasing));
        }
        Ok(())
    }

    fn meaning(
        &self,
        text: &str,
        style: Style,
        tag: Option<Tag>,
        position: Position,
    ) -> Result<Scalar, Error> {
        Ok(match tag {
            None if style != Style::Plain => Scalar::Text,
            None => resolve(text, self.mode, Times::Seen),
            Some(Tag::NonSpecific) if style == Style::Plain && self.mode == Mode::GoYaml3 => {
                resolve(text, self.mode, Times::Seen)
            }
            Some(Tag::Merge) if text == "<<" => Scalar::Merge,
            Some(Tag::Str | Tag::NonSpecific | Tag::Other | Tag::Merge) => Scalar::Text,
            Some(tag) => tagged(text, tag, self.mode, position)?,
        })
    }

    /// The short way of most scalars: takes a text without an anchor.
    fn text(&mut self, text: &str, position: Position) -> Result<(), Error> {
        self.count(1, 0, position)?;
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(Value::String(Str::from(text)));
            return Ok(());
        };
        frame.size = frame.size.saturating_add(1);
        let slot = match &mut frame.kind {
            Kind::List { .. } => {
                self.values.push(Value::String(Str::from(text)));
                return Ok(());
            }
            Kind::Map { slot, .. } => slot,
        };
        match std::mem::replace(slot, Slot::Key) {
            Slot::Key => *slot = Slot::Value(self.keys.get(text), position),
            Slot::Value(key, position) => self.entries.push(Entry {
                key,
                value: Value::String(Str::from(text)),
                position,
                merged: false,
            }),
            Slot::Merge => return Err(Error::new(position, Cause::BadMerge)),
        }
        Ok(())
    }

    fn scalar(&mut self, scalar: Scalar, text: &str, position: Position) -> Result<Node, Error> {
        let value = match scalar {
            Scalar::Null => Value::Null,
            Scalar::Bool(flag) => Value::Bool(flag),
            Scalar::Int(number) => Value::Int(number),
            Scalar::Uint(number) => Value::Uint(number),
            Scalar::Float(number) if self.awaits_key() => Value::Float(number),
            Scalar::Float(number) => self.through_json(number, position)?,
            Scalar::Merge | Scalar::Timestamp | Scalar::Text => {
                Value::String(match self.awaits_key() {
                    true => self.keys.get(text),
                    false => Str::from(text),
                })
            }
        };
        let role = match scalar {
            Scalar::Merge if self.awaits_key() => Role::Merge,
            _ => Role::Written,
        };
        Ok(Node {
            value,
            position,
            size: 1,
            height: 0,
            role,
        })
    }

    fn awaits_key(&self) -> bool {
        matches!(
            self.frames.last(),
            Some(Frame {
                kind: Kind::Map {
                    slot: Slot::Key,
                    ..
                },
                ..
            })
        )
    }

    /// What is left of a float once `sigs.k8s.io/yaml` has written it as JSON and read it again.
    fn through_json(&self, number: f64, position: Position) -> Result<Value, Error> {
        if self.mode == Mode::GoYaml3 {
            return Ok(Value::Float(number));
        }
        let name = match number {
            _ if number.is_nan() => "NaN",
            f64::INFINITY => "+Inf",
            f64::NEG_INFINITY => "-Inf",
            _ => return Ok(number::whole(number).map_or(Value::Float(number), Value::Int)),
        };
        Err(Error::new(position, Cause::NotJson(name)))
    }
}

/// Reads to the end of the document, for an error of syntax there.
fn drain(events: &mut Events<'_>) -> Result<(), Error> {
    while let Some((event, _)) = events.next_event()? {
        if event == Event::DocumentEnd {
            break;
        }
    }
    Ok(())
}

impl Sink for Decoder {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Error> {
        self.start.get_or_insert(span.position);
        self.event(event, span)
    }
}

/// A key as text, by the rules of `sigs.k8s.io/yaml`.
fn key_text(keys: &mut KeyCache, node: Node) -> Result<Str, Error> {
    let unsupported = |kind| Err(Error::new(node.position, Cause::UnsupportedKey(kind)));
    match node.value {
        Value::String(text) => Ok(text),
        Value::Bool(flag) => Ok(keys.get(if flag { "true" } else { "false" })),
        Value::Int(number) => Ok(keys.get(&number.to_string())),
        Value::Float(number) => Ok(number::float_key(number).into()),
        Value::Null => unsupported("null"),
        Value::Uint(_) => unsupported("uint64"),
        Value::List(_) => unsupported("list"),
        Value::Map(_) => unsupported("map"),
    }
}

/// A scalar with one of the tags that go-yaml checks against its text.
fn tagged(text: &str, tag: Tag, mode: Mode, position: Position) -> Result<Scalar, Error> {
    let times = match tag {
        Tag::Timestamp => Times::Seen,
        _ => Times::Ignored,
    };
    let scalar = resolve(text, mode, times);
    let name = match (tag, scalar) {
        (Tag::Null, Scalar::Null)
        | (Tag::Bool, Scalar::Bool(_))
        | (Tag::Int, Scalar::Int(_) | Scalar::Uint(_))
        | (Tag::Float, Scalar::Float(_))
        | (Tag::Timestamp, Scalar::Timestamp) => return Ok(scalar),
        #[allow(clippy::cast_precision_loss, reason = "!!float asks for a float")]
        (Tag::Float, Scalar::Int(number)) => return Ok(Scalar::Float(number as f64)),
        (Tag::Null, _) => "!!null",
        (Tag::Bool, _) => "!!bool",
        (Tag::Int, _) => "!!int",
        (Tag::Float, _) => "!!float",
        _ => "!!timestamp",
    };
    let (found, text) = (scalar.tag(), text.to_owned());
    let tag = name;
    Err(Error::new(position, Cause::BadTag { found, text, tag }))
}

/// A `!!binary` scalar; bytes that are no text become replacement characters, as in JSON.
fn binary(text: &str, position: Position) -> Result<Node, Error> {
    let bytes = base64(text).ok_or_else(|| Error::new(position, Cause::BadBase64))?;
    Ok(Node {
        value: Value::String(crate::json::text_of(&bytes).as_ref().into()),
        position,
        size: 1,
        height: 0,
        role: Role::Written,
    })
}

/// Standard base64 with padding; line breaks are skipped.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let symbols: Vec<u8> = text
        .bytes()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect();
    let padding = symbols
        .iter()
        .rev()
        .take_while(|byte| **byte == b'=')
        .count();
    if !symbols.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(symbols.len() / 4 * 3);
    for group in symbols[..symbols.len() - padding].chunks(4) {
        let mut bits = 0u32;
        for symbol in group {
            let value = match symbol {
                b'A'..=b'Z' => symbol - b'A',
                b'a'..=b'z' => symbol - b'a' + 26,
                b'0'..=b'9' => symbol - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        bits <<= 6 * (4 - group.len());
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    Some(bytes)
}
