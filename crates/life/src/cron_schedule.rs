//! When a CronJob is due: its schedule, by the clocks of its time zone.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use manifest::schedule::{Schedule, time_zone};

/// A schedule with the clocks that it follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ZonedSchedule {
    schedule: Schedule,
    zone: TimeZone,
}

/// Reads a schedule in a time zone; `None` for one that the API server would have refused. Old
/// objects may have the zone in the schedule, as `TZ=` or `CRON_TZ=`.
pub(crate) fn parse(text: &str, zone: &str) -> Option<ZonedSchedule> {
    Some(ZonedSchedule {
        schedule: Schedule::parse(text.trim()).ok()?,
        zone: time_zone(zone)?,
    })
}

impl ZonedSchedule {
    /// The first due time after `time`; `None` when it never comes.
    pub(crate) fn after(&self, time: Timestamp) -> Option<Timestamp> {
        self.schedule.after(time, &self.zone)
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
