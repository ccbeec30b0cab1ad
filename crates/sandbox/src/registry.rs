//! The table of what is served: groups, versions, resources and their subresources.
//!
//! Built from the discovery documents of a real server, extended at run time by
//! CustomResourceDefinitions. A registry is a value: a change makes a new one.

use std::collections::HashMap;
use std::sync::Arc;

use yaml::{Str, Value};

use crate::codec;
use crate::crd::Served;
use store::Collection;

/// One resource of one version of a group.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) group: Str,
    pub(crate) version: Str,
    pub(crate) plural: Str,
    pub(crate) singular: Str,
    pub(crate) kind: Str,
    /// The kind of its lists.
    pub(crate) list_kind: Str,
    pub(crate) short_names: Vec<Str>,
    pub(crate) categories: Vec<Str>,
    pub(crate) namespaced: bool,
    pub(crate) verbs: Vec<Str>,
    pub(crate) subresources: Vec<Subresource>,
    /// Where its objects are kept: the same for all versions.
    pub(crate) collection: Collection,
    /// `group/version` in which objects are kept.
    pub(crate) storage: Str,
    /// What its CustomResourceDefinition says; `None` for built-in resources.
    pub(crate) custom: Option<Arc<Served>>,
}

/// A part of an object with a path of its own.
#[derive(Clone, Debug)]
pub(crate) struct Subresource {
    pub(crate) name: Str,
    /// Group, version and kind of its body; the first two are empty when they are the resource's.
    pub(crate) group: Str,
    pub(crate) version: Str,
    pub(crate) kind: Str,
    pub(crate) verbs: Vec<Str>,
}

impl Resource {
    /// `version` or `group/version`.
    pub(crate) fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }

    /// The handle under which `kinds` knows it.
    pub(crate) fn handle(&self) -> kinds::Kind<'_> {
        kinds::Kind {
            group: &self.group,
            version: &self.version,
            kind: &self.kind,
            plural: &self.plural,
            custom: self.custom.is_some(),
            has_status: crate::strategy::has_status(self),
        }
    }

    /// Whether the verb is served on the resource itself.
    pub(crate) fn allows(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known == verb)
    }

    pub(crate) fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|sub| sub.name == name)
    }
}

/// `version` or `group/version`.
pub(crate) fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

/// One API group; the core group has no name.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) name: Str,
    /// The preferred one first.
    pub(crate) versions: Vec<Version>,
}

/// One version of a group.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) name: Str,
    pub(crate) resources: Vec<Arc<Resource>>,
}

/// Everything that is served.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry {
    groups: Vec<Group>,
    index: HashMap<(Str, Str, Str), Arc<Resource>>,
    /// Whether a webhook makes objects of other versions somewhere.
    pub(crate) converts: bool,
}

const CORE: &[u8] = include_bytes!("../data/discovery-api.json");
const NAMED: &[u8] = include_bytes!("../data/discovery-apis.json");

impl Registry {
    /// The resources that every server has.
    pub(crate) fn built_in() -> Self {
        let mut groups = Vec::new();
        for document in [CORE, NAMED] {
            let document = codec::parse(document).expect("the embedded discovery is JSON");
            groups.extend(list(&document, "items").iter().map(group));
        }
        Registry::of(groups)
    }

    fn of(groups: Vec<Group>) -> Self {
        let mut index = HashMap::new();
        let mut converts = false;
        for version in groups.iter().flat_map(|group| &group.versions) {
            for resource in &version.resources {
                let key = (
                    resource.group.clone(),
                    resource.version.clone(),
                    resource.plural.clone(),
                );
                index.insert(key, Arc::clone(resource));
                let custom = resource.custom.as_ref();
                converts |= custom.is_some_and(|custom| custom.converter.is_some());
            }
        }
        Registry {
            groups,
            index,
            converts,
        }
    }

    /// This registry with the groups of custom resources behind the built-in ones.
    pub(crate) fn with(&self, custom: Vec<Group>) -> Self {
        let mut groups = self.groups.clone();
        groups.extend(custom);
        Registry::of(groups)
    }

    pub(crate) fn groups(&self) -> &[Group] {
        &self.groups
    }

    pub(crate) fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }

    pub(crate) fn version(&self, group: &str, version: &str) -> Option<&Version> {
        self.group(group)?
            .versions
            .iter()
            .find(|known| known.name == version)
    }

    pub(crate) fn resource(
        &self,
        group: &str,
        version: &str,
        plural: &str,
    ) -> Option<&Arc<Resource>> {
        self.index
            .get(&(Str::from(group), Str::from(version), Str::from(plural)))
    }

    /// All versions of what is kept in one collection.
    pub(crate) fn versions_of(
        &self,
        collection: &Collection,
    ) -> impl Iterator<Item = &Arc<Resource>> {
        let versions = self.groups.iter().flat_map(|group| &group.versions);
        let resources = versions.flat_map(|version| &version.resources);
        resources.filter(move |resource| resource.collection == *collection)
    }

    /// The resource with this kind in a group and version.
    pub(crate) fn by_kind(&self, group: &str, version: &str, kind: &str) -> Option<&Arc<Resource>> {
        self.version(group, version)?
            .resources
            .iter()
            .find(|resource| resource.kind == kind)
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_list).unwrap_or_default()
}

fn text(value: &Value, path: &[&str]) -> Str {
    match value.at(path) {
        Some(Value::String(text)) => text.clone(),
        _ => Str::default(),
    }
}

fn texts(value: &Value, key: &str) -> Vec<Str> {
    list(value, key)
        .iter()
        .filter_map(Value::as_str)
        .map(Str::from)
        .collect()
}

fn group(item: &Value) -> Group {
    let name = text(item, &["metadata", "name"]);
    let versions = list(item, "versions")
        .iter()
        .map(|version| {
            let version_name = text(version, &["version"]);
            Version {
                resources: list(version, "resources")
                    .iter()
                    .map(|entry| Arc::new(resource(&name, &version_name, entry)))
                    .collect(),
                name: version_name,
            }
        })
        .collect();
    Group { name, versions }
}

fn resource(group: &Str, version: &Str, entry: &Value) -> Resource {
    let plural = text(entry, &["resource"]);
    let kind = text(entry, &["responseKind", "kind"]);
    let (home, storage) = storage(group, version, &plural);
    Resource {
        group: group.clone(),
        version: version.clone(),
        singular: text(entry, &["singularResource"]),
        list_kind: format!("{kind}List").into(),
        short_names: texts(entry, "shortNames"),
        categories: texts(entry, "categories"),
        namespaced: text(entry, &["scope"]) == "Namespaced",
        verbs: texts(entry, "verbs"),
        subresources: list(entry, "subresources")
            .iter()
            .map(subresource)
            .collect(),
        collection: Collection::new(home, &plural),
        storage: storage.into(),
        custom: None,
        plural,
        kind,
    }
}

/// The group that keeps the objects and the `group/version` in which it does.
fn storage<'a>(group: &'a str, version: &str, plural: &str) -> (&'a str, String) {
    match (group, plural) {
        ("events.k8s.io" | "", "events") => ("", "v1".to_owned()),
        ("autoscaling", _) => (group, "autoscaling/v2".to_owned()),
        _ => (group, api_version(group, version)),
    }
}

fn subresource(entry: &Value) -> Subresource {
    Subresource {
        name: text(entry, &["subresource"]),
        group: text(entry, &["responseKind", "group"]),
        version: text(entry, &["responseKind", "version"]),
        kind: text(entry, &["responseKind", "kind"]),
        verbs: texts(entry, "verbs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_resources_are_found_by_path_and_kind() {
        let registry = Registry::built_in();
        let deployments = registry.resource("apps", "v1", "deployments").unwrap();
        assert_eq!(deployments.kind, "Deployment");
        assert!(deployments.namespaced);
        assert!(deployments.allows("patch"));
        assert_eq!(deployments.subresource("scale").unwrap().kind, "Scale");
        assert_eq!(registry.by_kind("", "v1", "Node").unwrap().plural, "nodes");
        assert!(registry.resource("apps", "v2", "deployments").is_none());
    }

    #[test]
    fn versions_of_one_kind_share_a_collection() {
        let registry = Registry::built_in();
        let events = |group| registry.resource(group, "v1", "events").unwrap();
        assert_eq!(events("").collection, events("events.k8s.io").collection);
    }
}
