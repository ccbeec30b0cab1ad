//! Texts as times, by layouts. Read [`parse`].

use gotmpl::quote;

use crate::time::calendar::{self, Civil};
use crate::time::format::{MONTHS, WEEKDAYS};
use crate::time::layout::{self, Part, ZoneForm};
use crate::time::{Time, Zone};

/// Why a part could not be read.
enum Problem {
    /// It does not look like the part.
    Bad,
    /// A number is out of its range.
    Range(&'static str),
}

type Result<T> = std::result::Result<T, Problem>;

/// What was read so far.
#[derive(Default)]
struct Fields {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanoseconds: u32,
    is_morning: bool,
    is_afternoon: bool,
    is_utc: bool,
    offset: Option<i64>,
    zone_name: String,
}

/// Reads a time in the local zone, as `time.ParseInLocation` does.
///
/// # Errors
/// Go's text: which part of the text does not fit which part of the layout.
pub(crate) fn parse(layout: &str, text: &str) -> std::result::Result<Time, String> {
    let fail = |element: &str, rest: &str, message: &str| {
        Err(if message.is_empty() {
            format!(
                "parsing time {} as {}: cannot parse {} as {}",
                quote(text),
                quote(layout),
                quote(rest),
                quote(element)
            )
        } else {
            format!("parsing time {}{message}", quote(text))
        })
    };
    let mut fields = Fields::default();
    let (mut form, mut rest) = (layout, text);
    loop {
        let (before, part, behind) = layout::next(form);
        rest = match skip(rest, before) {
            Ok(rest) => rest,
            Err(at) => return fail(before, at, ""),
        };
        let Some((part, shown)) = part else {
            if rest.is_empty() {
                break;
            }
            return fail("", rest, &format!(": extra text: {}", quote(rest)));
        };
        form = behind;
        let mut left = rest;
        match fields.read(part, &mut left, form) {
            Ok(()) => rest = left,
            Err(Problem::Bad) => return fail(shown, rest, ""),
            Err(Problem::Range(what)) => {
                return fail(shown, left, &format!(": {what} out of range"));
            }
        }
    }
    fields
        .time()
        .or_else(|message| fail("", rest, &format!(": {message}")))
}

/// Takes the text between parts away; runs of spaces are all alike.
fn skip<'t>(mut text: &'t str, mut between: &str) -> std::result::Result<&'t str, &'t str> {
    while let Some(first) = between.chars().next() {
        if first == ' ' {
            if !text.is_empty() && !text.starts_with(' ') {
                return Err(text);
            }
            between = between.trim_start_matches(' ');
            text = text.trim_start_matches(' ');
            continue;
        }
        text = text.strip_prefix(first).ok_or(text)?;
        between = &between[first.len_utf8()..];
    }
    Ok(text)
}

impl Fields {
    fn read(&mut self, part: Part, text: &mut &str, form: &str) -> Result<()> {
        match part {
            Part::Year => {
                let year = signed(take(text, 2)?)?;
                self.year = if year >= 69 { year + 1900 } else { year + 2000 };
            }
            Part::LongYear => {
                if !text.starts_with(|it: char| it.is_ascii_digit()) {
                    return Err(Problem::Bad);
                }
                self.year = signed(take(text, 4)?)?;
            }
            Part::Month => self.month = Some(lookup(text, MONTHS.map(|name| &name[..3]))? + 1),
            Part::LongMonth => self.month = Some(lookup(text, MONTHS)? + 1),
            Part::NumMonth | Part::ZeroMonth => {
                let month = number(text, 2, part == Part::ZeroMonth)?;
                self.month = Some(within(month, 1..13, "month")?);
            }
            Part::Weekday => {
                lookup(text, WEEKDAYS.map(|name| &name[..3]))?;
            }
            Part::LongWeekday => {
                lookup(text, WEEKDAYS)?;
            }
            Part::Day | Part::UnderDay | Part::ZeroDay => {
                if part == Part::UnderDay {
                    *text = text.strip_prefix(' ').unwrap_or(text);
                }
                self.day = Some(number(text, 2, part == Part::ZeroDay)?);
            }
            Part::UnderYearDay | Part::ZeroYearDay => {
                for _ in 0..2 {
                    if part == Part::UnderYearDay {
                        *text = text.strip_prefix(' ').unwrap_or(text);
                    }
                }
                self.day_of_year = Some(number(text, 3, part == Part::ZeroYearDay)?);
            }
            Part::Hour => self.hour = within(number(text, 2, false)?, 0..24, "hour")?,
            Part::Hour12 | Part::ZeroHour12 => {
                let hour = number(text, 2, part == Part::ZeroHour12)?;
                self.hour = within(hour, 0..13, "hour")?;
            }
            Part::Minute | Part::ZeroMinute => {
                let minute = number(text, 2, part == Part::ZeroMinute)?;
                self.minute = within(minute, 0..60, "minute")?;
            }
            Part::Second | Part::ZeroSecond => {
                let second = number(text, 2, part == Part::ZeroSecond)?;
                self.second = within(second, 0..60, "second")?;
                self.unasked_fraction(text, form)?;
            }
            Part::UpperPm => self.half_of_day(take(text, 2)?, ("AM", "PM"))?,
            Part::LowerPm => self.half_of_day(take(text, 2)?, ("am", "pm"))?,
            Part::ZoneName => self.zone_name(text)?,
            Part::Zone(form) => self.zone(text, form)?,
            Part::Fraction {
                n_digits,
                is_trimmed: false,
                ..
            } => self.nanoseconds = nanoseconds(take(text, n_digits + 1)?)?,
            Part::Fraction { .. } => self.fraction(text)?,
        }
        Ok(())
    }

    fn half_of_day(&mut self, mark: &str, (morning, afternoon): (&str, &str)) -> Result<()> {
        if mark == afternoon {
            self.is_afternoon = true;
        } else if mark == morning {
            self.is_morning = true;
        } else {
            return Err(Problem::Bad);
        }
        Ok(())
    }

    /// A fraction behind the seconds that the layout does not ask for.
    fn unasked_fraction(&mut self, text: &mut &str, form: &str) -> Result<()> {
        match layout::next(form).1 {
            Some((Part::Fraction { .. }, _)) => Ok(()),
            _ => self.fraction(text),
        }
    }

    /// A fraction of any number of digits, or none.
    fn fraction(&mut self, text: &mut &str) -> Result<()> {
        let n_digits = match text.as_bytes() {
            [b'.' | b',', digits @ ..] => {
                digits.iter().take_while(|it| it.is_ascii_digit()).count()
            }
            _ => 0,
        };
        if n_digits > 0 {
            self.nanoseconds = nanoseconds(take(text, n_digits + 1)?)?;
        }
        Ok(())
    }

    fn zone_name(&mut self, text: &mut &str) -> Result<()> {
        if let Some(rest) = text.strip_prefix("UTC") {
            *text = rest;
            self.is_utc = true;
            return Ok(());
        }
        let size = zone_name_length(text).ok_or(Problem::Bad)?;
        take(text, size)?.clone_into(&mut self.zone_name);
        Ok(())
    }

    fn zone(&mut self, text: &mut &str, form: ZoneForm) -> Result<()> {
        if form.has_z
            && let Some(rest) = text.strip_prefix('Z')
        {
            *text = rest;
            self.is_utc = true;
            return Ok(());
        }
        let colon = |text: &mut &str| {
            if form.has_colons && take(text, 1)? != ":" {
                return Err(Problem::Bad);
            }
            Ok(())
        };
        let sign = take(text, 1)?;
        let hours = two_digits(take(text, 2)?)?;
        let (mut minutes, mut seconds) = (0, 0);
        if form.has_minutes {
            colon(text)?;
            minutes = two_digits(take(text, 2)?)?;
        }
        if form.has_seconds {
            colon(text)?;
            seconds = two_digits(take(text, 2)?)?;
        }
        within(hours, 0..25, "time zone offset hour")?;
        within(minutes, 0..61, "time zone offset minute")?;
        within(seconds, 0..61, "time zone offset second")?;
        let offset = (hours * 60 + minutes) * 60 + seconds;
        self.offset = match sign {
            "+" => Some(offset),
            "-" => Some(-offset),
            _ => return Err(Problem::Bad),
        };
        Ok(())
    }

    /// The time, or what is out of range.
    fn time(mut self) -> std::result::Result<Time, &'static str> {
        if self.is_afternoon && self.hour < 12 {
            self.hour += 12;
        } else if self.is_morning && self.hour == 12 {
            self.hour = 0;
        }
        let (month, day) = self.month_and_day()?;
        if day < 1 || day > calendar::n_days_of_month(self.year, month) {
            return Err("day out of range");
        }
        let civil = Civil {
            year: self.year,
            month,
            day,
            hour: self.hour,
            minute: self.minute,
            second: self.second,
        };
        let shown = civil.seconds();
        let (seconds, zone) = match self.offset {
            _ if self.is_utc => (shown, Zone::Utc),
            // An offset of a second before UTC stands for none in Go.
            Some(offset) if offset != -1 => {
                let is_local = offset == 0 && matches!(self.zone_name.as_str(), "" | "UTC");
                let zone = if is_local {
                    Zone::Local
                } else {
                    Zone::Fixed(self.zone_name.as_str().into(), offset)
                };
                (shown - offset, zone)
            }
            _ if !self.zone_name.is_empty() => {
                let hours = self.zone_name.strip_prefix("GMT").unwrap_or_default();
                let offset = hours.parse::<i64>().unwrap_or(0) * 3_600;
                let zone = Zone::Fixed(self.zone_name.as_str().into(), offset);
                (shown, zone)
            }
            _ => (Zone::Local.moment(shown), Zone::Local),
        };
        Ok(Time {
            seconds,
            nanoseconds: self.nanoseconds,
            zone,
        })
    }

    fn month_and_day(&self) -> std::result::Result<(i64, i64), &'static str> {
        let Some(day_of_year) = self.day_of_year else {
            return Ok((self.month.unwrap_or(1), self.day.unwrap_or(1)));
        };
        let n_days = 365 + i64::from(calendar::is_leap(self.year));
        if !(1..=n_days).contains(&day_of_year) {
            return Err("day-of-year out of range");
        }
        let (mut month, mut day) = (1, day_of_year);
        while day > calendar::n_days_of_month(self.year, month) {
            day -= calendar::n_days_of_month(self.year, month);
            month += 1;
        }
        if self.month.is_some_and(|it| it != month) {
            return Err("day-of-year does not match month");
        }
        if self.day.is_some_and(|it| it != day) {
            return Err("day-of-year does not match day");
        }
        Ok((month, day))
    }
}

/// Takes so many bytes from the start.
fn take<'t>(text: &mut &'t str, size: usize) -> Result<&'t str> {
    let (taken, rest) = text.split_at_checked(size).ok_or(Problem::Bad)?;
    *text = rest;
    Ok(taken)
}

fn signed(digits: &str) -> Result<i64> {
    digits.parse().map_err(|_| Problem::Bad)
}

fn two_digits(digits: &str) -> Result<i64> {
    if digits.bytes().all(|it| it.is_ascii_digit()) {
        return signed(digits);
    }
    Err(Problem::Bad)
}

fn within(number: i64, range: std::ops::Range<i64>, what: &'static str) -> Result<i64> {
    if range.contains(&number) {
        return Ok(number);
    }
    Err(Problem::Range(what))
}

/// A number of at most so many digits; `is_fixed` wants all of them.
fn number(text: &mut &str, most: usize, is_fixed: bool) -> Result<i64> {
    let digits = text.bytes().take(most).take_while(u8::is_ascii_digit);
    let n_digits = digits.count();
    if n_digits == 0 || is_fixed && n_digits != most {
        return Err(Problem::Bad);
    }
    signed(take(text, n_digits)?)
}

/// The place of the name that the text begins with, in any case.
fn lookup<const N: usize>(text: &mut &str, names: [&str; N]) -> Result<i64> {
    for (number, name) in (0..).zip(names) {
        let start = text.get(..name.len());
        if start.is_some_and(|start| start.eq_ignore_ascii_case(name)) {
            *text = &text[name.len()..];
            return Ok(number);
        }
    }
    Err(Problem::Bad)
}

/// Digits behind a separator; what is finer than nanoseconds is cut.
fn nanoseconds(text: &str) -> Result<u32> {
    let digits = text.strip_prefix(['.', ',']).ok_or(Problem::Bad)?;
    if !digits.bytes().all(|it| it.is_ascii_digit()) {
        return Err(Problem::Bad);
    }
    let digits = &digits[..digits.len().min(9)];
    format!("{digits:0<9}").parse().map_err(|_| Problem::Bad)
}

/// How long the abbreviation of a zone is that a text begins with.
fn zone_name_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if bytes.len() < 3 {
        return None;
    }
    if text.starts_with("ChST") || text.starts_with("MeST") {
        return Some(4);
    }
    if let Some(rest) = text.strip_prefix("GMT") {
        return Some(3 + signed_offset_length(rest));
    }
    if text.starts_with(['+', '-']) {
        return Some(signed_offset_length(text)).filter(|size| *size > 0);
    }
    let n_upper = bytes
        .iter()
        .take(6)
        .take_while(|it| it.is_ascii_uppercase())
        .count();
    match n_upper {
        3 => Some(3),
        4 if bytes[3] == b'T' || text.starts_with("WITA") => Some(4),
        5 if bytes[4] == b'T' => Some(5),
        _ => None,
    }
}

/// The length of `+03` or `-4`; none is beyond 23 hours.
fn signed_offset_length(text: &str) -> usize {
    let Some(rest) = text.strip_prefix(['+', '-']) else {
        return 0;
    };
    let n_digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    match rest[..n_digits].parse::<u64>() {
        Ok(hours) if hours <= 23 => n_digits + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::format::PLAIN;

    fn check(layout: &str, text: &str, want: Result<&str>) {
        let got = parse(layout, text).map(|time| time.format(PLAIN));
        assert_eq!(got, want.map(str::to_owned).map_err(str::to_owned));
    }

    type Result<T> = std::result::Result<T, &'static str>;

    #[test]
    fn texts_are_read_by_layouts() {
        check(
            "2006-01-02",
            "2024-02-29",
            Ok("2024-02-29 00:00:00 +0000 UTC"),
        );
        check(
            "2006-01-02T15:04:05Z07:00",
            "2024-02-29T13:45:06.5+02:00",
            Ok("2024-02-29 13:45:06.5 +0200 +0200"),
        );
        check(
            "Mon Jan _2 3:04PM 2006",
            "thu feb  9 1:05PM 2023",
            Ok("2023-02-09 13:05:00 +0000 UTC"),
        );
        check("2006 002", "2024 060", Ok("2024-02-29 00:00:00 +0000 UTC"));
        check("06 MST", "70 CET", Ok("1970-01-01 00:00:00 +0000 CET"));
        check(
            "2006-01-02",
            "2023-02-29",
            Err("parsing time \"2023-02-29\": day out of range"),
        );
        check(
            "2006-01-02",
            "2023-13-01",
            Err("parsing time \"2023-13-01\": month out of range"),
        );
        check(
            "2006-01-02",
            "2023-01-01x",
            Err("parsing time \"2023-01-01x\": extra text: \"x\""),
        );
        check(
            "2006-01-02",
            "junk",
            Err("parsing time \"junk\" as \"2006-01-02\": cannot parse \"junk\" as \"2006\""),
        );
    }
}
