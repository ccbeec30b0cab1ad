//! Starting and stopping.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::client::{Api, BoxError};
use super::control::{Settings, Switch};
use super::logs::Logs;
use super::runtime::Runtime;
use crate::clock::Clock;

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many nodes there are, called `node-1` and so on. Without any, pods stay unscheduled, as
    /// beside a kube-controller-manager alone.
    pub nodes: u32,
    /// The time that controllers go by.
    pub clock: Clock,
    /// Whether there is what small clusters have besides Kubernetes: addresses for Ingresses and for
    /// Services of type `LoadBalancer`, a class for claims that name none, metrics for autoscalers,
    /// nodes that fit.
    pub equipment: Switch,
    /// Whether there is a default StorageClass whose claims get volumes.
    pub volumes: Switch,
    /// The certificate, as PEM, that each namespace's `kube-root-ca.crt` holds.
    pub root_ca: String,
    /// Where containers print.
    pub logs: Logs,
}

impl Options {
    /// Workload controllers alone: no nodes, no addresses, no volumes.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Options {
            nodes: 0,
            clock,
            equipment: Switch::Off,
            volumes: Switch::Off,
            root_ca: String::new(),
            logs: Logs::new(),
        }
    }
}

/// The running controllers. Dropping it stops them without waiting.
#[derive(Debug)]
pub struct Life {
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Life {
    /// Stops the controllers and waits until they have stopped; a request under way is finished.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
            && error.is_panic()
        {
            tracing::error!(%error, "the simulated controllers had failed");
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Starts the controllers over the API server behind `service`. They go on when it fails for a
/// while.
///
/// Must be called inside a tokio runtime.
pub fn start<S, R>(service: S, options: Options) -> Life
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    let settings = Settings {
        nodes: (1..=options.nodes)
            .map(|number| format!("node-{number}").into())
            .collect(),
        equipment: options.equipment,
        volumes: options.volumes,
        root_ca: options.root_ca.into(),
    };
    let runtime = Runtime::new(Api::new(service), options.clock, settings, options.logs);
    let stop = CancellationToken::new();
    let task = tokio::spawn(runtime.run(stop.clone()));
    Life {
        stop,
        task: Some(task),
    }
}
