//! Go's text/template language: parsed once, executed often.
//!
//! Read [`Templates`] first: it takes texts under their names and executes one of them over a
//! [`Value`]. [`Functions`] are given by the caller; those that Go builds in are always there.
//! Outputs and errors are those of Go 1.26, to the letter; the judge is the corpus `gotemplate`.
//!
//! This crate is pure: it must never know a chart, a file, a clock or a random number.

mod builtins;
mod bytes;
mod compare;
mod error;
mod escape;
mod exec;
mod float;
mod function;
mod lex;
mod memory;
mod node;
mod number;
mod object;
mod parse;
mod print;
mod printf;
mod quote;
mod session;
mod slot;
mod templates;
pub mod text;
mod value;

pub use error::{Error, Stage};
pub use exec::Scope;
pub use function::{Function, Functions, Signature, Type};
pub use object::{Data, Kind, Member, Object};
pub use quote::quote;
pub use session::{Now, Random, Session};
pub use templates::{Limits, MissingKey, Parsed, Templates};
pub use value::{Element, List, Map, Value, Width};
