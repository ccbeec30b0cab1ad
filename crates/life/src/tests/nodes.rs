//! Pods on simulated nodes: they come up, end, and print.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt, Full};
use tower::ServiceExt;
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

/// Code and text of a log.
async fn log(server: &Server, pod: &str, query: &str) -> (u16, String) {
    let path = format!("{PODS}/{pod}/log?{query}");
    let request = http::Request::get(path)
        .body(Full::new(Bytes::new()))
        .expect("is a request");
    let answer = server.service().oneshot(request).await;
    let answer = answer.expect("answers all requests");
    let code = answer.status().as_u16();
    let body = answer.into_body().collect().await.expect("has an end");
    let text = String::from_utf8(body.to_bytes().into()).expect("is text");
    (code, text)
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
    let mut printed = Vec::new();
    for pod in items(&pods, &["items"]) {
        printed.push(log(&server, text(pod, &["metadata", "name"]), "").await.1);
    }
    assert!(printed.contains(&"hello\n".to_owned()), "{printed:?}");
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

/// A pod with that spec.
fn pod(name: &str, spec: &str) -> Value {
    json(&format!(
        r#"{{"apiVersion": "v1", "kind": "Pod", "metadata": {{"name": "{name}"}}, "spec": {spec}}}"#
    ))
}

fn waits_for(list: &'static str, reason: &'static str) -> impl Fn(&Value) -> bool {
    move |pod| {
        let mut statuses = items(pod, &["status", list]).iter();
        statuses.any(|status| text(status, &["state", "waiting", "reason"]) == reason)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn init_containers_hold_a_pod_up_or_end_it() {
    let (server, api) = sandbox().await;
    let spec = |restart: &str, command: &str| {
        format!(
            r#"{{"restartPolicy": "{restart}", "initContainers": [
            {{"name": "side", "image": "i", "restartPolicy": "Always"}},
            {{"name": "init", "image": "i", "command": ["sh", "-c", "{command}"]}}],
            "containers": [{{"name": "c", "image": "i"}}]}}"#
        )
    };
    create(&api, PODS, pod("good", &spec("Always", "echo done"))).await;
    create(&api, PODS, pod("loops", &spec("Always", "exit 1"))).await;
    create(&api, PODS, pod("fails", &spec("Never", "exit 1"))).await;
    let is = |phase: &'static str| move |pod: &Value| text(pod, &["status", "phase"]) == phase;
    until(&api, &format!("{PODS}/good"), is("Running")).await;
    assert_eq!(
        log(&server, "good", "container=init").await,
        (200, "done\n".into())
    );
    let crash = waits_for("initContainerStatuses", "CrashLoopBackOff");
    until(&api, &format!("{PODS}/loops"), crash).await;
    let (code, why) = log(&server, "loops", "container=c").await;
    let told = r#"container \"c\" in pod \"loops\" is waiting to start: PodInitializing"#;
    assert!(code == 400 && why.contains(told), "{why}");
    let failed = until(&api, &format!("{PODS}/fails"), is("Failed")).await;
    let initialized = items(&failed, &["status", "conditions"])
        .iter()
        .find(|condition| text(condition, &["type"]) == "Initialized")
        .expect("is there");
    assert_eq!(
        text(initialized, &["message"]),
        "containers with incomplete status: [init]"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_readiness_gate_keeps_a_pod_unready() {
    let (server, api) = sandbox().await;
    let spec = r#"{"readinessGates": [{"conditionType": "example.com/gate"}],
        "containers": [{"name": "c", "image": "i"}]}"#;
    create(&api, PODS, pod("gated", spec)).await;
    let ready = |status: &'static str, reason: &'static str| {
        move |pod: &Value| {
            items(pod, &["status", "conditions"]).iter().any(|it| {
                text(it, &["type"]) == "Ready"
                    && text(it, &["status"]) == status
                    && text(it, &["reason"]) == reason
            })
        }
    };
    let path = format!("{PODS}/gated");
    until(&api, &path, ready("False", "ReadinessGatesNotReady")).await;
    let call = Call {
        method: Method::PATCH,
        path: format!("{path}/status"),
        content_type: "application/strategic-merge-patch+json",
        body: Some(json(
            r#"{"status": {"conditions": [{"type": "example.com/gate", "status": "True"}]}}"#,
        )),
        agent: "test/1",
    };
    api.call(&call).await.expect("may be set");
    until(&api, &path, ready("True", "")).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_cut_as_asked_and_followed_to_its_end() {
    let (server, api) = sandbox().await;
    let spec = r#"{"restartPolicy": "Never", "containers": [{"name": "c", "image": "i",
        "command": ["sh", "-c", "echo one; echo two; sleep 0.3; echo three"]}]}"#;
    create(&api, PODS, pod("talks", spec)).await;
    until(&api, &format!("{PODS}/talks"), |pod| {
        text(pod, &["status", "phase"]) == "Running"
    })
    .await;
    let all = "one\ntwo\nthree\n";
    assert_eq!(
        log(&server, "talks", "follow=true").await,
        (200, all.into())
    );
    let check = async |query: &str, want: &str| {
        assert_eq!(
            log(&server, "talks", query).await,
            (200, want.to_owned()),
            "{query}"
        );
    };
    check("", all).await;
    check("tailLines=1", "three\n").await;
    check("tailLines=0", "").await;
    check("limitBytes=5", "one\nt").await;
    check("sinceTime=2999-01-01T00:00:00Z", "").await;
    check("tailLines=1&follow=true", "three\n").await;
    let (_, stamped) = log(&server, "talks", "timestamps=true&tailLines=1").await;
    assert!(
        stamped.ends_with("Z three\n") && stamped.len() == 37,
        "{stamped}"
    );
    let (code, why) = log(&server, "talks", "previous=true").await;
    assert!(
        code == 400 && why.contains("previous terminated container"),
        "{why}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_that_keep_apart_get_nodes_of_their_own() {
    let (server, api) = sandbox().await;
    let spec = r#"{"containers": [{"name": "c", "image": "i"}], "affinity": {"podAntiAffinity":
        {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {"app": "lonely"}}}]}}}"#;
    for name in ["a", "b", "c"] {
        let mut body = pod(name, spec);
        body.map_at_mut(&["metadata", "labels"])
            .insert("app", "lonely");
        create(&api, PODS, body).await;
    }
    let message = "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules. no new \
        claims to deallocate, preemption: 0/2 nodes are available: 2 No preemption victims found \
        for incoming pod.";
    let pods = until(&api, PODS, |pods| {
        let refused = items(pods, &["items"])
            .iter()
            .flat_map(|pod| items(pod, &["status", "conditions"]))
            .any(|it| text(it, &["message"]) == message);
        let placed = items(pods, &["items"])
            .iter()
            .filter(|pod| !text(pod, &["spec", "nodeName"]).is_empty());
        refused && placed.count() == 2
    })
    .await;
    let mut nodes: Vec<&str> = items(&pods, &["items"])
        .iter()
        .map(|pod| text(pod, &["spec", "nodeName"]))
        .collect();
    nodes.sort_unstable();
    assert_eq!(nodes, ["", "node-1", "node-2"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_of_a_node_that_is_no_more_end_after_a_while() {
    let clock = sandbox::Clock::manual("2026-01-02T03:04:05Z".parse().expect("is a time"));
    let options = Options {
        controllers: Controllers::On { nodes: 1 },
        clock: clock.clone(),
        ..Options::in_memory()
    };
    let server = Server::start(options).await.expect("starts in memory");
    let api = Api::new(server.service());
    let spec = r#"{"nodeName": "lost", "containers": [{"name": "c", "image": "i"}]}"#;
    create(&api, PODS, pod("homeless", spec)).await;
    create(
        &api,
        PODS,
        pod("other", r#"{"containers": [{"name": "c", "image": "i"}]}"#),
    )
    .await;
    let names = |pods: &Value| -> Vec<String> {
        let pods = items(pods, &["items"]).iter();
        pods.map(|pod| text(pod, &["metadata", "name"]).to_owned())
            .collect()
    };
    until(&api, &format!("{PODS}/other"), |pod| {
        text(pod, &["status", "phase"]) == "Running"
    })
    .await;
    clock.advance(Duration::from_secs(39));
    let pods = api.get(PODS.to_owned()).await.expect("is served");
    assert_eq!(names(&pods), ["homeless", "other"]);
    clock.advance(Duration::from_secs(2));
    until(&api, PODS, |pods| names(pods) == ["other"]).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_equipped_cluster_takes_pods_that_ask_for_what_no_node_has() {
    let options = Options {
        controllers: Controllers::Equipped { nodes: 2 },
        ..Options::in_memory()
    };
    let server = Server::start(options).await.expect("starts in memory");
    let api = Api::new(server.service());
    let asks = |more: &str| {
        format!(
            r#"{{"containers": [{{"name": "c", "image": "i",
            "resources": {{"limits": {{"nvidia.com/gpu": "1"}}}}}}], {more}}}"#
        )
    };
    let zone = r#""topologyKey": "topology.kubernetes.io/zone",
        "labelSelector": {"matchLabels": {"app": "x"}}"#;
    let selects = r#""nodeSelector": {"workload": "ml"}"#;
    let spread = format!(
        r#""topologySpreadConstraints": [{{"maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", {zone}}}]"#
    );
    let near = format!(
        r#""affinity": {{"podAffinity": {{"requiredDuringSchedulingIgnoredDuringExecution": [{{{zone}}}]}}}}"#
    );
    for (name, more) in [("selects", selects), ("spread", &spread), ("near", &near)] {
        create(&api, PODS, pod(name, &asks(more))).await;
        until(&api, &format!("{PODS}/{name}"), |pod| {
            text(pod, &["status", "phase"]) == "Running"
        })
        .await;
    }
    let other = r#"{"nodeSelector": {"kubernetes.io/os": "windows"},
        "containers": [{"name": "c", "image": "i"}]}"#;
    create(&api, PODS, pod("other", other)).await;
    until(&api, &format!("{PODS}/other"), |pod| {
        let conditions = items(pod, &["status", "conditions"]);
        conditions
            .iter()
            .any(|it| text(it, &["reason"]) == "Unschedulable")
    })
    .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_equipped_cluster_has_the_metrics_that_autoscalers_ask_for() {
    let options = Options {
        controllers: Controllers::Equipped { nodes: 1 },
        ..Options::in_memory()
    };
    let server = Server::start(options).await.expect("starts in memory");
    let api = Api::new(server.service());
    let deployment = r#"{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 2,
        "selector": {"matchLabels": {"app": "web"}}, "template": {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "i"}]}}}}"#;
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    create(&api, deployments, json(deployment)).await;
    let scalers = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers";
    let check = async |name: &str, metrics: &str, want: &str| {
        let scaler = format!(
            r#"{{"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {{"name": "{name}"}}, "spec": {{"maxReplicas": 5, "metrics": {metrics},
            "scaleTargetRef": {{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}}}}"#
        );
        create(&api, scalers, json(&scaler)).await;
        let want =
            format!("the HPA was able to successfully calculate a replica count from {want}");
        until(&api, &format!("{scalers}/{name}"), |scaler| {
            let mut conditions = items(scaler, &["status", "conditions"]).iter();
            conditions.any(|it| text(it, &["message"]) == want)
        })
        .await;
    };
    let share = "cpu resource utilization (percentage of request)";
    check("none", "[]", share).await;
    let memory = r#"[{"type": "Resource", "resource": {"name": "memory",
        "target": {"type": "AverageValue", "averageValue": "1Gi"}}}]"#;
    check("memory", memory, "memory resource").await;
    let queue = r#"[{"type": "External", "external": {"metric": {"name": "queue"},
        "target": {"type": "AverageValue", "averageValue": "5"}}}]"#;
    check("queue", queue, "external metric queue(nil)").await;
    let hits = r#"[{"type": "Pods", "pods": {"metric": {"name": "hits"},
        "target": {"type": "AverageValue", "averageValue": "5"}}}]"#;
    check("hits", hits, "pods metric hits").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cluster_roles_gather_the_rules_of_others() {
    let (server, api) = sandbox().await;
    let path = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    let role = |name: &str, rest: &str| {
        json(&format!(
            r#"{{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {{"name": "{name}", "labels": {{"part": "{name}"}}}}, {rest}}}"#
        ))
    };
    let gathers = r#""aggregationRule": {"clusterRoleSelectors": [
        {"matchLabels": {"part": "b"}}, {"matchExpressions": [{"key": "part", "operator": "In",
        "values": ["a", "b", "all"]}]}]}"#;
    let rule = |resource: &str| {
        format!(r#"{{"apiGroups": [""], "resources": ["{resource}"], "verbs": ["get"]}}"#)
    };
    create(&api, path, role("all", gathers)).await;
    let rules = |list: &str| format!(r#""rules": [{list}]"#);
    create(&api, path, role("a", &rules(&rule("pods")))).await;
    let both = [rule("secrets"), rule("pods")].join(",");
    create(&api, path, role("b", &rules(&both))).await;
    let want = json(&format!("[{both}]"));
    until(&api, &format!("{path}/all"), |role| {
        role.get("rules") == Some(&want)
    })
    .await;
    server.stop().await;
}
