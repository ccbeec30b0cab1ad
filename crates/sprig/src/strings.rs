//! Texts: cutting, joining, quoting, padding.

use std::borrow::Cow;

use gotmpl::text::{Text, bytes_of_text, text_of_bytes};
use gotmpl::{Element, Map, Scope, Type, Value};
use memchr::memchr_iter;

use crate::arguments::{
    ANY, Answer, Arguments, BOOL, INT, Row, TEXT, TEXTS, length, text, texts, truth,
};
use crate::cast::text_of;

pub(super) const ROWS: &[Row] = &[
    Row::new("hello", &[], TEXT, |_, _| text("Hello!")),
    Row::new("trim", &[TEXT], TEXT, |_, all| text(all.text(0).trim())),
    Row::new("trimall", &[TEXT; 2], TEXT, trim_all),
    Row::new("trimAll", &[TEXT; 2], TEXT, trim_all),
    Row::new("trimSuffix", &[TEXT; 2], TEXT, |_, all| {
        let whole = all.text(1);
        text(whole.strip_suffix(all.text(0)).unwrap_or(whole))
    }),
    Row::new("trimPrefix", &[TEXT; 2], TEXT, |_, all| {
        let whole = all.text(1);
        text(whole.strip_prefix(all.text(0)).unwrap_or(whole))
    }),
    Row::new("contains", &[TEXT; 2], BOOL, |_, all| {
        truth(all.text(1).contains(all.text(0)))
    }),
    Row::new("hasPrefix", &[TEXT; 2], BOOL, |_, all| {
        truth(all.text(1).starts_with(all.text(0)))
    }),
    Row::new("hasSuffix", &[TEXT; 2], BOOL, |_, all| {
        truth(all.text(1).ends_with(all.text(0)))
    }),
    Row::new("abbrev", &[INT, TEXT], TEXT, |_, all| {
        text(abbreviated(all.text(1), 0, all.int(0)))
    }),
    Row::new("abbrevboth", &[INT, INT, TEXT], TEXT, |_, all| {
        let (left, right) = (all.int(0), all.int(1));
        if right < 4 || left > 0 && right < 7 {
            return text(all.shared(2));
        }
        text(abbreviated(all.text(2), left, right))
    }),
    Row::new("trunc", &[INT, TEXT], TEXT, truncate),
    Row::new("substr", &[INT, INT, TEXT], TEXT, substring),
    Row::new("repeat", &[INT, TEXT], TEXT, |scope, all| {
        repeated(scope, all.text(1), all.int(0)).map(|it| Value::Text(it.into()))
    }),
    Row::new("quote", &[], TEXT, |_, all| {
        text(spaced(all, |out, value| {
            out.push_str(&gotmpl::quote(&text_of(value)));
        }))
    })
    .with_rest(ANY),
    Row::new("squote", &[], TEXT, |_, all| {
        text(spaced(all, |out, value| {
            out.push('\'');
            print(out, value);
            out.push('\'');
        }))
    })
    .with_rest(ANY),
    Row::new("cat", &[], TEXT, |_, all| text(spaced(all, print))).with_rest(ANY),
    Row::new("indent", &[INT, TEXT], TEXT, |scope, all| {
        text(indented(scope, all.int(0), all.text(1), "")?)
    }),
    Row::new("nindent", &[INT, TEXT], TEXT, |scope, all| {
        text(indented(scope, all.int(0), all.text(1), "\n")?)
    }),
    Row::new("replace", &[TEXT; 3], TEXT, replace),
    Row::new("plural", &[TEXT, TEXT, INT], TEXT, |_, all| {
        text(all.shared(if all.int(2) == 1 { 0 } else { 1 }))
    }),
    Row::new("toString", &[ANY], TEXT, |_, all| {
        text(text_of(all.value(0)))
    }),
    Row::new("toStrings", &[ANY], TEXTS, |_, all| {
        texts(texts_of(all.value(0)))
    }),
    Row::new("join", &[TEXT, ANY], TEXT, join),
    Row::new("sortAlpha", &[ANY], TEXTS, |_, all| {
        let value = all.value(0).underlying();
        let mut sorted = match value.as_ref() {
            Value::List(_) => texts_of(&value),
            other => vec![text_of(other)],
        };
        sorted.sort_by(|first, second| bytes_of_text(first).cmp(&bytes_of_text(second)));
        texts(sorted)
    }),
    Row::new("split", &[TEXT; 2], Type::Map(Element::Text), |_, all| {
        Ok(numbered(&parts(all.text(1), all.text(0), -1)))
    }),
    Row::new(
        "splitn",
        &[TEXT, INT, TEXT],
        Type::Map(Element::Text),
        |_, all| Ok(numbered(&parts(all.text(2), all.text(0), all.int(1)))),
    ),
    Row::new("splitList", &[TEXT; 2], TEXTS, |_, all| {
        texts(parts(all.text(1), all.text(0), -1))
    }),
];

fn trim_all(_: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let cut = all.text(0);
    text(all.text(1).trim_matches(|it: char| cut.contains(it)))
}

/// A text cut to a width, with dots where something is missing: goutils' rules, on bytes.
fn abbreviated(whole: &str, offset: i64, width: i64) -> Text {
    const DOTS: &str = "...";
    let bytes = bytes_of_text(whole);
    let size = length(bytes.len());
    // The least width is four behind nothing, and seven in the middle.
    if width < 4 || size <= width {
        return whole.into();
    }
    let mut offset = offset.min(size);
    if size - offset < width - 3 {
        offset = size - (width - 3);
    }
    let part = |from: i64, to: i64| {
        let from = usize::try_from(from).unwrap_or(0);
        let to = usize::try_from(to).unwrap_or(0).min(bytes.len());
        text_of_bytes(bytes.get(from..to).unwrap_or_default())
    };
    if offset <= 4 {
        return format!("{}{DOTS}", part(0, width - 3)).into();
    }
    if width < 7 {
        return "".into();
    }
    if offset + width - 3 < size {
        let inner = width - 3;
        return format!("{DOTS}{}{DOTS}", part(offset, offset + inner - 3)).into();
    }
    format!("{DOTS}{}", part(size - (width - 3), size)).into()
}

fn truncate(_: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let (count, whole) = (all.int(0), all.text(1));
    let bytes = bytes_of_text(whole);
    let n_kept = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if n_kept >= bytes.len() {
        return text(all.shared(1));
    }
    if count < 0 {
        return text(text_of_bytes(&bytes[bytes.len() - n_kept..]));
    }
    text(text_of_bytes(&bytes[..n_kept]))
}

fn substring(_: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let (start, end) = (all.int(0), all.int(1));
    let bytes = bytes_of_text(all.text(2));
    let size = length(bytes.len());
    let slice = |from: i64, to: i64| {
        let (from, to) = (usize::try_from(from).ok()?, usize::try_from(to).ok()?);
        bytes.get(from..to)
    };
    let out_of_bounds = |what: String| format!("runtime error: slice bounds out of range {what}");
    if start < 0 {
        let part = slice(0, end).ok_or_else(|| {
            out_of_bounds(if end < 0 {
                format!("[:{end}]")
            } else {
                format!("[:{end}] with length {size}")
            })
        })?;
        return text(text_of_bytes(part));
    }
    let open = end < 0 || end > size;
    let part = slice(start, if open { size } else { end }).ok_or_else(|| {
        out_of_bounds(if open {
            format!("[{start}:{size}]")
        } else {
            format!("[{start}:{end}]")
        })
    })?;
    text(text_of_bytes(part))
}

/// A text so many times, within the limits of the render.
pub(super) fn repeated(scope: &mut Scope<'_>, whole: &str, count: i64) -> Result<String, String> {
    let count = usize::try_from(count).map_err(|_| "strings: negative Repeat count")?;
    let n_bytes = whole
        .len()
        .checked_mul(count)
        .filter(|size| isize::try_from(*size).is_ok())
        .ok_or("strings: Repeat output length overflow")?;
    scope.session().may_make(n_bytes)?;
    Ok(whole.repeat(count))
}

fn indented(
    scope: &mut Scope<'_>,
    n_spaces: i64,
    whole: &str,
    start: &str,
) -> Result<String, String> {
    let pad = repeated(scope, " ", n_spaces)?;
    let n_lines = 1 + memchr_iter(b'\n', whole.as_bytes()).count();
    let n_bytes = pad
        .len()
        .saturating_mul(n_lines)
        .saturating_add(whole.len());
    scope.session().may_make(n_bytes)?;
    let mut out = String::with_capacity(n_bytes + start.len());
    out.push_str(start);
    let mut line = 0;
    for line_break in memchr_iter(b'\n', whole.as_bytes()) {
        out.push_str(&pad);
        out.push_str(&whole[line..=line_break]);
        line = line_break + 1;
    }
    out.push_str(&pad);
    out.push_str(&whole[line..]);
    Ok(out)
}

fn replace(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let (old, new, whole) = (all.text(0), all.text(1), all.text(2));
    let n_places = if old.is_empty() {
        whole.len() + 1
    } else {
        whole.len() / old.len()
    };
    let most = new
        .len()
        .saturating_mul(n_places)
        .saturating_add(whole.len());
    scope.session().may_make(most)?;
    if old.is_empty() || whole.contains(old) {
        return text(whole.replace(old, new));
    }
    text(all.shared(2))
}

/// The arguments that are not nil, one space between them.
fn spaced(all: Arguments<'_>, show: impl Fn(&mut String, &Value)) -> String {
    let mut out = String::new();
    let values = all.rest(0).iter();
    let values = values.filter(|value| !matches!(value, Value::Nil));
    for (number, value) in values.enumerate() {
        if number > 0 {
            out.push(' ');
        }
        show(&mut out, value);
    }
    out
}

/// As Go's `%v`.
fn print(out: &mut String, value: &Value) {
    match value {
        Value::Text(text) => out.push_str(text),
        other => out.push_str(&gotmpl::text::sprint(std::slice::from_ref(other))),
    }
}

/// The elements of a list as texts, nil left out; of anything else the one text.
pub(super) fn texts_of(value: &Value) -> Vec<Text> {
    match value.underlying().as_ref() {
        Value::List(list) => {
            let items = list.items().iter();
            let kept = items.filter(|item| !matches!(item, Value::Nil));
            kept.map(text_of).collect()
        }
        Value::Nil => Vec::new(),
        other => vec![text_of(other)],
    }
}

fn join(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let separator = all.text(0);
    let items = texts_of(all.value(1));
    let size: usize = items.iter().map(|item| item.len()).sum();
    let most = separator.len().saturating_mul(items.len());
    scope.session().may_make(size.saturating_add(most))?;
    text(items.join(separator))
}

/// The parts of a text between separators, as Go's `strings.SplitN` gives them.
fn parts<'t>(whole: &'t str, separator: &str, count: i64) -> Vec<Cow<'t, str>> {
    let most = match usize::try_from(count) {
        Ok(0) => return Vec::new(),
        Ok(most) => most,
        Err(_) => usize::MAX,
    };
    if !separator.is_empty() {
        return whole.splitn(most, separator).map(Cow::Borrowed).collect();
    }
    // Without a separator every character is a part; the last one is what is left.
    let mut parts = Vec::new();
    let mut rest = whole;
    while let Some(it) = rest.chars().next() {
        let end = if parts.len() + 1 == most {
            rest.len()
        } else {
            it.len_utf8()
        };
        parts.push(Cow::Borrowed(&rest[..end]));
        rest = &rest[end..];
    }
    parts
}

/// Parts under `_0`, `_1` and so on.
fn numbered(parts: &[Cow<'_, str>]) -> Value {
    let map = Map::new(Element::Text);
    for (number, part) in parts.iter().enumerate() {
        map.set(format!("_{number}").into(), Value::text(part));
    }
    Value::Map(map)
}
