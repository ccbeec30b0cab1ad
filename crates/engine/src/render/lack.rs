//! What a tree still lacks to be rendered: somebody with a network brings it, then the render is
//! tried again. Read [`Lack`].

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
    /// A chart that another one depends on: its archive.
    Chart {
        /// Its name.
        name: String,
        /// A version, or a range of versions.
        version: String,
        /// An address, or `@name` of a known repository.
        repository: String,
    },
    /// A value file: what is at a URL.
    File {
        /// The URL, of an allowed scheme.
        url: String,
    },
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
            },
        })
    }

    /// The place of what a URL names: it is no path of any repository.
    pub(super) fn file(url: &str) -> Result<Lack, PathError> {
        let hash: String = Sha256::digest(url.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Lack {
            place: TreePath::parse(&format!("$urls/{hash}"))?,
            what: Lacking::File {
                url: url.to_owned(),
            },
        })
    }
}

impl std::fmt::Display for Lack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.what {
            Lacking::Chart {
                name,
                version,
                repository,
            } => write!(f, "chart {name:?} of version {version:?} from {repository}"),
            Lacking::File { url } => f.write_str(url),
        }
    }
}
