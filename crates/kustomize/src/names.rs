//! Name references: where a resource is named by another one, its new name is put.
//!
//! Candidates are found by their former names, so that the cost grows with the references and not with
//! the square of the resources. Read [`fix`] first.

use std::collections::{HashMap, HashSet};

use yaml::Str;
use yaml::node::{Node, Scalar};

use crate::config::NameReference;
use crate::error::{Result, fail};
use crate::fields;
use crate::fieldspec::{FieldSpec, Make};
use crate::identity::{Gvk, Id};
use crate::resource::Resource;
use crate::resources::Resources;

/// Puts new names where the fields `references` hold former ones.
///
/// # Errors
/// A name that several resources had, and fields that cannot hold a name.
pub(crate) fn fix(resources: &mut Resources, references: &[NameReference]) -> Result<()> {
    let index = Index::new(resources);
    let mut by_kind: HashMap<&str, Vec<(&Gvk, &FieldSpec)>> = HashMap::new();
    for reference in references {
        for spec in &reference.referrers {
            let of_kind = by_kind.entry(spec.gvk.kind.as_str()).or_default();
            of_kind.push((&reference.target, spec));
        }
    }
    for at in 0..resources.len() {
        let original = index.candidates[at].original.clone();
        let of_kind = by_kind.get(original.gvk.kind.as_str());
        let of_any = by_kind.get("");
        let mut specs = of_kind.into_iter().chain(of_any).flatten().peekable();
        if specs.peek().is_none() {
            continue;
        }
        let referrer = Referrer::new(resources.at(at))?;
        for (target, spec) in specs.filter(|(_, spec)| spec.fits(&original)) {
            let search = Search {
                index: &index,
                referrer: &referrer,
                target,
                is_role_reference: spec.path.ends_with("roleRef/name"),
            };
            resources.change(at, |resource| {
                resource.change(|node, id| {
                    spec.apply(node, id, Make::Nothing, &mut |node| search.set(node))
                        .map_err(|error| {
                            error.within(&format!(
                                "updating name reference in '{}' field of '{id}'",
                                spec.path
                            ))
                        })
                })
            })?;
        }
    }
    Ok(())
}

/// What matters of a resource that may be named.
struct Candidate {
    id: Id,
    original: Id,
    former: Vec<Id>,
    prefixes: Vec<Str>,
    suffixes: Vec<Str>,
}

struct Index {
    candidates: Vec<Candidate>,
    /// Places by former names.
    names: HashMap<Str, Vec<usize>>,
    /// Places by the namespace that they had first.
    namespaces: HashMap<String, Vec<usize>>,
}

impl Index {
    fn new(resources: &Resources) -> Self {
        let mut names: HashMap<Str, Vec<usize>> = HashMap::new();
        let mut namespaces: HashMap<String, Vec<usize>> = HashMap::new();
        let mut candidates = Vec::with_capacity(resources.len());
        for (at, resource) in resources.iter().enumerate() {
            for name in resource.former_names() {
                let places = names.entry(name.clone()).or_default();
                if places.last() != Some(&at) {
                    places.push(at);
                }
            }
            let original = resource.original_id();
            let namespace = original.effective_namespace().to_owned();
            namespaces.entry(namespace).or_default().push(at);
            candidates.push(Candidate {
                id: resource.id().clone(),
                former: resource.former_ids().collect(),
                prefixes: resource.history.prefixes.clone(),
                suffixes: resource.history.suffixes.clone(),
                original,
            });
        }
        Index {
            candidates,
            names,
            namespaces,
        }
    }
}

/// What matters of the resource that names others.
struct Referrer {
    id: Id,
    prefixes: Vec<Str>,
    suffixes: Vec<Str>,
    role: Option<Gvk>,
    /// Namespaces of service accounts that a role binding names.
    namespaces: HashSet<Str>,
}

impl Referrer {
    fn new(resource: &Resource) -> Result<Self> {
        let id = resource.id().clone();
        let mut namespaces = HashSet::new();
        if let ("RoleBinding", Some(Node::List(subjects))) =
            (id.gvk.kind.as_str(), resource.node().get("subjects"))
        {
            for subject in subjects {
                let is_account = fields::text(subject, "kind") == *"ServiceAccount";
                match subject.get("namespace") {
                    Some(Node::Scalar(scalar)) if is_account && !scalar.is_null() => {
                        namespaces.insert(scalar.text.clone());
                    }
                    Some(_) if is_account => {
                        return fail(format!(
                            "Invalid Input: namespace is blank for resource \"{id}\"\n"
                        ));
                    }
                    _ => {}
                }
            }
        }
        let role = resource.node().get("roleRef").and_then(|role| {
            Some(Gvk {
                group: role.get("apiGroup")?.text()?.clone(),
                version: Str::default(),
                kind: role.get("kind")?.text()?.clone(),
            })
        });
        Ok(Referrer {
            id,
            prefixes: resource.history.prefixes.clone(),
            suffixes: resource.history.suffixes.clone(),
            role,
            namespaces,
        })
    }

    /// Whether a resource can be named at all.
    fn sees(&self, other: &Id) -> bool {
        self.id.is_cluster_scoped
            || other.is_cluster_scoped
            || other.is_same_namespace(&self.id)
            || self.namespaces.contains(&other.namespace)
    }
}

/// The search for what one field names.
struct Search<'a> {
    index: &'a Index,
    referrer: &'a Referrer,
    target: &'a Gvk,
    is_role_reference: bool,
}

impl Search<'_> {
    fn set(&self, node: &mut Node) -> Result<()> {
        match node {
            Node::Scalar(_) => self.set_scalar(node),
            Node::Map(_) => self.set_map(node),
            Node::List(items) => {
                for item in items {
                    match item {
                        Node::Scalar(_) => self.set_scalar(item)?,
                        Node::Map(_) => self.set_map(item)?,
                        Node::List(_) => {
                            return fail(
                                "node is expected to be either a string or a map of string",
                            );
                        }
                    }
                }
                Ok(())
            }
        }
    }

    fn set_scalar(&self, node: &mut Node) -> Result<()> {
        let Some(name) = node.text().filter(|_| !node.is_null()).cloned() else {
            return Ok(());
        };
        let found = self.find(&name, None, |one, other| one.name == other.name)?;
        if let Some(found) = found.filter(|found| found.name != name) {
            fields::replace(node, Node::Scalar(Scalar::unset(found.name.clone())));
        }
        Ok(())
    }

    fn set_map(&self, node: &mut Node) -> Result<()> {
        let Some(name) = node.get("name") else {
            return fail("path config error; no 'name' field in node");
        };
        let name = name.text().cloned().unwrap_or_default();
        let namespace = node
            .get("namespace")
            .map(|found| found.text().cloned().unwrap_or_default());
        let is_same =
            |one: &Id, other: &Id| one.name == other.name && one.namespace == other.namespace;
        let Some(found) = self.find(&name, namespace.as_ref(), is_same)? else {
            return Ok(());
        };
        if found.name == name && found.namespace.is_empty() {
            return Ok(());
        }
        let unset = |text: &Str| Node::Scalar(Scalar::unset(text.clone()));
        fields::set(node, "name", unset(&found.name))?;
        if !found.namespace.is_empty() {
            fields::set(node, "namespace", unset(&found.namespace))?;
        }
        Ok(())
    }

    /// The resource that had a name; several that are the same by `is_same` count as one.
    fn find(
        &self,
        name: &Str,
        namespace: Option<&Str>,
        is_same: impl Fn(&Id, &Id) -> bool,
    ) -> Result<Option<&Id>> {
        let Some(places) = self.index.names.get(name) else {
            return Ok(None);
        };
        let by_original = namespace.is_some_and(|namespace| self.began_in(namespace));
        let all = places.iter().map(|at| &self.index.candidates[*at]);
        let mut found: Vec<&Candidate> = all
            .filter(|one| self.referrer.sees(&one.id))
            .filter(|one| {
                let id = if by_original { &one.original } else { &one.id };
                let is_in = |namespace: &Str| id.effective_namespace() == namespace.as_str();
                namespace.is_none_or(|namespace| is_in(namespace) && *namespace != *NOT_NAMESPACED)
            })
            .filter(|one| {
                one.former
                    .iter()
                    .any(|id| id.gvk.is_selected_by(self.target))
            })
            .filter(|one| match &self.referrer.role {
                Some(role) if self.is_role_reference => {
                    one.former.iter().any(|id| id.gvk.is_selected_by(role))
                }
                _ => true,
            })
            .filter(|one| {
                self.referrer.id.is_cluster_scoped
                    || one.id.is_cluster_scoped
                    || *one.id.gvk.kind == *"ServiceAccount"
                    || self.referrer.id.is_same_namespace(&one.id)
            })
            .collect();
        if found.len() > 1 {
            found.retain(|one| self.agrees(one, true));
        }
        if found.len() > 1 {
            found.retain(|one| self.agrees(one, false));
        }
        match found.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(&one.id)),
            [first, rest @ ..] if rest.iter().all(|one| is_same(&first.id, &one.id)) => {
                Ok(Some(&first.id))
            }
            many => {
                let ids: Vec<String> = many.iter().map(|one| one.id.to_string()).collect();
                fail(format!(
                    "found multiple possible referrals: {}",
                    ids.join(", ")
                ))
            }
        }
    }

    /// Whether something that can be named was in a namespace at first.
    fn began_in(&self, namespace: &Str) -> bool {
        let places = self.index.namespaces.get(namespace.as_str());
        let mut all = places.into_iter().flatten();
        *namespace != *NOT_NAMESPACED
            && all.any(|at| self.referrer.sees(&self.index.candidates[*at].id))
    }

    /// Whether prefixes and suffixes are those of the referrer, as far as the shorter list goes; with
    /// `or_none`, having none agrees with all.
    fn agrees(&self, one: &Candidate, or_none: bool) -> bool {
        let agree = |a: &[Str], b: &[Str]| {
            if a.is_empty() || b.is_empty() {
                return or_none || a.is_empty() && b.is_empty();
            }
            let n = a.len().min(b.len());
            a[a.len() - n..] == b[b.len() - n..]
        };
        agree(&self.referrer.prefixes, &one.prefixes)
            && agree(&self.referrer.suffixes, &one.suffixes)
    }
}

/// The namespace that cluster-scoped resources are noted with.
const NOT_NAMESPACED: &str = "_non_namespaceable_";
