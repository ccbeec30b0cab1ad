//! Field specs: which field of which kinds a transformer changes, and the walk to it.
//!
//! Read [`FieldSpec`] first.

use yaml::node::{Node, Scalar, Tag};

use crate::error::{Result, fail};
use crate::fields;
use crate::identity::{Gvk, Id};

/// A field of the kinds that `gvk` selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldSpec {
    pub(crate) gvk: Gvk,
    pub(crate) path: String,
    /// Whether the field is made where it is missing.
    pub(crate) create: bool,
    steps: Vec<Step>,
}

/// One name of the path; a sequence is written `name[]` and never made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    name: String,
    is_sequence: bool,
}

/// What a transformer puts at the end of a path.
#[derive(Clone, Copy)]
pub(crate) enum Make {
    /// Nothing: the field must be there.
    Nothing,
    /// A scalar with this tag.
    Scalar(Tag),
    /// A map.
    Map,
}

impl Make {
    fn node(self) -> Option<Node> {
        match self {
            Make::Nothing => None,
            Make::Scalar(_) => Some(Node::Scalar(Scalar::unset(""))),
            Make::Map => Some(Node::Map(Vec::new())),
        }
    }
}

impl FieldSpec {
    pub(crate) fn new(gvk: Gvk, path: String, create: bool) -> Self {
        let step = |name: String| match name.strip_suffix("[]") {
            Some(shorter) => Step {
                name: shorter.to_owned(),
                is_sequence: true,
            },
            None => Step {
                name,
                is_sequence: false,
            },
        };
        let steps = fields::split_path(&path, '/')
            .into_iter()
            .map(step)
            .collect();
        FieldSpec {
            gvk,
            path,
            create,
            steps,
        }
    }

    /// Whether the kind of a resource is one that is meant.
    pub(crate) fn fits(&self, id: &Id) -> bool {
        id.gvk.is_selected_by(&self.gvk)
    }

    /// Calls `set` for each node that the path leads to.
    ///
    /// # Errors
    /// The path leads through a scalar, or what `set` says; both name the field and the resource.
    pub(crate) fn apply(
        &self,
        node: &mut Node,
        id: &Id,
        make: Make,
        set: &mut dyn FnMut(&mut Node) -> Result<()>,
    ) -> Result<()> {
        let walk = Walk {
            create: self.create,
            make,
        };
        walk.follow(node, &self.steps, set).map_err(|error| {
            error.within(&format!("considering field '{}' of object {id}", self.path))
        })
    }
}

struct Walk {
    create: bool,
    make: Make,
}

impl Walk {
    fn follow(
        &self,
        node: &mut Node,
        steps: &[Step],
        set: &mut dyn FnMut(&mut Node) -> Result<()>,
    ) -> Result<()> {
        let Some((step, rest)) = steps.split_first() else {
            return set(node);
        };
        match node {
            node if node.is_null() => Ok(()),
            Node::List(items) => {
                for item in items {
                    self.follow(item, steps, set).map_err(|error| {
                        let names: Vec<String> = steps.iter().map(Step::shown).collect();
                        error.within(&format!("visit traversal on path: [{}]", names.join(" ")))
                    })?;
                }
                Ok(())
            }
            Node::Map(_) => match self.member(node, step, rest.is_empty())? {
                Some(member) => self.follow(member, rest, set),
                None => Ok(()),
            },
            Node::Scalar(_) => fail("expected sequence or mapping node"),
        }
    }

    fn member<'a>(
        &self,
        node: &'a mut Node,
        step: &Step,
        is_last: bool,
    ) -> Result<Option<&'a mut Node>> {
        if step.name.is_empty() {
            return fail("cannot set or create an empty field name");
        }
        let new = match self.make.node() {
            Some(new) if self.create && !step.is_sequence => {
                Some(if is_last { new } else { Node::Map(Vec::new()) })
            }
            _ => None,
        };
        let empty = match &new {
            None if step.is_sequence => Some(Node::List(Vec::new())),
            Some(Node::Scalar(_)) => match self.make {
                Make::Scalar(tag) => Some(Node::Scalar(Scalar::new("", tag))),
                _ => None,
            },
            new => new.clone(),
        };
        if node.get(&step.name).is_none() {
            let Some(new) = new else {
                return Ok(None);
            };
            fields::set_any(node, Scalar::unset(step.name.as_str()), new)?;
        }
        let Some(found) = node.get_mut(&step.name) else {
            return Ok(None);
        };
        if let (Node::Scalar(old), Some(empty)) = (&*found, empty)
            && old.is_null()
        {
            *found = match empty {
                // The text of the null stays.
                Node::Scalar(new) => Node::Scalar(Scalar::new(old.text.clone(), new.tag)),
                empty => empty,
            };
        }
        Ok(Some(found))
    }
}

impl Step {
    fn shown(&self) -> String {
        let brackets = if self.is_sequence { "[]" } else { "" };
        format!("{}{brackets}", self.name)
    }
}
