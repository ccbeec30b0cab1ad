//! The built-in transformers, one after the other over all resources.
//!
//! Read [`Transformer`] first.

use std::collections::{BTreeMap, HashMap};

use regex::Regex;
use yaml::node::{Node, Scalar};

use crate::error::{Error, Result, fail};
use crate::fields;
use crate::fieldspec::{FieldSpec, Make};
use crate::identity::{Gvk, Id};
use crate::kustomization::{Image, Replica};
use crate::merge::Merger;
use crate::patch::LoadedPatch;
use crate::replacement::Replacement;
use crate::resource::{Resource, TEXT};
use crate::resources::Resources;
use crate::selector::{Matcher, Selector, regex};
use yaml::node::Tag;

/// A transformer that is ready to run.
pub(crate) enum Transformer {
    Patch(LoadedPatch),
    Namespace {
        namespace: String,
        specs: Vec<FieldSpec>,
        unset_only: bool,
        subjects: Subjects,
    },
    Affix {
        prefix: String,
        suffix: String,
        specs: Vec<FieldSpec>,
    },
    /// Labels or annotations.
    Texts {
        texts: BTreeMap<String, String>,
        specs: Vec<FieldSpec>,
    },
    Replicas {
        replica: Replica,
        specs: Vec<FieldSpec>,
    },
    Images {
        image: Image,
        specs: Vec<FieldSpec>,
    },
    Replacements(Vec<Replacement>),
    Values {
        value: String,
        targets: Vec<ValueTarget>,
    },
    Hashes,
    /// Several that are configured as one.
    All(Vec<Transformer>),
}

/// Which subjects of role bindings get a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subjects {
    NamedDefault,
    ServiceAccounts,
    None,
}

/// Where ValueAddTransformer puts its value.
pub(crate) struct ValueTarget {
    pub(crate) selector: Option<Selector>,
    pub(crate) field: String,
    /// The part of a file path that the value becomes, from 1; 0 for the whole.
    pub(crate) position: usize,
}

impl Transformer {
    /// Changes the resources.
    ///
    /// # Errors
    /// What the transformer does not fit.
    pub(crate) fn apply(&self, resources: &mut Resources, merger: &Merger<'_>) -> Result<()> {
        match self {
            Transformer::Patch(patch) => patch.apply(resources, merger),
            Transformer::Namespace { namespace, .. } if namespace.is_empty() => Ok(()),
            Transformer::Namespace { .. } => self.set_namespaces(resources),
            Transformer::Affix {
                prefix,
                suffix,
                specs,
            } => resources
                .iter_mut()
                .try_for_each(|resource| add_affixes(resource, prefix, suffix, specs)),
            Transformer::Texts { texts, specs } => resources
                .iter_mut()
                .try_for_each(|resource| put_texts(resource, texts, specs)),
            Transformer::Replicas { replica, specs } => set_replicas(resources, replica, specs),
            Transformer::Images { image, specs } => {
                ImageSetter::new(image)?.apply(resources, specs)
            }
            Transformer::Replacements(all) => all.iter().try_for_each(|one| one.apply(resources)),
            Transformer::Values { value, targets } => targets
                .iter()
                .try_for_each(|target| target.apply(resources, value)),
            Transformer::Hashes => resources.iter_mut().try_for_each(add_hash),
            Transformer::All(all) => all.iter().try_for_each(|one| one.apply(resources, merger)),
        }
    }

    fn set_namespaces(&self, resources: &mut Resources) -> Result<()> {
        let Transformer::Namespace {
            namespace,
            specs,
            unset_only,
            subjects,
        } = self
        else {
            return Ok(());
        };
        let setter = NamespaceSetter {
            namespace,
            specs,
            unset_only: *unset_only,
            subjects: *subjects,
            own: FieldSpec::new(Gvk::default(), "metadata/namespace".to_owned(), true),
        };
        let mut n_of: HashMap<_, usize> = HashMap::new();
        for resource in resources.iter() {
            *n_of.entry(resource.id().key()).or_default() += 1;
        }
        for at in 0..resources.len() {
            if resources.at(at).is_gone() {
                continue;
            }
            let before = resources.at(at).id().key();
            resources.change(at, |resource| {
                resource.store_id();
                resource.change(|node, id| setter.apply(node, id))
            })?;
            n_of.entry(before).and_modify(|n| *n -= 1);
            let id = resources.at(at).id();
            let n = n_of.entry(id.key()).or_default();
            *n += 1;
            if *n > 1 {
                let same = resources.iter().filter(|other| other.id().equals(id));
                let same = same.map(|one| yaml::json::to_string_html_escaped(&one.with_notes()));
                return fail(format!(
                    "namespace transformation produces ID conflict: [{}]",
                    same.collect::<Vec<_>>().join(" ")
                ));
            }
        }
        Ok(())
    }
}

struct NamespaceSetter<'a> {
    namespace: &'a str,
    specs: &'a [FieldSpec],
    unset_only: bool,
    subjects: Subjects,
    own: FieldSpec,
}

impl NamespaceSetter<'_> {
    fn apply(&self, node: &mut Node, id: &Id) -> Result<()> {
        if !id.is_cluster_scoped {
            self.own
                .apply(node, id, Make::Scalar(Tag::Unset), &mut |node| {
                    self.set(node)
                })?;
        }
        let kind = id.gvk.kind.as_str();
        let is_binding = kind == "RoleBinding" || kind == "ClusterRoleBinding";
        if is_binding {
            self.set_subjects(node)?;
        }
        for spec in self.specs.iter().filter(|spec| spec.fits(id)) {
            let is_own = spec.path == "metadata/namespace";
            let is_name = spec.path == "metadata/name" && id.gvk.api_version() != "v1";
            let of_binding = matches!(spec.gvk.kind.as_str(), "RoleBinding" | "ClusterRoleBinding");
            let is_subject = is_binding && of_binding && spec.path == "subjects/namespace";
            if is_own || is_name || is_subject {
                continue;
            }
            spec.apply(node, id, Make::Scalar(TEXT), &mut |node| self.set(node))
                .map_err(|error| error.within("namespace transformation failed"))?;
        }
        Ok(())
    }

    fn set(&self, node: &mut Node) -> Result<()> {
        let Node::Scalar(old) = &*node else {
            return fields::wrong_kind("ScalarNode", node);
        };
        if self.unset_only && !old.is_null() && !old.text.is_empty() {
            return Ok(());
        }
        fields::replace(node, Node::string(self.namespace));
        Ok(())
    }

    fn set_subjects(&self, node: &mut Node) -> Result<()> {
        let Some(Node::List(subjects)) = node.get_mut("subjects") else {
            return Ok(());
        };
        for subject in subjects {
            let has = |name: &str, want: &str| fields::text(subject, name) == *want;
            let is_meant = match self.subjects {
                Subjects::NamedDefault => has("name", "default"),
                Subjects::ServiceAccounts => has("kind", "ServiceAccount"),
                Subjects::None => false,
            };
            if is_meant {
                if subject.get("namespace").is_none() {
                    let empty = Node::Scalar(Scalar::unset(""));
                    fields::set(subject, "namespace", empty)?;
                }
                if let Some(namespace) = subject.get_mut("namespace") {
                    self.set(namespace)?;
                }
            }
        }
        Ok(())
    }
}

/// Kinds whose names stay as they are.
fn keeps_name(gvk: &Gvk) -> bool {
    match gvk.kind.as_str() {
        "CustomResourceDefinition" | "Namespace" => true,
        "APIService" => *gvk.group == *"apiregistration.k8s.io",
        _ => false,
    }
}

fn add_affixes(
    resource: &mut Resource,
    prefix: &str,
    suffix: &str,
    specs: &[FieldSpec],
) -> Result<()> {
    let original = resource.original_id();
    if keeps_name(&original.gvk) {
        return Ok(());
    }
    for spec in specs.iter().filter(|spec| spec.fits(&original)) {
        if spec.path == "metadata/name" {
            if !prefix.is_empty() {
                resource.history.prefixes.push(prefix.into());
            }
            if !suffix.is_empty() {
                resource.history.suffixes.push(suffix.into());
            }
            if !prefix.is_empty() || !suffix.is_empty() {
                resource.store_id();
            }
        }
        if !spec.fits(resource.id()) {
            continue;
        }
        resource.change(|node, id| {
            spec.apply(node, id, Make::Scalar(TEXT), &mut |node| {
                let Node::Scalar(old) = &*node else {
                    return fields::wrong_kind("ScalarNode", node);
                };
                let text = format!("{prefix}{}{suffix}", old.text);
                fields::replace(node, Node::Scalar(Scalar::unset(text)));
                Ok(())
            })
        })?;
    }
    Ok(())
}

fn put_texts(
    resource: &mut Resource,
    texts: &BTreeMap<String, String>,
    specs: &[FieldSpec],
) -> Result<()> {
    for (key, text) in texts {
        resource.put(text, |node, id, scalar| {
            for spec in specs.iter().filter(|spec| spec.fits(id)) {
                spec.apply(node, id, Make::Map, &mut |node| {
                    let value = Node::Scalar(scalar.clone());
                    fields::set_any(node, Scalar::unset(key.as_str()), value)
                })?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn set_replicas(resources: &mut Resources, replica: &Replica, specs: &[FieldSpec]) -> Result<()> {
    let mut found_one = false;
    for spec in specs {
        let found = resources.with_any_id(&replica.name, |id| {
            *id.name == *replica.name && spec.fits(id)
        });
        for at in found {
            found_one = true;
            if !spec.fits(resources.at(at).id()) {
                continue;
            }
            resources.change(at, |resource| {
                resource.change(|node, id| {
                    spec.apply(node, id, Make::Scalar(Tag::Int), &mut |node| {
                        let Node::Scalar(_) = &*node else {
                            return fields::wrong_kind("ScalarNode", node);
                        };
                        let count = Scalar::new(replica.count.to_string(), Tag::Int);
                        fields::replace(node, Node::Scalar(count));
                        Ok(())
                    })
                })
            })?;
        }
    }
    if found_one {
        return Ok(());
    }
    let kinds: Vec<String> = specs.iter().map(|spec| spec.gvk.to_string()).collect();
    fail(format!(
        "resource with name {} does not match a config with the following GVK [{}]",
        replica.name,
        kinds.join(" ")
    ))
}

struct ImageSetter<'a> {
    image: &'a Image,
    pattern: Regex,
}

impl<'a> ImageSetter<'a> {
    fn new(image: &'a Image) -> Result<Self> {
        let pattern = format!(
            "^{}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$",
            image.name
        );
        Ok(ImageSetter {
            image,
            pattern: regex(&pattern)?,
        })
    }

    fn apply(&self, resources: &mut Resources, specs: &[FieldSpec]) -> Result<()> {
        for resource in resources.iter_mut() {
            if *resource.id().gvk.kind == *"CustomResourceDefinition" {
                continue;
            }
            resource.change(|node, id| {
                self.walk(node)?;
                for spec in specs.iter().filter(|spec| spec.fits(id)) {
                    spec.apply(node, id, Make::Nothing, &mut |node| self.set(node))?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Sets images of containers wherever they are.
    fn walk(&self, node: &mut Node) -> Result<()> {
        match node {
            Node::Scalar(_) => Ok(()),
            Node::List(items) => items.iter_mut().try_for_each(|item| self.walk(item)),
            Node::Map(entries) => {
                for (key, value) in entries {
                    self.walk(value)?;
                    let is_list = matches!(key.text.as_str(), "containers" | "initContainers");
                    let Node::List(containers) = value else {
                        continue;
                    };
                    for container in containers.iter_mut().filter(|_| is_list) {
                        fields::get(container, "image")?;
                        if let Some(image) = container.get_mut("image") {
                            self.set(image)?;
                        }
                    }
                }
                Ok(())
            }
        }
    }

    fn set(&self, node: &mut Node) -> Result<()> {
        let Node::Scalar(old) = &*node else {
            return fields::wrong_kind("ScalarNode", node);
        };
        if old.is_null() || !self.pattern.is_match(&old.text) {
            return Ok(());
        }
        let (name, mut tag, mut digest) = split_image(&old.text);
        let image = self.image;
        let mut text = match image.new_name.as_str() {
            "" => name.to_owned(),
            new => new.to_owned(),
        };
        let suffixed;
        match (image.new_tag.as_str(), image.digest.as_str()) {
            ("", "") if image.tag_suffix.is_empty() => {}
            ("", "") => {
                suffixed = format!("{tag}{}", image.tag_suffix);
                (tag, digest) = (&suffixed, "");
            }
            (new_tag, new_digest) => (tag, digest) = (new_tag, new_digest),
        }
        for (mark, part) in [(':', tag), ('@', digest)] {
            if !part.is_empty() {
                text.push(mark);
                text.push_str(part);
            }
        }
        fields::replace(node, Node::Scalar(Scalar::unset(text)));
        Ok(())
    }
}

/// The name, tag and digest of an image; a port of the registry is no tag.
pub(crate) fn split_image(image: &str) -> (&str, &str, &str) {
    let from = image.find('/').unwrap_or(0);
    let find = |mark: char| image[from..].find(mark).map(|at| at + from);
    let (named, digest) = match find('@') {
        Some(at) => (&image[..at], &image[at + 1..]),
        None => (image, ""),
    };
    match find(':').filter(|at| *at < named.len()) {
        Some(at) => (&image[..at], &named[at + 1..], digest),
        None => (named, "", digest),
    }
}

impl ValueTarget {
    fn apply(&self, resources: &mut Resources, value: &str) -> Result<()> {
        let selected = match &self.selector {
            Some(selector) => resources.select(&Matcher::new(selector)?),
            None => (0..resources.len()).collect(),
        };
        let path: Vec<String> = fields::split_path(&self.field, '/');
        for at in selected {
            resources.change(at, |resource| {
                resource.change(|node, id| {
                    if self.field == "metadata/namespace" {
                        let setter = NamespaceSetter {
                            namespace: value,
                            specs: &[],
                            unset_only: false,
                            subjects: Subjects::NamedDefault,
                            own: FieldSpec::new(Gvk::default(), self.field.clone(), true),
                        };
                        return setter.apply(node, id);
                    }
                    self.set(node, &path, value)
                })
            })?;
        }
        Ok(())
    }

    fn set(&self, node: &mut Node, path: &[String], value: &str) -> Result<()> {
        let mut at = node;
        for (number, part) in path.iter().enumerate() {
            let is_last = number + 1 == path.len();
            match member_or_new(at, part, is_last)? {
                Some(member) => at = member,
                None => return Ok(()),
            }
        }
        let Node::Scalar(old) = &*at else {
            return fields::wrong_kind("ScalarNode", at);
        };
        let text = match self.position {
            0 => value.to_owned(),
            position => insert_part(&old.text, position - 1, value),
        };
        fields::replace(at, Node::Scalar(Scalar::unset(text)));
        Ok(())
    }
}

/// A member of a map, made when it is missing, or an item of a list.
fn member_or_new<'a>(
    node: &'a mut Node,
    part: &str,
    is_last: bool,
) -> Result<Option<&'a mut Node>> {
    if let (true, Ok(index)) = (matches!(node, Node::List(_)), part.parse::<usize>()) {
        return Ok(match node {
            Node::List(items) => items.get_mut(index),
            _ => None,
        });
    }
    if fields::get(node, part)?.is_none() {
        let new = match is_last {
            true => Node::Scalar(Scalar::unset("")),
            false => Node::Map(Vec::new()),
        };
        fields::set_any(node, Scalar::unset(part), new)?;
    }
    Ok(node.get_mut(part))
}

/// Inserts a part into a file path; the root of an absolute path is no part.
fn insert_part(path: &str, position: usize, part: &str) -> String {
    let mut parts: Vec<&str> = match path {
        "" => Vec::new(),
        path => path.split('/').collect(),
    };
    let mut at = position.min(parts.len());
    if parts.first() == Some(&"") && at < parts.len() {
        at += 1;
    }
    parts.insert(at, part);
    parts.join("/")
}

fn add_hash(resource: &mut Resource) -> Result<()> {
    if !resource.history.needs_hash {
        return Ok(());
    }
    let hash = crate::generate::hash(resource.node())?;
    let name = format!("{}-{hash}", resource.id().name);
    resource.store_id();
    resource.set_name(&name)
}

/// What of an error is told when a transformer of the user's own cannot be set up.
pub(crate) fn not_configured(error: Error, id: &Id) -> Error {
    error.within(&format!("plugin {id} fails configuration"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_split() {
        let check = |image: &str, want: (&str, &str, &str)| {
            assert_eq!(split_image(image), want, "{image}");
        };
        check("nginx", ("nginx", "", ""));
        check("nginx:1", ("nginx", "1", ""));
        check("h:5000/nginx", ("h:5000/nginx", "", ""));
        check("h:5000/nginx:1@sha256:a", ("h:5000/nginx", "1", "sha256:a"));
        check("nginx@sha256:a", ("nginx", "", "sha256:a"));
    }

    #[test]
    fn parts_are_inserted_into_paths() {
        assert_eq!(insert_part("/a/b", 0, "x"), "/x/a/b");
        assert_eq!(insert_part("a/b", 1, "x"), "a/x/b");
        assert_eq!(insert_part("a/b", 9, "x"), "a/b/x");
    }
}
