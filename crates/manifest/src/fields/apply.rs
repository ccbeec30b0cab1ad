//! Server-side apply, and the ownership after every other write.

use std::fmt;

use yaml::{Map, Str, Value, json};

use super::compare::{Comparison, compare, set_of};
use super::managed::{Entry, ManagedFields, Operation};
use super::merge::merge;
use super::path::same_value;
use super::remove::remove;
use super::validate::{Duplicates, Invalid, validate};
use super::{FieldSet, FieldsError, PathElement, path_text};
use crate::schema::{Schema, Type, TypeRef};

/// Of managers that only update, the API server keeps this many; older ones are joined.
const MAX_UPDATE_MANAGERS: usize = 10;

/// The manager into which old updates are joined.
const OLD_UPDATES: &str = "ancient-changes";

/// The owner of what an object had before its ownership was tracked.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// The manager for whom `kubectl`'s own annotation counts as ownership.
const KUBECTL: &str = "kubectl";

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// All annotations together may have this many bytes; a last-applied annotation that exceeds it is
/// left out.
const MAX_ANNOTATIONS_BYTES: usize = 256 * 1024;

/// Members that nobody owns.
const UNOWNED: [&[&str]; 12] = [
    &["apiVersion"],
    &["kind"],
    &["metadata"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "creationTimestamp"],
    &["metadata", "selfLink"],
    &["metadata", "uid"],
    &["metadata", "clusterName"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "resourceVersion"],
];

/// Who writes, and how.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// The field manager; empty counts as `unknown`.
    pub manager: &'a str,
    /// The subresource that is written; empty for the object itself.
    pub subresource: &'a str,
    /// Now, as RFC 3339 in whole seconds and UTC.
    pub time: &'a str,
    /// Paths that this endpoint resets and that therefore nobody gets to own by it, with all below
    /// them: `status` on the object itself, `spec` and `metadata` on its status.
    pub ignored: &'a FieldSet,
}

/// What an apply does with fields that others own with other values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// Refuse.
    Refuse,
    /// Take the fields over (`force=true`).
    TakeOver,
}

/// Why an apply is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// Others own fields that the configuration sets differently (status 409): the field and its owner,
    /// as in the causes of the answer.
    Conflicts(Vec<Conflict>),
    /// The configuration does not fit the schema (status 500).
    Invalid {
        /// The object as the message names it.
        object: String,
        /// What is wrong.
        errors: Invalid,
    },
    /// The configuration has `managedFields` (status 400).
    HasManagedFields,
    /// The `managedFields` of the live object cannot be read (status 500).
    Managed(FieldsError),
}

/// One field in dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The path as text, such as `.spec.replicas`.
    pub field: String,
    /// The owner as text, such as `"kubectl" using apps/v1`.
    pub owner: String,
    path: Vec<PathElement>,
}

impl fmt::Display for ApplyError {
    /// The message of the API server's answer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ApplyError::Conflicts(conflicts) => write_conflicts(f, conflicts),
            ApplyError::Invalid { object, errors } => {
                write!(
                    f,
                    "failed to create typed patch object ({object}): {errors}"
                )
            }
            ApplyError::HasManagedFields => f.write_str("metadata.managedFields must be nil"),
            ApplyError::Managed(error) => write!(f, "failed to decode managed fields: {error}"),
        }
    }
}

impl std::error::Error for ApplyError {}

fn write_conflicts(f: &mut fmt::Formatter<'_>, conflicts: &[Conflict]) -> fmt::Result {
    if let [only] = conflicts {
        let (owner, field) = (&only.owner, &only.field);
        return write!(
            f,
            "Apply failed with 1 conflict: conflict with {owner}: {field}"
        );
    }
    write!(f, "Apply failed with {} conflicts: ", conflicts.len())?;
    let mut last = None;
    for conflict in conflicts {
        if last != Some(&conflict.owner) {
            let newline = if last.is_some() { "\n" } else { "" };
            write!(f, "{newline}conflicts with {}:", conflict.owner)?;
            last = Some(&conflict.owner);
        }
        write!(f, "\n- {}", conflict.field)?;
    }
    Ok(())
}

/// The outcome of [`apply()`].
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The object, before defaults, with its new `managedFields`.
    pub object: Value,
    /// Whether it differs from the live one in anything but `managedFields`.
    pub changed: bool,
}

/// Applies `config` to `live`, which is `None` when the object does not exist yet.
///
/// Sets what `config` sets, and removes what this manager applied last time, does not apply now and
/// nobody else owns. Members that lose all they hold may become `null`.
///
/// # Errors
/// [`ApplyError`]: a configuration that does not fit the schema, or conflicts.
pub fn apply(
    live: Option<&Value>,
    config: &Value,
    schema: &Schema,
    writer: &Writer<'_>,
    on_conflict: OnConflict,
) -> Result<Applied, ApplyError> {
    let has_managed = config.at(&["metadata", "managedFields"]);
    if has_managed.is_some_and(|list| !list.is_null()) {
        return Err(ApplyError::HasManagedFields);
    }
    let mut managed = match live {
        Some(live) => ManagedFields::of(live).map_err(ApplyError::Managed)?,
        None => ManagedFields::default(),
    };
    let base = live.map_or_else(|| type_meta(config), without_managed_fields);
    if managed.is_empty() && live.is_some() {
        let before = Writer {
            manager: BEFORE_FIRST_APPLY,
            ..*writer
        };
        managed = updated(ManagedFields::default(), (None, &base), schema, &before);
    }
    validate(config, schema, Duplicates::Refused).map_err(|errors| ApplyError::Invalid {
        object: object_text(config),
        errors,
    })?;
    let application = Application {
        live: &base,
        config,
        schema,
        writer,
    };
    let outcome = match application.run(managed.clone(), on_conflict) {
        Err(conflicts) if writer.manager == KUBECTL => {
            application.as_kubectl(managed, conflicts)?
        }
        other => other.map_err(ApplyError::Conflicts)?,
    };
    Ok(application.finish(outcome, live.is_none()))
}

/// An object without anything but its type, which is what an object to create starts from.
fn type_meta(config: &Value) -> Value {
    let members = ["apiVersion", "kind"]
        .iter()
        .filter_map(|name| config.get(name).map(|value| (*name, value.clone())));
    Value::Map(members.collect::<Map>())
}

fn without_managed_fields(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(Value::Map(metadata)) = object.get_mut("metadata") {
        metadata.remove("managedFields");
    }
    object
}

/// `namespace/name; group/version, Kind=kind`.
fn object_text(object: &Value) -> String {
    let text = |path: &[&str]| object.at(path).and_then(Value::as_str).unwrap_or_default();
    let api_version = text(&["apiVersion"]);
    let slash = if api_version.contains('/') { "" } else { "/" };
    format!(
        "{}/{}; {slash}{api_version}, Kind={}",
        text(&["metadata", "namespace"]),
        text(&["metadata", "name"]),
        text(&["kind"])
    )
}

struct Application<'a> {
    live: &'a Value,
    config: &'a Value,
    schema: &'a Schema,
    writer: &'a Writer<'a>,
}

struct Outcome {
    object: Value,
    managed: ManagedFields,
}

impl Application<'_> {
    fn entry(&self) -> Entry {
        let set = set_of(self.config, self.schema);
        Entry {
            fields: set.recursive_difference(self.writer.ignored),
            ..new_entry(self.writer, self.config, Operation::Apply)
        }
    }

    fn run(
        &self,
        mut managed: ManagedFields,
        on_conflict: OnConflict,
    ) -> Result<Outcome, Vec<Conflict>> {
        let root = self.schema.root();
        let merged = merge(root, Some(self.live), Some(self.config)).unwrap_or_default();
        let mut entry = self.entry();
        let last = match managed.find_mut(&entry) {
            Some(previous) => {
                entry.time = previous.time.clone();
                std::mem::replace(previous, entry.clone()).fields
            }
            None => {
                managed.entries_mut().push(entry.clone());
                FieldSet::new()
            }
        };
        let object = self.prune(merged, &managed, &last);
        let change = compare(self.live, &object, self.schema).without(self.writer.ignored);
        give_up(&mut managed, &change, Some(&entry), on_conflict)?;
        strip(&mut managed, &entry);
        Ok(Outcome { object, managed })
    }

    /// Removes what the manager applied last time, but keeps what anyone owns now and what it never
    /// owned: parts of a removed item that others have written.
    fn prune(&self, merged: Value, managed: &ManagedFields, last: &FieldSet) -> Value {
        if last.is_empty() {
            return merged;
        }
        let root = self.schema.root();
        let named = |set: &FieldSet| set.with_named_fields(Some(root));
        let last = named(last);
        let pruned = remove(root, &merged, &last);
        let owned = managed
            .entries()
            .iter()
            .fold(FieldSet::new(), |owned, entry| owned.union(&entry.fields));
        let all = named(&set_of(&merged, self.schema));
        let kept = named(&set_of(&pruned, self.schema)).union(&named(&owned));
        let pruned = remove(root, &merged, &all.difference(&kept));
        let kept = named(&set_of(&pruned, self.schema));
        remove(root, &merged, &all.difference(&kept).intersection(&last))
    }

    /// `kubectl apply --server-side` may take over what `kubectl apply` wrote before: conflicts about
    /// fields that are as the last-applied annotation says do not count.
    fn as_kubectl(
        &self,
        managed: ManagedFields,
        conflicts: Vec<Conflict>,
    ) -> Result<Outcome, ApplyError> {
        let Some(allowed) = self.last_applied_set() else {
            return Err(ApplyError::Conflicts(conflicts));
        };
        let left: Vec<Conflict> = conflicts
            .into_iter()
            .filter(|conflict| !allowed.contains(&conflict.path))
            .collect();
        if !left.is_empty() {
            return Err(ApplyError::Conflicts(left));
        }
        self.run(managed, OnConflict::TakeOver)
            .map_err(ApplyError::Conflicts)
    }

    /// The fields that the last-applied annotation sets and that are still as it says.
    fn last_applied_set(&self) -> Option<FieldSet> {
        let text = annotation(self.live, LAST_APPLIED)?;
        let last = json::parse_str(text).ok()?;
        if last.get("apiVersion") != self.live.get("apiVersion") {
            return None;
        }
        validate(&last, self.schema, Duplicates::Refused).ok()?;
        let change = compare(&last, self.live, self.schema);
        let changed = change.modified.union(&change.added).union(&change.removed);
        Some(set_of(&last, self.schema).difference(&changed))
    }

    fn finish(&self, outcome: Outcome, is_new: bool) -> Applied {
        let Outcome {
            mut object,
            mut managed,
        } = outcome;
        let changed = is_new || !same_value(self.live, &object);
        if changed {
            let entry = new_entry(self.writer, self.config, Operation::Apply);
            if let Some(own) = managed.find_mut(&entry) {
                own.time = Some(self.writer.time.into());
            }
        } else {
            object = self.live.clone();
        }
        if self.writer.manager == KUBECTL && annotation(&object, LAST_APPLIED).is_some() {
            self.write_last_applied(&mut object);
        }
        managed.write(&mut object);
        Applied { object, changed }
    }

    /// Keeps the annotation of client-side apply up to date, so that one can go back to it.
    fn write_last_applied(&self, object: &mut Value) {
        let mut config = self.config.clone();
        if let Some(Value::Map(annotations)) = config
            .get_mut("metadata")
            .and_then(|metadata| metadata.get_mut("annotations"))
        {
            annotations.remove(LAST_APPLIED);
        }
        let text = json::to_string_html_escaped(&config) + "\n";
        let annotations = object.map_at_mut(&["metadata", "annotations"]);
        annotations.insert(LAST_APPLIED, text);
        let n_bytes: usize = annotations
            .iter()
            .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
            .sum();
        if n_bytes > MAX_ANNOTATIONS_BYTES {
            annotations.remove(LAST_APPLIED);
        }
    }
}

fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    let found = object.at(&["metadata", "annotations", name])?.as_str();
    found.filter(|text| !text.is_empty())
}

fn new_entry(writer: &Writer<'_>, object: &Value, operation: Operation) -> Entry {
    let api_version = object.get("apiVersion").and_then(Value::as_str);
    let manager = match writer.manager {
        "" => "unknown",
        name => name,
    };
    Entry {
        manager: manager.into(),
        operation,
        api_version: api_version.unwrap_or_default().into(),
        subresource: writer.subresource.into(),
        time: None,
        fields: FieldSet::new(),
    }
}

/// Takes from all managers but `writer` what a write has changed or removed.
fn give_up(
    managed: &mut ManagedFields,
    change: &Comparison,
    writer: Option<&Entry>,
    on_conflict: OnConflict,
) -> Result<(), Vec<Conflict>> {
    let set = change.modified.union(&change.added);
    let is_other = |entry: &Entry| writer.is_none_or(|writer| !entry.is_same_manager(writer));
    if on_conflict == OnConflict::Refuse {
        let conflicts = conflicts(managed, &set, is_other);
        if !conflicts.is_empty() {
            return Err(conflicts);
        }
    }
    let entries = managed.entries_mut();
    for entry in entries.iter_mut().filter(|entry| is_other(entry)) {
        entry.fields = entry.fields.difference(&set).difference(&change.removed);
    }
    entries.retain(|entry| !entry.fields.is_empty());
    Ok(())
}

/// Sorted by owner; the fields of one owner in the order of [`FieldSet::paths`].
fn conflicts(
    managed: &ManagedFields,
    set: &FieldSet,
    is_other: impl Fn(&Entry) -> bool,
) -> Vec<Conflict> {
    let mut owners: Vec<&Entry> = managed.entries().iter().filter(|e| is_other(e)).collect();
    owners.sort_by(|a, b| {
        let key = |e: &Entry| (e.manager.clone(), e.operation, e.api_version.clone());
        key(a)
            .cmp(&key(b))
            .then_with(|| a.subresource.cmp(&b.subresource))
    });
    let of = |entry: &Entry| {
        let owner = entry.manager_text();
        let paths = entry.fields.intersection(set).paths();
        paths.into_iter().map(move |path| Conflict {
            field: path_text(&path),
            owner: owner.clone(),
            path,
        })
    };
    owners.into_iter().flat_map(of).collect()
}

/// Takes the members that nobody owns out of a manager's set.
fn strip(managed: &mut ManagedFields, entry: &Entry) {
    if let Some(own) = managed.find_mut(entry) {
        own.fields = std::mem::take(&mut own.fields).without_names(&UNOWNED);
    }
    managed
        .entries_mut()
        .retain(|entry| !entry.fields.is_empty());
}

/// Keeps the ownership right after a create, update or any patch but apply: `new` is what is to be
/// stored, `live` what was; gives `new` with its `managedFields`.
///
/// What the write set or changed belongs to the writer, what it changed or removed leaves all others.
/// A client may set `managedFields` itself, and reset them with an empty list. An object that has no
/// `managedFields` gets none by an update.
#[must_use]
pub fn track(live: Option<&Value>, new: Value, schema: &Schema, writer: &Writer<'_>) -> Value {
    let managed = managed_before(live, &new, writer);
    let mut object = new;
    if let Some(Value::Map(metadata)) = object.get_mut("metadata") {
        metadata.remove("managedFields");
    }
    let has_uid = live.is_some_and(|live| live.at(&["metadata", "uid"]).is_some());
    if !managed.is_empty() || !has_uid {
        // That the live object has entries and the new one none is owned by nobody.
        updated(managed, (live, &object), schema, writer).write(&mut object);
    }
    object
}

/// The entries that a write starts from: the new object's, else the live one's.
fn managed_before(live: Option<&Value>, new: &Value, writer: &Writer<'_>) -> ManagedFields {
    let of_live = || {
        live.and_then(|live| ManagedFields::of(live).ok())
            .unwrap_or_default()
    };
    if !writer.subresource.is_empty() {
        return of_live();
    }
    let list = new
        .at(&["metadata", "managedFields"])
        .and_then(Value::as_list);
    let is_reset = match list {
        Some([]) => true,
        Some([only]) => only.as_map().is_some_and(Map::is_empty),
        _ => false,
    };
    if is_reset {
        return ManagedFields::default();
    }
    match ManagedFields::of(new) {
        Ok(managed) if !managed.is_empty() => managed,
        _ => of_live(),
    }
}

/// The ownership after `writer` turned the first object into the second.
fn updated(
    mut managed: ManagedFields,
    (live, new): (Option<&Value>, &Value),
    schema: &Schema,
    writer: &Writer<'_>,
) -> ManagedFields {
    let empty = match live {
        Some(_) => Value::Null,
        None if schema.is_custom() => type_meta(new),
        None => zero_object(schema.root(), new),
    };
    let change = compare(live.unwrap_or(&empty), new, schema).without(writer.ignored);
    // Nobody can refuse here, so nothing is reported.
    let _ = give_up(&mut managed, &change, None, OnConflict::TakeOver);
    let set = change.modified.union(&change.added).without_names(&UNOWNED);
    if !set.is_empty() {
        let mut entry = new_entry(writer, new, Operation::Update);
        entry.time = Some(writer.time.into());
        entry.fields = set;
        match managed.find_mut(&entry) {
            Some(own) => {
                entry.fields = entry.fields.union(&own.fields);
                *own = entry;
            }
            None => managed.entries_mut().push(entry),
        }
    }
    join_old_updates(&mut managed);
    managed
}

/// A new object as Go's types have it before anything is set; custom resources have no Go type and
/// start from nothing.
fn zero_object(ty: TypeRef<'_>, new: &Value) -> Value {
    let mut object = zero(ty, Some(new));
    for (name, value) in type_meta(new).as_map().into_iter().flat_map(Map::iter) {
        object.map_at_mut(&[]).insert(name.clone(), value.clone());
    }
    object
}

/// The members that are there before anything is set: structs, texts and numbers that are
/// always there, and `null` where `new` has one. They decide what of a create counts as set.
fn zero(ty: TypeRef<'_>, new: Option<&Value>) -> Value {
    let Type::Map(map) = ty.ty() else {
        return Value::Null;
    };
    let mut members = Map::new();
    for field in &map.fields {
        let below = ty.resolve(field.ty);
        let is_struct = matches!(below.ty(), Type::Map(map) if !map.fields.is_empty());
        let given = new.and_then(|new| new.get(&field.name));
        let value = match &field.default {
            Some(Value::Map(_)) if is_struct => zero(below, given),
            Some(default) if is_go_zero(default) => default.clone(),
            _ if field.required || given.is_some_and(Value::is_null) => Value::Null,
            _ => continue,
        };
        members.insert(field.name.clone(), value);
    }
    Value::Map(members)
}

/// Whether a declared default is only Go's zero value: then the field is printed even when unset.
fn is_go_zero(default: &Value) -> bool {
    match default {
        Value::String(text) => text.is_empty(),
        Value::Int(number) => *number == 0,
        Value::Bool(flag) => !flag,
        _ => false,
    }
}

/// Joins the oldest managers that only update, version by version, until few enough are left.
fn join_old_updates(managed: &mut ManagedFields) {
    let is_update = |entry: &Entry| entry.operation == Operation::Update;
    let mut n_updates = managed.entries().iter().filter(|e| is_update(e)).count();
    if n_updates <= MAX_UPDATE_MANAGERS {
        return;
    }
    let entries = managed.entries_mut();
    let (mut updates, others): (Vec<Entry>, Vec<Entry>) =
        std::mem::take(entries).into_iter().partition(is_update);
    updates.sort_by(|a, b| {
        let key = |e: &Entry| (e.time.clone(), e.manager.clone(), e.api_version.clone());
        key(a)
            .cmp(&key(b))
            .then_with(|| a.subresource.cmp(&b.subresource))
    });
    let mut kept: Vec<Entry> = Vec::new();
    for update in updates {
        let same_version = kept
            .iter_mut()
            .find(|first| first.api_version == update.api_version);
        match same_version {
            Some(bucket) if n_updates > MAX_UPDATE_MANAGERS => {
                bucket.manager = Str::from(OLD_UPDATES);
                bucket.subresource = Str::default();
                bucket.fields = bucket.fields.union(&update.fields);
                bucket.time = update.time;
                n_updates -= 1;
            }
            _ => kept.push(update),
        }
    }
    entries.extend(others);
    entries.extend(kept);
}
