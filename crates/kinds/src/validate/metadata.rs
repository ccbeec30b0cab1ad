//! Names, labels, annotations, finalizers and owners: what all kinds share.

use yaml::{Map, Value};

use super::field::Field;
use crate::quoted;
use crate::{FieldError, Kind, Part, ip, names};

/// All annotations together may have this many bytes.
const ANNOTATIONS: usize = 256 * 1024;
/// Finalizers without a domain that are known.
const STANDARD: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];
/// Finalizers that say opposite things about dependents.
const OPPOSITES: [&str; 2] = ["orphan", "foregroundDeletion"];
/// The kind that owns nothing: events are gone before what they tell of.
const BANNED: &str = "v1, Kind=Event";
/// What no update changes.
const IMMUTABLE: [&str; 3] = ["uid", "deletionTimestamp", "deletionGracePeriodSeconds"];

/// How the rules of a kind look at the metadata of an update, after the generic registry did.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    /// They do not.
    Never,
    /// At what changed.
    Change,
    /// As at that of a new object.
    Whole,
    /// At what changed, and as at that of a new object.
    Both,
    /// As at that of a new object, and once more.
    Twice,
}

/// Found by asking a real server how often it tells the same of an update.
fn again(kind: Kind<'_>, part: Part) -> Again {
    match part {
        Part::Main => {}
        Part::Status if kind.place() == ("batch", "cronjobs") => return Again::Never,
        Part::Resize | Part::EphemeralContainers => return Again::Both,
        Part::Status | Part::Other => return Again::Change,
    }
    match kind.place() {
        ("policy", _) | ("", "events") => Again::Never,
        ("", "limitranges") | ("discovery.k8s.io" | "admissionregistration.k8s.io", _) => {
            Again::Whole
        }
        ("", "persistentvolumes") => Again::Twice,
        ("", "configmaps" | "endpoints" | "namespaces" | "persistentvolumeclaims" | "pods")
        | ("", "secrets" | "serviceaccounts")
        | ("apps", "controllerrevisions")
        | ("batch", "jobs")
        | ("node.k8s.io", _)
        | ("networking.k8s.io" | "rbac.authorization.k8s.io", _)
        | ("storage.k8s.io", "storageclasses") => Again::Both,
        _ => Again::Change,
    }
}

pub(super) fn check(kind: Kind<'_>, object: &Field<'_, '_>, part: Option<Part>) {
    let metadata = object.get("metadata");
    let Some(part) = part else {
        return whole(kind, &metadata);
    };
    state(&metadata);
    change(&metadata);
    let again = again(kind, part);
    if matches!(again, Again::Change | Again::Both) {
        change(&metadata);
        own_finalizers(kind, &metadata.get("finalizers"));
    }
    if matches!(again, Again::Whole | Again::Both | Again::Twice) {
        whole(kind, &metadata);
    }
    if again == Again::Twice {
        whole(kind, &metadata);
    }
}

/// The metadata of a new object.
fn whole(kind: Kind<'_>, metadata: &Field<'_, '_>) {
    let generated = metadata.get("generateName");
    generated.optional_name(|text| problems(kind, &without_last_dash(text)));
    name(kind, &metadata.get("name"));
    state(metadata);
    own_finalizers(kind, &metadata.get("finalizers"));
}

/// What must hold for the metadata of any object.
fn state(metadata: &Field<'_, '_>) {
    metadata.get("generation").not_negative();
    contents(metadata);
    finalizers(&metadata.get("finalizers"));
}

fn contents(metadata: &Field<'_, '_>) {
    labels(&metadata.get("labels"));
    annotations(&metadata.get("annotations"));
    owners(&metadata.get("ownerReferences"));
}

fn name(kind: Kind<'_>, name: &Field<'_, '_>) {
    if name.is_empty() {
        name.required("name or generateName is required");
        return;
    }
    name.problems(|name| problems(kind, name));
}

/// A prefix of names may end in a dash, which no name does.
fn without_last_dash(prefix: &str) -> String {
    match prefix.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => {
            format!("{}a", rest.get(..rest.len() - 1).unwrap_or(rest))
        }
        _ => prefix.to_owned(),
    }
}

fn problems(kind: Kind<'_>, name: &str) -> Vec<String> {
    match (kind.group, kind.plural) {
        ("", "namespaces") | ("apps", "statefulsets") => names::label_problems(name),
        ("", "services") => names::label_1035_problems(name),
        ("networking.k8s.io", "ipaddresses") => ip::problems(name),
        ("rbac.authorization.k8s.io" | "policy" | "certificates.k8s.io", _)
        | ("apiregistration.k8s.io", _)
        | ("", "events") => names::path_segment_problems(name),
        _ => names::subdomain_problems(name),
    }
}

/// Keys and values of labels.
pub(super) fn labels(labels: &Field<'_, '_>) {
    for (key, value) in labels.map().into_iter().flat_map(Map::iter) {
        for problem in names::qualified_name_problems(key) {
            labels.invalid_as(&key.clone().into(), &problem);
        }
        let value = value.as_str().unwrap_or_default();
        for problem in names::label_value_problems(value) {
            labels.invalid_as(&value.into(), &problem);
        }
    }
}

/// Keys and total size of annotations.
pub(super) fn annotations(annotations: &Field<'_, '_>) {
    let mut size = 0;
    for (key, text) in annotations.map().into_iter().flat_map(Map::iter) {
        for problem in names::qualified_name_problems(&key.to_lowercase()) {
            annotations.invalid_as(&key.clone().into(), &problem);
        }
        size += key.len() + text.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS {
        annotations.too_long(ANNOTATIONS);
    }
}

fn owners(owners: &Field<'_, '_>) {
    let mut controllers = Vec::new();
    for owner in owners.items() {
        // Told under the list, without the index.
        let member = |name: &'static str| (owners.get(name), owner.get(name).text());
        let (place, version) = member("apiVersion");
        if version.is_empty() || version.split('/').count() > 2 {
            place.invalid_as(&version.into(), "version must not be empty");
        }
        for name in ["kind", "name", "uid"] {
            let (place, text) = member(name);
            if text.is_empty() {
                place.invalid_as(&"".into(), "must not be empty");
            }
        }
        let told = format!("{version}, Kind={}", owner.get("kind").text());
        if told == BANNED {
            let why = format!("/{told} is disallowed from being an owner");
            owners.tell(|path| FieldError::invalid_printed(path, &printed_owner(&owner), &why));
        }
        if owner.get("controller").is_true() {
            let (kind, name) = (owner.get("kind").text(), owner.get("name").text());
            controllers.push(format!("{kind}/{name}"));
        }
    }
    if let [first, second, ..] = controllers.as_slice() {
        let why = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for \
             {first} and {second}"
        );
        owners.tell(|path| FieldError::invalid_printed(path, &printed(owners), &why));
    }
}

/// An owner with its members in the order of the server's type.
fn printed_owner(owner: &Field<'_, '_>) -> String {
    const MEMBERS: [&str; 6] = [
        "apiVersion",
        "kind",
        "name",
        "uid",
        "controller",
        "blockOwnerDeletion",
    ];
    let members = MEMBERS.iter().filter_map(|name| {
        let text = yaml::json::to_string(owner.get(name).value()?);
        Some(format!("\"{name}\":{text}"))
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

fn printed(owners: &Field<'_, '_>) -> String {
    let owners = owners.items().map(|owner| printed_owner(&owner));
    format!("[{}]", owners.collect::<Vec<_>>().join(","))
}

fn finalizers(finalizers: &Field<'_, '_>) {
    let names = || finalizers.list().iter().filter_map(Value::as_str);
    for name in names() {
        for problem in names::qualified_name_problems(name) {
            finalizers.invalid_as(&name.into(), &problem);
        }
    }
    if OPPOSITES.iter().all(|name| names().any(|has| has == *name)) {
        let [one, other] = OPPOSITES;
        finalizers.invalid(&format!("finalizer {one} and {other} cannot be both set"));
    }
}

/// Only built-in kinds refuse bare names; for others they are discouraged.
fn own_finalizers(kind: Kind<'_>, finalizers: &Field<'_, '_>) {
    let free = matches!(
        (kind.group, kind.plural),
        (
            "admissionregistration.k8s.io" | "coordination.k8s.io" | "node.k8s.io" | "policy",
            _
        ) | ("", "events")
    );
    for finalizer in finalizers.items().filter(|_| !kind.custom && !free) {
        let name = finalizer.text();
        if !name.contains('/') && !STANDARD.contains(&name) {
            finalizer
                .invalid("name is neither a standard finalizer name nor is it fully qualified");
        }
    }
}

/// What must hold for a change of metadata.
fn change(metadata: &Field<'_, '_>) {
    no_new_finalizers(metadata);
    for key in IMMUTABLE {
        metadata.get(key).immutable();
    }
    contents(metadata);
}

fn no_new_finalizers(metadata: &Field<'_, '_>) {
    if metadata.get("deletionTimestamp").old().is_none() {
        return;
    }
    let finalizers = metadata.get("finalizers");
    let had = finalizers
        .old()
        .and_then(Value::as_list)
        .unwrap_or_default();
    let added: Vec<String> = finalizers
        .list()
        .iter()
        .filter(|name| !had.contains(name))
        .filter_map(Value::as_str)
        .map(quoted)
        .collect();
    if !added.is_empty() {
        finalizers.forbidden(&format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers \
             []string{{{}}}",
            added.join(", ")
        ));
    }
}
