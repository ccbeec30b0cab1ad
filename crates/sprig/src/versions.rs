//! `semver` and `semverCompare`, and what templates can ask of a version.

use std::any::Any;
use std::rc::Rc;

use gotmpl::{Data, Kind, Member, Object, Scope, Signature, Type, Value, Width};

use crate::arguments::{BOOL, INT, Row, TEXT, truth};
use crate::known::Known;
use crate::semver::{Constraint, Version};

const VERSION: Type = Type::Named("*semver.Version");
/// What the methods that give no pointer give.
const PLAIN_VERSION: Type = Type::Named("semver.Version");
const UINT64: Type = Type::Named("uint64");

pub(super) const ROWS: &[Row] = &[
    Row::new("semver", &[TEXT], VERSION, |_, all| {
        Version::parse(all.text(0)).map(|version| Versioned::Pointer(version).into_value())
    }),
    Row::new("semverCompare", &[TEXT; 2], BOOL, |scope, all| {
        let constraints = scope.templates().kept::<Known<Constraint>>();
        let constraint = constraints.get(all.text(0), Constraint::parse)?;
        truth(constraint.matches(&Version::parse(all.text(1))?))
    }),
];

/// A version as a value of a template.
enum Versioned {
    Pointer(Version),
    Plain(Version),
}

/// Methods of pointers alone.
const OF_POINTERS: [&str; 7] = [
    "Original",
    "Compare",
    "Equal",
    "LessThan",
    "LessThanEqual",
    "GreaterThan",
    "GreaterThanEqual",
];

/// Methods and what they take and give.
const METHODS: &[(&str, Signature<'static>)] = &[
    ("String", Signature::new(&[], Type::Text)),
    ("Original", Signature::new(&[], Type::Text)),
    ("Prerelease", Signature::new(&[], Type::Text)),
    ("Metadata", Signature::new(&[], Type::Text)),
    ("Major", Signature::new(&[], UINT64)),
    ("Minor", Signature::new(&[], UINT64)),
    ("Patch", Signature::new(&[], UINT64)),
    ("IncMajor", Signature::new(&[], PLAIN_VERSION)),
    ("IncMinor", Signature::new(&[], PLAIN_VERSION)),
    ("IncPatch", Signature::new(&[], PLAIN_VERSION)),
    ("SetPrerelease", Signature::new(&[TEXT], PLAIN_VERSION)),
    ("SetMetadata", Signature::new(&[TEXT], PLAIN_VERSION)),
    ("Compare", Signature::new(&[VERSION], INT)),
    ("Equal", Signature::new(&[VERSION], BOOL)),
    ("LessThan", Signature::new(&[VERSION], BOOL)),
    ("LessThanEqual", Signature::new(&[VERSION], BOOL)),
    ("GreaterThan", Signature::new(&[VERSION], BOOL)),
    ("GreaterThanEqual", Signature::new(&[VERSION], BOOL)),
];

impl Versioned {
    fn into_value(self) -> Value {
        Value::Object(Rc::new(self))
    }

    fn version(&self) -> &Version {
        match self {
            Versioned::Pointer(version) | Versioned::Plain(version) => version,
        }
    }
}

impl Object for Versioned {
    fn type_name(&self) -> String {
        match self {
            Versioned::Pointer(_) => "*semver.Version".to_owned(),
            Versioned::Plain(_) => "semver.Version".to_owned(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Versioned::Pointer(_) => Kind::Pointer,
            Versioned::Plain(_) => Kind::Struct,
        }
    }

    fn text(&self) -> Option<String> {
        Some(self.version().to_string())
    }

    fn data(&self) -> Data {
        Data::Text(self.version().to_string())
    }

    fn member(&self, name: &str) -> Option<Member> {
        let has_it = matches!(self, Versioned::Pointer(_)) || !OF_POINTERS.contains(&name);
        let (_, signature) = METHODS.iter().find(|(known, _)| has_it && *known == name)?;
        Some(Member::Method(*signature))
    }

    fn call(&self, _: &mut Scope<'_>, name: &str, given: &[Value]) -> Result<Value, String> {
        let version = self.version();
        let number = |number: u64| Value::Integer(number.into(), Width::Uint64);
        let plain = |version: Version| Versioned::Plain(version).into_value();
        Ok(match (name, given.first()) {
            ("Original", _) => Value::text(version.original()),
            ("Prerelease", _) => Value::text(version.prerelease()),
            ("Metadata", _) => Value::text(version.metadata()),
            ("Major", _) => number(version.major()),
            ("Minor", _) => number(version.minor()),
            ("Patch", _) => number(version.patch()),
            ("IncMajor", _) => plain(version.inc_major()),
            ("IncMinor", _) => plain(version.inc_minor()),
            ("IncPatch", _) => plain(version.inc_patch()),
            ("SetPrerelease", Some(Value::Text(text))) => plain(version.set_prerelease(text)?),
            ("SetMetadata", Some(Value::Text(text))) => plain(version.set_metadata(text)?),
            (_, Some(Value::Object(other))) => match other.as_any().downcast_ref::<Versioned>() {
                Some(other) => compared(name, version.cmp(other.version())),
                None => Value::Nil,
            },
            _ => Value::text(&version.to_string()),
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn compared(name: &str, order: std::cmp::Ordering) -> Value {
    Value::Bool(match name {
        "Equal" => order.is_eq(),
        "LessThan" => order.is_lt(),
        "LessThanEqual" => order.is_le(),
        "GreaterThan" => order.is_gt(),
        "GreaterThanEqual" => order.is_ge(),
        _ => return Value::int(order as i64),
    })
}
