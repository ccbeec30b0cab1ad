//! The types against Argo CD's schemas and against statuses that Argo CD wrote.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "tests read recordings from files and say what they skip"
)]

mod recorded;
mod schema;

use std::path::PathBuf;

/// A folder of the shared material, or `None` with a line that says so.
fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("TIPHYS_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let found = Some(root.join(path)).filter(|it| it.exists());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "shared/{path} is missing");
        eprintln!("skipped: shared/{path} is not here");
    }
    found
}
