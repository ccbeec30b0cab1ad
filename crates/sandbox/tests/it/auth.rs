//! Who may do what: roles, impersonation, tokens of service accounts; and the audit log.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use sandbox::{Options, Rbac};
use serde_json::Value;

use crate::client::{Answer, Client};

async fn start() -> Client {
    Client::with(Options {
        rbac: Rbac::On,
        ..Options::in_memory()
    })
    .await
}

async fn send_as(client: &Client, user: &str, (method, path, body): (&str, &str, &str)) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .header("impersonate-user", user)
        .body(Full::new(Bytes::from(body.to_owned())))
        .unwrap();
    let response = client.server.service().handle(request).await;
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    Answer {
        status,
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    }
}

const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles";
const BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn a_binding_grants_at_once_and_its_end_takes_away_at_once() {
    let client = start().await;
    let get = |user| send_as(&client, user, ("GET", MAPS, ""));
    assert_eq!(get("jane").await.status, 403);
    let binding = r#"{"metadata":{"name":"b"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io",
        "kind":"ClusterRole","name":"mine"},"subjects":[{"kind":"User","name":"jane",
        "apiGroup":"rbac.authorization.k8s.io"}]}"#;
    assert_eq!(client.post(BINDINGS, binding).await.status, 201);
    let refused = get("jane").await;
    let message = refused.body["message"].as_str().unwrap();
    assert!(message.ends_with(r#""mine" not found"#), "{message}");
    let role = r#"{"metadata":{"name":"mine"},"rules":[{"apiGroups":[""],
        "resources":["configmaps"],"verbs":["list"]}]}"#;
    let roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    assert_eq!(client.post(roles, role).await.status, 201);
    assert_eq!(get("jane").await.status, 200);
    assert_eq!(get("joe").await.status, 403);
    let one = format!("{BINDINGS}/b");
    assert_eq!(client.send("DELETE", &one, "").await.status, 200);
    assert_eq!(get("jane").await.status, 403);
}

#[tokio::test]
async fn nobody_grants_more_than_he_holds_unless_he_may_escalate() {
    let client = start().await;
    let role = |name: &str, verbs: &str| {
        format!(
            r#"{{"metadata":{{"name":"{name}"}},"rules":[{{"apiGroups":["rbac.authorization.k8s.io"],
            "resources":["roles"],"verbs":[{verbs}]}}]}}"#
        )
    };
    let own = role("own", r#""create","update""#);
    assert_eq!(client.post(ROLES, &own).await.status, 201);
    let binding = r#"{"metadata":{"name":"b"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io",
        "kind":"Role","name":"own"},"subjects":[{"kind":"User","name":"jane",
        "apiGroup":"rbac.authorization.k8s.io"}]}"#;
    assert_eq!(client.post(BINDINGS, binding).await.status, 201);
    let same = role("same", r#""create""#);
    let more = role("more", r#""create","delete""#);
    assert_eq!(
        send_as(&client, "jane", ("POST", ROLES, &same))
            .await
            .status,
        201
    );
    let refused = send_as(&client, "jane", ("POST", ROLES, &more)).await;
    assert_eq!(refused.status, 403);
    let message = refused.body["message"].as_str().unwrap();
    assert!(message.ends_with(r#"Verbs:["delete"]}"#), "{message}");
    let escalating = role("own", r#""create","update","escalate""#);
    let path = format!("{ROLES}/own");
    assert_eq!(client.send("PUT", &path, &escalating).await.status, 200);
    assert_eq!(
        send_as(&client, "jane", ("POST", ROLES, &more))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn a_token_of_a_service_account_is_known_until_the_account_goes() {
    let client = start().await;
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    let account = r#"{"metadata":{"name":"bot"}}"#;
    assert_eq!(client.post(accounts, account).await.status, 201);
    let asked = client.post(&format!("{accounts}/bot/token"), "{}").await;
    assert_eq!(asked.status, 201);
    let token = asked.body["status"]["token"].as_str().unwrap();
    let review = format!(r#"{{"spec":{{"token":"{token}"}}}}"#);
    let reviews = "/apis/authentication.k8s.io/v1/tokenreviews";
    let known = client.post(reviews, &review).await;
    assert_eq!(
        known.body["status"]["user"]["username"],
        "system:serviceaccount:default:bot"
    );
    let one = format!("{accounts}/bot");
    assert_eq!(client.send("DELETE", &one, "").await.status, 200);
    let unknown = client.post(reviews, &review).await;
    assert_eq!(unknown.body["status"]["error"], "invalid bearer token");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_tells_who_did_what_and_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.log");
    let client = Client::with(Options {
        audit_log: Some(path.clone()),
        ..Options::in_memory()
    })
    .await;
    let secrets = "/api/v1/namespaces/default/secrets";
    let secret = r#"{"metadata":{"name":"s"},"stringData":{"key":"hidden"}}"#;
    assert_eq!(client.post(secrets, secret).await.status, 201);
    let one = format!("{secrets}/none");
    let missing = send_as(&client, "jane", ("GET", &one, "")).await;
    assert_eq!(missing.status, 404);
    client.server.stop().await;
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("hidden"));
    let told: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|event| {
            let [who, verb, what] = ["/user/username", "/verb", "/objectRef/name"].map(|at| {
                event
                    .pointer(at)
                    .and_then(Value::as_str)
                    .unwrap_or("-")
                    .to_owned()
            });
            format!("{who} {verb} {what} {}", event["responseStatus"]["code"])
        })
        .collect();
    assert_eq!(told, ["admin create - 201", "jane get none 404"]);
}
