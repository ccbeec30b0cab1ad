//! Semantic versions and constraints on them, as Masterminds' semver v3.4 reads them: charts and
//! Helm speak this dialect, and no library has it.
//!
//! Read [`Version`] and [`Constraint`].

mod constraint;
mod version;

pub use constraint::Constraint;
pub use version::Version;
