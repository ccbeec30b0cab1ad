//! What the functions of the table do. Each module is one library.

pub(crate) mod compare;
pub(crate) mod convert;
pub(crate) mod format;
pub(crate) mod lists;
pub(crate) mod maps;
pub(crate) mod named_format;
pub(crate) mod net;
pub(crate) mod numbers;
pub(crate) mod optional;
pub(crate) mod quantity;
pub(crate) mod semver;
pub(crate) mod sets;
pub(crate) mod strings;
pub(crate) mod time;
pub(crate) mod url;

use crate::eval::EvalError;
use crate::value::Val;

/// A function on its evaluated arguments; a receiver is the first one.
pub(crate) type Run = for<'a> fn(&[Val<'a>]) -> Result<Val<'a>, EvalError>;

/// What a function gives.
pub(crate) type Done<'a> = Result<Val<'a>, EvalError>;

/// Arguments of types that the function does not take, which the checker could not see.
pub(crate) fn no_overload<'a>() -> Done<'a> {
    Err(EvalError::no_overload())
}

/// A length or index as a number of an expression.
pub(crate) fn count<'a>(number: usize) -> Val<'a> {
    Val::Int(i64::try_from(number).unwrap_or(i64::MAX))
}
