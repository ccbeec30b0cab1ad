//! From a tree to text, byte for byte as Go's `encoding/json` writes maps: keys sorted.

use std::fmt::Write as _;

use super::plain::plain_prefix;
use crate::{Value, number};

/// How many spaces a level is indented by in pretty text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indent {
    /// As kubectl prints JSON: 4.
    Four,
    /// As argocd and most programs print JSON: 2.
    Two,
}

#[derive(Clone, Copy)]
struct Form {
    indent: Option<usize>,
    escape_html: bool,
}

/// Compact JSON without HTML escapes. A float that JSON cannot have (NaN, infinities) becomes
/// `null`; the parsers of this crate never give one in Kubernetes' mode.
#[must_use]
pub fn to_string(value: &Value) -> String {
    render(value, None, false)
}

/// As [`to_string`], as bytes.
#[must_use]
pub fn to_vec(value: &Value) -> Vec<u8> {
    to_string(value).into_bytes()
}

/// Compact JSON as Go's `json.Marshal` gives it: `<`, `>` and `&` as `\u003c` and so on.
#[must_use]
pub fn to_string_html_escaped(value: &Value) -> String {
    render(value, None, true)
}

/// As [`to_string_html_escaped`], as bytes.
#[must_use]
pub fn to_vec_html_escaped(value: &Value) -> Vec<u8> {
    to_string_html_escaped(value).into_bytes()
}

/// JSON over several lines, as Go's `json.MarshalIndent` lays it out, HTML escapes included; no
/// line break at the end.
#[must_use]
pub fn to_string_pretty(value: &Value, indent: Indent) -> String {
    let spaces = match indent {
        Indent::Two => 2,
        Indent::Four => 4,
    };
    render(value, Some(spaces), true)
}

/// As [`to_string_pretty`], as bytes.
#[must_use]
pub fn to_vec_pretty(value: &Value, indent: Indent) -> Vec<u8> {
    to_string_pretty(value, indent).into_bytes()
}

fn render(value: &Value, indent: Option<usize>, escape_html: bool) -> String {
    let mut out = String::with_capacity(256);
    let form = Form {
        indent,
        escape_html,
    };
    write_value(&mut out, value, form, 0);
    out
}

fn write_value(out: &mut String, value: &Value, form: Form, level: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Int(number) => {
            let _ = write!(out, "{number}");
        }
        Value::Uint(number) => {
            let _ = write!(out, "{number}");
        }
        Value::Float(number) if number.is_finite() => number::write_json_float(out, *number),
        Value::Float(_) => out.push_str("null"),
        Value::String(text) => write_text(out, text, form),
        Value::List(items) if items.is_empty() => out.push_str("[]"),
        Value::List(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                begin_item(out, n, form, level + 1);
                write_value(out, item, form, level + 1);
            }
            end(out, ']', form, level);
        }
        Value::Map(map) if map.is_empty() => out.push_str("{}"),
        Value::Map(map) => {
            out.push('{');
            for (n, (key, value)) in map.iter().enumerate() {
                begin_item(out, n, form, level + 1);
                write_text(out, key, form);
                out.push_str(if form.indent.is_some() { ": " } else { ":" });
                write_value(out, value, form, level + 1);
            }
            end(out, '}', form, level);
        }
    }
}

fn begin_item(out: &mut String, n: usize, form: Form, level: usize) {
    if n > 0 {
        out.push(',');
    }
    break_line(out, form, level);
}

fn end(out: &mut String, bracket: char, form: Form, level: usize) {
    break_line(out, form, level);
    out.push(bracket);
}

fn break_line(out: &mut String, form: Form, level: usize) {
    if let Some(spaces) = form.indent {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', spaces * level));
    }
}

fn write_text(out: &mut String, text: &str, form: Form) {
    out.push('"');
    let mut rest = text;
    loop {
        let (plain, special) = rest.split_at(plain_prefix(rest.as_bytes(), is_special));
        out.push_str(plain);
        let mut chars = special.chars();
        let Some(first) = chars.next() else {
            break;
        };
        write_special(out, first, form);
        rest = chars.as_str();
    }
    out.push('"');
}

/// Whether a byte may begin something that is escaped; it is the first one of a character. Without
/// branches, so that it is asked of many bytes at once.
fn is_special(byte: u8) -> bool {
    (byte < 0x20)
        | (byte == b'"')
        | (byte == b'\\')
        | (byte == b'<')
        | (byte == b'>')
        | (byte == b'&')
        | (byte == 0xe2)
}

fn write_special(out: &mut String, special: char, form: Form) {
    match special {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '<' if form.escape_html => out.push_str("\\u003c"),
        '>' if form.escape_html => out.push_str("\\u003e"),
        '&' if form.escape_html => out.push_str("\\u0026"),
        // They break JavaScript, so Go escapes them always.
        '\u{2028}' => out.push_str("\\u2028"),
        '\u{2029}' => out.push_str("\\u2029"),
        '\0'..='\u{1f}' => {
            let _ = write!(out, "\\u{:04x}", u32::from(special));
        }
        other => out.push(other),
    }
}
