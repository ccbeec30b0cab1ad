//! Values as numbers and texts, as Sprig converts them: `spf13/cast` and `strval`.

use gotmpl::text::Text;
use gotmpl::{Element, Value};

/// A value as an `int64`; zero where it is none. The first digits of a text decide its base, as in
/// Go source.
#[must_use]
pub fn integer_of(value: &Value) -> i64 {
    match value {
        // Conversions between Go's integers keep the low 64 bits.
        Value::Integer(number, _) => *number as i64,
        Value::Float(number) => truncated(*number),
        Value::Text(text) => gotmpl::text::parse_integer(trimmed(text))
            .and_then(|number| i64::try_from(number).ok())
            .unwrap_or(0),
        Value::Bool(truth) => i64::from(*truth),
        Value::Object(object) => match object.data() {
            gotmpl::Data::Value(Value::Integer(number, gotmpl::Width::Int)) => number as i64,
            _ => 0,
        },
        _ => 0,
    }
}

/// A float as an `int64`: as amd64 converts it, what does not fit becomes the smallest number.
fn truncated(number: f64) -> i64 {
    let limit = 2f64.powi(63);
    if (-limit..limit).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}

/// Without zeros behind a point, and the point: `5.00` is 5.
fn trimmed(text: &str) -> &str {
    let without = text.trim_end_matches('0');
    match without.strip_suffix('.') {
        Some(whole) if without.len() < text.len() => whole,
        _ => text,
    }
}

/// A value as a `float64`; zero where it is none.
#[must_use]
pub fn float_of(value: &Value) -> f64 {
    match value {
        Value::Integer(number, _) => *number as f64,
        Value::Float(number) => *number,
        Value::Text(text) => float_of_text(text).unwrap_or(0.0),
        Value::Bool(truth) => f64::from(u8::from(*truth)),
        Value::Object(_) => integer_of(value) as f64,
        _ => 0.0,
    }
}

/// A float as Go's `strconv.ParseFloat` reads it; `None` where it gives an error, too large numbers
/// among them.
pub(crate) fn float_of_text(text: &str) -> Option<f64> {
    let (sign, rest) = match text.as_bytes().first() {
        Some(b'-') => (-1.0, &text[1..]),
        Some(b'+') => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    let lower = rest.to_ascii_lowercase();
    match lower.as_str() {
        "inf" | "infinity" => Some(sign * f64::INFINITY),
        "nan" if rest.len() == text.len() => Some(f64::NAN),
        _ => gotmpl::text::parse_float(text),
    }
}

/// A value as a text, as `toString` gives it.
#[must_use]
pub fn text_of(value: &Value) -> Text {
    match value {
        Value::Text(text) => text.clone(),
        Value::List(list) if list.element() == Element::Byte => {
            gotmpl::text::sprintf("%s", std::slice::from_ref(value)).into()
        }
        Value::Object(object) => match object.text() {
            Some(text) => text.into(),
            None => gotmpl::text::sprint(std::slice::from_ref(value)).into(),
        },
        _ => gotmpl::text::sprint(std::slice::from_ref(value)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, integer: i64, float: f64) {
        let value = Value::text(text);
        assert_eq!((integer_of(&value), float_of(&value)), (integer, float));
    }

    #[test]
    fn texts_become_numbers_as_in_go() {
        check("42", 42, 42.0);
        check("5.00", 5, 5.0);
        check("5.10", 0, 5.1);
        check("100", 100, 100.0);
        check("0x1f", 31, 0.0);
        check("010", 8, 10.0);
        check("-0b11", -3, 0.0);
        check("1e3", 0, 1000.0);
        check(" 5", 0, 0.0);
        check("", 0, 0.0);
        check("+7", 7, 7.0);
        check("1e999", 0, 0.0);
        check("-inf", 0, f64::NEG_INFINITY);
        check("9223372036854775808", 0, 9_223_372_036_854_775_808.0);
    }
}
