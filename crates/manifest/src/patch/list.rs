//! Lists whose items are told apart by a merge key, or by their value.

use yaml::Value;

use super::PatchError;
use super::strategic::DIRECTIVE;
use crate::go;

/// What a list holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Items {
    /// Maps.
    Maps,
    /// Values without parts.
    Scalars,
}

/// What the items of all `lists` are; they must be of one kind.
pub(super) fn items_of(lists: &[&[Value]]) -> Result<Items, PatchError> {
    let mut all = lists.iter().flat_map(|list| list.iter());
    let first = all.next().ok_or(PatchError::NoItems)?;
    if matches!(first, Value::List(_)) {
        return Err(PatchError::ListOfLists);
    }
    let kind = go::type_name(first);
    if all.any(|item| go::type_name(item) != kind) {
        let lists = lists
            .iter()
            .map(|list| Value::List(list.to_vec()))
            .collect();
        return Err(PatchError::MixedItems(go::display(&Value::List(lists))));
    }
    Ok(match first {
        Value::Map(_) => Items::Maps,
        _ => Items::Scalars,
    })
}

/// Whether two items are the same one: by the value of `key`, or as a whole without a key.
pub(super) fn same_item(
    left: &Value,
    right: &Value,
    key: Option<&str>,
) -> Result<bool, PatchError> {
    let Some(key) = key else {
        return Ok(left == right);
    };
    Ok(key_of(left, key)? == key_of(right, key)?)
}

/// The value of an item's merge key.
pub(super) fn key_of<'a>(item: &'a Value, key: &str) -> Result<&'a Value, PatchError> {
    let Value::Map(map) = item else {
        return Err(PatchError::WrongType {
            expected: "map[string]interface {}",
            found: go::type_name(item),
        });
    };
    map.get(key)
        .ok_or_else(|| PatchError::no_merge_key(item, key))
}

/// Removes repeated values; the last item takes the place of a removed one, as the API server has it.
pub(super) fn deduplicate(mut list: Vec<Value>) -> Vec<Value> {
    let mut i = 0;
    while i + 1 < list.len() {
        let mut j = i + 1;
        while j < list.len() {
            if list[i] == list[j] {
                list.swap_remove(j);
            } else {
                j += 1;
            }
        }
        i += 1;
    }
    list
}

/// How items of one list are told apart.
#[derive(Clone, Copy)]
pub(super) struct Identity<'a> {
    /// The merge key of maps.
    pub(super) key: Option<&'a str>,
    /// What the list holds.
    pub(super) items: Items,
}

impl Identity<'_> {
    /// The place of `item` in `list`.
    fn index(&self, list: &[Value], item: &Value) -> Option<usize> {
        match (self.items, self.key) {
            (Items::Maps, Some(key)) => {
                let wanted = item.get(key);
                list.iter().position(|other| other.get(key) == wanted)
            }
            _ => list.iter().position(|other| other == item),
        }
    }

    /// Parts `list` into items that `by` has too and all others.
    pub(super) fn partition(
        &self,
        list: Vec<Value>,
        by: &[Value],
    ) -> Result<(Vec<Value>, Vec<Value>), PatchError> {
        let mut present = Vec::with_capacity(list.len());
        let mut absent = Vec::new();
        for item in list {
            let found = match self.key {
                Some(key) => {
                    let wanted = key_of(&item, key)?;
                    by.iter().any(|other| other.get(key) == Some(wanted))
                }
                None => by.contains(&item),
            };
            if found {
                present.push(item);
            } else {
                absent.push(item);
            }
        }
        Ok((present, absent))
    }

    /// Sorts `list` as its items stand in `order`; items with a delete directive go last.
    pub(super) fn sort(&self, list: Vec<Value>, order: &[Value]) -> Result<Vec<Value>, PatchError> {
        if let (Items::Maps, Some(key)) = (self.items, self.key) {
            for item in list.iter().chain(order) {
                key_of(item, key)?;
            }
        }
        let is_deletion = |item: &Value| {
            let directive = item.get(DIRECTIVE).and_then(Value::as_str);
            directive == Some("delete")
        };
        let (deletions, mut kept): (Vec<Value>, Vec<Value>) =
            list.into_iter().partition(is_deletion);
        kept.sort_by_cached_key(|item| self.index(order, item));
        kept.extend(deletions);
        Ok(kept)
    }

    /// Joins the items of a patch with those that only the live list has. Both keep their own order
    /// (`patch_order`, `live_order`); a live item stands before the first patched item that followed it
    /// in the live list.
    pub(super) fn normalize(
        &self,
        patched: Vec<Value>,
        live_only: Vec<Value>,
        (patch_order, live_order): (&[Value], &[Value]),
    ) -> Result<Vec<Value>, PatchError> {
        let patched = self.sort(patched, patch_order)?;
        let live_only = self.sort(live_only, live_order)?;
        let mut merged = Vec::with_capacity(patched.len() + live_only.len());
        let mut live = live_only.into_iter().peekable();
        for item in patched {
            let place = self.index(live_order, &item);
            while let Some(other) = live.peek() {
                let earlier = match (self.index(live_order, other), place) {
                    (Some(left), Some(right)) => left < right,
                    _ => false,
                };
                if !earlier {
                    break;
                }
                merged.extend(live.next());
            }
            merged.push(item);
        }
        merged.extend(live);
        Ok(merged)
    }
}
