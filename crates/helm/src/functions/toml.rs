//! TOML as BurntSushi's library v1.6 writes it.
//!
//! Read [`encode`]. Tables follow plain values, each level is indented, and lists of maps are lists
//! of tables where all their elements are maps.

mod parse;

use gotmpl::text::sprintf;
use gotmpl::{Data, Element, List, Map, Value};
use sprig::json::bytes_of_list;

pub(super) use parse::decode;

/// A value as TOML; what TOML cannot hold gives the text of Go's error.
///
/// # Errors
/// For nil, as Go panics; and when the text gets longer than the limit.
pub(super) fn encode(value: &Value, limit: usize) -> Result<String, String> {
    if let Value::Nil = value {
        return Err("reflect: call of reflect.Value.Type on zero Value".to_owned());
    }
    let mut encoder = Encoder {
        out: String::new(),
        limit,
    };
    match encoder.encode(&mut Vec::new(), value) {
        Ok(()) => Ok(encoder.out),
        Err(Problem::Told(text)) => Ok(text),
        Err(Problem::TooLong) => Err("the template makes too much text".to_owned()),
    }
}

/// Why a value cannot be written.
enum Problem {
    /// What Go says; it becomes the result.
    Told(String),
    TooLong,
}

type Result<T, E = Problem> = std::result::Result<T, E>;

fn told<T>(text: &str) -> Result<T> {
    Err(Problem::Told(text.to_owned()))
}

/// What a value is for TOML.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    Plain,
    Table,
    Tables,
}

struct Encoder {
    out: String,
    limit: usize,
}

/// Maps deeper than that hold themselves.
const MAX_DEPTH: usize = 200;

impl Encoder {
    fn encode(&mut self, key: &mut Vec<String>, value: &Value) -> Result<()> {
        if self.out.len() > self.limit || key.len() > MAX_DEPTH {
            return Err(Problem::TooLong);
        }
        match kind(value, 0)? {
            Kind::Nothing => Ok(()),
            Kind::Plain => self.key_value(key, value),
            Kind::Table => self.table(key, value),
            Kind::Tables => self.tables(key, value),
        }
    }

    fn newline(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    fn indent(&mut self, key: &[String]) {
        for _ in 1..key.len() {
            self.out.push_str("  ");
        }
    }

    fn key_value(&mut self, key: &[String], value: &Value) -> Result<()> {
        let Some(last) = key.last() else {
            return self.element(value, 0);
        };
        self.indent(key);
        self.out.push_str(&quoted_key(last));
        self.out.push_str(" = ");
        self.element(value, 0)?;
        self.newline();
        Ok(())
    }

    fn tables(&mut self, key: &mut Vec<String>, value: &Value) -> Result<()> {
        if key.is_empty() {
            return told("toml: top-level values must be Go maps or structs");
        }
        let Value::List(list) = value.underlying().into_owned() else {
            return Ok(());
        };
        for item in list.items() {
            self.newline();
            self.indent(key);
            self.out.push_str(&format!("[[{}]]", path(key)));
            self.newline();
            self.entries(key, item)?;
        }
        Ok(())
    }

    fn table(&mut self, key: &mut Vec<String>, value: &Value) -> Result<()> {
        if key.len() == 1 {
            self.newline();
        }
        if !key.is_empty() {
            self.indent(key);
            self.out.push_str(&format!("[{}]", path(key)));
            self.newline();
        }
        self.entries(key, value)
    }

    /// Plain values, and then tables; nil is left out.
    fn entries(&mut self, key: &mut Vec<String>, value: &Value) -> Result<()> {
        let (plain, tables) = split(value)?;
        for (name, value) in plain.into_iter().chain(tables) {
            if is_nil(&value) {
                continue;
            }
            key.push(name);
            self.encode(key, &value)?;
            key.pop();
        }
        Ok(())
    }

    /// A value behind its key, on the same line.
    fn element(&mut self, value: &Value, depth: usize) -> Result<()> {
        if self.out.len() > self.limit || depth > MAX_DEPTH {
            return Err(Problem::TooLong);
        }
        match value {
            Value::Text(text) => self.out.push_str(&quoted(text)),
            Value::Bool(truth) => self.out.push_str(if *truth { "true" } else { "false" }),
            Value::Integer(number, _) => self.out.push_str(&number.to_string()),
            Value::Float(number) => self.out.push_str(&float(*number)),
            Value::List(list) => self.list(list, depth)?,
            Value::Map(_) => self.inline_table(value, depth)?,
            Value::Object(object) => match object.data() {
                // A time stands without quotes, whatever else marshals itself has them.
                Data::Text(text) if object.type_name() == "time.Time" => self.out.push_str(&text),
                Data::Text(text) => self.out.push_str(&quoted(&text)),
                Data::Value(Value::Integer(..)) if object.type_name() == "time.Duration" => {
                    self.out
                        .push_str(&quoted(&object.text().unwrap_or_default()));
                }
                Data::Value(value) => self.element(&value, depth + 1)?,
                Data::Fields(_) => self.inline_table(value, depth)?,
            },
            Value::Nil | Value::Complex(..) | Value::Function(_) => {
                return told(&format!("unexpected type: {}", value.type_name()));
            }
        }
        Ok(())
    }

    fn list(&mut self, list: &List, depth: usize) -> Result<()> {
        self.out.push('[');
        if list.element() == Element::Byte {
            let numbers: Vec<String> = bytes_of_list(list)
                .iter()
                .map(ToString::to_string)
                .collect();
            self.out.push_str(&numbers.join(", "));
        } else {
            for (number, item) in list.items().iter().enumerate() {
                if number > 0 {
                    self.out.push_str(", ");
                }
                self.element(item, depth + 1)?;
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn inline_table(&mut self, value: &Value, depth: usize) -> Result<()> {
        let (plain, tables) = split(value)?;
        self.out.push('{');
        let (n_plain, n_all) = (plain.len(), plain.len() + tables.len());
        for (number, (name, value)) in plain.into_iter().chain(tables).enumerate() {
            if is_nil(&value) {
                continue;
            }
            self.out.push_str(&format!("{} = ", quoted_key(&name)));
            self.element(&value, depth + 1)?;
            if number + 1 < n_all || (number < n_plain && n_all > n_plain) {
                self.out.push_str(", ");
            }
        }
        self.out.push('}');
        Ok(())
    }
}

type Entries = Vec<(String, Value)>;

/// The entries of a table: plain ones and tables.
fn split(value: &Value) -> Result<(Entries, Entries)> {
    let (mut plain, mut tables) = (Vec::new(), Vec::new());
    for (name, value) in entries(value) {
        match kind(&value, 0)? {
            Kind::Table | Kind::Tables => tables.push((name, value)),
            Kind::Plain | Kind::Nothing => plain.push((name, value)),
        }
    }
    Ok((plain, tables))
}

fn entries(value: &Value) -> Entries {
    let of_map = |map: &Map| {
        let entries = map.entries().into_iter();
        entries
            .map(|(key, value)| (key.to_string(), value))
            .collect()
    };
    match value {
        Value::Map(map) => of_map(map),
        Value::Object(object) => match object.data() {
            Data::Fields(fields) => {
                let fields = fields.into_iter();
                fields
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect()
            }
            Data::Value(Value::Map(map)) => of_map(&map),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn is_nil(value: &Value) -> bool {
    match value {
        Value::Nil => true,
        Value::List(list) => list.is_nil(),
        Value::Map(map) => map.is_nil(),
        _ => false,
    }
}

fn kind(value: &Value, depth: usize) -> Result<Kind> {
    if depth > MAX_DEPTH {
        return Err(Problem::TooLong);
    }
    Ok(match value {
        _ if is_nil(value) => Kind::Nothing,
        Value::Map(_) => Kind::Table,
        Value::List(list) => list_kind(list, depth)?,
        Value::Object(object) => match object.data() {
            Data::Text(_) => Kind::Plain,
            Data::Fields(_) => Kind::Table,
            Data::Value(inner) => kind(&inner, depth + 1)?,
        },
        Value::Complex(..) => return told("unsupported type: complex128"),
        Value::Function(_) => return told("unsupported type: func"),
        _ => Kind::Plain,
    })
}

/// A list of tables, when all are; nil is in no list.
fn list_kind(list: &List, depth: usize) -> Result<Kind> {
    let mut kinds = Vec::new();
    for item in list.items() {
        match kind(item, depth + 1)? {
            Kind::Nothing => return told("toml: cannot encode array with nil element"),
            kind => kinds.push(kind),
        }
    }
    let are_tables = !kinds.is_empty() && kinds.iter().all(|kind| *kind == Kind::Table);
    Ok(if are_tables {
        Kind::Tables
    } else {
        Kind::Plain
    })
}

fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    let text = sprintf("%v", &[Value::Float(number)]);
    if text.contains(['e', '.']) {
        text
    } else {
        format!("{text}.0")
    }
}

fn path(key: &[String]) -> String {
    let parts: Vec<String> = key.iter().map(|part| quoted_key(part)).collect();
    parts.join(".")
}

fn quoted_key(key: &str) -> String {
    let is_bare = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
    if !key.is_empty() && key.chars().all(is_bare) {
        return key.to_owned();
    }
    quoted(key)
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for it in text.chars() {
        match it {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            _ if it < ' ' || it == '\u{7f}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(it)));
            }
            _ => out.push(it),
        }
    }
    out.push('"');
    out
}
