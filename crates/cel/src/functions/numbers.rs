//! Arithmetic and logic.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{Done, no_overload};
use crate::eval::EvalError;
use crate::expression_type::Relation;
use crate::value::{List, Val, find_by_keys, is_among};

pub(crate) fn identity<'a>(args: &[Val<'a>]) -> Done<'a> {
    args.first().cloned().ok_or_else(EvalError::no_overload)
}

pub(crate) fn not<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Bool(flag)] => Ok(Val::Bool(!flag)),
        _ => no_overload(),
    }
}

fn int<'a>(number: Option<i64>) -> Done<'a> {
    number
        .map(Val::Int)
        .ok_or_else(|| EvalError::new("integer overflow"))
}

fn uint<'a>(number: Option<u64>) -> Done<'a> {
    number
        .map(Val::Uint)
        .ok_or_else(|| EvalError::new("unsigned integer overflow"))
}

fn duration<'a>(nanos: Option<i64>) -> Done<'a> {
    nanos
        .map(Val::Duration)
        .ok_or_else(|| EvalError::new("integer overflow"))
}

fn timestamp<'a>(time: Timestamp, nanos: i64) -> Done<'a> {
    time.checked_add(SignedDuration::from_nanos(nanos))
        .map(Val::Timestamp)
        .map_err(|_far| EvalError::new("timestamp overflow"))
}

pub(crate) fn negate<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Int(number)] => int(number.checked_neg()),
        [Val::Double(number)] => Ok(Val::Double(-number)),
        [Val::Duration(nanos)] => duration(nanos.checked_neg()),
        _ => no_overload(),
    }
}

pub(crate) fn add<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Int(one), Val::Int(other)] => int(one.checked_add(*other)),
        [Val::Uint(one), Val::Uint(other)] => uint(one.checked_add(*other)),
        [Val::Double(one), Val::Double(other)] => Ok(Val::Double(one + other)),
        [Val::String(one), Val::String(other)] => Ok(Val::String(format!("{one}{other}").into())),
        [Val::Bytes(one), Val::Bytes(other)] => Ok(Val::Bytes(Arc::from([&**one, other].concat()))),
        [Val::Duration(one), Val::Duration(other)] => duration(one.checked_add(*other)),
        [Val::Duration(nanos), Val::Timestamp(time)]
        | [Val::Timestamp(time), Val::Duration(nanos)] => timestamp(*time, *nanos),
        [Val::List(one), Val::List(other)] => join(one, other),
        _ => no_overload(),
    }
}

/// Lists of data join by their relation: sets without repeats, keyed items replaced.
fn join<'a>(one: &List<'a>, other: &List<'a>) -> Done<'a> {
    let mut items = one.items()?;
    match one.relation() {
        Relation::Atomic => items.extend(other.items()?),
        Relation::Set => {
            for item in other.items()? {
                if !is_among(&item, &items)? {
                    items.push(item);
                }
            }
        }
        Relation::Map(keys) => {
            for item in other.items()? {
                let mut place = None;
                for (index, known) in items.iter().enumerate() {
                    if find_by_keys(&item, std::slice::from_ref(known), keys)?.is_some() {
                        place = Some(index);
                    }
                }
                match place.and_then(|index| items.get_mut(index)) {
                    Some(known) => *known = item,
                    None => items.push(item),
                }
            }
        }
    }
    Ok(Val::list(items))
}

pub(crate) fn subtract<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Int(one), Val::Int(other)] => int(one.checked_sub(*other)),
        [Val::Uint(one), Val::Uint(other)] => uint(one.checked_sub(*other)),
        [Val::Double(one), Val::Double(other)] => Ok(Val::Double(one - other)),
        [Val::Duration(one), Val::Duration(other)] => duration(one.checked_sub(*other)),
        [Val::Timestamp(time), Val::Duration(nanos)] => {
            let nanos = nanos.checked_neg();
            timestamp(
                *time,
                nanos.ok_or_else(|| EvalError::new("integer overflow"))?,
            )
        }
        [Val::Timestamp(one), Val::Timestamp(other)] => {
            let nanos = one.duration_since(*other).as_nanos();
            duration(i64::try_from(nanos).ok())
        }
        _ => no_overload(),
    }
}

pub(crate) fn multiply<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Int(one), Val::Int(other)] => int(one.checked_mul(*other)),
        [Val::Uint(one), Val::Uint(other)] => uint(one.checked_mul(*other)),
        [Val::Double(one), Val::Double(other)] => Ok(Val::Double(one * other)),
        _ => no_overload(),
    }
}

pub(crate) fn divide<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Int(_), Val::Int(0)] | [Val::Uint(_), Val::Uint(0)] => {
            Err(EvalError::new("division by zero"))
        }
        [Val::Int(one), Val::Int(other)] => int(one.checked_div(*other)),
        [Val::Uint(one), Val::Uint(other)] => uint(one.checked_div(*other)),
        [Val::Double(one), Val::Double(other)] => Ok(Val::Double(one / other)),
        _ => no_overload(),
    }
}

pub(crate) fn modulo<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Int(_), Val::Int(0)] | [Val::Uint(_), Val::Uint(0)] => {
            Err(EvalError::new("modulus by zero"))
        }
        [Val::Int(one), Val::Int(other)] => int(one.checked_rem(*other)),
        [Val::Uint(one), Val::Uint(other)] => uint(one.checked_rem(*other)),
        _ => no_overload(),
    }
}
