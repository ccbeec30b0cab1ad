//! Values as text: Go's `fmt`, for one value at a time.
//!
//! Read [`Printer`]: it holds the flags of one verb and writes values with them. Reading format
//! strings is in `printf`.

use crate::object::{self, Kind, Object, Shown};
use crate::quote;
use crate::value::{Element, List, Map, Value, Width};

/// A map that holds itself has no end; no chart nests this deep.
const MAX_DEPTH: usize = 200;

/// Maps that hold others twice, those again others twice, and so on, print without end too.
const MAX_BYTES: usize = 64 << 20;

/// Values in a row as `print` writes them: a space between two that are both no text.
pub fn sprint(values: &[Value]) -> String {
    let mut printer = Printer::default();
    let mut was_text = false;
    for (number, value) in values.iter().enumerate() {
        let is_text = matches!(value, Value::Text(_));
        if number > 0 && !is_text && !was_text {
            printer.out.push(' ');
        }
        printer.print(value, 'v');
        was_text = is_text;
    }
    printer.out
}

/// Values in a row as `println` writes them: a space between all, and a newline.
pub(crate) fn sprintln(values: &[Value]) -> String {
    let mut printer = Printer::default();
    for (number, value) in values.iter().enumerate() {
        if number > 0 {
            printer.out.push(' ');
        }
        printer.print(value, 'v');
    }
    printer.out.push('\n');
    printer.out
}

/// Writes a value as an action does.
pub(crate) fn print_value(out: &mut String, value: &Value) {
    match value {
        Value::Text(text) => out.push_str(text),
        _ => {
            let mut printer = Printer {
                out: std::mem::take(out),
                ..Printer::default()
            };
            printer.print(value, 'v');
            *out = printer.out;
        }
    }
}

/// A character as `%#U` writes it.
pub(crate) fn unicode(it: char) -> String {
    let code = format!("U+{:04X}", u32::from(it));
    if quote::is_printable(it) {
        format!("{code} '{it}'")
    } else {
        code
    }
}

/// What Go's `unicode.IsSpace` says.
pub(crate) fn is_go_space(it: char) -> bool {
    it.is_whitespace()
}

/// The flags of a verb.
#[derive(Clone, Copy, Default)]
pub(crate) struct Flags {
    pub(crate) sharp: bool,
    pub(crate) zero: bool,
    pub(crate) plus: bool,
    pub(crate) minus: bool,
    pub(crate) space: bool,
    /// `%#v`: Go syntax.
    pub(crate) go_syntax: bool,
    /// `%+v`: fields with their names.
    pub(crate) names: bool,
    pub(crate) width: Option<usize>,
    pub(crate) precision: Option<usize>,
}

/// Writes values with the flags of one verb.
#[derive(Default)]
pub(crate) struct Printer {
    pub(crate) out: String,
    pub(crate) flags: Flags,
    depth: usize,
}

impl Printer {
    /// Writes an argument; nil as it is written outside of a list.
    pub(crate) fn print(&mut self, value: &Value, verb: char) {
        match (value, verb) {
            (_, 'T') => self.text(&value.type_name()),
            (Value::Nil, 'v') => self.pad("<nil>"),
            (Value::Nil, _) => self.bad_verb(value, verb),
            _ => self.value(value, verb),
        }
    }

    fn value(&mut self, value: &Value, verb: char) {
        match value {
            Value::Nil if self.flags.go_syntax => self.out.push_str("interface {}(nil)"),
            Value::Nil => self.out.push_str("<nil>"),
            Value::Bool(truth) => match verb {
                't' | 'v' => self.pad(if *truth { "true" } else { "false" }),
                _ => self.bad_verb(value, verb),
            },
            Value::Integer(number, width) => self.integer_verb(value, *number, *width, verb),
            Value::Float(number) => self.float_verb(value, *number, verb),
            Value::Complex(real, imaginary) => self.complex(value, (*real, *imaginary), verb),
            Value::Text(text) => self.text_verb(value, text, verb),
            Value::List(list) => self.list(list, verb),
            Value::Map(map) => self.map(map, verb),
            Value::Function(_) => match verb {
                'v' | 'p' => self.pad("0x0"),
                _ => self.bad_verb(value, verb),
            },
            Value::Object(object) => self.object(object.as_ref(), verb),
        }
    }

    fn object(&mut self, object: &dyn Object, verb: char) {
        if self.flags.go_syntax {
            self.out.push_str(&object.type_name());
        }
        match object::shown(object) {
            Shown::Text(text) => self.value(&Value::Text(text), verb),
            Shown::Value(value) => self.value(&value, verb),
            Shown::Fields(fields) => self.fields(object.kind(), &fields, verb),
        }
    }

    /// The values of a struct in braces, with their names where Go syntax or `%+v` asks for them.
    fn fields(&mut self, kind: Kind, fields: &[(&'static str, Value)], verb: char) {
        if kind == Kind::Pointer && self.depth == 0 {
            self.out.push('&');
        }
        let (go_syntax, is_named) = (
            self.flags.go_syntax,
            self.flags.go_syntax || self.flags.names,
        );
        self.out.push('{');
        self.deeper(|printer| {
            for (number, (name, value)) in fields.iter().enumerate() {
                if number > 0 {
                    printer.out.push_str(if go_syntax { ", " } else { " " });
                }
                if is_named {
                    printer.out.push_str(name);
                    printer.out.push(':');
                }
                printer.value(value, verb);
            }
        });
        self.out.push('}');
    }

    /// A verb that does not fit the type.
    fn bad_verb(&mut self, value: &Value, verb: char) {
        self.out.push_str("%!");
        self.out.push(verb);
        self.out.push('(');
        if let Value::Nil = value {
            self.out.push_str("<nil>");
        } else {
            self.out.push_str(&value.type_name());
            self.out.push('=');
            self.value(value, 'v');
        }
        self.out.push(')');
    }

    fn list(&mut self, list: &List, verb: char) {
        if list.element() == Element::Byte && matches!(verb, 's' | 'q' | 'x' | 'X') {
            return self.bytes(list, verb);
        }
        let go_syntax = self.flags.go_syntax;
        if go_syntax {
            self.out.push_str(&format!("[]{}", list.element().name()));
        }
        self.out.push(if go_syntax { '{' } else { '[' });
        self.deeper(|printer| {
            for (number, item) in list.items().iter().enumerate() {
                if number > 0 {
                    printer.out.push_str(if go_syntax { ", " } else { " " });
                }
                printer.value(item, verb);
            }
        });
        self.out.push(if go_syntax { '}' } else { ']' });
    }

    fn bytes(&mut self, list: &List, verb: char) {
        let byte = |item: &Value| match item {
            Value::Integer(number, _) => u8::try_from(*number).unwrap_or_default(),
            _ => 0,
        };
        let bytes: Vec<u8> = list.items().iter().map(byte).collect();
        match verb {
            'x' | 'X' => self.hex(&bytes, verb == 'X'),
            _ => {
                let text = crate::bytes::string_of(&bytes);
                self.text_verb(&Value::text(&text), &text, verb);
            }
        }
    }

    fn map(&mut self, map: &Map, verb: char) {
        let go_syntax = self.flags.go_syntax;
        if go_syntax {
            let name = map.element().name();
            self.out.push_str(&format!("map[string]{name}{{"));
        } else {
            self.out.push_str("map[");
        }
        self.deeper(|printer| {
            for (number, (key, item)) in map.entries().iter().enumerate() {
                if number > 0 {
                    printer.out.push_str(if go_syntax { ", " } else { " " });
                }
                printer.value(&Value::Text(key.clone()), verb);
                printer.out.push(':');
                printer.value(item, verb);
            }
        });
        self.out.push(if go_syntax { '}' } else { ']' });
    }

    fn deeper(&mut self, inner: impl FnOnce(&mut Self)) {
        if self.depth == MAX_DEPTH || self.out.len() > MAX_BYTES {
            self.out.push_str("...");
            return;
        }
        self.depth += 1;
        inner(self);
        self.depth -= 1;
    }

    fn integer_verb(&mut self, value: &Value, number: i128, width: Width, verb: char) {
        match verb {
            'v' if self.flags.go_syntax && !width.is_signed() => {
                let sharp = std::mem::replace(&mut self.flags.sharp, true);
                self.integer(number, 16, verb);
                self.flags.sharp = sharp;
            }
            'v' | 'd' => self.integer(number, 10, verb),
            'b' => self.integer(number, 2, verb),
            'o' | 'O' => self.integer(number, 8, verb),
            'x' | 'X' => self.integer(number, 16, verb),
            'c' => self.pad(&character(number).to_string()),
            'q' => {
                let is_plain: fn(char) -> bool = if self.flags.plus {
                    |it| it.is_ascii() && quote::is_printable(it)
                } else {
                    quote::is_printable
                };
                self.pad(&quote::quote_char(character(number), is_plain));
            }
            'U' => self.code_point(number),
            _ => self.bad_verb(value, verb),
        }
    }

    /// Digits, with the zeros, prefix and sign that the flags ask for.
    fn integer(&mut self, number: i128, base: u32, verb: char) {
        let flags = self.flags;
        let is_negative = number < 0;
        let magnitude = number.unsigned_abs();
        let mut least = 0;
        if let Some(precision) = flags.precision {
            least = precision;
            if precision == 0 && magnitude == 0 {
                return self.without_zeros(|printer| printer.pad(""));
            }
        } else if flags.zero && !flags.minus && flags.width.is_some() {
            let has_sign = is_negative || flags.plus || flags.space;
            least = flags
                .width
                .unwrap_or(0)
                .saturating_sub(usize::from(has_sign));
        }
        let digits = match (base, verb) {
            (2, _) => format!("{magnitude:b}"),
            (8, _) => format!("{magnitude:o}"),
            (16, 'X') => format!("{magnitude:X}"),
            (16, _) => format!("{magnitude:x}"),
            _ => magnitude.to_string(),
        };
        let digits = format!("{digits:0>least$}");
        let prefix = match (base, verb) {
            (_, 'O') => "0o",
            (2, _) if flags.sharp => "0b",
            (8, _) if flags.sharp && !digits.starts_with('0') => "0",
            (16, 'X') if flags.sharp => "0X",
            (16, _) if flags.sharp => "0x",
            _ => "",
        };
        let sign = sign(is_negative, flags);
        self.without_zeros(|printer| printer.pad(&format!("{sign}{prefix}{digits}")));
    }

    fn code_point(&mut self, number: i128) {
        // A negative number shows its bits, as Go's conversion to uint64 does.
        let bits = if number < 0 {
            number + (1i128 << 64)
        } else {
            number
        };
        let least = self.flags.precision.unwrap_or(0).max(4);
        let mut text = format!("U+{:0>least$}", format!("{bits:X}"));
        let shown = u32::try_from(bits).ok().and_then(char::from_u32);
        if let Some(it) = shown
            && self.flags.sharp
            && quote::is_printable(it)
        {
            text.push_str(&format!(" '{it}'"));
        }
        self.without_zeros(|printer| printer.pad(&text));
    }

    fn float_verb(&mut self, value: &Value, number: f64, verb: char) {
        match verb {
            'v' => self.float(number, 'g', None),
            'g' | 'G' | 'b' | 'x' | 'X' => self.float(number, verb, None),
            'e' | 'E' | 'f' => self.float(number, verb, Some(6)),
            'F' => self.float(number, 'f', Some(6)),
            _ => self.bad_verb(value, verb),
        }
    }

    /// Both parts in parentheses, the second one with its sign.
    fn complex(&mut self, value: &Value, (real, imaginary): (f64, f64), verb: char) {
        if !matches!(
            verb,
            'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E'
        ) {
            return self.bad_verb(value, verb);
        }
        let plus = self.flags.plus;
        self.out.push('(');
        self.float_verb(value, real, verb);
        self.flags.plus = true;
        self.float_verb(value, imaginary, verb);
        self.out.push_str("i)");
        self.flags.plus = plus;
    }

    fn float(&mut self, number: f64, verb: char, precision: Option<usize>) {
        let flags = self.flags;
        let precision = flags.precision.or(precision);
        if !number.is_finite() {
            let sign = if number.is_nan() && !flags.plus && !flags.space {
                ""
            } else if number < 0.0 {
                "-"
            } else if flags.plus || number.is_infinite() && !flags.space {
                "+"
            } else {
                " "
            };
            let name = if number.is_nan() { "NaN" } else { "Inf" };
            return self.without_zeros(|printer| printer.pad(&format!("{sign}{name}")));
        }
        let mut digits = crate::float::format_float(number.abs(), verb, precision);
        if flags.sharp && verb != 'b' {
            digits = with_point(&digits, verb, precision);
        }
        let sign = sign(number.is_sign_negative(), flags);
        let width = flags.width.unwrap_or(0);
        if !sign.is_empty() && flags.zero && !flags.minus && width > digits.len() + 1 {
            let n_zeros = width - digits.len() - 1;
            self.out
                .push_str(&format!("{sign}{}{digits}", "0".repeat(n_zeros)));
            return;
        }
        self.pad(&format!("{sign}{digits}"));
    }

    fn text_verb(&mut self, value: &Value, text: &str, verb: char) {
        match verb {
            'v' if self.flags.go_syntax => self.quoted(text),
            'v' | 's' => self.text(text),
            'q' => self.quoted(text),
            'x' | 'X' => self.hex(&crate::bytes::bytes_of_text(text), verb == 'X'),
            _ => self.bad_verb(value, verb),
        }
    }

    /// A text, cut to the precision.
    fn text(&mut self, text: &str) {
        let cut = self.cut(text);
        self.pad(cut);
    }

    fn cut<'t>(&self, text: &'t str) -> &'t str {
        let end = self
            .flags
            .precision
            .and_then(|precision| text.char_indices().nth(precision));
        end.map_or(text, |(at, _)| &text[..at])
    }

    fn quoted(&mut self, text: &str) {
        let text = self.cut(text);
        let can_be_raw =
            |it: char| it == '\t' || it != '`' && it != '\u{7f}' && it != '\u{feff}' && it >= ' ';
        let quoted = if self.flags.sharp && text.chars().all(can_be_raw) {
            format!("`{text}`")
        } else if self.flags.plus {
            quote::quote_ascii(text)
        } else {
            quote::quote(text)
        };
        self.pad(&quoted);
    }

    fn hex(&mut self, bytes: &[u8], is_upper: bool) {
        let n_bytes = self.flags.precision.unwrap_or(usize::MAX).min(bytes.len());
        let prefix = match (self.flags.sharp, is_upper) {
            (false, _) => "",
            (true, false) => "0x",
            (true, true) => "0X",
        };
        let mut text = String::new();
        for (number, byte) in bytes[..n_bytes].iter().enumerate() {
            if number == 0 {
                text.push_str(prefix);
            } else if self.flags.space {
                text.push(' ');
                text.push_str(prefix);
            }
            text.push_str(&if is_upper {
                format!("{byte:02X}")
            } else {
                format!("{byte:02x}")
            });
        }
        self.pad(&text);
    }

    fn without_zeros(&mut self, inner: impl FnOnce(&mut Self)) {
        let zero = std::mem::take(&mut self.flags.zero);
        inner(self);
        self.flags.zero = zero;
    }

    /// A text, filled up to the width.
    fn pad(&mut self, text: &str) {
        let n_missing = self
            .flags
            .width
            .unwrap_or(0)
            .saturating_sub(text.chars().count());
        let filling = if self.flags.zero && !self.flags.minus {
            '0'
        } else {
            ' '
        };
        let filling = std::iter::repeat_n(filling, n_missing);
        if self.flags.minus {
            self.out.push_str(text);
            self.out.extend(filling);
        } else {
            self.out.extend(filling);
            self.out.push_str(text);
        }
    }
}

fn sign(is_negative: bool, flags: Flags) -> &'static str {
    match (is_negative, flags.plus, flags.space) {
        (true, _, _) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    }
}

/// The character of a number; U+FFFD where there is none.
fn character(number: i128) -> char {
    let code = u32::try_from(number).ok();
    code.and_then(char::from_u32)
        .unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// With `#`, a number has a point, and `%g` keeps its zeros.
fn with_point(digits: &str, verb: char, precision: Option<usize>) -> String {
    const DEFAULT: usize = 6;
    let is_hex = matches!(verb, 'x' | 'X');
    let is_exponent = |it: char| matches!(it, 'p' | 'P') || (!is_hex && matches!(it, 'e' | 'E'));
    let (mantissa, tail) = match digits.find(is_exponent) {
        Some(at) => digits.split_at(at),
        None => (digits, ""),
    };
    // Go counts the x of 0x among the digits.
    let mut wanted = match verb {
        'g' | 'G' | 'x' | 'X' => precision.unwrap_or(DEFAULT),
        _ => 0,
    };
    let significant = mantissa
        .chars()
        .filter(|it| *it != '.')
        .skip_while(|it| *it == '0')
        .count();
    wanted = wanted.saturating_sub(significant);
    let mut text = mantissa.to_owned();
    if !mantissa.contains('.') {
        if mantissa == "0" {
            wanted = wanted.saturating_sub(1);
        }
        text.push('.');
    }
    text.extend(std::iter::repeat_n('0', wanted));
    text.push_str(tail);
    text
}
