//! The file that points clients at a sandbox.

use std::net::SocketAddr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use yaml::{Map, Value};

const NAME: &str = "tiphys-sandbox";

/// A kubeconfig; without an authority the address is plain HTTP.
pub(crate) fn kubeconfig(address: SocketAddr, authority: Option<&str>, token: &str) -> String {
    let scheme = if authority.is_some() { "https" } else { "http" };
    let mut cluster = Map::from([("server", format!("{scheme}://{address}").into())]);
    if let Some(pem) = authority {
        cluster.insert("certificate-authority-data", BASE64_STANDARD.encode(pem));
    }
    let named = |key: &str, value: Map| -> Value {
        let entry = Map::from([("name", NAME.into()), (key, value.into())]);
        vec![Value::Map(entry)].into()
    };
    let context = Map::from([("cluster", NAME.into()), ("user", NAME.into())]);
    let user = Map::from([("token", token.into())]);
    yaml::emit(&Value::Map(Map::from([
        ("apiVersion", "v1".into()),
        ("kind", "Config".into()),
        ("clusters", named("cluster", cluster)),
        ("contexts", named("context", context)),
        ("current-context", NAME.into()),
        ("users", named("user", user)),
    ])))
}
