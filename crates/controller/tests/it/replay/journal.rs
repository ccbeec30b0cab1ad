//! What the controller writes to the cluster, in the form of the corpus.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cluster::Client;
use http::{Method, Request, Response, request};
use http_body_util::{BodyExt as _, Full};
use kube::client::Body;
use sandbox::ResponseBody;
use yaml::{Map, Value};

/// The field manager of the controller's writes to its own Applications.
const OWN_MANAGER: &str = "argocd-application-controller";

/// Every mutating request in order of arrival, but those about the controller's own Applications.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<Map>>>);

impl Journal {
    /// A client of a sandbox whose requests are written down.
    pub(crate) fn client(&self, service: sandbox::Service) -> Client {
        let journal = self.clone();
        Client::in_process(tower::service_fn(move |request: Request<Body>| {
            let (journal, service) = (journal.clone(), service.clone());
            async move { Ok::<_, Infallible>(journal.pass(service, request).await) }
        }))
    }

    async fn pass(
        &self,
        service: sandbox::Service,
        request: Request<Body>,
    ) -> Response<ResponseBody> {
        if request.method() == Method::GET {
            return service.handle(request).await;
        }
        let (head, body) = request.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let number = entry(&head, &body).map(|entry| {
            let mut entries = self.0.lock().expect("no panic before");
            entries.push(entry);
            entries.len() - 1
        });
        let request = Request::from_parts(head, Full::<Bytes>::new(body));
        let response = service.handle(request).await;
        if let Some(number) = number {
            let code = i64::from(response.status().as_u16());
            self.0.lock().expect("no panic before")[number].insert("code", code);
        }
        response
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().expect("no panic before").len()
    }

    /// Those after the first `n`.
    pub(crate) fn since(&self, n: usize) -> Vec<Value> {
        let entries = self.0.lock().expect("no panic before");
        entries[n..].iter().cloned().map(Value::Map).collect()
    }
}

/// A request in the form of the corpus; `None` for those that it leaves out.
fn entry(head: &request::Parts, body: &Bytes) -> Option<Map> {
    let verb = match head.method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        _ => "delete",
    };
    let mut entry = Map::from([("verb", verb.into())]);
    let mut parts = head.uri.path().trim_matches('/').split('/');
    let group = match parts.next() {
        Some("api") => "",
        _ => parts.next()?,
    };
    entry.insert("group", group);
    entry.insert("version", parts.next()?);
    let mut rest: Vec<&str> = parts.collect();
    // `namespaces/x` is the object itself where nothing follows.
    if rest.len() > 2 && rest[0] == "namespaces" {
        entry.insert("namespace", rest[1]);
        rest.drain(..2);
    }
    for (key, part) in ["resource", "name", "subresource"].into_iter().zip(rest) {
        entry.insert(key, part);
    }
    for pair in head.uri.query().unwrap_or_default().split('&') {
        if let Some((key @ ("fieldManager" | "dryRun" | "force"), value)) = pair.split_once('=') {
            entry.insert(key, value);
        }
    }
    let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
    let is_own = text("resource") == "applications" && text("fieldManager") == OWN_MANAGER;
    if is_own || text("resource") == "events" {
        return None;
    }
    let parsed = yaml::json::parse(body).unwrap_or_default();
    match verb {
        "delete" => {
            let policy = parsed.get("propagationPolicy").cloned().unwrap_or_default();
            entry.insert("options", Map::from([("propagationPolicy", policy)]));
        }
        "patch" => {
            let kind = head
                .headers
                .get(http::header::CONTENT_TYPE)?
                .to_str()
                .ok()?;
            entry.insert("contentType", kind.trim_start_matches("application/"));
            entry.insert("body", parsed);
        }
        _ => entry.insert("body", parsed).map_or((), drop),
    }
    Some(entry)
}
