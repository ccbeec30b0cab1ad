//! How far a watch has come: the difference between an answer that is news and one that is overtaken.

use manifest::Object;

/// The newest resource version of one kind that its watch has told.
///
/// The answer to a request can arrive after the watch has told that its object is gone. Taken for
/// news, it would bring back an object that nothing ever removes again: the watch has said its word.
/// An object that the watch does not know counts only when it is newer than all that the watch has
/// told. Versions of one kind can be compared (KEP-5504); one that is no number cannot, and its
/// object counts as new.
#[derive(Clone, Copy, Debug, Default)]
pub struct Horizon(Option<u64>);

impl Horizon {
    /// Begins anew at a list, with the version of the list.
    pub fn listed(&mut self, version: &str) {
        self.0 = version.parse().ok();
    }

    /// Goes on to an object, whether it was changed or deleted: a deletion has a version of its own.
    pub fn reached(&mut self, object: &Object) {
        self.0 = self.0.max(version(object));
    }

    /// Whether the watch has come past this state of an object: if it does not know the object, that
    /// is because it is gone.
    #[must_use]
    pub fn is_past(self, object: &Object) -> bool {
        version(object).is_some_and(|it| self.0.is_some_and(|seen| it <= seen))
    }
}

/// Resource versions are decimal numbers that grow.
pub(crate) fn version(object: &Object) -> Option<u64> {
    object.resource_version().parse().ok()
}
