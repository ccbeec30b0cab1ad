//! A request as the API reads it: the path in parts, the query, what answer is wanted.

use bytes::Bytes;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use yaml::{Map, Value};

use crate::status_error::ApiError;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) groups: Vec<String>,
    /// What else is known, sorted by key.
    pub(crate) extra: Vec<(String, Vec<String>)>,
}

impl User {
    /// The administrator: may do everything.
    pub(crate) fn admin() -> Self {
        User {
            name: "admin".to_owned(),
            uid: "admin".to_owned(),
            groups: vec![
                "system:masters".to_owned(),
                "system:authenticated".to_owned(),
            ],
            extra: Vec::new(),
        }
    }

    /// As reviews show it.
    pub(crate) fn info(&self) -> Map {
        let mut info = Map::from([
            ("username", self.name.as_str().into()),
            ("groups", self.groups.clone().into()),
        ]);
        if !self.uid.is_empty() {
            info.insert("uid", self.uid.as_str());
        }
        if !self.extra.is_empty() {
            let extra: Map = self
                .extra
                .iter()
                .map(|(key, values)| (key.as_str(), Value::from(values.clone())))
                .collect();
            info.insert("extra", extra);
        }
        info
    }
}

/// One request with its whole body.
#[derive(Clone, Debug)]
pub(crate) struct ApiRequest {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) user: User,
}

/// Paths below an object that are connected to, not read.
const CONNECTED: [&str; 4] = ["exec", "attach", "portforward", "proxy"];

impl ApiRequest {
    /// Whether a path is, from the looks of it, one that is connected to. Who is asked about such a
    /// request has to be waited for, even when it is a GET.
    pub(crate) fn connects(&self) -> bool {
        self.path.split('/').any(|part| CONNECTED.contains(&part))
    }

    /// A header's text; empty when absent or not text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

/// The parameters after the `?`, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let decode = |text: &str| {
            percent_decode_str(&text.replace('+', " "))
                .decode_utf8_lossy()
                .into_owned()
        };
        Query(
            text.split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(key, value)| (decode(key), decode(value)))
                .collect(),
        )
    }

    /// The first value of a parameter; empty when absent.
    pub(crate) fn get(&self, key: &str) -> &str {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map_or("", |(_, value)| value.as_str())
    }

    /// All values of a parameter.
    pub(crate) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(name, _)| name == key)
    }

    /// A flag, as apimachinery converts it: present and neither `false` nor `0`.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.has(key) && !matches!(self.get(key).to_lowercase().as_str(), "false" | "0")
    }

    /// A whole number; `None` when absent or empty.
    ///
    /// # Errors
    /// 400 in the words of Go's strconv.
    pub(crate) fn number(&self, key: &str) -> Result<Option<i64>, ApiError> {
        let text = self.get(key);
        if text.is_empty() {
            return Ok(None);
        }
        whole_number(text).map(Some)
    }
}

/// Reads a whole number.
///
/// # Errors
/// 400 in the words of Go's strconv.
pub(crate) fn whole_number(text: &str) -> Result<i64, ApiError> {
    use std::num::{IntErrorKind, ParseIntError};
    text.parse().map_err(|error: ParseIntError| {
        let why = match error.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        let text = crate::status_error::quoted(text);
        ApiError::bad_request(format!("strconv.ParseInt: parsing {text}: {why}"))
    })
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/`
    Root,
    /// `/healthz`, `/livez`, `/readyz` and the checks below them.
    Health,
    /// `/metrics` and `/metrics/slis`
    Metrics,
    /// `/.well-known/openid-configuration`
    OpenId,
    /// `/openid/v1/jwks`
    Keys,
    /// `/version`
    Version,
    /// `/api`
    Core,
    /// `/apis`
    Groups,
    /// `/apis/GROUP`
    Group(String),
    /// `/api/v1`, `/apis/GROUP/VERSION`
    GroupVersion(String, String),
    /// `/openapi/v2`
    OpenApiV2,
    /// `/openapi/v3`
    OpenApiV3,
    /// `/openapi/v3/PATH`
    OpenApiV3Document(String),
    /// Objects.
    Resource(ResourcePath),
    /// Nothing is there.
    Unknown,
}

/// A path to a collection, an object or a part of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResourcePath {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) namespace: Option<String>,
    pub(crate) plural: String,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
    /// What follows the subresource, as for `proxy`.
    pub(crate) rest: Vec<String>,
    /// The path has the old `/watch/` part.
    pub(crate) watch: bool,
}

impl Route {
    /// Reads a path.
    pub(crate) fn parse(path: &str) -> Route {
        let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let parts: Vec<String> = path
            .trim_matches('/')
            .split('/')
            .filter(|part| !part.is_empty())
            .map(decode)
            .collect();
        let words: Vec<&str> = parts.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] => Route::Root,
            ["healthz" | "livez" | "readyz", ..] => Route::Health,
            ["metrics"] | ["metrics", "slis"] => Route::Metrics,
            [".well-known", "openid-configuration"] => Route::OpenId,
            ["openid", "v1", "jwks"] => Route::Keys,
            ["version"] => Route::Version,
            ["api"] => Route::Core,
            ["apis"] => Route::Groups,
            ["apis", group] => Route::Group((*group).to_owned()),
            ["api", version] => Route::GroupVersion(String::new(), (*version).to_owned()),
            ["apis", group, version] => {
                Route::GroupVersion((*group).to_owned(), (*version).to_owned())
            }
            ["openapi", "v2"] => Route::OpenApiV2,
            ["openapi", "v3"] => Route::OpenApiV3,
            ["openapi", "v3", rest @ ..] => Route::OpenApiV3Document(rest.join("/")),
            ["api", version, rest @ ..] => resource_path("", version, rest),
            ["apis", group, version, rest @ ..] => resource_path(group, version, rest),
            _ => Route::Unknown,
        }
    }
}

fn resource_path(group: &str, version: &str, parts: &[&str]) -> Route {
    let (watch, parts) = match parts {
        ["watch", rest @ ..] if !rest.is_empty() => (true, rest),
        parts => (false, parts),
    };
    let (namespace, parts) = match parts {
        // A namespace's own parts are not resources in it.
        ["namespaces", _, "status" | "finalize", ..] => (None, parts),
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
        parts => (None, parts),
    };
    let owned = |part: Option<&&str>| part.map(|part| (*part).to_owned());
    Route::Resource(ResourcePath {
        group: group.to_owned(),
        version: version.to_owned(),
        namespace: namespace.map(str::to_owned),
        plural: owned(parts.first()).unwrap_or_default(),
        name: owned(parts.get(1)),
        subresource: owned(parts.get(2)),
        rest: parts
            .iter()
            .skip(3)
            .map(|part| (*part).to_owned())
            .collect(),
        watch,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, want: &str) {
        let got = match Route::parse(path) {
            Route::Resource(path) => format!(
                "{}/{} {}:{} {} {}",
                path.group,
                path.version,
                path.namespace.unwrap_or_default(),
                path.plural,
                path.name.unwrap_or_default(),
                path.subresource.unwrap_or_default()
            ),
            other => format!("{other:?}"),
        };
        assert_eq!(got.trim_end(), want, "{path}");
    }

    #[test]
    fn paths_are_taken_apart_as_kubernetes_does() {
        check("/", "Root");
        check("/api/", "Core");
        check("/apis/apps/v1", r#"GroupVersion("apps", "v1")"#);
        check("/api/v1/pods", "/v1 :pods");
        check("/api/v1/namespaces", "/v1 :namespaces");
        check("/api/v1/namespaces/a", "/v1 :namespaces a");
        check("/api/v1/namespaces/a/status", "/v1 :namespaces a status");
        check("/api/v1/namespaces/a/pods/b/log", "/v1 a:pods b log");
        check(
            "/apis/apps/v1/namespaces/a/deployments",
            "apps/v1 a:deployments",
        );
        check(
            "/api/v1/namespaces/a/configmaps/b%2Fc",
            "/v1 a:configmaps b/c",
        );
        check("/nowhere", "Unknown");
    }

    #[test]
    fn query_values_are_decoded() {
        let query =
            Query::parse("labelSelector=a%3Db%2Cc+in+(d)&watch=1&allowWatchBookmarks=false");
        assert_eq!(query.get("labelSelector"), "a=b,c in (d)");
        assert!(query.flag("watch"));
        assert!(!query.flag("allowWatchBookmarks"));
        assert!(query.number("watch").unwrap() == Some(1));
    }
}
