//! Sprig v3.3: the functions that Helm's templates have beside Go's own.
//!
//! Read [`functions`]: one table, whose rows stand in the modules of their groups. A row has Go's
//! parameter types, so the executor reports wrong arguments in Go's words before a body runs.
//!
//! `env` and `expandenv` are left out, as Helm leaves them out, and `getHostByName` gives an empty
//! text, as it does in Helm where DNS is off. Time and randomness are those of the
//! [`Session`](gotmpl::Session).

mod arguments;
mod cases;
mod cast;
mod certificates;
mod dates;
mod decimal;
mod defaults;
mod der;
mod dicts;
mod encodings;
pub mod json;
mod keys;
mod known;
mod lists;
mod mathematics;
mod password;
mod paths;
mod pattern;
mod random;
mod reflection;
mod regexes;
pub mod semver;
mod strings;
mod table;
mod time;
mod urls;
mod versions;
mod wrap;

pub use cast::{float_of, integer_of, text_of};
pub use table::functions;
