//! Values as Go's `encoding/json` puts them into structs: names without regard to case, `null` as
//! nothing, and its words for what does not fit.
//!
//! Read [`Fields`] first. It must never know what a field means.

use std::cell::RefCell;
use std::collections::BTreeMap;

use manifest::go::quote;
use yaml::{Map, Value};

use crate::error::{Result, fail};
use crate::identity::{Gvk, Id};

/// The members of a value that becomes a struct.
pub(crate) struct Fields<'a> {
    map: Option<&'a Map>,
    /// The struct's name and the path to it, for messages.
    owner: String,
    path: String,
    mode: Mode,
    taken: RefCell<Vec<String>>,
}

/// How a value is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// As JSON: texts are texts, and members that are not asked for are an error.
    Strict,
    /// As `sigs.k8s.io/yaml` reads into structs: numbers and flags become texts where texts belong.
    Yaml,
    /// As [`Mode::Yaml`], and members that are not asked for do not matter.
    Lenient,
}

impl<'a> Fields<'a> {
    /// Members that are not asked for are an error in [`Fields::finish`], as in JSON.
    pub(crate) fn json(value: &'a Value, owner: &str) -> Result<Self> {
        Fields::of(value, owner, "", Mode::Strict)
    }

    /// As [`Fields::json`], but numbers and flags are texts where texts belong.
    pub(crate) fn strict(value: &'a Value, owner: &str) -> Result<Self> {
        Fields::of(value, owner, "", Mode::Yaml)
    }

    /// As [`Fields::strict`], but members that are not asked for do not matter.
    pub(crate) fn lenient(value: &'a Value, owner: &str) -> Result<Self> {
        Fields::of(value, owner, "", Mode::Lenient)
    }

    fn of(value: &'a Value, owner: &str, path: &str, mode: Mode) -> Result<Self> {
        let map = match value {
            Value::Map(map) => Some(map),
            Value::Null => None,
            other => {
                let place = match path {
                    "" => "Go value".to_owned(),
                    path => format!("Go struct field {path}"),
                };
                let found = other.kind();
                return fail(format!(
                    "json: cannot unmarshal {found} into {place} of type types.{owner}"
                ));
            }
        };
        Ok(Fields {
            map,
            owner: owner.to_owned(),
            path: path.to_owned(),
            mode,
            taken: RefCell::default(),
        })
    }

    /// The member `name`; `None` when it is missing or null.
    pub(crate) fn value(&self, name: &str) -> Option<&'a Value> {
        self.taken.borrow_mut().push(name.to_ascii_lowercase());
        let map = self.map?;
        let found = map.get(name).or_else(|| {
            let mut members = map.iter();
            let same = |key: &str| key.eq_ignore_ascii_case(name);
            members.find(|(key, _)| same(key)).map(|(_, value)| value)
        });
        found.filter(|value| !value.is_null())
    }

    fn place(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => format!("{}.{name}", self.owner),
            path => format!("{}.{path}.{name}", self.owner),
        }
    }

    fn below(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    fn mismatch<T>(&self, name: &str, found: &Value, wanted: &str) -> Result<T> {
        let number = match found {
            Value::Float(number) if wanted.starts_with("int") => format!(" {number}"),
            _ => String::new(),
        };
        fail(format!(
            "json: cannot unmarshal {}{number} into Go struct field {} of type {wanted}",
            found.kind(),
            self.place(name)
        ))
    }

    /// Text; empty when it is missing.
    pub(crate) fn string(&self, name: &str) -> Result<String> {
        Ok(self.optional_string(name)?.unwrap_or_default())
    }

    /// Text, when it is there.
    pub(crate) fn optional_string(&self, name: &str) -> Result<Option<String>> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => self.text(name, value).map(Some),
        }
    }

    fn text(&self, name: &str, value: &Value) -> Result<String> {
        match value {
            Value::Null => Ok(String::new()),
            Value::String(text) => Ok(text.to_string()),
            Value::Bool(flag) if self.mode != Mode::Strict => Ok(flag.to_string()),
            Value::Int(number) if self.mode != Mode::Strict => Ok(number.to_string()),
            Value::Uint(number) if self.mode != Mode::Strict => Ok(number.to_string()),
            Value::Float(number) if self.mode != Mode::Strict => Ok(number.to_string()),
            other => self.mismatch(name, other, "string"),
        }
    }

    /// A flag; false when it is missing.
    pub(crate) fn boolean(&self, name: &str) -> Result<bool> {
        match self.value(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => self.mismatch(name, other, "bool"),
        }
    }

    /// A whole number; 0 when it is missing.
    pub(crate) fn integer(&self, name: &str, go_type: &str) -> Result<i64> {
        match self.value(name) {
            None => Ok(0),
            Some(Value::Int(number)) => Ok(*number),
            Some(other) => self.mismatch(name, other, go_type),
        }
    }

    /// A list of texts; `None` when it is missing.
    pub(crate) fn optional_strings(&self, name: &str) -> Result<Option<Vec<String>>> {
        let items = match self.value(name) {
            None => return Ok(None),
            Some(Value::List(items)) => items,
            Some(other) => return self.mismatch(name, other, "[]string"),
        };
        items
            .iter()
            .map(|item| self.text(name, item))
            .collect::<Result<_>>()
            .map(Some)
    }

    /// A list of texts; empty when it is missing.
    pub(crate) fn strings(&self, name: &str) -> Result<Vec<String>> {
        Ok(self.optional_strings(name)?.unwrap_or_default())
    }

    /// A map of texts; `None` when it is missing.
    pub(crate) fn texts(&self, name: &str) -> Result<Option<BTreeMap<String, String>>> {
        let map = match self.value(name) {
            None => return Ok(None),
            Some(Value::Map(map)) => map,
            Some(other) => return self.mismatch(name, other, "map[string]string"),
        };
        let pairs = map
            .iter()
            .map(|(key, value)| Ok((key.to_string(), self.text(name, value)?)));
        pairs.collect::<Result<_>>().map(Some)
    }

    /// A map of flags; empty when it is missing.
    pub(crate) fn flags(&self, name: &str) -> Result<BTreeMap<String, bool>> {
        let map = match self.value(name) {
            None => return Ok(BTreeMap::new()),
            Some(Value::Map(map)) => map,
            Some(other) => return self.mismatch(name, other, "map[string]bool"),
        };
        let pairs = map.iter().map(|(key, value)| match value {
            Value::Null => Ok((key.to_string(), false)),
            Value::Bool(flag) => Ok((key.to_string(), *flag)),
            other => self.mismatch(name, other, "bool"),
        });
        pairs.collect()
    }

    /// A struct; `None` when it is missing.
    pub(crate) fn object<T>(
        &self,
        name: &str,
        owner: &str,
        read: impl Fn(&Fields<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        if !matches!(value, Value::Map(_)) {
            return self.mismatch(name, value, &format!("types.{owner}"));
        }
        let fields = Fields::of(value, owner, &self.below(name), self.mode)?;
        let read = read(&fields)?;
        fields.finish()?;
        Ok(Some(read))
    }

    /// A list of structs; empty when it is missing. `go_type` is that of the list, such as
    /// `[]types.Image`.
    pub(crate) fn list<T>(
        &self,
        name: &str,
        go_type: &str,
        read: impl Fn(&Fields<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let items = match self.value(name) {
            None => return Ok(Vec::new()),
            Some(Value::List(items)) => items,
            Some(other) => return self.mismatch(name, other, go_type),
        };
        let owner = go_type.rsplit(['.', ']', '*']).next().unwrap_or(go_type);
        let item = |item: &Value| {
            if !matches!(item, Value::Map(_) | Value::Null) {
                return self.mismatch(name, item, go_type.trim_start_matches("[]"));
            }
            let fields = Fields::of(item, owner, &self.below(name), self.mode)?;
            let read = read(&fields)?;
            fields.finish()?;
            Ok(read)
        };
        items.iter().map(item).collect()
    }

    /// `group`, `version` and `kind`.
    pub(crate) fn gvk(&self) -> Result<Gvk> {
        Ok(Gvk {
            group: self.string("group")?.into(),
            version: self.string("version")?.into(),
            kind: self.string("kind")?.into(),
        })
    }

    /// `group`, `version`, `kind`, `name` and `namespace`.
    pub(crate) fn id(&self) -> Result<Id> {
        Ok(Id {
            gvk: self.gvk()?,
            name: self.string("name")?.into(),
            namespace: self.string("namespace")?.into(),
            is_cluster_scoped: false,
        })
    }

    /// Refuses members that nothing asked for, when that matters.
    pub(crate) fn finish(&self) -> Result<()> {
        let taken = self.taken.borrow();
        let unknown = self.map.into_iter().flat_map(Map::keys).find(|key| {
            let key = key.to_ascii_lowercase();
            !taken.contains(&key)
        });
        match unknown {
            Some(key) if self.mode != Mode::Lenient => {
                fail(format!("json: unknown field {}", quote(key)))
            }
            _ => Ok(()),
        }
    }
}
