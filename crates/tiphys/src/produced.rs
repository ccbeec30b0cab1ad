//! Which of our own kinds the found Applications render: what an app-of-apps makes is no root.
//!
//! Pure: found objects and trees go in, keys come out. A render is remembered by what it read, so
//! an edit of one file costs the Applications that read it.

use std::collections::HashMap;

use api::{Application, names};
use engine::render::Environment;
use manifest::{Object, ObjectKey, ReadSet, Tree};

use crate::discover::Found;
use crate::home;
use crate::roots::key_of;

/// What was rendered before, by the places of the Applications.
#[derive(Default)]
pub(crate) struct Memory(HashMap<String, Known>);

struct Known {
    object: Object,
    /// The URL of each source, and what of it was read; nothing of a repository elsewhere.
    reads: Vec<(String, Option<ReadSet>)>,
    keys: Vec<ObjectKey>,
}

impl Memory {
    /// For each of `found` the Applications, ApplicationSets and AppProjects that it renders from
    /// the repositories that `tree_of` knows. One that cannot be rendered produces nothing: the
    /// controller will say why.
    pub(crate) fn produced<'a>(
        &mut self,
        found: &[Found],
        tree_of: &dyn Fn(&str) -> Option<&'a dyn Tree>,
    ) -> Vec<Vec<ObjectKey>> {
        let mut before = std::mem::take(&mut self.0);
        let mut one = |found: &Found| {
            let known = before.remove(&found.place);
            let known = known.filter(|known| known.holds(&found.object, tree_of));
            let Some(known) = known.or_else(|| render(&found.object, tree_of)) else {
                return Vec::new();
            };
            let keys = known.keys.clone();
            self.0.insert(found.place.clone(), known);
            keys
        };
        found.iter().map(&mut one).collect()
    }
}

impl Known {
    fn holds<'a>(&self, object: &Object, tree_of: &dyn Fn(&str) -> Option<&'a dyn Tree>) -> bool {
        self.object == *object
            && self
                .reads
                .iter()
                .all(|(url, reads)| match (tree_of(url), reads) {
                    (Some(tree), Some(reads)) => reads.holds_in(tree).unwrap_or(false),
                    (None, None) => true,
                    _ => false,
                })
    }
}

/// What an object renders; `None` when it is none of ours that renders.
fn render<'a>(object: &Object, tree_of: &dyn Fn(&str) -> Option<&'a dyn Tree>) -> Option<Known> {
    if object.kind() != names::APPLICATION {
        return None;
    }
    let app = Application::from_value(object.value().clone()).ok()?;
    let environment = Environment {
        instance: app.instance_name(home::NAMESPACE),
        name: app.metadata.name.clone(),
        namespace: app.spec.destination.namespace.clone(),
        project: app.spec.project.clone(),
        ..Environment::default()
    };
    let namespace = match app.spec.destination.namespace.as_str() {
        "" => home::NAMESPACE,
        namespace => namespace,
    };
    let mut known = Known {
        object: object.clone(),
        reads: Vec::new(),
        keys: Vec::new(),
    };
    for source in app.spec.all_sources() {
        let url = source.repo_url.clone();
        let Some(tree) = tree_of(&url) else {
            known.reads.push((url, None));
            continue;
        };
        let Ok(rendered) = engine::render(tree, &source, &environment) else {
            // Not remembered: it is tried again each time.
            known.reads.push((url, None));
            continue;
        };
        let objects = rendered.objects.iter().map(|rendered| &rendered.object);
        let ours = objects.filter(|object| object.group() == names::GROUP);
        known
            .keys
            .extend(ours.map(|object| key_of(object, namespace)));
        known.reads.push((url, Some(rendered.read_set)));
    }
    Some(known)
}

#[cfg(test)]
mod tests {
    use manifest::TreePath;

    use super::*;
    use crate::discover::Discovery;
    use crate::discover::tests::{application, tree};

    const URL: &str = "https://host/r";

    #[test]
    fn what_is_remembered_follows_the_files() {
        let root = application("root", URL, "children");
        let (a, b) = (application("a", URL, "x"), application("b", URL, "x"));
        let mut memory = Memory::default();
        for (child, want) in [(&a, "a"), (&a, "a"), (&b, "b")] {
            let files = tree(&[("root.yaml", &root), ("children/child.yaml", child)]);
            let found = Discovery::of(&files, &TreePath::root())
                .expect("a tree")
                .found;
            let tree_of = |url: &str| (url == URL).then_some(&files as &dyn Tree);
            let produced = memory.produced(&found, &tree_of);
            let names: Vec<&str> = produced.iter().flatten().map(|key| &*key.name).collect();
            assert_eq!(names, [want]);
            assert_eq!(produced, Memory::default().produced(&found, &tree_of));
        }
        let found = [Found {
            object: Discovery::of(&tree(&[("r.yaml", &root)]), &TreePath::root())
                .expect("a tree")
                .found
                .remove(0)
                .object,
            place: "root.yaml:1".to_owned(),
        }];
        assert_eq!(memory.produced(&found, &|_| None), [Vec::new()]);
    }
}
