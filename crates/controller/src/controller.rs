//! The controller: what it holds, and the tasks that keep it going.
//!
//! Read [`Controller`] first, then [`Controller::run`].

use std::collections::{BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::names;
use cluster::{Class, Cluster, PatchKind, WatchEvent, Watcher, WriteOptions};
use futures::FutureExt as _;
use manifest::{Gvk, Object};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use yaml::Value;

use crate::clusters::Clusters;
use crate::counters::{Count, Counters, Counts};
use crate::events::Events;
use crate::inputs::{InputKind, Inputs, Touched};
use crate::queue::{Queue, Urgency};
use crate::renders::Renders;
use crate::repositories::Repositories;
use crate::trigger::Trigger;
use crate::{AppKey, Error, Options};

/// The field manager of writes to Applications, as Argo CD's.
const FIELD_MANAGER: &str = "argocd-application-controller";

/// The first and the longest wait after a reconcile that failed.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(60));

/// How long a stop waits for what is under way.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait before a kind that the cluster does not serve is looked for again.
const KIND_AGAIN: Duration = Duration::from_secs(2);

/// How long an Application whose live objects change all the time rests between two looks, for each
/// of its objects: about what a look costs.
const PAUSE_EACH: Duration = Duration::from_micros(200);

/// Reconciles the Applications of one control namespace.
pub struct Controller {
    /// The one that it runs in.
    pub(crate) cluster: Cluster,
    /// All others.
    pub(crate) clusters: Clusters,
    pub(crate) repositories: Repositories,
    pub(crate) options: Options,
    pub(crate) inputs: Inputs,
    pub(crate) queue: Queue,
    pub(crate) renders: Arc<Renders>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) events: Events,
    /// Renders and comparisons at one time.
    pub(crate) permits: Semaphore,
    /// Since when an Application's repository does not answer.
    failing: Mutex<HashMap<AppKey, Instant>>,
    /// How often a reconcile has failed in a row.
    failed: Mutex<HashMap<AppKey, u32>>,
    listed: watch::Sender<BTreeSet<&'static str>>,
    local_changed: Notify,
    /// How many looks at local folders have begun, and how many are over.
    n_looks: (AtomicU64, watch::Sender<u64>),
    poll_now: Notify,
}

impl Controller {
    /// A controller that does nothing before [`Controller::run`].
    #[must_use]
    pub fn new(cluster: Cluster, repositories: Repositories, options: Options) -> Arc<Self> {
        Arc::new(Controller {
            inputs: Inputs::new(&options.control_namespace),
            permits: Semaphore::new(options.n_renders.max(1)),
            cluster,
            clusters: Clusters::default(),
            repositories,
            options,
            queue: Queue::default(),
            renders: Arc::default(),
            counters: Arc::default(),
            events: Events::default(),
            failing: Mutex::default(),
            failed: Mutex::default(),
            listed: watch::channel(BTreeSet::new()).0,
            local_changed: Notify::new(),
            n_looks: (AtomicU64::new(0), watch::channel(0).0),
            poll_now: Notify::new(),
        })
    }

    /// What was done until now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counters.read()
    }

    /// Says that a local folder may have changed: it is looked at at once. May be called as often
    /// as one likes; calls in a row become one look.
    pub fn local_changed(&self) {
        self.local_changed.notify_one();
    }

    /// As [`Controller::local_changed`], and waits until the look is over: the Applications that it
    /// concerns are in the queue then. Waits for ever when the controller does not run.
    pub async fn look_at_local(&self) {
        let (begun, over) = &self.n_looks;
        let ours = begun.load(Ordering::Acquire) + 1;
        let mut over = over.subscribe();
        self.local_changed();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = over.wait_for(|number| *number >= ours).await;
    }

    /// Asks every repository for its references now, as a webhook would.
    pub fn poll_now(&self) {
        self.poll_now.notify_one();
    }

    /// How many Applications wait for work or are worked on now. Zero does not mean that nothing
    /// will happen: waits with a time are not counted.
    #[must_use]
    pub fn n_busy(&self) -> usize {
        self.queue.len()
    }

    /// Works until `shutdown` is cancelled; what is under way then is brought to its end.
    ///
    /// # Errors
    /// None today: what fails is tried again.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) -> Result<(), Error> {
        let mut tasks = JoinSet::new();
        for kind in InputKind::ALL {
            tasks.spawn(self.clone().watch_inputs(kind));
        }
        let mut listed = self.listed.subscribe();
        let all_listed = async {
            let is_all = |kinds: &BTreeSet<_>| kinds.len() == InputKind::ALL.len();
            // The sender lives in `self`, so waiting cannot fail.
            let _ = listed.wait_for(is_all).await;
            self.cluster.ready().await;
        };
        tokio::select! {
            () = all_listed => {}
            () = shutdown.cancelled() => return Ok(()),
        }
        tasks.spawn(self.clone().follow_cluster(self.cluster.clone()));
        tasks.spawn(self.clone().follow_other_clusters());
        tasks.spawn(self.clone().follow_repositories());
        tasks.spawn(self.clone().follow_local());
        tasks.spawn(self.clone().write_events());
        let mut workers = JoinSet::new();
        for _ in 0..self.options.n_workers.max(1) {
            workers.spawn(self.clone().work(shutdown.clone()));
        }
        shutdown.cancelled().await;
        tasks.abort_all();
        let stopped = async { while workers.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIMEOUT, stopped).await.is_err() {
            tracing::warn!("work that was under way is cut off");
        }
        Ok(())
    }

    /// Keeps one kind of input true.
    async fn watch_inputs(self: Arc<Self>, kind: InputKind) {
        let (api_version, name) = kind.names();
        let gvk = Gvk::new(api_version, name);
        let resource = loop {
            match self.cluster.resource(&gvk).await {
                Ok(resource) => break resource,
                Err(error) => tracing::warn!(kind = name, %error, "waiting for the kind"),
            }
            tokio::time::sleep(KIND_AGAIN).await;
        };
        let client = self.cluster.client().clone();
        let mut watcher = Watcher::new(client, resource, &self.options.control_namespace);
        loop {
            let touched = match watcher.next().await {
                WatchEvent::Listed(listing) => {
                    let touched = self.inputs.listed(kind, &listing);
                    self.listed.send_modify(|kinds| {
                        kinds.insert(name);
                    });
                    touched
                }
                WatchEvent::Applied(object) => vec![self.inputs.applied(kind, &object)],
                WatchEvent::Deleted(object) => vec![self.inputs.removed(kind, &object)],
                WatchEvent::Failed(error) => {
                    tracing::warn!(kind = name, %error, "watch interrupted");
                    continue;
                }
            };
            for touched in touched {
                self.touch(touched);
            }
        }
    }

    fn touch(&self, touched: Touched) {
        match touched {
            Touched::Nothing => {}
            Touched::Application(key) => self.enqueue(key, Trigger::Application, Urgency::Now),
            Touched::Project(project) => {
                for (key, app) in self.inputs.apps() {
                    if app.spec.project == project {
                        self.enqueue(key, Trigger::Project, Urgency::Now);
                    }
                }
            }
            Touched::Everything => {
                let (trust, problems) = self.inputs.trust();
                for problem in problems {
                    tracing::warn!(%problem, "a server's key or certificate cannot be read");
                }
                self.repositories.store().set_trust(trust);
                self.clusters.set(self.inputs.cluster_secrets());
                for (key, _) in self.inputs.apps() {
                    self.enqueue(key, Trigger::Settings, Urgency::Now);
                }
            }
        }
    }

    pub(crate) fn enqueue(&self, key: AppKey, trigger: Trigger, urgency: Urgency) {
        tracing::trace!(application = %key, ?trigger, "to be reconciled");
        self.queue.add(key, urgency);
    }

    /// Applications whose live objects changed are looked at.
    pub(crate) async fn follow_cluster(self: Arc<Self>, cluster: Cluster) {
        let changes = cluster.changes();
        loop {
            for instance in changes.next().await {
                let key = self.inputs.key_of_instance(&instance);
                tracing::trace!(application = %key, trigger = ?Trigger::Live, "to be reconciled");
                let n_resources = self.inputs.n_resources(&key);
                self.queue.add_paced(key, PAUSE_EACH * n_resources);
            }
        }
    }

    async fn write_events(self: Arc<Self>) {
        self.events.write_all(&self.cluster).await;
    }

    async fn follow_local(self: Arc<Self>) {
        loop {
            self.local_changed.notified().await;
            let (begun, over) = &self.n_looks;
            let number = begun.fetch_add(1, Ordering::AcqRel) + 1;
            self.look_at_stand_ins().await;
            over.send_replace(number);
        }
    }

    async fn follow_repositories(self: Arc<Self>) {
        let mut watcher = source::Watcher::default();
        loop {
            let interval = self.poll_interval();
            let jitter = self.options.poll_jitter.mul_f64(rand::random::<f64>());
            tokio::select! {
                () = tokio::time::sleep(interval + jitter), if !interval.is_zero() => {}
                () = self.poll_now.notified() => {}
            }
            self.poll(&mut watcher).await;
            self.poll_charts().await;
            self.look_at_stand_ins().await;
            self.counters.add(Count::Poll);
        }
    }

    pub(crate) fn poll_interval(&self) -> Duration {
        self.inputs
            .settings()
            .poll_interval
            .unwrap_or(self.options.poll_interval)
    }

    /// One worker: takes keys until the end.
    async fn work(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            let key = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                key = self.queue.next() => key,
            };
            let done = AssertUnwindSafe(self.reconcile(&key)).catch_unwind().await;
            self.counters.add(Count::Reconcile);
            match done {
                Ok(Ok(())) => {
                    lock(&self.failed).remove(&key);
                }
                Ok(Err(error)) => self.retry_later(&key, &error).await,
                Err(_) => {
                    tracing::error!(application = %key, "the reconcile panicked");
                    self.queue.add_after(key.clone(), BACKOFF.1);
                }
            }
            self.queue.done(&key);
        }
    }

    /// The one place that says what an error of a reconcile leads to.
    async fn retry_later(&self, key: &AppKey, error: &Error) {
        let is_conflict = matches!(
            error,
            Error::Cluster { source, .. } if source.class() == Class::Conflict
        );
        if is_conflict {
            // Somebody wrote in between: the newest version decides.
            self.read_again(key).await;
        }
        let n_failed = {
            let mut failed = lock(&self.failed);
            let count = failed.entry(key.clone()).or_default();
            *count = count.saturating_add(1);
            *count
        };
        let delay = BACKOFF
            .0
            .saturating_mul(2_u32.saturating_pow(n_failed - 1))
            .min(BACKOFF.1);
        let problem = error as &dyn std::error::Error;
        let source = problem
            .source()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::warn!(application = %key, %error, source, ?delay, "reconcile failed");
        self.queue.add_after(key.clone(), delay);
    }

    async fn read_again(&self, key: &AppKey) {
        let gvk = Gvk::new(names::API_VERSION, names::APPLICATION);
        let Ok(resource) = self.cluster.resource(&gvk).await else {
            return;
        };
        let found = self
            .cluster
            .client()
            .get(&resource, &key.namespace, &key.name)
            .await;
        if let Ok(Some(object)) = found {
            self.inputs.answered(&object);
        }
    }

    /// Patches an Application; `None` when it is gone.
    pub(crate) async fn patch_application(
        &self,
        key: &AppKey,
        kind: PatchKind,
        patch: &Value,
    ) -> Result<Option<Object>, Error> {
        let gvk = Gvk::new(names::API_VERSION, names::APPLICATION);
        let what = || format!("writing the status of {key}");
        let resource = self
            .cluster
            .resource(&gvk)
            .await
            .map_err(Error::cluster(what()))?;
        let options = WriteOptions {
            field_manager: Some(FIELD_MANAGER),
            ..WriteOptions::default()
        };
        let target = (&*resource, key.namespace.as_str(), key.name.as_str(), "");
        let client = self.cluster.client();
        match client.patch(target, kind, patch, options).await {
            Ok(written) => Ok(Some(written.object)),
            Err(error) if error.class() == Class::NotFound => Ok(None),
            Err(error) => Err(Error::cluster(what())(error)),
        }
    }

    /// Lets go of everything that is held for an Application that is gone.
    pub(crate) async fn forget(&self, key: &AppKey) -> Result<(), Error> {
        self.renders.forget(key);
        lock(&self.failing).remove(key);
        let instance = if key.namespace == self.options.control_namespace {
            key.name.clone()
        } else {
            format!("{}_{}", key.namespace, key.name)
        };
        let instance = instance.into();
        let others = self.clusters.connected();
        for cluster in others.iter().chain([&self.cluster]) {
            let wanted = cluster.want(&instance, BTreeSet::new()).await;
            wanted.map_err(Error::cluster("reading live objects"))?;
        }
        Ok(())
    }

    pub(crate) fn failing(&self) -> MutexGuard<'_, HashMap<AppKey, Instant>> {
        lock(&self.failing)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
