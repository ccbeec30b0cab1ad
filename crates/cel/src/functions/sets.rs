//! Lists as sets.

use super::{Done, no_overload};
use crate::value::{Val, all_among, is_among};

pub(crate) fn contains<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::List(list), Val::List(wanted)] => {
            Ok(Val::Bool(all_among(&wanted.items()?, &list.items()?)?))
        }
        _ => no_overload(),
    }
}

pub(crate) fn equivalent<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::List(one), Val::List(other)] => {
            let (one, other) = (one.items()?, other.items()?);
            let same = all_among(&one, &other)? && all_among(&other, &one)?;
            Ok(Val::Bool(same))
        }
        _ => no_overload(),
    }
}

pub(crate) fn intersects<'a>(args: &[Val<'a>]) -> Done<'a> {
    let [Val::List(one), Val::List(other)] = args else {
        return no_overload();
    };
    let others = other.items()?;
    for item in one.items()? {
        if is_among(&item, &others)? {
            return Ok(Val::Bool(true));
        }
    }
    Ok(Val::Bool(false))
}
