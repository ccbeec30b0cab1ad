//! Requests for charts: bounded in time and bytes, with credentials for one server only.
//!
//! Read [`Web`]. A redirect or an archive's address on another server gets no credentials (unless
//! `passCredentials` says so: CVE-2021-32690 is what happens otherwise). Must never show them.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Response, StatusCode, Url};

use crate::chart::cache::{Cache, Draft};
use crate::chart::place::Place;
use crate::chart::{ChartProblem, PassCredentials};
use crate::http::{HttpClients, problem_of};
use crate::{Credentials, Trust};

/// Redirects followed for one question: registries send to their storage, once.
const MAX_REDIRECTS: usize = 5;

/// The most bytes of a text that a server sends as an answer: manifests, tokens, lists of tags.
pub(crate) const MAX_TEXT_BYTES: u64 = 4 * 1024 * 1024;

/// How long one question may take, its answer included.
const TIMEOUT: Duration = Duration::from_secs(120);

/// What the own server is shown.
#[derive(Clone, Copy)]
pub(crate) enum Login<'a> {
    /// The configured credentials.
    Configured,
    /// A token that the server's own authority gave.
    Token(&'a HeaderValue),
    /// Nothing: the server is first asked what it wants.
    Nothing,
}

/// The clients of one login to one server.
pub(crate) struct Web {
    clients: HttpClients,
    pass: PassCredentials,
}

impl Web {
    pub(crate) fn new(
        place: &Place,
        credentials: &Credentials,
        pass: PassCredentials,
        trust: &Arc<Trust>,
    ) -> Result<Web, ChartProblem> {
        let clients = HttpClients::of(place.base().clone(), place.login(), credentials, trust)?;
        Ok(Web { clients, pass })
    }

    /// Whether there is anything to log in with over HTTP.
    pub(crate) fn has_login(&self) -> bool {
        self.clients.authorization().is_some()
    }

    /// Asks, and follows redirects. The answer may have any status.
    pub(crate) async fn get(
        &self,
        url: &Url,
        headers: &HeaderMap,
        login: Login<'_>,
    ) -> Result<Response, ChartProblem> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.ask(&url, headers, login).await?;
            if !response.status().is_redirection() || response.status() == StatusCode::NOT_MODIFIED
            {
                return Ok(response);
            }
            url = next_place(&response)?;
        }
        let text = format!("over {MAX_REDIRECTS} times");
        Err(ChartProblem::Redirect(text))
    }

    async fn ask(
        &self,
        url: &Url,
        headers: &HeaderMap,
        login: Login<'_>,
    ) -> Result<Response, ChartProblem> {
        let (client, configured) = match self.pass {
            PassCredentials::Everywhere => self.clients.own(),
            PassCredentials::OwnServer => self.clients.client_for(url),
        };
        let shown = match login {
            Login::Configured => configured,
            // A token is for the registry: never for the storage that it sends to.
            Login::Token(token) => self.clients.is_own(url).then_some(token),
            Login::Nothing => None,
        };
        let mut request = client.get(url.clone()).headers(headers.clone());
        if let Some(value) = shown {
            request = request.header(AUTHORIZATION, value.clone());
        }
        let answer = within(request.send()).await?;
        answer.map_err(|error| self.clients.problem_of(&error, url).into())
    }

    /// Asks the server that gives tokens; it gets the configured credentials, as the registry
    /// itself names it.
    pub(crate) async fn get_token(&self, url: &Url) -> Result<Response, ChartProblem> {
        let (client, configured) = self.clients.own();
        let mut request = client.get(url.clone());
        if let Some(value) = configured {
            request = request.header(AUTHORIZATION, value.clone());
        }
        let answer = within(request.send()).await?;
        answer.map_err(|error| self.clients.problem_of(&error, url).into())
    }
}

async fn within<T>(work: impl Future<Output = T>) -> Result<T, ChartProblem> {
    let done = tokio::time::timeout(TIMEOUT, work).await;
    done.map_err(|_| ChartProblem::Timeout(TIMEOUT))
}

fn next_place(response: &Response) -> Result<Url, ChartProblem> {
    let refuse = |why: &str| Err(ChartProblem::Redirect(why.to_owned()));
    let location = response.headers().get(LOCATION);
    let next = location
        .and_then(|it| it.to_str().ok())
        .and_then(|it| response.url().join(it).ok());
    let Some(mut next) = next else {
        return refuse("without a place that can be read");
    };
    let is_downgrade = response.url().scheme() == "https" && next.scheme() != "https";
    if is_downgrade || !["http", "https"].contains(&next.scheme()) {
        return refuse("to an unsafe scheme");
    }
    // Credentials in a redirect would be the server's choice, not the operator's.
    if next.set_username("").is_err() || next.set_password(None).is_err() {
        return refuse("to a place without host");
    }
    Ok(next)
}

/// Accepts a success; everything else has a meaning of its own.
pub(crate) fn check(
    response: &Response,
    what: &'static str,
    has_login: bool,
) -> Result<(), ChartProblem> {
    Err(match response.status() {
        status if status.is_success() => return Ok(()),
        StatusCode::UNAUTHORIZED => ChartProblem::Authentication(if has_login {
            "the credentials are refused"
        } else {
            "there are no credentials"
        }),
        StatusCode::FORBIDDEN => ChartProblem::Forbidden,
        StatusCode::NOT_FOUND | StatusCode::GONE => ChartProblem::Absent(what),
        status => ChartProblem::Status(status.as_u16()),
    })
}

/// The next piece of an answer.
async fn chunk(response: &mut Response) -> Result<Option<bytes::Bytes>, ChartProblem> {
    let chunk = within(response.chunk()).await?;
    chunk.map_err(|error| problem_of(&error, response.url()).into())
}

/// The whole answer.
pub(crate) async fn body(mut response: Response, limit: u64) -> Result<Vec<u8>, ChartProblem> {
    let mut body = Vec::new();
    while let Some(chunk) = chunk(&mut response).await? {
        if body.len() as u64 + chunk.len() as u64 > limit {
            return Err(ChartProblem::TooLarge(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The answer as a file: what is large is never held in memory.
pub(crate) async fn save(
    mut response: Response,
    cache: &Cache,
    limit: u64,
) -> Result<Draft, ChartProblem> {
    let mut draft = cache.draft()?;
    let mut left = limit;
    while let Some(chunk) = chunk(&mut response).await? {
        left = left
            .checked_sub(chunk.len() as u64)
            .ok_or(ChartProblem::TooLarge(limit))?;
        draft.write(&chunk)?;
    }
    Ok(draft)
}
