//! Sets of fields and their algebra.

use yaml::{Map, Value};

use super::{FieldsError, PathElement};
use crate::schema::TypeRef;

/// A set of paths. A path may be in it with or without the paths below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    /// Sorted by element; none of them without content.
    nodes: Vec<Node>,
}

/// What a set says about one step.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    element: PathElement,
    /// The path to here is in the set itself.
    is_member: bool,
    /// The paths below.
    children: FieldSet,
}

impl Node {
    fn has_content(&self) -> bool {
        self.is_member || !self.children.is_empty()
    }
}

/// FieldsV1 nests no deeper than this; objects do not either, and recursion costs stack.
const MAX_DEPTH: usize = 256;

impl FieldSet {
    /// The empty set.
    #[must_use]
    pub fn new() -> Self {
        FieldSet::default()
    }

    /// The set of these paths of member names.
    #[must_use]
    pub fn of_names(paths: &[&[&str]]) -> Self {
        let mut set = FieldSet::new();
        for path in paths {
            let path: Vec<PathElement> = path
                .iter()
                .map(|name| PathElement::Field((*name).into()))
                .collect();
            set.insert(&path);
        }
        set
    }

    /// The set without these paths of member names; what is below them stays.
    #[must_use]
    pub(super) fn without_names(mut self, paths: &[&[&str]]) -> Self {
        for path in paths {
            self.remove_names(path);
        }
        self
    }

    fn remove_names(&mut self, path: &[&str]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let found = self
            .nodes
            .binary_search_by(|node| node.element.cmp_name(first));
        let Ok(index) = found else {
            return;
        };
        let node = &mut self.nodes[index];
        if rest.is_empty() {
            node.is_member = false;
        } else {
            node.children.remove_names(rest);
        }
        if !node.has_content() {
            self.nodes.remove(index);
        }
    }

    /// Reads FieldsV1.
    ///
    /// # Errors
    /// [`FieldsError`] when it is no map of maps or has a malformed key.
    pub fn from_fields_v1(fields: &Value) -> Result<Self, FieldsError> {
        FieldSet::read(fields, MAX_DEPTH).map(|(set, _)| set)
    }

    /// The set below, and whether the path itself is in it.
    fn read(fields: &Value, depth: usize) -> Result<(Self, bool), FieldsError> {
        let Value::Map(map) = fields else {
            return Err(FieldsError::NotAnObject(fields.kind()));
        };
        let Some(below) = depth.checked_sub(1) else {
            return Err(FieldsError::Element("nests too deeply".to_owned()));
        };
        let mut set = FieldSet::new();
        let mut is_member = false;
        for (key, value) in map.iter() {
            if key == "." {
                is_member = true;
                continue;
            }
            let Some(element) = PathElement::from_key(key)? else {
                continue;
            };
            let (children, is_child_member) = FieldSet::read(value, below)?;
            let node = set.node(element);
            node.is_member |= is_child_member;
            node.children = children;
        }
        is_member |= set.is_empty();
        Ok((set, is_member))
    }

    /// The set as FieldsV1.
    #[must_use]
    pub fn to_fields_v1(&self) -> Value {
        let mut map = Map::new();
        for node in &self.nodes {
            let mut below = node.children.to_fields_v1();
            if node.is_member && !node.children.is_empty() {
                below.map_at_mut(&[]).insert(".", Map::new());
            }
            map.insert(node.element.to_key(), below);
        }
        Value::Map(map)
    }

    /// Whether no path is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.nodes.iter().any(Node::has_content)
    }

    fn find(&self, element: &PathElement) -> Option<&Node> {
        let found = self
            .nodes
            .binary_search_by(|node| node.element.cmp(element));
        found.ok().map(|index| &self.nodes[index])
    }

    fn node(&mut self, element: PathElement) -> &mut Node {
        let found = self
            .nodes
            .binary_search_by(|node| node.element.cmp(&element));
        let index = found.unwrap_or_else(|index| {
            let node = Node {
                element,
                is_member: false,
                children: FieldSet::new(),
            };
            self.nodes.insert(index, node);
            index
        });
        &mut self.nodes[index]
    }

    /// Adds a path; the empty path is the object itself, which nobody owns.
    pub fn insert(&mut self, path: &[PathElement]) {
        match path {
            [] => {}
            [last] => self.node(last.clone()).is_member = true,
            [first, rest @ ..] => self.node(first.clone()).children.insert(rest),
        }
    }

    /// Whether the path itself is in the set.
    #[must_use]
    pub fn contains(&self, path: &[PathElement]) -> bool {
        match path {
            [] => false,
            [last] => self.find(last).is_some_and(|node| node.is_member),
            [first, rest @ ..] => self
                .find(first)
                .is_some_and(|node| node.children.contains(rest)),
        }
    }

    /// Whether the step is in the set itself.
    pub(super) fn has(&self, element: &PathElement) -> bool {
        self.find(element).is_some_and(|node| node.is_member)
    }

    /// The paths below a step, when there are any.
    pub(super) fn below(&self, element: &PathElement) -> Option<&FieldSet> {
        self.find(element)
            .map(|node| &node.children)
            .filter(|children| !children.is_empty())
    }

    /// Walks over two sets at once; `join` makes one node of what each side has at a step.
    fn zip(
        &self,
        other: &FieldSet,
        mut join: impl FnMut(Option<&Node>, Option<&Node>) -> Option<Node>,
    ) -> FieldSet {
        let (mut left, mut right) = (self.nodes.iter().peekable(), other.nodes.iter().peekable());
        let mut nodes = Vec::new();
        loop {
            let order = match (left.peek(), right.peek()) {
                (None, None) => break,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(a), Some(b)) => a.element.cmp(&b.element),
            };
            let a = if order.is_le() { left.next() } else { None };
            let b = if order.is_ge() { right.next() } else { None };
            nodes.extend(join(a, b).filter(Node::has_content));
        }
        FieldSet { nodes }
    }

    /// The paths in either set.
    #[must_use]
    pub fn union(&self, other: &FieldSet) -> FieldSet {
        self.zip(other, |a, b| match (a, b) {
            (Some(a), Some(b)) => Some(Node {
                element: a.element.clone(),
                is_member: a.is_member || b.is_member,
                children: a.children.union(&b.children),
            }),
            (one, other) => one.or(other).cloned(),
        })
    }

    /// The paths in both sets.
    #[must_use]
    pub fn intersection(&self, other: &FieldSet) -> FieldSet {
        self.zip(other, |a, b| {
            let (a, b) = (a?, b?);
            Some(Node {
                element: a.element.clone(),
                is_member: a.is_member && b.is_member,
                children: a.children.intersection(&b.children),
            })
        })
    }

    /// The paths that are not in `other`. A path stays when only its parent is in `other`.
    #[must_use]
    pub fn difference(&self, other: &FieldSet) -> FieldSet {
        self.zip(other, |a, b| match (a?, b) {
            (a, None) => Some(a.clone()),
            (a, Some(b)) => Some(Node {
                element: a.element.clone(),
                is_member: a.is_member && !b.is_member,
                children: a.children.difference(&b.children),
            }),
        })
    }

    /// The paths that are not in `other` and have no parent in it.
    #[must_use]
    pub fn recursive_difference(&self, other: &FieldSet) -> FieldSet {
        self.zip(other, |a, b| match (a?, b) {
            (_, Some(b)) if b.is_member => None,
            (a, None) => Some(a.clone()),
            (a, Some(b)) => Some(Node {
                element: a.element.clone(),
                is_member: a.is_member,
                children: a.children.recursive_difference(&b.children),
            }),
        })
    }

    /// The paths that have no other path of the set below them.
    #[must_use]
    pub fn leaves(&self) -> FieldSet {
        let leaf = |node: &Node| Node {
            element: node.element.clone(),
            is_member: node.is_member && node.children.is_empty(),
            children: node.children.leaves(),
        };
        FieldSet {
            nodes: self
                .nodes
                .iter()
                .map(leaf)
                .filter(Node::has_content)
                .collect(),
        }
    }

    /// All paths: those of one level before those of the levels below.
    #[must_use]
    pub fn paths(&self) -> Vec<Vec<PathElement>> {
        let mut paths = Vec::new();
        self.collect(&mut Vec::new(), &mut paths);
        paths
    }

    fn collect(&self, prefix: &mut Vec<PathElement>, paths: &mut Vec<Vec<PathElement>>) {
        for node in self.nodes.iter().filter(|node| node.is_member) {
            let mut path = prefix.clone();
            path.push(node.element.clone());
            paths.push(path);
        }
        for node in &self.nodes {
            prefix.push(node.element.clone());
            node.children.collect(prefix, paths);
            prefix.pop();
        }
    }

    /// The set with every declared member of a struct that has paths below it.
    pub(super) fn with_named_fields(&self, ty: Option<TypeRef<'_>>) -> FieldSet {
        let with_fields = |node: &Node| {
            let below = match &node.element {
                PathElement::Field(name) => ty.and_then(|ty| ty.member(name)),
                PathElement::Key(_) => ty.and_then(TypeRef::element),
                PathElement::Value(_) | PathElement::Index(_) => None,
            };
            let is_declared = match &node.element {
                PathElement::Field(name) => ty.is_some_and(|ty| ty.field(name).is_some()),
                _ => false,
            };
            Node {
                element: node.element.clone(),
                is_member: node.is_member || (is_declared && !node.children.is_empty()),
                children: node.children.with_named_fields(below),
            }
        };
        FieldSet {
            nodes: self.nodes.iter().map(with_fields).collect(),
        }
    }
}
