//! Text to tokens, with the problems that an ANTLR lexer reports.

use std::sync::Arc;

use crate::ast::Literal;
use crate::source::Position;

/// A word of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// Punctuation, and the words `in`, `true`, `false` and `null`.
    Mark(&'static str),
    Ident(String),
    Literal(Literal),
    /// A number that no type holds.
    Unfit(&'static str),
    End,
}

/// A token, where it starts, and its text.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) token: Token,
    pub(crate) at: Position,
    pub(crate) text: String,
}

/// Longer marks first.
const MARKS: [&str; 27] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "[", "]", "{", "}", "(", ")", ".", ",", "-", "!",
    "?", ":", "+", "*", "/", "%", "=", "&", "|",
];

const WORDS: [&str; 4] = ["in", "true", "false", "null"];

/// The tokens, ending with [`Token::End`], and what could not be read.
pub(crate) fn tokens(text: &str) -> (Vec<Placed>, Vec<(Position, String)>) {
    let mut lexer = Lexer {
        text: text.chars().collect(),
        at: 0,
        problems: Vec::new(),
    };
    let mut found = Vec::new();
    loop {
        lexer.skip_blanks();
        let at = lexer.at;
        let Some(token) = lexer.next() else { continue };
        let done = token == Token::End;
        let text = if done {
            "<EOF>".to_owned()
        } else {
            lexer.text[at..lexer.at].iter().collect()
        };
        found.push(Placed { token, at, text });
        if done {
            return (found, lexer.problems);
        }
    }
}

struct Lexer {
    text: Vec<char>,
    at: usize,
    problems: Vec<(Position, String)>,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at + ahead).copied()
    }

    fn starts_with(&self, word: &str) -> bool {
        word.chars()
            .enumerate()
            .all(|(index, letter)| self.peek(index) == Some(letter))
    }

    fn skip_blanks(&mut self) {
        loop {
            match self.peek(0) {
                Some(' ' | '\t' | '\n' | '\r' | '\u{c}') => self.at += 1,
                Some('/') if self.peek(1) == Some('/') => {
                    while self.peek(0).is_some_and(|letter| letter != '\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    /// `None` after something that is no token.
    fn next(&mut self) -> Option<Token> {
        let Some(first) = self.peek(0) else {
            return Some(Token::End);
        };
        if let Some(prefix) = self.string_prefix() {
            return self.string(prefix);
        }
        if first.is_ascii_digit() || (first == '.' && self.is_digit(1)) {
            return Some(self.number());
        }
        if first.is_ascii_alphabetic() || first == '_' {
            let start = self.at;
            while self
                .peek(0)
                .is_some_and(|letter| letter.is_ascii_alphanumeric() || letter == '_')
            {
                self.at += 1;
            }
            let word: String = self.text[start..self.at].iter().collect();
            let known = WORDS.iter().find(|known| **known == word);
            return Some(known.map_or(Token::Ident(word), |known| Token::Mark(known)));
        }
        let mark = MARKS.iter().find(|mark| self.starts_with(mark)).copied();
        match mark {
            Some("=" | "&" | "|") => self.refuse(2),
            Some(mark) => {
                self.at += mark.len();
                Some(Token::Mark(mark))
            }
            None => self.refuse(1),
        }
    }

    /// Leaves out letters that begin no token.
    fn refuse(&mut self, count: usize) -> Option<Token> {
        let end = (self.at + count).min(self.text.len());
        let text: String = self.text[self.at..end].iter().collect();
        let message = format!("Syntax error: token recognition error at: '{text}'");
        self.problems.push((self.at, message));
        self.at = end;
        None
    }

    fn is_digit(&self, ahead: usize) -> bool {
        self.peek(ahead)
            .is_some_and(|letter| letter.is_ascii_digit())
    }

    fn digits(&mut self) {
        while self.is_digit(0) {
            self.at += 1;
        }
    }

    fn number(&mut self) -> Token {
        let start = self.at;
        let is_hex = self.starts_with("0x")
            && self
                .peek(2)
                .is_some_and(|letter| letter.is_ascii_hexdigit());
        let mut is_float = false;
        if is_hex {
            self.at += 2;
            while self
                .peek(0)
                .is_some_and(|letter| letter.is_ascii_hexdigit())
            {
                self.at += 1;
            }
        } else {
            self.digits();
            if self.peek(0) == Some('.') && self.is_digit(1) {
                is_float = true;
                self.at += 1;
                self.digits();
            }
            let sign = usize::from(matches!(self.peek(1), Some('+' | '-')));
            if matches!(self.peek(0), Some('e' | 'E')) && self.is_digit(1 + sign) {
                is_float = true;
                self.at += 1 + sign;
                self.digits();
            }
        }
        let text: String = self.text[start..self.at].iter().collect();
        if is_float {
            let parsed = text.parse().ok().filter(|number: &f64| number.is_finite());
            return parsed.map_or(Token::Unfit("invalid double literal"), |number| {
                Token::Literal(Literal::Double(number))
            });
        }
        let (digits, radix) = match text.strip_prefix("0x") {
            Some(digits) => (digits, 16),
            None => (text.as_str(), 10),
        };
        let number = u64::from_str_radix(digits, radix);
        if matches!(self.peek(0), Some('u' | 'U')) {
            self.at += 1;
            return number.map_or(Token::Unfit("invalid uint literal"), |number| {
                Token::Literal(Literal::Uint(number))
            });
        }
        // The parser turns what follows a minus into a negative number: one more than `i64::MAX`
        // is kept for it as an unsigned number with the text of a signed one.
        match number {
            Ok(number) => match i64::try_from(number) {
                Ok(number) => Token::Literal(Literal::Int(number)),
                Err(_) if number == i64::MIN.unsigned_abs() => Token::Unfit("lowest int"),
                Err(_) => Token::Unfit("invalid int literal"),
            },
            Err(_) => Token::Unfit("invalid int literal"),
        }
    }

    fn string_prefix(&self) -> Option<Prefix> {
        let mut prefix = Prefix::default();
        for ahead in 0..3 {
            match self.peek(ahead)? {
                'r' | 'R' if !prefix.raw => prefix.raw = true,
                'b' | 'B' if !prefix.bytes => prefix.bytes = true,
                quote @ ('"' | '\'') => {
                    prefix.quote = quote;
                    prefix.length = ahead;
                    return Some(prefix);
                }
                _ => return None,
            }
        }
        None
    }

    fn string(&mut self, prefix: Prefix) -> Option<Token> {
        let quote = prefix.quote;
        let mut ahead = prefix.length;
        let is_triple = (0..3).all(|index| self.peek(ahead + index) == Some(quote));
        let quotes = if is_triple { 3 } else { 1 };
        ahead += quotes;
        let mut content = Content::new(prefix.bytes);
        loop {
            match self.peek(ahead) {
                None => return self.refuse(ahead),
                Some('\n' | '\r') if !is_triple => return self.refuse(ahead + 1),
                Some(letter)
                    if letter == quote
                        && (0..quotes).all(|index| self.peek(ahead + index) == Some(quote)) =>
                {
                    self.at += ahead + quotes;
                    return Some(content.finish());
                }
                Some('\\') if !prefix.raw => match self.escape(ahead + 1, &mut content) {
                    Ok(used) => ahead += 1 + used,
                    Err(used) => return self.refuse(ahead + 1 + used),
                },
                Some(letter) => {
                    content.push(letter);
                    ahead += 1;
                }
            }
        }
    }

    /// One escape behind its backslash: how many letters it has, or how many were looked at.
    fn escape(&self, ahead: usize, content: &mut Content) -> Result<usize, usize> {
        let simple = match self.peek(ahead).ok_or(0_usize)? {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            same @ ('"' | '\'' | '\\' | '?' | '`') => same,
            'x' | 'X' => return self.code(ahead, (1, 2, 16), content),
            'u' => return self.code(ahead, (1, 4, 16), content),
            'U' => return self.code(ahead, (1, 8, 16), content),
            '0'..='3' => return self.code(ahead, (0, 3, 8), content),
            _ => return Err(1),
        };
        content.push(simple);
        Ok(1)
    }

    fn code(
        &self,
        ahead: usize,
        (skip, count, radix): (usize, usize, u32),
        content: &mut Content,
    ) -> Result<usize, usize> {
        let mut code = 0_u32;
        for index in skip..skip + count {
            let digit = self
                .peek(ahead + index)
                .and_then(|letter| letter.to_digit(radix))
                .ok_or(index + 1)?;
            code = code.wrapping_mul(radix).wrapping_add(digit);
        }
        // `\x` and octal escapes of bytes are bytes, all others are characters.
        if count < 4 {
            content.push_code(code);
        } else {
            content.push(char::from_u32(code).ok_or(skip + count)?);
        }
        Ok(skip + count)
    }
}

#[derive(Clone, Copy, Default)]
struct Prefix {
    raw: bool,
    bytes: bool,
    quote: char,
    length: usize,
}

/// What a string literal holds.
struct Content {
    is_bytes: bool,
    bytes: Vec<u8>,
}

impl Content {
    fn new(is_bytes: bool) -> Self {
        Content {
            is_bytes,
            bytes: Vec::new(),
        }
    }

    fn push(&mut self, letter: char) {
        let mut buffer = [0; 4];
        self.bytes
            .extend_from_slice(letter.encode_utf8(&mut buffer).as_bytes());
    }

    fn push_code(&mut self, code: u32) {
        match u8::try_from(code) {
            Ok(byte) if self.is_bytes => self.bytes.push(byte),
            _ => self.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)),
        }
    }

    fn finish(self) -> Token {
        Token::Literal(if self.is_bytes {
            Literal::Bytes(Arc::from(self.bytes))
        } else {
            Literal::String(String::from_utf8_lossy(&self.bytes).as_ref().into())
        })
    }
}
