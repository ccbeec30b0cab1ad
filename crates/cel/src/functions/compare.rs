//! Equality and order.

use std::cmp::Ordering;

use super::{Done, no_overload};
use crate::value::{self, Val};

pub(crate) fn equal<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [one, other] => Ok(Val::Bool(value::equal(one, other)?)),
        _ => no_overload(),
    }
}

pub(crate) fn not_equal<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [one, other] => Ok(Val::Bool(!value::equal(one, other)?)),
        _ => no_overload(),
    }
}

fn ordered<'a>(args: &[Val<'a>], holds: fn(Ordering) -> bool) -> Done<'a> {
    match args {
        // No number is in an order with what is none.
        [Val::Double(number), _] | [_, Val::Double(number)] if number.is_nan() => {
            Ok(Val::Bool(false))
        }
        [one, other] => match value::order(one, other) {
            Some(order) => Ok(Val::Bool(holds(order))),
            None => no_overload(),
        },
        _ => no_overload(),
    }
}

pub(crate) fn less<'a>(args: &[Val<'a>]) -> Done<'a> {
    ordered(args, Ordering::is_lt)
}

pub(crate) fn less_or_equal<'a>(args: &[Val<'a>]) -> Done<'a> {
    ordered(args, Ordering::is_le)
}

pub(crate) fn greater<'a>(args: &[Val<'a>]) -> Done<'a> {
    ordered(args, Ordering::is_gt)
}

pub(crate) fn greater_or_equal<'a>(args: &[Val<'a>]) -> Done<'a> {
    ordered(args, Ordering::is_ge)
}
