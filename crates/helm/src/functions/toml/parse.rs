//! TOML as BurntSushi's library v1.6 reads it: its values, and its words for what is wrong.
//!
//! Read [`decode`]. Whole numbers are `int64`; times stay the texts that they are, as JSON and YAML
//! show them.

use gotmpl::{Element, Map, Value, quote};

/// TOML as a map.
///
/// # Errors
/// The library's text: `toml: line 1: …`.
pub(in super::super) fn decode(text: &str) -> Result<Value, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parser = Parser {
        text,
        at: 0,
        context: Vec::new(),
        key: String::new(),
        root: Map::new(Element::Any),
        table: Map::new(Element::Any),
        fixed: Vec::new(),
        depth: 0,
    };
    parser.table = parser.root.clone();
    parser.document()?;
    Ok(Value::Map(parser.root))
}

type Result<T, E = String> = std::result::Result<T, E>;

/// Lists and tables inside each other.
const MAX_DEPTH: usize = 200;

struct Parser<'t> {
    text: &'t str,
    at: usize,
    /// The key of the table at hand.
    context: Vec<String>,
    /// The key at hand inside of it, for messages.
    key: String,
    root: Map,
    table: Map,
    /// Tables that were defined by a header or in line: none of them is opened twice.
    fixed: Vec<Vec<String>>,
    depth: usize,
}

fn is_space(it: char) -> bool {
    matches!(it, ' ' | '\t')
}

fn is_line_end(it: char) -> bool {
    matches!(it, '\n' | '\r')
}

fn is_bare(it: char) -> bool {
    it.is_ascii_alphanumeric() || matches!(it, '_' | '-')
}

/// A character as Go's `%q` shows it; the end of the text is a zero there.
fn character(it: Option<char>) -> String {
    match it {
        None => "'\\x00'".to_owned(),
        Some('\'') => "'\\''".to_owned(),
        Some('"') => "'\"'".to_owned(),
        Some(it) => {
            let quoted = quote(it.encode_utf8(&mut [0; 4]));
            format!("'{}'", &quoted[1..quoted.len() - 1])
        }
    }
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let it = self.peek()?;
        self.at += it.len_utf8();
        Some(it)
    }

    fn accept(&mut self, wanted: &str) -> bool {
        let fits = self.text[self.at..].starts_with(wanted);
        if fits {
            self.at += wanted.len();
        }
        fits
    }

    fn skip(&mut self, is_skipped: fn(char) -> bool) {
        while self.peek().is_some_and(is_skipped) {
            self.next();
        }
    }

    /// An error at a place, with the last key.
    fn fail_at<T>(&self, at: usize, message: &str) -> Result<T> {
        let line = 1 + self.text[..at.min(self.text.len())].matches('\n').count();
        let mut key = self.context.join(".");
        if !self.key.is_empty() {
            if !key.is_empty() {
                key.push('.');
            }
            key.push_str(&self.key);
        }
        Err(if key.is_empty() {
            format!("toml: line {line}: {message}")
        } else {
            format!("toml: line {line} (last key {}): {message}", quote(&key))
        })
    }

    fn fail<T>(&self, message: &str) -> Result<T> {
        // At the end of the text the last line counts, not the empty one behind it.
        let at = if self.at == self.text.len() && self.text.ends_with('\n') {
            self.at - 1
        } else {
            self.at
        };
        self.fail_at(at, message)
    }

    fn document(&mut self) -> Result<()> {
        loop {
            self.skip(|it| is_space(it) || is_line_end(it));
            match self.peek() {
                None => return Ok(()),
                Some('#') => {
                    self.comment();
                    continue;
                }
                Some('[') => self.header()?,
                Some(_) => {
                    let (table, context) = (self.table.clone(), self.context.clone());
                    self.pair(&table)?;
                    self.context = context;
                    self.key.clear();
                }
            }
            self.skip(is_space);
            match self.peek() {
                None | Some('#') => {}
                Some(it) if is_line_end(it) => {}
                other => {
                    let other = character(other);
                    return self.fail(&format!(
                        "expected a top-level item to end with a newline, comment, or EOF, but \
                         got {other} instead"
                    ));
                }
            }
        }
    }

    fn comment(&mut self) {
        while self.peek().is_some_and(|it| !is_line_end(it)) {
            self.next();
        }
    }

    fn header(&mut self) -> Result<()> {
        self.next();
        let is_list = self.accept("[");
        self.key.clear();
        let mut path = Vec::new();
        loop {
            self.skip(is_space);
            path.push(match self.peek() {
                None | Some(']') => {
                    return self.fail("unexpected end of table name (table names cannot be empty)");
                }
                Some('.') => {
                    return self.fail("unexpected table separator (table names cannot be empty)");
                }
                _ => self.name()?,
            });
            self.skip(is_space);
            match self.peek() {
                Some('.') => self.at += 1,
                Some(']') => break,
                other => {
                    let other = character(other);
                    // The character counts as read.
                    return self.fail_at(
                        self.at + 1,
                        &format!("expected '.' or ']' to end table name, but got {other} instead"),
                    );
                }
            }
        }
        self.next();
        if is_list && !self.accept("]") {
            let other = character(self.peek());
            return self.fail_at(
                self.at + 1,
                &format!("expected end of table array name delimiter ']', but got {other} instead"),
            );
        }
        self.open(path, is_list)
    }

    /// Makes the table of a header the one at hand.
    fn open(&mut self, path: Vec<String>, is_list: bool) -> Result<()> {
        let start = self.at;
        let (last, inner) = path.split_last().ok_or("toml: empty table name")?;
        let mut map = self.root.clone();
        for part in inner {
            map = self.inside(&map, part, &path)?;
        }
        let table = Map::new(Element::Any);
        let known = map.get(last);
        let defined = format!("Key '{}' has already been defined.", path.join("."));
        match (is_list, known) {
            (true, None) => map.set(
                last.as_str().into(),
                tables(vec![Value::Map(table.clone())]),
            ),
            (true, Some(Value::List(list))) if list.element() == Element::Map => {
                let mut items = list.items().to_vec();
                items.push(Value::Map(table.clone()));
                map.set(last.as_str().into(), tables(items));
                self.fixed.retain(|fixed| !fixed.starts_with(&path));
            }
            (false, None) => {
                map.set(last.as_str().into(), Value::Map(table.clone()));
                self.fixed.push(path.clone());
            }
            (false, Some(Value::Map(known))) if !self.fixed.contains(&path) => {
                self.fixed.push(path.clone());
                self.context = path;
                self.table = known;
                return Ok(());
            }
            _ => {
                self.context.clear();
                return self.fail_at(start, &defined);
            }
        }
        self.context = path;
        self.table = table;
        Ok(())
    }

    /// The table under a key, made where there is none; of a list of tables the last one.
    fn inside(&self, map: &Map, key: &str, path: &[String]) -> Result<Map> {
        match map.get(key) {
            None => {
                let made = Map::new(Element::Any);
                map.set(key.into(), Value::Map(made.clone()));
                Ok(made)
            }
            Some(Value::Map(known)) => Ok(known),
            Some(Value::List(list)) => match list.items().last() {
                Some(Value::Map(last)) if list.element() == Element::Map => Ok(last.clone()),
                _ => self.fail(&format!(
                    "Key '{}' has already been defined.",
                    path.join(".")
                )),
            },
            _ => self.fail(&format!(
                "Key '{}' has already been defined.",
                path.join(".")
            )),
        }
    }

    /// A part of a key, bare or quoted.
    fn name(&mut self) -> Result<String> {
        match self.peek() {
            Some('"') => {
                self.next();
                self.string()
            }
            Some('\'') => {
                self.next();
                self.raw_string()
            }
            _ => {
                let start = self.at;
                self.skip(is_bare);
                Ok(self.text[start..self.at].to_owned())
            }
        }
    }

    /// `key = value`, put into a table.
    fn pair(&mut self, table: &Map) -> Result<()> {
        match self.peek() {
            None | Some('=') => return self.fail("unexpected '=': key name appears blank"),
            Some('.') => return self.fail("unexpected '.': keys cannot start with a '.'"),
            _ => {}
        }
        let mut path = Vec::new();
        loop {
            self.skip(is_space);
            match self.peek() {
                None | Some('=') => return self.fail("unexpected '='"),
                Some('.') => return self.fail("unexpected '.'"),
                _ => path.push(self.name()?),
            }
            self.skip(is_space);
            let at = self.at;
            match self.next() {
                Some('.') => {}
                Some('=') => break,
                other => {
                    let other = character(other);
                    return self
                        .fail_at(at, &format!("expected '.' or '=', but got {other} instead"));
                }
            }
        }
        let (last, inner) = path.split_last().ok_or("toml: empty key")?;
        let mut map = table.clone();
        for part in inner {
            map = self.inside(&map, part, &path)?;
            self.context.push(part.clone());
        }
        self.key.clone_from(last);
        let start = self.at;
        let value = self.value()?;
        if map.contains(last) {
            let mut all = self.context.clone();
            all.push(last.clone());
            return self.fail_at(
                start,
                &format!("Key '{}' has already been defined.", all.join(".")),
            );
        }
        if let Value::Map(_) = value {
            let mut all = self.context.clone();
            all.push(last.clone());
            self.fixed.push(all);
        }
        map.set(last.as_str().into(), value);
        Ok(())
    }

    fn value(&mut self) -> Result<Value> {
        self.skip(is_space);
        let start = self.at;
        if self.depth > MAX_DEPTH {
            return self.fail("the values are nested too deeply");
        }
        match self.peek() {
            Some('[') => self.list(),
            Some('{') => self.inline_table(),
            Some('"') if self.accept("\"\"\"") => self.multiline('"').map(Value::from),
            Some('"') => {
                self.next();
                self.string().map(Value::from)
            }
            Some('\'') if self.accept("'''") => self.multiline('\'').map(Value::from),
            Some('\'') => {
                self.next();
                self.raw_string().map(Value::from)
            }
            Some('.') => self.fail("floats must start with a digit, not '.'"),
            Some(it) if it.is_ascii_digit() || matches!(it, '+' | '-') => self.number(),
            Some(it) if it.is_alphabetic() => {
                self.skip(char::is_alphabetic);
                match &self.text[start..self.at] {
                    "true" => Ok(Value::Bool(true)),
                    "false" => Ok(Value::Bool(false)),
                    "inf" => Ok(Value::Float(f64::INFINITY)),
                    "nan" => Ok(Value::Float(f64::NAN)),
                    word => {
                        let word = quote(word);
                        self.fail(&format!("expected value but found {word} instead"))
                    }
                }
            }
            None => self.fail("unexpected EOF; expected value"),
            other => {
                let other = character(other);
                self.fail(&format!("expected value but found {other} instead"))
            }
        }
    }

    /// Spaces, line ends and comments between the parts of a list or table.
    fn between(&mut self) {
        loop {
            self.skip(|it| is_space(it) || is_line_end(it));
            if self.peek() != Some('#') {
                return;
            }
            self.comment();
        }
    }

    fn list(&mut self) -> Result<Value> {
        self.next();
        self.depth += 1;
        let mut items = Vec::new();
        loop {
            self.between();
            match self.peek() {
                Some(',') => return self.fail("unexpected comma"),
                Some(']') => break,
                _ => items.push(self.value()?),
            }
            self.between();
            match self.peek() {
                Some(',') => self.at += 1,
                Some(']') => break,
                other => {
                    let other = other.map_or("end of file".to_owned(), |it| format!("'{it}'"));
                    return self.fail(&format!(
                        "expected a comma (',') or array terminator (']'), but got {other}"
                    ));
                }
            }
        }
        self.next();
        self.depth -= 1;
        Ok(Value::list(items))
    }

    fn inline_table(&mut self) -> Result<Value> {
        self.next();
        self.depth += 1;
        let table = Map::new(Element::Any);
        let (context, key) = (self.context.clone(), self.key.clone());
        self.context.push(std::mem::take(&mut self.key));
        loop {
            self.between();
            match self.peek() {
                Some(',') => return self.fail("unexpected comma"),
                Some('}') => break,
                _ => {
                    let inner = self.context.clone();
                    self.pair(&table)?;
                    self.context = inner;
                }
            }
            self.between();
            match self.peek() {
                Some(',') => self.at += 1,
                Some('}') => break,
                other => {
                    let other = other.map_or("end of file".to_owned(), |it| format!("'{it}'"));
                    return self.fail(&format!(
                        "expected a comma or an inline table terminator '}}', but got {other} \
                         instead"
                    ));
                }
            }
        }
        self.next();
        self.depth -= 1;
        (self.context, self.key) = (context, key);
        Ok(Value::Map(table))
    }

    fn string(&mut self) -> Result<String> {
        let mut out = String::new();
        loop {
            let at = self.at;
            match self.next() {
                None => return self.fail("unexpected EOF; expected '\"'"),
                Some('"') => return Ok(out),
                Some('\\') => self.escape(&mut out)?,
                Some(it) if is_line_end(it) => {
                    return self.fail_at(at, "strings cannot contain newlines");
                }
                Some(it) => self.plain(&mut out, it, at)?,
            }
        }
    }

    fn raw_string(&mut self) -> Result<String> {
        let mut out = String::new();
        loop {
            let at = self.at;
            match self.next() {
                None => return self.fail("unexpected EOF; expected \"'\""),
                Some('\'') => return Ok(out),
                Some(it) if is_line_end(it) => {
                    return self.fail_at(at, "strings cannot contain newlines");
                }
                Some(it) => self.plain(&mut out, it, at)?,
            }
        }
    }

    fn plain(&self, out: &mut String, it: char, at: usize) -> Result<()> {
        let is_control = it.is_ascii_control() && !matches!(it, '\t' | '\n' | '\r');
        if is_control {
            let code = u32::from(it);
            return self.fail_at(
                at,
                &format!("TOML files cannot contain control characters: '0x{code:02x}'"),
            );
        }
        out.push(it);
        Ok(())
    }

    /// A text of several lines, behind its three marks.
    fn multiline(&mut self, mark: char) -> Result<String> {
        let end: String = std::iter::repeat_n(mark, 3).collect();
        if !self.accept("\r\n") {
            self.accept("\n");
        }
        let mut out = String::new();
        loop {
            if self.accept(&end) {
                // Up to two marks more belong to the text.
                for _ in 0..2 {
                    if self.peek() == Some(mark) {
                        self.next();
                        out.push(mark);
                    }
                }
                return Ok(out);
            }
            let at = self.at;
            match self.next() {
                None if mark == '"' => return self.fail("unexpected EOF; expected '\"\"\"'"),
                None => return self.fail("unexpected EOF; expected \"'''\""),
                Some('\\') if mark == '"' => {
                    let rest = self.text[self.at..].trim_start_matches(is_space);
                    if rest.starts_with(is_line_end) {
                        self.skip(|it| is_space(it) || is_line_end(it));
                    } else {
                        self.escape(&mut out)?;
                    }
                }
                Some('\r') if self.peek() == Some('\n') => {}
                Some(it) => self.plain(&mut out, it, at)?,
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<()> {
        let at = self.at;
        let it = self.next();
        let plain = match it {
            Some('b') => '\u{8}',
            Some('t') => '\t',
            Some('n') => '\n',
            Some('f') => '\u{c}',
            Some('r') => '\r',
            Some('e') => '\u{1b}',
            Some('"') => '"',
            Some('\\') => '\\',
            Some('x') => self.code(2, "two", 'x')?,
            Some('u') => self.code(4, "four", 'u')?,
            Some('U') => self.code(8, "eight", 'U')?,
            other => {
                let other = other.map(String::from).unwrap_or_default();
                return self.fail_at(at, &format!("invalid escape in string '\\{other}'"));
            }
        };
        out.push(plain);
        Ok(())
    }

    fn code(&mut self, n_digits: usize, count: &str, letter: char) -> Result<char> {
        let digits = self.text[self.at..].get(..n_digits);
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let Some(code) = code else {
            return self.fail(&format!(
                "expected {count} hexadecimal digits after '\\{letter}', but got \"\" instead"
            ));
        };
        self.at += n_digits;
        match char::from_u32(code) {
            Some(it) => Ok(it),
            None => self.fail(&format!(
                "Escaped character '\\{letter}{code:x}' is not valid UTF-8."
            )),
        }
    }

    /// A number or a time.
    fn number(&mut self) -> Result<Value> {
        let start = self.at;
        let is_part =
            |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '+' | '-' | '.' | ':');
        self.skip(is_part);
        // A space may stand between a date and a time.
        let rest = &self.text[self.at..];
        let first = &self.text[start..self.at];
        let is_date = first.len() == 10 && first.as_bytes()[4] == b'-';
        if is_date && rest.starts_with(' ') && rest[1..].starts_with(|it: char| it.is_ascii_digit())
        {
            self.next();
            self.skip(is_part);
        }
        let text = &self.text[start..self.at];
        let body = text.trim_start_matches(['+', '-']);
        let is_time = body.len() == text.len()
            && (body.contains(':') || body.get(4..5) == Some("-") && body.len() >= 10);
        if is_time {
            return self.time(start, text);
        }
        if matches!(body, "inf" | "nan") {
            let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
            let number = if body == "inf" {
                f64::INFINITY
            } else {
                f64::NAN
            };
            return Ok(Value::Float(sign * number));
        }
        self.digits(start, text, body)
    }

    /// A number without its sign.
    fn digits(&mut self, start: usize, text: &str, body: &str) -> Result<Value> {
        let is_separated = !body.starts_with('_')
            && !body.ends_with('_')
            && !body.contains("__")
            && !body.contains("_.")
            && !body.contains("._");
        let (radix, digits) = match body.get(..2) {
            Some("0x") => (16, &body[2..]),
            Some("0o") => (8, &body[2..]),
            Some("0b") => (2, &body[2..]),
            _ => (10, body),
        };
        let is_float = radix == 10 && body.contains(['.', 'e', 'E']);
        let (what, shown) = (if is_float { "float" } else { "integer" }, quote(text));
        if !is_separated {
            return self.fail_at(
                start,
                &format!("Invalid {what} {shown}: underscores must be surrounded by digits"),
            );
        }
        let whole = digits.split(['.', 'e', 'E']).next().unwrap_or_default();
        if radix == 10 && whole.len() > 1 && whole.starts_with('0') {
            return self.fail_at(
                start,
                &format!("Invalid {what} {shown}: cannot have leading zeroes"),
            );
        }
        let plain = digits.replace('_', "");
        if is_float {
            let has_digits = !body.ends_with('.') && !body.contains(".e") && !body.contains(".E");
            if !has_digits {
                return self.fail_at(
                    start,
                    &format!("Invalid float {shown}: '.' must be followed by one or more digits"),
                );
            }
            let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
            return match plain.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Value::Float(sign * number)),
                Ok(_) => self.fail_at(start, &format!("{text} is out of range for float64")),
                Err(_) => self.fail_at(start, &format!("Invalid float value: {shown}")),
            };
        }
        self.integer(start, text, (digits, radix))
    }

    fn integer(&mut self, start: usize, text: &str, (digits, radix): (&str, u32)) -> Result<Value> {
        match i128::from_str_radix(&digits.replace('_', ""), radix) {
            Ok(number) => {
                let number = if text.starts_with('-') {
                    -number
                } else {
                    number
                };
                match i64::try_from(number) {
                    Ok(number) => Ok(Value::int64(number)),
                    Err(_) => self.fail_at(start, &format!("{text} is out of range for int64")),
                }
            }
            Err(_) => {
                let wrong = digits.find(|it: char| !it.is_digit(radix) && it != '_');
                self.at = start + (text.len() - digits.len()) + wrong.unwrap_or(0);
                let other = character(self.peek());
                self.fail(&format!(
                    "expected a top-level item to end with a newline, comment, or EOF, but got \
                     {other} instead"
                ))
            }
        }
    }

    /// A date, a time, or both; as text in the form that Go encodes it in.
    fn time(&self, start: usize, text: &str) -> Result<Value> {
        let canonical = text.replacen([' ', 't'], "T", 1).replace('z', "Z");
        let (date, clock) = match canonical.split_once('T') {
            Some((date, clock)) => (date, clock),
            None if canonical.contains(':') => ("", canonical.as_str()),
            None => (canonical.as_str(), ""),
        };
        let zone_at = clock.find(['Z', '+', '-']).unwrap_or(clock.len());
        let (clock, zone) = clock.split_at(zone_at);
        let is_date = |date: &str| {
            let parts: Vec<&str> = date.split('-').collect();
            let sizes: Vec<usize> = parts.iter().map(|part| part.len()).collect();
            let numbers: Vec<u32> = parts.iter().filter_map(|part| part.parse().ok()).collect();
            sizes == [4, 2, 2]
                && numbers.len() == 3
                && (1..=12).contains(&numbers[1])
                && (1..=31).contains(&numbers[2])
        };
        let is_clock = |clock: &str| {
            let (whole, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
            let parts: Vec<&str> = whole.split(':').collect();
            let limits = [24, 60, 60];
            let fits = |(part, limit): (&&str, u32)| {
                part.len() == 2 && part.parse::<u32>().is_ok_and(|number| number < limit)
            };
            (2..=3).contains(&parts.len())
                && parts.iter().zip(limits).all(fits)
                && fraction.bytes().all(|it| it.is_ascii_digit())
        };
        let is_good = (date.is_empty() || is_date(date)) && (clock.is_empty() || is_clock(clock));
        if !is_good {
            let shown = quote(text);
            return self.fail_at(start, &format!("invalid datetime: {shown}"));
        }
        let date = if date.is_empty() { "0000-01-01" } else { date };
        let clock = match clock.matches(':').count() {
            0 => "00:00:00".to_owned(),
            1 => format!("{clock}:00"),
            _ => clock.to_owned(),
        };
        // Fractions have no zeros at their end.
        let clock = match clock.split_once('.') {
            Some((whole, fraction)) => {
                let fraction = fraction.trim_end_matches('0');
                let point = if fraction.is_empty() { "" } else { "." };
                format!("{whole}{point}{fraction}")
            }
            None => clock,
        };
        let zone = match zone {
            "" | "+00:00" | "-00:00" => "Z",
            zone => zone,
        };
        Ok(Value::from(format!("{date}T{clock}{zone}")))
    }
}

/// A list of tables.
fn tables(items: Vec<Value>) -> Value {
    Value::List(gotmpl::List::new(items, Element::Map))
}
