//! The little language of `--set` and its kin: `a.b[0]=x,c={d,e}`.
//!
//! Read [`apply`]. The grammar is that of Helm's `strvals`, corner by corner: where its reader meets
//! the end of the text in the middle of something, it often just stops.

use std::sync::Arc;

use yaml::json;

use crate::{Value, Values};

/// The largest index of a list: one character may not make a list of millions.
const MAX_INDEX: i64 = 65_536;
/// The deepest path.
const MAX_LEVELS: usize = 30;

/// How the values of a line are read.
#[derive(Clone, Copy)]
pub(crate) enum Reading<'r> {
    /// `--set`: numbers, booleans and null are found.
    Typed,
    /// `--set-string`.
    Text,
    /// `--set-file`: the value names a file, whose text is asked for.
    File(&'r dyn Fn(&str) -> Result<String, String>),
    /// `--set-json`.
    Json,
    /// `--set-literal`: one key, and the rest of the line.
    Literal,
}

/// Sets what a line says.
///
/// # Errors
/// Helm's words, without the flag's name.
pub(crate) fn apply(line: &str, values: &mut Values, reading: Reading<'_>) -> Result<(), String> {
    let mut parser = Parser {
        rest: line,
        reading,
    };
    loop {
        match parser.key(values, 0) {
            Ok(()) => {}
            Err(Stop::End) => return Ok(()),
            Err(Stop::Problem(problem)) => return Err(problem),
        }
    }
}

/// Why reading stopped.
enum Stop {
    /// The end of the text.
    End,
    Problem(String),
}

type Result1<T> = Result<T, Stop>;

fn problem<T>(text: impl Into<String>) -> Result1<T> {
    Err(Stop::Problem(text.into()))
}

struct Parser<'t, 'r> {
    rest: &'t str,
    reading: Reading<'r>,
}

/// A text up to a sign, and the sign; none at the end.
struct Token {
    text: String,
    sign: Option<char>,
}

impl Parser<'_, '_> {
    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let found = chars.next();
        self.rest = chars.as_str();
        found
    }

    /// Reads up to one of the signs; a backslash takes the meaning from what follows it.
    fn until(&mut self, signs: &[char]) -> Token {
        let mut text = String::new();
        while let Some(it) = self.next() {
            if signs.contains(&it) {
                let sign = Some(it);
                return Token { text, sign };
            }
            if it == '\\' && !matches!(self.reading, Reading::Literal) {
                match self.next() {
                    Some(next) => text.push(next),
                    None => break,
                }
            } else {
                text.push(it);
            }
        }
        Token { text, sign: None }
    }

    /// One key and its value.
    fn key(&mut self, values: &mut Values, level: usize) -> Result1<()> {
        let signs: &[char] = match self.reading {
            Reading::Literal => &['=', '[', '.'],
            _ => &['=', '[', ',', '.'],
        };
        let token = self.until(signs);
        let key = token.text;
        match token.sign {
            None if key.is_empty() => Err(Stop::End),
            None => problem(format!("key {} has no value", gotmpl::quote(&key))),
            Some('[') => self.list(values, &key, level),
            Some('=') => {
                let (value, after) = self.value();
                if let Some(value) = value {
                    set(values, &key, value);
                }
                after
            }
            Some(',') => {
                let key = gotmpl::quote(&key);
                problem(format!("key {key} has no value (cannot end with ,)"))
            }
            Some(_) => self.inner(values, &key, level),
        }
    }

    /// `key.…`
    fn inner(&mut self, values: &mut Values, key: &str, level: usize) -> Result1<()> {
        let level = deeper(level)?;
        let mut inner = match values.get(key) {
            None => Values::new(),
            Some(Value::Table(table)) => table.clone(),
            Some(other) => return wrong_type(other, "map[string]interface {}"),
        };
        let result = self.key(&mut inner, level);
        if result.is_ok() && inner.is_empty() {
            let key = gotmpl::quote(key);
            return problem(format!("key map {key} has no value"));
        }
        if !inner.is_empty() {
            set(values, key, Value::Table(inner));
        }
        result
    }

    /// `key[…`
    fn list(&mut self, values: &mut Values, key: &str, level: usize) -> Result1<()> {
        let index = self.index()?;
        let mut list = match values.get(key) {
            None => Vec::new(),
            Some(Value::List(list)) => list.to_vec(),
            Some(other) => return wrong_type(other, "[]interface {}"),
        };
        let result = self.item(&mut list, index, level);
        set(values, key, Value::List(Arc::new(list)));
        result
    }

    fn index(&mut self) -> Result1<i64> {
        let token = self.until(&[']']);
        if token.sign.is_none() {
            return Err(Stop::End);
        }
        // Go's Atoi takes a sign, and no underscores.
        token.text.parse().or_else(|_| {
            let digits = token.text.trim_start_matches(['+', '-']);
            let is_number = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
            let why = match is_number {
                true => "value out of range",
                false => "invalid syntax",
            };
            let text = gotmpl::quote(&token.text);
            problem(format!(
                "error parsing index: strconv.Atoi: parsing {text}: {why}"
            ))
        })
    }

    /// What follows `[…]`.
    fn item(&mut self, list: &mut Vec<Value>, index: i64, level: usize) -> Result1<()> {
        if index < 0 {
            return problem(format!("negative {index} index not allowed"));
        }
        let token = self.until(&['[', '.', '=']);
        if !token.text.is_empty() {
            let chars: Vec<gotmpl::Value> = token
                .text
                .chars()
                .map(|it| gotmpl::Value::Integer(u32::from(it).into(), gotmpl::Width::Int32))
                .collect();
            let shown = gotmpl::text::sprintf("%q", &[gotmpl::Value::list(chars)]);
            return problem(format!("unexpected data at end of array index: {shown}"));
        }
        match token.sign {
            None => Err(Stop::End),
            Some('=') => {
                let (value, after) = self.value();
                match (value, after) {
                    // At the end of the text the index is set, and the next key ends it.
                    (Some(value), Ok(()) | Err(Stop::End)) => set_index(list, index, value),
                    (_, after) => after,
                }
            }
            Some('[') => {
                let next = self.index()?;
                let mut inner = match at(list, index) {
                    None | Some(Value::Null) => Vec::new(),
                    Some(Value::List(inner)) => inner.to_vec(),
                    Some(other) => return wrong_type(other, "[]interface {}"),
                };
                self.item(&mut inner, next, level)?;
                set_index(list, index, Value::List(Arc::new(inner)))
            }
            Some(_) => {
                let mut inner = match at(list, index) {
                    Some(Value::Table(inner)) => inner.clone(),
                    _ => Values::new(),
                };
                self.key(&mut inner, level)?;
                set_index(list, index, Value::Table(inner))
            }
        }
    }

    /// The value behind `=`, and how reading goes on.
    fn value(&mut self) -> (Option<Value>, Result1<()>) {
        match self.reading {
            Reading::Json => match self.json() {
                Ok(value) => (Some(value), Ok(())),
                Err(stop) => (None, Err(stop)),
            },
            Reading::Literal => {
                let text = std::mem::take(&mut self.rest);
                (Some(Value::text(text)), Ok(()))
            }
            _ if self.rest.is_empty() => (Some(Value::text("")), Err(Stop::End)),
            _ if self.rest.starts_with('{') => {
                self.next();
                match self.braces() {
                    Ok(items) => (Some(Value::List(Arc::new(items))), Ok(())),
                    Err(stop) => (None, Err(stop)),
                }
            }
            _ => {
                let token = self.until(&[',']);
                match self.read(&token.text) {
                    Ok(value) => (Some(value), Ok(())),
                    Err(stop) => (None, Err(stop)),
                }
            }
        }
    }

    /// `…}` and a comma that may follow.
    fn braces(&mut self) -> Result1<Vec<Value>> {
        let mut items = Vec::new();
        loop {
            let token = self.until(&[',', '}']);
            let Some(sign) = token.sign else {
                return problem("list must terminate with '}'");
            };
            if sign == '}' {
                self.rest = self.rest.strip_prefix(',').unwrap_or(self.rest);
            }
            items.push(self.read(&token.text)?);
            if sign == '}' {
                return Ok(items);
            }
        }
    }

    fn read(&self, text: &str) -> Result1<Value> {
        match self.reading {
            Reading::Typed => Ok(typed(text)),
            Reading::File(read) => match read(text) {
                Ok(text) => Ok(Value::text(&text)),
                Err(error) => problem(error),
            },
            Reading::Text | Reading::Json | Reading::Literal => Ok(Value::text(text)),
        }
    }

    /// Space and a comma; whether that is all there is.
    fn ends(&mut self) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(',') {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => self.rest.is_empty(),
        }
    }

    fn json(&mut self) -> Result1<Value> {
        if self.ends() {
            return Ok(Value::Null);
        }
        let mut stream = json::Stream::new(self.rest);
        match stream.next_value() {
            Ok(Some((value, _))) => {
                self.rest = &self.rest[stream.taken()..];
                self.ends();
                Ok(Value::from(value))
            }
            Ok(None) => Err(Stop::End),
            Err(error) => problem(error.to_string()),
        }
    }
}

fn deeper(level: usize) -> Result1<usize> {
    if level >= MAX_LEVELS {
        return problem(format!(
            "value name nested level is greater than maximum supported nested level of {MAX_LEVELS}"
        ));
    }
    Ok(level + 1)
}

fn wrong_type<T>(found: &Value, wanted: &str) -> Result1<T> {
    let found = match found {
        Value::Null => "nil".to_owned(),
        other => other.formatted("%T"),
    };
    problem(format!(
        "unable to parse key: interface conversion: interface {{}} is {found}, not {wanted}"
    ))
}

/// A key without a name is read, and sets nothing.
fn set(values: &mut Values, key: &str, value: Value) {
    if !key.is_empty() {
        values.insert(key, value);
    }
}

fn at(list: &[Value], index: i64) -> Option<&Value> {
    usize::try_from(index)
        .ok()
        .and_then(|index| list.get(index))
}

fn set_index(list: &mut Vec<Value>, index: i64, value: Value) -> Result1<()> {
    let place = match usize::try_from(index) {
        Ok(place) if index <= MAX_INDEX => place,
        _ => {
            return problem(format!(
                "index of {index} is greater than maximum supported index of {MAX_INDEX}"
            ));
        }
    };
    if list.len() <= place {
        list.resize(place + 1, Value::Null);
    }
    list[place] = value;
    Ok(())
}

fn typed(text: &str) -> Value {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("true") || is("false") {
        return Value::Bool(is("true"));
    }
    if is("null") {
        return Value::Null;
    }
    match text.parse() {
        Ok(number) if text == "0" || !text.starts_with('0') => Value::Int(number),
        _ => Value::text(text),
    }
}

#[cfg(test)]
mod tests;
