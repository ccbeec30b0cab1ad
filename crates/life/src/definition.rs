//! Custom resources: what an established CustomResourceDefinition adds to the registry.

use manifest::Object;

use super::fields::{flag, items, text};
use super::kind::{Detail, Resource};

/// The resource that a definition serves; `None` until it is established.
pub(crate) fn served(definition: &Object) -> Option<Resource> {
    let value = definition.value();
    items(value, &["status", "conditions"])
        .iter()
        .find(|condition| {
            text(condition, &["type"]) == "Established" && text(condition, &["status"]) == "True"
        })?;
    let mut versions = items(value, &["spec", "versions"])
        .iter()
        .filter(|version| flag(version, &["served"]));
    let version = versions.next()?;
    Some(Resource {
        group: text(value, &["spec", "group"]).into(),
        version: text(version, &["name"]).into(),
        plural: text(value, &["spec", "names", "plural"]).into(),
        kind: text(value, &["spec", "names", "kind"]).into(),
        namespaced: text(value, &["spec", "scope"]) == "Namespaced",
        detail: Detail::Metadata,
        also: versions
            .map(|version| text(version, &["name"]).into())
            .collect(),
    })
}
