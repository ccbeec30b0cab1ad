//! Pods on simulated nodes: they come up, end, and print.

use std::time::{Duration, Instant};

use http::Method;
use yaml::Value;

use crate::client::{Api, Call};
use crate::fields::{items, text};
use crate::world::tests::json;
use sandbox::{Controllers, Options, Server};

/// Conditions are waited for this long; far beyond what any takes.
const PATIENCE: Duration = Duration::from_secs(60);

async fn sandbox() -> (Server, Api) {
    let options = Options {
        controllers: Controllers::On { nodes: 2 },
        ..Options::in_memory()
    };
    let server = Server::start(options).await.expect("starts in memory");
    let api = Api::new(server.service());
    (server, api)
}

async fn create(api: &Api, path: &str, body: Value) {
    let end = Instant::now() + PATIENCE;
    loop {
        let call = Call {
            method: Method::POST,
            path: path.to_owned(),
            content_type: "application/json",
            body: Some(body.clone()),
            agent: "test/1",
        };
        match api.call(&call).await {
            Ok(_) => return,
            // The service account of the namespace is made by a controller that just started.
            Err(error) if error.code() == Some(403) && Instant::now() < end => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

async fn until(api: &Api, path: &str, met: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Ok(value) = api.get(path.to_owned()).await
            && met(&value)
        {
            return value;
        }
        assert!(Instant::now() < end, "{path} did not get there");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn deployment(name: &str, annotations: &str) -> Value {
    json(&format!(
        r#"{{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {{"name": "{name}"}},
            "spec": {{"replicas": 1, "selector": {{"matchLabels": {{"app": "{name}"}}}},
            "template": {{"metadata": {{"labels": {{"app": "{name}"}}, "annotations": {annotations}}},
            "spec": {{"containers": [{{"name": "c", "image": "none:1"}}]}}}}}}}}"#
    ))
}

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const PODS: &str = "/api/v1/namespaces/default/pods";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_gets_ready_and_a_crashing_one_says_why() {
    let (server, api) = sandbox().await;
    create(&api, DEPLOYMENTS, deployment("web", "{}")).await;
    create(
        &api,
        DEPLOYMENTS,
        deployment("bad", r#"{"sandbox.tiphys.dev/pod": "crash"}"#),
    )
    .await;
    until(&api, &format!("{DEPLOYMENTS}/web"), |web| {
        crate::fields::int(web, &["status", "availableReplicas"]) == Some(1)
    })
    .await;
    let reason = |pods: &Value| {
        items(pods, &["items"])
            .iter()
            .flat_map(|pod| items(pod, &["status", "containerStatuses"]))
            .any(|status| text(status, &["state", "waiting", "reason"]) == "CrashLoopBackOff")
    };
    until(&api, PODS, reason).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_ends_and_its_log_is_kept() {
    let (server, api) = sandbox().await;
    let job = |name: &str, script: &str| {
        json(&format!(
            r#"{{"apiVersion": "batch/v1", "kind": "Job", "metadata": {{"name": "{name}"}},
                "spec": {{"backoffLimit": 0, "template": {{"spec": {{"restartPolicy": "Never",
                "containers": [{{"name": "c", "image": "none:1", "command": ["sh", "-c", "{script}"]}}]}}}}}}}}"#
        ))
    };
    let jobs = "/apis/batch/v1/namespaces/default/jobs";
    create(&api, jobs, job("good", "echo hello")).await;
    create(&api, jobs, job("bad", "exit 3")).await;
    let ended = |kind: &'static str| {
        move |job: &Value| {
            items(job, &["status", "conditions"])
                .iter()
                .any(|known| text(known, &["type"]) == kind)
        }
    };
    until(&api, &format!("{jobs}/good"), ended("Complete")).await;
    until(&api, &format!("{jobs}/bad"), ended("Failed")).await;
    let pods = api.get(PODS.to_owned()).await.expect("is served");
    let printed: Vec<Option<String>> = items(&pods, &["items"])
        .iter()
        .map(|pod| server.logs().read(text(pod, &["metadata", "uid"]), "c"))
        .collect();
    assert!(printed.contains(&Some("hello\n".to_owned())), "{printed:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_deployments_get_ready_together() {
    let (server, api) = sandbox().await;
    let began = Instant::now();
    for number in 0..100 {
        create(
            &api,
            DEPLOYMENTS,
            deployment(&format!("web-{number}"), "{}"),
        )
        .await;
    }
    let created = began.elapsed();
    for number in 0..100 {
        until(&api, &format!("{DEPLOYMENTS}/web-{number}"), |web| {
            crate::fields::int(web, &["status", "availableReplicas"]) == Some(1)
        })
        .await;
    }
    println!(
        "100 deployments: created in {created:?}, ready after {:?}",
        began.elapsed()
    );
    server.stop().await;
}
