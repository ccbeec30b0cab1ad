//! A client for measurements: as little work of its own as possible, the same for every server.
//!
//! It must never repair or interpret an answer beyond its status.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Method, Response};
use serde_json::Value as Json;

/// Longer than any measurement's request; a watch has no limit.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The API of one server.
#[derive(Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    server: String,
    token: String,
}

impl Api {
    /// A client of the server at `server`; its certificate is not checked.
    ///
    /// # Errors
    /// When the TLS library cannot start.
    pub(crate) fn new(server: &str, token: &str) -> Result<Self> {
        // Fails only if another is installed already, which serves as well.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .danger_accept_invalid_certs(true)
            .no_gzip()
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .build()?;
        Ok(Api {
            http,
            server: server.trim_end_matches('/').to_owned(),
            token: token.to_owned(),
        })
    }

    async fn request(&self, method: Method, path: &str, body: Option<String>) -> Result<Response> {
        let url = format!("{}{path}", self.server);
        let mut request = self
            .http
            .request(method.clone(), url)
            .bearer_auth(&self.token)
            .header("accept", "application/json");
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        let response = request
            .send()
            .await
            .with_context(|| format!("{method} {path}"))?;
        if !response.status().is_success() {
            let (status, text) = (response.status(), response.text().await?);
            bail!("{method} {path}: {status}: {text}");
        }
        Ok(response)
    }

    /// Sends a request and reads its answer; gives the bytes of the answer.
    ///
    /// # Errors
    /// When the server breaks the connection or refuses.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<Vec<u8>> {
        let response = self.request(method, path, body).await?;
        Ok(response.bytes().await?.to_vec())
    }

    /// Reads a path and counts the bytes of the answer as they come.
    ///
    /// # Errors
    /// As [`Api::send`].
    pub(crate) async fn count(&self, path: &str) -> Result<usize> {
        let mut response = self.request(Method::GET, path, None).await?;
        let mut n_bytes = 0;
        while let Some(chunk) = response.chunk().await? {
            n_bytes += chunk.len();
        }
        Ok(n_bytes)
    }

    /// The version of a collection now.
    ///
    /// # Errors
    /// As [`Api::send`].
    pub(crate) async fn version(&self, collection: &str) -> Result<String> {
        let list = self
            .send(Method::GET, &format!("{collection}?limit=1"), None)
            .await?;
        let list: Json = serde_json::from_slice(&list)?;
        let version = list["metadata"]["resourceVersion"].as_str();
        Ok(version.context("a list without a version")?.to_owned())
    }

    /// Watches a collection from a version on.
    ///
    /// # Errors
    /// As [`Api::send`].
    pub(crate) async fn watch(&self, collection: &str, version: &str) -> Result<Events> {
        let path = format!("{collection}?watch=true&resourceVersion={version}");
        Ok(Events {
            response: self.request(Method::GET, &path, None).await?,
            buffer: Vec::new(),
            taken: 0,
        })
    }
}

/// The events of a watch.
pub(crate) struct Events {
    response: Response,
    buffer: Vec<u8>,
    /// How much of the buffer was given.
    taken: usize,
}

impl Events {
    /// The next event.
    ///
    /// # Errors
    /// When the watch ends, or an event is not JSON.
    pub(crate) async fn next(&mut self) -> Result<Json> {
        Ok(serde_json::from_slice(self.line().await?)?)
    }

    /// The text of the next event.
    ///
    /// # Errors
    /// When the watch ends.
    pub(crate) async fn line(&mut self) -> Result<&[u8]> {
        // What was looked through already holds no end of a line.
        let mut seen = self.taken;
        loop {
            let rest = self.buffer.get(seen..).unwrap_or_default();
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line = self.taken..seen + end;
                self.taken = line.end + 1;
                return Ok(&self.buffer[line]);
            }
            self.buffer.drain(..self.taken);
            seen = self.buffer.len();
            self.taken = 0;
            let chunk = self.response.chunk().await?;
            let chunk = chunk.context("the watch has ended")?;
            self.buffer.extend_from_slice(&chunk);
        }
    }
}
