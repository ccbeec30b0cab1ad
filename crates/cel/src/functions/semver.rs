//! Semantic versions.

use std::cmp::Ordering;

use super::{Done, no_overload};
use crate::eval::EvalError;
use crate::value::{Opaque, Val};

/// A version; what stands behind `+` has no meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Semver {
    numbers: [u64; 3],
    pre: Vec<String>,
}

impl Ord for Semver {
    fn cmp(&self, other: &Self) -> Ordering {
        let pre = match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => identifiers(&self.pre, &other.pre),
        };
        self.numbers.cmp(&other.numbers).then(pre)
    }
}

impl PartialOrd for Semver {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn identifiers(one: &[String], other: &[String]) -> Ordering {
    for (one, other) in one.iter().zip(other) {
        let order = match (one.parse::<u64>(), other.parse::<u64>()) {
            (Ok(one), Ok(other)) => one.cmp(&other),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => one.cmp(other),
        };
        if order.is_ne() {
            return order;
        }
    }
    one.len().cmp(&other.len())
}

fn parse(text: &str) -> Result<Semver, String> {
    let text = text.split_once('+').map_or(text, |(text, _)| text);
    let (core, pre) = text.split_once('-').unwrap_or((text, ""));
    let parts: Vec<&str> = core.split('.').collect();
    let [major, minor, patch] = parts.as_slice() else {
        return Err("No Major.Minor.Patch elements found".to_owned());
    };
    let number = |part: &str, name: &str| {
        if part.len() > 1 && part.starts_with('0') {
            return Err(format!(
                "{name} number must not contain leading zeroes {part:?}"
            ));
        }
        part.parse::<u64>()
            .ok()
            .filter(|_| part.bytes().all(|byte| byte.is_ascii_digit()))
            .ok_or_else(|| {
                format!(
                    "Invalid character(s) found in {} number {part:?}",
                    name.to_lowercase()
                )
            })
    };
    let pre: Vec<String> = if pre.is_empty() {
        Vec::new()
    } else {
        pre.split('.').map(str::to_owned).collect()
    };
    if pre.iter().any(String::is_empty) {
        return Err("Prerelease is empty".to_owned());
    }
    Ok(Semver {
        numbers: [
            number(major, "Major")?,
            number(minor, "Minor")?,
            number(patch, "Patch")?,
        ],
        pre,
    })
}

/// `v1.2` as `1.2.0`.
fn normalize(text: &str) -> String {
    let text = text.strip_prefix('v').unwrap_or(text);
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (core, rest) = text.split_at(end);
    let mut parts: Vec<String> = core
        .split('.')
        .map(|part| {
            let trimmed = part.trim_start_matches('0');
            if trimmed.is_empty() { "0" } else { trimmed }.to_owned()
        })
        .collect();
    while parts.len() < 3 {
        parts.push("0".to_owned());
    }
    format!("{}{rest}", parts.join("."))
}

fn read(args: &[Val<'_>]) -> Result<Result<Semver, String>, EvalError> {
    match args {
        [Val::String(text)] | [Val::String(text), Val::Bool(false)] => Ok(parse(text)),
        [Val::String(text), Val::Bool(true)] => Ok(parse(&normalize(text))),
        _ => Err(EvalError::no_overload()),
    }
}

pub(crate) fn semver<'a>(args: &[Val<'a>]) -> Done<'a> {
    read(args)?
        .map(|version| Val::Opaque(Opaque::Semver(version)))
        .map_err(EvalError::new)
}

pub(crate) fn is_semver<'a>(args: &[Val<'a>]) -> Done<'a> {
    Ok(Val::Bool(read(args)?.is_ok()))
}

fn number<'a>(args: &[Val<'a>], index: usize) -> Done<'a> {
    match args {
        [Val::Opaque(Opaque::Semver(version))] => {
            let number = i64::try_from(version.numbers[index]);
            Ok(Val::Int(number.unwrap_or(i64::MAX)))
        }
        _ => no_overload(),
    }
}

pub(crate) fn major<'a>(args: &[Val<'a>]) -> Done<'a> {
    number(args, 0)
}

pub(crate) fn minor<'a>(args: &[Val<'a>]) -> Done<'a> {
    number(args, 1)
}

pub(crate) fn patch<'a>(args: &[Val<'a>]) -> Done<'a> {
    number(args, 2)
}
