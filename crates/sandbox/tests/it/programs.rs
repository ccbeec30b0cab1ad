//! The real programs that some tests drive.

use std::path::{Path, PathBuf};

/// Where `cargo xtask install-tools` put a program; says so and gives none where it is absent.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let home =
        || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/tiphys/oracle"));
    let folder = std::env::var_os("TIPHYS_ORACLE")
        .map(PathBuf::from)
        .or_else(home)?;
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    let in_ci = std::env::var("CI").as_deref() == Ok("true");
    assert!(!in_ci, "{name} is not installed");
    println!("skipped: {name} is not installed in {}", folder.display());
    None
}
