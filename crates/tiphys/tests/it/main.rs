//! The program from outside: the binary, real Git repositories, real kubectl where it is installed.

#![allow(
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that fails says what it saw, and one that skips says so"
)]

mod app;
mod charts;
mod chatbot;
mod cli;
mod harness;
mod mission;
mod overlays;
mod real_cluster;
mod sandbox;
mod up;
