//! Reading and setting fields of nodes as kyaml does.
//!
//! Setting a field keeps the quotes that its old value had, so that a number set where a quoted text
//! stood is text. Read [`set`] first.

use yaml::node::{Node, Scalar};
use yaml::{Dialect, Str};

use crate::error::{Result, fail};

/// Sets the member `name` of a map; a null value takes it away. On null nothing happens.
///
/// # Errors
/// `node` is a scalar or a list.
pub(crate) fn set(node: &mut Node, name: &str, value: Node) -> Result<()> {
    if value.is_null() {
        return clear(node, name);
    }
    set_any(node, Scalar::unset(name), value)
}

/// As [`set`], null included; a new member gets `key` as it is.
pub(crate) fn set_any(node: &mut Node, key: Scalar, mut value: Node) -> Result<()> {
    if node.is_null() {
        return Ok(());
    }
    let Node::Map(entries) = node else {
        return wrong_kind("MappingNode", node);
    };
    match entries.iter_mut().find(|(name, _)| name.text == key.text) {
        Some((_, old)) => replace(old, value),
        None => {
            quote_if_ambiguous(&mut value);
            entries.push((key, value));
        }
    }
    Ok(())
}

/// Puts `value` where `old` is, with the quotes of `old`.
pub(crate) fn replace(old: &mut Node, mut value: Node) {
    if let Node::Scalar(scalar) = &mut value {
        let (quoted, cell) = match &*old {
            Node::Scalar(old) => (old.quoted, old.cell),
            _ => (false, 0),
        };
        (scalar.quoted, scalar.cell) = (quoted, cell);
    }
    *old = value;
}

/// Quotes a text that would be a number or a flag without: setting a field does so, and putting back
/// what is there already counts as setting.
pub(crate) fn quote_if_ambiguous(node: &mut Node) {
    if let Node::Scalar(scalar) = node
        && scalar.is_string()
        && !scalar.quoted
        && scalar.is_no_string_in_yaml_1_1()
    {
        scalar.quoted = true;
    }
}

/// Takes the member `name` of a map away. On null nothing happens.
///
/// # Errors
/// `node` is a scalar or a list.
pub(crate) fn clear(node: &mut Node, name: &str) -> Result<()> {
    if node.is_null() {
        return Ok(());
    }
    let Node::Map(entries) = node else {
        return wrong_kind("MappingNode", node);
    };
    if let Some(at) = entries.iter().position(|(key, _)| key.text == *name) {
        entries.remove(at);
    }
    Ok(())
}

/// The member `name` of a map; `None` on null.
///
/// # Errors
/// `node` is a scalar or a list.
pub(crate) fn get<'a>(node: &'a Node, name: &str) -> Result<Option<&'a Node>> {
    match node {
        Node::Map(_) => Ok(node.get(name)),
        node if node.is_null() => Ok(None),
        node => wrong_kind("MappingNode", node),
    }
}

/// The map `name` in `node`, made when it is missing or null.
pub(crate) fn map_in<'a>(node: &'a mut Node, name: &str) -> Option<&'a mut Node> {
    let Node::Map(entries) = node else {
        return None;
    };
    let at = match entries.iter().position(|(key, _)| key.text == *name) {
        Some(at) => at,
        None => {
            entries.push((Scalar::unset(name), Node::Map(Vec::new())));
            entries.len() - 1
        }
    };
    let found = &mut entries[at].1;
    if found.is_null() {
        *found = Node::Map(Vec::new());
    }
    Some(found)
}

/// The text of a scalar member that is there and not null; empty otherwise.
pub(crate) fn text(node: &Node, name: &str) -> Str {
    match node.get(name) {
        Some(Node::Scalar(scalar)) if !scalar.is_null() => scalar.text.clone(),
        _ => Str::default(),
    }
}

/// Follows a path of kyaml: names, indexes, `-` for the last item, and `[name=value]` for an item.
///
/// # Errors
/// A part does not fit what is there.
pub(crate) fn lookup<'a>(node: &'a Node, path: &[String]) -> Result<Option<&'a Node>> {
    let mut at = node;
    for part in path.iter().map(|part| part.trim()) {
        let next = match part {
            "" => continue,
            "*" => return fail("wildcard is not supported in PathGetter"),
            "-" => item(at, None)?,
            part if part.starts_with('[') && part.ends_with(']') => {
                let (name, value) = name_and_value(part)?;
                matching_item(at, name, value)?
            }
            part => match part.parse::<i64>() {
                Ok(index) if index < 0 => {
                    return fail(format!("array index {index} cannot be negative"));
                }
                Ok(index) => item(at, usize::try_from(index).ok())?,
                Err(_) => get(at, part)?,
            },
        };
        match next {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// An item of a list by its index; without one the last item.
fn item(node: &Node, index: Option<usize>) -> Result<Option<&Node>> {
    match node {
        Node::List(items) => Ok(index.map_or_else(|| items.last(), |index| items.get(index))),
        node if node.is_null() => Ok(None),
        node => wrong_kind("SequenceNode", node),
    }
}

fn matching_item<'a>(node: &'a Node, name: &str, value: &str) -> Result<Option<&'a Node>> {
    let Node::List(items) = node else {
        return item(node, None);
    };
    Ok(items.iter().find(|item| match item {
        Node::Scalar(scalar) => name.is_empty() && scalar.text == *value,
        Node::Map(_) if !name.is_empty() => {
            let member = item.get(name).and_then(Node::text);
            member.is_some_and(|text| *text == *value)
        }
        _ => false,
    }))
}

/// The two sides of `[name=value]`.
pub(crate) fn name_and_value(part: &str) -> Result<(&str, &str)> {
    let inner = part.strip_suffix(']').unwrap_or(part);
    let inner = inner.strip_prefix('[').unwrap_or(inner);
    inner.split_once('=').map_or_else(
        || fail("list path element must contain fieldName=fieldValue for element to match"),
        Ok,
    )
}

/// Splits a path; `\` before the delimiter takes it as part of a name.
pub(crate) fn split_path(path: &str, delimiter: char) -> Vec<String> {
    let mut parts = path.split(delimiter).peekable();
    let mut split: Vec<String> = Vec::new();
    let first = parts.next().unwrap_or_default();
    if !(first.is_empty() && parts.peek().is_some()) {
        split.push(first.to_owned());
    } else if let Some(second) = parts.next() {
        split.push(second.to_owned());
    }
    for part in parts {
        match split.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push(delimiter);
                last.push_str(part);
            }
            _ => split.push(part.to_owned()),
        }
    }
    split
}

/// As [`split_path`] at dots, except those in brackets: `[a.b=c]` stays, `[a.b]` is the name `a.b`.
pub(crate) fn split_dotted(path: &str) -> Vec<String> {
    let mut parts = split_path(path, '.').into_iter();
    let mut split = Vec::new();
    while let Some(part) = parts.next() {
        if !part.starts_with('[') || part.ends_with(']') {
            split.push(part);
            continue;
        }
        let mut joined = part;
        for next in parts.by_ref() {
            joined.push('.');
            joined.push_str(&next);
            if next.ends_with(']') {
                break;
            }
        }
        if joined.contains('=') {
            split.push(joined);
        } else {
            split.push(joined.trim_matches(['[', ']']).to_owned());
        }
    }
    split
}

/// kyaml's name for a kind of node.
pub(crate) fn kind(node: &Node) -> &'static str {
    match node {
        Node::Scalar(_) => "ScalarNode",
        Node::List(_) => "SequenceNode",
        Node::Map(_) => "MappingNode",
    }
}

/// The error for a node of another kind than is needed.
pub(crate) fn wrong_kind<T>(wanted: &str, node: &Node) -> Result<T> {
    let found = kind(node);
    let contents = node.to_value().map_or_else(
        |_| String::new(),
        |value| yaml::emit_in(&value, Dialect::Kustomize),
    );
    fail(format!(
        "wrong node kind: expected {wanted} but got {found}: node contents:\n{contents}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_split_with_escapes() {
        let check = |path: &str, want: &[&str]| assert_eq!(split_path(path, '/'), want, "{path}");
        check("a/b", &["a", "b"]);
        check("/a/b", &["a", "b"]);
        check(r"a/b\/c/d", &["a", "b/c", "d"]);
        check("", &[""]);
    }

    #[test]
    fn brackets_keep_dots_together() {
        let check = |path: &str, want: &[&str]| assert_eq!(split_dotted(path), want, "{path}");
        check("a.[b.c=d.e].f", &["a", "[b.c=d.e]", "f"]);
        check("a.[b.c].f", &["a", "b.c", "f"]);
        check("a.[name=x].f", &["a", "[name=x]", "f"]);
        check(r"a.b\.c", &["a", "b.c"]);
    }

    #[test]
    fn a_set_value_keeps_the_quotes_of_the_old_one() {
        let mut node = yaml::node::first_document("a: \"1\"\nb: 1\n")
            .unwrap()
            .unwrap();
        set(&mut node, "a", Node::Scalar(Scalar::unset("2"))).unwrap();
        set(&mut node, "b", Node::Scalar(Scalar::unset("2"))).unwrap();
        set(&mut node, "c", Node::Scalar(Scalar::unset("2"))).unwrap();
        let text = yaml::emit(&node.to_value().unwrap());
        assert_eq!(text, "a: \"2\"\nb: 2\nc: \"2\"\n");
    }
}
