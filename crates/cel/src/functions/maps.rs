//! What lists and maps hold: sizes, indexes, membership.

use std::sync::Arc;

use super::{Done, count, no_overload};
use crate::eval::EvalError;
use crate::value::{List, MapValue, Val, is_among};

pub(crate) fn size<'a>(args: &[Val<'a>]) -> Done<'a> {
    Ok(count(match args {
        [Val::String(text)] => text.chars().count(),
        [Val::Bytes(bytes)] => bytes.len(),
        [Val::List(list)] => list.len(),
        [Val::Map(map)] => map.len(),
        _ => return no_overload(),
    }))
}

pub(crate) fn contains<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [item, Val::List(list)] => Ok(Val::Bool(is_among(item, &list.items()?)?)),
        [key, Val::Map(map)] => Ok(Val::Bool(map.get(key).is_some())),
        _ => no_overload(),
    }
}

/// The item at an index, and how to say the index; `None` when it is out of bounds.
fn at<'a>(list: &List<'a>, index: &Val<'a>) -> Result<(Option<Val<'a>>, String), EvalError> {
    let number = match index {
        Val::Int(number) => *number,
        Val::Uint(number) => i64::try_from(*number).unwrap_or(i64::MAX),
        Val::Double(number) if number.fract() == 0.0 => *number as i64,
        _ => return Err(EvalError::no_overload()),
    };
    let item = usize::try_from(number).ok().and_then(|at| list.get(at));
    Ok((item.transpose()?, number.to_string()))
}

/// A key as messages print it.
fn shown(key: &Val<'_>) -> String {
    match key {
        Val::String(text) => text.to_string(),
        Val::Int(number) => number.to_string(),
        Val::Uint(number) => number.to_string(),
        Val::Bool(flag) => flag.to_string(),
        Val::Double(number) => number.to_string(),
        other => other.type_name().to_owned(),
    }
}

pub(crate) fn index<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::List(list), index] => {
            let (item, shown) = at(list, index)?;
            item.ok_or_else(|| EvalError::new(format!("index out of bounds: {shown}")))
        }
        [Val::Map(map), key] => map
            .get(key)
            .unwrap_or_else(|| Err(EvalError::new(format!("no such key: {}", shown(key))))),
        [Val::Optional(None), _] => Ok(Val::Optional(None)),
        [Val::Optional(Some(inner)), key] => optional_index(&[inner.as_ref().clone(), key.clone()]),
        _ => no_overload(),
    }
}

pub(crate) fn optional_index<'a>(args: &[Val<'a>]) -> Done<'a> {
    let found = match args {
        [Val::List(list), index] => at(list, index)?.0,
        [Val::Map(map), key] => map.get(key).transpose()?,
        [Val::Optional(None), _] => None,
        [Val::Optional(Some(inner)), key] => {
            return optional_index(&[inner.as_ref().clone(), key.clone()]);
        }
        _ => return no_overload(),
    };
    Ok(Val::Optional(found.map(Box::new)))
}

/// A map with one entry more, or with all of another one; no key may be there twice.
pub(crate) fn insert<'a>(args: &[Val<'a>]) -> Done<'a> {
    let entries = |map: &MapValue<'a>| -> Result<Vec<(Val<'a>, Val<'a>)>, EvalError> {
        let mut entries = Vec::new();
        for key in map.keys() {
            if let Some(value) = map.get(&key).transpose()? {
                entries.push((key, value));
            }
        }
        Ok(entries)
    };
    let (map, more) = match args {
        [Val::Map(map), Val::Map(more)] => (map, entries(more)?),
        [Val::Map(map), key, value] => (map, vec![(key.clone(), value.clone())]),
        _ => return no_overload(),
    };
    let mut all = entries(map)?;
    for (key, value) in more {
        if map.get(&key).is_some() {
            let message = format!("insert failed: key {} already exists", shown(&key));
            return Err(EvalError::new(message));
        }
        all.push((key, value));
    }
    Ok(Val::Map(MapValue::Made(Arc::new(all))))
}
