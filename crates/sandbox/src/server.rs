//! One sandbox: its state, its service and its ports.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::audit::Audit;
use crate::auth::Authenticator;
use crate::auth::tokens::Signer;
use crate::core::Core;
use crate::service::Service;
use crate::tls::Authority;
use crate::{Clock, Controllers, Error, Options, Storage, connection, crd, kubeconfig, seed};
use life::Life;
use store::Store;

/// Connections that are served at once: a client that opens more waits.
const CONNECTIONS: usize = 1024;
/// How long a TLS handshake or the head of a request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long running requests may take when the server stops.
const FAREWELL: Duration = Duration::from_secs(5);
/// Streams of one HTTP/2 connection: client-go runs all its watches over one.
const STREAMS: u32 = 1000;

/// A running sandbox. It serves until [`Server::stop`].
pub struct Server {
    core: Arc<Core>,
    clock: Clock,
    token: String,
    authority: Authority,
    tasks: TaskTracker,
    stopping: CancellationToken,
    life: Option<Life>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Server {
    /// Opens the store, makes what every cluster has, and gives a server that answers
    /// [`Server::service`].
    ///
    /// # Errors
    /// [`Error`] when the data directory cannot be used.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let (store, authority, signer) = match &options.storage {
            Storage::Memory => (
                Store::in_memory(options.history),
                Authority::generate()?,
                Signer::generate()?,
            ),
            Storage::Dir(dir) => {
                make_private_dir(dir).map_err(|source| Error::File {
                    path: dir.clone(),
                    source,
                })?;
                (
                    Store::open(dir, options.history)?,
                    Authority::open(dir)?,
                    Signer::open(dir)?,
                )
            }
        };
        let stopping = CancellationToken::new();
        let token = options
            .token
            .unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string());
        let authenticator = Authenticator::new(&token, signer);
        let audit = options.audit_log.as_deref().map(Audit::open).transpose()?;
        let core = Core::new(store, authenticator, options.rbac, audit, stopping.clone());
        let core = Arc::new(core);
        crd::reconcile(&core, options.clock.now(), "");
        let revision = seed::seed(&core, options.clock.now(), options.rbac);
        core.store.settled(revision).await?;
        let simulated = match options.controllers {
            Controllers::Off => None,
            Controllers::On { nodes } => Some((nodes, life::Switch::Off)),
            Controllers::Equipped { nodes } => Some((nodes, life::Switch::On)),
        };
        let life = match simulated {
            None => None,
            Some((nodes, equipment)) => {
                let service = Service::new(Arc::clone(&core), options.clock.clone());
                let set_up = life::Options {
                    nodes,
                    equipment,
                    volumes: life::Switch::On,
                    root_ca: authority.pem().to_owned(),
                    logs: core.logs.clone(),
                    ..life::Options::new(options.clock.clone())
                };
                Some(life::start(service, set_up))
            }
        };
        Ok(Server {
            core,
            clock: options.clock,
            token,
            authority,
            tasks: TaskTracker::new(),
            stopping,
            life,
        })
    }

    /// The API in this process: no port, no token. A clone talks to the same server.
    #[must_use]
    pub fn service(&self) -> Service {
        Service::new(Arc::clone(&self.core), self.clock.clone())
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

    /// Serves the API over TLS on `listener`, in the background, until [`Server::stop`]. Requests
    /// need the token.
    ///
    /// # Errors
    /// [`Error`] when the listener has no address or no certificate can be made.
    pub fn serve(&self, listener: TcpListener) -> Result<(), Error> {
        let address = listener.local_addr().map_err(Error::Listen)?;
        let config = self.authority.server(address.ip())?;
        self.accept(listener, Some(TlsAcceptor::from(config)));
        Ok(())
    }

    /// As [`Server::serve`], without TLS.
    ///
    /// # Errors
    /// [`Error`] when the listener has no address.
    pub fn serve_plaintext(&self, listener: TcpListener) -> Result<(), Error> {
        listener.local_addr().map_err(Error::Listen)?;
        self.accept(listener, None);
        Ok(())
    }

    fn accept(&self, listener: TcpListener, tls: Option<TlsAcceptor>) {
        let port = Port {
            service: self.service().behind_tokens(),
            tls,
            tasks: self.tasks.clone(),
            stopping: self.stopping.clone(),
        };
        self.tasks.spawn(port.run(listener));
    }

    /// A kubeconfig for the TLS port at `address`, as YAML.
    #[must_use]
    pub fn kubeconfig(&self, address: SocketAddr) -> String {
        kubeconfig::kubeconfig(address, Some(self.authority.pem()), &self.token)
    }

    /// A kubeconfig for the plain port at `address`. kubectl sends no token to it.
    #[must_use]
    pub fn plaintext_kubeconfig(&self, address: SocketAddr) -> String {
        kubeconfig::kubeconfig(address, None, &self.token)
    }

    /// Ends watches, lets running requests finish, writes what is queued and closes the store.
    pub async fn stop(self) {
        if let Some(life) = self.life {
            life.stop().await;
        }
        self.stopping.cancel();
        self.tasks.close();
        if tokio::time::timeout(FAREWELL, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("some connections did not end in time");
        }
        if let Some(audit) = &self.core.audit {
            audit.close().await;
        }
        self.core.store.close().await;
    }
}

fn make_private_dir(dir: &std::path::Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// One port.
#[derive(Clone)]
struct Port {
    service: Service,
    tls: Option<TlsAcceptor>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Port {
    async fn run(self, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                () = self.stopping.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let (socket, _) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, mostly: others must close before it goes on.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let port = self.clone();
            self.tasks.spawn(async move {
                port.connection(socket).await;
                drop(place);
            });
        }
    }

    async fn connection(self, socket: TcpStream) {
        // A small answer is not held back for the next one.
        let _unsupported = socket.set_nodelay(true);
        match self.tls.clone() {
            None => self.talk(socket).await,
            Some(tls) => match tokio::time::timeout(PATIENCE, tls.accept(socket)).await {
                Ok(Ok(stream)) => self.talk(stream).await,
                Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                Err(_) => tracing::debug!("a TLS handshake took too long"),
            },
        }
    }

    async fn talk(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let (requests, stream, mut running) = connection::over(stream);
        let mut builder = auto::Builder::new(requests);
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .keep_alive_interval(PATIENCE)
            .keep_alive_timeout(PATIENCE);
        let service = hyper_util::service::TowerToHyperService::new(self.service);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = running.with(connection.as_mut()) => ended,
            () = self.stopping.cancelled() => {
                connection.as_mut().graceful_shutdown();
                running.with(connection).await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended badly");
        }
    }
}
