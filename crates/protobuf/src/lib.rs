//! Kubernetes' protobuf form of built-in kinds: what client-go and kubectl send and ask for.
//!
//! Read [`parse()`] and [`encode()`] first: they read and write the wire format by the numbers of
//! `data/protobuf.txt`, from the `generated.proto` files of Kubernetes v1.35. The order of the
//! members there is that of Go's types, so it also says how Go prints an object ([`go_text()`]).
//!
//! This crate must never know a request or a store: trees go in, bytes come out, and back.

mod decode;
mod encode;
mod order;
mod swagger;
mod table;

pub use decode::parse;
pub use encode::{encode, frame};
pub use order::{go_text, looked_into};
pub use swagger::encode_swagger;
