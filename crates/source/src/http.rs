//! HTTP for Git: logins, certificates, proxies and redirects.
//!
//! Read [`HttpClients`], then [`Session`], which gix drives. Credentials go to the configured
//! server only: a redirect to another one is followed without them. Must never show them.

use std::io::{self, Cursor, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, Bytes};
use gix::protocol::transport::client::blocking_io::http::{
    GetResponse, Http, PostBodyDataKind, PostResponse, Transport,
};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Client, Method, StatusCode, Url};

use crate::store::lock;
use crate::tls::{self, Asked};
use crate::transfer::{Budget, shown};
use crate::{Credentials, Masked, Problem, RepoUrl, Trust};

/// How long a connection may take, as Argo CD's `git.request.timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Redirects followed for one question.
const MAX_REDIRECTS: usize = 5;

/// The user when only a password is configured, as in Argo CD.
const TOKEN_USER: &str = "x-access-token";

/// The clients of one login.
pub(crate) struct HttpClients {
    base: Url,
    /// Shows the client certificate.
    own: Client,
    own_asked: Arc<Asked>,
    /// For other servers.
    anonymous: Client,
    anonymous_asked: Arc<Asked>,
    authorization: Option<HeaderValue>,
}

impl HttpClients {
    /// Prepares the login; asks no server.
    pub(crate) fn new(
        url: &RepoUrl,
        credentials: &Credentials,
        trust: &Arc<Trust>,
    ) -> Result<HttpClients, Problem> {
        let base = Url::parse(&url.without_user())
            .map_err(|error| Problem::Protocol(error.to_string()))?;
        HttpClients::of(base, (url.user(), url.password()), credentials, trust)
    }

    /// The same for a server that is no Git repository; `login` is what its address says.
    pub(crate) fn of(
        base: Url,
        login: (Option<&str>, Option<&Masked>),
        credentials: &Credentials,
        trust: &Arc<Trust>,
    ) -> Result<HttpClients, Problem> {
        let (own, own_asked) = tls::config(Some(credentials), trust)?;
        let (anonymous, anonymous_asked) = tls::config(None, trust)?;
        Ok(HttpClients {
            base,
            own: client(credentials, own)?,
            own_asked,
            anonymous: client(credentials, anonymous)?,
            anonymous_asked,
            authorization: authorization(login, credentials)?,
        })
    }

    /// The client that shows everything, wherever it is sent.
    pub(crate) fn own(&self) -> (&Client, Option<&HeaderValue>) {
        (&self.own, self.authorization())
    }

    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// Whether a URL is of the configured server.
    pub(crate) fn is_own(&self, url: &Url) -> bool {
        is_same_server(&self.base, url)
    }

    /// The client for a URL, and what it may carry there.
    pub(crate) fn client_for(&self, url: &Url) -> (&Client, Option<&HeaderValue>) {
        if is_same_server(&self.base, url) {
            (&self.own, self.authorization.as_ref())
        } else {
            (&self.anonymous, None)
        }
    }

    /// What the failure of a question means.
    pub(crate) fn problem_of(&self, error: &reqwest::Error, url: &Url) -> Problem {
        let asked = match self.is_own(url) {
            true => &self.own_asked,
            false => &self.anonymous_asked,
        };
        match problem_of(error, url) {
            Problem::Cut(text) => asked.problem().unwrap_or(Problem::Cut(text)),
            other => other,
        }
    }
}

fn client(credentials: &Credentials, tls: rustls::ClientConfig) -> Result<Client, Problem> {
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .dns_resolver(Arc::new(Resolver))
        .referer(false);
    if let Some(proxy) = &credentials.proxy {
        let proxy = reqwest::Proxy::all(proxy.reveal())
            .map_err(|_| Problem::Credentials("the proxy is no URL"))?;
        let except = credentials.no_proxy.as_deref();
        builder = builder.proxy(proxy.no_proxy(except.and_then(reqwest::NoProxy::from_string)));
    }
    builder
        .build()
        .map_err(|error| Problem::Protocol(shown(&error.without_url().to_string())))
}

fn authorization(
    (user, password): (Option<&str>, Option<&Masked>),
    credentials: &Credentials,
) -> Result<Option<HeaderValue>, Problem> {
    let user = credentials.username.as_ref().map(Masked::reveal).or(user);
    let password = credentials
        .password
        .as_ref()
        .or(password)
        .map(Masked::reveal);
    let text = match (&credentials.bearer_token, user, password) {
        (Some(token), _, _) => format!("Bearer {}", token.reveal().trim()),
        (None, None, None) => return Ok(None),
        (None, user, password) => {
            let user = user.unwrap_or(TOKEN_USER);
            let login = format!("{user}:{}", password.unwrap_or_default());
            format!("Basic {}", STANDARD.encode(login))
        }
    };
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| Problem::Credentials("the bearer token has characters that cannot be sent"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// Whether credentials for `base` may go to `url`: the same scheme, host and port, or the same
/// host from plain HTTP to TLS on the usual ports.
fn is_same_server(base: &Url, url: &Url) -> bool {
    let is_upgrade = base.scheme() == "http"
        && url.scheme() == "https"
        && base.port().is_none()
        && url.port().is_none();
    let is_same = base.scheme() == url.scheme()
        && base.port_or_known_default() == url.port_or_known_default();
    base.host_str() == url.host_str() && (is_same || is_upgrade)
}

/// The host has no address: kept apart from other connection failures.
#[derive(Debug, thiserror::Error)]
#[error("host {0:?} cannot be resolved")]
struct NoAddress(String);

struct Resolver;

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let host = name.as_str().to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await;
            let found: Vec<_> = found.map(Iterator::collect).unwrap_or_default();
            if found.is_empty() {
                return Err(NoAddress(host).into());
            }
            Ok(Box::new(found.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

/// Starts a conversation; nothing is sent before gix asks.
pub(crate) fn connect(clients: &Arc<HttpClients>, budget: &Arc<Budget>) -> Transport<Session> {
    let session = Session {
        clients: clients.clone(),
        budget: budget.clone(),
        redirected: None,
    };
    let url = gix::url::parse(clients.base.as_str().trim_end_matches('/'))
        .unwrap_or_else(|_| gix::Url::default());
    Transport::new_http(session, url, gix::protocol::transport::Protocol::V2, false)
}

/// One conversation with a server.
pub(crate) struct Session {
    clients: Arc<HttpClients>,
    budget: Arc<Budget>,
    redirected: Option<String>,
}

impl Session {
    fn send(
        &self,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
        body: Vec<u8>,
    ) -> io::Result<reqwest::Response> {
        let (client, authorization) = self.clients.client_for(url);
        let mut request = client
            .request(method.clone(), url.clone())
            .headers(headers.clone());
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value.clone());
        }
        if *method == Method::POST {
            request = request.body(body);
        }
        let answer = self.budget.wait(request.send())?;
        answer.map_err(|error| self.budget.fail(self.clients.problem_of(&error, url)))
    }

    /// Accepts a success that Git can read; everything else has a meaning of its own.
    fn check(&self, response: &reqwest::Response) -> io::Result<()> {
        let status = response.status();
        let is_git = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-git-"));
        let problem = match status {
            _ if status.is_success() && is_git => return Ok(()),
            _ if status.is_success() => {
                Problem::Protocol("the answer is not of a Git server".to_owned())
            }
            StatusCode::UNAUTHORIZED => {
                Problem::Authentication(match self.clients.client_for(response.url()).1 {
                    _ if !is_same_server(&self.clients.base, response.url()) => {
                        "another server asks for them after a redirect"
                    }
                    Some(_) => "the credentials are refused",
                    None => "there are no credentials",
                })
            }
            StatusCode::FORBIDDEN => Problem::Forbidden,
            StatusCode::NOT_FOUND | StatusCode::GONE => Problem::NotFound,
            _ if status.is_redirection() => {
                Problem::Redirect("in the middle of a conversation".to_owned())
            }
            _ => Problem::Status(status.as_u16()),
        };
        Err(self.budget.fail(problem))
    }

    /// The place of a redirect, when it may be followed.
    fn next_place(&self, response: &reqwest::Response, tail: &str) -> io::Result<Url> {
        let refuse = |why: &str| Err(self.budget.fail(Problem::Redirect(why.to_owned())));
        let location = response
            .headers()
            .get(LOCATION)
            .and_then(|it| it.to_str().ok());
        let Some(mut next) = location.and_then(|it| response.url().join(it).ok()) else {
            return refuse("without a place that can be read");
        };
        let is_downgrade = response.url().scheme() == "https" && next.scheme() != "https";
        if is_downgrade || !["http", "https"].contains(&next.scheme()) {
            return refuse("to an unsafe scheme");
        }
        if !next.as_str().ends_with(tail) {
            return refuse("to a place that is no Git repository");
        }
        // Credentials in a redirect would be the server's choice, not the operator's.
        if next.set_username("").is_err() || next.set_password(None).is_err() {
            return refuse("to a place without host");
        }
        Ok(next)
    }

    fn follow(
        &mut self,
        url: &str,
        tail: &str,
        headers: &HeaderMap,
    ) -> io::Result<reqwest::Response> {
        let mut place = Url::parse(url).map_err(io::Error::other)?;
        for _ in 0..MAX_REDIRECTS {
            let response = self.send(&Method::GET, &place, headers, Vec::new())?;
            if !response.status().is_redirection() {
                self.check(&response)?;
                let base = place.as_str().strip_suffix(tail).map(str::to_owned);
                self.redirected = base.filter(|_| place.as_str() != url);
                return Ok(response);
            }
            place = self.next_place(&response, tail)?;
        }
        Err(self
            .budget
            .fail(Problem::Redirect(format!("over {MAX_REDIRECTS} times"))))
    }
}

/// What a failure below HTTP means. Never the URL: it may hold more than a path.
pub(crate) fn problem_of(error: &reqwest::Error, url: &Url) -> Problem {
    if error.is_timeout() {
        return Problem::Timeout(CONNECT_TIMEOUT);
    }
    let mut last = String::new();
    let mut next: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(error) = next {
        last = error.to_string();
        if error.is::<NoAddress>() {
            return Problem::Dns(url.host_str().unwrap_or_default().to_owned());
        }
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Problem::Certificate(shown(&error.to_string()));
        }
        let io = error.downcast_ref::<io::Error>();
        match io.map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => return Problem::Refused,
            Some(io::ErrorKind::TimedOut) => return Problem::Timeout(CONNECT_TIMEOUT),
            _ => {}
        }
        next = match io.and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    Problem::Cut(shown(&last))
}

fn header_map<S: AsRef<str>>(lines: impl IntoIterator<Item = S>) -> HeaderMap {
    let mut map = HeaderMap::new();
    for line in lines {
        if let Some((name, value)) = line.as_ref().split_once(':')
            && let Ok(name) = HeaderName::try_from(name.trim())
            && let Ok(value) = HeaderValue::try_from(value.trim())
        {
            map.append(name, value);
        }
    }
    map
}

/// The headers of an answer as the lines that gix reads.
fn header_lines(response: &reqwest::Response) -> Cursor<Vec<u8>> {
    let mut lines = Vec::new();
    for (name, value) in response.headers() {
        lines.extend_from_slice(name.as_str().as_bytes());
        lines.push(b':');
        lines.extend_from_slice(value.as_bytes());
        lines.push(b'\n');
    }
    Cursor::new(lines)
}

impl Http for Session {
    type Headers = Lines;
    type ResponseBody = Body;
    type PostBody = Upload;

    fn get(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> gix::Result<GetResponse<Lines, Body>> {
        let tail = url.strip_prefix(base_url).unwrap_or(url).to_owned();
        let response = self
            .follow(url, &tail, &header_map(headers))
            .map_err(gix::Error::from_error)?;
        Ok(GetResponse {
            headers: Lines::Here(header_lines(&response)),
            body: Body::new(
                Arc::new(Mutex::new(Stage::Answer(response))),
                self.budget.clone(),
            ),
        })
    }

    fn post(
        &mut self,
        url: &str,
        _: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        _: PostBodyDataKind,
    ) -> gix::Result<PostResponse<Lines, Body, Upload>> {
        let url = Url::parse(url).map_err(gix::Error::from_error)?;
        let question = Question {
            session: Session {
                clients: self.clients.clone(),
                budget: self.budget.clone(),
                redirected: None,
            },
            url,
            headers: header_map(headers),
            body: Vec::new(),
        };
        let stage = Arc::new(Mutex::new(Stage::Question(Box::new(question))));
        Ok(PostResponse {
            post_body: Upload(stage.clone()),
            headers: Lines::After(stage.clone()),
            body: Body::new(stage, self.budget.clone()),
        })
    }

    fn configure(&mut self, _: &dyn std::any::Any) -> gix::Result<()> {
        Ok(())
    }

    fn redirected_base_url(&self) -> Option<String> {
        self.redirected.clone()
    }
}

/// A request that gix still writes, then its answer. It is sent when the answer is first read, so
/// that no thread is needed between the two.
pub(crate) enum Stage {
    Question(Box<Question>),
    Answer(reqwest::Response),
    Failed,
}

pub(crate) struct Question {
    session: Session,
    url: Url,
    headers: HeaderMap,
    body: Vec<u8>,
}

type Shared = Arc<Mutex<Stage>>;

fn answer_of(stage: &mut Stage) -> io::Result<&mut reqwest::Response> {
    if let Stage::Question(question) = stage {
        let Question {
            session,
            url,
            headers,
            body,
        } = &mut **question;
        let response = session.send(&Method::POST, url, headers, std::mem::take(body));
        let checked = response.and_then(|response| session.check(&response).map(|()| response));
        let (next, error) = match checked {
            Ok(response) => (Stage::Answer(response), None),
            Err(error) => (Stage::Failed, Some(error)),
        };
        *stage = next;
        if let Some(error) = error {
            return Err(error);
        }
    }
    match stage {
        Stage::Answer(response) => Ok(response),
        Stage::Question(_) | Stage::Failed => Err(io::Error::other("there is no answer")),
    }
}

/// What gix writes to a request.
pub(crate) struct Upload(Shared);

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *lock(&self.0) {
            Stage::Question(question) => question.body.extend_from_slice(bytes),
            Stage::Answer(_) | Stage::Failed => {
                return Err(io::Error::other("the request is sent already"));
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Header lines, of an answer that is here or that must be asked for.
pub(crate) enum Lines {
    Here(Cursor<Vec<u8>>),
    After(Shared),
}

impl Lines {
    fn here(&mut self) -> io::Result<&mut Cursor<Vec<u8>>> {
        if let Lines::After(stage) = self {
            let lines = header_lines(answer_of(&mut lock(stage))?);
            *self = Lines::Here(lines);
        }
        match self {
            Lines::Here(lines) => Ok(lines),
            Lines::After(_) => Err(io::Error::other("there is no answer")),
        }
    }
}

impl Read for Lines {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.here()?.read(into)
    }
}

impl io::BufRead for Lines {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.here()?.fill_buf()
    }

    fn consume(&mut self, n_bytes: usize) {
        if let Lines::Here(lines) = self {
            lines.consume(n_bytes);
        }
    }
}

/// The bytes of an answer as they arrive.
pub(crate) struct Body {
    stage: Shared,
    budget: Arc<Budget>,
    chunk: Bytes,
    is_at_end: bool,
}

impl Body {
    fn new(stage: Shared, budget: Arc<Budget>) -> Self {
        Body {
            stage,
            budget,
            chunk: Bytes::new(),
            is_at_end: false,
        }
    }
}

impl io::BufRead for Body {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.chunk.is_empty() && !self.is_at_end {
            let mut stage = lock(&self.stage);
            let response = answer_of(&mut stage)?;
            let url = response.url().clone();
            match self.budget.wait(response.chunk())? {
                Ok(Some(chunk)) => {
                    self.budget.spend(chunk.len())?;
                    self.chunk = chunk;
                }
                Ok(None) => self.is_at_end = true,
                Err(error) => return Err(self.budget.fail(problem_of(&error, &url))),
            }
        }
        Ok(&self.chunk)
    }

    fn consume(&mut self, n_bytes: usize) {
        self.chunk.advance(n_bytes.min(self.chunk.len()));
    }
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n_bytes = io::BufRead::fill_buf(self)?.read(into)?;
        io::BufRead::consume(self, n_bytes);
        Ok(n_bytes)
    }
}
