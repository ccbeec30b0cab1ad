//! Patterns in Go's syntax (RE2), and what Go says of broken ones.

use regex::{Regex, RegexBuilder};
use regex_syntax::ast::{self, ErrorKind};

/// A compiled pattern takes no more memory than this: patterns come from users.
const MAX_SIZE: usize = 4 << 20;

/// Compiles a pattern as Go reads it.
///
/// # Errors
/// What Go says, beginning with `error parsing regexp: `.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    if let Some(problem) = perl_only(pattern) {
        return Err(problem);
    }
    let translated = translate(pattern);
    RegexBuilder::new(&translated)
        .size_limit(MAX_SIZE)
        .build()
        .map_err(|_error| problem(pattern))
}

/// Go's classes are ASCII where Rust's are Unicode; the rest of the syntax is shared.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut letters = pattern.chars();
    let mut in_class = false;
    while let Some(letter) = letters.next() {
        match letter {
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                // A bracket right behind the start is a letter.
                let mut rest = letters.clone();
                let mut next = rest.next();
                if next == Some('^') {
                    out.push('^');
                    letters = rest.clone();
                    next = rest.next();
                }
                if next == Some(']') {
                    out.push_str("\\]");
                    letters = rest;
                }
            }
            '[' if letters.as_str().starts_with(':') => out.push('['),
            '[' | '&' | '~' if in_class => {
                out.push('\\');
                out.push(letter);
            }
            ']' if in_class => {
                in_class = out.ends_with(':') && out.rfind("[:") > out.rfind('\\');
                out.push(']');
            }
            '\\' => escape(&mut letters, in_class, &mut out),
            other => out.push(other),
        }
    }
    out
}

fn escape(letters: &mut std::str::Chars<'_>, in_class: bool, out: &mut String) {
    let class = |inside: &str| {
        if in_class {
            inside.to_owned()
        } else {
            format!("[{inside}]")
        }
    };
    match letters.next() {
        Some('d') => out.push_str(&class("0-9")),
        Some('w') => out.push_str(&class("0-9A-Za-z_")),
        Some('s') => out.push_str(&class("\\t\\n\\x0C\\r ")),
        Some('D') => out.push_str("[^0-9]"),
        Some('W') => out.push_str("[^0-9A-Za-z_]"),
        Some('S') => out.push_str("[^\\t\\n\\x0C\\r ]"),
        Some('b') => out.push_str("(?-u:\\b)"),
        Some('B') => out.push_str("(?-u:\\B)"),
        Some('Q') => {
            let rest = letters.as_str();
            let (quoted, after) = rest.split_once("\\E").unwrap_or((rest, ""));
            out.push_str(&regex::escape(quoted));
            *letters = after.chars();
        }
        Some(other) => {
            out.push('\\');
            out.push(other);
        }
        None => out.push('\\'),
    }
}

/// Groups that Go refuses before it looks at anything else.
fn perl_only(pattern: &str) -> Option<String> {
    for group in ["(?=", "(?!", "(?<=", "(?<!", "(?>"] {
        if pattern.contains(group) && !pattern.contains(&format!("\\{group}")) {
            return Some(format!(
                "error parsing regexp: invalid or unsupported Perl syntax: `{group}`"
            ));
        }
    }
    None
}

/// Go's words for a broken pattern.
fn problem(pattern: &str) -> String {
    let Err(error) = ast::parse::Parser::new().parse(pattern) else {
        return format!("error parsing regexp: expression too large: `{pattern}`");
    };
    let span = error.span();
    let at = |start: usize, end: usize| pattern.get(start..end).unwrap_or(pattern);
    let (start, end) = (span.start.offset, span.end.offset);
    let (why, part) = match error.kind() {
        ErrorKind::GroupUnclosed => ("missing closing )", pattern),
        ErrorKind::GroupUnopened => ("unexpected )", pattern),
        ErrorKind::ClassUnclosed => ("missing closing ]", at(start, pattern.len())),
        ErrorKind::ClassRangeInvalid => ("invalid character class range", at(start, end)),
        ErrorKind::EscapeUnexpectedEof => ("trailing backslash at end of expression", ""),
        ErrorKind::EscapeUnrecognized | ErrorKind::UnsupportedBackreference => {
            ("invalid escape sequence", at(start, end))
        }
        ErrorKind::RepetitionMissing => (
            "missing argument to repetition operator",
            at(start, start + 1),
        ),
        ErrorKind::RepetitionCountInvalid => ("invalid repeat count", at(start, end)),
        ErrorKind::FlagUnrecognized | ErrorKind::UnsupportedLookAround => {
            ("invalid or unsupported Perl syntax", at(start, end))
        }
        ErrorKind::GroupNameInvalid | ErrorKind::GroupNameEmpty => {
            ("invalid named capture", at(start, end))
        }
        _ => ("invalid syntax", pattern),
    };
    format!("error parsing regexp: {why}: `{part}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, want: bool) {
        assert_eq!(compile(pattern).unwrap().is_match(text), want, "{pattern}");
    }

    #[test]
    fn classes_are_those_of_ascii() {
        check(r"^\d+$", "123", true);
        check(r"^\d+$", "١", false);
        check(r"^[\d-]+$", "1-2", true);
        check(r"^[^\w]$", "é", true);
        check(r"^[[:alpha:]]+$", "ab", true);
        check(r"^[]a]+$", "]a", true);
        check(r"^\Qa.b\E$", "a.b", true);
        check(r"^\Qa.b\E$", "axb", false);
    }

    #[test]
    fn broken_patterns_are_told_in_words_of_go() {
        let check = |pattern: &str, want: &str| {
            assert_eq!(compile(pattern).unwrap_err(), want);
        };
        check("(", "error parsing regexp: missing closing ): `(`");
        check("a[b", "error parsing regexp: missing closing ]: `[b`");
        check(
            "*a",
            "error parsing regexp: missing argument to repetition operator: `*`",
        );
        check("a)", "error parsing regexp: unexpected ): `a)`");
        check(
            "(?=a)",
            "error parsing regexp: invalid or unsupported Perl syntax: `(?=`",
        );
    }
}
