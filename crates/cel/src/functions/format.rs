//! `string.format`.

use super::convert::double_text;
use super::{Done, no_overload};
use crate::eval::EvalError;
use crate::go_time;
use crate::value::{MapValue, Opaque, Val};

/// Digits behind the point when a clause names none.
const DEFAULT_PRECISION: usize = 6;
/// No more digits are made: a limit on memory.
const MAX_PRECISION: usize = 1000;

pub(crate) fn format<'a>(args: &[Val<'a>]) -> Done<'a> {
    let [Val::String(pattern), Val::List(values)] = args else {
        return no_overload();
    };
    let values = values.items()?;
    let mut used = 0;
    let mut out = String::new();
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        if letters.next_if_eq(&'%').is_some() {
            out.push('%');
            continue;
        }
        let precision = precision(&mut letters)?;
        let verb = letters
            .next()
            .ok_or_else(|| EvalError::new("unexpected end of string"))?;
        let value = values
            .get(used)
            .ok_or_else(|| EvalError::new(format!("index {used} out of range")))?;
        used += 1;
        out.push_str(&clause(verb, precision, value)?);
    }
    Ok(Val::text(&out))
}

fn precision(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<usize, EvalError> {
    if letters.next_if_eq(&'.').is_none() {
        return Ok(DEFAULT_PRECISION);
    }
    let mut digits = String::new();
    while let Some(digit) = letters.next_if(char::is_ascii_digit) {
        digits.push(digit);
    }
    let parsed = digits.parse().ok().filter(|count| *count <= MAX_PRECISION);
    parsed.ok_or_else(|| EvalError::new("error while converting precision to integer"))
}

fn clause(verb: char, precision: usize, value: &Val<'_>) -> Result<String, EvalError> {
    let refuse = |allowed: &str| {
        EvalError::new(format!(
            "error during formatting: {allowed}, was given {}",
            value.type_name()
        ))
    };
    Ok(match (verb, value) {
        ('s', value) => shown(value)?,
        ('d', Val::Int(number)) => number.to_string(),
        ('d', Val::Uint(number)) => number.to_string(),
        ('d', Val::Double(number)) if !number.is_finite() => double_text(*number),
        ('d', _) => return Err(refuse("decimal clause can only be used on integers")),
        ('f', Val::Double(number)) => fixed(*number, precision),
        ('f', Val::Int(number)) => fixed(*number as f64, precision),
        ('f', Val::Uint(number)) => fixed(*number as f64, precision),
        ('f', _) => return Err(refuse("fixed-point clause can only be used on doubles")),
        ('e', Val::Double(number)) => scientific(*number, precision),
        ('e', Val::Int(number)) => scientific(*number as f64, precision),
        ('e', _) => return Err(refuse("scientific clause can only be used on doubles")),
        ('b', Val::Int(number)) => signed(*number, |digits| format!("{digits:b}")),
        ('b', Val::Uint(number)) => format!("{number:b}"),
        ('b', Val::Bool(flag)) => u8::from(*flag).to_string(),
        ('b', _) => {
            return Err(refuse("only integers and bools can be formatted as binary"));
        }
        ('o', Val::Int(number)) => signed(*number, |digits| format!("{digits:o}")),
        ('o', Val::Uint(number)) => format!("{number:o}"),
        ('o', _) => return Err(refuse("octal clause can only be used on integers")),
        ('x', Val::Int(number)) => signed(*number, |digits| format!("{digits:x}")),
        ('X', Val::Int(number)) => signed(*number, |digits| format!("{digits:X}")),
        ('x', Val::Uint(number)) => format!("{number:x}"),
        ('X', Val::Uint(number)) => format!("{number:X}"),
        ('x' | 'X', Val::String(text)) => hex(text.as_bytes(), verb),
        ('x' | 'X', Val::Bytes(bytes)) => hex(bytes, verb),
        ('x' | 'X', _) => {
            return Err(refuse(
                "only integers, byte buffers, and strings can be formatted as hex",
            ));
        }
        _ => {
            return Err(EvalError::new(format!(
                "could not parse formatting clause: unrecognized formatting clause \"{verb}\""
            )));
        }
    })
}

fn signed(number: i64, digits: fn(u64) -> String) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", digits(number.unsigned_abs()))
}

fn fixed(number: f64, precision: usize) -> String {
    if number.is_finite() {
        format!("{number:.precision$}")
    } else {
        double_text(number)
    }
}

fn scientific(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = exponent.parse().unwrap_or_default();
    let sign = if power < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", power.abs())
}

fn hex(bytes: &[u8], verb: char) -> String {
    let upper = verb == 'X';
    bytes
        .iter()
        .map(|byte| {
            if upper {
                format!("{byte:02X}")
            } else {
                format!("{byte:02x}")
            }
        })
        .collect()
}

/// A value as text: what `%s` prints.
fn shown(value: &Val<'_>) -> Result<String, EvalError> {
    Ok(match value {
        Val::Null => "null".to_owned(),
        Val::Bool(flag) => flag.to_string(),
        Val::Int(number) => number.to_string(),
        Val::Uint(number) => number.to_string(),
        Val::Double(number) => double_text(*number),
        Val::String(text) | Val::Type(text) => text.to_string(),
        Val::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Val::Duration(nanos) => go_time::duration_text(*nanos),
        Val::Timestamp(time) => time.to_string(),
        Val::List(list) => {
            let items: Result<Vec<String>, EvalError> = list.items()?.iter().map(shown).collect();
            format!("[{}]", items?.join(", "))
        }
        Val::Map(map) => entries(map)?,
        Val::Opaque(Opaque::Quantity(quantity)) => quantity.to_string(),
        Val::Optional(_) | Val::Opaque(_) => {
            return Err(EvalError::new(format!(
                "error during formatting: string clause can only be used on strings, bools, \
                 bytes, ints, doubles, maps, lists, types, durations, and timestamps, was given {}",
                value.type_name()
            )));
        }
    })
}

fn entries(map: &MapValue<'_>) -> Result<String, EvalError> {
    let mut entries = Vec::new();
    for key in map.keys() {
        if let Some(value) = map.get(&key).transpose()? {
            entries.push(format!("{}: {}", shown(&key)?, shown(&value)?));
        }
    }
    entries.sort();
    Ok(format!("{{{}}}", entries.join(", ")))
}
