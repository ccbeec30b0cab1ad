//! The cluster that `up` deploys to: the sandbox, or a real one; and what both need first.
//!
//! Read [`Home`] first.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use api::names;
use cluster::{Class, Client, Connection, Discovery, PatchKind, Resource, WriteOptions};
use manifest::schema::{Schema, SchemaSet};
use manifest::{Gvk, Object};
use sandbox::{Controllers, Server};
use tokio::net::TcpListener;
use yaml::{Map, Value};

use crate::cli::UpArguments;
use crate::connect;
use crate::data_dir::{DataDir, write_private};

/// The namespace of Applications, projects and settings.
pub(crate) const NAMESPACE: &str = "argocd";
/// How our writes are signed.
const FIELD_MANAGER: &str = "tiphys-up";
/// Nodes of the sandbox.
const N_NODES: u32 = 2;
/// How long a new CRD may take until it is served.
const CRD_TIMEOUT: Duration = Duration::from_secs(20);
const CRD_PAUSE: Duration = Duration::from_millis(10);
/// The name that Argo CD's installations give their controller.
const ARGOCD_CONTROLLER: &str = "argocd-application-controller";
const NAME_LABEL: &str = "app.kubernetes.io/name";

/// A cluster to deploy to.
pub(crate) struct Home {
    /// Its API.
    pub(crate) client: Client,
    /// The address of the API.
    pub(crate) address: String,
    /// The kubeconfig to use it with.
    pub(crate) kubeconfig: PathBuf,
    server: Option<Server>,
}

impl Home {
    /// Starts the sandbox, or connects to the cluster of `--kubeconfig`.
    ///
    /// # Errors
    /// When the sandbox cannot use its folder or port, or the cluster cannot be used.
    pub(crate) async fn start(arguments: &UpArguments, data: &DataDir) -> Result<Self> {
        match &arguments.kubeconfig {
            None => Self::sandbox(arguments, data).await,
            Some(path) => {
                let connection = Connection::Kubeconfig {
                    path: path.clone(),
                    context: None,
                };
                let client = connect::client(&connection).await?;
                let address = path.display().to_string();
                let home = Home {
                    client,
                    address,
                    kubeconfig: path.clone(),
                    server: None,
                };
                home.refuse_beside_argocd(arguments).await?;
                Ok(home)
            }
        }
    }

    async fn sandbox(arguments: &UpArguments, data: &DataDir) -> Result<Self> {
        let mut options = sandbox::Options::in_dir(data.join("sandbox"));
        options.controllers = Controllers::Equipped { nodes: N_NODES };
        let server = Server::start(options)
            .await
            .context("the sandbox cannot start")?;
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
        let listener = TcpListener::bind(wanted).await;
        let listener = listener.with_context(|| format!("cannot listen on {wanted}"))?;
        let address = listener.local_addr()?;
        server.serve(listener)?;
        let kubeconfig = arguments
            .kubeconfig_out
            .clone()
            .unwrap_or_else(|| data.kubeconfig());
        let text = server.kubeconfig(address);
        write_private(&data.kubeconfig(), &text)?;
        write_private(&kubeconfig, &text)?;
        Ok(Home {
            client: Client::in_process(server.service()),
            address: format!("https://{address}"),
            kubeconfig,
            server: Some(server),
        })
    }

    /// Whether this is the sandbox.
    pub(crate) fn is_sandbox(&self) -> bool {
        self.server.is_some()
    }

    /// Two controllers on the same Applications would undo each other's work.
    async fn refuse_beside_argocd(&self, arguments: &UpArguments) -> Result<()> {
        if arguments.take_over {
            return Ok(());
        }
        let discovery = Discovery::read(&self.client).await?;
        for kind in ["StatefulSet", "Deployment"] {
            let Some(resource) = discovery.preferred("apps", kind) else {
                continue;
            };
            let objects = self.client.list(resource, "").await?.objects;
            let is_it = |object: &&Object| object.label(NAME_LABEL) == Some(ARGOCD_CONTROLLER);
            if let Some(found) = objects.iter().find(is_it) {
                bail!(
                    "an Argo CD controller runs in this cluster ({kind} {} in namespace {}): scale it \
                     to 0, or say --take-over to act on the same Applications beside it",
                    found.name(),
                    found.namespace()
                );
            }
        }
        Ok(())
    }

    /// Makes what Applications need: their CRDs (in a real cluster only when asked), the control
    /// namespace and the project `default`.
    ///
    /// # Errors
    /// When the cluster refuses, or it has no CRDs and none were asked for.
    pub(crate) async fn prepare(&self, with_crds: bool) -> Result<()> {
        if self.is_sandbox() || with_crds {
            for crd in api::crds() {
                self.apply(&Object::new(crd)?)
                    .await
                    .context("cannot install the CRDs")?;
            }
            self.served().await?;
        } else if Discovery::read(&self.client)
            .await?
            .preferred(names::GROUP, names::APPLICATION)
            .is_none()
        {
            bail!("this cluster knows no Applications: say --crds to install their CRDs");
        }
        let metadata = |name: &str| Value::Map(Map::from([("name", Value::from(name))]));
        self.make(Map::from([
            ("apiVersion", Value::from("v1")),
            ("kind", Value::from("Namespace")),
            ("metadata", metadata(NAMESPACE)),
        ]))
        .await?;
        let text = "sourceRepos: ['*']\ndestinations: [{namespace: '*', server: '*'}]\n\
            clusterResourceWhitelist: [{group: '*', kind: '*'}]\n";
        let mut project = Map::from([
            ("apiVersion", Value::from(names::API_VERSION)),
            ("kind", Value::from(names::APP_PROJECT)),
            ("metadata", metadata(names::DEFAULT_PROJECT)),
            ("spec", yaml::parse_str(text)?),
        ]);
        if let Some(metadata) = project.get_mut("metadata").and_then(Value::as_map_mut) {
            metadata.insert("namespace", NAMESPACE);
        }
        self.make(project).await
    }

    /// Creates an object unless there is one of its name.
    async fn make(&self, object: Map) -> Result<()> {
        let object = Object::new(Value::Map(object))?;
        let resource = self.resource(&object.gvk()).await?;
        let options = WriteOptions {
            field_manager: Some(FIELD_MANAGER),
            ..WriteOptions::default()
        };
        match self.client.create(&resource, &object, options).await {
            Err(error) if error.class() != Class::Exists => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Applies an object as ours, by server-side apply. Gives the fields that the cluster has no
    /// place for, which were left out.
    ///
    /// # Errors
    /// When the cluster refuses it.
    pub(crate) async fn apply(&self, object: &Object) -> Result<Vec<String>> {
        let resource = self.resource(&object.gvk()).await?;
        let namespace = if resource.namespaced && object.namespace().is_empty() {
            NAMESPACE
        } else {
            object.namespace()
        };
        let options = WriteOptions {
            field_manager: Some(FIELD_MANAGER),
            force: true,
            ..WriteOptions::default()
        };
        let target = (&*resource, namespace, object.name(), "");
        let mut value = object.value().clone();
        let left_out = match self.definition_of(&resource).await? {
            Some(schema) => schema.take_undeclared(&mut value),
            None => Vec::new(),
        };
        self.client
            .patch(target, PatchKind::Apply, &value, options)
            .await?;
        Ok(left_out)
    }

    /// The schema that a real cluster has for a custom kind. The sandbox has ours, which know every
    /// field, and whose refusals are right.
    async fn definition_of(&self, resource: &Resource) -> Result<Option<Schema>> {
        if self.server.is_some() || &*resource.gvk.group != names::GROUP {
            return Ok(None);
        }
        let definitions = Gvk::new("apiextensions.k8s.io/v1", "CustomResourceDefinition");
        let definitions = self.resource(&definitions).await?;
        let name = format!("{}.{}", resource.plural, resource.gvk.group);
        let definition = self.client.get(&definitions, "", &name).await?;
        Ok(definition.and_then(|definition| {
            SchemaSet::builtin().of_definition(definition.value(), &resource.gvk.version)
        }))
    }

    async fn resource(&self, gvk: &Gvk) -> Result<std::sync::Arc<Resource>> {
        let discovery = Discovery::read(&self.client).await?;
        let resource = discovery.resource(gvk).cloned();
        resource
            .with_context(|| format!("the cluster knows no {} in {}", gvk.kind, gvk.api_version()))
    }

    /// Waits until the new kinds are served.
    async fn served(&self) -> Result<()> {
        let wait = async {
            loop {
                let discovery = Discovery::read(&self.client).await?;
                let kinds = [
                    names::APPLICATION,
                    names::APP_PROJECT,
                    names::APPLICATION_SET,
                ];
                if kinds
                    .iter()
                    .all(|kind| discovery.preferred(names::GROUP, kind).is_some())
                {
                    return Ok(());
                }
                tokio::time::sleep(CRD_PAUSE).await;
            }
        };
        let outcome = tokio::time::timeout(CRD_TIMEOUT, wait).await;
        outcome.context("the cluster does not serve the new kinds")?
    }

    /// Ends the sandbox; what it holds is on disk.
    pub(crate) async fn stop(self) {
        if let Some(server) = self.server {
            server.stop().await;
        }
    }
}
