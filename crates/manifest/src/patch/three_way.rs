//! The patch between two or three states of an object, as `kubectl apply` computes it.
//!
//! Read [`three_way()`] first. The patch makes `current` agree with `modified`: what `modified` says is
//! set, and what `original` said but `modified` no longer says is removed; all else stays. Conflicts
//! are overwritten, as `kubectl apply` does.

use yaml::{Map, Value};

use super::list::{self, Identity, Items};
use super::strategic::{
    DELETE_ITEMS, DIRECTIVE, Mode, RETAIN_KEYS, SET_ORDER, list_member, merge_map, struct_member,
};
use super::{PatchError, merge_patch, merge_patch_between, strategic_merge};
use crate::go;
use crate::schema::{PatchStrategy, Schema, TypeRef};

/// The outcome of [`three_way()`].
#[derive(Clone, Debug, PartialEq)]
pub struct ThreeWay {
    /// The patch to send; empty when nothing has to change.
    pub patch: Map,
    /// `current` with the patch applied: what the object will be before defaults.
    pub result: Value,
}

/// The patch from `current` to what `modified` wants, given that `original` was applied last.
///
/// With a `schema` it is a strategic merge patch (built-in kinds), without one a JSON merge patch
/// (custom resources). Without `original` nothing is removed.
///
/// # Errors
/// [`PatchError`] when one of the states is not a map, or a list lacks its merge keys.
pub fn three_way(
    original: Option<&Value>,
    modified: &Value,
    current: &Value,
    schema: Option<&Schema>,
) -> Result<ThreeWay, PatchError> {
    let empty = Value::Map(Map::new());
    let original = members(original.unwrap_or(&empty))?;
    let (modified, live) = (members(modified)?, members(current)?);
    let patch = match schema {
        Some(schema) => {
            let ty = schema.root();
            let delta = diff_maps(live, modified, ty, Only::Changes.options())?;
            let deletions = diff_maps(original, modified, ty, Only::Deletions.options())?;
            merge_map(deletions, delta, ty, Mode::Combine)?
        }
        None => three_way_merge(original, modified, live)?,
    };
    let change = Value::Map(patch);
    let result = match schema {
        Some(schema) => strategic_merge(current.clone(), &change, schema)?,
        None => merge_patch(current.clone(), &change)?,
    };
    match change {
        Value::Map(patch) => Ok(ThreeWay { patch, result }),
        other => Err(PatchError::NotAnObject(other.kind())),
    }
}

/// The strategic merge patch that turns `original` into `modified`.
///
/// # Errors
/// As [`three_way()`].
pub fn two_way(original: &Value, modified: &Value, schema: &Schema) -> Result<Map, PatchError> {
    diff_maps(
        members(original)?,
        members(modified)?,
        schema.root(),
        Only::Everything.options(),
    )
}

fn members(value: &Value) -> Result<&Map, PatchError> {
    value
        .as_map()
        .ok_or_else(|| PatchError::NotAnObject(value.kind()))
}

/// Additions and changes come from live to modified, deletions from original to modified.
fn three_way_merge(original: &Map, modified: &Map, live: &Map) -> Result<Map, PatchError> {
    let changes = without_deletions(&merge_patch_between(live, modified));
    let deletions = only_deletions(&merge_patch_between(original, modified));
    match merge_patch(Value::Map(deletions), &Value::Map(changes))? {
        Value::Map(patch) => Ok(patch),
        other => Err(PatchError::NotAnObject(other.kind())),
    }
}

fn without_deletions(patch: &Map) -> Map {
    let mut kept = Map::new();
    for (key, change) in patch.iter() {
        match change {
            Value::Null => {}
            Value::Map(members) if !members.is_empty() => {
                let members = without_deletions(members);
                if !members.is_empty() {
                    kept.insert(key.clone(), members);
                }
            }
            other => {
                kept.insert(key.clone(), other.clone());
            }
        }
    }
    kept
}

fn only_deletions(patch: &Map) -> Map {
    let mut kept = Map::new();
    for (key, change) in patch.iter() {
        match change {
            Value::Null => {
                kept.insert(key.clone(), Value::Null);
            }
            Value::Map(members) => {
                let members = only_deletions(members);
                if !members.is_empty() {
                    kept.insert(key.clone(), members);
                }
            }
            _ => {}
        }
    }
    kept
}

/// Which differences a patch is to hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Only {
    Everything,
    Changes,
    Deletions,
}

impl Only {
    fn options(self) -> Options {
        Options {
            only: self,
            retain_keys: false,
        }
    }
}

#[derive(Clone, Copy)]
struct Options {
    only: Only,
    /// The map's field is declared with `retainKeys`.
    retain_keys: bool,
}

impl Options {
    fn has_changes(self) -> bool {
        self.only != Only::Deletions
    }

    fn has_deletions(self) -> bool {
        self.only != Only::Changes
    }
}

fn diff_maps(
    original: &Map,
    modified: &Map,
    ty: TypeRef<'_>,
    options: Options,
) -> Result<Map, PatchError> {
    let mut patch = Map::new();
    for (key, new) in modified.iter() {
        match original.get(key) {
            None => {
                if options.has_changes() {
                    patch.insert(key.clone(), new.clone());
                }
            }
            Some(old) if key == DIRECTIVE => {
                if old.as_str().is_none() || new.as_str().is_none() {
                    return Err(PatchError::BadDirective);
                }
                if old != new {
                    patch.insert(key.clone(), new.clone());
                }
            }
            Some(old) => diff_member(&mut patch, key, (old, new), (ty, options))?,
        }
    }
    let is_gone = |key: &str| !modified.contains_key(key);
    if options.has_deletions() {
        for key in original.keys().filter(|key| is_gone(key)) {
            patch.insert(key.clone(), Value::Null);
        }
    }
    if options.retain_keys {
        let has_more = original
            .iter()
            .any(|(key, value)| !value.is_null() && is_gone(key));
        let kept: Vec<Value> = modified
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, _)| Value::from(key.clone()))
            .collect();
        if !kept.is_empty() && (!patch.is_empty() || has_more) {
            patch.insert(RETAIN_KEYS, Value::List(kept));
        }
    }
    Ok(patch)
}

fn diff_member(
    patch: &mut Map,
    key: &str,
    (old, new): (&Value, &Value),
    (ty, options): (TypeRef<'_>, Options),
) -> Result<(), PatchError> {
    if old == new && !matches!(new, Value::Map(_) | Value::List(_)) {
        return Ok(());
    }
    match (old, new) {
        (Value::Map(before), Value::Map(after)) => {
            let member = match struct_member(ty, key) {
                // Equal values need no rule.
                Err(_) if old == new => return Ok(()),
                found => found?,
            };
            if member.rule.strategy == PatchStrategy::Replace {
                if options.has_changes() {
                    patch.insert(key, new.clone());
                }
                return Ok(());
            }
            let below = Options {
                retain_keys: member.rule.retain_keys,
                ..options
            };
            let change = diff_maps(before, after, member.ty, below)?;
            if !change.is_empty() {
                patch.insert(key, change);
            }
        }
        (Value::List(before), Value::List(after)) => {
            let member = match list_member(ty, key) {
                Err(_) if old == new => return Ok(()),
                found => found?,
            };
            if member.rule.strategy == PatchStrategy::Merge {
                let below = Options {
                    retain_keys: member.rule.retain_keys,
                    ..options
                };
                let merge_key = member.rule.merge_key.as_deref();
                let lists = ListDiff::new((before, after), merge_key, (member.ty, below))?;
                lists.write(patch, key);
            } else if options.has_changes() && old != new {
                patch.insert(key, new.clone());
            }
        }
        _ if options.has_changes() => {
            patch.insert(key, new.clone());
        }
        _ => {}
    }
    Ok(())
}

/// What a patch says about one merged list.
#[derive(Default)]
struct ListDiff {
    changes: Vec<Value>,
    deletions: Vec<Value>,
    order: Vec<Value>,
}

impl ListDiff {
    fn new(
        (before, after): (&[Value], &[Value]),
        key: Option<&str>,
        (ty, options): (TypeRef<'_>, Options),
    ) -> Result<Self, PatchError> {
        if before.is_empty() {
            let added = if options.has_changes() { after } else { &[] };
            return Ok(ListDiff {
                changes: added.to_vec(),
                ..ListDiff::default()
            });
        }
        match list::items_of(&[before, after])? {
            Items::Scalars => ListDiff::of_scalars(before, after, options),
            Items::Maps => {
                let key = key.ok_or(PatchError::NoMergeKeyDeclared("struct"))?;
                ListDiff::of_maps((before, after), key, (ty, options))
            }
        }
    }

    fn of_scalars(before: &[Value], after: &[Value], options: Options) -> Result<Self, PatchError> {
        let (only_before, only_after) = multiset_difference(before, after);
        let by = Identity {
            key: None,
            items: Items::Scalars,
        };
        let mut diff = ListDiff::default();
        if options.has_changes() {
            diff.changes = by.sort(only_after, after)?;
        }
        if options.has_deletions() {
            diff.deletions = list::deduplicate(only_before);
        }
        // The reference compares with the old items sorted, so an unsorted list that is left alone
        // gets its order repeated.
        let mut sorted = before.to_vec();
        sorted.sort_by_cached_key(go::display);
        let changed = options.has_changes() && sorted != after;
        if changed || (options.has_deletions() && !diff.deletions.is_empty()) {
            diff.order = after.to_vec();
        }
        Ok(diff)
    }

    fn of_maps(
        (before, after): (&[Value], &[Value]),
        key: &str,
        (ty, options): (TypeRef<'_>, Options),
    ) -> Result<Self, PatchError> {
        let mut diff = ListDiff::default();
        let (old, new) = (sorted_by_key(before, key)?, sorted_by_key(after, key)?);
        let (mut i, mut j) = (0, 0);
        loop {
            match (old.get(i), new.get(j)) {
                (None, None) => break,
                (Some((left, old)), Some((right, new))) if left == right => {
                    let (old, new) = (members(old)?, members(new)?);
                    let mut change = diff_maps(old, new, ty, options)?;
                    if !change.is_empty() {
                        change.insert(key, new.get(key).cloned().unwrap_or_default());
                        diff.changes.push(Value::Map(change));
                    }
                    i += 1;
                    j += 1;
                }
                (Some((left, _)), Some((right, new))) if left > right => {
                    diff.add(new, options);
                    j += 1;
                }
                (None, Some((_, new))) => {
                    diff.add(new, options);
                    j += 1;
                }
                (Some((_, old)), _) => {
                    if options.has_deletions() {
                        let gone = list::key_of(old, key)?.clone();
                        let delete = Map::from([(key, gone), (DIRECTIVE, "delete".into())]);
                        diff.deletions.push(Value::Map(delete));
                    }
                    i += 1;
                }
            }
        }
        diff.finish_maps((before, after), key, options)
    }

    fn add(&mut self, item: &Value, options: Options) {
        if options.has_changes() {
            self.changes.push(item.clone());
        }
    }

    /// Puts the changes in order, deletions behind them, and tells the order where it counts.
    fn finish_maps(
        mut self,
        (before, after): (&[Value], &[Value]),
        key: &str,
        options: Options,
    ) -> Result<Self, PatchError> {
        let by = Identity {
            key: Some(key),
            items: Items::Maps,
        };
        self.changes = by.sort(std::mem::take(&mut self.changes), after)?;
        self.changes.append(&mut self.deletions);
        let mut same_order = before.len() == after.len();
        for (left, right) in before.iter().zip(after) {
            same_order = same_order && list::same_item(left, right, Some(key))?;
        }
        let has_content = !self.changes.is_empty();
        if has_content || (options.has_changes() && !same_order) {
            for item in after {
                let value = list::key_of(item, key)?.clone();
                self.order.push(Value::Map(Map::from([(key, value)])));
            }
        }
        Ok(self)
    }

    fn write(self, patch: &mut Map, key: &str) {
        let parts = [
            (key.to_owned(), self.changes),
            (format!("{DELETE_ITEMS}/{key}"), self.deletions),
            (format!("{SET_ORDER}/{key}"), self.order),
        ];
        for (name, list) in parts {
            if !list.is_empty() {
                patch.insert(name, Value::List(list));
            }
        }
    }
}

/// The items of both lists that the other one lacks, counting repetitions, sorted by their text.
fn multiset_difference(before: &[Value], after: &[Value]) -> (Vec<Value>, Vec<Value>) {
    let sorted = |list: &[Value]| {
        let mut sorted: Vec<(String, Value)> = list
            .iter()
            .map(|item| (go::display(item), item.clone()))
            .collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        sorted
    };
    let (old, new) = (sorted(before), sorted(after));
    let (mut only_old, mut only_new) = (Vec::new(), Vec::new());
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        match (old.get(i), new.get(j)) {
            (Some(left), Some(right)) if left.0 == right.0 => {
                i += 1;
                j += 1;
            }
            (Some(left), right) if right.is_none_or(|right| left.0 < right.0) => {
                only_old.push(left.1.clone());
                i += 1;
            }
            (_, Some(right)) => {
                only_new.push(right.1.clone());
                j += 1;
            }
            (_, None) => i += 1,
        }
    }
    (only_old, only_new)
}

fn sorted_by_key<'a>(
    items: &'a [Value],
    key: &str,
) -> Result<Vec<(String, &'a Value)>, PatchError> {
    let mut sorted = items
        .iter()
        .map(|item| Ok((go::display(list::key_of(item, key)?), item)))
        .collect::<Result<Vec<_>, PatchError>>()?;
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(sorted)
}
