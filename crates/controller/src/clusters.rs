//! Clusters besides the one that the controller runs in: their Secrets, and a handle for each that
//! an Application wants.
//!
//! Read [`Clusters`] first. A cluster is connected to by a task of its own, so that no reconcile
//! waits for a server that does not answer. No credential leaves this module but into a connection.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::application::Destination;
use api::names;
use cluster::{Access, Cluster, Connection};
use engine::live::ClusterName;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use yaml::Value;

use crate::controller::Controller;
use crate::queue::Urgency;
use crate::trigger::Trigger;

/// How soon a cluster that could not be reached is tried again, as Argo CD's cache does.
const CONNECT_AGAIN: Duration = Duration::from_secs(10);

/// How long a cluster may take to list everything for the first time.
const FIRST_LISTS: Duration = Duration::from_secs(120);

/// What a Secret of type `cluster` says (reference/argocd/config.md 6c).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ClusterSecret {
    pub(crate) name: ClusterName,
    access: Result<Access, String>,
}

impl fmt::Debug for ClusterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterSecret({})", self.name.server)
    }
}

impl ClusterSecret {
    /// Reads the decoded data of a Secret. The error says which key is wrong, never its value.
    pub(crate) fn parse(data: &BTreeMap<String, Vec<u8>>) -> Result<Self, String> {
        let text = |key: &str| {
            let bytes = data.get(key).map(Vec::as_slice).unwrap_or_default();
            std::str::from_utf8(bytes).map_err(|_| format!("{key} is no text"))
        };
        let server = text("server")?.trim_end_matches('/');
        if server.is_empty() {
            return Err("server is missing".to_owned());
        }
        let config = match text("config")? {
            "" => Value::Null,
            config => {
                yaml::json::parse(config.as_bytes()).map_err(|_| "config is no JSON".to_owned())?
            }
        };
        let name = match text("name")? {
            "" => server,
            name => name,
        };
        Ok(ClusterSecret {
            name: ClusterName {
                server: server.to_owned(),
                name: name.to_owned(),
                project: text("project")?.to_owned(),
            },
            access: access(server, &config),
        })
    }
}

/// How the cluster is reached, or why it cannot be.
fn access(server: &str, config: &Value) -> Result<Access, String> {
    for key in ["execProviderConfig", "awsAuthConfig"] {
        if config.get(key).is_some_and(|it| !it.is_null()) {
            return Err(format!("{key} is not supported: no program is started"));
        }
    }
    let text = |path: &[&str]| {
        let found = config.at(path).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    let tls = |key: &str| text(&["tlsClientConfig", key]);
    let insecure = config.at(&["tlsClientConfig", "insecure"]);
    Ok(Access {
        server: server.to_owned(),
        bearer_token: text(&["bearerToken"]),
        username: text(&["username"]),
        password: text(&["password"]),
        is_insecure: insecure.and_then(Value::as_bool).unwrap_or_default(),
        server_name: tls("serverName"),
        authority: tls("caData"),
        certificate: tls("certData"),
        key: tls("keyData"),
        proxy: text(&["proxyUrl"]),
    })
}

/// How far the connection to a cluster is.
#[derive(Clone)]
pub(crate) enum Link {
    /// Nobody has asked for it.
    Unasked,
    /// It is being made.
    Connecting,
    /// It is there.
    Ready(Cluster),
    /// It could not be made; it is tried again.
    Failed(String),
}

struct Entry {
    secret: Arc<ClusterSecret>,
    link: Link,
    task: Option<AbortHandle>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Every cluster that a Secret describes, by its server.
#[derive(Default)]
pub(crate) struct Clusters {
    entries: Mutex<BTreeMap<String, Entry>>,
    asked: Notify,
}

impl Clusters {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These are the Secrets now. A cluster whose Secret has changed is connected to anew.
    pub(crate) fn set(&self, secrets: Vec<Arc<ClusterSecret>>) {
        let mut entries = self.lock();
        let mut before = std::mem::take(&mut *entries);
        for secret in secrets {
            let server = secret.name.server.clone();
            let known = before.remove(&server);
            let entry = known.filter(|it| it.secret == secret).unwrap_or(Entry {
                secret,
                link: Link::Unasked,
                task: None,
            });
            entries.insert(server, entry);
        }
    }

    /// The cluster of a destination.
    ///
    /// # Errors
    /// What is wrong with it, in Argo CD's words (recordings dest-*, bad-dest-*, delete-bad-dest).
    pub(crate) fn resolve(&self, destination: &Destination) -> Result<ClusterName, String> {
        let Destination { server, name, .. } = destination;
        let named = self.names();
        let found = |test: &dyn Fn(&ClusterName) -> bool| -> Vec<ClusterName> {
            named.iter().filter(|it| test(it)).cloned().collect()
        };
        match (server.trim_end_matches('/'), name.as_str()) {
            ("", "") => Err("Destination server missing from app spec".to_owned()),
            ("", name) => {
                let mut found = found(&|it| it.name == name);
                match (found.pop(), found.as_slice()) {
                    (Some(one), []) => Ok(one),
                    (None, _) => Err(format!("there are no clusters with this name: {name}")),
                    (Some(last), others) => {
                        let servers = others.iter().chain([&last]).map(|it| it.server.as_str());
                        let servers: Vec<&str> = servers.collect();
                        Err(format!(
                            "there are {} clusters with the same name: [{}]",
                            servers.len(),
                            servers.join(" ")
                        ))
                    }
                }
            }
            (url, "") => found(&|it| it.server == url).pop().ok_or_else(|| {
                format!(
                    "error getting cluster by server {server:?}: rpc error: code = NotFound desc = cluster {server:?} not found"
                )
            }),
            (_, name) => Err(format!(
                "application destination can't have both name and server defined: {name} {server}"
            )),
        }
    }

    /// All clusters: the controller's own is known without a Secret.
    fn names(&self) -> Vec<ClusterName> {
        let entries = self.lock();
        let mut names: Vec<ClusterName> =
            entries.values().map(|it| it.secret.name.clone()).collect();
        if !entries.contains_key(names::IN_CLUSTER_SERVER) {
            names.push(ClusterName {
                server: names::IN_CLUSTER_SERVER.to_owned(),
                name: names::IN_CLUSTER_NAME.to_owned(),
                project: String::new(),
            });
        }
        names
    }

    /// The connection to a server; the first who asks has it made.
    pub(crate) fn link(&self, server: &str) -> Link {
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(server) else {
            return Link::Failed("there is no Secret for it any more".to_owned());
        };
        if matches!(entry.link, Link::Unasked) {
            entry.link = Link::Connecting;
            self.asked.notify_one();
        }
        entry.link.clone()
    }

    /// The connections that stand.
    pub(crate) fn connected(&self) -> Vec<Cluster> {
        let ready = |entry: &Entry| match &entry.link {
            Link::Ready(cluster) => Some(cluster.clone()),
            Link::Unasked | Link::Connecting | Link::Failed(_) => None,
        };
        self.lock().values().filter_map(ready).collect()
    }

    /// Notes how far a connection is; not of a Secret that is no longer the one.
    fn note(&self, secret: &ClusterSecret, link: Link) {
        if let Some(entry) = self.lock().get_mut(&secret.name.server)
            && *entry.secret == *secret
        {
            entry.link = link;
        }
    }
}

impl Controller {
    /// Owns a task for each other cluster that is wanted.
    pub(crate) async fn follow_other_clusters(self: Arc<Self>) {
        let mut tasks = JoinSet::new();
        loop {
            self.clusters.asked.notified().await;
            while tasks.try_join_next().is_some() {}
            let mut entries = self.clusters.lock();
            let waiting = entries
                .values_mut()
                .filter(|it| it.task.is_none() && matches!(it.link, Link::Connecting));
            for entry in waiting {
                let work = self.clone().follow_other(entry.secret.clone());
                entry.task = Some(tasks.spawn(work));
            }
        }
    }

    /// Connects to a cluster, as often as it takes, and looks at what changes in it.
    async fn follow_other(self: Arc<Self>, secret: Arc<ClusterSecret>) {
        let cluster = loop {
            match self.connect(&secret).await {
                Ok(cluster) => break cluster,
                Err(problem) => {
                    let server = &secret.name.server;
                    tracing::warn!(server, problem, "a cluster cannot be reached");
                    self.clusters.note(&secret, Link::Failed(problem));
                    self.look_at_applications_in(server);
                }
            }
            tokio::time::sleep(CONNECT_AGAIN).await;
        };
        self.clusters.note(&secret, Link::Ready(cluster.clone()));
        self.look_at_applications_in(&secret.name.server);
        self.follow_cluster(cluster).await;
    }

    async fn connect(&self, secret: &ClusterSecret) -> Result<Cluster, String> {
        let access = secret.access.clone()?;
        let client = cluster::connect(&Connection::Server(Box::new(access))).await;
        let client = client.map_err(|error| told(&error))?;
        let options = self.cluster.options().clone();
        let started = Cluster::start(client, options).await;
        let cluster = started.map_err(|error| told(&error))?;
        match tokio::time::timeout(FIRST_LISTS, cluster.ready()).await {
            Ok(()) => Ok(cluster),
            Err(_) => Err("its objects could not be listed in time".to_owned()),
        }
    }

    fn look_at_applications_in(&self, server: &str) {
        for (key, app) in self.inputs.apps() {
            let destination = self.clusters.resolve(&app.spec.destination);
            if destination.is_ok_and(|it| it.server == server) {
                self.enqueue(key, Trigger::Live, Urgency::Now);
            }
        }
    }
}

/// An error with its causes.
fn told(error: &cluster::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str, server: &str) -> Arc<ClusterSecret> {
        let data = [("name", name), ("server", server)];
        let data = data.map(|(key, text)| (key.to_owned(), text.as_bytes().to_vec()));
        Arc::new(ClusterSecret::parse(&data.into()).expect("a cluster"))
    }

    /// The server that a destination means, with two clusters of one name.
    fn check(server: &str, name: &str, want: Result<&str, &str>) {
        let clusters = Clusters::default();
        clusters.set(vec![
            secret("far", "https://far.example.com:6443/"),
            secret("twin", "https://a.example.com"),
            secret("twin", "https://b.example.com"),
        ]);
        let destination = Destination {
            server: server.into(),
            name: name.into(),
            ..Destination::default()
        };
        let found = clusters.resolve(&destination).map(|it| it.server);
        assert_eq!(found, want.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn a_destination_is_one_known_cluster_by_server_or_name() {
        let here = "https://kubernetes.default.svc";
        check(here, "", Ok(here));
        check("", "in-cluster", Ok(here));
        check("", "far", Ok("https://far.example.com:6443"));
        check(
            "https://far.example.com:6443/",
            "",
            Ok("https://far.example.com:6443"),
        );
        check("", "", Err("Destination server missing from app spec"));
        check(
            "",
            "nowhere",
            Err("there are no clusters with this name: nowhere"),
        );
        check(
            "",
            "twin",
            Err(
                "there are 2 clusters with the same name: [https://a.example.com https://b.example.com]",
            ),
        );
        check(
            "https://nowhere.example.com",
            "",
            Err(
                "error getting cluster by server \"https://nowhere.example.com\": rpc error: code = NotFound desc = cluster \"https://nowhere.example.com\" not found",
            ),
        );
        check(
            here,
            "in-cluster",
            Err(
                "application destination can't have both name and server defined: in-cluster https://kubernetes.default.svc",
            ),
        );
    }

    #[test]
    fn a_secret_is_read_and_never_shown() {
        let config = "{\"bearerToken\": \"canary\", \"tlsClientConfig\": {\"insecure\": true}}";
        let data = [("server", "https://far"), ("config", config)];
        let data = data.map(|(key, text)| (key.to_owned(), text.as_bytes().to_vec()));
        let secret = ClusterSecret::parse(&data.into()).expect("a cluster");
        let access = secret.access.clone().expect("it can be reached");
        assert_eq!(access.bearer_token, "canary");
        assert!(access.is_insecure);
        assert_eq!(secret.name.name, "https://far");
        assert!(!format!("{secret:?} {access:?}").contains("canary"));
    }
}
