//! The Applications of one control namespace, read and written over the Kubernetes API.
//!
//! Read [`Apps`] first. Its verbs are those of kubectl: get, list, patch, delete, watch. What an
//! Application should do is the controller's; this asks for it and looks at the outcome.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use api::status::ResourceStatus;
use api::{Application, Health, HealthCode, names};
use cluster::{Client, Discovery, PatchKind, Resource, WatchEvent, Watcher, WriteOptions};
use engine::action::Propagation;
use futures::{StreamExt, stream};
use manifest::Gvk;
use yaml::{Map, Value};

/// How our writes are signed.
const FIELD_MANAGER: &str = "tiphys-cli";

/// How many objects are read at the same time.
const N_PARALLEL: usize = 16;

/// The Applications of a namespace.
pub(crate) struct Apps {
    client: Client,
    discovery: Arc<Discovery>,
    resource: Arc<Resource>,
    namespace: String,
}

impl Apps {
    /// Asks the cluster how Applications are addressed.
    ///
    /// # Errors
    /// When the cluster does not answer, or knows no Applications.
    pub(crate) async fn open(client: Client, namespace: &str) -> Result<Self> {
        let discovery = Arc::new(Discovery::read(&client).await?);
        let resource = discovery
            .preferred(names::GROUP, names::APPLICATION)
            .context("this cluster knows no Applications: see `tiphys install --crds`")?;
        let resource = Arc::clone(resource);
        Ok(Apps {
            client,
            discovery,
            resource,
            namespace: namespace.to_owned(),
        })
    }

    /// The same in another namespace.
    pub(crate) fn in_namespace(&self, namespace: &str) -> Self {
        Apps {
            client: self.client.clone(),
            discovery: Arc::clone(&self.discovery),
            resource: Arc::clone(&self.resource),
            namespace: namespace.to_owned(),
        }
    }

    /// The namespace.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// All Applications, by name.
    ///
    /// # Errors
    /// When the cluster refuses, or one of them cannot be read.
    pub(crate) async fn list(&self) -> Result<Vec<Application>> {
        let listing = self.client.list(&self.resource, &self.namespace).await?;
        let objects = listing.objects.into_iter();
        let mut apps = objects
            .map(|it| read(it.into_value()))
            .collect::<Result<Vec<_>>>()?;
        apps.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
        Ok(apps)
    }

    /// One Application; `None` when there is none of this name.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub(crate) async fn find(&self, name: &str) -> Result<Option<Application>> {
        let found = self
            .client
            .get(&self.resource, &self.namespace, name)
            .await?;
        found.map(|object| read(object.into_value())).transpose()
    }

    /// One Application.
    ///
    /// # Errors
    /// When there is none of this name, or the cluster refuses.
    pub(crate) async fn get(&self, name: &str) -> Result<Application> {
        let found = self.find(name).await?;
        found.with_context(|| format!("there is no Application {}/{name}", self.namespace))
    }

    /// The Application with the health of each of its objects, as they are now; as it is when they
    /// are in another cluster. The controller does not write these into the status.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub(crate) async fn with_health(&self, mut app: Application) -> Result<Application> {
        let destination = &app.spec.destination;
        if destination.server != names::IN_CLUSTER_SERVER
            && destination.name != names::IN_CLUSTER_NAME
        {
            return Ok(app);
        }
        let resources = std::mem::take(&mut app.status.resources);
        let assessed = stream::iter(resources).map(|one| self.assessed(one));
        let assessed: Vec<Result<ResourceStatus>> = assessed.buffered(N_PARALLEL).collect().await;
        app.status.resources = assessed.into_iter().collect::<Result<_>>()?;
        Ok(app)
    }

    async fn assessed(&self, mut status: ResourceStatus) -> Result<ResourceStatus> {
        let api_version = if status.group.is_empty() {
            status.version.clone()
        } else {
            format!("{}/{}", status.group, status.version)
        };
        let gvk = Gvk::new(&api_version, &status.kind);
        let Some(resource) = self.discovery.resource(&gvk) else {
            return Ok(status);
        };
        let live = self
            .client
            .get(resource, &status.namespace, &status.name)
            .await?;
        status.health = match live {
            Some(live) => engine::assess(&live),
            None => Some(Health {
                status: HealthCode::Missing,
                ..Health::default()
            }),
        };
        Ok(status)
    }

    /// Merges a patch into an Application.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub(crate) async fn patch(&self, name: &str, patch: &Value) -> Result<Application> {
        let target = (&*self.resource, self.namespace.as_str(), name, "");
        let options = WriteOptions {
            field_manager: Some(FIELD_MANAGER),
            ..WriteOptions::default()
        };
        let written = self
            .client
            .patch(target, PatchKind::Merge, patch, options)
            .await?;
        read(written.object.into_value())
    }

    /// Asks the controller to look at Git, and waits until it has.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub(crate) async fn refresh(&self, name: &str, kind: &str) -> Result<Application> {
        let annotation = Map::from([(names::REFRESH, Value::from(kind))]);
        let metadata = Map::from([("annotations", Value::Map(annotation))]);
        self.patch(
            name,
            &Value::Map(Map::from([("metadata", Value::Map(metadata))])),
        )
        .await?;
        let refreshed = |app: &Application| app.refresh().is_none();
        self.wait_for(name, None, |app| app.is_none_or(refreshed))
            .await?;
        self.get(name).await
    }

    /// Deletes an Application object.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub(crate) async fn delete(&self, name: &str) -> Result<()> {
        let target = (&*self.resource, self.namespace.as_str(), name);
        self.client
            .delete(target, Propagation::Background, "")
            .await?;
        Ok(())
    }

    /// Waits until `is_enough` says so of the Application (`None`: it is not there); gives whether
    /// it did before the timeout. `None` waits for ever.
    ///
    /// # Errors
    /// When the cluster cannot be watched.
    pub(crate) async fn wait_for(
        &self,
        name: &str,
        timeout: Option<Duration>,
        mut is_enough: impl FnMut(Option<&Application>) -> bool,
    ) -> Result<bool> {
        let states = RefCell::default();
        let wait = self.watch(&states, |apps, _| {
            is_enough(apps.get(name).map(Arc::as_ref))
        });
        match timeout {
            None => wait.await.map(|()| true),
            Some(timeout) => match tokio::time::timeout(timeout, wait).await {
                Ok(outcome) => outcome.map(|()| true),
                Err(_) => Ok(false),
            },
        }
    }

    /// Keeps `states` true and shows each of them to `is_enough`, with what changed, until it says
    /// so.
    ///
    /// # Errors
    /// When the cluster refuses to be watched; interruptions are bridged.
    pub(crate) async fn watch(
        &self,
        states: &RefCell<States>,
        mut is_enough: impl FnMut(&States, Changed<'_>) -> bool,
    ) -> Result<()> {
        let mut watcher = Watcher::new(
            self.client.clone(),
            Arc::clone(&self.resource),
            &self.namespace,
        );
        loop {
            let name = match watcher.next().await {
                WatchEvent::Listed(listing) => {
                    let read = listing
                        .objects
                        .into_iter()
                        .filter_map(|it| read(it.into_value()).ok());
                    states.replace(
                        read.map(|app| (app.metadata.name.clone(), Arc::new(app)))
                            .collect(),
                    );
                    None
                }
                WatchEvent::Applied(object) => {
                    let name = object.name().to_owned();
                    if let Ok(app) = read(object.into_value()) {
                        states.borrow_mut().insert(name.clone(), Arc::new(app));
                    }
                    Some(name)
                }
                WatchEvent::Deleted(object) => {
                    states.borrow_mut().remove(object.name());
                    Some(object.name().to_owned())
                }
                WatchEvent::Failed(error) => match error.class() {
                    cluster::Class::Final => return Err(error.into()),
                    _ => continue,
                },
            };
            let changed = name.as_deref().map_or(Changed::All, Changed::One);
            if is_enough(&states.borrow(), changed) {
                return Ok(());
            }
        }
    }
}

/// The Applications of a namespace by name, as of one moment.
pub(crate) type States = BTreeMap<String, Arc<Application>>;

/// What is new in [`States`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed<'a> {
    /// Nothing is known of what was before.
    All,
    /// The Application of this name: it is new, another one, or gone.
    One(&'a str),
}

/// An Application of its object.
fn read(value: Value) -> Result<Application> {
    Ok(Application::from_value(value)?)
}
