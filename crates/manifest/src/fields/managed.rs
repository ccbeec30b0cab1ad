//! `metadata.managedFields`: the entries, and how they are written and read.

use yaml::{Map, Str, Value};

use super::{FieldSet, FieldsError};
use crate::go;

/// How a manager wrote its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// By server-side apply.
    Apply,
    /// By any other write.
    Update,
}

/// One manager with the fields that it owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The field manager's name.
    pub manager: Str,
    /// How it wrote.
    pub operation: Operation,
    /// The version in which it wrote, and to which the paths belong.
    pub api_version: Str,
    /// The subresource that it wrote through; empty for the object itself.
    pub subresource: Str,
    /// When the set was changed last, as RFC 3339.
    pub time: Option<Str>,
    /// The fields.
    pub fields: FieldSet,
}

impl Entry {
    /// Whether two entries are of the same manager: one that applies is the same in every version.
    #[must_use]
    pub fn is_same_manager(&self, other: &Entry) -> bool {
        self.manager == other.manager
            && self.operation == other.operation
            && self.subresource == other.subresource
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }

    /// The manager as in messages: `"name" with subresource "scale" using apps/v1`.
    #[must_use]
    pub fn manager_text(&self) -> String {
        let mut text = go::quote(&self.manager);
        if !self.subresource.is_empty() {
            text.push_str(" with subresource ");
            text.push_str(&go::quote(&self.subresource));
        }
        if self.operation == Operation::Update {
            text.push_str(" using ");
            text.push_str(&self.api_version);
        }
        text
    }

    fn to_value(&self) -> Value {
        let operation = match self.operation {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        };
        let mut entry = Map::from([
            ("apiVersion", self.api_version.clone().into()),
            ("fieldsType", "FieldsV1".into()),
            ("fieldsV1", self.fields.to_fields_v1()),
            ("manager", self.manager.clone().into()),
            ("operation", operation.into()),
        ]);
        if !self.subresource.is_empty() {
            entry.insert("subresource", self.subresource.clone());
        }
        if let Some(time) = &self.time {
            entry.insert("time", time.clone());
        }
        Value::Map(entry)
    }

    fn from_value(index: usize, value: &Value) -> Result<Self, FieldsError> {
        let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
        let operation = match text("operation") {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return Err(FieldsError::Operation),
        };
        if text("apiVersion").is_empty() {
            return Err(FieldsError::NoApiVersion);
        }
        match text("fieldsType") {
            "FieldsV1" => {}
            "" => return Err(FieldsError::NoFieldsType(index)),
            other => {
                return Err(FieldsError::FieldsType {
                    kind: go::quote(other),
                    index,
                });
            }
        }
        let time = text("time");
        Ok(Entry {
            manager: text("manager").into(),
            operation,
            api_version: text("apiVersion").into(),
            subresource: text("subresource").into(),
            time: (!time.is_empty()).then(|| time.into()),
            fields: match value.get("fieldsV1") {
                None | Some(Value::Null) => FieldSet::new(),
                Some(fields) => FieldSet::from_fields_v1(fields)?,
            },
        })
    }
}

/// All entries of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManagedFields {
    entries: Vec<Entry>,
}

impl ManagedFields {
    /// Reads `metadata.managedFields`; of two entries of one manager the last one counts.
    ///
    /// # Errors
    /// [`FieldsError`] says which entry is malformed.
    pub fn from_value(list: &Value) -> Result<Self, FieldsError> {
        let mut managed = ManagedFields::default();
        for (index, value) in list.as_list().unwrap_or_default().iter().enumerate() {
            let entry = Entry::from_value(index, value)?;
            match managed.find_mut(&entry) {
                Some(same) => *same = entry,
                None => managed.entries.push(entry),
            }
        }
        Ok(managed)
    }

    /// Reads the entries of an object; none when it has none.
    ///
    /// # Errors
    /// As [`ManagedFields::from_value`].
    pub fn of(object: &Value) -> Result<Self, FieldsError> {
        match object.at(&["metadata", "managedFields"]) {
            Some(list) => ManagedFields::from_value(list),
            None => Ok(ManagedFields::default()),
        }
    }

    /// The entries in no particular order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn entries_mut(&mut self) -> &mut Vec<Entry> {
        &mut self.entries
    }

    pub(super) fn find_mut(&mut self, entry: &Entry) -> Option<&mut Entry> {
        self.entries
            .iter_mut()
            .find(|other| other.is_same_manager(entry))
    }

    /// Writes the entries into an object, sorted as the API server does: who applies first, then by
    /// time, manager, version and subresource. Without entries the member goes.
    pub fn write(mut self, object: &mut Value) {
        self.entries.sort_by(|a, b| {
            let key = |e: &Entry| (e.operation, e.time.clone().unwrap_or_default());
            key(a)
                .cmp(&key(b))
                .then_with(|| a.manager.cmp(&b.manager))
                .then_with(|| a.api_version.cmp(&b.api_version))
                .then_with(|| a.subresource.cmp(&b.subresource))
        });
        let list: Vec<Value> = self.entries.iter().map(Entry::to_value).collect();
        if !list.is_empty() {
            let metadata = object.map_at_mut(&["metadata"]);
            metadata.insert("managedFields", Value::List(list));
        } else if let Some(Value::Map(metadata)) = object.get_mut("metadata") {
            metadata.remove("managedFields");
        }
    }
}

/// Whether two objects are the same but for the times in their `managedFields`: then a write changes
/// nothing and is not stored.
#[must_use]
pub fn same_but_times(left: &Value, right: &Value) -> bool {
    same_but_times_at(left, right, &["metadata", "managedFields"])
}

/// The entries with times are at the end of `path`.
fn same_but_times_at(left: &Value, right: &Value, path: &[&str]) -> bool {
    match (left, right, path) {
        (Value::Map(left), Value::Map(right), [first, rest @ ..]) => {
            let same = |((key, left), (other, right)): ((&Str, &Value), (&Str, &Value))| {
                key == other
                    && if key == first {
                        same_but_times_at(left, right, rest)
                    } else {
                        left == right
                    }
            };
            left.len() == right.len() && left.iter().zip(right.iter()).all(same)
        }
        (Value::List(left), Value::List(right), []) => {
            let pairs = left.iter().zip(right);
            left.len() == right.len() && pairs.into_iter().all(|(a, b)| without_time(a, b))
        }
        _ => left == right,
    }
}

fn without_time(left: &Value, right: &Value) -> bool {
    let (Value::Map(left), Value::Map(right)) = (left, right) else {
        return left == right;
    };
    let timeless = |(key, _): &(&Str, &Value)| *key != "time";
    left.iter()
        .filter(timeless)
        .eq(right.iter().filter(timeless))
}
