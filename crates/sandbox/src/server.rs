//! One sandbox: its state, its service and its port.

use std::sync::Arc;

use crate::core::Core;
use crate::service::Service;
use crate::store::Store;
use crate::{Clock, Error, Options, Storage, seed};

/// A running sandbox.
///
/// Dropping it ends nothing by force: [`Server::stop`] writes what is queued and waits.
#[derive(Debug)]
pub struct Server {
    core: CoreHandle,
    clock: Clock,
    token: String,
}

/// The shared state, without a printable form.
#[derive(Clone)]
struct CoreHandle(Arc<Core>);

impl std::fmt::Debug for CoreHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Core")
    }
}

impl Server {
    /// Opens the store, makes what every cluster has, and gives a server that answers
    /// [`Server::service`].
    ///
    /// # Errors
    /// [`Error`] when the data directory cannot be used.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let store = match &options.storage {
            Storage::Memory => Store::in_memory(options.history),
            Storage::Dir(dir) => {
                std::fs::create_dir_all(dir).map_err(|source| Error::File {
                    path: dir.clone(),
                    source,
                })?;
                Store::open(dir, options.history)?
            }
        };
        let core = Arc::new(Core::new(store));
        let revision = seed::seed(&core, options.clock.now());
        core.store.settled(revision).await?;
        let token = options
            .token
            .unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string());
        Ok(Server {
            core: CoreHandle(core),
            clock: options.clock,
            token,
        })
    }

    /// The API in this process: no port, no token. A clone talks to the same server.
    #[must_use]
    pub fn service(&self) -> Service {
        Service::new(Arc::clone(&self.core.0), self.clock.clone())
    }

    /// The bearer token of the administrator.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The clock that the server was started with.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Writes what is queued and closes the store.
    pub async fn stop(self) {
        self.core.0.store.close().await;
    }
}
