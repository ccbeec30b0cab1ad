//! From a kubeconfig, a pod's service account or an in-process service to a [`Client`].

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::{Request, Response};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ConfigExt};
use kube::config::{KubeConfigOptions, Kubeconfig};
use tower::{BoxError, Service, ServiceBuilder};
use yaml::{Map, Value};

use crate::{Client, Error};

/// How long an idle HTTP/2 connection may stay silent before it is asked for a sign of life.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// How long that sign may take; a connection that a firewall has dropped is found by this.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the API server is and how to prove who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// A kubeconfig file, and the context in it (its current one when `None`).
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// The name of a context.
        context: Option<String>,
    },
    /// What `kubectl` would use here: `$KUBECONFIG`, the file in the home folder, or the service
    /// account of the pod.
    Inferred,
    /// A server with what it wants to know, as Secrets of Argo CD hold it.
    Server(Box<Access>),
}

/// How one API server is reached; empty texts say nothing. Its debug form shows no credential.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// The URL of its API.
    pub server: String,
    /// A bearer token.
    pub bearer_token: String,
    /// A name for basic authentication.
    pub username: String,
    /// The password of that name.
    pub password: String,
    /// Whether any certificate of the server is believed.
    pub is_insecure: bool,
    /// The name in the server's certificate, where it is not that of the URL.
    pub server_name: String,
    /// The certificates of authorities, as base64 of PEM.
    pub authority: String,
    /// Our certificate, as base64 of PEM.
    pub certificate: String,
    /// The key of our certificate, as base64 of PEM.
    pub key: String,
    /// The URL of a proxy on the way.
    pub proxy: String,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Access({})", self.server)
    }
}

impl Access {
    /// The same as a kubeconfig, which `kube` knows how to use.
    fn kubeconfig(&self) -> Value {
        let mut cluster = texts(&[
            ("server", &self.server),
            ("certificate-authority-data", &self.authority),
            ("tls-server-name", &self.server_name),
            ("proxy-url", &self.proxy),
        ]);
        cluster.insert("insecure-skip-tls-verify", self.is_insecure);
        let user = texts(&[
            ("token", &self.bearer_token),
            ("username", &self.username),
            ("password", &self.password),
            ("client-certificate-data", &self.certificate),
            ("client-key-data", &self.key),
        ]);
        let named = |kind: &str, value: Map| {
            let entry = Map::from([("name", "it".into()), (kind, value.into())]);
            Value::List(vec![entry.into()])
        };
        let context = texts(&[("cluster", "it"), ("user", "it")]);
        Value::Map(Map::from([
            ("apiVersion", "v1".into()),
            ("kind", "Config".into()),
            ("clusters", named("cluster", cluster)),
            ("users", named("user", user)),
            ("contexts", named("context", context)),
            ("current-context", "it".into()),
        ]))
    }
}

/// The texts that are not empty.
fn texts(entries: &[(&str, &str)]) -> Map {
    let given = entries.iter().filter(|(_, text)| !text.is_empty());
    given
        .map(|(key, text)| (*key, Value::from(*text)))
        .collect()
}

/// Reads the configuration and sets up the transport; sends nothing yet.
///
/// # Errors
/// [`Error::Config`] when the configuration cannot be read or names what cannot be used.
pub async fn connect(connection: &Connection) -> Result<Client, Error> {
    let config = match connection {
        Connection::Kubeconfig { path, context } => {
            let what = || format!("kubeconfig {}", path.display());
            let file = Kubeconfig::read_from(path).map_err(|error| config_error(what(), error))?;
            let options = KubeConfigOptions {
                context: context.clone(),
                ..Default::default()
            };
            kube::Config::from_custom_kubeconfig(file, &options)
                .await
                .map_err(|error| config_error(what(), error))?
        }
        Connection::Server(access) => {
            let what = || format!("cluster {}", access.server);
            let text = yaml::json::to_string(&access.kubeconfig());
            let file = Kubeconfig::from_yaml(&text).map_err(|error| config_error(what(), error))?;
            kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                .await
                .map_err(|error| config_error(what(), error))?
        }
        Connection::Inferred => kube::Config::infer()
            .await
            .map_err(|error| config_error("no kubeconfig and not in a pod".to_owned(), error))?,
    };
    let client = transport(&config)?;
    // Watches stay open: on connections of their own they leave all streams to the requests.
    let watches = transport(&config)?;
    Ok(Client::new(client).with_watches(watches))
}

impl Client {
    /// Over a service in this process, such as the sandbox's: no port, no TLS.
    #[must_use]
    pub fn in_process<S, B>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Client::new(kube::Client::new(service, "default"))
    }
}

/// HTTP/2 where the server speaks it, so that a hundred watches share one connection; `kube`'s own
/// transport is HTTP/1.1 only, and is used where a proxy is configured, which it knows how to cross.
fn transport(config: &kube::Config) -> Result<kube::Client, Error> {
    let what = || format!("connection to {}", config.cluster_url);
    if config.proxy_url.is_some() {
        return kube::Client::try_from(config.clone()).map_err(|error| config_error(what(), error));
    }
    let tls = config
        .rustls_client_config()
        .map_err(|error| config_error(what(), error))?;
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(config.connect_timeout);
    let https = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http();
    let https = match &config.tls_server_name {
        Some(name) => {
            let name = rustls::pki_types::ServerName::try_from(name.clone())
                .map_err(|error| config_error(what(), error))?;
            https.with_server_name_resolver(hyper_rustls::FixedServerNameResolver::new(name))
        }
        None => https,
    };
    let https = https.enable_all_versions().wrap_connector(tcp);
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_keep_alive_interval(PING_INTERVAL)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .http2_keep_alive_while_idle(true)
        .http2_adaptive_window(true)
        .build(https);
    let auth = config
        .auth_layer()
        .map_err(|error| config_error(what(), error))?;
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(auth)
        .map_err(BoxError::from)
        .service(client);
    Ok(kube::Client::new(service, config.default_namespace.clone()))
}

fn config_error(what: String, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Config {
        what,
        source: Box::new(source),
    }
}
