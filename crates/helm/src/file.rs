//! A file of a chart.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

/// A file under its name in the chart, such as `templates/service.yaml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The path from the chart's folder.
    pub name: Arc<str>,
    /// What is in it, without a byte order mark; shares the memory of what was read at once.
    pub(crate) data: Bytes,
}

impl File {
    /// A file; a byte order mark is left out, as Helm does.
    pub(crate) fn new(name: &str, data: Bytes) -> Self {
        File {
            name: name.into(),
            data: without_mark(data),
        }
    }

    /// What is in it, without a byte order mark.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.data
    }

    /// Its text; bytes that are no UTF-8 become U+FFFD.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match std::str::from_utf8(&self.data) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(&self.data),
        }
    }
}

/// Without the byte order mark that they may begin with.
fn without_mark(data: Bytes) -> Bytes {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    match data.starts_with(MARK) {
        true => data.slice(MARK.len()..),
        false => data,
    }
}
