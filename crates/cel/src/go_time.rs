//! Spans and points in time as Go reads and writes them.

use jiff::Timestamp;
use jiff::civil::Date;

const NANOS: i64 = 1_000_000_000;

/// Units of durations and their nanoseconds; longer ones first.
const UNITS: [(&str, i64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", NANOS),
    ("m", 60 * NANOS),
    ("h", 3_600 * NANOS),
];

/// The nanoseconds of `1h30m`.
///
/// # Errors
/// In Go's words.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quoted(text));
    let (sign, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (-1_i128, &text[1..]),
        Some(b'+') => (1, &text[1..]),
        _ => (1, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0_i128;
    while !rest.is_empty() {
        let end = rest
            .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return Err(invalid());
        }
        let end = after
            .find(|letter: char| letter.is_ascii_digit() || letter == '.')
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {}", quoted(text)));
        }
        let known = UNITS.iter().find(|(name, _)| *name == unit);
        let Some((_, nanos)) = known else {
            return Err(format!(
                "time: unknown unit {} in duration {}",
                quoted(unit),
                quoted(text)
            ));
        };
        let whole: i128 = if whole.is_empty() {
            0
        } else {
            whole.parse().map_err(|_too_long| invalid())?
        };
        total = whole
            .checked_mul(i128::from(*nanos))
            .and_then(|part| total.checked_add(part))
            .and_then(|sum| sum.checked_add(part_of(fraction, *nanos)))
            .ok_or_else(invalid)?;
        rest = next;
    }
    i64::try_from(total * sign).map_err(|_too_long| invalid())
}

/// The nanoseconds of a decimal fraction of a unit.
fn part_of(fraction: &str, nanos: i64) -> i128 {
    let mut value = 0_f64;
    for digit in fraction.bytes().rev() {
        value = (value + f64::from(digit - b'0')) / 10.0;
    }
    (value * nanos as f64) as i128
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// RFC 3339 time.
pub(crate) fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let shape = bytes.len() >= 20
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && bytes[10] == b'T'
        && bytes[13] == b':'
        && bytes[16] == b':';
    let zone = text.ends_with('Z')
        || bytes
            .len()
            .checked_sub(6)
            .is_some_and(|at| matches!(bytes[at], b'+' | b'-') && bytes[at + 3] == b':');
    if !shape || !zone {
        return None;
    }
    text.parse().ok()
}

/// RFC 3339 date, at its first moment.
pub(crate) fn parse_date(text: &str) -> Option<Timestamp> {
    if text.len() != 10 {
        return None;
    }
    let date: Date = text.parse().ok()?;
    let zone = jiff::tz::TimeZone::UTC;
    Some(date.to_zoned(zone).ok()?.timestamp())
}

/// The seconds of a duration as text: `5400s`.
pub(crate) fn duration_text(nanos: i64) -> String {
    let (whole, rest) = (nanos / NANOS, (nanos % NANOS).unsigned_abs());
    let sign = if nanos < 0 && whole == 0 { "-" } else { "" };
    if rest == 0 {
        return format!("{whole}s");
    }
    let fraction = format!("{rest:09}");
    format!("{sign}{whole}.{}s", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let check = |text: &str, want: Result<i64, &str>| {
            assert_eq!(parse_duration(text), want.map_err(str::to_owned));
        };
        check("1h30m", Ok(5400 * NANOS));
        check("-1.5s", Ok(-NANOS * 3 / 2));
        check("0", Ok(0));
        check("1", Err("time: missing unit in duration \"1\""));
        check("1x", Err("time: unknown unit \"x\" in duration \"1x\""));
        check("", Err("time: invalid duration \"\""));
        assert_eq!(duration_text(-NANOS / 2), "-0.5s");
        assert_eq!(duration_text(5400 * NANOS), "5400s");
    }
}
