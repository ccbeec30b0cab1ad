//! The server that a replay asks: ours, started for it, or one that the caller names.
//!
//! It must never tell a replay which of the two it is.

use std::net::Ipv4Addr;

use anyhow::Result;
use sandbox::{Options, Server};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::Arguments;
use super::client::Client;

/// A server and the way to it; our own one stops with the value.
pub(crate) struct Target {
    url: String,
    token: Option<String>,
    own: Option<(Runtime, Server)>,
}

impl Target {
    /// The server that the arguments name, else one of ours.
    ///
    /// # Errors
    /// When ours cannot start.
    pub(crate) fn new(arguments: &Arguments, options: Options) -> Result<Self> {
        match &arguments.server {
            Some(url) => Ok(Target {
                url: url.clone(),
                token: arguments.token.clone(),
                own: None,
            }),
            None => Target::start(options),
        }
    }

    fn start(options: Options) -> Result<Self> {
        let runtime = Runtime::new()?;
        let server = runtime.block_on(Server::start(options))?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        {
            let _inside = runtime.enter();
            server.serve(listener)?;
        }
        Ok(Target {
            url: format!("https://{address}"),
            token: Some(server.token().to_owned()),
            own: Some((runtime, server)),
        })
    }

    /// A client with the credentials of the administrator.
    ///
    /// # Errors
    /// When the TLS library cannot start.
    pub(crate) fn client(&self) -> Result<Client> {
        Client::new(&self.url, self.token.as_deref())
    }

    /// What points kubectl at the server. JSON is YAML.
    pub(crate) fn kubeconfig(&self) -> String {
        let cluster = json!({"server": self.url, "insecure-skip-tls-verify": true});
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": self.token}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        });
        config.to_string()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some((runtime, server)) = self.own.take() {
            runtime.block_on(server.stop());
        }
    }
}
