//! Values as Go's `fmt` prints them, for messages that quote them.

use std::fmt::Write as _;

use yaml::Value;

/// The text of `%v`.
#[must_use]
pub fn display(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    text
}

fn write_value(text: &mut String, value: &Value) {
    // Writing to a String cannot fail.
    let _ = match value {
        Value::Null => write!(text, "<nil>"),
        Value::Bool(flag) => write!(text, "{flag}"),
        Value::Int(number) => write!(text, "{number}"),
        Value::Uint(number) => write!(text, "{number}"),
        Value::Float(number) => write!(text, "{}", float(*number)),
        Value::String(string) => write!(text, "{string}"),
        Value::List(list) => {
            text.push('[');
            for (index, item) in list.iter().enumerate() {
                if index > 0 {
                    text.push(' ');
                }
                write_value(text, item);
            }
            write!(text, "]")
        }
        Value::Map(map) => {
            text.push_str("map[");
            for (index, (key, item)) in map.iter().enumerate() {
                if index > 0 {
                    text.push(' ');
                }
                text.push_str(key);
                text.push(':');
                write_value(text, item);
            }
            write!(text, "]")
        }
    };
}

/// `%v` of a float64: the shortest digits, with an exponent below 1e-4 and from 1e21 on.
pub(crate) fn float(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return match number {
            _ if number.is_nan() => "NaN".to_owned(),
            _ if number.is_infinite() && number > 0.0 => "+Inf".to_owned(),
            _ if number.is_infinite() => "-Inf".to_owned(),
            _ if number.is_sign_negative() => "-0".to_owned(),
            _ => "0".to_owned(),
        };
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = exponent.parse().unwrap_or_default();
    if (-4..21).contains(&power) {
        return number.to_string();
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", power.abs())
}

/// The text of `%q`: double quotes, with Go's escapes.
#[must_use]
pub fn quote(string: &str) -> String {
    let mut text = String::with_capacity(string.len() + 2);
    text.push('"');
    for c in string.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{7}' => text.push_str("\\a"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\u{b}' => text.push_str("\\v"),
            c if c.is_ascii_control() => {
                let _ = write!(text, "\\x{:02x}", c as u32);
            }
            c if c.is_control() || c == '\u{feff}' => {
                let _ = write!(text, "\\u{:04x}", c as u32);
            }
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

/// The name of a value's Go type, as `reflect.TypeOf` prints it.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "%!s(<nil>)",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int64",
        Value::Uint(_) => "uint64",
        Value::Float(_) => "float64",
        Value::String(_) => "string",
        Value::List(_) => "[]interface {}",
        Value::Map(_) => "map[string]interface {}",
    }
}

/// The text of `%T` for what Go decodes from JSON into an `unstructured` object: integers of any size
/// are `int64`.
#[must_use]
pub fn decoded_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Uint(_) => "int64",
        other => type_name(other),
    }
}

/// The text of `%#v`: Go syntax.
pub(crate) fn syntax(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        Value::List(list) => {
            let items: Vec<String> = list.iter().map(syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Map(map) => {
            let members: Vec<String> = map
                .iter()
                .map(|(key, item)| format!("{}:{}", quote(key), syntax(item)))
                .collect();
            format!("map[string]interface {{}}{{{}}}", members.join(", "))
        }
        other => display(other),
    }
}
