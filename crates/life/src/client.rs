//! Requests of the Kubernetes API over any tower service, and lists and watches as values.
//!
//! [`Api`] knows paths, JSON and Status objects. It never decides anything.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::{Method, Request, Response, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};
use yaml::{Str, Value};

use super::fields::{items, text};
use super::kind::{Detail, Resource};

/// What any error of a service or a body becomes.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no answer, or only a part of one. A type of its own rather than [`BoxError`], for
/// which the compiler cannot see that futures are `Send`.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Broken(BoxError);

impl Broken {
    fn new(error: impl Into<BoxError>) -> Self {
        Broken(error.into())
    }
}

type Body = UnsyncBoxBody<Bytes, Broken>;

/// The largest answer and the largest watch event that is read: objects are at most 3 MB in the API
/// server, and a list comes in pages.
const MAX_ANSWER_BYTES: usize = 256 << 20;
const MAX_EVENT_BYTES: usize = 16 << 20;

/// Objects in one page of a list.
const PAGE: usize = 500;

/// Why a request did not do what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The server refused it.
    #[error("{method} {path}: {code} {message}")]
    Refused {
        /// The method.
        method: Method,
        /// The path.
        path: String,
        /// The HTTP status.
        code: u16,
        /// What the Status object says.
        message: String,
    },
    /// There was no readable answer.
    #[error("{method} {path}")]
    Broken {
        /// The method.
        method: Method,
        /// The path.
        path: String,
        /// What happened.
        #[source]
        source: Broken,
    },
}

impl ApiError {
    /// What the server said, or what went wrong.
    pub(crate) fn message(&self) -> String {
        match self {
            ApiError::Refused { message, .. } => message.clone(),
            ApiError::Broken { source, .. } => source.to_string(),
        }
    }

    /// The HTTP status of a refusal.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            ApiError::Refused { code, .. } => Some(*code),
            ApiError::Broken { .. } => None,
        }
    }
}

/// A request before it becomes HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The method.
    pub(crate) method: Method,
    /// The path with the query.
    pub(crate) path: String,
    /// The media type of the body.
    pub(crate) content_type: &'static str,
    /// The body.
    pub(crate) body: Option<Value>,
    /// Who asks; it becomes the field manager.
    pub(crate) agent: &'static str,
}

impl Call {
    fn broken(&self, source: Broken) -> ApiError {
        ApiError::Broken {
            method: self.method.clone(),
            path: self.path.clone(),
            source,
        }
    }
}

/// One API server.
#[derive(Clone)]
pub(crate) struct Api(Boxed);

/// A list of one resource, complete.
#[derive(Debug)]
pub(crate) struct Listed {
    /// The objects.
    pub(crate) objects: Vec<Value>,
    /// Where a watch goes on.
    pub(crate) resource_version: String,
}

impl Api {
    /// Wraps a service that takes whole bodies.
    pub(crate) fn new<S, R>(service: S) -> Self
    where
        S: Service<Request<Full<Bytes>>, Response = Response<R>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        R: http_body::Body<Data = Bytes> + Send + 'static,
        R::Error: Into<BoxError>,
    {
        let service = service
            .map_request(|request: Request<Bytes>| request.map(Full::new))
            .map_response(|response: Response<R>| {
                response.map(|body| body.map_err(Broken::new).boxed_unsync())
            })
            .map_err(Broken::new);
        Api(BoxCloneSyncService::new(service))
    }

    /// Boxed, because the compiler cannot see that the future of a boxed service is `Send`.
    fn send<'a>(
        &'a self,
        call: &'a Call,
        accept: &'static str,
    ) -> BoxFuture<'a, Result<Response<Body>, ApiError>> {
        let service = self.0.clone();
        Box::pin(send(service, call, accept))
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn call(&self, call: &Call) -> Result<Value, ApiError> {
        let answer = self.send(call, "application/json").await?;
        let bytes = collect(answer.into_body()).await;
        bytes
            .and_then(|bytes| decode(&bytes))
            .map_err(|source| call.broken(source))
    }

    /// Reads one path.
    pub(crate) async fn get(&self, path: String) -> Result<Value, ApiError> {
        self.call(&get(path)).await
    }

    /// Reads all objects of a resource, page by page.
    pub(crate) async fn list(&self, resource: &Resource) -> Result<Listed, ApiError> {
        let collection = resource.collection("");
        let mut objects = Vec::new();
        let mut from = String::new();
        loop {
            let call = get(format!("{collection}?limit={PAGE}{from}"));
            let answer = self.send(&call, accept_list(resource)).await?;
            let bytes = collect(answer.into_body()).await;
            let page = bytes.and_then(|bytes| decode(&bytes));
            let mut page = page.map_err(|source| call.broken(source))?;
            if let Some(items) = page.get_mut("items").and_then(Value::as_list_mut) {
                objects.append(items);
            }
            let token = text(&page, &["metadata", "continue"]);
            if token.is_empty() {
                let resource_version = text(&page, &["metadata", "resourceVersion"]).to_owned();
                return Ok(Listed {
                    objects,
                    resource_version,
                });
            }
            let token =
                percent_encoding::utf8_percent_encode(token, percent_encoding::NON_ALPHANUMERIC);
            from = format!("&continue={token}");
        }
    }

    /// Follows a resource from a resource version on.
    pub(crate) async fn watch(&self, resource: &Resource, from: &str) -> Result<Watch, ApiError> {
        self.watch_path(&resource.collection(""), from, accept_object(resource))
            .await
    }

    /// Follows a collection by its path.
    pub(crate) async fn watch_path(
        &self,
        collection: &str,
        from: &str,
        accept: &'static str,
    ) -> Result<Watch, ApiError> {
        let call = get(format!(
            "{collection}?watch=true&allowWatchBookmarks=true&resourceVersion={from}"
        ));
        let answer = self.send(&call, accept).await?;
        Ok(Watch {
            body: answer.into_body(),
            buffer: BytesMut::new(),
            ready: VecDeque::new(),
        })
    }

    /// Every resource that can be listed, watched and deleted, in its preferred version.
    pub(crate) async fn discover(&self) -> Result<Vec<Resource>, ApiError> {
        let core = self.get("/api/v1".to_owned()).await?;
        let mut found = resources(&core, "", "v1");
        let groups = self.get("/apis".to_owned()).await?;
        for group in items(&groups, &["groups"]) {
            let version = text(group, &["preferredVersion", "groupVersion"]);
            let Some((name, version)) = version.split_once('/') else {
                continue;
            };
            let also: Vec<Str> = items(group, &["versions"])
                .iter()
                .map(|version| text(version, &["version"]).into())
                .collect();
            let list = self.get(format!("/apis/{name}/{version}")).await?;
            let served = resources(&list, name, version).into_iter();
            found.extend(served.map(|resource| Resource {
                also: also.clone(),
                ..resource
            }));
        }
        Ok(found)
    }
}

type Boxed = BoxCloneSyncService<Request<Bytes>, Response<Body>, Broken>;

async fn send(
    service: Boxed,
    call: &Call,
    accept: &'static str,
) -> Result<Response<Body>, ApiError> {
    let body = call.body.as_ref().map_or_else(Vec::new, yaml::json::to_vec);
    let mut request = Request::builder()
        .method(call.method.clone())
        .uri(&call.path)
        .header(header::ACCEPT, accept)
        .header(header::USER_AGENT, call.agent);
    if call.body.is_some() {
        request = request.header(header::CONTENT_TYPE, call.content_type);
    }
    let request = request
        .body(Bytes::from(body))
        .map_err(|error| call.broken(Broken::new(error)))?;
    let answer = service
        .oneshot(request)
        .await
        .map_err(|error| call.broken(error))?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    let code = answer.status().as_u16();
    let bytes = collect(answer.into_body()).await.unwrap_or_default();
    let message = decode(&bytes)
        .ok()
        .map(|status| text(&status, &["message"]).to_owned())
        .unwrap_or_default();
    let (method, path) = (call.method.clone(), call.path.clone());
    Err(ApiError::Refused {
        method,
        path,
        code,
        message,
    })
}

fn get(path: String) -> Call {
    Call {
        method: Method::GET,
        path,
        content_type: "application/json",
        body: None,
        agent: "kube-controller-manager/v1.35.0",
    }
}

/// Metadata is enough for resources of which only that is kept; a server that cannot cut objects
/// down sends them whole.
fn accept_object(resource: &Resource) -> &'static str {
    match resource.detail {
        Detail::Full => "application/json",
        Detail::Metadata => {
            "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
        }
    }
}

/// As [`accept_object`], for a list: a server refuses to make one object of it.
fn accept_list(resource: &Resource) -> &'static str {
    match resource.detail {
        Detail::Full => "application/json",
        Detail::Metadata => {
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
        }
    }
}

fn resources(list: &Value, group: &str, version: &str) -> Vec<Resource> {
    let usable = |resource: &&Value| {
        let has = |verb: &str| {
            items(resource, &["verbs"])
                .iter()
                .any(|known| known.as_str() == Some(verb))
        };
        !text(resource, &["name"]).contains('/') && has("list") && has("watch") && has("delete")
    };
    items(list, &["resources"])
        .iter()
        .filter(usable)
        .map(|resource| Resource {
            group: group.into(),
            version: version.into(),
            plural: text(resource, &["name"]).into(),
            kind: text(resource, &["kind"]).into(),
            namespaced: super::fields::flag(resource, &["namespaced"]),
            detail: Detail::Metadata,
            also: Vec::new(),
        })
        .collect()
}

async fn collect(mut body: Body) -> Result<Bytes, Broken> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            whole.extend_from_slice(&data);
        }
        if whole.len() > MAX_ANSWER_BYTES {
            return Err(Broken::new("an answer is too large"));
        }
    }
    Ok(whole.freeze())
}

fn decode(bytes: &[u8]) -> Result<Value, Broken> {
    yaml::json::parse(bytes).map_err(Broken::new)
}

/// What happened to one object.
#[derive(Debug)]
pub(crate) enum Event {
    /// It is new or changed.
    Present(Value),
    /// It is gone.
    Gone(Value),
    /// Nothing; the watch is this far.
    Bookmark(String),
    /// The watch cannot go on from here: list again.
    Expired,
}

/// An open watch.
pub(crate) struct Watch {
    body: Body,
    buffer: BytesMut,
    ready: VecDeque<Event>,
}

impl Watch {
    /// The next event; `None` when the server ended the watch.
    ///
    /// # Errors
    /// A broken body, an event that is not JSON, or one that is too large.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Broken> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let Some(frame) = self.body.frame().await else {
                return Ok(None);
            };
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            self.buffer.extend_from_slice(&data);
            while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end + 1);
                if line.len() > 1 {
                    self.ready.extend(event(&line)?);
                }
            }
            if self.buffer.len() > MAX_EVENT_BYTES {
                return Err(Broken::new("a watch event is too large"));
            }
        }
    }
}

fn event(line: &[u8]) -> Result<Option<Event>, Broken> {
    let mut value = decode(line)?;
    let object = value
        .get_mut("object")
        .map(std::mem::take)
        .unwrap_or_default();
    Ok(match text(&value, &["type"]) {
        "ADDED" | "MODIFIED" => Some(Event::Present(object)),
        "DELETED" => Some(Event::Gone(object)),
        "BOOKMARK" => Some(Event::Bookmark(
            text(&object, &["metadata", "resourceVersion"]).to_owned(),
        )),
        "ERROR" => Some(Event::Expired),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve(answers: Vec<(&'static str, Vec<&'static str>)>) -> Api {
        let service = tower::service_fn(move |request: Request<http_body_util::Full<Bytes>>| {
            let uri = request.uri().to_string();
            let found = answers.iter().find(|(path, _)| *path == uri);
            let (code, chunks) = found
                .map_or((404, vec![r#"{"message": "no"}"#]), |(_, chunks)| {
                    (200, chunks.clone())
                });
            let frames = futures::stream::iter(chunks.into_iter().map(|chunk| {
                Ok::<_, std::convert::Infallible>(http_body::Frame::data(Bytes::from(chunk)))
            }));
            let body = http_body_util::StreamBody::new(frames);
            let answer = Response::builder()
                .status(code)
                .body(body)
                .expect("is an answer");
            std::future::ready(Ok::<_, std::convert::Infallible>(answer))
        });
        Api::new(service)
    }

    fn pods() -> Resource {
        super::super::kind::Registry::new()
            .resource(super::super::kind::Kind::POD)
            .clone()
    }

    #[tokio::test]
    async fn a_list_is_read_to_its_last_page() {
        let api = serve(vec![
            (
                "/api/v1/pods?limit=500",
                vec![r#"{"metadata": {"continue": "a="}, "items": [{"n": 1}]}"#],
            ),
            (
                "/api/v1/pods?limit=500&continue=a%3D",
                vec![r#"{"metadata": {"resourceVersion": "7"}, "items": [{"n": 2}]}"#],
            ),
        ]);
        let listed = api.list(&pods()).await.expect("is served");
        assert_eq!(
            (listed.objects.len(), listed.resource_version.as_str()),
            (2, "7")
        );
    }

    #[tokio::test]
    async fn events_may_be_cut_anywhere() {
        let api = serve(vec![(
            "/api/v1/pods?watch=true&allowWatchBookmarks=true&resourceVersion=7",
            vec![
                "{\"type\": \"ADD",
                "ED\", \"object\": {}}\n{\"type\": \"DELETED\", \"object\": {}}\n",
            ],
        )]);
        let mut watch = api.watch(&pods(), "7").await.expect("is served");
        let mut next = async || watch.next().await.expect("is readable");
        assert!(matches!(next().await, Some(Event::Present(_))));
        assert!(matches!(next().await, Some(Event::Gone(_))));
        assert!(next().await.is_none());
    }

    #[tokio::test]
    async fn a_refusal_has_code_and_message() {
        let error = serve(Vec::new())
            .get("/x".to_owned())
            .await
            .expect_err("is refused");
        assert_eq!(error.code(), Some(404));
        assert_eq!(error.to_string(), "GET /x: 404 no");
    }
}
