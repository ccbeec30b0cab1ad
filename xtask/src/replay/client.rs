//! A plain HTTPS client for replays: sends what a recording says, adds nothing but the credentials.
//!
//! It must never repair or interpret an answer.

use std::io::Read;
use std::sync::Once;
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::Method;
use reqwest::blocking::{Client as Http, Response};
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value as Json};

/// The corpus was recorded under this name; it names the field manager.
const USER_AGENT: &str = "tiphys-corpus/1.0";
/// Longer than any recorded watch.
const TIMEOUT: Duration = Duration::from_secs(60);
/// An answer over this size is a fault.
const MAX_BODY_BYTES: u64 = 64 << 20;

/// A server to replay against.
pub(crate) struct Client {
    server: String,
    token: Option<String>,
    http: Http,
}

/// One request, placeholders filled in.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    /// `None` takes a default header away.
    pub(crate) headers: Vec<(String, Option<String>)>,
    pub(crate) body: Option<Vec<u8>>,
}

impl Client {
    /// A client of the server at `server`; its certificate is not checked.
    ///
    /// # Errors
    /// When the TLS library cannot start.
    pub(crate) fn new(server: &str, token: Option<&str>) -> Result<Self> {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // Fails only if another is installed already, which serves as well.
            drop(rustls::crypto::ring::default_provider().install_default());
        });
        let http = Http::builder()
            .danger_accept_invalid_certs(true)
            .no_gzip()
            .no_proxy()
            .timeout(TIMEOUT)
            .build()?;
        let server = server.trim_end_matches('/').to_owned();
        Ok(Client {
            server,
            token: token.map(str::to_owned),
            http,
        })
    }

    /// Sends a request; the body of the answer is not read yet.
    ///
    /// # Errors
    /// When the server cannot be reached or breaks the connection.
    pub(crate) fn send(&self, request: &Request) -> Result<Response> {
        let mut url = format!("{}{}", self.server, request.path);
        for (number, (name, value)) in request.query.iter().enumerate() {
            url.push(if number == 0 { '?' } else { '&' });
            url.push_str(&format!("{}={}", encoded(name), encoded(value)));
        }
        let method = Method::from_bytes(request.method.as_bytes())?;
        let mut headers = vec![
            ("user-agent".to_owned(), Some(USER_AGENT.to_owned())),
            ("accept".to_owned(), Some("application/json".to_owned())),
        ];
        if let Some(token) = &self.token {
            headers.push(("authorization".to_owned(), Some(format!("Bearer {token}"))));
        }
        if request.body.is_some() {
            headers.push((
                "content-type".to_owned(),
                Some("application/json".to_owned()),
            ));
        }
        for (name, value) in &request.headers {
            headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
            headers.push((name.clone(), value.clone()));
        }
        let mut builder = self.http.request(method, &url);
        for (name, value) in headers {
            if let Some(value) = value {
                let name = HeaderName::from_bytes(name.as_bytes())?;
                builder = builder.header(name, HeaderValue::from_str(&value)?);
            }
        }
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        builder
            .send()
            .with_context(|| format!("{} {}", request.method, request.path))
    }
}

/// Reads the whole body.
///
/// # Errors
/// When the connection breaks.
pub(crate) fn body(response: Response) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    response.take(MAX_BODY_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The headers that recordings keep.
pub(crate) fn kept_headers(response: &Response) -> Map<String, Json> {
    const KEPT: [&str; 6] = [
        "warning",
        "retry-after",
        "location",
        "content-encoding",
        "www-authenticate",
        "allow",
    ];
    let mut kept = Map::new();
    for name in KEPT {
        let values: Vec<String> = response
            .headers()
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        if !values.is_empty() {
            let value = if name == "warning" {
                values.into()
            } else {
                values.join(", ").into()
            };
            kept.insert(name.to_owned(), value);
        }
    }
    kept
}

/// One header as text; empty when absent.
pub(crate) fn header(response: &Response, name: &str) -> String {
    let value = response
        .headers()
        .get(name)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    String::from_utf8_lossy(value).into_owned()
}

fn encoded(text: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~');
    percent_encoding::utf8_percent_encode(text, KEPT).to_string()
}
