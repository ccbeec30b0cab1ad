//! Rust source with everything but code blanked out, so that a rule can look for words in it.
//!
//! Owns just enough of Rust's lexical grammar: comments, strings, characters. It must never know a
//! rule. Lines keep their numbers: what is removed becomes blanks.

/// The code of a file: comments and the contents of literals are blanks, lines stay in place.
pub(crate) fn code(source: &str) -> String {
    let mut out = source.as_bytes().to_vec();
    for (start, end) in hidden(source.as_bytes()) {
        blank(&mut out[start..end]);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The comments of a file: everything else is blanks.
pub(crate) fn comments(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = bytes.to_vec();
    blank(&mut out);
    for (start, end) in hidden(bytes) {
        if bytes[start] == b'/' {
            out[start..end].copy_from_slice(&bytes[start..end]);
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Where comments and literals stand.
fn hidden(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if let Some(end) = token_end(bytes, at) {
            found.push((at, end));
            at = end;
        } else {
            at += 1;
        }
    }
    found
}

/// The code of a file without its `#[cfg(test)]` items.
pub(crate) fn production_code(source: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut text = code(source);
    while let Some(start) = text.find(MARK) {
        let end = item_end(text.as_bytes(), start + MARK.len());
        let mut bytes = text.into_bytes();
        blank(&mut bytes[start..end]);
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    text
}

/// How many lines hold something.
pub(crate) fn filled_lines(code: &str) -> usize {
    code.lines().filter(|line| !line.trim().is_empty()).count()
}

/// Where the item that starts after `from` ends: at its closing brace or its semicolon.
fn item_end(bytes: &[u8], from: usize) -> usize {
    let mut depth = 0_usize;
    let mut square = 0_usize;
    for (at, byte) in bytes.iter().enumerate().skip(from) {
        match byte {
            b'[' => square += 1,
            b']' => square = square.saturating_sub(1),
            b'{' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            b';' if depth == 0 && square == 0 => return at + 1,
            _ => {}
        }
    }
    bytes.len()
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// Where the comment or literal at `at` ends; `None` when there is neither.
fn token_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    match rest[0] {
        b'/' if rest.starts_with(b"//") => Some(at + find(rest, b"\n").unwrap_or(rest.len())),
        b'/' if rest.starts_with(b"/*") => Some(block_comment_end(bytes, at)),
        b'"' => Some(string_end(bytes, at + 1)),
        b'r' if !follows_word(bytes, at) => raw_string_end(bytes, at),
        b'\'' => character_end(bytes, at),
        _ => None,
    }
}

fn follows_word(bytes: &[u8], at: usize) -> bool {
    // `b` may stand before a raw string: br"…".
    let before = at.checked_sub(1).map_or(b' ', |place| bytes[place]);
    before != b'b' && (before.is_ascii_alphanumeric() || before == b'_')
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn raw_string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at + 1..]
        .iter()
        .take_while(|byte| **byte == b'#')
        .count();
    let open = at + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.extend(std::iter::repeat_n(b'#', hashes));
    let length =
        find(&bytes[open + 1..], &close).map_or(bytes.len() - open - 1, |n| n + close.len());
    Some(open + 1 + length)
}

/// A character literal; a lifetime has no closing quote where one would stand.
fn character_end(bytes: &[u8], at: usize) -> Option<usize> {
    let text = std::str::from_utf8(&bytes[at + 1..]).ok()?;
    let first = text.chars().next()?;
    if first == '\\' {
        let close = text[2..].find('\'')?;
        return Some(at + 1 + 2 + close + 1);
    }
    let after = at + 1 + first.len_utf8();
    (bytes.get(after) == Some(&b'\'')).then_some(after + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_left() {
        let check = |source: &str, want: &str| {
            let words = |text: &str| {
                text.split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            assert_eq!(words(&code(source)), words(want), "{source}");
            assert_eq!(code(source).len(), source.len(), "{source}");
        };
        check("a // b\nc", "a\nc");
        check("a /* b /* c */ d */ e", "a e");
        check(r#"let a = "b \" c"; d"#, "let a = ; d");
        check(r##"let a = r#"b " c"#; d"##, "let a = ; d");
        check("for<'a> '\\'' 'b' x", "for<'a> x");
        check("let 'é' = br\"x\";", "let = b ;");
        check("parser(\"x\")", "parser( )");
    }

    #[test]
    fn only_comments_are_left() {
        assert_eq!(comments("a \"// b\" // c\nd").trim(), "// c");
    }

    #[test]
    fn tests_are_no_production_code() {
        let source = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { let c = [1; 2]; } }\nfn d() {}";
        assert_eq!(filled_lines(&production_code(source)), 2);
        assert_eq!(
            filled_lines(&production_code("#[cfg(test)]\nmod tests;\nfn a() {}")),
            1
        );
    }
}
