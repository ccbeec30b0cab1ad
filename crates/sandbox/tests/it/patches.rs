//! The four patches, and who owns what afterwards.

use serde_json::json;

use crate::client::Client;

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

fn deployment(image: &str) -> String {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
           "spec": {"selector": {"matchLabels": {"app": "web"}},
                    "template": {"metadata": {"labels": {"app": "web"}},
                                 "spec": {"containers": [{"name": "c", "image": image}]}}}})
    .to_string()
}

#[tokio::test]
async fn a_deployment_gets_defaults_and_counts_its_generations() {
    let client = Client::start().await;
    let made = client.post(DEPLOYMENTS, &deployment("a:1")).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.body["spec"]["replicas"], 1);
    assert_eq!(
        made.body["spec"]["strategy"]["rollingUpdate"]["maxSurge"],
        "25%"
    );
    assert_eq!(made.body["metadata"]["generation"], 1);
    let path = format!("{DEPLOYMENTS}/web");
    let check = async |media: &str, body: &str, generation: i64, image: &str| {
        let answer = client.send_as("PATCH", &path, media, body).await;
        assert_eq!(answer.status, 200, "{media}: {}", answer.body);
        assert_eq!(answer.body["metadata"]["generation"], generation, "{media}");
        let container = &answer.body["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["image"], image, "{media}");
    };
    check(
        "application/strategic-merge-patch+json",
        r#"{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"a:2"}]}}}}"#,
        2,
        "a:2",
    )
    .await;
    check(
        "application/json-patch+json",
        r#"[{"op":"replace","path":"/spec/replicas","value":3}]"#,
        3,
        "a:2",
    )
    .await;
    check(
        "application/merge-patch+json",
        r#"{"metadata":{"labels":{"a":"b"}}}"#,
        3,
        "a:2",
    )
    .await;
}

#[tokio::test]
async fn the_status_is_written_by_its_own_path_only() {
    let client = Client::start().await;
    client.post(DEPLOYMENTS, &deployment("a:1")).await;
    let path = format!("{DEPLOYMENTS}/web");
    let media = "application/merge-patch+json";
    let body = r#"{"spec":{"replicas":7},"status":{"replicas":2}}"#;
    let main = client.send_as("PATCH", &path, media, body).await.body;
    assert_eq!(main["spec"]["replicas"], 7);
    assert!(main["status"]["replicas"].is_null());
    let status = client
        .send_as(
            "PATCH",
            &format!("{path}/status"),
            media,
            r#"{"spec":{"replicas":9},"status":{"replicas":2}}"#,
        )
        .await
        .body;
    assert_eq!(status["spec"]["replicas"], 7);
    assert_eq!(status["status"]["replicas"], 2);
    let scale = client.get(&format!("{path}/scale")).await.body;
    assert_eq!(scale["spec"]["replicas"], 7);
    assert_eq!(scale["status"]["selector"], "app=web");
}

#[tokio::test]
async fn two_managers_that_apply_conflict_until_one_forces() {
    let client = Client::start().await;
    let path = "/api/v1/namespaces/default/configmaps/a";
    let apply = async |manager: &str, value: &str, force: &str| {
        let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},
                          "data": {"k": value}});
        let uri = format!("{path}?fieldManager={manager}{force}");
        client
            .send_as(
                "PATCH",
                &uri,
                "application/apply-patch+yaml",
                &body.to_string(),
            )
            .await
    };
    assert_eq!(apply("alice", "1", "").await.status, 201);
    assert_eq!(apply("bob", "1", "").await.status, 200);
    let refused = apply("bob", "2", "").await;
    assert_eq!(refused.status, 409);
    assert_eq!(refused.body["details"]["causes"][0]["field"], ".data.k");
    let forced = apply("bob", "2", "&force=true").await;
    assert_eq!(forced.body["data"]["k"], "2");
    let managers = forced.body["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(managers.len(), 1);
    assert_eq!(managers[0]["manager"], "bob");
    let again = apply("bob", "2", "").await;
    assert_eq!(
        again.body["metadata"]["resourceVersion"],
        forced.body["metadata"]["resourceVersion"]
    );
}

#[tokio::test]
async fn what_is_wrong_is_told_field_by_field() {
    let client = Client::start().await;
    let body = deployment("a:1").replacen("\"app\":\"web\"}}", "\"app\":\"other\"}}", 1);
    let refused = client.post(DEPLOYMENTS, &body).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert_eq!(refused.body["reason"], "Invalid");
    let strict = format!("{DEPLOYMENTS}?fieldValidation=Strict");
    let body = deployment("a:1").replace(
        "\"spec\":{\"selector\"",
        "\"spec\":{\"nope\":1,\"selector\"",
    );
    let refused = client.post(&strict, &body).await;
    assert_eq!(refused.status, 400);
    let message = refused.body["message"].as_str().unwrap();
    assert!(
        message.contains(r#"unknown field "spec.nope""#),
        "{message}"
    );
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let client = Client::start().await;
    let made = client
        .post(&format!("{DEPLOYMENTS}?dryRun=All"), &deployment("a:1"))
        .await;
    assert_eq!(made.status, 201);
    assert_eq!(client.get(&format!("{DEPLOYMENTS}/web")).await.status, 404);
}

#[tokio::test]
async fn services_get_addresses_and_secrets_their_data() {
    let client = Client::start().await;
    let service = json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}});
    let made = client
        .post("/api/v1/namespaces/default/services", &service.to_string())
        .await
        .body;
    assert!(
        made["spec"]["clusterIP"]
            .as_str()
            .unwrap()
            .starts_with("10.96.")
    );
    assert_eq!(made["spec"]["ports"][0]["targetPort"], 80);
    let secret = json!({"metadata": {"name": "s"}, "stringData": {"a": "b"}});
    let made = client
        .post("/api/v1/namespaces/default/secrets", &secret.to_string())
        .await
        .body;
    assert_eq!(made["data"]["a"], "Yg==");
    assert!(made["stringData"].is_null());
}
