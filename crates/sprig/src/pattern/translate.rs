//! Go's syntax of regular expressions, written as that of the library. Read [`translate`].

use std::fmt::Write as _;

/// A pattern for the library.
pub(super) struct Translated {
    pub(super) pattern: String,
    /// The names of the groups, from the whole match on.
    pub(super) names: Vec<String>,
    /// The last class of Unicode, which may be unknown.
    pub(super) last_class: Option<String>,
}

/// Repetitions above, and products of nested ones, are errors.
const MAX_REPEAT: u32 = 1_000;

type Result<T> = std::result::Result<T, String>;

/// Translates a pattern.
///
/// # Errors
/// Go's text behind `error parsing regexp: `.
pub(super) fn translate(whole: &str) -> Result<Translated> {
    let mut translator = Translator {
        whole,
        rest: whole,
        out: String::with_capacity(whole.len() + 16),
        names: vec![String::new()],
        last_class: None,
        groups: Vec::new(),
        level: Level::default(),
    };
    translator.run()?;
    Ok(Translated {
        pattern: translator.out,
        names: translator.names,
        last_class: translator.last_class,
    })
}

/// What is known of the group at hand.
#[derive(Default)]
struct Level {
    /// How often the last atom is repeated inside of itself; none when nothing can be repeated.
    atom: Option<u32>,
    /// The most often repeated atom.
    most: u32,
}

struct Translator<'t> {
    whole: &'t str,
    rest: &'t str,
    out: String,
    names: Vec<String>,
    last_class: Option<String>,
    groups: Vec<Level>,
    level: Level,
}

fn error<T>(what: &str, shown: &str) -> Result<T> {
    Err(format!("{what}: `{shown}`"))
}

impl<'t> Translator<'t> {
    fn run(&mut self) -> Result<()> {
        // Where the operator before began, when it was a repetition.
        let mut last_repeat: Option<&'t str> = None;
        while let Some(first) = self.rest.chars().next() {
            let start = self.rest;
            let mut repeat = None;
            match first {
                '(' => self.open()?,
                ')' => self.close()?,
                '|' => {
                    self.copy(1);
                    self.level.atom = None;
                }
                '^' | '.' => {
                    self.copy(1);
                    self.atom(1);
                }
                '$' => {
                    self.copy(1);
                    self.atom(1);
                }
                '[' => self.class()?,
                '*' | '+' | '?' => {
                    self.rest = &self.rest[1..];
                    self.repeat(start, (None, 1), last_repeat)?;
                    repeat = Some(start);
                }
                '{' => repeat = self.counted(last_repeat)?,
                '\\' => self.escape()?,
                _ => {
                    self.literal(u32::from(first));
                    self.rest = &self.rest[first.len_utf8()..];
                }
            }
            last_repeat = repeat;
        }
        if !self.groups.is_empty() {
            return error("missing closing )", self.whole);
        }
        Ok(())
    }

    /// Copies bytes as they are.
    fn copy(&mut self, size: usize) {
        self.out.push_str(&self.rest[..size]);
        self.rest = &self.rest[size..];
    }

    /// What was read from a place on.
    fn since(&self, start: &'t str) -> &'t str {
        &start[..start.len() - self.rest.len()]
    }

    fn atom(&mut self, weight: u32) {
        self.level.atom = Some(weight);
        self.level.most = self.level.most.max(weight);
    }

    fn literal(&mut self, code: u32) {
        match char::from_u32(code) {
            Some(it) => self
                .out
                .push_str(&regex_syntax::escape(it.encode_utf8(&mut [0; 4]))),
            // A number that is no character matches nothing.
            None => self.out.push_str("[a&&b]"),
        }
        self.atom(1);
    }

    fn enter(&mut self) -> Result<()> {
        if self.groups.len() >= super::MAX_DEPTH as usize {
            return error("expression nests too deeply", self.whole);
        }
        self.groups.push(std::mem::take(&mut self.level));
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        let Some(outer) = self.groups.pop() else {
            return error("unexpected )", self.whole);
        };
        let inner = std::mem::replace(&mut self.level, outer);
        self.copy(1);
        self.atom(inner.most.max(1));
        Ok(())
    }

    fn open(&mut self) -> Result<()> {
        if !self.rest.starts_with("(?") {
            self.names.push(String::new());
            self.copy(1);
            return self.enter();
        }
        let start = self.rest;
        let inside = match start.strip_prefix("(?P<").filter(|rest| !rest.is_empty()) {
            Some(inside) => Some(inside),
            None => start.strip_prefix("(?<").filter(|rest| !rest.is_empty()),
        };
        let Some(inside) = inside else {
            return self.flags(start);
        };
        let Some((name, behind)) = inside.split_once('>') else {
            return error("invalid named capture", start);
        };
        let is_word = |it: char| it.is_ascii_alphanumeric() || it == '_';
        self.rest = behind;
        if name.is_empty() || !name.chars().all(is_word) {
            return error("invalid named capture", self.since(start));
        }
        // Names that begin with digits are none for the library: the groups are counted here.
        self.names.push(name.to_owned());
        self.out.push('(');
        self.enter()
    }

    /// Flags, up to their `:` or `)`.
    fn flags(&mut self, start: &'t str) -> Result<()> {
        self.rest = &start[2..];
        let (mut is_negated, mut has_flag) = (false, false);
        while let Some(it) = self.rest.chars().next() {
            self.rest = &self.rest[it.len_utf8()..];
            match it {
                'i' | 'm' | 's' | 'U' => has_flag = true,
                '-' if !is_negated => (is_negated, has_flag) = (true, false),
                ':' | ')' if has_flag || !is_negated => {
                    let text = self.since(start);
                    if it == ':' {
                        self.out.push_str(text);
                        return self.enter();
                    }
                    // `(?)` changes nothing; the library does not know it.
                    if has_flag {
                        self.out.push_str(text);
                    }
                    return Ok(());
                }
                _ => break,
            }
        }
        error("invalid or unsupported Perl syntax", self.since(start))
    }

    /// `{2}`, `{2,}` or `{2,3}`; any other brace stands for itself.
    fn counted(&mut self, last_repeat: Option<&'t str>) -> Result<Option<&'t str>> {
        let start = self.rest;
        let Some((least, most, behind)) = counts(start) else {
            self.literal(u32::from('{'));
            self.rest = &start[1..];
            return Ok(None);
        };
        self.rest = behind;
        let is_wrong =
            least > MAX_REPEAT || most.is_some_and(|most| most > MAX_REPEAT || most < least);
        if is_wrong {
            return error("invalid repeat count", self.since(start));
        }
        let shown = self.since(start);
        self.repeat(start, (Some(shown), most.unwrap_or(least)), last_repeat)?;
        Ok(Some(start))
    }

    /// An operator of repetition, whose first character or braces were read.
    fn repeat(
        &mut self,
        start: &'t str,
        (counts, weight): (Option<&str>, u32),
        last_repeat: Option<&'t str>,
    ) -> Result<()> {
        let operator = self.since(start);
        let lazy = self.rest.starts_with('?');
        if lazy {
            self.rest = &self.rest[1..];
        }
        if let Some(last) = last_repeat {
            return error("invalid nested repetition operator", self.since(last));
        }
        let Some(atom) = self.level.atom else {
            return error("missing argument to repetition operator", self.since(start));
        };
        let weight = weight.max(1).saturating_mul(atom);
        if counts.is_some() && weight > MAX_REPEAT {
            return error("invalid repeat count", self.since(start));
        }
        self.out.push_str(operator);
        if lazy {
            self.out.push('?');
        }
        self.atom(weight);
        Ok(())
    }

    fn escape(&mut self) -> Result<()> {
        let start = self.rest;
        let replaced = match start.as_bytes().get(1) {
            Some(b'A') => "\\A",
            Some(b'z') => "\\z",
            Some(b'b') => "(?-u:\\b)",
            Some(b'B') => "(?-u:\\B)",
            Some(b'd') => "[0-9]",
            Some(b'D') => "[^0-9]",
            Some(b's') => "[\\t\\n\\f\\r ]",
            Some(b'S') => "[^\\t\\n\\f\\r ]",
            Some(b'w') => "[0-9A-Za-z_]",
            Some(b'W') => "[^0-9A-Za-z_]",
            Some(b'C') => return error("invalid escape sequence", "\\C"),
            Some(b'Q') => {
                let (quoted, behind) = start[2..].split_once("\\E").unwrap_or((&start[2..], ""));
                for it in quoted.chars() {
                    self.literal(u32::from(it));
                }
                self.rest = behind;
                return Ok(());
            }
            Some(b'p' | b'P') => {
                self.unicode_class()?;
                self.atom(1);
                return Ok(());
            }
            _ => {
                let code = self.escaped_character()?;
                self.literal(code);
                return Ok(());
            }
        };
        self.out.push_str(replaced);
        self.rest = &start[2..];
        self.atom(1);
        Ok(())
    }

    /// `\pL`, `\p{Greek}`, `\p{^Greek}`, `\PL`.
    fn unicode_class(&mut self) -> Result<()> {
        let start = self.rest;
        let mut is_negated = start[1..].starts_with('P');
        let inside = &start[2..];
        let Some(first) = inside.chars().next() else {
            self.rest = inside;
            return error("invalid character class range", start);
        };
        let (name, behind) = if first == '{' {
            match inside[1..].split_once('}') {
                Some(parts) => parts,
                None => return error("invalid character class range", start),
            }
        } else {
            inside.split_at(first.len_utf8())
        };
        self.rest = behind;
        let shown = self.since(start);
        let name = match name.strip_prefix('^') {
            Some(name) => {
                is_negated = !is_negated;
                name
            }
            None => name,
        };
        let is_name = |it: char| it.is_alphanumeric() || matches!(it, '_' | '-' | ' ');
        if name.is_empty() || !name.chars().all(is_name) {
            return error("invalid character class range", shown);
        }
        self.last_class = Some(shown.to_owned());
        let written = write!(
            self.out,
            "\\{}{{{name}}}",
            if is_negated { 'P' } else { 'p' }
        );
        debug_assert!(written.is_ok(), "a String takes everything");
        Ok(())
    }

    /// The number of the character that an escape stands for.
    fn escaped_character(&mut self) -> Result<u32> {
        let start = self.rest;
        let mut chars = start[1..].chars();
        let Some(first) = chars.next() else {
            return Err("trailing backslash at end of expression: ``".to_owned());
        };
        self.rest = chars.as_str();
        let octal = |it: u8| (b'0'..=b'7').contains(&it);
        let code = match first {
            'a' => Some(7),
            'f' => Some(12),
            'n' => Some(10),
            'r' => Some(13),
            't' => Some(9),
            'v' => Some(11),
            'x' => self.hexadecimal(),
            '0'..='7' => {
                let n_more = self
                    .rest
                    .bytes()
                    .take(2)
                    .take_while(|it| octal(*it))
                    .count();
                // A single digit other than zero would be a reference to a group.
                if first != '0' && n_more == 0 {
                    None
                } else {
                    let digits = &start[1..2 + n_more];
                    self.rest = &self.rest[n_more..];
                    u32::from_str_radix(digits, 8).ok()
                }
            }
            _ if first.is_ascii() && !first.is_ascii_alphanumeric() => Some(u32::from(first)),
            _ => None,
        };
        match code {
            Some(code) => Ok(code),
            None => error("invalid escape sequence", self.since(start)),
        }
    }

    /// `x41` or `x{1F600}`, behind the `x`.
    fn hexadecimal(&mut self) -> Option<u32> {
        let mut next = || {
            let mut chars = self.rest.chars();
            let it = chars.next();
            self.rest = chars.as_str();
            it
        };
        let first = next()?;
        if first != '{' {
            let high = first.to_digit(16);
            let low = next()?.to_digit(16);
            return Some(high? * 16 + low?);
        }
        let (mut code, mut n_digits) = (0, 0);
        loop {
            match next()? {
                '}' if n_digits > 0 => return Some(code),
                it => {
                    code = code * 16 + it.to_digit(16)?;
                    n_digits += 1;
                    if code > u32::from(char::MAX) {
                        return None;
                    }
                }
            }
        }
    }

    /// A class in brackets.
    fn class(&mut self) -> Result<()> {
        let whole = self.rest;
        self.out.push('[');
        self.rest = &self.rest[1..];
        if let Some(rest) = self.rest.strip_prefix('^') {
            self.out.push('^');
            self.rest = rest;
        }
        let mut is_first = true;
        while is_first || !self.rest.starts_with(']') {
            is_first = false;
            if self.named_class()? {
                continue;
            }
            let replaced = match self.rest.as_bytes() {
                [b'\\', b'p' | b'P', ..] => {
                    self.unicode_class()?;
                    continue;
                }
                [b'\\', b'd', ..] => Some("0-9"),
                [b'\\', b'D', ..] => Some("[^0-9]"),
                [b'\\', b's', ..] => Some("\\t\\n\\f\\r\\x20"),
                [b'\\', b'S', ..] => Some("[^\\t\\n\\f\\r\\x20]"),
                [b'\\', b'w', ..] => Some("0-9A-Za-z_"),
                [b'\\', b'W', ..] => Some("[^0-9A-Za-z_]"),
                _ => None,
            };
            if let Some(replaced) = replaced {
                self.out.push_str(replaced);
                self.rest = &self.rest[2..];
                continue;
            }
            self.range(whole)?;
        }
        self.rest = &self.rest[1..];
        self.out.push(']');
        self.atom(1);
        Ok(())
    }

    /// `[:alpha:]`; gives whether there was one.
    fn named_class(&mut self) -> Result<bool> {
        const NAMES: [&str; 14] = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print",
            "punct", "space", "upper", "word", "xdigit",
        ];
        let Some((name, behind)) = self
            .rest
            .strip_prefix("[:")
            .and_then(|inside| inside.split_once(":]"))
        else {
            return Ok(false);
        };
        let start = self.rest;
        self.rest = behind;
        let shown = self.since(start);
        if !NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return error("invalid character class range", shown);
        }
        self.out.push_str(shown);
        Ok(true)
    }

    /// A character of a class, or several in a row.
    fn range(&mut self, whole: &'t str) -> Result<()> {
        let start = self.rest;
        let low = self.class_character(whole)?;
        let mut high = low;
        let is_range =
            self.rest.starts_with('-') && self.rest.len() >= 2 && !self.rest.starts_with("-]");
        if is_range {
            self.rest = &self.rest[1..];
            high = self.class_character(whole)?;
            if high < low {
                return error("invalid character class range", self.since(start));
            }
        }
        // Numbers between the two halves of Unicode are no characters.
        let ends = if (0xd800..0xe000).contains(&low) {
            0xe000
        } else {
            low
        };
        let top = if (0xd800..0xe000).contains(&high) {
            0xd7ff
        } else {
            high
        };
        if ends <= top {
            let written = write!(self.out, "\\x{{{ends:x}}}-\\x{{{top:x}}}");
            debug_assert!(written.is_ok(), "a String takes everything");
        } else {
            self.out.push_str("[a&&b]");
        }
        Ok(())
    }

    fn class_character(&mut self, whole: &'t str) -> Result<u32> {
        match self.rest.chars().next() {
            None => error("missing closing ]", whole),
            Some('\\') => self.escaped_character(),
            Some(it) => {
                self.rest = &self.rest[it.len_utf8()..];
                Ok(u32::from(it))
            }
        }
    }
}

/// The counts of a repetition, and what is behind it.
fn counts(text: &str) -> Option<(u32, Option<u32>, &str)> {
    let (least, rest) = count(text.strip_prefix('{')?)?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((least, Some(least), rest));
    }
    let rest = rest.strip_prefix(',')?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((least, None, rest));
    }
    let (most, rest) = count(rest)?;
    Some((least, Some(most), rest.strip_prefix('}')?))
}

/// Digits without leading zeros; too many are a large number.
fn count(text: &str) -> Option<(u32, &str)> {
    let n_digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(n_digits);
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    Some((digits.parse().unwrap_or(u32::MAX), rest))
}

#[cfg(test)]
mod tests {
    use crate::pattern::Pattern;

    fn check(pattern: &str, want: &str) {
        let got = Pattern::new(pattern).expect_err("it is wrong");
        assert_eq!(got, format!("error parsing regexp: {want}"));
    }

    #[test]
    fn wrong_patterns_are_told_as_in_go() {
        check("[", "missing closing ]: `[`");
        check("a**", "invalid nested repetition operator: `**`");
        check("*a", "missing argument to repetition operator: `*`");
        check("a|*", "missing argument to repetition operator: `*`");
        check("(a", "missing closing ): `(a`");
        check("a)", "unexpected ): `a)`");
        check("a{1001}", "invalid repeat count: `{1001}`");
        check("(a{100}){100}", "invalid repeat count: `{100}`");
        check("(?!a)", "invalid or unsupported Perl syntax: `(?!`");
        check("(?P<n", "invalid named capture: `(?P<n`");
        check("(?P<a b>x)", "invalid named capture: `(?P<a b>`");
        check("\\", "trailing backslash at end of expression: ``");
        check("\\8", "invalid escape sequence: `\\8`");
        check("\\C", "invalid escape sequence: `\\C`");
        check("[z-a]", "invalid character class range: `z-a`");
        check("[[:foo:]]", "invalid character class range: `[:foo:]`");
        check("\\pX", "invalid character class range: `\\pX`");
        check("\\p{Nope}", "invalid character class range: `\\p{Nope}`");
        check("x{2}{3}", "invalid nested repetition operator: `{2}{3}`");
    }

    fn check_match(pattern: &str, text: &str, want: &str) {
        let pattern = Pattern::new(pattern).expect("a pattern");
        assert_eq!(pattern.find(text), want, "{pattern:?}");
    }

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        check_match("\\d+", "٣4", "4");
        check_match("\\w+", "éa", "a");
        check_match("\\Qa.b\\E+", "a.bb", "a.bb");
        check_match("a{,2}", "a{,2}", "a{,2}");
        check_match("[[:alpha:]-]+", "1a-b", "a-b");
        check_match("[a&&b]+", "&b", "&b");
        check_match("(?i)straSSE", "STRASSE", "STRASSE");
        check_match("\\x{e9}|\\351", "é", "é");
        check_match("\\pN\\p{^Greek}", "5a", "5a");
        check_match("(?P<1>a)", "a", "a");
        check_match("[\\]\\-x]+", "-]x", "-]x");
        check_match("^*a", "a", "a");
        check_match("[^\\S\\n]+", "a \nb", " ");
    }
}
