//! The words of a text in order, as libyaml cuts it.
//!
//! Read [`Scanner`] first. Indentation becomes words of its own here, and what `:` follows becomes a
//! key. It must never know which words may follow each other.

use std::collections::VecDeque;

use super::cursor::{Cursor, Mark};
use super::scalar::{self, Place};
use super::token::{Token, Word};
use super::{block, tag};
use crate::error::{Cause, Error};
use crate::limits::MAX_DEPTH;
use crate::resolve::Mode;
use crate::simple::Source;

/// How far behind the start of a key its `:` may stand, in characters: the limit of YAML itself. It
/// also limits how many words are held back until it is known whether they are a key.
const MAX_KEY: usize = 1024;

/// What may turn out to be a key.
#[derive(Clone, Copy)]
struct MaybeKey {
    /// The number of its first word.
    word: usize,
    start: Mark,
    /// Nothing but a key can stand there.
    is_needed: bool,
}

/// A word, and at which level of brackets it was noted as the possible start of a key.
struct Queued<'a> {
    word: Word<'a>,
    level: usize,
}

/// Cuts a text into words.
pub(super) struct Scanner<'a> {
    cursor: Cursor<'a>,
    queue: VecDeque<Queued<'a>>,
    /// Words that are read ahead of the first, in case they hold a comment that belongs to it. Nothing
    /// here reads comments, but what is wrong with those words is seen before the first is taken.
    n_ahead: usize,
    /// Words taken from the queue so far.
    n_taken: usize,
    /// The column of the innermost block collection; `None` outside of all.
    indent: Option<usize>,
    outer_indents: Vec<Option<usize>>,
    /// What may be a key, for each level of brackets, from none on.
    keys: Vec<Option<MaybeKey>>,
    key_allowed: bool,
    ended: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(source: Source<'a>, mode: Mode) -> Self {
        Scanner {
            n_ahead: match mode {
                Mode::GoYaml2 | Mode::GoYaml2Strict => 0,
                Mode::GoYaml3 => 2,
            },
            cursor: Cursor::new(source),
            queue: VecDeque::new(),
            n_taken: 0,
            indent: None,
            outer_indents: Vec::new(),
            keys: vec![None],
            key_allowed: true,
            ended: false,
        }
    }

    /// The next word, which stays the next one. Behind the last, that one again.
    pub(super) fn peek(&mut self) -> Result<&Word<'a>, Error> {
        while !self.ended && self.head_may_change()? {
            self.scan()?;
        }
        let head = self.queue.front().expect("the last word is not taken");
        Ok(&head.word)
    }

    /// Takes the next word. The last one stays.
    pub(super) fn take(&mut self) -> Result<Word<'a>, Error> {
        let word = self.peek()?;
        if matches!(word.token, Token::StreamEnd) {
            return Ok(word.clone());
        }
        self.n_taken += 1;
        let head = self.queue.pop_front().expect("it was seen");
        Ok(head.word)
    }

    fn level(&self) -> usize {
        self.keys.len() - 1
    }

    fn is_block(&self) -> bool {
        self.level() == 0
    }

    /// Whether the first word is not known yet, or may still get a key's mark before it.
    fn head_may_change(&mut self) -> Result<bool, Error> {
        let level = match self.queue.front() {
            Some(head) if self.queue.len() > self.n_ahead => head.level,
            _ => return Ok(true),
        };
        match self.keys.get(level) {
            Some(Some(key)) if key.word == self.n_taken => Ok(self.valid_key(level)?.is_some()),
            _ => Ok(false),
        }
    }

    /// What may be a key at a level, if its `:` may still follow here.
    fn valid_key(&mut self, level: usize) -> Result<Option<MaybeKey>, Error> {
        let Some(key) = self.keys[level] else {
            return Ok(None);
        };
        let here = self.cursor.mark();
        if key.start.line == here.line && here.column <= key.start.column + MAX_KEY {
            return Ok(Some(key));
        }
        self.forget_key(level)?;
        Ok(None)
    }

    fn forget_key(&mut self, level: usize) -> Result<(), Error> {
        match self.keys[level].take() {
            Some(key) if key.is_needed => {
                Err(self.cursor.fault("could not find expected ':'", key.start))
            }
            _ => Ok(()),
        }
    }

    /// Notes that a key may begin here.
    fn note_key(&mut self) -> Result<(), Error> {
        if self.key_allowed {
            let level = self.level();
            self.forget_key(level)?;
            let start = self.cursor.mark();
            self.keys[level] = Some(MaybeKey {
                word: self.n_taken + self.queue.len(),
                start,
                is_needed: self.is_block() && self.indent == Some(start.column),
            });
        }
        Ok(())
    }

    fn push(&mut self, word: Word<'a>) {
        self.queue.push_back(Queued {
            word,
            level: self.level(),
        });
    }

    /// Puts a word of no length before the word with that number, which the queue still holds.
    fn insert(&mut self, number: usize, token: Token<'a>, start: Mark) {
        let word = Word {
            token,
            start,
            end: start,
        };
        let level = self.level();
        let index = number.saturating_sub(self.n_taken).min(self.queue.len());
        self.queue.insert(index, Queued { word, level });
    }

    /// Takes so many bytes as a word.
    fn push_mark(&mut self, token: Token<'a>, len: usize) {
        let start = self.cursor.mark();
        self.cursor.skip(len);
        let end = self.cursor.mark();
        self.push(Word { token, start, end });
    }

    /// Opens a block collection before the word with that number where it is indented further.
    fn indent(&mut self, token: Token<'a>, number: usize, start: Mark) -> Result<(), Error> {
        if self.is_block() && self.indent < Some(start.column) {
            self.check_depth(self.outer_indents.len())?;
            self.outer_indents.push(self.indent);
            self.indent = Some(start.column);
            self.insert(number, token, start);
        }
        Ok(())
    }

    fn check_depth(&self, n_open: usize) -> Result<(), Error> {
        if n_open >= MAX_DEPTH {
            let (what, limit) = ("nesting", MAX_DEPTH);
            let position = self.cursor.mark().position();
            return Err(Error::new(position, Cause::Limit { what, limit }));
        }
        Ok(())
    }

    /// Closes block collections that are indented further than `column`.
    fn dedent(&mut self, column: Option<usize>) {
        while self.is_block() && self.indent > column {
            self.push_mark(Token::BlockEnd, 0);
            self.indent = self.outer_indents.pop().flatten();
        }
    }

    /// Closes all block collections: what follows is no part of a node.
    fn leave_document(&mut self) -> Result<(), Error> {
        self.dedent(None);
        self.forget_key(self.level())?;
        self.key_allowed = false;
        Ok(())
    }

    fn skip_to_word(&mut self) {
        loop {
            let tabs = !self.is_block() || !self.key_allowed;
            self.cursor
                .skip_while(|byte| byte == b' ' || tabs && byte == b'\t');
            if self.cursor.byte(0) == b'#' {
                self.cursor.skip_line_text();
            }
            if !self.cursor.is_break(0) {
                return;
            }
            self.cursor.skip_break();
            self.key_allowed |= self.is_block();
        }
    }

    /// Adds the next word to the queue, and what it shows about those before it.
    fn scan(&mut self) -> Result<(), Error> {
        self.skip_to_word();
        self.dedent(Some(self.cursor.column()));
        let byte = self.cursor.byte(0);
        if byte == 0 {
            return self.stream_end();
        }
        if self.cursor.column() == 0 {
            let marker = match byte {
                b'%' => {
                    self.leave_document()?;
                    let word = tag::directive(&mut self.cursor)?;
                    self.push(word);
                    return Ok(());
                }
                b'-' if self.cursor.at_marker(b'-') => Some(Token::DocumentStart),
                b'.' if self.cursor.at_marker(b'.') => Some(Token::DocumentEnd),
                _ => None,
            };
            if let Some(token) = marker {
                self.leave_document()?;
                self.push_mark(token, 3);
                return Ok(());
            }
        }
        let is_word_end = self.cursor.is_gap(1);
        match byte {
            b'[' => self.open(Token::BracketOpen),
            b'{' => self.open(Token::BraceOpen),
            b']' => self.close(Token::BracketClose),
            b'}' => self.close(Token::BraceClose),
            b',' => self.comma(),
            b'-' if is_word_end => self.dash(),
            b'?' if is_word_end || !self.is_block() => self.key(),
            b':' if is_word_end || !self.is_block() => self.value(),
            b'|' | b'>' if self.is_block() => self.block_scalar(),
            b'#' | b'|' | b'>' | b'%' | b'@' | b'`' | b'\t' => {
                let problem = "found character that cannot start any token";
                Err(self.cursor.fault(problem, self.cursor.mark()))
            }
            _ => self.inline(byte),
        }
    }

    fn stream_end(&mut self) -> Result<(), Error> {
        self.cursor.close_last_line();
        self.leave_document()?;
        self.push_mark(Token::StreamEnd, 0);
        self.ended = true;
        Ok(())
    }

    fn open(&mut self, token: Token<'a>) -> Result<(), Error> {
        self.note_key()?;
        self.check_depth(self.level())?;
        // The bracket itself belongs to the level outside of it.
        self.push_mark(token, 1);
        self.keys.push(None);
        self.key_allowed = true;
        Ok(())
    }

    fn close(&mut self, token: Token<'a>) -> Result<(), Error> {
        self.forget_key(self.level())?;
        if !self.is_block() {
            self.keys.pop();
        }
        self.key_allowed = false;
        self.push_mark(token, 1);
        Ok(())
    }

    fn comma(&mut self) -> Result<(), Error> {
        self.forget_key(self.level())?;
        self.key_allowed = true;
        self.push_mark(Token::Comma, 1);
        Ok(())
    }

    /// The number that the next word gets.
    fn next_number(&self) -> usize {
        self.n_taken + self.queue.len()
    }

    /// Begins a block collection here if need be; `problem` if none may begin here.
    fn begin_here(&mut self, token: Token<'a>, problem: &'static str) -> Result<(), Error> {
        let here = self.cursor.mark();
        if self.is_block() && !self.key_allowed {
            return Err(self.cursor.fault(problem, here));
        }
        self.indent(token, self.next_number(), here)
    }

    fn dash(&mut self) -> Result<(), Error> {
        let problem = "block sequence entries are not allowed in this context";
        self.begin_here(Token::SequenceStart, problem)?;
        self.forget_key(self.level())?;
        self.key_allowed = true;
        self.push_mark(Token::Dash, 1);
        Ok(())
    }

    fn key(&mut self) -> Result<(), Error> {
        let problem = "mapping keys are not allowed in this context";
        self.begin_here(Token::MappingStart, problem)?;
        self.forget_key(self.level())?;
        self.key_allowed = self.is_block();
        self.push_mark(Token::Key, 1);
        Ok(())
    }

    fn value(&mut self) -> Result<(), Error> {
        let level = self.level();
        if let Some(key) = self.valid_key(level)? {
            self.keys[level] = None;
            self.insert(key.word, Token::Key, key.start);
            self.indent(Token::MappingStart, key.word, key.start)?;
            self.key_allowed = false;
        } else {
            let problem = "mapping values are not allowed in this context";
            self.begin_here(Token::MappingStart, problem)?;
            self.key_allowed = self.is_block();
        }
        self.push_mark(Token::Value, 1);
        Ok(())
    }

    fn block_scalar(&mut self) -> Result<(), Error> {
        self.forget_key(self.level())?;
        self.key_allowed = true;
        let word = block::block(&mut self.cursor, self.indent)?;
        self.push(word);
        Ok(())
    }

    /// A word that a key may begin with.
    fn inline(&mut self, byte: u8) -> Result<(), Error> {
        self.note_key()?;
        self.key_allowed = false;
        let word = match byte {
            b'*' => tag::name(&mut self.cursor, Token::Alias)?,
            b'&' => tag::name(&mut self.cursor, Token::Anchor)?,
            b'!' => tag::tag(&mut self.cursor)?,
            b'\'' | b'"' => scalar::quoted(&mut self.cursor)?,
            _ => {
                let place = match self.is_block() {
                    true => Place::Block,
                    false => Place::Flow,
                };
                let indent = self.indent.map_or(0, |indent| indent + 1);
                let (word, ended_line) = scalar::plain(&mut self.cursor, place, indent)?;
                self.key_allowed = ended_line;
                word
            }
        };
        self.push(word);
        Ok(())
    }
}
