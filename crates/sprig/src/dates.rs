//! Dates and durations. What is no date stands for the time of the render, as in Sprig.

use gotmpl::{Scope, Type, Value, Width};

use crate::arguments::{ANY, Answer, Arguments, Row, TEXT, text};
use crate::time::{self, Duration, Time, Zone};

const TIME: Type = Type::Named("time.Time");
/// The form of a date in HTML.
const HTML: &str = "2006-01-02";

pub(super) const ROWS: &[Row] = &[
    Row::new("now", &[], TIME, |scope, _| {
        Ok(Time::of_now(scope.session().now()).into_value())
    }),
    Row::new("date", &[TEXT, ANY], TEXT, |scope, all| {
        text(
            time_of(scope, all.value(1))
                .within(Zone::Local)
                .format(all.text(0)),
        )
    }),
    Row::new("dateInZone", &[TEXT, ANY, TEXT], TEXT, date_in_zone),
    Row::new("date_in_zone", &[TEXT, ANY, TEXT], TEXT, date_in_zone),
    Row::new("htmlDate", &[ANY], TEXT, |scope, all| {
        text(
            time_of(scope, all.value(0))
                .within(Zone::Local)
                .format(HTML),
        )
    }),
    Row::new("htmlDateInZone", &[ANY, TEXT], TEXT, |scope, all| {
        text(
            time_of(scope, all.value(0))
                .within(zone(all.text(1)))
                .format(HTML),
        )
    }),
    Row::new("dateModify", &[TEXT, TIME], TIME, modify),
    Row::new("date_modify", &[TEXT, TIME], TIME, modify),
    Row::new("mustDateModify", &[TEXT, TIME], TIME, must_modify),
    Row::new("must_date_modify", &[TEXT, TIME], TIME, must_modify),
    Row::new("toDate", &[TEXT; 2], TIME, |_, all| {
        let time = time::parse(all.text(0), all.text(1));
        Ok(time.unwrap_or_else(|_| Time::zero()).into_value())
    }),
    Row::new("mustToDate", &[TEXT; 2], TIME, |_, all| {
        time::parse(all.text(0), all.text(1)).map(Time::into_value)
    }),
    Row::new("unixEpoch", &[TIME], TEXT, |_, all| {
        let time = Time::of_value(all.value(0));
        text(time.map_or(0, |time| time.seconds).to_string())
    }),
    Row::new("ago", &[ANY], TEXT, |scope, all| {
        let now = Time::of_now(scope.session().now());
        let second = Duration::of_seconds(1);
        let passed = match all.value(0) {
            Value::Integer(_, Width::Int32) => Duration(0),
            value => now.since(&time_of(scope, value)),
        };
        text(passed.rounded(second).to_string())
    }),
    Row::new("duration", &[ANY], TEXT, |_, all| {
        let seconds = match all.value(0) {
            Value::Text(text) => gotmpl::text::parse_plain(text, 10),
            Value::Integer(_, Width::Int64) => all.int(0),
            _ => 0,
        };
        text(Duration::of_seconds(seconds).to_string())
    }),
    Row::new("durationRound", &[ANY], TEXT, |scope, all| {
        let duration = match all.value(0) {
            Value::Text(text) => Duration::parse(text).unwrap_or(Duration(0)),
            Value::Integer(_, Width::Int64) => Duration(all.int(0)),
            value => match Time::of_value(value) {
                Some(time) => Time::of_now(scope.session().now()).since(time),
                None => Duration(0),
            },
        };
        text(coarse(duration))
    }),
];

/// The time that a value stands for: a time, or seconds since 1970.
fn time_of(scope: &mut Scope<'_>, value: &Value) -> Time {
    match value {
        Value::Integer(seconds, Width::Int | Width::Int32 | Width::Int64) => {
            Time::of_unix(i64::try_from(*seconds).unwrap_or_default())
        }
        value => match Time::of_value(value) {
            Some(time) => time.clone(),
            None => Time::of_now(scope.session().now()),
        },
    }
}

/// A zone by its name; UTC where there is none of that name.
fn zone(name: &str) -> Zone {
    Zone::load(name).unwrap_or(Zone::Utc)
}

fn date_in_zone(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let time = time_of(scope, all.value(1)).within(zone(all.text(2)));
    text(time.format(all.text(0)))
}

fn must_modify(_: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let duration = Duration::parse(all.text(0))?;
    let time = Time::of_value(all.value(1));
    Ok(time.map_or(Value::Nil, |time| time.add(duration).into_value()))
}

fn modify(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    must_modify(scope, all).or_else(|_| Ok(all.value(1).clone()))
}

/// The largest unit that a duration has more than one of.
fn coarse(duration: Duration) -> String {
    const HOUR: u64 = 3_600;
    const UNITS: [(u64, &str); 6] = [
        (HOUR * 24 * 365, "y"),
        (HOUR * 24 * 30, "mo"),
        (HOUR * 24, "d"),
        (HOUR, "h"),
        (60, "m"),
        (1, "s"),
    ];
    let all = duration.0.unsigned_abs();
    for (seconds, name) in UNITS {
        let unit = seconds * time::duration::SECOND.unsigned_abs();
        if all > unit {
            return format!("{}{name}", all / unit);
        }
    }
    "0s".to_owned()
}
