//! The documents of one text, split as Kubernetes splits streams.
//!
//! Read [`Documents`] first.

use crate::decode::Decoder;
use crate::error::{Cause, Error, Position, Warning};
use crate::events::Events;
use crate::limits::MAX_BYTES;
use crate::resolve::Mode;
use crate::{Value, json, simple};

/// One document of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What it says.
    pub value: Value,
    /// The line on which its content begins, from 1.
    pub line: u32,
}

/// All documents of a text that have content; comments, empty documents and `null` are left out.
///
/// # Errors
/// The first thing wrong with the text. [`Documents`] gives what came before it as well.
pub fn parse_documents(text: &str, mode: Mode) -> Result<(Vec<Document>, Vec<Warning>), Error> {
    let mut documents = Documents::new(text, mode);
    let mut found = Vec::new();
    while let Some(document) = documents.next_document()? {
        found.push(document);
    }
    Ok((found, documents.take_warnings()))
}

/// The first document of a text with the semantics of `sigs.k8s.io/yaml`'s `Unmarshal`; `null`
/// when there is none. What follows the first document is not looked at, repeated keys are not
/// reported.
///
/// # Errors
/// The first thing wrong with the document.
pub fn parse_str(text: &str) -> Result<Value, Error> {
    parse_str_in(text, Mode::GoYaml2)
}

/// As [`parse_str`], in a mode.
///
/// # Errors
/// The first thing wrong with the document.
pub fn parse_str_in(text: &str, mode: Mode) -> Result<Value, Error> {
    check_text(text)?;
    if mode == Mode::GoYaml2
        && let Some(value) = plain_json(text)
    {
        return Ok(value);
    }
    let source = simple::Source {
        text,
        lines_before: 0,
        last_line_closed: false,
    };
    let document = Decoder::for_text(mode, text.len()).first_document(source)?;
    Ok(document.map(|(value, _)| value).unwrap_or_default())
}

/// A key is looked for in so many bytes (go-yaml's own limit for keys without a question mark).
const MAX_KEY: usize = 1024;

/// The value of a text that both languages read alike, by the quicker reader: JSON on one line,
/// with no escape that YAML has not, no number that is not whole, and no key too long for YAML.
fn plain_json(text: &str) -> Option<Value> {
    const BREAKS: [char; 6] = ['\n', '\r', '\t', '\u{85}', '\u{2028}', '\u{2029}'];
    if !text.starts_with('{') || text.contains(BREAKS) {
        return None;
    }
    let mut escapes = text.as_bytes().iter();
    while let Some(byte) = escapes.next() {
        if *byte == b'\\'
            && !escapes
                .next()
                .is_some_and(|next| b"\"\\nrtbf".contains(next))
        {
            return None;
        }
    }
    json::parse_str(text).ok().filter(is_alike)
}

fn is_alike(value: &Value) -> bool {
    match value {
        Value::Float(_) => false,
        Value::List(items) => items.iter().all(is_alike),
        Value::Map(map) => map
            .iter()
            .all(|(key, value)| key.len() < MAX_KEY && is_alike(value)),
        _ => true,
    }
}

/// The documents of a text one by one.
pub struct Documents<'a> {
    decoder: Decoder,
    source: Source<'a>,
    checked: Option<Error>,
}

enum Source<'a> {
    /// A text that begins like JSON is read as JSON values for as long as it is.
    Json(Box<json::Stream<'a>>, usize),
    /// Kubernetes cuts the text first and takes the first document of each piece.
    Pieces(Pieces<'a>),
    /// go-yaml v3 lets the parser find the documents.
    Parser(Box<Events<'a>>),
    Ended,
}

impl<'a> Documents<'a> {
    /// Starts to read `text`.
    #[must_use]
    pub fn new(text: &'a str, mode: Mode) -> Self {
        let source = match mode {
            _ if begins_as_json(text) && mode != Mode::GoYaml3 => {
                Source::Json(Box::new(json::Stream::new(text)), 0)
            }
            Mode::GoYaml2 | Mode::GoYaml2Strict => Source::Pieces(Pieces::new(text, 0)),
            Mode::GoYaml3 => Source::Parser(Box::new(Events::new(text, mode))),
        };
        Documents {
            decoder: Decoder::new(mode),
            source,
            checked: check_text(text).err(),
        }
    }

    /// The next document that has content; `None` at the end.
    ///
    /// # Errors
    /// What is wrong with the text; it ends there.
    pub fn next_document(&mut self) -> Result<Option<Document>, Error> {
        let found = match self.checked.take() {
            Some(error) => Err(error),
            None => self.find(),
        };
        if !matches!(found, Ok(Some(_))) {
            self.source = Source::Ended;
        }
        found
    }

    /// Repeated keys of the documents given so far.
    pub fn take_warnings(&mut self) -> Vec<Warning> {
        self.decoder.take_warnings()
    }

    fn find(&mut self) -> Result<Option<Document>, Error> {
        loop {
            let found = match &mut self.source {
                Source::Ended => return Ok(None),
                Source::Json(stream, count) => match stream.next_value() {
                    Ok(None) => return Ok(None),
                    Ok(found) => {
                        *count += 1;
                        found
                    }
                    // One value and then something else is no stream of JSON yet.
                    Err(_) if *count <= 1 => {
                        let (rest, lines_before) = stream.rest();
                        self.source = Source::Pieces(Pieces::new(rest, lines_before));
                        continue;
                    }
                    Err(error) => return Err(error),
                },
                Source::Parser(events) => match self.decoder.document(events)? {
                    None => return Ok(None),
                    found => found,
                },
                Source::Pieces(pieces) => match pieces.next_piece()? {
                    None => return Ok(None),
                    Some(piece) => read_piece(&mut self.decoder, &piece)?,
                },
            };
            match found {
                Some((Value::Null, _)) | None => {}
                Some((value, position)) => {
                    let line = position.line;
                    return Ok(Some(Document { value, line }));
                }
            }
        }
    }
}

fn read_piece(
    decoder: &mut Decoder,
    piece: &Piece<'_>,
) -> Result<Option<(Value, Position)>, Error> {
    decoder.first_document(simple::Source {
        text: piece.text,
        lines_before: piece.lines_before,
        // Kubernetes' reader gives each line with a line break, the last one too.
        last_line_closed: true,
    })
}

fn begins_as_json(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// A part of the text between separators.
struct Piece<'a> {
    text: &'a str,
    lines_before: u32,
}

/// Cuts at lines that begin with `---`, as apimachinery's `YAMLReader` does.
struct Pieces<'a> {
    rest: &'a str,
    lines_before: u32,
}

impl<'a> Pieces<'a> {
    fn new(rest: &'a str, lines_before: u32) -> Self {
        Pieces { rest, lines_before }
    }

    fn next_piece(&mut self) -> Result<Option<Piece<'a>>, Error> {
        let start = self.rest;
        let lines_before = self.lines_before;
        let mut taken = 0;
        while let Some(at) = next_separator(start, taken) {
            self.pass_lines(&start[taken..at]);
            let line = start[at..].split_inclusive('\n').next().unwrap_or_default();
            self.check_separator(line[SEPARATOR.len()..].trim())?;
            self.pass_lines(line);
            taken = at + line.len();
            if at > 0 {
                self.rest = &start[taken..];
                let text = &start[..at];
                return Ok(Some(Piece { text, lines_before }));
            }
        }
        self.pass_lines(&start[taken..]);
        self.rest = "";
        let text = start;
        Ok((!text.is_empty()).then_some(Piece { text, lines_before }))
    }

    /// Counts lines, the last one too when no line break ends it.
    fn pass_lines(&mut self, lines: &str) {
        let n_breaks = memchr::memchr_iter(b'\n', lines.as_bytes()).count();
        let is_open = !lines.is_empty() && !lines.ends_with('\n');
        let n_lines = u32::try_from(n_breaks + usize::from(is_open)).unwrap_or(u32::MAX);
        self.lines_before = self.lines_before.saturating_add(n_lines);
    }

    fn check_separator(&self, after: &str) -> Result<(), Error> {
        if after.is_empty() || after.starts_with('#') {
            return Ok(());
        }
        let position = Position {
            line: self.lines_before.saturating_add(1),
            column: 4,
        };
        let shown: String = after.chars().take(80).collect();
        Err(Error::new(position, Cause::BadSeparator(shown)))
    }
}

/// What a line that separates documents begins with.
const SEPARATOR: &str = "---";

/// Where the next line that begins with the separator starts, from the start of a line on.
fn next_separator(text: &str, from: usize) -> Option<usize> {
    let rest = &text[from..];
    if rest.starts_with(SEPARATOR) {
        return Some(from);
    }
    let found = memchr::memmem::find(rest.as_bytes(), b"\n---")?;
    Some(from + found + 1)
}

/// Refuses what go-yaml's reader refuses before it parses: too much text and control characters.
pub(crate) fn check_text(text: &str) -> Result<(), Error> {
    if text.len() > MAX_BYTES {
        let (what, limit) = ("number of bytes", MAX_BYTES);
        let position = Position { line: 1, column: 1 };
        return Err(Error::new(position, Cause::Limit { what, limit }));
    }
    let bytes = text.as_bytes();
    let found = bytes.chunks(CHUNK).enumerate().find_map(|(n, chunk)| {
        let from = n * CHUNK;
        let refused = |at: &usize| is_refused(bytes, *at);
        (any(chunk, is_unusual) && any(chunk, is_suspect))
            .then(|| (from..from + chunk.len()).find(refused))
            .flatten()
    });
    match found {
        None => Ok(()),
        Some(at) => {
            let position = json::position(bytes, at);
            Err(Error::new(position, Cause::ControlCharacter))
        }
    }
}

/// Bytes that are looked at together.
const CHUNK: usize = 256;

/// Whether a whole chunk is looked at in vain; this loop is compiled to vector instructions.
fn any(chunk: &[u8], is_such: impl Fn(u8) -> bool) -> bool {
    chunk
        .iter()
        .fold(false, |found, byte| found | is_such(*byte))
}

/// Whether a byte is neither a line break nor a printable character of ASCII: quick to tell, and
/// most texts have no other.
fn is_unusual(byte: u8) -> bool {
    (byte.wrapping_sub(b' ') >= 0x7f - b' ') & (byte != b'\n')
}

/// Whether a byte is, or begins, a character that may be refused.
fn is_suspect(byte: u8) -> bool {
    (byte < 0x20) & (byte != b'\n') & (byte != b'\t') & (byte != b'\r')
        | (byte == 0x7f)
        | (byte == 0xc2)
        | (byte == 0xef)
}

fn is_refused(bytes: &[u8], at: usize) -> bool {
    match bytes[at] {
        b'\t' | b'\n' | b'\r' => false,
        0..=0x1f | 0x7f => true,
        0xc2 => matches!(bytes.get(at + 1), Some(0x80..=0x84 | 0x86..=0x9f)),
        0xef => matches!(bytes.get(at + 1..at + 3), Some([0xbf, 0xbe | 0xbf])),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
