//! The handle of a cluster: what it serves, what it has, and how to change it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::Live;
use engine::live::Scope;
use manifest::schema::{Schema, SchemaSet};
use manifest::{Gvk, Object, ObjectKey};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use yaml::Str;

use crate::cache::Cache;
use crate::{Changes, Class, Client, Discovery, Error, Listing, Resource, observe};

/// How long a burst of new definitions is gathered before discovery is read again.
const REDISCOVERY_PAUSE: Duration = Duration::from_millis(50);

/// Without a sign of new kinds, discovery is read again after this time: aggregated APIs come and
/// go without one.
const REDISCOVERY_INTERVAL: Duration = Duration::from_secs(600);

/// How a cluster is observed.
#[derive(Clone, Debug)]
pub struct Options {
    /// The label that marks the application of an object (`application.instanceLabelKey`).
    pub instance_label: Str,
    /// Kinds that are not watched, as group and kind, `*` for any of them. What they have is
    /// invisible to comparison and pruning.
    pub excluded: Vec<(Str, Str)>,
}

impl Default for Options {
    /// As Argo CD's install manifests set them (`resource.exclusions`, reference/argocd/config.md):
    /// kinds that change all the time, or that no one keeps in Git.
    fn default() -> Self {
        let excluded = [
            ("", "Endpoints"),
            ("discovery.k8s.io", "EndpointSlice"),
            ("coordination.k8s.io", "Lease"),
            ("authentication.k8s.io", "*"),
            ("authorization.k8s.io", "*"),
            ("certificates.k8s.io", "CertificateSigningRequest"),
            ("", "Event"),
            ("events.k8s.io", "Event"),
            ("metrics.k8s.io", "*"),
            ("custom.metrics.k8s.io", "*"),
        ];
        Options {
            instance_label: "app.kubernetes.io/instance".into(),
            excluded: excluded
                .iter()
                .map(|(g, k)| (Str::from(*g), Str::from(*k)))
                .collect(),
        }
    }
}

impl Options {
    /// Whether a kind is left out.
    #[must_use]
    pub fn is_excluded(&self, group: &str, kind: &str) -> bool {
        self.excluded
            .iter()
            .any(|(g, k)| (&**g == "*" || &**g == group) && (&**k == "*" || &**k == kind))
    }
}

/// One cluster. A clone is the same cluster; the watches end when the last clone is dropped or
/// [`Cluster::stop`] is called.
#[derive(Clone)]
pub struct Cluster {
    shared: Arc<Shared>,
    tasks: Arc<Tasks>,
}

struct Tasks {
    observer: JoinHandle<()>,
    discoverer: JoinHandle<()>,
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.observer.abort();
        self.discoverer.abort();
    }
}

pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) options: Options,
    rediscover: Notify,
    pub(crate) builtin: Arc<SchemaSet>,
    schemas: Mutex<HashMap<Gvk, Option<Schema>>>,
    cache: Mutex<Cache>,
    changes: Changes,
    discovery: watch::Sender<Arc<Discovery>>,
    unlisted: watch::Sender<Option<HashSet<(Str, Str)>>>,
}

impl Cluster {
    /// Reads discovery and starts to watch; returns before the first lists are in
    /// ([`Cluster::ready`] waits for them).
    ///
    /// # Errors
    /// [`Error`] when the API server cannot be asked what it serves.
    pub async fn start(client: Client, options: Options) -> Result<Self, Error> {
        let first = Arc::new(Discovery::read(&client).await?);
        let (discovery, discovered) = watch::channel(first);
        let shared = Arc::new(Shared {
            client,
            cache: Mutex::new(Cache::new(options.instance_label.clone())),
            options,
            rediscover: Notify::new(),
            builtin: SchemaSet::builtin(),
            schemas: Mutex::default(),
            changes: Changes::default(),
            discovery,
            unlisted: watch::channel(None).0,
        });
        let tasks = Tasks {
            observer: tokio::spawn(observe::observe(shared.clone(), discovered)),
            discoverer: tokio::spawn(keep_discovered(shared.clone())),
        };
        Ok(Cluster {
            shared,
            tasks: Arc::new(tasks),
        })
    }

    /// Waits until every watched kind was listed once: from then on [`Cluster::live`] is whole.
    pub async fn ready(&self) {
        let mut unlisted = self.shared.unlisted.subscribe();
        let done = |kinds: &Option<HashSet<_>>| kinds.as_ref().is_some_and(HashSet::is_empty);
        // The sender lives in `shared`, so waiting cannot fail.
        let _ = unlisted.wait_for(done).await;
    }

    /// Ends the watches. Requests still work.
    pub fn stop(&self) {
        self.tasks.observer.abort();
        self.tasks.discoverer.abort();
    }

    /// Plain requests.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    /// How it is observed.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// What the cluster serves now.
    #[must_use]
    pub fn discovery(&self) -> Arc<Discovery> {
        self.shared.discovery.borrow().clone()
    }

    /// The resource of a kind; a kind that is not known is asked for again first, as its definition
    /// may be new.
    ///
    /// # Errors
    /// [`Error::UnknownKind`] when the cluster does not serve it, or the error of asking.
    pub async fn resource(&self, gvk: &Gvk) -> Result<Arc<Resource>, Error> {
        if let Some(resource) = self.discovery().resource(gvk) {
            return Ok(resource.clone());
        }
        self.shared.read_discovery().await?;
        self.discovery()
            .resource(gvk)
            .cloned()
            .ok_or_else(|| Error::UnknownKind {
                api_version: gvk.api_version(),
                kind: gvk.kind.to_string(),
            })
    }

    /// Whether the objects of a kind live in namespaces; `None` for a kind that is not served.
    #[must_use]
    pub fn scope_of(&self, gvk: &Gvk) -> Option<Scope> {
        let discovery = self.discovery();
        discovery
            .resource(gvk)
            .map(|resource| match resource.namespaced {
                true => Scope::Namespaced,
                false => Scope::Cluster,
            })
    }

    /// The schemas of the built-in kinds.
    #[must_use]
    pub fn builtin_schemas(&self) -> &Arc<SchemaSet> {
        &self.shared.builtin
    }

    /// The schema of a kind: built in, or that of its definition in the cluster, read once and again
    /// after the definition has changed. `None` where there is none, or none that says anything.
    ///
    /// # Errors
    /// [`Error`] when the definition cannot be asked for.
    pub async fn schema(&self, gvk: &Gvk) -> Result<Option<Schema>, Error> {
        if let Some(schema) = self.shared.builtin.schema(gvk) {
            return Ok(Some(schema));
        }
        if let Some(known) = self.shared.schemas().get(gvk) {
            return Ok(known.clone());
        }
        let schema = self.read_schema(gvk).await?;
        self.shared.schemas().insert(gvk.clone(), schema.clone());
        Ok(schema)
    }

    async fn read_schema(&self, gvk: &Gvk) -> Result<Option<Schema>, Error> {
        let Some(resource) = self.discovery().resource(gvk).cloned() else {
            return Ok(None);
        };
        let crd = Gvk::new("apiextensions.k8s.io/v1", "CustomResourceDefinition");
        let Some(definitions) = self.discovery().resource(&crd).cloned() else {
            return Ok(None);
        };
        let name = format!("{}.{}", resource.plural, gvk.group);
        let Some(definition) = self.client().get(&definitions, "", &name).await? else {
            return Ok(None); // served by an aggregated API
        };
        let schemas = &self.shared.builtin;
        let schema = schemas.of_definition(definition.value(), &gvk.version);
        Ok(schema)
    }

    /// The live objects that an application tracks or wants ([`Cluster::want`]).
    #[must_use]
    pub fn live(&self, instance: &Str) -> Live {
        self.shared.cache().live(instance)
    }

    /// Says which keys an application declares, instead of those it declared before: their objects
    /// are held from now on whether they are tracked or not, and their changes touch it.
    ///
    /// # Errors
    /// [`Error`] when an object that exists but was not held cannot be read.
    pub async fn want(&self, instance: &Str, keys: BTreeSet<ObjectKey>) -> Result<(), Error> {
        let missing = self.shared.cache().want(instance, keys);
        for key in missing {
            self.fetch(&key).await?;
        }
        Ok(())
    }

    /// Reads one object from the API server into the cache and gives it.
    ///
    /// # Errors
    /// [`Error`] when the server cannot be asked or does not serve the kind.
    pub async fn fetch(&self, key: &ObjectKey) -> Result<Option<Object>, Error> {
        let Some(resource) = self.discovery().preferred(&key.group, &key.kind).cloned() else {
            return Ok(None);
        };
        let found = self
            .shared
            .client
            .get(&resource, &key.namespace, &key.name)
            .await?;
        match &found {
            Some(object) => self.shared.object_answered(object.clone()),
            None => self.shared.object_missing(key),
        }
        Ok(found)
    }

    /// Gives one object as the server converts it to a version of its kind, where the cluster prefers
    /// another; the server is asked once for each state of a held object. `None` when the object is not there, or when the cluster
    /// does not serve that version.
    ///
    /// # Errors
    /// [`Error`] when the server cannot be asked.
    pub async fn fetch_as(&self, gvk: &Gvk, key: &ObjectKey) -> Result<Option<Object>, Error> {
        let Some(resource) = self.discovery().resource(gvk).cloned() else {
            return Ok(None);
        };
        if let Some(known) = self.shared.cache().converted(gvk, key) {
            return Ok(Some(known.clone()));
        }
        let client = &self.shared.client;
        let object = client.get(&resource, &key.namespace, &key.name).await?;
        if let Some(object) = &object {
            self.shared.cache().keep_converted(object.clone());
        }
        Ok(object)
    }

    /// One held object, without asking the server.
    #[must_use]
    pub fn held(&self, key: &ObjectKey) -> Option<Object> {
        self.shared.cache().held(key).cloned()
    }

    /// The applications that are touched by changes in the cluster. For one reader.
    #[must_use]
    pub fn changes(&self) -> Changes {
        self.shared.changes.clone()
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl Shared {
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn schemas(&self) -> MutexGuard<'_, HashMap<Gvk, Option<Schema>>> {
        self.schemas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A definition has changed: what is known of its kind is read again when it is needed.
    pub(crate) fn definition_changed(&self) {
        self.schemas().clear();
        self.rediscover.notify_one();
    }

    /// Whether a watch has seen an object of this key.
    pub(crate) fn knows(&self, key: &ObjectKey) -> bool {
        self.cache().knows(key)
    }

    pub(crate) fn kind_listed(&self, kind: &(Str, Str), listing: Listing) {
        let touched = self.cache().listed(kind, listing);
        self.changes.add(touched);
        self.unlisted
            .send_if_modified(|unlisted| unlisted.as_mut().is_some_and(|kinds| kinds.remove(kind)));
    }

    pub(crate) fn kind_dropped(&self, kind: &(Str, Str)) {
        let touched = self.cache().dropped(kind);
        self.changes.add(touched);
        self.unlisted
            .send_if_modified(|unlisted| unlisted.as_mut().is_some_and(|kinds| kinds.remove(kind)));
    }

    /// The kinds whose first lists `ready` waits for; later kinds do not make it wait again.
    pub(crate) fn expect_listed(&self, kinds: HashSet<(Str, Str)>) {
        self.unlisted.send_if_modified(|unlisted| {
            let first = unlisted.is_none();
            if first {
                *unlisted = Some(kinds);
            }
            first
        });
    }

    /// The watch tells how an object is now.
    pub(crate) fn object_applied(&self, object: Object) {
        let touched = self.cache().applied(object);
        self.changes.add(touched);
    }

    /// The watch tells that an object is gone.
    pub(crate) fn object_deleted(&self, object: &Object) {
        let touched = self.cache().deleted(object);
        self.changes.add(touched);
    }

    /// The server answers a request with an object.
    pub(crate) fn object_answered(&self, object: Object) {
        if self.options.is_excluded(object.group(), object.kind()) {
            return;
        }
        let touched = self.cache().answered(object);
        self.changes.add(touched);
    }

    /// The server answers that there is no such object.
    pub(crate) fn object_missing(&self, key: &ObjectKey) {
        let touched = self.cache().removed(key);
        self.changes.add(touched);
    }

    async fn read_discovery(&self) -> Result<(), Error> {
        let discovery = Discovery::read(&self.client).await?;
        self.discovery.send_replace(Arc::new(discovery));
        Ok(())
    }
}

async fn keep_discovered(shared: Arc<Shared>) {
    loop {
        let _ = tokio::time::timeout(REDISCOVERY_INTERVAL, shared.rediscover.notified()).await;
        tokio::time::sleep(REDISCOVERY_PAUSE).await;
        if let Err(error) = shared.read_discovery().await {
            tracing::warn!(%error, "the cluster does not say what it serves");
            if error.class() == Class::Retry {
                tokio::time::sleep(REDISCOVERY_PAUSE * 20).await;
                shared.rediscover.notify_one();
            }
        }
    }
}
