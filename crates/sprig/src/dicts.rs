//! Maps. They are shared: `set`, `unset` and `merge` change them for everybody.

use gotmpl::{Element, List, Map, Scope, Session, Value};

use crate::arguments::{ANY, Answer, Arguments, BOOL, DICT, LIST, Row, TEXT, TEXTS, texts, truth};
use crate::cast::text_of;

pub(super) const ROWS: &[Row] = &[
    Row::new("dict", &[], DICT, |_, all| {
        let map = Map::new(Element::Any);
        for pair in all.rest(0).chunks(2) {
            if let [key, rest @ ..] = pair {
                let value = rest.first().cloned().unwrap_or_else(|| Value::text(""));
                map.set(text_of(key), value);
            }
        }
        Ok(Value::Map(map))
    })
    .with_rest(ANY),
    Row::new("get", &[DICT, TEXT], ANY, |_, all| {
        let found = all.map(0).get(all.text(1));
        Ok(found.unwrap_or_else(|| Value::text("")))
    }),
    Row::new("set", &[DICT, TEXT, ANY], DICT, |_, all| {
        let map = all.map(0);
        if map.is_nil() {
            return Err("assignment to entry in nil map".to_owned());
        }
        map.set(all.shared(1), all.value(2).clone());
        Ok(Value::Map(map))
    }),
    Row::new("unset", &[DICT, TEXT], DICT, |_, all| {
        let map = all.map(0);
        drop(map.remove(all.text(1)));
        Ok(Value::Map(map))
    }),
    Row::new("hasKey", &[DICT, TEXT], BOOL, |_, all| {
        truth(all.map(0).contains(all.text(1)))
    }),
    Row::new("pluck", &[TEXT], LIST, |_, all| {
        let found = all.maps(1).filter_map(|map| map.get(all.text(0)));
        Ok(Value::list(found.collect()))
    })
    .with_rest(DICT),
    Row::new("keys", &[], TEXTS, |_, all| {
        let entries = all.maps(0).flat_map(Map::entries);
        texts(entries.map(|(key, _)| key))
    })
    .with_rest(DICT),
    Row::new("values", &[DICT], LIST, |_, all| {
        let entries = all.map(0).entries();
        Ok(Value::list(
            entries.into_iter().map(|(_, value)| value).collect(),
        ))
    }),
    Row::new("pick", &[DICT], DICT, |_, all| {
        let (map, picked) = (all.map(0), Map::new(Element::Any));
        for key in all.texts(1) {
            if let Some(value) = map.get(key) {
                picked.set(key.into(), value);
            }
        }
        Ok(Value::Map(picked))
    })
    .with_rest(TEXT),
    Row::new("omit", &[DICT], DICT, |_, all| {
        let entries = all.map(0).entries().into_iter();
        let kept = entries.filter(|(key, _)| !all.texts(1).any(|omitted| **key == *omitted));
        Ok(Value::Map(kept.collect()))
    })
    .with_rest(TEXT),
    Row::new("merge", &[DICT], ANY, |scope, all| {
        merge_all(scope, all, Winner::First)
    })
    .with_rest(DICT),
    Row::new("mustMerge", &[DICT], ANY, |scope, all| {
        merge_all(scope, all, Winner::First)
    })
    .with_rest(DICT),
    Row::new("mergeOverwrite", &[DICT], ANY, |scope, all| {
        merge_all(scope, all, Winner::Last)
    })
    .with_rest(DICT),
    Row::new("mustMergeOverwrite", &[DICT], ANY, |scope, all| {
        merge_all(scope, all, Winner::Last)
    })
    .with_rest(DICT),
    Row::new("deepCopy", &[ANY], ANY, deep_copy),
    Row::new("mustDeepCopy", &[ANY], ANY, deep_copy),
    Row::new("dig", &[], ANY, dig).with_rest(ANY),
];

/// Which of two values stays.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Winner {
    First,
    Last,
}

fn merge_all(scope: &mut Scope<'_>, all: Arguments<'_>, winner: Winner) -> Answer {
    let into = match all.map(0) {
        nil if nil.is_nil() && all.maps(1).any(|map| !map.is_nil()) => Map::new(Element::Any),
        map => map,
    };
    for from in all.maps(1) {
        merge(scope.session(), &into, from, winner, 0)?;
    }
    Ok(Value::Map(into))
}

/// Merges maps as mergo does: an empty value loses always, maps that both have are merged in place,
/// and what only the second has is shared with it.
fn merge(
    session: &mut Session,
    into: &Map,
    from: &Map,
    winner: Winner,
    depth: usize,
) -> Result<(), String> {
    /// Deeper is only a map that holds itself.
    const MAX_DEPTH: usize = 500;
    if depth > MAX_DEPTH {
        return Err("maps are merged too deeply".to_owned());
    }
    for (key, value) in from.entries() {
        session.take_steps(1)?;
        if let Value::Nil = value {
            if winner == Winner::Last {
                into.set(key, value);
            }
            continue;
        }
        let known = into.get(&key).unwrap_or(Value::Nil);
        if let (Value::Map(known), Value::Map(value)) = (&known, &value)
            && !known.is_nil()
        {
            merge(session, known, value, winner, depth + 1)?;
            if !known.is_empty() {
                continue;
            }
        }
        if winner == Winner::Last || !known.is_true() {
            into.set(key, value);
        }
    }
    Ok(())
}

fn deep_copy(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    match all.value(0) {
        Value::Nil => Err("reflect: call of reflect.Value.Type on zero Value".to_owned()),
        value => copied(scope.session(), value, 0),
    }
}

fn copied(session: &mut Session, value: &Value, depth: usize) -> Answer {
    /// Deeper is only a map that holds itself.
    const MAX_DEPTH: usize = 500;
    /// A copy takes memory, not time alone.
    const STEPS_PER_NODE: u64 = 32;
    session.take_steps(STEPS_PER_NODE)?;
    if depth > MAX_DEPTH {
        return Err("the value is too deep to be copied".to_owned());
    }
    match value {
        Value::List(list) if !list.is_nil() => {
            let items = list.items().iter();
            let items: Result<Vec<Value>, String> =
                items.map(|item| copied(session, item, depth + 1)).collect();
            Ok(Value::List(List::new(items?, list.element())))
        }
        Value::Map(map) => {
            let entries = map.entries().into_iter();
            let mut copy = entries.map(|(key, item)| Ok((key, copied(session, &item, depth + 1)?)));
            if map.element() == Element::Any && !map.is_nil() {
                return Ok(Value::Map(copy.collect::<Result<Map, String>>()?));
            }
            let of_its_type = map.copied();
            copy.try_for_each(|entry| {
                let (key, item) = entry?;
                of_its_type.set(key, item);
                Ok::<(), String>(())
            })?;
            Ok(Value::Map(of_its_type))
        }
        other => Ok(other.clone()),
    }
}

/// The value that keys lead to, or the default before the map.
fn dig(_: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let [keys @ .., default, map] = all.rest(0) else {
        return Err("dig needs at least three arguments".to_owned());
    };
    if keys.is_empty() {
        return Err("dig needs at least three arguments".to_owned());
    }
    let unfit = |value: &Value, wanted: &str| {
        let name = match value {
            Value::Nil => "nil".to_owned(),
            other => other.type_name(),
        };
        format!("interface conversion: interface {{}} is {name}, not {wanted}")
    };
    let map_of = |value: &Value| match value {
        Value::Map(map) if map.element() == Element::Any => Ok(map.clone()),
        other => Err(unfit(other, "map[string]interface {}")),
    };
    let mut map = map_of(map)?;
    if let Some(key) = keys.iter().find(|key| !matches!(key, Value::Text(_))) {
        return Err(unfit(key, "string"));
    }
    let (last, inner) = keys.split_last().expect("there are keys");
    for key in inner {
        match map.get(&text_of(key)) {
            Some(value) => map = map_of(&value)?,
            None => return Ok(default.clone()),
        }
    }
    Ok(map.get(&text_of(last)).unwrap_or_else(|| default.clone()))
}
