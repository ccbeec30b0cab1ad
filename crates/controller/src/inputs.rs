//! What the control namespace holds: Applications, projects, settings, credentials.
//!
//! Read [`Inputs`] first. Fed by watches and by the answers to our own writes; the newer of two
//! versions of an object always wins.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::{AppProject, Application, names};
use cluster::{Horizon, Listing};
use manifest::Object;
use source::{CredentialStore, RepositorySecret, SecretKind, Trust};
use yaml::Value;

use crate::AppKey;
use crate::clusters::ClusterSecret;
use crate::settings::Settings;

/// The type of Secrets that describe a cluster.
const CLUSTER_SECRET: &str = "cluster";

/// The kinds that are watched in the control namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum InputKind {
    Application,
    Project,
    ConfigMap,
    Secret,
}

impl InputKind {
    pub(crate) const ALL: [InputKind; 4] = [
        InputKind::Application,
        InputKind::Project,
        InputKind::ConfigMap,
        InputKind::Secret,
    ];

    /// `apiVersion` and kind.
    pub(crate) fn names(self) -> (&'static str, &'static str) {
        match self {
            InputKind::Application => (names::API_VERSION, names::APPLICATION),
            InputKind::Project => (names::API_VERSION, names::APP_PROJECT),
            InputKind::ConfigMap => ("v1", "ConfigMap"),
            InputKind::Secret => ("v1", "Secret"),
        }
    }
}

/// What a change of an input concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    /// One Application.
    Application(AppKey),
    /// Every Application of a project.
    Project(String),
    /// All of them.
    Everything,
    /// None.
    Nothing,
}

/// An Application as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// As it was read; `Err` says why it cannot be.
    pub(crate) app: Result<Arc<Application>, api::Error>,
    version: Option<u64>,
}

/// All of it.
pub(crate) struct Inputs {
    control_namespace: String,
    state: Mutex<State>,
}

struct State {
    apps: BTreeMap<AppKey, Stored>,
    /// How far the watch of Applications has come.
    horizon: Horizon,
    projects: HashMap<String, Arc<AppProject>>,
    config_maps: HashMap<String, BTreeMap<String, String>>,
    secrets: BTreeMap<String, RepositorySecret>,
    clusters: BTreeMap<String, Arc<ClusterSecret>>,
    settings: Arc<Settings>,
    credentials: Arc<CredentialStore>,
}

impl Inputs {
    pub(crate) fn new(control_namespace: &str) -> Self {
        Inputs {
            control_namespace: control_namespace.to_owned(),
            state: Mutex::new(State {
                apps: BTreeMap::new(),
                horizon: Horizon::default(),
                projects: HashMap::new(),
                config_maps: HashMap::new(),
                secrets: BTreeMap::new(),
                clusters: BTreeMap::new(),
                settings: Arc::new(Settings::read(control_namespace, &BTreeMap::new())),
                credentials: Arc::default(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An Application.
    pub(crate) fn app(&self, key: &AppKey) -> Option<Stored> {
        self.lock().apps.get(key).cloned()
    }

    /// Every Application that can be read.
    pub(crate) fn apps(&self) -> Vec<(AppKey, Arc<Application>)> {
        let state = self.lock();
        let apps = state.apps.iter();
        apps.filter_map(|(key, stored)| Some((key.clone(), stored.app.clone().ok()?)))
            .collect()
    }

    /// How many objects an Application had when it was compared last.
    pub(crate) fn n_resources(&self, key: &AppKey) -> u32 {
        let state = self.lock();
        let app = state
            .apps
            .get(key)
            .and_then(|stored| stored.app.as_ref().ok());
        let n_resources = app.map_or(0, |app| app.status.resources.len());
        u32::try_from(n_resources).unwrap_or(u32::MAX)
    }

    /// A project.
    pub(crate) fn project(&self, name: &str) -> Option<Arc<AppProject>> {
        self.lock().projects.get(name).cloned()
    }

    /// The settings now.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.lock().settings.clone()
    }

    /// The credentials of repositories now.
    pub(crate) fn credentials(&self) -> Arc<CredentialStore> {
        self.lock().credentials.clone()
    }

    /// The clusters that Secrets describe.
    pub(crate) fn cluster_secrets(&self) -> Vec<Arc<ClusterSecret>> {
        self.lock().clusters.values().cloned().collect()
    }

    /// The servers that are believed now, with what could not be read.
    pub(crate) fn trust(&self) -> (Trust, Vec<source::TrustError>) {
        let state = self.lock();
        let data = |name: &str| state.config_maps.get(name).cloned().unwrap_or_default();
        let hosts = data(names::SSH_KNOWN_HOSTS_CONFIG_MAP);
        let hosts = hosts
            .get("ssh_known_hosts")
            .map(String::as_str)
            .unwrap_or_default();
        Trust::new(&data(names::TLS_CERTS_CONFIG_MAP), hosts)
    }

    /// The Application of an instance name (`name` or `namespace_name`).
    pub(crate) fn key_of_instance(&self, instance: &str) -> AppKey {
        let (namespace, name) = match instance.split_once('_') {
            Some((namespace, name)) => (namespace, name),
            None => (self.control_namespace.as_str(), instance),
        };
        AppKey {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Everything of one kind as of now; what is not among it is gone.
    pub(crate) fn listed(&self, kind: InputKind, listing: &Listing) -> Vec<Touched> {
        let objects = &listing.objects;
        if kind == InputKind::Application {
            self.lock().horizon.listed(&listing.resource_version);
        }
        let mut touched = Vec::new();
        for gone in self.names(kind) {
            let is_there = |object: &Object| key_of(object) == gone;
            if !objects.iter().any(is_there) {
                touched.push(self.removed_key(kind, &gone));
            }
        }
        touched.extend(objects.iter().map(|object| self.applied(kind, object)));
        touched
    }

    fn names(&self, kind: InputKind) -> Vec<AppKey> {
        let state = self.lock();
        let key = |name: &String| AppKey {
            namespace: self.control_namespace.clone(),
            name: name.clone(),
        };
        match kind {
            InputKind::Application => state.apps.keys().cloned().collect(),
            InputKind::Project => state.projects.keys().map(key).collect(),
            InputKind::ConfigMap => state.config_maps.keys().map(key).collect(),
            InputKind::Secret => {
                let names = state.secrets.keys().chain(state.clusters.keys());
                names.map(key).collect()
            }
        }
    }

    /// An Application in the answer to a request; unlike what the watch tells, it may be gone.
    pub(crate) fn answered(&self, object: &Object) {
        let mut state = self.lock();
        if state.apps.contains_key(&key_of(object)) || !state.horizon.is_past(object) {
            app_applied(&mut state, object);
        }
    }

    /// An object as the watch tells that it is now.
    pub(crate) fn applied(&self, kind: InputKind, object: &Object) -> Touched {
        match kind {
            InputKind::Application => {
                let mut state = self.lock();
                state.horizon.reached(object);
                app_applied(&mut state, object)
            }
            InputKind::Project => self.project_applied(object),
            InputKind::ConfigMap => self.config_map_applied(object),
            InputKind::Secret => self.secret_applied(object),
        }
    }

    /// An object that the watch tells to be gone.
    pub(crate) fn removed(&self, kind: InputKind, object: &Object) -> Touched {
        if kind == InputKind::Application {
            self.lock().horizon.reached(object);
        }
        self.removed_key(kind, &key_of(object))
    }

    fn removed_key(&self, kind: InputKind, key: &AppKey) -> Touched {
        let mut state = self.lock();
        match kind {
            InputKind::Application => {
                state.apps.remove(key);
                Touched::Application(key.clone())
            }
            InputKind::Project => {
                state.projects.remove(&key.name);
                Touched::Project(key.name.clone())
            }
            InputKind::ConfigMap => {
                state.config_maps.remove(&key.name);
                self.settings_changed(&mut state)
            }
            InputKind::Secret => secret_removed(&mut state, &key.name),
        }
    }

    fn project_applied(&self, object: &Object) -> Touched {
        let name = object.name().to_owned();
        match AppProject::from_value(object.value().clone()) {
            Ok(project) => {
                let old = self
                    .lock()
                    .projects
                    .insert(name.clone(), Arc::new(project.clone()));
                let is_same = old.is_some_and(|old| old.spec == project.spec);
                if is_same {
                    Touched::Nothing
                } else {
                    Touched::Project(name)
                }
            }
            Err(error) => {
                tracing::warn!(project = %name, %error, "the AppProject cannot be read");
                self.lock().projects.remove(&name);
                Touched::Project(name)
            }
        }
    }

    fn config_map_applied(&self, object: &Object) -> Touched {
        let name = object.name();
        let wanted = [
            names::CONFIG_MAP,
            names::TLS_CERTS_CONFIG_MAP,
            names::SSH_KNOWN_HOSTS_CONFIG_MAP,
        ];
        if !wanted.contains(&name) {
            return Touched::Nothing;
        }
        let data = object.value().get("data").and_then(Value::as_map);
        let data: BTreeMap<String, String> = data
            .into_iter()
            .flat_map(yaml::Map::iter)
            .filter_map(|(key, value)| Some((key.to_string(), value.as_str()?.to_owned())))
            .collect();
        let mut state = self.lock();
        if state.config_maps.insert(name.to_owned(), data.clone()) == Some(data) {
            return Touched::Nothing;
        }
        self.settings_changed(&mut state)
    }

    fn settings_changed(&self, state: &mut State) -> Touched {
        let empty = BTreeMap::new();
        let data = state.config_maps.get(names::CONFIG_MAP).unwrap_or(&empty);
        state.settings = Arc::new(Settings::read(&self.control_namespace, data));
        for condition in &state.settings.warnings {
            tracing::warn!(problem = %condition.message, "a setting cannot be read");
        }
        Touched::Everything
    }

    fn secret_applied(&self, object: &Object) -> Touched {
        let name = object.name();
        let kind = object
            .label(names::SECRET_TYPE)
            .and_then(SecretKind::from_label);
        let mut state = self.lock();
        if object.label(names::SECRET_TYPE) == Some(CLUSTER_SECRET) {
            return cluster_applied(&mut state, name, &secret_data(object));
        }
        let Some(kind) = kind else {
            return secret_removed(&mut state, name);
        };
        match RepositorySecret::parse(kind, &secret_data(object)) {
            Ok(secret) => {
                state.secrets.insert(name.to_owned(), secret);
            }
            Err(error) => {
                tracing::warn!(secret = name, %error, "the Secret is no repository");
                state.secrets.remove(name);
            }
        }
        credentials_changed(&mut state)
    }
}

fn app_applied(state: &mut State, object: &Object) -> Touched {
    let key = key_of(object);
    let version = object.resource_version().parse().ok();
    let known = state.apps.get(&key);
    if known.is_some_and(|known| known.version >= version && version.is_some()) {
        return Touched::Nothing;
    }
    let app = Application::from_value(object.value().clone()).map(Arc::new);
    if let Err(error) = &app {
        tracing::warn!(application = %key, %error, "the Application cannot be read");
    }
    state.apps.insert(key.clone(), Stored { app, version });
    Touched::Application(key)
}

fn cluster_applied(state: &mut State, name: &str, data: &BTreeMap<String, Vec<u8>>) -> Touched {
    let before = state.clusters.get(name).cloned();
    match ClusterSecret::parse(data) {
        Ok(secret) if before.as_deref() == Some(&secret) => return Touched::Nothing,
        Ok(secret) => drop(state.clusters.insert(name.to_owned(), Arc::new(secret))),
        Err(problem) => {
            tracing::warn!(secret = name, problem, "the Secret is no cluster");
            state.clusters.remove(name);
        }
    }
    Touched::Everything
}

fn secret_removed(state: &mut State, name: &str) -> Touched {
    let was_cluster = state.clusters.remove(name).is_some();
    match state.secrets.remove(name) {
        Some(_) => credentials_changed(state),
        None if was_cluster => Touched::Everything,
        None => Touched::Nothing,
    }
}

fn credentials_changed(state: &mut State) -> Touched {
    let secrets = state.secrets.values().cloned().collect();
    state.credentials = Arc::new(CredentialStore::new(secrets));
    Touched::Everything
}

/// The decoded `data` of a Secret; what is no base64 is left out.
fn secret_data(object: &Object) -> BTreeMap<String, Vec<u8>> {
    use base64::Engine as _;
    let decode = |text: &str| base64::engine::general_purpose::STANDARD.decode(text).ok();
    let data = object.value().get("data").and_then(Value::as_map);
    data.into_iter()
        .flat_map(yaml::Map::iter)
        .filter_map(|(key, value)| Some((key.to_string(), decode(value.as_str()?)?)))
        .collect()
}

fn key_of(object: &Object) -> AppKey {
    AppKey {
        namespace: object.namespace().to_owned(),
        name: object.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object {
        Object::new(yaml::parse_str(text).expect("YAML")).expect("an object")
    }

    fn application(version: u64, path: &str) -> Object {
        object(&format!(
            "{{apiVersion: argoproj.io/v1alpha1, kind: Application,
              metadata: {{name: a, namespace: argocd, resourceVersion: '{version}'}},
              spec: {{source: {{path: {path}}}}}}}"
        ))
    }

    #[test]
    fn an_older_version_of_an_application_changes_nothing() {
        let inputs = Inputs::new("argocd");
        let key = inputs.key_of_instance("a");
        let check = |version, path, touched: Touched, want: &str| {
            assert_eq!(
                inputs.applied(InputKind::Application, &application(version, path)),
                touched
            );
            let app = inputs
                .app(&key)
                .expect("it is there")
                .app
                .expect("it can be read");
            assert_eq!(app.spec.all_sources()[0].path, want);
        };
        check(7, "new", Touched::Application(key.clone()), "new");
        check(6, "old", Touched::Nothing, "new");
        check(8, "newer", Touched::Application(key.clone()), "newer");
    }

    #[test]
    fn what_is_not_listed_any_more_is_gone() {
        let inputs = Inputs::new("argocd");
        inputs.applied(InputKind::Application, &application(1, "x"));
        let key = inputs.key_of_instance("a");
        assert_eq!(
            inputs.listed(InputKind::Application, &Listing::default()),
            [Touched::Application(key.clone())]
        );
        assert!(inputs.app(&key).is_none());
    }

    #[test]
    fn an_answer_about_an_application_that_is_gone_does_not_bring_it_back() {
        let inputs = Inputs::new("argocd");
        let key = inputs.key_of_instance("a");
        inputs.applied(InputKind::Application, &application(1, "x"));
        inputs.removed(InputKind::Application, &application(3, "x"));
        inputs.answered(&application(2, "x"));
        assert!(inputs.app(&key).is_none());
        inputs.answered(&application(4, "x"));
        assert!(inputs.app(&key).is_some(), "made anew after that");
    }

    #[test]
    fn settings_follow_their_config_map() {
        let inputs = Inputs::new("argocd");
        let map = object(
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: argocd-cm, namespace: argocd},
              data: {application.resourceTrackingMethod: label}}",
        );
        assert_eq!(
            inputs.applied(InputKind::ConfigMap, &map),
            Touched::Everything
        );
        assert_eq!(inputs.applied(InputKind::ConfigMap, &map), Touched::Nothing);
        let method = inputs.settings().engine.tracking.method;
        assert_eq!(method, engine::tracking::TrackingMethod::Label);
    }
}
