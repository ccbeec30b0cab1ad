//! Durations as Go writes them: `1h2m3.5s`.

use std::fmt;

/// A duration of Go's `time` package: whole nanoseconds, perhaps below zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration {
    nanoseconds: i64,
}

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Neither a number with a unit nor several of them.
    #[error("time: invalid duration {0:?}")]
    Invalid(String),
    /// A number without a unit.
    #[error("time: missing unit in duration {0:?}")]
    MissingUnit(String),
    /// A number with a unit that does not exist.
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit {
        /// The unit.
        unit: String,
        /// The whole text.
        text: String,
    },
}

const SECOND: i64 = 1_000_000_000;

/// Units with their nanoseconds, as Go reads them.
const UNITS: &[(&str, i64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3_600 * SECOND),
];

impl GoDuration {
    /// No time at all.
    pub const ZERO: GoDuration = GoDuration { nanoseconds: 0 };

    /// A whole number of seconds; the longest duration when they are too many.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        GoDuration {
            nanoseconds: seconds.saturating_mul(SECOND),
        }
    }

    /// A whole number of nanoseconds.
    #[must_use]
    pub const fn from_nanoseconds(nanoseconds: i64) -> Self {
        GoDuration { nanoseconds }
    }

    /// Reads a duration as Go's `time.ParseDuration` does.
    ///
    /// # Errors
    /// When the text is not one, in Go's words.
    pub fn parse(text: &str) -> Result<Self, DurationError> {
        let invalid = || DurationError::Invalid(text.to_owned());
        let (negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(GoDuration::ZERO);
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let mut total: i128 = 0;
        while !rest.is_empty() {
            let (nanoseconds, after) = Self::parse_part(rest, text)?;
            total += nanoseconds;
            if total > i128::from(i64::MAX) + i128::from(negative) {
                return Err(invalid());
            }
            rest = after;
        }
        let total = if negative { -total } else { total };
        i64::try_from(total)
            .map(GoDuration::from_nanoseconds)
            .map_err(|_| invalid())
    }

    /// Reads one number with its unit; gives its nanoseconds and the text after it.
    fn parse_part<'a>(rest: &'a str, text: &str) -> Result<(i128, &'a str), DurationError> {
        let invalid = || DurationError::Invalid(text.to_owned());
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let (number, after) = rest.split_at(rest.find(|c| !is_number(c)).unwrap_or(rest.len()));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return Err(invalid());
        }
        let (unit, after) = after.split_at(after.find(is_number).unwrap_or(after.len()));
        if unit.is_empty() {
            return Err(DurationError::MissingUnit(text.to_owned()));
        }
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(DurationError::UnknownUnit {
                unit: unit.to_owned(),
                text: text.to_owned(),
            });
        };
        let scale = i128::from(*scale);
        let whole: i64 = match whole {
            "" => 0,
            digits => digits.parse().map_err(|_| invalid())?,
        };
        // 18 digits of a fraction are below a nanosecond of an hour; Go drops the rest as well.
        let fraction = &fraction[..fraction.len().min(18)];
        let divisor = 10_i128.pow(u32::try_from(fraction.len()).unwrap_or(0));
        let fraction: i128 = match fraction {
            "" => 0,
            digits => digits.parse().map_err(|_| invalid())?,
        };
        Ok((
            i128::from(whole) * scale + fraction * scale / divisor,
            after,
        ))
    }

    /// Reads a duration, where a bare whole number counts seconds (as in `retry.backoff`).
    ///
    /// # Errors
    /// When the text is neither.
    pub fn parse_or_seconds(text: &str) -> Result<Self, DurationError> {
        match text.parse::<i64>() {
            Ok(seconds) => Ok(GoDuration::from_seconds(seconds)),
            Err(_) => GoDuration::parse(text),
        }
    }

    /// The whole number of nanoseconds.
    #[must_use]
    pub const fn as_nanoseconds(self) -> i64 {
        self.nanoseconds
    }

    /// The duration times `factor`, or the longest one.
    #[must_use]
    pub const fn saturating_mul(self, factor: i64) -> Self {
        GoDuration::from_nanoseconds(self.nanoseconds.saturating_mul(factor))
    }

    /// As the standard library's; what is below zero becomes zero.
    #[must_use]
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_nanos(u64::try_from(self.nanoseconds).unwrap_or(0))
    }
}

/// As Go's `Duration.String`: the largest unit first, fractions without trailing zeros.
impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.nanoseconds.unsigned_abs();
        if self.nanoseconds < 0 {
            f.write_str("-")?;
        }
        match nanoseconds {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{nanoseconds}ns"),
            1_000..1_000_000 => write_fraction(f, nanoseconds, 1_000, "\u{b5}s"),
            1_000_000..1_000_000_000 => write_fraction(f, nanoseconds, 1_000_000, "ms"),
            _ => {
                let second = SECOND.unsigned_abs();
                let minutes = nanoseconds / (60 * second);
                if minutes >= 60 {
                    write!(f, "{}h", minutes / 60)?;
                }
                if minutes > 0 {
                    write!(f, "{}m", minutes % 60)?;
                }
                write_fraction(f, nanoseconds % (60 * second), second, "s")
            }
        }
    }
}

fn write_fraction(f: &mut fmt::Formatter<'_>, number: u64, scale: u64, unit: &str) -> fmt::Result {
    write!(f, "{}", number / scale)?;
    let (mut fraction, mut width) = (number % scale, scale.ilog10() as usize);
    if fraction > 0 {
        while fraction % 10 == 0 {
            fraction /= 10;
            width -= 1;
        }
        write!(f, ".{fraction:0width$}")?;
    }
    f.write_str(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: Result<&str, &str>) {
        let found = GoDuration::parse(text);
        let found = found.map(|it| it.to_string()).map_err(|it| it.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), want, "{text}");
    }

    #[test]
    fn durations_read_and_print_as_in_go() {
        check("0", Ok("0s"));
        check("5s", Ok("5s"));
        check("90s", Ok("1m30s"));
        check("3m", Ok("3m0s"));
        check("1h", Ok("1h0m0s"));
        check("1.5h", Ok("1h30m0s"));
        check("-1.5s", Ok("-1.5s"));
        check("100ms", Ok("100ms"));
        check("1us", Ok("1\u{b5}s"));
        check("1h15m30.918273645s", Ok("1h15m30.918273645s"));
        check(".5s", Ok("500ms"));
        check("9223372036854775807ns", Ok("2562047h47m16.854775807s"));
    }

    #[test]
    fn texts_that_are_no_durations_are_refused_in_the_words_of_go() {
        check("", Err("time: invalid duration \"\""));
        check("5", Err("time: missing unit in duration \"5\""));
        check("5x", Err("time: unknown unit \"x\" in duration \"5x\""));
        check("s", Err("time: invalid duration \"s\""));
        check(".s", Err("time: invalid duration \".s\""));
        check("1..5s", Err("time: invalid duration \"1..5s\""));
        check("3000000h", Err("time: invalid duration \"3000000h\""));
    }
}
