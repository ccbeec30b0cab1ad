//! The layout of YAML text: libyaml's rules for when a space, a line break and an indentation are
//! written. Columns count characters, as libyaml's do.

use std::fmt::Write as _;

use crate::emit::Dialect;
use crate::emit::scalar::{is_break, is_printable};

/// go-yaml v2 folds at the first space beyond this column.
const FOLD_COLUMN: usize = 80;

/// What an indicator asks of the text around it.
#[derive(Clone, Copy)]
pub(super) struct Context {
    space_before: bool,
    keeps_indention: bool,
}

impl Context {
    /// Preceded by a space.
    pub(super) const SPACED: Context = Context {
        space_before: true,
        keeps_indention: false,
    };
    /// Directly behind what is there.
    pub(super) const ATTACHED: Context = Context {
        space_before: false,
        keeps_indention: false,
    };
    /// Counts as part of the indentation: `-`, `?` and the `:` of a long key.
    pub(super) const INDENTING: Context = Context {
        space_before: true,
        keeps_indention: true,
    };
}

/// Text under construction and libyaml's idea of where it is.
pub(super) struct Writer {
    out: String,
    /// The current block's indentation; `None` before the first one.
    pub(super) indent: Option<usize>,
    pub(super) column: usize,
    /// Whether only indentation stands on this line.
    pub(super) indention: bool,
    whitespace: bool,
    fold_column: usize,
    step: usize,
    is_v2: bool,
}

impl Writer {
    pub(super) fn new(dialect: Dialect) -> Self {
        let is_v2 = dialect.is_v2();
        Writer {
            out: String::with_capacity(256),
            indent: None,
            column: 0,
            indention: true,
            whitespace: true,
            fold_column: if is_v2 { FOLD_COLUMN } else { usize::MAX },
            step: dialect.indent(),
            is_v2,
        }
    }

    /// The text, closed by a line break.
    pub(super) fn finish(mut self) -> String {
        if self.column > 0 || self.out.is_empty() {
            self.out.push('\n');
        }
        self.out
    }

    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    /// Writes a part of a line.
    fn put_text(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn put_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
        if !self.is_v2 {
            self.indention = true;
        }
    }

    /// A line break that is content.
    fn write_break(&mut self, c: char) {
        self.out.push(c);
        self.column = 0;
        self.indention = true;
    }

    /// Moves to the current block's indentation, on a new line where it is needed.
    pub(super) fn start_line(&mut self) {
        self.start_line_at(self.indent.unwrap_or(0));
    }

    fn start_line_at(&mut self, indent: usize) {
        if !self.indention || self.column > indent || self.column == indent && !self.whitespace {
            self.put_break();
        }
        let n_missing = indent.saturating_sub(self.column);
        self.out.extend(std::iter::repeat_n(' ', n_missing));
        self.column += n_missing;
        self.whitespace = true;
        if self.is_v2 {
            self.indention = true;
        }
    }

    /// Writes punctuation.
    pub(super) fn indicator(&mut self, text: &str, context: Context) {
        if context.space_before && !self.whitespace {
            self.put(' ');
        }
        self.put_text(text);
        self.whitespace = false;
        self.indention = self.indention && context.keeps_indention;
    }

    fn end_scalar(&mut self) {
        self.whitespace = false;
        self.indention = false;
    }

    fn folds(&self, is_key: bool, after_space: bool) -> bool {
        !is_key && !after_space && self.column > self.fold_column
    }

    /// Text without quotes; `indent` is that of its continuation lines.
    pub(super) fn plain(&mut self, text: &str, indent: usize, is_key: bool) {
        if !self.whitespace && (self.is_v2 || !text.is_empty()) {
            self.put(' ');
        }
        if is_key || self.column.saturating_add(text.len()) <= self.fold_column {
            self.put_text(text);
            return self.end_scalar();
        }
        let mut after_space = false;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let is_space = c == ' ';
            if is_space && self.folds(is_key, after_space) && chars.peek() != Some(&' ') {
                self.start_line_at(indent);
            } else {
                self.put(c);
                if !is_space {
                    self.indention = false;
                }
            }
            after_space = is_space;
        }
        self.end_scalar();
    }

    /// Text in single quotes.
    pub(super) fn single_quoted(&mut self, text: &str, indent: usize, is_key: bool) {
        self.indicator("'", Context::SPACED);
        let (mut after_space, mut after_break) = (false, false);
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c == ' ' {
                let inside = at > 0 && chars.peek().is_some_and(|(_, next)| *next != ' ');
                if inside && self.folds(is_key, after_space) {
                    self.start_line_at(indent);
                } else {
                    self.put(c);
                }
                after_space = true;
            } else if is_break(c) {
                if !after_break && c == '\n' {
                    self.put_break();
                }
                self.write_break(c);
                after_break = true;
            } else {
                if after_break {
                    self.start_line_at(indent);
                }
                if c == '\'' {
                    self.put('\'');
                }
                self.put(c);
                self.indention = false;
                (after_space, after_break) = (false, false);
            }
        }
        self.indicator("'", Context::ATTACHED);
        self.end_scalar();
    }

    /// Text in double quotes, everything that is not printable escaped.
    pub(super) fn double_quoted(&mut self, text: &str, indent: usize, is_key: bool) {
        self.indicator("\"", Context::SPACED);
        // libyaml means to escape a byte order mark, but looks at the start of the text each time.
        let escape_all = text.starts_with('\u{feff}');
        let mut after_space = false;
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if escape_all || !is_printable(c) || is_break(c) || matches!(c, '"' | '\\') {
                self.escaped(c);
                after_space = false;
            } else if c == ' ' {
                if at > 0 && chars.peek().is_some() && self.folds(is_key, after_space) {
                    self.start_line_at(indent);
                    if chars.peek().is_some_and(|(_, next)| *next == ' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(c);
                }
                after_space = true;
            } else {
                self.put(c);
                after_space = false;
            }
        }
        self.indicator("\"", Context::ATTACHED);
        self.end_scalar();
    }

    fn escaped(&mut self, c: char) {
        let start = self.out.len();
        let short = match c {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{b}' => 'v',
            '\u{c}' => 'f',
            '\r' => 'r',
            '\u{1b}' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{a0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => ' ',
        };
        let code = u32::from(c);
        let _ = match code {
            _ if short != ' ' => write!(self.out, "\\{short}"),
            0..=0xff => write!(self.out, "\\x{code:02X}"),
            0x100..=0xffff => write!(self.out, "\\u{code:04X}"),
            _ => write!(self.out, "\\U{code:08X}"),
        };
        self.column += self.out.len() - start;
    }

    /// A literal block.
    pub(super) fn literal(&mut self, text: &str, indent: usize) {
        self.indicator("|", Context::SPACED);
        let first = text.chars().next();
        if first.is_some_and(|c| c == ' ' || is_break(c)) {
            let hint = self.step.to_string();
            self.indicator(&hint, Context::ATTACHED);
        }
        let mut ends = text.chars().rev();
        match (ends.next().is_some_and(is_break), ends.next()) {
            (false, _) => self.indicator("-", Context::ATTACHED),
            (true, None) => self.indicator("+", Context::ATTACHED),
            (true, Some(c)) if is_break(c) => self.indicator("+", Context::ATTACHED),
            (true, Some(_)) => {}
        }
        self.put_break();
        self.indention = true;
        self.whitespace = true;
        let mut rest = text;
        while let Some(at) = rest.find(is_break) {
            let mut behind = rest[at..].chars();
            self.literal_line(&rest[..at], indent);
            self.write_break(behind.next().expect("a line break was found"));
            rest = behind.as_str();
        }
        self.literal_line(rest, indent);
    }

    fn literal_line(&mut self, line: &str, indent: usize) {
        if !line.is_empty() {
            self.start_line_at(indent);
            self.put_text(line);
            self.indention = false;
        }
    }
}
