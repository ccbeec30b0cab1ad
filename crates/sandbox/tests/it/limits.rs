//! What one client can do to the server: nothing.

use std::convert::Infallible;

use bytes::Bytes;
use futures::stream;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use crate::client::Client;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn a_body_that_never_ends_is_refused_at_the_limit() {
    let client = Client::start().await;
    let chunk = Bytes::from(vec![b' '; 64 * 1024]);
    let endless = stream::repeat_with(move || Ok::<_, Infallible>(Frame::data(chunk.clone())));
    let request = Request::builder()
        .method("POST")
        .uri(MAPS)
        .header("content-type", "application/json")
        .body(StreamBody::new(endless))
        .unwrap();
    let response = client.server.service().handle(request).await;
    assert_eq!(response.status(), 413);
}

#[tokio::test]
async fn deep_bodies_are_refused_and_the_server_lives() {
    let client = Client::start().await;
    let made = client.post(MAPS, r#"{"metadata":{"name":"a"}}"#).await;
    assert_eq!(made.status, 201);
    for open in ["[", "{\"a\":"] {
        let body = open.repeat(200_000);
        assert_eq!(client.post(MAPS, &body).await.status, 400);
        let patch = client
            .send_as(
                "PATCH",
                &format!("{MAPS}/a"),
                "application/merge-patch+json",
                &body,
            )
            .await;
        assert_eq!(patch.status, 400);
    }
    let value = format!("{}1{}", "[".repeat(400), "]".repeat(400));
    let body = format!(r#"{{"metadata":{{"name":"a"}},"data":{{"a":{value}}}}}"#);
    assert_eq!(client.post(MAPS, &body).await.status, 400);
    assert_eq!(client.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn a_watcher_that_does_not_read_loses_its_place_and_holds_no_events() {
    let options = sandbox::Options {
        history: 16,
        ..sandbox::Options::in_memory()
    };
    let client = Client::with(options).await;
    let from = client.get(MAPS).await.body["metadata"]["resourceVersion"].clone();
    let path = format!(
        "{MAPS}?watch=1&timeoutSeconds=60&resourceVersion={}",
        from.as_str().unwrap()
    );
    let request = Request::builder()
        .uri(path)
        .body(http_body_util::Full::new(Bytes::new()))
        .unwrap();
    let watch = client.server.service().handle(request).await;
    for index in 0..100 {
        let body = format!(r#"{{"metadata":{{"name":"m{index}"}}}}"#);
        assert_eq!(client.post(MAPS, &body).await.status, 201);
    }
    let text = watch.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(text.to_vec()).unwrap();
    assert!(text.lines().count() < 100, "{text}");
    assert!(
        text.contains(r#""type":"ERROR""#) && text.contains("410"),
        "{text}"
    );
}
