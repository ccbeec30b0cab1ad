//! Regular expressions.

use std::sync::Arc;

use gotmpl::{Element, List, Scope, Value};

use crate::arguments::{Answer, Arguments, BOOL, INT, Row, TEXT, TEXTS, text, texts, truth};
use crate::known::Known;
use crate::pattern::{self, Pattern};

pub(super) const ROWS: &[Row] = &[
    Row::new("regexMatch", &[TEXT; 2], BOOL, |scope, all| {
        let pattern = must_compile(scope, all);
        truth(pattern.is_ok_and(|pattern| pattern.is_match(all.text(1))))
    }),
    Row::new("mustRegexMatch", &[TEXT; 2], BOOL, |scope, all| {
        truth(must_compile(scope, all)?.is_match(all.text(1)))
    }),
    Row::new("regexFindAll", &[TEXT, TEXT, INT], TEXTS, |scope, all| {
        find_all(scope, &compile(scope, all)?, all)
    }),
    Row::new(
        "mustRegexFindAll",
        &[TEXT, TEXT, INT],
        TEXTS,
        |scope, all| find_all(scope, &must_compile(scope, all)?, all),
    ),
    Row::new("regexFind", &[TEXT; 2], TEXT, |scope, all| {
        text(compile(scope, all)?.find(all.text(1)))
    }),
    Row::new("mustRegexFind", &[TEXT; 2], TEXT, |scope, all| {
        text(must_compile(scope, all)?.find(all.text(1)))
    }),
    Row::new("regexReplaceAll", &[TEXT; 3], TEXT, |scope, all| {
        replace(scope, &compile(scope, all)?, all)
    }),
    Row::new("mustRegexReplaceAll", &[TEXT; 3], TEXT, |scope, all| {
        replace(scope, &must_compile(scope, all)?, all)
    }),
    Row::new("regexReplaceAllLiteral", &[TEXT; 3], TEXT, |scope, all| {
        replace_literally(scope, &compile(scope, all)?, all)
    }),
    Row::new(
        "mustRegexReplaceAllLiteral",
        &[TEXT; 3],
        TEXT,
        |scope, all| replace_literally(scope, &must_compile(scope, all)?, all),
    ),
    Row::new("regexSplit", &[TEXT, TEXT, INT], TEXTS, |scope, all| {
        split(scope, &compile(scope, all)?, all)
    }),
    Row::new("mustRegexSplit", &[TEXT, TEXT, INT], TEXTS, |scope, all| {
        split(scope, &must_compile(scope, all)?, all)
    }),
    Row::new("regexQuoteMeta", &[TEXT], TEXT, |_, all| {
        text(pattern::quoted(all.text(0)))
    }),
];

fn must_compile(scope: &Scope<'_>, all: Arguments<'_>) -> Result<Arc<Pattern>, String> {
    let patterns = scope.templates().kept::<Known<Pattern>>();
    patterns.get(all.text(0), Pattern::new)
}

/// As Go's `MustCompile`, which says more of the pattern.
fn compile(scope: &Scope<'_>, all: Arguments<'_>) -> Result<Arc<Pattern>, String> {
    must_compile(scope, all).map_err(|problem| {
        let shown = gotmpl::text::sprintf("%#q", &[all.value(0).clone()]);
        format!("regexp: Compile({shown}): {problem}")
    })
}

fn nothing() -> Answer {
    Ok(Value::List(List::nil(Element::Text)))
}

/// Tells the render of a search through a text.
fn search(scope: &mut Scope<'_>, all: Arguments<'_>) -> Result<(), String> {
    scope.session().take_steps(all.text(1).len() as u64 / 16)
}

fn find_all(scope: &mut Scope<'_>, pattern: &Arc<Pattern>, all: Arguments<'_>) -> Answer {
    search(scope, all)?;
    let whole = all.text(1);
    let most = usize::try_from(all.int(2)).unwrap_or(usize::MAX);
    match pattern.find_all(whole, most) {
        found if found.is_empty() => nothing(),
        found => texts(found.into_iter().map(|(start, end)| &whole[start..end])),
    }
}

fn replace(scope: &mut Scope<'_>, pattern: &Arc<Pattern>, all: Arguments<'_>) -> Answer {
    search(scope, all)?;
    let (whole, replacement) = (all.text(1), all.text(2));
    let limit = scope.session().bytes_left();
    text(pattern.replace_all(whole, |out, groups| {
        pattern.expand(out, replacement, whole, groups);
        within(out, limit)
    })?)
}

fn replace_literally(scope: &mut Scope<'_>, pattern: &Arc<Pattern>, all: Arguments<'_>) -> Answer {
    search(scope, all)?;
    let limit = scope.session().bytes_left();
    text(pattern.replace_all(all.text(1), |out, _| {
        out.push_str(all.text(2));
        within(out, limit)
    })?)
}

fn within(out: &str, limit: usize) -> Result<(), String> {
    if out.len() > limit {
        return Err("the template makes too much text".to_owned());
    }
    Ok(())
}

fn split(scope: &mut Scope<'_>, pattern: &Arc<Pattern>, all: Arguments<'_>) -> Answer {
    search(scope, all)?;
    match all.int(2) {
        0 => nothing(),
        count => texts(pattern.split(all.text(1), count)),
    }
}
