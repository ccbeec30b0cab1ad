//! Times as texts, by layouts.

use std::fmt::Write as _;

use crate::time::Time;
use crate::time::layout::{self, Part, ZoneForm};
use crate::time::zone::Offset;

pub(crate) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// How `time.Time` prints itself.
pub(crate) const PLAIN: &str = "2006-01-02 15:04:05.999999999 -0700 MST";
/// How it is encoded.
pub(crate) const RFC3339_NANO: &str = "2006-01-02T15:04:05.999999999Z07:00";

impl Time {
    /// The time by a layout.
    pub(crate) fn format(&self, layout: &str) -> String {
        let mut out = String::with_capacity(layout.len() + 10);
        let offset = self.zone.offset(self.seconds);
        let mut rest = layout;
        loop {
            let (before, part, behind) = layout::next(rest);
            out.push_str(before);
            let Some((part, _)) = part else {
                return out;
            };
            let written = self.write_part(&mut out, part, &offset);
            debug_assert!(written.is_ok(), "a String takes everything");
            rest = behind;
        }
    }

    fn write_part(&self, out: &mut String, part: Part, offset: &Offset) -> std::fmt::Result {
        let civil = self.civil();
        let hour12 = (civil.hour + 11) % 12 + 1;
        let is_afternoon = civil.hour >= 12;
        match part {
            Part::LongMonth => out.write_str(named(&MONTHS, civil.month - 1)),
            Part::Month => out.write_str(&named(&MONTHS, civil.month - 1)[..3]),
            Part::NumMonth => write!(out, "{}", civil.month),
            Part::ZeroMonth => write!(out, "{:02}", civil.month),
            Part::LongWeekday => out.write_str(named(&WEEKDAYS, civil.weekday())),
            Part::Weekday => out.write_str(&named(&WEEKDAYS, civil.weekday())[..3]),
            Part::Day => write!(out, "{}", civil.day),
            Part::UnderDay => write!(out, "{:2}", civil.day),
            Part::ZeroDay => write!(out, "{:02}", civil.day),
            Part::UnderYearDay => write!(out, "{:3}", civil.day_of_year()),
            Part::ZeroYearDay => write!(out, "{:03}", civil.day_of_year()),
            Part::Hour => write!(out, "{:02}", civil.hour),
            Part::Hour12 => write!(out, "{hour12}"),
            Part::ZeroHour12 => write!(out, "{hour12:02}"),
            Part::Minute => write!(out, "{}", civil.minute),
            Part::ZeroMinute => write!(out, "{:02}", civil.minute),
            Part::Second => write!(out, "{}", civil.second),
            Part::ZeroSecond => write!(out, "{:02}", civil.second),
            Part::LongYear if civil.year < 0 => write!(out, "-{:04}", -civil.year),
            Part::LongYear => write!(out, "{:04}", civil.year),
            Part::Year => write!(out, "{:02}", civil.year.max(0) % 100),
            Part::UpperPm => out.write_str(if is_afternoon { "PM" } else { "AM" }),
            Part::LowerPm => out.write_str(if is_afternoon { "pm" } else { "am" }),
            Part::ZoneName if offset.name.is_empty() => {
                write_offset(out, offset.seconds, MINUTES_ONLY)
            }
            Part::ZoneName => out.write_str(&offset.name),
            Part::Zone(form) if form.has_z && offset.seconds == 0 => out.write_char('Z'),
            Part::Zone(form) => write_offset(out, offset.seconds, form),
            Part::Fraction {
                n_digits,
                separator,
                is_trimmed,
            } => {
                let digits = format!("{:09}", self.nanoseconds);
                let digits = &digits[..n_digits.min(9)];
                let shown = if is_trimmed {
                    digits.trim_end_matches('0')
                } else {
                    digits
                };
                if shown.is_empty() {
                    return Ok(());
                }
                write!(out, "{}{shown}", char::from(separator))
            }
        }
    }
}

const MINUTES_ONLY: ZoneForm = ZoneForm {
    has_z: false,
    has_colons: false,
    has_minutes: true,
    has_seconds: false,
};

fn named(names: &[&'static str], number: i64) -> &'static str {
    let number = usize::try_from(number).ok();
    number
        .and_then(|it| names.get(it).copied())
        .unwrap_or("???")
}

fn write_offset(out: &mut String, offset: i64, form: ZoneForm) -> std::fmt::Result {
    let minutes = offset / 60;
    let colon = if form.has_colons { ":" } else { "" };
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.abs();
    write!(out, "{sign}{:02}", minutes / 60)?;
    if form.has_minutes {
        write!(out, "{colon}{:02}", minutes % 60)?;
    }
    if form.has_seconds {
        write!(out, "{colon}{:02}", (offset % 60).abs())?;
    }
    Ok(())
}
