//! How long ago something was, as kubectl prints it.

use jiff::Timestamp;
use yaml::Value;

use crate::of::{Of, UNKNOWN};

/// The age of an object.
#[must_use]
pub fn age_of(object: &Value, now: Timestamp) -> Value {
    time_since(Of(object).text("metadata.creationTimestamp"), now).into()
}

pub(crate) fn time_since(time: &str, now: Timestamp) -> String {
    time.parse::<Timestamp>()
        .map_or_else(|_| UNKNOWN.to_owned(), |time| since(time, now))
}

/// The time between two moments as kubectl prints it: two units at most.
#[must_use]
pub fn since(time: Timestamp, now: Timestamp) -> String {
    human(now.as_second() - time.as_second())
}

pub(crate) fn human(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let two = |big: i64, big_unit: &str, small: i64, small_unit: &str| {
        if small == 0 {
            format!("{big}{big_unit}")
        } else {
            format!("{big}{big_unit}{small}{small_unit}")
        }
    };
    match seconds {
        ..=-2 => "<invalid>".to_owned(),
        -1..=0 => "0s".to_owned(),
        1..120 => format!("{seconds}s"),
        120..600 => two(seconds / MINUTE, "m", seconds % MINUTE, "s"),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => two(seconds / HOUR, "h", seconds % HOUR / MINUTE, "m"),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => two(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        63_072_000..252_288_000 => two(seconds / YEAR, "y", seconds % YEAR / DAY, "d"),
        _ => format!("{}y", seconds / YEAR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_two_units_at_most() {
        let check = |seconds: i64, want: &str| assert_eq!(human(seconds), want, "{seconds}");
        check(0, "0s");
        check(119, "119s");
        check(125, "2m5s");
        check(3600, "60m");
        check(4 * 3600 + 60, "4h1m");
        check(3 * 86_400, "3d");
        check(30 * 86_400, "30d");
        check(-5, "<invalid>");
    }
}
