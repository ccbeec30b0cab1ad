//! Lists that are merged: which items belong together, and in which order they end.
//!
//! kyaml collects what became of each item in a new list and then puts the old items into that, by keys
//! that may be missing; its nodes are pointers. Here items stand in an arena and lists hold their
//! places, so that one item can be in both lists. Read [`Lists`] first.

use yaml::Str;
use yaml::node::{Node, Scalar};

use super::schema::Schema;
use super::{Merged, Merger, Side};
use crate::error::Result;
use crate::fields;

/// The values of an item's keys, empty where it lacks one.
type Tuple = Vec<Str>;

/// Items, by their place.
struct Arena {
    nodes: Vec<Node>,
}

impl Arena {
    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn take(&mut self, at: usize) -> Node {
        std::mem::replace(&mut self.nodes[at], Node::null())
    }

    fn put_back(&mut self, at: usize, node: Option<Node>) -> Option<usize> {
        self.nodes[at] = node?;
        Some(at)
    }

    /// The items at these places; one that is there twice is copied.
    fn collect(self, places: &[usize]) -> Vec<Node> {
        let mut nodes: Vec<Option<Node>> = self.nodes.into_iter().map(Some).collect();
        let mut collected: Vec<Node> = Vec::with_capacity(places.len());
        for (number, at) in places.iter().enumerate() {
            let again = places[number + 1..].contains(at);
            let node = match again {
                true => nodes[*at].clone(),
                false => nodes[*at].take(),
            };
            collected.extend(node);
        }
        collected
    }
}

/// An item that was there and one of the patch, by their places.
type Pair = (Option<usize>, Option<usize>);

/// Merges two items; gives the place of what they became.
type Walk<'a> = dyn Fn(&mut Arena, Pair) -> Result<Option<usize>> + 'a;

/// Two lists that are merged by the keys of their items.
struct Lists<'k> {
    arena: Arena,
    old: Vec<usize>,
    new: Vec<usize>,
    tuples: Vec<Tuple>,
    keys: &'k [String],
}

impl Merger<'_> {
    /// Merges the items of a patch into a list.
    pub(super) fn lists(
        &self,
        items: Vec<Node>,
        changes: Vec<Node>,
        known: Option<Schema<'_>>,
        keys: &[String],
    ) -> Result<Vec<Node>> {
        if keys.is_empty() {
            return Ok(united(changes, items));
        }
        let of_items = known.and_then(|known| self.schemas.items(known));
        Lists::new(items, changes, keys).merge(&|arena, pair| {
            let (old, new) = match pair {
                (Some(old), Some(new)) => (old, new),
                (Some(old), None) => {
                    let node = arena.take(old);
                    let kept = self.alone(node, Side::Target, of_items)?;
                    return Ok(arena.put_back(old, kept));
                }
                (None, Some(new)) => {
                    let node = arena.take(new);
                    let kept = self.new_from(node, of_items)?;
                    return Ok(arena.put_back(new, kept));
                }
                (None, None) => return Ok(None),
            };
            let (target, patch) = (arena.take(old), arena.take(new));
            Ok(match self.both(target, patch, of_items)? {
                Merged::Cleared => None,
                Merged::Changed(node) => arena.put_back(old, Some(node)),
                Merged::Replaced(node, target) => {
                    arena.nodes[old] = target;
                    arena.put_back(new, Some(node))
                }
            })
        })
    }

    /// Walks through the items of a merged list that has no partner.
    pub(super) fn items_alone(
        &self,
        items: Vec<Node>,
        side: Side,
        known: Option<Schema<'_>>,
        keys: &[String],
    ) -> Result<Vec<Node>> {
        if keys.is_empty() {
            return Ok(united(items, Vec::new()));
        }
        let of_items = known.and_then(|known| self.schemas.items(known));
        Lists::new(items, Vec::new(), keys).merge(&|arena, (old, _)| {
            let Some(old) = old else {
                return Ok(None);
            };
            let node = arena.take(old);
            let kept = self.alone(node, side, of_items)?;
            Ok(arena.put_back(old, kept))
        })
    }
}

impl<'k> Lists<'k> {
    fn new(items: Vec<Node>, changes: Vec<Node>, keys: &'k [String]) -> Self {
        let tuples = tuples(changes.iter().chain(&items), keys);
        let mut arena = Arena { nodes: Vec::new() };
        let old = items.into_iter().map(|item| arena.add(item)).collect();
        let new = changes.into_iter().map(|item| arena.add(item)).collect();
        Lists {
            arena,
            old,
            new,
            tuples,
            keys,
        }
    }

    /// Merges item by item.
    fn merge(mut self, walk: &Walk<'_>) -> Result<Vec<Node>> {
        if self.tuples.is_empty() {
            return Ok(self.arena.collect(&self.old));
        }
        let used = used_keys(&self.tuples, self.keys);
        let names: Vec<&str> = used.iter().map(|(_, name)| *name).collect();
        let arena = &mut self.arena;
        let mut merged: Vec<usize> = Vec::new();
        for tuple in &self.tuples {
            let values: Tuple = used.iter().map(|(at, _)| tuple[*at].clone()).collect();
            let find = |arena: &Arena, list: &[usize]| {
                let fits = |at: &&usize| has_values(&arena.nodes[**at], &names, &values);
                list.iter().find(fits).copied()
            };
            let pair = (find(arena, &self.old), find(arena, &self.new));
            let became = walk(arena, pair)?;
            let Some(at) = became.filter(|at| !arena.nodes[*at].is_empty()) else {
                put(arena, &mut self.old, (&names, &values), None);
                continue;
            };
            for (name, value) in names.iter().zip(&values) {
                if arena.nodes[at].get(name).is_none() && !value.is_empty() {
                    let value = Node::Scalar(Scalar::unset(value.clone()));
                    fields::set(&mut arena.nodes[at], name, value)?;
                }
            }
            put(arena, &mut merged, (&names, &values), Some(at));
        }
        append(arena, &mut merged, &self.old, &names)?;
        Ok(self.arena.collect(&merged))
    }
}

/// The items of both lists, each text once, the first list's first.
fn united(first: Vec<Node>, second: Vec<Node>) -> Vec<Node> {
    let mut united: Vec<Node> = Vec::with_capacity(first.len() + second.len());
    for item in first.into_iter().chain(second) {
        let is_new = !united.iter().any(|known| known.text() == item.text());
        if is_new && !item.is_empty() {
            united.push(item);
        }
    }
    united
}

/// The different tuples of items; with several keys, tuples that lack a value take it from others that
/// agree otherwise.
fn tuples<'a>(items: impl Iterator<Item = &'a Node>, keys: &[String]) -> Vec<Tuple> {
    let value = |item: &Node, key: &String| match item.get(key) {
        Some(found) if !found.is_empty() => found.text().cloned().unwrap_or_default(),
        _ => Str::default(),
    };
    let mut tuples: Vec<Tuple> = Vec::new();
    for item in items {
        let tuple: Tuple = keys.iter().map(|key| value(item, key)).collect();
        if !tuples.contains(&tuple) {
            tuples.push(tuple);
        }
    }
    if keys.len() > 1 {
        for i in 0..tuples.len() {
            let one = tuples[i].clone();
            for j in 0..tuples.len() {
                if let Some(joined) = joined(&one, &tuples[j]) {
                    tuples[i].clone_from(&joined);
                    tuples[j] = joined;
                }
            }
        }
    }
    tuples
}

fn joined(one: &Tuple, other: &Tuple) -> Option<Tuple> {
    let agree = one.iter().zip(other).any(|(a, b)| a == b);
    let differ = |(a, b): (&Str, &Str)| a != b && !a.is_empty() && !b.is_empty();
    if !agree || one.iter().zip(other).any(differ) {
        return None;
    }
    let pairs = one.iter().zip(other);
    Some(
        pairs
            .map(|(a, b)| if a.is_empty() { b.clone() } else { a.clone() })
            .collect(),
    )
}

/// The keys that some item has, with their places; all when none has one.
fn used_keys<'k>(tuples: &[Tuple], keys: &'k [String]) -> Vec<(usize, &'k str)> {
    let all = || keys.iter().map(String::as_str).enumerate();
    let is_used = |at: usize| tuples.iter().any(|tuple| !tuple[at].is_empty());
    let used: Vec<_> = all().filter(|(at, _)| is_used(*at)).collect();
    if used.is_empty() {
        all().collect()
    } else {
        used
    }
}

/// Whether an item has those of the values that are not empty; of values that are all empty, each.
fn has_values(item: &Node, names: &[&str], values: &[Str]) -> bool {
    let all_empty = values.iter().all(|value| value.is_empty());
    let mut pairs = names.iter().zip(values);
    matches!(item, Node::Map(_))
        && pairs.all(|(name, value)| {
            let skipped = value.is_empty() && !all_empty;
            skipped
                || item
                    .get(name)
                    .is_some_and(|found| text(found) == value.as_str())
        })
}

fn text(node: &Node) -> &str {
    node.text().map_or("", Str::as_str)
}

/// Puts an item where those with these values are, or behind all; without one those are taken away.
/// An empty value fits every item that has the key, missing ones those that the last one fitted, and
/// without any value nothing stays.
fn put(
    arena: &Arena,
    list: &mut Vec<usize>,
    (names, values): (&[&str], &[Str]),
    element: Option<usize>,
) {
    let mut found_one = false;
    let mut kept = Vec::with_capacity(list.len() + 1);
    for at in list.iter().copied() {
        let item = &arena.nodes[at];
        if item.is_empty() {
            continue;
        }
        let fits = match item {
            Node::Map(_) => names.iter().enumerate().all(|(number, name)| {
                let found = item.get(name);
                match values.get(number) {
                    Some(value) if value.is_empty() => found.is_some(),
                    Some(value) => found.is_some_and(|found| text(found) == value.as_str()),
                    None => number > 0,
                }
            }),
            _ => false,
        };
        if fits {
            found_one = true;
            kept.extend(element);
        } else if !values.is_empty() {
            kept.push(at);
        }
    }
    *list = kept;
    if !found_one {
        list.extend(element);
    }
}

/// Puts the items of `source` into `list`, by their keys.
fn append(arena: &Arena, list: &mut Vec<usize>, source: &[usize], names: &[&str]) -> Result<()> {
    for at in source.iter().copied() {
        let item = &arena.nodes[at];
        let mut values = Vec::with_capacity(names.len());
        for name in names {
            match fields::get(item, name)? {
                Some(found) => values.push(found.text().cloned().unwrap_or_default()),
                None => list.push(at),
            }
        }
        if names.len() > 1 {
            put(arena, list, (names, &values), None);
        }
        put(arena, list, (names, &values), Some(at));
    }
    Ok(())
}
