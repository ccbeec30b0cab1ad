//! What the real Argo CD controller was recorded to do (corpora/argocd-sync) beside what came out
//! here. For tests only: nothing of the product uses it.
//!
//! Read [`application()`] first. Everything here is a function of a recorded and a found value; the
//! corpus' README says what must match. It must never know how the found value came about.

mod application;
mod events;
mod live;
mod pattern;
mod requests;

pub use application::application;
pub use events::events;
pub use live::live;
pub use pattern::{Difference, fits, map_texts};
pub use requests::requests;
