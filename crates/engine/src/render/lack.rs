//! What a tree still lacks to be rendered: somebody with a network brings it, then the render is
//! tried again. Read [`Lack`].

use kustomize::Needed;
use manifest::{PathError, TreePath};
use sha2::{Digest, Sha256};

/// One thing that is not in the tree, and where the render looks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// What.
    pub what: Lacking,
    /// Where its content belongs in the tree.
    pub place: TreePath,
}

/// What is lacking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lacking {
    /// A chart that another one depends on, or that a kustomization inflates.
    Chart {
        /// Its name.
        name: String,
        /// A version, or a range of versions.
        version: String,
        /// An address, or `@name` of a known repository.
        repository: String,
        /// What of it belongs in the tree.
        form: ChartForm,
    },
    /// A value file: what is at a URL.
    File {
        /// The URL, of an allowed scheme.
        url: String,
    },
    /// What a kustomization names by a URL: a file, or else the files of a repository.
    Remote {
        /// As written.
        url: String,
        /// The address of a repository, and a reference in it; an empty one is its default branch.
        repository: Option<(String, String)>,
        /// Whether the URL is asked for a file first.
        may_be_file: bool,
    },
}

/// What of a chart belongs in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChartForm {
    /// Its archive, as a file.
    Archive,
    /// What is in its archive, as a folder.
    Folder,
}

impl Lack {
    /// An archive in the `charts` folder of the chart in `folder`.
    pub(super) fn chart(
        folder: &TreePath,
        (name, version, repository): (&str, &str, &str),
    ) -> Result<Lack, PathError> {
        Ok(Lack {
            // The version is in the archive too; here it would only be a range.
            place: folder.join(&format!("charts/{name}.tgz"))?,
            what: Lacking::Chart {
                name: name.to_owned(),
                version: version.to_owned(),
                repository: repository.to_owned(),
                form: ChartForm::Archive,
            },
        })
    }

    /// What a kustomization needs, at the place where it looks for it.
    pub(super) fn of_kustomization(needed: &Needed) -> Result<Lack, PathError> {
        match needed {
            Needed::Remote(remote) => {
                let repository = remote.repository.as_ref();
                let repository = repository.map(|it| (it.clone_url.clone(), it.reference.clone()));
                // Folders of one repository share its files.
                let name = match (&repository, remote.may_be_file) {
                    (Some((address, reference)), false) => format!("{address}?ref={reference}"),
                    _ => remote.url.clone(),
                };
                Ok(Lack {
                    place: place_of(&name)?,
                    what: Lacking::Remote {
                        url: remote.url.clone(),
                        repository,
                        may_be_file: remote.may_be_file,
                    },
                })
            }
            Needed::Chart {
                name,
                version,
                repository,
                place,
            } => Ok(Lack {
                place: place.clone(),
                what: Lacking::Chart {
                    name: name.clone(),
                    version: version.clone(),
                    repository: repository.clone(),
                    form: ChartForm::Folder,
                },
            }),
        }
    }

    /// The place of what a URL names: it is no path of any repository.
    pub(super) fn file(url: &str) -> Result<Lack, PathError> {
        Ok(Lack {
            place: place_of(url)?,
            what: Lacking::File {
                url: url.to_owned(),
            },
        })
    }
}

fn place_of(url: &str) -> Result<TreePath, PathError> {
    let hash: String = Sha256::digest(url.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    TreePath::parse(&format!("$urls/{hash}"))
}

impl std::fmt::Display for Lack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.what {
            Lacking::Chart {
                name,
                version,
                repository,
                ..
            } => write!(f, "chart {name:?} of version {version:?} from {repository}"),
            Lacking::File { url } | Lacking::Remote { url, .. } => f.write_str(url),
        }
    }
}
