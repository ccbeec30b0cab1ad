//! A sandbox, a controller and a folder that stands in for a repository.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::Application;
use cluster::{Client, Cluster, PatchKind, WriteOptions};
use controller::{Controller, Options, Place, Repositories, StandIn};
use engine::action::Propagation;
use manifest::{Gvk, Object};
use source::{FileUrls, RepoUrl, Store, WorkTree};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use yaml::Value;

/// The URL that the folder stands in for.
pub(crate) const URL: &str = "https://git.example.com/team/repo.git";

/// How long a state may take to be reached; only failures take so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that one test needs; it ends with the test.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    /// What tests themselves write goes past the cluster handle that the controller uses.
    client: Client,
    pub(crate) controller: Arc<Controller>,
    pub(crate) store: Store,
    folder: TempDir,
    _data: TempDir,
    _server: sandbox::Server,
    shutdown: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl World {
    /// A cluster with our CRDs, the project `default` and a running controller.
    pub(crate) async fn start() -> World {
        let options = Options {
            poll_interval: Duration::ZERO,
            ..Options::new("argocd")
        };
        World::start_with(sandbox::Options::in_memory(), options, Client::in_process).await
    }

    /// As [`World::start`], set up otherwise; `connect` is how the controller reaches the sandbox.
    pub(crate) async fn start_with(
        sandbox: sandbox::Options,
        options: Options,
        connect: impl FnOnce(sandbox::Service) -> Client,
    ) -> World {
        let server = sandbox::Server::start(sandbox).await.expect("a sandbox");
        let client = Client::in_process(server.service());
        let controllers = connect(server.service());
        let cluster = Cluster::start(controllers, cluster::Options::default())
            .await
            .expect("a cluster");
        let folder = tempfile::tempdir().expect("a folder");
        let data = tempfile::tempdir().expect("a folder");
        let store =
            Store::open(data.path(), source::Options::new(FileUrls::Allowed)).expect("a store");
        let tree = WorkTree::open(&store, folder.path()).expect("a working tree");
        let local = StandIn {
            url: RepoUrl::parse(URL).expect("a URL"),
            place: Place::Folder(tree),
        };
        let repositories = Repositories::new(store.clone(), vec![local]);
        let controller = Controller::new(cluster.clone(), repositories, options);
        let world = World {
            cluster,
            client,
            controller,
            store,
            folder,
            _data: data,
            _server: server,
            shutdown: CancellationToken::new(),
        };
        world.install().await;
        tokio::spawn(world.controller.clone().run(world.shutdown.clone()));
        world
    }

    async fn install(&self) {
        for crd in api::crds() {
            self.create_object(Object::new(crd).expect("an object"))
                .await;
        }
        self.create("{apiVersion: v1, kind: Namespace, metadata: {name: argocd}}")
            .await;
        self.create("{apiVersion: v1, kind: Namespace, metadata: {name: demo}}")
            .await;
        let project = "
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: default, namespace: argocd}
spec:
  sourceRepos: ['*']
  destinations: [{namespace: '*', server: '*'}]
  clusterResourceWhitelist: [{group: '*', kind: '*'}]
";
        self.create(project).await;
    }

    /// Writes a file of the repository, or removes it, without telling anybody.
    pub(crate) fn put(&self, path: &str, text: Option<&str>) {
        let path = self.folder.path().join(path);
        match text {
            Some(text) => {
                std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("a folder");
                std::fs::write(path, text).expect("a file");
            }
            None => std::fs::remove_file(path).expect("a file"),
        }
    }

    /// Writes a file, or removes it, and says so.
    pub(crate) fn commit(&self, path: &str, text: Option<&str>) {
        self.put(path, text);
        self.controller.local_changed();
    }

    /// Creates an object from YAML.
    pub(crate) async fn create(&self, text: &str) -> Object {
        self.create_object(object(text)).await
    }

    /// Creates an object.
    pub(crate) async fn create_object(&self, object: Object) -> Object {
        let started = Instant::now();
        loop {
            // A kind that was just defined is served a moment later.
            let resource = match self.cluster.resource(&object.gvk()).await {
                Ok(resource) => resource,
                Err(error) if started.elapsed() > PATIENCE => panic!("{error}"),
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            };
            let client = &self.client;
            let written = client
                .create(&resource, &object, WriteOptions::default())
                .await;
            return written.expect("created").object;
        }
    }

    /// One object, read from the server.
    pub(crate) async fn get(&self, api_version: &str, kind: &str, name: &str) -> Option<Object> {
        let gvk = Gvk::new(api_version, kind);
        let resource = self.cluster.resource(&gvk).await.expect("a served kind");
        let namespace = if api_version.starts_with("argoproj.io") {
            "argocd"
        } else {
            "demo"
        };
        let found = self.client.get(&resource, namespace, name).await;
        found.expect("an answer")
    }

    /// A ConfigMap's value under `k`; `None` when the ConfigMap is not there.
    pub(crate) async fn value(&self, name: &str) -> Option<String> {
        let found = self.get("v1", "ConfigMap", name).await?;
        Some(found.value().at(&["data", "k"])?.as_str()?.to_owned())
    }

    /// An Application as it is stored.
    pub(crate) async fn app(&self, name: &str) -> Option<Application> {
        let found = self
            .get("argoproj.io/v1alpha1", "Application", name)
            .await?;
        Some(Application::from_value(found.into_value()).expect("an Application"))
    }

    /// Merge-patches an object.
    pub(crate) async fn patch(&self, (api_version, kind, name): (&str, &str, &str), patch: &str) {
        let gvk = Gvk::new(api_version, kind);
        let resource = self.cluster.resource(&gvk).await.expect("a served kind");
        let namespace = if api_version.starts_with("argoproj.io") {
            "argocd"
        } else {
            "demo"
        };
        let patch = yaml::parse_str(patch).expect("YAML");
        let target = (&*resource, namespace, name, "");
        let client = &self.client;
        let options = WriteOptions::default();
        client
            .patch(target, PatchKind::Merge, &patch, options)
            .await
            .expect("patched");
    }

    /// Merge-patches the status of an object in `demo`.
    pub(crate) async fn patch_status(&self, object: (&str, &str, &str), patch: &str) {
        let (api_version, kind, name) = object;
        let gvk = Gvk::new(api_version, kind);
        let resource = self.cluster.resource(&gvk).await.expect("a served kind");
        let patch = yaml::parse_str(patch).expect("YAML");
        let target = (&*resource, "demo", name, "status");
        let client = &self.client;
        let options = WriteOptions::default();
        client
            .patch(target, PatchKind::Merge, &patch, options)
            .await
            .expect("patched");
    }

    /// Patches an object, or a subresource of it, where it says it is.
    pub(crate) async fn patch_object(
        &self,
        object: &Object,
        subresource: &str,
        (kind, patch): (PatchKind, &Value),
        options: WriteOptions<'_>,
    ) {
        let resource = self
            .cluster
            .resource(&object.gvk())
            .await
            .expect("a served kind");
        let target = (&*resource, object.namespace(), object.name(), subresource);
        let client = &self.client;
        // A recorded patch may be one that the server refuses.
        let _ = client.patch(target, kind, patch, options).await;
    }

    /// Deletes an object where it says it is.
    pub(crate) async fn delete_object(&self, object: &Object, propagation: Propagation) {
        let resource = self
            .cluster
            .resource(&object.gvk())
            .await
            .expect("a served kind");
        let target = (&*resource, object.namespace(), object.name());
        let deleted = self.client.delete(target, propagation, "").await;
        deleted.expect("deleted");
    }

    /// Every object of a kind; none of a kind that is not served.
    pub(crate) async fn list(&self, gvk: &Gvk) -> Vec<Object> {
        match self.cluster.resource(gvk).await {
            Ok(resource) => {
                let found = self.client.list(&resource, "").await;
                found.expect("a list").objects
            }
            Err(_) => Vec::new(),
        }
    }

    /// Every Application, by name.
    pub(crate) async fn applications(&self) -> BTreeMap<String, Value> {
        let gvk = Gvk::new("argoproj.io/v1alpha1", "Application");
        let found = self.list(&gvk).await;
        found
            .into_iter()
            .map(|object| (object.name().to_owned(), object.into_value()))
            .collect()
    }

    /// The folder that stands in for the repository.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Patches an Application.
    pub(crate) async fn patch_app(&self, name: &str, patch: &str) {
        self.patch(("argoproj.io/v1alpha1", "Application", name), patch)
            .await;
    }

    /// Asks for a refresh.
    pub(crate) async fn refresh(&self, name: &str) {
        let patch = "metadata: {annotations: {argocd.argoproj.io/refresh: normal}}";
        self.patch_app(name, patch).await;
    }

    /// Deletes an object.
    pub(crate) async fn delete(&self, api_version: &str, kind: &str, name: &str) {
        let gvk = Gvk::new(api_version, kind);
        let resource = self.cluster.resource(&gvk).await.expect("a served kind");
        let namespace = if api_version.starts_with("argoproj.io") {
            "argocd"
        } else {
            "demo"
        };
        let target = (&*resource, namespace, name);
        let deleted = self
            .client
            .delete(target, Propagation::Background, "")
            .await;
        deleted.expect("deleted");
    }

    /// Waits until an Application is as `test` wants it; shows it when it never is.
    pub(crate) async fn until(
        &self,
        name: &str,
        what: &str,
        test: impl Fn(&Application) -> bool,
    ) -> Application {
        let started = Instant::now();
        loop {
            let found = self.app(name).await;
            if let Some(app) = found.as_ref().filter(|app| test(app)) {
                return app.clone();
            }
            if started.elapsed() > PATIENCE {
                let status = found.map(|app| yaml::emit(&app.to_value()));
                panic!("{name} never was {what}:\n{}", status.unwrap_or_default());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until an Application is Synced at the last operation's end.
    pub(crate) async fn until_synced(&self, name: &str) -> Application {
        self.until(name, "synced", is_synced).await
    }

    /// Waits until a ConfigMap has this value, or is not there.
    pub(crate) async fn until_value(&self, name: &str, want: Option<&str>) {
        let started = Instant::now();
        loop {
            let found = self.value(name).await;
            if found.as_deref() == want {
                return;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "{name} is {found:?}, not {want:?}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Whether an Application has come to rest as Git says.
pub(crate) fn is_synced(app: &Application) -> bool {
    let state = app.status.operation_state.as_ref();
    app.status.sync.status == api::SyncCode::Synced
        && app.operation.is_none()
        && state.is_none_or(|state| state.phase.is_completed())
}

/// Runs git in a folder; the repository is a real one, written by the real program.
pub(crate) fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
        .args(arguments)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .expect("git");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// An object from YAML.
pub(crate) fn object(text: &str) -> Object {
    Object::new(yaml::parse_str(text).expect("YAML")).expect("an object")
}

/// An Application over the folder `path` of the repository, in namespace `demo`.
pub(crate) fn application(name: &str, path: &str, policy: &str) -> String {
    let value: Value = yaml::parse_str(&format!(
        "
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: argocd}}
spec:
  project: default
  source: {{repoURL: '{URL}', path: '{path}', targetRevision: HEAD}}
  destination: {{server: 'https://kubernetes.default.svc', namespace: demo}}
  syncPolicy: {policy}
"
    ))
    .expect("YAML");
    yaml::emit(&value)
}

/// A ConfigMap with one value.
pub(crate) fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{k: '{value}'}}\n")
}
