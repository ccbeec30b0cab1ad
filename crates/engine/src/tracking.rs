//! How an object says to which application it belongs (semantics H).
//!
//! Read [`Tracking`] first. It must never know what is desired or live: it writes and reads marks.

use api::names;
use manifest::{Object, ObjectKey};
use yaml::Str;

/// The longest value of a label.
const MAX_LABEL: usize = 63;

pub use api::names::TRACKING_ID;

/// Where the mark of ownership stands (`application.resourceTrackingMethod`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrackingMethod {
    /// The annotation `tracking-id` alone.
    #[default]
    Annotation,
    /// The instance label alone.
    Label,
    /// Both; the annotation decides.
    AnnotationAndLabel,
}

impl TrackingMethod {
    /// From the setting's value; an unknown or empty one is the default.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "label" => TrackingMethod::Label,
            "annotation+label" => TrackingMethod::AnnotationAndLabel,
            _ => TrackingMethod::Annotation,
        }
    }
}

/// The settings of tracking, the same for all applications of one controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracking {
    /// Where the mark stands.
    pub method: TrackingMethod,
    /// The key of the instance label (`application.instanceLabelKey`).
    pub label_key: Str,
    /// Tells several installations on one cluster apart; empty for none.
    pub installation_id: Str,
}

impl Default for Tracking {
    /// As Argo CD without settings.
    fn default() -> Self {
        Tracking {
            method: TrackingMethod::default(),
            label_key: names::INSTANCE_LABEL.into(),
            installation_id: Str::default(),
        }
    }
}

/// A parsed `tracking-id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackingId<'a> {
    /// The application, see `api::Application::instance_name`.
    pub instance: &'a str,
    /// The object that the mark was made for.
    pub key: ObjectKey,
}

impl<'a> TrackingId<'a> {
    /// Reads `instance:group/kind:namespace/name`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let instance = parts.next()?;
        let (group, kind) = parts.next()?.split_once('/')?;
        let (namespace, name) = parts.next()?.split_once('/')?;
        if kind.contains('/') || name.contains('/') {
            return None;
        }
        let key = ObjectKey {
            group: group.into(),
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        };
        Some(TrackingId { instance, key })
    }
}

/// Whether an object is a custom resource definition: those are never marked (semantics 138).
pub(crate) fn is_crd(object: &Object) -> bool {
    object.kind() == "CustomResourceDefinition" && object.group() == "apiextensions.k8s.io"
}

impl Tracking {
    /// The mark of `object` in the application `instance`. A cluster-scoped object gets the
    /// application's destination namespace, as in Argo CD.
    #[must_use]
    pub fn id(&self, object: &Object, instance: &str, destination_namespace: &str) -> String {
        let namespace = match object.namespace() {
            "" => destination_namespace,
            namespace => namespace,
        };
        format!(
            "{instance}:{}/{}:{namespace}/{}",
            object.group(),
            object.kind(),
            object.name()
        )
    }

    /// Marks `object` as belonging to the application `instance`.
    pub(crate) fn mark(&self, object: &mut Object, instance: &str, destination_namespace: &str) {
        if is_crd(object) {
            return;
        }
        if self.method != TrackingMethod::Label {
            let id = self.id(object, instance, destination_namespace);
            object.set_annotation(names::TRACKING_ID, &id);
        }
        match self.method {
            TrackingMethod::Annotation => {}
            TrackingMethod::Label => object.set_label(&self.label_key, instance),
            TrackingMethod::AnnotationAndLabel => {
                object.set_label(&self.label_key, short_label(instance));
            }
        }
        if !self.installation_id.is_empty() {
            object.set_annotation(names::INSTALLATION_ID, &self.installation_id);
        } else if object.annotation(names::INSTALLATION_ID).is_some() {
            object
                .value_mut()
                .map_at_mut(&["metadata", "annotations"])
                .remove(names::INSTALLATION_ID);
        }
    }

    /// The application that `live` says it belongs to; `None` when it is not marked, or was marked
    /// by another installation.
    #[must_use]
    pub fn owner<'a>(&self, live: &'a Object) -> Option<&'a str> {
        if !self.installation_id.is_empty()
            && live.annotation(names::INSTALLATION_ID) != Some(self.installation_id.as_str())
        {
            return None;
        }
        let owner = match self.method {
            TrackingMethod::Label => live.label(&self.label_key)?,
            TrackingMethod::Annotation | TrackingMethod::AnnotationAndLabel => {
                TrackingId::parse(live.annotation(names::TRACKING_ID)?)?.instance
            }
        };
        (!owner.is_empty()).then_some(owner)
    }

    /// Whether the mark of `live` was made for this very object rather than copied from another
    /// one (semantics 126). Labels cannot tell, so they always agree.
    #[must_use]
    pub fn is_self_referencing(&self, live: &Object, destination_namespace: &str) -> bool {
        if self.method == TrackingMethod::Label {
            return true;
        }
        let Some(id) = live
            .annotation(names::TRACKING_ID)
            .and_then(TrackingId::parse)
        else {
            return true;
        };
        let key = live.key();
        let is_namespace_equal = id.key.namespace == key.namespace
            || (key.namespace.is_empty() && id.key.namespace == destination_namespace)
            || key.namespace.is_empty();
        id.key.group == key.group
            && id.key.kind == key.kind
            && id.key.name == key.name
            && is_namespace_equal
    }
}

/// As Argo CD shortens a label's value: at most 63 characters, ending in a letter or digit.
fn short_label(value: &str) -> &str {
    let mut end = value.len().min(MAX_LABEL);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    value[..end].trim_end_matches(|c: char| !c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracking_id_is_read_as_it_was_written() {
        let check = |text: &str, want: Option<(&str, &str)>| {
            let id = TrackingId::parse(text);
            let found = id.as_ref().map(|id| (id.instance, id.key.to_string()));
            assert_eq!(found, want.map(|(i, k)| (i, k.to_owned())), "{text}");
        };
        check("app:/Service:ns/name", Some(("app", "Service/ns/name")));
        check(
            "ns_app:apps/Deployment:ns/d",
            Some(("ns_app", "apps/Deployment/ns/d")),
        );
        check(
            "app:rbac.x/ClusterRole:ns/system:node",
            Some(("app", "rbac.x/ClusterRole/ns/system:node")),
        );
        check("app:Service:ns/name", None);
        check("app", None);
        check("a:/b:c/d/e", None);
    }

    #[test]
    fn a_label_ends_in_a_letter_or_digit() {
        assert_eq!(short_label("short"), "short");
        let long = format!("{}-.{}", "a".repeat(61), "b".repeat(9));
        assert_eq!(short_label(&long), "a".repeat(61));
    }
}
