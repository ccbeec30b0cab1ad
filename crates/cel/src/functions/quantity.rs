//! Quantities such as `500Mi`, and what they share with versions: their order.

use std::cmp::Ordering;
use std::str::FromStr;

use manifest::quantity::Quantity;

use super::{Done, no_overload};
use crate::eval::EvalError;
use crate::value::{Opaque, Val};

pub(crate) fn quantity<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::String(text)] => Quantity::from_str(text)
            .map(|quantity| Val::Opaque(Opaque::Quantity(quantity)))
            .map_err(|error| EvalError::new(error.to_string())),
        _ => no_overload(),
    }
}

pub(crate) fn is_quantity<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::String(text)] => Ok(Val::Bool(Quantity::from_str(text).is_ok())),
        _ => no_overload(),
    }
}

fn zero() -> Quantity {
    Quantity::from_str("0").expect("zero is a quantity")
}

fn number(number: i64) -> Quantity {
    Quantity::from_str(&number.to_string()).expect("a whole number is a quantity")
}

fn order(args: &[Val<'_>]) -> Result<Ordering, EvalError> {
    match args {
        [
            Val::Opaque(Opaque::Quantity(one)),
            Val::Opaque(Opaque::Quantity(other)),
        ] => Ok(one.cmp(other)),
        [
            Val::Opaque(Opaque::Semver(one)),
            Val::Opaque(Opaque::Semver(other)),
        ] => Ok(one.cmp(other)),
        _ => Err(EvalError::no_overload()),
    }
}

fn sign_of<'a>(order: Ordering) -> Val<'a> {
    Val::Int(match order {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    })
}

pub(crate) fn sign<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Opaque(Opaque::Quantity(quantity))] => Ok(sign_of(quantity.cmp(&zero()))),
        _ => no_overload(),
    }
}

pub(crate) fn is_greater_than<'a>(args: &[Val<'a>]) -> Done<'a> {
    Ok(Val::Bool(order(args)?.is_gt()))
}

pub(crate) fn is_less_than<'a>(args: &[Val<'a>]) -> Done<'a> {
    Ok(Val::Bool(order(args)?.is_lt()))
}

pub(crate) fn compare_to<'a>(args: &[Val<'a>]) -> Done<'a> {
    Ok(sign_of(order(args)?))
}

/// The value when it is a whole number of 64 bits.
fn whole(quantity: &Quantity) -> Option<i64> {
    let rounded = quantity.scaled(0)?;
    (number(rounded) == *quantity).then_some(rounded)
}

pub(crate) fn as_approximate_float<'a>(args: &[Val<'a>]) -> Done<'a> {
    let [Val::Opaque(Opaque::Quantity(quantity))] = args else {
        return no_overload();
    };
    let exact = whole(quantity).map(|number| number as f64);
    let parts = quantity.scaled(-9).map(|nanos| nanos as f64 / 1e9);
    let rough = quantity.scaled(0).map(|number| number as f64);
    Ok(Val::Double(
        exact.or(parts).or(rough).unwrap_or(f64::INFINITY),
    ))
}

pub(crate) fn as_integer<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Opaque(Opaque::Quantity(quantity))] => whole(quantity)
            .map(Val::Int)
            .ok_or_else(|| EvalError::new("cannot convert value to integer")),
        _ => no_overload(),
    }
}

pub(crate) fn is_integer<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Opaque(Opaque::Quantity(quantity))] => Ok(Val::Bool(whole(quantity).is_some())),
        _ => no_overload(),
    }
}

fn sum<'a>(one: &Quantity, other: Option<Quantity>) -> Done<'a> {
    let sum = other.and_then(|other| one.checked_add(&other));
    sum.map(|sum| Val::Opaque(Opaque::Quantity(sum)))
        .ok_or_else(|| EvalError::new("integer overflow"))
}

/// The quantity with the other sign.
fn negated(quantity: &Quantity) -> Option<Quantity> {
    let text = quantity.to_string();
    let other = match text.strip_prefix('-') {
        Some(positive) => positive.to_owned(),
        None => format!("-{text}"),
    };
    Quantity::from_str(&other).ok()
}

pub(crate) fn add<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [
            Val::Opaque(Opaque::Quantity(one)),
            Val::Opaque(Opaque::Quantity(other)),
        ] => sum(one, Some(other.clone())),
        [Val::Opaque(Opaque::Quantity(one)), Val::Int(other)] => sum(one, Some(number(*other))),
        _ => no_overload(),
    }
}

pub(crate) fn sub<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [
            Val::Opaque(Opaque::Quantity(one)),
            Val::Opaque(Opaque::Quantity(other)),
        ] => sum(one, negated(other)),
        [Val::Opaque(Opaque::Quantity(one)), Val::Int(other)] => sum(one, negated(&number(*other))),
        _ => no_overload(),
    }
}
