//! Random texts and numbers, from the generator of the render.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use gotmpl::{Scope, Value};

use crate::arguments::{Answer, Arguments, INT, Row, TEXT, text};

const DIGITS: &str = "0123456789";
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BOTH: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// From the space to `~`.
const PRINTABLE: &str = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`\
                         abcdefghijklmnopqrstuvwxyz{|}~";

pub(super) const ROWS: &[Row] = &[
    Row::new("randAlphaNum", &[INT], TEXT, |scope, all| {
        characters(scope, all, BOTH)
    }),
    Row::new("randAlpha", &[INT], TEXT, |scope, all| {
        characters(scope, all, LETTERS)
    }),
    Row::new("randNumeric", &[INT], TEXT, |scope, all| {
        characters(scope, all, DIGITS)
    }),
    Row::new("randAscii", &[INT], TEXT, |scope, all| {
        characters(scope, all, PRINTABLE)
    }),
    Row::new("randBytes", &[INT], TEXT, |scope, all| {
        let size = usize::try_from(all.int(0))
            .map_err(|_| "runtime error: makeslice: len out of range")?;
        take(scope, size)?;
        let mut bytes = vec![0; size];
        scope.session().random().fill(&mut bytes);
        text(STANDARD.encode(bytes))
    }),
    Row::new("randInt", &[INT; 2], INT, random_int),
    Row::new("uuidv4", &[], TEXT, |scope, _| text(uuid(scope))),
];

/// Random bytes cost more than copied ones.
fn take(scope: &mut Scope<'_>, n_bytes: usize) -> Result<(), String> {
    scope.session().may_make(n_bytes)?;
    scope.session().take_steps(n_bytes as u64 / 4)
}

/// So many characters of a set; fewer than none are none, as goutils' error is swallowed.
fn characters(scope: &mut Scope<'_>, all: Arguments<'_>, set: &str) -> Answer {
    let size = usize::try_from(all.int(0)).unwrap_or(0);
    take(scope, size)?;
    let set = set.as_bytes();
    let random = scope.session().random();
    let chosen = (0..size).map(|_| {
        let place = usize::try_from(random.below(set.len() as u64)).unwrap_or(0);
        char::from(set[place])
    });
    text(chosen.collect::<String>())
}

fn random_int(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let (least, limit) = (all.int(0), all.int(1));
    let size = limit.wrapping_sub(least);
    let size = u64::try_from(size).ok().filter(|size| *size > 0);
    let size = size.ok_or("invalid argument to Intn")?;
    let step = i64::try_from(scope.session().random().below(size)).unwrap_or(0);
    Ok(Value::int(least.wrapping_add(step)))
}

fn uuid(scope: &mut Scope<'_>) -> String {
    let mut bytes = [0; 16];
    scope.session().random().fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = super::encodings::hex(&bytes);
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}
