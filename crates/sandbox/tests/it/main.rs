//! The sandbox from outside: over its tower service, and over TLS with real clients.

mod client;
mod crash;
mod custom;
mod kubectl;
mod objects;
mod patches;
