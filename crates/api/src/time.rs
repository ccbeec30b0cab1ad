//! Points in time as Kubernetes writes them.

use yaml::{Map, Value};

use crate::Error;
use crate::wire::{Wire, of_type};

/// A point in time with the precision of `metav1.Time`: whole seconds, written in UTC as
/// `2026-01-02T15:04:05Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(jiff::Timestamp);

impl Time {
    /// The whole second that `instant` is in.
    #[must_use]
    pub fn new(instant: jiff::Timestamp) -> Self {
        Time(jiff::Timestamp::from_second(instant.as_second()).unwrap_or(instant))
    }

    /// The instant, for arithmetic.
    #[must_use]
    pub fn instant(self) -> jiff::Timestamp {
        self.0
    }
}

impl From<jiff::Timestamp> for Time {
    fn from(instant: jiff::Timestamp) -> Self {
        Time::new(instant)
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%dT%H:%M:%SZ"))
    }
}

impl Wire for Time {
    fn read(value: Value) -> Result<Self, Error> {
        let Value::String(text) = value else {
            return Err(Error::new("an RFC 3339 time", value.kind()));
        };
        text.parse()
            .map(Time::new)
            .map_err(|_| Error::new("an RFC 3339 time", format!("\"{text}\"")))
    }
    fn write(&self) -> Value {
        Value::from(self.to_string())
    }
    fn is_empty(&self) -> bool {
        false
    }
    fn schema() -> Map {
        let mut schema = of_type("string");
        schema.insert("format", "date-time");
        schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &str) {
        let time = Time::read(Value::from(text)).expect("a time");
        assert_eq!(time.write(), Value::from(want));
    }

    #[test]
    fn a_time_is_written_in_utc_with_whole_seconds() {
        check("2026-01-02T15:04:05Z", "2026-01-02T15:04:05Z");
        check("2026-01-02T15:04:05.999999Z", "2026-01-02T15:04:05Z");
        check("2026-01-02T15:04:05+02:00", "2026-01-02T13:04:05Z");
    }

    #[test]
    fn a_text_that_is_no_time_is_named_in_the_error() {
        let error = Time::read(Value::from("soon")).expect_err("no time");
        assert_eq!(error.found, "\"soon\"");
    }
}
