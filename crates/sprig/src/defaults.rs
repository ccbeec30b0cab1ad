//! What stands for empty values, and JSON.

use gotmpl::{Scope, Value};

use crate::arguments::{ANY, Answer, Arguments, BOOL, Row, TEXT, text, truth};
use crate::json::{self, Escapes, Layout};

pub(super) const ROWS: &[Row] = &[
    Row::new("default", &[ANY], ANY, |_, all| {
        let given = all.value(1);
        Ok(if given.is_true() { given } else { all.value(0) }.clone())
    })
    .with_rest(ANY),
    Row::new("empty", &[ANY], BOOL, |_, all| {
        truth(!all.value(0).is_true())
    }),
    Row::new("coalesce", &[], ANY, |_, all| {
        let found = all.rest(0).iter().find(|value| value.is_true());
        Ok(found.cloned().unwrap_or(Value::Nil))
    })
    .with_rest(ANY),
    Row::new("all", &[], BOOL, |_, all| {
        truth(all.rest(0).iter().all(Value::is_true))
    })
    .with_rest(ANY),
    Row::new("any", &[], BOOL, |_, all| {
        truth(all.rest(0).iter().any(Value::is_true))
    })
    .with_rest(ANY),
    Row::new("ternary", &[ANY, ANY, BOOL], ANY, |_, all| {
        Ok(all.value(if all.flag(2) { 0 } else { 1 }).clone())
    }),
    Row::new("fail", &[TEXT], TEXT, |_, all| Err(all.text(0).to_owned())),
    Row::new("getHostByName", &[TEXT], TEXT, |_, _| text("")),
    Row::new("fromJson", &[TEXT], ANY, |_, all| {
        Ok(json::decode(all.text(0)).unwrap_or(Value::Nil))
    }),
    Row::new("mustFromJson", &[TEXT], ANY, |_, all| {
        json::decode(all.text(0))
    }),
    Row::new("toJson", &[ANY], TEXT, |scope, all| {
        lenient(json(scope, all, Escapes::Html, Layout::Compact))
    }),
    Row::new("mustToJson", &[ANY], TEXT, |scope, all| {
        json(scope, all, Escapes::Html, Layout::Compact)
    }),
    Row::new("toPrettyJson", &[ANY], TEXT, |scope, all| {
        lenient(json(scope, all, Escapes::Html, Layout::Indented))
    }),
    Row::new("mustToPrettyJson", &[ANY], TEXT, |scope, all| {
        json(scope, all, Escapes::Html, Layout::Indented)
    }),
    Row::new("toRawJson", &[ANY], TEXT, |scope, all| {
        json(scope, all, Escapes::Few, Layout::Compact)
    }),
    Row::new("mustToRawJson", &[ANY], TEXT, |scope, all| {
        json(scope, all, Escapes::Few, Layout::Compact)
    }),
];

fn json(scope: &mut Scope<'_>, all: Arguments<'_>, escapes: Escapes, layout: Layout) -> Answer {
    let limit = scope.session().bytes_left();
    let encoded = json::encode(all.value(0), escapes, layout, limit)?;
    scope.session().may_make(encoded.len())?;
    text(encoded)
}

/// What cannot be encoded is nothing.
fn lenient(answer: Answer) -> Answer {
    match answer {
        Err(problem) if problem.starts_with("json: ") => text(""),
        answer => answer,
    }
}
