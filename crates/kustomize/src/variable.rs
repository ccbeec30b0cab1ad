//! Vars: `$(NAME)` in known fields becomes the value of a field of a resource.
//!
//! Read [`Var`] first, then [`expand`].

use std::collections::{BTreeMap, BTreeSet};

use yaml::Str;
use yaml::node::{Node, Scalar, Tag};

use crate::decode::Fields;
use crate::error::{Result, fail};
use crate::fields::{lookup, split_dotted};
use crate::fieldspec::{FieldSpec, Make};
use crate::identity::{Gvk, Id};
use crate::resources::Resources;

/// An entry of `vars`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Var {
    pub(crate) name: String,
    id: Id,
    field: String,
    /// The kind as it is written, for messages.
    written: Gvk,
}

impl Var {
    /// As Go prints the struct before `apiVersion` is read.
    pub(crate) fn shown(&self) -> String {
        format!("{{{} {} {{{}}}}}", self.name, self.written, self.field)
    }

    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self> {
        let id = fields.object("objref", "Target", |fields| {
            let mut id = fields.id()?;
            let written = id.gvk.clone();
            let version = fields.string("apiVersion")?;
            let parts: Vec<&str> = version.split('/').collect();
            match parts.as_slice() {
                [""] => {}
                [version] => id.gvk.version = (*version).into(),
                [group, version] => {
                    id.gvk.group = (*group).into();
                    id.gvk.version = (*version).into();
                }
                _ => {}
            }
            Ok((id, written))
        })?;
        let field = fields.object("fieldref", "FieldSelector", |fields| {
            fields.string("fieldPath")
        })?;
        let (id, written) = id.unwrap_or_default();
        Ok(Var {
            name: fields.string("name")?,
            id,
            written,
            field: field
                .filter(|field| !field.is_empty())
                .unwrap_or_else(|| "metadata.name".to_owned()),
        })
    }
}

impl std::fmt::Display for Var {
    /// As Go prints the struct.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{{{} {} {{{}}}}}", self.name, self.id.gvk, self.field)
    }
}

/// Vars by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vars(BTreeMap<String, Var>);

impl Vars {
    /// Adds the vars of a kustomization, and marks the resources that they mean now.
    ///
    /// # Errors
    /// A name that is there already, or several resources that are meant.
    pub(crate) fn add(&mut self, vars: &[Var], resources: &mut Resources) -> Result<()> {
        for var in vars {
            let any_namespace = var.id.namespace.is_empty() && !var.id.gvk.is_cluster_scoped();
            let id = Id {
                is_cluster_scoped: var.id.gvk.is_cluster_scoped(),
                ..var.id.clone()
            };
            let same_kind = |gvk: &Gvk| *gvk == id.gvk;
            let found = resources.with_any_id(&id.name, |other| {
                let is_same = same_kind(&other.gvk) && other.name == id.name;
                is_same && (any_namespace || id.is_same_namespace(other))
            });
            match found.as_slice() {
                [] => {}
                [at] => resources.change(*at, |resource| {
                    resource.vars.push(var.name.clone());
                    Ok(())
                })?,
                many => {
                    return fail(format!(
                        "found {} resId matches for var {var} (unable to disambiguate)",
                        many.len()
                    ));
                }
            }
        }
        vars.iter().try_for_each(|var| self.insert(var.clone()))
    }

    /// Adds the vars of another kustomization.
    ///
    /// # Errors
    /// A name that is there already.
    pub(crate) fn merge(&mut self, other: Vars) -> Result<()> {
        other.0.into_values().try_for_each(|var| self.insert(var))
    }

    fn insert(&mut self, var: Var) -> Result<()> {
        if self.0.contains_key(&var.name) {
            return fail(format!("var '{}' already encountered", var.name));
        }
        self.0.insert(var.name.clone(), var);
        Ok(())
    }

    /// Replaces all references in the fields `specs`; gives the names that nothing referred to.
    ///
    /// # Errors
    /// A var whose resource or field is missing, and fields that cannot hold a reference.
    pub(crate) fn resolve(
        &self,
        resources: &mut Resources,
        specs: &[FieldSpec],
    ) -> Result<Vec<String>> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let mut values = BTreeMap::new();
        for var in self.0.values() {
            values.insert(var.name.as_str(), self.value(var, resources)?);
        }
        let mut used: BTreeSet<String> = BTreeSet::new();
        for resource in resources.iter_mut() {
            let id = resource.id().clone();
            for spec in specs.iter().filter(|spec| spec.fits(&id)) {
                resource.change(|node, id| {
                    spec.apply(node, id, Make::Nothing, &mut |node| {
                        replace_in(node, &values, &mut used)
                    })
                })?;
            }
        }
        let is_unused = |name: &&String| !used.contains(*name);
        Ok(self.0.keys().filter(is_unused).cloned().collect())
    }

    fn value(&self, var: &Var, resources: &Resources) -> Result<Option<Scalar>> {
        let found = resources
            .iter()
            .find(|resource| resource.vars.contains(&var.name));
        let Some(resource) = found else {
            return fail(format!(
                "var '{var}' cannot be mapped to a field in the set of known resources"
            ));
        };
        let path = split_dotted(&var.field).into_iter().flat_map(indexed);
        match lookup(resource.node(), &path.collect::<Vec<_>>()) {
            Ok(Some(Node::Scalar(scalar))) => Ok(Some(scalar.clone())),
            Ok(Some(_)) => Ok(None),
            Ok(None) | Err(_) => fail(format!(
                "field specified in var '{var}' not found in corresponding resource"
            )),
        }
    }
}

/// `name[0]` as two parts of a path.
fn indexed(part: String) -> Vec<String> {
    let split = part
        .strip_suffix(']')
        .and_then(|inner| inner.rsplit_once('['));
    match split {
        Some((name, index)) if !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit()) => {
            let name = Some(name.to_owned()).filter(|name| !name.is_empty());
            name.into_iter().chain([index.to_owned()]).collect()
        }
        _ => vec![part],
    }
}

type Values<'a> = BTreeMap<&'a str, Option<Scalar>>;

/// Replaces references in a text, or in the texts of a map or list.
fn replace_in(node: &mut Node, values: &Values<'_>, used: &mut BTreeSet<String>) -> Result<()> {
    match node {
        Node::Scalar(scalar) if scalar.is_null() => {}
        Node::Scalar(scalar) => replace_scalar(scalar, values, used),
        Node::Map(entries) => {
            for (key, value) in entries {
                if !key.is_string() {
                    return fail(format!("invalid map key: value='{}'", key.text));
                }
                if let Node::Scalar(scalar) = value {
                    replace_scalar(scalar, values, used);
                }
            }
        }
        Node::List(items) => {
            for item in items {
                match item {
                    Node::Scalar(scalar) if scalar.is_string() => {
                        replace_scalar(scalar, values, used);
                    }
                    _ => return fail("invalid value type expect a string"),
                }
            }
        }
    }
    Ok(())
}

fn replace_scalar(scalar: &mut Scalar, values: &Values<'_>, used: &mut BTreeSet<String>) {
    if !scalar.is_string() {
        return;
    }
    let (text, tag) = match expand(&scalar.text, values, used) {
        Expanded::Text(text) => (text, Tag::Str),
        Expanded::Value(text, tag) => (text, tag),
    };
    *scalar = Scalar {
        cell: scalar.cell,
        ..Scalar::new(text, tag)
    };
}

enum Expanded {
    Text(Str),
    /// The text was a reference and nothing else: the value keeps its type.
    Value(Str, Tag),
}

/// Replaces `$(NAME)` in a text; `$$` is a dollar sign, and references to nothing known stay.
fn expand(text: &str, values: &Values<'_>, used: &mut BTreeSet<String>) -> Expanded {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(escaped) = after.strip_prefix('$') {
            out.push('$');
            rest = escaped;
            continue;
        }
        let reference = after
            .strip_prefix('(')
            .and_then(|inner| inner.split_once(')'));
        let Some((name, behind)) = reference else {
            out.push('$');
            let next = after.chars().next();
            out.extend(next);
            rest = &after[next.map_or(0, char::len_utf8)..];
            continue;
        };
        match values.get(name) {
            Some(Some(value)) => {
                used.insert(name.to_owned());
                let (shown, tag) = typed(value);
                if rest.len() == text.len() && at == 0 && behind.is_empty() {
                    return Expanded::Value(shown, tag);
                }
                out.push_str(&shown);
            }
            _ => {
                let whole = rest.len() - at - behind.len();
                out.push_str(&rest[at..at + whole]);
            }
        }
        rest = behind;
    }
    out.push_str(rest);
    Expanded::Text(out.into())
}

/// A value as Go prints it, with its type.
fn typed(value: &Scalar) -> (Str, Tag) {
    match value.to_value() {
        Ok(yaml::Value::Int(number)) if value.tag == Tag::Int => {
            (number.to_string().into(), Tag::Int)
        }
        Ok(yaml::Value::Bool(flag)) if value.tag == Tag::Bool => {
            (flag.to_string().into(), Tag::Bool)
        }
        Ok(yaml::Value::Float(number)) if value.tag == Tag::Float => {
            (number.to_string().into(), Tag::Float)
        }
        _ => (value.text.clone(), Tag::Str),
    }
}
