//! The controller over the sandbox, in process: what becomes of commits, edits and mistakes.

mod deletion;
mod mistakes;
mod operations;
mod scale;
mod sync;
mod waves;
mod world;

pub(crate) use world::{World, application};
