//! Objects with revisions, and one ring of events per resource that all watchers share.
//!
//! Read [`Store`] first. It owns the one global revision counter, the objects by (resource,
//! namespace, name), and the history that watches and exact lists read. It must never know what an
//! object means: it stores bytes, with the labels beside them so that selectors need no parsing.

mod durable;
mod objects;
mod stored;
mod table;

pub use durable::DurableError;
pub use objects::{Batch, Changed, Collection, Compacted, Cursor, Expect, Listing, Store};
pub use stored::{Draft, Stored};
pub use table::{Event, EventKind, Form};
