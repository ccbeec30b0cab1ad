//! Webhooks that convert custom resources: what they are asked, and what their answers become.
//!
//! What is expected was told by a kube-apiserver v1.35.4 in the same situations.

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::hook::Hook;

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const V1: &str = "/apis/example.com/v1/namespaces/default/things";
const V2: &str = "/apis/example.com/v2/namespaces/default/things";

/// `spec.a` of v1 is `spec.b` of v2.
fn convert(object: &Value, desired: &str) -> Value {
    let mut object = object.clone();
    object["apiVersion"] = desired.into();
    let (from, to) = match desired {
        "example.com/v2" => ("a", "b"),
        _ => ("b", "a"),
    };
    if let Some(value) = object["spec"]
        .as_object_mut()
        .and_then(|it| it.remove(from))
    {
        object["spec"][to] = value;
    }
    object
}

/// A webhook that converts, but spoils each object; what `answer` makes of its answer is sent.
async fn converting(
    spoil: impl Fn(&mut Value) + Send + Sync + 'static,
    answer: impl Fn(&mut Value) + Send + Sync + 'static,
) -> Hook {
    Hook::start(move |_, review| {
        let request = &review["request"];
        let desired = request["desiredAPIVersion"].as_str().unwrap();
        let mut objects: Vec<Value> = request["objects"]
            .as_array()
            .unwrap()
            .iter()
            .map(|object| convert(object, desired))
            .collect();
        objects.iter_mut().for_each(&spoil);
        let mut told = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview",
            "response": {"uid": request["uid"], "convertedObjects": objects,
                         "result": {"status": "Success"}}});
        answer(&mut told);
        Some((200, told.to_string()))
    })
    .await
}

fn definition(hook: &Hook, storage: &str) -> Value {
    let schema = json!({"type": "object", "properties": {
        "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}});
    let versions = ["v1", "v2"].map(|name| {
        json!({"name": name, "served": true, "storage": name == storage,
               "schema": {"openAPIV3Schema": schema}})
    });
    json!({"metadata": {"name": "things.example.com"}, "spec": {
        "group": "example.com", "scope": "Namespaced",
        "names": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
        "versions": versions,
        "conversion": {"strategy": "Webhook", "webhook": {
            "conversionReviewVersions": ["v1"], "clientConfig": hook.client_config("/convert")}}}})
}

/// Defines the kind, or changes its definition.
async fn define(client: &Client, hook: &Hook, storage: &str) {
    let path = format!("{DEFINITIONS}/things.example.com");
    let mut body = definition(hook, storage);
    let known = client.get(&path).await;
    let defined = if known.status == 200 {
        body["metadata"]["resourceVersion"] = known.body["metadata"]["resourceVersion"].clone();
        client.send("PUT", &path, &body.to_string()).await
    } else {
        client.post(DEFINITIONS, &body.to_string()).await
    };
    assert!(defined.status < 300, "{}", defined.body);
}

async fn create(client: &Client, path: &str, name: &str, spec: Value) -> Answer {
    let body = json!({"metadata": {"name": name}, "spec": spec});
    client.post(path, &body.to_string()).await
}

#[tokio::test]
async fn objects_are_kept_in_one_version_and_served_in_all() {
    let hook = converting(|_| (), |_| ()).await;
    let client = Client::start().await;
    define(&client, &hook, "v1").await;
    let made = create(&client, V1, "one", json!({"a": 1})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert!(hook.reviews().is_empty(), "it is kept as it came");
    let made = create(&client, V2, "two", json!({"b": 2})).await;
    assert_eq!(made.body["spec"], json!({"b": 2}), "{}", made.body);
    assert_eq!(made.body["apiVersion"], "example.com/v2");
    let reviews = hook.reviews();
    let asked = &reviews[0]["request"];
    assert_eq!(asked["desiredAPIVersion"], "example.com/v1");
    assert_eq!(asked["objects"][0]["kind"], "Thing");
    assert!(asked["objects"][0]["metadata"]["resourceVersion"].is_null());
    let want = json!({"uid": "", "convertedObjects": null, "result": {"metadata": {}}});
    assert_eq!(reviews[0]["response"], want);

    let list = client.get(V2).await.body;
    let specs = ["/items/0/spec", "/items/1/spec"].map(|at| list.pointer(at).cloned());
    assert_eq!(specs, [Some(json!({"b": 1})), Some(json!({"b": 2}))]);
    let media = "application/merge-patch+json";
    let patch = r#"{"spec":{"c":1}}"#;
    let path = format!("{V2}/one");
    let patched = client.send_as("PATCH", &path, media, patch).await.body;
    assert_eq!(patched["spec"], json!({"b": 1, "c": 1}), "{patched}");
    let read = client.get(&format!("{V1}/one")).await.body;
    assert_eq!(read["spec"], json!({"a": 1, "c": 1}));
    assert_eq!(read["metadata"]["generation"], 2);
    assert_eq!(client.send("DELETE", &path, "").await.status, 200);
    let left = client.get(V1).await.body;
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn watches_tell_of_objects_in_their_version() {
    let hook = converting(|_| (), |_| ()).await;
    let client = Client::start().await;
    define(&client, &hook, "v1").await;
    let made = create(&client, V1, "one", json!({"a": 1})).await.body;
    create(&client, V1, "two", json!({"a": 2})).await;
    let initial = client
        .watch(&format!("{V2}?watch=1&timeoutSeconds=1"))
        .await;
    let specs: Vec<&Value> = initial
        .iter()
        .map(|event| &event["object"]["spec"])
        .collect();
    assert_eq!(specs, [&json!({"b": 1}), &json!({"b": 2})]);
    let since = made["metadata"]["resourceVersion"].as_str().unwrap();
    let path = format!("{V2}?watch=1&timeoutSeconds=1&resourceVersion={since}");
    let events = client.watch(&path).await;
    assert_eq!(events[0]["type"], "ADDED");
    assert_eq!(events[0]["object"]["spec"], json!({"b": 2}));
}

#[tokio::test]
async fn objects_move_to_the_version_that_is_kept_when_they_are_written() {
    let hook = converting(|_| (), |_| ()).await;
    let client = Client::start().await;
    define(&client, &hook, "v1").await;
    let made = create(&client, V1, "one", json!({"a": 1})).await.body;
    define(&client, &hook, "v2").await;
    hook.reviews();
    let path = format!("{V2}/one");
    let mut read = client.get(&path).await.body;
    assert_eq!(hook.reviews().len(), 1);
    assert_eq!(
        read["metadata"]["resourceVersion"],
        made["metadata"]["resourceVersion"]
    );
    read["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("managedFields");
    client.send("PUT", &path, &read.to_string()).await;
    hook.reviews();
    let moved = client.get(&path).await.body;
    assert!(hook.reviews().is_empty(), "it is kept as it is served");
    assert_eq!(moved["spec"], json!({"b": 1}));
    assert_ne!(
        moved["metadata"]["resourceVersion"],
        made["metadata"]["resourceVersion"]
    );
}

/// What a read, a list and a creation are refused with when objects or answers are wrong.
async fn check_refusal(
    spoil: impl Fn(&mut Value) + Send + Sync + 'static,
    answer: impl Fn(&mut Value) + Send + Sync + 'static,
    want: &str,
) {
    let good = converting(|_| (), |_| ()).await;
    let client = Client::start().await;
    define(&client, &good, "v1").await;
    create(&client, V1, "one", json!({"a": 1})).await;
    let bad = converting(spoil, answer).await;
    define(&client, &bad, "v1").await;
    let message = format!("conversion webhook for example.com/v1, Kind=Thing {want}");
    let read = client.get(&format!("{V2}/one")).await;
    assert_eq!((read.status, &read.body["message"]), (500, &json!(message)));
    assert!(read.body["reason"].is_null());
    let list = client.get(V2).await;
    assert_eq!(list.status, 429, "{}", list.body);
    let failed = format!(
        "storage is (re)initializing: failed to list example.com/v2, Kind=Thing: {message}"
    );
    assert_eq!(list.body["message"], failed);
    assert_eq!(list.body["details"], json!({"retryAfterSeconds": 1}));
    let kept = client.get(V1).await.body;
    let made = create(&client, V2, "two", json!({"b": 1})).await;
    assert_eq!(made.status, 500, "{}", made.body);
    assert_eq!(
        client.send("DELETE", &format!("{V2}/one"), "").await.status,
        500
    );
    assert_eq!(client.get(V1).await.body, kept, "nothing was written");
}

#[tokio::test]
async fn wrong_answers_are_told() {
    check_refusal(
        |object| object["metadata"]["name"] = "changed".into(),
        |_| (),
        "returned invalid object: must have the same name: one != changed",
    )
    .await;
    check_refusal(
        |_| (),
        |told| told["response"]["convertedObjects"] = json!([]),
        "returned 0 objects, expected 1",
    )
    .await;
    check_refusal(
        |_| (),
        |told| {
            told["response"]["result"] = json!({"status": "Failure", "message": "cannot do it"});
        },
        "failed: cannot do it",
    )
    .await;
    check_refusal(
        |_| (),
        |told| told["kind"] = "AdmissionReview".into(),
        "failed: no kind \"AdmissionReview\" is registered for version \
         \"apiextensions.k8s.io/v1\" in scheme \"pkg/runtime/scheme.go:111\"",
    )
    .await;
}
