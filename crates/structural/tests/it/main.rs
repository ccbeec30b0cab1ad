//! Recordings of a real server against this crate.

mod definitions;
mod objects;
