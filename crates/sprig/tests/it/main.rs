//! Sprig's functions over values that nobody wrote; what is right is in the recordings that crate
//! `helm` replays.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where it saw what must not be"
)]

mod any_values;
