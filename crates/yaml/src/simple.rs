//! A fast way through the YAML that nearly all manifests are written in: block maps and lists of plain
//! and quoted scalars, literal blocks, and brackets that close on their line. It gives the same events
//! as [`crate::events`] and gives up on everything else, so that the full parser alone decides what is
//! unusual or wrong.
//!
//! Read [`Scan`] first; `line` tells what stands on one line. It must never report an error of its own,
//! and never guess: what it does not know for certain, it leaves.

use std::borrow::Cow;

use memchr::memchr;

use crate::error::{Error, Position};
use crate::events::{Event, Span, Style};

mod line;

use line::{
    behind_entry, flow_scalar, is_dash, is_indicator, n_spaces, only_comment, plain_line, quoted,
    split_key, unquoted,
};

/// Keys above this length are left to the full parser, which limits them at 1024 characters.
const MAX_KEY: usize = 500;

/// Open collections; deeper texts are left to the full parser, which limits the depth.
const MAX_OPEN: usize = 100;

/// Brackets in brackets; deeper ones are left to the full parser.
const MAX_FLOW: usize = 20;

/// The byte order mark, and what is a line break beside the usual one.
const ODD: [char; 4] = ['\u{feff}', '\u{85}', '\u{2028}', '\u{2029}'];

/// The text is not simple, or the receiver of the events refused one; what was given so far must be
/// thrown away.
pub(crate) struct NotSimple;

impl From<Error> for NotSimple {
    /// The full parser finds the error again, or one that comes before it.
    fn from(_: Error) -> Self {
        NotSimple
    }
}

type Step<T = ()> = Result<T, NotSimple>;

/// What takes the events.
pub(crate) trait Sink {
    /// Takes the next event.
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Error>;
}

/// A text to read, and how it is cut from its file.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) text: &'a str,
    /// Lines of the file above the text.
    pub(crate) lines_before: u32,
    /// Whether a last line without a line break counts as if it had one.
    pub(crate) last_line_closed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Map,
    List,
}

/// An open collection.
struct Open {
    kind: Kind,
    indent: usize,
    /// A key without its value yet, or a dash without its item.
    waits: bool,
}

/// A line: where it starts, its number, and where the next one starts.
#[derive(Clone, Copy)]
struct Place {
    line_start: usize,
    line: u32,
    next: usize,
}

/// The state of one pass over a text.
pub(crate) struct Scan<'a, 's, S> {
    source: Source<'a>,
    sink: &'s mut S,
    open: Vec<Open>,
    /// The start of the current line, and its number.
    line_start: usize,
    line: u32,
    /// The first byte behind the current line and its line break.
    next: usize,
    is_ascii: bool,
    seen_content: bool,
    has_root: bool,
}

/// Gives the events of the one document that `source` holds to `sink`, without those of the
/// document itself. Comments and empty lines alone give none.
pub(crate) fn scan<S: Sink>(source: Source<'_>, sink: &mut S) -> Step {
    let bytes = source.text.as_bytes();
    let is_ascii = bytes.is_ascii();
    if memchr(b'\r', bytes).is_some() || !is_ascii && source.text.contains(ODD) {
        return Err(NotSimple);
    }
    let mut scan = Scan {
        source,
        sink,
        open: Vec::with_capacity(16),
        line_start: 0,
        line: source.lines_before,
        next: 0,
        is_ascii,
        seen_content: false,
        has_root: false,
    };
    while let Some(line) = scan.next_line() {
        scan.line(line)?;
    }
    scan.close_above(None)
}

impl<'a, S: Sink> Scan<'a, '_, S> {
    /// The next line without its line break; `None` at the end.
    fn next_line(&mut self) -> Option<&'a str> {
        let text = self.source.text;
        self.line_start = self.next;
        let rest = text.get(self.next..).filter(|rest| !rest.is_empty())?;
        let len = memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
        self.next += (len + 1).min(rest.len());
        self.line = self.line.saturating_add(1);
        Some(&rest[..len])
    }

    fn position(&self, column: usize) -> Position {
        let line = self.line;
        let chars = if self.is_ascii {
            column
        } else {
            let from = self.line_start;
            self.source
                .text
                .get(from..from + column)
                .map_or(column, |text| text.chars().count())
        };
        let column = u32::try_from(chars).unwrap_or(u32::MAX).saturating_add(1);
        Position { line, column }
    }

    fn give(&mut self, event: Event<'_>, column: usize, len: usize) -> Step {
        let start = self.line_start + column;
        let span = Span {
            bytes: start..start + len,
            position: self.position(column),
        };
        self.sink.take(event, &span)?;
        Ok(())
    }

    fn give_null(&mut self) -> Step {
        self.give(
            Event::Scalar(Cow::Borrowed(""), Style::Plain, None, None),
            0,
            0,
        )
    }

    /// Closes collections until one is open that a line at `indent` may belong to.
    fn close_above(&mut self, indent: Option<usize>) -> Step {
        while let Some(open) = self.open.last() {
            if indent.is_some_and(|indent| open.indent <= indent) {
                break;
            }
            let (kind, waits) = (open.kind, open.waits);
            if waits {
                self.give_null()?;
            }
            self.open.pop();
            let end = match kind {
                Kind::Map => Event::MappingEnd,
                Kind::List => Event::SequenceEnd,
            };
            self.give(end, 0, 0)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &'a str) -> Step {
        let indent = n_spaces(line);
        let content = &line[indent..];
        if content.is_empty() || content.starts_with('#') {
            return Ok(());
        }
        if indent == 0 && (content.starts_with("---") || content.starts_with("...")) {
            let rest = content[3..].trim_start_matches(' ');
            let is_start = content.starts_with('-') && (rest.is_empty() || rest.starts_with('#'));
            if self.seen_content || !is_start {
                return Err(NotSimple);
            }
            // A second one would end an empty document.
            self.seen_content = self.open.is_empty();
            return Ok(());
        }
        self.seen_content = true;
        self.close_above(Some(indent))?;
        self.entry(line, indent)
    }

    /// Content at `column` of a line: an item, or a key with its value.
    fn entry(&mut self, line: &'a str, mut column: usize) -> Step {
        let mut first = true;
        loop {
            let content = &line[column..];
            if !is_dash(content) {
                break;
            }
            self.start_item(column, first)?;
            let n_passed = 1 + n_spaces(&content[1..]);
            let rest = &content[n_passed..];
            column += n_passed;
            if rest.is_empty() || rest.starts_with('#') {
                return Ok(());
            }
            first = false;
        }
        let content = &line[column..];
        match split_key(content)? {
            Some((key, style, colon)) => {
                self.start_key(column)?;
                let text = Cow::Borrowed(key);
                self.give(Event::Scalar(text, style, None, None), column, key.len())?;
                self.value(line, column + colon + 1)
            }
            None if !first => self.value(line, column),
            // A scalar on a line of its own is what a key or a dash above waits for.
            None => match self.open.last() {
                Some(open) if open.waits && open.indent < column && !content.starts_with('|') => {
                    self.value(line, column)
                }
                _ => Err(NotSimple),
            },
        }
    }

    /// A dash at `column`: the next item of an open list, or the first of a new one.
    fn start_item(&mut self, column: usize, first: bool) -> Step {
        let parent = self.open.last_mut();
        match parent {
            Some(Open {
                kind: Kind::List,
                indent,
                waits,
            }) if *indent == column && first => {
                if std::mem::replace(waits, true) {
                    self.give_null()?;
                }
                return Ok(());
            }
            Some(Open {
                kind: Kind::Map,
                indent,
                waits: waits @ true,
            }) if *indent <= column => {
                *waits = false;
            }
            Some(Open {
                kind: Kind::List,
                indent,
                waits: waits @ true,
            }) if *indent < column => {
                *waits = false;
            }
            None => {}
            _ => return Err(NotSimple),
        }
        self.begin(Kind::List, column)
    }

    /// A key at `column`: of the open map, or of a new one.
    fn start_key(&mut self, column: usize) -> Step {
        // A list that stands at the indentation of its key ends where the next key begins.
        if let [
            ..,
            Open {
                kind: Kind::Map,
                indent: outer,
                ..
            },
            Open {
                kind: Kind::List,
                indent,
                waits,
            },
        ] = &self.open[..]
            && indent == outer
            && *indent == column
        {
            if *waits {
                self.give_null()?;
            }
            self.open.pop();
            self.give(Event::SequenceEnd, 0, 0)?;
        }
        match self.open.last_mut() {
            Some(Open {
                kind: Kind::Map,
                indent,
                waits,
            }) if *indent == column => {
                if std::mem::replace(waits, true) {
                    self.give_null()?;
                }
                return Ok(());
            }
            Some(Open {
                indent,
                waits: waits @ true,
                ..
            }) if *indent < column => *waits = false,
            None => {}
            _ => return Err(NotSimple),
        }
        self.begin(Kind::Map, column)
    }

    fn begin(&mut self, kind: Kind, indent: usize) -> Step {
        // A second collection at the root is no YAML.
        if self.open.len() >= MAX_OPEN || self.open.is_empty() && self.has_root {
            return Err(NotSimple);
        }
        self.has_root = true;
        self.open.push(Open {
            kind,
            indent,
            waits: true,
        });
        let event = match kind {
            Kind::Map => Event::MappingStart(None),
            Kind::List => Event::SequenceStart(None),
        };
        self.give(event, indent, 0)
    }

    /// What stands behind a key or a dash, from `column` on; nothing means that it follows below.
    fn value(&mut self, line: &'a str, column: usize) -> Step {
        let column = column + n_spaces(&line[column..]);
        let content = &line[column..];
        let Some(first) = content.as_bytes().first() else {
            return Ok(());
        };
        let event = match first {
            b'#' => return Ok(()),
            b'|' => return self.literal(content, column),
            b'"' | b'\'' => match quoted(content)? {
                (text, Some(len)) => {
                    only_comment(&content[len..])?;
                    Event::Scalar(text, Style::Quoted, None, None)
                }
                (_, None) => return self.quoted_lines(content, column),
            },
            b'[' | b'{' => return self.flow(line, column),
            _ => return self.plain(content, column),
        };
        self.filled();
        self.give(event, column, content.len())
    }

    /// A plain scalar and the lines that continue it.
    fn plain(&mut self, content: &'a str, column: usize) -> Step {
        let is_plain = match content.as_bytes() {
            [b':', next, ..] => !matches!(next, b' ' | b'\t'),
            [first, ..] => !is_indicator(*first) && !is_dash(content),
            [] => false,
        };
        if !is_plain {
            return Err(NotSimple);
        }
        let start = self.place();
        let parent = self.open.last().map_or(0, |open| open.indent);
        let (first, commented) = plain_line(content)?;
        let mut text = Cow::Borrowed(first);
        let mut ended = commented || !self.may_continue(parent);
        let mut breaks = 0;
        let mut end = self.place();
        while !ended && let Some(line) = self.next_line() {
            breaks += 1;
            let indent = n_spaces(line);
            let rest = &line[indent..];
            if rest.is_empty() {
                continue;
            }
            if indent <= parent || rest.starts_with('#') {
                break;
            }
            let more;
            (more, ended) = plain_line(rest)?;
            let text = text.to_mut();
            fold(text, breaks);
            text.push_str(more);
            breaks = 0;
            end = self.place();
        }
        self.filled();
        let event = Event::Scalar(text, Style::Plain, None, None);
        self.give_from(start, end, event, column)
    }

    /// A scalar in quotes that do not end on its first line.
    fn quoted_lines(&mut self, content: &'a str, column: usize) -> Step {
        let (quote, start) = (&content[..1], self.place());
        let parent = self.open.last().map_or(0, |open| open.indent);
        let mut part = &content[1..];
        let mut text = String::new();
        let end = loop {
            // Tabs and spaces around line breaks are no text.
            if part.contains('\t') {
                return Err(NotSimple);
            }
            match unquoted(part, quote.as_bytes()[0])? {
                (last, Some(len)) => {
                    text.push_str(&last);
                    only_comment(&part[len..])?;
                    break self.place();
                }
                (_, None) => {
                    let kept = part.trim_end_matches(' ');
                    text.push_str(&unquoted(kept, quote.as_bytes()[0])?.0);
                }
            }
            let mut breaks = 0;
            part = loop {
                let line = self.next_line().ok_or(NotSimple)?;
                breaks += 1;
                let indent = n_spaces(line);
                if indent < line.len() {
                    if indent <= parent {
                        return Err(NotSimple);
                    }
                    break &line[indent..];
                }
            };
            fold(&mut text, breaks);
        };
        self.filled();
        let event = Event::Scalar(Cow::Owned(text), Style::Quoted, None, None);
        self.give_from(start, end, event, column)
    }

    /// Whether the next line may belong to a scalar inside a collection at `parent`.
    fn may_continue(&self, parent: usize) -> bool {
        let rest = &self.source.text.as_bytes()[self.next..];
        let indent = n_spaces(rest);
        match rest.get(indent) {
            None => false,
            Some(b'\n') => true,
            Some(_) => indent > parent,
        }
    }

    fn place(&self) -> Place {
        Place {
            line_start: self.line_start,
            line: self.line,
            next: self.next,
        }
    }

    fn go_to(&mut self, place: Place) {
        (self.line_start, self.line, self.next) = (place.line_start, place.line, place.next);
    }

    /// Gives a scalar that began at `column` of the line at `start`, and goes on behind `end`.
    fn give_from(&mut self, start: Place, end: Place, event: Event<'_>, column: usize) -> Step {
        self.go_to(start);
        let len = end.next.saturating_sub(start.line_start + column);
        self.give(event, column, len)?;
        self.go_to(end);
        Ok(())
    }

    /// The innermost collection has what it waited for.
    fn filled(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.waits = false;
        }
    }

    /// Lists and maps in brackets, on one line.
    fn flow(&mut self, line: &'a str, column: usize) -> Step {
        self.filled();
        let end = self.flow_node(line, column, MAX_FLOW)?;
        only_comment(&line[end..])
    }

    /// What stands at `column` in or before brackets; gives the column behind it.
    fn flow_node(&mut self, line: &'a str, column: usize, depth: usize) -> Step<usize> {
        let depth = depth.checked_sub(1).ok_or(NotSimple)?;
        match line.as_bytes().get(column) {
            Some(b'[') => self.flow_list(line, column, depth),
            Some(b'{') => self.flow_map(line, column, depth),
            _ => self.flow_scalar(line, column),
        }
    }

    fn flow_scalar(&mut self, line: &'a str, column: usize) -> Step<usize> {
        let (text, style, len) = flow_scalar(&line[column..])?;
        self.give(Event::Scalar(text, style, None, None), column, len)?;
        Ok(column + len)
    }

    fn flow_list(&mut self, line: &'a str, start: usize, depth: usize) -> Step<usize> {
        self.give(Event::SequenceStart(None), start, 1)?;
        let mut at = start + 1;
        loop {
            at += n_spaces(&line[at..]);
            if line.as_bytes().get(at) == Some(&b']') {
                self.give(Event::SequenceEnd, start, 0)?;
                return Ok(at + 1);
            }
            at = self.flow_node(line, at, depth)?;
            at = behind_entry(line, at, b']')?;
        }
    }

    fn flow_map(&mut self, line: &'a str, start: usize, depth: usize) -> Step<usize> {
        self.give(Event::MappingStart(None), start, 1)?;
        let mut at = start + 1;
        loop {
            at += n_spaces(&line[at..]);
            if line.as_bytes().get(at) == Some(&b'}') {
                self.give(Event::MappingEnd, start, 0)?;
                return Ok(at + 1);
            }
            let colon = self.flow_scalar(line, at)?;
            if colon - at > MAX_KEY || !line[colon..].starts_with(": ") {
                return Err(NotSimple);
            }
            at = colon + 1 + n_spaces(&line[colon + 1..]);
            at = self.flow_node(line, at, depth)?;
            at = behind_entry(line, at, b'}')?;
        }
    }

    /// A literal block without an indentation indicator.
    fn literal(&mut self, header: &'a str, column: usize) -> Step {
        let keep = match header.trim_end_matches(' ') {
            "|" => Keep::One,
            "|-" => Keep::None,
            "|+" => Keep::All,
            _ => return Err(NotSimple),
        };
        let parent = self.open.last().map_or(0, |open| open.indent);
        let start = self.place();
        let mut end = start;
        let mut block = Block::default();
        while let Some(line) = self.next_line() {
            if !block.take(line, parent)? {
                break;
            }
            end = self.place();
            let text = self.source.text;
            if !self.source.last_line_closed && !text[..self.next].ends_with('\n') {
                block.leave_open(line)?;
            }
        }
        let text = block.finish(keep)?;
        self.filled();
        let event = Event::Scalar(Cow::Owned(text), Style::Block, None, None);
        self.give_from(start, end, event, column)
    }
}

/// How many line breaks at the end of a block count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    One,
    None,
    All,
}

/// The lines of a literal block.
#[derive(Default)]
struct Block {
    text: String,
    indent: Option<usize>,
    /// Empty lines since the last one with content.
    empty: usize,
    /// The most spaces in an empty line before the first one with content.
    widest_empty: usize,
    /// Whether the text ends with the last line, without a line break.
    is_open: bool,
}

impl Block {
    /// Takes a line that belongs to the block; `false` for one that does not.
    fn take(&mut self, line: &str, parent: usize) -> Step<bool> {
        // More spaces than the indentation are content.
        let spaces = match self.indent {
            Some(indent) => n_spaces(&line.as_bytes()[..indent.min(line.len())]),
            None => n_spaces(line),
        };
        let is_empty = spaces == line.len();
        let indent = match self.indent {
            None if is_empty => {
                self.widest_empty = self.widest_empty.max(spaces);
                self.empty += 1;
                return Ok(true);
            }
            None if spaces <= parent || self.widest_empty > spaces => {
                return Err(NotSimple);
            }
            None => *self.indent.insert(spaces),
            Some(indent) => indent,
        };
        if is_empty {
            self.empty += 1;
            return Ok(true);
        }
        if spaces < indent {
            return Ok(false);
        }
        let content = &line[indent..];
        if self.text.is_empty() && content.starts_with('\t') {
            return Err(NotSimple);
        }
        self.text.extend(std::iter::repeat_n('\n', self.empty));
        self.empty = 0;
        self.text.reserve(content.len() + 1);
        self.text.push_str(content);
        self.text.push('\n');
        Ok(true)
    }

    /// No line break closes the line that was taken last: there is none to keep.
    fn leave_open(&mut self, line: &str) -> Step {
        if n_spaces(line) == line.len() {
            return Err(NotSimple);
        }
        self.is_open = true;
        Ok(())
    }

    fn finish(mut self, keep: Keep) -> Step<String> {
        if self.indent.is_none() {
            return Err(NotSimple);
        }
        match keep {
            _ if self.is_open => {
                self.text.pop();
            }
            Keep::One => {}
            Keep::None => {
                self.text.pop();
            }
            Keep::All => self.text.extend(std::iter::repeat_n('\n', self.empty)),
        }
        Ok(self.text)
    }
}

/// Line breaks between lines of text: one is a space, of several the first does not count.
fn fold(text: &mut String, breaks: usize) {
    match breaks {
        1 => text.push(' '),
        _ => text.extend(std::iter::repeat_n('\n', breaks - 1)),
    }
}

#[cfg(test)]
mod tests;
