//! The escapers that Go builds in: `html`, `js`, `urlquery`.

use std::fmt::Write as _;

use crate::quote;

/// Text for HTML.
pub(crate) fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '\0' => escaped.push('\u{fffd}'),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            _ => escaped.push(it),
        }
    }
    escaped
}

/// Text inside a JavaScript string.
pub(crate) fn js(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '\\' => escaped.push_str("\\\\"),
            '\'' => escaped.push_str("\\'"),
            '"' => escaped.push_str("\\\""),
            '<' | '>' | '&' | '=' => escape(&mut escaped, it),
            _ if it < ' ' || (!it.is_ascii() && !quote::is_printable(it)) => {
                escape(&mut escaped, it);
            }
            _ => escaped.push(it),
        }
    }
    escaped
}

fn escape(escaped: &mut String, it: char) {
    let written = write!(escaped, "\\u{:04X}", u32::from(it));
    debug_assert!(written.is_ok(), "a String takes everything");
}

/// Text inside the query of a URL.
pub(crate) fn url_query(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(byte.into());
            }
            b' ' => escaped.push('+'),
            _ => {
                let written = write!(escaped, "%{byte:02X}");
                debug_assert!(written.is_ok(), "a String takes everything");
            }
        }
    }
    escaped
}
