//! Registries as the OCI distribution specification has them: tags, manifests, blobs, and the way
//! to a token.
//!
//! Read [`Registry`]. Own requests rather than a client library: what matters here are the bounds
//! and where credentials may go, which [`Web`] has for both kinds of places.

use std::collections::HashMap;
use std::sync::Mutex;

use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, LINK, WWW_AUTHENTICATE};
use reqwest::{Response, StatusCode, Url};
use yaml::Value;

use crate::chart::ChartProblem;
use crate::chart::digest::Digest;
use crate::chart::web::{self, Login, MAX_TEXT_BYTES, Web};
use crate::store::lock;

/// The most tags of one repository that are read.
const MAX_TAGS: usize = 100_000;

/// The most pages of tags asked for, against a server whose pages lead in circles.
const MAX_PAGES: usize = 1000;

/// What is asked for in one page.
const PAGE: &str = "1000";

const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.v2+json";

/// The address of a registry with a login. Tokens are kept while they hold.
pub(crate) struct Registry {
    base: Url,
    web: Web,
    /// Whether the password is sent at once.
    force_basic: bool,
    /// By repository.
    tokens: Mutex<HashMap<String, HeaderValue>>,
}

/// What one tag or digest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) digest: Digest,
    pub(crate) config_type: String,
    pub(crate) layers: Vec<Layer>,
}

/// One content of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

/// What a server wants to see.
enum Challenge {
    Basic,
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

impl Registry {
    pub(crate) fn new(base: Url, web: Web, force_basic: bool) -> Self {
        Registry {
            base,
            web,
            force_basic,
            tokens: Mutex::default(),
        }
    }

    fn url(&self, path: &str) -> Result<Url, ChartProblem> {
        let url = self.base.join(path);
        url.map_err(|_| ChartProblem::Address("has a name that no registry has"))
    }

    /// All tags of a repository.
    pub(crate) async fn tags(&self, repository: &str) -> Result<Vec<String>, ChartProblem> {
        let mut next = Some(self.url(&format!("v2/{repository}/tags/list?n={PAGE}"))?);
        let mut tags = Vec::new();
        for _ in 0..MAX_PAGES {
            let Some(url) = next.take() else {
                return Ok(tags);
            };
            let response = self.get(&url, repository, HeaderMap::new()).await?;
            web::check(&response, "such repository", self.web.has_login())?;
            next = next_page(&response);
            let page = json(&web::body(response, MAX_TEXT_BYTES).await?)?;
            let page = page
                .get("tags")
                .and_then(Value::as_list)
                .unwrap_or_default();
            tags.extend(page.iter().filter_map(|it| it.as_str().map(str::to_owned)));
            if tags.len() > MAX_TAGS {
                let text = format!("the repository has more than {MAX_TAGS} tags");
                return Err(ChartProblem::Artifact(text));
            }
        }
        let text = format!("the tags have more than {MAX_PAGES} pages");
        Err(ChartProblem::Artifact(text))
    }

    /// What a tag or a digest names.
    pub(crate) async fn manifest(
        &self,
        repository: &str,
        reference: &str,
    ) -> Result<Manifest, ChartProblem> {
        let url = self.url(&format!("v2/{repository}/manifests/{reference}"))?;
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(MANIFESTS))]);
        let response = self.get(&url, repository, headers).await?;
        web::check(&response, "such tag", self.web.has_login())?;
        let body = web::body(response, MAX_TEXT_BYTES).await?;
        let digest = Digest::of(&body);
        if let Some(want) = reference
            .contains(':')
            .then(|| Digest::parse(reference))
            .flatten()
            && want != digest
        {
            return Err(ChartProblem::Digest {
                want: want.to_string(),
                got: digest.to_string(),
            });
        }
        read_manifest(&json(&body)?, digest)
    }

    /// One content, if it is the promised one.
    pub(crate) async fn blob(
        &self,
        repository: &str,
        layer: &Layer,
        limit: u64,
    ) -> Result<Vec<u8>, ChartProblem> {
        if layer.size > limit {
            return Err(ChartProblem::TooLarge(limit));
        }
        let url = self.url(&format!("v2/{repository}/blobs/{}", layer.digest))?;
        let response = self.get(&url, repository, HeaderMap::new()).await?;
        web::check(&response, "such content", self.web.has_login())?;
        let body = web::body(response, limit).await?;
        let got = Digest::of(&body);
        if got != layer.digest {
            return Err(ChartProblem::Digest {
                want: layer.digest.to_string(),
                got: got.to_string(),
            });
        }
        Ok(body)
    }

    /// Asks with what is known to be wanted; when that does not do, asks what is wanted, once.
    async fn get(
        &self,
        url: &Url,
        repository: &str,
        headers: HeaderMap,
    ) -> Result<Response, ChartProblem> {
        let known = lock(&self.tokens).get(repository).cloned();
        let login = match &known {
            Some(token) => Login::Token(token),
            None if self.force_basic => Login::Configured,
            None => Login::Nothing,
        };
        let response = self.web.get(url, &headers, login).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        lock(&self.tokens).remove(repository);
        match challenge(response.headers()) {
            Some(Challenge::Bearer {
                realm,
                service,
                scope,
            }) => {
                let scope = scope.unwrap_or_else(|| format!("repository:{repository}:pull"));
                let token = self.token(&realm, service.as_deref(), &scope).await?;
                let again = self.web.get(url, &headers, Login::Token(&token)).await?;
                lock(&self.tokens).insert(repository.to_owned(), token);
                Ok(again)
            }
            Some(Challenge::Basic) if self.web.has_login() && !self.force_basic => {
                self.web.get(url, &headers, Login::Configured).await
            }
            Some(Challenge::Basic) | None => Ok(response),
        }
    }

    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: &str,
    ) -> Result<HeaderValue, ChartProblem> {
        let odd = |text: &str| ChartProblem::Artifact(text.to_owned());
        let mut url = Url::parse(realm).map_err(|_| odd("the registry names no token server"))?;
        let is_downgrade = self.base.scheme() == "https" && url.scheme() != "https";
        if is_downgrade || !["http", "https"].contains(&url.scheme()) {
            return Err(odd("the registry's token server is not reached safely"));
        }
        {
            let mut query = url.query_pairs_mut();
            if let Some(service) = service {
                query.append_pair("service", service);
            }
            for scope in scope.split(' ') {
                query.append_pair("scope", scope);
            }
        }
        let response = self.web.get_token(&url).await?;
        web::check(&response, "token server", self.web.has_login())?;
        let answer = json(&web::body(response, MAX_TEXT_BYTES).await?)?;
        let token = ["token", "access_token"]
            .iter()
            .find_map(|key| answer.get(key)?.as_str())
            .ok_or_else(|| odd("the token server gives no token"))?;
        let mut value = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| odd("the token server's token cannot be sent"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

fn json(text: &[u8]) -> Result<Value, ChartProblem> {
    yaml::json::parse(text)
        .map_err(|error| ChartProblem::Artifact(format!("the answer is no JSON: {error}")))
}

fn read_manifest(value: &Value, digest: Digest) -> Result<Manifest, ChartProblem> {
    let odd = |text: &str| ChartProblem::Artifact(text.to_owned());
    let text = |value: &Value, key: &str| {
        let text = value.get(key).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let layers = value.get("layers").and_then(Value::as_list);
    let layers =
        layers.ok_or_else(|| odd("the manifest has no layers: it is no chart or artifact"))?;
    let layers: Option<Vec<Layer>> = layers
        .iter()
        .map(|layer| {
            Some(Layer {
                media_type: text(layer, "mediaType"),
                digest: Digest::parse(layer.get("digest")?.as_str()?)?,
                size: u64::try_from(layer.get("size")?.as_i64()?).ok()?,
            })
        })
        .collect();
    Ok(Manifest {
        digest,
        config_type: value
            .get("config")
            .map(|it| text(it, "mediaType"))
            .unwrap_or_default(),
        layers: layers
            .ok_or_else(|| odd("the manifest has a layer without SHA-256 digest and size"))?,
    })
}

/// The next page of a list, on the same server only.
fn next_page(response: &Response) -> Option<Url> {
    let links = response.headers().get_all(LINK);
    let mut links = links.iter().filter_map(|it| it.to_str().ok());
    let link = links.find(|it| it.contains("rel=\"next\"") || it.contains("rel=next"))?;
    let target = link.split_once('<')?.1.split_once('>')?.0;
    let next = response.url().join(target).ok()?;
    (next.origin() == response.url().origin()).then_some(next)
}

/// What the server wants; a token rather than a password when it takes both.
fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let all = headers.get_all(WWW_AUTHENTICATE);
    let texts: Vec<&str> = all.iter().filter_map(|it| it.to_str().ok()).collect();
    let of = |scheme: &str| {
        texts.iter().find_map(|text| {
            let (own, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
            own.eq_ignore_ascii_case(scheme).then(|| parameters(rest))
        })
    };
    if let Some(mut parameters) = of("Bearer") {
        return Some(Challenge::Bearer {
            realm: parameters.remove("realm")?,
            service: parameters.remove("service"),
            scope: parameters.remove("scope"),
        });
    }
    of("Basic").map(|_| Challenge::Basic)
}

/// `key="value",key=value`, where a quoted value may hold commas.
fn parameters(mut text: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    while let Some((key, rest)) = text.split_once('=') {
        let key = key.trim_matches([',', ' ']).to_ascii_lowercase();
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_at(rest.find(',').unwrap_or(rest.len())),
        };
        found.insert(key, value.to_owned());
        text = rest;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_wants_is_read_from_its_challenge() {
        let check = |lines: &[&'static str], want: &str| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(line));
            }
            let got = match challenge(&headers) {
                None => "nothing".to_owned(),
                Some(Challenge::Basic) => "basic".to_owned(),
                Some(Challenge::Bearer {
                    realm,
                    service,
                    scope,
                }) => format!("{realm} {service:?} {scope:?}"),
            };
            assert_eq!(got, want);
        };
        check(&[], "nothing");
        check(&["Basic realm=\"x\""], "basic");
        check(
            &[
                "Basic realm=\"x\"",
                "Bearer realm=\"https://t/a\",service=\"r, s\",scope=\"a:b:pull,push\"",
            ],
            "https://t/a Some(\"r, s\") Some(\"a:b:pull,push\")",
        );
        check(&["bearer realm=https://t/a"], "https://t/a None None");
        check(&["Bearer service=\"x\""], "nothing");
        check(&["Negotiate"], "nothing");
    }
}
