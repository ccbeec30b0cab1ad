//! Tests of the controllers together, over a real sandbox server.

mod matching;
mod nodes;
mod replay;
