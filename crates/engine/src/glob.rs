//! Matching of names against patterns, as the two Go libraries that Argo CD uses do it.
//!
//! A pattern never fails to compile: where Go would report a bad pattern, it matches nothing, which
//! is what Argo CD makes of the error. It must never know what is matched.

/// The dialect of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// gobwas/glob without separators: `*` crosses everything; `{a,b}`, `[!a]`.
    Glob,
    /// gobwas/glob with the separator `/`: `*` stops at it, `**` does not.
    GlobPath,
    /// Go's `path/filepath.Match`: `*` stops at `/`, `[^a]`, no braces.
    Shell,
}

/// A pattern may stand for at most this many plain patterns once its braces are expanded; a
/// pattern beyond it matches nothing. Patterns come from users, and braces multiply.
const MAX_ALTERNATIVES: usize = 1024;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Char(char),
    /// Any one character that is no separator.
    One,
    /// Any text without a separator.
    Star,
    /// Any text.
    SuperStar,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// Whether `text` matches `pattern`.
pub(crate) fn matches(pattern: &str, text: &str, dialect: Dialect) -> bool {
    if pattern == text && !pattern.contains(['\\', '[', '{']) {
        return true;
    }
    let patterns = match dialect {
        Dialect::Shell => vec![pattern.to_owned()],
        Dialect::Glob | Dialect::GlobPath => match expand_braces(pattern) {
            Some(patterns) => patterns,
            None => return false,
        },
    };
    patterns.iter().any(|pattern| {
        tokens(pattern, dialect).is_some_and(|tokens| run(&tokens, text, dialect != Dialect::Glob))
    })
}

/// Expands `{a,b}` outermost first; `None` when unbalanced or too many.
fn expand_braces(pattern: &str) -> Option<Vec<String>> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(next) = open.pop() {
        match split_braces(&next)? {
            None => done.push(next),
            Some((before, parts, after)) => {
                open.extend(parts.iter().map(|part| format!("{before}{part}{after}")));
            }
        }
        if done.len() + open.len() > MAX_ALTERNATIVES {
            return None;
        }
    }
    Some(done)
}

type Split<'a> = (&'a str, Vec<&'a str>, &'a str);

/// The text before the first brace, its alternatives, and the text after it.
fn split_braces(pattern: &str) -> Option<Option<Split<'_>>> {
    let mut depth = 0_usize;
    let mut start = 0;
    let mut part = 0;
    let mut parts = Vec::new();
    let mut escaped = false;
    let mut in_class = false;
    for (at, c) in pattern.char_indices() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match c {
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            _ if in_class => {}
            '{' => {
                depth += 1;
                if depth == 1 {
                    start = at;
                    part = at + 1;
                }
            }
            ',' if depth == 1 => {
                parts.push(&pattern[part..at]);
                part = at + 1;
            }
            '}' if depth == 1 => {
                parts.push(&pattern[part..at]);
                return Some(Some((&pattern[..start], parts, &pattern[at + 1..])));
            }
            '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    (depth == 0).then_some(None)
}

fn tokens(pattern: &str, dialect: Dialect) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '\\' => Token::Char(chars.next()?),
            '?' => Token::One,
            '*' if dialect == Dialect::GlobPath && chars.peek() == Some(&'*') => {
                while chars.peek() == Some(&'*') {
                    chars.next();
                }
                Token::SuperStar
            }
            '*' if dialect == Dialect::Glob => Token::SuperStar,
            '*' => Token::Star,
            '[' => class(&mut chars, dialect)?,
            c => Token::Char(c),
        });
    }
    Some(tokens)
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, dialect: Dialect) -> Option<Token> {
    let mark = if dialect == Dialect::Shell { '^' } else { '!' };
    let negated = chars.next_if_eq(&mark).is_some();
    let mut ranges = Vec::new();
    loop {
        let mut low = chars.next()?;
        if low == ']' && !ranges.is_empty() {
            return Some(Token::Class { negated, ranges });
        }
        if low == '\\' {
            low = chars.next()?;
        }
        let mut high = low;
        if chars.next_if_eq(&'-').is_some() {
            high = chars.next()?;
            if high == '\\' {
                high = chars.next()?;
            }
        }
        ranges.push((low, high));
    }
}

/// Follows all ways through the pattern at once: time is pattern × text, whatever the pattern.
fn run(tokens: &[Token], text: &str, has_separator: bool) -> bool {
    let mut at = vec![false; tokens.len() + 1];
    at[0] = true;
    skip_stars(tokens, &mut at);
    for c in text.chars() {
        let is_separator = has_separator && c == '/';
        let mut next = vec![false; tokens.len() + 1];
        for (i, token) in tokens.iter().enumerate() {
            if !at[i] {
                continue;
            }
            match token {
                Token::SuperStar => next[i] = true,
                Token::Star => next[i] = !is_separator || next[i],
                Token::One => next[i + 1] |= !is_separator,
                Token::Char(want) => next[i + 1] |= *want == c,
                Token::Class { negated, ranges } => {
                    let inside = ranges.iter().any(|(low, high)| (*low..=*high).contains(&c));
                    next[i + 1] |= inside != *negated && !is_separator;
                }
            }
        }
        skip_stars(tokens, &mut next);
        at = next;
    }
    at[tokens.len()]
}

fn skip_stars(tokens: &[Token], at: &mut [bool]) {
    for (i, token) in tokens.iter().enumerate() {
        if at[i] && matches!(token, Token::Star | Token::SuperStar) {
            at[i + 1] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, dialect: Dialect, want: bool) {
        assert_eq!(
            matches(pattern, text, dialect),
            want,
            "{pattern:?} on {text:?}"
        );
    }

    #[test]
    fn a_star_without_separators_crosses_folders() {
        check("*.yaml", "a/b.yaml", Dialect::Glob, true);
        check("*.yaml", "a/b.json", Dialect::Glob, false);
        check("{a,b/*}.yaml", "b/c.yaml", Dialect::Glob, true);
        check("{a,{b,c}d}", "cd", Dialect::Glob, true);
        check("{a", "a", Dialect::Glob, false);
        check("a?c", "abc", Dialect::Glob, true);
        check("[!a]x", "bx", Dialect::Glob, true);
        check("[a-c]x", "dx", Dialect::Glob, false);
        check("", "", Dialect::Glob, true);
        check("*", "", Dialect::Glob, true);
    }

    #[test]
    fn a_star_with_separator_stops_at_it() {
        check("https://h/*", "https://h/a", Dialect::GlobPath, true);
        check("https://h/*", "https://h/a/b", Dialect::GlobPath, false);
        check("https://h/**", "https://h/a/b", Dialect::GlobPath, true);
        check("*", "a/b", Dialect::Shell, false);
        check("[^a]*", "bc", Dialect::Shell, true);
        check("{a,b}", "a", Dialect::Shell, false);
        check("{a,b}", "{a,b}", Dialect::Shell, true);
        check(r"\*", "*", Dialect::Shell, true);
    }

    #[test]
    fn braces_that_multiply_match_nothing() {
        check(&"{a,b}".repeat(30), &"a".repeat(30), Dialect::Glob, false);
    }
}
