//! Many watchers of many objects: nobody misses anything. `cargo xtask soak` is the long form.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::Value;

use crate::client::Client;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const WATCHERS: usize = 20;
const OBJECTS: usize = 200;
const UPDATES: usize = 600;
/// Longer than a slow machine needs; a missed event ends here.
const PATIENCE: Duration = Duration::from_secs(120);

/// Reads the watch until it has seen every update once, in order.
async fn see_all(service: sandbox::Service, path: String) {
    let request = Request::builder()
        .uri(path)
        .body(Full::new(Bytes::new()))
        .unwrap();
    let mut body = service.handle(request).await.into_body();
    let mut next = 0;
    while next < UPDATES {
        let frame = body.frame().await.unwrap().unwrap();
        let event: Value = serde_json::from_slice(&frame.into_data().unwrap()).unwrap();
        assert_eq!(event["type"], "MODIFIED");
        assert_eq!(event["object"]["data"]["number"], next.to_string());
        next += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_watcher_misses_an_event() {
    let client = Client::start().await;
    for index in 0..OBJECTS {
        let body = format!(r#"{{"metadata":{{"name":"m-{index}"}}}}"#);
        assert_eq!(client.post(MAPS, &body).await.status, 201);
    }
    let list = client.get(&format!("{MAPS}?limit=1")).await.body;
    let version = list["metadata"]["resourceVersion"].as_str().unwrap();
    let path = format!("{MAPS}?watch=true&resourceVersion={version}");
    let watchers: Vec<_> = (0..WATCHERS)
        .map(|_| tokio::spawn(see_all(client.server.service(), path.clone())))
        .collect();
    for number in 0..UPDATES {
        let name = format!("m-{}", number % OBJECTS);
        let body = format!(r#"{{"metadata":{{"name":"{name}"}},"data":{{"number":"{number}"}}}}"#);
        let answer = client.send("PUT", &format!("{MAPS}/{name}"), &body).await;
        assert_eq!(answer.status, 200);
    }
    for watcher in watchers {
        tokio::time::timeout(PATIENCE, watcher)
            .await
            .expect("every event arrives")
            .unwrap();
    }
}
