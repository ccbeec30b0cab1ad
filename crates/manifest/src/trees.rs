//! Trees that are no revision: files in memory, and trees put together from others.
//!
//! Read [`Files`], then [`Mounts`]. They must never know where the files came from.

mod files;
mod mounts;

pub use files::Files;
pub use mounts::{Listed, Mounts};
