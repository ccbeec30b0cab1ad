//! Charts of Helm repositories and registries: which version a range means, and the files of it.
//!
//! Read [`Charts`] first: it gives a [`ChartRepository`] per address and login, which finds the
//! version that a range means and fetches it as an [`Archive`]. Nothing is unpacked to disk, no
//! program is started, and no error or log line holds a credential. What a chart means is not
//! known here.

mod archive;
mod cache;
mod digest;
mod docker;
mod error;
mod index;
mod oci;
mod place;
mod repository;
mod web;

pub use archive::{ArchiveError, Layout, unpack};
pub use digest::Digest;
pub use error::{ChartError, ChartProblem};
pub use repository::{Archive, ChartOptions, ChartRepository, Charts, PassCredentials};
