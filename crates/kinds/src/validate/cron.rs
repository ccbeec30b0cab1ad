//! Schedules and time zones of CronJobs, as the cron library of the real server reads them.

use manifest::schedule::{self, Schedule};

use super::field::Field;

pub(super) fn schedule(spec: &Field<'_, '_>) {
    let schedule = spec.get("schedule");
    if !schedule.require() {
        return;
    }
    if let Err(why) = Schedule::parse(schedule.text()) {
        schedule.invalid(&why.to_string());
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
    if schedule::time_zone(name).is_none() {
        zone.invalid(&unknown);
    }
}
