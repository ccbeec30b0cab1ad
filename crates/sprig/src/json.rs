//! Values as JSON text and back, as Go's `encoding/json` does it. Read [`encode`] and [`decode`].

use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use gotmpl::text::Text;
use gotmpl::{Data, Element, List, Map, Value};

/// Which characters are escaped that need not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escapes {
    /// `<`, `>` and `&`.
    Html,
    /// None of them.
    Few,
}

/// Which encoder of Go a data tree is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `encoding/json`, also on the way to YAML as `sigs.k8s.io/yaml` takes it.
    Json,
    /// go-yaml v3: NaN and the infinities are numbers, and fields have small letters.
    Yaml,
}

/// How the text is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// On one line.
    Compact,
    /// Two spaces per level.
    Indented,
}

/// A value as JSON, of at most so many bytes.
///
/// # Errors
/// Go's text for what JSON cannot hold: NaN, infinities, functions, and maps that hold themselves;
/// and where the limit is reached.
pub fn encode(
    value: &Value,
    escapes: Escapes,
    layout: Layout,
    limit: usize,
) -> Result<String, String> {
    let mut encoder = Encoder {
        out: String::new(),
        escapes,
        layout,
        limit,
        depth: 0,
    };
    encoder.value(value)?;
    Ok(encoder.out)
}

struct Encoder {
    out: String,
    escapes: Escapes,
    layout: Layout,
    limit: usize,
    depth: usize,
}

impl Encoder {
    fn value(&mut self, value: &Value) -> Result<(), String> {
        if self.out.len() > self.limit {
            return Err("the template makes too much text".to_owned());
        }
        match value {
            Value::Nil => self.out.push_str("null"),
            Value::Bool(truth) => self.out.push_str(if *truth { "true" } else { "false" }),
            Value::Integer(number, _) => {
                let written = write!(self.out, "{number}");
                debug_assert!(written.is_ok(), "a String takes everything");
            }
            Value::Float(number) => self.out.push_str(&float(*number)?),
            Value::Text(text) => self.text(text),
            Value::List(list) if list.is_nil() => self.out.push_str("null"),
            Value::List(list) if list.element() == Element::Byte => {
                let encoded = STANDARD.encode(bytes_of_list(list));
                self.text(&encoded);
            }
            Value::List(list) => {
                let items = list.items().iter().map(|item| (None, item.clone()));
                self.collection(('[', ']'), items)?;
            }
            Value::Map(map) if map.is_nil() => self.out.push_str("null"),
            Value::Map(map) => {
                let entries = map.entries().into_iter();
                self.collection(('{', '}'), entries.map(|(key, item)| (Some(key), item)))?;
            }
            Value::Complex(..) => return Err("json: unsupported type: complex128".to_owned()),
            Value::Function(function) => {
                return Err(format!("json: unsupported type: {}", function.type_name()));
            }
            Value::Object(object) => match object.data() {
                Data::Text(text) => self.text(&text),
                Data::Value(value) => self.value(&value)?,
                Data::Fields(fields) => {
                    let fields = fields.into_iter();
                    let fields = fields.map(|(name, value)| (Some(Arc::from(name)), value));
                    self.collection(('{', '}'), fields)?;
                }
            },
        }
        Ok(())
    }

    fn collection(
        &mut self,
        (open, close): (char, char),
        items: impl ExactSizeIterator<Item = (Option<Arc<str>>, Value)>,
    ) -> Result<(), String> {
        /// As Go's encoder, which looks for circles from here on.
        const MAX_DEPTH: usize = 1_000;
        if self.depth == MAX_DEPTH {
            return Err("json: unsupported value: encountered a cycle".to_owned());
        }
        let is_empty = items.len() == 0;
        self.out.push(open);
        self.depth += 1;
        for (number, (key, item)) in items.enumerate() {
            if number > 0 {
                self.out.push(',');
            }
            self.line();
            if let Some(key) = key {
                self.text(&key);
                self.out.push(':');
                if self.layout == Layout::Indented {
                    self.out.push(' ');
                }
            }
            self.value(&item)?;
        }
        self.depth -= 1;
        if !is_empty {
            self.line();
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self) {
        if self.layout == Layout::Indented {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.depth));
        }
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        let mut start = 0;
        for (at, it) in text.char_indices() {
            if !self.needs_escape(it) {
                continue;
            }
            self.out.push_str(&text[start..at]);
            start = at + it.len_utf8();
            match it {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                _ if gotmpl::text::carried(it).is_some() => self.out.push_str("\\ufffd"),
                _ => {
                    let written = write!(self.out, "\\u{:04x}", u32::from(it));
                    debug_assert!(written.is_ok(), "a String takes everything");
                }
            }
        }
        self.out.push_str(&text[start..]);
        self.out.push('"');
    }

    fn needs_escape(&self, it: char) -> bool {
        match it {
            '"' | '\\' | '\u{2028}' | '\u{2029}' => true,
            '<' | '>' | '&' => self.escapes == Escapes::Html,
            ' '..='\u{7f}' => false,
            _ => it < ' ' || gotmpl::text::carried(it).is_some(),
        }
    }
}

/// A float as Go's encoder writes it.
///
/// # Errors
/// For NaN and the infinities.
pub(crate) fn float(number: f64) -> Result<String, String> {
    let magnitude = number.abs();
    if !number.is_finite() {
        let shown = gotmpl::text::sprint(&[Value::Float(number)]);
        return Err(format!("json: unsupported value: {shown}"));
    }
    let is_plain = magnitude == 0.0 || (1e-6..1e21).contains(&magnitude);
    let sign = if number.is_sign_negative() { "-" } else { "" };
    let digits = gotmpl::text::format_float(magnitude, if is_plain { 'f' } else { 'e' }, None);
    // Exponents of one digit have no zero before it.
    Ok(format!("{sign}{}", digits.replace("e-0", "e-")))
}

/// The bytes of a list of them.
#[must_use]
pub fn bytes_of_list(list: &List) -> Vec<u8> {
    let byte = |item: &Value| match item {
        Value::Integer(number, _) => u8::try_from(*number).unwrap_or_default(),
        _ => 0,
    };
    list.items().iter().map(byte).collect()
}

/// JSON as a value: numbers are floats.
///
/// # Errors
/// As [`parse`].
pub fn decode(text: &str) -> Result<Value, String> {
    parse(text).map(|tree| of_json(&tree))
}

/// JSON as a data tree.
///
/// # Errors
/// Go's text: which character does not belong where it stands.
pub fn parse(text: &str) -> Result<yaml::Value, String> {
    yaml::json::parse_str(text).map_err(|error| error.cause.to_string())
}

/// A data tree as Kubernetes' clients give it: whole numbers are `int64`.
#[must_use]
pub fn of_object(tree: &yaml::Value) -> Value {
    match tree {
        yaml::Value::Int(number) => Value::int64(*number),
        yaml::Value::List(items) => Value::list(items.iter().map(of_object).collect()),
        yaml::Value::Map(map) => {
            let entries = map.iter();
            let entries = entries.map(|(key, item)| (key.clone().into(), of_object(item)));
            Value::Map(entries.collect::<Map>())
        }
        other => of_json(other),
    }
}

/// A data tree as Go's JSON decoder gives it: all numbers are floats.
#[must_use]
pub fn of_json(tree: &yaml::Value) -> Value {
    match tree {
        yaml::Value::Int(number) => Value::Float(*number as f64),
        yaml::Value::Uint(number) => Value::Float(*number as f64),
        yaml::Value::List(items) => Value::list(items.iter().map(of_json).collect()),
        yaml::Value::Map(map) => {
            let entries = map.iter();
            let entries = entries.map(|(key, item)| (key.clone().into(), of_json(item)));
            Value::Map(entries.collect::<Map>())
        }
        yaml::Value::Null => Value::Nil,
        yaml::Value::Bool(truth) => Value::Bool(*truth),
        yaml::Value::Float(number) => Value::Float(*number),
        yaml::Value::String(text) => Value::Text(text.clone().into()),
    }
}

/// A value as the data tree that an encoder of Go sees, of at most so many nodes.
///
/// # Errors
/// As [`encode`].
pub fn to_tree(value: &Value, encoding: Encoding, limit: usize) -> Result<yaml::Value, String> {
    let mut left = limit;
    tree_of(value, encoding, &mut left, 0)
}

fn tree_of(
    value: &Value,
    encoding: Encoding,
    left: &mut usize,
    depth: usize,
) -> Result<yaml::Value, String> {
    const TOO_MUCH: &str = "the template makes too much text";
    /// Deeper is only a map that holds itself.
    const MAX_DEPTH: usize = 500;
    *left = left.checked_sub(1).ok_or(TOO_MUCH)?;
    if depth > MAX_DEPTH {
        return Err("json: unsupported value: encountered a cycle".to_owned());
    }
    Ok(match value {
        Value::Nil => yaml::Value::Null,
        Value::Bool(truth) => yaml::Value::Bool(*truth),
        Value::Integer(number, _) => whole(*number).unwrap_or(yaml::Value::Null),
        Value::Float(number) => {
            if encoding == Encoding::Json {
                float(*number)?;
            }
            yaml::Value::Float(*number)
        }
        Value::Text(text) => yaml::Value::String(shown(text.clone())),
        Value::List(list) if list.is_nil() => yaml::Value::Null,
        Value::List(list) if list.element() == Element::Byte => {
            yaml::Value::from(STANDARD.encode(bytes_of_list(list)))
        }
        Value::List(list) => {
            let items = list.items().iter();
            let items: Result<Vec<_>, String> = items
                .map(|item| tree_of(item, encoding, left, depth + 1))
                .collect();
            yaml::Value::List(items?)
        }
        Value::Map(map) if map.is_nil() => yaml::Value::Null,
        Value::Map(map) => {
            let entries = map.entries().into_iter();
            let entries: Result<Vec<_>, String> = entries
                .map(|(key, item)| {
                    let item = tree_of(&item, encoding, left, depth + 1)?;
                    Ok((shown(key), item))
                })
                .collect();
            yaml::Value::Map(entries?.into_iter().collect())
        }
        Value::Object(object) => match object.data() {
            Data::Text(text) => yaml::Value::from(text),
            Data::Value(value) => tree_of(&value, encoding, left, depth + 1)?,
            Data::Fields(fields) => {
                let mut tree = yaml::Map::new();
                for (name, item) in fields {
                    let name = match encoding {
                        Encoding::Json => name.to_owned(),
                        Encoding::Yaml => name.to_lowercase(),
                    };
                    tree.insert(name, tree_of(&item, encoding, left, depth + 1)?);
                }
                yaml::Value::Map(tree)
            }
        },
        Value::Complex(..) | Value::Function(_) => {
            return Err(format!("json: unsupported type: {}", value.type_name()));
        }
    })
}

/// A text as encoders see it; shared where it is the same.
fn shown(text: Text) -> yaml::Str {
    match text.is_ascii() {
        true => text.into(),
        false => gotmpl::text::shown(text.to_string()).into(),
    }
}

fn whole(number: i128) -> Option<yaml::Value> {
    match i64::try_from(number) {
        Ok(number) => Some(yaml::Value::Int(number)),
        Err(_) => u64::try_from(number).ok().map(yaml::Value::Uint),
    }
}
