//! What a request wants to do, as authorizers see it.

use http::Method;

use crate::request::{ApiRequest, Route};
use crate::status_error::{About, ApiError, Details};
use kinds::quoted;

/// One action on one thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) verb: String,
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The path of what is no resource.
    pub(crate) path: String,
    pub(crate) is_resource: bool,
}

impl Attributes {
    /// Reads a request as the real server's request info does.
    pub(crate) fn of(request: &ApiRequest, route: &Route) -> Self {
        let Route::Resource(path) = route else {
            return Attributes {
                verb: request.method.as_str().to_lowercase(),
                path: request.path.clone(),
                ..Attributes::default()
            };
        };
        let mut name = path.name.clone().unwrap_or_default();
        let watches = path.watch || request.query.flag("watch");
        let verb = match request.method {
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE if name.is_empty() => "deletecollection",
            Method::DELETE => "delete",
            Method::GET | Method::HEAD if path.watch => "watch",
            Method::GET | Method::HEAD if !name.is_empty() => "get",
            Method::GET | Method::HEAD if watches => "watch",
            Method::GET | Method::HEAD => "list",
            _ => "",
        };
        if name.is_empty() && matches!(verb, "list" | "watch" | "deletecollection") {
            name = named_by_selector(request.query.get("fieldSelector"));
        }
        let is_namespace = path.group.is_empty() && path.plural == "namespaces";
        let namespace = if is_namespace {
            path.name.clone()
        } else {
            path.namespace.clone()
        };
        Attributes {
            verb: verb.to_owned(),
            group: path.group.clone(),
            resource: path.plural.clone(),
            subresource: path.subresource.clone().unwrap_or_default(),
            namespace: namespace.unwrap_or_default(),
            name,
            path: request.path.clone(),
            is_resource: true,
        }
    }

    /// `resource` or `resource/subresource`.
    pub(crate) fn full_resource(&self) -> String {
        if self.subresource.is_empty() {
            self.resource.clone()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        }
    }

    /// The 403 of who may not do it; `reason` may be empty.
    pub(crate) fn forbidden(&self, user: &str, reason: &str) -> ApiError {
        let user = quoted(user);
        let verb = &self.verb;
        let mut message = if self.is_resource {
            let place = if self.namespace.is_empty() {
                "at the cluster scope".to_owned()
            } else {
                format!("in the namespace {}", quoted(&self.namespace))
            };
            let (resource, group) = (quoted(&self.full_resource()), quoted(&self.group));
            format!("User {user} cannot {verb} resource {resource} in API group {group} {place}")
        } else {
            let path = quoted(&self.path);
            format!("User {user} cannot {verb} path {path}")
        };
        if !reason.is_empty() {
            message = format!("{message}: {reason}");
        }
        if !self.is_resource {
            return ApiError {
                details: Some(Box::new(Details::default())),
                ..ApiError::new(403, "Forbidden", format!("forbidden: {message}"))
            };
        }
        let about = About {
            group: &self.group,
            kind: &self.resource,
            name: &self.name,
        };
        ApiError::forbidden(about, &message)
    }
}

/// The name in a field selector that asks for one object.
pub(crate) fn named_by_selector(selector: &str) -> String {
    let mut clauses = selector.split(',');
    clauses
        .find_map(|clause| clause.strip_prefix("metadata.name="))
        .map(|name| name.trim_start_matches('=').to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Query, User};

    fn check(method: Method, target: &str, want: &str) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request = ApiRequest {
            method,
            path: path.to_owned(),
            query: Query::parse(query),
            headers: http::HeaderMap::new(),
            body: bytes::Bytes::new(),
            user: User::admin(),
        };
        let it = Attributes::of(&request, &Route::parse(path));
        let resource = it.full_resource();
        let got = [&it.verb, &it.namespace, &resource, &it.name].map(String::as_str);
        assert_eq!(got.join(" ").trim_end(), want, "{target}");
    }

    #[test]
    fn requests_are_actions_on_things() {
        check(Method::GET, "/api/v1/pods", "list  pods");
        check(Method::GET, "/api/v1/pods?watch=1", "watch  pods");
        check(
            Method::GET,
            "/api/v1/pods?fieldSelector=metadata.name%3Da",
            "list  pods a",
        );
        check(
            Method::DELETE,
            "/api/v1/namespaces/n/pods",
            "deletecollection n pods",
        );
        check(
            Method::PUT,
            "/api/v1/namespaces/n/pods/p/status",
            "update n pods/status p",
        );
        check(Method::GET, "/api/v1/namespaces/n", "get n namespaces n");
        check(Method::GET, "/healthz", "get");
    }
}
