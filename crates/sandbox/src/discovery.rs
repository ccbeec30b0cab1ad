//! What the server tells about itself: groups, versions, resources, health.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use yaml::{Map, Value};

use crate::auth::tokens::{ISSUER, Signer};
use crate::codec;
use crate::negotiate::{Form, Kinds, PRODUCED};
use crate::registry::{Group, Registry, Resource, Subresource, Version, api_version};
use crate::reply::Reply;
use crate::request::ApiRequest;
use crate::status_error::ApiError;

const VERSION: &str = include_str!("../data/version.json");
const CHECKS: &str = include_str!("../data/checks.txt");
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const NO_AGGREGATION: &str = "only the following media types are accepted: application/json, application/yaml, \
     application/vnd.kubernetes.protobuf";

/// `/version`.
pub(crate) fn version() -> Reply {
    Reply::json(200, VERSION)
}

/// The checks of a probe, by name.
fn checks(probe: &str) -> impl Iterator<Item = &'static str> {
    const ONLY_READY: [&str; 3] = ["etcd-readiness", "informer-sync", "shutdown"];
    let ready = probe == "readyz";
    CHECKS
        .lines()
        .filter(move |check| ready || !ONLY_READY.contains(check))
}

/// `/healthz` and its relatives: always well, as there is nothing behind the server.
pub(crate) fn health(request: &ApiRequest) -> Reply {
    let path = request.path.trim_start_matches('/');
    let (probe, single) = path.split_once('/').unwrap_or((path, ""));
    if path != probe {
        return if checks(probe).any(|check| check == single) {
            Reply::text(200, "ok")
        } else {
            Reply::page_not_found()
        };
    }
    if !request.query.has("verbose") {
        return Reply::text(200, "ok");
    }
    let excluded: Vec<&str> = request.query.all("exclude").collect();
    let mut text = String::new();
    for check in checks(probe) {
        let outcome = if excluded.contains(&check) {
            "excluded: ok"
        } else {
            "ok"
        };
        text.push_str(&format!("[+]{check} {outcome}\n"));
    }
    text.push_str(&format!("{probe} check passed\n"));
    Reply::text(200, text)
}

/// `/metrics`: what a scraper needs to see that the server is there.
pub(crate) fn metrics() -> Reply {
    let build = codec::parse(VERSION.as_bytes()).unwrap_or_default();
    let version = build.get("gitVersion").and_then(Value::as_str);
    let version = version.unwrap_or_default();
    let text = format!(
        "# HELP kubernetes_build_info A metric with a constant '1' value labeled by version.\n\
         # TYPE kubernetes_build_info gauge\n\
         kubernetes_build_info{{git_version=\"{version}\"}} 1\n"
    );
    Reply::typed(200, "text/plain; version=0.0.4; charset=utf-8", text)
}

/// `/.well-known/openid-configuration`: how tokens of service accounts are verified.
pub(crate) fn openid(request: &ApiRequest) -> Reply {
    let host = request.header("host");
    let host = if host.is_empty() { "localhost" } else { host };
    let configuration = Map::from([
        ("issuer", ISSUER.into()),
        ("jwks_uri", format!("https://{host}/openid/v1/jwks").into()),
        ("response_types_supported", vec!["id_token"].into()),
        ("subject_types_supported", vec!["public"].into()),
        (
            "id_token_signing_alg_values_supported",
            vec!["ES256"].into(),
        ),
    ]);
    Reply::typed(
        200,
        "application/json",
        codec::to_bytes(&configuration.into()),
    )
}

/// `/openid/v1/jwks`: the key of the tokens.
pub(crate) fn keys(signer: &Signer) -> Reply {
    let keys = Map::from([("keys", vec![signer.jwk()].into())]);
    Reply::typed(
        200,
        "application/jwk-set+json",
        codec::to_bytes(&keys.into()),
    )
}

/// `/`: the paths there are.
pub(crate) fn root(registry: &Registry) -> Reply {
    let mut paths = vec![
        "/api".to_owned(),
        "/api/v1".to_owned(),
        "/apis".to_owned(),
        "/apis/".to_owned(),
        "/metrics".to_owned(),
        "/metrics/slis".to_owned(),
        "/openapi/v2".to_owned(),
        "/openapi/v3".to_owned(),
        "/openapi/v3/".to_owned(),
        "/openid/v1/jwks".to_owned(),
        "/version".to_owned(),
        "/.well-known/openid-configuration".to_owned(),
    ];
    for probe in ["healthz", "livez", "readyz"] {
        paths.push(format!("/{probe}"));
        paths.extend(checks(probe).map(|check| format!("/{probe}/{check}")));
    }
    for group in registry
        .groups()
        .iter()
        .filter(|group| !group.name.is_empty())
    {
        paths.push(format!("/apis/{}", group.name));
        for version in &group.versions {
            paths.push(format!("/apis/{}/{}", group.name, version.name));
        }
    }
    paths.sort();
    Reply::value(200, &Map::from([("paths", paths.into())]).into())
}

/// What a client of `/api` and `/apis` accepts.
enum Wanted {
    Aggregated,
    Plain,
}

fn wanted(request: &ApiRequest) -> Result<Wanted, ApiError> {
    for clause in request.header("accept").split(',').map(str::trim) {
        let mut parts = clause.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let rest: Vec<&str> = parts.filter(|part| !part.starts_with("q=")).collect();
        match media {
            "application/json"
                if rest.contains(&"as=APIGroupDiscoveryList")
                    && rest.contains(&"v=v2")
                    && rest.contains(&"g=apidiscovery.k8s.io") =>
            {
                return Ok(Wanted::Aggregated);
            }
            "" => return Ok(Wanted::Plain),
            "application/json"
            | "*/*"
            | "application/*"
            | "application/yaml"
            | "application/vnd.kubernetes.protobuf"
                if !rest.iter().any(|parameter| parameter.starts_with("as=")) =>
            {
                return Ok(Wanted::Plain);
            }
            _ => {}
        }
    }
    Err(ApiError::new(406, "NotAcceptable", NO_AGGREGATION))
}

fn plain(request: &ApiRequest) -> Result<(), ApiError> {
    match wanted(request)? {
        Wanted::Plain => Ok(()),
        Wanted::Aggregated => Err(ApiError::new(406, "NotAcceptable", NO_AGGREGATION)),
    }
}

/// `/api`.
pub(crate) fn core(registry: &Registry, request: &ApiRequest) -> Result<Reply, ApiError> {
    match wanted(request)? {
        Wanted::Aggregated => Ok(aggregated(
            registry.groups().iter().filter(|g| g.name.is_empty()),
        )),
        Wanted::Plain => {
            let address = Map::from([
                ("clientCIDR", "0.0.0.0/0".into()),
                ("serverAddress", "127.0.0.1:6443".into()),
            ]);
            Ok(Reply::value(
                200,
                &Value::Map(Map::from([
                    ("kind", "APIVersions".into()),
                    ("versions", vec!["v1"].into()),
                    (
                        "serverAddressByClientCIDRs",
                        vec![Value::Map(address)].into(),
                    ),
                ])),
            ))
        }
    }
}

/// `/apis`.
pub(crate) fn groups(registry: &Registry, request: &ApiRequest) -> Result<Reply, ApiError> {
    let named = || {
        registry
            .groups()
            .iter()
            .filter(|group| !group.name.is_empty())
    };
    match wanted(request)? {
        Wanted::Aggregated => Ok(aggregated(named())),
        Wanted::Plain => {
            let groups: Vec<Value> = named().map(|group| group_value(group).into()).collect();
            Ok(Reply::value(
                200,
                &Value::Map(Map::from([
                    ("apiVersion", "v1".into()),
                    ("kind", "APIGroupList".into()),
                    ("groups", groups.into()),
                ])),
            ))
        }
    }
}

/// `/apis/GROUP`.
pub(crate) fn group(
    registry: &Registry,
    request: &ApiRequest,
    name: &str,
) -> Result<Reply, ApiError> {
    let Some(group) = registry.group(name).filter(|group| !group.name.is_empty()) else {
        return Ok(Reply::page_not_found());
    };
    plain(request)?;
    let mut value = group_value(group);
    value.insert("apiVersion", "v1");
    value.insert("kind", "APIGroup");
    Ok(Reply::value(200, &value.into()))
}

fn group_value(group: &Group) -> Map {
    let version = |version: &Version| -> Value {
        Map::from([
            (
                "groupVersion",
                api_version(&group.name, &version.name).into(),
            ),
            ("version", version.name.clone().into()),
        ])
        .into()
    };
    let versions: Vec<Value> = group.versions.iter().map(version).collect();
    let mut map = Map::from([("name", group.name.clone().into())]);
    if let Some(first) = versions.first() {
        map.insert("preferredVersion", first.clone());
    }
    map.insert("versions", versions);
    map
}

/// `/api/v1` and `/apis/GROUP/VERSION`.
pub(crate) fn resources(
    registry: &Registry,
    request: &ApiRequest,
    group: &str,
    version: &str,
) -> Result<Reply, ApiError> {
    let Some(found) = registry.version(group, version) else {
        return if registry.group(group).is_some() {
            Err(ApiError::no_resource())
        } else {
            Ok(Reply::page_not_found())
        };
    };
    Form::accept(request.header("accept"), Kinds::BuiltIn)
        .map_err(|refusal| refusal.error(&PRODUCED))?;
    let mut entries = Vec::new();
    for resource in &found.resources {
        if !resource.verbs.is_empty() {
            entries.push(resource_entry(resource));
        }
        for subresource in &resource.subresources {
            entries.push(subresource_entry(resource, subresource));
        }
    }
    let mut list = Map::from([
        ("kind", "APIResourceList".into()),
        ("groupVersion", api_version(group, version).into()),
        ("resources", entries.into()),
    ]);
    if !group.is_empty() {
        list.insert("apiVersion", "v1");
    }
    Ok(Reply::value(200, &list.into()))
}

fn texts(list: &[yaml::Str]) -> Value {
    list.to_vec().into()
}

fn resource_entry(resource: &Resource) -> Value {
    let mut entry = Map::from([
        ("name", resource.plural.clone().into()),
        ("singularName", resource.singular.clone().into()),
        ("namespaced", resource.namespaced.into()),
        ("kind", resource.kind.clone().into()),
        ("verbs", texts(&resource.verbs)),
    ]);
    if !resource.short_names.is_empty() {
        entry.insert("shortNames", texts(&resource.short_names));
    }
    if !resource.categories.is_empty() {
        entry.insert("categories", texts(&resource.categories));
    }
    if resource.allows("watch") {
        entry.insert("storageVersionHash", storage_hash(resource));
    }
    entry.into()
}

/// Kinds that a real server still keeps in an older version than the one it serves.
const KEPT_AS_V1BETA1: [(&str, &str); 2] = [
    ("storage.k8s.io", "volumeattributesclasses"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
];

/// The first bytes of a hash of the version in which objects are kept.
fn storage_hash(resource: &Resource) -> String {
    let text = if KEPT_AS_V1BETA1.contains(&(&resource.group, &resource.plural)) {
        format!("{}/v1beta1/{}", resource.group, resource.kind)
    } else if resource.storage.contains('/') {
        format!("{}/{}", resource.storage, resource.kind)
    } else {
        format!("/{}/{}", resource.storage, resource.kind)
    };
    let hash = Sha256::digest(text.as_bytes());
    BASE64_STANDARD.encode(&hash[..8])
}

fn subresource_entry(resource: &Resource, subresource: &Subresource) -> Value {
    let mut entry = Map::from([
        (
            "name",
            format!("{}/{}", resource.plural, subresource.name).into(),
        ),
        ("singularName", "".into()),
        ("namespaced", resource.namespaced.into()),
        ("kind", subresource.kind.clone().into()),
        ("verbs", texts(&subresource.verbs)),
    ]);
    if !subresource.version.is_empty() {
        entry.insert("version", subresource.version.clone());
        if !subresource.group.is_empty() {
            entry.insert("group", subresource.group.clone());
        }
    }
    entry.into()
}

fn aggregated<'a>(groups: impl Iterator<Item = &'a Group>) -> Reply {
    let items: Vec<Value> = groups.map(aggregated_group).collect();
    let list = Value::Map(Map::from([
        ("apiVersion", "apidiscovery.k8s.io/v2".into()),
        ("kind", "APIGroupDiscoveryList".into()),
        ("metadata", Map::new().into()),
        ("items", items.into()),
    ]));
    Reply::typed(200, AGGREGATED, crate::codec::to_bytes(&list))
}

fn aggregated_group(group: &Group) -> Value {
    let mut metadata = Map::new();
    if !group.name.is_empty() {
        metadata.insert("name", group.name.clone());
    }
    let versions: Vec<Value> = group
        .versions
        .iter()
        .map(|version| {
            let resources: Vec<Value> = version
                .resources
                .iter()
                .map(|resource| aggregated_resource(resource))
                .collect();
            Map::from([
                ("version", version.name.clone().into()),
                ("freshness", "Current".into()),
                ("resources", resources.into()),
            ])
            .into()
        })
        .collect();
    Map::from([("metadata", metadata.into()), ("versions", versions.into())]).into()
}

fn response_kind(group: &str, version: &str, kind: &str) -> Value {
    Map::from([
        ("group", group.into()),
        ("version", version.into()),
        ("kind", kind.into()),
    ])
    .into()
}

fn aggregated_resource(resource: &Resource) -> Value {
    let scope = if resource.namespaced {
        "Namespaced"
    } else {
        "Cluster"
    };
    let (group, version) = match &resource.custom {
        Some(_) => (resource.group.as_str(), resource.version.as_str()),
        None => ("", ""),
    };
    let mut entry = Map::from([
        ("resource", resource.plural.clone().into()),
        (
            "responseKind",
            response_kind(group, version, &resource.kind),
        ),
        ("scope", scope.into()),
        ("singularResource", resource.singular.clone().into()),
        ("verbs", texts(&resource.verbs)),
    ]);
    if !resource.short_names.is_empty() {
        entry.insert("shortNames", texts(&resource.short_names));
    }
    if !resource.categories.is_empty() {
        entry.insert("categories", texts(&resource.categories));
    }
    if !resource.subresources.is_empty() {
        let subresources: Vec<Value> = resource
            .subresources
            .iter()
            .map(|sub| {
                Map::from([
                    ("subresource", sub.name.clone().into()),
                    (
                        "responseKind",
                        response_kind(&sub.group, &sub.version, &sub.kind),
                    ),
                    ("verbs", texts(&sub.verbs)),
                ])
                .into()
            })
            .collect();
        entry.insert("subresources", subresources);
    }
    entry.into()
}
