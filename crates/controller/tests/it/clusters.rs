//! Applications in other clusters: a second sandbox that is reached over TLS, as any server.

use base64::Engine as _;
use cluster::{Client, Resource, WriteOptions};
use manifest::{Gvk, Object};
use sandbox::Server;
use tokio::net::TcpListener;
use yaml::Value;

use crate::world::config_map;
use crate::{World, application};

/// The second cluster, with what a Secret says of it.
struct Other {
    server: Server,
    url: String,
    token: String,
    authority: String,
}

impl Other {
    async fn start() -> Other {
        let server = Server::start(sandbox::Options::in_memory())
            .await
            .expect("a sandbox");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        server.serve(listener).expect("it listens");
        let kubeconfig = yaml::parse_str(&server.kubeconfig(address)).expect("YAML");
        let clusters = kubeconfig.get("clusters").and_then(Value::as_list);
        let cluster = clusters.expect("clusters")[0]
            .get("cluster")
            .expect("one")
            .clone();
        let text = |key: &str| {
            cluster
                .get(key)
                .and_then(Value::as_str)
                .expect(key)
                .to_owned()
        };
        let other = Other {
            url: text("server"),
            authority: text("certificate-authority-data"),
            token: server.token().to_owned(),
            server,
        };
        let namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: demo}}";
        let namespace = Object::new(yaml::parse_str(namespace).expect("YAML")).expect("an object");
        let (client, kind) = (other.client(), namespaces());
        let created = client.create(&kind, &namespace, WriteOptions::default());
        created.await.expect("created");
        other
    }

    fn client(&self) -> Client {
        Client::in_process(self.server.service())
    }

    /// The Secret that describes it, with some token.
    fn secret(&self, token: &str) -> String {
        let config = format!(
            "{{\"bearerToken\":\"{token}\",\"tlsClientConfig\":{{\"caData\":\"{}\"}}}}",
            self.authority
        );
        let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        format!(
            "{{apiVersion: v1, kind: Secret, metadata: {{name: far, namespace: argocd, labels: {{argocd.argoproj.io/secret-type: cluster}}}},
              data: {{name: {}, server: {}, config: {}}}}}",
            encode("far"),
            encode(&self.url),
            encode(&config)
        )
    }

    async fn config_map(&self, name: &str) -> Option<Object> {
        let found = self.client().get(&config_maps(), "demo", name).await;
        found.expect("an answer")
    }
}

fn namespaces() -> Resource {
    resource("Namespace", "namespaces", false)
}

fn config_maps() -> Resource {
    resource("ConfigMap", "configmaps", true)
}

fn resource(kind: &str, plural: &str, namespaced: bool) -> Resource {
    Resource {
        gvk: Gvk::new("v1", kind),
        plural: plural.into(),
        namespaced,
        watchable: true,
        deletable: true,
    }
}

/// An Application for the cluster `far`.
fn far_application() -> String {
    let app = application("demo", "app", "{automated: {selfHeal: true}}");
    app.replace("server: https://kubernetes.default.svc", "name: far")
}

#[tokio::test]
async fn an_application_is_deployed_into_another_cluster_and_healed_there() {
    let (world, other) = (World::start().await, Other::start().await);
    world.put("app/a.yaml", Some(&config_map("a", "1")));
    world.create(&other.secret(&other.token)).await;
    world.create(&far_application()).await;
    world.until_synced("demo").await;
    assert!(other.config_map("a").await.is_some());
    assert_eq!(world.value("a").await, None);
    let patch = yaml::parse_str("{data: {k: by hand}}").expect("YAML");
    let target = (&config_maps(), "demo", "a", "");
    let options = WriteOptions::default();
    let edited = other
        .client()
        .patch(target, cluster::PatchKind::Merge, &patch, options)
        .await;
    edited.expect("patched");
    let value = |object: Option<Object>| {
        let found = object?.value().at(&["data", "k"])?.as_str()?.to_owned();
        Some(found)
    };
    let started = std::time::Instant::now();
    while value(other.config_map("a").await).as_deref() != Some("1") {
        assert!(started.elapsed().as_secs() < 60, "it was never healed");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_cluster_that_refuses_us_is_told_and_found_again() {
    let (world, other) = (World::start().await, Other::start().await);
    world.put("app/a.yaml", Some(&config_map("a", "1")));
    world.create(&far_application()).await;
    let has = |text: &'static str| {
        move |app: &api::Application| {
            app.status
                .conditions
                .iter()
                .any(|it| it.message.contains(text))
        }
    };
    let unknown = "there are no clusters with this name: far";
    world.until("demo", "without a cluster", has(unknown)).await;
    world.create(&other.secret("canary")).await;
    let refused = "Failed to load live state: failed to get cluster info";
    let app = world.until("demo", "refused", has(refused)).await;
    assert!(
        app.status
            .conditions
            .iter()
            .all(|it| !it.message.contains("canary"))
    );
    let fixed = Object::new(yaml::parse_str(&other.secret(&other.token)).expect("YAML"));
    let data = fixed
        .expect("an object")
        .value()
        .get("data")
        .cloned()
        .unwrap_or_default();
    let patch = Value::Map(yaml::Map::from([("data", data)]));
    let secret = "{apiVersion: v1, kind: Secret, metadata: {name: far, namespace: argocd}}";
    let secret = Object::new(yaml::parse_str(secret).expect("YAML")).expect("an object");
    let options = WriteOptions::default();
    world
        .patch_object(&secret, "", (cluster::PatchKind::Merge, &patch), options)
        .await;
    world.until_synced("demo").await;
    assert!(other.config_map("a").await.is_some());
}
