//! The fields of an object, and what differs between two objects.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use yaml::{Map, Str, Value};

use super::path::same_value;
use super::shape::{Shape, as_list, as_map, item_path, nothing, shape};
use super::{FieldSet, PathElement};
use crate::schema::{ListRelation, Schema, TypeRef};

/// The fields that `object` sets, as server-side apply owns them: leaves, items of lists and members
/// of maps, but not the structs around them.
#[must_use]
pub fn set_of(object: &Value, schema: &Schema) -> FieldSet {
    let mut walk = SetWalk {
        set: FieldSet::new(),
        path: Vec::new(),
    };
    walk.value(schema.root(), object);
    walk.set
}

struct SetWalk {
    set: FieldSet,
    path: Vec<PathElement>,
}

impl SetWalk {
    fn value(&mut self, ty: TypeRef<'_>, value: &Value) {
        match shape(ty, Some(value)) {
            Shape::Scalar(_) | Shape::Map { atomic: true } => self.set.insert(&self.path),
            Shape::Map { atomic: false } => self.map(ty, value),
            Shape::List { relation, .. } if *relation == ListRelation::Atomic => {
                self.set.insert(&self.path);
            }
            Shape::List { element, relation } => {
                let list = value.as_list().unwrap_or_default();
                self.items(element, relation, list);
            }
        }
    }

    fn map(&mut self, ty: TypeRef<'_>, value: &Value) {
        let members = value.as_map().into_iter().flat_map(Map::iter);
        for (key, member) in members {
            self.path.push(PathElement::Field(key.clone()));
            if let Some(below) = ty.member(key) {
                self.value(below, member);
            }
            let is_empty = matches!(member, Value::Map(map) if map.is_empty());
            if member.is_null() || is_empty || ty.field(key).is_none() {
                self.set.insert(&self.path);
            }
            self.path.pop();
        }
    }

    /// An item that occurs twice is owned as a whole, without what it holds.
    fn items(&mut self, element: TypeRef<'_>, relation: &ListRelation, list: &[Value]) {
        let steps = list.iter().map(|item| item_path(element, relation, item));
        let items: Vec<(PathElement, &Value)> = steps
            .zip(list)
            .filter_map(|(step, item)| Some((step.ok()?, item)))
            .collect();
        let mut n_times: BTreeMap<&PathElement, usize> = BTreeMap::new();
        for (step, _) in &items {
            *n_times.entry(step).or_default() += 1;
        }
        for (step, item) in &items {
            self.path.push(step.clone());
            if n_times.get(step) == Some(&1) {
                self.value(element, item);
            }
            self.set.insert(&self.path);
            self.path.pop();
        }
    }
}

/// What differs between two objects; no path is in two of the sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Only the first object has it.
    pub removed: FieldSet,
    /// Both have it, with different values.
    pub modified: FieldSet,
    /// Only the second object has it.
    pub added: FieldSet,
}

impl Comparison {
    /// The comparison without the paths in `ignored` and all below them.
    #[must_use]
    pub fn without(self, ignored: &FieldSet) -> Self {
        if ignored.is_empty() {
            return self;
        }
        Comparison {
            removed: self.removed.recursive_difference(ignored),
            modified: self.modified.recursive_difference(ignored),
            added: self.added.recursive_difference(ignored),
        }
    }
}

/// Compares two objects of one schema.
#[must_use]
pub fn compare(old: &Value, new: &Value, schema: &Schema) -> Comparison {
    let mut walk = CompareWalk {
        found: Comparison::default(),
        path: Vec::new(),
    };
    walk.value(schema.root(), (Some(old), Some(new)));
    walk.found
}

type Pair<'a> = (Option<&'a Value>, Option<&'a Value>);

/// The members of two maps, each once, in the order of their keys.
fn members<'a>(
    old: Option<&'a Map>,
    new: Option<&'a Map>,
) -> impl Iterator<Item = (&'a Str, Pair<'a>)> {
    let mut old = old.into_iter().flat_map(Map::iter).peekable();
    let mut new = new.into_iter().flat_map(Map::iter).peekable();
    std::iter::from_fn(move || {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((left, _)), Some((right, _))) => left.cmp(right),
        };
        let left = old.next_if(|_| order.is_le());
        let right = new.next_if(|_| order.is_ge());
        let (key, _) = left.or(right)?;
        Some((key, (left.map(|it| it.1), right.map(|it| it.1))))
    })
}

struct CompareWalk {
    found: Comparison,
    path: Vec<PathElement>,
}

impl CompareWalk {
    fn value(&mut self, ty: TypeRef<'_>, (old, new): Pair<'_>) {
        let (before, after) = (shape(ty, old), shape(ty, new));
        let is_leaf = if new.is_none() {
            self.shaped(ty, before, (old, new))
        } else {
            if old.is_some() && !before.is_same(after) {
                self.shaped(ty, before, (old, new));
            }
            self.shaped(ty, after, (old, new))
        };
        if !is_leaf {
            match (old, new) {
                (None, _) => self.found.added.insert(&self.path),
                (_, None) => self.found.removed.insert(&self.path),
                _ => {}
            }
        }
    }

    /// Compares as one shape; tells whether that was one value.
    fn shaped(&mut self, ty: TypeRef<'_>, shape: Shape<'_>, pair: Pair<'_>) -> bool {
        match shape {
            Shape::Scalar(_) => {
                self.leaf(pair);
                true
            }
            Shape::Map { atomic } => {
                let (old, new) = (as_map(pair.0), as_map(pair.1));
                if atomic || nothing(old.map(Map::len), new.map(Map::len)) {
                    self.leaf(pair);
                    return true;
                }
                self.members(ty, pair);
                false
            }
            Shape::List { element, relation } => {
                let (old, new) = (as_list(pair.0), as_list(pair.1));
                if *relation == ListRelation::Atomic
                    || nothing(old.map(<[_]>::len), new.map(<[_]>::len))
                {
                    self.leaf(pair);
                    return true;
                }
                let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
                self.items(element, relation, (old, new));
                false
            }
        }
    }

    fn leaf(&mut self, pair: Pair<'_>) {
        let set = match pair {
            (None, _) => &mut self.found.added,
            (_, None) => &mut self.found.removed,
            (Some(old), Some(new)) if !same_value(old, new) => &mut self.found.modified,
            _ => return,
        };
        set.insert(&self.path);
    }

    fn step(&mut self, step: PathElement, ty: Option<TypeRef<'_>>, pair: Pair<'_>) {
        if let Some(ty) = ty {
            self.path.push(step);
            self.value(ty, pair);
            self.path.pop();
        }
    }

    fn members(&mut self, ty: TypeRef<'_>, (old, new): Pair<'_>) {
        for (key, pair) in members(as_map(old), as_map(new)) {
            self.step(PathElement::Field(key.clone()), ty.member(key), pair);
        }
    }

    fn items(
        &mut self,
        element: TypeRef<'_>,
        relation: &ListRelation,
        (old, new): (&[Value], &[Value]),
    ) {
        let mut items: BTreeMap<PathElement, (Vec<&Value>, Vec<&Value>)> = BTreeMap::new();
        for item in old {
            if let Ok(step) = item_path(element, relation, item) {
                items.entry(step).or_default().0.push(item);
            }
        }
        for item in new {
            if let Ok(step) = item_path(element, relation, item) {
                items.entry(step).or_default().1.push(item);
            }
        }
        for (step, (old, new)) in items {
            self.item(step, element, (&old, &new));
        }
    }

    /// An item that occurs twice on one side is compared as one value there.
    fn item(
        &mut self,
        step: PathElement,
        element: TypeRef<'_>,
        (old, new): (&[&Value], &[&Value]),
    ) {
        let mut path = self.path.clone();
        path.push(step.clone());
        match (old, new) {
            ([] | [_], [] | [_]) => {
                let pair = (old.first().copied(), new.first().copied());
                self.step(step, Some(element), pair);
            }
            ([_, _, ..], [_, _, ..]) => {
                let same =
                    old.len() == new.len() && old.iter().zip(new).all(|(a, b)| same_value(a, b));
                if !same {
                    self.found.modified.insert(&path);
                }
            }
            ([_, _, ..], _) => {
                if let [item] = new {
                    self.step(step, Some(element), (None, Some(item)));
                }
                self.found.removed.insert(&path);
            }
            (_, [_, _, ..]) => {
                if let [item] = old {
                    self.step(step, Some(element), (Some(item), None));
                }
                self.found.added.insert(&path);
            }
        }
    }
}
