//! CustomResourceDefinitions: what they serve, and their life from creation to clean-up.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::Timestamp;
use manifest::schema::Schema;
use yaml::{Map, Str, Value};

use crate::conversion::Converter;
use crate::core::Core;
use crate::meta;
use crate::registry::{Group, Resource, Subresource, Version};
use life::clock;
use store::{Collection, Draft, Expect, Stored};

/// Keeps a definition until its objects are gone.
const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// One served version of a custom resource.
#[derive(Clone, Debug, Default)]
pub(crate) struct Served {
    /// `openAPIV3Schema` as it stands.
    pub(crate) openapi: Value,
    read: OnceLock<structural::Schema>,
    rules: OnceLock<Option<structural::Rules>>,
    shapes: OnceLock<Option<Schema>>,
    pub(crate) selectable_fields: Vec<String>,
    /// Where the scale subresource reads and writes.
    pub(crate) scale: Option<ScalePaths>,
    pub(crate) has_status: bool,
    /// `additionalPrinterColumns`.
    pub(crate) columns: Vec<Value>,
    /// Who makes objects of other versions; `None` when they differ by name only.
    pub(crate) converter: Option<Arc<Converter>>,
}

/// The paths of a scale subresource, with their leading dots.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScalePaths {
    pub(crate) replicas: String,
    pub(crate) status: String,
    pub(crate) selector: Option<String>,
}

/// A schema is read when the first object needs it: clusters have many definitions without any.
impl Served {
    /// The schema, read: for pruning, defaults and validation.
    pub(crate) fn structural(&self) -> &structural::Schema {
        self.read
            .get_or_init(|| structural::Schema::parse(&self.openapi))
    }

    /// Its CEL rules, compiled; `None` when there are none.
    pub(crate) fn rules(&self, core: &Core) -> Option<&structural::Rules> {
        self.rules
            .get_or_init(|| structural::Rules::compile(self.structural(), &core.rules))
            .as_ref()
    }

    /// The schema as shapes, for patches and ownership; `None` when it cannot be read.
    pub(crate) fn shapes(&self, core: &Core) -> Option<&Schema> {
        self.shapes
            .get_or_init(|| core.schemas.custom(&self.openapi).ok())
            .as_ref()
    }

    /// Fields that objects can be selected by, without a leading dot.
    pub(crate) fn selectable_fields(&self) -> impl Iterator<Item = &str> {
        self.selectable_fields.iter().map(String::as_str)
    }
}

/// Where definitions are kept.
pub(crate) fn collection() -> Collection {
    Collection::new("apiextensions.k8s.io", "customresourcedefinitions")
}

fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    value.at(path).and_then(Value::as_str).unwrap_or_default()
}

fn texts(value: &Value, path: &[&str]) -> Vec<Str> {
    list(value, path)
        .iter()
        .filter_map(Value::as_str)
        .map(Str::from)
        .collect()
}

fn list<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    value.at(path).and_then(Value::as_list).unwrap_or_default()
}

fn flag(value: &Value, path: &[&str]) -> bool {
    value.at(path).and_then(Value::as_bool).unwrap_or(false)
}

/// The defaults of a new definition.
pub(crate) fn default(value: &mut Value) {
    let kind = text(value, &["spec", "names", "kind"]).to_owned();
    let spec = value.map_at_mut(&["spec"]);
    let conversion = Map::from([("strategy", "None".into())]);
    spec.entry_or_insert("conversion", conversion.into());
    let names = value.map_at_mut(&["spec", "names"]);
    let absent = |names: &Map, key: &str| {
        names
            .get(key)
            .and_then(Value::as_str)
            .is_none_or(str::is_empty)
    };
    if absent(names, "singular") {
        names.insert("singular", kind.to_lowercase());
    }
    if absent(names, "listKind") {
        names.insert("listKind", format!("{kind}List"));
    }
}

/// The status of a new definition.
pub(crate) fn initial_status(value: &Value) -> Value {
    let stored: Vec<Value> = list(value, &["spec", "versions"])
        .iter()
        .filter(|version| flag(version, &["storage"]))
        .map(|version| text(version, &["name"]).into())
        .collect();
    let names = Map::from([("kind", "".into()), ("plural", "".into())]);
    Value::Map(Map::from([
        ("acceptedNames", names.into()),
        ("conditions", Value::Null),
        ("storedVersions", stored.into()),
    ]))
}

/// Follows a write of a definition: its names are accepted, it is established, and served.
pub(crate) fn reconcile(core: &Core, now: Timestamp, name: &str) -> u64 {
    let mut revision = 0;
    // A concurrent write makes another reconciliation, which then finds the newest state.
    if let Some(stored) = core.store.get(&collection(), "", name) {
        let value = stored.value();
        if !meta::is_terminating(&value) {
            revision = accept(core, now, &stored, &value);
        }
    }
    core.set_registry(core.built_in.with(groups(core)));
    revision
}

fn accept(core: &Core, now: Timestamp, stored: &Stored, old: &Value) -> u64 {
    let mut new = old.clone();
    let (names, conflict) = accepted_names(core, old);
    let now = clock::seconds(now);
    let status = new.map_at_mut(&["status"]);
    status.insert("acceptedNames", names);
    let was_established = is_established(old);
    let (accepted, why) = match &conflict {
        Some((reason, message)) => ("False", (*reason, message.as_str())),
        None => ("True", ("NoConflicts", "no conflicts found")),
    };
    set_condition(status, ("NamesAccepted", accepted), why, &now);
    if conflict.is_none() {
        let why = (
            "InitialNamesAccepted",
            "the initial names have been accepted",
        );
        set_condition(status, ("Established", "True"), why, &now);
    } else if !was_established {
        let why = ("NotAccepted", "not all names are accepted");
        set_condition(status, ("Established", "False"), why, &now);
    }
    approve(status, old, &now);
    if new == *old {
        return 0;
    }
    crate::ownership::track_system(core, &collection_kind(), old, &mut new);
    let expect = Expect::Revision(stored.revision);
    match core.store.put(&collection(), expect, new) {
        Ok(stored) => stored.revision,
        Err(_) => 0,
    }
}

/// Says of a definition in a group of Kubernetes itself whether it was approved.
fn approve(status: &mut Map, definition: &Value, now: &str) {
    use structural::definition::{Approval, approval_of, is_protected};
    if !is_protected(text(definition, &["spec", "group"])) {
        return;
    }
    let (state, message) = approval_of(definition);
    let (is, reason) = match state {
        Approval::Approved => ("True", "ApprovedAnnotation"),
        Approval::Bypassed => ("False", "UnapprovedAnnotation"),
        Approval::Invalid => ("False", "InvalidAnnotation"),
        Approval::Missing => ("False", "MissingAnnotation"),
    };
    let what = ("KubernetesAPIApprovalPolicyConformant", is);
    set_condition(status, what, (reason, &message), now);
}

fn collection_kind() -> manifest::Gvk {
    manifest::Gvk::new("apiextensions.k8s.io/v1", "CustomResourceDefinition")
}

/// Sets one condition; its time changes only with its status.
fn set_condition(status: &mut Map, what: (&str, &str), why: (&str, &str), now: &str) {
    let conditions = status.entry_or_insert("conditions", Value::Null);
    if !matches!(conditions, Value::List(_)) {
        *conditions = Value::List(Vec::new());
    }
    let Some(list) = conditions.as_list_mut() else {
        return;
    };
    let mut condition = Map::from([
        ("type", what.0.into()),
        ("status", what.1.into()),
        ("reason", why.0.into()),
        ("message", why.1.into()),
        ("lastTransitionTime", now.into()),
    ]);
    match list
        .iter_mut()
        .find(|known| text(known, &["type"]) == what.0)
    {
        Some(known) => {
            if text(known, &["status"]) == what.1
                && let Some(time) = known.get("lastTransitionTime")
            {
                condition.insert("lastTransitionTime", time.clone());
            }
            *known = condition.into();
        }
        None => list.push(condition.into()),
    }
}

/// The reason and the message of a name that another definition has.
type Conflict = (&'static str, String);

/// The names that a definition gets, each one it may have, and the last conflict.
fn accepted_names(core: &Core, value: &Value) -> (Value, Option<Conflict>) {
    let (resources, kinds) = used_names(core, text(value, &["spec", "group"]));
    let spec = value.at(&["spec", "names"]).cloned().unwrap_or_default();
    let status = value.at(&["status", "acceptedNames"]);
    let mut names = status.cloned().unwrap_or_default();
    let mut conflict = None;
    let members = names.map_at_mut(&[]);
    for (key, reason, used) in [
        ("plural", "PluralConflict", &resources),
        ("singular", "SingularConflict", &resources),
        ("shortNames", "ShortNamesConflict", &resources),
        ("kind", "KindConflict", &kinds),
        ("listKind", "ListKindConflict", &kinds),
    ] {
        let wanted = wanted_names(&spec, key);
        let held = status.map(|status| wanted_names(status, key));
        let taken: Vec<String> = wanted
            .iter()
            .filter(|name| !held.as_ref().is_some_and(|held| held.contains(name)))
            .filter(|name| used.contains(name))
            .map(|name| format!("{} is already in use", crate::status_error::quoted(name)))
            .collect();
        match taken.as_slice() {
            [] => match spec.get(key) {
                Some(name) => {
                    members.insert(key, name.clone());
                }
                None => {
                    members.remove(key);
                }
            },
            [one] => conflict = Some((reason, one.clone())),
            many => conflict = Some((reason, format!("[{}]", many.join(", ")))),
        }
    }
    match spec.get("categories") {
        Some(categories) => {
            members.insert("categories", categories.clone());
        }
        None => {
            members.remove("categories");
        }
    }
    (names, conflict)
}

/// One name or several.
fn wanted_names(names: &Value, key: &str) -> Vec<Str> {
    match names.get(key) {
        Some(Value::String(name)) => vec![name.clone()],
        _ => texts(names, &[key]),
    }
}

/// The names of resources and of kinds that definitions of a group have.
fn used_names(core: &Core, group: &str) -> (Vec<Str>, Vec<Str>) {
    let (mut resources, mut kinds) = (Vec::new(), Vec::new());
    for stored in core.store.list(&collection(), None).objects {
        let value = stored.value();
        let accepted = value.at(&["status", "acceptedNames"]);
        let Some(accepted) = accepted.filter(|_| text(&value, &["spec", "group"]) == group) else {
            continue;
        };
        for key in ["plural", "singular", "shortNames"] {
            resources.extend(wanted_names(accepted, key));
        }
        for key in ["kind", "listKind"] {
            kinds.extend(wanted_names(accepted, key));
        }
    }
    (resources, kinds)
}

/// Notes the version in which objects are kept from now on.
pub(crate) fn note_stored_version(value: &mut Value) {
    let storage = list(value, &["spec", "versions"])
        .iter()
        .find(|version| flag(version, &["storage"]))
        .and_then(|version| version.get("name").cloned());
    let Some(storage) = storage else { return };
    let status = value.map_at_mut(&["status"]);
    let stored = status.entry_or_insert("storedVersions", Value::List(Vec::new()));
    if let Some(stored) = stored.as_list_mut()
        && !stored.contains(&storage)
    {
        stored.push(storage);
    }
}

fn is_established(value: &Value) -> bool {
    list(value, &["status", "conditions"])
        .iter()
        .any(|condition| {
            text(condition, &["type"]) == "Established" && text(condition, &["status"]) == "True"
        })
}

/// The resources that definitions serve, by name, with the revision that they were read from.
pub(crate) type Cache = Mutex<HashMap<Str, (u64, Vec<Arc<Resource>>)>>;

/// The resources that a definition serves; read again only when it has changed.
fn resources(core: &Core, stored: &Stored) -> Vec<Arc<Resource>> {
    let mut cache = core
        .definitions
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some((revision, resources)) = cache.get(&*stored.name)
        && *revision == stored.revision
    {
        return resources.clone();
    }
    let value = stored.value();
    let versions = list(&value, &["spec", "versions"]).iter();
    let converter = Converter::of(&value);
    let resources: Vec<Arc<Resource>> = versions
        .filter(|version| is_established(&value) && flag(version, &["served"]))
        .map(|version| Arc::new(resource(&value, version, converter.as_ref())))
        .collect();
    let name = Str::from(&*stored.name);
    cache.insert(name, (stored.revision, resources.clone()));
    resources
}

/// The groups that the definitions of the store serve.
fn groups(core: &Core) -> Vec<Group> {
    let mut versions: BTreeMap<Str, BTreeMap<Reverse<Priority>, Version>> = BTreeMap::new();
    let definitions = core.store.list(&collection(), None).objects;
    for resource in definitions
        .iter()
        .flat_map(|stored| resources(core, stored))
    {
        versions
            .entry(resource.group.clone())
            .or_default()
            .entry(Reverse(priority(&resource.version)))
            .or_insert_with(|| Version {
                name: resource.version.clone(),
                resources: Vec::new(),
            })
            .resources
            .push(resource);
    }
    let known = |name: &Str| definitions.iter().any(|stored| *stored.name == **name);
    core.definitions
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .retain(|name, _| known(name));
    versions
        .into_iter()
        .map(|(name, versions)| Group {
            name,
            versions: versions.into_values().collect(),
        })
        .collect()
}

/// Versions in Kubernetes' order: stable before beta before alpha, then by number, then by name.
type Priority = (u8, u64, u64, Reverse<Str>);

fn priority(version: &str) -> Priority {
    let name = Reverse(Str::from(version));
    let other = (0, 0, 0, name.clone());
    let Some(rest) = version.strip_prefix('v') else {
        return other;
    };
    let end = rest
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(rest.len());
    let (major, rest) = rest.split_at(end);
    let Ok(major) = major.parse::<u64>() else {
        return other;
    };
    let minor = |text: &str| text.parse::<u64>().ok();
    if rest.is_empty() {
        return (3, major, 0, name);
    }
    match (
        rest.strip_prefix("beta").and_then(minor),
        rest.strip_prefix("alpha").and_then(minor),
    ) {
        (Some(minor), _) => (2, major, minor, name),
        (_, Some(minor)) => (1, major, minor, name),
        _ => other,
    }
}

/// Verbs of custom resources, in the order in which the real server lists them.
const VERBS: [&str; 8] = [
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "create",
    "update",
    "watch",
];

fn resource(definition: &Value, version: &Value, converter: Option<&Arc<Converter>>) -> Resource {
    let group = Str::from(text(definition, &["spec", "group"]));
    let names = |key: &str| Str::from(text(definition, &["spec", "names", key]));
    let storage = list(definition, &["spec", "versions"])
        .iter()
        .find(|version| flag(version, &["storage"]))
        .map_or("", |version| text(version, &["name"]));
    let openapi = version
        .at(&["schema", "openAPIV3Schema"])
        .cloned()
        .unwrap_or_default();
    let subresources = version.get("subresources");
    let scale = subresources
        .and_then(|subresources| subresources.get("scale"))
        .map(|scale| ScalePaths {
            replicas: text(scale, &["specReplicasPath"]).to_owned(),
            status: text(scale, &["statusReplicasPath"]).to_owned(),
            selector: Some(text(scale, &["labelSelectorPath"]).to_owned())
                .filter(|path| !path.is_empty()),
        });
    let has_status = subresources.is_some_and(|subresources| subresources.get("status").is_some());
    let mut parts = Vec::new();
    let part = |name: &str, group: &str, version: &str, kind: &str| Subresource {
        name: name.into(),
        group: group.into(),
        version: version.into(),
        kind: kind.into(),
        verbs: ["get", "patch", "update"].map(Str::from).to_vec(),
    };
    let version_name = text(version, &["name"]);
    if has_status {
        parts.push(part("status", "", "", &names("kind")));
    }
    if scale.is_some() {
        parts.push(part("scale", "autoscaling", "v1", "Scale"));
    }
    let plural = names("plural");
    Resource {
        collection: Collection::new(&group, &plural),
        storage: format!("{group}/{storage}").into(),
        version: version_name.into(),
        singular: names("singular"),
        kind: names("kind"),
        list_kind: names("listKind"),
        short_names: texts(definition, &["spec", "names", "shortNames"]),
        categories: texts(definition, &["spec", "names", "categories"]),
        namespaced: text(definition, &["spec", "scope"]) == "Namespaced",
        verbs: VERBS.map(Str::from).to_vec(),
        subresources: parts,
        custom: Some(Arc::new(Served {
            openapi,
            read: OnceLock::new(),
            rules: OnceLock::new(),
            shapes: OnceLock::new(),
            selectable_fields: list(version, &["selectableFields"])
                .iter()
                .map(|field| {
                    text(field, &["jsonPath"])
                        .trim_start_matches('.')
                        .to_owned()
                })
                .collect(),
            scale,
            has_status,
            columns: list(version, &["additionalPrinterColumns"]).to_vec(),
            converter: converter.cloned(),
        })),
        group,
        plural,
    }
}

/// Marks a definition for deletion; [`clean_up`] does the rest.
pub(crate) fn mark(value: &mut Value, now: Timestamp) {
    let now = clock::seconds(now);
    meta::of(value).insert("deletionTimestamp", now.as_str());
    let mut finalizers: Vec<String> = meta::finalizers(value)
        .into_iter()
        .map(str::to_owned)
        .collect();
    if !finalizers.iter().any(|name| name == FINALIZER) {
        finalizers.push(FINALIZER.to_owned());
    }
    meta::set_finalizers(value, &finalizers);
    set_condition(
        value.map_at_mut(&["status"]),
        ("Terminating", "True"),
        (
            "InstanceDeletionPending",
            "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
        ),
        &now,
    );
}

/// Deletes the objects of a definition that is being deleted, then the definition itself when
/// nothing else holds it. Gives the last revision.
pub(crate) fn clean_up(core: &Core, now: Timestamp, name: &str) -> u64 {
    let Some(stored) = core.store.get(&collection(), "", name) else {
        return 0;
    };
    let mut definition = stored.value();
    if !meta::is_terminating(&definition) {
        return 0;
    }
    let objects = Collection::new(
        text(&definition, &["spec", "group"]),
        text(&definition, &["spec", "names", "plural"]),
    );
    let mut revision = 0;
    for object in core.store.list(&objects, None).objects {
        revision = revision.max(remove_object(core, now, &objects, &object));
    }
    if !core.store.list(&objects, None).objects.is_empty() {
        return revision;
    }
    core.store.drop_collection(&objects);
    let finalizers: Vec<String> = meta::finalizers(&definition)
        .into_iter()
        .filter(|name| *name != FINALIZER)
        .map(str::to_owned)
        .collect();
    let written = if finalizers.is_empty() {
        core.store.remove(&collection(), &stored)
    } else {
        meta::set_finalizers(&mut definition, &finalizers);
        let expect = Expect::Revision(stored.revision);
        core.store.put(&collection(), expect, definition)
    };
    core.set_registry(core.built_in.with(groups(core)));
    written.map_or(revision, |stored| stored.revision.max(revision))
}

fn remove_object(core: &Core, now: Timestamp, objects: &Collection, object: &Stored) -> u64 {
    let mut value = object.value();
    let written = if meta::finalizers(&value).is_empty() {
        core.store.remove(objects, object)
    } else if meta::is_terminating(&value) {
        return 0;
    } else {
        let generation = meta::generation(&value) + 1;
        let metadata = meta::of(&mut value);
        metadata.insert("deletionTimestamp", clock::seconds(now));
        metadata.insert("deletionGracePeriodSeconds", 0);
        metadata.insert("generation", generation);
        let draft = Draft {
            version: object.version.clone(),
            ..Draft::from(value)
        };
        core.store
            .put(objects, Expect::Revision(object.revision), draft)
    };
    // Who was faster has written a newer object, which the next clean-up finds.
    written.map_or(0, |stored| stored.revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_versions_come_first() {
        let mut versions = ["v1alpha1", "v2", "v1", "foo", "v1beta2", "v1beta1", "v10"];
        versions.sort_by_key(|version| Reverse(priority(version)));
        assert_eq!(
            versions,
            ["v10", "v2", "v1", "v1beta2", "v1beta1", "v1alpha1", "foo"]
        );
    }
}
