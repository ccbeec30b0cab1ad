//! The few kinds that are served in another version than they are kept in.

use yaml::Value;

use crate::registry::Resource;

/// Whether the stored text can be sent as it is.
pub(crate) fn is_stored_as_served(resource: &Resource) -> bool {
    let kept = &*resource.storage;
    let (group, version) = kept.rsplit_once('/').unwrap_or(("", kept));
    resource.custom.is_some() || (resource.group == group && resource.version == version)
}

/// A stored tree in the version of `resource`.
pub(crate) fn from_storage(resource: &Resource, value: Value) -> Value {
    if is_stored_as_served(resource) {
        return value;
    }
    resource.handle().from_storage(value)
}

/// A tree in the version of `resource`, as it is stored.
pub(crate) fn to_storage(resource: &Resource, value: Value) -> Value {
    if is_stored_as_served(resource) {
        return value;
    }
    resource.handle().to_storage(value)
}
