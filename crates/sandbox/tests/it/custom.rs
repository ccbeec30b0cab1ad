//! Custom resources: served when defined, gone with their definition.

use serde_json::json;

use crate::client::Client;

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const WIDGETS: &str = "/apis/example.com/v1/namespaces/default/widgets";

async fn define(client: &Client) {
    let schema = json!({"type": "object", "properties": {
        "spec": {"type": "object", "required": ["size"], "properties": {
            "size": {"type": "integer", "minimum": 1},
            "color": {"type": "string", "default": "red", "enum": ["red", "blue"]}}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}});
    let body = json!({"metadata": {"name": "widgets.example.com"}, "spec": {
        "group": "example.com", "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
        "versions": [{"name": "v1", "served": true, "storage": true,
                      "subresources": {"status": {}},
                      "schema": {"openAPIV3Schema": schema}}]}});
    let made = client.post(DEFINITIONS, &body.to_string()).await;
    assert_eq!(made.status, 201, "{}", made.body);
}

#[tokio::test]
async fn a_definition_is_established_and_served() {
    let client = Client::start().await;
    assert_eq!(client.get(WIDGETS).await.status, 404);
    define(&client).await;
    let read = client
        .get(&format!("{DEFINITIONS}/widgets.example.com"))
        .await
        .body;
    let conditions = read["status"]["conditions"].as_array().unwrap();
    assert!(
        conditions
            .iter()
            .any(|c| c["type"] == "Established" && c["status"] == "True")
    );
    let made = client
        .post(
            WIDGETS,
            r#"{"metadata":{"name":"w"},"spec":{"size":3,"extra":1}}"#,
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.body["spec"], json!({"size": 3, "color": "red"}));
    assert_eq!(made.body["metadata"]["generation"], 1);
    assert!(
        made.body["status"].is_null(),
        "the status has a path of its own"
    );
    let status = client
        .send_as(
            "PATCH",
            &format!("{WIDGETS}/w/status"),
            "application/merge-patch+json",
            r#"{"status":{"a":1}}"#,
        )
        .await;
    assert_eq!(status.body["status"]["a"], 1, "{}", status.body);
    let refused = client
        .post(
            WIDGETS,
            r#"{"metadata":{"name":"x"},"spec":{"size":0,"color":"green"}}"#,
        )
        .await;
    assert_eq!(refused.status, 422);
    assert_eq!(
        refused.body["details"]["causes"].as_array().unwrap().len(),
        2
    );
    let document = client.get("/openapi/v3/apis/example.com/v1").await.body;
    let schema = &document["components"]["schemas"]["example.com.v1.Widget"];
    assert_eq!(
        schema["properties"]["spec"]["properties"]["size"]["minimum"],
        1
    );
    let groups = client.get("/apis/example.com/v1").await.body;
    assert_eq!(groups["resources"][0]["shortNames"], json!(["wd"]));
}

#[tokio::test]
async fn objects_go_before_their_definition() {
    let client = Client::start().await;
    define(&client).await;
    let body = r#"{"metadata":{"name":"w","finalizers":["example.com/f"]},"spec":{"size":3}}"#;
    client.post(WIDGETS, body).await;
    let path = format!("{DEFINITIONS}/widgets.example.com");
    let marked = client.send("DELETE", &path, "").await.body;
    assert!(marked["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(client.get(&path).await.status, 200);
    let patched = client
        .send_as(
            "PATCH",
            &format!("{WIDGETS}/w"),
            "application/merge-patch+json",
            r#"{"metadata":{"finalizers":null}}"#,
        )
        .await;
    assert_eq!(patched.status, 200, "{}", patched.body);
    assert_eq!(client.get(&path).await.status, 404);
    assert_eq!(client.get(WIDGETS).await.status, 404);
}
