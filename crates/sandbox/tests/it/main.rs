//! The sandbox from outside: over its tower service, and over TLS with real clients.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails where it unwraps, and says what it skips"
)]

mod auth;
mod budget;
mod client;
mod conversion;
mod crash;
mod custom;
mod helm;
mod hook;
mod kubectl;
mod limits;
mod lists;
mod objects;
mod patches;
mod programs;
mod soak;
mod webhooks;
