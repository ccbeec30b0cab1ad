//! Which quotes a string needs, by libyaml's analysis of its characters.

use crate::emit::Dialect;
use crate::resolve::{Scalar, Times, is_base60, old_bool, resolve};

/// Keys longer than this many bytes are written behind `? `.
const MAX_SIMPLE_KEY: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// What the characters of a string allow.
#[derive(Debug)]
pub(super) struct Shape {
    wanted: Style,
    multiline: bool,
    plain_allowed: bool,
    single_allowed: bool,
    block_allowed: bool,
}

/// What one pass over the characters finds.
#[derive(Default)]
struct Findings {
    indicators: bool,
    line_breaks: bool,
    special: bool,
    tabs: bool,
    leading_or_trailing: bool,
    trailing_space: bool,
    break_space: bool,
    space_break: bool,
}

impl Shape {
    pub(super) fn of(text: &str, dialect: Dialect) -> Shape {
        let wanted = wanted(text, dialect);
        if text.is_empty() {
            return Shape {
                wanted,
                multiline: false,
                plain_allowed: true,
                single_allowed: true,
                block_allowed: false,
            };
        }
        let found = Findings::of(text, dialect.is_v2());
        let odd = found.space_break || found.special;
        let broken = odd || found.tabs || found.break_space;
        Shape {
            wanted,
            multiline: found.line_breaks,
            plain_allowed: !(broken
                || found.leading_or_trailing
                || found.line_breaks
                || found.indicators),
            single_allowed: !broken,
            block_allowed: !(odd || found.trailing_space),
        }
    }

    /// Whether a key with this text can be written as `key: `.
    pub(super) fn is_simple_key(&self, text: &str) -> bool {
        !self.multiline && text.len() <= MAX_SIMPLE_KEY
    }

    /// The style to write; `simple_key` forbids what spans lines.
    pub(super) fn style(&self, simple_key: bool) -> Style {
        let mut style = self.wanted;
        if simple_key && self.multiline {
            style = Style::Double;
        }
        if style == Style::Plain && !self.plain_allowed {
            style = Style::Single;
        }
        if style == Style::Single && !self.single_allowed {
            style = Style::Double;
        }
        if style == Style::Literal && (!self.block_allowed || simple_key) {
            style = Style::Double;
        }
        style
    }
}

fn wanted(text: &str, dialect: Dialect) -> Style {
    if text.contains('\n') {
        return Style::Literal;
    }
    // go-yaml's resolver never sees `<<`, so that it is not quoted.
    let stays_text = matches!(
        resolve(text, dialect.mode(), Times::Seen),
        Scalar::Text | Scalar::Merge
    );
    let old = !dialect.is_v2() && old_bool(text).is_some();
    if stays_text && !is_base60(text) && !old {
        Style::Plain
    } else {
        Style::Double
    }
}

impl Findings {
    fn of(text: &str, tabs_are_special: bool) -> Findings {
        let mut found = Findings {
            indicators: text.starts_with("---") || text.starts_with("..."),
            ..Findings::default()
        };
        if let Some(first) = text.chars().next()
            && text.bytes().all(|byte| byte.is_ascii_graphic())
        {
            // One word of ASCII: between its ends nothing is an indicator.
            found.indicators |= is_indicator(first, true, true, text.len() == 1);
            found.indicators |= text.ends_with(':');
            return found;
        }
        let (mut after_blank, mut after_space, mut after_break) = (true, false, false);
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let last = chars.peek().is_none();
            let before_blank = chars
                .peek()
                .is_none_or(|(_, next)| is_blank_or_break(*next, true));
            found.indicators |= is_indicator(c, at == 0, after_blank, before_blank);
            if c == '\t' && !tabs_are_special {
                found.tabs = true;
            } else if !is_printable(c) {
                found.special = true;
            }
            let is_space = c == ' ';
            let is_break = is_break(c);
            if is_space || is_break {
                found.leading_or_trailing |= at == 0 || last;
            }
            found.trailing_space |= is_space && last;
            found.break_space |= is_space && after_break;
            found.space_break |= is_break && after_space;
            found.line_breaks |= is_break;
            (after_space, after_break) = (is_space, is_break);
            after_blank = is_blank_or_break(c, false);
        }
        found
    }
}

/// Whether a character in this place would begin something else than plain text in a block.
fn is_indicator(c: char, first: bool, after_blank: bool, before_blank: bool) -> bool {
    match c {
        '#' => first || after_blank,
        ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
        | '`' => first,
        '?' | '-' => first && before_blank,
        ':' => before_blank,
        _ => false,
    }
}

/// libyaml looks for spaces and tabs only behind a character, and for line breaks as well before
/// it.
fn is_blank_or_break(c: char, blanks_only: bool) -> bool {
    matches!(c, ' ' | '\t' | '\0') && (c != '\0' || !blanks_only) || !blanks_only && is_break(c)
}

/// What libyaml takes for a line break.
pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What go-yaml writes as it is; everything beyond the basic plane is not among it.
pub(super) fn is_printable(c: char) -> bool {
    matches!(c, '\n' | '\u{20}'..='\u{7e}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && c != '\u{feff}'
}
