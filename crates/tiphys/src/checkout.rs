//! The folder that `up` was pointed at: its files, the Applications in them, and which repository
//! URLs it stands for.
//!
//! Read [`Checkout`], then [`Intent`]. It must never know a cluster.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use api::application::{Automated, Destination, SyncPolicy};
use api::source::Directory;
use api::{Application, ApplicationSpec, Metadata, Source, names};
use engine::render::Environment;
use manifest::{EntryKind, Object, ObjectKey, Tree, TreePath};
use source::{Freshness, Reference, RepoUrl, Snapshot, Store, WorkTree};

use crate::cli::UpArguments;
use crate::discover::{Discovery, Found};
use crate::progress::Revisions;
use crate::roots::{Ambiguous, key_of, roots};
use crate::{home, local};

/// The namespace of objects that name none, in an Application that `up` makes.
const DEFAULT_NAMESPACE: &str = "default";
/// Files that make a folder something else than plain manifests.
const NOT_PLAIN: [&str; 4] = [
    "Chart.yaml",
    "kustomization.yaml",
    "kustomization.yml",
    "Kustomization",
];

/// What of the folder is deployed.
#[derive(Clone, Debug)]
enum Choice {
    /// The Applications found below this folder.
    Found(TreePath),
    /// The Applications of this file.
    File(TreePath),
    /// One Application that `up` makes for this folder.
    Folder(TreePath),
}

/// The folder, and how it is to be read.
pub(crate) struct Checkout {
    tree: WorkTree,
    choice: Choice,
    reference: Option<Reference>,
    maps: Vec<(String, WorkTree)>,
}

/// What the folder asks for, as of one moment.
pub(crate) struct Intent {
    /// The objects to apply: those that no other Application produces.
    pub(crate) roots: Vec<Found>,
    /// URLs that are read from a folder.
    pub(crate) local: Vec<(String, WorkTree)>,
    /// What each of them resolves to.
    pub(crate) revisions: Revisions,
    /// What a person should know: choices that were made, files that could not be read.
    pub(crate) notes: Vec<String>,
    /// Every folder with a file that counts.
    pub(crate) folders: Vec<PathBuf>,
}

/// The repository around a folder: the closest folder above with a `.git`, else itself.
///
/// # Errors
/// When there is no such folder.
pub(crate) fn repository_of(path: &Path) -> Result<PathBuf> {
    if path.to_string_lossy().contains("://") {
        bail!("{} is a URL; clone it and give the folder", path.display());
    }
    let path = path
        .canonicalize()
        .with_context(|| format!("cannot read {}", path.display()))?;
    let folder = if path.is_dir() {
        path.as_path()
    } else {
        path.parent().unwrap_or(&path)
    };
    let found = folder
        .ancestors()
        .find(|folder| folder.join(".git").exists());
    Ok(found.unwrap_or(folder).to_owned())
}

impl Checkout {
    /// Opens the folder that the arguments name; reads no file yet.
    ///
    /// # Errors
    /// When a path does not exist, is outside of the repository, or a reference is malformed.
    pub(crate) fn open(arguments: &UpArguments, store: &Store) -> Result<Self> {
        let root = repository_of(&arguments.path)?;
        let tree = WorkTree::open(store, &root)?;
        let inside = |path: &Path| inside(tree.root(), path);
        let given = inside(&arguments.path)?;
        let choice = match (&arguments.app, &arguments.root) {
            (Some(file), _) => Choice::File(inside(file)?),
            (None, Some(folder)) => Choice::Folder(TreePath::parse(folder)?),
            (None, None) if arguments.path.is_file() => Choice::File(given),
            (None, None) => Choice::Found(given),
        };
        let reference = arguments
            .reference
            .as_deref()
            .map(Reference::parse)
            .transpose()?;
        if reference.is_some() && tree.committed().is_none() {
            bail!(
                "--ref needs a Git repository, and {} is none",
                tree.root().display()
            );
        }
        let mut maps = Vec::new();
        for (url, path) in &arguments.map {
            RepoUrl::parse(url)?;
            maps.push((url.clone(), WorkTree::open(store, path)?));
        }
        Ok(Checkout {
            tree,
            choice,
            reference,
            maps,
        })
    }

    /// One line about the folder.
    pub(crate) fn title(&self) -> String {
        let place = match &self.choice {
            Choice::Found(path) | Choice::File(path) | Choice::Folder(path) => path,
        };
        let root = self.tree.root().display();
        let place = if place.is_root() {
            root.to_string()
        } else {
            format!("{place} in {root}")
        };
        match (&self.reference, self.tree.committed(), self.tree.branch()) {
            (Some(reference), _, _) => format!("{place}, as committed at {}", reference.as_str()),
            (None, None, _) => format!("{place}, a folder without Git"),
            (None, Some(_), Some(branch)) => format!("{place}, branch {branch} with your edits"),
            (None, Some(_), None) => format!("{place}, with your edits"),
        }
    }

    /// Whether uncommitted edits count.
    pub(crate) fn includes_edits(&self) -> bool {
        self.reference.is_none()
    }

    async fn snapshot(&self) -> Result<Snapshot> {
        let Some(reference) = &self.reference else {
            return Ok(self.tree.snapshot().await?);
        };
        let committed = self
            .tree
            .committed()
            .context("checked when it was opened")?;
        let revision = committed.resolve(reference, Freshness::Now).await?;
        Ok(committed.snapshot(&revision).await?)
    }

    /// Reads the folder: its Applications, the roots among them, and the URLs it stands for.
    ///
    /// # Errors
    /// When files cannot be read, or the roots are ambiguous.
    pub(crate) async fn read(&self) -> Result<Intent> {
        let snapshot = self.snapshot().await?;
        let mut mapped = Vec::new();
        for (url, tree) in &self.maps {
            let files = tree.snapshot().await?;
            mapped.push(Local {
                url: url.clone(),
                tree: tree.clone(),
                files,
            });
        }
        // Reading and rendering block, and this thread has other work.
        tokio::task::block_in_place(|| self.decide(&snapshot, mapped))
    }

    fn decide(&self, snapshot: &Snapshot, mut locals: Vec<Local>) -> Result<Intent> {
        let tree = snapshot.tree.as_ref();
        let here = |url: String| Local {
            url,
            tree: self.tree.clone(),
            files: snapshot.clone(),
        };
        let mut remotes: Vec<String> = self
            .tree
            .remotes()
            .iter()
            .map(ToString::to_string)
            .collect();
        remotes.push(self.tree.url().to_string());
        locals.extend(remotes.into_iter().map(here));
        let (found, mut notes) = self.find(tree)?;
        let is_known =
            |one: &local::Reads| locals.iter().any(|local| local::same(&local.url, &one.url));
        let mut chosen = None;
        if !found
            .iter()
            .flat_map(local::reads)
            .any(|one| is_known(&one))
        {
            for url in local::candidates(&found, tree) {
                let mut tried = locals.clone();
                tried.push(here(url.clone()));
                let Ok(places) = choose(&found, &tried) else {
                    continue;
                };
                let all: Vec<&Found> = places.iter().map(|place| &found[*place]).collect();
                if local::all_read(&all, &url) {
                    notes.push(format!(
                        "{url} is read from this folder: no remote has that address, and all that \
                         is asked of it is here"
                    ));
                    locals = tried;
                    chosen = Some(places);
                    break;
                }
            }
        }
        let places = match chosen {
            Some(places) => places,
            None => choose(&found, &locals)?,
        };
        notes.extend(read_elsewhere(
            places.iter().map(|place| &found[*place]),
            &locals,
        ));
        let mut folders = Vec::new();
        folders_of(tree, &TreePath::root(), self.tree.root(), &mut folders)?;
        Ok(Intent {
            roots: places
                .into_iter()
                .map(|place| found[place].clone())
                .collect(),
            revisions: revisions(&locals),
            local: locals
                .into_iter()
                .map(|local| (local.url, local.tree))
                .collect(),
            notes,
            folders,
        })
    }

    /// The Applications, and notes about how they were found.
    fn find(&self, tree: &dyn Tree) -> Result<(Vec<Found>, Vec<String>)> {
        let folder = match &self.choice {
            Choice::Folder(path) => {
                if tree.kind(path).is_err() {
                    bail!(
                        "there is no folder {path} in {}",
                        self.tree.root().display()
                    );
                }
                return Ok((vec![self.made(tree, path)], Vec::new()));
            }
            Choice::File(path) | Choice::Found(path) => path,
        };
        let discovery = Discovery::of(tree, folder)?;
        let not_read = |problem: &String| format!("not read: {problem}");
        let mut notes: Vec<String> = discovery.problems.iter().map(not_read).collect();
        if !discovery.found.is_empty() {
            return Ok((discovery.found, notes));
        }
        if matches!(self.choice, Choice::File(_)) {
            bail!("there is no Application in {folder}");
        }
        if !discovery.has_manifests {
            notes.push("there are no manifests here yet".to_owned());
            return Ok((Vec::new(), notes));
        }
        let made = self.made(tree, folder);
        let name = made.object.name().to_owned();
        notes.push(format!(
            "no Application is defined here: all manifests become one, {name}"
        ));
        Ok((vec![made], notes))
    }

    /// An Application of a folder that has none.
    fn made(&self, tree: &dyn Tree, folder: &TreePath) -> Found {
        let has = |name: &str| folder.join(name).is_ok_and(|path| tree.kind(&path).is_ok());
        let is_plain = !NOT_PLAIN.iter().any(|name| has(name));
        let directory = Directory {
            recurse: true,
            ..Directory::default()
        };
        let root_name = self
            .tree
            .root()
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let name = if folder.is_root() {
            &root_name
        } else {
            folder.name()
        };
        let app = Application {
            api_version: names::API_VERSION.to_owned(),
            kind: names::APPLICATION.to_owned(),
            metadata: Metadata {
                name: object_name(name),
                namespace: home::NAMESPACE.to_owned(),
                ..Metadata::default()
            },
            spec: ApplicationSpec {
                project: names::DEFAULT_PROJECT.to_owned(),
                source: Some(Source {
                    repo_url: self.tree.url().to_string(),
                    path: folder.to_string(),
                    target_revision: "HEAD".to_owned(),
                    directory: is_plain.then_some(directory),
                    ..Source::default()
                }),
                destination: Destination {
                    server: names::IN_CLUSTER_SERVER.to_owned(),
                    namespace: DEFAULT_NAMESPACE.to_owned(),
                    ..Destination::default()
                },
                sync_policy: Some(SyncPolicy {
                    automated: Some(Automated {
                        prune: true,
                        self_heal: true,
                        ..Automated::default()
                    }),
                    ..SyncPolicy::default()
                }),
                ..ApplicationSpec::default()
            },
            ..Application::default()
        };
        let mut value = app.to_value();
        if let Some(map) = value.as_map_mut() {
            map.remove("status");
        }
        let object = Object::new(value).expect("apiVersion and kind are set above");
        Found {
            object,
            place: folder.to_string(),
        }
    }
}

/// A URL, the folder that stands for it, and its files.
#[derive(Clone)]
struct Local {
    url: String,
    tree: WorkTree,
    files: Snapshot,
}

/// A note for each repository of `roots` that no local folder stands for.
fn read_elsewhere<'a>(roots: impl Iterator<Item = &'a Found>, locals: &[Local]) -> Vec<String> {
    let urls: BTreeSet<String> = roots.flat_map(local::reads).map(|one| one.url).collect();
    let is_local = |url: &String| locals.iter().any(|local| local::same(&local.url, url));
    urls.into_iter()
        .filter(|url| !is_local(url))
        .map(|url| {
            format!(
                "{url} is not this folder and is fetched from there; to read files from here \
                 instead: --map {url}=PATH"
            )
        })
        .collect()
}

fn revisions(locals: &[Local]) -> Revisions {
    let one = |local: &Local| (local.url.clone(), local.files.revision.to_string());
    Revisions(locals.iter().map(one).collect())
}

/// The places of the roots.
fn choose(found: &[Found], locals: &[Local]) -> Result<Vec<usize>> {
    let produced: Vec<Vec<ObjectKey>> = found.iter().map(|one| produced(one, locals)).collect();
    roots(found, &produced, home::NAMESPACE).map_err(|ambiguous| told(&ambiguous))
}

/// The Applications, ApplicationSets and AppProjects that an Application renders. One that cannot
/// be rendered produces nothing; the controller will say why.
fn produced(found: &Found, locals: &[Local]) -> Vec<ObjectKey> {
    if found.object.kind() != names::APPLICATION {
        return Vec::new();
    }
    let Ok(app) = Application::from_value(found.object.value().clone()) else {
        return Vec::new();
    };
    let environment = Environment {
        instance: app.instance_name(home::NAMESPACE),
    };
    let mut keys = Vec::new();
    for source in app.spec.all_sources() {
        let Some(local) = locals
            .iter()
            .find(|local| local::same(&local.url, &source.repo_url))
        else {
            continue;
        };
        let Ok(rendered) = engine::render(local.files.tree.as_ref(), &source, &environment) else {
            continue;
        };
        let objects = rendered.objects.iter().map(|rendered| &rendered.object);
        let ours = objects.filter(|object| object.group() == names::GROUP);
        let namespace = match app.spec.destination.namespace.as_str() {
            "" => home::NAMESPACE,
            namespace => namespace,
        };
        keys.extend(ours.map(|object| key_of(object, namespace)));
    }
    keys
}

fn told(ambiguous: &Ambiguous) -> anyhow::Error {
    let one = |(key, places): &(ObjectKey, Vec<String>)| {
        format!(
            "{} {} is defined in {}",
            key.kind,
            key.name,
            places.join(" and ")
        )
    };
    let texts: Vec<String> = ambiguous.definitions.iter().map(one).collect();
    anyhow::anyhow!(
        "{}; choose what to deploy with --app FILE or --path DIR",
        texts.join("; ")
    )
}

/// A path of the host as a path of the tree.
fn inside(root: &Path, path: &Path) -> Result<TreePath> {
    let full = path
        .canonicalize()
        .with_context(|| format!("cannot read {}", path.display()))?;
    let relative = full.strip_prefix(root);
    let relative =
        relative.with_context(|| format!("{} is outside of {}", path.display(), root.display()))?;
    let text = relative
        .to_str()
        .with_context(|| format!("{} is no UTF-8", path.display()))?;
    Ok(TreePath::parse(text)?)
}

/// The folders of a tree, as paths of the host.
fn folders_of(
    tree: &dyn Tree,
    folder: &TreePath,
    root: &Path,
    folders: &mut Vec<PathBuf>,
) -> Result<()> {
    folders.push(root.join(folder.as_str()));
    for entry in tree.list(folder)? {
        if entry.kind == EntryKind::Directory {
            folders_of(tree, &folder.join(&entry.name)?, root, folders)?;
        }
    }
    Ok(())
}

/// A name that Kubernetes takes, as close as possible to a folder's.
fn object_name(text: &str) -> String {
    const MAX_LENGTH: usize = 63;
    let lower = text.to_lowercase();
    let allowed = |it: char| if it.is_ascii_alphanumeric() { it } else { '-' };
    let name: String = lower.chars().map(allowed).take(MAX_LENGTH).collect();
    let name = name.trim_matches('-');
    if name.is_empty() {
        "manifests".to_owned()
    } else {
        name.to_owned()
    }
}

impl Intent {
    /// The names of the Applications among the roots.
    pub(crate) fn names(&self) -> Vec<String> {
        let apps = self
            .roots
            .iter()
            .filter(|root| root.object.kind() == names::APPLICATION);
        apps.map(|root| root.object.name().to_owned()).collect()
    }
}

/// A tree of a folder, for `render`.
///
/// # Errors
/// When it cannot be read.
pub(crate) async fn files(
    store: &Store,
    path: &Path,
) -> Result<(WorkTree, TreePath, Arc<dyn Tree>)> {
    let root = repository_of(path)?;
    let tree = WorkTree::open(store, &root)?;
    let place = inside(tree.root(), path)?;
    let snapshot = tree.snapshot().await?;
    Ok((tree, place, snapshot.tree))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_a_name_that_kubernetes_takes() {
        for (text, want) in [
            ("guestbook", "guestbook"),
            ("My Folder_2", "my-folder-2"),
            ("--", "manifests"),
            ("größe", "gr--e"),
        ] {
            assert_eq!(object_name(text), want, "{text}");
        }
    }
}
