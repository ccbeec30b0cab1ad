//! When a CronJob is due: the schedules that Kubernetes accepts, in any time zone.
//!
//! Five fields with lists, ranges, steps and names, `@hourly` and its like, `@every 5m`. A day
//! matches when day of month or day of week does, if both are restricted, as in robfig/cron.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

use super::time::{duration, later};

/// Schedules that never come, such as 30 February, are given up after this many days.
const HORIZON_DAYS: u32 = 5 * 366;

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A parsed schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Schedule {
    /// At fixed distances.
    Every(Duration),
    /// At matching minutes.
    Fields(Box<Fields>),
}

/// One set of values per field, as bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    any_day: bool,
    any_weekday: bool,
    zone: TimeZone,
}

/// Where the machine keeps its time zones.
const ZONES: &str = "/usr/share/zoneinfo";
/// The largest file there has 4 KB; anything much larger is no time zone.
const MAX_ZONE_BYTES: u64 = 64 << 10;

/// The zone of that name; UTC where none is named, as kube-controller-manager runs in a container.
/// Read from the machine's files: jiff's own database would have to be switched on for all.
fn zone(name: &str) -> Option<TimeZone> {
    if matches!(name, "" | "UTC" | "Etc/UTC") {
        return Some(TimeZone::UTC);
    }
    let plain = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+'))
    };
    if !name.split('/').all(plain) {
        return None;
    }
    let file = File::open(Path::new(ZONES).join(name)).ok()?;
    let mut bytes = Vec::new();
    file.take(MAX_ZONE_BYTES).read_to_end(&mut bytes).ok()?;
    TimeZone::tzif(name, &bytes).ok()
}

/// Reads a schedule in a time zone; `None` for one that the API server would have refused. Old
/// objects may have the zone in the schedule, as `TZ=` or `CRON_TZ=`.
pub(crate) fn parse(text: &str, time_zone: &str) -> Option<Schedule> {
    let text = text.trim();
    let written = ["TZ=", "CRON_TZ="]
        .iter()
        .find_map(|mark| text.strip_prefix(mark)?.split_once(' '));
    let (time_zone, text) = match written {
        Some((name, text)) => (name, text.trim()),
        None => (time_zone, text),
    };
    if let Some(every) = text.strip_prefix("@every ") {
        let every = duration(every.trim())?.max(Duration::from_secs(1));
        return Some(Schedule::Every(Duration::from_secs(every.as_secs())));
    }
    let text = match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        text => text,
    };
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
        return None;
    };
    let open = |field: &str| field.starts_with('*') || field.starts_with('?');
    Some(Schedule::Fields(Box::new(Fields {
        minutes: field(minutes, 0..=59, &[])?,
        hours: field(hours, 0..=23, &[])?,
        days: field(days, 1..=31, &[])?,
        months: field(months, 1..=12, &MONTHS)?,
        weekdays: field(weekdays, 0..=6, &DAYS)?,
        any_day: open(days),
        any_weekday: open(weekdays),
        zone: zone(time_zone)?,
    })))
}

fn field(text: &str, range: std::ops::RangeInclusive<u32>, names: &[&str]) -> Option<u64> {
    text.split(',').try_fold(0, |bits, part| {
        let (span, step) = match part.split_once('/') {
            Some((span, step)) => (
                span,
                Some(step.parse::<u32>().ok().filter(|step| *step > 0)?),
            ),
            None => (part, None),
        };
        let value = |text: &str| {
            let lower = text.to_ascii_lowercase();
            let named = names.iter().position(|name| *name == lower);
            let number = match named {
                Some(position) => u32::try_from(position).ok()? + range.start(),
                None => lower.parse().ok()?,
            };
            range.contains(&number).then_some(number)
        };
        let (first, last) = match span {
            "*" | "?" => (*range.start(), *range.end()),
            _ => match span.split_once('-') {
                Some((first, last)) => (value(first)?, value(last)?),
                None if step.is_some() => (value(span)?, *range.end()),
                None => (value(span)?, value(span)?),
            },
        };
        let step = usize::try_from(step.unwrap_or(1)).ok()?;
        (first <= last).then(|| {
            (first..=last)
                .step_by(step)
                .fold(bits, |bits, number| bits | 1 << number)
        })
    })
}

impl Schedule {
    /// The first due time after `time`; `None` when it never comes.
    pub(crate) fn after(&self, time: Timestamp) -> Option<Timestamp> {
        match self {
            Schedule::Every(every) => Some(later(time, *every)),
            Schedule::Fields(fields) => fields.after(time),
        }
    }
}

impl Fields {
    fn after(&self, time: Timestamp) -> Option<Timestamp> {
        let has = |bits: u64, number: i8| bits & (1 << number) != 0;
        let start = time.to_zoned(self.zone.clone()).datetime();
        let mut date = start.date();
        let mut minute = i32::from(start.hour()) * 60 + i32::from(start.minute()) + 1;
        for _ in 0..HORIZON_DAYS {
            let day = has(self.days, date.day());
            let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
            let matches = if self.any_day || self.any_weekday {
                day && weekday
            } else {
                day || weekday
            };
            if has(self.months, date.month()) && matches {
                let found = (minute..24 * 60)
                    .filter(|minute| {
                        self.hours & (1 << (minute / 60)) != 0
                            && self.minutes & (1 << (minute % 60)) != 0
                    })
                    .filter_map(|minute| self.at(date, minute))
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
}

impl Fields {
    /// A minute of a day; `None` for one that the clocks jump over.
    fn at(&self, date: Date, minute: i32) -> Option<Timestamp> {
        let hour = i8::try_from(minute / 60).ok()?;
        let minute = i8::try_from(minute % 60).ok()?;
        let time = self.zone.to_ambiguous_zoned(date.at(hour, minute, 0, 0));
        if matches!(time.offset(), AmbiguousOffset::Gap { .. }) {
            return None;
        }
        Some(time.compatible().ok()?.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schedule: &str, after: &str, want: Option<&str>) {
        check_in("", schedule, after, want);
    }

    fn check_in(zone: &str, schedule: &str, after: &str, want: Option<&str>) {
        let got = parse(schedule, zone).and_then(|s| s.after(after.parse().expect("is a time")));
        assert_eq!(
            got,
            want.map(|want| want.parse().expect("is a time")),
            "{schedule}"
        );
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
        check("@every 90s", from, Some("2026-01-02T03:05:35Z"));
    }

    #[test]
    fn a_schedule_follows_the_clocks_of_its_zone() {
        let check = |schedule: &str, after: &str, want: &str| {
            check_in("Europe/Berlin", schedule, after, Some(want));
        };
        check("0 12 * * *", "2026-01-02T03:04:05Z", "2026-01-02T11:00:00Z");
        check("0 12 * * *", "2026-07-02T03:04:05Z", "2026-07-02T10:00:00Z");
        // 29 March 2026 has no 02:30 there.
        check("30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z");
        let written = "TZ=Asia/Tokyo 0 9 * * *";
        check(written, "2026-01-02T03:04:05Z", "2026-01-03T00:00:00Z");
        assert_eq!(parse("* * * * *", "Nowhere/Land"), None);
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in [
            "",
            "* * * *",
            "60 * * * *",
            "* * * * mon-",
            "*/0 * * * *",
            "5-1 * * * *",
        ] {
            assert_eq!(parse(text, ""), None, "{text}");
        }
    }
}
