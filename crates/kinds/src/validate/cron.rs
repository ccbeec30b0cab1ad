//! Schedules and time zones of CronJobs, as the cron library of the real server reads them.

use super::field::Field;
use crate::quoted;

/// The parts of a schedule: least and most, and the names of the numbers.
struct Bounds {
    least: u64,
    most: u64,
    names: &'static [&'static str],
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const FIELDS: [Bounds; 5] = [
    bounds(0, 59, &[]),
    bounds(0, 23, &[]),
    bounds(1, 31, &[]),
    bounds(1, 12, &MONTHS),
    bounds(0, 6, &DAYS),
];
const DESCRIPTORS: [&str; 7] = [
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
];

const fn bounds(least: u64, most: u64, names: &'static [&'static str]) -> Bounds {
    Bounds { least, most, names }
}

/// The names of the time zones that Go 1.25 brings along.
const ZONES: &str = include_str!("../../data/zones.txt");

pub(super) fn schedule(spec: &Field<'_, '_>) {
    let schedule = spec.get("schedule");
    if !schedule.require() {
        return;
    }
    if let Err(why) = parse(schedule.text()) {
        schedule.invalid(&why);
    }
    let had_zone = schedule
        .old()
        .and_then(yaml::Value::as_str)
        .is_some_and(|text| text.contains("TZ"));
    if !schedule.text().contains("TZ") {
        return;
    }
    if !had_zone {
        schedule.invalid("cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
    } else if spec.get("timeZone").is_set() {
        schedule.invalid("cannot use both timeZone field and TZ or CRON_TZ in schedule");
    }
}

pub(super) fn time_zone(zone: &Field<'_, '_>) {
    if !zone.is_set() {
        return;
    }
    let name = zone.text();
    if name.is_empty() {
        return zone.invalid("timeZone must be nil or non-empty string");
    }
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte);
    let is_part = |part: &str| {
        !matches!(part, "." | "..")
            && !part.starts_with('-')
            && (1..=14).contains(&part.len())
            && part.bytes().all(known)
    };
    let unknown = format!("unknown time zone {name}");
    if !name.split('/').all(is_part) {
        return zone.invalid(&unknown);
    }
    if name.eq_ignore_ascii_case("local") {
        zone.invalid(
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
        );
    }
    if !matches!(name, "UTC" | "Local") && !ZONES.lines().any(|zone| zone == name) {
        zone.invalid(&unknown);
    }
}

fn parse(schedule: &str) -> Result<(), String> {
    let mut rest = schedule;
    if let Some(zoned) = ["TZ=", "CRON_TZ="]
        .iter()
        .find_map(|mark| rest.strip_prefix(mark))
    {
        let Some((zone, after)) = zoned.split_once(' ') else {
            return Err(
                "invalid schedule format: runtime error: slice bounds out of range [:-1]"
                    .to_owned(),
            );
        };
        if !matches!(zone, "" | "UTC" | "Local") && !ZONES.lines().any(|known| known == zone) {
            return Err(format!(
                "provided bad location {zone}: unknown time zone {zone}"
            ));
        }
        rest = after.trim();
    }
    if rest.starts_with('@') {
        return descriptor(rest);
    }
    let fields: Vec<&str> = rest.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!(
            "expected exactly {} fields, found {}: [{}]",
            FIELDS.len(),
            fields.len(),
            fields.join(" ")
        ));
    }
    for (field, bounds) in fields.iter().zip(&FIELDS) {
        for expression in field.split(',').filter(|part| !part.is_empty()) {
            range(expression, bounds)?;
        }
    }
    Ok(())
}

fn descriptor(text: &str) -> Result<(), String> {
    if DESCRIPTORS.contains(&text) {
        return Ok(());
    }
    match text.strip_prefix("@every ") {
        Some(duration) => {
            go_duration(duration).map_err(|why| format!("failed to parse duration {text}: {why}"))
        }
        None => Err(format!("unrecognized descriptor: {text}")),
    }
}

/// Whether Go reads a text as a duration.
fn go_duration(text: &str) -> Result<(), String> {
    let invalid = || format!("time: invalid duration {}", quoted(text));
    let mut rest = text.trim_start_matches(['+', '-']);
    if rest == "0" {
        return Ok(());
    }
    if rest.is_empty() || text.len() - rest.len() > 1 {
        return Err(invalid());
    }
    while !rest.is_empty() {
        let number = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let digits = rest.len() - number.len();
        let has_digit = rest.bytes().take(digits).any(|byte| byte.is_ascii_digit());
        let dots = rest
            .bytes()
            .take(digits)
            .filter(|byte| *byte == b'.')
            .count();
        if !has_digit || dots > 1 {
            return Err(invalid());
        }
        let end = number
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(number.len());
        let (unit, after) = number.split_at(end);
        match unit {
            "" => return Err(format!("time: missing unit in duration {}", quoted(text))),
            "ns" | "us" | "µs" | "μs" | "ms" | "s" | "m" | "h" => rest = after,
            _ => {
                let (unit, text) = (quoted(unit), quoted(text));
                return Err(format!("time: unknown unit {unit} in duration {text}"));
            }
        }
    }
    Ok(())
}

/// `number | number "-" number [ "/" number ]`.
fn range(expression: &str, bounds: &Bounds) -> Result<(), String> {
    let parts: Vec<&str> = expression.split('/').collect();
    let limits: Vec<&str> = parts[0].split('-').collect();
    let star = matches!(limits[0], "*" | "?");
    let (start, mut end) = match limits.as_slice() {
        _ if star => (bounds.least, bounds.most),
        [one] => (number_or_name(one, bounds)?, number_or_name(one, bounds)?),
        [low, high] => (number_or_name(low, bounds)?, number_or_name(high, bounds)?),
        [low, ..] => {
            number_or_name(low, bounds)?;
            return Err(format!("too many hyphens: {expression}"));
        }
        [] => return Ok(()),
    };
    let step = match parts.as_slice() {
        [_] => 1,
        [_, step] => {
            let step = number(step)?;
            if limits.len() == 1 {
                end = bounds.most;
            }
            step
        }
        _ => return Err(format!("too many slashes: {expression}")),
    };
    let (least, most) = (bounds.least, bounds.most);
    let rules = [
        (
            start < least,
            format!("beginning of range ({start}) below minimum ({least})"),
        ),
        (
            end > most,
            format!("end of range ({end}) above maximum ({most})"),
        ),
        (
            start > end,
            format!("beginning of range ({start}) beyond end of range ({end})"),
        ),
        (
            step == 0,
            "step of range should be a positive number".to_owned(),
        ),
    ];
    match rules.into_iter().find(|(broken, _)| *broken) {
        Some((_, why)) => Err(format!("{why}: {expression}")),
        None => Ok(()),
    }
}

fn number_or_name(text: &str, bounds: &Bounds) -> Result<u64, String> {
    let name = text.to_lowercase();
    let index = bounds.names.iter().position(|known| *known == name);
    match index.and_then(|index| u64::try_from(index).ok()) {
        Some(index) => Ok(index + bounds.least),
        None => number(text),
    }
}

fn number(text: &str) -> Result<u64, String> {
    match text.parse::<i64>() {
        Ok(number) => u64::try_from(number)
            .map_err(|_negative| format!("negative number ({number}) not allowed: {text}")),
        Err(error) => {
            let large = matches!(
                error.kind(),
                std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow
            );
            let why = if large {
                "value out of range"
            } else {
                "invalid syntax"
            };
            let shown = quoted(text);
            Err(format!(
                "failed to parse int from {text}: strconv.Atoi: parsing {shown}: {why}"
            ))
        }
    }
}
