//! What a fresh server holds, as a kube-apiserver makes it at its start.

use yaml::Value;

use crate::Rbac;
use crate::admission::webhook::Webhooks;
use crate::codec;
use crate::core::Core;
use crate::request::{ApiRequest, Query, User};

/// Path and body of each object; those that exist are left alone.
const OBJECTS: [(&str, &str); 7] = [
    ("/api/v1/namespaces", r#"{"metadata":{"name":"default"}}"#),
    (
        "/api/v1/namespaces",
        r#"{"metadata":{"name":"kube-system"}}"#,
    ),
    (
        "/api/v1/namespaces",
        r#"{"metadata":{"name":"kube-public"}}"#,
    ),
    (
        "/api/v1/namespaces",
        r#"{"metadata":{"name":"kube-node-lease"}}"#,
    ),
    (
        "/api/v1/namespaces/default/services",
        r#"{"metadata":{"name":"kubernetes","labels":{"component":"apiserver",
        "provider":"kubernetes"}},"spec":{"clusterIP":"10.96.0.1","clusterIPs":["10.96.0.1"],
        "ports":[{"name":"https","port":443,"protocol":"TCP","targetPort":6443}]}}"#,
    ),
    (
        "/apis/scheduling.k8s.io/v1/priorityclasses",
        r#"{"metadata":{"name":"system-node-critical"},"value":2000001000,
        "description":"Used for system critical pods that must not be moved from their current node."}"#,
    ),
    (
        "/apis/scheduling.k8s.io/v1/priorityclasses",
        r#"{"metadata":{"name":"system-cluster-critical"},"value":2000000000,
        "description":"Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."}"#,
    ),
];

/// Makes what is missing. Gives the revision that must be on disk.
pub(crate) fn seed(core: &Core, now: jiff::Timestamp, rbac: Rbac) -> u64 {
    let mut revision = 0;
    let roles = match rbac {
        Rbac::On => roles(),
        Rbac::Off => Vec::new(),
    };
    let objects = OBJECTS.map(|(path, body)| (path.to_owned(), body.to_owned()));
    for (path, body) in objects.into_iter().chain(roles) {
        let mut headers = http::HeaderMap::new();
        headers.insert(
            http::header::USER_AGENT,
            http::HeaderValue::from_static("kube-apiserver/v1.35.4"),
        );
        let request = ApiRequest {
            method: http::Method::POST,
            path: path.clone(),
            query: Query::default(),
            headers,
            body: body.into(),
            user: User::admin(),
        };
        let reply = core.answer(&request, now, &Webhooks::default());
        if !matches!(reply.status, 201 | 409) {
            tracing::error!(path, status = reply.status, "an initial object is refused");
        }
        revision = revision.max(reply.revision);
    }
    revision
}

/// Roles and bindings that a server has where roles are enforced, recorded from a real one: the
/// plural and the object on each line.
const ROLES: &str = include_str!("../data/rbac.jsonl");

fn roles() -> Vec<(String, String)> {
    let entry = |line: &str| -> Option<(String, String)> {
        let entry = codec::parse(line.as_bytes()).ok()?;
        let plural = entry.get("plural").and_then(Value::as_str)?;
        let object = entry.get("object")?;
        let namespace = object
            .at(&["metadata", "namespace"])
            .and_then(Value::as_str);
        let place = namespace.map_or_else(String::new, |name| format!("namespaces/{name}/"));
        let path = format!("/apis/rbac.authorization.k8s.io/v1/{place}{plural}");
        Some((path, codec::to_string(object)))
    };
    ROLES.lines().filter_map(entry).collect()
}
