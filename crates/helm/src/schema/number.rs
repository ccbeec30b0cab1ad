//! Numbers of schemas: compared as the decimal fractions that their texts are.

use crate::Value;

/// The number that a value is.
pub(super) fn of_value(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

/// Whether a number is whole.
pub(super) fn is_whole(value: &Value) -> bool {
    match value {
        Value::Int(_) => true,
        Value::Float(number) => number.fract() == 0.0,
        _ => false,
    }
}

/// Whether one decimal fraction is a multiple of another.
pub(super) fn is_multiple(number: f64, of: f64) -> bool {
    match (decimal(number), decimal(of)) {
        (Some((number, exponent)), Some((of, of_exponent))) => {
            let least = exponent.min(of_exponent);
            let scaled = |digits: i128, exponent: i32| {
                let power = 10i128.checked_pow(u32::try_from(exponent - least).ok()?)?;
                digits.checked_mul(power)
            };
            match (scaled(number, exponent), scaled(of, of_exponent)) {
                (Some(number), Some(of)) if of != 0 => number % of == 0,
                _ => (number as f64 / of as f64).fract() == 0.0,
            }
        }
        _ => false,
    }
}

/// Digits and an exponent of ten.
fn decimal(number: f64) -> Option<(i128, i32)> {
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let n_behind = digits.split_once('.').map_or(0, |(_, behind)| behind.len());
    let digits = digits.replace('.', "").parse().ok()?;
    Some((digits, exponent - i32::try_from(n_behind).ok()?))
}

/// As English texts show it: `1,000`, `1.5×10⁰⁷`.
pub(super) fn shown(number: f64) -> String {
    let text = gotmpl::text::sprintf("%g", &[gotmpl::Value::Float(number)]);
    match text.split_once('e') {
        None => grouped(&text),
        Some((digits, exponent)) => {
            let exponent: String = exponent.chars().filter_map(raised).collect();
            format!("{digits}×10{exponent}")
        }
    }
}

/// A count as English texts show it.
pub(super) fn count(number: i64) -> String {
    grouped(&number.to_string())
}

fn grouped(text: &str) -> String {
    let (whole, behind) = text.split_at(text.find('.').unwrap_or(text.len()));
    let (sign, digits) = match whole.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", whole),
    };
    let mut grouped = String::from(sign);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped.push_str(behind);
    grouped
}

fn raised(it: char) -> Option<char> {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    match it {
        '-' => Some('⁻'),
        it => DIGITS.get(it.to_digit(10)? as usize).copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_in_english() {
        let check = |number: f64, want: &str| assert_eq!(shown(number), want);
        check(6.0, "6");
        check(1000.0, "1,000");
        check(0.0001, "0.0001");
        check(0.00001, "1×10⁻⁰⁵");
        check(12_345_678.5, "1.23456785×10⁰⁷");
        check(1e30, "1×10³⁰");
    }

    #[test]
    fn multiples_are_those_of_decimal_fractions() {
        let check = |number: f64, of: f64, want: bool| {
            assert_eq!(is_multiple(number, of), want, "{number} {of}");
        };
        check(0.3, 0.1, true);
        check(0.35, 0.1, false);
        check(7.0, 5.0, false);
        check(1e300, 1e-300, true);
    }
}
