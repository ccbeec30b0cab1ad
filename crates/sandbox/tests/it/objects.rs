//! Objects: made, read, listed, watched, changed, deleted.

use sandbox::Options;
use serde_json::json;

use crate::client::Client;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn map(name: &str, data: &str) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
           "metadata": {"name": name, "labels": {"app": name}}, "data": {"k": data}})
    .to_string()
}

#[tokio::test]
async fn an_object_lives_from_create_to_delete() {
    let client = Client::start().await;
    let made = client.post(MAPS, &map("a", "1")).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.body["kind"], "ConfigMap");
    assert_eq!(made.body["metadata"]["namespace"], "default");
    let read = client.get(&format!("{MAPS}/a")).await;
    assert_eq!(read.body, made.body);
    assert_eq!(client.post(MAPS, &map("a", "1")).await.status, 409);

    let mut changed = read.body.clone();
    changed["data"]["k"] = json!("2");
    let put = client
        .send("PUT", &format!("{MAPS}/a"), &changed.to_string())
        .await;
    assert_eq!(put.status, 200);
    assert_ne!(
        put.body["metadata"]["resourceVersion"],
        read.body["metadata"]["resourceVersion"]
    );
    let stale = client
        .send("PUT", &format!("{MAPS}/a"), &changed.to_string())
        .await;
    assert_eq!(
        (stale.status, stale.body["reason"].as_str()),
        (409, Some("Conflict"))
    );

    let gone = client.send("DELETE", &format!("{MAPS}/a"), "").await;
    assert_eq!(gone.body["status"], "Success");
    let missing = client.get(&format!("{MAPS}/a")).await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.body["message"], "configmaps \"a\" not found");
}

#[tokio::test]
async fn a_watch_goes_on_where_a_list_ended() {
    let client = Client::start().await;
    client.post(MAPS, &map("a", "1")).await;
    let list = client.get(MAPS).await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1);
    let version = list.body["metadata"]["resourceVersion"].as_str().unwrap();
    client.post(MAPS, &map("b", "1")).await;
    client.send("DELETE", &format!("{MAPS}/a"), "").await;
    let events = client
        .watch(&format!(
            "{MAPS}?watch=1&timeoutSeconds=1&resourceVersion={version}"
        ))
        .await;
    let seen: Vec<(&str, &str)> = events
        .iter()
        .map(|event| {
            (
                event["type"].as_str().unwrap(),
                event["object"]["metadata"]["name"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(seen, [("ADDED", "b"), ("DELETED", "a")]);
}

#[tokio::test]
async fn history_that_is_gone_is_answered_with_expired() {
    let client = Client::with(Options {
        history: 2,
        ..Options::in_memory()
    })
    .await;
    for name in ["a", "b", "c", "d"] {
        client.post(MAPS, &map(name, "1")).await;
    }
    let events = client
        .watch(&format!(
            "{MAPS}?watch=1&timeoutSeconds=1&resourceVersion=1"
        ))
        .await;
    assert_eq!(events[0]["type"], "ERROR");
    assert_eq!(events[0]["object"]["code"], 410);
}

#[tokio::test]
async fn a_long_list_comes_in_pages_of_one_revision() {
    let client = Client::start().await;
    for name in ["a", "b", "c"] {
        client.post(MAPS, &map(name, "1")).await;
    }
    let first = client.get(&format!("{MAPS}?limit=2")).await.body;
    assert_eq!(first["metadata"]["remainingItemCount"], 1);
    client.send("DELETE", &format!("{MAPS}/c"), "").await;
    let token = first["metadata"]["continue"].as_str().unwrap();
    let rest = client
        .get(&format!("{MAPS}?limit=2&continue={token}"))
        .await
        .body;
    assert_eq!(rest["items"][0]["metadata"]["name"], "c");
    assert!(rest["metadata"]["continue"].is_null());
}

#[tokio::test]
async fn selectors_choose_objects() {
    let client = Client::start().await;
    for name in ["a", "b"] {
        client.post(MAPS, &map(name, "1")).await;
    }
    let by = |query: &str| format!("{MAPS}?{query}");
    for query in [
        "labelSelector=app%3Db",
        "fieldSelector=metadata.name%3Db",
        "labelSelector=app+notin+(a)",
    ] {
        let list = client.get(&by(query)).await.body;
        assert_eq!(list["items"].as_array().unwrap().len(), 1, "{query}");
        assert_eq!(list["items"][0]["metadata"]["name"], "b", "{query}");
    }
}

#[tokio::test]
async fn finalizers_hold_an_object_until_they_are_gone() {
    let client = Client::start().await;
    let body = json!({"metadata": {"name": "a", "finalizers": ["example.com/f"]}}).to_string();
    client.post(MAPS, &body).await;
    let held = client.send("DELETE", &format!("{MAPS}/a"), "").await.body;
    assert!(held["metadata"]["deletionTimestamp"].is_string());
    let mut free = held.clone();
    free["metadata"]["finalizers"] = json!([]);
    let last = client
        .send("PUT", &format!("{MAPS}/a"), &free.to_string())
        .await;
    assert_eq!(last.status, 200);
    assert_eq!(client.get(&format!("{MAPS}/a")).await.status, 404);
}

#[tokio::test]
async fn a_data_directory_keeps_objects_and_revisions() {
    let dir = tempfile::tempdir().unwrap();
    let client = Client::with(Options::in_dir(dir.path())).await;
    let made = client.post(MAPS, &map("a", "1")).await.body;
    client.server.stop().await;
    let client = Client::with(Options::in_dir(dir.path())).await;
    assert_eq!(client.get(&format!("{MAPS}/a")).await.body, made);
    let next = client.post(MAPS, &map("b", "1")).await.body;
    let number = |object: &serde_json::Value| -> u64 {
        let text = object["metadata"]["resourceVersion"].as_str().unwrap();
        text.parse().unwrap()
    };
    assert!(number(&next) > number(&made));
}

#[tokio::test]
async fn discovery_names_what_is_served() {
    let client = Client::start().await;
    let groups = client.get("/apis").await.body;
    assert_eq!(groups["groups"].as_array().unwrap().len(), 20);
    let apps = client.get("/apis/apps/v1").await.body;
    let scale = apps["resources"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["name"] == "deployments/scale")
        .unwrap();
    assert_eq!(scale["group"], "autoscaling");
    assert_eq!(
        client.get("/openapi/v3/apis/apps/v1").await.body["openapi"],
        "3.0.0"
    );
    assert_eq!(client.get("/nothing").await.status, 404);
}

/// As recorded from the real server: an empty list that is always written is owned, and an empty map
/// is a change of one that was not given.
#[tokio::test]
async fn what_is_given_empty_is_judged_and_not_kept() {
    let client = Client::start().await;
    let roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles";
    let role = json!({"metadata": {"name": "r"}, "rules": []});
    let made = client.post(roles, &role.to_string()).await.body;
    let fields = made.pointer("/metadata/managedFields/0/fieldsV1");
    assert_eq!(fields, Some(&json!({"f:rules": {}})), "{made}");
    assert!(made["rules"].is_null());
    let maps = "/api/v1/namespaces/default/configmaps";
    let map = json!({"metadata": {"name": "m"}, "immutable": true, "binaryData": {}});
    let made = client.post(maps, &map.to_string()).await.body;
    assert!(made["binaryData"].is_null());
    let media = "application/merge-patch+json";
    let path = format!("{maps}/m");
    for (patch, want) in [(r#"{"data":{}}"#, 200), (r#"{"binaryData":{}}"#, 422)] {
        let told = client.send_as("PATCH", &path, media, patch).await;
        assert_eq!(told.status, want, "{patch}: {}", told.body);
    }
}
