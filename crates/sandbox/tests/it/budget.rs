//! What a namespace allows: LimitRanges and ResourceQuotas.

use crate::client::Client;

const PODS: &str = "/api/v1/namespaces/default/pods";

fn pod(name: &str, resources: &str) -> String {
    format!(
        r#"{{"metadata":{{"name":"{name}"}},"spec":{{"containers":[{{"name":"c","image":"i",
        "resources":{resources}}}]}}}}"#
    )
}

/// Posts a pod; gives its status, and what the answer says at a pointer.
async fn check(client: &Client, body: &str, (status, pointer, want): (u16, &str, &str)) {
    let answer = client.post(PODS, body).await;
    assert_eq!(answer.status, status, "{}", answer.body);
    let got = answer
        .body
        .pointer(pointer)
        .and_then(|value| value.as_str());
    assert_eq!(got, Some(want), "{}", answer.body);
}

#[tokio::test]
async fn limit_ranges_fill_in_and_bound_what_containers_ask_for() {
    let client = Client::start().await;
    let range = r#"{"metadata":{"name":"r"},"spec":{"limits":[{"type":"Container",
        "default":{"cpu":"500m"},"defaultRequest":{"cpu":"100m"},"max":{"cpu":"1"},
        "min":{"cpu":"50m"}}]}}"#;
    let ranges = "/api/v1/namespaces/default/limitranges";
    assert_eq!(client.post(ranges, range).await.status, 201);
    let request = "/spec/containers/0/resources/requests/cpu";
    check(&client, &pod("a", "{}"), (201, request, "100m")).await;
    let told = "LimitRanger plugin set: cpu request for container c; cpu limit for container c";
    let annotation = "/metadata/annotations/kubernetes.io~1limit-ranger";
    check(&client, &pod("b", "{}"), (201, annotation, told)).await;
    let large = pod("c", r#"{"requests":{"cpu":"2"},"limits":{"cpu":"2"}}"#);
    let why = "pods \"c\" is forbidden: maximum cpu usage per Container is 1, but limit is 2";
    check(&client, &large, (403, "/message", why)).await;
}

#[tokio::test]
async fn a_quota_is_charged_until_it_is_used_up() {
    let client = Client::start().await;
    let quotas = "/api/v1/namespaces/default/resourcequotas";
    let quota = r#"{"metadata":{"name":"q"},"spec":{"hard":{"pods":"1"}}}"#;
    assert_eq!(client.post(quotas, quota).await.status, 201);
    // What counts is the status, which a controller fills in.
    let status = r#"{"status":{"hard":{"pods":"1"},"used":{"pods":"0"}}}"#;
    let path = format!("{quotas}/q/status");
    let merge = "application/merge-patch+json";
    assert_eq!(
        client.send_as("PATCH", &path, merge, status).await.status,
        200
    );
    check(&client, &pod("a", "{}"), (201, "/metadata/name", "a")).await;
    let used = client.get(&format!("{quotas}/q")).await.body;
    assert_eq!(used["status"]["used"]["pods"], "1");
    let why = "pods \"b\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, \
               limited: pods=1";
    check(&client, &pod("b", "{}"), (403, "/message", why)).await;
}
