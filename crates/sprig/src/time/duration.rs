//! Go's `time.Duration`: nanoseconds.

use std::any::Any;
use std::fmt::Write as _;
use std::rc::Rc;

use gotmpl::{Data, Kind, Member, Object, Scope, Signature, Type, Value};

/// Nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Duration(pub(crate) i64);

/// Its type, as parameters name it.
pub(crate) const DURATION: Type = Type::Named("time.Duration");

pub(crate) const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

const UNITS: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", SECOND.unsigned_abs()),
    ("m", MINUTE.unsigned_abs()),
    ("h", HOUR.unsigned_abs()),
];

/// The largest magnitude.
const LIMIT: u64 = 1 << 63;

impl Duration {
    /// Seconds; too many wrap, as Go's product does.
    pub(crate) fn of_seconds(seconds: i64) -> Self {
        Duration(seconds.wrapping_mul(SECOND))
    }

    /// Reads `1h30m`, `-1.5s` and the like.
    ///
    /// # Errors
    /// Go's text: an invalid duration, a missing or an unknown unit.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let invalid = || format!("time: invalid duration {}", quoted(text));
        let (is_negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(Duration(0));
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let mut sum: u64 = 0;
        while !rest.is_empty() {
            let n_whole = n_digits(rest);
            let whole = leading_integer(&rest[..n_whole]).ok_or_else(invalid)?;
            rest = &rest[n_whole..];
            let mut fraction = "";
            if let Some(behind) = rest.strip_prefix('.') {
                fraction = &behind[..n_digits(behind)];
                rest = &behind[fraction.len()..];
            }
            if n_whole == 0 && fraction.is_empty() {
                return Err(invalid());
            }
            let is_number = |it: char| it == '.' || it.is_ascii_digit();
            let (name, behind) = rest.split_at(rest.find(is_number).unwrap_or(rest.len()));
            rest = behind;
            if name.is_empty() {
                return Err(format!("time: missing unit in duration {}", quoted(text)));
            }
            let Some((_, unit)) = UNITS.iter().find(|(known, _)| *known == name) else {
                let name = quoted(name);
                return Err(format!(
                    "time: unknown unit {name} in duration {}",
                    quoted(text)
                ));
            };
            let part = part(whole, fraction, *unit).ok_or_else(invalid)?;
            sum = sum
                .checked_add(part)
                .filter(|it| *it <= LIMIT)
                .ok_or_else(invalid)?;
        }
        if is_negative {
            return Ok(Duration(0i64.wrapping_sub_unsigned(sum)));
        }
        i64::try_from(sum).map(Duration).map_err(|_| invalid())
    }

    /// To the nearest multiple of another one, halves away from zero.
    pub(crate) fn rounded(self, to: Duration) -> Self {
        if to.0 <= 0 {
            return self;
        }
        let rest = self.0 % to.0;
        let (down, step) = (self.0 - rest, if self.0 < 0 { -to.0 } else { to.0 });
        if rest.unsigned_abs().saturating_mul(2) < to.0.unsigned_abs() {
            return Duration(down);
        }
        Duration(down.saturating_add(step))
    }

    /// Toward zero to a multiple of another one.
    pub(crate) fn truncated(self, to: Duration) -> Self {
        if to.0 <= 0 {
            return self;
        }
        Duration(self.0 - self.0 % to.0)
    }

    /// As a value of a template.
    pub(crate) fn into_value(self) -> Value {
        Value::Object(Rc::new(self))
    }

    /// The duration that a value is.
    pub(crate) fn of_value(value: &Value) -> Option<Duration> {
        match value {
            Value::Object(object) => object.as_any().downcast_ref().copied(),
            _ => None,
        }
    }
}

fn quoted(text: &str) -> String {
    gotmpl::quote(text)
}

fn n_digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn leading_integer(digits: &str) -> Option<u64> {
    if digits.is_empty() {
        return Some(0);
    }
    digits.parse().ok().filter(|number| *number <= LIMIT)
}

/// One number with its unit.
fn part(whole: u64, fraction: &str, unit: u64) -> Option<u64> {
    let whole = whole.checked_mul(unit).filter(|it| *it <= LIMIT)?;
    let (mut number, mut scale) = (0u64, 1.0);
    for digit in fraction.bytes() {
        // What is too fine does not count.
        if number > (LIMIT - 1) / 10 {
            break;
        }
        number = number * 10 + u64::from(digit - b'0');
        scale *= 10.0;
    }
    let behind = (number as f64 * (unit as f64 / scale)) as u64;
    whole.checked_add(behind).filter(|it| *it <= LIMIT)
}

impl std::fmt::Display for Duration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_char('-')?;
        }
        let second = SECOND.unsigned_abs();
        if all == 0 {
            return f.write_str("0s");
        }
        if all < second {
            let (unit, size) = match all {
                0..1_000 => ("ns", 1),
                1_000..1_000_000 => ("µs", 1_000),
                _ => ("ms", 1_000_000),
            };
            return write!(f, "{}{unit}", with_fraction(all, size));
        }
        let minutes = all / second / 60;
        if minutes >= 60 {
            write!(f, "{}h", minutes / 60)?;
        }
        if minutes > 0 {
            write!(f, "{}m", minutes % 60)?;
        }
        write!(f, "{}s", with_fraction(all % (60 * second), second))
    }
}

/// A number of units with what is behind the point.
fn with_fraction(number: u64, unit: u64) -> String {
    let (whole, rest) = (number / unit, number % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let n_digits = unit.ilog10() as usize;
    let digits = format!("{rest:0n_digits$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

impl Object for Duration {
    fn type_name(&self) -> String {
        "time.Duration".to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Int64
    }

    fn text(&self) -> Option<String> {
        Some(self.to_string())
    }

    fn data(&self) -> Data {
        Data::Value(Value::int64(self.0))
    }

    fn member(&self, name: &str) -> Option<Member> {
        let signature = match name {
            "String" => Signature::new(&[], Type::Text),
            "Seconds" | "Minutes" | "Hours" => Signature::new(&[], Type::Float),
            "Nanoseconds" | "Microseconds" | "Milliseconds" => Signature::new(&[], Type::Int64),
            "Abs" => Signature::new(&[], DURATION),
            "Round" | "Truncate" => Signature::new(&[DURATION], DURATION),
            _ => return None,
        };
        Some(Member::Method(signature))
    }

    fn call(&self, _: &mut Scope<'_>, name: &str, given: &[Value]) -> Result<Value, String> {
        let parts = |unit: i64| Value::Float(self.0 as f64 / unit as f64);
        let other = given.first().and_then(Duration::of_value);
        let other = other.unwrap_or(Duration(0));
        Ok(match name {
            "Seconds" => parts(SECOND),
            "Minutes" => parts(MINUTE),
            "Hours" => parts(HOUR),
            "Nanoseconds" => Value::int64(self.0),
            "Microseconds" => Value::int64(self.0 / 1_000),
            "Milliseconds" => Value::int64(self.0 / 1_000_000),
            "Abs" => Duration(self.0.saturating_abs()).into_value(),
            "Round" => self.rounded(other).into_value(),
            "Truncate" => self.truncated(other).into_value(),
            _ => Value::text(&self.to_string()),
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: Result<&str, &str>) {
        let got = Duration::parse(text).map(|it| it.to_string());
        assert_eq!(got, want.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn durations_are_read_and_written_as_in_go() {
        check("95s", Ok("1m35s"));
        check("1h", Ok("1h0m0s"));
        check("1.5h", Ok("1h30m0s"));
        check("-1.5ms", Ok("-1.5ms"));
        check("100us", Ok("100µs"));
        check(".5s", Ok("500ms"));
        check("0", Ok("0s"));
        check("junk", Err("time: invalid duration \"junk\""));
        check("5", Err("time: missing unit in duration \"5\""));
        check("5d", Err("time: unknown unit \"d\" in duration \"5d\""));
        check("9999999h", Err("time: invalid duration \"9999999h\""));
        check("", Err("time: invalid duration \"\""));
    }
}
