//! Optional values.

use super::{Done, no_overload};
use crate::eval::EvalError;
use crate::value::Val;

pub(crate) fn of<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [value] => Ok(Val::some(value.clone())),
        _ => no_overload(),
    }
}

pub(crate) fn of_non_zero_value<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [value] if value.is_zero() => Ok(Val::Optional(None)),
        [value] => Ok(Val::some(value.clone())),
        _ => no_overload(),
    }
}

pub(crate) fn none<'a>(_args: &[Val<'a>]) -> Done<'a> {
    Ok(Val::Optional(None))
}

pub(crate) fn value<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Optional(Some(value))] => Ok(value.as_ref().clone()),
        [Val::Optional(None)] => Err(EvalError::new("optional.none() dereference")),
        _ => no_overload(),
    }
}

pub(crate) fn has_value<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Optional(value)] => Ok(Val::Bool(value.is_some())),
        _ => no_overload(),
    }
}

pub(crate) fn or<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Optional(None), other] => Ok(other.clone()),
        [some @ Val::Optional(_), _] => Ok(some.clone()),
        _ => no_overload(),
    }
}

pub(crate) fn or_value<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Optional(Some(value)), _] => Ok(value.as_ref().clone()),
        [Val::Optional(None), other] => Ok(other.clone()),
        _ => no_overload(),
    }
}

pub(crate) fn unwrap<'a>(args: &[Val<'a>]) -> Done<'a> {
    let [Val::List(list)] = args else {
        return no_overload();
    };
    let present = list.items()?.into_iter().filter_map(|item| match item {
        Val::Optional(value) => value.map(|value| *value),
        other => Some(other),
    });
    Ok(Val::list(present.collect()))
}
