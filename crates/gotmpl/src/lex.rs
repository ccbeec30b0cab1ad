//! A text as tokens, one at a time. Read [`Lexer`].
//!
//! A token holds its byte offset and its line, which errors name.

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

fn keyword(word: &str) -> Option<Keyword> {
    Some(match word {
        "block" => Keyword::Block,
        "break" => Keyword::Break,
        "continue" => Keyword::Continue,
        "define" => Keyword::Define,
        "else" => Keyword::Else,
        "end" => Keyword::End,
        "if" => Keyword::If,
        "nil" => Keyword::Nil,
        "range" => Keyword::Range,
        "template" => Keyword::Template,
        "with" => Keyword::With,
        _ => return None,
    })
}

/// A token. Its text is that of the template: most are looked at more than once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    /// The offset of its first byte.
    pub(crate) at: usize,
    /// Its text; nothing for an error, which is the lexer's [`Lexer::problem`].
    pub(crate) text: &'a str,
    /// The line of its first byte, from 1.
    pub(crate) line: usize,
}

impl Token<'_> {
    /// The end of a text.
    pub(crate) fn end(line: usize) -> Self {
        Token {
            kind: Kind::End,
            at: 0,
            text: "EOF",
            line,
        }
    }

    /// As errors show it.
    pub(crate) fn shown(&self) -> String {
        match self.kind {
            Kind::End => "EOF".to_owned(),
            Kind::Keyword(_) => format!("<{}>", self.text),
            _ if self.text.len() > MAX_SHOWN => {
                let start: String = self.text.chars().take(MAX_SHOWN).collect();
                format!("{}...", crate::quote(&start))
            }
            _ => crate::quote(self.text),
        }
    }
}

/// What comes next.
#[derive(Clone, Copy)]
enum State {
    Text,
    Action,
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

/// Gives the tokens of a text; after an error only the end.
pub(crate) struct Lexer<'a> {
    input: &'a str,
    delimiters: &'a Delimiters,
    /// Where the token begins, and its line.
    start: usize,
    start_line: usize,
    at: usize,
    line: usize,
    n_open: usize,
    state: State,
    /// What is wrong, from then on.
    problem: Option<String>,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(input: &'a str, delimiters: &'a Delimiters) -> Self {
        Lexer {
            input,
            delimiters,
            start: 0,
            start_line: 1,
            at: 0,
            line: 1,
            n_open: 0,
            state: State::Text,
            problem: None,
        }
    }

    /// The next token; at the end, and after an error, [`Kind::End`] again and again.
    pub(crate) fn next_token(&mut self) -> Token<'a> {
        if self.problem.is_some() {
            return Token::end(self.start_line);
        }
        loop {
            let token = match self.state {
                State::Text => self.text(),
                State::Action => Some(self.action()),
            };
            if let Some(token) = token {
                return token;
            }
        }
    }

    /// What is wrong where it gave [`Kind::Error`].
    pub(crate) fn problem(&self) -> &str {
        self.problem.as_deref().unwrap_or_default()
    }

    fn rest(&self) -> &'a str {
        &self.input[self.at..]
    }

    fn rest_bytes(&self) -> &'a [u8] {
        &self.input.as_bytes()[self.at..]
    }

    fn peek(&self) -> Option<char> {
        match self.rest_bytes().first()? {
            byte if byte.is_ascii() => Some((*byte).into()),
            _ => self.rest().chars().next(),
        }
    }

    fn advance(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        if next == '\n' {
            self.line += 1;
        }
        Some(next)
    }

    fn accept(&mut self, allowed: &str) -> bool {
        let fits = self.peek().is_some_and(|next| allowed.contains(next));
        if fits {
            self.advance();
        }
        fits
    }

    fn accept_run(&mut self, allowed: &str) {
        while self.accept(allowed) {}
    }

    /// Passes over bytes without looking at them one by one.
    fn skip(&mut self, n_bytes: usize) {
        let skipped = &self.rest_bytes()[..n_bytes];
        self.line += skipped.iter().filter(|byte| **byte == b'\n').count();
        self.at += n_bytes;
    }

    fn skip_spaces(&mut self) -> usize {
        let skipped = n_spaces(self.rest().bytes());
        self.skip(skipped);
        skipped
    }

    fn ignore(&mut self) {
        self.start = self.at;
        self.start_line = self.line;
    }

    fn emit(&mut self, kind: Kind) -> Token<'a> {
        let token = Token {
            kind,
            at: self.start,
            text: &self.input[self.start..self.at],
            line: self.start_line,
        };
        self.ignore();
        token
    }

    fn fail(&mut self, problem: impl Into<String>) -> Token<'a> {
        self.problem = Some(problem.into());
        Token {
            kind: Kind::Error,
            at: self.start,
            text: "",
            line: self.start_line,
        }
    }

    /// Text up to the next action; `None` when there is none before it.
    fn text(&mut self) -> Option<Token<'a>> {
        let Some(found) = find(self.rest(), &self.delimiters.left) else {
            self.skip(self.rest().len());
            let kind = if self.at > self.start {
                Kind::Text
            } else {
                Kind::End
            };
            let mut token = self.emit(kind);
            if kind == Kind::End {
                token.text = "EOF";
            }
            return Some(token);
        };
        if found > 0 {
            let text = &self.rest()[..found];
            let behind = &self.rest()[found + self.delimiters.left.len()..];
            let kept = if has_left_trim_marker(behind) {
                text.len() - n_spaces(text.bytes().rev())
            } else {
                found
            };
            self.skip(kept);
            let token = self.emit(Kind::Text);
            self.skip(found - kept);
            self.ignore();
            if !token.text.is_empty() {
                return Some(token);
            }
        }
        self.left_delimiter()
    }

    /// The left delimiter; `None` when a comment was passed over.
    fn left_delimiter(&mut self) -> Option<Token<'a>> {
        self.skip(self.delimiters.left.len());
        let marker = if has_left_trim_marker(self.rest()) {
            TRIM_MARKER_LEN
        } else {
            0
        };
        if self.rest()[marker..].starts_with(LEFT_COMMENT) {
            self.skip(marker);
            self.ignore();
            return self.comment();
        }
        let token = self.emit(Kind::LeftDelimiter);
        self.state = State::Action;
        self.skip(marker);
        self.ignore();
        self.n_open = 0;
        Some(token)
    }

    fn comment(&mut self) -> Option<Token<'a>> {
        self.skip(LEFT_COMMENT.len());
        let Some(found) = self.rest().find(RIGHT_COMMENT) else {
            return Some(self.fail("unclosed comment"));
        };
        self.skip(found + RIGHT_COMMENT.len());
        let Some(trims) = self.right_delimiter_here() else {
            return Some(self.fail("comment ends before closing delimiter"));
        };
        self.skip_right_delimiter(trims);
        self.ignore();
        None
    }

    /// Whether a right delimiter is here, and whether it trims the text behind it.
    fn right_delimiter_here(&self) -> Option<bool> {
        let rest = self.rest_bytes();
        let right = self.delimiters.right.as_bytes();
        if has_right_trim_marker(rest) && rest[TRIM_MARKER_LEN..].starts_with(right) {
            return Some(true);
        }
        // Most of what is looked at differs in its first byte.
        (rest.first() == right.first() && rest.starts_with(right)).then_some(false)
    }

    fn skip_right_delimiter(&mut self, trims: bool) {
        if trims {
            self.skip(TRIM_MARKER_LEN);
        }
        self.skip(self.delimiters.right.len());
        if trims {
            self.skip_spaces();
        }
    }

    fn right_delimiter(&mut self, trims: bool) -> Token<'a> {
        if trims {
            self.skip(TRIM_MARKER_LEN);
            self.ignore();
        }
        self.skip(self.delimiters.right.len());
        let token = self.emit(Kind::RightDelimiter);
        if trims {
            self.skip_spaces();
            self.ignore();
        }
        self.state = State::Text;
        token
    }

    fn action(&mut self) -> Token<'a> {
        if let Some(trims) = self.right_delimiter_here() {
            if self.n_open > 0 {
                return self.fail("unclosed left paren");
            }
            return self.right_delimiter(trims);
        }
        let Some(first) = self.peek() else {
            return self.fail("unclosed action");
        };
        if matches!(first, ' ' | '\t' | '\r' | '\n') {
            return self.space();
        }
        self.advance();
        match first {
            '=' => self.emit(Kind::Assign),
            ':' if self.advance() == Some('=') => self.emit(Kind::Declare),
            ':' => self.fail("expected :="),
            '|' => self.emit(Kind::Pipe),
            '"' => self.quoted(b'"', Kind::String, "unterminated quoted string"),
            '`' => self.raw_quoted(),
            '\'' => self.quoted(b'\'', Kind::CharConstant, "unterminated character constant"),
            '$' => self.field_or_variable(Kind::Variable),
            '.' if !self.peek().is_some_and(|next| next.is_ascii_digit()) => {
                self.field_or_variable(Kind::Field)
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.at = self.start;
                self.number()
            }
            _ if is_alphanumeric(first) => self.identifier(),
            '(' => {
                self.n_open += 1;
                self.emit(Kind::LeftParenthesis)
            }
            ')' if self.n_open == 0 => self.fail("unexpected right paren"),
            ')' => {
                self.n_open -= 1;
                self.emit(Kind::RightParenthesis)
            }
            ' '..='~' => self.emit(Kind::Char),
            other => self.fail(format!(
                "unrecognized character in action: {}",
                unicode(other)
            )),
        }
    }

    fn space(&mut self) -> Token<'a> {
        let skipped = self.skip_spaces();
        // The last one may belong to a delimiter that trims.
        let last = &self.input.as_bytes()[self.at - 1..];
        let is_marker = has_right_trim_marker(last)
            && last[TRIM_MARKER_LEN..].starts_with(self.delimiters.right.as_bytes());
        if is_marker {
            self.at -= 1;
            if last.starts_with(b"\n") {
                self.line -= 1;
            }
            if skipped == 1 {
                return self.right_delimiter(true);
            }
        }
        self.emit(Kind::Space)
    }

    fn identifier(&mut self) -> Token<'a> {
        self.word();
        if !self.is_at_terminator() {
            return self.bad_character();
        }
        let word = &self.input[self.start..self.at];
        match keyword(word) {
            Some(keyword) => self.emit(Kind::Keyword(keyword)),
            None if word == "true" || word == "false" => self.emit(Kind::Bool),
            None => self.emit(Kind::Identifier),
        }
    }

    fn field_or_variable(&mut self, kind: Kind) -> Token<'a> {
        if self.is_at_terminator() {
            return self.emit(match kind {
                Kind::Variable => Kind::Variable,
                _ => Kind::Keyword(Keyword::Dot),
            });
        }
        self.word();
        if !self.is_at_terminator() {
            return self.bad_character();
        }
        self.emit(kind)
    }

    /// Passes over letters and digits.
    fn word(&mut self) {
        let rest = self.rest_bytes();
        let end = rest.iter().position(|byte| !IS_WORD[usize::from(*byte)]);
        let length = end.unwrap_or(rest.len());
        self.at += length;
        if rest.get(length).is_some_and(|byte| !byte.is_ascii()) {
            while self.peek().is_some_and(is_alphanumeric) {
                self.advance();
            }
        }
    }

    fn bad_character(&mut self) -> Token<'a> {
        let next = self
            .peek()
            .map_or_else(|| "U+FFFFFFFFFFFFFFFF".to_owned(), unicode);
        self.fail(format!("bad character {next}"))
    }

    /// Whether a word may end here.
    fn is_at_terminator(&self) -> bool {
        let rest = self.rest_bytes();
        match rest.first() {
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b'.' | b',' | b'|' | b':' | b')' | b'(') => {
                true
            }
            first => {
                let right = self.delimiters.right.as_bytes();
                first == right.first() && rest.starts_with(right)
            }
        }
    }

    /// Up to the closing quote, which a backslash can hide.
    fn quoted(&mut self, end: u8, kind: Kind, problem: &str) -> Token<'a> {
        loop {
            let rest = self.rest_bytes();
            let counts = |byte: &u8| *byte == end || matches!(byte, b'\\' | b'\n');
            let found = rest.iter().position(counts);
            self.skip(found.unwrap_or(rest.len()));
            match self.advance() {
                Some('\\') => {
                    if matches!(self.advance(), None | Some('\n')) {
                        return self.fail(problem);
                    }
                }
                None | Some('\n') => return self.fail(problem),
                Some(_) => return self.emit(kind),
            }
        }
    }

    fn raw_quoted(&mut self) -> Token<'a> {
        let Some(found) = self.rest().find('`') else {
            self.skip(self.rest().len());
            return self.fail("unterminated raw quoted string");
        };
        self.skip(found + 1);
        self.emit(Kind::RawString)
    }

    fn number(&mut self) -> Token<'a> {
        let is_number = self.scan_number();
        if !is_number {
            return self.bad_number();
        }
        if matches!(self.peek(), Some('+' | '-')) {
            if !self.scan_number() || !self.input[..self.at].ends_with('i') {
                return self.bad_number();
            }
            return self.emit(Kind::Complex);
        }
        self.emit(Kind::Number)
    }

    fn bad_number(&mut self) -> Token<'a> {
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

/// The first place of a text in another. Most texts hold few of its first bytes, which are found
/// faster than the whole.
fn find(text: &str, wanted: &str) -> Option<usize> {
    let first = wanted.chars().next()?;
    let mut at = 0;
    loop {
        at += text[at..].find(first)?;
        if text[at..].starts_with(wanted) {
            return Some(at);
        }
        at += first.len_utf8();
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
fn n_spaces(bytes: impl Iterator<Item = u8>) -> usize {
    bytes.take_while(|byte| is_space(*byte)).count()
}

fn has_left_trim_marker(text: &str) -> bool {
    matches!(text.as_bytes(), [b'-', next, ..] if is_space(*next))
}

fn has_right_trim_marker(text: &[u8]) -> bool {
    matches!(text, [first, b'-', ..] if is_space(*first))
}

/// Letters, digits and the underscore, of any script.
fn is_alphanumeric(it: char) -> bool {
    it == '_' || it.is_alphabetic() || it.is_numeric()
}
