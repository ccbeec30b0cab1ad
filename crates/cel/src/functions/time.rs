//! Parts of times and durations.

use jiff::Zoned;
use jiff::tz::{Offset, TimeZone};

use super::{Done, no_overload};
use crate::eval::EvalError;
use crate::value::Val;

/// A time in its zone: UTC, `+02:00`. Names of zones need a data base, which is not there.
fn zoned(args: &[Val<'_>]) -> Result<Zoned, EvalError> {
    match args {
        [Val::Timestamp(time)] => Ok(time.to_zoned(TimeZone::UTC)),
        [Val::Timestamp(time), Val::String(zone)] => Ok(time.to_zoned(zone_of(zone)?)),
        _ => Err(EvalError::no_overload()),
    }
}

fn zone_of(name: &str) -> Result<TimeZone, EvalError> {
    if matches!(name, "UTC" | "Z" | "") {
        return Ok(TimeZone::UTC);
    }
    let unknown = || EvalError::new(format!("unknown time zone {name}"));
    let (hours, minutes) = name.split_once(':').ok_or_else(unknown)?;
    let sign = if hours.starts_with('-') { -1 } else { 1 };
    let hours: i32 = hours
        .trim_start_matches(['+', '-'])
        .parse()
        .map_err(|_invalid| unknown())?;
    let minutes: i32 = minutes.parse().map_err(|_invalid| unknown())?;
    let seconds = hours
        .checked_mul(60)
        .and_then(|total| total.checked_add(minutes))
        .and_then(|total| total.checked_mul(60 * sign))
        .ok_or_else(unknown)?;
    Offset::from_seconds(seconds)
        .map(Offset::to_time_zone)
        .map_err(|_far| unknown())
}

fn number<'a>(number: impl Into<i64>) -> Done<'a> {
    Ok(Val::Int(number.into()))
}

pub(crate) fn full_year<'a>(args: &[Val<'a>]) -> Done<'a> {
    number(zoned(args)?.year())
}

pub(crate) fn month<'a>(args: &[Val<'a>]) -> Done<'a> {
    number(zoned(args)?.month() - 1)
}

pub(crate) fn day_of_year<'a>(args: &[Val<'a>]) -> Done<'a> {
    number(zoned(args)?.day_of_year() - 1)
}

pub(crate) fn day_of_month<'a>(args: &[Val<'a>]) -> Done<'a> {
    number(zoned(args)?.day() - 1)
}

pub(crate) fn date<'a>(args: &[Val<'a>]) -> Done<'a> {
    number(zoned(args)?.day())
}

pub(crate) fn day_of_week<'a>(args: &[Val<'a>]) -> Done<'a> {
    number(zoned(args)?.weekday().to_sunday_zero_offset())
}

/// A part of a time, or all of a duration in a unit.
fn part<'a>(args: &[Val<'a>], of_time: fn(&Zoned) -> i64, unit: i64) -> Done<'a> {
    match args {
        [Val::Duration(nanos)] => number(nanos / unit),
        [Val::Timestamp(_), ..] => number(of_time(&zoned(args)?)),
        _ => no_overload(),
    }
}

pub(crate) fn hours<'a>(args: &[Val<'a>]) -> Done<'a> {
    part(args, |time| time.hour().into(), 3_600_000_000_000)
}

pub(crate) fn minutes<'a>(args: &[Val<'a>]) -> Done<'a> {
    part(args, |time| time.minute().into(), 60_000_000_000)
}

pub(crate) fn seconds<'a>(args: &[Val<'a>]) -> Done<'a> {
    part(args, |time| time.second().into(), 1_000_000_000)
}

pub(crate) fn milliseconds<'a>(args: &[Val<'a>]) -> Done<'a> {
    part(args, |time| time.millisecond().into(), 1_000_000)
}
