//! How a sandbox is set up.

use std::path::PathBuf;

use crate::Clock;

/// Where objects are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In memory: gone when the server is dropped.
    Memory,
    /// In this folder, made when absent. Nothing acknowledged is lost.
    Dir(PathBuf),
}

/// Whether simulated controllers and a kubelet give objects a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controllers {
    /// None: what a bare kube-apiserver does.
    Off,
    /// All, with this many nodes.
    On {
        /// The number of nodes that take pods.
        nodes: u32,
    },
    /// The same, and what small clusters have besides Kubernetes: addresses for Ingresses and for
    /// Services of type `LoadBalancer`, a storage class for claims that name none, metrics that give
    /// autoscalers no reason to scale, and nodes that fit pods which ask for labels or resources that no
    /// node has.
    Equipped {
        /// The number of nodes that take pods.
        nodes: u32,
    },
}

/// Whether roles decide what users may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rbac {
    /// They do not: every known user may do everything.
    Off,
    /// They do, as by default in a cluster; its roles and bindings are there.
    On,
}

/// The set-up of a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where objects are kept.
    pub storage: Storage,
    /// The bearer token of the administrator; a random one is made when absent.
    pub token: Option<String>,
    /// Where the time comes from.
    pub clock: Clock,
    /// Whether objects have a life.
    pub controllers: Controllers,
    /// The file that gets a line for each request.
    pub audit_log: Option<PathBuf>,
    /// Whether roles are enforced.
    pub rbac: Rbac,
    /// Events that are kept per resource for watches and lists at old revisions.
    pub history: usize,
}

impl Options {
    /// Events kept per resource unless said otherwise: minutes of a busy cluster, a few megabytes.
    pub const HISTORY: usize = 8192;

    /// A server in memory, on the real clock, without controllers.
    #[must_use]
    pub fn in_memory() -> Self {
        Options {
            storage: Storage::Memory,
            token: None,
            clock: Clock::real(),
            controllers: Controllers::Off,
            audit_log: None,
            rbac: Rbac::Off,
            history: Self::HISTORY,
        }
    }

    /// The same, kept in `dir`.
    #[must_use]
    pub fn in_dir(dir: impl Into<PathBuf>) -> Self {
        Options {
            storage: Storage::Dir(dir.into()),
            ..Self::in_memory()
        }
    }
}
