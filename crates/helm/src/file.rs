//! A file of a chart.

use std::borrow::Cow;
use std::sync::Arc;

/// A file under its name in the chart, such as `templates/service.yaml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The path from the chart's folder.
    pub name: Arc<str>,
    /// What is in it, without a byte order mark.
    pub data: Arc<[u8]>,
}

impl File {
    /// A file; a byte order mark is left out, as Helm does.
    pub(crate) fn new(name: &str, data: &[u8]) -> Self {
        File {
            name: name.into(),
            data: without_mark(data).into(),
        }
    }

    /// Its text; bytes that are no UTF-8 become U+FFFD.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match std::str::from_utf8(&self.data) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(&self.data),
        }
    }
}

fn without_mark(data: &[u8]) -> &[u8] {
    data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data)
}
