//! Recordings of a real server against this crate.

mod recordings;
