//! Times as Kubernetes objects hold them, and sums that cannot overflow.

use std::time::Duration;

use jiff::Timestamp;
use yaml::Value;

/// `time + by`; the last representable time where that overflows.
pub(crate) fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// As [`later`], in whole seconds; negative counts are taken as zero.
pub(crate) fn later_seconds(time: Timestamp, seconds: i64) -> Timestamp {
    later(
        time,
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0)),
    )
}

/// `time` less whole seconds; the first representable time where that overflows.
pub(crate) fn earlier_seconds(time: Timestamp, seconds: i64) -> Timestamp {
    let by = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    time.checked_sub(by).unwrap_or(Timestamp::MIN)
}

/// `metav1.Time`: RFC 3339 in whole seconds.
pub(crate) fn stamp(time: Timestamp) -> Value {
    Value::from(crate::clock::seconds(time))
}

/// Reads an RFC 3339 time.
pub(crate) fn parse(value: Option<&Value>) -> Option<Timestamp> {
    value?.as_str()?.parse().ok()
}

/// Whole seconds as Go writes a duration: `40s`, `2m40s`, `1h0m0s`.
pub(crate) fn go_seconds(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds}s"),
        (hours, minutes, seconds) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// Reads a duration as Go writes it, such as `1h15m`, `0.5s` or `300ms`; `None` for anything else.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_length = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let unit = match &rest[..unit_length] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        rest = &rest[unit_length..];
        let part = Duration::try_from_secs_f64(number * unit).ok()?;
        total = total.checked_add(part)?;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_written_as_go_does() {
        for text in ["0s", "40s", "1m20s", "5m0s", "1h0m1s"] {
            let time = duration(text).expect("is a duration");
            assert_eq!(go_seconds(time), text);
        }
    }

    #[test]
    fn durations_are_read_as_go_writes_them() {
        let check = |text: &str, want: Option<u64>| {
            assert_eq!(duration(text), want.map(Duration::from_millis), "{text}");
        };
        check("5s", Some(5000));
        check("1m30s", Some(90_000));
        check("0.7s", Some(700));
        check("250ms", Some(250));
        check("", None);
        check("5", None);
        check("s", None);
        check("5 parsecs", None);
        check("-1s", None);
    }
}
