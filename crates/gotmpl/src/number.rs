//! Number literals, as Go's templates read them.
//!
//! A literal may be several things at once: `1.0` is an integer where one is asked for.

use crate::quote::{self, Part};
use crate::value::{Value, Width};

/// A number literal.
#[derive(Debug, PartialEq)]
pub(crate) struct Number {
    /// As it is written.
    pub(crate) text: String,
    /// Its value as an `int64`, when it has one.
    pub(crate) integer: Option<i64>,
    /// Its value as a `uint64`, when it has one.
    pub(crate) unsigned: Option<u64>,
    /// Its value as a `float64`, when it has one.
    pub(crate) float: Option<f64>,
    /// Its parts as a `complex128`, when it is written as one.
    pub(crate) complex: Option<(f64, f64)>,
}

impl Number {
    /// A character, in its quotes.
    pub(crate) fn of_char(text: &str) -> Result<Self, String> {
        let (part, rest) =
            quote::unquote_one(&text[1..], '\'').ok_or_else(|| quote::INVALID.to_owned())?;
        if rest != "'" {
            return Err(format!("malformed character constant: {text}"));
        }
        let code = match part {
            Part::Char(it) => u32::from(it),
            Part::Byte(byte) => byte.into(),
        };
        Ok(Number {
            text: text.to_owned(),
            integer: Some(code.into()),
            unsigned: Some(code.into()),
            float: Some(code.into()),
            complex: None,
        })
    }

    /// An imaginary number, with or without a real part.
    fn of_complex(text: &str, parts: &str) -> Result<Self, String> {
        let split = parts
            .char_indices()
            .skip(1)
            .filter(|(at, it)| {
                matches!(it, '+' | '-') && !parts[..*at].ends_with(['e', 'E', 'p', 'P'])
            })
            .map(|(at, _)| at)
            .last();
        let (real, imaginary) = parts.split_at(split.unwrap_or(0));
        let real = if real.is_empty() {
            Some(0.0)
        } else {
            parse_float(real)
        };
        let (Some(real), Some(imaginary)) = (real, parse_float(imaginary)) else {
            return Err(format!("illegal number syntax: {}", crate::quote(text)));
        };
        let float = (imaginary == 0.0).then_some(real);
        Ok(Number {
            text: text.to_owned(),
            integer: float.and_then(whole),
            unsigned: float.and_then(whole).and_then(|it| u64::try_from(it).ok()),
            float,
            complex: Some((real, imaginary)),
        })
    }

    /// A number of few digits, as most are.
    fn of_digits(text: &str) -> Option<Self> {
        let is_plain = (1..=15).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && (text.len() == 1 || !text.starts_with('0'));
        let integer: i64 = is_plain.then(|| text.parse().ok())??;
        Some(Number {
            text: text.to_owned(),
            integer: Some(integer),
            unsigned: u64::try_from(integer).ok(),
            float: Some(integer as f64),
            complex: None,
        })
    }

    /// Any other number.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(number) = Self::of_digits(text) {
            return Ok(number);
        }
        if let Some(parts) = text.strip_suffix('i') {
            return Self::of_complex(text, parts);
        }
        let integer = parse_integer(text).and_then(|number| i64::try_from(number).ok());
        let is_signed = text.starts_with(['+', '-']);
        let unsigned = match integer {
            Some(0) => Some(0),
            _ if is_signed => None,
            _ => parse_integer(text).and_then(|number| u64::try_from(number).ok()),
        };
        let mut number = Number {
            text: text.to_owned(),
            integer,
            unsigned,
            float: integer.map(|it| it as f64).or(unsigned.map(|it| it as f64)),
            complex: None,
        };
        if number.float.is_none()
            && let Some(float) = parse_float(text)
        {
            if !text.contains(['.', 'e', 'E', 'p', 'P']) {
                return Err(format!("integer overflow: {}", crate::quote(text)));
            }
            number.float = Some(float);
            number.integer = whole(float);
            number.unsigned = whole(float).and_then(|it| u64::try_from(it).ok());
        }
        if number.float.is_none() {
            return Err(format!("illegal number syntax: {}", crate::quote(text)));
        }
        Ok(number)
    }

    /// Its value where any type will do.
    pub(crate) fn ideal(&self) -> Result<Value, String> {
        if let Some((real, imaginary)) = self.complex {
            return Ok(Value::Complex(real, imaginary));
        }
        let is_char = self.text.starts_with('\'');
        let is_hex =
            self.text.len() > 2 && self.text.starts_with("0x") && !self.text.contains(['p', 'P']);
        match (self.float, self.integer) {
            (Some(float), _)
                if !is_hex && !is_char && self.text.contains(['.', 'e', 'E', 'p', 'P']) =>
            {
                Ok(Value::Float(float))
            }
            (_, Some(integer)) => Ok(Value::Integer(integer.into(), Width::Int)),
            _ => Err(format!("{} overflows int", self.text)),
        }
    }
}

/// A float that is an `int64`.
fn whole(float: f64) -> Option<i64> {
    let limit = 2f64.powi(63);
    let is_whole = float.fract() == 0.0 && (-limit..limit).contains(&float);
    is_whole.then_some(float as i64)
}

/// An integer with Go's prefixes and underscores.
pub fn parse_integer(text: &str) -> Option<i128> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, plain) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        Some(_) if lower.starts_with('0') => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    let has_prefix = plain.len() < lower.len();
    let plain = without_underscores(plain, has_prefix)?;
    let number = i128::from_str_radix(&plain, radix).ok()?;
    if plain.starts_with(['+', '-']) {
        return None;
    }
    Some(if is_negative { -number } else { number })
}

/// An integer of plain digits, as Go's `strconv.Atoi` reads it; of what is out of range, the nearest
/// number, and zero of anything else.
pub fn parse_plain(text: &str, radix: u32) -> i64 {
    use std::num::IntErrorKind;
    match i64::from_str_radix(text, radix) {
        Ok(number) => number,
        Err(error) => match error.kind() {
            IntErrorKind::PosOverflow => i64::MAX,
            IntErrorKind::NegOverflow => i64::MIN,
            _ => 0,
        },
    }
}

/// Digits without the underscores between them; one may stand behind a prefix.
fn without_underscores(digits: &str, has_prefix: bool) -> Option<String> {
    let is_misplaced =
        digits.ends_with('_') || digits.contains("__") || (digits.starts_with('_') && !has_prefix);
    (!is_misplaced).then(|| digits.replace('_', ""))
}

/// A float, decimal or hexadecimal.
pub fn parse_float(text: &str) -> Option<f64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    if let Some(hex) = lower.strip_prefix("0x") {
        return hex_float(&without_underscores(hex, true)?).map(|it| sign * it);
    }
    let plain = without_underscores(&lower, false)?;
    if !plain.starts_with(|it: char| it.is_ascii_digit() || it == '.') {
        return None;
    }
    let float: f64 = plain.parse().ok()?;
    float.is_finite().then_some(sign * float)
}

fn hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let exponent: i32 = exponent.parse().ok()?;
    let n_fraction = i32::try_from(fraction.len()).ok()?;
    let value = value * 2f64.powi(exponent.checked_sub(n_fraction.checked_mul(4)?)?);
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: Result<(Option<i64>, f64), &str>) {
        let got = Number::parse(text).map(|it| (it.integer, it.float.expect("it has one")));
        assert_eq!(got, want.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn literals_are_read_as_go_reads_them() {
        check("1", Ok((Some(1), 1.0)));
        check("0x1F", Ok((Some(31), 31.0)));
        check("017", Ok((Some(15), 15.0)));
        check("1_000", Ok((Some(1000), 1000.0)));
        check("-0b11", Ok((Some(-3), -3.0)));
        check("1.0", Ok((Some(1), 1.0)));
        check("1.5e1", Ok((Some(15), 15.0)));
        check(".5", Ok((None, 0.5)));
        check("0x1p4", Ok((Some(16), 16.0)));
        check("08", Err("integer overflow: \"08\""));
        check("0x", Err("illegal number syntax: \"0x\""));
        check(
            "99999999999999999999",
            Err("integer overflow: \"99999999999999999999\""),
        );
    }
}
