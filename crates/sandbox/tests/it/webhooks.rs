//! Admission webhooks: who is asked about what, and what becomes of the answers.
//!
//! What is expected was told by a kube-apiserver v1.35.4 in the same situations.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::hook::Hook;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const GROUP: &str = "/apis/admissionregistration.k8s.io/v1";

#[derive(Clone, Copy)]
enum Kind {
    Mutating,
    Validating,
}

fn map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
           "data": {"k": "v"}})
}

fn patch(operations: &Value) -> Value {
    json!({"allowed": true, "patchType": "JSONPatch",
           "patch": STANDARD.encode(operations.to_string())})
}

/// A webhook that gives one `response` to all, with the review's uid.
async fn saying(response: Value) -> Hook {
    Hook::start(move |_, review| {
        let mut response = response.clone();
        if response.is_object() && response.get("uid").is_none() {
            response["uid"] = review["request"]["uid"].clone();
        }
        let answer = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                            "response": response});
        Some((200, answer.to_string()))
    })
    .await
}

/// A webhook that gives one answer to all, whatever it is.
async fn answering(status: u16, body: &str) -> Hook {
    let body = body.to_owned();
    Hook::start(move |_, _| Some((status, body.clone()))).await
}

/// One entry of a configuration: it looks at all writes of maps, and `more` changes it.
fn entry(hook: &Hook, more: &Value) -> Value {
    let mut entry = json!({
        "name": "a.example.dev",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "timeoutSeconds": 5,
        "clientConfig": hook.client_config("/"),
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"],
                   "resources": ["configmaps"]}],
    });
    for (key, value) in more.as_object().unwrap() {
        entry[key] = value.clone();
    }
    entry
}

async fn configure(client: &Client, kind: Kind, entries: &[Value]) -> Answer {
    let (plural, kind) = match kind {
        Kind::Mutating => (
            "mutatingwebhookconfigurations",
            "MutatingWebhookConfiguration",
        ),
        Kind::Validating => (
            "validatingwebhookconfigurations",
            "ValidatingWebhookConfiguration",
        ),
    };
    let body = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
                      "metadata": {"name": "hooks"}, "webhooks": entries});
    client
        .send("DELETE", &format!("{GROUP}/{plural}/hooks"), "")
        .await;
    client
        .post(&format!("{GROUP}/{plural}"), &body.to_string())
        .await
}

/// A server whose maps one webhook looks at.
async fn with(kind: Kind, hook: &Hook, more: Value) -> Client {
    let client = Client::start().await;
    let configured = configure(&client, kind, &[entry(hook, &more)]).await;
    assert_eq!(configured.status, 201, "{}", configured.body);
    client
}

async fn create(client: &Client, name: &str) -> Answer {
    client.post(MAPS, &map(name).to_string()).await
}

/// What a denial comes out as, without what every Status has.
async fn check_denial(status: Value, want: Value) {
    for kind in [Kind::Mutating, Kind::Validating] {
        let hook = saying(json!({"allowed": false, "status": status})).await;
        let client = with(kind, &hook, json!({})).await;
        let mut told = create(&client, "c").await;
        assert_eq!(told.body["code"], told.status);
        for key in ["apiVersion", "kind", "metadata", "status"] {
            told.body.as_object_mut().unwrap().remove(key);
        }
        assert_eq!(told.body, want);
        assert_eq!(client.get(&format!("{MAPS}/c")).await.status, 404);
    }
}

#[tokio::test]
async fn a_denial_is_told_in_the_words_of_the_webhook() {
    let denied = "admission webhook \"a.example.dev\" denied the request";
    check_denial(
        json!({"message": "no way"}),
        json!({"code": 400, "message": format!("{denied}: no way")}),
    )
    .await;
    check_denial(
        json!(null),
        json!({"code": 400, "message": format!("{denied} without explanation")}),
    )
    .await;
    check_denial(
        json!({"reason": "Conflict"}),
        json!({"code": 400, "reason": "Conflict", "message": format!("{denied}: Conflict")}),
    )
    .await;
    check_denial(
        json!({"code": 200, "status": "Success", "message": "odd"}),
        json!({"code": 400, "message": format!("{denied}: odd")}),
    )
    .await;
    let details = json!({"name": "x", "kind": "y", "causes": [
        {"field": "spec.a", "message": "bad", "reason": "FieldValueInvalid"}]});
    check_denial(
        json!({"code": 409, "message": "teapot", "reason": "AlreadyExists", "details": details}),
        json!({"code": 409, "message": format!("{denied}: teapot"), "reason": "AlreadyExists",
               "details": details}),
    )
    .await;
}

/// What is said when a webhook's answer is of no use; and that it may be ignored.
async fn check_failure(kind: Kind, hook: &Hook, want: &str) {
    let client = with(kind, hook, json!({"timeoutSeconds": 1})).await;
    let told = create(&client, "c").await;
    let uid = &hook
        .reviews()
        .first()
        .map_or(Value::Null, |review| review["request"]["uid"].clone());
    let want = want
        .replace("UID", uid.as_str().unwrap_or_default())
        .replace("URL", &hook.url("/?timeout=1s"));
    let message =
        format!("Internal error occurred: failed calling webhook \"a.example.dev\": {want}");
    assert_eq!(told.body["message"], json!(message));
    assert_eq!(
        (told.status, told.body["reason"].as_str()),
        (500, Some("InternalError"))
    );
    let more = json!({"timeoutSeconds": 1, "failurePolicy": "Ignore"});
    configure(&client, kind, &[entry(hook, &more)]).await;
    assert_eq!(create(&client, "c").await.status, 201);
}

#[tokio::test]
async fn answers_that_are_none_are_told_as_the_real_server_tells_them() {
    let review = |more: &str| {
        format!(r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"{more}}}"#)
    };
    for (status, body, want) in [
        (
            200,
            String::new(),
            "failed to call webhook: 0-length response with status code: 200 and content type: \
          application/json",
        ),
        (
            200,
            "<html>".to_owned(),
            "failed to call webhook: couldn't get version/kind; json parse error: json: cannot \
          unmarshal string into Go value of type struct { APIVersion string \
          \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }",
        ),
        (
            200,
            r#"{"apiVersion":"v1","kind":"Pod"}"#.to_owned(),
            "failed to call webhook: no kind \"Pod\" is registered for version \"v1\" in scheme \
          \"pkg/runtime/scheme.go:111\"",
        ),
        (
            200,
            r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}"#.to_owned(),
            "failed to call webhook: converting (v1beta1.AdmissionReview) to (v1.AdmissionReview): \
          unknown conversion",
        ),
        (
            200,
            review(""),
            "received invalid webhook response: webhook response was absent",
        ),
        (
            200,
            r#"{"response":{"allowed":true}}"#.to_owned(),
            "received invalid webhook response: expected webhook response of admission.k8s.io/v1, \
          Kind=AdmissionReview, got /, Kind=",
        ),
        (
            200,
            review(r#","response":{"uid":"zzz","allowed":true}"#),
            "received invalid webhook response: expected response.uid=\"UID\", got \"zzz\"",
        ),
        (
            200,
            review(r#","response":{"patch":"%%%","allowed":true}"#),
            "failed to call webhook: illegal base64 data at input byte 0",
        ),
    ] {
        let hook = answering(status, &body).await;
        check_failure(Kind::Validating, &hook, want).await;
    }
}

#[tokio::test]
async fn answers_that_are_no_success_are_told_as_the_real_server_tells_them() {
    for (status, body, want) in [
        (
            500,
            "fell over",
            "failed to call webhook: an error on the server (\"unknown\") has prevented the request \
          from succeeding",
        ),
        (
            404,
            "not here",
            "failed to call webhook: the server could not find the requested resource",
        ),
        (
            503,
            "",
            "failed to call webhook: the server is currently unable to handle the request",
        ),
        (
            403,
            r#"{"kind":"Status","apiVersion":"v1","message":"my status"}"#,
            "failed to call webhook: my status",
        ),
    ] {
        let hook = answering(status, body).await;
        check_failure(Kind::Validating, &hook, want).await;
    }
}

#[tokio::test]
async fn patches_that_are_none_are_told_as_the_real_server_tells_them() {
    let operations = json!([{"op": "add", "path": "/data/x", "value": "y"}]);
    let typed = |text: &str| {
        json!({"allowed": true, "patchType": "JSONPatch",
                                    "patch": STANDARD.encode(text)})
    };
    for (kind, response, want) in [
        (
            Kind::Validating,
            patch(&operations),
            "received invalid webhook response: validating webhook may not return response.patch",
        ),
        (
            Kind::Validating,
            json!({"allowed": true, "patchType": "JSONPatch"}),
            "received invalid webhook response: validating webhook may not return response.patchType",
        ),
        (
            Kind::Mutating,
            json!({"allowed": true, "patchType": "JSONPatch"}),
            "received invalid webhook response: webhook returned response.patchType but not \
          response.patch",
        ),
        (
            Kind::Mutating,
            json!({"allowed": true, "patch": STANDARD.encode("[]")}),
            "received invalid webhook response: webhook returned response.patch but not \
          response.patchType",
        ),
        (
            Kind::Mutating,
            typed("hello"),
            "received undecodable patch in webhook response: invalid character 'h' looking for \
          beginning of value",
        ),
        (
            Kind::Mutating,
            typed("{}"),
            "received undecodable patch in webhook response: json: cannot unmarshal object into Go \
          value of type jsonpatch.Patch",
        ),
    ] {
        check_failure(kind, &saying(response).await, want).await;
    }
}

#[tokio::test]
async fn a_webhook_that_cannot_be_reached_decides_by_its_failure_policy() {
    let silent = Hook::start(|_, _| None).await;
    let want = "failed to call webhook: Post \"URL\": context deadline exceeded";
    check_failure(Kind::Mutating, &silent, want).await;
    check_failure(Kind::Validating, &silent, want).await;

    let other = saying(json!({"allowed": true})).await;
    let client = Client::start().await;
    let ca = &other.bundle;
    let post = |url: &str| format!("failed to call webhook: Post \"{url}?timeout=5s\": ");
    for (config, want) in [
        (
            json!({"url": "https://127.0.0.1:1/x", "caBundle": ca}),
            post("https://127.0.0.1:1/x") + "dial tcp 127.0.0.1:1: connect: connection refused",
        ),
        (
            json!({"url": silent.url("/"), "caBundle": ca}),
            post(&silent.url("/"))
                + "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        ),
        (
            json!({"url": silent.url("/")}),
            post(&silent.url("/"))
                + "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        ),
        (
            json!({"service": {"name": "nosvc", "namespace": "default", "path": "/x"}, "caBundle": ca}),
            post("https://nosvc.default.svc:443/x") + "service \"nosvc\" not found",
        ),
    ] {
        let more = json!({"clientConfig": config});
        configure(&client, Kind::Validating, &[entry(&silent, &more)]).await;
        let told = create(&client, "c").await;
        let message =
            format!("Internal error occurred: failed calling webhook \"a.example.dev\": {want}");
        assert_eq!(told.body["message"], json!(message));
    }
}

#[tokio::test]
async fn a_patch_changes_what_is_stored_and_nobody_owns_the_change() {
    let hook = saying(patch(&json!([
        {"op": "add", "path": "/data/added", "value": "by-hook"},
        {"op": "add", "path": "/nofield", "value": 5},
    ])))
    .await;
    let client = with(Kind::Mutating, &hook, json!({})).await;
    let made = create(&client, "c").await;
    assert_eq!(made.status, 201);
    assert_eq!(made.body["data"], json!({"added": "by-hook", "k": "v"}));
    assert_eq!(made.body.get("nofield"), None);
    let fields = &made.body["metadata"]["managedFields"][0]["fieldsV1"];
    assert_eq!(*fields, json!({"f:data": {".": {}, "f:k": {}}}));
    let read = client.get(&format!("{MAPS}/c")).await;
    assert_eq!(read.body, made.body);
}

#[tokio::test]
async fn a_patch_that_breaks_the_object_is_refused_before_it_is_stored() {
    for (operation, code, message) in [
        (
            json!({"op": "add", "path": "/data/x", "value": 5}),
            500,
            "Internal error occurred: json: cannot unmarshal number into Go struct field \
          ConfigMap.data of type string",
        ),
        (
            json!({"op": "test", "path": "/data/none", "value": "x"}),
            500,
            "Internal error occurred: testing value /data/none failed: test failed",
        ),
        (
            json!({"op": "frob", "path": "/data/none", "value": "x"}),
            500,
            "Internal error occurred: Unexpected kind: frob",
        ),
        (
            json!({"op": "add", "path": "/none/x", "value": "x"}),
            500,
            "Internal error occurred: add operation does not apply: doc is missing path: \
          \"/none/x\": missing value",
        ),
        (
            json!({"op": "replace", "path": "/metadata/namespace", "value": "other"}),
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            json!({"op": "replace", "path": "/metadata/name", "value": "Bad"}),
            422,
            "ConfigMap \"Bad\" is invalid: metadata.name: Invalid value: \"Bad\": a lowercase RFC 1123 \
          subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start \
          and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
          '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        ),
    ] {
        let hook = saying(patch(&json!([operation]))).await;
        let client = with(Kind::Mutating, &hook, json!({})).await;
        let told = create(&client, "c").await;
        assert_eq!(
            (told.status, &told.body["message"]),
            (code, &json!(message))
        );
    }
    let hook = saying(patch(
        &json!([{"op": "add", "path": "/data/x", "value": "y"}]),
    ))
    .await;
    let client = with(
        Kind::Mutating,
        &hook,
        json!({"rules": [
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["DELETE"],
         "resources": ["configmaps"]}]}),
    )
    .await;
    create(&client, "c").await;
    let told = client.send("DELETE", &format!("{MAPS}/c"), "").await;
    assert_eq!(
        told.body["message"],
        "Internal error occurred: admission webhook \"a.example.dev\" attempted to modify the \
         object, which is not supported for this operation"
    );
}

#[tokio::test]
async fn a_review_has_what_the_real_server_sends() {
    let hook = saying(json!({"allowed": true})).await;
    let client = with(Kind::Mutating, &hook, json!({})).await;
    let made = create(&client, "c").await.body;
    let [review] = hook.reviews().try_into().unwrap();
    assert_eq!(review["apiVersion"], "admission.k8s.io/v1");
    let mut request = review["request"].clone();
    assert!(request["uid"].is_string());
    request["uid"] = json!("");
    let kind = json!({"group": "", "version": "v1", "kind": "ConfigMap"});
    let resource = json!({"group": "", "version": "v1", "resource": "configmaps"});
    // Mutating webhooks see the object before it has an identity.
    let mut object = made.clone();
    for key in ["uid", "resourceVersion", "creationTimestamp"] {
        object["metadata"].as_object_mut().unwrap().remove(key);
    }
    assert_eq!(
        request,
        json!({"uid": "", "kind": kind, "resource": resource, "requestKind": kind,
               "requestResource": resource, "name": "c", "namespace": "default",
               "operation": "CREATE", "object": object, "oldObject": null, "dryRun": false,
               "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
               "userInfo": {"username": "admin", "uid": "admin",
                            "groups": ["system:masters", "system:authenticated"]}})
    );

    let path = format!("{MAPS}/c?fieldManager=m");
    let body = r#"{"data":{"z":"w"}}"#;
    let media = "application/merge-patch+json";
    client.send_as("PATCH", &path, media, body).await;
    let [review] = hook.reviews().try_into().unwrap();
    assert_eq!(review["request"]["oldObject"], made);
    assert_eq!(
        review["request"]["object"]["data"],
        json!({"k": "v", "z": "w"})
    );
    assert_eq!(review["request"]["options"]["fieldManager"], "m");

    let options = r#"{"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Background"}"#;
    client.send("DELETE", &format!("{MAPS}/c"), options).await;
    let [review] = hook.reviews().try_into().unwrap();
    assert_eq!(review["request"]["object"], Value::Null);
    assert_eq!(
        review["request"]["options"],
        json!({"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1",
               "propagationPolicy": "Background"})
    );
}

/// How many of the writes of one story a webhook with these settings is asked about.
async fn check_asked(more: Value, want: &[&str]) {
    let hook = saying(json!({"allowed": true})).await;
    let client = with(Kind::Validating, &hook, more.clone()).await;
    let labelled = json!({"apiVersion": "v1", "kind": "ConfigMap",
                          "metadata": {"name": "l", "labels": {"x": "y"}}});
    create(&client, "c").await;
    client.post(MAPS, &labelled.to_string()).await;
    let media = "application/merge-patch+json";
    let unlabel = r#"{"metadata":{"labels":null}}"#;
    client
        .send_as("PATCH", &format!("{MAPS}/l"), media, unlabel)
        .await;
    let space = json!({"apiVersion": "v1", "kind": "Namespace",
                       "metadata": {"name": "n", "labels": {"x": "y"}}});
    client.post("/api/v1/namespaces", &space.to_string()).await;
    client
        .post("/api/v1/namespaces/n/configmaps", &map("d").to_string())
        .await;
    client
        .send("DELETE", "/api/v1/namespaces/n/configmaps", "")
        .await;
    let asked: Vec<String> = hook
        .reviews()
        .iter()
        .map(|review| {
            let request = &review["request"];
            let object = [&request["object"], &request["oldObject"]];
            let object = object
                .into_iter()
                .find(|object| object.is_object())
                .unwrap();
            let name = object["metadata"]["name"].as_str().unwrap();
            format!("{} {name}", request["operation"].as_str().unwrap())
        })
        .collect();
    assert_eq!(asked, want, "{more}");
}

#[tokio::test]
async fn rules_and_selectors_choose_the_writes() {
    let rule = |operations: &[&str], resources: &[&str], scope: &str| {
        json!([{"apiGroups": ["*"], "apiVersions": ["v1"], "operations": operations,
                "resources": resources, "scope": scope}])
    };
    let maps = ["configmaps"];
    check_asked(
        json!({}),
        &["CREATE c", "CREATE l", "UPDATE l", "CREATE d", "DELETE d"],
    )
    .await;
    check_asked(
        json!({"rules": rule(&["UPDATE"], &maps, "*")}),
        &["UPDATE l"],
    )
    .await;
    check_asked(
        json!({"rules": rule(&["*"], &["configmaps/status"], "*")}),
        &[],
    )
    .await;
    check_asked(
        json!({"rules": rule(&["*"], &["*"], "Cluster")}),
        &["CREATE n"],
    )
    .await;
    check_asked(
        json!({"rules": rule(&["*"], &["*/*"], "Cluster")}),
        &["CREATE n"],
    )
    .await;
    check_asked(
        json!({"objectSelector": {"matchLabels": {"x": "y"}}}),
        // A change is looked at when either state is selected.
        &["CREATE l", "UPDATE l"],
    )
    .await;
    check_asked(
        json!({"namespaceSelector": {"matchLabels": {"x": "y"}}}),
        &["CREATE d", "DELETE d"],
    )
    .await;
    check_asked(
        json!({"matchConditions": [{"name": "a", "expression":
            "request.operation == 'CREATE' && object.metadata.name != 'c'"}]}),
        &["CREATE l", "CREATE d"],
    )
    .await;
}

#[tokio::test]
async fn a_condition_that_fails_refuses_or_skips_the_webhook() {
    let conditions = |texts: &[&str]| -> Value {
        let named = |(index, text): (usize, &&str)| json!({"name": format!("c{index}"), "expression": text});
        texts.iter().enumerate().map(named).collect()
    };
    let denied = "admission webhook \"a.example.dev\" denied the request without explanation";
    let forbidden = "configmaps \"c\" is forbidden: ";
    for (texts, policy, want) in [
        (&["oldObject == null"][..], "Fail", denied.to_owned()),
        (
            &["object.data.no == 'x'"],
            "Fail",
            format!(
                "{forbidden}expression 'object.data.no == 'x'' resulted in error: no such key: no"
            ),
        ),
        (&["object.data.no == 'x'"], "Ignore", String::new()),
        (&["object.data.no == 'x'", "false"], "Fail", String::new()),
        (
            &["object.data.no == 'x'", "object.data.on == 'x'"],
            "Fail",
            format!(
                "{forbidden}[expression 'object.data.no == 'x'' resulted in error: no such key: no, \
                  expression 'object.data.on == 'x'' resulted in error: no such key: on]"
            ),
        ),
    ] {
        let hook = saying(json!({"allowed": false})).await;
        let more = json!({"matchConditions": conditions(texts), "failurePolicy": policy});
        let client = with(Kind::Validating, &hook, more).await;
        let told = create(&client, "c").await;
        assert_eq!(told.body["message"].as_str().unwrap_or_default(), want);
    }
    let hook = saying(json!({"allowed": true})).await;
    let more = json!({"matchConditions": conditions(&["1", "object.("])});
    let client = Client::start().await;
    let told = configure(&client, Kind::Validating, &[entry(&hook, &more)]).await;
    let causes: Vec<&str> = told.body["details"]["causes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cause| cause["message"].as_str().unwrap())
        .collect();
    assert_eq!(
        causes,
        [
            "Invalid value: \"1\": must evaluate to bool but got int",
            "Invalid value: \"object.(\": compilation failed: ERROR: <input>:1:8: Syntax error: no \
             viable alternative at input '.('\n | object.(\n | .......^",
        ]
    );
}

#[tokio::test]
async fn webhooks_see_what_later_ones_did_when_they_ask_for_it() {
    let hook = Hook::start(|path, review| {
        let data = &review["request"]["object"]["data"];
        let count = data["count"]
            .as_str()
            .unwrap_or("0")
            .parse::<u32>()
            .unwrap();
        let operation = match path {
            "/count" => {
                json!({"op": "add", "path": "/data/count", "value": (count + 1).to_string()})
            }
            _ => json!({"op": "add", "path": "/data/added", "value": "x"}),
        };
        let mut response = patch(&json!([operation]));
        response["uid"] = review["request"]["uid"].clone();
        let answer = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                            "response": response});
        Some((200, answer.to_string()))
    })
    .await;
    for (policy, want) in [("Never", "1"), ("IfNeeded", "2")] {
        let client = Client::start().await;
        let first = json!({"clientConfig": hook.client_config("/count"),
                           "reinvocationPolicy": policy});
        let second = json!({"name": "b.example.dev", "clientConfig": hook.client_config("/add")});
        let entries = [entry(&hook, &first), entry(&hook, &second)];
        configure(&client, Kind::Mutating, &entries).await;
        let made = create(&client, "c").await;
        assert_eq!(
            made.body["data"],
            json!({"added": "x", "count": want, "k": "v"}),
            "{policy}"
        );
    }
}

#[tokio::test]
async fn dry_runs_ask_only_webhooks_without_side_effects() {
    let hook = saying(json!({"allowed": false})).await;
    for (effects, want) in [
        (
            "None",
            "admission webhook \"a.example.dev\" denied the request without explanation",
        ),
        (
            "NoneOnDryRun",
            "admission webhook \"a.example.dev\" denied the request without explanation",
        ),
    ] {
        let client = with(Kind::Validating, &hook, json!({"sideEffects": effects})).await;
        let path = format!("{MAPS}?dryRun=All");
        let told = client.post(&path, &map("c").to_string()).await;
        assert_eq!(told.body["message"], want);
        let [review] = hook.reviews().try_into().unwrap();
        assert_eq!(review["request"]["dryRun"], true);
    }
}

#[tokio::test]
async fn rules_mean_the_other_versions_of_a_resource_too() {
    let hook = saying(patch(&json!([
        {"op": "add", "path": "/metadata/labels", "value": {"hooked": "yes"}}])))
    .await;
    let path = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers";
    let body = json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h"}, "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 50,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}}});
    for (policy, want) in [
        ("Exact", Value::Null),
        ("Equivalent", json!({"hooked": "yes"})),
    ] {
        let more = json!({"matchPolicy": policy, "rules": [{"apiGroups": ["autoscaling"],
            "apiVersions": ["v2"], "operations": ["*"], "resources": ["*"]}]});
        let client = with(Kind::Mutating, &hook, more).await;
        let made = client.post(path, &body.to_string()).await;
        assert_eq!(made.status, 201, "{}", made.body);
        assert_eq!(made.body["apiVersion"], "autoscaling/v1");
        assert_eq!(made.body["metadata"]["labels"], want, "{policy}");
    }
    let [review] = hook.reviews().try_into().unwrap();
    let request = &review["request"];
    assert_eq!(request["kind"]["version"], "v2");
    assert_eq!(request["requestKind"]["version"], "v1");
    assert_eq!(
        request["object"]["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"],
        50
    );
}

#[tokio::test]
async fn parts_of_objects_are_reviewed_as_their_own_kind() {
    let hook = saying(json!({"allowed": true})).await;
    let more = json!({"rules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"],
                                 "resources": ["deployments/*"]}]});
    let client = with(Kind::Validating, &hook, more).await;
    let path = "/apis/apps/v1/namespaces/default/deployments";
    let body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
    client.post(path, &body.to_string()).await;
    hook.reviews();
    let media = "application/merge-patch+json";
    let scaled = client
        .send_as(
            "PATCH",
            &format!("{path}/d/scale"),
            media,
            r#"{"spec":{"replicas":3}}"#,
        )
        .await;
    assert_eq!(scaled.status, 200);
    let [review] = hook.reviews().try_into().unwrap();
    let request = &review["request"];
    assert_eq!(
        request["kind"],
        json!({"group": "autoscaling", "version": "v1", "kind": "Scale"})
    );
    assert_eq!(request["subResource"], "scale");
    assert_eq!(request["oldObject"]["spec"]["replicas"], 1);
    assert_eq!(request["object"]["spec"]["replicas"], 3);
}

#[tokio::test]
async fn webhooks_never_look_at_what_configures_them() {
    let hook = saying(json!({"allowed": false})).await;
    let everything = json!({"rules": [{"apiGroups": ["*"], "apiVersions": ["*"],
                                       "operations": ["*"], "resources": ["*/*"]}]});
    let client = with(Kind::Validating, &hook, everything.clone()).await;
    assert_eq!(create(&client, "c").await.status, 400);
    let again = configure(&client, Kind::Validating, &[entry(&hook, &everything)]).await;
    assert_eq!(again.status, 201);
    assert_eq!(hook.reviews().len(), 1);
}

#[tokio::test]
async fn connections_are_reviewed_before_they_are_refused() {
    let hook = saying(json!({"allowed": true})).await;
    let more = json!({"rules": [{"apiGroups": [""], "apiVersions": ["v1"],
        "operations": ["CONNECT"], "resources": ["*/*"]}]});
    let client = with(Kind::Validating, &hook, more).await;
    let pods = "/api/v1/namespaces/default/pods";
    let pod = r#"{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}}"#;
    assert_eq!(client.post(pods, pod).await.status, 201);
    hook.reviews();
    let unassigned = "pod p does not have a host assigned";
    for (path, kind, want, message) in [
        (
            "exec?command=ls&command=-l&stdin=true&container=c",
            "PodExecOptions",
            json!({"stdin": true, "container": "c", "command": ["ls", "-l"]}),
            unassigned,
        ),
        ("attach", "PodAttachOptions", json!({}), unassigned),
        (
            "portforward?ports=80&ports=81,82",
            "PodPortForwardOptions",
            json!({"ports": [80, 81, 82]}),
            unassigned,
        ),
        ("proxy", "PodProxyOptions", json!({}), "address not allowed"),
        (
            "proxy/",
            "PodProxyOptions",
            json!({"path": "/"}),
            "address not allowed",
        ),
        (
            "proxy/a/b/?x=y",
            "PodProxyOptions",
            json!({"path": "/a/b/"}),
            "address not allowed",
        ),
    ] {
        let told = client.get(&format!("{pods}/p/{path}")).await;
        assert_eq!(told.status, 400, "{path}");
        assert_eq!(told.body["message"], message, "{path}");
        let [review] = hook.reviews().try_into().unwrap();
        let request = &review["request"];
        assert_eq!(request["operation"], "CONNECT");
        assert_eq!(request["kind"]["kind"], kind);
        assert!(request["options"].is_null());
        let mut want = want;
        want["kind"] = kind.into();
        want["apiVersion"] = "v1".into();
        assert_eq!(request["object"], want, "{path}");
    }
    let denying = saying(json!({"allowed": false})).await;
    let more = json!({"rules": [{"apiGroups": [""], "apiVersions": ["v1"],
        "operations": ["CONNECT"], "resources": ["pods/exec"]}]});
    configure(&client, Kind::Mutating, &[entry(&denying, &more)]).await;
    let told = client.post(&format!("{pods}/p/exec?command=ls"), "").await;
    let want = "admission webhook \"a.example.dev\" denied the request without explanation";
    assert_eq!(told.body["message"], want);
}

#[tokio::test]
async fn scales_are_reviewed_when_they_are_applied() {
    let hook = saying(patch(&json!([
        {"op": "replace", "path": "/spec/replicas", "value": 7}])))
    .await;
    let more = json!({"rules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"],
                                 "resources": ["deployments/scale"]}]});
    let client = with(Kind::Mutating, &hook, more).await;
    let path = "/apis/apps/v1/namespaces/default/deployments";
    let body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
    client.post(path, &body.to_string()).await;
    let scale = json!({"apiVersion": "autoscaling/v1", "kind": "Scale",
                       "metadata": {"name": "d"}, "spec": {"replicas": 3}});
    let applied = client
        .send_as(
            "PATCH",
            &format!("{path}/d/scale?fieldManager=m&force=true"),
            "application/apply-patch+yaml",
            &scale.to_string(),
        )
        .await;
    assert_eq!(applied.body["spec"]["replicas"], 7, "{}", applied.body);
    let [review] = hook.reviews().try_into().unwrap();
    let request = &review["request"];
    assert_eq!(request["kind"]["kind"], "Scale");
    assert_eq!(request["object"]["spec"]["replicas"], 3);
    assert_eq!(request["oldObject"]["spec"]["replicas"], 1);
}
