//! Why the server cannot start or go on.

use std::path::PathBuf;

use store::DurableError;

/// Why a sandbox does not start, or stopped serving.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object store on disk cannot be used.
    #[error(transparent)]
    Store(StoreError),
    /// A file of the data directory cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The certificate authority in the data directory is not readable.
    #[error("the certificate authority in {path} is damaged")]
    Authority {
        /// The file.
        path: PathBuf,
    },
    /// A certificate cannot be made.
    #[error("cannot make a certificate")]
    Certificate(#[source] rcgen::Error),
    /// The key that signs tokens of service accounts cannot be made, read or used.
    #[error("cannot use the key that signs the tokens of service accounts")]
    TokenKey,
    /// TLS cannot be set up.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
    /// The listener has no address or failed.
    #[error("cannot listen")]
    Listen(#[source] std::io::Error),
}

/// Why the object store cannot be used; its text names the file.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct StoreError(DurableError);

impl From<DurableError> for Error {
    fn from(error: DurableError) -> Self {
        Error::Store(StoreError(error))
    }
}
