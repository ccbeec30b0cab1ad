//! A text as tokens. Read [`Lexer::read`]: it gives those up to the end of the next action.
//!
//! A token holds where it is; its line, which errors name, is counted when one does.

use memchr::{memchr, memchr3, memmem};

use crate::node::Span;
use crate::print::unicode;

const LEFT_COMMENT: &str = "/*";
const RIGHT_COMMENT: &str = "*/";
/// `- ` behind the left delimiter, ` -` before the right one.
const TRIM_MARKER_LEN: usize = 2;
/// Go shows no more characters of a token.
const MAX_SHOWN: usize = 10;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No token: its text says why.
    Error,
    Bool,
    /// A printable character without a meaning of its own, such as a comma.
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    End,
    Field,
    Identifier,
    LeftDelimiter,
    LeftParenthesis,
    Number,
    Pipe,
    RawString,
    RightDelimiter,
    RightParenthesis,
    Space,
    String,
    Text,
    Variable,
    Keyword(Keyword),
}

/// The words of the language; `.` counts as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyword {
    Dot,
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

fn keyword(word: &[u8]) -> Option<Keyword> {
    Some(match word {
        b"block" => Keyword::Block,
        b"break" => Keyword::Break,
        b"continue" => Keyword::Continue,
        b"define" => Keyword::Define,
        b"else" => Keyword::Else,
        b"end" => Keyword::End,
        b"if" => Keyword::If,
        b"nil" => Keyword::Nil,
        b"range" => Keyword::Range,
        b"template" => Keyword::Template,
        b"with" => Keyword::With,
        _ => return None,
    })
}

/// A token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Its text; nothing for an error, which is the lexer's [`Lexer::problem`].
    pub(crate) span: Span,
}

impl Token {
    /// As errors show it, in the text that it is part of.
    pub(crate) fn shown(self, input: &str) -> String {
        let text = self.span.of(input);
        match self.kind {
            Kind::End => "EOF".to_owned(),
            Kind::Keyword(_) => format!("<{text}>"),
            _ if text.len() > MAX_SHOWN => {
                let start: String = text.chars().take(MAX_SHOWN).collect();
                format!("{}...", crate::quote(&start))
            }
            _ => crate::quote(text),
        }
    }
}

/// The delimiters of actions.
#[derive(Clone, Debug)]
pub(crate) struct Delimiters {
    pub(crate) left: String,
    pub(crate) right: String,
}

impl Default for Delimiters {
    fn default() -> Self {
        Delimiters {
            left: "{{".to_owned(),
            right: "}}".to_owned(),
        }
    }
}

/// Gives the tokens of a text of fewer than 2^32 bytes; after an error only the end.
pub(crate) struct Lexer<'a> {
    input: &'a str,
    /// The same.
    bytes: &'a [u8],
    left: memmem::Finder<'a>,
    right: &'a [u8],
    /// Where the token begins.
    start: usize,
    at: usize,
    n_open: usize,
    /// What is wrong, from then on.
    problem: Option<String>,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(input: &'a str, delimiters: &'a Delimiters) -> Self {
        Lexer {
            input,
            bytes: input.as_bytes(),
            left: memmem::Finder::new(&delimiters.left),
            right: delimiters.right.as_bytes(),
            start: 0,
            at: 0,
            n_open: 0,
            problem: None,
        }
    }

    /// Puts the next tokens in place of those in `tokens`: text and the action behind it, or the
    /// end; at the end, and after an error, [`Kind::End`] again and again.
    pub(crate) fn read(&mut self, tokens: &mut Vec<Token>) {
        tokens.clear();
        if self.problem.is_some() {
            tokens.push(self.token(Kind::End));
            return;
        }
        while self.text(tokens) {}
    }

    /// What is wrong where it gave [`Kind::Error`].
    pub(crate) fn problem(&self) -> &str {
        self.problem.as_deref().unwrap_or_default()
    }

    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The next character; the lexer only stops where one begins.
    fn peek(&self) -> Option<char> {
        match self.byte()? {
            byte if byte.is_ascii() => Some(byte.into()),
            _ => self.input[self.at..].chars().next(),
        }
    }

    fn advance(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn accept(&mut self, allowed: &str) -> bool {
        let fits = self.peek().is_some_and(|next| allowed.contains(next));
        self.at += usize::from(fits);
        fits
    }

    fn accept_run(&mut self, allowed: &str) {
        while self.accept(allowed) {}
    }

    fn skip_spaces(&mut self) -> usize {
        let skipped = n_spaces(self.rest().iter());
        self.at += skipped;
        skipped
    }

    fn ignore(&mut self) {
        self.start = self.at;
    }

    /// What was passed over since the last token, as one.
    fn token(&mut self, kind: Kind) -> Token {
        let span = Span {
            start: self.start as u32,
            end: self.at as u32,
        };
        self.ignore();
        Token { kind, span }
    }

    fn fail(&mut self, problem: impl Into<String>) -> Token {
        self.problem = Some(problem.into());
        self.at = self.start;
        self.token(Kind::Error)
    }

    /// Reads text up to the next action, and that; gives whether there was a comment in its place,
    /// so that there is more to read.
    fn text(&mut self, tokens: &mut Vec<Token>) -> bool {
        let Some(found) = self.left.find(self.rest()) else {
            self.at = self.input.len();
            if self.at > self.start {
                tokens.push(self.token(Kind::Text));
            } else {
                tokens.push(self.token(Kind::End));
            }
            return false;
        };
        let (text, behind) = self.rest().split_at(found);
        let behind = &behind[self.left.needle().len()..];
        let is_trimmed = has_left_trim_marker(behind);
        let kept = if is_trimmed {
            found - n_spaces(text.iter().rev())
        } else {
            found
        };
        self.at += kept;
        if kept > 0 {
            tokens.push(self.token(Kind::Text));
        }
        self.at += found - kept;
        self.ignore();
        self.at += self.left.needle().len();
        let marker = if is_trimmed { TRIM_MARKER_LEN } else { 0 };
        if behind[marker..].starts_with(LEFT_COMMENT.as_bytes()) {
            self.at += marker;
            self.ignore();
            let failed = self.comment();
            tokens.extend(failed);
            return failed.is_none();
        }
        tokens.push(self.token(Kind::LeftDelimiter));
        self.at += marker;
        self.ignore();
        self.action(tokens);
        false
    }

    /// Passes over a comment; gives the error when it is none.
    fn comment(&mut self) -> Option<Token> {
        self.at += LEFT_COMMENT.len();
        let Some(found) = memmem::find(self.rest(), RIGHT_COMMENT.as_bytes()) else {
            return Some(self.fail("unclosed comment"));
        };
        self.at += found + RIGHT_COMMENT.len();
        let Some(trims) = self.right_delimiter_here() else {
            return Some(self.fail("comment ends before closing delimiter"));
        };
        self.at += self.right.len();
        if trims {
            self.at += TRIM_MARKER_LEN;
            self.skip_spaces();
        }
        self.ignore();
        None
    }

    /// Whether a right delimiter is here, and whether it trims the text behind it.
    fn right_delimiter_here(&self) -> Option<bool> {
        let rest = self.rest();
        if has_right_trim_marker(rest) && rest[TRIM_MARKER_LEN..].starts_with(self.right) {
            return Some(true);
        }
        rest.starts_with(self.right).then_some(false)
    }

    fn right_delimiter(&mut self, trims: bool) -> Token {
        if trims {
            self.at += TRIM_MARKER_LEN;
            self.ignore();
        }
        self.at += self.right.len();
        let token = self.token(Kind::RightDelimiter);
        if trims {
            self.skip_spaces();
            self.ignore();
        }
        token
    }

    /// Reads up to the right delimiter, or an error.
    fn action(&mut self, tokens: &mut Vec<Token>) {
        self.n_open = 0;
        loop {
            let token = self.word_or_sign();
            tokens.push(token);
            if matches!(token.kind, Kind::RightDelimiter | Kind::Error) {
                return;
            }
        }
    }

    /// A token within an action.
    fn word_or_sign(&mut self) -> Token {
        let Some(first) = self.byte() else {
            return self.fail("unclosed action");
        };
        // Most of what is looked at differs from a delimiter in its first byte.
        if (self.right.first() == Some(&first) || is_space(first))
            && let Some(trims) = self.right_delimiter_here()
        {
            if self.n_open > 0 {
                return self.fail("unclosed left paren");
            }
            return self.right_delimiter(trims);
        }
        self.at += 1;
        match first {
            b' ' | b'\t' | b'\r' | b'\n' => self.space(),
            b'.' if !self.byte().is_some_and(|next| next.is_ascii_digit()) => {
                self.field_or_variable(Kind::Field, Kind::Keyword(Keyword::Dot))
            }
            b'$' => self.field_or_variable(Kind::Variable, Kind::Variable),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.identifier(),
            b'"' => self.quoted(b'"', Kind::String, "unterminated quoted string"),
            b'|' => self.token(Kind::Pipe),
            b'(' => {
                self.n_open += 1;
                self.token(Kind::LeftParenthesis)
            }
            b')' if self.n_open == 0 => self.fail("unexpected right paren"),
            b')' => {
                self.n_open -= 1;
                self.token(Kind::RightParenthesis)
            }
            b'=' => self.token(Kind::Assign),
            b':' if self.advance() == Some('=') => self.token(Kind::Declare),
            b':' => self.fail("expected :="),
            b'`' => self.raw_quoted(),
            b'\'' => self.quoted(b'\'', Kind::CharConstant, "unterminated character constant"),
            b'.' | b'+' | b'-' | b'0'..=b'9' => {
                self.at = self.start;
                self.number()
            }
            b' '..=b'~' => self.token(Kind::Char),
            _ => {
                self.at = self.start;
                self.other()
            }
        }
    }

    /// A word of another script, or what no token begins with.
    fn other(&mut self) -> Token {
        match self.advance() {
            Some(letter) if is_alphanumeric(letter) => self.identifier(),
            other => {
                let shown = other.map_or_else(String::new, unicode);
                self.fail(format!("unrecognized character in action: {shown}"))
            }
        }
    }

    /// Spaces, of which the first was passed over.
    fn space(&mut self) -> Token {
        let skipped = 1 + self.skip_spaces();
        // The last one may belong to a delimiter that trims.
        let last = &self.bytes[self.at - 1..];
        if has_right_trim_marker(last) && last[TRIM_MARKER_LEN..].starts_with(self.right) {
            self.at -= 1;
            if skipped == 1 {
                return self.right_delimiter(true);
            }
        }
        self.token(Kind::Space)
    }

    fn identifier(&mut self) -> Token {
        self.word();
        if !self.is_at_terminator() {
            return self.bad_character();
        }
        let kind = match &self.bytes[self.start..self.at] {
            b"true" | b"false" => Kind::Bool,
            word => keyword(word).map_or(Kind::Identifier, Kind::Keyword),
        };
        self.token(kind)
    }

    /// A name behind its sign, or the sign alone.
    fn field_or_variable(&mut self, kind: Kind, alone: Kind) -> Token {
        if self.is_at_terminator() {
            return self.token(alone);
        }
        self.word();
        if !self.is_at_terminator() {
            return self.bad_character();
        }
        self.token(kind)
    }

    /// Passes over letters and digits.
    fn word(&mut self) {
        let rest = self.rest();
        let end = rest.iter().position(|byte| !IS_WORD[usize::from(*byte)]);
        let length = end.unwrap_or(rest.len());
        self.at += length;
        if rest.get(length).is_some_and(|byte| !byte.is_ascii()) {
            while self.peek().is_some_and(is_alphanumeric) {
                self.advance();
            }
        }
    }

    fn bad_character(&mut self) -> Token {
        let next = self
            .peek()
            .map_or_else(|| "U+FFFFFFFFFFFFFFFF".to_owned(), unicode);
        self.fail(format!("bad character {next}"))
    }

    /// Whether a word may end here.
    fn is_at_terminator(&self) -> bool {
        match self.byte() {
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b'.' | b',' | b'|' | b':' | b')' | b'(') => {
                true
            }
            first => first == self.right.first().copied() && self.rest().starts_with(self.right),
        }
    }

    /// Up to the closing quote, which a backslash can hide.
    fn quoted(&mut self, end: u8, kind: Kind, problem: &str) -> Token {
        loop {
            let Some(found) = memchr3(end, b'\\', b'\n', self.rest()) else {
                return self.fail(problem);
            };
            self.at += found;
            match self.advance() {
                Some('\\') => {
                    if matches!(self.advance(), None | Some('\n')) {
                        return self.fail(problem);
                    }
                }
                None | Some('\n') => return self.fail(problem),
                Some(_) => return self.token(kind),
            }
        }
    }

    fn raw_quoted(&mut self) -> Token {
        let Some(found) = memchr(b'`', self.rest()) else {
            return self.fail("unterminated raw quoted string");
        };
        self.at += found + 1;
        self.token(Kind::RawString)
    }

    fn number(&mut self) -> Token {
        let is_number = self.scan_number();
        if !is_number {
            return self.bad_number();
        }
        if matches!(self.peek(), Some('+' | '-')) {
            if !self.scan_number() || !self.input[..self.at].ends_with('i') {
                return self.bad_number();
            }
            return self.token(Kind::Complex);
        }
        self.token(Kind::Number)
    }

    fn bad_number(&mut self) -> Token {
        let text = crate::quote(&self.input[self.start..self.at]);
        self.fail(format!("bad number syntax: {text}"))
    }

    fn scan_number(&mut self) -> bool {
        const DECIMAL: &str = "0123456789_";
        const HEX: &str = "0123456789abcdefABCDEF_";
        self.accept("+-");
        let mut digits = DECIMAL;
        if self.accept("0") {
            if self.accept("xX") {
                digits = HEX;
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_run(digits);
        if self.accept(".") {
            self.accept_run(digits);
        }
        let exponent = match digits {
            DECIMAL => "eE",
            HEX => "pP",
            _ => "",
        };
        if self.accept(exponent) {
            self.accept("+-");
            self.accept_run(DECIMAL);
        }
        self.accept("i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.advance();
            return false;
        }
        true
    }
}

/// ASCII letters, digits and the underscore.
static IS_WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'_';
        byte += 1;
    }
    table
};

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// How many spaces come first.
fn n_spaces<'b>(bytes: impl Iterator<Item = &'b u8>) -> usize {
    bytes.take_while(|byte| is_space(**byte)).count()
}

fn has_left_trim_marker(text: &[u8]) -> bool {
    matches!(text, [b'-', next, ..] if is_space(*next))
}

fn has_right_trim_marker(text: &[u8]) -> bool {
    matches!(text, [first, b'-', ..] if is_space(*first))
}

/// Letters, digits and the underscore, of any script.
fn is_alphanumeric(it: char) -> bool {
    it == '_' || it.is_alphabetic() || it.is_numeric()
}
