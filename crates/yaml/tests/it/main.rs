//! The crate against recordings of Go's libraries (`oracle/` makes them, `testdata/origin` says how).
//! Each test prints how many cases agree, and fails when fewer do than [`expected`] says.

mod corpus;
mod expected;
mod recorded;
mod round_trip;
