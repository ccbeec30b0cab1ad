//! Format strings: Go's `fmt.Sprintf`. Read [`sprintf`].

use crate::print::{Flags, Printer};
use crate::value::Value;

/// Widths and precisions above are taken for mistakes.
const MAX_SIZE: i128 = 1_000_000;

/// Fills the verbs of a format with values; what does not fit is shown in the text, as Go does.
#[must_use]
pub fn sprintf(format: &str, values: &[Value]) -> String {
    let mut formatter = Formatter {
        rest: format,
        values,
        next: 0,
        is_good: true,
        is_reordered: false,
        printer: Printer::default(),
    };
    formatter.run();
    formatter.printer.out
}

struct Formatter<'a> {
    rest: &'a str,
    values: &'a [Value],
    /// The next value.
    next: usize,
    /// Whether the index of the verb at hand can be used.
    is_good: bool,
    /// Whether an index was used at all.
    is_reordered: bool,
    printer: Printer,
}

impl Formatter<'_> {
    fn run(&mut self) {
        while let Some(at) = self.rest.find('%') {
            self.printer.out.push_str(&self.rest[..at]);
            self.rest = &self.rest[at + 1..];
            if !self.verb() {
                self.printer.out.push_str("%!(NOVERB)");
                break;
            }
        }
        if !self.rest.contains('%') {
            self.printer.out.push_str(self.rest);
        }
        self.extra();
    }

    /// One verb with its flags; gives whether there was one.
    fn verb(&mut self) -> bool {
        self.is_good = true;
        self.printer.flags = Flags::default();
        self.flags();
        let mut is_behind_index = self.index();
        is_behind_index = self.width(is_behind_index);
        if let Some(rest) = self.rest.strip_prefix('.') {
            self.rest = rest;
            if is_behind_index {
                self.is_good = false;
            }
            is_behind_index = self.index();
            is_behind_index = self.precision(is_behind_index);
        }
        if !is_behind_index {
            self.index();
        }
        let Some(verb) = self.rest.chars().next() else {
            return false;
        };
        self.rest = &self.rest[verb.len_utf8()..];
        self.fill(verb);
        true
    }

    fn fill(&mut self, verb: char) {
        if verb == '%' {
            return self.printer.out.push('%');
        }
        if !self.is_good {
            return self.problem(verb, "(BADINDEX)");
        }
        let Some(value) = self.values.get(self.next) else {
            return self.problem(verb, "(MISSING)");
        };
        if verb == 'v' {
            let flags = &mut self.printer.flags;
            flags.go_syntax = std::mem::take(&mut flags.sharp);
            flags.names = std::mem::take(&mut flags.plus);
        }
        self.printer.print(value, verb);
        self.next += 1;
    }

    fn problem(&mut self, verb: char, what: &str) {
        self.printer.out.push_str("%!");
        self.printer.out.push(verb);
        self.printer.out.push_str(what);
    }

    fn flags(&mut self) {
        loop {
            let flags = &mut self.printer.flags;
            match self.rest.as_bytes().first() {
                Some(b'#') => flags.sharp = true,
                Some(b'0') => flags.zero = true,
                Some(b'+') => flags.plus = true,
                Some(b'-') => flags.minus = true,
                Some(b' ') => flags.space = true,
                _ => return,
            }
            self.rest = &self.rest[1..];
        }
    }

    /// An explicit index, `[2]`; gives whether there was one.
    fn index(&mut self) -> bool {
        let Some(inside) = self.rest.strip_prefix('[') else {
            return false;
        };
        self.is_reordered = true;
        let Some(end) = inside.find(']').filter(|_| self.rest.len() >= 3) else {
            self.is_good = false;
            self.rest = inside;
            return false;
        };
        let text = &inside[..end];
        self.rest = &inside[end + 1..];
        let number = size(text).filter(|(_, rest)| rest.is_empty());
        let Some((number, _)) = number else {
            self.is_good = false;
            return false;
        };
        match number.checked_sub(1).filter(|it| *it < self.values.len()) {
            Some(index) => self.next = index,
            None => self.is_good = false,
        }
        true
    }

    /// The width; gives whether an index is still the last thing that was read.
    fn width(&mut self, is_behind_index: bool) -> bool {
        if let Some(rest) = self.rest.strip_prefix('*') {
            self.rest = rest;
            match self.argument() {
                Some(number) => {
                    let flags = &mut self.printer.flags;
                    if number < 0 {
                        flags.minus = true;
                        flags.zero = false;
                    }
                    flags.width = usize::try_from(number.unsigned_abs()).ok();
                }
                None => self.printer.out.push_str("%!(BADWIDTH)"),
            }
            return false;
        }
        if let Some((number, rest)) = size(self.rest) {
            self.rest = rest;
            self.printer.flags.width = Some(number);
            if is_behind_index {
                self.is_good = false;
            }
        }
        is_behind_index
    }

    fn precision(&mut self, is_behind_index: bool) -> bool {
        if let Some(rest) = self.rest.strip_prefix('*') {
            self.rest = rest;
            let number = self.argument();
            self.printer.flags.precision = number.and_then(|it| usize::try_from(it).ok());
            if self.printer.flags.precision.is_none() {
                self.printer.out.push_str("%!(BADPREC)");
            }
            return false;
        }
        let (number, rest) = size(self.rest).unwrap_or((0, self.rest));
        self.rest = rest;
        self.printer.flags.precision = Some(number);
        is_behind_index
    }

    /// A width or precision that is an argument.
    fn argument(&mut self) -> Option<i128> {
        let value = self.values.get(self.next)?;
        self.next += 1;
        match value {
            Value::Integer(number, _) if number.abs() <= MAX_SIZE => Some(*number),
            _ => None,
        }
    }

    /// Values that no verb asked for.
    fn extra(&mut self) {
        let left = self.values.get(self.next..).unwrap_or_default();
        if self.is_reordered || left.is_empty() {
            return;
        }
        self.printer.flags = Flags::default();
        self.printer.out.push_str("%!(EXTRA ");
        for (number, value) in left.iter().enumerate() {
            if number > 0 {
                self.printer.out.push_str(", ");
            }
            if let Value::Nil = value {
                self.printer.out.push_str("<nil>");
                continue;
            }
            self.printer.out.push_str(&value.type_name());
            self.printer.out.push('=');
            self.printer.print(value, 'v');
        }
        self.printer.out.push(')');
    }
}

/// A number at the start of a text, and what is behind it. One that is too large takes the rest of
/// the format with it, as in Go.
fn size(text: &str) -> Option<(usize, &str)> {
    let end = text
        .find(|it: char| !it.is_ascii_digit())
        .unwrap_or(text.len());
    let number: i128 = text[..end].parse().ok()?;
    (number <= MAX_SIZE).then(|| {
        let number = usize::try_from(number).expect("digits below the limit");
        (number, &text[end..])
    })
}
