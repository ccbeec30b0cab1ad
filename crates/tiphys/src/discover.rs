//! The Applications, ApplicationSets and AppProjects of a folder: what `up` has to start with.
//!
//! Pure: a tree goes in, objects with their places come out. It must never know a cluster.

use std::collections::HashMap;

use manifest::{ContentId, Entry, EntryKind, Object, Tree, TreeError, TreePath};

/// The group of our kinds.
const GROUP: &str = "argoproj.io";
const KINDS: [&str; 3] = ["Application", "ApplicationSet", "AppProject"];
/// A manifest over this size was written by a program, and not to declare an Application.
const MAX_FILE_BYTES: u64 = 2 << 20;
/// Folders deeper than this are no place for people to write in.
const MAX_DEPTH: usize = 32;

/// An object and where it is defined.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    /// The object.
    pub(crate) object: Object,
    /// `FILE:LINE`.
    pub(crate) place: String,
}

/// What a folder holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Discovery {
    /// Our objects, in the order of their files.
    pub(crate) found: Vec<Found>,
    /// What could not be read, with its place.
    pub(crate) problems: Vec<String>,
    /// Whether there are manifests of other kinds.
    pub(crate) has_manifests: bool,
}

/// What each file held when it was read last: one that has not changed is not read again.
#[derive(Debug, Default)]
pub(crate) struct Memory(HashMap<TreePath, (ContentId, Discovery)>);

impl Discovery {
    /// Looks through all YAML and JSON files below `folder` that are no templates: the templates of
    /// Helm charts and hidden folders are left out, and links are not followed.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub(crate) fn of(tree: &dyn Tree, folder: &TreePath) -> Result<Self, TreeError> {
        Self::again(tree, folder, &mut Memory::default())
    }

    /// As [`Discovery::of`], where an earlier look is remembered.
    ///
    /// # Errors
    /// As [`Discovery::of`].
    pub(crate) fn again(
        tree: &dyn Tree,
        folder: &TreePath,
        memory: &mut Memory,
    ) -> Result<Self, TreeError> {
        let mut walk = Walk {
            tree,
            before: std::mem::take(memory),
            now: Memory::default(),
            discovery: Discovery::default(),
        };
        let outcome = if tree.kind(folder)? == EntryKind::File {
            walk.file(folder)
        } else {
            walk.folder(folder, 0)
        };
        *memory = walk.now;
        outcome.map(|()| walk.discovery)
    }

    fn of_file(tree: &dyn Tree, path: &TreePath) -> Result<Self, TreeError> {
        let mut discovery = Discovery::default();
        if tree.size(path)? > MAX_FILE_BYTES {
            return Ok(discovery);
        }
        let bytes = tree.read(path)?;
        let text = String::from_utf8_lossy(&bytes);
        if !text.contains("apiVersion") {
            return Ok(discovery);
        }
        discovery.has_manifests = true;
        if !text.contains(GROUP) || !KINDS.iter().any(|kind| text.contains(kind)) {
            return Ok(discovery);
        }
        let decoded = manifest::stream::decode(path.as_str(), &bytes);
        if let Some(problem) = decoded.failure() {
            discovery.problems.push(problem.to_string());
        }
        for located in decoded.objects {
            if located.item.group() == GROUP && KINDS.contains(&located.item.kind()) {
                let place = format!("{path}:{}", located.line);
                discovery.found.push(Found {
                    object: located.item,
                    place,
                });
            }
        }
        Ok(discovery)
    }

    fn add(&mut self, other: &Discovery) {
        self.found.extend_from_slice(&other.found);
        self.problems.extend_from_slice(&other.problems);
        self.has_manifests |= other.has_manifests;
    }
}

struct Walk<'a> {
    tree: &'a dyn Tree,
    before: Memory,
    now: Memory,
    discovery: Discovery,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &TreePath, depth: usize) -> Result<(), TreeError> {
        let entries = self.tree.list(folder)?;
        let is_chart = entries.iter().any(|entry| entry.name == "Chart.yaml");
        for entry in &entries {
            if entry.name.starts_with('.') || (is_chart && is_part_of_chart(entry)) {
                continue;
            }
            let Ok(path) = folder.join(&entry.name) else {
                continue;
            };
            match entry.kind {
                EntryKind::Directory if depth < MAX_DEPTH => self.folder(&path, depth + 1)?,
                EntryKind::File if is_manifest(&entry.name) => self.file(&path)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &TreePath) -> Result<(), TreeError> {
        let id = self.tree.content_id(path)?;
        let known = self.before.0.remove(path);
        let file = match known.filter(|(known, _)| *known == id) {
            Some((_, file)) => file,
            None => Discovery::of_file(self.tree, path)?,
        };
        self.discovery.add(&file);
        self.now.0.insert(path.clone(), (id, file));
        Ok(())
    }
}

fn is_manifest(name: &str) -> bool {
    [".yaml", ".yml", ".json"]
        .iter()
        .any(|end| name.ends_with(end))
}

fn is_part_of_chart(entry: &Entry) -> bool {
    entry.kind == EntryKind::Directory
        && ["templates", "charts", "crds"].contains(&entry.name.as_str())
}

#[cfg(test)]
pub(crate) mod tests {
    use manifest::trees::Files;

    use super::*;

    /// A tree of these files.
    pub(crate) fn tree(files: &[(&str, &str)]) -> Files {
        Files::new(files.iter().copied()).expect("paths")
    }

    /// An Application's manifest.
    pub(crate) fn application(name: &str, url: &str, path: &str) -> String {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: {name}\n\
             spec:\n  project: default\n  source:\n    repoURL: {url}\n    path: {path}\n  \
             destination:\n    name: in-cluster\n"
        )
    }

    fn check(files: &[(&str, &str)], want: &[&str], n_problems: usize) {
        let discovery = Discovery::of(&tree(files), &TreePath::root()).expect("a tree");
        let name = |found: &Found| format!("{} {}", found.place, found.object.name());
        let got: Vec<String> = discovery.found.iter().map(name).collect();
        assert_eq!(got, want);
        assert_eq!(
            discovery.problems.len(),
            n_problems,
            "{:?}",
            discovery.problems
        );
    }

    #[test]
    fn what_is_remembered_follows_the_files() {
        let text = |name: &str| application(name, "https://host/r", "x");
        let (a, b, c) = (text("a"), text("b"), text("c"));
        let mut memory = Memory::default();
        for (files, want) in [
            (vec![("1.yaml", a.as_str()), ("2.yaml", &b)], vec!["a", "b"]),
            (vec![("1.yaml", &c), ("2.yaml", &b)], vec!["c", "b"]),
            (vec![("2.yaml", &b), ("3.yaml", &a)], vec!["b", "a"]),
        ] {
            let tree = tree(&files);
            let again = Discovery::again(&tree, &TreePath::root(), &mut memory).expect("a tree");
            let once = Discovery::of(&tree, &TreePath::root()).expect("a tree");
            let names: Vec<&str> = again.found.iter().map(|it| it.object.name()).collect();
            assert_eq!(names, want);
            assert_eq!(again.found, once.found);
        }
    }

    #[test]
    fn applications_are_found_in_any_folder() {
        let first = application("a", "https://host/r", "x");
        let second =
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\n---\n{first}");
        check(
            &[("r.yaml", &first), ("b/c/d.yml", &second)],
            &["b/c/d.yml:5 a", "r.yaml:1 a"],
            0,
        );
    }

    #[test]
    fn templates_and_hidden_folders_are_left_out() {
        let text = application("a", "https://host/r", "x");
        check(
            &[
                ("chart/Chart.yaml", "apiVersion: v2\nname: x\n"),
                ("chart/templates/app.yaml", &text),
                (".github/app.yaml", &text),
                ("notes.md", &text),
            ],
            &[],
            0,
        );
    }

    #[test]
    fn a_broken_file_is_a_problem_with_its_place() {
        let text = application("a", "https://host/r", "x") + "  broken: [\n";
        let files = [("r.yaml", text.as_str())];
        let discovery = Discovery::of(&tree(&files), &TreePath::root()).expect("a tree");
        assert!(
            discovery.problems[0].starts_with("r.yaml:"),
            "{:?}",
            discovery.problems
        );
    }
}
