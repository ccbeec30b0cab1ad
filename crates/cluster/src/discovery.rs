//! What the API server serves: which kinds, under which paths, in namespaces or not.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use engine::render::Capabilities;
use manifest::{Gvk, Object, ObjectError};
use yaml::{Str, Value};

use crate::{Client, Error};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                          application/json";

/// One resource of the API: a kind in one version, and how to address it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Resource {
    /// Group, version and kind.
    pub gvk: Gvk,
    /// The name in paths, such as `deployments`.
    pub plural: Str,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether it can be listed and watched.
    pub watchable: bool,
    /// Whether its objects can be deleted, as those of real objects can (a review cannot).
    pub deletable: bool,
}

impl Resource {
    /// The path of all its objects, in a namespace or (with an empty one) everywhere.
    #[must_use]
    pub fn collection_path(&self, namespace: &str) -> String {
        let root = if self.gvk.group.is_empty() {
            "/api"
        } else {
            "/apis"
        };
        let version = self.gvk.api_version();
        if self.namespaced && !namespace.is_empty() {
            format!("{root}/{version}/namespaces/{namespace}/{}", self.plural)
        } else {
            format!("{root}/{version}/{}", self.plural)
        }
    }

    /// The path of one object.
    #[must_use]
    pub fn object_path(&self, namespace: &str, name: &str) -> String {
        format!("{}/{name}", self.collection_path(namespace))
    }

    /// Puts `apiVersion` and `kind` into an item of a list, which comes without them
    /// (kubernetes/kubernetes list encoding; kube-rs/kube#946).
    ///
    /// # Errors
    /// When the item is no object at all.
    pub fn stamp(&self, mut item: Value) -> Result<Object, ObjectError> {
        if let Some(map) = item.as_map_mut() {
            if !map.contains_key("kind") {
                map.insert("kind", self.gvk.kind.clone());
            }
            if !map.contains_key("apiVersion") {
                map.insert("apiVersion", self.gvk.api_version());
            }
        }
        Object::new(item)
    }
}

/// All resources of an API server, as of one moment.
#[derive(Clone, Debug, Default)]
pub struct Discovery {
    /// Per group and kind, the served versions, the server's preferred one first.
    kinds: HashMap<(Str, Str), Vec<Arc<Resource>>>,
    /// What charts may ask of it.
    capabilities: Arc<Capabilities>,
}

impl Discovery {
    /// Asks the server; aggregated discovery where it has that, the legacy documents otherwise.
    ///
    /// A group whose own server is down is left out, as `stale` says; the others are not lost.
    ///
    /// # Errors
    /// [`Error`] when the server does not answer.
    pub async fn read(client: &Client) -> Result<Self, Error> {
        let mut discovery = Discovery::default();
        for root in ["/api", "/apis"] {
            let answer = client.read(root, AGGREGATED).await?;
            if answer.get("kind").and_then(Value::as_str) == Some("APIGroupDiscoveryList") {
                discovery.add_aggregated(&answer);
            } else {
                discovery.add_legacy(client, root, &answer).await?;
            }
        }
        let version = server_version(client).await?;
        discovery.capabilities = Arc::new(Capabilities::new(&version, discovery.apis()));
        Ok(discovery)
    }

    /// The server's version, and all its APIs as charts ask for them.
    #[must_use]
    pub fn capabilities(&self) -> &Arc<Capabilities> {
        &self.capabilities
    }

    /// `group/version` and `group/version/Kind` of everything that is served, sorted.
    fn apis(&self) -> Vec<String> {
        let mut apis = BTreeSet::new();
        for resource in self.kinds.values().flatten() {
            let api_version = resource.gvk.api_version();
            apis.insert(format!("{api_version}/{}", resource.gvk.kind));
            apis.insert(api_version);
        }
        apis.into_iter().collect()
    }

    /// The resource of exactly this group, version and kind.
    #[must_use]
    pub fn resource(&self, gvk: &Gvk) -> Option<&Arc<Resource>> {
        self.versions(&gvk.group, &gvk.kind)
            .iter()
            .find(|r| r.gvk.version == gvk.version)
    }

    /// The resource of a group and kind in the server's preferred version.
    #[must_use]
    pub fn preferred(&self, group: &str, kind: &str) -> Option<&Arc<Resource>> {
        self.versions(group, kind).first()
    }

    /// The served versions of a group and kind, preferred first; empty for an unknown kind.
    #[must_use]
    pub fn versions(&self, group: &str, kind: &str) -> &[Arc<Resource>] {
        self.kinds
            .get(&(group.into(), kind.into()))
            .map_or(&[], Vec::as_slice)
    }

    /// Every kind once, in its preferred version.
    pub fn kinds(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.kinds.values().filter_map(|versions| versions.first())
    }

    fn add(&mut self, resource: Resource) {
        let key = (resource.gvk.group.clone(), resource.gvk.kind.clone());
        let versions = self.kinds.entry(key).or_default();
        if versions
            .iter()
            .all(|known| known.gvk.version != resource.gvk.version)
        {
            versions.push(Arc::new(resource));
        }
    }

    fn add_aggregated(&mut self, list: &Value) {
        for group in items(list, "items") {
            let group_name = group
                .at(&["metadata", "name"])
                .and_then(Value::as_str)
                .unwrap_or("");
            for version in items(group, "versions") {
                let version_name = version.get("version").and_then(Value::as_str).unwrap_or("");
                for resource in items(version, "resources") {
                    let text = |path: &[&str]| resource.at(path).and_then(Value::as_str);
                    let (Some(plural), Some(kind)) =
                        (text(&["resource"]), text(&["responseKind", "kind"]))
                    else {
                        continue;
                    };
                    // Empty stands for the group of the list.
                    let group = text(&["responseKind", "group"]).unwrap_or_default();
                    if !group.is_empty() && group != group_name {
                        continue; // a view of another group's kind, such as a scale
                    }
                    self.add(Resource {
                        gvk: Gvk {
                            group: group_name.into(),
                            version: version_name.into(),
                            kind: kind.into(),
                        },
                        plural: plural.into(),
                        namespaced: text(&["scope"]) == Some("Namespaced"),
                        watchable: has_verb(resource, "list") && has_verb(resource, "watch"),
                        deletable: has_verb(resource, "delete"),
                    });
                }
            }
        }
    }

    async fn add_legacy(
        &mut self,
        client: &Client,
        root: &str,
        answer: &Value,
    ) -> Result<(), Error> {
        for group_version in legacy_group_versions(answer) {
            let path = format!("{root}/{group_version}");
            match client.read(&path, "application/json").await {
                Ok(list) => self.add_legacy_resources(&group_version, &list),
                // An aggregated API whose server is down must not hide the others.
                Err(Error::Status {
                    code: 404 | 503, ..
                }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn add_legacy_resources(&mut self, group_version: &str, list: &Value) {
        for resource in items(list, "resources") {
            let text = |key: &str| resource.get(key).and_then(Value::as_str).unwrap_or("");
            let (plural, kind) = (text("name"), text("kind"));
            if plural.is_empty() || plural.contains('/') {
                continue;
            }
            self.add(Resource {
                gvk: Gvk::new(group_version, kind),
                plural: plural.into(),
                namespaced: resource.get("namespaced").and_then(Value::as_bool) == Some(true),
                watchable: has_verb(resource, "list") && has_verb(resource, "watch"),
                deletable: has_verb(resource, "delete"),
            });
        }
    }
}

/// Such as `v1.35.4`; empty where a server does not say.
async fn server_version(client: &Client) -> Result<String, Error> {
    match client.read("/version", "application/json").await {
        Ok(answer) => {
            let version = answer.get("gitVersion").and_then(Value::as_str);
            Ok(version.unwrap_or_default().to_owned())
        }
        Err(Error::Status {
            code: 403 | 404, ..
        }) => Ok(String::new()),
        Err(error) => Err(error),
    }
}

fn legacy_group_versions(answer: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if answer.get("groups").is_none() {
        return items(answer, "versions").iter().filter_map(text).collect();
    }
    let mut found = Vec::new();
    for group in items(answer, "groups") {
        let preferred = group
            .at(&["preferredVersion", "groupVersion"])
            .and_then(text);
        let all = items(group, "versions")
            .iter()
            .filter_map(|v| v.get("groupVersion").and_then(text));
        found.extend(preferred.iter().cloned());
        found.extend(all.filter(|version| Some(version) != preferred.as_ref()));
    }
    found
}

fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_list).unwrap_or_default()
}

fn has_verb(resource: &Value, verb: &str) -> bool {
    items(resource, "verbs")
        .iter()
        .any(|known| known.as_str() == Some(verb))
}
