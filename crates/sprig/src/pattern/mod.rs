//! Regular expressions in Go's syntax, with Go's rules of matching. Read [`Pattern`].
//!
//! The library underneath matches in linear time, as Go's does, and its syntax is near; what differs
//! is written anew by `translate`, which also finds what Go calls wrong.

mod translate;

use regex::bytes::{Regex, RegexBuilder};

/// A pattern is written by people.
const MAX_BYTES: usize = 64 << 10;
/// What a compiled pattern may take; Go's own limit is of the same order.
const MAX_COMPILED_BYTES: usize = 16 << 20;
/// Groups inside groups, as many as Go allows.
const MAX_DEPTH: u32 = 1_000;

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    /// The names of the groups, from the whole match on.
    names: Vec<String>,
    is_empty: bool,
}

/// The groups of one match, the whole first.
type Groups = Vec<Option<(usize, usize)>>;

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Go's text: `error parsing regexp: …`.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let fail = |problem: String| format!("error parsing regexp: {problem}");
        if text.len() > MAX_BYTES {
            return Err(fail("expression too large".to_owned()));
        }
        let translated = translate::translate(text).map_err(fail)?;
        let regex = RegexBuilder::new(&translated.pattern)
            .size_limit(MAX_COMPILED_BYTES)
            .nest_limit(MAX_DEPTH + 2)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => fail("expression too large".to_owned()),
                // What is left is a class of Unicode that nobody knows.
                _ => fail(format!(
                    "invalid character class range: `{}`",
                    translated.last_class.as_deref().unwrap_or(text)
                )),
            })?;
        Ok(Pattern {
            regex,
            names: translated.names,
            is_empty: text.is_empty(),
        })
    }

    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text.as_bytes())
    }

    /// The first match from a place on that begins between characters.
    fn find_from(&self, text: &str, mut at: usize) -> Option<(usize, usize)> {
        loop {
            let found = self.regex.find_at(text.as_bytes(), at)?;
            if text.is_char_boundary(found.start()) && text.is_char_boundary(found.end()) {
                return Some((found.start(), found.end()));
            }
            at = found.start() + 1;
        }
    }

    fn groups_from(&self, text: &str, mut at: usize) -> Option<Groups> {
        loop {
            let found = self.regex.captures_at(text.as_bytes(), at)?;
            let whole = found.get(0)?;
            if text.is_char_boundary(whole.start()) && text.is_char_boundary(whole.end()) {
                let group =
                    |it: Option<regex::bytes::Match<'_>>| it.map(|it| (it.start(), it.end()));
                return Some(found.iter().map(group).collect());
            }
            at = whole.start() + 1;
        }
    }

    /// The first match.
    pub(crate) fn find<'t>(&self, text: &'t str) -> &'t str {
        self.find_from(text, 0)
            .map_or("", |(start, end)| &text[start..end])
    }

    /// Where matches are, at most so many; an empty one right behind another does not count.
    pub(crate) fn find_all(&self, text: &str, most: usize) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        let mut at = 0;
        let mut last_end = None;
        while found.len() < most && at <= text.len() {
            let Some((start, end)) = self.find_from(text, at) else {
                break;
            };
            let is_empty_here = end == at;
            if !(is_empty_here && last_end == Some(start)) {
                found.push((start, end));
            }
            at = if is_empty_here { next(text, at) } else { end };
            last_end = Some(end);
        }
        found
    }

    /// The text with all matches replaced by what `write` writes.
    pub(crate) fn replace_all(
        &self,
        text: &str,
        mut write: impl FnMut(&mut String, &Groups) -> Result<(), String>,
    ) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let (mut last_end, mut at) = (0, 0);
        while at <= text.len() {
            let Some(groups) = self.groups_from(text, at) else {
                break;
            };
            let (start, end) = groups.first().copied().flatten().unwrap_or((at, at));
            out.push_str(&text[last_end..start]);
            if end > last_end || start == 0 {
                write(&mut out, &groups)?;
            }
            last_end = end;
            at = next(text, at).max(end);
        }
        out.push_str(&text[last_end..]);
        Ok(out)
    }

    /// Writes a replacement: `$1`, `${name}` and `$$` stand for something.
    pub(crate) fn expand(&self, out: &mut String, template: &str, text: &str, groups: &Groups) {
        let mut rest = template;
        while let Some((before, behind)) = rest.split_once('$') {
            out.push_str(before);
            if let Some(behind) = behind.strip_prefix('$') {
                out.push('$');
                rest = behind;
                continue;
            }
            let Some((name, behind)) = reference(behind) else {
                out.push('$');
                rest = behind;
                continue;
            };
            rest = behind;
            let group = match group_number(name) {
                Some(number) => groups.get(number).copied().flatten(),
                None => {
                    let named = self.names.iter().zip(groups);
                    let mut found = named.filter(|(known, _)| *known == name);
                    found.find_map(|(_, group)| *group)
                }
            };
            if let Some((start, end)) = group {
                out.push_str(&text[start..end]);
            }
        }
        out.push_str(rest);
    }

    /// The parts between matches.
    pub(crate) fn split<'t>(&self, text: &'t str, count: i64) -> Vec<&'t str> {
        if !self.is_empty && text.is_empty() {
            return vec![""];
        }
        let most = usize::try_from(count).unwrap_or(usize::MAX);
        let mut parts = Vec::new();
        let (mut start, mut end) = (0, 0);
        for (from, to) in self.find_all(text, most) {
            if parts.len() == most.saturating_sub(1) {
                break;
            }
            end = from;
            if to != 0 {
                parts.push(&text[start..end]);
            }
            start = to;
        }
        if end != text.len() {
            parts.push(&text[start..]);
        }
        parts
    }
}

/// The place of the next character.
fn next(text: &str, at: usize) -> usize {
    let width = text[at..].chars().next().map_or(1, char::len_utf8);
    at + width
}

/// The name behind a `$`, in braces or not, and what is behind it.
fn reference(text: &str) -> Option<(&str, &str)> {
    let (is_braced, inside) = match text.strip_prefix('{') {
        Some(inside) => (true, inside),
        None => (false, text),
    };
    let is_name = |it: char| it.is_alphanumeric() || it == '_';
    let size = inside.find(|it| !is_name(it)).unwrap_or(inside.len());
    let (name, behind) = inside.split_at(size);
    if name.is_empty() {
        return None;
    }
    if is_braced {
        return behind.strip_prefix('}').map(|behind| (name, behind));
    }
    Some((name, behind))
}

fn group_number(name: &str) -> Option<usize> {
    let is_number = name.bytes().all(|it| it.is_ascii_digit());
    if !is_number || name.len() > 8 || (name.len() > 1 && name.starts_with('0')) {
        return None;
    }
    name.parse().ok()
}

/// A text as a pattern that matches only itself.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for it in text.chars() {
        if "\\.+*?()|[]{}^$".contains(it) {
            out.push('\\');
        }
        out.push(it);
    }
    out
}
