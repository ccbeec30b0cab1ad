//! Kinds that are served in several versions, but kept in one.
//!
//! A kind is in [`VERSIONS`] with two functions: to the version that is kept, and back. All that
//! reads and writes goes through them, so nothing else knows that there are other versions.

mod autoscaling;
mod events;

use yaml::Value;

use crate::Kind;
use crate::strategy::TEMPLATE_GENERATION;

type Conversion = fn(&mut Value);

/// Group, version and plural of what is served otherwise than it is kept; how it gets there and
/// back.
const VERSIONS: [(&str, &str, &str, Conversion, Conversion); 2] = [
    (
        "autoscaling",
        "v1",
        "horizontalpodautoscalers",
        autoscaling::to_v2,
        autoscaling::to_v1,
    ),
    (
        "events.k8s.io",
        "v1",
        "events",
        events::to_core,
        events::from_core,
    ),
];

impl Kind<'_> {
    fn conversions(&self) -> Option<(Conversion, Conversion)> {
        let (group, plural) = self.place();
        let found = VERSIONS.iter().find(|(known, version, resource, ..)| {
            (*known, *version, *resource) == (group, self.version, plural)
        });
        found.map(|(_, _, _, there, back)| (*there, *back))
    }

    /// An object of this version in the one that is kept.
    #[must_use]
    pub fn to_storage(&self, mut value: Value) -> Value {
        if let Some((there, _)) = self.conversions() {
            there(&mut value);
        }
        value
    }

    /// An object without the annotations that the server's internal types keep in members of their
    /// own: partial objects in tables are made of these types.
    #[must_use]
    pub fn internal_metadata(&self, mut value: Value) -> Value {
        if self.place() != ("apps", "daemonsets") {
            return value;
        }
        let metadata = value.map_at_mut(&["metadata"]);
        if let Some(Value::Map(annotations)) = metadata.get_mut("annotations") {
            annotations.remove(TEMPLATE_GENERATION);
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
        value
    }

    /// A kept object in this version.
    #[must_use]
    pub fn from_storage(&self, mut value: Value) -> Value {
        if let Some((_, back)) = self.conversions() {
            back(&mut value);
        }
        value
    }
}
