//! Values of a chart: a tree whose parts are shared until somebody changes them.
//!
//! Read [`Values`]. Merging the values of a hundred subcharts copies only the maps on the way to a
//! change, where Helm copies everything for each of them. Numbers from YAML and JSON are floats, as
//! in Helm; only `--set` makes integers.

use std::collections::BTreeMap;
use std::sync::Arc;

use yaml::{Documents, Mode};

use crate::Error;

/// A map of values by name. A clone shares everything; a change copies the maps above it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values(Arc<BTreeMap<Arc<str>, Value>>);

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`: takes a default away.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number that `--set` read.
    Int(i64),
    /// Any number of YAML or JSON.
    Float(f64),
    /// A text.
    Text(Arc<str>),
    /// A list.
    List(Arc<Vec<Value>>),
    /// A map.
    Table(Values),
}

impl Value {
    /// A text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Value::Text(text.into())
    }

    /// The map that this is.
    #[must_use]
    pub fn as_table(&self) -> Option<&Values> {
        match self {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// What JSON calls it.
    pub(crate) fn json_type(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Int(_) | Value::Float(_) => "number",
            Value::Text(_) => "string",
            Value::List(_) => "array",
            Value::Table(_) => "object",
        }
    }

    /// As templates see it.
    pub(crate) fn to_template(&self) -> gotmpl::Value {
        match self {
            Value::Null => gotmpl::Value::Nil,
            Value::Bool(flag) => gotmpl::Value::Bool(*flag),
            Value::Int(number) => gotmpl::Value::int64(*number),
            Value::Float(number) => gotmpl::Value::Float(*number),
            Value::Text(text) => gotmpl::Value::Text(text.clone()),
            Value::List(items) => {
                gotmpl::Value::list(items.iter().map(Value::to_template).collect())
            }
            Value::Table(table) => gotmpl::Value::Map(table.to_template()),
        }
    }

    /// As Go's `%v` prints it.
    pub(crate) fn shown(&self) -> String {
        self.formatted("%v")
    }

    /// As Go prints it with a verb.
    pub(crate) fn formatted(&self, verb: &str) -> String {
        gotmpl::text::sprintf(verb, &[self.to_template()])
    }
}

impl From<yaml::Value> for Value {
    fn from(value: yaml::Value) -> Self {
        match value {
            yaml::Value::Null => Value::Null,
            yaml::Value::Bool(flag) => Value::Bool(flag),
            yaml::Value::Int(number) => Value::Float(number as f64),
            yaml::Value::Uint(number) => Value::Float(number as f64),
            yaml::Value::Float(number) => Value::Float(number),
            yaml::Value::String(text) => Value::Text(text.into()),
            yaml::Value::List(items) => {
                Value::List(Arc::new(items.into_iter().map(Value::from).collect()))
            }
            yaml::Value::Map(map) => Value::Table(Values::from(map)),
        }
    }
}

impl From<yaml::Map> for Values {
    fn from(map: yaml::Map) -> Self {
        map.into_iter()
            .map(|(key, value)| (Arc::from(key), Value::from(value)))
            .collect()
    }
}

impl FromIterator<(Arc<str>, Value)> for Values {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Value)>>(entries: I) -> Self {
        Values(Arc::new(entries.into_iter().collect()))
    }
}

impl Values {
    /// No value.
    #[must_use]
    pub fn new() -> Self {
        Values::default()
    }

    /// Reads a file of values: its documents, later ones over earlier ones.
    ///
    /// # Errors
    /// [`Error::Text`] in Helm's words, without the file's name.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut documents = Documents::new(text, Mode::GoYaml2);
        let mut values = Values::new();
        loop {
            let document = documents.next_document().map_err(|error| {
                Error::text(format!(
                    "cannot unmarshal yaml document: error converting YAML to JSON: {}",
                    error.go_text()
                ))
            })?;
            match document.map(|document| document.value) {
                None => return Ok(values),
                Some(yaml::Value::Map(map)) if values.is_empty() => values = Values::from(map),
                Some(yaml::Value::Map(map)) => values.merge(&Values::from(map)),
                Some(other) => {
                    return Err(Error::text(format!(
                        "cannot unmarshal yaml document: error unmarshaling JSON: while decoding \
                         JSON: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
                        other.kind()
                    )));
                }
            }
        }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// The value of a key, to change it; the map is copied first when it is shared.
    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        if !self.0.contains_key(key) {
            return None;
        }
        Arc::make_mut(&mut self.0).get_mut(key)
    }

    /// Sets a key.
    pub fn insert(&mut self, key: impl Into<Arc<str>>, value: Value) {
        Arc::make_mut(&mut self.0).insert(key.into(), value);
    }

    /// Takes a key out.
    pub(crate) fn remove(&mut self, key: &str) -> Option<Value> {
        if !self.0.contains_key(key) {
            return None;
        }
        Arc::make_mut(&mut self.0).remove(key)
    }

    /// The entries in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Value)> {
        self.0.iter()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether both are the same map in memory, and so equal.
    pub(crate) fn is_same(&self, other: &Values) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Lays other values over these: maps are merged, everything else is replaced, `null` stays.
    pub fn merge(&mut self, over: &Values) {
        for (key, value) in over.iter() {
            if let (Value::Table(over), Some(Value::Table(under))) = (value, self.get_mut(key)) {
                under.merge(over);
            } else {
                self.insert(key.clone(), value.clone());
            }
        }
    }

    /// The map at a path of keys with dots between; the key that is no map when there is none.
    pub(crate) fn table(&self, path: &str) -> Result<&Values, String> {
        path.split('.').try_fold(self, |table, key| {
            table
                .get(key)
                .and_then(Value::as_table)
                .ok_or_else(|| key.to_owned())
        })
    }

    /// The value at a path of keys with dots between, when it is no map.
    pub(crate) fn leaf(&self, path: &str) -> Option<&Value> {
        let (table, key) = match path.rsplit_once('.') {
            Some((table, key)) => (self.table(table).ok()?, key),
            None => (self, path),
        };
        table.get(key).filter(|value| value.as_table().is_none())
    }

    /// As templates see it.
    pub(crate) fn to_template(&self) -> gotmpl::Map {
        self.iter()
            .map(|(key, value)| (key.clone(), value.to_template()))
            .collect()
    }
}
