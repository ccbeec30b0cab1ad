//! ControllerRevisions: the templates that a StatefulSet or DaemonSet has had.

use manifest::Object;
use yaml::{Map, Str, Value};

use super::control::Context;
use super::fields::{controller_reference, controller_uid, int, map};
use super::hash::short_name;
use super::kind::Kind;
use super::pod;
use super::write::{Deletion, Write, delete, patch};

/// The revisions of one owner, oldest first.
pub(crate) struct Revisions<'a> {
    owner: &'a Object,
    list: Vec<&'a Object>,
    data: Value,
}

/// What is known about the revision of the present template.
pub(crate) enum Newest<'a> {
    /// It is there, and the newest.
    Present(&'a Object),
    /// It must be written first.
    Missing(Write),
}

/// How an owner marks its revisions.
pub(crate) struct Marks {
    /// The label that holds the hash.
    pub(crate) label: &'static str,
    /// Annotations of a new revision.
    pub(crate) annotations: Map,
}

impl<'a> Revisions<'a> {
    /// Those in the world.
    pub(crate) fn of(context: &Context<'a>, owner: &'a Object) -> Self {
        let mut list: Vec<&Object> = context
            .world
            .owned(owner.uid(), Kind::CONTROLLER_REVISION)
            .filter(|revision| controller_uid(revision) == owner.uid())
            .collect();
        list.sort_by_key(|revision| (number(revision), revision.name()));
        let mut template = pod::template(owner).clone();
        template.map_at_mut(&[]).insert("$patch", "replace");
        let data = map([("spec", map([("template", template)]))]);
        Revisions { owner, list, data }
    }

    /// One by name.
    pub(crate) fn named(&self, name: &str) -> Option<&'a Object> {
        self.list
            .iter()
            .copied()
            .find(|revision| revision.name() == name)
    }

    /// The revision of the present template: the newest, an old one that becomes the newest again,
    /// or a new one.
    pub(crate) fn newest(&self, marks: Marks) -> Newest<'a> {
        let next = self.list.last().map_or(0, |last| number(last)) + 1;
        let same = |revision: &&&Object| revision.value().get("data") == Some(&self.data);
        match self.list.iter().rev().find(same) {
            Some(known) if number(known) + 1 == next => Newest::Present(known),
            Some(known) => Newest::Missing(patch(
                Kind::CONTROLLER_REVISION,
                known,
                map([("revision", next.into())]),
            )),
            None => Newest::Missing(self.create(next, marks)),
        }
    }

    fn create(&self, number: i64, marks: Marks) -> Write {
        let collisions = int(self.owner.value(), &["status", "collisionCount"]).unwrap_or(0);
        let hash = Str::from(short_name(&self.data, collisions));
        let template_labels = pod::template(self.owner).at(&["metadata", "labels"]);
        let mut labels = template_labels
            .and_then(Value::as_map)
            .cloned()
            .unwrap_or_default();
        labels.insert(marks.label, hash.clone());
        let mut metadata = Map::from([
            ("name", format!("{}-{hash}", self.owner.name()).into()),
            ("namespace", self.owner.namespace().into()),
            ("labels", labels.into()),
            (
                "ownerReferences",
                vec![controller_reference(self.owner)].into(),
            ),
        ]);
        if !marks.annotations.is_empty() {
            metadata.insert("annotations", marks.annotations);
        }
        let object = Object::new(map([
            ("apiVersion", "apps/v1".into()),
            ("kind", "ControllerRevision".into()),
            ("metadata", metadata.into()),
            ("data", self.data.clone()),
            ("revision", number.into()),
        ]))
        .expect("a revision has a kind");
        Write::Create {
            kind: Kind::CONTROLLER_REVISION,
            object,
            note: None,
        }
    }

    /// Deletes the oldest revisions beyond `revisionHistoryLimit` that nobody uses.
    pub(crate) fn forget(&self, used: impl Fn(&Object) -> bool) -> Vec<Write> {
        let limit = int(self.owner.value(), &["spec", "revisionHistoryLimit"]).unwrap_or(10);
        let limit = usize::try_from(limit).unwrap_or(0);
        let unused: Vec<&Object> = self
            .list
            .iter()
            .copied()
            .filter(|revision| !used(revision))
            .collect();
        let surplus = unused.len().saturating_sub(limit);
        unused[..surplus]
            .iter()
            .map(|revision| delete(Kind::CONTROLLER_REVISION, revision, Deletion::Background))
            .collect()
    }
}

fn number(revision: &Object) -> i64 {
    int(revision.value(), &["revision"]).unwrap_or(0)
}

/// The template that a revision holds.
pub(crate) fn template(revision: &Object) -> Value {
    let mut template = revision
        .value()
        .at(&["data", "spec", "template"])
        .cloned()
        .unwrap_or_default();
    if let Some(map) = template.as_map_mut() {
        map.remove("$patch");
    }
    template
}
