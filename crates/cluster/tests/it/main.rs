//! `cluster` over the sandbox, in process: no port, no TLS, the same requests.

mod execute;
mod observe;
mod runtime;

use cluster::{Client, Cluster, Options, WriteOptions};
use manifest::{Gvk, Object};
use yaml::Value;

/// A cluster with nothing but what a new one has, and its handle.
async fn cluster() -> (sandbox::Server, Cluster) {
    let server = sandbox::Server::start(sandbox::Options::in_memory())
        .await
        .expect("a sandbox");
    let client = Client::in_process(server.service());
    let cluster = Cluster::start(client, Options::default())
        .await
        .expect("a cluster");
    cluster.ready().await;
    (server, cluster)
}

/// An object from YAML.
fn object(text: &str) -> Object {
    Object::new(yaml::parse_str(text).expect("YAML")).expect("an object")
}

/// A ConfigMap in `default`, tracked by an application when one is named.
fn config_map(name: &str, app: Option<&str>, value: &str) -> Object {
    let mut object = object(&format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: default}}\ndata: {{k: '{value}'}}\n"
    ));
    if let Some(app) = app {
        object.set_annotation(
            engine::tracking::TRACKING_ID,
            &format!("{app}:/ConfigMap:default/{name}"),
        );
    }
    object
}

async fn create(cluster: &Cluster, object: &Object) -> Object {
    let resource = cluster
        .resource(&object.gvk())
        .await
        .expect("a served kind");
    let written = cluster
        .client()
        .create(&resource, object, WriteOptions::default())
        .await;
    written.expect("created").object
}

async fn delete(cluster: &Cluster, object: &Object) {
    let resource = cluster
        .resource(&object.gvk())
        .await
        .expect("a served kind");
    let target = (&*resource, object.namespace(), object.name());
    let left = cluster
        .client()
        .delete(target, engine::action::Propagation::Background, "")
        .await;
    assert!(left.expect("deleted").is_none(), "nothing holds the object");
}

/// The names of the objects that `app` has to do with.
fn live(cluster: &Cluster, app: &str) -> Vec<String> {
    cluster
        .live(&app.into())
        .iter()
        .map(|(key, _)| key.name.to_string())
        .collect()
}

fn gvk(api_version: &str, kind: &str) -> Gvk {
    Gvk::new(api_version, kind)
}

fn text<'a>(object: &'a Object, path: &[&str]) -> &'a str {
    object
        .value()
        .at(path)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
