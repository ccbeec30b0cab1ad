//! Kubernetes quantities: `500m`, `1.5Gi`, `1e3`.
//!
//! Read [`Quantity`] first. Values are exact: a whole number times a power of ten, never a float.
//! The rules are those of the API server (`k8s.io/apimachinery/pkg/api/resource`, v0.35), its oddities
//! included: an amount below one nano is rounded up to it, a binary amount is capped at the largest
//! `int64`, and some texts that are not canonical print as they were written.
//!
//! This module knows numbers and their suffixes. It must never know which field of an object holds
//! a quantity.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use yaml::{Str, Value};

/// The longest text that is read as a quantity. More digits than an `i128` holds cannot be read
/// anyway; the limit only bounds the work on hostile input.
pub const MAX_TEXT_BYTES: usize = 128;

/// The smallest step of a quantity is 10^-9.
const NANO: i32 = -9;

/// Why a text is not a quantity. The first three texts are the API server's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// The text is empty or holds a character that no quantity has.
    #[error(
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    Format,
    /// The digits cannot be read.
    #[error("unable to parse numeric part of quantity")]
    Numeric,
    /// The suffix is none of those that exist.
    #[error("unable to parse quantity's suffix")]
    Suffix,
    /// The value has more digits than this implementation holds (38).
    #[error("quantity has too many digits")]
    TooLong,
}

/// How a quantity is written: which family of suffixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `12e6`.
    DecimalExponent,
    /// `12Mi`: powers of 1024.
    BinarySi,
    /// `12M`: powers of 1000.
    DecimalSi,
}

/// An exact amount with the way in which it is written.
///
/// Comparison is that of the amounts: `1` equals `1000m`. The text is what the API server would
/// return for it.
#[derive(Clone, Debug)]
pub struct Quantity {
    mantissa: i128,
    exponent: i32,
    format: Format,
    /// The text as it was written, where the API server keeps it.
    text: Option<Str>,
}

/// A text taken apart; nothing is interpreted yet.
struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    suffix: &'a str,
    /// Whether there is any digit before the suffix.
    has_digits: bool,
}

impl Quantity {
    /// Reads a quantity from an object's field: text or a number; `null` is zero.
    ///
    /// # Errors
    /// As [`Quantity::from_str`]; [`QuantityError::Format`] for any other kind of value.
    pub fn from_value(value: &Value) -> Result<Self, QuantityError> {
        match value {
            Value::String(text) => text.trim().parse(),
            Value::Int(number) => number.to_string().parse(),
            Value::Uint(number) => number.to_string().parse(),
            Value::Float(number) => number.to_string().parse(),
            Value::Null => Ok(Quantity::zero()),
            _ => Err(QuantityError::Format),
        }
    }

    fn zero() -> Self {
        Quantity {
            mantissa: 0,
            exponent: 0,
            format: Format::DecimalSi,
            text: None,
        }
    }

    /// How the quantity is written.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The text after canonicalization, whatever was written.
    #[must_use]
    pub fn canonical(&self) -> String {
        if self.mantissa == 0 {
            return "0".to_owned();
        }
        if self.format == Format::BinarySi
            && let Some(whole) = self.whole()
            && !(-1023..=1023).contains(&whole)
        {
            return binary_text(whole);
        }
        let format = match self.format {
            Format::DecimalExponent => Format::DecimalExponent,
            Format::BinarySi | Format::DecimalSi => Format::DecimalSi,
        };
        self.decimal_text(format)
    }

    /// The amount as a whole number, when it is one and fits.
    fn whole(&self) -> Option<i128> {
        if self.exponent >= 0 {
            return scale_up(self.mantissa, self.exponent);
        }
        let divisor = scale_up(1, self.exponent.checked_neg()?)?;
        (self.mantissa % divisor == 0).then(|| self.mantissa / divisor)
    }

    fn decimal_text(&self, format: Format) -> String {
        let (mut mantissa, mut exponent) = (self.mantissa, i64::from(self.exponent));
        while mantissa != 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        let zeros = exponent.rem_euclid(3);
        exponent -= zeros;
        let zeros = "0".repeat(usize::try_from(zeros).unwrap_or_default());
        let suffix = match format {
            Format::DecimalExponent if exponent != 0 => format!("e{exponent}"),
            Format::DecimalExponent => String::new(),
            // The API server prints no suffix where it has none: 1000E becomes 1.
            Format::BinarySi | Format::DecimalSi => DECIMAL_SUFFIXES
                .iter()
                .find(|(_, power)| i64::from(*power) == exponent)
                .map_or(String::new(), |(text, _)| (*text).to_owned()),
        };
        format!("{mantissa}{zeros}{suffix}")
    }

    /// The amount in units of 10^`exponent`, rounded away from zero; `None` when it does not fit.
    ///
    /// `scaled(0)` is the API server's `Value()`, `scaled(-3)` its `MilliValue()`.
    #[must_use]
    pub fn scaled(&self, exponent: i32) -> Option<i64> {
        let shift = i64::from(self.exponent) - i64::from(exponent);
        let scaled = if shift >= 0 {
            scale_up(self.mantissa, i32::try_from(shift).ok()?)?
        } else {
            shrink(self.mantissa, i32::try_from(-shift).ok()?)
        };
        i64::try_from(scaled).ok()
    }

    /// The sum, in the format of `self`; `None` when it has too many digits.
    #[must_use]
    pub fn checked_add(&self, other: &Quantity) -> Option<Quantity> {
        let exponent = self.exponent.min(other.exponent);
        let left = scale_up(self.mantissa, self.exponent.checked_sub(exponent)?)?;
        let right = scale_up(other.mantissa, other.exponent.checked_sub(exponent)?)?;
        Some(Quantity {
            mantissa: left.checked_add(right)?,
            exponent,
            format: self.format,
            text: None,
        })
    }
}

const DECIMAL_SUFFIXES: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];

const BINARY_SUFFIXES: [(&str, i32); 6] = [
    ("Ki", 10),
    ("Mi", 20),
    ("Gi", 30),
    ("Ti", 40),
    ("Pi", 50),
    ("Ei", 60),
];

fn binary_text(mut whole: i128) -> String {
    let mut power = 0;
    while whole != 0 && whole % 1024 == 0 && power < 60 {
        whole /= 1024;
        power += 10;
    }
    let suffix = BINARY_SUFFIXES
        .iter()
        .find(|(_, exponent)| *exponent == power)
        .map_or("", |(text, _)| text);
    format!("{whole}{suffix}")
}

/// `mantissa * 10^power`, when it fits.
fn scale_up(mantissa: i128, power: i32) -> Option<i128> {
    if mantissa == 0 {
        return Some(0);
    }
    let factor = 10_i128.checked_pow(u32::try_from(power).ok()?)?;
    mantissa.checked_mul(factor)
}

/// `mantissa / 10^power`, rounded away from zero.
fn shrink(mantissa: i128, power: i32) -> i128 {
    let Some(divisor) = scale_up(1, power) else {
        return mantissa.signum();
    };
    let rest = mantissa % divisor;
    mantissa / divisor + rest.signum()
}

impl FromStr for Quantity {
    type Err = QuantityError;

    /// Reads the text of a quantity.
    ///
    /// # Errors
    /// [`QuantityError`] says which part cannot be read.
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        if text.is_empty() {
            return Err(QuantityError::Format);
        }
        if text.len() > MAX_TEXT_BYTES {
            return Err(QuantityError::TooLong);
        }
        if text == "0" {
            return Ok(Quantity {
                text: Some(text.into()),
                ..Quantity::zero()
            });
        }
        let parts = split(text)?;
        let (power, format) = read_suffix(parts.suffix)?;
        let fast = fast_path(&parts, power, format);
        if fast.is_none() && !parts.has_digits {
            return Err(QuantityError::Numeric);
        }
        let mut quantity = exact(&parts, power, format)?;
        if let Some(fast) = fast {
            if fast.keeps_text {
                quantity.text = Some(text.into());
            }
            return Ok(quantity);
        }
        quantity.limit();
        Ok(quantity)
    }
}

/// The number as written; binary amounts are rounded up to the smallest step and capped already.
fn exact(parts: &Parts<'_>, power: i32, format: Format) -> Result<Quantity, QuantityError> {
    let (mantissa, exponent) = if format == Format::BinarySi {
        binary(parts, power)?
    } else {
        let digits = read_digits(parts.whole.bytes().chain(parts.fraction.bytes()))?;
        let n_fraction = i32::try_from(parts.fraction.len()).map_err(|_| QuantityError::TooLong)?;
        let exponent = power
            .checked_sub(n_fraction)
            .ok_or(QuantityError::TooLong)?;
        (digits, exponent)
    };
    Ok(Quantity {
        mantissa: if parts.negative { -mantissa } else { mantissa },
        exponent,
        format,
        text: None,
    })
}

fn read_digits(mut digits: impl Iterator<Item = u8>) -> Result<i128, QuantityError> {
    digits
        .try_fold(0_i128, |value, digit| {
            value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))
        })
        .ok_or(QuantityError::TooLong)
}

/// The magnitude of a binary amount. The whole part and the fraction are scaled apart, so that a long
/// fraction of a large unit still fits.
fn binary(parts: &Parts<'_>, power: i32) -> Result<(i128, i32), QuantityError> {
    const CAP: i128 = i64::MAX as i128;
    let unit = 1_i128 << power.clamp(0, 60);
    let whole = match read_digits(parts.whole.bytes()) {
        Ok(whole) if whole <= CAP => whole * unit,
        _ => CAP,
    };
    if whole >= CAP {
        return Ok((CAP, 0));
    }
    if parts.fraction.is_empty() {
        return Ok((whole, 0));
    }
    let n_digits = i32::try_from(parts.fraction.len()).map_err(|_| QuantityError::TooLong)?;
    let fraction = read_digits(parts.fraction.bytes())?
        .checked_mul(unit)
        .ok_or(QuantityError::TooLong)?;
    let steps = if n_digits > -NANO {
        shrink(fraction, n_digits + NANO)
    } else {
        scale_up(fraction, -NANO - n_digits).ok_or(QuantityError::TooLong)?
    };
    let whole = scale_up(whole, -NANO).ok_or(QuantityError::TooLong)?;
    Ok((whole + steps, NANO))
}

struct FastPath {
    keeps_text: bool,
}

/// The API server has a fast path for short numbers; only that one keeps a text that it takes for
/// canonical, so which path a number takes shows in the output.
fn fast_path(parts: &Parts<'_>, power: i32, format: Format) -> Option<FastPath> {
    const DIGITS_OF_INT64: usize = 18;
    let n_digits = parts.whole.len() + parts.fraction.len();
    match format {
        Format::BinarySi => {
            let digits_of_power = usize::try_from(power * 3 / 10).ok()?;
            if !parts.fraction.is_empty() || n_digits + digits_of_power + 1 > 15 {
                return None;
            }
            let value: i64 = parts.whole.parse().ok()?;
            Some(FastPath {
                keeps_text: value & 7 != 0,
            })
        }
        Format::DecimalExponent | Format::DecimalSi => {
            let n_fraction = i32::try_from(parts.fraction.len()).ok()?;
            let scale = power.checked_sub(n_fraction)?;
            if n_digits > DIGITS_OF_INT64 || scale < NANO {
                return None;
            }
            let digits = format!("{}{}", parts.whole, parts.fraction);
            Some(FastPath {
                keeps_text: scale % 3 == 0 && !digits.ends_with("000") && !digits.starts_with('0'),
            })
        }
    }
}

impl Quantity {
    /// Rounds up to the smallest step and caps, as the API server does outside its fast path.
    fn limit(&mut self) {
        if self.exponent < NANO && self.mantissa != 0 {
            self.mantissa = shrink(self.mantissa, NANO - self.exponent);
            self.exponent = NANO;
        }
        if self.format != Format::BinarySi {
            return;
        }
        let cap = Quantity {
            mantissa: i128::from(i64::MAX),
            ..Quantity::zero()
        };
        let one = Quantity {
            mantissa: 1,
            ..Quantity::zero()
        };
        let magnitude = self.mantissa.abs();
        let sign = self.mantissa.signum();
        let amount = Quantity {
            mantissa: magnitude,
            ..self.clone()
        };
        if amount > cap {
            self.mantissa = sign * cap.mantissa;
            self.exponent = 0;
        } else if amount < one && magnitude != 0 {
            self.format = Format::DecimalSi;
        }
    }
}

/// Takes a text apart as the API server's scanner does: sign, digits without leading zeros,
/// fraction, suffix.
fn split(text: &str) -> Result<Parts<'_>, QuantityError> {
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let digits = unsigned.trim_start_matches('0');
    let (whole, rest) = split_digits(digits);
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => split_digits(rest),
        None => ("", rest),
    };
    let after_letters = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let after_sign = after_letters
        .strip_prefix(['-', '+'])
        .unwrap_or(after_letters);
    let (_, after_digits) = split_digits(after_sign);
    if !after_digits.is_empty() {
        return Err(QuantityError::Format);
    }
    Ok(Parts {
        negative,
        whole: if whole.is_empty() { "0" } else { whole },
        fraction,
        suffix,
        has_digits: unsigned.starts_with('0') || !whole.is_empty() || !fraction.is_empty(),
    })
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// The power (of ten, or of two for binary suffixes) and the family of a suffix.
fn read_suffix(suffix: &str) -> Result<(i32, Format), QuantityError> {
    let known = |table: &[(&str, i32)]| {
        table
            .iter()
            .find(|(text, _)| *text == suffix)
            .map(|(_, power)| *power)
    };
    if let Some(power) = known(&DECIMAL_SUFFIXES) {
        return Ok((power, Format::DecimalSi));
    }
    if let Some(power) = known(&BINARY_SUFFIXES) {
        return Ok((power, Format::BinarySi));
    }
    let exponent = suffix
        .strip_prefix(['e', 'E'])
        .filter(|rest| !rest.is_empty())
        .ok_or(QuantityError::Suffix)?;
    let power: i64 = exponent.parse().map_err(|_| QuantityError::Suffix)?;
    let power = i32::try_from(power).map_err(|_| QuantityError::TooLong)?;
    Ok((power, Format::DecimalExponent))
}

impl fmt::Display for Quantity {
    /// The text that the API server returns.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => f.write_str(text),
            None => f.write_str(&self.canonical()),
        }
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_sign = self.mantissa.signum().cmp(&other.mantissa.signum());
        if by_sign != Ordering::Equal || self.mantissa == 0 {
            return by_sign;
        }
        let magnitude = |q: &Quantity| {
            let n_digits = q
                .mantissa
                .unsigned_abs()
                .checked_ilog10()
                .unwrap_or_default();
            i64::from(n_digits) + i64::from(q.exponent)
        };
        let by_size = magnitude(self)
            .cmp(&magnitude(other))
            .then_with(|| compare_aligned(self, other));
        if self.mantissa < 0 {
            by_size.reverse()
        } else {
            by_size
        }
    }
}

/// Compares the magnitudes of two amounts with the same number of digits before the point.
fn compare_aligned(left: &Quantity, right: &Quantity) -> Ordering {
    let shift = i64::from(left.exponent) - i64::from(right.exponent);
    let shift = i32::try_from(shift).unwrap_or(i32::MAX);
    let (a, b) = (left.mantissa.abs(), right.mantissa.abs());
    // An overflow means more digits than the other side can have.
    if shift >= 0 {
        scale_up(a, shift).map_or(Ordering::Greater, |a| a.cmp(&b))
    } else {
        scale_up(b, -shift).map_or(Ordering::Less, |b| a.cmp(&b))
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Quantity {}

#[cfg(test)]
#[path = "quantity/tests.rs"]
mod tests;
