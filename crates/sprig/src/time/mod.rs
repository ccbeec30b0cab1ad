//! Go's `time.Time`: a moment in a zone.
//!
//! Read [`Time`]. Calendars are computed here, as Go's years go further than those of libraries;
//! only the offsets of named zones come from one. The local zone is UTC, as a render depends on no
//! machine.

pub(crate) mod calendar;
pub(crate) mod duration;
mod format;
mod layout;
mod object;
mod parse;
mod zone;

use std::rc::Rc;

pub(crate) use duration::Duration;
pub(crate) use parse::parse;
pub(crate) use zone::Zone;

use calendar::Civil;
use gotmpl::{Now, Value};

/// Seconds from 1970 back to the start of year 1, which is Go's zero.
const YEAR_ONE: i64 = -62_135_596_800;

/// A moment, and the zone that it is told in.
#[derive(Clone, Debug)]
pub(crate) struct Time {
    /// Since 1970, UTC.
    pub(crate) seconds: i64,
    /// Of the second.
    pub(crate) nanoseconds: u32,
    pub(crate) zone: Zone,
}

impl Time {
    /// Go's zero time.
    pub(crate) fn zero() -> Self {
        Time {
            seconds: YEAR_ONE,
            nanoseconds: 0,
            zone: Zone::Utc,
        }
    }

    /// Seconds since 1970 in the local zone.
    pub(crate) fn of_unix(seconds: i64) -> Self {
        Time {
            seconds,
            nanoseconds: 0,
            zone: Zone::Local,
        }
    }

    /// The time of a render.
    pub(crate) fn of_now(now: Now) -> Self {
        Time {
            nanoseconds: now.nanoseconds.min(999_999_999),
            ..Time::of_unix(now.seconds)
        }
    }

    /// The same moment in another zone.
    pub(crate) fn within(&self, zone: Zone) -> Self {
        Time {
            zone,
            ..self.clone()
        }
    }

    /// What calendar and clock show.
    pub(crate) fn civil(&self) -> Civil {
        let offset = self.zone.offset(self.seconds).seconds;
        Civil::of_seconds(self.seconds.saturating_add(offset))
    }

    /// Later by a duration.
    pub(crate) fn add(&self, duration: Duration) -> Self {
        let nanoseconds = i64::from(self.nanoseconds) + duration.0 % 1_000_000_000;
        let seconds = duration.0 / 1_000_000_000 + nanoseconds.div_euclid(1_000_000_000);
        Time {
            seconds: self.seconds.saturating_add(seconds),
            nanoseconds: u32::try_from(nanoseconds.rem_euclid(1_000_000_000)).unwrap_or(0),
            zone: self.zone.clone(),
        }
    }

    /// The duration since another moment, or the longest one that there is.
    pub(crate) fn since(&self, other: &Time) -> Duration {
        let seconds = i128::from(self.seconds) - i128::from(other.seconds);
        let nanoseconds = i128::from(self.nanoseconds) - i128::from(other.nanoseconds);
        let all = seconds * 1_000_000_000 + nanoseconds;
        let limit = if all < 0 { i64::MIN } else { i64::MAX };
        Duration(i64::try_from(all).unwrap_or(limit))
    }

    /// As a value of a template.
    pub(crate) fn into_value(self) -> Value {
        Value::Object(Rc::new(self))
    }

    /// The time that a value is.
    pub(crate) fn of_value(value: &Value) -> Option<&Time> {
        match value {
            Value::Object(object) => object.as_any().downcast_ref(),
            _ => None,
        }
    }
}
