//! From text to a tree, in one pass over the bytes.

use std::borrow::Cow;

use super::plain::plain_prefix;
use crate::error::{Cause, Error, Position};
use crate::keys::KeyCache;
use crate::limits::{MAX_BYTES, MAX_DEPTH};
use crate::{Map, Str, Value};

/// Reads one JSON value.
///
/// Whole numbers become [`Value::Int`], above `i64::MAX` [`Value::Uint`]; others, and whole ones
/// out of range, [`Value::Float`]. Of repeated keys the last one wins. Bytes that are no UTF-8
/// become U+FFFD each, as in Go.
///
/// # Errors
/// With the place, when the text is not JSON, exceeds a limit or has a number out of range.
pub fn parse(bytes: &[u8]) -> Result<Value, Error> {
    parse_str(&text_of(bytes))
}

/// As [`parse`]; also tells whether some map has a key twice.
///
/// # Errors
/// As [`parse`].
pub fn parse_noting_repeats(bytes: &[u8]) -> Result<(Value, bool), Error> {
    let text = text_of(bytes);
    let mut parser = Parser::new(&text);
    let value = parser.whole_value()?;
    Ok((value, parser.repeats))
}

/// As [`parse`], from text.
///
/// # Errors
/// As [`parse`].
pub fn parse_str(text: &str) -> Result<Value, Error> {
    Parser::new(text).whole_value()
}

/// Reads one text after another that resemble each other, such as the objects of one cluster: keys
/// and short values that repeat are kept once for all of them.
pub struct Reader {
    keys: KeyCache,
    texts: KeyCache,
}

impl Default for Reader {
    fn default() -> Self {
        Reader {
            keys: KeyCache::large(),
            texts: KeyCache::large(),
        }
    }
}

impl Reader {
    /// As [`parse`].
    ///
    /// # Errors
    /// As [`parse`].
    pub fn parse(&mut self, bytes: &[u8]) -> Result<Value, Error> {
        let text = text_of(bytes);
        let mut parser = Parser::new(&text);
        parser.keys = std::mem::take(&mut self.keys);
        parser.texts = Some(std::mem::take(&mut self.texts));
        let value = parser.whole_value();
        self.keys = parser.keys;
        self.texts = parser.texts.unwrap_or_default();
        value
    }
}

/// The values of a text that holds several, one after the other, as Go's `json.Decoder` reads
/// them.
pub struct Stream<'a> {
    parser: Parser<'a>,
    /// Behind the last value.
    taken: usize,
}

impl<'a> Stream<'a> {
    /// Starts to read `text`.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Stream {
            parser: Parser::new(text),
            taken: 0,
        }
    }

    /// How many bytes of the text the values took until now.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// What is behind the last value, from the next line on if only spaces stand before it, and
    /// how many lines are before that.
    pub(crate) fn rest(&self) -> (&'a str, u32) {
        let rest = &self.parser.text[self.taken..];
        let line_end = rest.find('\n').filter(|end| rest[..*end].trim().is_empty());
        let start = self.taken + line_end.map_or(0, |end| end + 1);
        let line = position(self.parser.bytes, start).line;
        (&self.parser.text[start..], line - 1)
    }

    /// The next value and the place where it begins; `None` at the end of the text.
    ///
    /// # Errors
    /// As [`parse`]; nothing can be read after an error.
    pub fn next_value(&mut self) -> Result<Option<(Value, Position)>, Error> {
        self.parser.skip_space();
        if self.parser.peek().is_none() {
            return Ok(None);
        }
        let start = self.parser.at;
        let value = self.parser.checked_value()?;
        self.taken = self.parser.at;
        Ok(Some((value, position(self.parser.bytes, start))))
    }
}

/// Bytes as text; each byte that is no UTF-8 becomes U+FFFD, as in Go.
pub(crate) fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(text)
}

/// The line and column of a byte.
pub(crate) fn position(bytes: &[u8], at: usize) -> Position {
    let before = &bytes[..at.min(bytes.len())];
    let line_start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Position {
        line: count(1 + before.iter().filter(|byte| **byte == b'\n').count()),
        column: count(
            1 + before[line_start..]
                .iter()
                .filter(|b| (**b & 0xc0) != 0x80)
                .count(),
        ),
    }
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    keys: KeyCache,
    /// Short values that repeat, when the reader keeps them.
    texts: Option<KeyCache>,
    /// Items and entries of the collections that are open; each collection is allocated once, at
    /// its size, when it closes.
    values: Vec<Value>,
    entries: Vec<(Str, Value)>,
    scratch: String,
    /// Whether a map has a key twice.
    repeats: bool,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Parser {
            text,
            bytes: text.as_bytes(),
            at: 0,
            depth: 0,
            keys: KeyCache::for_text(text.len()),
            texts: None,
            values: Vec::new(),
            entries: Vec::new(),
            scratch: String::new(),
            repeats: false,
        }
    }

    fn whole_value(&mut self) -> Result<Value, Error> {
        let value = self.checked_value()?;
        self.skip_space();
        match self.peek() {
            None => Ok(value),
            Some(_) => Err(self.unexpected("after top-level value")),
        }
    }

    fn checked_value(&mut self) -> Result<Value, Error> {
        if self.bytes.len() > MAX_BYTES {
            return Err(self.limit("number of bytes", MAX_BYTES));
        }
        self.value()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn error(&self, text: String) -> Error {
        Error::new(position(self.bytes, self.at), Cause::Syntax(text))
    }

    fn limit(&self, what: &'static str, limit: usize) -> Error {
        Error::new(position(self.bytes, self.at), Cause::Limit { what, limit })
    }

    /// In the words of Go's decoder.
    fn unexpected(&self, place: &str) -> Error {
        match self
            .text
            .get(self.at..)
            .and_then(|rest| rest.chars().next())
        {
            // Go looks at a space behind the text, which fits everywhere but inside of a word, a
            // number or an escape.
            None if place != "in string literal"
                && (place.contains("literal") || place.contains("escape")) =>
            {
                self.error(format!("invalid character ' ' {place}"))
            }
            None => self.error("unexpected end of JSON input".to_owned()),
            Some('\'') => self.error(format!("invalid character '\\'' {place}")),
            Some('"') => self.error(format!("invalid character '\"' {place}")),
            Some(found) => {
                let shown = found.escape_debug();
                self.error(format!("invalid character '{shown}' {place}"))
            }
        }
    }

    fn value(&mut self) -> Result<Value, Error> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.map(),
            Some(b'[') => self.list(),
            Some(b'"') => {
                self.at += 1;
                self.text_value()
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(self.unexpected("looking for beginning of value")),
        }
    }

    fn text_value(&mut self) -> Result<Value, Error> {
        let Some(mut texts) = self.texts.take() else {
            return Ok(Value::String(self.string()?.into()));
        };
        let text = self.string().map(|text| texts.get(text));
        self.texts = Some(texts);
        text.map(Value::String)
    }

    fn word(&mut self, word: &'static str, value: Value) -> Result<Value, Error> {
        for (n, byte) in word.bytes().enumerate() {
            if self.peek() != Some(byte) {
                let wanted = char::from(byte);
                debug_assert!(n > 0, "the first byte chose the word");
                return Err(self.unexpected(&format!("in literal {word} (expecting '{wanted}')")));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn enter(&mut self) -> Result<(), Error> {
        self.depth += 1;
        self.at += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.limit("nesting", MAX_DEPTH));
        }
        self.skip_space();
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    fn list(&mut self) -> Result<Value, Error> {
        self.enter()?;
        let start = self.values.len();
        if self.peek() == Some(b']') {
            self.leave();
            return Ok(Value::List(Vec::new()));
        }
        loop {
            let item = self.value()?;
            self.values.push(item);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.unexpected("after array element")),
            }
        }
        self.leave();
        Ok(Value::List(self.values.drain(start..).collect()))
    }

    fn map(&mut self) -> Result<Value, Error> {
        self.enter()?;
        let start = self.entries.len();
        if self.peek() == Some(b'}') {
            self.leave();
            return Ok(Value::Map(Map::new()));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("looking for beginning of object key string"));
            }
            self.at += 1;
            let key = self.key()?;
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("after object key"));
            }
            self.at += 1;
            let value = self.value()?;
            self.entries.push((key, value));
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.unexpected("after object key:value pair")),
            }
        }
        self.leave();
        let open = &mut self.entries[start..];
        if !open.is_sorted_by(|a, b| a.0 < b.0) {
            open.sort_by(|a, b| a.0.cmp(&b.0));
            self.repeats |= open.windows(2).any(|pair| pair[0].0 == pair[1].0);
        }
        Ok(Value::Map(Map::from_sorted(self.entries.drain(start..))))
    }

    fn key(&mut self) -> Result<Str, Error> {
        let start = self.at;
        self.skip_plain();
        if self.peek() == Some(b'"') {
            let key = &self.text[start..self.at];
            self.at += 1;
            return Ok(self.keys.get(key));
        }
        self.at = start;
        self.string().map(Str::from)
    }

    /// Moves over characters that stand for themselves.
    fn skip_plain(&mut self) {
        let rest = &self.bytes[self.at..];
        self.at += plain_prefix(rest, |byte| byte < 0x20 || byte == b'"' || byte == b'\\');
    }

    /// The rest of a string, behind its opening quote.
    fn string(&mut self) -> Result<&str, Error> {
        let start = self.at;
        self.skip_plain();
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(&self.text[start..self.at - 1]);
        }
        self.scratch.clear();
        self.scratch.push_str(&self.text[start..self.at]);
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(&self.scratch);
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape()?;
                }
                _ => return Err(self.unexpected("in string literal")),
            }
            let from = self.at;
            self.skip_plain();
            self.scratch.push_str(&self.text[from..self.at]);
        }
    }

    fn escape(&mut self) -> Result<(), Error> {
        let plain = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.unexpected("in string escape code")),
        };
        self.scratch.push(plain);
        self.at += 1;
        Ok(())
    }

    /// Behind `\u`. A surrogate without its partner becomes U+FFFD.
    fn unicode(&mut self) -> Result<(), Error> {
        let first = self.hex()?;
        let mut code = first;
        if (0xd800..0xdc00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u") {
            let back = self.at;
            self.at += 2;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            } else {
                self.at = back;
            }
        }
        self.scratch
            .push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        Ok(())
    }

    fn hex(&mut self) -> Result<u32, Error> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.unexpected("in \\u hexadecimal character escape"));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<Value, Error> {
        let start = self.at;
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => {
                self.digits();
            }
            _ => return Err(self.unexpected("in numeric literal")),
        }
        if !matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            return self.whole(start);
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.unexpected("after decimal point in numeric literal"));
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'-' | b'+')));
            if self.digits() == 0 {
                return Err(self.unexpected("in exponent of numeric literal"));
            }
        }
        self.float(start)
    }

    fn whole(&self, start: usize) -> Result<Value, Error> {
        let text = &self.text[start..self.at];
        if let Ok(number) = text.parse::<i64>() {
            return Ok(Value::Int(number));
        }
        match text.parse::<u64>() {
            Ok(number) => Ok(Value::Uint(number)),
            Err(_) => self.float(start),
        }
    }

    fn float(&self, start: usize) -> Result<Value, Error> {
        let text = &self.text[start..self.at];
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Float(number)),
            _ => {
                let shown: String = text.chars().take(40).collect();
                Err(self.error(format!("number {shown} is out of range")))
            }
        }
    }
}
