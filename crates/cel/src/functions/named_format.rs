//! Formats by name: whether a text is a label, a date, a UUID, and why not.

use base64::Engine as _;

use super::{Done, no_overload, url};
use crate::value::{Opaque, Val};
use crate::{go_time, regexp};

/// A named format: how it is checked.
#[derive(Debug, PartialEq)]
pub struct Format {
    name: &'static str,
    rule: Rule,
}

#[derive(Debug, PartialEq)]
enum Rule {
    /// A pattern that the whole text matches, the longest length, and what is said otherwise. A
    /// prefix may end with a dash, which generated names do.
    Pattern {
        pattern: &'static str,
        longest: usize,
        message: &'static str,
        is_prefix: bool,
    },
    Uri,
    Byte,
    Date,
    DateTime,
}

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const LABEL_MESSAGE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric \
    characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or \
    '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const SUBDOMAIN_MESSAGE: &str = "a lowercase RFC 1123 subdomain must consist of lower case \
    alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character \
    (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_1035: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const LABEL_1035_MESSAGE: &str = "a DNS-1035 label must consist of lower case alphanumeric \
    characters or '-', start with an alphabetic character, and end with an alphanumeric character \
    (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const QUALIFIED_MESSAGE: &str = "name part must consist of alphanumeric characters, '-', '_' or \
    '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or \
    '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";
const VALUE_MESSAGE: &str = "a valid label must be an empty string or consist of alphanumeric \
    characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. \
    'MyValue',  or 'my_value',  or '12345', regex used for validation is \
    '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const UUID: &str = "(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}";

const fn pattern(
    name: &'static str,
    pattern: &'static str,
    longest: usize,
    message: &'static str,
) -> Format {
    Format {
        name,
        rule: Rule::Pattern {
            pattern,
            longest,
            message,
            is_prefix: false,
        },
    }
}

const fn prefix(name: &'static str, of: &'static Format) -> Format {
    let Rule::Pattern {
        pattern,
        longest,
        message,
        ..
    } = of.rule
    else {
        unreachable!()
    };
    Format {
        name,
        rule: Rule::Pattern {
            pattern,
            longest,
            message,
            is_prefix: true,
        },
    }
}

const fn simple(name: &'static str, rule: Rule) -> Format {
    Format { name, rule }
}

static DNS1123_LABEL: Format = pattern("dns1123Label", LABEL, 63, LABEL_MESSAGE);
static DNS1123_SUBDOMAIN: Format = pattern("dns1123Subdomain", SUBDOMAIN, 253, SUBDOMAIN_MESSAGE);
static DNS1035_LABEL: Format = pattern("dns1035Label", LABEL_1035, 63, LABEL_1035_MESSAGE);
static QUALIFIED_NAME: Format = pattern("qualifiedName", QUALIFIED, 63, QUALIFIED_MESSAGE);
static DNS1123_LABEL_PREFIX: Format = prefix("dns1123LabelPrefix", &DNS1123_LABEL);
static DNS1123_SUBDOMAIN_PREFIX: Format = prefix("dns1123SubdomainPrefix", &DNS1123_SUBDOMAIN);
static DNS1035_LABEL_PREFIX: Format = prefix("dns1035LabelPrefix", &DNS1035_LABEL);
static LABEL_VALUE: Format = pattern("labelValue", VALUE, 63, VALUE_MESSAGE);
static URI: Format = simple("uri", Rule::Uri);
static UUID_FORMAT: Format = pattern("uuid", UUID, usize::MAX, "does not match the UUID format");
static BYTE: Format = simple("byte", Rule::Byte);
static DATE: Format = simple("date", Rule::Date);
static DATETIME: Format = simple("datetime", Rule::DateTime);

static ALL: [&Format; 13] = [
    &DNS1123_LABEL,
    &DNS1123_SUBDOMAIN,
    &DNS1035_LABEL,
    &QUALIFIED_NAME,
    &DNS1123_LABEL_PREFIX,
    &DNS1123_SUBDOMAIN_PREFIX,
    &DNS1035_LABEL_PREFIX,
    &LABEL_VALUE,
    &URI,
    &UUID_FORMAT,
    &BYTE,
    &DATE,
    &DATETIME,
];

impl Format {
    fn problems(&self, text: &str) -> Vec<String> {
        let one = |fits: bool, message: &str| {
            if fits {
                Vec::new()
            } else {
                vec![message.to_owned()]
            }
        };
        match &self.rule {
            Rule::Pattern {
                pattern,
                longest,
                message,
                is_prefix,
            } => {
                let mut problems = Vec::new();
                if text.len() > *longest {
                    problems.push(format!("must be no more than {longest} bytes"));
                }
                // A prefix may end with a dash: it is looked at as if a letter followed.
                let whole = match text.strip_suffix('-') {
                    Some(start) if *is_prefix => format!("{start}a"),
                    _ => text.to_owned(),
                };
                let fits = regexp::compile(&format!("^(?:{pattern})$"))
                    .is_ok_and(|pattern| pattern.is_match(&whole));
                if !fits {
                    problems.push((*message).to_owned());
                }
                problems
            }
            Rule::Uri => match url::parse(text) {
                Ok(_) => Vec::new(),
                Err(why) => vec![why],
            },
            Rule::Byte => {
                let decoded = base64::engine::general_purpose::STANDARD.decode(text);
                one(decoded.is_ok(), "invalid base64")
            }
            Rule::Date => one(go_time::parse_date(text).is_some(), "invalid date"),
            Rule::DateTime => one(go_time::parse_timestamp(text).is_some(), "invalid datetime"),
        }
    }
}

fn made<'a>(format: &'static Format) -> Done<'a> {
    Ok(Val::Opaque(Opaque::Format(format)))
}

pub(crate) fn named<'a>(args: &[Val<'a>]) -> Done<'a> {
    let [Val::String(name)] = args else {
        return no_overload();
    };
    let found = ALL.iter().find(|format| *name == *format.name);
    let found = found.map(|format| Box::new(Val::Opaque(Opaque::Format(format))));
    Ok(Val::Optional(found))
}

pub(crate) fn validate<'a>(args: &[Val<'a>]) -> Done<'a> {
    let [Val::Opaque(Opaque::Format(format)), Val::String(text)] = args else {
        return no_overload();
    };
    let problems = format.problems(text);
    if problems.is_empty() {
        return Ok(Val::Optional(None));
    }
    let problems = problems.iter().map(|problem| Val::text(problem)).collect();
    Ok(Val::some(Val::list(problems)))
}

pub(crate) fn dns1123_label<'a>(_args: &[Val<'a>]) -> Done<'a> {
    made(&DNS1123_LABEL)
}

pub(crate) fn dns1123_subdomain<'a>(_args: &[Val<'a>]) -> Done<'a> {
    made(&DNS1123_SUBDOMAIN)
}

pub(crate) fn dns1035_label<'a>(_args: &[Val<'a>]) -> Done<'a> {
    made(&DNS1035_LABEL)
}

pub(crate) fn qualified_name<'a>(_args: &[Val<'a>]) -> Done<'a> {
    made(&QUALIFIED_NAME)
}

pub(crate) fn dns1123_label_prefix<'a>(_args: &[Val<'a>]) -> Done<'a> {
    made(&DNS1123_LABEL_PREFIX)
}

pub(crate) fn dns1123_subdomain_prefix<'a>(_args: &[Val<'a>]) -> Done<'a> {
    made(&DNS1123_SUBDOMAIN_PREFIX)
}

pub(crate) fn dns1035_label_prefix<'a>(_args: &[Val<'a>]) -> Done<'a> {
    made(&DNS1035_LABEL_PREFIX)
}

pub(crate) fn label_value<'a>(_args: &[Val<'a>]) -> Done<'a> {
    made(&LABEL_VALUE)
}

pub(crate) fn uri<'a>(_args: &[Val<'a>]) -> Done<'a> {
    made(&URI)
}

pub(crate) fn uuid<'a>(_args: &[Val<'a>]) -> Done<'a> {
    made(&UUID_FORMAT)
}

pub(crate) fn byte<'a>(_args: &[Val<'a>]) -> Done<'a> {
    made(&BYTE)
}

pub(crate) fn date<'a>(_args: &[Val<'a>]) -> Done<'a> {
    made(&DATE)
}

pub(crate) fn datetime<'a>(_args: &[Val<'a>]) -> Done<'a> {
    made(&DATETIME)
}
