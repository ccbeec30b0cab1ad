//! What a controller asks for: the writes of one decision, as values.
//!
//! [`Outcome`] is what every controller gives back. The runtime turns each [`Write`] into one
//! request of the Kubernetes API; nothing here does I/O.

use jiff::Timestamp;
use manifest::Object;
use yaml::{Map, Str, Value};

use super::fields::map;
use super::kind::Kind;
use super::logs::Told;
use super::world::Ref;

/// What one look at one object led to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Done in this order; the rest is left out after one that fails.
    pub(crate) writes: Vec<Write>,
    /// When to look again, if nothing changes before.
    pub(crate) again: Option<Timestamp>,
}

impl Outcome {
    /// Nothing to do.
    pub(crate) fn nothing() -> Self {
        Outcome::default()
    }

    /// Adds a write.
    pub(crate) fn push(&mut self, write: impl Into<Option<Write>>) {
        self.writes.extend(write.into());
    }

    /// Asks to look again at `time`, or earlier if that was asked already.
    pub(crate) fn again_at(&mut self, time: impl Into<Option<Timestamp>>) {
        if let Some(time) = time.into() {
            self.again = Some(self.again.map_or(time, |other| other.min(time)));
        }
    }
}

impl From<Vec<Write>> for Outcome {
    fn from(writes: Vec<Write>) -> Self {
        Outcome {
            writes,
            again: None,
        }
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Write {
    /// Creates an object; the note's `{name}` becomes the name that it got.
    Create {
        /// The resource.
        kind: Kind,
        /// The object, its namespace included.
        object: Object,
        /// Recorded when it worked.
        note: Option<Note>,
    },
    /// A JSON merge patch.
    Patch {
        /// The object.
        target: Ref,
        /// Which part of it.
        part: Part,
        /// The patch.
        body: Value,
        /// Recorded when it worked.
        note: Option<Note>,
    },
    /// A PUT, for subresources that know no patch.
    Replace {
        /// The object.
        target: Ref,
        /// Which part of it.
        part: Part,
        /// The new state.
        body: Value,
    },
    /// Gives a pod its node.
    Bind {
        /// The pod.
        pod: Ref,
        /// Its uid, so that a namesake is left alone.
        uid: Str,
        /// The node.
        node: Str,
    },
    /// Deletes one object, if it still has that uid.
    Delete {
        /// The object.
        target: Ref,
        /// Its uid.
        uid: Str,
        /// What happens to its dependents, and how long it has.
        how: Deletion,
        /// Recorded when it worked.
        note: Option<Note>,
    },
    /// Deletes every object of a kind in a namespace.
    DeleteAll {
        /// The resource.
        kind: Kind,
        /// The namespace.
        namespace: Str,
    },
    /// Deletes an object if none of its owners exists when asked directly: the world may not have
    /// seen a new owner yet.
    Collect {
        /// The object.
        target: Ref,
        /// Its uid.
        uid: Str,
        /// The owners that nobody has seen, with their uids.
        owners: Vec<(Ref, Str)>,
    },
    /// Completes a Secret, with a token of its account where it lacks one.
    Token {
        /// The Secret.
        secret: Ref,
        /// Whose token it lacks.
        account: Option<Ref>,
        /// The merge patch, but for the token.
        body: Value,
    },
    /// Records an event.
    Note(Note),
    /// What a run of a simulated container has printed so far; no request.
    Log {
        /// The pod's uid.
        pod_uid: Str,
        /// The container.
        container: Str,
        /// The run, and what it printed.
        told: Told,
    },
}

/// Which part of an object a write changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All but the status.
    Object,
    /// The status.
    Status,
    /// The scale subresource.
    Scale,
    /// A namespace's finalizers.
    Finalize,
}

impl Part {
    /// The last part of the path.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Part::Object => "",
            Part::Status => "/status",
            Part::Scale => "/scale",
            Part::Finalize => "/finalize",
        }
    }
}

/// What a delete does to dependents, and whether it waits for the grace period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deletion {
    /// Dependents are collected afterwards.
    Background,
    /// Dependents go first.
    Foreground,
    /// At once: the grace period is over.
    Now,
}

/// An event to record about an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Note {
    /// `involvedObject`.
    pub(crate) about: Value,
    /// `Normal` or `Warning`.
    pub(crate) severity: &'static str,
    /// The reason, in camel case.
    pub(crate) reason: &'static str,
    /// The text; `{name}` stands for the name of a created object.
    pub(crate) message: String,
    /// The controller that says so.
    pub(crate) component: &'static str,
    /// The text of the warning `FailedCreate` when the write did not work; `{error}` stands for the
    /// server's words.
    pub(crate) failed: Option<String>,
}

impl Note {
    /// A `Normal` event.
    pub(crate) fn normal(
        object: &Object,
        component: &'static str,
        reason: &'static str,
        message: String,
    ) -> Self {
        let about = map([
            ("apiVersion", object.api_version().into()),
            ("kind", object.kind().into()),
            ("name", object.name().into()),
            ("namespace", object.namespace().into()),
            ("resourceVersion", object.resource_version().into()),
            ("uid", object.uid().into()),
        ]);
        Note {
            about,
            severity: "Normal",
            reason,
            message,
            component,
            failed: None,
        }
    }

    /// `SuccessfulCreate`, or a warning when the pod cannot be made.
    pub(crate) fn creation(object: &Object, component: &'static str, message: String) -> Self {
        Note {
            failed: Some("Error creating: {error}".to_owned()),
            ..Note::normal(object, component, "SuccessfulCreate", message)
        }
    }

    /// The warning about a write that did not work, if there is one.
    pub(crate) fn failure(self, reason: &str) -> Option<Self> {
        let message = self.failed?.replace("{error}", reason);
        Some(Note {
            severity: "Warning",
            reason: "FailedCreate",
            message,
            failed: None,
            ..self
        })
    }

    /// A `Warning` event.
    pub(crate) fn warning(
        object: &Object,
        component: &'static str,
        reason: &'static str,
        message: String,
    ) -> Self {
        Note {
            severity: "Warning",
            ..Note::normal(object, component, reason, message)
        }
    }
}

/// Writes `status` if it differs from the one that the object has.
pub(crate) fn status(kind: Kind, object: &Object, status: Map) -> Option<Write> {
    let empty = Value::Map(Map::new());
    let old = object.value().get("status").unwrap_or(&empty);
    let old = old.as_map().cloned().unwrap_or_default();
    status_after(kind, object, old, status)
}

/// As [`status`], where an earlier write of the same outcome leaves `before`.
pub(crate) fn status_after(kind: Kind, object: &Object, before: Map, status: Map) -> Option<Write> {
    let patch = difference(&Value::Map(before), &Value::Map(status))?;
    // The uid keeps a namesake that was created meanwhile from getting this status.
    Some(Write::Patch {
        target: Ref::of(kind, object),
        part: Part::Status,
        body: map([
            ("metadata", map([("uid", object.uid().into())])),
            ("status", patch),
        ]),
        note: None,
    })
}

/// A merge patch of an object that must still have its uid.
pub(crate) fn patch(kind: Kind, object: &Object, mut body: Value) -> Write {
    body.map_at_mut(&["metadata"]).insert("uid", object.uid());
    Write::Patch {
        target: Ref::of(kind, object),
        part: Part::Object,
        body,
        note: None,
    }
}

/// A deletion of an object that must still have its uid.
pub(crate) fn delete(kind: Kind, object: &Object, how: Deletion) -> Write {
    Write::Delete {
        target: Ref::of(kind, object),
        uid: object.uid().into(),
        how,
        note: None,
    }
}

impl Write {
    /// The same write, recorded by an event.
    pub(crate) fn noted(mut self, new: Note) -> Self {
        if let Write::Create { note, .. } | Write::Patch { note, .. } | Write::Delete { note, .. } =
            &mut self
        {
            *note = Some(new);
        }
        self
    }
}

/// The merge patch that makes `new` of `old`; `None` when they are equal.
pub(crate) fn difference(old: &Value, new: &Value) -> Option<Value> {
    let (Value::Map(old), Value::Map(new)) = (old, new) else {
        return (old != new).then(|| new.clone());
    };
    let mut patch = Map::new();
    for (key, value) in new.iter() {
        match old.get(key) {
            None if value.is_null() => {}
            None => {
                patch.insert(key.clone(), value.clone());
            }
            Some(before) => {
                if let Some(inner) = difference(before, value) {
                    patch.insert(key.clone(), inner);
                }
            }
        }
    }
    for key in old.keys().filter(|key| !new.contains_key(key)) {
        patch.insert(key.clone(), Value::Null);
    }
    (!patch.is_empty()).then_some(Value::Map(patch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::tests::json;

    fn check(old: &str, new: &str, want: Option<&str>) {
        assert_eq!(
            difference(&json(old), &json(new)),
            want.map(json),
            "{old} -> {new}"
        );
    }

    #[test]
    fn a_difference_names_only_what_changed() {
        check(
            r#"{"a": 1, "b": {"c": [1]}}"#,
            r#"{"a": 1, "b": {"c": [1]}}"#,
            None,
        );
        check(r#"{"a": 1, "b": 2}"#, r#"{"a": 1}"#, Some(r#"{"b": null}"#));
        check(
            r#"{"b": {"c": [1], "d": 1}}"#,
            r#"{"b": {"c": [2], "d": 1}}"#,
            Some(r#"{"b": {"c": [2]}}"#),
        );
        check(r#"{}"#, r#"{"a": {"x": 1}}"#, Some(r#"{"a": {"x": 1}}"#));
        check(
            r#"{"a": {"x": 1}}"#,
            r#"{"a": {}}"#,
            Some(r#"{"a": {"x": null}}"#),
        );
    }
}
