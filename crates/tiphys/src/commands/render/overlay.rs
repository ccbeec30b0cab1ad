//! `tiphys render` of a kustomization: what `kubectl kustomize` prints for the same flags.
//!
//! Read [`run`]. The folder is read as it is on disk, and so are bases above it, wherever they are.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use controller::{Brought, Fetcher};
use engine::render::{Environment, KustomizeSettings, Lack, RenderError};
use jiff::Timestamp;
use manifest::{Tree, TreePath};
use source::chart::PassCredentials;
use source::{CredentialStore, Freshness};

use super::chart;
use super::disk::Disk;
use crate::cli::{OverlayArguments, RenderArguments};
use crate::terminal;

/// The names that a kustomization may have.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// How often what was fetched may name more.
const MAX_ROUNDS: usize = 16;

/// Whether a path is a folder with a kustomization.
pub(super) fn is_kustomization(path: &Path) -> bool {
    NAMES.iter().any(|name| path.join(name).is_file())
}

/// Builds the kustomization and prints it; gives why it cannot be built, in kustomize's words.
pub(super) async fn run(arguments: &RenderArguments) -> Result<Option<String>> {
    let folder = arguments.path.canonicalize()?;
    let place = TreePath::parse(folder.to_string_lossy().trim_start_matches('/'))?;
    let environment = Environment {
        kustomize: Arc::new(settings(&arguments.overlay)),
        seconds: Timestamp::now().as_second(),
        ..Environment::default()
    };
    let disk: Arc<dyn Tree> = Arc::new(Disk::new(Path::new("/")));
    let mut brought = Brought::default();
    for _ in 0..MAX_ROUNDS {
        let tree = brought.within(disk.clone());
        let built = tokio::task::block_in_place(|| {
            engine::render::kustomization(&*tree, &place, &environment)
        });
        match built {
            Ok(built) => {
                for warning in &built.warnings {
                    terminal::complain(warning);
                }
                terminal::print(&built.text());
                return Ok(None);
            }
            Err(RenderError::Lacks(lacks)) => {
                brought = brought.and(bring(&folder, &lacks).await?);
            }
            Err(RenderError::KustomizeCommand { problem, .. }) => return Ok(Some(problem)),
            Err(other) => return Err(other.into()),
        }
    }
    bail!("remote bases name others more than {MAX_ROUNDS} deep")
}

fn settings(flags: &OverlayArguments) -> KustomizeSettings {
    let mut options = format!("--load-restrictor {}", flags.load_restrictor);
    if flags.enable_helm {
        options.push_str(" --enable-helm");
    }
    KustomizeSettings::new(&options, Default::default())
}

/// Fetches what is elsewhere.
async fn bring(folder: &Path, lacks: &[Lack]) -> Result<Brought> {
    let fetcher = Fetcher {
        store: &chart::store(folder)?,
        credentials: &CredentialStore::default(),
        project: "",
        pass: PassCredentials::OwnServer,
        freshness: Freshness::Now,
    };
    Ok(fetcher.bring(lacks).await?)
}
