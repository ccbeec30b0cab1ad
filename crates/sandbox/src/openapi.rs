//! The OpenAPI documents, unpacked when someone asks for them.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::OnceLock;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use yaml::{Map, Value};

use crate::codec;
use crate::registry::{Registry, Version};
use crate::reply::Reply;
use crate::request::ApiRequest;

const V2: &[u8] = include_bytes!("../data/openapi-v2.json.zst");
const V3: &[u8] = include_bytes!("../data/openapi-v3.tar.zst");

const V2_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// The documents of the built-in groups.
#[derive(Default)]
pub(crate) struct Documents {
    v2: OnceLock<Bytes>,
    v2_protobuf: OnceLock<Bytes>,
    v3: OnceLock<BTreeMap<String, Bytes>>,
}

impl Documents {
    /// `/openapi/v2`.
    pub(crate) fn v2(&self, request: &ApiRequest) -> Reply {
        let accepts = request.header("accept");
        let json = accepts.is_empty()
            || accepts
                .split(',')
                .any(|clause| clause.contains("json") || clause.contains("*/*"));
        if json {
            return Reply::json(200, self.v2_text().clone());
        }
        // Both spellings are in use: the registered one, and kubectl's.
        let is_protobuf = |clause: &str| {
            let kind = clause.split(';').next().unwrap_or_default().trim();
            kind.replace('@', ".") == V2_PROTOBUF
        };
        if !accepts.split(',').any(is_protobuf) {
            return Reply::typed(406, "", Bytes::new());
        }
        let document = self.v2_protobuf.get_or_init(|| {
            let document = codec::parse_json(self.v2_text());
            let encoded = document.ok().as_ref().and_then(protobuf::encode_swagger);
            encoded.expect("the embedded document is whole").into()
        });
        Reply::typed(200, V2_PROTOBUF, document.clone())
    }

    fn v2_text(&self) -> &Bytes {
        self.v2.get_or_init(|| {
            let mut text = Vec::new();
            unpack(V2)
                .read_to_end(&mut text)
                .expect("the embedded document is whole");
            text.into()
        })
    }

    fn built_in(&self) -> &BTreeMap<String, Bytes> {
        self.v3.get_or_init(|| {
            let mut archive = tar::Archive::new(unpack(V3));
            let entries = archive.entries().expect("the embedded archive is whole");
            let mut documents = BTreeMap::new();
            for entry in entries {
                let mut entry = entry.expect("the embedded archive is whole");
                let path = entry
                    .path()
                    .expect("the paths in the archive are text")
                    .to_string_lossy()
                    .into_owned();
                let mut text = Vec::new();
                entry
                    .read_to_end(&mut text)
                    .expect("the embedded archive is whole");
                let name = path.rsplit('/').next().unwrap_or_default();
                if let Some(name) = name.strip_suffix(".json") {
                    documents.insert(name.replace("__", "/"), text.into());
                }
            }
            documents
        })
    }

    /// `/openapi/v3`: where the documents are.
    pub(crate) fn v3_index(&self, registry: &Registry) -> Reply {
        let custom = custom_versions(registry).map(|(path, version)| {
            let document = custom_document(&path, version);
            (path, codec::to_bytes(&document))
        });
        let built_in = self.built_in().iter();
        let paths: Map = built_in
            .map(|(path, document)| (path.clone(), document.clone()))
            .chain(custom)
            .map(|(path, document)| {
                let hash: String = Sha256::digest(&document)
                    .iter()
                    .map(|byte| format!("{byte:02X}"))
                    .collect();
                let url = format!("/openapi/v3/{path}?hash={hash}");
                let entry = Map::from([("serverRelativeURL", url.into())]);
                (path, Value::Map(entry))
            })
            .collect();
        let index = Value::Map(Map::from([("paths", paths.into())]));
        Reply::text(200, codec::to_bytes(&index))
    }

    /// `/openapi/v3/PATH`.
    pub(crate) fn v3(&self, registry: &Registry, path: &str) -> Reply {
        if let Some(document) = self.built_in().get(path) {
            return Reply::json(200, document.clone());
        }
        match custom_versions(registry).find(|(known, _)| known == path) {
            Some((_, version)) => Reply::value(200, &custom_document(path, version)),
            None => Reply {
                content: crate::reply::Content::Typed("", bytes::Bytes::new()),
                ..Reply::page_not_found()
            },
        }
    }
}

/// The versions that CustomResourceDefinitions serve, with the paths of their documents.
fn custom_versions(registry: &Registry) -> impl Iterator<Item = (String, &Version)> {
    registry.groups().iter().flat_map(|group| {
        group
            .versions
            .iter()
            .filter(|version| version.resources.iter().all(|it| it.custom.is_some()))
            .map(|version| (format!("apis/{}/{}", group.name, version.name), version))
    })
}

/// The document of a version of custom resources: what kubectl's `explain` and validation read.
fn custom_document(path: &str, version: &Version) -> Value {
    let (mut schemas, mut paths) = (Map::new(), Map::new());
    for resource in &version.resources {
        let Some(custom) = &resource.custom else {
            continue;
        };
        let gvk: Value = vec![Value::Map(Map::from([
            ("group", resource.group.clone().into()),
            ("version", resource.version.clone().into()),
            ("kind", resource.kind.clone().into()),
        ]))]
        .into();
        let mut schema = custom.openapi.clone();
        schema
            .map_at_mut(&[])
            .insert("x-kubernetes-group-version-kind", gvk.clone());
        let text = Map::from([("type", "string".into())]);
        let properties = schema.map_at_mut(&["properties"]);
        properties.insert("apiVersion", text.clone());
        properties.insert("kind", text);
        properties.insert("metadata", Map::from([("type", "object".into())]));
        let name = format!("{}.{}.{}", resource.group, resource.version, resource.kind);
        schemas.insert(name.as_str(), schema);
        let scope = if resource.namespaced {
            "/namespaces/{namespace}"
        } else {
            ""
        };
        let collection = format!("/{path}{scope}/{}", resource.plural);
        paths.insert(format!("{collection}/{{name}}"), operations(&gvk, &name));
        paths.insert(collection, operations(&gvk, &name));
    }
    let info = Map::from([
        ("title", "Kubernetes CRD Swagger".into()),
        ("version", "v0.1.0".into()),
    ]);
    Value::Map(Map::from([
        ("openapi", "3.0.0".into()),
        ("info", info.into()),
        ("paths", paths.into()),
        (
            "components",
            Map::from([("schemas", schemas.into())]).into(),
        ),
    ]))
}

/// The operations of one path; kubectl looks for the parameter of the patch.
fn operations(gvk: &Value, schema: &str) -> Value {
    let first = gvk.as_list().and_then(<[Value]>::first).cloned();
    let parameter = Map::from([
        ("name", "fieldValidation".into()),
        ("in", "query".into()),
        ("schema", Map::from([("type", "string".into())]).into()),
    ]);
    let reference = Map::from([("$ref", format!("#/components/schemas/{schema}").into())]);
    let json = Map::from([("schema", reference.into())]);
    let content = Map::from([("application/json", json.into())]);
    let answer = Map::from([("description", "OK".into()), ("content", content.into())]);
    let operation = |action: &str| {
        Value::Map(Map::from([
            ("parameters", vec![Value::Map(parameter.clone())].into()),
            (
                "responses",
                Map::from([("200", answer.clone().into())]).into(),
            ),
            ("x-kubernetes-action", action.into()),
            (
                "x-kubernetes-group-version-kind",
                first.clone().unwrap_or_default(),
            ),
        ]))
    };
    Value::Map(Map::from([
        ("get", operation("get")),
        ("patch", operation("patch")),
        ("post", operation("post")),
        ("put", operation("put")),
    ]))
}

fn unpack(packed: &'static [u8]) -> impl Read {
    zstd::Decoder::new(packed).expect("the embedded data is compressed with zstd")
}
