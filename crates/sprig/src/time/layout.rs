//! Layouts: `2006-01-02` and the like, cut into their parts. Read [`next`].

/// A part of a layout that stands for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperPm,
    LowerPm,
    ZoneName,
    Zone(ZoneForm),
    /// So many digits behind this separator.
    Fraction {
        n_digits: usize,
        separator: u8,
        is_trimmed: bool,
    },
}

/// How a numeric zone is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ZoneForm {
    /// `Z` stands for UTC.
    pub(crate) has_z: bool,
    pub(crate) has_colons: bool,
    pub(crate) has_minutes: bool,
    pub(crate) has_seconds: bool,
}

const HOURS: ZoneForm = ZoneForm {
    has_z: false,
    has_colons: false,
    has_minutes: false,
    has_seconds: false,
};
const MINUTES: ZoneForm = ZoneForm {
    has_minutes: true,
    ..HOURS
};
const SECONDS: ZoneForm = ZoneForm {
    has_seconds: true,
    ..MINUTES
};

const fn zone(form: ZoneForm) -> Part {
    Part::Zone(form)
}

const fn colons(form: ZoneForm) -> Part {
    Part::Zone(ZoneForm {
        has_colons: true,
        ..form
    })
}

const fn z(form: ZoneForm) -> ZoneForm {
    ZoneForm {
        has_z: true,
        ..form
    }
}

/// Words of layouts; of two that fit the first one is meant.
const WORDS: &[(&str, Part)] = &[
    ("January", Part::LongMonth),
    ("Jan", Part::Month),
    ("Monday", Part::LongWeekday),
    ("Mon", Part::Weekday),
    ("MST", Part::ZoneName),
    ("01", Part::ZeroMonth),
    ("02", Part::ZeroDay),
    ("03", Part::ZeroHour12),
    ("04", Part::ZeroMinute),
    ("05", Part::ZeroSecond),
    ("06", Part::Year),
    ("002", Part::ZeroYearDay),
    ("15", Part::Hour),
    ("1", Part::NumMonth),
    ("2006", Part::LongYear),
    ("2", Part::Day),
    ("_2", Part::UnderDay),
    ("__2", Part::UnderYearDay),
    ("3", Part::Hour12),
    ("4", Part::Minute),
    ("5", Part::Second),
    ("PM", Part::UpperPm),
    ("pm", Part::LowerPm),
    ("-070000", zone(SECONDS)),
    ("-07:00:00", colons(SECONDS)),
    ("-0700", zone(MINUTES)),
    ("-07:00", colons(MINUTES)),
    ("-07", zone(HOURS)),
    ("Z070000", zone(z(SECONDS))),
    ("Z07:00:00", colons(z(SECONDS))),
    ("Z0700", zone(z(MINUTES))),
    ("Z07:00", colons(z(MINUTES))),
    ("Z07", zone(z(HOURS))),
];

/// The text before the next part, the part with its text, and what is behind it.
pub(crate) fn next(layout: &str) -> (&str, Option<(Part, &str)>, &str) {
    for at in layout.char_indices().map(|(at, _)| at) {
        let rest = &layout[at..];
        if let Some((part, size)) = part(rest) {
            // In `_2006` the line is only a line.
            let at = if rest.starts_with("_2006") {
                at + 1
            } else {
                at
            };
            let end = at + size;
            return (
                &layout[..at],
                Some((part, &layout[at..end])),
                &layout[end..],
            );
        }
    }
    (layout, None, "")
}

/// The part that a text begins with, and its length.
fn part(rest: &str) -> Option<(Part, usize)> {
    if rest.starts_with("_2006") {
        return Some((Part::LongYear, 4));
    }
    if rest.starts_with(['.', ',']) {
        return fraction(rest.as_bytes());
    }
    let fits = |(word, part): &&(&str, Part)| {
        let behind = rest.strip_prefix(word);
        behind.is_some_and(|behind| match part {
            Part::Month | Part::Weekday => !behind.starts_with(|it: char| it.is_ascii_lowercase()),
            _ => true,
        })
    };
    let (word, part) = WORDS.iter().find(fits)?;
    Some((*part, word.len()))
}

/// A fraction of a second: only if its zeros or nines are all digits that follow.
fn fraction(rest: &[u8]) -> Option<(Part, usize)> {
    let (separator, digits) = rest.split_first()?;
    let digit = *digits
        .first()
        .filter(|digit| matches!(digit, b'0' | b'9'))?;
    let n_digits = digits.iter().take_while(|it| **it == digit).count();
    if digits.get(n_digits).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let part = Part::Fraction {
        n_digits,
        separator: *separator,
        is_trimmed: digit == b'9',
    };
    Some((part, n_digits + 1))
}
