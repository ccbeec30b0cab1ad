//! The functions that Go builds in. `and`, `or` and `call` are in `exec`: they decide what is
//! evaluated, or call on.

use std::cmp::Ordering;
use std::sync::LazyLock;

use crate::bytes::{bytes_of_text, text_of_bytes};
use crate::function::{Function, Functions, Type};
use crate::slot::Slot;
use crate::value::{List, Value, Width};
use crate::{compare, escape, print, printf};

const REFLECT: Type = Type::Reflect;
const ANY: Type = Type::Any;

/// Names that the executor answers itself.
pub(crate) const SPECIAL: [&str; 3] = ["and", "or", "call"];

/// All others; made once.
pub(crate) fn function(name: &str) -> Option<&'static Function> {
    static FUNCTIONS: LazyLock<Functions> = LazyLock::new(functions);
    FUNCTIONS.get(name)
}

fn functions() -> Functions {
    let mut functions = Functions::new();
    let mut add = |name, function| functions.add(name, function);
    add(
        "eq",
        comparison(&[REFLECT], compare::equal_all).with_rest(REFLECT),
    );
    add(
        "ne",
        comparison(&[REFLECT; 2], |all| compare::equal_all(all).map(|it| !it)),
    );
    add("lt", ordering(|order| order == Some(Ordering::Less)));
    add(
        "le",
        ordering(|order| matches!(order, Some(Ordering::Less | Ordering::Equal))),
    );
    add(
        "gt",
        ordering(|order| !matches!(order, Some(Ordering::Less | Ordering::Equal))),
    );
    add("ge", ordering(|order| order != Some(Ordering::Less)));
    add("not", comparison(&[REFLECT], |all| Ok(!all[0].is_true())));
    add("len", Function::of_slots(&[REFLECT], Type::Int, length));
    add(
        "index",
        Function::new(&[REFLECT], REFLECT, |_, all| index(all)).with_rest(REFLECT),
    );
    add(
        "slice",
        Function::of_slots(&[REFLECT], REFLECT, slice).with_rest(REFLECT),
    );
    add("print", text(print::sprint));
    add("println", text(print::sprintln));
    add(
        "printf",
        Function::new(&[Type::Text], Type::Text, |_, all| match all {
            [Value::Text(format), values @ ..] => Ok(Value::text(&printf::sprintf(format, values))),
            _ => Err("wrong type for value; expected string".to_owned()),
        })
        .with_rest(ANY),
    );
    add("html", text(|all| escape::html(&escapable(all))));
    add("js", text(|all| escape::js(&escapable(all))));
    add("urlquery", text(|all| escape::url_query(&escapable(all))));
    functions
}

fn comparison(
    parameters: &[Type],
    body: impl Fn(&[Value]) -> Result<bool, String> + Send + Sync + 'static,
) -> Function {
    Function::new(parameters, Type::Bool, move |_, all| {
        body(all).map(Value::Bool)
    })
}

fn ordering(fits: fn(Option<Ordering>) -> bool) -> Function {
    comparison(&[REFLECT; 2], move |all| {
        compare::order(&all[0], &all[1]).map(fits)
    })
}

fn text(body: fn(&[Value]) -> String) -> Function {
    Function::new(&[], Type::Text, move |_, all| Ok(Value::text(&body(all)))).with_rest(ANY)
}

/// What an escaper works on: one text as it is, else everything printed; nil is no value.
fn escapable(all: &[Value]) -> String {
    let shown = |value: &Value| match value {
        Value::Nil => Value::text("<no value>"),
        other => other.clone(),
    };
    let all: Vec<Value> = all.iter().map(shown).collect();
    print::sprint(&all)
}

fn length(all: &[Slot]) -> Result<Value, String> {
    let value = match all.first() {
        None | Some(Slot::Absent) => {
            return Err("reflect: call of reflect.Value.Type on zero Value".to_owned());
        }
        Some(Slot::Plain(value) | Slot::Boxed(value)) => value,
    };
    let length = match value.underlying().as_ref() {
        Value::Text(text) => bytes_of_text(text).len(),
        Value::List(list) => list.items().len(),
        Value::Map(map) => map.len(),
        Value::Nil => return Err("len of nil pointer".to_owned()),
        other => return Err(format!("len of type {}", other.type_name())),
    };
    Ok(Value::int(i64::try_from(length).unwrap_or(i64::MAX)))
}

/// A place in a list; one behind the last is checked by the caller, with other words.
fn place(index: &Value, length: usize) -> Result<usize, String> {
    match index {
        Value::Integer(number, _) => match usize::try_from(*number) {
            Ok(place) if place <= length => Ok(place),
            _ => Err(format!("index out of range: {number}")),
        },
        Value::Nil => Err("cannot index slice/array with nil".to_owned()),
        other => Err(format!(
            "cannot index slice/array with type {}",
            other.type_name()
        )),
    }
}

fn index(all: &[Value]) -> Result<Value, String> {
    let Some((item, indexes)) = all.split_first() else {
        return Err("index of untyped nil".to_owned());
    };
    if let Value::Nil = item {
        return Err("index of untyped nil".to_owned());
    }
    indexes
        .iter()
        .try_fold(item.clone(), |item, index| element(&item, index))
}

fn element(item: &Value, index: &Value) -> Result<Value, String> {
    match item.underlying().as_ref() {
        Value::Nil => Err("index of nil pointer".to_owned()),
        Value::List(list) => {
            let place = place(index, list.items().len())?;
            let found = list.items().get(place).cloned();
            found.ok_or_else(|| "reflect: slice index out of range".to_owned())
        }
        Value::Text(text) => {
            let bytes = bytes_of_text(text);
            let place = place(index, bytes.len())?;
            let found = bytes.get(place);
            let byte = |byte: &u8| Value::Integer((*byte).into(), Width::Uint8);
            found
                .map(byte)
                .ok_or_else(|| "reflect: string index out of range".to_owned())
        }
        Value::Map(map) => match index {
            Value::Text(key) => Ok(map.get(key).unwrap_or_else(|| map.element().zero())),
            Value::Nil => Err("value is nil; should be of type string".to_owned()),
            other => Err(format!(
                "value has type {}; should be string",
                other.type_name()
            )),
        },
        other => Err(format!("can't index item of type {}", other.type_name())),
    }
}

fn slice(all: &[Slot]) -> Result<Value, String> {
    let Some((Slot::Plain(item) | Slot::Boxed(item), indexes)) = all.split_first() else {
        return Err("slice of untyped nil".to_owned());
    };
    if let Value::Nil = item {
        return Err("slice of untyped nil".to_owned());
    }
    if indexes.len() > 3 {
        return Err(format!("too many slice indexes: {}", indexes.len()));
    }
    let length = match item {
        Value::Text(_) if indexes.len() == 3 => {
            return Err("cannot 3-index slice a string".to_owned());
        }
        Value::Text(text) => bytes_of_text(text).len(),
        Value::List(list) => list.items().len(),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    let mut places = [0, length, length];
    for (number, index) in indexes.iter().enumerate() {
        places[number] = match index {
            Slot::Absent => place(&Value::Nil, length)?,
            Slot::Plain(index) => place(index, length)?,
            // Go does not look into the interface here.
            Slot::Boxed(_) => {
                return Err("cannot index slice/array with type interface {}".to_owned());
            }
        };
    }
    let [start, end, limit] = places;
    let ordered = [(start, end), (end, limit)];
    if let Some((first, second)) = ordered.iter().find(|(first, second)| first > second) {
        return Err(format!("invalid slice index: {first} > {second}"));
    }
    Ok(match item {
        Value::Text(text) => Value::Text(text_of_bytes(&bytes_of_text(text)[start..end])),
        Value::List(list) => {
            Value::List(List::new(list.items()[start..end].to_vec(), list.element()))
        }
        other => other.clone(),
    })
}
