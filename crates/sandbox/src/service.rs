//! The API as a tower service: HTTP requests in, HTTP responses out, no port needed.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};

use crate::admission::webhook::Webhooks;
use crate::audit::Entry;
use crate::auth::impersonation;
use crate::core::Core;
use crate::list_text::{ListText, Packed};
use crate::negotiate::{Form, Kinds, Media, STREAMED};
use crate::reply::{Content, Reply};
use crate::request::{ApiRequest, Query, User};
use crate::status_error::ApiError;
use crate::verbs::log::{self, LogPlan};
use crate::watch::{self, WatchPlan};
use crate::{Clock, codec};

/// The body of a response: whole, or a watch that goes on.
pub type ResponseBody = UnsyncBoxBody<Bytes, Infallible>;

/// The largest body that is read, as kube-apiserver limits it.
const BODY_LIMIT: usize = 3 * 1024 * 1024;
/// How long a client may take to send its body: one that stops half-way holds no task for ever.
const BODY_TIME: Duration = Duration::from_secs(60);

/// Bodies that are larger are compressed for who accepts that, as kube-apiserver does.
const GZIP_FROM: usize = 128 * 1024;
const JSON: &str = "application/json";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// A handle on the API of one server; a clone talks to the same server.
///
/// It asks for no token: who holds it is the administrator. `kube::Client::new` takes it.
#[derive(Clone)]
pub struct Service {
    core: Arc<Core>,
    clock: Clock,
    access: Access,
}

/// Who may use a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Who holds it: he is the administrator.
    Holder,
    /// Who sends a known token.
    Token,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

impl Service {
    pub(crate) fn new(core: Arc<Core>, clock: Clock) -> Self {
        Service {
            core,
            clock,
            access: Access::Holder,
        }
    }

    /// The same API for who has a token.
    pub(crate) fn behind_tokens(mut self) -> Self {
        self.access = Access::Token;
        self
    }

    /// Who sent a request, or whom he acts as.
    fn user(&self, headers: &HeaderMap) -> Result<User, ApiError> {
        let core = &self.core;
        let user = match self.access {
            Access::Holder => User::admin(),
            Access::Token => core
                .authenticator
                .user(headers, &core.store, self.clock.now())?,
        };
        impersonation::acting(user, headers, &core.authorizer, &core.store)
    }

    /// Answers one request.
    pub async fn handle<B>(self, request: Request<B>) -> Response<ResponseBody>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        let (parts, body) = request.into_parts();
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        let writing = Writing::of(&parts.headers, &query);
        let is_head = parts.method == Method::HEAD;
        let received = self.clock.now();
        let audit = self.core.audit.as_ref();
        let mut noted =
            audit.map(|audit| (audit, Entry::new(&parts.method, &parts.uri, &parts.headers)));
        let user = self.user(&parts.headers);
        let body = match &user {
            Ok(_) => read_body(body).await,
            Err(_) => Ok(Bytes::new()),
        };
        let reply = match user.and_then(|user| Ok((user, body?))) {
            Ok((user, body)) => {
                let request = ApiRequest {
                    method: parts.method,
                    path: parts.uri.path().to_owned(),
                    query,
                    headers: parts.headers,
                    body,
                    user,
                };
                if let Some((_, entry)) = &mut noted {
                    entry.name(&request);
                }
                self.answer(request).await
            }
            Err(error) => Reply::from(error),
        };
        if let Some((audit, mut entry)) = noted {
            entry.received = received;
            entry.code = reply.status;
            audit.record(&entry, self.clock.now()).await;
        }
        self.respond(reply, writing, is_head)
    }

    async fn answer(&self, request: ApiRequest) -> Reply {
        let now = self.clock.now();
        let reply = match self.core.awaited(&request) {
            None => self.core.answer(&request, now, &Webhooks::default()),
            Some(webhooks) => {
                let core = Arc::clone(&self.core);
                // A thread that may wait for the webhooks.
                let answer = move || core.answer(&request, now, &webhooks);
                let answered = tokio::task::spawn_blocking(answer).await;
                answered.unwrap_or_else(|_stopped| ApiError::internal("server is stopping").into())
            }
        };
        if reply.revision > 0
            && let Err(error) = self.core.store.settled(reply.revision).await
        {
            return ApiError::internal(&error.to_string()).into();
        }
        reply
    }

    fn respond(&self, reply: Reply, mut writing: Writing, is_head: bool) -> Response<ResponseBody> {
        writing.media = reply.media.unwrap_or(writing.media);
        let (media_type, sent) = match reply.content {
            Content::Json(json) => writing.object(json),
            Content::List(list) if writing.is_plain() && list.is_long() => (JSON, Sent::List(list)),
            Content::List(list) => writing.object(list.whole()),
            Content::Typed(media_type, body) => (media_type, Sent::Whole(body)),
            Content::Watch(plan) if writing.media == Media::Protobuf => {
                (STREAMED[1], Sent::Watch(plan))
            }
            Content::Watch(plan) => (JSON, Sent::Watch(plan)),
            Content::Log(plan) => ("text/plain", Sent::Log(plan)),
        };
        let packed = writing.gzip && sent.size() > GZIP_FROM;
        let body = match sent {
            _ if is_head => whole(Bytes::new()),
            Sent::Watch(plan) => stream(watch::stream(Arc::clone(&self.core), *plan)),
            Sent::Log(plan) => stream(log::stream(&self.core, *plan)),
            Sent::List(list) if packed => stream(futures::stream::iter(Packed::new(list))),
            Sent::List(list) => stream(futures::stream::iter(list)),
            Sent::Whole(text) if packed => whole(codec::gzip(&text)),
            Sent::Whole(text) => whole(text),
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        if packed {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-cache, private"),
        );
        for warning in &reply.warnings {
            let text = format!(
                "299 - \"{}\"",
                warning.replace('\\', "\\\\").replace('"', "\\\"")
            );
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.append(header::WARNING, value);
            }
        }
        for (name, value) in reply.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// What goes into the body of a response.
enum Sent {
    Whole(Bytes),
    /// A long list, in pieces.
    List(ListText),
    Watch(Box<WatchPlan>),
    Log(Box<LogPlan>),
}

impl Sent {
    /// About how many bytes it has; what goes on counts for nothing.
    fn size(&self) -> usize {
        match self {
            Sent::Whole(text) => text.len(),
            Sent::List(list) => list.size(),
            Sent::Watch(_) | Sent::Log(_) => 0,
        }
    }
}

/// How a client wants texts written.
#[derive(Clone, Copy)]
struct Writing {
    media: Media,
    pretty: bool,
    gzip: bool,
}

impl Writing {
    fn of(headers: &HeaderMap, query: &Query) -> Self {
        let text = |name| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default()
        };
        let accept = text(header::ACCEPT);
        let form = Form::accept(accept, Kinds::BuiltIn);
        // People are shown indented text, programs are not.
        let agent = text(header::USER_AGENT);
        let people = ["curl", "Wget", "Mozilla/5.0"];
        let by_people = people.iter().any(|program| agent.starts_with(program));
        let pretty = if query.has("pretty") {
            query.flag("pretty")
        } else {
            form.is_ok_and(|form| form.pretty) || by_people
        };
        let mut encodings = text(header::ACCEPT_ENCODING).split(',');
        Writing {
            media: Form::media_of(accept),
            pretty,
            gzip: encodings.any(|encoding| encoding.trim() == "gzip"),
        }
    }

    /// Whether JSON is sent as it is.
    fn is_plain(self) -> bool {
        self.media == Media::Json && !self.pretty
    }

    /// An object's JSON in the form that is wanted; JSON where it has no other.
    fn object(self, json: Bytes) -> (&'static str, Sent) {
        let (media_type, text) = match self.media {
            Media::Yaml => ("application/yaml", codec::json_to_yaml(&json)),
            Media::Protobuf => match codec::json_to_protobuf(&json) {
                Some(body) => (PROTOBUF, body),
                None => (JSON, json),
            },
            Media::Json if self.pretty => (JSON, codec::indent(&json)),
            Media::Json => (JSON, json),
        };
        (media_type, Sent::Whole(text))
    }
}

/// A body that comes in pieces.
fn stream(pieces: impl Stream<Item = Bytes> + Send + 'static) -> ResponseBody {
    let frames = pieces.map(|piece| Ok::<_, Infallible>(Frame::data(piece)));
    BodyExt::boxed_unsync(StreamBody::new(frames))
}

fn whole(body: impl Into<Bytes>) -> ResponseBody {
    BodyExt::boxed_unsync(Full::new(body.into()))
}

async fn read_body<B>(body: B) -> Result<Bytes, ApiError>
where
    B: Body<Data = Bytes> + Send,
    B::Error: std::fmt::Display,
{
    tokio::time::timeout(BODY_TIME, collect(body))
        .await
        .unwrap_or_else(|_elapsed| {
            Err(ApiError::new(
                408,
                "Timeout",
                "the request body did not arrive in time",
            ))
        })
}

async fn collect<B>(body: B) -> Result<Bytes, ApiError>
where
    B: Body<Data = Bytes> + Send,
    B::Error: std::fmt::Display,
{
    let mut body = std::pin::pin!(body);
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    while let Some(frame) = body.as_mut().frame().await {
        let frame = frame.map_err(|error| ApiError::bad_request(error.to_string()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let size = data.len() + rest.len() + first.as_ref().map_or(0, Bytes::len);
        if size > BODY_LIMIT {
            return Err(ApiError::too_large(BODY_LIMIT));
        }
        match first.take() {
            None if rest.is_empty() => first = Some(data),
            None => rest.extend_from_slice(&data),
            Some(start) => {
                rest.extend_from_slice(&start);
                rest.extend_from_slice(&data);
            }
        }
    }
    Ok(first.unwrap_or_else(|| rest.freeze()))
}

impl<B> tower::Service<Request<B>> for Service
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::fmt::Display,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.handle(request).await) })
    }
}
