//! The sandbox from outside: over its tower service, and over TLS with real clients.

#![allow(clippy::unwrap_used)] // a test that fails says where

mod client;
mod objects;
