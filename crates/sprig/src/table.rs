//! The one table of all groups of functions.

use gotmpl::Functions;

use crate::{
    arguments, cases, certificates, dates, defaults, dicts, encodings, lists, mathematics,
    password, paths, random, reflection, regexes, strings, urls, versions, wrap,
};

/// All groups of the table.
const GROUPS: &[&[arguments::Row]] = &[
    strings::ROWS,
    cases::ROWS,
    wrap::ROWS,
    mathematics::ROWS,
    lists::ROWS,
    dicts::ROWS,
    defaults::ROWS,
    reflection::ROWS,
    encodings::ROWS,
    dates::ROWS,
    versions::ROWS,
    regexes::ROWS,
    paths::ROWS,
    urls::ROWS,
    password::ROWS,
    certificates::ROWS,
    random::ROWS,
];

/// The functions, by their names.
#[must_use]
pub fn functions() -> Functions {
    let mut functions = Functions::new();
    for row in GROUPS.iter().copied().flatten() {
        functions.add(row.name, row.function());
    }
    functions
}
