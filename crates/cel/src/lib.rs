//! The Common Expression Language as kube-apiserver v1.35 speaks it: text is parsed, checked
//! against types, and run over data trees.
//!
//! Read [`Environment`] first: it knows the variables of an expression and compiles text to a
//! [`Program`]; a program is kept and run as often as there is data. What is wrong with a text is
//! said word for word as cel-go says it, with the place.
//!
//! The judge is cel-go inside a real kube-apiserver. No library reached it: the one for Rust has no
//! type checker, and most of what a server says about a rule comes from there.
//!
//! This crate must never know a custom resource, a policy or a request.

mod ast;
mod checker;
mod declarations;
mod environment;
mod eval;
mod expression_type;
mod functions;
mod go_time;
mod lexer;
mod macros;
mod parser;
pub mod regexp;
mod source;
mod unify;
mod value;

pub use environment::{Environment, Program};
pub use eval::{Budget, EvalError, Variables};
pub use expression_type::{Field, ObjectType, Relation, Type};
pub use functions::url::is_request_uri;
pub use go_time::parse_duration;
pub use source::Issues;
pub use value::{List, MapValue, Opaque, Val};
