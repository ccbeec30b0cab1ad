//! What `up` was pointed at: the Applications in its files, and which repository URLs it stands for.
//!
//! Read [`Checkout`], then [`Intent`]. It must never know a cluster.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Result, bail};
use api::application::{Automated, Destination, SyncPolicy};
use api::source::Directory;
use api::{Application, ApplicationSpec, Metadata, Source, names};
use controller::{Place, StandIn};
use manifest::{Object, ObjectKey, Tree, TreePath};
use source::{RepoUrl, Snapshot, Store, WorkTree};

use crate::cli::UpArguments;
use crate::discover::{self, Discovery, Found};
use crate::origin::{Location, Origin};
use crate::progress::{Known, Revisions};
use crate::roots::{Ambiguous, roots};
use crate::{home, local, produced};

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

/// The files, and how they are to be read.
pub(crate) struct Checkout {
    origin: Origin,
    choice: Choice,
    maps: Vec<(RepoUrl, WorkTree)>,
    /// What was found in each file.
    files: RefCell<discover::Memory>,
    /// What each Application renders.
    renders: RefCell<produced::Memory>,
}

/// What the files ask for, as of one moment.
pub(crate) struct Intent {
    /// The objects to apply: those that no other Application produces.
    pub(crate) roots: Vec<Found>,
    /// What is read instead of the repositories that Applications name.
    pub(crate) stand_ins: Vec<StandIn>,
    /// What each of them resolves to.
    pub(crate) revisions: Revisions,
    /// What a person should know: choices that were made, files that could not be read.
    pub(crate) notes: Vec<String>,
    /// Where a change is to be noticed.
    pub(crate) folders: Vec<PathBuf>,
}

impl Checkout {
    /// Opens what the arguments name; reads no file yet.
    ///
    /// # Errors
    /// When a path does not exist, is outside of the repository, or a reference is malformed.
    pub(crate) fn open(arguments: &UpArguments, store: &Store) -> Result<Self> {
        let origin = Origin::open(store, &arguments.location, arguments.reference.as_deref())?;
        let choice = match (&arguments.app, &arguments.root, &arguments.location) {
            (Some(file), ..) => Choice::File(origin.inside(file)?),
            (None, Some(folder), _) => Choice::Folder(TreePath::parse(folder)?),
            (None, None, Location::Url(_)) => Choice::Found(TreePath::root()),
            (None, None, Location::Path(path)) if path.is_file() => {
                Choice::File(origin.inside(path)?)
            }
            (None, None, Location::Path(path)) => Choice::Found(origin.inside(path)?),
        };
        let map = |(url, path): &(String, PathBuf)| {
            anyhow::Ok((RepoUrl::parse(url)?, WorkTree::open(store, path)?))
        };
        let maps = arguments.map.iter().map(map).collect::<Result<_>>()?;
        Ok(Checkout {
            origin,
            choice,
            maps,
            files: RefCell::default(),
            renders: RefCell::default(),
        })
    }

    /// One line about the files.
    pub(crate) fn title(&self) -> String {
        match &self.choice {
            Choice::Found(path) | Choice::File(path) | Choice::Folder(path) => {
                self.origin.title(path)
            }
        }
    }

    /// Reads the folder: its Applications, the roots among them, and the URLs it stands for.
    ///
    /// # Errors
    /// When files cannot be read, or the roots are ambiguous.
    pub(crate) async fn read(&self) -> Result<Intent> {
        let snapshot = self.origin.snapshot().await?;
        let mut mapped = Vec::new();
        for (url, tree) in &self.maps {
            let files = tree.snapshot().await?;
            mapped.push(Local::new(
                url.to_string(),
                Place::Folder(tree.clone()),
                files,
            ));
        }
        // Reading and rendering block, and this thread has other work.
        tokio::task::block_in_place(|| self.decide(&snapshot, mapped))
    }

    fn decide(&self, snapshot: &Snapshot, mut locals: Vec<Local>) -> Result<Intent> {
        let tree = snapshot.tree.as_ref();
        let here = |url: String| Local::new(url, self.origin.place(), snapshot.clone());
        locals.extend(self.origin.urls().into_iter().map(here));
        let (found, mut notes) = self.find(tree)?;
        let is_known = |one: &local::Reads| at(&locals, &one.url).is_some();
        let mut chosen = None;
        if !found
            .iter()
            .flat_map(local::reads)
            .any(|one| is_known(&one))
        {
            for url in local::candidates(&found, tree) {
                let mut tried = locals.clone();
                tried.push(here(url.clone()));
                let Ok(places) = self.choose(&found, &tried) else {
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
            None => self.choose(&found, &locals)?,
        };
        let roots = || places.iter().map(|place| &found[*place]);
        notes.extend(read_elsewhere(roots(), &locals));
        notes.extend(read_as_committed(roots(), &locals));
        Ok(Intent {
            roots: places
                .into_iter()
                .map(|place| found[place].clone())
                .collect(),
            revisions: revisions(&locals),
            stand_ins: locals
                .into_iter()
                .map(Local::into_stand_in)
                .collect::<Result<_>>()?,
            notes,
            folders: self.origin.folders(tree)?,
        })
    }

    /// The places of the roots.
    fn choose(&self, found: &[Found], locals: &[Local]) -> Result<Vec<usize>> {
        let tree_of = |url: &str| at(locals, url).map(|local| local.files.tree.as_ref());
        let produced = self.renders.borrow_mut().produced(found, &tree_of);
        roots(found, &produced, home::NAMESPACE).map_err(|ambiguous| told(&ambiguous))
    }

    /// The Applications, and notes about how they were found.
    fn find(&self, tree: &dyn Tree) -> Result<(Vec<Found>, Vec<String>)> {
        let folder = match &self.choice {
            Choice::Folder(path) => {
                if tree.kind(path).is_err() {
                    bail!("there is no folder {path} in {}", self.origin.url());
                }
                return Ok((vec![self.made(tree, path)], Vec::new()));
            }
            Choice::File(path) | Choice::Found(path) => path,
        };
        let discovery = Discovery::again(tree, folder, &mut self.files.borrow_mut())?;
        let not_read = |problem: &String| format!("not read: {problem}");
        let mut notes: Vec<String> = discovery.problems.iter().map(not_read).collect();
        if !discovery.found.is_empty() {
            return Ok((discovery.found, notes));
        }
        if matches!(self.choice, Choice::File(_)) {
            bail!("there is no Application in {folder}");
        }
        if !discovery.has_manifests && is_plain(tree, folder) {
            notes.push("there are no manifests here yet".to_owned());
            return Ok((Vec::new(), notes));
        }
        let made = self.made(tree, folder);
        let name = made.object.name().to_owned();
        let what = match is_plain(tree, folder) {
            true => "all manifests become one",
            false => "the folder becomes one",
        };
        notes.push(format!("no Application is defined here: {what}, {name}"));
        Ok((vec![made], notes))
    }

    /// An Application of a folder that has none.
    fn made(&self, tree: &dyn Tree, folder: &TreePath) -> Found {
        let directory = Directory {
            recurse: true,
            ..Directory::default()
        };
        let root_name = self.origin.name();
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
                    repo_url: self.origin.url().to_string(),
                    path: folder.to_string(),
                    target_revision: "HEAD".to_owned(),
                    directory: is_plain(tree, folder).then(|| Box::new(directory)),
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

/// Whether a folder is neither a chart nor a kustomization.
fn is_plain(tree: &dyn Tree, folder: &TreePath) -> bool {
    let has = |name: &&str| folder.join(name).is_ok_and(|path| tree.kind(&path).is_ok());
    !NOT_PLAIN.iter().any(has)
}

/// A URL, what stands in for it, and the files there.
#[derive(Clone)]
struct Local {
    url: String,
    normalized: String,
    place: Place,
    files: Snapshot,
}

impl Local {
    fn new(url: String, place: Place, files: Snapshot) -> Self {
        Local {
            normalized: local::normalized(&url),
            url,
            place,
            files,
        }
    }

    fn into_stand_in(self) -> Result<StandIn> {
        Ok(StandIn {
            url: RepoUrl::parse(&self.url)?,
            place: self.place,
        })
    }
}

/// What stands in for a URL.
fn at<'a>(locals: &'a [Local], url: &str) -> Option<&'a Local> {
    let url = local::normalized(url);
    locals.iter().find(|local| local.normalized == url)
}

/// A note for each repository of `roots` that no local folder stands for.
fn read_elsewhere<'a>(roots: impl Iterator<Item = &'a Found>, locals: &[Local]) -> Vec<String> {
    let urls: BTreeSet<String> = roots.flat_map(local::reads).map(|one| one.url).collect();
    let is_local = |url: &String| at(locals, url).is_some();
    urls.into_iter()
        .filter(|url| !is_local(url))
        .map(|url| {
            format!(
                "{url} is another repository and is fetched from there; to read files from here \
                 instead: --map {url}=PATH"
            )
        })
        .collect()
}

/// A note for each reference that `roots` ask of a local folder and that is not checked out there.
fn read_as_committed<'a>(
    roots: impl Iterator<Item = &'a Found>,
    locals: &[Local],
) -> BTreeSet<String> {
    let note = |one: local::Reads| {
        let local = at(locals, &one.url).filter(|_| !one.revision.is_empty())?;
        let Place::Folder(tree) = &local.place else {
            return None;
        };
        let is_checked_out = references(&local.place)?.contains(&one.revision);
        let branch = tree.branch().unwrap_or_else(|| "no branch".to_owned());
        (!is_checked_out).then(|| {
            format!(
                "{} is read as committed at {}, without your edits: {branch} is checked out",
                one.url, one.revision
            )
        })
    };
    roots.flat_map(local::reads).filter_map(note).collect()
}

fn revisions(locals: &[Local]) -> Revisions {
    let one = |local: &Local| Known {
        url: local.normalized.clone(),
        references: references(&local.place),
        revision: local.files.revision.to_string(),
    };
    Revisions(locals.iter().map(one).collect())
}

/// The references that mean the files of a place rather than another commit; `None`: all do.
fn references(place: &Place) -> Option<Vec<String>> {
    let name = match place {
        Place::Folder(tree) => {
            tree.committed()?;
            tree.branch()
        }
        Place::Commits(_, reference) => Some(reference.as_str().to_owned()),
    };
    Some(name.into_iter().chain(["HEAD".to_owned()]).collect())
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
