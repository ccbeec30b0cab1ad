//! What the server tells about itself: groups, versions, resources, health.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use yaml::{Map, Value};

use crate::negotiate::{Form, PRODUCED};
use crate::registry::{Group, Registry, Resource, Subresource, Version, api_version};
use crate::reply::Reply;
use crate::request::ApiRequest;
use crate::status_error::ApiError;

const VERSION: &str = include_str!("../data/version.json");
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const NO_AGGREGATION: &str = "only the following media types are accepted: application/json, application/yaml, \
     application/vnd.kubernetes.protobuf";

/// `/version`.
pub(crate) fn version() -> Reply {
    Reply::json(200, VERSION)
}

/// `/healthz` and its relatives: always well, as there is nothing behind the server.
pub(crate) fn health(request: &ApiRequest) -> Reply {
    let probe = request
        .path
        .trim_matches('/')
        .split('/')
        .next()
        .unwrap_or_default();
    if !request.query.has("verbose") {
        return Reply::typed(200, "text/plain; charset=utf-8", "ok");
    }
    let text = format!("[+]ping ok\n[+]log ok\n[+]etcd ok\n{probe} check passed\n");
    Reply::typed(200, "text/plain; charset=utf-8", text)
}

/// `/`: the paths there are.
pub(crate) fn root(registry: &Registry) -> Reply {
    let mut paths = vec![
        "/api".to_owned(),
        "/api/v1".to_owned(),
        "/apis".to_owned(),
        "/apis/".to_owned(),
        "/healthz".to_owned(),
        "/livez".to_owned(),
        "/openapi/v2".to_owned(),
        "/openapi/v3".to_owned(),
        "/openapi/v3/".to_owned(),
        "/readyz".to_owned(),
        "/version".to_owned(),
    ];
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
            "" | "application/json" | "*/*" | "application/*" | "application/yaml" => {
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
    Form::accept(request.header("accept")).map_err(|refusal| refusal.error(&PRODUCED))?;
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

/// The first bytes of a hash of the version in which objects are kept.
fn storage_hash(resource: &Resource) -> String {
    let text = if resource.storage.contains('/') {
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
