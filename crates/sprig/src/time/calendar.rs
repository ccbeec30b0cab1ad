//! The proleptic Gregorian calendar, in whole days since 1970.

/// What calendar and clock show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    /// From 1.
    pub(crate) month: i64,
    /// From 1.
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
}

const DAY: i64 = 86_400;
const DAYS_OF_FOUR_CENTURIES: i64 = 146_097;
/// Days from March of year 0 to 1970.
const DAYS_TO_1970: i64 = 719_468;

impl Civil {
    /// The date and time so many seconds after the start of 1970.
    pub(crate) fn of_seconds(seconds: i64) -> Self {
        let (days, rest) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        // Years begin in March here, so that a leap day is the last one of its year.
        let shifted = days + DAYS_TO_1970;
        let era = shifted.div_euclid(DAYS_OF_FOUR_CENTURIES);
        let day_of_era = shifted.rem_euclid(DAYS_OF_FOUR_CENTURIES);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        Civil {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            hour: rest / 3_600,
            minute: rest % 3_600 / 60,
            second: rest % 60,
        }
    }

    /// Seconds after the start of 1970; parts out of their range carry over, as in Go's `Date`.
    pub(crate) fn seconds(self) -> i64 {
        let months = self.month - 1;
        let year = self.year.saturating_add(months.div_euclid(12));
        let days = days_before(year, months.rem_euclid(12) + 1).saturating_add(self.day - 1);
        days.saturating_mul(DAY)
            .saturating_add(self.hour.saturating_mul(3_600))
            .saturating_add(self.minute.saturating_mul(60))
            .saturating_add(self.second)
    }

    /// The day of the week, from Sunday.
    pub(crate) fn weekday(self) -> i64 {
        let days = days_before(self.year, self.month) + self.day - 1;
        (days + 4).rem_euclid(7)
    }

    /// The day of the year, from 1.
    pub(crate) fn day_of_year(self) -> i64 {
        days_before(self.year, self.month) - days_before(self.year, 1) + self.day
    }
}

/// Days from 1970 to the start of a month.
fn days_before(year: i64, month: i64) -> i64 {
    let year = year.saturating_sub(i64::from(month <= 2));
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era.saturating_mul(DAYS_OF_FOUR_CENTURIES)
        .saturating_add(day_of_era - DAYS_TO_1970)
}

/// Whether a year has a leap day.
pub(crate) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// How many days a month has.
pub(crate) fn n_days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seconds: i64, want: (i64, i64, i64), weekday: i64) {
        let civil = Civil::of_seconds(seconds);
        assert_eq!((civil.year, civil.month, civil.day), want);
        assert_eq!(civil.seconds(), seconds);
        assert_eq!(civil.weekday(), weekday);
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        check(0, (1970, 1, 1), 4);
        check(-1, (1969, 12, 31), 3);
        check(1_709_214_306, (2024, 2, 29), 4);
        check(-62_135_596_800, (1, 1, 1), 1);
        check(1_609_459_200, (2021, 1, 1), 5);
    }
}
