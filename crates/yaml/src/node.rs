//! A document as the nodes of go-yaml v3 keep it: keys in the order of the text, scalars with their
//! text, tag and quotes, so that a scalar means something only when [`Node::to_value`] asks.
//!
//! Programs built on such nodes (kustomize) change texts in place: `1.10` copied into a string stays
//! `1.10`, and a text set where quotes were is a string whatever it looks like. Aliases and merge keys
//! are resolved while reading. Comments, anchors and flow style are not kept, as the text that such a
//! program prints goes through JSON.
//!
//! Read [`Node`] first. This module must never know what a key stands for.

mod read;
mod value;

pub use read::{first_document, split_documents};

use crate::Str;
use crate::resolve::{Mode, Scalar as Meaning, Times, old_bool, resolve};

/// One node of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// Text that may stand for a number, a boolean, a time or null.
    Scalar(Scalar),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of its text; a key may be there twice.
    Map(Vec<(Scalar, Node)>),
}

/// What go-yaml v3 takes a scalar for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// Not decided: its text decides when it is written and read again.
    Unset,
    /// `!!null`
    Null,
    /// `!!bool`
    Bool,
    /// `!!int`
    Int,
    /// `!!float`
    Float,
    /// `!!str`, and tags that go-yaml does not know.
    Str,
    /// `!!timestamp`
    Timestamp,
    /// `!!binary`
    Binary,
    /// `!!merge`: the key `<<`.
    Merge,
}

/// A scalar: its text after unquoting, its tag and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// The text.
    pub text: Str,
    /// What it is taken for.
    pub tag: Tag,
    /// Whether it is written in quotes or as a block.
    pub quoted: bool,
    /// Whether the tag is written.
    pub tagged: bool,
    /// Not 0 where a program holds one scalar at several places of a document: nodes are pointers in
    /// Go. Scalars with the same number change together; who changes one sees to it.
    pub cell: u32,
}

impl Scalar {
    /// A text whose meaning is decided when it is written: what setting a text gives.
    #[must_use]
    pub fn unset(text: impl Into<Str>) -> Self {
        Scalar::new(text, Tag::Unset)
    }

    /// A string, whatever its text looks like.
    #[must_use]
    pub fn string(text: impl Into<Str>) -> Self {
        Scalar::new(text, Tag::Str)
    }

    /// A plain scalar with a tag that is not written.
    #[must_use]
    pub fn new(text: impl Into<Str>, tag: Tag) -> Self {
        Scalar {
            text: text.into(),
            tag,
            quoted: false,
            tagged: false,
            cell: 0,
        }
    }

    /// Whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.tag == Tag::Null
    }

    /// Whether it counts as a string: tagged so, or not decided.
    #[must_use]
    pub fn is_string(&self) -> bool {
        matches!(self.tag, Tag::Str | Tag::Unset)
    }

    /// Whether go-yaml v2 would read the text as something else than a string.
    #[must_use]
    pub fn is_no_string_in_yaml_1_1(&self) -> bool {
        let text = self.text.as_str();
        if text.is_empty() || text.contains('\n') {
            return false;
        }
        let first = text.as_bytes()[0];
        let is_word = first.is_ascii_alphanumeric() || matches!(first, b'/' | b'.' | b'+' | b'_');
        if is_word && !text.contains(": ") && !text.ends_with(':') && !text.contains(" #") {
            return !matches!(
                resolve(text, Mode::GoYaml2, Times::Seen),
                Meaning::Text | Meaning::Timestamp | Meaning::Merge
            );
        }
        crate::parse_str(text).is_ok_and(|value| value.as_str().is_none())
    }

    /// A string as go-yaml v3 writes it: in quotes where its plain text would mean something else.
    fn written(text: Str) -> Self {
        let quoted = text.contains('\n')
            || old_bool(&text).is_some()
            || resolve(&text, Mode::GoYaml3, Times::Seen) != Meaning::Text;
        Scalar {
            text,
            tag: Tag::Str,
            quoted,
            tagged: false,
            cell: 0,
        }
    }
}

impl Node {
    /// A string.
    #[must_use]
    pub fn string(text: impl Into<Str>) -> Self {
        Node::Scalar(Scalar::string(text))
    }

    /// The null node.
    #[must_use]
    pub fn null() -> Self {
        Node::Scalar(Scalar::new("null", Tag::Null))
    }

    /// Whether this is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Node::Scalar(scalar) if scalar.is_null())
    }

    /// Whether this is null, or a map or list without members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Node::Scalar(scalar) => scalar.is_null(),
            Node::List(items) => items.is_empty(),
            Node::Map(entries) => entries.is_empty(),
        }
    }

    /// The first member `key` of a map.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        let Node::Map(entries) = self else {
            return None;
        };
        let found = entries.iter().find(|(name, _)| name.text == *key);
        found.map(|(_, value)| value)
    }

    /// As [`Node::get`], to change it in place.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        let Node::Map(entries) = self else {
            return None;
        };
        let found = entries.iter_mut().find(|(name, _)| name.text == *key);
        found.map(|(_, value)| value)
    }

    /// The text of a scalar, null included.
    #[must_use]
    pub fn text(&self) -> Option<&Str> {
        match self {
            Node::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
