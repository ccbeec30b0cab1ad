//! Strategic merge patches as kyaml applies them, which is not always what the API server does: items
//! of a patch come first, `$patch: replace` of an item of a merged list has no effect, and fields that
//! are null are taken away everywhere on the way.
//!
//! Read [`Merger`] first; [`schema`] says which lists are merged, [`list`] how.

mod list;
pub(crate) mod schema;

use yaml::node::{Node, Scalar};

use crate::error::{Result, fail};
use crate::fields;
use schema::{Schema, Schemas};

/// The key of directives.
const DIRECTIVE: &str = "$patch";

/// What a patch wants done with a map or list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

/// What became of two nodes.
enum Merged {
    /// Neither is left.
    Cleared,
    /// The node that was there, changed in place.
    Changed(Node),
    /// A node of the patch, and the one that was there.
    Replaced(Node, Node),
}

/// On which side a node stands that has no partner.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    /// It was there.
    Target,
    /// It came with the patch, and is merged with itself.
    Patch,
}

/// Merges patches with what is known of kinds.
pub(crate) struct Merger<'s> {
    pub(crate) schemas: &'s Schemas,
}

impl Merger<'_> {
    /// Changes `target` by `patch`; `None` when nothing is left.
    ///
    /// # Errors
    /// The kinds of two nodes differ, or a directive is none that exists.
    pub(crate) fn merge(&self, target: Node, patch: Node) -> Result<Option<Node>> {
        Ok(match self.both(target, patch, None)? {
            Merged::Cleared => None,
            Merged::Changed(node) | Merged::Replaced(node, _) => Some(node),
        })
    }

    /// What is known of a node: what its parent says, or what it says of itself.
    fn schema<'a>(&'a self, known: Option<Schema<'a>>, nodes: &[&Node]) -> Option<Schema<'a>> {
        known.or_else(|| {
            nodes.iter().find_map(|node| {
                let text = |name: &str| fields::text(node, name);
                let (kind, version) = (text("kind"), text("apiVersion"));
                let is_object = !kind.is_empty() && !version.is_empty();
                is_object.then(|| self.schemas.of_kind(&version, &kind))?
            })
        })
    }

    fn both(&self, target: Node, mut patch: Node, known: Option<Schema<'_>>) -> Result<Merged> {
        match (target.is_null(), patch.is_null()) {
            (_, true) => return Ok(Merged::Cleared),
            (true, false) => {
                let own = self.new_from(patch, known)?;
                return Ok(own.map_or(Merged::Cleared, |own| Merged::Replaced(own, target)));
            }
            (false, false) => {}
        }
        let known = self.schema(known, &[&target, &patch]);
        match (target, &mut patch) {
            (Node::Map(entries), Node::Map(_)) => match map_directive(&mut patch)? {
                Directive::Delete => Ok(Merged::Cleared),
                Directive::Replace => {
                    let own = self.members(patch, Side::Patch, known)?;
                    Ok(Merged::Replaced(own, Node::Map(entries)))
                }
                Directive::Merge => {
                    let Node::Map(changes) = patch else {
                        return Ok(Merged::Changed(Node::Map(entries)));
                    };
                    let merged = self.maps(entries, changes, known)?;
                    Ok(Merged::Changed(Node::Map(merged)))
                }
            },
            (Node::List(items), Node::List(changes)) => {
                let Some(keys) = known.and_then(|known| known.merge_keys()) else {
                    return Ok(Merged::Replaced(patch, Node::List(items)));
                };
                let directive = list_directive(changes)?;
                let changes = std::mem::take(changes);
                match directive {
                    Directive::Delete => Ok(Merged::Cleared),
                    Directive::Replace => {
                        let own = self.items_alone(changes, Side::Patch, known, &keys)?;
                        Ok(Merged::Replaced(Node::List(own), Node::List(items)))
                    }
                    Directive::Merge => {
                        let merged = self.lists(items, changes, known, &keys)?;
                        Ok(Merged::Changed(Node::List(merged)))
                    }
                }
            }
            (old @ Node::Scalar(_), Node::Scalar(_)) => Ok(Merged::Replaced(patch, old)),
            (target, patch) => fields::wrong_kind(fields::kind(&target), patch),
        }
    }

    /// A node of the patch where nothing was.
    fn new_from(&self, mut patch: Node, known: Option<Schema<'_>>) -> Result<Option<Node>> {
        if patch.is_null() {
            return Ok(None);
        }
        // Here kyaml overlooks directives that do not exist.
        if let Node::Map(_) = patch
            && map_directive(&mut patch).is_ok_and(|found| found == Directive::Delete)
        {
            return Ok(None);
        }
        self.members(patch, Side::Patch, known).map(Some)
    }

    /// What is left of a node that has no partner; `None` when nothing is.
    fn alone(&self, mut node: Node, side: Side, known: Option<Schema<'_>>) -> Result<Option<Node>> {
        if let Node::Scalar(scalar) = &node {
            // A null stays where it was written as one.
            let stays = side == Side::Target && !scalar.text.is_empty();
            return Ok((!scalar.is_null() || stays).then_some(node));
        }
        if side == Side::Patch {
            let directive = match &mut node {
                Node::List(items) => match self.schema(known, &[]) {
                    Some(known) if known.merge_keys().is_some() => list_directive(items)?,
                    _ => Directive::Merge,
                },
                map => map_directive(map)?,
            };
            if directive == Directive::Delete {
                return Ok(None);
            }
        }
        self.members(node, side, known).map(Some)
    }

    /// Walks through the members of a node that has no partner.
    fn members(&self, node: Node, side: Side, known: Option<Schema<'_>>) -> Result<Node> {
        let known = self.schema(known, &[&node]);
        Ok(match node {
            Node::Map(entries) => {
                let mut kept = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    let member = known.and_then(|known| self.schemas.member(known, &key.text));
                    if let Some(mut value) = self.alone(value, side, member)? {
                        fields::quote_if_ambiguous(&mut value);
                        kept.push((key, value));
                    }
                }
                Node::Map(kept)
            }
            Node::List(items) => match known.and_then(|known| known.merge_keys()) {
                Some(keys) => Node::List(self.items_alone(items, side, known, &keys)?),
                None => Node::List(items),
            },
            scalar @ Node::Scalar(_) => scalar,
        })
    }

    fn maps(
        &self,
        entries: Vec<(Scalar, Node)>,
        mut changes: Vec<(Scalar, Node)>,
        known: Option<Schema<'_>>,
    ) -> Result<Vec<(Scalar, Node)>> {
        let mut merged = Vec::with_capacity(entries.len() + changes.len());
        for (key, value) in entries {
            let member = known.and_then(|known| self.schemas.member(known, &key.text));
            let change = changes.iter().position(|(name, _)| name.text == key.text);
            let Some(at) = change else {
                if let Some(mut value) = self.alone(value, Side::Target, member)? {
                    fields::quote_if_ambiguous(&mut value);
                    merged.push((key, value));
                }
                continue;
            };
            match self.both(value, changes.remove(at).1, member)? {
                Merged::Cleared => {}
                Merged::Changed(value) => merged.push((key, value)),
                Merged::Replaced(new, mut old) => {
                    fields::replace(&mut old, new);
                    merged.push((key, old));
                }
            }
        }
        let mut added = Node::Map(merged);
        for (key, value) in changes {
            let member = known.and_then(|known| self.schemas.member(known, &key.text));
            if let Some(value) = self.new_from(value, member)? {
                let name = Scalar {
                    quoted: key.quoted,
                    ..Scalar::unset(key.text)
                };
                fields::set_any(&mut added, name, value)?;
            }
        }
        match added {
            Node::Map(entries) => Ok(entries),
            Node::List(_) | Node::Scalar(_) => Ok(Vec::new()),
        }
    }
}

fn directive(text: &str) -> Result<Directive> {
    match text {
        "merge" => Ok(Directive::Merge),
        "replace" => Ok(Directive::Replace),
        "delete" => Ok(Directive::Delete),
        other => fail(format!("unknown patch strategy '{other}'")),
    }
}

/// Takes the directive of a map out.
fn map_directive(map: &mut Node) -> Result<Directive> {
    let Some(found) = map.get(DIRECTIVE) else {
        return Ok(Directive::Merge);
    };
    let found = directive(found.text().map_or("", |text| text))?;
    fields::clear(map, DIRECTIVE)?;
    Ok(found)
}

/// Takes the directive of a list out: an item that has nothing else.
fn list_directive(items: &mut Vec<Node>) -> Result<Directive> {
    let first = items.iter().find(|item| item.get(DIRECTIVE).is_some());
    let text = first.and_then(|item| match item {
        Node::Map(entries) if entries.len() == 1 => item.get(DIRECTIVE)?.text().cloned(),
        _ => None,
    });
    let Some(text) = text else {
        return Ok(Directive::Merge);
    };
    let found = directive(&text)?;
    let is_directive = |item: &Node| item.get(DIRECTIVE).and_then(Node::text) == Some(&text);
    items.retain(|item| !item.is_empty() && !is_directive(item));
    Ok(found)
}
