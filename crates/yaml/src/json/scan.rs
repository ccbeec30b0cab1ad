//! What Go's decoders say about JSON text: why it is none, and which keys are given twice.
//!
//! The tree itself is read beside it; this is only asked when words are needed.

/// Nested values deeper than this are not looked into: the reader refuses them anyway.
const MAX_DEPTH: usize = 512;

/// Why a text is no JSON, as `encoding/json` says it; `None` when it is.
#[must_use]
pub fn syntax_error(text: &[u8]) -> Option<String> {
    let mut scanner = Scanner::new(text);
    scanner.document().err()
}

/// The paths of keys that are given again, as strict decoders name them.
#[must_use]
pub fn duplicates(text: &[u8]) -> Vec<String> {
    let mut scanner = Scanner::new(text);
    match scanner.document() {
        Ok(()) => scanner.duplicates,
        Err(_) => Vec::new(),
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    path: String,
    depth: usize,
    duplicates: Vec<String>,
}

type Outcome<T = ()> = Result<T, String>;

impl<'a> Scanner<'a> {
    fn new(text: &'a [u8]) -> Self {
        Scanner {
            text,
            at: 0,
            path: String::new(),
            depth: 0,
            duplicates: Vec::new(),
        }
    }

    fn document(&mut self) -> Outcome {
        self.value()?;
        match self.next_token() {
            None => Ok(()),
            Some(byte) => Err(invalid(byte, "after top-level value")),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// The next byte that is no space, which stays.
    fn next_token(&mut self) -> Option<u8> {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.peek()
    }

    fn value(&mut self) -> Outcome {
        match self.next_token() {
            None => Err(unfinished()),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::list),
            Some(b'"') => self.string().map(drop),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(byte) => Err(invalid(byte, "looking for beginning of value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Outcome) -> Outcome {
        if self.depth >= MAX_DEPTH {
            return Err("exceeded max depth".to_owned());
        }
        self.depth += 1;
        self.at += 1;
        let outcome = read(self);
        self.depth -= 1;
        outcome
    }

    fn object(&mut self) -> Outcome {
        let mut keys: Vec<String> = Vec::new();
        let here = self.path.len();
        let mut first = true;
        loop {
            match self.next_token() {
                None => return Err(unfinished()),
                Some(b'}') if first => break self.at += 1,
                Some(b'"') => {}
                Some(byte) => {
                    return Err(invalid(byte, "looking for beginning of object key string"));
                }
            }
            first = false;
            let key = self.string()?;
            match self.next_token() {
                None => return Err(unfinished()),
                Some(b':') => self.at += 1,
                Some(byte) => return Err(invalid(byte, "after object key")),
            }
            if here > 0 {
                self.path.push('.');
            }
            self.path.push_str(&key);
            if keys.contains(&key) {
                if !self.duplicates.contains(&self.path) {
                    self.duplicates.push(self.path.clone());
                }
            } else {
                keys.push(key);
            }
            self.value()?;
            self.path.truncate(here);
            match self.next_token() {
                None => return Err(unfinished()),
                Some(b',') => self.at += 1,
                Some(b'}') => break self.at += 1,
                Some(byte) => return Err(invalid(byte, "after object key:value pair")),
            }
        }
        Ok(())
    }

    fn list(&mut self) -> Outcome {
        let here = self.path.len();
        if self.next_token() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        for index in 0_usize.. {
            self.path.push_str(&format!("[{index}]"));
            self.value()?;
            self.path.truncate(here);
            match self.next_token() {
                None => return Err(unfinished()),
                Some(b',') => self.at += 1,
                Some(b']') => break,
                Some(byte) => return Err(invalid(byte, "after array element")),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// The text of a string, escapes included.
    fn string(&mut self) -> Outcome<String> {
        self.at += 1;
        let start = self.at;
        loop {
            let byte = self.peek().ok_or_else(unfinished)?;
            self.at += 1;
            match byte {
                b'"' => break,
                b'\\' => self.escape()?,
                0..0x20 => return Err(invalid(byte, "in string literal")),
                _ => {}
            }
        }
        let text = self.text.get(start..self.at - 1).unwrap_or_default();
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    fn escape(&mut self) -> Outcome {
        let byte = self.peek().ok_or_else(unfinished)?;
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => {
                for _ in 0..4 {
                    let digit = self.peek().ok_or_else(unfinished)?;
                    if !digit.is_ascii_hexdigit() {
                        return Err(invalid(digit, "in \\u hexadecimal character escape"));
                    }
                    self.at += 1;
                }
                Ok(())
            }
            byte => Err(invalid(byte, "in string escape code")),
        }
    }

    fn literal(&mut self, word: &str) -> Outcome {
        for (index, wanted) in word.bytes().enumerate() {
            let byte = self.peek().ok_or_else(unfinished)?;
            if byte != wanted {
                let wanted = char::from(wanted);
                let place = format!("in literal {word} (expecting '{wanted}')");
                debug_assert!(index > 0, "the first letter chose the word");
                return Err(invalid(byte, &place));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn digits(&mut self, place: &str) -> Outcome {
        match self.peek() {
            None => return Err(unfinished()),
            Some(b'0'..=b'9') => {}
            Some(byte) => return Err(invalid(byte, place)),
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Outcome {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits("in numeric literal")?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        Ok(())
    }
}

fn unfinished() -> String {
    "unexpected end of JSON input".to_owned()
}

fn invalid(byte: u8, place: &str) -> String {
    format!("invalid character '{}' {place}", quoted_byte(byte))
}

/// A byte as Go's JSON decoder quotes it.
fn quoted_byte(byte: u8) -> String {
    match byte {
        b'\'' => "\\'".to_owned(),
        b'"' => "\"".to_owned(),
        b'\\' => "\\\\".to_owned(),
        0x07 => "\\a".to_owned(),
        0x08 => "\\b".to_owned(),
        0x0b => "\\v".to_owned(),
        0x0c => "\\f".to_owned(),
        b'\n' => "\\n".to_owned(),
        b'\r' => "\\r".to_owned(),
        b'\t' => "\\t".to_owned(),
        0..0x20 | 0x7f => format!("\\x{byte:02x}"),
        0x80..0xa0 => format!("\\u{:04x}", u32::from(byte)),
        byte => char::from(byte).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &str) {
        assert_eq!(
            syntax_error(text.as_bytes()).unwrap_or_default(),
            want,
            "{text}"
        );
    }

    #[test]
    fn errors_are_told_as_go_tells_them() {
        check(r#"{"a": [1, -2.5e+3, true, null, "\u00e4"]} "#, "");
        check("", "unexpected end of JSON input");
        check(r#"{"a":"#, "unexpected end of JSON input");
        check(
            "a: b",
            "invalid character 'a' looking for beginning of value",
        );
        check(
            "{a}",
            "invalid character 'a' looking for beginning of object key string",
        );
        check(r#"{"a" 1}"#, "invalid character '1' after object key");
        check(
            r#"{"a":1 "b"}"#,
            "invalid character '\"' after object key:value pair",
        );
        check("[1 2]", "invalid character '2' after array element");
        check("{} {}", "invalid character '{' after top-level value");
        check(
            "trux",
            "invalid character 'x' in literal true (expecting 'e')",
        );
        check(
            "[1.x]",
            "invalid character 'x' after decimal point in numeric literal",
        );
        check("\"\n\"", "invalid character '\\n' in string literal");
    }

    #[test]
    fn deep_text_is_not_followed_for_ever() {
        let deep = "[".repeat(100_000);
        check(&deep, "exceeded max depth");
    }

    #[test]
    fn repeated_keys_are_named_by_their_path() {
        let text = br#"{"a":1,"b":{"c":1,"c":2},"l":[{"x":1,"x":1,"x":1}],"a":2}"#;
        assert_eq!(duplicates(text), ["b.c", "l[0].x", "a"]);
    }
}
