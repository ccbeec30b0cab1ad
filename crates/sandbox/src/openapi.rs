//! The OpenAPI documents, unpacked when someone asks for them.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::OnceLock;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use yaml::{Map, Value};

use crate::registry::Registry;
use crate::reply::Reply;
use crate::request::ApiRequest;

const V2: &[u8] = include_bytes!("../data/openapi-v2.json.zst");
const V3: &[u8] = include_bytes!("../data/openapi-v3.tar.zst");

/// The documents of the built-in groups.
#[derive(Default)]
pub(crate) struct Documents {
    v2: OnceLock<Bytes>,
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
        if !json {
            return Reply::text(406, "406 not acceptable\n");
        }
        let document = self.v2.get_or_init(|| {
            let mut text = Vec::new();
            unpack(V2)
                .read_to_end(&mut text)
                .expect("the embedded document is whole");
            text.into()
        });
        Reply::json(200, document.clone())
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
    pub(crate) fn v3_index(&self, _registry: &Registry) -> Reply {
        let paths: Map = self
            .built_in()
            .iter()
            .map(|(path, document)| {
                let hash: String = Sha256::digest(document)
                    .iter()
                    .map(|byte| format!("{byte:02X}"))
                    .collect();
                let url = format!("/openapi/v3/{path}?hash={hash}");
                let entry = Map::from([("serverRelativeURL", url.into())]);
                (path.as_str(), Value::Map(entry))
            })
            .collect();
        let index = Value::Map(Map::from([("paths", paths.into())]));
        Reply::text(200, crate::codec::to_bytes(&index))
    }

    /// `/openapi/v3/PATH`.
    pub(crate) fn v3(&self, _registry: &Registry, path: &str) -> Reply {
        match self.built_in().get(path) {
            Some(document) => Reply::json(200, document.clone()),
            None => Reply::page_not_found(),
        }
    }
}

fn unpack(packed: &'static [u8]) -> impl Read {
    zstd::Decoder::new(packed).expect("the embedded data is compressed with zstd")
}
