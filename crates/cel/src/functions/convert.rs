//! Conversions between types.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Done, no_overload};
use crate::eval::EvalError;
use crate::go_time;
use crate::value::{Opaque, Val};

fn error<'a>(message: impl Into<String>) -> Done<'a> {
    Err(EvalError::new(message))
}

fn invalid<'a>(function: &str, text: &str) -> Done<'a> {
    error(format!(
        "strconv.{function}: parsing {text:?}: invalid syntax"
    ))
}

pub(crate) fn to_bool<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Bool(flag)] => Ok(Val::Bool(*flag)),
        [Val::String(text)] => match text.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Val::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Val::Bool(false)),
            _ => error("type conversion error from 'string' to 'bool'"),
        },
        _ => no_overload(),
    }
}

pub(crate) fn to_bytes<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Bytes(bytes)] => Ok(Val::Bytes(Arc::clone(bytes))),
        [Val::String(text)] => Ok(Val::Bytes(Arc::from(text.as_bytes()))),
        _ => no_overload(),
    }
}

pub(crate) fn to_double<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Double(number)] => Ok(Val::Double(*number)),
        [Val::Int(number)] => Ok(Val::Double(*number as f64)),
        [Val::Uint(number)] => Ok(Val::Double(*number as f64)),
        [Val::String(text)] => match text.parse() {
            Ok(number) => Ok(Val::Double(number)),
            Err(_) => invalid("ParseFloat", text),
        },
        _ => no_overload(),
    }
}

pub(crate) fn to_int<'a>(args: &[Val<'a>]) -> Done<'a> {
    let overflow = || EvalError::new("integer overflow");
    match args {
        [Val::Int(number)] => Ok(Val::Int(*number)),
        [Val::Uint(number)] => i64::try_from(*number)
            .map(Val::Int)
            .map_err(|_large| overflow()),
        [Val::Double(number)] if number.is_finite() && number.abs() < 9.223_372_036_854_776e18 => {
            Ok(Val::Int(number.trunc() as i64))
        }
        [Val::Double(_)] => Err(overflow()),
        [Val::Duration(nanos)] => Ok(Val::Int(*nanos)),
        [Val::Timestamp(time)] => Ok(Val::Int(time.as_second())),
        [Val::String(text)] => match text.parse() {
            Ok(number) => Ok(Val::Int(number)),
            Err(_) => invalid("ParseInt", text),
        },
        _ => no_overload(),
    }
}

pub(crate) fn to_uint<'a>(args: &[Val<'a>]) -> Done<'a> {
    let overflow = || EvalError::new("unsigned integer overflow");
    match args {
        [Val::Uint(number)] => Ok(Val::Uint(*number)),
        [Val::Int(number)] => u64::try_from(*number)
            .map(Val::Uint)
            .map_err(|_negative| overflow()),
        [Val::Double(number)] if *number >= 0.0 && *number < 1.844_674_407_370_955_2e19 => {
            Ok(Val::Uint(number.trunc() as u64))
        }
        [Val::Double(_)] => Err(overflow()),
        [Val::String(text)] => match text.parse() {
            Ok(number) => Ok(Val::Uint(number)),
            Err(_) => invalid("ParseUint", text),
        },
        _ => no_overload(),
    }
}

/// A floating point number as Go's `%g` would for JSON-like text: no exponent for usual sizes.
pub(crate) fn double_text(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = exponent.parse().unwrap_or_default();
    if number == 0.0 || (-4..21).contains(&power) {
        return number.to_string();
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", power.abs())
}

pub(crate) fn to_string<'a>(args: &[Val<'a>]) -> Done<'a> {
    let text = match args {
        [Val::String(text)] => return Ok(Val::String(text.clone())),
        [Val::Bool(flag)] => flag.to_string(),
        [Val::Int(number)] => number.to_string(),
        [Val::Uint(number)] => number.to_string(),
        [Val::Double(number)] => double_text(*number),
        [Val::Bytes(bytes)] => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => return error("invalid UTF-8 in bytes, cannot convert to string"),
        },
        [Val::Duration(nanos)] => go_time::duration_text(*nanos),
        [Val::Timestamp(time)] => time.to_string(),
        [Val::Opaque(Opaque::Ip(address))] => address.to_string(),
        [Val::Opaque(Opaque::Cidr(address, length))] => format!("{address}/{length}"),
        _ => return no_overload(),
    };
    Ok(Val::text(&text))
}

pub(crate) fn to_duration<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Duration(nanos)] | [Val::Int(nanos)] => Ok(Val::Duration(*nanos)),
        [Val::String(text)] => go_time::parse_duration(text)
            .map(Val::Duration)
            .map_err(EvalError::new),
        _ => no_overload(),
    }
}

pub(crate) fn to_timestamp<'a>(args: &[Val<'a>]) -> Done<'a> {
    let unfit = |text: &str| EvalError::new(format!("invalid timestamp {text:?}"));
    match args {
        [Val::Timestamp(time)] => Ok(Val::Timestamp(*time)),
        [Val::Int(seconds)] => Timestamp::from_second(*seconds)
            .map(Val::Timestamp)
            .map_err(|_far| EvalError::new("timestamp overflow")),
        [Val::String(text)] => go_time::parse_timestamp(text)
            .map(Val::Timestamp)
            .ok_or_else(|| unfit(text)),
        _ => no_overload(),
    }
}

pub(crate) fn type_of<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Type(_)] => Ok(Val::Type("type".into())),
        [value] => Ok(Val::Type(value.type_name().into())),
        _ => no_overload(),
    }
}
