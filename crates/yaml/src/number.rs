//! Numbers as Go's `strconv` reads and writes them.

use std::fmt::Write as _;

/// Shortest decimal digits of a finite, positive float: `0.DIGITS * 10^point`.
struct Decimal {
    digits: [u8; 24],
    len: usize,
    point: i32,
}

impl Decimal {
    /// Takes apart the shortest round-trip text of a finite float, sign ignored.
    fn parse(text: &str) -> Decimal {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut decimal = Decimal {
            digits: [0; 24],
            len: 0,
            point: exponent.parse().unwrap_or(0),
        };
        let mut before_point = true;
        for byte in whole
            .bytes()
            .chain(std::iter::once(b'.'))
            .chain(fraction.bytes())
        {
            match byte {
                b'.' => before_point = false,
                b'0' if decimal.len == 0 => decimal.point -= i32::from(!before_point),
                b'0'..=b'9' => {
                    decimal.point += i32::from(before_point);
                    if let Some(slot) = decimal.digits.get_mut(decimal.len) {
                        *slot = byte;
                        decimal.len += 1;
                    }
                }
                _ => {}
            }
        }
        while decimal.len > 0 && decimal.digits[decimal.len - 1] == b'0' {
            decimal.len -= 1;
        }
        if decimal.len == 0 {
            decimal.point = 1;
        }
        decimal
    }

    fn digits(&self) -> &str {
        match &self.digits[..self.len] {
            [] => "0",
            digits => std::str::from_utf8(digits).expect("holds ASCII digits"),
        }
    }

    /// `%e` with the shortest digits and an exponent of at least two digits.
    fn write_exponent(&self, out: &mut String) {
        let (first, rest) = self.digits().split_at(1);
        out.push_str(first);
        if !rest.is_empty() {
            out.push('.');
            out.push_str(rest);
        }
        let exponent = self.point - 1;
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "e{sign}{:02}", exponent.abs());
    }

    /// `%f` with the shortest digits.
    fn write_plain(&self, out: &mut String) {
        let digits = self.digits();
        let point = usize::try_from(self.point).unwrap_or(0);
        if point == 0 {
            out.push_str("0.");
            out.extend((self.point..0).map(|_| '0'));
            out.push_str(digits);
        } else if point >= digits.len() {
            out.push_str(digits);
            out.extend((digits.len()..point).map(|_| '0'));
        } else {
            let (whole, fraction) = digits.split_at(point);
            out.push_str(whole);
            out.push('.');
            out.push_str(fraction);
        }
    }

    /// `%g` with the shortest digits: an exponent when it is below -4 or at least 6.
    fn write_general(&self, out: &mut String) {
        if (-3..=6).contains(&self.point) {
            self.write_plain(out);
        } else {
            self.write_exponent(out);
        }
    }
}

/// `strconv.FormatFloat(number, 'g', -1, 64)` with YAML's words for what is not finite.
pub(crate) fn write_yaml_float(out: &mut String, number: f64) {
    if number.is_nan() {
        out.push_str(".nan");
    } else if number.is_infinite() {
        out.push_str(if number > 0.0 { ".inf" } else { "-.inf" });
    } else {
        push_sign(out, number.is_sign_negative());
        Decimal::parse(zmij::Buffer::new().format_finite(number.abs())).write_general(out);
    }
}

/// The text of a float that is the key of a mapping: sigs.k8s.io/yaml prints it with the
/// precision of 32 bits.
#[allow(
    clippy::cast_possible_truncation,
    reason = "Go's key is a 32-bit float"
)]
pub(crate) fn float_key(number: f64) -> String {
    let mut out = String::new();
    let narrow = number as f32;
    if number.is_finite() && narrow.is_finite() {
        push_sign(&mut out, narrow.is_sign_negative());
        Decimal::parse(zmij::Buffer::new().format_finite(narrow.abs())).write_general(&mut out);
    } else {
        // Go rounds to float32 first, so that a large float becomes an infinity here too.
        write_yaml_float(&mut out, f64::from(narrow));
    }
    out
}

/// A finite float as Go's `encoding/json` writes it.
pub(crate) fn write_json_float(out: &mut String, number: f64) {
    push_sign(out, number.is_sign_negative());
    let size = number.abs();
    let decimal = Decimal::parse(zmij::Buffer::new().format_finite(size));
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        decimal.write_plain(out);
        return;
    }
    let start = out.len();
    decimal.write_exponent(out);
    // encoding/json shortens e-09 to e-9, and nothing else.
    if let Some(at) = out[start..].find("e-0") {
        out.remove(start + at + 2);
    }
}

fn push_sign(out: &mut String, negative: bool) {
    if negative {
        out.push('-');
    }
}

/// A float that is whole and in the range of `i64`, as that: what is left of it after it went
/// through the text of JSON. Large floats have zeros in that text behind the digits that tell them
/// apart, so that the number read from it is another one.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the range is checked before the cast"
)]
pub(crate) fn whole(number: f64) -> Option<i64> {
    /// Up to here every whole number is a float.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.trunc() != number {
        return None;
    }
    if number.abs() <= EXACT {
        return Some(number as i64);
    }
    if number.abs() >= 1e19 {
        return None;
    }
    let mut text = String::new();
    write_json_float(&mut text, number);
    text.parse().ok()
}

/// A whole number as Go's `strconv` reads it in base 0: `0x`, `0o`, `0b` and a leading `0` choose
/// the base. `None` where `ParseInt` and `ParseUint` both fail.
pub(crate) enum Whole {
    /// In the range of `i64`.
    Signed(i64),
    /// Above it.
    Unsigned(u64),
}

/// Reads `text`, from which underscores have been removed.
pub(crate) fn parse_whole(text: &str) -> Option<Whole> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (Some(true), &text[1..]),
        b'+' => (Some(false), &text[1..]),
        _ => (None, text),
    };
    let (radix, digits) = match rest.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (16, &rest[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &rest[2..]),
        [b'0', b'b' | b'B', _, ..] => (2, &rest[2..]),
        [b'0', _, ..] => (8, &rest[1..]),
        _ => (10, rest),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let size = u64::from_str_radix(digits, radix).ok()?;
    match sign {
        Some(true) => 0i64.checked_sub_unsigned(size).map(Whole::Signed),
        Some(false) => i64::try_from(size).ok().map(Whole::Signed),
        None => Some(i64::try_from(size).map_or(Whole::Unsigned(size), Whole::Signed)),
    }
}

/// A float of YAML's form `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`; `None` for any
/// other text and, as Go, for what is out of range.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let bytes = text.strip_prefix(['-', '+']).unwrap_or(text).as_bytes();
    let digits = |from: usize| {
        bytes[from..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    let whole = digits(0);
    let mut at = whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if whole == 0 && fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    } else if whole == 0 {
        return None;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1;
        at += usize::from(matches!(bytes.get(at), Some(b'-' | b'+')));
        let exponent = digits(at);
        if exponent == 0 {
            return None;
        }
        at += exponent;
    }
    if at != bytes.len() {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_yaml(number: f64, want: &str) {
        let mut out = String::new();
        write_yaml_float(&mut out, number);
        assert_eq!(out, want);
    }

    fn check_json(number: f64, want: &str) {
        let mut out = String::new();
        write_json_float(&mut out, number);
        assert_eq!(out, want);
    }

    #[test]
    fn yaml_floats_use_an_exponent_from_a_million() {
        check_yaml(0.0, "0");
        check_yaml(-0.0, "-0");
        check_yaml(1.5, "1.5");
        check_yaml(123_456.0, "123456");
        check_yaml(1_234_567.5, "1.2345675e+06");
        check_yaml(0.0001, "0.0001");
        check_yaml(0.00001, "1e-05");
        check_yaml(1e300, "1e+300");
        check_yaml(f64::NEG_INFINITY, "-.inf");
    }

    #[test]
    fn json_floats_are_plain_from_a_millionth_to_ten_to_the_21() {
        check_json(0.0, "0");
        check_json(100.0, "100");
        check_json(0.1 + 0.2, "0.30000000000000004");
        check_json(1e20, "100000000000000000000");
        check_json(1e21, "1e+21");
        check_json(0.000_001, "0.000001");
        check_json(1.5e-9, "1.5e-9");
        check_json(-1e-10, "-1e-10");
    }

    #[test]
    fn whole_floats_become_what_json_text_says() {
        assert_eq!(whole(-0.0), Some(0));
        assert_eq!(whole(1e18), Some(1_000_000_000_000_000_000));
        assert_eq!(
            whole(1_234_567_890_123_456_768.0),
            Some(1_234_567_890_123_456_800)
        );
        assert_eq!(whole(-9_223_372_036_854_775_808.0), None);
        assert_eq!(whole(0.5), None);
    }

    #[test]
    fn whole_numbers_choose_their_base_by_prefix() {
        let read = |text| match parse_whole(text) {
            Some(Whole::Signed(number)) => number.to_string(),
            Some(Whole::Unsigned(number)) => format!("u{number}"),
            None => "none".to_owned(),
        };
        for (text, want) in [
            ("0", "0"),
            ("-0x10", "-16"),
            ("0o17", "15"),
            ("017", "15"),
            ("08", "none"),
            ("0b101", "5"),
            ("+12", "12"),
            ("0x", "none"),
            ("9223372036854775808", "u9223372036854775808"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("+9223372036854775808", "none"),
            ("0x-1", "none"),
            ("--1", "none"),
        ] {
            assert_eq!(read(text), want, "{text}");
        }
    }
}
