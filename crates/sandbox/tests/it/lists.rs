//! Long lists come in pieces, which together are the list.

use std::io::Read;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};

use crate::client::Client;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const OBJECTS: usize = 200;

/// The encoding of the answer to a GET, its pieces, and its text.
async fn read(client: &Client, header: (&str, &str)) -> (String, usize, String) {
    let request = Request::builder()
        .uri(MAPS)
        .header("user-agent", "tester/1")
        .header(header.0, header.1)
        .body(Full::new(Bytes::new()))
        .unwrap();
    let response = client.server.service().handle(request).await;
    let encoding = response.headers().get("content-encoding");
    let encoding = encoding.map_or("", |value| value.to_str().unwrap());
    let encoding = encoding.to_owned();
    let mut body = response.into_body();
    let (mut pieces, mut bytes) = (0, Vec::new());
    while let Some(frame) = body.frame().await {
        bytes.extend_from_slice(&frame.unwrap().into_data().unwrap());
        pieces += 1;
    }
    let mut text = String::new();
    if encoding == "gzip" {
        let mut unpacked = flate2::read::GzDecoder::new(bytes.as_slice());
        unpacked.read_to_string(&mut text).unwrap();
    } else {
        text = String::from_utf8(bytes).unwrap();
    }
    (encoding, pieces, text)
}

#[tokio::test]
async fn the_pieces_of_a_long_list_are_the_list() {
    let client = Client::start().await;
    for index in 0..OBJECTS {
        // Letters that hardly repeat, so that the packed text is long too.
        let filling: String = (0..2_000_usize)
            .map(|at| char::from(b'a' + u8::try_from((at * at * (index + 7) / 5) % 26).unwrap()))
            .collect();
        let body =
            format!(r#"{{"metadata":{{"name":"m-{index:03}"}},"data":{{"filling":"{filling}"}}}}"#);
        assert_eq!(client.post(MAPS, &body).await.status, 201);
    }
    let (encoding, pieces, plain) = read(&client, ("accept", "application/json")).await;
    assert_eq!(encoding, "");
    assert!(pieces > 5, "{pieces} pieces");
    let list: serde_json::Value = serde_json::from_str(&plain).unwrap();
    assert_eq!(list["kind"], "ConfigMapList");
    // Controllers may have made others.
    let items = list["items"].as_array().unwrap();
    let ours = items
        .iter()
        .filter(|item| item["metadata"]["name"].as_str().unwrap().starts_with("m-"));
    assert_eq!(ours.count(), OBJECTS);
    let (encoding, _, packed) = read(&client, ("accept-encoding", "gzip")).await;
    assert_eq!(encoding, "gzip");
    assert_eq!(packed, plain);
    let (_, _, yaml) = read(&client, ("accept", "application/yaml")).await;
    assert_eq!(
        yaml::parse_str(&yaml).unwrap(),
        yaml::parse_str(&plain).unwrap()
    );
}
