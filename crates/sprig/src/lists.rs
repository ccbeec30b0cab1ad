//! Lists. They are never changed; what is added to makes a new one.

use gotmpl::{Element, List, Scope, Session, Type, Value};

use crate::arguments::{ANY, Answer, Arguments, BOOL, INT, LIST, Row, TEXT, length, text, truth};
use crate::cast::integer_of;
use crate::reflection::{deep_equal, kind_of};

const CHUNKS: Type = Type::List(Element::List);

pub(super) const ROWS: &[Row] = &[
    Row::new("list", &[], LIST, list).with_rest(ANY),
    Row::new("tuple", &[], LIST, list).with_rest(ANY),
    Row::new("append", &[ANY; 2], LIST, append),
    Row::new("mustAppend", &[ANY; 2], LIST, append),
    Row::new("push", &[ANY; 2], LIST, append),
    Row::new("mustPush", &[ANY; 2], LIST, append),
    Row::new("prepend", &[ANY; 2], LIST, prepend),
    Row::new("mustPrepend", &[ANY; 2], LIST, prepend),
    Row::new("first", &[ANY], ANY, first),
    Row::new("mustFirst", &[ANY], ANY, first),
    Row::new("rest", &[ANY], LIST, rest),
    Row::new("mustRest", &[ANY], LIST, rest),
    Row::new("last", &[ANY], ANY, last),
    Row::new("mustLast", &[ANY], ANY, last),
    Row::new("initial", &[ANY], LIST, initial),
    Row::new("mustInitial", &[ANY], LIST, initial),
    Row::new("reverse", &[ANY], LIST, reverse),
    Row::new("mustReverse", &[ANY], LIST, reverse),
    Row::new("uniq", &[ANY], LIST, uniq),
    Row::new("mustUniq", &[ANY], LIST, uniq),
    Row::new("without", &[ANY], LIST, without).with_rest(ANY),
    Row::new("mustWithout", &[ANY], LIST, without).with_rest(ANY),
    Row::new("has", &[ANY; 2], BOOL, has),
    Row::new("mustHas", &[ANY; 2], BOOL, has),
    Row::new("slice", &[ANY], ANY, slice).with_rest(ANY),
    Row::new("mustSlice", &[ANY], ANY, slice).with_rest(ANY),
    Row::new("compact", &[ANY], LIST, compact),
    Row::new("mustCompact", &[ANY], LIST, compact),
    Row::new("chunk", &[INT, ANY], CHUNKS, chunk),
    Row::new("mustChunk", &[INT, ANY], CHUNKS, chunk),
    Row::new("concat", &[], ANY, concat).with_rest(ANY),
    Row::new("shuffle", &[TEXT], TEXT, shuffle),
];

/// The list that a value is; `problem` begins the error of anything else.
fn list_of(value: &Value, problem: &str) -> Result<List, String> {
    match value.underlying().as_ref() {
        Value::List(list) => Ok(list.clone()),
        Value::Nil => {
            Err("runtime error: invalid memory address or nil pointer dereference".to_owned())
        }
        _ => Err(format!("{problem} {}", kind_of(value))),
    }
}

fn any_list(items: Vec<Value>) -> Answer {
    Ok(Value::list(items))
}

/// Tells the render of work on so many items.
fn count(scope: &mut Scope<'_>, n_items: usize) -> Result<(), String> {
    scope.session().take_steps(n_items as u64 / 8)
}

fn list(_: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    any_list(all.rest(0).to_vec())
}

fn append(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let list = list_of(all.value(0), "Cannot push on type")?;
    count(scope, list.items().len())?;
    let mut items = Vec::with_capacity(list.items().len() + 1);
    items.extend_from_slice(list.items());
    items.push(all.value(1).clone());
    any_list(items)
}

fn prepend(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let list = list_of(all.value(0), "Cannot prepend on type")?;
    count(scope, list.items().len())?;
    let mut items = Vec::with_capacity(list.items().len() + 1);
    items.push(all.value(1).clone());
    items.extend_from_slice(list.items());
    any_list(items)
}

fn first(_: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let list = list_of(all.value(0), "Cannot find first on type")?;
    Ok(list.items().first().cloned().unwrap_or(Value::Nil))
}

fn last(_: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let list = list_of(all.value(0), "Cannot find last on type")?;
    Ok(list.items().last().cloned().unwrap_or(Value::Nil))
}

fn rest(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let list = list_of(all.value(0), "Cannot find rest on type")?;
    count(scope, list.items().len())?;
    match list.items() {
        [] => Ok(Value::List(List::nil(Element::Any))),
        [_, rest @ ..] => any_list(rest.to_vec()),
    }
}

fn initial(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let list = list_of(all.value(0), "Cannot find initial on type")?;
    count(scope, list.items().len())?;
    match list.items() {
        [] => Ok(Value::List(List::nil(Element::Any))),
        [initial @ .., _] => any_list(initial.to_vec()),
    }
}

fn reverse(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let list = list_of(all.value(0), "Cannot find reverse on type")?;
    count(scope, list.items().len())?;
    any_list(list.items().iter().rev().cloned().collect())
}

fn uniq(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let list = list_of(all.value(0), "Cannot find uniq on type")?;
    let mut kept: Vec<Value> = Vec::new();
    for item in list.items() {
        if !is_among(scope.session(), &kept, item)? {
            kept.push(item.clone());
        }
    }
    any_list(kept)
}

fn without(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let list = list_of(all.value(0), "Cannot find without on type")?;
    let mut kept = Vec::new();
    for item in list.items() {
        if !is_among(scope.session(), all.rest(1), item)? {
            kept.push(item.clone());
        }
    }
    any_list(kept)
}

fn has(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    if let Value::Nil = all.value(1) {
        return truth(false);
    }
    let list = list_of(all.value(1), "Cannot find has on type")?;
    truth(is_among(scope.session(), list.items(), all.value(0))?)
}

fn is_among(session: &mut Session, items: &[Value], wanted: &Value) -> Result<bool, String> {
    for item in items {
        if deep_equal(session, wanted, item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn slice(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let list = list_of(all.value(0), "list should be type of slice or array but")?;
    count(scope, list.items().len())?;
    if list.items().is_empty() {
        return Ok(Value::Nil);
    }
    let start = all.rest(1).first().map_or(0, integer_of);
    let end = match all.rest(2).first() {
        Some(end) => integer_of(end),
        None => length(list.items().len()),
    };
    let part = usize::try_from(start)
        .ok()
        .zip(usize::try_from(end).ok())
        .and_then(|(start, end)| list.items().get(start..end));
    match part {
        Some(part) => Ok(Value::List(List::new(part.to_vec(), list.element()))),
        None => Err("reflect.Value.Slice: slice index out of bounds".to_owned()),
    }
}

fn compact(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let list = list_of(all.value(0), "Cannot compact on type")?;
    count(scope, list.items().len())?;
    let kept = list.items().iter().filter(|item| item.is_true());
    any_list(kept.cloned().collect())
}

/// Lists of so many items each, counted in floats as Sprig counts them.
fn chunk(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let out_of_range = || Err("runtime error: makeslice: len out of range".to_owned());
    let list = list_of(all.value(1), "Cannot chunk type")?;
    count(scope, list.items().len())?;
    let (n_items, size) = (list.items().len() as f64, all.int(0) as f64);
    let n_chunks = ((n_items - 1.0) / size).floor() + 1.0;
    if !n_chunks.is_finite() || n_chunks < 0.0 {
        return out_of_range();
    }
    // A last chunk without a rest is of the size asked for, whatever it is.
    if size < 0.0 && n_chunks > 0.0 && n_items % size == 0.0 {
        return out_of_range();
    }
    let size = usize::try_from(all.int(0).max(1)).unwrap_or(usize::MAX);
    let chunks = if n_chunks == 0.0 {
        Vec::new()
    } else if all.int(0) < 0 {
        vec![Value::list(list.items().to_vec())]
    } else {
        let chunks = list.items().chunks(size);
        chunks.map(|chunk| Value::list(chunk.to_vec())).collect()
    };
    Ok(Value::List(List::new(chunks, Element::List)))
}

fn concat(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let mut items = Vec::new();
    for value in all.rest(0) {
        let list = list_of(value, "").map_err(|problem| match value {
            Value::Nil => problem,
            _ => format!("Cannot concat type {} as list", kind_of(value)),
        })?;
        count(scope, list.items().len())?;
        items.extend_from_slice(list.items());
    }
    if items.is_empty() {
        return Ok(Value::List(List::nil(Element::Any)));
    }
    any_list(items)
}

/// The characters of a text in a random order.
fn shuffle(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let mut chars: Vec<char> = all.text(0).chars().collect();
    count(scope, chars.len())?;
    for place in (1..chars.len()).rev() {
        let other = scope.session().random().below(place as u64 + 1);
        chars.swap(place, usize::try_from(other).unwrap_or(0));
    }
    text(chars.into_iter().collect::<String>())
}
