//! A live object with an applied configuration laid over it.

use std::collections::BTreeMap;

use yaml::{Map, Value};

use super::PathElement;
use super::shape::{Shape, as_list, as_map, item_path, nothing, shape};
use crate::schema::{ListRelation, TypeRef};

/// `live` with all that `applied` sets; `None` when nothing is left.
///
/// Nothing is removed. Items of keyed lists and sets keep the live order, as far as the applied order
/// does not say otherwise.
pub(super) fn merge(
    ty: TypeRef<'_>,
    live: Option<&Value>,
    applied: Option<&Value>,
) -> Option<Value> {
    let leaf = || applied.or(live).cloned();
    let shape = match applied {
        None => shape(ty, live),
        Some(_) => shape(ty, applied),
    };
    match shape {
        Shape::Scalar(_) | Shape::Map { atomic: true } => leaf(),
        Shape::Map { atomic: false } => {
            let (old, new) = (as_map(live), as_map(applied));
            if nothing(old.map(Map::len), new.map(Map::len)) {
                return leaf();
            }
            merge_members(ty, old, new)
        }
        Shape::List { element, relation } => {
            let (old, new) = (as_list(live), as_list(applied));
            let is_empty = nothing(old.map(<[_]>::len), new.map(<[_]>::len));
            if *relation == ListRelation::Atomic || is_empty {
                return leaf();
            }
            let items = Items {
                live: index(element, relation, old.unwrap_or_default()),
                applied: index(element, relation, new.unwrap_or_default()),
            };
            let merged = items.merge(element);
            (!merged.is_empty()).then_some(Value::List(merged))
        }
    }
}

fn merge_members(ty: TypeRef<'_>, old: Option<&Map>, new: Option<&Map>) -> Option<Value> {
    let mut merged = Map::new();
    for (key, live) in old.into_iter().flat_map(Map::iter) {
        let applied = new.and_then(|new| new.get(key));
        let member = match ty.member(key) {
            Some(ty) => merge(ty, Some(live), applied),
            None => applied.or(Some(live)).cloned(),
        };
        if let Some(member) = member {
            merged.insert(key.clone(), member);
        }
    }
    for (key, applied) in new.into_iter().flat_map(Map::iter) {
        if old.is_some_and(|old| old.contains_key(key)) {
            continue;
        }
        let member = match ty.member(key) {
            Some(ty) => merge(ty, None, Some(applied)),
            None => Some(applied.clone()),
        };
        if let Some(member) = member {
            merged.insert(key.clone(), member);
        }
    }
    (!merged.is_empty()).then_some(Value::Map(merged))
}

/// One list with how its items are found again.
struct Index<'a> {
    order: Vec<(PathElement, &'a Value)>,
    /// How often each item occurs.
    n_times: BTreeMap<PathElement, usize>,
}

fn index<'a>(element: TypeRef<'_>, relation: &ListRelation, list: &'a [Value]) -> Index<'a> {
    let mut index = Index {
        order: Vec::with_capacity(list.len()),
        n_times: BTreeMap::new(),
    };
    for item in list {
        if let Ok(step) = item_path(element, relation, item) {
            *index.n_times.entry(step.clone()).or_default() += 1;
            index.order.push((step, item));
        }
    }
    index
}

impl<'a> Index<'a> {
    fn has(&self, step: &PathElement) -> bool {
        self.n_times.contains_key(step)
    }

    /// The item, unless it occurs several times: then none of them takes part in a merge.
    fn get(&self, step: &PathElement) -> Option<&'a Value> {
        match self.n_times.get(step) {
            Some(1) => self
                .order
                .iter()
                .find(|(other, _)| other == step)
                .map(|(_, item)| *item),
            Some(_) => Some(&Value::Null),
            None => None,
        }
    }
}

struct Items<'a> {
    live: Index<'a>,
    applied: Index<'a>,
}

impl Items<'_> {
    /// Goes through both lists at once. An item of both is merged when the applied list comes to it;
    /// live items go out as they come, but wait for shared items that the applied list has earlier.
    fn merge(&self, element: TypeRef<'_>) -> Vec<Value> {
        let mut merged = Vec::new();
        let mut emit = |step: &PathElement, live: Option<&Value>| {
            merged.extend(merge(element, live, self.applied.get(step)));
        };
        let mut shared = self
            .applied
            .order
            .iter()
            .map(|(step, _)| step)
            .filter(|step| self.live.has(step));
        let mut next_shared = shared.next();
        let mut done: Vec<&PathElement> = Vec::new();
        let (mut i, mut j) = (0, 0);
        loop {
            let (live, applied) = (self.live.order.get(i), self.applied.order.get(j));
            if let (Some((step, _)), Some((other, _))) = (live, applied) {
                if step == other {
                    done.push(step);
                    emit(step, self.live.get(step));
                    i += 1;
                    j += 1;
                    next_shared = shared.next();
                    continue;
                }
                if self.applied.has(step) && next_shared.is_some_and(|next| next != step) {
                    i += 1;
                    continue;
                }
            }
            if let Some((step, item)) = live {
                if !self.applied.has(step) {
                    emit(step, Some(item));
                    i += 1;
                    continue;
                }
                if done.contains(&step) {
                    i += 1;
                }
            }
            match applied {
                Some((step, _)) => {
                    done.push(step);
                    emit(step, self.live.get(step));
                    j += 1;
                    if next_shared == Some(step) {
                        next_shared = shared.next();
                    }
                }
                None if live.is_none() => break,
                // Shared live items are done by now.
                None => {}
            }
        }
        merged
    }
}
