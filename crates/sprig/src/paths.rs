//! Paths with slashes: Go's `path`, and `filepath` as it is on Linux.

use crate::arguments::{BOOL, Row, TEXT, text, truth};

pub(super) const ROWS: &[Row] = &[
    Row::new("base", &[TEXT], TEXT, |_, all| text(base(all.text(0)))),
    Row::new("osBase", &[TEXT], TEXT, |_, all| text(base(all.text(0)))),
    Row::new("dir", &[TEXT], TEXT, |_, all| text(dir(all.text(0)))),
    Row::new("osDir", &[TEXT], TEXT, |_, all| text(dir(all.text(0)))),
    Row::new("clean", &[TEXT], TEXT, |_, all| text(clean(all.text(0)))),
    Row::new("osClean", &[TEXT], TEXT, |_, all| text(clean(all.text(0)))),
    Row::new("ext", &[TEXT], TEXT, |_, all| text(ext(all.text(0)))),
    Row::new("osExt", &[TEXT], TEXT, |_, all| text(ext(all.text(0)))),
    Row::new("isAbs", &[TEXT], BOOL, |_, all| {
        truth(all.text(0).starts_with('/'))
    }),
    Row::new("osIsAbs", &[TEXT], BOOL, |_, all| {
        truth(all.text(0).starts_with('/'))
    }),
];

/// The last part.
fn base(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    let path = path.trim_end_matches('/');
    match path.rsplit_once('/') {
        _ if path.is_empty() => "/",
        Some((_, last)) => last,
        None => path,
    }
}

/// All but the last part.
fn dir(path: &str) -> String {
    let end = path.rfind('/').map_or(0, |at| at + 1);
    clean(&path[..end])
}

/// The shortest path that leads to the same place.
fn clean(path: &str) -> String {
    let is_rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if is_rooted => {}
            part => parts.push(part),
        }
    }
    match (is_rooted, parts.join("/")) {
        (true, path) => format!("/{path}"),
        (false, path) if path.is_empty() => ".".to_owned(),
        (false, path) => path,
    }
}

/// From the last point of the last part on.
fn ext(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.rfind('.').map_or("", |at| &name[at..])
}
