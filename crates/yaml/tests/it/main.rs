//! The crate against recordings of Go's libraries (`oracle/` makes them, `testdata/origin` says how).
//! Each test prints how many cases agree, and fails when fewer do than [`expected`] says.

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod expected;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod round_trip;
