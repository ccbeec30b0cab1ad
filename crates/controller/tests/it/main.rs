//! The controller over the sandbox, in process: what becomes of commits, edits and mistakes.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "tests fail by panics and print their rates"
)]

mod bases;
mod clusters;
mod deletion;
mod mistakes;
mod operations;
mod replay;
mod scale;
mod sync;
mod waves;
mod windows;
mod world;

pub(crate) use world::{World, application};
