//! Requests of the Kubernetes API as functions over [`Object`].
//!
//! `kube` gives the transport (TLS, authentication, proxies); bodies are ours, so that numbers and
//! unknown fields stay as they came.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use engine::action::Propagation;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Limited};
use kube::client::Body;
use manifest::Object;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use yaml::{Map, Value};

use crate::{Error, Resource};

/// The most bytes of one answer: a page of 500 objects of the largest size that etcd takes.
const ANSWER_LIMIT: usize = 800 * 1024 * 1024;

/// Objects in one page of a list, as client-go asks for.
const PAGE_SIZE: u32 = 500;

const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The four ways to say a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchKind {
    /// RFC 6902, a list of operations.
    Json,
    /// RFC 7386.
    Merge,
    /// Strategic merge, for built-in kinds only.
    Strategic,
    /// Server-side apply.
    Apply,
}

impl PatchKind {
    fn content_type(self) -> &'static str {
        match self {
            PatchKind::Json => "application/json-patch+json",
            PatchKind::Merge => "application/merge-patch+json",
            PatchKind::Strategic => "application/strategic-merge-patch+json",
            PatchKind::Apply => "application/apply-patch+yaml",
        }
    }
}

/// The query of a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions<'a> {
    /// The field manager that owns the written fields; the server derives one when absent.
    pub field_manager: Option<&'a str>,
    /// Whether the server only checks the write.
    pub dry_run: bool,
    /// Whether an apply takes fields over from other managers.
    pub force: bool,
    /// `Strict`, `Warn` or `Ignore`; the server's default (`Warn`) when absent.
    pub field_validation: Option<&'a str>,
}

impl WriteOptions<'_> {
    fn query(&self) -> String {
        let mut query = String::new();
        if let Some(manager) = self.field_manager {
            add_query(&mut query, "fieldManager", manager);
        }
        if self.dry_run {
            add_query(&mut query, "dryRun", "All");
        }
        if self.force {
            add_query(&mut query, "force", "true");
        }
        if let Some(mode) = self.field_validation {
            add_query(&mut query, "fieldValidation", mode);
        }
        query
    }
}

fn add_query(query: &mut String, key: &str, value: &str) {
    let separator = if query.is_empty() { '?' } else { '&' };
    let _ = write!(
        query,
        "{separator}{key}={}",
        utf8_percent_encode(value, QUERY)
    );
}

/// What a list gave.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The objects, with `apiVersion` and `kind` put in where the server leaves them out.
    pub objects: Vec<Object>,
    /// The position from which a watch goes on.
    pub resource_version: String,
}

/// What a write gave.
#[derive(Clone, Debug)]
pub struct Written {
    /// The object as the server has it now.
    pub object: Object,
    /// The texts of the answer's Warning headers, in order.
    pub warnings: Vec<String>,
}

/// A client of one API server. A clone shares the connections.
#[derive(Clone)]
pub struct Client {
    kube: kube::Client,
    watches: kube::Client,
    pub(crate) reader: Reader,
}

/// Reads JSON for all users of a client: what the objects of a cluster have in common is in memory
/// once.
#[derive(Clone, Default)]
pub(crate) struct Reader(Arc<Mutex<yaml::json::Reader>>);

impl Reader {
    pub(crate) fn parse(&self, bytes: &[u8]) -> Result<Value, yaml::Error> {
        let mut reader = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reader.parse(bytes)
    }
}

struct Answer {
    value: Value,
    warnings: Vec<String>,
}

impl Client {
    /// Over a transport that `kube` has set up, or over an in-process service.
    #[must_use]
    pub fn new(kube: kube::Client) -> Self {
        Client {
            watches: kube.clone(),
            kube,
            reader: Reader::default(),
        }
    }

    /// Opens watches over `watches` instead: they stay open and would use up the streams of the
    /// connection that requests go over.
    #[must_use]
    pub(crate) fn with_watches(self, watches: kube::Client) -> Self {
        Client { watches, ..self }
    }

    /// One object; `None` when it is not there.
    ///
    /// # Errors
    /// [`Error`] for every other answer than the object or `NotFound`.
    pub async fn get(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Object>, Error> {
        let path = resource.object_path(namespace, name);
        match self.written(Method::GET, &path, None).await {
            Ok(written) => Ok(Some(written.object)),
            Err(Error::Status { code: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All objects of a resource, in a namespace or (with an empty one) everywhere, read in pages.
    ///
    /// # Errors
    /// [`Error`]; with class `Gone` when the pages expired under way.
    pub async fn list(&self, resource: &Resource, namespace: &str) -> Result<Listing, Error> {
        let path = resource.collection_path(namespace);
        let mut objects = Vec::new();
        let mut token = String::new();
        loop {
            let mut query = format!("?limit={PAGE_SIZE}");
            if !token.is_empty() {
                add_query(&mut query, "continue", &token);
            }
            let what = format!("{path}{query}");
            let mut page = self.value(Method::GET, &what, None).await?.value;
            let metadata = page.get("metadata").cloned().unwrap_or_default();
            let text = |key| {
                metadata
                    .get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            let items = page.as_map_mut().and_then(|page| page.remove("items"));
            if let Some(Value::List(items)) = items {
                objects.reserve(items.len());
                for item in items {
                    objects.push(resource.stamp(item).map_err(|error| Error::Answer {
                        what: format!("GET {path}"),
                        problem: error.to_string(),
                    })?);
                }
            }
            token = text("continue").to_owned();
            if token.is_empty() {
                let resource_version = text("resourceVersion").to_owned();
                return Ok(Listing {
                    objects,
                    resource_version,
                });
            }
        }
    }

    /// Creates an object and gives it as stored.
    ///
    /// # Errors
    /// [`Error`]; class `Exists` when there is one of this name.
    pub async fn create(
        &self,
        resource: &Resource,
        object: &Object,
        options: WriteOptions<'_>,
    ) -> Result<Written, Error> {
        let path = format!(
            "{}{}",
            resource.collection_path(object.namespace()),
            options.query()
        );
        let body = yaml::json::to_vec(object.value());
        self.written(Method::POST, &path, Some(("application/json", body)))
            .await
    }

    /// Replaces an object and gives it as stored.
    ///
    /// # Errors
    /// [`Error`]; class `Conflict` when it has a resource version that is not the newest.
    pub async fn update(
        &self,
        resource: &Resource,
        object: &Object,
        options: WriteOptions<'_>,
    ) -> Result<Written, Error> {
        let path = resource.object_path(object.namespace(), object.name()) + &options.query();
        let body = yaml::json::to_vec(object.value());
        self.written(Method::PUT, &path, Some(("application/json", body)))
            .await
    }

    /// Patches an object, or its `subresource` when that is not empty, and gives it as stored.
    ///
    /// # Errors
    /// [`Error`]; class `NotFound` when there is no such object and the patch is no apply.
    pub async fn patch(
        &self,
        target: (&Resource, &str, &str, &str),
        kind: PatchKind,
        patch: &Value,
        options: WriteOptions<'_>,
    ) -> Result<Written, Error> {
        let (resource, namespace, name, subresource) = target;
        let mut path = resource.object_path(namespace, name);
        if !subresource.is_empty() {
            path = format!("{path}/{subresource}");
        }
        path += &options.query();
        let body = yaml::json::to_vec(patch);
        self.written(Method::PATCH, &path, Some((kind.content_type(), body)))
            .await
    }

    /// Deletes an object; `uid`, when not empty, must be that of the object. Gives the object when it
    /// stays for its finalizers, `None` when it is gone or was not there.
    ///
    /// # Errors
    /// [`Error`]; class `Conflict` when the object has another uid.
    pub async fn delete(
        &self,
        target: (&Resource, &str, &str),
        propagation: Propagation,
        uid: &str,
    ) -> Result<Option<Object>, Error> {
        let (resource, namespace, name) = target;
        let mut options = Map::from([
            ("apiVersion", Value::from("v1")),
            ("kind", Value::from("DeleteOptions")),
            ("propagationPolicy", Value::from(propagation.as_str())),
        ]);
        if !uid.is_empty() {
            options.insert("preconditions", Map::from([("uid", Value::from(uid))]));
        }
        let path = resource.object_path(namespace, name);
        let body = yaml::json::to_vec(&Value::Map(options));
        let answer = self
            .value(Method::DELETE, &path, Some(("application/json", body)))
            .await;
        match answer {
            Ok(Answer { value, .. }) => {
                let is_status = value.get("kind").and_then(Value::as_str) == Some("Status");
                Ok(resource
                    .stamp(value)
                    .ok()
                    .filter(|o| !is_status && o.is_terminating()))
            }
            Err(Error::Status { code: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The body of a plain GET of any path, as data.
    ///
    /// # Errors
    /// [`Error`] for every answer that is not a success with JSON in it.
    pub async fn read(&self, path: &str, accept: &str) -> Result<Value, Error> {
        let request = Request::get(path)
            .header(http::header::ACCEPT, accept)
            .body(Body::empty());
        Ok(self.answer(request, format!("GET {path}")).await?.value)
    }

    /// Opens a watch and gives its answer as it streams.
    pub(crate) async fn watch(&self, path: &str) -> Result<Response<Body>, Error> {
        let what = format!("GET {path}");
        let request = Request::get(path)
            .header(http::header::ACCEPT, "application/json")
            .body(Body::empty());
        let response = send(&self.watches, request, &what).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self
            .read_answer(response, &what)
            .await
            .err()
            .unwrap_or(Error::Answer {
                what,
                problem: "an error without a Status".to_owned(),
            }))
    }

    async fn written(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Written, Error> {
        let what = format!("{method} {path}");
        let Answer { value, warnings } = self.value(method, path, body).await?;
        let object = Object::new(value).map_err(|error| Error::Answer {
            what,
            problem: error.to_string(),
        })?;
        Ok(Written { object, warnings })
    }

    async fn value(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Answer, Error> {
        let what = format!("{method} {}", path.split('?').next().unwrap_or(path));
        let request = Request::builder().method(method).uri(path);
        let request = match body {
            Some((content_type, bytes)) => request
                .header(http::header::CONTENT_TYPE, content_type)
                .body(Body::from(bytes)),
            None => request.body(Body::empty()),
        };
        self.answer(request, what).await
    }

    async fn answer(
        &self,
        request: Result<Request<Body>, http::Error>,
        what: String,
    ) -> Result<Answer, Error> {
        let response = send(&self.kube, request, &what).await?;
        self.read_answer(response, &what).await
    }

    async fn read_answer(&self, response: Response<Body>, what: &str) -> Result<Answer, Error> {
        let status = response.status();
        let warnings = warnings(&response);
        let body = Limited::new(response.into_body(), ANSWER_LIMIT);
        let bytes = body.collect().await.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                Error::TooLarge {
                    what: what.to_owned(),
                    limit: ANSWER_LIMIT,
                }
            } else {
                Error::Answer {
                    what: what.to_owned(),
                    problem: error.to_string(),
                }
            }
        })?;
        let value = self.reader.parse(&bytes.to_bytes());
        if status.is_success() {
            return value
                .map(|value| Answer { value, warnings })
                .map_err(|error| Error::Answer {
                    what: what.to_owned(),
                    problem: error.to_string(),
                });
        }
        Err(Error::from_status(
            status.as_u16(),
            &value.unwrap_or_default(),
        ))
    }
}

/// Sends a request over one of the transports; `what` names it in errors.
async fn send(
    transport: &kube::Client,
    request: Result<Request<Body>, http::Error>,
    what: &str,
) -> Result<Response<Body>, Error> {
    let request = request.map_err(|error| Error::Answer {
        what: what.to_owned(),
        problem: error.to_string(),
    })?;
    let sent = transport.send(request).await;
    sent.map_err(|source| Error::Transport {
        what: what.to_owned(),
        source: Box::new(source),
    })
}

/// The texts of the Warning headers: `299 - "text"` (RFC 7234, as Kubernetes sends them).
fn warnings(response: &Response<Body>) -> Vec<String> {
    let headers = response.headers().get_all(http::header::WARNING).iter();
    headers
        .filter_map(|header| {
            let quoted = header.to_str().ok()?.splitn(3, ' ').nth(2)?;
            let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
            Some(inner.replace("\\\"", "\"").replace("\\\\", "\\"))
        })
        .collect()
}
