//! Text.

use super::{Done, count, lists, no_overload};
use crate::eval::EvalError;
use crate::regexp;
use crate::value::Val;

/// Results of functions that repeat text are no longer than this.
const MAX_TEXT: usize = 8 << 20;

fn text<'a>(text: impl AsRef<str>) -> Done<'a> {
    if text.as_ref().len() > MAX_TEXT {
        return Err(EvalError::new(format!("text exceeds {MAX_TEXT} bytes")));
    }
    Ok(Val::text(text.as_ref()))
}

fn texts<'a, T: AsRef<str>>(parts: impl IntoIterator<Item = T>) -> Done<'a> {
    Ok(Val::list(
        parts
            .into_iter()
            .map(|part| Val::text(part.as_ref()))
            .collect(),
    ))
}

fn test<'a>(args: &[Val<'a>], holds: fn(&str, &str) -> bool) -> Done<'a> {
    match args {
        [Val::String(text), Val::String(other)] => Ok(Val::Bool(holds(text, other))),
        _ => no_overload(),
    }
}

pub(crate) fn contains<'a>(args: &[Val<'a>]) -> Done<'a> {
    test(args, |text, part| text.contains(part))
}

pub(crate) fn starts_with<'a>(args: &[Val<'a>]) -> Done<'a> {
    test(args, |text, part| text.starts_with(part))
}

pub(crate) fn ends_with<'a>(args: &[Val<'a>]) -> Done<'a> {
    test(args, |text, part| text.ends_with(part))
}

pub(crate) fn matches<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::String(text), Val::String(pattern)] => {
            Ok(Val::Bool(pattern_of(pattern)?.is_match(text)))
        }
        _ => no_overload(),
    }
}

fn pattern_of(pattern: &str) -> Result<regex::Regex, EvalError> {
    regexp::compile(pattern).map_err(EvalError::new)
}

pub(crate) fn find<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::String(from), Val::String(pattern)] => {
            let pattern = pattern_of(pattern)?;
            text(pattern.find(from).map_or("", |found| found.as_str()))
        }
        _ => no_overload(),
    }
}

pub(crate) fn find_all<'a>(args: &[Val<'a>]) -> Done<'a> {
    let (from, pattern, limit) = match args {
        [Val::String(from), Val::String(pattern)] => (from, pattern, usize::MAX),
        [Val::String(from), Val::String(pattern), Val::Int(limit)] => {
            (from, pattern, usize::try_from(*limit).unwrap_or(usize::MAX))
        }
        _ => return no_overload(),
    };
    let pattern = pattern_of(pattern)?;
    texts(
        pattern
            .find_iter(from)
            .take(limit)
            .map(|found| found.as_str()),
    )
}

fn out_of_range<'a>(index: i64) -> Done<'a> {
    Err(EvalError::new(format!("index out of range: {index}")))
}

pub(crate) fn char_at<'a>(args: &[Val<'a>]) -> Done<'a> {
    let [Val::String(from), Val::Int(index)] = args else {
        return no_overload();
    };
    let length = from.chars().count();
    match usize::try_from(*index) {
        Ok(at) if at == length => text(""),
        Ok(at) if at < length => text(from.chars().skip(at).take(1).collect::<String>()),
        _ => out_of_range(*index),
    }
}

/// Where a text stands in another, counted in characters; searched in the window by `start`.
fn position<'a>(args: &[Val<'a>], is_last: bool) -> Done<'a> {
    let (from, part, start) = match args {
        [Val::String(from), Val::String(part)] => (from, part, None),
        [Val::String(from), Val::String(part), Val::Int(start)] => (from, part, Some(*start)),
        _ => return lists::position(args, is_last),
    };
    let (letters, part): (Vec<char>, Vec<char>) = (from.chars().collect(), part.chars().collect());
    let bound = match start.map(usize::try_from) {
        None => None,
        Some(Ok(at)) if at <= letters.len() => Some(at),
        _ => return out_of_range(start.unwrap_or_default()),
    };
    let last = letters.len().checked_sub(part.len());
    let Some(last) = last else {
        return Ok(Val::Int(-1));
    };
    let fits = |at: &usize| letters[*at..].starts_with(&part);
    let found = if is_last {
        (0..=bound.unwrap_or(last).min(last)).rev().find(fits)
    } else {
        (bound.unwrap_or(0)..=last).find(fits)
    };
    Ok(found.map_or(Val::Int(-1), count))
}

pub(crate) fn index_of<'a>(args: &[Val<'a>]) -> Done<'a> {
    position(args, false)
}

pub(crate) fn last_index_of<'a>(args: &[Val<'a>]) -> Done<'a> {
    position(args, true)
}

pub(crate) fn lower_ascii<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::String(from)] => text(from.to_ascii_lowercase()),
        _ => no_overload(),
    }
}

pub(crate) fn upper_ascii<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::String(from)] => text(from.to_ascii_uppercase()),
        _ => no_overload(),
    }
}

pub(crate) fn replace<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::String(from), Val::String(old), Val::String(new)] => {
            text(from.replace(old.as_str(), new))
        }
        [
            Val::String(from),
            Val::String(old),
            Val::String(new),
            Val::Int(limit),
        ] => match usize::try_from(*limit) {
            Ok(limit) => text(from.replacen(old.as_str(), new, limit)),
            Err(_) => text(from.replace(old.as_str(), new)),
        },
        _ => no_overload(),
    }
}

pub(crate) fn split<'a>(args: &[Val<'a>]) -> Done<'a> {
    let (from, by, limit) = match args {
        [Val::String(from), Val::String(by)] => (from, by, usize::MAX),
        [Val::String(from), Val::String(by), Val::Int(limit)] => {
            (from, by, usize::try_from(*limit).unwrap_or(usize::MAX))
        }
        _ => return no_overload(),
    };
    if by.is_empty() {
        let letters: Vec<String> = from.chars().map(String::from).collect();
        let kept = letters.len().min(limit.saturating_sub(1));
        let (head, tail) = letters.split_at(kept);
        let rest = (!tail.is_empty()).then(|| tail.concat());
        return texts(head.iter().cloned().chain(rest.filter(|_| limit > 0)));
    }
    texts(from.splitn(limit, by.as_str()))
}

pub(crate) fn substring<'a>(args: &[Val<'a>]) -> Done<'a> {
    let (from, start, end) = match args {
        [Val::String(from), Val::Int(start)] => (from, *start, None),
        [Val::String(from), Val::Int(start), Val::Int(end)] => (from, *start, Some(*end)),
        _ => return no_overload(),
    };
    let length = i64::try_from(from.chars().count()).unwrap_or(i64::MAX);
    let stop = end.unwrap_or(length);
    if start > stop {
        let message = format!("invalid substring range. start: {start}, end: {stop}");
        return Err(EvalError::new(message));
    }
    if !(0..=length).contains(&start) {
        return out_of_range(start);
    }
    if !(0..=length).contains(&stop) {
        return out_of_range(stop);
    }
    let (skip, take) = (usize::try_from(start), usize::try_from(stop - start));
    let letters = from.chars().skip(skip.unwrap_or_default());
    text(letters.take(take.unwrap_or_default()).collect::<String>())
}

pub(crate) fn trim<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::String(from)] => text(from.trim()),
        _ => no_overload(),
    }
}

pub(crate) fn join<'a>(args: &[Val<'a>]) -> Done<'a> {
    let (list, by) = match args {
        [Val::List(list)] => (list, ""),
        [Val::List(list), Val::String(by)] => (list, by.as_str()),
        _ => return no_overload(),
    };
    let mut parts = Vec::new();
    for item in list.items()? {
        match item {
            Val::String(part) => parts.push(part),
            _ => return no_overload(),
        }
    }
    let parts: Vec<&str> = parts.iter().map(yaml::Str::as_str).collect();
    text(parts.join(by))
}

pub(crate) fn quote<'a>(args: &[Val<'a>]) -> Done<'a> {
    let [Val::String(from)] = args else {
        return no_overload();
    };
    let mut out = String::from("\"");
    for letter in from.chars() {
        match letter {
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            other => out.push(other),
        }
    }
    out.push('"');
    text(out)
}
