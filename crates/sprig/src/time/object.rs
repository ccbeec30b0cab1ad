//! What templates can ask of a time: the methods of Go's `time.Time`.

use std::any::Any;
use std::cmp::Ordering;
use std::rc::Rc;

use gotmpl::{Data, Kind, Member, Object, Scope, Signature, Type, Value};

use crate::time::calendar::Civil;
use crate::time::duration::DURATION;
use crate::time::format::{MONTHS, PLAIN, RFC3339_NANO, WEEKDAYS};
use crate::time::{Duration, Time, Zone};

/// Its type, as parameters name it.
pub(crate) const TIME: Type = Type::Named("time.Time");
const MONTH: Type = Type::Named("time.Month");
const WEEKDAY: Type = Type::Named("time.Weekday");
const LOCATION: Type = Type::Named("*time.Location");
const INT: Type = Type::Int;

/// Methods and what they take and give. Those with several results cannot be called from templates.
const METHODS: &[(&str, Signature<'static>)] = &[
    ("String", Signature::new(&[], Type::Text)),
    ("GoString", Signature::new(&[], Type::Text)),
    ("Format", Signature::new(&[Type::Text], Type::Text)),
    ("Year", Signature::new(&[], INT)),
    ("Month", Signature::new(&[], MONTH)),
    ("Day", Signature::new(&[], INT)),
    ("Weekday", Signature::new(&[], WEEKDAY)),
    ("YearDay", Signature::new(&[], INT)),
    ("Hour", Signature::new(&[], INT)),
    ("Minute", Signature::new(&[], INT)),
    ("Second", Signature::new(&[], INT)),
    ("Nanosecond", Signature::new(&[], INT)),
    ("Unix", Signature::new(&[], Type::Int64)),
    ("UnixMilli", Signature::new(&[], Type::Int64)),
    ("UnixMicro", Signature::new(&[], Type::Int64)),
    ("UnixNano", Signature::new(&[], Type::Int64)),
    ("IsZero", Signature::new(&[], Type::Bool)),
    ("IsDST", Signature::new(&[], Type::Bool)),
    ("UTC", Signature::new(&[], TIME)),
    ("Local", Signature::new(&[], TIME)),
    ("Location", Signature::new(&[], LOCATION)),
    ("In", Signature::new(&[LOCATION], TIME)),
    ("Add", Signature::new(&[DURATION], TIME)),
    ("Sub", Signature::new(&[TIME], DURATION)),
    ("AddDate", Signature::new(&[INT; 3], TIME)),
    ("Round", Signature::new(&[DURATION], TIME)),
    ("Truncate", Signature::new(&[DURATION], TIME)),
    ("After", Signature::new(&[TIME], Type::Bool)),
    ("Before", Signature::new(&[TIME], Type::Bool)),
    ("Equal", Signature::new(&[TIME], Type::Bool)),
    ("Compare", Signature::new(&[TIME], INT)),
];

impl Object for Time {
    fn type_name(&self) -> String {
        "time.Time".to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn text(&self) -> Option<String> {
        Some(self.format(PLAIN))
    }

    fn data(&self) -> Data {
        Data::Text(self.format(RFC3339_NANO))
    }

    fn member(&self, name: &str) -> Option<Member> {
        let (_, signature) = METHODS.iter().find(|(known, _)| *known == name)?;
        Some(Member::Method(*signature))
    }

    fn call(&self, _: &mut Scope<'_>, name: &str, given: &[Value]) -> Result<Value, String> {
        match given {
            [] => Ok(self.told(name)),
            _ => Ok(self.computed(name, given)),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Time {
    /// What a method without arguments gives.
    fn told(&self, name: &str) -> Value {
        let civil = self.civil();
        let scaled = |per_second: i64| {
            let fine = i64::from(self.nanoseconds) / (1_000_000_000 / per_second);
            Value::int64(self.seconds.wrapping_mul(per_second).wrapping_add(fine))
        };
        match name {
            "Year" => Value::int(civil.year),
            "Month" => Named::value(
                "time.Month",
                civil.month,
                MONTHS.get(place(civil.month - 1)),
            ),
            "Day" => Value::int(civil.day),
            "Weekday" => {
                let day = civil.weekday();
                Named::value("time.Weekday", day, WEEKDAYS.get(place(day)))
            }
            "YearDay" => Value::int(civil.day_of_year()),
            "Hour" => Value::int(civil.hour),
            "Minute" => Value::int(civil.minute),
            "Second" => Value::int(civil.second),
            "Nanosecond" => Value::int(self.nanoseconds.into()),
            "Unix" => Value::int64(self.seconds),
            "UnixMilli" => scaled(1_000),
            "UnixMicro" => scaled(1_000_000),
            "UnixNano" => scaled(1_000_000_000),
            "IsZero" => Value::Bool(self.moment() == Time::zero().moment()),
            "IsDST" => Value::Bool(self.zone.offset(self.seconds).is_summer),
            "UTC" => self.within(Zone::Utc).into_value(),
            "Local" => self.within(Zone::Local).into_value(),
            "Location" => Value::Object(Rc::new(self.zone.clone())),
            _ => Value::text(&self.format(PLAIN)),
        }
    }

    /// What a method makes of its arguments.
    fn computed(&self, name: &str, given: &[Value]) -> Value {
        let first = given.first().unwrap_or(&Value::Nil);
        let duration = Duration::of_value(first).unwrap_or(Duration(0));
        let order = Time::of_value(first).map(|other| self.moment().cmp(&other.moment()));
        let int = |at: usize| match given.get(at) {
            Some(Value::Integer(number, _)) => i64::try_from(*number).unwrap_or(0),
            _ => 0,
        };
        match (name, first) {
            ("Format", Value::Text(layout)) => Value::text(&self.format(layout)),
            ("Add", _) => self.add(duration).into_value(),
            ("AddDate", _) => self.add_date(int(0), int(1), int(2)).into_value(),
            ("Truncate", _) => self.add(Duration(-self.beyond(duration))).into_value(),
            ("Round", _) => {
                let beyond = self.beyond(duration);
                let is_less = beyond.saturating_mul(2) < duration.0;
                let by = if is_less {
                    -beyond
                } else {
                    duration.0 - beyond
                };
                self.add(Duration(by)).into_value()
            }
            ("Sub", _) => match Time::of_value(first) {
                Some(other) => self.since(other).into_value(),
                None => Duration(0).into_value(),
            },
            ("After", _) => Value::Bool(order.is_some_and(Ordering::is_gt)),
            ("Before", _) => Value::Bool(order.is_some_and(Ordering::is_lt)),
            ("Equal", _) => Value::Bool(order.is_some_and(Ordering::is_eq)),
            ("Compare", _) => Value::int(order.map_or(0, |it| it as i64)),
            ("In", Value::Object(zone)) => match zone.as_any().downcast_ref::<Zone>() {
                Some(zone) => self.within(zone.clone()).into_value(),
                None => self.clone().into_value(),
            },
            _ => Value::Nil,
        }
    }

    /// The moment, whatever the zone.
    fn moment(&self) -> (i64, u32) {
        (self.seconds, self.nanoseconds)
    }

    /// Years, months and days later; days that a month does not have carry over.
    fn add_date(&self, years: i64, months: i64, days: i64) -> Self {
        let civil = self.civil();
        let shown = Civil {
            year: civil.year.saturating_add(years),
            month: civil.month.saturating_add(months),
            day: civil.day.saturating_add(days),
            ..civil
        };
        Time {
            seconds: self.zone.moment(shown.seconds()),
            ..self.clone()
        }
    }

    /// Nanoseconds behind the last multiple of a duration since year 1.
    fn beyond(&self, duration: Duration) -> i64 {
        if duration.0 <= 0 {
            return 0;
        }
        let seconds = i128::from(self.seconds) - i128::from(Time::zero().seconds);
        let all = seconds * 1_000_000_000 + i128::from(self.nanoseconds);
        i64::try_from(all.rem_euclid(i128::from(duration.0))).unwrap_or(0)
    }
}

fn place(number: i64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A named integer with a text: a month or a day of the week.
struct Named {
    type_name: &'static str,
    number: i64,
    text: &'static str,
}

impl Named {
    fn value(type_name: &'static str, number: i64, text: Option<&&'static str>) -> Value {
        Value::Object(Rc::new(Named {
            type_name,
            number,
            text: text.copied().unwrap_or_default(),
        }))
    }
}

impl Object for Named {
    fn type_name(&self) -> String {
        self.type_name.to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Int
    }

    fn text(&self) -> Option<String> {
        Some(self.text.to_owned())
    }

    fn data(&self) -> Data {
        Data::Value(Value::int(self.number))
    }

    fn member(&self, name: &str) -> Option<Member> {
        let method = Member::Method(Signature::new(&[], Type::Text));
        (name == "String").then_some(method)
    }

    fn call(&self, _: &mut Scope<'_>, _: &str, _: &[Value]) -> Result<Value, String> {
        Ok(Value::text(self.text))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Object for Zone {
    fn type_name(&self) -> String {
        "*time.Location".to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Pointer
    }

    fn text(&self) -> Option<String> {
        Some(self.name().to_owned())
    }

    fn data(&self) -> Data {
        Data::Fields(Vec::new())
    }

    fn member(&self, name: &str) -> Option<Member> {
        let method = Member::Method(Signature::new(&[], Type::Text));
        (name == "String").then_some(method)
    }

    fn call(&self, _: &mut Scope<'_>, _: &str, _: &[Value]) -> Result<Value, String> {
        Ok(Value::text(self.name()))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
