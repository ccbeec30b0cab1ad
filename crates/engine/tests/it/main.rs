//! The engine beside recordings of the real programs, read in place from `TIPHYS_SHARED`.

mod cluster;
mod health;
mod replay;
mod requests;
mod scenarios;
mod world;

use std::path::PathBuf;

/// The folder of corpora; `None`, with a line, where it is absent. Under `CI=true` it must be there.
#[allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests read their corpus"
)]
pub(crate) fn shared(part: &str) -> Option<PathBuf> {
    let root = std::env::var("TIPHYS_SHARED").map_or_else(
        |_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let folder = root.join(part);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "{part} is missing"
    );
    eprintln!("skipped: {part} is not there");
    None
}
