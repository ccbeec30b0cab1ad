//! Lists: order, sums, parts.

use std::cmp::Ordering;

use super::{Done, count, no_overload, numbers};
use crate::eval::EvalError;
use crate::value::{Val, is_among, order};

/// `lists.range` makes no longer list: a limit on memory.
const MAX_RANGE: i64 = 1_000_000;

fn ordered(one: &Val<'_>, other: &Val<'_>) -> Result<Ordering, EvalError> {
    order(one, other).ok_or_else(EvalError::no_overload)
}

pub(crate) fn is_sorted<'a>(args: &[Val<'a>]) -> Done<'a> {
    let [Val::List(list)] = args else {
        return no_overload();
    };
    for pair in list.items()?.windows(2) {
        if ordered(&pair[0], &pair[1])?.is_gt() {
            return Ok(Val::Bool(false));
        }
    }
    Ok(Val::Bool(true))
}

pub(crate) fn sum<'a>(args: &[Val<'a>]) -> Done<'a> {
    let [Val::List(list)] = args else {
        return no_overload();
    };
    let mut items = list.items()?.into_iter();
    let Some(first) = items.next() else {
        return Ok(Val::Int(0));
    };
    items.try_fold(first, |sum, item| numbers::add(&[sum, item]))
}

fn extreme<'a>(args: &[Val<'a>], wanted: Ordering, name: &str) -> Done<'a> {
    let [Val::List(list)] = args else {
        return no_overload();
    };
    let mut items = list.items()?.into_iter();
    let Some(mut best) = items.next() else {
        return Err(EvalError::new(format!("{name} called on empty list")));
    };
    for item in items {
        if ordered(&item, &best)? == wanted {
            best = item;
        }
    }
    Ok(best)
}

pub(crate) fn min<'a>(args: &[Val<'a>]) -> Done<'a> {
    extreme(args, Ordering::Less, "min")
}

pub(crate) fn max<'a>(args: &[Val<'a>]) -> Done<'a> {
    extreme(args, Ordering::Greater, "max")
}

pub(crate) fn slice<'a>(args: &[Val<'a>]) -> Done<'a> {
    let [Val::List(list), Val::Int(start), Val::Int(end)] = args else {
        return no_overload();
    };
    if *start < 0 || *end < 0 {
        return Err(EvalError::new(format!(
            "cannot slice({start}, {end}), negative indexes not supported"
        )));
    }
    if start > end {
        return Err(EvalError::new(format!(
            "cannot slice({start}, {end}), start index must be less than or equal to end index"
        )));
    }
    let items = list.items()?;
    let (from, to) = (usize::try_from(*start), usize::try_from(*end));
    let part = from
        .ok()
        .zip(to.ok())
        .and_then(|(from, to)| items.get(from..to));
    let part = part.ok_or_else(|| {
        EvalError::new(format!(
            "cannot slice({start}, {end}), list is length {}",
            items.len()
        ))
    })?;
    Ok(Val::list(part.to_vec()))
}

pub(crate) fn flatten<'a>(args: &[Val<'a>]) -> Done<'a> {
    let (list, depth) = match args {
        [Val::List(list)] => (list, 1),
        [Val::List(_), Val::Int(depth)] if *depth < 0 => {
            return Err(EvalError::new("level must be non-negative"));
        }
        [Val::List(list), Val::Int(depth)] => (list, *depth),
        _ => return no_overload(),
    };
    let mut items = list.items()?;
    for _ in 0..depth {
        if !items.iter().any(|item| matches!(item, Val::List(_))) {
            break;
        }
        let mut flat = Vec::new();
        for item in items {
            match item {
                Val::List(inner) => flat.extend(inner.items()?),
                other => flat.push(other),
            }
        }
        items = flat;
    }
    Ok(Val::list(items))
}

pub(crate) fn sort<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::List(list)] => sort_pairs(list.items()?, list.items()?),
        _ => no_overload(),
    }
}

pub(crate) fn sort_by_keys<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::List(list), Val::List(keys)] => sort_pairs(list.items()?, keys.items()?),
        _ => no_overload(),
    }
}

fn sort_pairs<'a>(items: Vec<Val<'a>>, keys: Vec<Val<'a>>) -> Done<'a> {
    for key in &keys {
        ordered(&keys[0], key)?;
    }
    let mut pairs: Vec<(Val<'a>, Val<'a>)> = keys.into_iter().zip(items).collect();
    pairs.sort_by(|(one, _), (other, _)| order(one, other).unwrap_or(Ordering::Equal));
    Ok(Val::list(pairs.into_iter().map(|(_, item)| item).collect()))
}

pub(crate) fn range<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Int(end)] if *end <= MAX_RANGE => Ok(Val::list((0..*end).map(Val::Int).collect())),
        [Val::Int(_)] => Err(EvalError::new(format!("range exceeds {MAX_RANGE}"))),
        _ => no_overload(),
    }
}

pub(crate) fn reverse<'a>(args: &[Val<'a>]) -> Done<'a> {
    let [Val::List(list)] = args else {
        return no_overload();
    };
    let mut items = list.items()?;
    items.reverse();
    Ok(Val::list(items))
}

pub(crate) fn distinct<'a>(args: &[Val<'a>]) -> Done<'a> {
    let [Val::List(list)] = args else {
        return no_overload();
    };
    let mut kept: Vec<Val<'a>> = Vec::new();
    for item in list.items()? {
        if !is_among(&item, &kept)? {
            kept.push(item);
        }
    }
    Ok(Val::list(kept))
}

pub(crate) fn first<'a>(args: &[Val<'a>]) -> Done<'a> {
    let [Val::List(list)] = args else {
        return no_overload();
    };
    Ok(Val::Optional(list.get(0).transpose()?.map(Box::new)))
}

pub(crate) fn last<'a>(args: &[Val<'a>]) -> Done<'a> {
    let [Val::List(list)] = args else {
        return no_overload();
    };
    let item = list.len().checked_sub(1).and_then(|at| list.get(at));
    Ok(Val::Optional(item.transpose()?.map(Box::new)))
}

/// Where an item stands, from the front or the back; -1 when nowhere.
pub(crate) fn position<'a>(args: &[Val<'a>], is_last: bool) -> Done<'a> {
    let [Val::List(list), item] = args else {
        return no_overload();
    };
    let mut found = None;
    for (index, known) in list.items()?.iter().enumerate() {
        if crate::value::equal(known, item)? {
            found = Some(index);
            if !is_last {
                break;
            }
        }
    }
    Ok(found.map_or(Val::Int(-1), count))
}
