//! JSON as Kubernetes' Go programs read and write it.
//!
//! [`parse()`] keeps whole numbers and floats apart as `sigs.k8s.io/json` does; the writers give the
//! bytes of Go's `encoding/json`. This module must never know YAML.

mod parse;
mod plain;
mod scan;
mod write;

pub use parse::{Reader, Stream, parse, parse_noting_repeats, parse_str};
pub(crate) use parse::{position, text_of};
pub use scan::{duplicates, syntax_error};
pub use write::{
    Indent, to_string, to_string_html_escaped, to_string_pretty, to_vec, to_vec_html_escaped,
    to_vec_pretty,
};

#[cfg(test)]
mod tests;
