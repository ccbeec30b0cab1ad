//! Lines of at most so many bytes: goutils' wrapping.

use gotmpl::Scope;
use gotmpl::text::{Text, bytes_of_text, text_of_bytes};

use crate::arguments::{Answer, Arguments, INT, Row, TEXT, text};

pub(super) const ROWS: &[Row] = &[
    Row::new("wrap", &[INT, TEXT], TEXT, |scope, all| {
        text(wrapped(scope, all.text(1), all.int(0), Breaks::AtSpaces)?)
    }),
    Row::new("wrapWith", &[INT, TEXT, TEXT], TEXT, wrap_with),
];

/// Where lines may end, and with what.
#[derive(Clone, Copy)]
enum Breaks<'t> {
    /// At spaces; words longer than a line stand alone.
    AtSpaces,
    /// At spaces and inside of long words.
    Anywhere(&'t str),
}

fn wrap_with(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let breaks = Breaks::Anywhere(all.text(1));
    text(wrapped(scope, all.text(2), all.int(0), breaks)?)
}

fn wrapped(
    scope: &mut Scope<'_>,
    whole: &str,
    width: i64,
    breaks: Breaks<'_>,
) -> Result<Text, String> {
    let newline = match breaks {
        Breaks::Anywhere(newline) if !newline.is_empty() => newline,
        _ => "\n",
    };
    let width = usize::try_from(width).unwrap_or(0).max(1);
    let bytes = bytes_of_text(whole);
    let most = newline.len().saturating_mul(bytes.len());
    scope.session().may_make(most.saturating_add(bytes.len()))?;
    let mut out: Vec<u8> = Vec::with_capacity(bytes.len() + bytes.len() / width);
    let mut rest: &[u8] = &bytes;
    while rest.len() > width {
        if rest[0] == b' ' {
            rest = &rest[1..];
            continue;
        }
        let space = rest[..=width].iter().rposition(|byte| *byte == b' ');
        let (end, next) = match (space, breaks) {
            (Some(space), _) => (space, space + 1),
            (None, Breaks::Anywhere(_)) => (width, width),
            (None, Breaks::AtSpaces) => match rest[width..].iter().position(|byte| *byte == b' ') {
                Some(space) => (width + space, width + space + 1),
                None => break,
            },
        };
        out.extend_from_slice(&rest[..end]);
        out.extend_from_slice(newline.as_bytes());
        rest = &rest[next..];
    }
    out.extend_from_slice(rest);
    Ok(text_of_bytes(&out))
}
